"""One look at the sent offers of a bot, for all of its live trades: one call to Steam, more only where something happened."""

from __future__ import annotations

from collections.abc import Sequence

from bot_worker import look, seeing
from bot_worker.bot import Bot
from bot_worker.reporting import Tell
from bot_worker.seeing import Seen
from bot_worker.steam import answers
from bot_worker.steam.shapes import Offer
from shared import log
from shared.domain.status import EARLY, TradeEvent, TradeStatus
from shared.errors import SteamUnavailable
from shared.messages import Order, Report, WatchedTrade, WatchOrder

E, S = TradeEvent, TradeStatus
# Steam back-dates changes (node-steam-tradeoffer-manager looks back 30 min).
BACK_DATED_S = 1800
# A stranger is told when it is still there after this: the balancer may not know yet of an offer that was just made.
STRANGE_AFTER_S = 120.0

_log = log.get(__name__)


def watch(bot: Bot, order: Order, tell: Tell) -> None:
    """Report what is new of every trade. Called twice, it reports twice; the balancer knows what is no news.

    Raises:
        SteamError: the offers could not be read; nothing was reported.
    """
    payload = order.payload
    if not isinstance(payload, WatchOrder):
        return
    shown = bot.session.sent_offers(payload.since - BACK_DATED_S)
    bot.health.offers = sum(offer.state in answers.LIVE_STATES for offer in shown)
    mine = {trade.trade_id: seeing.recognise(trade, shown) for trade in payload.trades}
    needed = [seeing.exchange_needed(trade, mine[trade.trade_id]) for trade in payload.trades]
    exchanges = look.find_exchanges(bot, [each for each in needed if each])
    reports: list[Report] = []
    unconfirmed: list[tuple[WatchedTrade, Seen]] = []
    for trade in payload.trades:
        seen = seeing.what_happened(trade, mine[trade.trade_id], exchanges)
        if seen.event is not None:
            reports.append(tell.about(trade.trade_id, trade.attempt, seen.event, seen.data))
        if seen.offer is not None:
            bot.memory.absent.forget((trade.trade_id, trade.attempt))
            bot.memory.offers.add(seen.offer.offer_id)
        if seen.offer is not None and seen.offer.state == answers.NEEDS_CONFIRMATION:
            unconfirmed.append((trade, seen))
        _cancel_spare(bot, seen.spare)
    reports += _strangers(bot, order, payload, shown, tell)
    bot.reporter.append(reports)
    for trade, seen in unconfirmed:
        _confirm(bot, trade, seen, tell)
    lost = [trade for trade in payload.trades if trade.status == S.IN_DOUBT and not mine[trade.trade_id]]
    if lost and all(offer.whole for offer in shown):
        _absent(bot, lost, payload.since - BACK_DATED_S, tell)


def _cancel_spare(bot: Bot, spare: Sequence[Offer]) -> None:
    """A second live offer of one trade: cancel it. The next look sees whether that worked."""
    for offer in spare:
        _log.warning("second_offer_canceled", offer_id=offer.offer_id)
        bot.session.cancel(offer.offer_id)


def _strangers(bot: Bot, order: Order, payload: WatchOrder, shown: Sequence[Offer], tell: Tell) -> list[Report]:
    """Live sent offers that no watched trade knows, each told once: somebody else may be using this account."""
    known = {trade.offer_id for trade in payload.trades}
    now = bot.clock.monotonic()
    found = []
    for offer in shown:
        if offer.state not in answers.LIVE_STATES or not offer.whole:
            continue
        if offer.offer_id in known or offer.offer_id in bot.memory.offers:
            continue
        if now - bot.memory.strange.add(offer.offer_id, now) < STRANGE_AFTER_S:
            continue
        bot.memory.offers.add(offer.offer_id)
        data = {"offer_id": offer.offer_id, "state": offer.state, "partner": offer.partner}
        found.append(bot.reporter.make("offer_unknown", order.order_id, None, 0, data))
    return found


def _confirm(bot: Bot, trade: WatchedTrade, seen: Seen, tell: Tell) -> None:
    """An offer that waits for the phone: confirm it now, or cancel it when it was recalled. One try per look."""
    status = S(trade.status)
    if seen.offer is None or (status is not S.CONFIRMING and status not in EARLY):
        return
    offer_id = seen.offer.offer_id
    if look.recalled(bot, trade):
        bot.session.cancel(offer_id)
        return
    try:
        if bot.session.confirm(offer_id):
            data = {"offer_id": offer_id, "state": answers.ACTIVE}
            bot.reporter.append([tell.about(trade.trade_id, trade.attempt, E.OFFER_ACTIVE, data)])
    except SteamUnavailable as error:
        _log.warning("confirmation_failed", reason=error.error_code, result=error.result)


def _absent(bot: Bot, lost: Sequence[WatchedTrade], since: int, tell: Tell) -> None:
    """Trades in doubt of which Steam shows no offer.

    Absent means: not found in two full looks ``absent_after_s`` apart, no exchange moved its assets, and what we would give is
    still ours. Whether the partner still has his is not asked: only an exchange with us could have brought them here.
    """
    now = bot.clock.monotonic()
    wait_s = bot.settings.trades.absent_after_s
    due = [trade for trade in lost if now - bot.memory.absent.add((trade.trade_id, trade.attempt), now) >= wait_s]
    # The first look only begins the wait, however short that is set.
    due = [trade for trade in due if (trade.trade_id, trade.attempt, "looked") in bot.memory.absent]
    for trade in lost:
        bot.memory.absent.add((trade.trade_id, trade.attempt, "looked"))
    if not due:
        return
    exchanges = bot.session.exchanges(since)
    moved = {each.asset_id for exchange in exchanges for each in exchange.moved}
    ours = {held.asset.asset_id for held in bot.session.own_inventory()} if any(each.give for each in due) else set()
    reports = []
    for trade in due:
        assets = {each.asset_id for each in (*trade.give, *trade.take)}
        kept = {each.asset_id for each in trade.give} <= ours
        if kept and not assets & moved:
            reports.append(tell.about(trade.trade_id, trade.attempt, E.OFFER_ABSENT, {"reason": "not found twice"}))
            continue
        _log.error("lost_offer_unclear", trade_id=trade.trade_id, kept=kept)
        data = {"kind": "watch", "reason": "items_not_in_place", "retryable": True}
        reports.append(tell.about(trade.trade_id, trade.attempt, "order_failed", data))
    bot.reporter.append(reports)
