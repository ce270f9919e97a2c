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


def test_an_alarm_that_names_a_deposit_moves_it_nowhere() -> None:
    asked = event(8, {"to": "queued", "deposits": [moved("withdraw_pending")]}, "trade_created", "t2")
    alarm = event(9, {"alarm": "items_left", "deposits": ["d1"]}, "alarm", None)
    dropped = event(10, {"from": "queued", "to": "canceled", "deposits": [moved("active", "withdraw_pending")]}, trade_id="t2")
    made = tables([*GOOD, asked, alarm, dropped])
    made["trades"].append({**made["trades"][0], "trade_id": "t2", "status": "canceled"})
    assert list(checker.histories(made)) == []


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


# --- what a foreign client does at a bot's account ------------------------------------------------------------------

BOTS = {"1": "red-1"}


def offer(offer_id: str, state: int, recipient: str = "friend") -> dict[str, Any]:
    return {"offer_id": offer_id, "sender": "1", "recipient": recipient, "state": state}


def alarm(name: str, offer_id: str, *asset_ids: str) -> dict[str, Any]:
    return event(1, {"alarm": name, "offer_id": offer_id, "asset_ids": list(asset_ids)}, "alarm")


def held(asset_id: str, frozen_by: str | None) -> dict[str, Any]:
    place = {"color": "red", "bot_id": 1, "asset_id": asset_id, "status": "active"}
    return {"deposit_id": f"d{asset_id}", "frozen_by": frozen_by, **place}


def taken(*events: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"events": list(events), "trades": [], "deposits": rows}


def test_what_was_given_away_is_told_when_an_alarm_names_it_and_its_row_is_frozen() -> None:
    told = taken(alarm("items_left", "8", "5"), rows=[held("5", "items_left"), held("6", None)])
    assert checker.departures(told, [offer("8", 3)], BOTS, "friend") == ({"8", "d5"}, [])


@pytest.mark.parametrize(
    ("tables_then", "state", "named"),
    [
        (taken(rows=[held("5", None)]), 3, ["untold"]),
        (taken(alarm("items_left", "9", "5"), rows=[held("5", "items_left")]), 3, ["untold"]),
        (taken(alarm("items_left", "8", "5"), rows=[held("5", None)]), 3, ["not_frozen"]),
        (taken(rows=[]), 2, ["foreign_offer"]),
        (taken(rows=[]), 6, []),
    ],
)
def test_what_is_not_told_or_can_still_be_used_is_a_difference(tables_then: Any, state: int, named: list[str]) -> None:
    told, found = checker.departures(tables_then, [offer("8", state), offer("9", 3, "a player")], BOTS, "friend")
    assert kinds(found) == named
    assert told == ({"8", "d5"} if named == ["not_frozen"] else {"8"} if not named else set())


@pytest.mark.parametrize(
    ("status", "wished", "events", "named"),
    [
        ("canceled", None, [], ["untold"]),
        ("canceled", None, [alarm("canceled_elsewhere", "8")], []),
        ("canceled", "2026-11-30", [], []),
        ("settled", None, [], []),  # the partner was faster
    ],
)
def test_an_offer_that_a_foreign_client_canceled_is_told(
    status: str, wished: str | None, events: list[dict[str, Any]], named: list[str]
) -> None:
    trade = {"trade_id": "t1", "offer_id": "8", "status": status, "cancel_requested_at": wished}
    found = checker.cancellations({"events": events, "trades": [trade]}, [offer("8", 6, "a player")], ["8"])
    assert kinds(found) == named


def test_the_table_counts_what_was_done_and_what_it_cost() -> None:
    blow = {"kind": "worker_killed", "in_flight": 3, "in_doubt": 2, "searches": 1, "recovered_s": 1.5}
    lines = table_lines([blow, {**blow, "in_flight": None, "recovered_s": None}])
    assert len(lines) == 2
    assert lines[1].startswith(BY_NAME["worker_killed"].text)
    assert lines[1].split()[-8:] == ["1.5,", "1.5,", "1", "struck", "again", "or", "ended", "before"]
