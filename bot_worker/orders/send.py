"""Making an offer, at most once.

The steps, and what a death between them leaves behind:

1. ready: session and spacing. Nothing was done; the job is delivered again.
2. claim: one script in Redis checks lease, marker, recall and expiry, sets the marker and reports ``picked_up``. From here on
   this attempt is never sent again, by anybody: a redelivery finds the marker and reports ``answer_lost``.
3. the POST to Steam. A death or a lost answer leaves the trade in doubt; a watch finds the offer by its token, or finds none.
4. the offer's id is reported, and only then
5. the phone confirms it, unless it was recalled meanwhile: then it is canceled, also when it needs no confirmation. An
   unconfirmed offer gives nothing away. So it stays one when the lease was lost meanwhile: whoever has the bot now sees to it.
"""

from __future__ import annotations

from typing import Any

from bot_worker import own_account
from bot_worker.bot import Bot, Partner, time_is_sure
from bot_worker.lease import Claim, LeaseLost
from bot_worker.orders import offer_steps
from bot_worker.reporting import Tell
from bot_worker.steam import answers, maintenance
from bot_worker.steam.shapes import Sent
from shared import log, wire
from shared.domain.health import BOT_RESTRICTED
from shared.domain.status import TradeEvent
from shared.errors import (
    AnswerLost,
    NotSignedIn,
    SteamError,
    SteamRefused,
    SteamThrottled,
    SteamUnavailable,
)
from shared.orders import Order, SendOrder, WatchedTrade

E = TradeEvent
# The order of the claim is tried again after Redis turned out to be another one; more often than that nobody knows.
CLAIM_TRIES = 2

_log = log.get(__name__)


def send(bot: Bot, order: Order, tell: Tell) -> None:
    """Make the offer of a ``send`` order. Called twice, it sends once and reports ``answer_lost`` the second time.

    Raises:
        LeaseLost, redis.RedisError: nothing was sent by this call, or its offer was told and not confirmed.
    """
    payload = order.payload
    if not isinstance(payload, SendOrder) or order.trade_id is None:
        tell("order_refused", reason="no_trade")
        return
    if may_be_attempted(bot, order):
        tell(E.ANSWER_LOST, reason="attempted_before")
        return
    if not _ready(bot, order, payload, tell):
        return
    match _claim(bot, order, tell):
        case Claim.GO:
            _post(bot, order, payload, tell)
        case Claim.LEASE:
            raise LeaseLost(bot.name)
        case Claim.RECALLED:
            tell(E.ORDER_DROPPED, reason="recalled")
        case Claim.EXPIRED:
            tell(E.ORDER_DROPPED, reason="expired")
        case Claim.ATTEMPTED | Claim.CHANGED:
            tell(E.ANSWER_LOST, reason="attempted_before")


def may_be_attempted(bot: Bot, order: Order) -> bool:
    """Whether this run began this attempt, or another may have, under a Redis that has forgotten it."""
    if (order.trade_id, order.attempt) in bot.memory.attempted or order.issued_at_ms < bot.memory.doubt_before_ms:
        return True
    return order.run != bot.lease.run and order.issued_at_ms < bot.memory.lease_doubt_before_ms


def _ready(bot: Bot, order: Order, payload: SendOrder, tell: Tell) -> bool:
    """Everything that takes time, before the last check. False: reported why not now."""
    if bot.server_clock.now_ms() >= order.expires_at_ms:
        return True  # the claim says what became of it, without troubling Steam
    if bot.session.maintenance.on:
        again_s = bot.settings.steam.maintenance_hold_s
        why = {"code": maintenance.CODE, "reason": "Steam is in maintenance", "retry_after_s": again_s}
        _nothing_done(bot, order, tell, why)
        return False
    if not time_is_sure(bot.server_clock):
        _nothing_done(bot, order, tell, {"code": "clock_unsure", "reason": "this host's clock is off or unknown"})
        return False
    if (restriction := bot.health.why_not(own_account.needed(payload))) is not None:
        _nothing_done(bot, order, tell, because_of_us(restriction), E.BOT_REFUSED)
        return False
    try:
        bot.session.ready_to_send()
    except SteamError as error:
        if not isinstance(error, SteamThrottled | SteamUnavailable):
            bot.session_lost(error)
        _nothing_done(bot, order, tell, failure(bot, error))
        return False
    return True


def _nothing_done(bot: Bot, order: Order, tell: Tell, why: dict[str, Any], event: TradeEvent = E.TRY_LATER) -> None:
    """Report that nothing was done; but a redelivered order may have been begun, and then nobody may say so."""
    if bot.lease.may_be_begun(order, bot.memory.redis_run):
        tell(E.ANSWER_LOST, reason="attempted_before")
    else:
        tell(event, **{"result": None, "player_message": None, "retry_after_s": None, **why})


