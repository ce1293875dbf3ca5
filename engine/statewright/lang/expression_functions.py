"""The functions that AWS adds to JSONata; JMESPath has them here under the same names.

`$partition`, `$range` and `$hash` are the intrinsic functions of JSONPath (AWS documentation, "JSONata functions
provided by Step Functions"), so one implementation serves all languages.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from statewright.lang.intrinsic_functions import FUNCTIONS as INTRINSICS
from statewright.lang.java import JavaRandom
from statewright.lang.scope import Scope
from statewright.values import Json, decode

__all__ = ["FUNCTIONS", "Function"]


def _partition(scope: Scope, array: Json, size: Json) -> Json:
    return INTRINSICS["States.ArrayPartition"].apply([array, size], scope.entropy)


def _range(scope: Scope, start: Json, end: Json, step: Json) -> Json:
    return INTRINSICS["States.ArrayRange"].apply([start, end, step], scope.entropy)


def _hash(scope: Scope, text: Json, algorithm: Json) -> Json:
    return INTRINSICS["States.Hash"].apply([text, algorithm], scope.entropy)


def _random(scope: Scope, seed: Json = None) -> Json:
    """A seed makes it the number that Java's generator gives first (measured on AWS: ``$random(42)``)."""
    if seed is None:
        return scope.entropy.random()
    if isinstance(seed, bool) or not isinstance(seed, int | float) or not math.isfinite(seed):
        raise ValueError("a seed is a number")
    return JavaRandom(int(seed)).next_double()


def _uuid(scope: Scope) -> Json:
    return scope.entropy.uuid()


def _parse(scope: Scope, text: Json) -> Json:  # noqa: ARG001  one signature for all
    if not isinstance(text, str):
        raise ValueError("only text can be parsed as JSON")
    return decode(text)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of an expression.

    Arguments:
        name: as it is called, without a dollar sign.
        run: from the scope and the arguments to the value; ValueError where an argument is not right.
        least, most: how many arguments it takes.

    Example: ``FUNCTIONS["uuid"].call(scope)``
    """

    name: str
    run: Callable[..., Json]
    least: int
    most: int

    def call(self, scope: Scope, *arguments: Json) -> Json:
        """The value of a call; ValueError where the arguments are not right."""
        if not self.least <= len(arguments) <= self.most:
            place = min(len(arguments), self.most) + 1
            raise ValueError(f'T0410: Argument {place} of function "{self.name}" does not match function signature')
        return self.run(scope, *arguments)


FUNCTIONS: Final = {
    function.name: function
    for function in (
        Function("partition", _partition, 2, 2),
        Function("range", _range, 3, 3),
        Function("hash", _hash, 2, 2),
        Function("random", _random, 0, 1),
        Function("uuid", _uuid, 0, 0),
        Function("parse", _parse, 1, 1),
    )
}
"""By name."""
