"""The audit of `scripts/site` finds what does not add up between the site and the fleet: each kind is caused once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from lottery import encoding

from scripts.crosscheck import Books
from scripts.site_run import audit, own_limits
from scripts.site_run.audit import Deed, SiteBooks
from scripts.site_run.own_limits import Answer, Bound


def record() -> dict[str, Any]:
    """Two players, 300 in the pot, the first one wins all but a rake of 30."""
    items = [{"deposit_id": 1, "price": 200}, {"deposit_id": 2, "price": 70}, {"deposit_id": 3, "price": 30}]
    payout = {"user_id": 7, "claim": 270, "rows": [1, 2], "guarantees": [], "change": [], "credit": 0}
    outcome = {"payouts": [payout], "house": [3], "rake": {"net": 30}, "void": None, "referral": []}
    rules = {"mode": "classic"}
    return {
        "room": "a",
        "id": 1,
        "rules": rules,
        "bank": 300,
        "items": items,
        "stock": [],
        "guarantees": [],
        "outcome": outcome,
    }


def site(**changes: Any) -> SiteBooks:
    bets = [{"bet_id": "bet_1", "state": "over", "receipt": "{}"}, {"bet_id": "bet_2", "state": "refused", "receipt": ""}]
    pieces = {1: "dep_1", 2: "dep_2", 3: "dep_3"}
    paid = {("transfer", "round:a:1:1"): Deed({"dep_1": "7", "dep_2": "7", "dep_3": "house"})}
    books = SiteBooks([record()], pieces, frozenset(), frozenset(), paid, bets, Counter(["bet_1"]), [])
    return replace(books, **changes)


def fleet(**changes: Any) -> Books:
    deposits = [
        {"deposit_id": "dep_1", "user_id": "7"},
        {"deposit_id": "dep_2", "user_id": "7"},
        {"deposit_id": "dep_3", "user_id": "house"},
    ]
    return replace(Books([], deposits, [], [], [], [], locks=[]), **changes)


def found(of: SiteBooks, at: Books, transfers: list[str] | None = None) -> list[str]:
    done = [("transfer", ref) for ref in (["round:a:1:1"] if transfers is None else transfers)]
    done += [key for key in of.deeds if key[0] == "exchange"]
    return [difference.kind for difference in audit.differences(of, at, "cli_site", done)]


def test_books_that_add_up_have_no_difference() -> None:
    assert found(site(), fleet()) == []


def test_an_item_that_another_has_is_named() -> None:
    rows = fleet().deposits
    assert found(site(), fleet(deposits=[{**rows[0], "user_id": "8"}, *rows[1:]])) == ["owner"]
    assert found(site(), fleet(deposits=rows[1:])) == ["gone"]


def test_who_swapped_an_item_after_a_round_has_it_no_more() -> None:
    """The last thing that was done with an item counts, in the order in which the fleet did it."""
    swap = {("exchange", "exc_1"): Deed({"dep_1": "house", "dep_9": "7"}, (("7", 31),))}
    rows = [{**fleet().deposits[0], "user_id": "house"}, *fleet().deposits[1:], {"deposit_id": "dep_9", "user_id": "7"}]
    owed = [{"user_id": "7", "cents": 31}, {"user_id": "house", "cents": -31}]
    swapped = site(deeds={**site().deeds, **swap})
    assert found(swapped, fleet(deposits=rows, credits=owed)) == []
    assert found(swapped, fleet(deposits=rows, credits=[])) == ["credit"]
    assert found(swapped, fleet(credits=owed)) == ["owner", "gone"]


def test_calls_that_are_not_what_the_record_says_are_named() -> None:
    paid = {("transfer", "round:a:1:1"): Deed({"dep_1": "7", "dep_2": "7"})}
    assert found(site(deeds=paid), fleet()) == ["moves"]
    credited = {("transfer", "round:a:1:1"): replace(site().deeds["transfer", "round:a:1:1"], credits=(("7", 5),))}
    assert found(site(deeds=credited), fleet(credits=[{"user_id": "7", "cents": 5}])) == ["owed"]
    assert found(site(records=[]), fleet()) == ["moves"]


def test_a_lock_that_nothing_needs_and_a_bet_without_one_are_named() -> None:
    lock = {"client_id": "cli_site", "ref": "bet_9", "state": "held"}
    assert found(site(), fleet(locks=[lock])) == ["lock"]
    assert found(site(open_refs=frozenset({"bet_9"})), fleet(locks=[lock])) == []
    assert found(site(open_refs=frozenset({"bet_9"})), fleet()) == ["lock"]


def test_a_transfer_on_one_side_only_is_named() -> None:
    assert found(site(), fleet(), []) == ["transfer"]
    assert found(site(), fleet(), ["round:a:1:1", "round:a:2:1"]) == ["transfer"]
    assert found(site(), fleet(), ["round:a:1:1", "round:a:1:1"]) == ["transfer"]


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda told: told["outcome"]["payouts"][0]["rows"].append(3), "rows"),
        (lambda told: told["outcome"]["house"].clear(), "rows"),
        (lambda told: told["outcome"]["payouts"][0].update(claim=271), "cents"),
        (lambda told: told["outcome"]["rake"].update(net=29), "cents"),
    ],
)
def test_w11_an_item_twice_or_a_cent_too_many_is_named(spoil: Callable[[dict[str, Any]], object], kind: str) -> None:
    told = record()
    spoil(told)
    assert kind in found(site(records=[told]), fleet())


def raffled(void: str | None = None) -> dict[str, Any]:
    """Two buyers of three tickets; the prize, a key, has a number that is one of an item too."""
    items = [{"deposit_id": 1, "price": 200}, {"deposit_id": 2, "price": 100}]
    won = {"user_id": 7, "claim": 0, "rows": [], "guarantees": [4], "change": [], "credit": 0}
    back = [{**won, "user_id": 7, "guarantees": [], "credit": 200}, {**won, "user_id": 8, "guarantees": [], "credit": 100}]
    outcome = {"payouts": back if void else [won], "house": [], "rake": None, "void": void, "referral": []}
    rules = {"mode": "raffle", "raffle": {"tickets": 3, "ticket_price": 100}}
    return {"room": "raffle-1-1", "id": 1, "rules": rules, "bank": 300, "items": items, "stock": [], "outcome": outcome}


@pytest.mark.parametrize(
    ("void", "spoil", "kind"),
    [
        (None, lambda _: None, ""),
        ("expired", lambda _: None, ""),
        (None, lambda told: told["items"].pop(), "cents"),
        (None, lambda told: told["outcome"]["payouts"][0].update(credit=1), "cents"),
        (None, lambda told: told["outcome"]["payouts"][0]["guarantees"].append(1), "rows"),
        ("expired", lambda told: told["outcome"]["payouts"].pop(), "cents"),
        ("expired", lambda told: told["outcome"]["payouts"][0]["guarantees"].append(4), "rows"),
    ],
)
def test_a_raffle_is_held_to_its_coins_and_its_one_prize(
    void: str | None, spoil: Callable[[dict[str, Any]], object], kind: str
) -> None:
    told = raffled(void)
    spoil(told)
    books = site(records=[record(), told], pieces={**site().pieces, 4: "prize 1"})
    names = set(found(books, fleet())) - {"moves", "owed"}  # its calls are not that either
    assert names == ({kind} if kind else set())


def test_w5_a_bet_without_its_event_and_an_event_without_its_bet_are_named() -> None:
    assert found(site(events=Counter()), fleet()) == ["bet"]
    assert found(site(events=Counter(["bet_1", "bet_2"])), fleet()) == ["bet"]
    assert found(site(events=Counter(["bet_1", "bet_3"])), fleet()) == ["bet"]
    assert found(site(own=["a: Round (1,) is not what the events say"]), fleet()) == ["projection"]


# ---- what players have decided about their own play


def answers(*lines: tuple[str, str]) -> list[Answer]:
    """What the gate said to player 7: intent and answer of each."""
    made, before = list[Answer](), encoding.ZERO_HASH
    for number, (intent, answer) in enumerate(lines, 1):
        text = json.dumps({"intent": intent, "answer": answer})
        before = encoding.sha256(encoding.TAG(own_limits.TAG), before, encoding.LP(text.encode()))
        made.append(Answer(number, text, before))
    return made


def bound(kind: str, **more: int) -> Bound:
    return Bound(kind, 7, more.pop("after", 1), more.pop("staked", 0), **more)


@pytest.mark.parametrize("kind", ["exclusion", "time-out"])
def test_w26_an_answer_of_the_gate_that_lets_somebody_play_who_has_stopped_is_named(kind: str) -> None:
    before = answers(("bet", "allow"), ("bet", "deny"), ("deposit", "allow"))
    assert not list(own_limits.differences([bound(kind)], {7: before}, {}))
    for intent in ("bet", "purchase", "free_play"):
        said = {7: answers(("bet", "allow"), (intent, "allow"))}
        assert [each.kind for each in own_limits.differences([bound(kind)], said, {})] == ["excluded"]


def test_w14_more_than_a_limit_is_named_unless_it_was_more_before() -> None:
    for total, limit, staked, kinds in ((900, 1000, 0, []), (1001, 1000, 0, ["limit"]), (1001, 1000, 1001, [])):
        found = own_limits.differences([bound("limit", limit=limit, staked=staked)], {}, {7: total})
        assert [each.kind for each in found] == kinds
    assert own_limits.staked([record() | {"items": [{"user_id": 7, "price": 5}, {"user_id": 7, "price": 6}]}]) == {7: 11}


def test_an_answer_of_the_gate_that_was_changed_or_left_out_is_named() -> None:
    said = answers(("bet", "allow"), ("bet", "deny"), ("bet", "allow"))
    changed = [said[0], replace(said[1], line=said[0].line), said[2]]
    for lines in (said[1:], [said[0], said[2]], changed):
        assert [each.kind for each in own_limits.differences([], {7: lines}, {})] == ["gate"]
    assert not list(own_limits.differences([], {7: said}, {}))
