"""Is the offer in front of the player really ours, and open now?

A yes is said only after the trade's own bot has just seen its offer open, and only to the player whom it was made for. The
first yes uses the token up, in the transaction that decides; afterwards the same player may see the answer again, as it is by
then, for as long as the token would have lived. Whoever is not that player is told that the token is unknown, whatever it is.
Wrong tries slow down the address they come from, never the token, so nobody can spend another player's token.
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from balancer.context import Context
from balancer.db.tables import events, tokens
from balancer.db.tables import trades as rows
from balancer.journal import events as feed
from balancer.journal import record, views
from balancer.journal.by import By
from balancer.journal.views import Trade
from balancer.orders import build
from balancer.orders.sights import Sight
from shared.clock import from_unix
from shared.domain.ids import SteamId, bot_name
from shared.domain.status import FINAL, TradeStatus
from shared.sealing import MasterKey
from shared.settings import Settings

S = TradeStatus

# A player has a few offers at a time; of more that were verified in a token's life the newest count.
VERIFIED_MAX = 200

VERIFIED = "offer_verified"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")


class Verdict(StrEnum):
    """What a check comes to."""

    OK = "ok"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    NOT_YET = "not_yet"  # our offer is not out, so what the player sees is not it
    IN_HOLD = "in_hold"  # the player has accepted already
    OVER = "over"
    CANNOT_TELL = "cannot_tell"  # for now


RETRYABLE = frozenset({Verdict.NOT_YET, Verdict.CANNOT_TELL})


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of our offer and when; ``after_s``: it was declined so soon after it was sent."""

    status: TradeStatus
    at: datetime | None
    after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """``first``: this answer used the token up. ``trade`` is there for every verdict about a trade of the player's."""

    verdict: Verdict
    trade: Trade | None = None
    status: TradeStatus | None = None
    first: bool = False
    verified_at: datetime | None = None
    seen_at: datetime | None = None
    ended: Ended | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The trade of a token that is this player's. ``verified_at`` is set when it was used up."""

    trade: Row[Any]
    expires_at: datetime
    verified_at: datetime | None


# --- finding the token ----------------------------------------------------------------------------------


def is_token(text: str) -> bool:
    """Whether it has the form of a token."""
    return _TOKEN.fullmatch(text) is not None


async def find(ctx: Context, token: str, steam_id: SteamId) -> Subject | None:
    """The trade that this token of this player's belongs to; ``None`` if there is none, or it is another player's."""
    if not is_token(token):
        return None
    return await ctx.db.read(_find, ctx.master, ctx.settings, token, int(steam_id), ctx.clock.now())


def _find(
    connection: Connection, master: MasterKey, settings: Settings, token: str, steam_id: int, now: datetime
) -> Subject | None:
    row = connection.execute(select(tokens).where(tokens.c.token_hash == master.token_hash(token))).first()
    if row is None:
        return _find_verified(connection, master, settings, token, steam_id, now)
    if row.steam_id != steam_id:
        return None
    return Subject(record.read_trade(connection, row.trade_id), row.expires_at, row.used_at)


def _find_verified(
    connection: Connection, master: MasterKey, settings: Settings, token: str, steam_id: int, now: datetime
) -> Subject | None:
    """A token that was used up has no row any more, but it follows from its trade's id."""
    since = now - timedelta(seconds=settings.trades.token_lifetime_s)
    query = select(rows).where(rows.c.partner == steam_id, rows.c.verified_at > since)
    for trade in connection.execute(query.order_by(rows.c.verified_at.desc()).limit(VERIFIED_MAX)):
        if hmac.compare_digest(master.verify_token(trade.trade_id), token):
            return Subject(trade, views.token_expires(trade, settings), trade.verified_at)
    return None


# --- answering ------------------------------------------------------------------------------------------


def verdict(trade: Row[Any], sight: Sight | None) -> Verdict:
    """What the trade as it stands, and the look at its offer, mean for the player."""
    status = S(trade.status)
    if trade.waits_for is not None:
        return Verdict.NOT_YET
    if status in FINAL or status is S.ACCEPTED:
        return Verdict.OVER
    if status is S.IN_DOUBT:
        return Verdict.CANNOT_TELL
    if status is S.HELD:
        return Verdict.IN_HOLD
    if status is not S.SENT:
        return Verdict.NOT_YET
    return _of_sight(trade, sight)


