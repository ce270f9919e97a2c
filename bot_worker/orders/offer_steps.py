"""Reading one trade's offer and reporting its state; confirming and canceling it. Shared by several kinds of orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot_worker import own_account
from bot_worker.bot import Bot
from bot_worker.lease import LeaseLost
from bot_worker.orders import conclude
from bot_worker.reporting import Tell
from bot_worker.steam import answers
from bot_worker.steam.shapes import Exchange, Offer
from shared import wire
from shared.domain.status import TradeEvent
from shared.errors import NotSignedIn, SteamUnavailable
from shared.orders import WatchedTrade

# Times PaceSettings.retry_s: a confirmation appears 1 to 3 s after the offer.
CONFIRM_WAITS = (0.0, 2.0, 4.0, 8.0)
MANY_EXCHANGES = 2
NUMBER_DIGITS = 18
# Offers and exchanges may be dated by different clocks of Steam's.
BEFORE_S = 60


def is_recalled(value: bytes | None, attempt: int) -> bool:
    """Whether a recall key's value covers this attempt; one that is no number, which only an intruder writes, does."""
    if value is None:
        return False
    return not value.isdigit() or len(value) > NUMBER_DIGITS or int(value) >= attempt


def keys_to_go_on(bot: Bot, trade_id: str) -> tuple[str, str]:
    """What to read right before a confirmation, for `is_called_off`."""
    return wire.lease_key(bot.name), wire.recall_key(bot.name, trade_id)


def is_called_off(bot: Bot, values: Sequence[bytes | None], attempt: int) -> bool:
    """Whether this attempt was recalled, by what `keys_to_go_on` held.

    Raises:
        LeaseLost: this worker stood still for too long. Another one may have sent the next attempt, so ours is not confirmed.
    """
    holder, recall = values
    if holder != bot.lease.run.encode():
        raise LeaseLost(bot.name)
    return is_recalled(recall, attempt)


def called_off(bot: Bot, trade: WatchedTrade) -> bool:
    """Ask Redis whether this attempt shall not go on.

    Raises:
        LeaseLost: as `is_called_off`.
    """
    pipe = bot.redis.pipeline(transaction=False)
    for key in keys_to_go_on(bot, trade.trade_id):
        pipe.get(key)
    return is_called_off(bot, pipe.execute(), trade.attempt)


def confirm_and_tell(bot: Bot, trade: WatchedTrade, tell: Tell) -> None:
    """Confirm the trade's offer, waiting for the confirmation to appear; report ``offer_active``, or what is seen instead.

    Called twice, the second call finds nothing to confirm and reports the offer's state.

    Raises:
        LeaseLost: the bot is another worker's now.
    """
    offer_id, tried, renewed = trade.offer_id or "", False, False
    for number, wait in enumerate(CONFIRM_WAITS):
        if number:
            bot.sleep(wait * bot.settings.pace.retry_s)
            if called_off(bot, trade):
                cancel_and_tell(bot, trade, tell)
                return
        try:
            if own_account.confirm(bot, offer_id):
                tell(TradeEvent.OFFER_ACTIVE, offer_id=offer_id, state=answers.ACTIVE)
                return
            if tried:
                break  # it is gone from the list: done after all, or canceled
        except SteamUnavailable:
            tried = True
        except NotSignedIn:
            if renewed:
                raise
            renewed = True
            bot.renew_session()
    look_and_tell(bot, trade, tell)


def cancel_and_tell(bot: Bot, trade: WatchedTrade, tell: Tell) -> None:
    """Ask Steam to cancel the trade's offer and report the state it has afterwards, whatever Steam answered."""
    bot.session.cancel(trade.offer_id or "")
    look_and_tell(bot, trade, tell)


def look_and_tell(bot: Bot, trade: WatchedTrade, tell: Tell) -> bool:
    """Read the trade's offer by its id and report what is news. False: Steam showed no such offer, or half of one."""
    offer = bot.session.offer(trade.offer_id or "")
    mine = conclude.recognise(trade, [offer] if offer else [])
    if not mine:
        return False
    [mine] = with_exchange_ids(bot, [mine])
    needed = conclude.exchange_needed(trade, mine)
    seen = conclude.what_happened(trade, mine, find_exchanges(bot, [needed] if needed else []))
    own_account.say_whose(bot, [(seen.event, seen.data)])
    if seen.event is not None:
        tell(seen.event, **seen.data)
    return True


def with_exchange_ids(bot: Bot, offers_of: Sequence[Sequence[Offer]]) -> list[list[Offer]]:
    """The same offers; accepted ones of which Steam does not name the exchange get it from the trade history, by partner and
    assets. The history is read only if there is such a one.
    """
    nameless = [each for offers in offers_of for each in offers if each.state == answers.ACCEPTED and each.exchange_id is None]
    if not nameless:
        return [list(offers) for offers in offers_of]
    history = bot.session.exchanges(min(each.created for each in nameless) - BEFORE_S)
    exchanges = {each.offer_id: _exchange_of(each, history) for each in nameless}
    return [
        [replace(each, exchange_id=exchanges.get(each.offer_id, each.exchange_id)) for each in offers] for offers in offers_of
    ]


def _exchange_of(offer: Offer, history: Sequence[Exchange]) -> str | None:
    """The exchange that moved exactly these assets with this partner; one that failed only if there is no other."""
    wanted = {(True, each.asset_id) for each in offer.give} | {(False, each.asset_id) for each in offer.take}
    fits = [
        each
        for each in history
        if each.whole and each.partner == offer.partner and {(one.given, one.asset_id) for one in each.moved} == wanted
    ]
    fits.sort(key=lambda each: answers.exchange_means(each.status, complete=each.complete) is answers.ExchangeMeans.FAILED)
    return fits[0].exchange_id if fits else None


def remember_live(bot: Bot, shown: Sequence[Offer], now_s: int) -> None:
    """Keep in mind which offers are live: a later list that leaves one of them out is not to be believed."""
    for offer in shown:
        if offer.state in answers.LIVE_STATES:
            bot.memory.live[offer.offer_id] = now_s
        else:
            bot.memory.live.pop(offer.offer_id, None)


def leaves_out(bot: Bot, shown: Sequence[Offer], since: int) -> bool:
    """Whether Steam's lists of what is live or has changed since then leave out an offer that must stand there.

    One that Steam does not know by its id either is forgotten, and so is one that has ended.
    """
    there = {offer.offer_id for offer in shown}
    missing = [offer_id for offer_id, at_s in bot.memory.live.items() if at_s >= since and offer_id not in there]
    wrong = False
    for offer_id in missing:
        offer = bot.session.offer(offer_id)
        if offer is None or offer.state not in answers.LIVE_STATES:
            del bot.memory.live[offer_id]
        else:
            wrong = True
    return wrong


def find_exchanges(bot: Bot, wanted: list[str]) -> dict[str, Exchange]:
    """Exchanges by id: one call for one, the history for many. What Steam does not show is missing."""
    exchanges = bot.session.exchanges_by_id(wanted) if len(wanted) >= MANY_EXCHANGES else {}
    for exchange_id in wanted:
        exchange = exchanges.get(exchange_id) or bot.session.exchange(exchange_id)
        if exchange is not None:
            exchanges[exchange_id] = exchange
    return exchanges
