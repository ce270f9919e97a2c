"""What the chaos run's own audit names, each from a history in which exactly that went wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.chaos_run import checker
from scripts.chaos_run.plan import BY_NAME
from scripts.chaos_run.report import table_lines
from scripts.crosscheck import Difference


def event(number: int, data: dict[str, Any], kind: str = "any", trade_id: str | None = "t1") -> dict[str, Any]:
    return {"number": number, "kind": kind, "trade_id": trade_id, "data": json.dumps(data)}


def moved(to: str, before: str | None = None, deposit_id: str = "d1") -> dict[str, Any]:
    return {"deposit_id": deposit_id, "to": to} | ({"from": before} if before else {})


GOOD = [
    event(1, {"to": "queued", "deposits": [moved("deposit_pending")]}, "trade_created"),
    event(2, {"from": "queued", "to": "sent"}),
    event(3, {"status": "sent"}, "offer_adopted"),
    event(5, {"from": "sent", "to": "accepted", "deposits": [moved("active", "deposit_pending")]}),
    event(6, {"from": "accepted", "to": "settled"}),
    event(7, {"from": "settled", "to": "reversed"}),
]


def tables(events: list[dict[str, Any]], status: str = "reversed", deposit: str = "active") -> dict[str, Any]:
    trade = {"trade_id": "t1", "status": status, "offer_id": "7", "waits_for": None, "direction": "deposit"}
    return {"events": events, "trades": [trade], "deposits": [{"deposit_id": "d1", "status": deposit}]}


def kinds(found: Any) -> list[str]:
    return [row.kind for row in found]


def test_a_true_history_has_no_differences() -> None:
    assert list(checker.histories(tables(GOOD))) == []
    gift = event(8, {"deposits": ["d2"]}, "gift_accepted", None)
    with_gift = tables([*GOOD, gift])
    with_gift["deposits"].append({"deposit_id": "d2", "status": "active"})
    assert list(checker.histories(with_gift)) == []


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (tables(GOOD, status="settled"), "trade t1: is settled, its events end with reversed"),
        (tables(GOOD, deposit="withdrawn"), "deposit d1: is withdrawn, its events end with active"),
        (tables([GOOD[0], *GOOD[2:]]), "trade t1: event 5 goes from sent to accepted, but it was queued"),
        (tables(GOOD[1:]), "deposit d1: event 5 goes from deposit_pending to active, but it was never begun"),
        (
            tables([*GOOD[:5], event(9, {"from": "settled", "to": "sent"})], status="sent"),
            "trade t1: was settled, and then sent",
        ),
    ],
)
def test_what_no_event_tells_is_named(made: dict[str, Any], named: str) -> None:
    texts = [row.text for row in checker.histories(made)]
    assert any(text.startswith(named) for text in texts), texts


def test_a_reader_of_the_feed_gets_everything_once_and_in_order() -> None:
    numbers = [row["number"] for row in GOOD]
    assert list(checker.feed(numbers, GOOD)) == []
    assert kinds(checker.feed(numbers[:-1], GOOD)) == ["feed"]
    assert kinds(checker.feed([*numbers, 99], GOOD)) == ["feed"]
    assert [row.text for row in checker.feed([1, 3, 2, 5, 6, 7], GOOD)] == ["events were served out of order"]
    assert [row.text for row in checker.feed([1, 2, 3, 3, 5, 6, 7], GOOD)] == ["event 3 was served 2 times"]


def test_a_key_names_the_same_trades_for_ever_and_every_trade_has_a_key() -> None:
    one, two = frozenset({"t1"}), frozenset({"t2"})
    assert list(checker.answers({"k": [one, one]}, [{"trade_id": "t1"}])) == []
    assert kinds(checker.answers({"k": [one, two]}, [{"trade_id": "t1"}])) == ["idempotency"]
    assert kinds(checker.answers({"k": [one]}, [{"trade_id": "t1"}, {"trade_id": "t2"}])) == ["orphan"]


def test_a_trade_goes_on_with_a_reason_or_is_a_difference() -> None:
    def trade(trade_id: str, status: str, waits_for: str | None = None) -> dict[str, Any]:
        return {"trade_id": trade_id, "status": status, "offer_id": trade_id, "waits_for": waits_for}

    offers = [{"offer_id": "held", "state": 11}, {"offer_id": "gone", "state": 6}]
    rows = [
        trade("held", "held"),
        trade("gone", "held"),
        trade("asked", "queued", "approval"),
        trade("lost", "in_doubt"),
        trade("late", "accepted"),
        trade("done", "settled"),
    ]
    reasons, found = checker.unfinished(rows, offers)
    assert reasons == {"held": "held: Steam holds the items of offer held", "asked": "queued: it waits for approval"}
    assert [row.text.split(":")[0] for row in found] == ["gone", "lost", "late"]
    assert all(isinstance(row, Difference) and row.kind == "unfinished" for row in found)


def test_the_table_counts_what_was_done_and_what_it_cost() -> None:
    blow = {"kind": "worker_killed", "in_flight": 3, "in_doubt": 2, "searches": 1, "recovered_s": 1.5}
    lines = table_lines([blow, {**blow, "in_flight": None, "recovered_s": None}])
    assert len(lines) == 2
    assert lines[1].startswith(BY_NAME["worker_killed"].text)
    assert lines[1].split()[-8:] == ["1.5,", "1.5,", "1", "struck", "again", "or", "ended", "before"]
