"""The intrinsic functions: one Python function each, registered with its signature in `FUNCTIONS`.

To add one, write it here with a decorator that names it and says what it takes, and add rows to
`tests/expressions`.  A function says what is wrong with its arguments by raising `ValueError`; whoever evaluates the
call makes States.Runtime of it (AWS documentation: errors of intrinsic functions are reported as States.Runtime).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from statewright.lang.java import JavaRandom, display
from statewright.lang.scope import Entropy
from statewright.values import Json, decode, encode, json_type, weight

__all__ = ["FUNCTIONS", "TEMPLATE", "Function", "Parameter"]

_TEXT: Final = 10_000  # characters for Base64 and hashes (AWS documentation)
_RANGE: Final = 1000  # elements of an array range (AWS documentation)
_INT32: Final = range(-(2**31), 2**31)
_OUTPUT: Final = 10_000_000  # characters of a made text; far beyond what a state may pass on
_PACE: Final = 7_000_000  # characters or elements of arguments that take about a second
_PIECE: Final = re.compile(r"\\(['{}\\])|\{\}")
_HASHES: Final = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}

Parameter: TypeAlias = Callable[[Json], Json]
"""Checks an argument and gives the value to use; raises ValueError with what it should have been."""


def _nothing(_arguments: list[Json]) -> int:
    return 0


def _lengths(arguments: list[Json]) -> int:
    return sum(len(argument) for argument in arguments if isinstance(argument, str | list | dict))


def _contents(arguments: list[Json]) -> int:
    return sum(map(weight, arguments))


@dataclass(frozen=True, slots=True)
class Function:
    """An intrinsic function.

    Arguments:
        name: as it is called, e.g. ``"States.ArrayLength"``.
        run: from the arguments, in order, to the value; a function with `chance` gets the entropy first.
        parameters: what each argument has to be.
        optional: how many of the last parameters may be left out.
        rest: what all further arguments have to be; None: there are none.
        chance: the value depends on chance.
        looks_at: how many characters and elements of its arguments it looks at.

    Example: ``FUNCTIONS["States.ArrayLength"].apply([[1, 2]], Entropy(0)) == 2``
    """

    name: str
    run: Callable[..., Json]
    parameters: tuple[Parameter, ...]
    optional: int = 0
    rest: Parameter | None = None
    chance: bool = False
    looks_at: Callable[[list[Json]], int] = _lengths

    def takes(self, count: int) -> bool:
        """Whether it can be called with `count` arguments."""
        required = len(self.parameters) - self.optional
        return required <= count and (self.rest is not None or count <= len(self.parameters))

    def cost(self, arguments: list[Json]) -> float:
        """What a call uses of `Budget`, in seconds."""
        return self.looks_at(arguments) / _PACE

    def apply(self, arguments: list[Json], entropy: Entropy) -> Json:
        """The value of a call; ValueError where the arguments are not right."""
        checks = self.parameters + (self.rest or _any,) * (len(arguments) - len(self.parameters))
        checked = [check(argument) for check, argument in zip(checks, arguments, strict=False)]
        return self.run(entropy, *checked) if self.chance else self.run(*checked)


def _any(value: Json) -> Json:
    return value


def _typed(expected: str, value: Json) -> Json:
    found = json_type(value)
    if found != expected:
        article = "an" if expected[0] in "ao" else "a"
        raise ValueError(f"Invalid arguments: expected {article} {expected} but found the {found} {_brief(value)}")
    return value


def _brief(value: Json) -> str:
    try:
        text = encode(value)
    except ValueError:
        return "given"
    return text if len(text) <= 100 else text[:97] + "..."


_array: Final = partial(_typed, "array")
_object: Final = partial(_typed, "object")
_string: Final = partial(_typed, "string")


def _integer(value: Json) -> int:
    """A number, rounded half up to an integer of 32 bits as Java's ``Math.round`` does (recorded on AWS)."""
    number = _typed("number", value)
    whole: int = math.floor(number)
    rounded: int = whole + (number - whole >= 0.5)  # adding 0.5 first would round 0.49999999999999994 up
    if rounded not in _INT32:
        raise ValueError(f"Invalid arguments: {_brief(value)} is not between {_INT32[0]} and {_INT32[-1]}")
    return rounded


