"""Which handler does the work of a Resource; task functions from files; tokens."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from statewright import StatewrightError, TaskError, load_functions, task
from statewright.tasks import Registry, Tokens, TokenTarget
from statewright.values import Json, Payload

LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function"
INVOKE = "arn:aws:states:::lambda:invoke"


def plain(given: Any) -> Any: ...
def underscored(given: Any) -> Any: ...
def pattern(given: Any) -> Any: ...
def whole(given: Any) -> Any: ...


REGISTRY = Registry(
    {
        "pay": plain,
        "send_mail": underscored,
        "arn:aws:states:::s3:*": pattern,
        "arn:aws:states:::s3:getObject": whole,
        "http://shop/pay": whole,
    }
)

FOUND: dict[str, tuple[str, Json, Any, Json]] = {
    "plain": ("pay", 1, plain, 1),
    "dashes": ("send-mail", 1, underscored, 1),
    "lambda": (f"{LAMBDA}:pay", None, plain, None),
    "lambda version": (f"{LAMBDA}:pay:3", [1], plain, [1]),
    "invoke by name": (INVOKE, {"FunctionName": "pay", "Payload": 2}, plain, 2),
    "invoke by name and version": (INVOKE, {"FunctionName": "pay:$LATEST", "Payload": 2}, plain, 2),
    "invoke by ARN": (INVOKE, {"FunctionName": f"{LAMBDA}:pay", "Payload": {}}, plain, {}),
    "invoke by partial ARN": (INVOKE, {"FunctionName": "123456789012:function:pay:live"}, plain, {}),
    "invoke with a text": (INVOKE, {"FunctionName": "pay", "Payload": '{"a":1}'}, plain, {"a": 1}),
    "invoke for a token": (f"{INVOKE}.waitForTaskToken", {"FunctionName": "pay"}, plain, {}),
    "pattern": ("arn:aws:states:::s3:putObject", {"Key": 1}, pattern, {"Key": 1}),
    "whole before pattern": ("arn:aws:states:::s3:getObject", {}, whole, {}),
    "any resource": ("http://shop/pay", {}, whole, {}),
}


@pytest.mark.parametrize(("resource", "arguments", "handler", "given"), FOUND.values(), ids=FOUND)
def test_found(resource: str, arguments: Json, handler: Any, given: Json) -> None:
    call = REGISTRY.resolve(resource, Payload.of(arguments))
    assert (call.handler, call.input) == (handler, given)
    assert (call.wrap is not None) == resource.startswith(INVOKE)


MISSING: dict[str, tuple[str, Json, str, str]] = {
    "plain": ("pai", 1, "Statewright.TaskNotFound", "near it: pay"),
    "lambda": (f"{LAMBDA}:x", 1, "Lambda.ResourceNotFoundException", "function:x:$LATEST (Service: AWSLambda"),
    "invoke": (INVOKE, {"FunctionName": "x"}, "Lambda.ResourceNotFoundException", ":000000000000:function:x:$LATEST"),
    "invoke what": (INVOKE, {}, "Statewright.InvalidArguments", "needs a FunctionName"),
    "invoke an array": (INVOKE, [], "Statewright.InvalidArguments", "needs a FunctionName"),
    "no JSON": (INVOKE, {"FunctionName": "pay", "Payload": "{"}, "Lambda.InvalidRequestContentException", "parse"),
    "another service": ("arn:aws:states:::sqs:sendMessage", {}, "Statewright.TaskNotFound", "sqs:sendMessage"),
}  # fmt: skip


@pytest.mark.parametrize(("resource", "arguments", "error", "cause"), MISSING.values(), ids=MISSING)
def test_missing(resource: str, arguments: Json, error: str, cause: str) -> None:
    with pytest.raises(TaskError) as refusal:
        REGISTRY.resolve(resource, Payload.of(arguments))
    assert refusal.value.error == error
    assert cause in (refusal.value.cause or "")


class Callable:
    async def __call__(self, given: Any, context: Any) -> None: ...


async def with_default(given: Any, retries: int = 3) -> None: ...
def named_context(given: Any, context: Any = None) -> None: ...
def anything(*given: Any) -> None: ...
def nothing() -> None: ...
def three(a: Any, b: Any, c: Any) -> None: ...


@pytest.mark.parametrize(
    ("handler", "with_context", "is_async"),
    [
        (Callable(), True, True),
        (with_default, False, True),
        (named_context, True, False),
        (anything, True, False),
        (partial(three, 1), True, False),
        (len, False, False),
        (lambda given: given, False, False),
    ],
)
def test_signatures(handler: Any, with_context: bool, is_async: bool) -> None:
    call = Registry({"x": handler}).resolve("x", Payload.of(1))
    assert (call.with_context, call.is_async) == (with_context, is_async)


@pytest.mark.parametrize("handler", [nothing, three])
def test_signatures_that_cannot_be_called(handler: Any) -> None:
    with pytest.raises(TypeError, match="one argument"):
        Registry({"x": handler})


def test_the_input_is_a_copy() -> None:
    payload = Payload.of({"a": [1]})
    REGISTRY.resolve("pay", payload).input["a"].append(2)
    assert payload.value == {"a": [1]}


# ---------------------------------------------------------------------------------------------------------------------
# Functions from files
# ---------------------------------------------------------------------------------------------------------------------
FILES = {
    "marked": (
        "from statewright import task\n@task('charge-card')\ndef f(x): return x\ndef g(x): ...",
        {"charge-card"},
    ),
    "public": ("import json\nfrom json import dumps\ndef pay(x): ...\ndef _hidden(x): ...", {"pay"}),
    "listed": ("TASKS = {'a-b': lambda x: x, 'c': len}\ndef g(x): ...", {"a-b", "c"}),
    "beside": ("from beside_of_listed import value\ndef pay(x): return value", {"pay"}),
}


@pytest.mark.parametrize(("text", "names"), FILES.values(), ids=FILES)
def test_functions_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, names: set[str]) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "beside_of_listed.py").write_text("value = 7")
    path = tmp_path / "handlers.py"
    path.write_text(text)
    assert load_functions(path).keys() == names
    assert load_functions(str(path)).keys() == names


def test_functions_of_a_module() -> None:
    assert "dumps" in load_functions("json")


@pytest.mark.parametrize("text", ["x = 1", "raise ValueError('broken')", "def f(:", "import nothing_of_that_name"])
def test_files_without_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(StatewrightError, match="InvalidFunctions"):
        load_functions(tmp_path / "broken.py")


def test_files_that_are_not_there() -> None:
    for source in (Path("/nowhere/handlers.py"), "/nowhere/handlers.py", "no_such_module.of.that.name"):
        with pytest.raises(StatewrightError, match="InvalidFunctions"):
            load_functions(source)


def test_task_leaves_the_function_as_it_is() -> None:
    assert task("x")(plain) is plain
    del plain.__statewright_task__  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------------------------------------------------
# Tokens
# ---------------------------------------------------------------------------------------------------------------------
def test_tokens_say_what_they_were_made_of() -> None:
    tokens = Tokens(b"secret")
    for target in (TokenTarget("exec", "", 1), TokenTarget("exec", "/3.0/5.12", 99)):
        token = tokens.sign(target.execution, target.frame_id, target.epoch)
        assert tokens.check(token) == target
        with pytest.raises(StatewrightError, match="InvalidToken"):
            Tokens(b"other secret").check(token)


def test_no_changed_token_is_accepted() -> None:
    tokens = Tokens(b"secret")
    token = tokens.sign("exec", "/1.0", 1)
    raw = base64.urlsafe_b64decode(token)
    changed = [raw[:i] + bytes([raw[i] ^ bit]) + raw[i + 1 :] for i in range(len(raw)) for bit in (1, 128)]
    spelled = [base64.urlsafe_b64encode(other).decode() for other in changed]
    for other in [*spelled, token + "\n", token + "A", token[:-1], token.replace("=", ""), " " + token]:
        if other != token:
            with pytest.raises(StatewrightError, match="InvalidToken"):
                tokens.check(other)