def _claim(bot: Bot, order: Order, tell: Tell) -> Claim:
    picked_up = bot.reporter.seal(tell.make(E.PICKED_UP, {}))
    for _ in range(CLAIM_TRIES):
        claim = bot.lease.claim(order, bot.memory.redis_run, picked_up, bot.clock.moved_ms)
        if claim is not Claim.CHANGED:
            return claim
        look_at_server(bot)
        if may_be_attempted(bot, order):
            return Claim.ATTEMPTED
    return Claim.CHANGED


def look_at_server(bot: Bot) -> None:
    """Notice another Redis, or a restarted one: markers set just before may be gone, and times may have jumped."""
    offset_before = bot.server_clock.offset_ms or 0
    wire.measure_time(bot.redis, bot.clock, bot.server_clock)
    jump_ms = abs((bot.server_clock.offset_ms or 0) - offset_before)
    known = bot.memory.redis_run
    margin_ms = jump_ms + bot.server_clock.doubt_ms
    bot.memory.redis_run, doubt_before_ms = bot.lease.remember_server(margin_ms, bot.clock.moved_ms)
    if bot.memory.redis_run != known:
        bot.memory.doubt_before_ms = doubt_before_ms
        _log.warning("redis_changed", jump_ms=jump_ms)


def _post(bot: Bot, order: Order, payload: SendOrder, tell: Tell) -> None:
    bot.memory.attempted.add((order.trade_id, order.attempt))
    # A search before this moment says nothing about the offer that is made now.
    bot.memory.absent.forget((order.trade_id, order.attempt))
    bot.memory.partner = Partner(payload.partner, payload.trade_token)
    try:
        sent = bot.session.send_offer(payload.partner, payload.trade_token, payload.message, payload.give, payload.take)
    except AnswerLost as error:
        _log.warning("answer_lost", reason=error.reason, result=error.result)
        tell(E.ANSWER_LOST, reason=error.reason or error.error_code)
    except SteamRefused as error:
        _log.info("refused", code=error.error_code, result=error.result)
        _refused(bot, payload, error, tell)
    except SteamError as error:
        _log.info("try_later", code=error.error_code, result=error.result)
        tell(E.TRY_LATER, **failure(bot, error))
        if isinstance(error, NotSignedIn):
            _renew_after(bot)
    else:
        _made(bot, order, payload, sent, tell)


def _refused(bot: Bot, payload: SendOrder, error: SteamRefused, tell: Tell) -> None:
    """A clear no: nothing is out. Because of whom decides whether the trade ends, or only this bot's part in it."""
    blame = own_account.blame(bot, payload, error)
    if blame.restriction is not None:
        tell(E.BOT_REFUSED, **{**failure(bot, error), **because_of_us(blame.restriction)})
        return
    data = failure(bot, error)
    if blame.partner is not None:
        data |= {"code": blame.partner.code, "player_message": blame.partner.player_message}
    tell(E.REFUSED, **data, unclear=blame.unclear)


def because_of_us(restriction: str) -> dict[str, Any]:
    """What a report says of what Steam does not let this bot do; there is nothing in it that a player could mend."""
    return {"code": BOT_RESTRICTED, "reason": restriction, "player_message": None}


def _made(bot: Bot, order: Order, payload: SendOrder, sent: Sent, tell: Tell) -> None:
    """The offer exists: its id is reported before anything else, and the recall is looked up in the same round trip."""
    own_account.made_an_offer(bot)
    bot.memory.offers.add(sent.offer_id)
    bot.memory.live[sent.offer_id] = bot.clock.now_ms() // 1000
    trade_id = order.trade_id or ""
    event, state = (
        (E.CONFIRMATION_NEEDED, answers.NEEDS_CONFIRMATION) if sent.needs_confirmation else (E.OFFER_ACTIVE, answers.ACTIVE)
    )
    report = tell.make(event, {"offer_id": sent.offer_id, "state": state})
    kept = bot.reporter.append([report], also_get=offer_steps.keys_to_go_on(bot, trade_id))
    trade = WatchedTrade(
        trade_id,
        order.attempt,
        payload.token,
        payload.partner,
        sent.offer_id,
        "confirming",
        payload.give,
        payload.take,
    )
    try:
        if offer_steps.is_called_off(bot, kept, order.attempt):
            offer_steps.cancel_and_tell(bot, trade, tell)
        elif sent.needs_confirmation:
            offer_steps.confirm_and_tell(bot, trade, tell)
    except SteamError as error:
        # Its id is known; the next watch or cancel order goes on from here.
        _log.warning("offer_left", reason=error.error_code, result=error.result)


def _renew_after(bot: Bot) -> None:
    """For the next order; this one is over."""
    try:
        bot.renew_session()
    except SteamError as error:
        _log.warning("renewal_failed", reason=error.error_code)


def failure(bot: Bot, error: SteamError) -> dict[str, Any]:
    """A failure as the reports ``refused`` and ``try_later`` carry it; waits are times the pace that is set."""
    wait_s = error.retry_after_s
    return {
        "code": error.error_code,
        "reason": error.reason or error.detail,
        "result": error.result,
        "player_message": error.player_message,
        "retry_after_s": wait_s * bot.settings.pace.retry_s if wait_s is not None else None,
    }
