from __future__ import annotations

import timeit
from typing import Any

import pytest

from statewright.errors import StatesError
from statewright.lang.jsonpath import PathSyntaxError, compile_path, not_found_cause
from statewright.lang.scope import MISSING, Entropy, Scope

STORE: dict[str, Any] = {
    "store": {
        "book": [
            {"title": "A", "price": 8.95, "tags": ["new", "red"], "code": 7},
            {"title": "B", "price": 12.99, "tags": [], "code": "7"},
            {"title": "C", "price": 8.99, "isbn": "0-553", "note": None},
            {"title": "D", "price": 22, "isbn": "0-395", "tags": ["red"]},
        ],
        "bicycle": {"color": "red", "price": 19.95},
    },
    "limit": 10,
    "sub-values": [1, 2, 3, 4, 5],
    "a b": {"it's": 1, 'say "x"': 2, "x.y": 3, "[0]": 4},
    "foo@bar": {"baz[[.?pretty": 5},
    "é": {"中": 6, "😀": 7},
    "": {"": 8},
    "null": None,
}
VALUES: list[tuple[str, Any]] = [
    ("$", STORE),
    ("$.limit", 10),
    ("$.null", None),
    ("$.null.x", MISSING),
    ("$.limit.x", MISSING),
    ("$.nope", MISSING),
    ("$.nope.deeper[0].still", MISSING),
    ("$['limit']", 10),
    ('$["limit"]', 10),
    ("$[ 'limit' ]", 10),
    ("$.sub-values", [1, 2, 3, 4, 5]),
    ("$['a b']['it\\'s']", 1),
    ("$['a b'][\"it's\"]", 1),
    ("$['a b']['say \\\"x\\\"']", 2),
    ("$['a b']['x.y']", 3),
    ("$['a b'].x\\.y", 3),
    ("$['a b']['[0]']", 4),
    ("$.foo\\@bar.baz\\[\\[\\.\\?pretty", 5),
    ("$.\\stor\\e.bicycle.color", "red"),
    ("$.é.中", 6),
    ("$.\\u00e9['\\u4e2d']", 6),
    ("$.é.\\uD83D\\uDE00", 7),
    ("$.é.😀", 7),
    ("$['']['']", 8),
    ("$.store.book[0].title", "A"),
    ("$.store['book'][0]['title']", "A"),
    ("$.store.book.[0].title", "A"),
    ("$.store.book[-1].title", "D"),
    ("$.store.book[(@.length-1)].title", "D"),
    ("$.store.book[( @.length() - 4 )].title", "A"),
    ("$.store.book[(@.length-5)]", MISSING),
    ("$.store.book[4]", MISSING),
    ("$.store[0]", MISSING),
    ("$.store.book.title", MISSING),
    ("$.limit[0]", MISSING),
    ("$.sub-values[1:3]", [2, 3]),
    ("$.sub-values[:2]", [1, 2]),
    ("$.sub-values[3:]", [4, 5]),
    ("$.sub-values[-2:]", [4, 5]),
    ("$.sub-values[:-3]", [1, 2]),
    ("$.sub-values[::2]", [1, 3, 5]),
    ("$.sub-values[::-1]", [5, 4, 3, 2, 1]),
    ("$.sub-values[:]", [1, 2, 3, 4, 5]),
    ("$.sub-values[ 0 , 2 , 9 ]", [1, 3]),
    ("$.sub-values[*]", [1, 2, 3, 4, 5]),
    ("$.sub-values.*", [1, 2, 3, 4, 5]),
    ("$.store.bicycle.*", ["red", 19.95]),
    ("$.limit.*", []),
    ("$.nope[*]", []),
    ("$.nope.items[1:5].x", []),
    ("$.store.book[*].isbn", ["0-553", "0-395"]),
    ("$.store.*.price", [19.95]),
    ("$..color", ["red"]),
    ("$..price", [8.95, 12.99, 8.99, 22, 19.95]),
    ("$.store..price", [8.95, 12.99, 8.99, 22, 19.95]),
    ("$..book[0].title", ["A"]),
    ("$..['isbn']", ["0-553", "0-395"]),
    ("$..nope", []),
    ("$.store.book[0]['title','code']", {"title": "A", "code": 7}),
    ("$.store.book[0]['title','nope']", {"title": "A"}),
    ("$.store.book[1:3]['title','isbn']", [{"title": "B"}, {"title": "C", "isbn": "0-553"}]),
    ("$.store['bicycle','nope']['color']", ["red"]),
    ("$.store.book[?(@.price < 10)].title", ["A", "C"]),
    ("$.store.book[?(@.price<$.limit)].title", ["A", "C"]),
    ("$.store.book[?(@['price'] >= 12.99)].title", ["B", "D"]),
    ("$.store.book[?(@.isbn)].title", ["C", "D"]),
    ("$.store.book[?(!@.isbn)].title", ["A", "B"]),
    ("$.store.book[?(@.note)].title", ["C"]),
    ("$.store.book[?(@.note == null)].title", ["C"]),
    ("$.store.book[?(@.isbn != null)].title", ["A", "B", "C", "D"]),
    ("$.store.book[?(@.a == @.b)].title", []),
    ("$.store.book[?(@.title == 'B' || @.price > 20)].title", ["B", "D"]),
    ("$.store.book[?(@.price > 8 && !(@.title == 'B') && @.isbn)].title", ["C", "D"]),
    ("$.store.book[?(@.title == 'A' || @.title == 'B' && @.price > 20)].title", ["A"]),
    ("$.store.book[?((@.title == 'A' || @.title == 'B') && @.price > 10)].title", ["B"]),
    ("$.store.book[?('B' == @.title)].title", ["B"]),
    ("$.store.book[?(@.title >= 'C')].title", ["C", "D"]),
    ("$.store.book[?(@.code == 7)].title", ["A", "B"]),
    ("$.store.book[?(@.code == '7')].title", ["A", "B"]),
    ("$.sub-values[?(@ == '2.0' || @ == ' x' || @ == 'true')]", [2]),
    ("$.store.book[?(@.title === 'A')].title", ["A"]),
    ("$.store.book[?(@.title !== 'A')].title", ["B", "C", "D"]),
    ("$.store.book[?(@.price < 'x')].title", []),
    ("$.store.book[?(@.title in ['A', 'D'])].title", ["A", "D"]),
    ("$.store.book[?(@.title IN ['A', \"D\"])].title", ["A", "D"]),
    ("$.store.book[?(@.title nin ['A', 'D'])].title", ["B", "C"]),
    ("$.store.book[?(@.tags contains 'red')].title", ["A", "D"]),
    ("$.store.book[?(@.isbn contains '39')].title", ["D"]),
    ("$.store.book[?('red' in @.tags)].title", ["A", "D"]),
    ("$.store.book[?(@.tags size 1)].title", ["D"]),
    ("$.store.book[?(@.tags empty true)].title", ["B"]),
    ("$.store.book[?(@.tags exists false)].title", ["C"]),
    ("$.store.book[?(@.tags all ['red', 'new'])].title", ["A"]),
    ("$.store.book[?(@.tags subsetof ['red'])].title", ["B", "D"]),
    ("$.store.book[?(@.tags anyof ['new'])].title", ["A"]),
    ("$.store.book[?(@.tags noneof ['new'])].title", ["B", "D"]),
    ("$.store.book[?(@.tags == [\"red\"])].title", ["D"]),
    ("$.store.book[?(@.tags.length() > 1)].title", ["A"]),
    ("$.store.book[?(@.tags[?(@ == 'new')])].title", ["A"]),
    ("$.store.book[?(@.title =~ /[a-b]/i)].title", ["A", "B"]),
    ("$.store.book[?(@.isbn =~ /0-\\d{3}/)].title", ["C", "D"]),
    ("$.store.book[?(@.isbn =~ /0/)].title", []),
    ("$.store.book[?(@.tags =~ /r.d/)].title", ["A", "D"]),
    ("$.store.bicycle[?(@.color == 'red')].price", [19.95]),
    ("$.[?(@.limit == 10)].limit", [10]),
    ("$..[?(@.price > 19)].price", [22, 19.95]),
    ("$.sub-values[?(@ > 3)]", [4, 5]),
    ("$.sub-values[?(@ == 2.0 || @ == {'a': [true, null]})]", [2]),
    ("$.store.book.length()", 4),
    ("$.store.length()", 2),
    ("$.nope.length()", MISSING),
    ("$.store.bicycle.keys()", ["color", "price"]),
    ("$.sub-values.sum()", 15.0),
    ("$.sub-values.avg()", 3.0),
    ("$.sub-values.min()", 1.0),
    ("$.sub-values.stddev()", 2**0.5),
    ("$.sub-values.first()", 1),
    ("$.sub-values.last()", 5),
    ("$..price.max()", 22.0),
    ("$.store.book[*].price.size()", 4),
    ("$.store.book[?(@.isbn)].length()", 2),
    ("$.limit ", 10),
]  # fmt: skip

