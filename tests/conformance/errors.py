"""How AWS services refuse a call, in the words that Step Functions passes on."""

from __future__ import annotations

import uuid

from statewright import TaskError

__all__ = ["integration_error", "sdk_error"]


def sdk_error(service: str, code: str, message: str, *, status: int = 400, extended: bool = False) -> TaskError:
    """An error of ``arn:aws:states:::aws-sdk:…`` (recorded: error_handling.aws_sdk.*).

    Arguments:
        service: as AWS spells its name, e.g. ``DynamoDb``.
        code: the exception's name without ``Exception``; ``""``: the service's general one.
        status: of the HTTP reply.
        extended: S3 has a second request id.

    Example: ``raise sdk_error("DynamoDb", "ResourceNotFound", "Requested resource not found")``
    """
    requests = f"Request ID: {uuid.uuid4()}" + (f", Extended Request ID: {uuid.uuid4().hex}" if extended else "")
    return TaskError(
        f"{service}.{code or service}Exception", f"{message} (Service: {service}, Status Code: {status}, {requests})"
    )


def integration_error(
    error: str, code: str, message: str, *, service: str, prefix: str, status: int = 400
) -> TaskError:
    """An error of an optimized integration, ``arn:aws:states:::dynamodb:putItem`` (recorded:
    error_handling.task_service_dynamodb.*).

    Arguments:
        error: name of the exception.
        code: the error code of the reply.
        service: as the message spells it, e.g. ``AmazonDynamoDBv2``; `prefix`: as the error's name does.
        status: of the HTTP reply.
    """
    return TaskError(
        f"{prefix}.{error}",
        f"{message} (Service: {service}; Status Code: {status}; Error Code: {code}; "
        f"Request ID: {uuid.uuid4()}; Proxy: null)",
    )
