"""Paths: compile once, then select from a document or put a value into it.

A *definite* path leads to at most one value and gives that value, or `MISSING`; any other path gives the list of what
it finds, be it empty, even where an object on the way is absent (recorded: ``$.item.items[1:5].itemValue`` of ``{}``
is ``[]``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from statewright.errors import StatesError, runtime_error
from statewright.lang.jsonpath_parser import definite, parse_segments
from statewright.lang.scope import MISSING, Budget, Scope, as_text
from statewright.lang.segments import Index, Member, Segment, Walk, select
from statewright.lang.syntax import PathSyntaxError, Scanner
from statewright.values import Json, json_type

__all__ = ["Path", "PathSyntaxError", "compile_path", "not_found_cause"]

_LENGTH: Final = 4096
_ROOT: Final = re.compile(r"\$(?:\$|[^\W\d]\w{0,79})?")


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path.

    Arguments:
        text: as it was written.
        root: ``"$"``, ``"$$"``, or ``"$name"`` for a variable.
        segments: the steps from the root.
        definite: it leads to at most one value.
        is_reference: it has the form of a Reference Path: only names and indexes from 0, whatever its root
            (States Language, "Reference Paths").

    Example: ``compile_path("$.a[0]").evaluate({"a": [7]}) == 7``
    """

    text: str
    root: str
    segments: tuple[Segment, ...]
    definite: bool
    is_reference: bool
    _names: tuple[str, ...] | None = field(repr=False, compare=False)

    @property
    def shown(self) -> str:
        """How AWS names the path in an error: it is without its own root within the context object (recorded:
        state_map_context_object_EXECUTION_INPUT).  Example: ``compile_path("$$.State.Name").shown == "$.State.Name"``
        """
        return self.text.removeprefix("$") if self.root == "$$" else self.text

    def document(self, scope: Scope) -> Json:
        """What the root stands for; MISSING for a variable that is not assigned."""
        if self.root == "$":
            return scope.input
        if self.root == "$$":
            return scope.context
        return scope.variables.get(self.root[1:], MISSING)

    def resolve(self, scope: Scope) -> Json:
        """The value in `scope`, or MISSING; for an indefinite path the list of values.

        Raises States.Runtime where the path, or all paths of the state, look at or select far too many values.

        Example: ``compile_path("$.a").resolve(Scope({"a": 1}, {}, {}, Entropy(0))) == 1``
        """
        return self.evaluate(self.document(scope), scope.budget)

    def require(self, scope: Scope) -> Json:
        """As `resolve`, but States.Runtime ``Invalid path …`` where there is nothing (recorded: INPUTPATH).

        Example: ``compile_path("$.InputPath").require(scope)``
        """
        value = self.resolve(scope)
        if value is MISSING:
            raise runtime_error(not_found_cause(self, scope))
        return value

    def evaluate(self, document: Json, budget: Budget | None = None) -> Json:
        """As `resolve`, with `document` for the root whichever it is.

        Example: ``compile_path("$.a[*].b").evaluate({"a": [{"b": 1}, {}]}) == [1]``
        """
        names = self._names
        if names is not None:
            try:
                for name in names:
                    document = document[name]
            except (KeyError, TypeError):
                return MISSING
            return document
        if document is MISSING:
            return MISSING
        try:
            walk = Walk(document)
            nodes = select(self.segments, document, walk)
        except RecursionError:
            raise runtime_error(f"Invalid path '{self.text}' : the values are nested too deeply") from None
        if budget is not None and not budget.spend(walk.seconds):
            raise runtime_error("The paths of the state look at too many values")
        if not self.definite:
            return nodes
        return nodes[0] if nodes else MISSING

    def replace(self, document: Json, value: Json) -> Json:
        """`document` with `value` where this Reference Path leads, as ResultPath does; `document` stays as it is.

        Objects on the way that are absent are made; an element of an array has to be there (States Language,
        "ResultPath").  Raises States.ResultPathMatchFailure where that cannot be done.

        Example: ``compile_path("$.a.b").replace({"c": 1}, 2) == {"c": 1, "a": {"b": 2}}``
        """
        if not self.is_reference or self.root != "$":
            raise self._mismatch(document)
        outer: list[tuple[Json, str | int]] = []
        node: Json = document
        for segment in self.segments:
            if isinstance(segment, Member) and (node is MISSING or isinstance(node, dict)):
                container: Json = {} if node is MISSING else node
                outer.append((container, segment.name))
                node = container.get(segment.name, MISSING)
            elif isinstance(segment, Index) and isinstance(node, list) and segment.index < len(node):
                outer.append((node, segment.index))
                node = node[segment.index]
            else:
                raise self._mismatch(document)
        for original, key in reversed(outer):
            changed = original.copy()
            changed[key] = value
            value = changed
        return value

    def _mismatch(self, document: Json) -> StatesError:
        # The wording as AWS users report it, e.g. aws-cdk issue 29473.
        cause = f"Unable to apply ReferencePath {self.text} to input {as_text(document)}"
        return StatesError("States.ResultPathMatchFailure", cause)

    def absence(self, document: Json) -> str:
        """In Jayway's words, why this path leads to nothing in `document`.

        Example: ``compile_path("$.a.b").absence({}) == "Missing property in path $['a']"``
        """
        taken = "$"
        for segment in self.segments:
            step = f"{taken}{segment}"
            if isinstance(segment, Member):
                if not isinstance(document, dict):
                    found = json_type(document)
                    return f"Expected to find an object with property {segment} in path {taken} but found '{found}'"
                if segment.name not in document:
                    return f"Missing property in path {step}" if segment is not self.segments[-1] else self._nothing()
            elif isinstance(segment, Index) and not isinstance(document, list):
                if document is None:
                    return f"The path {taken} is null"
                return f"Filter: {segment} can only be applied to arrays. Current context is: {as_text(document)}"
            nodes = segment.select([document], Walk(document))
            if not nodes:
                break
            document, taken = nodes[0], step
        return self._nothing()

    def _nothing(self) -> str:
        return f"No results for path: ${''.join(map(str, self.segments))}"


def not_found_cause(path: Path, scope: Scope) -> str:
    """The cause when `path` leads to nothing: ``Invalid path '$.a' : No results for path: $['a']`` (recorded).

    Example: ``not_found_cause(compile_path("$.a"), scope)``
    """
    document = path.document(scope)
    return f"Invalid path '{path.shown}' : {path._nothing() if document is MISSING else path.absence(document)}"


@lru_cache(maxsize=4096)
def compile_path(text: str) -> Path:
    """The path that `text` denotes, in the Jayway dialect, with ``$$`` and ``$name`` as further roots.

    Raises PathSyntaxError, also for a path longer than 4,096 characters.

    Example: ``compile_path("$.orders[?(@.total > 100)].id").definite is False``
    """
    if len(text) > _LENGTH:
        raise PathSyntaxError(f"a path longer than {_LENGTH} characters", _LENGTH)
    root = _ROOT.match(text)
    if not root:
        raise PathSyntaxError("a path begins with '$'")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PathSyntaxError("half of a surrogate pair is not a character", error.start) from None
    segments, plain = parse_segments(Scanner(text, root.end()))
    steps = all(isinstance(step, Member) or (isinstance(step, Index) and step.index >= 0) for step in segments)
    names = tuple(step.name for step in segments if isinstance(step, Member))
    return Path(
        text=text,
        root=root[0],
        segments=segments,
        definite=definite(segments),
        is_reference=plain and steps,
        _names=names if len(names) == len(segments) else None,
    )
