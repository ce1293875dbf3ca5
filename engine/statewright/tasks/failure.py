"""How a task fails: the error name that Retry and Catch match, and the cause in words."""

from __future__ import annotations

import json
import traceback
from pathlib import PurePath

from statewright.values import decode, encode

__all__ = ["TaskError", "compact", "failure"]

# SendTaskFailure takes an error of at most 256 and a cause of at most 32,768 characters (API model: SensitiveError,
# SensitiveCause); a handler's own words are held to the same.
_ERROR_LENGTH = 256
_CAUSE_LENGTH = 32_768


class TaskError(Exception):
    """Raised by a handler to fail its task with an error name of its own choice.

    Arguments:
        error: the name that `Retry` and `Catch` match.  Names that begin with ``States.`` belong to the language: such
            a task fails with ``States.TaskFailed`` instead, and the name goes into the cause.
        cause: the words for people, or None.

    Example: ``raise TaskError("CardDeclined", "the bank said no")``
    """

    def __init__(self, error: str, cause: str | None = None) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


def failure(error: BaseException, request_id: str | None) -> tuple[str, str | None]:
    """Error name and cause of what a handler raised.

    A `TaskError` says both itself.  Any other exception is named after its class, and the cause is the JSON document
    that a Lambda function's runtime would have written: `errorMessage` and `errorType` and, for Lambda resources (those
    with a `request_id`), `requestId` and `stackTrace` (recorded: error_handling.task_lambda.raise_exception).

    Example: ``failure(ValueError("no"), None) == ("ValueError", '{"errorMessage":"no","errorType":"ValueError"}')``
    """
    if isinstance(error, TaskError):
        return _reported(str(error.error), None if error.cause is None else str(error.cause))
    name = type(error).__name__
    document: dict[str, object] = {"errorMessage": _readable(str(error)), "errorType": name}
    if request_id is not None:
        document |= {"requestId": request_id, "stackTrace": _stack(error)}
    return _reported(name, encode(document) if request_id is None else json.dumps(document))


def compact(cause: str | None) -> str | None:
    """A cause as the Lambda integration hands it on: a JSON document loses its white space, which it keeps on its way
    from a function that is itself the Resource (recorded: task_service_lambda and task_lambda.raise_exception_catch).

    Example: ``compact('{"a": 1}') == '{"a":1}'``
    """
    try:
        return cause and encode(decode(cause))
    except ValueError:
        return cause


def _reported(error: str, cause: str | None) -> tuple[str, str | None]:
    """What may be recorded: JSON text of bounded length, and no name that belongs to the language."""
    error = _readable(error)
    if error.startswith("States."):
        cause = f"{error}: {cause}" if cause else error
        error = "States.TaskFailed"
    return error[:_ERROR_LENGTH], None if cause is None else _readable(cause)[:_CAUSE_LENGTH]


def _readable(text: str) -> str:
    """`text` without lone surrogates, which JSON cannot carry."""
    return text.encode(errors="replace").decode()


def _stack(error: BaseException) -> list[str]:
    """The handler's own frames, named by file without its folder: where a function lives is nobody else's business."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "/statewright/drive/" not in frame.filename
    ]
    return [
        f'  File "{PurePath(_readable(frame.filename)).name}", line {frame.lineno}, in {frame.name}\n    {frame.line}\n'
        for frame in frames[:50]
    ]
