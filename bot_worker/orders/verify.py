"""One look at offers because somebody asks whether they are real: it only reads, and it never keeps what moves items waiting.

The balancer gives at most one such order to a bot at a time, and `Pace` lets a host make few of these calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot_worker.bot import Bot
from bot_worker.orders import watch
from bot_worker.orders.conclude import Seen
from bot_worker.reporting import Tell
from bot_worker.steam import answers
from bot_worker.steam.shapes import Offer
from shared.domain.status import TradeEvent
from shared.orders import Order, WatchedTrade, WatchOrder


def answer_whether_open(bot: Bot, order: Order, tell: Tell) -> None:
    """Report what is news of these trades, as a watch does, and then ``looked``. Called twice, it looks twice.

    Raises:
        SteamThrottled: this host has made enough of these calls for now. SteamError: Steam did not show the offers.
    """
    payload = order.payload
    if not isinstance(payload, WatchOrder):
        return
    bot.session.ready_to_look()
    seen = watch.look_through(bot, payload.trades, _offers(bot, payload))
    # In this order, so that whoever waits for the answer finds the trade as the look has moved it.
    bot.reporter.append([*watch.news(seen, tell), tell.make("looked", {"seen": [_shown(trade, one) for trade, one in seen]})])


def failed(tell: Tell, reason: str) -> None:
    """Report that nothing was seen, so that nobody waits longer."""
    tell("not_looked", reason=reason)


def _offers(bot: Bot, payload: WatchOrder) -> Sequence[Offer]:
    """One call: the one offer by its id, or the list."""
    [first, *others] = payload.trades
    if others or first.offer_id is None:
        return bot.session.sent_offers(payload.since - watch.BACK_DATED_S)
    offer = bot.session.offer(first.offer_id)
    return [offer] if offer else []


def _shown(trade: WatchedTrade, seen: Seen) -> dict[str, Any]:
    offer = seen.offer
    if offer is None:
        return {"trade_id": trade.trade_id, "offer_id": None, "sees": None, "changed_at": None}
    sees = _sees(offer)
    return {
        "trade_id": trade.trade_id,
        "offer_id": offer.offer_id,
        "sees": None if sees is None else sees.value,
        "changed_at": offer.updated or None,
    }


def _sees(offer: Offer) -> TradeEvent | None:
    """What the offer itself shows. That it was accepted is enough here; what came of it is said by its exchange."""
    return TradeEvent.OFFER_ACCEPTED if offer.state == answers.ACCEPTED else answers.OFFER_EVENTS.get(offer.state)
