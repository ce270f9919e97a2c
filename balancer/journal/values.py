"""Pure: what else of a trade's row changes when its status does, and in which words its failure is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from balancer.journal.rules import Rules
from shared.clock import from_unix
from shared.domain.health import BOT_RESTRICTED
from shared.domain.ids import bot_name
from shared.domain.status import ENDED_UNMOVED, FINAL, LIVE, Direction, TradeEvent, TradeStatus, WaitsFor

E, S = TradeEvent, TradeStatus

# The bot has nothing out for this trade; it is to be asked again, under the next attempt's number.
ASKED_AGAIN = frozenset({E.ORDER_DROPPED, E.TRY_LATER, E.OFFER_ABSENT, E.BOT_REFUSED})
# The bot's own phone did not confirm an offer in time, so the bot gave it up.
NOT_CONFIRMED = "not_confirmed"
ORDER_EXPIRED = "order_expired"


def of_move(
    trade: Row[Any], event: TradeEvent, to: TradeStatus, data: Mapping[str, Any], now: datetime, rules: Rules
) -> dict[str, Any]:
    """What else of the trade changes with its status."""
    values: dict[str, Any] = {name: str(data[name]) for name in ("offer_id", "exchange_id") if data.get(name)}
    if data.get("settles_at") is not None:
        values["settles_at"] = from_unix(data["settles_at"])
    if to is S.IN_DOUBT:
        values |= {"find_at": now, "find_tries": 0}
    elif trade.status == S.IN_DOUBT:
        values |= {"find_at": None, "find_tries": 0}
    if to is S.HELD and trade.status != S.HELD and trade.direction == Direction.DEPOSIT:
        # Accepted before the bot could cancel it. Steam locks an account for a week that calls a hold off: the wish lapses.
        values["cancel_requested_at"] = None
    if to not in (S.QUEUED, S.IN_DOUBT) and trade.waits_for is not None:
        values |= {"waits_for": None} if to in ENDED_UNMOVED else {"waits_for": None, "begun_at": now}
    # Another bot begins a deposit at once; a withdrawal's own bot is not asked again in a hurry.
    own_bot = event is E.BOT_REFUSED and trade.direction == Direction.WITHDRAW
    if event in ASKED_AGAIN and to is S.QUEUED:
        wait_s = data.get("retry_after_s") or rules.retry_after_s if event is E.TRY_LATER or own_bot else 0
        values |= {
            "attempt": trade.attempt + 1,
            "order_issued_at": None,
            "order_expires_at": None,
            # A search that finds nothing (after a restore) leads back to the wait; an approval is not due before it is given.
            "next_try_at": None if trade.waits_for == WaitsFor.APPROVAL else now + timedelta(seconds=wait_s),
        }
        if event is E.ORDER_DROPPED and trade.held_at is not None:
            values |= _back_in_line(trade, now)
    if to in FINAL:  # nothing is sent any more: where to is nobody's business
        values |= {"trade_url_sealed": "", "message": ""}
    if trade.held_at is not None and (to is S.QUEUED or to not in LIVE):
        values |= {"held_at": None}
    if event is E.BOT_REFUSED:
        bot = bot_name(trade)
        values |= {
            "waits_for": WaitsFor.BOT.value,
            "refused_by": f"{trade.refused_by} {bot}" if trade.refused_by else bot,
            "refused_at": trade.refused_at or now,
            "spared": trade.spared + 1,
        }
    if event in (E.TRY_LATER, E.BOT_REFUSED) or to in ENDED_UNMOVED or to is S.REVERSED:
        values |= _failure(trade, event, to, data)
    return values


def _back_in_line(trade: Row[Any], now: datetime) -> dict[str, Any]:
    """A pause has recalled its order (`balancer.trades.holding`): it waits for its turn again; the attempt does not count."""
    return {
        "waits_for": WaitsFor.OFFER.value,
        "next_try_at": trade.begun_at or now,
        "begun_at": None,
        "spared": trade.spared + 1,
    }


def _failure(trade: Row[Any], event: TradeEvent, to: TradeStatus, data: Mapping[str, Any]) -> dict[str, Any]:
    """Why it ended, in the words that the API shows. A trade told "later" too often fails with what it was told."""
    if event in (E.REFUSED, E.TRY_LATER, E.BOT_REFUSED):
        return {
            "failure_code": str(data.get("code") or "steam_refused"),
            "failure_reason": data.get("reason"),
            "player_message": data.get("player_message"),
        }
    if event is E.ORDER_DROPPED and to is S.FAILED:
        return {} if trade.failure_code else {"failure_code": ORDER_EXPIRED, "failure_reason": data.get("reason")}
    code = event.value if event in (E.ITEMS_MISSING, E.EXCHANGE_FAILED) else to.value
    if event is E.OFFER_CANCELED and data.get("reason") == NOT_CONFIRMED:
        code = BOT_RESTRICTED
    return {"failure_code": code, "failure_reason": data.get("reason"), "player_message": None}
