"""Answers of a newer, an older and a broken balancer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fleet_client import answers, errors, reading

ITEM = {
    "deposit_id": "dep_1",
    "deposit_status": "active",
    "market_hash_name": "AK-47",
    "value_cents": 12,
    "asset_id": "1",
    "new_asset_id": None,
    "matched": None,
}
TRADE: dict[str, Any] = {
    "trade_id": "trd_1",
    "direction": "deposit",
    "status": "sent",
    "user_id": "player-1",
    "steam_id": "76561198000000002",
    "bot": "red-1",
    "color": "red",
    "bot_id": 1,
    "bot_steam_id": "76561198000000101",
    "offer_id": "7",
    "token": "hush-token",
    "verify_url": "https://site.example/verify/hush-token",
    "expires_at": "2026-11-30T12:00:00Z",
    "created_at": "2026-11-30T11:00:00Z",
    "touched": 1,
    "touched_at": "2026-11-30T11:00:00+02:00",
    "attempt": 1,
    "failure": None,
    "settles_at": None,
    "cancel_requested": False,
    "verified_at": None,
    "waits_for": None,
    "approval_needed": False,
    "next_try_at": None,
    "currency": "USD",
    "items": [ITEM],
}


def trade(**changes: Any) -> answers.Trade:
    return reading.parse(answers.Trade, json.dumps(TRADE | changes).encode())


def test_a_trade() -> None:
    found = trade()
    assert (found.trade_id, found.items[0].value_cents, found.failure) == ("trd_1", 12, None)
    assert found.touched_at == datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def test_an_answer_is_plain_json_for_a_browser_without_what_is_not_known() -> None:
    found = trade(tomorrow={"secret": 1}, items=[ITEM | {"tomorrow": 2}])
    assert "tomorrow" in found.more
    assert json.loads(json.dumps(found.plain())) == TRADE | {"touched_at": "2026-11-30T09:00:00Z"}


def test_what_is_new_is_kept_and_no_error() -> None:
    found = trade(status="teleported", moon="full", items=[ITEM | {"wear": "0.1"}])
    assert (found.status, found.more, found.items[0].more) == ("teleported", {"moon": "full"}, {"wear": "0.1"})


def test_a_whole_answer_knows_whether_its_balancer_is_live() -> None:
    """Parts of an answer do not say it, nor does a balancer of an earlier release."""
    assert [trade(livemode=mode).livemode for mode in (True, False)] == [True, False]
    assert (trade().livemode, trade(livemode=False).items[0].livemode) == (None, None)


def test_what_may_be_null_may_be_missing() -> None:
    old = {name: value for name, value in TRADE.items() if name not in ("next_try_at", "failure")}
    assert reading.read(answers.Trade, old).next_try_at is None


def test_a_secret_of_a_trade_is_not_printed() -> None:
    assert "hush" not in repr(trade()) and trade().token == "hush-token"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"trade_id": 7}, "Trade.trade_id"),
        ({"bot_id": True}, "Trade.bot_id"),
        ({"expires_at": "yesterday"}, "Trade.expires_at"),
        ({"expires_at": "2026-13-41T12:00:00Z"}, "Trade.expires_at"),
        ({"items": {}}, "Trade.items"),
        ({"items": [ITEM, ITEM | {"value_cents": "hush"}]}, r"Trade.items\[1\].value_cents"),
        ({"failure": {}}, "Trade.failure.code"),
    ],
)
def test_what_does_not_fit_names_its_place_and_not_its_value(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(errors.UnexpectedAnswer, match=rf"^{where} ") as caught:
        trade(**changes)
    assert "hush" not in str(caught.value)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=8,
)


@given(some.sampled_from(sorted(TRADE)), JSON)
def test_anything_in_a_field_is_an_answer_or_that_error(name: str, value: Any) -> None:
    try:
        reading.read(answers.Trade, TRADE | {name: value})
    except errors.UnexpectedAnswer as error:
        assert f"Trade.{name}" in str(error)


@given(some.binary(max_size=40))
def test_any_bytes_are_an_answer_or_that_error(body: bytes) -> None:
    with pytest.raises(errors.UnexpectedAnswer):
        reading.parse(answers.Trade, body)


def test_a_tower_of_brackets_is_that_error() -> None:
    with pytest.raises(errors.UnexpectedAnswer):
        reading.parse(answers.Trade, b"[" * 200_000)
