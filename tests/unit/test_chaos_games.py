"""The chaos run's replay of games names what the tables say otherwise, and events that cannot have happened."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from scripts.chaos_run import checker, replay

CLIENT = {"client_id": "c"}
EVENTS: list[tuple[str, str | None, dict[str, Any]]] = [
    ("trade_created", "u1", {"direction": "deposit", "deposits": [{"deposit_id": "d1", "to": "deposit_pending"}]}),
    ("items_issued", "house", {**CLIENT, "ref": "i", "market_hash_name": "T", "deposit_ids": ["t1"]}),
    ("items_locked", "u1", {**CLIENT, "ref": "bet", "deposit_ids": ["d1"]}),
    (
        "items_transferred",
        None,
        {
            **CLIENT,
            "ref": "t",
            "moves": [{"deposit_id": "d1", "from": "u1", "to": "u2"}],
            "released": [],
            "credits": [{"user_id": "u2", "cents": 5, "kind": "rest"}],
        },
    ),
    (
        "items_exchanged",
        "u2",
        {
            **CLIENT,
            "ref": "e",
            "gave": ["d1"],
            "took": ["t1", "t2"],
            "issued": 1,
            "market_hash_name": "T",
            "value_in_cents": 20,
            "value_out_cents": 14,
            "fee_cents": 0,
            "rest_cents": 6,
            "credits": [{"user_id": "u2", "cents": 6, "kind": "exchange"}],
        },
    ),
    ("credits_posted", "u2", {**CLIENT, "ref": "c", "lines": [{"user_id": "u2", "cents": -1, "kind": "referral"}]}),
    ("items_locked", "house", {**CLIENT, "ref": "bet2", "deposit_ids": ["d1"]}),
]


def tables() -> dict[str, Any]:
    def row(deposit_id: str, user_id: str, bot_id: int | None, locked_by: str | None = None) -> dict[str, Any]:
        return {
            "deposit_id": deposit_id,
            "user_id": user_id,
            "bot_id": bot_id,
            "locked_by": locked_by,
            "status": "deposit_pending" if bot_id else "active",
        }

    events = [
        {"number": number, "kind": kind, "user_id": user_id, "trade_id": None, "data": json.dumps(data)}
        for number, (kind, user_id, data) in enumerate(EVENTS, 1)
    ]
    balances = [{"user_id": "u2", "credit_cents": 10}, {"user_id": "house", "credit_cents": -10}]
    rows = [row("d1", "house", 1, "c:bet2"), row("t1", "u2", None), row("t2", "u2", None)]
    return {"events": events, "deposits": rows, "users": balances, "trades": []}


def test_what_was_played_truly_has_no_differences() -> None:
    assert list(replay.differences(tables())) == []
    assert list(checker.histories(tables())) == []  # tickets begin with the event that issues them


TABLES: list[tuple[str, str, int, dict[str, Any]]] = [
    ("owner", "deposits", 0, {"user_id": "u2"}),
    ("owner", "deposits", 2, {"user_id": "house"}),
    ("lock", "deposits", 0, {"locked_by": None}),
    ("lock", "deposits", 1, {"locked_by": "c:x"}),
    ("credit", "users", 0, {"credit_cents": 11}),
    ("ticket", "deposits", 1, {"bot_id": 1}),
]


@pytest.mark.parametrize(("kind", "table", "number", "change"), TABLES)
def test_each_table_that_says_otherwise_is_named(kind: str, table: str, number: int, change: dict[str, Any]) -> None:
    made = copy.deepcopy(tables())
    made[table][number] |= change
    assert [each.kind for each in replay.differences(made)] == [kind]


IMPOSSIBLE: list[tuple[int, dict[str, Any]]] = [
    (3, {"moves": [{"deposit_id": "d1", "from": "u3", "to": "u2"}]}),  # another's
    (4, {"rest_cents": 5}),
    (4, {"value_in_cents": 13, "rest_cents": -1}),
    (4, {"gave": ["t1"], "took": ["d1", "t2"]}),  # neither was theirs
]


@pytest.mark.parametrize(("number", "change"), IMPOSSIBLE)
def test_an_event_that_cannot_have_happened_is_named(number: int, change: dict[str, Any]) -> None:
    made = copy.deepcopy(tables())
    event = made["events"][number]
    event["data"] = json.dumps(json.loads(event["data"]) | change)
    found = [each for each in replay.differences(made) if each.kind == "game"]
    assert found and found[0].text.startswith(f"event {number + 1}:")


def test_a_lock_of_what_is_locked_and_a_release_of_what_is_free_are_named() -> None:
    made = tables()
    again = {**made["events"][2], "number": 8, "data": json.dumps({**CLIENT, "ref": "third", "deposit_ids": ["d1"]})}
    freed = {**again, "number": 9, "kind": "items_unlocked", "data": json.dumps({**CLIENT, "ref": "t", "deposit_ids": ["t1"]})}
    made["events"] += [again, freed]
    assert [each.text.partition(":")[0] for each in replay.differences(made)] == ["event 8", "event 9"]
