"""What an operator wants to see first: trades under way, what waits and for what, and what nobody has looked at yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from balancer.journal import open_alarms
from balancer.metrics import figures
from shared.domain.status import TradeStatus


@dataclass(frozen=True, slots=True)
class Glance:
    """Counts of one moment; ages are seconds."""

    deposits: dict[str, int]  # trades under way by status
    withdrawals: dict[str, int]
    waiting: dict[str, int]  # queued ones by what they wait for (`WaitsFor`); without one, their order is given or due
    oldest_s: float  # since the one that changed longest ago did; accepted trades, which Steam's protection keeps, are left out
    doubts: int
    orders_due: int  # orders that no bot's queue has yet
    alarms: int  # that nobody has acknowledged
    differences: int  # of audits, that nobody has said they know
    webhooks_owed: int
    webhooks_disabled: int
    paused: tuple[str, ...]  # switches of the whole fleet


def read(connection: Connection, now: datetime) -> Glance:
    """One reading; each statement is answered by an index or by a small table."""
    result = figures.read(connection, None, now)
    by_way: dict[str, dict[str, int]] = {"deposit": {}, "withdraw": {}}
    waiting: dict[str, int] = {}
    oldest = 0.0
    for (direction, status, waits_for), (count, age_s) in result.live.items():
        way = by_way.setdefault(direction, {})
        way[status] = way.get(status, 0) + count
        if waits_for:
            waiting[waits_for] = waiting.get(waits_for, 0) + count
        elif status != TradeStatus.ACCEPTED.value:
            oldest = max(oldest, age_s)
    return Glance(
        deposits=by_way["deposit"],
        withdrawals=by_way["withdraw"],
        waiting=waiting,
        oldest_s=oldest,
        doubts=sum(way.get(TradeStatus.IN_DOUBT.value, 0) for way in by_way.values()),
        orders_due=result.orders["due"][0],
        alarms=open_alarms.count(connection),
        differences=result.differences["false"],
        webhooks_owed=sum(count for count, _ in result.owed.values()),
        webhooks_disabled=result.targets["disabled"],
        paused=tuple(sorted(name for name, paused in result.paused.items() if paused)),
    )
