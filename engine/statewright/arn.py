"""Names and ARNs: what may be one, and what they say."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from statewright.errors import StatewrightError

__all__ = ["Arns", "arn_within", "check_name", "execution_id", "execution_id_of", "map_run_id", "uuid_of"]

# API reference, StartExecution, name: no white space, brackets, wildcards, special or control characters.
_FORBIDDEN = re.compile('[\\s<>{}\\[\\]?*"#%\\\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff\U0010ffff]')


def check_name(name: str) -> str:
    """`name`, if it can name a state machine, an execution or an activity.

    Raises StatewrightError InvalidName (rules of the API reference for `name`).

    Example: ``check_name("order-17")``
    """
    if not isinstance(name, str) or not 1 <= len(name) <= 80 or _FORBIDDEN.search(name):
        raise StatewrightError("InvalidName", f"Invalid Name: '{name}'")
    return name


@lru_cache(maxsize=4096)
def execution_id(machine: str, name: str) -> str:
    """The internal id of an execution: 26 characters of base32 that follow from its state machine and name, so that
    starting twice under one name meets the same record.

    Example: ``len(execution_id("pay", "order-17")) == 26``
    """
    digest = hashlib.sha256(f"{machine}\0{name}".encode()).digest()
    return base64.b32encode(digest).decode().lower()[:26]


def execution_id_of(arn: str) -> str:
    """The internal id of the execution of an ARN; StatewrightError InvalidArn.

    Example: ``execution_id_of("arn:aws:states:us-east-1:000000000000:execution:pay:order-17")``
    """
    return execution_id(*Arns.execution_names(arn))


def uuid_of(*parts: str) -> str:
    """A UUID, as AWS gives names, that follows from texts: the same however often it is asked for.

    Example: ``len(uuid_of("pay", "17")) == 36``
    """
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def arn_within(machine: str, kind: Literal["execution", "express", "mapRun"], name: str) -> str:
    """ARN of what belongs to a state machine, from the ARN of that.

    Example: ``arn_within(Arns().machine("pay"), "execution", "17") == Arns().execution("pay", "17")``
    """
    return f"{machine.replace(':stateMachine:', f':{kind}:', 1)}:{name}"


def map_run_id(arn: str) -> str:
    """The id of a map run, from ``…:mapRun:<state machine>/<label>:<id>``; StatewrightError InvalidArn.

    Example: ``map_run_id("arn:aws:states:us-east-1:000000000000:mapRun:pay/items:17") == "17"``
    """
    parts = arn.split(":")
    if len(parts) != 8 or parts[5] != "mapRun" or not parts[7]:
        raise StatewrightError("InvalidArn", f"Invalid Arn: '{arn}' is no map run ARN")
    return parts[7]


@dataclass(frozen=True, slots=True)
class Arns:
    """Makes and reads the ARNs of one region and account.

    Example: ``Arns().machine("pay") == "arn:aws:states:us-east-1:000000000000:stateMachine:pay"``
    """

    region: str = "us-east-1"
    account: str = "000000000000"

    def machine(self, name: str) -> str:
        """ARN of a state machine."""
        return self._arn("stateMachine", name)

    def execution(self, machine: str, name: str) -> str:
        """ARN of an execution of a state machine; `name` is ``name:id`` for an EXPRESS one, whose names may repeat."""
        return self._arn("express" if ":" in name else "execution", f"{machine}:{name}")

    def activity(self, name_or_arn: str) -> str:
        """ARN of an activity, given that or its name; StatewrightError InvalidName or InvalidArn."""
        return self._arn("activity", _name(name_or_arn, "activity"))

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:states:{self.region}:{self.account}:{kind}:{name}"

    @staticmethod
    def machine_name(name_or_arn: str) -> str:
        """Name of a state machine, given that or its ARN; StatewrightError InvalidName or InvalidArn."""
        return _name(name_or_arn, "stateMachine")

    @staticmethod
    def execution_names(execution: str) -> tuple[str, str]:
        """Names of the state machine and of the execution, from an execution ARN or ``machine:name``.

        An EXPRESS execution's name is ``name:id``.  Raises StatewrightError InvalidArn.
        """
        parts = execution.split(":")
        lengths: tuple[int, ...] = (2, 3)
        if parts[0] == "arn":
            lengths = {"execution": (2,), "express": (3,)}.get(":".join(parts[5:6]), ())
            parts = parts[6:]
        if len(parts) not in lengths or not all(parts):
            raise StatewrightError("InvalidArn", f"Invalid Arn: '{execution}' is no execution ARN and no machine:name")
        return parts[0], ":".join(parts[1:])


def _name(name_or_arn: str, kind: str) -> str:
    if not name_or_arn.startswith("arn:"):
        return check_name(name_or_arn)
    parts = name_or_arn.split(":")
    if len(parts) != 7 or parts[2] != "states" or parts[5] != kind or not parts[6]:
        raise StatewrightError("InvalidArn", f"Invalid Arn: 'Resource type not valid in this context: {name_or_arn}'")
    return parts[6]
