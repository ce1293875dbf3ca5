"""The errors that cross the rooms of the engine.

User data (definitions, inputs, task results) can only cause a `StatesError`; what callers of the API did wrong is a
`StatewrightError` with a code.  Anything else is a bug of the engine.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "CAUSE_LENGTH",
    "ERROR_LENGTH",
    "DefinitionError",
    "EvaluationError",
    "StatesError",
    "StatewrightError",
    "result_too_large",
    "runtime_error",
    "too_long",
]


ERROR_LENGTH: Final = 256
CAUSE_LENGTH: Final = 32_768
"""Longest error name and cause, in characters; longer ones are cut (API model)."""


def _writable(text: str) -> str:
    """The text as it can be written in UTF-8: an expression can make halves of characters, and be quoted in a cause."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class StatesError(Exception):
    """An error of the States Language: it has a name that `Retry` and `Catch` can match, and a cause in words.

    Arguments:
        error: the error name, e.g. ``"States.Runtime"`` or a name a task chose; None for a failure without one.
        cause: the text for people, or None when there is none (AWS leaves the member out then).
        in_state: the cause is completed by the words "An error occurred while executing the state …", as AWS does
            for what went wrong inside the interpreter (recorded; not for failures of tasks).
        aliases: other names under which `Retry` and `Catch` may ask for it.
        announce: type of the history event that tells of it if nothing retries it.

    Example: ``raise StatesError("States.DataLimitExceeded", "too large", in_state=False)``
    """

    def __init__(
        self,
        error: str | None,
        cause: str | None = None,
        *,
        in_state: bool = True,
        aliases: tuple[str, ...] = (),
        announce: str | None = None,
    ) -> None:
        super().__init__(error, cause)
        self.error = error if error is None else _writable(error[:ERROR_LENGTH])
        self.cause = cause if cause is None else _writable(cause[:CAUSE_LENGTH])
        self.in_state = in_state
        self.aliases = aliases
        self.announce = announce


class EvaluationError(StatesError):
    """An expression that cannot be evaluated, or gives what its field cannot take; the history tells where.

    Arguments:
        cause: the text for people.
        location: the field, e.g. ``"Output/total"`` or ``"Choices[1]/Condition"``; None where no field is to blame.
        begun: the state's own work had begun, so that the event follows the state's Entered event.  (Recorded: what
            fails before that follows whatever the Entered event follows.)

    Example: ``raise EvaluationError("The JSONata expression '$x' … returned nothing (undefined).", "Output")``
    """

    def __init__(self, cause: str, location: str | None = None, *, begun: bool = False) -> None:
        super().__init__("States.QueryEvaluationError", cause)
        self.location = location
        self.begun = begun


def runtime_error(cause: str) -> StatesError:
    """A `States.Runtime` error, which no `States.ALL` catches (AWS documentation, error names).

    Example: ``raise runtime_error("Invalid path '$.a' : No results for path: $['a']")``
    """
    return StatesError("States.Runtime", cause)


def result_too_large(of: str, *, announce: str | None = None) -> StatesError:
    """A result, input or output beyond the limit of a payload, in the recorded words.

    Arguments:
        of: name of the state, or of the service whose result it is.
        announce: as for `StatesError`.

    Example: ``raise result_too_large("Ship")``
    """
    cause = f"The state/task '{of}' returned a result with a size exceeding the maximum number of bytes service limit."
    return StatesError("States.DataLimitExceeded", cause, in_state=False, announce=announce)


class StatewrightError(Exception):
    """A call that the engine refuses; `code` is the name the Step Functions API uses where it has one.

    Arguments:
        code: e.g. ``"ExecutionDoesNotExist"``, ``"InvalidName"``.
        message: what is wrong, in the caller's words, and what to do about it.

    Example: ``raise StatewrightError("InvalidToken", "Invalid Token: 'Invalid token'")``
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def too_long(member: str, limit: int) -> StatewrightError:
    """The refusal of a request whose `member` has more than `limit` bytes of UTF-8, in AWS's words (recorded for other
    members; the value of a sensitive one, as payloads are in the service model, is not shown).

    Example: ``raise too_long("input", 262_144)``
    """
    constraint = f"Member must have length less than or equal to {limit}"
    message = f"1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}"
    return StatewrightError("ValidationException", message)


class DefinitionError(StatewrightError):
    """A definition that cannot be compiled; `location` is the JSON pointer of the place, e.g. ``/States/Pay/Next``."""

    def __init__(self, message: str, location: str = "") -> None:
        super().__init__("InvalidDefinition", f"{message} at {location or '/'}")
        self.location = location
