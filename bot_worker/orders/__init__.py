"""The one function that may be ordered: it opens an order, checks it, and calls the function of its kind.

Whatever happens, the balancer hears of it: each order ends in one of the reports that `shared.reports` lists, and nothing of a
text that does not open is repeated. An exception that nobody expected is told with its type and place, and ends nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

import redis
import structlog

from bot_worker import own_account
from bot_worker.bot import Bot
from bot_worker.lease import LeaseLost
from bot_worker.orders import cancel_offer, cost, decline, find, inventory, send, settle, verify, watch
from bot_worker.reporting import Tell
from shared import log, request_ids, wire
from shared.domain.status import TradeEvent
from shared.errors import NotSignedIn, OrderRefused, SteamError, SteamUnavailable
from shared.orders import InventoryOrder, Order
from shared.sealing import SealBroken
from shared.trouble import place_of

INTERNAL = "internal"

HANDLERS: dict[str, Callable[[Bot, Order, Tell], None]] = {
    "send": send.send,
    "confirm": cancel_offer.confirm,
    "cancel": cancel_offer.cancel,
    "watch": watch.watch,
    "look": verify.answer_whether_open,
    "find": find.find,
    "decline": decline.decline,
    "inventory": inventory.inventory,
    "settle": settle.settle,
}

_log = log.get(__name__)


def carry_out(sealed: str, bot: Bot | None = None) -> None:
    """Carry out one sealed order. A second call with the same order does no harm: see each kind.

    Raises:
        OrderRefused: called by something else than this bot's own worker, as RQ's stock worker would.
        LeaseLost, redis.RedisError: not carried out; give it to whoever has the lease.
    """
    if bot is None:
        raise OrderRefused("orders are carried out by the bot's own worker only")
    order = _open(sealed, bot)
    if order is None:
        return
    bot.session.observer.recent.clear()
    bot.session.observer.for_verify = order.kind == "look"
    bot.session.observer.for_second = isinstance(order.payload, InventoryOrder) and order.payload.second
    bot.session.observer.shares = cost.of_order(order)
    tell = Tell(bot.reporter, order, bot.session.observer.recent)
    bound = structlog.contextvars.bound_contextvars(action=order.kind, trade_id=order.trade_id)
    with bound, request_ids.bound(order.request_id):
        _log.debug("order_opened", order_id=order.order_id, attempt=order.attempt)
        if order.kind == "send":
            _send(bot, order, tell)
        elif bot.server_clock.now_ms() >= order.expires_at_ms:
            _failed(tell, order, "expired", retryable=False)
        else:
            _attempt(bot, order, tell)
    bot.session.observer.shares = {}
    bot.health.orders_done += 1
    own_account.seen_confirmations(bot)


def refuse(bot: Bot, reason: str) -> None:
    """Report something in the queue that is no order of ours."""
    _log.warning("order_refused", reason=reason)
    bot.reporter.append([bot.reporter.make("order_refused", None, None, 0, {"reason": reason})])


def _open(sealed: str, bot: Bot) -> Order | None:
    try:
        order = wire.open_order(sealed, bot.keys)
    except SealBroken:
        refuse(bot, "seal")
        return None
    if order.bot != bot.name:
        refuse(bot, "other_bot")
        return None
    return order


def _send(bot: Bot, order: Order, tell: Tell) -> None:
    """It looks after its own expiry and Steam's errors, as it matters there what was begun."""
    try:
        send.send(bot, order, tell)
    except (LeaseLost, redis.RedisError):
        raise
    except Exception as error:
        # A mistake of ours, perhaps after the offer was made: in doubt is always safe.
        _log.exception("answer_lost")
        tell(TradeEvent.ANSWER_LOST, reason=INTERNAL, error=place_of(error))


def _attempt(bot: Bot, order: Order, tell: Tell) -> None:
    """Call the order's function; once more after a renewed session if Steam had forgotten us."""
    try:
        try:
            HANDLERS[order.kind](bot, order, tell)
        except NotSignedIn:
            bot.renew_session()
            HANDLERS[order.kind](bot, order, tell)
    except SteamError as error:
        if isinstance(error, NotSignedIn):
            bot.session_lost(error)
        _log.warning("order_failed", reason=error.error_code, result=error.result)
        if order.kind == "inventory":
            inventory.failed(order, tell, error)
        else:
            _failed(tell, order, error.error_code, retryable=error.retryable)
    except (LeaseLost, redis.RedisError):
        raise
    except Exception as error:
        # A mistake of ours must not take the bot out of service; it is told and logged in full.
        _log.exception("order_failed")
        _failed(tell, order, INTERNAL, retryable=False, error=place_of(error))
        if order.kind == "inventory":
            # Somebody waits for this one.
            inventory.failed(order, tell, SteamUnavailable("the inventory was not read", code=INTERNAL))


def _failed(tell: Tell, order: Order, reason: str, *, retryable: bool, **more: str) -> None:
    if order.kind == "look":  # nothing that an operator has to know
        verify.failed(tell, reason)
        return
    tell("order_failed", kind=order.kind, reason=reason, retryable=retryable, **more)