ERRORS: list[tuple[str, int]] = [
    ("", 0),
    ("a.b", 0),
    (" $.a", 0),
    ("$.", 2),
    ("$.a.", 4),
    ("$..", 3),
    ("$...a", 3),
    ("$.a b", 4),
    ("$a b", 3),
    ("$.*x", 3),
    ("$['a']b", 6),
    ("$[", 2),
    ("$[]", 2),
    ("$[x]", 2),
    ("$[1", 3),
    ("$[1,]", 4),
    ("$[1,'a']", 4),
    ("$['a',]", 6),
    ("$['a", 2),
    ("$['a'", 5),
    ("$[1:2:0]", 7),
    ("$[1:2:3:4]", 7),
    ("$[(@.length)]", 2),
    ("$[(@.length-0)]", 2),
    ("$.a\\", 3),
    ("$.\\ud800", 2),
    ("$.a(", 4),
    ("$.a()", 2),
    ("$.max(1)", 6),
    ("$[?]", 3),
    ("$[?(@.a]", 7),
    ("$[?()]", 4),
    ("$[?(@.a ==)]", 10),
    ("$[?(@.a == b)]", 11),
    ("$[?(@.a near 1)]", 8),
    ("$[?('a')]", 4),
    ("$[?(@.a =~ 'x')]", 11),
    ("$[?(@.a =~ /x)]", 12),
    ("$[?(@.a =~ /(?=x)/)]", 12),
    ("$[?(@.a =~ /x/q)]", 12),
    ("$[?(@.a == 1e999)]", 11),
    ("$[?(@.a == [1,])]", 14),
    ("$.\ud800", 2),
    ("$." + "a" * 5000, 4096),
]


