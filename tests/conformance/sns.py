"""Amazon SNS: topics that take what is published.  Nobody in the cases tells what subscribers got."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from tests.conformance.errors import integration_error

__all__ = ["Topics"]


class Topics:
    """All topics of one case.

    Arguments:
        region, account: in their ARNs.
    """

    def __init__(self, region: str, account: str) -> None:
        self._base = f"arn:aws:sns:{region}:{account}:"
        self._topics: set[str] = set()
        self._numbers = itertools.count(10**19)

    def handlers(self) -> dict[str, Any]:
        """By resource."""
        return {"arn:aws:states:::sns:publish": self.publish}

    def prepare(self, op: str, params: dict[str, Any]) -> None:
        """What a case's setup did: create topics."""
        if op == "create_topic":
            self._topics.add(self._base + params["Name"])

    async def publish(self, arguments: dict[str, Any]) -> dict[str, str]:
        """Publish; messages of a FIFO topic are numbered."""
        topic = arguments["TopicArn"]
        if topic not in self._topics:
            raise integration_error(
                "NotFoundException",
                "NotFound",
                "Topic does not exist",
                service="AmazonSNS",
                prefix="SNS",
                status=404,
            )
        reply = {"MessageId": str(uuid.uuid4())}
        return reply | ({"SequenceNumber": str(next(self._numbers))} if topic.endswith(".fifo") else {})
