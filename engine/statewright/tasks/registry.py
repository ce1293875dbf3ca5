"""Which handler does the work of a Resource, and what it is given and gives back."""

from __future__ import annotations

import base64
import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from statewright.tasks.failure import TaskError
from statewright.values import Json, Payload, decode, encode

__all__ = ["Call", "Handler", "Registry"]

Handler = Callable[..., Any]
"""``handler(input)`` or ``handler(input, context)``, asynchronous or not (then it runs in a thread); returns JSON."""

_INVOKE = ("arn:aws:states:::lambda:invoke", "arn:aws:states:::lambda:invoke.waitForTaskToken")


class Call(Struct, frozen=True):
    """A handler made ready for one task.

    Arguments:
        handler: the function.
        input: its first argument, a fresh copy that it may change.
        with_context: it takes a `TaskContext` as its second argument.
        is_async: it is a coroutine function.
        is_lambda: failures are told as Lambda tells them.
        wrap: makes the task's result of the function's result and the request id; None: the result itself.
    """

    handler: Handler
    input: Json
    with_context: bool
    is_async: bool
    is_lambda: bool = False
    wrap: Callable[[Json, str], Json] | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    handler: Handler
    with_context: bool
    is_async: bool


class Registry:
    """Handlers by name.  A name is one of

    - a plain name, ``charge-card``: the Resource itself, the name of the function in a Lambda function ARN, or the
      FunctionName of ``arn:aws:states:::lambda:invoke``; underscores in it stand for dashes, too;
    - a whole Resource, ``arn:aws:states:::sqs:sendMessage``, or a pattern of one (``*``, ``?``, ``[…]``).

    A whole Resource wins over a plain name, and that over a pattern.

    Arguments:
        handlers: name to handler.
        region, account: of functions that are not found, in the words AWS has for that.

    Example: ``Registry({"charge-card": charge}).resolve("charge-card", Payload.of({"amount": 3}))``
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler] | None = None,
        *,
        region: str = "us-east-1",
        account: str = "000000000000",
    ) -> None:
        self._entries: dict[str, _Entry] = {}
        self._patterns: list[str] = []
        self._region = region
        self._account = account
        for name, handler in (handlers or {}).items():
            self.register(name, handler)

    def register(self, name: str, handler: Handler) -> None:
        """Add a handler, or replace the one of that name.

        Raises TypeError if it cannot be called with one or two arguments.
        """
        self._entries[name] = _Entry(handler, _takes_context(handler), _is_async(handler))
        if any(sign in name for sign in "*?[") and name not in self._patterns:
            self._patterns.append(name)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def resolve(self, resource: str, arguments: Payload) -> Call:
        """The call that does the task.

        Arguments:
            resource: the state's Resource.
            arguments: what the state passes (after InputPath and Parameters).

        Raises TaskError if there is no handler, or the arguments do not say which.
        """
        given = decode(arguments.text)  # a copy of its own: a handler may change its input, and the frame keeps that
        if entry := self._entries.get(resource):
            return Call(entry.handler, given, entry.with_context, entry.is_async)
        if resource in _INVOKE:
            return self._invoke(resource, given)
        name = _function_name(resource)
        if entry := self._named(name) or self._matching(resource):
            return Call(entry.handler, given, entry.with_context, entry.is_async, is_lambda=name != resource)
        raise self._missing_function(name) if name != resource else self._missing(resource)

    def _invoke(self, resource: str, arguments: Json) -> Call:
        """The optimised Lambda integration: FunctionName names the function, Payload is its input, and the result comes
        in an envelope (recorded: services.lambda_task_service.*)."""
        function = arguments.get("FunctionName") if isinstance(arguments, dict) else None
        if not isinstance(function, str):
            raise TaskError("Statewright.InvalidArguments", f"{resource} needs a FunctionName")
        name = _function_name(function)
        entry = self._named(name)
        if entry is None:
            if entry := self._matching(resource):
                return Call(entry.handler, arguments, entry.with_context, entry.is_async)
            raise self._missing_function(name)
        with_log = arguments.get("LogType") == "Tail"
        return Call(
            entry.handler,
            _lambda_payload(arguments.get("Payload")),
            entry.with_context,
            entry.is_async,
            is_lambda=True,
            wrap=lambda result, request_id: _envelope(result, request_id, with_log=with_log),
        )

    def _named(self, name: str) -> _Entry | None:
        return self._entries.get(name) or self._entries.get(name.replace("-", "_"))

    def _matching(self, resource: str) -> _Entry | None:
        return next((self._entries[pattern] for pattern in self._patterns if fnmatchcase(resource, pattern)), None)

    def _missing(self, resource: str) -> TaskError:
        near = difflib.get_close_matches(resource, self._entries, n=3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        return TaskError("Statewright.TaskNotFound", f"No handler is registered for the resource '{resource}'{hint}")

    def _missing_function(self, name: str) -> TaskError:
        """As AWS answers for a function that does not exist (recorded: task_service_lambda.no_such_function)."""
        arn = f"arn:aws:lambda:{self._region}:{self._account}:function:{name}:$LATEST"
        return TaskError(
            "Lambda.ResourceNotFoundException",
            f"Function not found: {arn} (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; "
            "Request ID: 00000000-0000-4000-8000-000000000000; Proxy: null)",
        )


def _function_name(function: str) -> str:
    """`pay` from ``arn:aws:lambda:<region>:<account>:function:pay[:version]``, a part of that, or ``pay[:version]``;
    an ARN of another service is returned as it is."""
    parts = function.split(":")
    if "function" in parts[:-1] and (parts[0] != "arn" or parts[2:3] == ["lambda"]):
        return parts[parts.index("function") + 1]
    return function if parts[0] == "arn" else parts[0]


def _lambda_payload(payload: Json) -> Json:
    """What the function gets: no payload is an empty object, and a text is the body of the request itself, that is,
    JSON to be parsed (recorded: services.lambda_task_service.invoke, .invoke_json_values)."""
    if payload is None:
        return {}
    if not isinstance(payload, str):
        return payload
    try:
        return decode(payload)
    except ValueError as error:
        raise TaskError(
            "Lambda.InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from None


def _envelope(result: Json, request_id: str, *, with_log: bool) -> Json:
    """The result of Lambda's Invoke as the integration hands it on, as far as it has a meaning without HTTP."""
    length = str(len(encode(result).encode()))
    headers = {
        "Content-Length": length,
        "Content-Type": "application/json",
        "X-Amz-Executed-Version": "$LATEST",
        "x-amzn-RequestId": request_id,
    }
    log = base64.b64encode(
        f"START RequestId: {request_id} Version: $LATEST\nEND RequestId: {request_id}\n".encode()
    ).decode()
    return {
        "ExecutedVersion": "$LATEST",
        **({"LogResult": log} if with_log else {}),
        "Payload": result,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
        "StatusCode": 200,
    }


def _is_async(handler: Handler) -> bool:
    # The class's __call__, for objects that are called (functools.partial is seen through by inspect).
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004


def _takes_context(handler: Handler) -> bool:
    """Whether a handler has room for a second positional argument that it needs, or that is called `context`."""
    try:
        signature = inspect.signature(handler)
    except ValueError:  # some built-in functions have none
        return False
    positional = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()):
        return True
    needed = sum(p.default is p.empty for p in positional)
    if not positional or needed > 2:
        raise TypeError(f"{handler!r} must take one argument (input) or two (input, context)")
    return needed == 2 or (len(positional) > 1 and positional[1].name == "context")
