"""One look at the sent offers: every state of an offer, lost offers found again, strangers told."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from bot_lab import Lab, SteamAccount, SteamWorld, kinds
from narrowed import known

from bot_worker.orders import conclude
from bot_worker.steam.shapes import Exchange, Moved, Offer
from shared import wire
from shared.domain.items import Asset
from shared.domain.status import TradeEvent
from shared.orders import OfferOrder, Order, WatchedTrade, WatchOrder

GIVE, TAKE = Asset(730, "2", "11"), Asset(730, "2", "22")
TRADE = WatchedTrade("tr_1", 1, "secret-token", "76561198000000002", "100", "sent", [GIVE], [TAKE])
OFFER = Offer("100", TRADE.partner, "/verify/secret-token", 2, (GIVE,), (TAKE,), None, 1000, 1000, True)
EXCHANGE = Exchange("9", TRADE.partner, 3, 1000, 604_800, (Moved(True, "2", "11", "16", "111", None, None),), None)


# --- pure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (1, None),
        (2, None),  # known: the trade is sent
        (3, None),  # an exchange decides, and none is shown
        (4, "offer_countered"),
        (5, "offer_expired"),
        (6, "offer_canceled"),
        (7, "offer_declined"),
        (8, "items_missing"),
        (9, "confirmation_needed"),
        (10, "offer_canceled"),
        (11, "offer_held"),
        (12, "exchange_reversed"),
        (13, None),
    ],
)
def test_every_state_of_an_offer(state: int, event: str | None) -> None:
    assert conclude.what_happened(TRADE, [replace(OFFER, state=state)], {}).event == event


@pytest.mark.parametrize(
    ("status", "complete", "event"),
    [
        (0, True, None),
        (1, True, None),
        (2, True, "offer_accepted"),
        (2, False, None),
        (3, True, "offer_accepted"),
        (3, False, None),
        (4, True, "exchange_failed"),
        *((status, True, "exchange_reversed") for status in (5, 6, 7, 8, 9, 12)),
        (10, False, "offer_held"),
        (11, True, "exchange_failed"),
        (99, True, None),
    ],
)
def test_every_status_of_an_exchange(status: int, complete: bool, event: str | None) -> None:
    moved = (replace(EXCHANGE.moved[0], new_asset_id="111" if complete else None),)
    exchange = replace(EXCHANGE, status=status, moved=moved)
    offer = replace(OFFER, state=3, exchange_id="9")
    assert conclude.exchange_needed(TRADE, [offer]) == "9"
    assert conclude.what_happened(TRADE, [offer], {"9": exchange}).event == event


def test_what_the_balancer_knows_is_no_news() -> None:
    for status, state in (("confirming", 9), ("sent", 2), ("held", 11)):
        trade = replace(TRADE, status=status)
        assert conclude.what_happened(trade, [replace(OFFER, state=state)], {}).event is None
        assert conclude.what_happened(replace(trade, offer_id=None), [replace(OFFER, state=state)], {}).event is not None
        assert conclude.what_happened(replace(trade, status="in_doubt"), [replace(OFFER, state=state)], {}).event is not None


def test_offers_are_recognised_by_id_or_by_token_partner_and_assets() -> None:
    lost = replace(TRADE, offer_id=None)
    assert conclude.recognise(lost, [OFFER]) == [OFFER]
    assert conclude.recognise(TRADE, [replace(OFFER, message="")]) != []
    assert conclude.recognise(lost, [replace(OFFER, message="/verify/other-token")]) == []
    assert conclude.recognise(lost, [replace(OFFER, partner="76561198000000003")]) == []
    assert conclude.recognise(lost, [replace(OFFER, take=())]) == []
    assert conclude.recognise(replace(lost, token=""), [OFFER]) == []
    assert conclude.recognise(TRADE, [replace(OFFER, give=(TAKE,))]) == []
    assert conclude.recognise(TRADE, [replace(OFFER, whole=False)]) == []


STATES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(STATES, STATES)))
def test_no_ended_offer_outweighs_a_live_or_accepted_one(first: int, second: int) -> None:
    exchanges = {"9": EXCHANGE}
    offers = [
        replace(OFFER, offer_id="100", state=first, exchange_id="9"),
        replace(OFFER, offer_id="101", state=second, exchange_id="9"),
    ]
    seen = conclude.what_happened(TRADE, offers, exchanges)
    swapped = conclude.what_happened(TRADE, offers[::-1], exchanges)
    assert seen == swapped
    states = {first, second}
    assert seen.offer is not None
    for group in ({3, 12}, {11}, {2}, {9}):
        if states & group:
            assert seen.offer.state in group
            break
    assert {each.state for each in seen.spare} <= {2, 9, 11}
    assert len(seen.spare) == sum(each.state in (2, 9, 11) for each in offers) - (seen.offer.state in (2, 9, 11))


# --- against the sandbox -------------------------------------------------------------------------


def sent(lab: Lab, player: SteamAccount, give: list[Asset], take: list[Asset]) -> WatchedTrade:
    """A trade whose offer is out, as the balancer knows it."""
    order = lab.send_order(player, give, take)
    last = lab.do(order)[-1]
    assert last.kind == "offer_active"
    return lab.watched(order, last.data["offer_id"])


def test_a_live_offer_is_one_call_and_no_news(lab: Lab, player: SteamAccount) -> None:
    trades = [sent(lab, player, [], [asset]) for asset in player.assets(3)]
    before = sum(lab.me.requests().values())
    assert lab.do(lab.watch_order(*trades)) == []
    assert sum(lab.me.requests().values()) == before + 1
    assert lab.bot.health.offers == 3


@pytest.mark.parametrize(
    ("action", "event"), [("decline", "offer_declined"), ("counter", "offer_countered"), ("accept", "offer_accepted")]
)
def test_what_a_partner_does_is_seen(lab: Lab, player: SteamAccount, action: str, event: str) -> None:
    (asset,) = player.assets()
    trade = sent(lab, player, [], [asset])
    player.act(known(trade.offer_id), action)
    (report,) = lab.do(lab.watch_order(trade))
    assert (report.kind, report.trade_id, report.data["offer_id"]) == (event, trade.trade_id, trade.offer_id)
    if action == "accept":
        (moved,) = report.data["moved"]
        assert (moved["asset_id"], moved["new_context_id"]) == (asset.asset_id, "16")
        assert moved["new_asset_id"] == lab.me.items(16)[0]["asset_id"]
        assert report.data["settles_at"] > 0


def test_ten_accepted_deposits_cost_two_calls(lab: Lab, world: SteamWorld) -> None:
    trades = []
    for _ in range(4):
        partner = world.account("player", items=1)
        trades.append(sent(lab, partner, [], partner.assets()))
        partner.act(known(trades[-1].offer_id), "accept")
    before = sum(lab.me.requests().values())
    assert kinds(lab.do(lab.watch_order(*trades))) == ["offer_accepted"] * 4
    assert sum(lab.me.requests().values()) == before + 2


def test_a_held_trade_is_seen(lab: Lab, player: SteamAccount) -> None:
    trade = sent(lab, player, [], player.assets())
    player.change(hold_days=15)
    player.act(known(trade.offer_id), "accept")
    assert kinds(lab.do(lab.watch_order(trade))) == ["offer_held"]


def test_an_acceptance_without_new_ids_is_not_told_yet(lab: Lab, world: SteamWorld, player: SteamAccount) -> None:
    trade = sent(lab, player, [], player.assets())
    world.change_rules(exchange_ids_delay_s=3600)
    try:
        player.act(known(trade.offer_id), "accept")
        assert lab.do(lab.watch_order(trade)) == []
    finally:
        world.change_rules(exchange_ids_delay_s=0)


def test_a_lost_offer_is_found_by_its_token(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.me.fault("send", "cut", after=True)
    assert kinds(lab.do(order)) == ["picked_up", "answer_lost"]
    (report,) = lab.do(lab.watch_order(lab.watched(order, None, "in_doubt")))
    assert (report.kind, report.data["state"]) == ("offer_active", 2)


def test_a_lost_withdrawal_is_found_and_confirmed(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(), [])
    lab.me.fault("send", "cut", after=True)
    lab.do(order)
    reports = lab.do(lab.watch_order(lab.watched(order, None, "in_doubt")))
    assert kinds(reports) == ["confirmation_needed", "offer_active"]


def test_a_recalled_unconfirmed_offer_is_canceled_not_confirmed(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(), [])
    lab.me.fault("send", "cut", after=True)
    lab.do(order)
    lab.redis.set(wire.recall_key(lab.name, known(order.trade_id)), 1)
    trade = lab.watched(order, None, "in_doubt")
    assert kinds(lab.do(lab.watch_order(trade))) == ["confirmation_needed"]
    assert kinds(lab.do(lab.watch_order(replace(trade, status="confirming")))) == ["offer_canceled"]


def test_a_second_live_offer_is_canceled(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.do(order, replace(order, attempt=2, order_id="or_again"))
    live = [each["offer_id"] for each in lab.me.offers() if each["state"] == 2]
    assert len(live) == 2
    lab.do(lab.watch_order(lab.watched(order, live[0])))
    assert [each["offer_id"] for each in lab.me.offers() if each["state"] == 2] == [live[0]]


def test_a_watch_never_calls_an_offer_absent(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(), [])
    lab.me.fault("send", "cut")
    assert kinds(lab.do(order))[-1] == "answer_lost"
    trade = lab.watched(order, None, "in_doubt")
    assert [lab.do(lab.watch_order(trade)) for _ in range(3)] == [[], [], []]


def test_a_strange_live_offer_is_told_once(lab: Lab, player: SteamAccount) -> None:
    sent(lab, player, [], player.assets())
    lab.clock.pass_time(500)
    assert lab.do(lab.watch_order()) == []  # this run made it
    lab.world.pass_time(500)
    trade = sent(lab, player, [], player.assets(2)[1:])
    lab.bot.memory.offers.forget(trade.offer_id)  # as after a restart
    assert lab.do(lab.watch_order()) == []  # the balancer may not know of it yet
    lab.clock.pass_time(121)
    (report,) = lab.do(lab.watch_order())
    assert report.kind == "offer_unknown"
    assert report.data == {"offer_id": trade.offer_id, "state": 2, "partner": player.steam_id}
    assert lab.do(lab.watch_order()) == []


def test_only_what_changed_is_read_again_while_the_same_trades_are_watched(lab: Lab, player: SteamAccount) -> None:
    """A trade in hold lives for two weeks; its whole time is read at first, for new trades, and every ten minutes."""
    trade, other = (sent(lab, player, [], [asset]) for asset in player.assets(2))
    since, asked = 1_000_000, []
    read = lab.bot.session.sent_offers

    def read_and_note(cutoff: int) -> object:
        asked.append(cutoff)
        return read(cutoff)

    def look(*trades: WatchedTrade) -> bool:
        """Whether a watch of these trades read their whole time."""
        with lab.steam_does(sent_offers=read_and_note):
            assert lab.do(lab.order("watch", WatchOrder(list(trades), since))) == []
        return bool(asked.pop() == since - 1800)

    assert [look(trade), look(trade), look()] == [True, False, False]
    assert [look(trade, other), look(other)] == [True, False]
    lab.clock.pass_time(300)
    assert look(other) is False
    lab.clock.pass_time(301)
    assert [look(other), look(other)] == [True, False]
    lab.me.fault("GetTradeOffers", "html", times=3)
    assert kinds(lab.do(lab.order("watch", WatchOrder([trade], since)))) == ["order_failed"]
    assert look(trade) is True  # the look that failed does not count


def test_trouble_at_steam_reports_nothing_of_trades(lab: Lab, player: SteamAccount) -> None:
    trade = sent(lab, player, [], player.assets())
    lab.me.fault("GetTradeOffers", "html", times=3)
    (report,) = lab.do(lab.watch_order(trade))
    assert (report.kind, report.data) == (
        "order_failed",
        {"kind": "watch", "reason": "steam_unavailable", "retryable": True},
    )


def test_an_expired_access_token_is_renewed_and_the_look_repeated(lab: Lab, player: SteamAccount) -> None:
    trade = sent(lab, player, [], player.assets())
    player.act(known(trade.offer_id), "decline")
    lab.me.fault("GetTradeOffers", "null", status=401)
    assert kinds(lab.do(lab.watch_order(trade))) == ["offer_declined"]


# --- orders about one offer ----------------------------------------------------------------------


def offer_order(lab: Lab, kind: str, trade: WatchedTrade, **more: Any) -> Order:
    payload = OfferOrder(trade.token, trade.partner, trade.offer_id, trade.give, trade.take)
    return lab.order(kind, replace(payload, **more), trade_id=trade.trade_id, attempt=trade.attempt)


@pytest.mark.parametrize("known", [True, False])
def test_an_offer_is_canceled(lab: Lab, player: SteamAccount, known: bool) -> None:
    trade = sent(lab, player, [], player.assets())
    more = {} if known else {"offer_id": None}
    (report,) = lab.do(offer_order(lab, "cancel", trade, **more))
    assert (report.kind, report.data) == ("offer_canceled", {"offer_id": trade.offer_id, "state": 6})
    assert kinds(lab.do(offer_order(lab, "cancel", trade))) == ["offer_canceled"]


def test_a_cancel_that_comes_too_late_tells_what_happened(lab: Lab, player: SteamAccount) -> None:
    trade = sent(lab, player, [], player.assets())
    player.act(known(trade.offer_id), "accept")
    assert kinds(lab.do(offer_order(lab, "cancel", trade))) == ["offer_accepted"]


def test_a_cancel_of_an_offer_that_nobody_finds_fails(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    (report,) = lab.do(offer_order(lab, "cancel", lab.watched(order)))
    assert (report.kind, report.data["reason"]) == ("order_failed", "offer_not_found")


def test_a_pending_offer_is_confirmed_by_order(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(), [])
    lab.me.fault("ajaxop", "success_false", times=10)
    offer_id = lab.do(order)[1].data["offer_id"]
    lab.world.clear_faults()
    trade = lab.watched(order, offer_id, "confirming")
    assert kinds(lab.do(offer_order(lab, "confirm", trade))) == ["offer_active"]
    assert kinds(lab.do(offer_order(lab, "confirm", trade))) == ["offer_active"]


def test_an_offer_with_other_assets_is_never_confirmed(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(2), [])
    lab.me.fault("ajaxop", "success_false", times=10)
    offer_id = lab.do(order)[1].data["offer_id"]
    lab.world.clear_faults()
    less = replace(lab.watched(order, offer_id, "confirming"), give=lab.me.assets(1))
    (report,) = lab.do(offer_order(lab, "confirm", less))
    assert (report.kind, report.data["reason"]) == ("order_failed", "other_offer")
    assert lab.me.offers()[0]["state"] == 9
    assert TradeEvent.OFFER_ACTIVE not in kinds(lab.do(lab.watch_order(less)))
    assert lab.me.offers()[0]["state"] == 9
