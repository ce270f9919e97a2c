"""Orders about one offer: confirm it, cancel it."""

from __future__ import annotations

from dataclasses import replace

from bot_worker.bot import Bot
from bot_worker.orders import conclude, offer_steps
from bot_worker.reporting import Tell
from bot_worker.steam import answers
from shared.errors import SteamUnavailable
from shared.orders import OfferOrder, Order, WatchedTrade

# Steam back-dates changes by up to half an hour (node-steam-tradeoffer-manager), and an order is no older than a day.
LOOK_BACK_S = 24 * 3600


def confirm(bot: Bot, order: Order, tell: Tell) -> None:
    """Confirm a pending offer: ``offer_active``, or the state it has. Called twice, there is nothing left to confirm."""
    trade = _trade(bot, order)
    if trade is None or trade.offer_id is None:
        tell("order_failed", kind=order.kind, reason="offer_not_found", retryable=True)
        return
    if offer_steps.called_off(bot, trade):
        offer_steps.cancel_and_tell(bot, trade, tell)
        return
    offer = bot.session.offer(trade.offer_id)
    if offer is None or not offer.whole:
        raise SteamUnavailable("Steam showed half an offer")
    if offer.state == answers.NEEDS_CONFIRMATION and conclude.recognise(trade, [offer]):
        offer_steps.confirm_and_tell(bot, trade, tell)
    elif not offer_steps.look_and_tell(bot, trade, tell):
        # Another partner or other assets than ordered: never confirmed.
        tell("order_failed", kind=order.kind, reason="other_offer", retryable=False)


def cancel(bot: Bot, order: Order, tell: Tell) -> None:
    """Ask Steam to cancel an offer and report its state afterwards. Called twice, the second call only looks."""
    trade = _trade(bot, order)
    if trade is None or trade.offer_id is None:
        tell("order_failed", kind=order.kind, reason="offer_not_found", retryable=True)
        return
    bot.session.cancel(trade.offer_id)
    if not offer_steps.look_and_tell(bot, trade, tell):
        raise SteamUnavailable("Steam did not show the offer")


def _trade(bot: Bot, order: Order) -> WatchedTrade | None:
    """The order as a trade whose every state is news; an unknown offer id is looked up by the token."""
    payload = order.payload
    if not isinstance(payload, OfferOrder) or order.trade_id is None:
        return None
    trade = WatchedTrade(
        order.trade_id,
        order.attempt,
        payload.token,
        payload.partner,
        payload.offer_id,
        "",
        payload.give,
        payload.take,
    )
    if trade.offer_id is not None:
        return trade
    since = order.issued_at_ms // 1000 - LOOK_BACK_S
    mine = conclude.recognise(trade, bot.session.sent_offers(since))
    seen = conclude.what_happened(trade, mine, {})
    return replace(trade, offer_id=seen.offer.offer_id) if seen.offer else None
