"""One look at the sent offers of a bot, for all of its live trades: one call to Steam, more only where something happened."""

from __future__ import annotations

from collections.abc import Sequence

from bot_worker import own_account
from bot_worker.bot import Bot
from bot_worker.orders import conclude, offer_steps, unknown_offers
from bot_worker.orders.conclude import Seen
from bot_worker.reporting import Tell
from bot_worker.steam import answers
from bot_worker.steam.shapes import Offer
from shared import log
from shared.domain.status import EARLY, ENDED_UNMOVED, TradeEvent, TradeStatus
from shared.errors import SteamUnavailable
from shared.orders import Order, WatchedTrade, WatchOrder
from shared.reports import Report

E, S = TradeEvent, TradeStatus
# Steam back-dates changes (node-steam-tradeoffer-manager looks back 30 min).
BACK_DATED_S = 1800
# A hold is not called off: that would lock the bot's trading for a week.
NOT_ANSWERED = frozenset({answers.ACTIVE, answers.NEEDS_CONFIRMATION})
# A trade in hold lives for two weeks: all that changed since it began is read this often, else what is new since the last look.
WHOLE_EVERY_S = 600.0

_log = log.get(__name__)


def watch(bot: Bot, order: Order, tell: Tell) -> None:
    """Report what is new of every trade. Called twice, it reports twice; the balancer knows what is no news.

    Raises:
        SteamError: the offers could not be read; nothing was reported.
    """
    payload = order.payload
    if not isinstance(payload, WatchOrder):
        return
    begun_s, begun = bot.clock.now_ms() // 1000, bot.clock.monotonic()
    since, whole = _cutoff(bot, payload, begun)
    shown = bot.session.sent_offers(since)
    offer_steps.remember_live(bot, shown, begun_s)
    bot.memory.watched(payload.trades, begun_s, begun if whole else None)
    bot.health.offers = sum(offer.state in answers.LIVE_STATES for offer in shown)
    seen = look_through(bot, payload.trades, shown)
    bot.reporter.append(news(seen, tell))
    finish(bot, seen, tell)
    known = {trade.offer_id for trade in payload.trades if trade.offer_id}
    known |= {offer.offer_id for trade in payload.trades for offer in conclude.recognise(trade, shown)}
    unknown_offers.tell_departures(bot, shown, (), known, tell)
    unknown_offers.tell_and_cancel(bot, shown, known, tell)


def _cutoff(bot: Bot, payload: WatchOrder, now: float) -> tuple[int, bool]:
    """Since when changed offers are read, and whether that is the whole life of these trades."""
    memory = bot.memory
    known = memory.watched_trades.issuperset((trade.trade_id, trade.attempt) for trade in payload.trades)
    if known and now - memory.whole_look_at < WHOLE_EVERY_S:
        return max(payload.since, memory.looked_at_s) - BACK_DATED_S, False
    return payload.since - BACK_DATED_S, True


def look_through(bot: Bot, trades: Sequence[WatchedTrade], shown: Sequence[Offer]) -> list[tuple[WatchedTrade, Seen]]:
    """What the offers that Steam showed, and the exchanges of accepted ones, say about each trade."""
    mine = offer_steps.with_exchange_ids(bot, [conclude.recognise(trade, shown) for trade in trades])
    needed = [conclude.exchange_needed(trade, offers) for trade, offers in zip(trades, mine, strict=True)]
    exchanges = offer_steps.find_exchanges(bot, [each for each in needed if each])
    seen = [(trade, conclude.what_happened(trade, offers, exchanges)) for trade, offers in zip(trades, mine, strict=True)]
    own_account.say_whose(bot, [(one.event, one.data) for _, one in seen])
    return seen


def news(seen: Sequence[tuple[WatchedTrade, Seen]], tell: Tell) -> list[Report]:
    """The reports of what a look has seen that the balancer does not know, not appended yet."""
    return [
        tell.about(trade.trade_id, trade.attempt, one.event, one.data)
        for trade, one in seen
        if one.event is not None and not conclude.of_another_attempt(trade, one)
    ]


def finish(bot: Bot, seen: Sequence[tuple[WatchedTrade, Seen]], tell: Tell) -> None:
    """After the reports: cancel second live offers and those of trades that are over, confirm what waits for the phone.

    The next look sees what came of it.
    """
    for trade, one in seen:
        if one.offer is not None and not conclude.of_another_attempt(trade, one):
            bot.memory.absent.forget((trade.trade_id, trade.attempt))
            bot.memory.offers.add(one.offer.offer_id)
        for offer in one.spare:
            _log.warning("second_offer_canceled", offer_id=offer.offer_id)
            bot.session.cancel(offer.offer_id)
        if one.offer is not None and trade.status in ENDED_UNMOVED and one.offer.state in NOT_ANSWERED:
            # It came too late: its trade is over, its rows are free.
            _log.warning("offer_of_an_ended_trade_canceled", trade_id=trade.trade_id, offer_id=one.offer.offer_id)
            bot.session.cancel(one.offer.offer_id)
        elif one.offer is not None and one.offer.state == answers.NEEDS_CONFIRMATION:
            _confirm(bot, trade, one.offer, tell)


def _confirm(bot: Bot, trade: WatchedTrade, offer: Offer, tell: Tell) -> None:
    """Confirm it now; cancel it when it was recalled, or when the phone could not confirm it for too long. One try per look."""
    status = S(trade.status)
    if status is not S.CONFIRMING and status not in EARLY:
        return
    if offer_steps.called_off(bot, trade):
        bot.session.cancel(offer.offer_id)
        return
    try:
        confirmed = own_account.confirm(bot, offer.offer_id)
    except SteamUnavailable as error:
        _log.warning("confirmation_failed", reason=error.error_code, result=error.result)
        confirmed = False
    if confirmed:
        data = {"offer_id": offer.offer_id, "state": answers.ACTIVE}
        bot.reporter.append([tell.about(trade.trade_id, trade.attempt, E.OFFER_ACTIVE, data)])
    elif _unconfirmed_s(bot, offer) >= bot.settings.trades.confirm_give_up_s:
        _give_up(bot, trade, offer, tell)


def _unconfirmed_s(bot: Bot, offer: Offer) -> float:
    """How long the offer has waited for the phone: since it was made, or since this run first saw it, whichever is longer."""
    now = bot.clock.monotonic()
    seen_s = now - bot.memory.unconfirmed.add(offer.offer_id, now)
    return max(seen_s, bot.clock.now_ms() / 1000 - offer.created if offer.created else 0.0)


def _give_up(bot: Bot, trade: WatchedTrade, offer: Offer, tell: Tell) -> None:
    """An unconfirmed offer counts against Steam's limits. What it is afterwards counts: the phone may have been faster."""
    _log.error("confirmation_given_up", trade_id=trade.trade_id, offer_id=offer.offer_id)
    bot.session.cancel(offer.offer_id)
    after = bot.session.offer(offer.offer_id)
    if after is not None and after.state == answers.CANCELED:
        data = {"offer_id": after.offer_id, "state": after.state, "reason": "not_confirmed"}
        bot.reporter.append([tell.about(trade.trade_id, trade.attempt, E.OFFER_CANCELED, data)])
