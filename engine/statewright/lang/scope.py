"""What the names in an expression stand for while a state runs: `$`, `$$`, `$variable`, and chance."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from typing import Final, final

from statewright.values import Json, encode

__all__ = ["MISSING", "Budget", "Entropy", "Missing", "Scope", "as_text"]


@final
class Missing:
    """The type of `MISSING`."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""What a path gives where the document has nothing; unlike null, which is a value."""


class Entropy:
    """All the chance an expression may use, determined by a seed so that a replay gives the same values.

    Arguments:
        seed: text or integer; equal seeds give equal sequences.

    Example: ``Entropy(7).random() == Entropy(7).random()``
    """

    __slots__ = ("_random", "_seed")

    def __init__(self, seed: str | int) -> None:
        self._seed = seed
        self._random: random.Random | None = None

    def _source(self) -> random.Random:
        # Most states never ask, and seeding the generator is a hundred times dearer than making this object.
        if self._random is None:
            self._random = random.Random(self._seed)  # noqa: S311 - repeatable on purpose, nothing secret
        return self._random

    def random(self) -> float:
        """The next float in [0, 1).  Example: ``0 <= Entropy("e1").random() < 1``"""
        return self._source().random()

    def uniform(self, a: float, b: float) -> float:
        """The next float between `a` and `b`.  Example: ``1 <= Entropy(1).uniform(1, 2) <= 2``"""
        return self._source().uniform(a, b)

    def uuid(self) -> str:
        """The next UUID in version 4 form.  Example: ``len(Entropy(1).uuid()) == 36``"""
        return str(uuid.UUID(int=self._source().getrandbits(128), version=4))

    def __repr__(self) -> str:
        return f"Entropy({self._seed!r})"


class Budget:
    """What all expressions of one state may use together in one reaction to an event, so that many expressions are no
    way around the limits of a single one: about a second, in the measure of each language, so that a replay agrees.

    Example: ``Budget().spend(0.5)``
    """

    __slots__ = ("evaluations", "left")

    def __init__(self) -> None:
        self.left = 1.0
        self.evaluations = 0

    def spend(self, seconds: float) -> bool:
        """Take some of it; whether there was enough left."""
        self.left -= seconds
        self.evaluations += 1
        return self.left >= 0


class Scope:
    """What an expression can see (States Language, "Paths", "Context Object", "Variables").

    Arguments:
        input: the value of `$`.
        context: the Context Object, the value of `$$`, or a function that makes it: few expressions ask for it.
        variables: name, without the dollar sign, to value; the values of `$name`.
        entropy: chance for `States.UUID` and `States.MathRandom`.
        now: the time of the event that is reacted to, in ms since 1970; what `$now()` tells.
        budget: shared by all scopes of one reaction; None: one of its own.

    Example: ``Scope({"a": 1}, {}, {}, Entropy(0)).with_input(2).input == 2``
    """

    __slots__ = ("_context", "budget", "entropy", "input", "now", "variables")

    def __init__(
        self,
        input: Json,  # noqa: A002  the language's own word
        context: Json | Callable[[], Json],
        variables: Mapping[str, Json],
        entropy: Entropy,
        now: int = 0,
        budget: Budget | None = None,
    ) -> None:
        self.input = input
        self._context = context
        self.variables = variables
        self.entropy = entropy
        self.now = now
        self.budget = budget or Budget()

    @property
    def context(self) -> Json:
        """The value of `$$`."""
        if callable(self._context):
            self._context = self._context()
        return self._context

    def with_input(self, value: Json) -> Scope:
        """The same scope with another `$`.  Example: ``scope.with_input([]).input == []``"""
        return Scope(value, self._context, self.variables, self.entropy, self.now, self.budget)


def as_text(value: Json) -> str:
    """`value` as compact JSON for a message; never raises.

    Example: ``as_text({"a": 1}) == '{"a":1}'``
    """
    try:
        return encode(value)
    except ValueError:
        return "(a value that cannot be shown)"
