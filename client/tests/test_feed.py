"""Lists in pages and the feed: nothing twice, nothing left out, and on it goes after an outage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from scripted import LOST, NOT_THERE, A, B, Script, answer, problem, proxys

from fleet_client import errors, sse
from fleet_client.calls import Calls
from fleet_client.steps import Chunk, Open, Opened, Outcome


def events(*numbers: int, next: int | None = None) -> Outcome:
    rows = [{"number": n, "at": "2026-11-30T12:00:00Z", "kind": "settled", "who": "bot:red-1", "data": {}} for n in numbers]
    return answer(200, {"events": rows, "next": next if next is not None else numbers[-1]})


def poll(script: Script, count: int, after: int = 0) -> list[int]:
    stream = Calls.poll.what(Calls(), after)(script.line(A, B))
    return [event.number for event in script.take(stream, count)]


def test_it_reads_on_behind_what_it_has_given() -> None:
    script = Script([events(1, 2), events(next=2), events(5), events(next=9), events(12)])
    assert poll(script, 4) == [1, 2, 5, 12]
    assert [one.request.target for one in script.sent] == [f"/events?after={n}&wait=25" for n in (0, 2, 2, 5, 9)]


def test_it_begins_where_it_is_told() -> None:
    script = Script([events(8)])
    assert poll(script, 1, after=7) == [8]
    assert "after=7" in script.sent[0].request.target


@pytest.mark.parametrize(
    "trouble",
    [
        NOT_THERE,
        LOST,
        problem(503, "database_unavailable", retryable=True),
        problem(429, "rate_limited", retryable=True, retry_after_s=90),
    ],
)
def test_it_goes_on_after_an_outage_of_an_hour(trouble: Any, caplog: pytest.LogCaptureFixture) -> None:
    script = Script([events(1)])
    begun = script.now
    script.outcomes += [lambda at: trouble if at < 3600 else events(2)]
    assert poll(script, 2) == [1, 2]
    assert 3600 <= script.now - begun <= 3600 + 95 and max(script.waits) <= 95
    assert "no events for now" in caplog.text
    # After the first event nobody is asked for it again.
    assert all("after=1&" in one.request.target for one in script.sent[1:])


def test_a_key_that_is_revoked_ends_it() -> None:
    script = Script([events(1), problem(401, "bad_key")])
    with pytest.raises(errors.BadKey):
        poll(script, 2)


def test_a_feed_that_goes_back_gives_nothing_twice() -> None:
    script = Script([events(4, 5), events(next=3), events(6)])
    assert poll(script, 3) == [4, 5, 6]
    assert "after=5&" in script.sent[2].request.target


def page(*ids: str, next: str | None) -> Outcome:
    rows = [
        {
            "item_id": one,
            "market_hash_name": "AK",
            "type": "",
            "color": "",
            "name_color": "",
            "icon_url": "",
            "icon_url_large": "",
        }
        for one in ids
    ]
    return answer(200, {"currency": "USD", "items": rows, "next": next})


def test_a_list_is_read_to_its_end() -> None:
    script = Script([page("a", "b", next="b"), LOST, page("c", next="c"), page(next=None)])
    stream = Calls.each_item.what(Calls())(script.line())
    assert [item.item_id for item in script.take(stream, 100)] == ["a", "b", "c"]
    assert [one.request.target for one in script.sent] == ["/items?limit=5000"] + ["/items?after=b&limit=5000"] * 2 + [
        "/items?after=c&limit=5000"
    ]


def test_a_list_that_cannot_be_read_raises() -> None:
    script = Script([page("a", next="a"), problem(403, "scope_missing")])
    with pytest.raises(errors.ScopeMissing):
        script.take(Calls.each_item.what(Calls())(script.line()), 100)


# --- as a stream -----------------------------------------------------------------------------------------------------------


def sent(*numbers: int, end: bytes = b"\n\n") -> bytes:
    row = '{"number":%d,"at":"2026-11-30T12:00:00Z","kind":"settled","trade_id":null,"who":"site","data":{}}'
    return b"".join(b"id: %d\ndata: %b" % (n, (row % n).encode()) + end for n in numbers)


def listen(script: Script, count: int, after: int = 0, kind: list[str] | None = None) -> list[int]:
    stream = Calls.listen.what(Calls(), after, kind=kind)(script.line(A, B))
    return [event.number for event in script.take(stream, count)]


OPENED = Opened({})
BEGINNING = Chunk(b"retry: 1000\n: 7\nid: 7\n\n")


def test_a_stream_gives_each_event() -> None:
    script = Script([OPENED, BEGINNING, Chunk(sent(8) + sent(9)[:20]), Chunk(sent(9)[20:]), Chunk(sent(11))])
    assert listen(script, 3, after=7, kind=["settled"]) == [8, 9, 11]
    (opened,) = script.sent
    assert isinstance(opened, Open) and opened.request.target == "/events/stream?after=7&kind=settled"


@pytest.mark.parametrize("end", [Chunk(b""), LOST])
def test_a_stream_that_ends_is_opened_again_behind_what_was_given(end: Outcome) -> None:
    script = Script([OPENED, BEGINNING, Chunk(sent(8) + sent(9)[:-1]), end, OPENED, Chunk(sent(9, 10))], chance=0.0)
    assert listen(script, 3, after=7) == [8, 9, 10]
    assert [one.request.target for one in script.sent] == ["/events/stream?after=7", "/events/stream?after=8"]
    assert sum(script.waits) <= 1


def test_a_silent_stream_goes_on_behind_the_number_that_was_read_up_to() -> None:
    script = Script([OPENED, Chunk(b": 40\nid: 40\n\n"), LOST, OPENED, Chunk(sent(41))])
    assert listen(script, 1, after=7) == [41]
    assert script.sent[-1].request.target == "/events/stream?after=40"
    assert script.asked == [A, B]


@pytest.mark.parametrize(
    "trouble",
    [NOT_THERE, LOST, proxys(502), problem(429, "too_many_streams", retryable=True, retry_after_s=5)],
)
def test_a_stream_goes_on_after_a_long_outage(trouble: Outcome) -> None:
    script = Script([])
    script.outcomes += [trouble] * 150 + [OPENED, Chunk(sent(2))]
    begun = script.now
    assert listen(script, 1, after=1) == [2]
    assert script.now - begun > 600 and max(script.waits) <= 30


@pytest.mark.parametrize(
    ("answered", "kind"), [(problem(403, "scope_missing"), errors.ScopeMissing), (proxys(404), errors.UnexpectedAnswer)]
)
def test_what_stays_wrong_ends_a_stream(answered: Outcome, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        listen(Script([answered]), 1)


def test_an_event_without_an_end_is_no_event() -> None:
    script = Script([OPENED, Chunk(b"data: " + b"x" * sse.MESSAGE_MAX_BYTES), OPENED, Chunk(sent(1))])
    assert listen(script, 1) == [1]


@given(some.lists(some.integers(1, 99), max_size=6), some.sampled_from([b"\n", b"\r\n"]), some.data())
def test_it_does_not_matter_in_which_pieces_a_stream_comes(numbers: list[int], newline: bytes, data: some.DataObject) -> None:
    text = (b": hello\n\n" + sent(*numbers)).replace(b"\n", newline)
    cuts = sorted(data.draw(some.lists(some.integers(0, len(text)), max_size=8)))
    reader = sse.Reader()
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    found = [message for piece in pieces for message in reader.take(piece)]
    assert [message.id for message in found] == [str(number) for number in numbers]
    assert all(message.data.startswith(b'{"number":') for message in found)


def test_what_a_stream_may_hold() -> None:
    reader = sse.Reader()
    text = b"event: x\nretry: 5\ndata: a\ndata:b\nid\n\nid: 1\0\ndata\n\nid:3\n\ndata: unended"
    assert [(one.id, one.data) for one in reader.take(text)] == [("", b"a\nb"), ("", b""), ("3", b"")]