def _of_sight(trade: Row[Any], sight: Sight | None) -> Verdict:
    if sight is None or sight.status is None or sight.offer_id != trade.offer_id:
        return Verdict.CANNOT_TELL
    match sight.status:
        case S.SENT:
            # It is open, but only until a bot has taken it back.
            return Verdict.OK if trade.cancel_requested_at is None else Verdict.CANNOT_TELL
        case S.CONFIRMING:
            return Verdict.NOT_YET
        case S.HELD:
            return Verdict.IN_HOLD
    return Verdict.OVER


async def answer(ctx: Context, subject: Subject, token: str, who: str) -> Answer:
    """What to say to the player of this token. The first yes uses it up; ``who`` asks stands in the event of that.

    Raises:
        DatabaseUnavailable.
    """
    if ctx.clock.now() >= subject.expires_at and subject.trade.waits_for is None:
        return Answer(Verdict.EXPIRED)
    sight = await _sight(ctx, subject.trade) if subject.trade.status == S.SENT else None
    decided = await ctx.db.run(_decide, subject, ctx.master.token_hash(token), sight, By(who, ctx.clock.now()))
    if decided.first:
        ctx.changes.notify([subject.trade.trade_id])
    [view] = await ctx.views.of([subject.trade.trade_id])
    seen_at = None if sight is None else from_unix(sight.at_ms / 1000)
    return Answer(decided.verdict, view, decided.status, decided.first, decided.verified_at, seen_at, decided.ended)


async def _sight(ctx: Context, trade: Row[Any]) -> Sight | None:
    moved = await ctx.db.read(build.moved_of, [trade])
    watched = ctx.orders.watched(trade, moved[trade.trade_id])
    return await ctx.sights.of(bot_name(trade), watched, int(trade.created_at.timestamp()))


def _decide(connection: Connection, subject: Subject, token_hash: str, sight: Sight | None, by: By) -> Answer:
    """The answer, in the transaction that uses the token up if it is yes."""
    trade = connection.execute(select(rows).where(rows.c.trade_id == subject.trade.trade_id).with_for_update()).one()
    decided = verdict(trade, sight)
    verified_at = trade.verified_at or subject.verified_at
    status = S(trade.status)
    if decided is Verdict.OVER:
        ended = _ended(connection, trade, sight)
        return Answer(decided, None, ended.status, verified_at=verified_at, ended=ended)
    if decided is not Verdict.OK or verified_at is not None:
        return Answer(decided, None, status, verified_at=verified_at)
    if by.now >= subject.expires_at or not _use(connection, token_hash):
        return Answer(Verdict.EXPIRED)
    connection.execute(update(rows).where(rows.c.trade_id == trade.trade_id).values(verified_at=by.now, touched=by.now))
    feed.of_trade(connection, VERIFIED, trade, {"offer_id": trade.offer_id}, by)
    return Answer(decided, None, status, first=True, verified_at=by.now)


def _use(connection: Connection, token_hash: str) -> bool:
    """Delete the token; whether it was there to be used."""
    used = connection.execute(delete(tokens).where(tokens.c.token_hash == token_hash, tokens.c.used_at.is_(None)))
    return used.rowcount > 0


def _ended(connection: Connection, trade: Row[Any], sight: Sight | None) -> Ended:
    """What became of the offer, from the feed; or from the look, when that is not booked yet."""
    status = S(trade.status)
    if status is S.SENT and sight is not None and sight.status is not None:
        at = None if sight.changed_at is None else from_unix(sight.changed_at)
        return Ended(sight.status, at)
    query = select(events.c.kind, events.c.at, events.c.data).where(events.c.trade_id == trade.trade_id)
    history = [(row.kind, row.at, json.loads(row.data)) for row in connection.execute(query.order_by(events.c.number))]
    # Whoever accepted it sees that, and not that Steam's protection has passed since.
    shown = S.ACCEPTED if status is S.SETTLED else status
    at = next((at for _, at, data in reversed(history) if data.get("to") == shown), trade.touched)
    after_s = next((data.get("after_s") for kind, _, data in history if kind == record.DECLINED_AT_ONCE), None)
    return Ended(status, at, after_s)
