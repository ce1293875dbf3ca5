"""One loader for YAML and JSON: the value, and the position of every node and key in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from statewright.definition.json_reader import read_json
from statewright.definition.position import Node, Position, SourceError, Text
from statewright.definition.problem import Pointer
from statewright.definition.yaml_reader import read_yaml
from statewright.values import Json

__all__ = ["MAX_BYTES", "Position", "Source", "SourceError", "load", "load_file"]

MAX_BYTES = 1_048_576
"""The largest definition in bytes of UTF-8, as in CreateStateMachine (1 MiB)."""

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """A document that has been read.

    Arguments: the name of its file, its text (without a byte order mark), its value (JSON types only), its places;
    the syntax it is written in.

    Example: ``load("a: 1").position(("a",), key=True) == Position(1, 1, 1)``
    """

    name: str
    text: str
    value: Json
    places: Text
    root: Node
    syntax: Literal["yaml", "json"]

    def position(self, pointer: Pointer, key: bool = False) -> Position:
        """Where the value at `pointer` is written, or with `key` its key; of what is not there, its nearest ancestor.

        Example: ``source.position(("States", "Pay", "Next"))``
        """
        node = self.root
        for depth, step in enumerate(pointer):
            if step not in node.parts:
                return self.position(pointer[:depth], key=True)
            if depth == len(pointer) - 1 and key and isinstance(step, str):
                return self.places.position(*node.keys[step])
            node = node.parts[step]
        return self.places.position(node.start, node.end)

    def inside(self, pointer: Pointer, offset: int) -> Position:
        """Where the character number `offset` of the text at `pointer` is; the text itself where escapes blur it.

        Example: ``load('{"a": "$.b["}').inside(("a",), 3) == Position(1, 11, 1)``
        """
        node, value = self.root, self.value
        for step in pointer:
            node, value = node.parts[step], value[step]
        begins = self.text.find(value, node.start, node.end) if isinstance(value, str) and value else -1
        if begins < 0:
            return self.position(pointer)
        return self.places.position(begins + min(offset, len(value)))


def load(text: str | bytes, name: str = "<definition>", syntax: Literal["yaml", "json"] | None = None) -> Source:
    """Read a definition.

    Arguments:
        text: the text, or its UTF-8 bytes; a byte order mark is dropped.
        name: shown in problems; the extension decides the syntax (.yaml, .yml or .json) when `syntax` is None, and
            else the first character: JSON begins with a brace or bracket.
        syntax: ``"yaml"`` or ``"json"``.

    Raises SourceError with one problem: SYNTAX, DUPLICATE_KEY, TOO_LARGE, TOO_DEEP, TOO_MANY_NODES, ALIAS, MERGE_KEY,
    TAG, NOT_JSON, MULTIPLE_DOCUMENTS, EMPTY or ENCODING.

    Example: ``load('{"StartAt": "A", "States": {}}').value["StartAt"] == "A"``
    """
    places = Text(name, _decoded(text, name).removeprefix("\ufeff"))
    syntax = syntax or _syntax(places)
    builder = (read_json if syntax == "json" else read_yaml)(places)
    return Source(name, places.text, builder.value, places, builder.node, syntax)


def load_file(path: str | Path) -> Source:
    """Read a definition from a file; OSError as usual, SourceError as `load`.

    Example: ``load_file("pay.yaml").name == "pay.yaml"``
    """
    with Path(path).open("rb") as file:
        return load(file.read(MAX_BYTES + 4), str(path))


def _decoded(text: str | bytes, name: str) -> str:
    size = len(text)
    if size <= MAX_BYTES and isinstance(text, str):
        surrogate = _SURROGATE.search(text)
        if surrogate:
            raise Text(name, text).error("ENCODING", "half of a surrogate pair is not a character", surrogate.start())
        size = len(text.encode())
    if size > MAX_BYTES:
        raise Text(name, "").error("TOO_LARGE", f"larger than {MAX_BYTES} bytes", 0)
    if isinstance(text, str):
        return text
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Text(name, "").error("ENCODING", "the text is UTF-16", 0, "save the file as UTF-8")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        before = text[: error.start].decode()
        message = f"the byte 0x{text[error.start]:02X} is not UTF-8"
        raise Text(name, before).error("ENCODING", message, len(before), "save the file as UTF-8") from None


def _syntax(places: Text) -> Literal["yaml", "json"]:
    extension = Path(places.name).suffix.lower()
    if extension in (".yaml", ".yml"):
        return "yaml"
    begins = places.text.lstrip()[:1]
    return "json" if extension == ".json" or begins in ("{", "[") else "yaml"
