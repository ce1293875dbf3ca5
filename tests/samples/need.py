"""What a definition expects to find in its data, as a tree that can be made into an example."""

from __future__ import annotations

from collections.abc import Iterable

from statewright.lang.scope import MISSING
from statewright.lang.segments import Call, Index, Member, Segment
from statewright.values import Json, encode

_DEPTH = 12
"""How deep needs are merged: a loop in a definition may ask for a part of itself."""


class Need:
    """A place in the data: what is asked for there.

    Members or elements; or the `value` it should have; or a JSON text, with what is asked for in its `document`; or, if
    none of these, a `fallback`.  Nothing at all where it should be `absent`.

    Example: ``need.at(compile_path("$.order.items[*].price").segments).value = 3``
    """

    def __init__(self) -> None:
        self.members: dict[str, Need] = {}
        self.element: Need | None = None
        self.count = 2
        self.value: Json = MISSING
        self.fallback: Json = MISSING
        self.document: Need | None = None
        self.absent = False

    def at(self, segments: Iterable[Segment]) -> Need:
        """The place where a path leads; all that is not a name counts as any element of an array."""
        place = self
        for segment in segments:
            if isinstance(segment, Member):
                place = place.members.setdefault(segment.name, Need())
            elif isinstance(segment, Call):
                return place.each() if segment.name == "length" else place
            else:
                if isinstance(segment, Index):
                    place.count = max(place.count, segment.index + 1)
                place = place.each()
        return place

    def each(self) -> Need:
        """Any element of the array that this is."""
        self.element = self.element or Need()
        return self.element

    def text(self) -> Need:
        """What is asked for in the JSON text that this is."""
        self.document = self.document or Need()
        return self.document

    def merge(self, other: Need, depth: int = _DEPTH) -> None:
        """Want what `other` wants, too; what is wanted here already is preferred."""
        if depth == 0 or other is self:
            return
        for name, member in list(other.members.items()):
            self.members.setdefault(name, Need()).merge(member, depth - 1)
        if other.element is not None:
            self.count = max(self.count, other.count)
            self.each().merge(other.element, depth - 1)
        if other.document is not None:
            self.text().merge(other.document, depth - 1)
        self.absent = self.absent or other.absent
        self.value = other.value if self.value is MISSING else self.value
        self.fallback = other.fallback if self.fallback is MISSING else self.fallback

    def make(self, name: str = "text", depth: int = _DEPTH) -> Json:
        """An example: the value given, or objects and arrays with all that is asked for; else the text `name`."""
        if self.value is not MISSING or depth == 0:
            return None if depth == 0 else self.value
        if self.members:
            return {key: member.make(key, depth - 1) for key, member in self.members.items() if not member.absent}
        if self.element is not None:
            count = 0 if self.element.absent else self.count
            return [self.element.make(name, depth - 1) for _ in range(count)]
        if self.document is not None:
            return encode(self.document.make(name, depth - 1))
        return name if self.fallback is MISSING else self.fallback