def scope(value: Any) -> Scope:
    return Scope(value, {"Execution": {"Id": "e"}}, {"x": {"y": [1, 2]}}, Entropy(0))


@pytest.mark.parametrize(("text", "expected"), VALUES)
def test_value(text: str, expected: Any) -> None:
    path = compile_path(text)
    found = path.evaluate(STORE)
    if isinstance(expected, float):
        expected = pytest.approx(expected)
    assert found == expected
    assert (found is MISSING) == (expected is MISSING)
    assert path.definite or isinstance(found, list)


@pytest.mark.parametrize(("text", "position"), ERRORS)
def test_syntax_error(text: str, position: int) -> None:
    with pytest.raises(PathSyntaxError) as raised:
        compile_path(text)
    assert raised.value.position == position
    assert raised.value.message


@pytest.mark.parametrize(
    ("text", "root", "definite", "reference"),
    [
        ("$", "$", True, True),
        ("$.a['b'][0]", "$", True, True),
        ("$.a\\@b['c:d']", "$", True, True),
        ("$.a@b", "$", True, False),
        ("$$.Execution.Id", "$$", True, True),
        ("$x.y[0]", "$x", True, True),
        ("$größe_1", "$größe_1", True, True),
        ("$.a[-1]", "$", True, False),
        ("$.a[(@.length-1)]", "$", True, False),
        ("$['a','b']", "$", True, False),
        ("$['a','b'].c", "$", False, False),
        ("$[0,1]", "$", False, False),
        ("$[0:1]", "$", False, False),
        ("$.*", "$", False, False),
        ("$..a", "$", False, False),
        ("$[?(@.a)]", "$", False, False),
        ("$.a.length()", "$", True, False),
        ("$..a.length()", "$", True, False),
    ],
)
def test_kind(text: str, root: str, definite: bool, reference: bool) -> None:
    path = compile_path(text)
    assert (path.text, path.root, path.definite, path.is_reference) == (text, root, definite, reference)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$.a", 1),
        ("$$.Execution.Id", "e"),
        ("$x.y[1]", 2),
        ("$x", {"y": [1, 2]}),
        ("$z", MISSING),
        ("$z.a[*]", MISSING),
    ],
)
def test_roots(text: str, expected: Any) -> None:
    assert compile_path(text).resolve(scope({"a": 1})) == expected


@pytest.mark.parametrize(
    ("text", "value", "cause"),
    [
        ("$.NoSuch", {}, "Invalid path '$.NoSuch' : No results for path: $['NoSuch']"),
        ("$.a.b", {"a": {}}, "Invalid path '$.a.b' : No results for path: $['a']['b']"),
        ("$.a.b.c", {"a": {}}, "Invalid path '$.a.b.c' : Missing property in path $['a']['b']"),
        ("$.a[3]", {"a": []}, "Invalid path '$.a[3]' : No results for path: $['a'][3]"),
        ("$.a[3].b", {"a": []}, "Invalid path '$.a[3].b' : No results for path: $['a'][3]['b']"),
        ("$.a[0]", {"a": None}, "Invalid path '$.a[0]' : The path $['a'] is null"),
        ("$.it\\'s", {}, "Invalid path '$.it\\'s' : No results for path: $['it\\'s']"),
        ("$z.a", {}, "Invalid path '$z.a' : No results for path: $['a']"),
    ],
)
def test_not_found(text: str, value: Any, cause: str) -> None:
    path = compile_path(text)
    assert not_found_cause(path, scope(value)) == cause
    with pytest.raises(StatesError) as raised:
        path.require(scope(value))
    assert (raised.value.error, raised.value.cause) == ("States.Runtime", cause)


