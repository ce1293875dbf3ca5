from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statewright.lang.pattern import compile_pattern
from statewright.lang.syntax import PathSyntaxError


@pytest.mark.parametrize(
    ("pattern", "flags", "text", "expected"),
    [
        ("abc", "", "abc", True),
        ("abc", "", "abcd", False),
        ("", "", "", True),
        ("", "", "a", False),
        ("a|bc|", "", "", True),
        ("a|bc|", "", "bc", True),
        ("(ab)+c?", "", "ababc", True),
        ("(?:ab){2,3}", "", "abab", True),
        ("(?:ab){2,3}", "", "ab", False),
        ("a{2}", "", "aaa", False),
        ("a{2,}", "", "aaaa", True),
        ("a{0}", "", "", True),
        (".*", "", "a\nb", False),
        (".*", "s", "a\nb", True),
        ("^ab$", "", "ab", True),
        ("[^a-c]+", "", "xyz", True),
        ("[\\d.-]+", "", "1.5-2", True),
        ("\\w+@\\w+\\.com", "i", "Me@Example.COM", True),
        ("é+", "", "éé", True),
        ("a+?b", "", "aab", True),
    ],
)
def test_matches(pattern: str, flags: str, text: str, expected: bool) -> None:
    assert compile_pattern(pattern, flags).matches(text) is expected


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "a)", "[", "[]", "[z-a]", "[a&&b]", "[[a]]", "*", "a**", "a++", "a{2,1}", "a{b", "\\", "\\1", "\\b",
     "\\p{L}", "(?=a)", "(?<n>a)", "(?i)a", "a^b", "a$b", "x" * 501, "(" * 30 + ")" * 30,
     "((a{99}){99}){99}", "(){9999}"],
)  # fmt: skip
def test_refused(pattern: str) -> None:
    with pytest.raises(PathSyntaxError):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a*)*b", "a*a*a*a*a*a*a*a*b", "(.*)*(.*)*x"])
def test_linear(pattern: str) -> None:
    started = time.perf_counter()
    assert not compile_pattern(pattern).matches("a" * 5000)
    assert time.perf_counter() - started < 2


_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "\\d", "c"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{1,2}", "{2}"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=6,
)


@given(_PATTERNS, st.text("abc1", max_size=6))
def test_agrees_with_re(pattern: str, text: str) -> None:
    assert compile_pattern(pattern).matches(text) == bool(re.fullmatch(pattern, text))


@given(st.text("ab(|)*+?{}[]^$\\.-,:=!<>1", max_size=20), st.text("is", max_size=2))
def test_only_syntax_errors(pattern: str, flags: str) -> None:
    position = 0
    try:
        compile_pattern(pattern, flags).matches("ab")
    except PathSyntaxError as error:
        position = error.position
    assert 0 <= position <= len(pattern)
