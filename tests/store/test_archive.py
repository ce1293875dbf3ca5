"""What is packed is unpacked again, whatever it is."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statewright.errors import StatewrightError
from statewright.model import Execution
from statewright.store import codec
from statewright.store.upkeep.archive import _DICTIONARY, Archive
from statewright.values import Payload

RECORDS = st.one_of(
    st.builds(b"%d,%d,%b".__mod__, st.tuples(st.integers(0, 10**6), st.integers(0, 2**45), st.binary(max_size=40))),
    st.binary(max_size=20),
    st.sampled_from([b"", b",", b"1,2", b"01,5,x", b"-1,5,x", b"1,,x", b"1,5,", b"1, 5,x", "1,٣,x".encode()]),
)
TEXTS = st.dictionaries(st.binary(max_size=9), st.binary(max_size=99), max_size=4)


WORDS = st.one_of(
    st.text(min_size=1, max_size=9).filter(lambda text: text[0] != "="),
    st.sampled_from(["f" * 64, "F" * 64, "f" * 63, "f" * 64 + "\n", "a:b:c", "STANDARD", "d1"]),
    st.builds("arn:aws:states:{}:{}:stateMachine:{}".format, *[st.sampled_from(["", "a", "a=", "é", "a:b"])] * 3),
)


@given(st.lists(WORDS, min_size=7, max_size=7))
def test_a_header_is_read_as_it_was(words: list[str]) -> None:
    """However short what follows from something else is written.  (None of these is empty, or begins with "=".)"""
    arn, name, machine_arn, machine_name, definition, role, kind = words
    for machine, execution in ((machine_name, arn), (machine_arn.rpartition(":")[2] or "m", f"{machine_arn}:{name}")):
        given = Execution("E", execution, name, machine_arn, machine, definition, Payload.parse("[]"), 5, role, kind)
        found = codec.decode_execution("E", 5, codec.encode_execution(given, codec.Outgoing()), str)
        for field in given.__struct_fields__:
            if field != "input":
                assert getattr(found, field) == getattr(given, field), field
        assert found.input.text == "[]"


@given(TEXTS, st.lists(RECORDS, max_size=30), TEXTS)
def test_there_and_back(fields: dict[bytes, bytes], records: list[bytes], payloads: dict[bytes, bytes]) -> None:
    archive = Archive(fields, records, payloads)
    assert Archive.unpack(archive.pack()) == archive


def test_the_dictionary_never_changes() -> None:
    """What was archived with it needs it to be read: a better one is a new version."""
    assert zlib.crc32(_DICTIONARY) == 2469426027


def test_a_flipped_bit_is_noticed() -> None:
    stored = Archive({b"head": b"x" * 100}, [b"0,1700000000000,%d" % n for n in range(30)]).pack()
    for place in range(len(stored)):
        flipped = bytearray(stored)
        flipped[place] ^= 4
        with pytest.raises(StatewrightError, match="cannot be read"):
            Archive.unpack(bytes(flipped))