@pytest.mark.parametrize(
    ("text", "document", "expected"),
    [
        ("$", {"a": 1}, 9),
        ("$.a", {"a": 1, "b": 2}, {"a": 9, "b": 2}),
        ("$.c", {"a": 1}, {"a": 1, "c": 9}),
        ("$.c.d.e", {"a": 1}, {"a": 1, "c": {"d": {"e": 9}}}),
        ("$['a b'].c", {}, {"a b": {"c": 9}}),
        ("$.a[1]", {"a": [1, 2]}, {"a": [1, 9]}),
        ("$[0].x", [{}], [{"x": 9}]),
    ],
)
def test_replace(text: str, document: Any, expected: Any) -> None:
    before = repr(document)
    assert compile_path(text).replace(document, 9) == expected
    assert repr(document) == before


def test_replace_shares_what_it_leaves() -> None:
    document = {"a": {"deep": [1]}, "b": {}}
    changed = compile_path("$.b.c").replace(document, 1)
    assert changed["a"] is document["a"]


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("$.a", "text"),
        ("$.a", None),
        ("$.a", [1]),
        ("$.a.b", {"a": 1}),
        ("$.a.b", {"a": None}),
        ("$.a[1]", {"a": [1]}),
        ("$.a[0]", {}),
        ("$.a[0]", {"a": {}}),
        ("$.a[-1]", {"a": [1]}),
        ("$.a[*]", {"a": [1]}),
        ("$$.a", {}),
        ("$x.a", {}),
    ],
)
def test_replace_refuses(text: str, document: Any) -> None:
    with pytest.raises(StatesError) as raised:
        compile_path(text).replace(document, 9)
    assert raised.value.error == "States.ResultPathMatchFailure"


def test_replace_says_why() -> None:
    with pytest.raises(StatesError, match="Unable to apply ReferencePath"):
        compile_path("$.a").replace("text", 9)


@pytest.mark.parametrize("text", ["$.x.sum()", "$.e.max()", "$.big.sum()", "$.over.sum()"])
def test_no_number_to_give(text: str) -> None:
    document = {"x": 1, "e": ["a"], "big": [10**400], "over": [1e308, 1e308]}
    with pytest.raises(StatesError):
        compile_path(text).evaluate(document)


@pytest.mark.parametrize(
    "text",
    [
        "$" + "..*" * 5,
        "$[*][*][*]",
        "$[?($[0][0].sum() > 1)]",
        "$[?(@..*)]",
        "$[?(@ in $[0])]",
        "$[?($ == $)]",
        "$[" + "0," * 2000 + "0]" + "[*]",
    ],
)
def test_explosion_is_an_error(text: str) -> None:
    inner = list(range(1500))
    with pytest.raises(StatesError, match="values"):
        compile_path(text).evaluate([[inner] * 100] * 1500)


def test_long_texts_are_searched_only_so_often() -> None:
    with pytest.raises(StatesError, match="values"):
        compile_path("$.a[?($.s contains @)]").evaluate({"s": "x" * 120_000, "a": ["xxxy"] * 30_000})


def test_a_long_text_is_no_number() -> None:
    path = compile_path("$.a[?(@ == $.s)]")
    document = {"s": "[" + "1," * 60_000 + "1]", "a": [1] * 60_000}
    assert timeit.timeit(lambda: path.evaluate(document), number=1) < 10  # a minute if the text were read each time


def test_deep_documents_and_paths() -> None:
    document: Any = 1
    for _ in range(1100):
        document = [document]
    assert len(compile_path("$..*").evaluate(document)) == 1100
    with pytest.raises(StatesError):
        compile_path("$[?(@ == $[0])]").evaluate([document, [document], document.copy()])
    assert compile_path("$" + "[0]" * 1100).evaluate(document) == 1
    for text in ["(", "!(", "@.a[?("]:
        with pytest.raises(PathSyntaxError):
            compile_path("$[?(" + text * 500 + "@.a" + ")" * 500 + ")]")
    with pytest.raises(PathSyntaxError):
        compile_path("$[?(@ == " + "[" * 1000 + "]" * 1000 + ")]")


def test_a_plain_path_is_fast() -> None:
    path = compile_path("$.a.b.c.d")
    here = scope({"a": {"b": {"c": {"d": 1}}}})
    steps, slack = 4 * 1000, 3
    assert min(timeit.repeat(lambda: path.resolve(here), number=1000, repeat=20)) < steps * 0.3e-6 * slack
