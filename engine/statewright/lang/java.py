"""What AWS shows of Java: how it writes numbers, maps and lists as text, and its seeded random numbers."""

from __future__ import annotations

from typing import Final

from statewright.values import Json

__all__ = ["JavaRandom", "display", "double_text"]

_MASK: Final = (1 << 48) - 1


def double_text(number: float) -> str:
    """A float as `Double.toString` writes it.

    Example: ``double_text(1e21) == "1.0E21"``, ``double_text(0.5) == "0.5"``
    """
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        text = repr(number)
        if "e" not in text:
            return text
    mantissa, _, exponent = f"{number!r}e0".partition("e")
    exponent = exponent.removesuffix("e0") or "0"
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent) + len(whole) - 1 - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0") or "0"
    return f"{'-' if number < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{power}"


def display(value: Json) -> str:
    """A value as `States.Format` writes it: text as it is, maps as ``{a=1, b=[]}`` (recorded on AWS).

    Example: ``display({"Arg1": 1, "Arg2": []}) == "{Arg1=1, Arg2=[]}"``
    """
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{name}={display(member)}" for name, member in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ", ".join([display(member) for member in value]) + "]"
    return str(value)


class JavaRandom:
    """`java.util.Random`, bit for bit: the generator behind seeded random numbers on AWS.

    Arguments:
        seed: any integer; its low 48 bits count.

    Example: ``JavaRandom(42).next_double() == 0.7275636800328681`` (measured on AWS: ``$random(42)``)
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = (seed ^ 0x5DEECE66D) & _MASK

    def _next(self, bits: int) -> int:
        """The next `bits` bits as a signed 32-bit integer."""
        self._state = (self._state * 0x5DEECE66D + 0xB) & _MASK
        value = self._state >> (48 - bits)
        return value - (1 << 32) if value >= 1 << 31 else value

    def next_double(self) -> float:
        """The next float in [0, 1)."""
        high = self._next(26)
        return ((high << 27) + self._next(27)) * 2.0**-53

    def next_between(self, start: int, end: int) -> int:
        """The next integer with ``start <= it < end``, both of 32 bits (as `Random.ints(start, end)`)."""
        bound = end - start
        if bound >= 1 << 31:
            while not start <= (drawn := self._next(32)) < end:
                pass
            return drawn
        drawn = self._next(31)
        if bound & (bound - 1) == 0:
            return start + ((bound * drawn) >> 31)
        while drawn - drawn % bound + (bound - 1) >= 1 << 31:
            drawn = self._next(31)
        return start + drawn % bound