def _positive(value: Json) -> int:
    number = _integer(value)
    if number <= 0:
        raise ValueError(f"Invalid arguments: expected a number above 0 but found {_brief(value)}")
    return number


def _short(value: Json) -> str:
    text: str = _string(value)
    if len(text) > _TEXT:
        raise ValueError(f"Invalid arguments: a text of more than {_TEXT} characters")
    return text


def _shallow(value: Json) -> bool:
    # "Currently, Step Functions only supports the shallow merging mode" (AWS documentation).
    if value is not False:
        raise ValueError("Invalid arguments: the third argument must be false, for a shallow merge")
    return False


def TEMPLATE(value: Json) -> str:  # noqa: N802 - a constant that the evaluator compares with
    """The parameter that is a template: a literal argument for it keeps its escapes."""
    text: str = _string(value)
    return text


FUNCTIONS: Final[dict[str, Function]] = {}
"""Name to intrinsic function: the 18 of the States Language."""


def _intrinsic(
    name: str,
    *parameters: Parameter,
    optional: int = 0,
    rest: Parameter | None = None,
    chance: bool = False,
    looks_at: Callable[[list[Json]], int] = _lengths,
) -> Callable[[Callable[..., Json]], Callable[..., Json]]:
    def register(run: Callable[..., Json]) -> Callable[..., Json]:
        full = f"States.{name}"
        FUNCTIONS[full] = Function(full, run, parameters, optional, rest, chance, looks_at)
        return run

    return register


def _size(value: Json, limit: int) -> int:
    """About how long the JSON text of `value` is; stops counting at `limit`.

    The same value may be in an array many times over without taking memory; its text does.
    """
    size = 0
    waiting = [value]
    while waiting and size <= limit:
        node = waiting.pop()
        size += len(node) if isinstance(node, str) else 4
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            waiting.extend(node.values())
            size += sum(map(len, node))
    return size


def _limited(value: Json) -> Json:
    if isinstance(value, list | dict) and _size(value, _OUTPUT) > _OUTPUT:
        raise ValueError("the value is too large")
    return value


def _identity(value: Json) -> Json:
    """Something hashable that is equal where the JSON values are: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return "object", frozenset((name, _identity(member)) for name, member in value.items())
    if isinstance(value, list):
        return "array", tuple(map(_identity, value))
    return json_type(value), value


@_intrinsic("Array", rest=_any, looks_at=_nothing)
def array(*values: Json) -> Json:
    """The arguments as an array."""
    return list(values)


@_intrinsic("ArrayPartition", _array, _positive)
def array_partition(values: list[Json], size: int) -> Json:
    """The array in pieces of `size`, the last one perhaps shorter."""
    return [values[start : start + size] for start in range(0, len(values), size)]


@_intrinsic("ArrayContains", _array, _any, looks_at=_contents)
def array_contains(values: list[Json], value: Json) -> Json:
    """Whether the array has an element equal to the value."""
    wanted = _identity(_limited(value))
    return any(_identity(item) == wanted for item in _limited(values))


@_intrinsic("ArrayRange", _integer, _integer, _integer)
def array_range(first: int, last: int, step: int) -> Json:
    """The numbers from `first` to `last`, which is among them when a step leads to it."""
    if step == 0:
        raise ValueError("Invalid arguments: the step must not be 0")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > _RANGE:
        raise ValueError(f"Invalid arguments: the range has {len(numbers)} elements; {_RANGE} are allowed")
    return list(numbers)


@_intrinsic("ArrayGetItem", _array, _integer, looks_at=_nothing)
def array_get_item(values: list[Json], index: int) -> Json:
    """The element at the index, counted from 0."""
    if not 0 <= index < len(values):
        raise ValueError(f"Invalid arguments: the index {index} is not within an array of {len(values)} elements")
    return values[index]


@_intrinsic("ArrayLength", _array, looks_at=_nothing)
def array_length(values: list[Json]) -> Json:
    """How many elements the array has."""
    return len(values)


@_intrinsic("ArrayUnique", _array, looks_at=_contents)
def array_unique(values: list[Json]) -> Json:
    """The elements without repetitions, in the order of first appearance."""
    unique: dict[Json, Json] = {}
    for value in _limited(values):
        unique.setdefault(_identity(value), value)
    return list(unique.values())


@_intrinsic("Base64Encode", _short)
def base64_encode(text: str) -> Json:
    """The text's UTF-8 bytes in Base64."""
    return base64.b64encode(text.encode()).decode()


