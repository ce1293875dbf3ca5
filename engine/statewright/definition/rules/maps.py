"""Map states."""

from __future__ import annotations

import re
from collections.abc import Iterator

from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition

_DISTRIBUTED_ONLY = ("ItemReader", "ItemBatcher", "ResultWriter", "Label")
_BATCH_LIMITS = ("MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath")
_LABEL = re.compile('[^\\s<>{}\\[\\]?*"#%\\\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,40}')


@rule("MAP_PROCESSOR", "error", "a Map state has no ItemProcessor")
def map_processor(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        if state.type == "Map" and "ItemProcessor" not in state.value and "Iterator" not in state.value:
            yield Finding(state.pointer, "The field 'ItemProcessor' is required but was missing", key=True)


@rule("DISTRIBUTED_ONLY", "error", "an inline Map has a field of distributed ones")
def distributed_only(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for name in _DISTRIBUTED_ONLY if state.type == "Map" and not state.distributed else ():
            if name in state.value:
                hint = 'add "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"} to ItemProcessor'
                message = f"Field '{name}' is only supported in DISTRIBUTED mode"
                yield Finding(state.pointer, message, hint, state.at(name), key=True)


@rule("EXECUTION_TYPE", "error", "a distributed Map does not say of which type its executions are")
def execution_type(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        if state.distributed and "ExecutionType" not in state.processor_config:
            config = state.at(state.processor, "ProcessorConfig")
            yield Finding(config, "The field 'ExecutionType' is required but was missing", key=True)


@rule("UNUSED_EXECUTION_TYPE", "warning", "an inline Map says of which type its executions are")
def unused_execution_type(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        if state.type == "Map" and not state.distributed and "ExecutionType" in state.processor_config:
            message = "An inline Map has no executions of its own: ExecutionType has no effect"
            place = state.at(state.processor, "ProcessorConfig", "ExecutionType")
            yield Finding(place, message, 'add "Mode": "DISTRIBUTED", or leave it out', key=True)


@rule("BATCH_LIMIT", "error", "an ItemBatcher has no limit")
def batch_limit(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        batcher = state.value.get("ItemBatcher")
        if isinstance(batcher, dict) and not any(name in batcher for name in _BATCH_LIMITS):
            message = f"One of the following fields is required: [{', '.join(_BATCH_LIMITS)}]"
            yield Finding(state.at("ItemBatcher"), message, key=True)


@rule("INVALID_LABEL_NAME", "error", "a Label is too long or has characters it must not have", aws="INVALID_LABEL_NAME")
def invalid_label_name(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        label = state.text("Label")
        if state.type == "Map" and label and not _LABEL.fullmatch(label):
            hint = 'at most 40 characters, no blanks, brackets or any of ?*"#%\\^|~`$&,;:/'
            yield Finding(state.at("Label"), f"The label '{label}' is not valid", hint)


@rule("DUPLICATE_LABEL_NAME", "error", "two Map states have the same Label", aws="DUPLICATE_LABEL_NAME")
def duplicate_label_name(definition: Definition) -> Iterator[Finding]:
    seen: set[str] = set()
    for state in definition.states:
        label = state.text("Label")
        if state.type == "Map" and label:
            if label in seen:
                yield Finding(state.at("Label"), f"The label '{label}' is there more than once")
            seen.add(label)
