"""Property 12: a record of which anything was changed never verifies, whatever was changed."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
import records

from lottery import verify
from lottery.encoding import canonical_json

SHORT = ("void-warmup", "void-game")
STRIDE = 41


def other_values(value: Any) -> Iterator[Any]:
    """Values like this one, and values of other types."""
    if isinstance(value, bool):
        yield from (not value, int(value), None)
    elif isinstance(value, int):
        yield from (value + 1, str(value), None, -1, [value], value + 2**64)
        yield from (value - 1,) if value else ()
    elif isinstance(value, str):
        yield from (value + "0", value[1:] if value else "x", value.upper() if value.upper() != value else value + "a", 0, None)
        yield from (("1" if value[0] != "1" else "2") + value[1:],) if value else ()
    else:
        yield from (0, "", [0], {"a": 0}, [] if value != [] else {}, False)


@pytest.mark.parametrize("name", records.NAMES)
def test_every_example_verifies(name: str) -> None:
    report = verify.verify(records.text(name))
    due = verify.UNCHECKED if name in records.UNCHECKED else verify.LIE if name == records.FAILURE else verify.GOOD
    assert (report.verdict, report.good) == (due, due == verify.GOOD)
    assert len(report.checks) > 30
    assert len(report.not_proven) >= 6 or due == verify.LIE


def spoiled_still_fails(text: bytes, check: Callable[[bytes, frozenset[str]], verify.Report] = verify.verify) -> bool:
    """A record of a failure fails anyway: what was changed in it must be found before that.

    Which block stands at which height no record can prove: to a reader who has looked up the true one, any other is unchecked.
    """
    try:
        report = check(text, frozenset({records.BLOCK}))
    except verify.Unreadable:
        return True
    other_block = any(each.startswith("whether block ") for each in report.unchecked)
    return other_block or (report.lie is not None and report.lie[0] != verify.FAILURE)


@pytest.mark.parametrize("name", records.NAMES)
def test_no_field_can_be_changed(name: str) -> None:
    record = records.load(name)
    for index, (where, value) in enumerate(records.leaves(record)):
        options = list(other_values(value))
        other = options[index % len(options)]
        spoiled = canonical_json(records.changed(record, where, other))
        assert spoiled_still_fails(spoiled), (where, other)


@pytest.mark.parametrize("name", records.NAMES)
def test_true_is_not_one_and_false_is_not_zero(name: str) -> None:
    record = records.load(name)
    for where, value in records.leaves(record):
        if type(value) is int and value in (0, 1):
            with pytest.raises(verify.Unreadable, match="must be"):
                verify.verify_record(records.changed(record, where, bool(value)))


@pytest.mark.parametrize("other", [2**64, -1, "1", None, 1.0, [1]])
@pytest.mark.parametrize("column", ["deposit_id", "price", "time_ms", "bet"])
def test_one_wrong_value_in_a_column_is_found_and_named(column: str, other: Any) -> None:
    record = records.load("classic-unlimited")
    spoiled = records.changed(record, ("items", 1, column), other)
    with pytest.raises(verify.Unreadable, match=rf"record\.items\[1\]\.{column} must be an integer"):
        verify.verify_record(spoiled)


def test_a_team_beyond_the_second_is_no_team() -> None:
    spoiled = records.changed(records.load("5v5-inverse"), ("items", 0, "team"), 3)
    with pytest.raises(verify.Unreadable, match=r"record\.items\[0\]\.team must be an integer from 0 to 2"):
        verify.verify_record(spoiled)


@pytest.mark.long
@pytest.mark.parametrize("name", records.NAMES)
def test_no_field_can_be_changed_to_anything(name: str) -> None:
    record = records.load(name)
    for where, value in records.leaves(record):
        for other in other_values(value):
            spoiled = canonical_json(records.changed(record, where, other))
            assert spoiled_still_fails(spoiled), (where, other)


def objects(value: Any, where: records.Place = ()) -> Iterator[records.Place]:
    if isinstance(value, dict):
        yield where
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from objects(each, (*where, key))


@pytest.mark.parametrize("name", records.NAMES)
def test_no_field_can_be_left_out_or_added(name: str) -> None:
    record = records.load(name)
    for where in objects(record):
        fields = records.get(record, where)
        smaller = dict(list(fields.items())[1:])
        for other in (smaller, fields | {"extra": 0}) if fields else ({"extra": 0},):
            spoiled = records.changed([record], (0, *where), other)[0]
            assert spoiled_still_fails(canonical_json(spoiled)), where


@pytest.mark.parametrize("name", records.NAMES)
def test_no_entry_of_a_list_can_be_dropped_doubled_or_moved(name: str) -> None:
    record = records.load(name)
    for where, _ in list(records.leaves(record)):
        for depth, key in enumerate(where):
            if isinstance(key, int) and key == 0:
                entries = records.get(record, where[:depth])
                for other in (entries[1:], [entries[0], *entries], entries[1:] + entries[:1]):
                    spoiled = canonical_json(records.changed(record, where[:depth], other))
                    assert other == entries or spoiled_still_fails(spoiled), (where[:depth], other)


def flips(text: bytes, every: int, start: int) -> Iterator[bytes]:
    """The text with one bit flipped, for every n-th byte."""
    choose = Random(start)
    for index in range(start % every, len(text), every):
        yield text[:index] + bytes([text[index] ^ 1 << choose.randrange(8)]) + text[index + 1 :]


@pytest.mark.parametrize("name", records.NAMES)
def test_no_byte_can_be_changed(name: str) -> None:
    every = 3 if name in SHORT else STRIDE
    assert all(spoiled_still_fails(spoiled) for spoiled in flips(records.text(name), every, len(name)))


@pytest.mark.long
@pytest.mark.parametrize("name", records.NAMES)
def test_no_bit_can_be_flipped(name: str) -> None:
    text = records.text(name)
    for index in range(len(text)):
        for bit in range(8):
            spoiled = text[:index] + bytes([text[index] ^ 1 << bit]) + text[index + 1 :]
            assert spoiled_still_fails(spoiled), (index, bit)


@pytest.mark.parametrize("name", SHORT)
def test_no_byte_can_be_dropped_or_doubled(name: str) -> None:
    text = records.text(name)
    for index in range(len(text) - 1):
        assert spoiled_still_fails(text[:index] + text[index + 1 :])
        assert spoiled_still_fails(text[:index] + text[index : index + 1] + text[index:])


def test_the_line_end_alone_may_be_missing() -> None:
    text = records.text("giveaway")
    assert verify.verify(text.removesuffix(b"\n")).good
    for other in (text + b"\n", text.removesuffix(b"\n") + b"\r\n", text.removesuffix(b"\n") + b" ", b" " + text):
        assert spoiled_still_fails(other)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "JSON"),
        (b"\xff", "JSON"),
        (b"[1.0]", "not an integer"),
        (b"[1e3]", "not an integer"),
        (b"[NaN]", "not an integer"),
        (b'{"a":1,"a":1}', "twice"),
        (b'{"b":1,"a":1}', "canonical"),
        (b'{"a": 1}', "canonical"),
        (b'{"a":"\\u0041"}', "canonical"),
        (b'{"a":"\\ud800"}', "JSON"),
        (b"[" * 100_000, "too deep"),
        (b'{"a":' * 2_000 + b"0" + b"}" * 2_000, "too deep"),
        (b"[" + b"9" * 5000 + b"]", "JSON"),
        (b"[-0]", "canonical"),
        (b"[]", "object"),
        (b"null", "object"),
        (b'{"format":"lot2"}', "lacks"),
    ],
)
def test_what_is_no_record_is_not_even_checked(text: bytes, why: str) -> None:
    with pytest.raises(verify.Unreadable, match=why):
        verify.verify(text)


def test_many_items_are_not_deep_and_strings_do_not_count() -> None:
    for text in (b"[" + b"[]," * 2_000 + b"[]]", b'["' + b"[" * 5_000 + b'\\""]'):
        with pytest.raises(verify.Unreadable, match="must be an object"):
            verify.verify(text)


def test_a_wrong_field_is_named() -> None:
    record = records.load("raffle")
    spoiled = records.changed(record, ("items", 1, "price"), "80")
    with pytest.raises(verify.Unreadable, match=r"record\.items\[1\]\.price must be an integer"):
        verify.verify_record(spoiled)
    assert json.loads(records.text("raffle")) == record
