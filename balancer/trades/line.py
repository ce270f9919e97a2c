"""The line of each bot: withdrawals whose order is due and that wait for one of the bot's open offers to be free.

First come, first served. A withdrawal that cannot go out now, because its player already has too many open offers, keeps its
place and is skipped, so it delays nobody. ``next_try_at`` of a trade that waits in line says since when. A free offer goes to
the line before it goes to a new request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Integer, ScalarSelect, and_, case, func, select, tuple_

from balancer.db.tables import bots, trades
from balancer.fleet import reserve
from balancer.trades import shares
from balancer.trades.players import Holdings
from shared.domain.ids import BotName, bot_name
from shared.domain.status import COUNTED, LIVE, BotMode, TradeStatus, WaitsFor
from shared.sections import LimitSettings

SERVED_MAX = 500

Place = tuple[str, int]  # a bot's color and number

_waits = trades.alias("waits")
_other = trades.alias("other")
_IN_LINE = and_(
    _waits.c.waits_for == WaitsFor.OFFER.value,
    _waits.c.status == TradeStatus.QUEUED.value,
    _waits.c.cancel_requested_at.is_(None),
)
_AT_ITS_BOT = and_(bots.c.color == _waits.c.color, bots.c.bot_id == _waits.c.bot_id)


def enter(
    connection: Connection, limits: LimitSettings, held: Holdings, bot: BotName, now: datetime, paused: Collection[str]
) -> bool:
    """Take an open offer of the bot for a withdrawal that is due. If it is not to be had, the trade waits in line (False).

    ``held`` is its player's, whose row is locked; what is taken counts there at once. ``paused`` clients' trades do not go.
    """
    if not shares.may_open(limits, held, str(bot)) or front(connection, limits, [(bot.color, bot.bot_id)], paused):
        return False
    return take(connection, limits, held, bot, now)


def take(connection: Connection, limits: LimitSettings, held: Holdings, bot: BotName, now: datetime) -> bool:
    """Take an open offer of the bot for this player, if the player may and the bot has one for them. Whether it is taken."""
    most = shares.offers_of_bot(limits, held, str(bot))
    if not shares.may_open(limits, held, str(bot)) or not reserve.take_offer(connection, bot, most, now):
        return False
    held.offers[str(bot)] = held.offers.get(str(bot), 0) + 1
    return True


def full_clients(connection: Connection, limits: LimitSettings, client_id: str | None = None) -> list[str]:
    """Clients (or this one, if it does) that have as many open offers as one may have: their withdrawals wait in line."""
    if not limits.offers_per_client_max:
        return []
    open_now = trades.c.status.in_([status.value for status in COUNTED])
    query = select(trades.c.client_id).where(open_now, trades.c.waits_for.is_(None)).group_by(trades.c.client_id)
    if client_id is not None:
        query = query.where(trades.c.client_id == client_id)
    return list(connection.scalars(query.having(func.count() >= limits.offers_per_client_max)))


def places(connection: Connection) -> list[Place]:
    """The bots that have a line."""
    query = select(_waits.c.color, _waits.c.bot_id).where(_IN_LINE).distinct()
    return [(row.color, row.bot_id) for row in connection.execute(query)]


def front(
    connection: Connection, limits: LimitSettings, served: Iterable[Place], paused: Collection[str]
) -> dict[Place, list[str]]:
    """Trades in the lines of these bots that could have an open offer now, by bot, in their order; not those of paused clients.

    Each could if it were alone; only taking it decides. At most as many of one player as they may have open.
    """
    here = _open_offers(and_(_other.c.color == _waits.c.color, _other.c.bot_id == _waits.c.bot_id))
    kept = case((here > 0, shares.kept_from_second_offers(limits)), else_=0)
    order = (_waits.c.next_try_at, _waits.c.trade_id)
    candidates = (
        select(
            _waits.c.trade_id,
            _waits.c.color,
            _waits.c.bot_id,
            _waits.c.next_try_at,
            _open_offers().label("open_offers"),
            func.row_number().over(partition_by=_waits.c.partner, order_by=order).label("turn"),
        )
        .join(bots, _AT_ITS_BOT)
        .where(_IN_LINE, tuple_(_waits.c.color, _waits.c.bot_id).in_(list(served)), _waits.c.client_id.not_in(paused))
        .where(bots.c.mode != BotMode.PAUSED.value, bots.c.frozen_by.is_(None))
        .where(bots.c.open_offers < limits.offers_per_bot_max - kept, here < limits.offers_per_partner_max)
        .cte("candidates")
    )
    query = (
        select(candidates.c.trade_id, candidates.c.color, candidates.c.bot_id)
        .where(candidates.c.open_offers + candidates.c.turn <= limits.offers_per_player_max)
        .order_by(candidates.c.next_try_at, candidates.c.trade_id)
        .limit(SERVED_MAX)
    )
    by_place: dict[Place, list[str]] = {}
    for row in connection.execute(query):
        by_place.setdefault((row.color, row.bot_id), []).append(row.trade_id)
    return by_place


def _open_offers(which: ColumnElement[bool] | None = None) -> ScalarSelect[int]:
    """How many open offers the player of a trade in line has, of these or of all."""
    taken = and_(
        _other.c.partner == _waits.c.partner,
        _other.c.status.in_([status.value for status in COUNTED]),
        _other.c.waits_for.is_(None),
    )
    query = select(func.count(type_=Integer())).select_from(_other).where(taken)
    return (query if which is None else query.where(which)).correlate(_waits).scalar_subquery()


def per_bot(connection: Connection) -> dict[str, dict[str, int]]:
    """How many withdrawals of each bot wait, by what they wait for."""
    query = select(trades.c.color, trades.c.bot_id, trades.c.waits_for, func.count().label("n"))
    query = query.where(trades.c.waits_for.is_not(None), trades.c.status.in_([status.value for status in LIVE]))
    counts: dict[str, dict[str, int]] = {}
    for row in connection.execute(query.group_by(trades.c.color, trades.c.bot_id, trades.c.waits_for)):
        counts.setdefault(bot_name(row), {})[row.waits_for] = row.n
    return counts
