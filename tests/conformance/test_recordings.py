"""The recordings of AWS, judged by the checker that comes with them (skipped where they are not there)."""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.adapter import SHARED

pytestmark = pytest.mark.skipif(not (SHARED / "check.py").exists(), reason="the recordings are not here")

KNOWN = {
    # The function was renamed where its name stood alone, and not in the input, where it is part of another name: no
    # input matches what was recorded of it (see test_the_missing_function_of_one_name).
    "error_handling.task_lambda.no_such_function_catch": "history",
    "error_handling.task_service_lambda.no_such_function": "output",
    "error_handling.task_service_lambda.no_such_function_catch": "output",
    # The recorder replaced the random host name in the input, and not in the cause.
    "error_handling.task_service_sqs.send_message_no_such_queue_no_catch": "output",
    # A placeholder within a placeholder, `<<task_token>:1>`: for the checker it begins with a literal "<".
    "callback.sqs_wait_for_task_tok_with_heartbeat": "history",
    "callback.sqs_wait_for_task_token": "history",
    "callback.sqs_wait_for_task_token_timeout": "history",
    # Recorded before the context object had RedriveCount, which every later recording has.
    "scenarios.base_scenarios.lambda_service_invoke_with_retry_extended_input": "history",
    # The context object of a synchronous EXPRESS execution has no RedriveCount; here all are started asynchronously.
    "express.express_sync.query_runtime_memory": "output",
}
"""Cases that are played and do not agree, and the first level at which they do not."""

_NESTED = "the engine does not start executions of its own accord yet"
_READERS = "the engine does not read the items of a distributed Map from files yet"
_GATEWAY = "the case does not say what is behind the API: no functions by path, no templates, CloudFront's headers"

LEFT = {
    "assign.assign_reference_variables.reference_in_map_state_max_items_path[MAP_STATE_REFERENCE_IN_MAX_PER_": _READERS,
    "callback.start_execution_sync": _NESTED,
    "callback.sync_with_task_token": _NESTED,
    "credentials.credentials_base.cross_account_states_start_sync_execution": _NESTED,
    "error_handling.task_service_sfn.start_execution_no_such_arn": _NESTED,
    "local_mocking.base_callbacks.sfn_start_execution_sync[SFN_SYNC]": _NESTED,
    "scenarios.base_scenarios.map_item_batching_base_json_max_per_batch_jsonata": _READERS,
    "scenarios.base_scenarios.map_item_reader_": _READERS,
    "scenarios.sfn_scenarios.step_functions_calling_api_gateway": _GATEWAY,
    "services.apigetway_task_service.": _GATEWAY,
    "services.aws_sdk_task_service.sfn_start_execution": _NESTED,
    "services.sfn_task_service.start_execution": _NESTED,
}
"""Cases that cannot be played yet, by how their names begin, and why."""

_ENVELOPE = "the mock is not all that the service replied: ExecutedVersion is missing"
_SUBMISSION = "a mock is the answer, not the submission that was recorded before it"

MOCKED = {
    "local_mocking.base_callbacks.sfn_start_execution_sync[SFN_SYNC](mock-config)": ("output", "x"),
}


@pytest.fixture(scope="module")
def check() -> Any:
    """The checker, as a module."""
    specification = importlib.util.spec_from_file_location("conformance_check", SHARED / "check.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Judge:
    """The checker with the adapter in its hands, as ``check.py --adapter … --needs all``."""

    def __init__(self, check: Any) -> None:
        self.check = check
        self.options = argparse.Namespace(
            adapter="tests.conformance.adapter:run_case", without=None, needs="all", account="000000000000",
            region="us-east-1", timeout=30.0,
        )  # fmt: skip
        self.excluded = json.loads((SHARED / "excluded.json").read_text())
        self.target = check.Adapter(self.options.adapter, self.options)
        self.cases = {case["id"]: case for case in check.load(SHARED / "cases") if case["kind"] == "execution"}

    def chosen(self) -> Iterator[dict[str, Any]]:
        """The cases that the checker runs."""
        return (case for case in self.cases.values() if self.check.why_not(case, self.options, self.excluded) is None)

    def differs(self, case: dict[str, Any]) -> tuple[str, str] | None:
        """The first level at which the engine differs from the recording, and how."""
        verdict = self.target.run(case)
        levels = self.check.recorded_levels(case, self.excluded)
        return next(((level, verdict.at[level]) for level in levels if isinstance(verdict.at[level], str)), None)


@pytest.fixture(scope="module")
def judge(check: Any) -> Judge:
    return Judge(check)


def test_recordings(judge: Judge) -> None:
    differ = {case["id"]: found for case in judge.chosen() if (found := judge.differs(case)) is not None}
    left = {name for name in judge.cases if name.startswith(tuple(LEFT)) and "mock_config" not in judge.cases[name]}
    assert {name: level for name, (level, _) in differ.items() if name not in left} == KNOWN, differ
    assert left - differ.keys() == set(), "these can be played now"
    assert len(judge.cases) > 690
