from __future__ import annotations

import re
import time
from typing import Any

import pytest

from statewright.errors import StatesError
from statewright.lang.intrinsics import FUNCTIONS, PathSyntaxError, compile_intrinsic
from statewright.lang.java import JavaRandom, display, double_text
from statewright.lang.scope import Entropy, Scope
from statewright.values import same

INPUT: dict[str, Any] = {
    "numbers": [1, 2, 3, 4, 5, 6, 7, 8, 9],
    "mixed": [1, 1.0, True, "1", None, [1], [1.0], {"a": 1}, {"a": 1.0}, None, "1", False, 0],
    "text": "a-b_c",
    "lines": "Value1,Value2\n,,,\ntrue,'x'",
    "object": {"Arg1": 1, "Arg2": [], "n": None, "t": "it's", "f": 1.5, "b": True},
    "other": {"Arg1": {"deep": 1}, "new": 2},
    "template": "Hello {}, \\{not\\} {}",
    "json": '{"foo": [1, "bar", null]}',
    "long": "x" * 10_001,
    "null": None,
    "base64": "RGF0YSB0byBlbmNvZGU=",
}
SCOPE = Scope(INPUT, {"Execution": {"Id": "arn:x:y"}}, {"who": "World", "n": 3}, Entropy(1))

ROWS: list[tuple[str, Any]] = [
    ("States.Array()", []),
    ("States.Array(1, -2.5, 1e2, 'a', true, false, null, $.text, $who, $$.Execution.Id)",
     [1, -2.5, 100.0, "a", True, False, None, "a-b_c", "World", "arn:x:y"]),
    ("  States.Array( States.Array( 1 ) ,$['text'])  ".strip(), [[1], "a-b_c"]),
    ("States.Array('it\\'s', '\\{\\}', '\\\\', '{\"a\": 1}', '')", ["it's", "{}", "\\", '{"a": 1}', ""]),
    ("States.Array($.numbers[?(@ > 7 && (@ != 100))], $.numbers[0,1], $.numbers.length())", [[8, 9], [1, 2], 9]),
    ("States.ArrayPartition($.numbers, 4)", [[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
    ("States.ArrayPartition(States.Array(), 3)", []),
    ("States.ArrayPartition($.numbers, 8.6)", [[1, 2, 3, 4, 5, 6, 7, 8, 9]]),
    ("States.ArrayContains($.numbers, 5)", True),
    ("States.ArrayContains($.numbers, 5.0)", True),
    ("States.ArrayContains($.numbers, '5')", False),
    ("States.ArrayContains($.numbers, true)", False),
    ("States.ArrayContains(States.Array(), null)", False),
    ("States.ArrayContains($.mixed, $.null)", True),
    ("States.ArrayContains($.mixed, States.StringToJson('\\{\"a\": 1\\}'))", True),
    ("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
    ("States.ArrayRange(1, 8, 3)", [1, 4, 7]),
    ("States.ArrayRange(5, 1, -2)", [5, 3, 1]),
    ("States.ArrayRange(1, 5, -1)", []),
    ("States.ArrayRange(0.5, 2.4, 1)", [1, 2]),
    ("States.ArrayGetItem($.numbers, 5)", 6),
    ("States.ArrayGetItem(States.StringSplit($$.Execution.Id, ':'), 2)", "y"),
    ("States.ArrayLength($.numbers)", 9),
    ("States.ArrayLength($.numbers[20:])", 0),
    ("States.ArrayUnique($.mixed)", [1, True, "1", None, [1], {"a": 1}, False, 0]),
    ("States.Base64Encode('Data to encode')", "RGF0YSB0byBlbmNvZGU="),
    ("States.Base64Encode('é')", "w6k="),
    ("States.Base64Encode('')", ""),
    ("States.Base64Decode($.base64)", "Data to encode"),
    ("States.Base64Decode('w6k')", "é"),
    ("States.Base64Decode('')", ""),
    ("States.Hash('input data', 'MD5')", "812f45842bc6d66ee14572ce20db8e86"),
    ("States.Hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
    ("States.Hash('input data', 'SHA-256')", "b4a697a057313163aee33cd8d40c66e9f0f177e00cac2de32475ffff6169c3e3"),
    ("States.Hash(States.Array(1), 'MD5')", "35dba5d75538a9bbe0b4da4422759a0e"),
    ("States.JsonMerge($.object, $.other, false)",
     {"Arg1": {"deep": 1}, "Arg2": [], "n": None, "t": "it's", "f": 1.5, "b": True, "new": 2}),
    ("States.StringToJson($.json)", {"foo": [1, "bar", None]}),
    ("States.StringToJson('')", None),
    ("States.StringToJson(' ')", None),
    ("States.StringToJson('-0')", 0),
    ("States.StringToJson('1.50')", 1.5),
    ("States.StringToJson('\"x\"')", "x"),
    ("States.JsonToString($.other)", '{"Arg1":{"deep":1},"new":2}'),
    ("States.JsonToString($.null)", "null"),
    ("States.JsonToString('a\"b')", '"a\\"b"'),
    ("States.MathAdd(111, -1)", 110),
    ("States.MathAdd(0.49999999999999994, 0)", 0),
    ("States.MathAdd(1.5, 1.51)", 4),
    ("States.MathAdd(-1.5, 0)", -1),
    ("States.MathAdd(-0.5, 0.5)", 1),
    ("States.MathAdd(States.MathAdd($n, 1), $.numbers[0])", 5),
    ("States.MathRandom(7, 8)", 7),
    ("States.MathRandom(0, 10, 42)", 0),  # java.util.Random(42).nextInt(10) is 0
    ("States.MathRandom(100, 110, 42)", 100),
    ("States.MathRandom(12.5, 13.6, 5)", 13),
    ("States.StringSplit('This.is+a,test=string', '.+,=')", ["This", "is", "a", "test", "string"]),
    ("States.StringSplit(',,,,', ',')", []),
    ("States.StringSplit($.lines, ',')", ["Value1", "Value2\n", "\ntrue", "'x'"]),
    ("States.StringSplit($.text, '')", ["a-b_c"]),
    ("States.StringSplit('', '')", []),
    ("States.StringSplit('a]b^c-d\\\\e', ']^-\\\\')", ["a", "b", "c", "d", "e"]),
    ("States.StringSplit($.text, '-')", ["a", "b_c"]),
    ("States.ArrayLength(States.StringSplit(States.UUID(), '-'))", 5),
    ("States.UUID()", re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")),
    ("States.Format('plain')", "plain"),
    ("States.Format('{} and {}', $who, 5)", "World and 5"),
    ("States.Format('{}{}{}', null, true, 1.0)", "nulltrue1.0"),
    ("States.Format('{}', $.object)", "{Arg1=1, Arg2=[], n=null, t=it's, f=1.5, b=true}"),
    ("States.Format('{}', $.numbers[:2])", "[1, 2]"),
    ("States.Format('\\{\\} \\\\ {} it\\'s {x}', 1)", "{} \\ 1 it's {x}"),
    ("States.Format($.template, $who, '{}')", "Hello World, {not} {}"),
    ("States.Format('He said, \"Hello, {}!\"', 'x')", 'He said, "Hello, x!"'),
    ("States.Format('multi\nline {}', 'é😀')", "multi\nline é😀"),
    ("States.Format('{}', States.Format('{}', States.Format('{}', 'deep')))", "deep"),
]  # fmt: skip

FAILURES: list[tuple[str, str]] = [
    ("States.Format('{}')", "the template has 1 places for 0 values"),
    ("States.Format('x', 1)", "the template has 0 places for 1 values"),
    ("States.Format(1)", "expected a string but found the number 1"),
    ("States.Format('{}', $.nope)", "The JsonPath argument for the field '$.nope' could not be found in the input '{"),
    ("States.Array($noSuch)", "The JsonPath argument for the field '$noSuch' could not be found"),
    ("States.ArrayPartition($.numbers, 0)", "above 0"),
    ("States.ArrayPartition($.numbers, 0.4)", "above 0"),
    ("States.ArrayPartition($.text, 1)", "expected an array"),
    ("States.ArrayContains($.object, 1)", "expected an array"),
    ("States.ArrayRange(1, 5, 0)", "must not be 0"),
    ("States.ArrayRange(0, 1000, 1)", "1001 elements"),
    ("States.ArrayRange(0, 2000000000, 1)", "1000 are allowed"),
    ("States.ArrayRange('1', 5, 1)", "expected a number"),
    ("States.ArrayGetItem($.numbers, -1)", "the index -1"),
    ("States.ArrayGetItem($.numbers, 9)", "an array of 9"),
    ("States.ArrayLength('x')", "expected an array"),
    ("States.ArrayUnique($.object)", "expected an array"),
    ("States.Base64Encode($.long)", "10000 characters"),
    ("States.Base64Encode(1)", "expected a string"),
    ("States.Base64Decode('*')", "not Base64"),
    ("States.Base64Decode('a')", "not Base64"),
    ("States.Hash('x', 'SHA-3')", "the algorithm must be one of MD5, SHA-1"),
    ("States.Hash($.long, 'MD5')", "10000 characters"),
    ("States.JsonMerge($.object, $.other, true)", "must be false"),
    ("States.JsonMerge($.object, $.numbers, false)", "expected an object"),
    ("States.StringToJson('\\{')", "not a JSON text"),
    ("States.StringToJson('NaN')", "not a JSON text"),
    ("States.StringToJson($.object)", "expected a string"),
    ("States.MathAdd(1, '2')", "expected a number"),
    ("States.MathAdd(true, 1)", "expected a number but found the boolean"),
    ("States.MathAdd(2147483648, 1)", "is not between"),
    ("States.MathRandom(5, 5)", "the start must be below the end"),
    ("States.StringSplit($.numbers, ',')", "expected a string"),
]

REFUSED: list[tuple[str, int]] = [
    ("", 0),
    ("text", 4),
    ("States.Nope()", 0),
    ("states.Array()", 0),
    ("States.Array", 12),
    ("States.Array(", 13),
    ("States.Array(1", 14),
    ("States.Array(1 2)", 15),
    ("States.Array(1,)", 15),
    ("States.Array() x", 15),
    ("States.Array('a)", 13),
    ('States.Array("a")', 13),
    ("States.Array('a\\n')", 15),
    ("States.Array('a\\\"b')", 15),
    ("States.Array('a\\')", 13),
    ("States.Array($.a b)", 17),
    ("States.Array($.)", 15),
    ("States.Array(States.Nope())", 13),
    ("States.Array(" + "9" * 400 + ")", 13),
    ("States.Array('\ud800')", 14),
    ("States.UUID(1)", 0),
    ("States.Format()", 0),
    ("States.MathRandom(1)", 0),
    ("States.MathRandom(1, 2, 3, 4)", 0),
    ("States.Array(" * 11 + ")" * 11, 130),
    ("States.Array(" * 5000, 130),
]


@pytest.mark.parametrize(("text", "expected"), ROWS)
def test_value(text: str, expected: Any) -> None:
    value = compile_intrinsic(text).evaluate(SCOPE)
    if isinstance(expected, re.Pattern):
        assert expected.fullmatch(value)
    else:
        assert same(value, expected), value


@pytest.mark.parametrize(("text", "reason"), FAILURES)
def test_failure(text: str, reason: str) -> None:
    with pytest.raises(StatesError) as raised:
        compile_intrinsic(text).evaluate(SCOPE)
    assert raised.value.error == "States.Runtime"
    cause = raised.value.cause or ""
    assert cause.startswith(f"The function '{text}' had the following error: ")
    assert reason in cause


@pytest.mark.parametrize(("text", "position"), REFUSED)
def test_refused(text: str, position: int) -> None:
    with pytest.raises(PathSyntaxError) as raised:
        compile_intrinsic(text)
    assert raised.value.position == position


def test_every_function_has_rows() -> None:
    assert len(FUNCTIONS) == 18
    for name, function in FUNCTIONS.items():
        assert function.name == name
        assert any(text.strip().startswith(f"{name}(") for text, _ in ROWS), name


def test_every_function_that_takes_arguments_has_a_failure() -> None:
    missing = {name for name in FUNCTIONS if not any(text.startswith(f"{name}(") for text, _ in FAILURES)}
    assert missing == {"States.UUID", "States.JsonToString"}  # these two take anything there is


def test_ten_within_each_other() -> None:
    assert compile_intrinsic("States.Array(" * 10 + ")" * 10).evaluate(SCOPE) == [[[[[[[[[[]]]]]]]]]]


def test_what_a_call_names() -> None:
    call = compile_intrinsic("States.Format('{}', States.ArrayGetItem($x.a, $$.Map.Item.Index))")
    assert [path.text for path in call.paths] == ["$x.a", "$$.Map.Item.Index"]
    assert call.functions == ("States.Format", "States.ArrayGetItem")


def test_chance_comes_from_the_scope() -> None:
    call = compile_intrinsic("States.Format('{} {}', States.UUID(), States.MathRandom(0, 1000000))")
    assert call.evaluate(Scope({}, {}, {}, Entropy("a"))) == call.evaluate(Scope({}, {}, {}, Entropy("a")))
    assert call.evaluate(Scope({}, {}, {}, Entropy("a"))) != call.evaluate(Scope({}, {}, {}, Entropy("b")))


def test_java_random() -> None:
    # Values that java.util.Random(42) is known for: nextDouble(), and nextInt(10) twice.
    assert JavaRandom(42).next_double() == 0.7275636800328681
    generator = JavaRandom(42)
    assert [generator.next_between(0, 10) for _ in range(2)] == [0, 3]
    wide = JavaRandom(1)
    assert all(-(2**31) <= wide.next_between(-(2**31), 2**31 - 1) < 2**31 - 1 for _ in range(20))
    assert 0 <= JavaRandom(-5).next_between(0, 16) < 16


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0.0"), (-0.0, "-0.0"), (1.0, "1.0"), (0.001, "0.001"), (9999999.0, "9999999.0"), (1e7, "1.0E7"),
     (12345678.9, "1.23456789E7"), (0.00015, "1.5E-4"), (-2.5e10, "-2.5E10"), (1e100, "1.0E100"), (1.5e-7, "1.5E-7")],
)  # fmt: skip
def test_double_text(number: float, text: str) -> None:
    assert double_text(number) == text
    assert float(text) == number


def test_display_nested() -> None:
    assert display([{"a": [1, "x"]}, None]) == "[{a=[1, x]}, null]"


def test_large_values_are_refused_in_time() -> None:
    here = Scope({"s": "x" * 200_000, "a": list(range(50_000)), "b": ["y" * 50] * 5000}, {}, {}, Entropy(0))
    started = time.perf_counter()
    assert len(compile_intrinsic("States.ArrayUnique($.a)").evaluate(here)) == 50_000
    wide = "States.Array(" + ",".join(["$.b"] * 200) + ")"
    for text in [f"States.JsonToString({wide})", f"States.Format('{{}}', {wide})",
                 "States.Format('" + "{}" * 200 + "'" + ",$.s" * 200 + ")"]:  # fmt: skip
        with pytest.raises(StatesError, match="too l"):
            compile_intrinsic(text).evaluate(here)
    assert time.perf_counter() - started < 5


def test_deep_values() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    here = Scope({"d": deep, "e": [deep]}, {}, {}, Entropy(0))
    for text in ["States.ArrayContains($.e, $.d)", "States.Format('{}', $.d)", "States.ArrayUnique($.e)"]:
        with pytest.raises(StatesError, match="nested too deeply"):
            compile_intrinsic(text).evaluate(here)


@pytest.mark.parametrize(
    "text",
    [
        "States.ArrayUnique(States.Array(" + ",".join(["$"] * 999) + "))",
        "States.ArrayContains(States.Array(" + ",".join(["$"] * 999) + "), 7)",
        "States.Format('" + "{}" * 998 + "'," + ",".join(["$"] * 998) + ")",
        "States.JsonToString(States.Array(" + ",".join(["$"] * 999) + "))",
    ],
)
def test_many_uses_of_a_large_value_are_an_error(text: str) -> None:
    with pytest.raises(StatesError, match="too large"):
        compile_intrinsic(text).evaluate(Scope([1] * 60_000, {}, {}, Entropy(0)))
