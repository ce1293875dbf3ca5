"""The recordings of AWS, judged by the checker that comes with them (skipped where they are not there).

Three tables say which cases do not agree and why; a case that newly agrees or differs fails the test.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from statewright.audit import check_history
from tests.conformance.adapter import SHARED

pytestmark = pytest.mark.skipif(not (SHARED / "check.py").exists(), reason="the recordings are not here")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with the record of a case.

    Arguments:
        level: the first one at which the engine differs from it.
        why: in words.
        reads: a piece of the case's text that is wrong.
        means: what it would be; with that in its place the case agrees at every level.
    """

    level: str
    why: str
    reads: str
    means: str


_RENAMED = (
    "the function was renamed, but not where its name is part of another",
    "lambda_func_uid0001",
    "raise_exception",
)
_WITHIN = ("a placeholder within a placeholder, of which the checker takes the outer half literally",
           "<<task_token>:1>", "<task_token:1>")  # fmt: skip

_ACCOUNT = ("the account of the transformers is not that of the ARN", "<secondary_test_aws_account_id>", "111111111111")


def _before_redrive(status: str) -> Flaw:
    """A nested execution described before there was RedriveExecution; later recordings have what is added here."""
    start = '"StartDate": "start-date", "StateMachineArn"'
    return Flaw(
        "output", "older than RedriveExecution", start, f'"RedriveCount": 0, "RedriveStatus": {status}, {start}'
    )


KNOWN = {
    "callback.start_execution_sync": _before_redrive(
        '"NOT_REDRIVABLE", "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven"'
    ),
    "callback.start_execution_sync_delegate_failure": _before_redrive('"REDRIVABLE"'),
    "callback.start_execution_sync_delegate_timeout": _before_redrive('"REDRIVABLE"'),
    "credentials.credentials_base.cross_account_states_start_sync_execution[SFN_START_EXECUTION_SYNC_ROLE_ARN_PATH]": (
        Flaw("output", *_ACCOUNT)
    ),
    "credentials.credentials_base.cross_account_states_start_sync_execution"
    "[SFN_START_EXECUTION_SYNC_ROLE_ARN_PATH_CONTEXT]": Flaw("output", *_ACCOUNT),
    "callback.sqs_wait_for_task_tok_with_heartbeat": Flaw("history", *_WITHIN),
    "callback.sqs_wait_for_task_token": Flaw("history", *_WITHIN),
    "callback.sqs_wait_for_task_token_timeout": Flaw("history", *_WITHIN),
    "error_handling.task_lambda.no_such_function_catch": Flaw("history", *_RENAMED),
    "error_handling.task_service_lambda.no_such_function": Flaw("output", *_RENAMED),
    "error_handling.task_service_lambda.no_such_function_catch": Flaw("output", *_RENAMED),
    "error_handling.task_service_sqs.send_message_no_such_queue_no_catch": Flaw(
        "output", "the host was renamed in the input, but not in the cause", "no-such-queue-fa484d45",
        "no-such-queue-uid0002",
    ),
    "scenarios.base_scenarios.lambda_service_invoke_with_retry_extended_input": Flaw(
        "history", "older than RedriveCount in the context object, which every later recording has",
        '"RoleArn": "snf_role_arn"}', '"RoleArn": "snf_role_arn", "RedriveCount": 0}',
    ),
}  # fmt: skip
"""Cases that are played and do not agree, because no engine can: by name."""

_GATEWAY = (
    "no case says which functions are behind the API's paths, and the checker takes no list for a replaced header"
)

LEFT = {
    "scenarios.base_scenarios.map_item_reader_base_list_objects_v2": (
        "the recorder put the text <date> in place of a number, LastModified, and the checker takes it literally"
    ),
    "scenarios.sfn_scenarios.step_functions_calling_api_gateway": _GATEWAY,
    "services.apigetway_task_service.": _GATEWAY,
}
"""Cases that cannot be played, by the beginnings of their names, and why."""

_ENVELOPE = "the mock has no ExecutedVersion, which the service sent"
_SUBMISSION = "the mock is the answer only, without the service's reply to the submission"

