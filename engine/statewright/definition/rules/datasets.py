"""What a distributed Map reads its items from and writes its results to.

The combinations are those of AWS's documentation (ItemReader, ResultWriter); no recording covers the refusals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition, State, text_of
from statewright.values import Json

_READER = re.compile(r"arn:[\w-]+:states:::s3:(getObject|listObjectsV2)")
_WRITER = re.compile(r"arn:[\w-]+:states:::s3:putObject")
_FORMATS = {
    "ManifestType ATHENA_DATA": ("CSV", "JSONL", "PARQUET"),
    "ManifestType S3_INVENTORY": ("MANIFEST",),
    "Transformation LOAD_AND_FLATTEN": ("CSV", "JSON", "JSONL", "PARQUET"),
}
"""The InputType that other settings of a ReaderConfig go with.  An inventory is CSV and needs none."""
_OF_FORMAT = {"ItemsPointer": "JSON", "CSVHeaders": "CSV", "CSVHeaderLocation": "CSV", "CSVDelimiter": "CSV"}


def _configs(definition: Definition) -> Iterator[tuple[State, dict[str, Json]]]:
    """Every state with a ReaderConfig, and it."""
    for state in definition.states:
        config = state.part("ItemReader").get("ReaderConfig")
        if state.type == "Map" and isinstance(config, dict):
            yield state, config


@rule("DATASET_RESOURCE", "error", "there is no such reader or writer")
def dataset_resource(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for field, pattern, hint in (
            ("ItemReader", _READER, "there are arn:aws:states:::s3:getObject and arn:aws:states:::s3:listObjectsV2"),
            ("ResultWriter", _WRITER, "there is arn:aws:states:::s3:putObject"),
        ):
            resource = text_of(state.part(field), "Resource")
            if state.type == "Map" and resource and not pattern.fullmatch(resource):
                yield Finding(state.at(field, "Resource"), "Value is not a valid resource ARN", hint)


@rule("CSV_HEADERS", "error", "the columns of a CSV file are said to be given and are not")
def csv_headers(definition: Definition) -> Iterator[Finding]:
    for state, config in _configs(definition):
        if config.get("CSVHeaderLocation") == "GIVEN" and "CSVHeaders" not in config:
            place = state.at("ItemReader", "ReaderConfig")
            yield Finding(place, "The field 'CSVHeaders' is required but was missing", key=True)


@rule("READER_FORMAT", "error", "an InputType does not go with another setting of the reader")
def reader_format(definition: Definition) -> Iterator[Finding]:
    for state, config in _configs(definition):
        given = text_of(config, "InputType")
        place = state.at("ItemReader", "ReaderConfig")
        for name in ("ManifestType", "Transformation"):
            setting = f"{name} {text_of(config, name)}"
            formats = _FORMATS.get(setting, ())
            if formats and "InputType" not in config and formats != ("MANIFEST",):
                message = "The field 'InputType' is required but was missing"
                yield Finding(place, message, f"{setting} needs one of {', '.join(formats)}", key=True)
            elif formats and given and given not in formats:
                yield Finding(place, f"{setting} does not go with InputType {given}", at=(*place, "InputType"))


@rule("READER_SETTING_UNUSED", "warning", "a setting of the reader is not one for files of this InputType")
def reader_setting_unused(definition: Definition) -> Iterator[Finding]:
    for state, config in _configs(definition):
        given = text_of(config, "InputType")
        for name, owner in _OF_FORMAT.items():
            if name in config and given and given != owner:
                place = state.at("ItemReader", "ReaderConfig", name)
                yield Finding(place, f"{name} has no effect: it belongs to files of InputType {owner}", key=True)


@rule("RESULT_WRITER", "error", "a ResultWriter lacks what it needs")
def result_writer(definition: Definition) -> Iterator[Finding]:
    """It has Resource and Parameters (Arguments), or WriterConfig, or both; it cannot be empty."""
    for state in definition.states:
        writer = state.value.get("ResultWriter")
        if state.type != "Map" or not isinstance(writer, dict):
            continue
        place, field = state.at("ResultWriter"), "Parameters" if state.language == "JSONPath" else "Arguments"
        if not writer.keys() & {"Resource", "Parameters", "Arguments", "WriterConfig"}:
            yield Finding(place, "Value cannot be empty", "give Resource and where to write to, or WriterConfig")
        for name, other in (("Resource", field), (field, "Resource")):
            if other in writer and name not in writer:
                yield Finding(place, f"The field '{name}' is required but was missing", key=True)
