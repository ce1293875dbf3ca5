"""Hostile expressions: each ends within a second, in an error or in a value that is no larger than a payload may be.

Expressions are data of state machines, which are not trusted; a worker evaluates them between other executions' steps.
"""

import time
from types import ModuleType

import pytest

from statewright.lang import jmespath, jsonata
from statewright.lang.expression import ExpressionError
from statewright.lang.scope import Entropy, Scope
from statewright.lang.syntax import PathSyntaxError
from statewright.values import encode

INPUT = {
    "numbers": list(range(40_000)),
    "objects": [{"a": "x" * 8, "b": number} for number in range(9000)],
    "keys": {f"k{number}": number for number in range(15_000)},
    "different": [{f"k{number}": number} for number in range(15_000)],
    "text": "a" * 250_000,
}
ERROR = "error"
ANY = "any"

JSONATA = [
    (ERROR, "($f := function($n) {$f($n + 1)}; $f(1))"),
    (ERROR, "($f := function($n) {1 + $f($n + 1)}; $f(1))"),
    (ERROR, "($f := function($s, $n) {$n = 0 ? $s : $f($s & $s, $n - 1)}; $f('a', 100))"),
    (ERROR, "$sum([1..1e7])"),
    (ERROR, "[1..1e10]"),
    (ERROR, "[1..3000].[1..3000]"),
    (ERROR, "[1..50000].{'a': [1..50000]}"),
    (ERROR, "$map([1..10000], function($i) {$map([1..10000], function($j) {$i * $j})})"),
    (ERROR, "$match('" + "a" * 50 + "b', /^(a+)+$/)"),
    (ERROR, "$contains($states.input.text, /(a*)*b/)"),
    (ERROR, "$match($states.input.text, /a*?b/)"),
    (ERROR, "$match($states.input.text, /(a?){50}b/)"),
    (ERROR, "$pad('s', 1e9)"),
    (ERROR, "$join([1..40000].$pad('', 100000, 'x'))"),
    (ERROR, "$distinct($states.input.numbers)"),
    (ERROR, "$distinct($states.input.objects)"),
    (ERROR, "$map($states.input.objects, function($o) {$distinct($states.input.objects)})"),
    (ERROR, "$map([1], $distinct) ~> $append($distinct($states.input.numbers))"),
    (ERROR, "[1..1000].$keys($states.input.different)"),
    (ERROR, "[1..1000].$toMillis($states.input.text, $states.input.text)"),
    (ERROR, "$reduce($states.input.numbers, $append)"),
    (ERROR, "$states.input.numbers[$ in $states.input.numbers]"),
    (ERROR, "$map($states.input.numbers, function($v) {$merge($states.input.objects)})"),
    (ERROR, "$map($states.input.numbers, function($v) {$sort($states.input.numbers)})"),
    (ERROR, "$map($states.input.numbers, function($v) {$uppercase($states.input.text)})"),
    (ERROR, "$partition($states.input.numbers, 1).$partition($states.input.numbers, 1)"),
    (ERROR, "$range(1, 1000, 1).$range(1, 1000, 1).$range(1, 1000, 1)"),
    (ERROR, "$range(0, 1e9, 1)"),
    (ERROR, "$string($parse('" + "[" * 600 + "]" * 600 + "'))"),
    (ERROR, "$power(10, 400)"),
    (ERROR, "(" * 5000 + "1" + ")" * 5000),
    (ERROR, "[" * 5000),
    (ERROR, "-" * 20_000 + "1"),
    (ERROR, "1" + "+1" * 20_000),
    (ERROR, "$" + ".a" * 50_000),
    (ERROR, "'\ud800'"),
    (ANY, "$states.input.**"),
    (ANY, "$formatNumber(1, $states.input.text)"),
    (ANY, "$fromMillis(0, '" + "[Y]" * 50_000 + "')"),
    (ANY, "$toMillis($states.input.text, $states.input.text)"),
    (ANY, "$states.input.keys ~> |$|{'z': 1}|"),
    (ANY, "$keys($states.input.objects)"),
]

DOUBLE = "|".join(["[@,@]"] * 30)

JMESPATH = [
    (ERROR, DOUBLE),
    (ERROR, "|".join(["[@,@]"] * 600)),
    (ERROR, f"{DOUBLE}|to_string(@)"),
    (ERROR, f"`1`|[{DOUBLE},{DOUBLE}]|@[0]==@[1]"),
    (ERROR, "|".join(["[@,@][]"] * 100)),
    (ERROR, "'a'|" + "|".join(["join('',[@,@])"] * 60)),
    (ERROR, "states.input.numbers[].[@,@][].[@,@][]"),
    (ERROR, "map(&map(&@,[@,@]),states.input.numbers)"),
    (ERROR, "merge(" + ",".join(["@"] * 500) + ")"),
    (ERROR, "range(`0`,`1000000000`,`1`)"),
    (ERROR, "(" * 2000 + "@" + ")" * 2000),
    (ERROR, "[" * 1500 + "@" + "]" * 1500),
    (ERROR, "!" * 2000 + "a"),
    (ERROR, "a||" * 1300 + "a"),
    (ERROR, "a" * 5000),
    (ANY, "states.input.objects[?contains(to_string(@),'z')]"),
    (ANY, "states.input.numbers[?contains(`[1,2]`,@)]"),
    (ANY, "sort_by(states.input.objects,&b)[0]"),
    (ANY, "to_string(@)"),
    (ANY, "to_number('" + "9" * 4000 + "')"),
]


@pytest.mark.parametrize(
    ("language", "outcome", "text"),
    [(jsonata, *row) for row in JSONATA] + [(jmespath, *row) for row in JMESPATH],
    ids=lambda value: value[:60].encode("ascii", "replace").decode() if isinstance(value, str) else None,
)
def test_it_ends(language: ModuleType, outcome: str, text: str) -> None:
    scope = Scope(INPUT, {}, {}, Entropy(0))
    started = time.thread_time()
    try:
        value = language.compile_expression(text).evaluate(scope, {})
    except (PathSyntaxError, ExpressionError):
        value = None
    else:
        assert outcome == ANY
        value = value or None
    assert time.thread_time() - started < 3  # many times its own limit, as other programs share the caches
    assert len(encode(value)) < 2**21