MOCKED = {
    "local_mocking.base_callbacks.sfn_start_execution_sync[SFN_SYNC](mock-config)": (
        "output", "the mock has no RedriveCount, which the service sent",
    ),
    "local_mocking.base_callbacks.sqs_wait_for_task_token(mock-config)": ("history", _SUBMISSION),
    "local_mocking.base_callbacks.sqs_wait_for_task_token_task_failure(mock-config)": ("history", _SUBMISSION),
    "local_mocking.base_scenarios.lambda_service_invoke(mock-config)": ("output", _ENVELOPE),
    "local_mocking.base_scenarios.lambda_service_invoke_sync_execution(mock-config)": ("output", _ENVELOPE),
    "local_mocking.base_scenarios.parallel_state_lambda(mock-config)": ("history", _ENVELOPE),
}  # fmt: skip
"""Cases with mocked responses that do not agree with what the services themselves replied: level, and why."""


class Judge:
    """The checker with the adapter in its hands, as ``check.py --adapter … --kind execution --needs all``."""

    def __init__(self) -> None:
        specification = importlib.util.spec_from_file_location("conformance_check", SHARED / "check.py")
        assert specification is not None
        assert specification.loader is not None
        self._check: Any = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(self._check)
        adapter = "tests.conformance.adapter:run_case"
        self._options = argparse.Namespace(
            adapter=adapter, needs="all", without=None, account="000000000000", region="us-east-1", timeout=30.0
        )
        self._adapter = self._check.Adapter(adapter, self._options)
        self._excluded = json.loads((SHARED / "excluded.json").read_text())
        cases = self._check.load(SHARED / "cases")
        self.cases: dict[str, dict[str, Any]] = {case["id"]: case for case in cases if case["kind"] == "execution"}

    def chosen(self) -> Iterator[str]:
        """Names of the cases that the checker judges."""
        return (
            name for name, case in self.cases.items() if not self._check.why_not(case, self._options, self._excluded)
        )

    def differs(self, case: dict[str, Any]) -> tuple[str, str] | None:
        """The first level at which the engine differs from the recording, and how; None if it agrees."""
        verdict = self._adapter.run(case)
        levels = self._check.recorded_levels(case, self._excluded)
        return next(((level, verdict.at[level]) for level in levels if isinstance(verdict.at[level], str)), None)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def test_every_case(judge: Judge) -> None:
    chosen = list(judge.chosen())
    assert len(chosen) > 690
    differ = {name: found for name in chosen if (found := judge.differs(judge.cases[name])) is not None}
    left = {name for name in chosen if name.startswith(tuple(LEFT))}
    new = {name: found for name, found in differ.items() if name not in left | KNOWN.keys()}
    assert not new, "these do not agree"
    assert not left - differ.keys(), "these can be played now"
    assert {name: level for name, (level, _) in differ.items() if name not in left} == {
        name: flaw.level for name, flaw in KNOWN.items()
    }
    assert all(any(name.startswith(beginning) for name in left) for beginning in LEFT)


@pytest.mark.parametrize("name", KNOWN)
def test_a_flawed_record_agrees_once_it_is_mended(judge: Judge, name: str) -> None:
    flaw, text = KNOWN[name], json.dumps(judge.cases[name])
    assert flaw.reads in text
    assert judge.differs(json.loads(text.replace(flaw.reads, flaw.means))) is None


def test_recorded_histories_are_ones_that_the_checker_of_histories_knows(judge: Judge) -> None:
    """All that are complete (a few are recorded without ids, since branches have no fixed order)."""
    judged = 0
    for name, case in judge.cases.items():
        events = [_event(event) for event in case.get("history", ())]
        if events and all(isinstance(id_, int) and isinstance(previous, int) for id_, previous, *_ in events):
            assert not check_history(events, case["expect"]["status"]), name
            judged += 1
    assert judged > 325


def _event(event: dict[str, Any]) -> tuple[int, int, None, str, dict[str, Any] | None]:
    details = next((value for member, value in event.items() if member.endswith("EventDetails")), None)
    return event["id"], event["previousEventId"], None, event["type"], details


def test_mocked_responses(judge: Judge) -> None:
    """The checker leaves them out, since an endpoint cannot be told what to mock."""
    found = {name: judge.differs(case) for name, case in judge.cases.items() if "mock_config" in case}
    assert len(found) == 10
    assert {name: difference[0] for name, difference in found.items() if difference} == {
        name: level for name, (level, _) in MOCKED.items()
    }, found