@_intrinsic("Base64Decode", _short)
def base64_decode(text: str) -> Json:
    """The text whose UTF-8 bytes are given in Base64; the padding may be absent, as for Java's decoder."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"Invalid arguments: not Base64: {error}") from None
    return data.decode(errors="replace")


@_intrinsic("Hash", _any, _string)
def hash_value(data: Json, algorithm: str) -> Json:
    """The digest of a text, or of the JSON text of another value, in hexadecimal."""
    if algorithm not in _HASHES:
        raise ValueError(f"Invalid arguments: the algorithm must be one of {', '.join(_HASHES)}")
    text = _short(data if isinstance(data, str) else json_to_string(data))
    return hashlib.new(_HASHES[algorithm], text.encode(), usedforsecurity=False).hexdigest()


@_intrinsic("JsonMerge", _object, _object, _shallow)
def json_merge(first: dict[str, Json], second: dict[str, Json], _deep: bool) -> Json:
    """The members of both objects; where both have one, the second's."""
    return first | second


@_intrinsic("StringToJson", _string)
def string_to_json(text: str) -> Json:
    """The value of a JSON text; of a blank text, null (recorded on AWS)."""
    if not text.strip():
        return None
    try:
        return decode(text)
    except ValueError as error:
        raise ValueError(f"Invalid arguments: not a JSON text: {error}") from None


@_intrinsic("JsonToString", _any, looks_at=_contents)
def json_to_string(value: Json) -> str:
    """The compact JSON text of a value."""
    return encode(_limited(value))


@_intrinsic("MathRandom", _integer, _integer, _integer, optional=1, chance=True)
def math_random(entropy: Entropy, start: int, end: int, seed: int | None = None) -> Json:
    """A number from `start` up to, not including, `end`; a seed makes it the one that Java's generator gives."""
    if start >= end:
        raise ValueError("Invalid arguments: the start must be below the end")
    if seed is not None:
        return JavaRandom(seed).next_between(start, end)
    return start + int(entropy.random() * (end - start))


@_intrinsic("MathAdd", _integer, _integer)
def math_add(first: int, second: int) -> Json:
    """The sum of two numbers, each rounded before: 1.5 + 1.51 is 4 (recorded on AWS)."""
    return first + second


@_intrinsic("StringSplit", _string, _string)
def string_split(text: str, delimiters: str) -> Json:
    """The pieces between any of the delimiting characters, without the empty ones (recorded: string_split…)."""
    if delimiters:
        text = text.translate(dict.fromkeys(map(ord, delimiters), delimiters[0]))
    pieces = text.split(delimiters[0]) if delimiters else [text]
    return [piece for piece in pieces if piece]


@_intrinsic("UUID", chance=True)
def uuid(entropy: Entropy) -> Json:
    """A version 4 UUID."""
    return entropy.uuid()


@_intrinsic("Format", TEMPLATE, rest=_any, looks_at=_contents)
def format_text(template: str, *values: Json) -> Json:
    """The template with each ``{}`` replaced by the next value; ``\\{`` and ``\\}`` are braces."""
    places = sum(match[1] is None for match in _PIECE.finditer(template))
    if places != len(values):
        raise ValueError(f"Invalid arguments: the template has {places} places for {len(values)} values")
    _limited(list(values))
    rest = iter(values)
    pieces = []
    end = 0
    for match in _PIECE.finditer(template):
        pieces += [template[end : match.start()], match[1] or display(next(rest))]
        end = match.end()
    return "".join([*pieces, template[end:]])
