"""AWS Secrets Manager: CreateSecret, for secrets that nobody reads."""

from __future__ import annotations

import re
import uuid
from typing import Any

from tests.conformance.errors import sdk_error

__all__ = ["Secrets"]


class Secrets:
    """All secrets of one case.

    Arguments:
        region, account: in their ARNs.
    """

    def __init__(self, region: str, account: str) -> None:
        self._base = f"arn:aws:secretsmanager:{region}:{account}:secret:"

    def handlers(self) -> dict[str, Any]:
        """By resource."""
        return {"arn:aws:states:::aws-sdk:secretsmanager:createSecret": self.create}

    def prepare(self, op: str, params: dict[str, Any]) -> None:
        """No case has any secret before it starts."""

    async def create(self, arguments: dict[str, Any]) -> dict[str, str]:
        """CreateSecret (recorded: error_handling.aws_sdk.invalid_secret_name)."""
        name = arguments["Name"]
        if not re.fullmatch(r"[\w/+=.@!-]+", name, re.ASCII):
            raise sdk_error(
                "SecretsManager",
                "",
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: "
                "-/_+=.@!",
            )
        return {"ARN": f"{self._base}{name}-{uuid.uuid4().hex[:6]}", "Name": name, "VersionId": str(uuid.uuid4())}
