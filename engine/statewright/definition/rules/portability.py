"""What this engine adds to the language: refused where a definition is to run on AWS (`target`)."""

from __future__ import annotations

from collections.abc import Iterator

from statewright.definition.problem import Pointer
from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition
from statewright.values import encode

_LITERALS = ("Result", "Parameters", "Arguments", "Output", "ItemSelector", "Assign")
_MAX_PAYLOAD = 262_144
"""The most bytes of an input or output on AWS (256 KiB); the `statewright` profile of limits allows more."""


def _jmespath(definition: Definition) -> Iterator[Pointer]:
    """Where JMESPath is asked for."""
    for pointer, value in definition.owners:
        if value.get("QueryLanguage") == "JMESPath":
            yield (*pointer, "QueryLanguage")


@rule("NOT_ON_AWS", "info", "AWS does not have this query language")
def not_on_aws(definition: Definition) -> Iterator[Finding]:
    for pointer in _jmespath(definition) if definition.target != "aws" else ():
        yield Finding(pointer, "The query language JMESPath is not available on AWS")


@rule("AWS_LANGUAGE", "error", "AWS does not have this query language (target aws)")
def aws_language(definition: Definition) -> Iterator[Finding]:
    for pointer in _jmespath(definition) if definition.target == "aws" else ():
        message = "The field 'QueryLanguage' should have one of these values: [JSONPath, JSONata]"
        yield Finding(pointer, message, "JMESPath is an addition of this engine")


@rule("AWS_RESOURCE", "error", "a Resource is the name of a handler, not an ARN (target aws)")
def aws_resource(definition: Definition) -> Iterator[Finding]:
    """Also a name that waits for a token: on AWS that takes a service which hands the token out."""
    for state in definition.states if definition.target == "aws" else ():
        resource = state.text("Resource")
        if state.type == "Task" and resource and not resource.startswith("arn:"):
            hint = "a handler by name is an addition of this engine; name an activity or a Lambda function by its ARN"
            if resource.endswith(".waitForTaskToken"):
                hint = "on AWS a service passes the token on, e.g. arn:aws:states:::sqs:sendMessage.waitForTaskToken"
            yield Finding(state.at("Resource"), "Value is not a valid resource ARN", hint)
        elif state.type == "Task" and resource and ":states:::statewright:" in resource:
            hint = "the service statewright is an addition of this engine"
            yield Finding(state.at("Resource"), "Value is not a valid resource ARN", hint)


@rule("AWS_PAYLOAD", "error", "a literal value is larger than any payload of AWS (target aws)")
def aws_payload(definition: Definition) -> Iterator[Finding]:
    for state in definition.states if definition.target == "aws" else ():
        for name in _LITERALS:
            size = len(encode(state.value[name]).encode()) if name in state.value else 0
            if size > _MAX_PAYLOAD:
                message = f"This has {size} bytes; an input or output has at most {_MAX_PAYLOAD} on AWS"
                yield Finding(state.at(name), message, "AWS fails with States.DataLimitExceeded", key=True)


@rule("AWS_SYNTAX", "info", "the definition is in YAML, and AWS's API takes JSON (target aws)")
def aws_syntax(definition: Definition) -> Iterator[Finding]:
    """No error: deployment tools such as SAM turn YAML into JSON, and `load` lets nothing pass that JSON cannot say."""
    if definition.target == "aws" and definition.syntax == "yaml" and definition.scopes:
        hint = "deployment tools such as AWS SAM take YAML"
        yield Finding((), "CreateStateMachine of AWS takes JSON only", hint, ("StartAt",), key=True, located=False)
