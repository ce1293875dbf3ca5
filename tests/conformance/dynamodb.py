"""Amazon DynamoDB: tables with one partition key; items are put, got, updated (``set``), deleted and queried by key."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from statewright import TaskError
from tests.conformance.errors import integration_error, sdk_error

__all__ = ["Tables"]

_NAME = "[a-zA-Z0-9_.-]+"
_EQUALS = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(:\w+)\s*")
_SET = re.compile(r"\s*set\s+(.+)", re.IGNORECASE)

Item = dict[str, dict[str, Any]]
Arguments = dict[str, Any]
Refuse = Callable[[str, str], TaskError]
"""Makes the error of a code and a message."""


class Tables:
    """All tables of one case, as the optimized integration and as the SDK integration call them."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._items: dict[str, dict[str, Item]] = {}

    def handlers(self) -> dict[str, Any]:
        """By resource."""
        actions = {
            "putItem": self._put,
            "getItem": self._get,
            "updateItem": self._update,
            "deleteItem": self._delete,
        }
        sdk = {f"arn:aws:states:::aws-sdk:dynamodb:{name}": partial(_answer, action, _sdk_refusal)
               for name, action in (actions | {"query": self._query}).items()}  # fmt: skip
        optimized = {
            f"arn:aws:states:::dynamodb:{name}": partial(_answer, action, _refusal) for name, action in actions.items()
        }
        return sdk | optimized

    def prepare(self, op: str, params: dict[str, Any]) -> None:
        """What a case's setup did: create tables."""
        if op == "create_table":
            self._keys[params["table_name"]] = params["partition_key"]
            self._items[params["table_name"]] = {}

    def _table(self, arguments: Arguments, refuse: Refuse, *needed: str) -> tuple[dict[str, Item], str]:
        """Items and key of the table, once the request is in order (recorded: error_handling.*dynamodb*)."""
        for name in needed:
            if arguments.get(name) is None:
                member = name[0].lower() + name[1:]
                raise refuse("", _violation(f"Value null at '{member}'", "Member must not be null"))
        table = arguments["TableName"]
        if not re.fullmatch(_NAME, table):
            pattern = f"Member must satisfy regular expression pattern: {_NAME}"
            raise refuse("", _violation(f"Value '{table}' at 'tableName'", pattern))
        if table not in self._items:
            raise refuse("ResourceNotFound", "Requested resource not found")
        return self._items[table], self._keys[table]

    def _put(self, arguments: Arguments, refuse: Refuse) -> Arguments:
        items, key = self._table(arguments, refuse, "Item")
        items[_id(arguments["Item"][key])] = arguments["Item"]
        return {}

    def _get(self, arguments: Arguments, refuse: Refuse) -> Arguments:
        items, key = self._table(arguments, refuse, "Key")
        item = items.get(_id(arguments["Key"][key]))
        return {} if item is None else {"Item": item}

    def _delete(self, arguments: Arguments, refuse: Refuse) -> Arguments:
        items, key = self._table(arguments, refuse, "Key")
        items.pop(_id(arguments["Key"][key]), None)
        return {}

    def _update(self, arguments: Arguments, refuse: Refuse) -> Arguments:
        items, key = self._table(arguments, refuse, "Key")
        item = items.setdefault(_id(arguments["Key"][key]), dict(arguments["Key"]))
        clause = _SET.fullmatch(arguments["UpdateExpression"])
        values = arguments["ExpressionAttributeValues"]
        updated = {}
        for assignment in clause[1].split(",") if clause else [""]:
            parsed = _EQUALS.fullmatch(assignment)
            if parsed is None:
                raise refuse("", f"not understood here: {arguments['UpdateExpression']}")
            updated[parsed[1]] = values[parsed[2]]
        item |= updated
        return {"Attributes": updated} if arguments.get("ReturnValues") == "UPDATED_NEW" else {}

    def _query(self, arguments: Arguments, refuse: Refuse) -> Arguments:
        items, key = self._table(arguments, refuse)
        condition = _EQUALS.fullmatch(arguments["KeyConditionExpression"])
        if condition is None or condition[1] != key:
            raise refuse("", f"not understood here: {arguments['KeyConditionExpression']}")
        item = items.get(_id(arguments["ExpressionAttributeValues"][condition[2]]))
        found = [] if item is None else [item]
        return {"Count": len(found), "Items": found, "ScannedCount": len(found)}


async def _answer(action: Callable[[Arguments, Refuse], Arguments], refuse: Refuse, arguments: Arguments) -> Arguments:
    return action(arguments, refuse)


def _sdk_refusal(code: str, message: str) -> TaskError:
    return sdk_error("DynamoDb", code, message)


def _refusal(code: str, message: str) -> TaskError:
    error, code = (f"{code}Exception",) * 2 if code else ("AmazonDynamoDBException", "ValidationException")
    return integration_error(error, code, message, service="AmazonDynamoDBv2", prefix="DynamoDB")


def _violation(what: str, constraint: str) -> str:
    return f"1 validation error detected: {what} failed to satisfy constraint: {constraint}"


def _id(value: dict[str, Any]) -> str:
    """An attribute value, ``{"S": "id1"}``, as a key of a dict."""
    ((kind, content),) = value.items()
    return f"{kind} {content}"
