"""YAML 1.2 read into JSON values with positions: the core schema, and nothing that JSON could not say.

`on`, `no`, `12:30:00` and dates are text.  Aliases, merge keys and tags of applications are refused: they make a file
mean something that cannot be seen where it is written, and they are how a small file becomes a huge value.
The parser's event stream is used, never its object constructors: with the depth guard of `Builder` no nesting of
brackets can exhaust a stack or blow up the time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NoReturn

import yaml

from statewright.definition.position import Builder, SourceError, Text
from statewright.values import Json

__all__ = ["read_yaml"]

_Loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.2 section 5.1 does not allow in a stream."""

_NULL = re.compile(r"null|Null|NULL|~|")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_JSON = re.compile(
    r"[-+]?0[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_TAG = "tag:yaml.org,2002:"

MAX_DIGITS = 309
"""The longest number, in characters: as long as the largest double written out."""


def read_yaml(text: Text) -> Builder:
    """The document of a YAML text.

    Raises SourceError: SYNTAX, DUPLICATE_KEY, TOO_DEEP, TOO_MANY_NODES, ALIAS, MERGE_KEY, TAG, NOT_JSON, EMPTY,
    MULTIPLE_DOCUMENTS.

    Example: ``read_yaml(Text("a.yaml", "on: 12:30")).value == {"on": "12:30"}``
    """
    unprintable = _UNPRINTABLE.search(text.text)
    if unprintable:
        message = f"the character U+{ord(unprintable.group()):04X} is not allowed in YAML"
        raise text.error("SYNTAX", message, unprintable.start(), 'inside double quotes it may be written as "\\u…"')
    builder = Builder(text)
    documents = 0
    for event in _events(text):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                hint = "keep one state machine in each file"
                raise text.error("MULTIPLE_DOCUMENTS", "a second document begins here", _span(event)[0], hint)
        elif isinstance(event, yaml.NodeEvent):
            _node(builder, event)
        elif isinstance(event, yaml.CollectionEndEvent):
            builder.close(_span(event)[1])
    if not documents:
        raise text.error("EMPTY", "there is no document in this file", 0)
    return builder


def _events(text: Text) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text.text, Loader=_Loader)
    except SourceError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = mark.index if mark else 0
        message = " ".join(filter(None, (error.context, error.problem))) or "this is not YAML"
        raise text.error("SYNTAX", message, at, _syntax_hint(text, at)) from None
    except yaml.YAMLError as error:
        raise text.error("SYNTAX", str(error) or "this is not YAML", 0) from None


def _syntax_hint(text: Text, at: int) -> str | None:
    found = text.text[at : at + 1]
    if found == "\t":
        return "YAML does not allow tabs for indentation: use spaces"
    if found in ("@", "`", "%"):
        return f"text cannot begin with {found}: put it in quotes"
    return None


def _span(event: yaml.Event) -> tuple[int, int]:
    """The offsets where an event begins and ends."""
    start, end = event.start_mark, event.end_mark
    return (start.index if start else 0), (end.index if end else 0)


def _node(builder: Builder, event: yaml.NodeEvent) -> None:
    start, end = _span(event)
    fail = builder.text.error
    if isinstance(event, yaml.AliasEvent):
        raise fail("ALIAS", f"the alias *{event.anchor} is not allowed", start, "write the value out here again")
    wants_key = builder.wants_key
    if isinstance(event, yaml.ScalarEvent):
        if wants_key:
            _key(builder, event, start, end)
        else:
            builder.add(_scalar(builder.text, event), start, end)
        return
    if wants_key:
        raise fail("NOT_JSON", "a key must be text, not an object or array", start)
    assert isinstance(event, yaml.CollectionStartEvent)  # noqa: S101 - the only other node event there is
    is_object = isinstance(event, yaml.MappingStartEvent)
    if event.tag not in (None, "!", _TAG + ("map" if is_object else "seq")):
        _refuse_tag(builder.text, event)
    builder.open({} if is_object else [], start)


def _key(builder: Builder, event: yaml.ScalarEvent, start: int, end: int) -> None:
    """A key is its text: `200:` and `no:` name the members "200" and "no"."""
    if event.value == "<<" and event.implicit[0]:
        hint = "write the members out: a merge hides what an object holds"
        raise builder.text.error("MERGE_KEY", "the merge key << is not allowed", start, hint)
    if event.tag not in (None, "!", _TAG + "str"):
        _refuse_tag(builder.text, event)
    builder.key(_text(builder.text, event), start, end)


def _refuse_tag(text: Text, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> NoReturn:
    shown = str(event.tag).replace(_TAG, "!!")
    hint = "write the plain value; functions such as !Sub belong to CloudFormation templates"
    raise text.error("TAG", f"the tag {shown} is not allowed here", _span(event)[0], hint)


def _scalar(text: Text, event: yaml.ScalarEvent) -> Json:
    if event.tag not in (None, "!", _TAG + "str"):
        _refuse_tag(text, event)
    return _plain(text, event) if event.tag is None and event.implicit[0] else _text(text, event)


def _plain(text: Text, event: yaml.ScalarEvent) -> Json:
    """A scalar without quotes, by the core schema of YAML 1.2 (section 10.3.2)."""
    value, start = event.value, _span(event)[0]
    if _NULL.fullmatch(value):
        return None
    if _BOOLEAN.fullmatch(value):
        return value.lower() == "true"
    if _NOT_JSON.fullmatch(value):
        hint = f'for text write "{value}" in quotes, for a number write it as JSON does'
        raise text.error("NOT_JSON", f"{value} is not a JSON number", start, hint)
    if not _FLOAT.fullmatch(value):
        return _text(text, event)
    if len(value) > MAX_DIGITS:
        raise text.error("NOT_JSON", f"a number of {len(value)} characters; at most {MAX_DIGITS} are allowed", start)
    if _INTEGER.fullmatch(value):
        return int(value)
    number = float(value)
    if math.isinf(number):
        raise text.error("NOT_JSON", f"{value} is too large for a JSON number", start)
    return number


def _text(text: Text, event: yaml.ScalarEvent) -> str:
    """The text of a scalar; escapes such as "\\ud800" can name what is not a character."""
    value: str = event.value
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise text.error("NOT_JSON", "half of a surrogate pair is not a character", _span(event)[0])
    return value
