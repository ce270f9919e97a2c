"""A look for the verify page: one call, what is news as in a watch, then what each offer shows; nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bot_lab import Lab, SteamAccount, kinds

from shared.clock import Clock
from shared.domain.items import Asset
from shared.messages import NUMBER_MAX
from shared.orders import Order, WatchedTrade, WatchOrder
from shared.reports import Report

OFFERS = ("GetTradeOffer", "GetTradeOffers")


def sent(lab: Lab, player: SteamAccount, asset: Asset) -> WatchedTrade:
    """A deposit whose offer is out."""
    order = lab.send_order(player, [], [asset])
    [report] = [report for report in lab.do(order) if report.kind == "offer_active"]
    return lab.watched(order, report.data["offer_id"])


def look_order(lab: Lab, *trades: WatchedTrade, **more: Any) -> Order:
    return lab.order("look", WatchOrder(list(trades), Clock().now_ms() // 1000 - 60), trade_id=None, attempt=0, **more)


def seen_of(reports: list[Report]) -> list[tuple[str, str | None]]:
    [looked] = [report for report in reports if report.kind == "looked"]
    assert reports[-1] is looked  # who waits for it finds the trades as it has moved them
    assert all(row["changed_at"] is None or 0 < row["changed_at"] < NUMBER_MAX for row in looked.data["seen"])
    return [(row["trade_id"], row["sees"]) for row in looked.data["seen"]]


def test_an_open_offer_costs_one_call_and_is_no_news(lab: Lab, player: SteamAccount) -> None:
    trade = sent(lab, player, player.assets()[0])
    before, counted = lab.me.requests(), lab.bot.session.observer.look_calls
    reports = lab.do(look_order(lab, trade))
    assert kinds(reports) == ["looked"]
    assert seen_of(reports) == [(trade.trade_id, "offer_active")]
    assert reports[0].data["seen"][0]["offer_id"] == trade.offer_id
    after = lab.me.requests()
    assert {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)} == {
        "GetTradeOffer": 1
    }
    assert lab.bot.session.observer.look_calls == counted + 1


@pytest.mark.parametrize(
    ("action", "kind"), [("decline", "offer_declined"), ("accept", "offer_accepted"), ("counter", "offer_countered")]
)
def test_what_is_news_is_told_first_as_a_watch_tells_it(lab: Lab, player: SteamAccount, action: str, kind: str) -> None:
    trade = sent(lab, player, player.assets()[0])
    player.act(trade.offer_id or "", action)
    reports = lab.do(look_order(lab, trade))
    assert kinds(reports) == [kind, "looked"]
    assert (reports[0].trade_id, reports[0].attempt, reports[0].data["offer_id"]) == (trade.trade_id, 1, trade.offer_id)
    assert seen_of(reports) == [(trade.trade_id, kind)]


def test_a_decline_is_told_with_steams_own_times(lab: Lab, player: SteamAccount) -> None:
    trade = sent(lab, player, player.assets()[0])
    player.act(trade.offer_id or "", "decline")
    [declined, _] = lab.do(look_order(lab, trade))
    assert 0 <= declined.data["changed_at"] - declined.data["made_at"] < 120


def test_several_trades_share_one_call(lab: Lab, player: SteamAccount) -> None:
    trades = [sent(lab, player, asset) for asset in player.assets(3)]
    player.act(trades[1].offer_id or "", "decline")
    before = lab.me.requests()
    reports = lab.do(look_order(lab, *trades))
    assert kinds(reports) == ["offer_declined", "looked"]
    assert [sees for _, sees in seen_of(reports)] == ["offer_active", "offer_declined", "offer_active"]
    after = lab.me.requests()
    assert {name: after.get(name, 0) - before.get(name, 0) for name in OFFERS} == {"GetTradeOffer": 0, "GetTradeOffers": 1}


def test_another_offer_than_the_trades_own_is_not_it(lab: Lab, player: SteamAccount) -> None:
    """A copy has another partner or other assets; what Steam does not show is nothing."""
    mine, other = (sent(lab, player, asset) for asset in player.assets(2))
    wrong = WatchedTrade(mine.trade_id, 1, mine.token, mine.partner, other.offer_id, "sent", mine.give, mine.take)
    gone = WatchedTrade(mine.trade_id, 1, mine.token, mine.partner, "1", "sent", mine.give, mine.take)
    for trade in (wrong, gone):
        reports = lab.do(look_order(lab, trade))
        assert kinds(reports) == ["looked"] and seen_of(reports) == [(mine.trade_id, None)]


def test_a_look_that_fails_or_comes_too_late_is_told_and_is_no_failure_of_the_bot(lab: Lab, player: SteamAccount) -> None:
    trade = sent(lab, player, player.assets()[0])
    late = lab.do(look_order(lab, trade, expires_at_ms=Clock().now_ms() - 60_000))
    assert [(report.kind, report.data["reason"]) for report in late] == [("not_looked", "expired")]
    lab.me.fault("GetTradeOffer", "status", status=503, times=9)
    failed = lab.do(look_order(lab, trade))
    assert [(report.kind, report.data["reason"]) for report in failed] == [("not_looked", "steam_unavailable")]
    assert lab.bot.health.state != "unhealthy"


def test_looks_of_a_host_are_few_and_keep_nobody_waiting(make_lab: Callable[..., Lab], player: SteamAccount) -> None:
    """Its turn is a second away at most, or it is left out: a send behind it in the queue does not wait for checks."""
    lab = make_lab(pace={"look_s": 60.0})
    trade = sent(lab, player, player.assets(2)[0])
    waited: list[float] = []
    lab.bot.session.connection.pace._sleep = waited.append
    assert kinds(lab.do(look_order(lab, trade))) == ["looked"]
    before = lab.me.requests()
    again = look_order(lab, trade)
    send = lab.send_order(player, [], [player.assets(2)[1]])
    reports = lab.do(again, send)
    assert (reports[0].kind, reports[0].data["reason"]) == ("not_looked", "own_pace")
    assert "offer_active" in kinds(reports)
    assert lab.me.requests().get("GetTradeOffer") == before.get("GetTradeOffer")
    assert sum(waited) < 2


def test_looks_are_counted_apart(lab: Lab, player: SteamAccount) -> None:
    trade = sent(lab, player, player.assets()[0])
    lab.bot.health.is_now("online")
    before = lab.heartbeat()
    lab.do(look_order(lab, trade))
    looked = lab.heartbeat()
    assert (looked.steam_calls, looked.look_calls) == (before.steam_calls, before.look_calls + 1)
    lab.do(lab.watch_order(trade))
    watched = lab.heartbeat()
    assert (watched.steam_calls, watched.look_calls) == (looked.steam_calls + 1, looked.look_calls)
