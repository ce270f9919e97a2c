"""What may go out within a window of time, of each client and of the whole fleet; what would go beyond pauses withdrawals.

A stolen key, or a mistake in a site, shows as an unusual outflow. So there are limits of number and value; the first withdrawal
over one of them is refused, withdrawals of that client (or all) are paused, an alarm says why, and an operator resumes them.
From then on the window counts anew.

Counted is what has begun and did not end without moving anything: whoever withdraws and declines again and again uses up
nothing. What somebody has approved is not counted, and a request that is over a limit all by itself asks for an approval
instead of pausing anything; else its owner could stop everybody by asking again after each resumption.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, text

from balancer.context import Context
from balancer.db import engine
from balancer.db.tables import clients, resumptions, trade_items, trades
from balancer.fleet import switches
from balancer.journal import events
from balancer.journal.by import By
from shared import log
from shared.domain.status import ENDED_UNMOVED, Direction
from shared.errors import FleetPaused
from shared.sections import LimitSettings

logger = log.get(__name__)

WHO = "limits"
ALARM = "withdrawals_limit"
ACTION = "look at what went out; if it is as it should be, or nothing more can happen, let withdrawals go on with `{command}`"
# Any number will do as long as nothing else in that database uses it.
LOCK = 7_305_022
_ENDED = [status.value for status in ENDED_UNMOVED]


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit by the name of its setting, of a client or (``None``) of the fleet; ``most`` trades or cents in the window."""

    name: str
    client_id: str | None
    cents: bool
    most: int

    @property
    def switch(self) -> str:
        return switches.WITHDRAWALS if self.client_id is None else switches.of_client(self.client_id)


@dataclass(frozen=True, slots=True)
class Hit:
    """A limit that would be passed: ``would_be`` is what would have gone out in the window."""

    limit: Limit
    would_be: int
    window_s: float


class Exceeded(FleetPaused):
    """These withdrawals would pass a limit; nothing was written."""

    def __init__(self, hit: Hit) -> None:
        super().__init__("Withdrawals are paused.", reason=hit.limit.name, paused=switches.WITHDRAWALS)
        self.hit = hit


def limits_of(limits: LimitSettings, client_id: str) -> Iterator[Limit]:
    """Those that are set, the client's own first."""
    for name, owner, cents in (
        ("client_withdrawals_max", client_id, False),
        ("client_withdrawals_cents_max", client_id, True),
        ("fleet_withdrawals_max", None, False),
        ("fleet_withdrawals_cents_max", None, True),
    ):
        most = getattr(limits, name)
        if most:
            yield Limit(name, owner, cents, most)


def is_too_large(limits: LimitSettings, n_trades: int, cents: int) -> bool:
    """Whether this is over a limit all by itself."""
    return any((cents if limit.cents else n_trades) > limit.most for limit in limits_of(limits, ""))


def take_turns(connection: Connection, limits: LimitSettings) -> None:
    """Before anything else is locked: two transactions that give out do not count at the same time, so none is missed."""
    if any(True for _ in limits_of(limits, "")) and engine.is_postgres(connection):
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))


def hit(connection: Connection, limits: LimitSettings, client_id: str, n_trades: int, cents: int, now: datetime) -> Hit | None:
    """The limit that would be passed if so much more went out now; ``None`` if none would."""
    for limit in limits_of(limits, client_id):
        number, worth = _gone_out(connection, limit, now - timedelta(seconds=limits.withdrawals_window_s))
        would_be = worth + cents if limit.cents else number + n_trades
        if would_be > limit.most:
            return Hit(limit, would_be, limits.withdrawals_window_s)
    return None


def _gone_out(connection: Connection, limit: Limit, since: datetime) -> tuple[int, int]:
    """Trades and cents."""
    resumed = connection.scalar(select(resumptions.c.resumed_at).where(resumptions.c.switch == limit.switch))
    query = (
        select(func.count(trades.c.trade_id.distinct()), func.sum(trade_items.c.value_cents))
        .join(trade_items, trade_items.c.trade_id == trades.c.trade_id)
        .where(trades.c.direction == Direction.WITHDRAW.value, trades.c.begun_at > max(since, resumed or since))
        .where(trades.c.status.not_in(_ENDED), trades.c.approved_at.is_(None))
    )
    if limit.client_id is not None:
        query = query.where(trades.c.client_id == limit.client_id)
    number, cents = connection.execute(query).one()
    return int(number), int(cents or 0)


async def pause(ctx: Context, hit: Hit) -> None:
    """Pause what the limit is about, with an alarm; again it changes nothing."""
    ctx.switches.take_over(await ctx.db.run(write_pause, hit, ctx.clock.now()))


def write_pause(connection: Connection, hit: Hit, now: datetime) -> list[switches.Pause]:
    """`pause` inside a transaction; everything that is paused then."""
    limit = hit.limit
    if switches.turn_on(connection, limit.switch, By(WHO, now), f"limit of withdrawals reached: {limit.name}"):
        event = _alarm(connection, hit)
        events.append(connection, events.row("alarm", event, By(WHO, now)))
        logger.error("alarm", action=ALARM, limit=limit.name, client=event["client"], would_be=hit.would_be, at_most=limit.most)
    return switches.read(connection)


def _alarm(connection: Connection, hit: Hit) -> dict[str, Any]:
    limit, client, command = hit.limit, None, f"fleet switches resume {switches.WITHDRAWALS}"
    if limit.client_id is not None:
        client = connection.scalar(select(clients.c.name).where(clients.c.client_id == limit.client_id))
        command += f" --client {client}"
    return {
        "alarm": ALARM,
        "limit": limit.name,
        "client": client,
        "at_most": limit.most,
        "would_be": hit.would_be,
        "window_s": hit.window_s,
        "action": ACTION.format(command=command),
    }
