"""The stand-ins do what the services do, also where no recorded case asks for it: cases without a record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.adapter import SHARED, run_case

pytestmark = pytest.mark.skipif(not (SHARED / "functions.py").exists(), reason="the Lambda functions are not here")

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/mail"
ACTIVITY = "arn:aws:states:us-east-1:000000000000:activity:review"
SDK = "arn:aws:states:::aws-sdk"


def play(states: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Run a case whose state machine starts at the first of `states`."""
    case = {
        "definition": {"StartAt": next(iter(states)), "States": states},
        "execution_arn": "arn:aws:states:us-east-1:000000000000:execution:machine:run",
        "state_machine_arn": "arn:aws:states:us-east-1:000000000000:stateMachine:machine",
        "input": {},
        "type": "STANDARD",
        "needs": [],
        "role_arn": "arn:aws:iam::000000000000:role/any",
    }
    return run_case(case | members)


def task(resource: str, parameters: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A Task state, the last one unless it has a `Next`."""
    end = {} if "Next" in fields else {"End": True}
    return {"Type": "Task", "Resource": resource, "Parameters": parameters or {}} | end | fields


def types(seen: dict[str, Any]) -> list[str]:
    return [event["type"] for event in seen["history"]]


def callback(**fields: Any) -> dict[str, Any]:
    """Sends its token to the queue and waits."""
    parameters = {"QueueUrl": QUEUE, "MessageBody": {"Message": [1], "TaskToken.$": "$$.Task.Token"}}
    return {"Ask": task("arn:aws:states:::sqs:sendMessage.waitForTaskToken", parameters, **fields)}


def queue(*others: dict[str, Any]) -> list[dict[str, Any]]:
    """A setup with the queue, and what comes after it."""
    return [{"service": "sqs", "op": "create_queue", "params": {"QueueName": "mail"}}, *others]


RECEIVE = {"service": "sqs", "op": "receive_message", "params": {"QueueUrl": QUEUE}}
TOKEN = "${ops1.Messages.0.Body.json.TaskToken}"
BEAT = {"op": "send_task_heartbeat", "params": {"taskToken": TOKEN}}
SUCCEED = {"op": "send_task_success", "params": {"taskToken": TOKEN, "output": "${ops1.Messages.0.Body}"}}


def test_heartbeats_of_a_script_keep_the_task_alive() -> None:
    seen = play(callback(HeartbeatSeconds=3), setup=queue(RECEIVE), script=[*[BEAT] * 9, SUCCEED])
    assert seen["status"] == "SUCCEEDED"
    assert '"Message":[1]' in seen["output"]
    assert types(seen)[3:6] == ["TaskStarted", "TaskSubmitted", "TaskSucceeded"]


def test_a_script_waits_for_what_it_refers_to() -> None:
    other = {"op": "send_task_heartbeat", "params": {"taskToken": "${ops2.Messages.0.Body.json.TaskToken}"}}
    seen = play(callback(HeartbeatSeconds=3), setup=queue(RECEIVE, RECEIVE), script=[other, SUCCEED])
    assert (seen["status"], seen["error"]) == ("FAILED", "States.Timeout")


def test_a_failure_by_script() -> None:
    fail = {"op": "send_task_failure", "params": {"taskToken": TOKEN, "error": "No", "cause": "not this"}}
    seen = play(callback(), setup=queue(RECEIVE), script=[fail])
    assert (seen["status"], seen["error"], seen["cause"]) == ("FAILED", "No", "not this")


@pytest.mark.parametrize(
    ("op", "status"),
    [
        ("sqs_send_task_success_state_machine", "SUCCEEDED"),
        ("sqs_send_heartbeat_and_task_success_state_machine", "SUCCEEDED"),
        ("sqs_send_task_failure_state_machine", "FAILED"),
    ],
)
def test_a_helper_answers_every_message(op: str, status: str) -> None:
    helper = {"service": "callback", "op": op, "params": {"queue": QUEUE}}
    branch = {"StartAt": "Ask", "States": callback(Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}])}
    seen = play({"Both": {"Type": "Parallel", "Branches": [branch], "Next": "Again"}, **_again()}, setup=queue(helper))
    assert seen["status"] == status
    assert types(seen).count("TaskSubmitted") == 2  # the second state, or the second attempt


def _again() -> dict[str, Any]:
    (ask,) = callback().values()
    return {"Again": ask}


@pytest.mark.parametrize("answer", ["sendTaskSuccess", "sendTaskFailure"])
def test_an_activity_worker_polls_and_answers(answer: str) -> None:
    token = {"TaskToken.$": "$.task.TaskToken"}
    outcome = {"Output.$": "$.task.Input"} if answer == "sendTaskSuccess" else {"Error": "No", "Cause": "not this"}
    poll = {"ActivityArn.$": "$.ActivityArn", "WorkerName": "reviewer"}
    states = {
        "Poll": task(f"{SDK}:sfn:getActivityTask", poll, ResultPath="$.task", Next="Beat"),
        "Beat": task(f"{SDK}:sfn:sendTaskHeartbeat", token, ResultPath=None, Next="Answer"),
        "Answer": task(f"{SDK}:sfn:{answer}", token | outcome),
    }
    template = {"StartAt": "Poll", "States": states}
    worker = {"op": "sfn_activity_consumer", "params": {"template": template, "ActivityArn": ACTIVITY}}
    before = {"Later": {"Type": "Wait", "Seconds": 30, "Next": "Review"}}
    seen = play(
        before | {"Review": task(ACTIVITY, {"n": 1}, HeartbeatSeconds=5)}, setup=[{"service": "callback", **worker}]
    )
    if answer == "sendTaskSuccess":
        assert (seen["status"], seen["output"]) == ("SUCCEEDED", '{"n":1}')
    else:
        assert (seen["status"], seen["error"], seen["cause"]) == ("FAILED", "No", "not this")
    started = next(event for event in seen["history"] if event["type"] == "ActivityStarted")
    assert started["activityStartedEventDetails"] == {"workerName": "reviewer"}


def test_mocks_by_call() -> None:
    thrown, returned = {"Throw": {"Error": "Busy", "Cause": "later"}}, {"Return": {"n": 4}}
    config = {
        "StateMachines": {"machine": {"TestCases": {"third": {"Work": "busy"}}}},
        "MockedResponses": {"busy": {"0": thrown, "1-2": thrown, "3": returned}},
    }
    retry = [{"ErrorEquals": ["Busy"], "MaxAttempts": 3}]
    seen = play(
        {"Work": task("arn:aws:states:::sqs:sendMessage", Retry=retry)}, mock_config=config, mock_test_case="third"
    )
    assert (seen["status"], seen["output"]) == ("SUCCEEDED", '{"n":4}')
    assert types(seen).count("TaskFailed") == 3


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        ({"Return": 7}, ("SUCCEEDED", "7", None, None)),
        ({"Throw": {"Error": "No", "Cause": "not this"}}, ("FAILED", None, "No", "not this")),
    ],
)
def test_a_mock_answers_a_token(response: dict[str, Any], outcome: tuple[str | None, ...]) -> None:
    config = {
        "StateMachines": {"machine": {"TestCases": {"only": {"Ask": "reply"}}}},
        "MockedResponses": {"reply": {"0": response}},
    }
    seen = play(callback(), mock_config=config, mock_test_case="only")
    assert (seen["status"], seen["output"], seen["error"], seen["cause"]) == outcome
    assert "TaskSubmitted" in types(seen)


def test_an_object_is_there_once_it_was_put() -> None:
    place = {"Bucket": "files", "Key": "a/b.json"}
    states = {
        "Put": task(f"{SDK}:s3:putObject", place | {"Body": {"n": 1}}, Next="Get"),
        "Get": task(f"{SDK}:s3:getObject", place, OutputPath="$.Body"),
    }
    setup = [{"service": "s3", "op": "create_bucket", "params": {"Bucket": "files"}}]
    assert play(states, setup=setup)["output"] == '"{\\"n\\":1}"'
    assert play(states)["error"] == "S3.NoSuchBucketException"


def test_a_stopped_execution() -> None:
    seen = play({"Long": {"Type": "Wait", "Seconds": 60, "End": True}}, needs=["stop_execution"])
    assert seen["status"] == "ABORTED"
    assert types(seen)[-1] == "ExecutionAborted"


def test_an_express_execution_has_the_id_of_the_case() -> None:
    arn = "arn:aws:states:us-east-1:000000000000:express:machine:run:id-1"
    look = {"Look": {"Type": "Pass", "Parameters": {"id.$": "$$.Execution.Id"}, "End": True}}
    seen = play(look, type="EXPRESS", execution_arn=arn)
    assert seen["output"] == f'{{"id":"{arn}"}}'
