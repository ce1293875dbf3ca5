"""ReaderConfig: what is said of a data set besides where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from statewright.errors import StatesError
from statewright.values import Json

__all__ = ["ReaderConfig", "check_headers", "unreadable"]

_MOST_ITEMS: Final = 100_000_000
"""AWS reads no more than this; a larger MaxItems is taken for it (recorded)."""

_HEADER_BYTES: Final = 10 * 1024
_DELIMITERS: Final = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
_CHOICES: Final = {
    "InputType": ("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"),
    "CSVHeaderLocation": ("FIRST_ROW", "GIVEN"),
    "CSVDelimiter": tuple(_DELIMITERS),
    "ManifestType": ("ATHENA_DATA", "S3_INVENTORY"),
    "Transformation": ("LOAD_AND_FLATTEN", "NONE"),
}


def unreadable(cause: str) -> StatesError:
    """The error of every data set that cannot be read (AWS documentation, error names).

    Example: ``raise unreadable("Attempting to map over non-iterable node.")``
    """
    return StatesError("States.ItemReaderFailed", cause, in_state=False)


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """A checked ReaderConfig.

    Arguments:
        input_type: CSV, JSON, JSONL, MANIFEST or PARQUET; None where a listing is read or a manifest type says enough.
        headers: names of the columns of a CSV file; None where its first row has them.
        delimiter: one character.
        max_items: how many items are read at most.
        manifest_type: S3_INVENTORY, ATHENA_DATA or None.
        flatten: the objects of a listing are themselves data sets.
        pointer: the reference tokens of ItemsPointer (RFC 6901).
    """

    input_type: str | None = None
    headers: tuple[str, ...] | None = None
    delimiter: str = ","
    max_items: int = _MOST_ITEMS
    manifest_type: str | None = None
    flatten: bool = False
    pointer: tuple[str, ...] = ()

    @classmethod
    def parse(cls, config: Mapping[str, Json]) -> ReaderConfig:
        """Check an evaluated ReaderConfig.

        Raises StatesError: States.ItemReaderFailed with the words of the recordings where there are any.

        Example: ``ReaderConfig.parse({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}).headers is None``
        """
        chosen = {name: _choice(config, name) for name in _CHOICES}
        input_type, manifest_type = chosen["InputType"], chosen["ManifestType"]
        if input_type == "MANIFEST" and manifest_type is None:
            manifest_type = "S3_INVENTORY"
        headers = None
        if input_type == "CSV" and chosen["CSVHeaderLocation"] is None and manifest_type != "S3_INVENTORY":
            raise unreadable("field CSVHeaderLocation is required for InputType CSV")
        if chosen["CSVHeaderLocation"] == "GIVEN":
            headers = check_headers(_header_names(config.get("CSVHeaders")))
        return cls(
            input_type=input_type,
            headers=headers,
            delimiter=_DELIMITERS[chosen["CSVDelimiter"] or "COMMA"],
            max_items=_max_items(config.get("MaxItems")),
            manifest_type=manifest_type,
            flatten=chosen["Transformation"] == "LOAD_AND_FLATTEN",
            pointer=_pointer(config.get("ItemsPointer")),
        )


def check_headers(names: list[str]) -> tuple[str, ...]:
    """The column names, if they can name the members of an item: no duplicates, at most 10 KiB (AWS documentation)."""
    if len(set(names)) < len(names):
        raise unreadable("CSV headers cannot contain duplicates.")
    if sum(len(name.encode(errors="replace")) + 1 for name in names) > _HEADER_BYTES:
        raise unreadable("CSV headers cannot be longer than 10 KiB.")
    return tuple(names)


def _choice(config: Mapping[str, Json], name: str) -> str | None:
    value = config.get(name)
    if value is not None and value not in _CHOICES[name]:
        raise unreadable(f"field {name} must be one of {', '.join(_CHOICES[name])}")
    return value


def _header_names(headers: Json) -> list[str]:
    if not isinstance(headers, list) or not headers or not all(isinstance(name, str) for name in headers):
        raise unreadable("field CSVHeaders must be a non-empty array of strings for CSVHeaderLocation GIVEN")
    return headers


def _max_items(value: Json) -> int:
    """The limit on the number of items; 0 means none, more than AWS reads means as many as it does (both recorded)."""
    if value is None:
        return _MOST_ITEMS
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise unreadable("field MaxItems must be an integer")
    if value < 0:
        raise unreadable("field MaxItems must be positive")
    return min(int(value) or _MOST_ITEMS, _MOST_ITEMS)


def _pointer(value: Json) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if not isinstance(value, str) or not value.startswith("/"):
        raise unreadable("field ItemsPointer must be a JSON Pointer: text that begins with '/'")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in value[1:].split("/"))
