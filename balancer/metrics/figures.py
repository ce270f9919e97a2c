"""The figures that only the database has, read in one go. Each statement is answered by an index or by a small table.

What is counted since the start comes from the feed of events, read on from where the last reading ended.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text

from balancer.db import engine
from balancer.db.tables import audits, events, switches, trades, webhook_deliveries, webhook_targets
from balancer.db.tables.columns import listed
from balancer.journal import events as feed
from balancer.metrics import words
from shared.domain.status import LIVE, TradeEvent, TradeStatus

# More events than this are counted with the next reading.
EVENTS_MAX = 20_000
ALARM = "alarm"
_KINDS = [feed.OPENED, ALARM, *(event.value for event in TradeEvent)]
_WENT_WELL = frozenset({TradeStatus.ACCEPTED, TradeStatus.SETTLED})
# Written out, as the planner takes an index of a part of a table only for the very words of that part.
_LIVE = text(f"trades.status IN ({listed(*LIVE)})")
_STATUSES = frozenset(status.value for status in TradeStatus)
_OPEN_SWITCHES = ("deposits", "withdrawals", "locks")

Move = tuple[str, str, str]  # direction, status, reason


@dataclass
class Figures:
    """One reading. Ages are seconds at the time of it."""

    number: int  # of the last event that is counted
    live: dict[Move, tuple[int, float]] = field(default_factory=dict)  # how many, and the age of the oldest
    orders: dict[str, tuple[int, float]] = field(default_factory=dict)  # ``given`` to a bot, or ``due``
    owed: dict[str, tuple[int, float]] = field(default_factory=dict)  # by whether their target is enabled
    targets: Counter[str] = field(default_factory=Counter)
    differences: Counter[str] = field(default_factory=Counter)  # by whether an operator has seen them
    verdicts: Counter[str] = field(default_factory=Counter)
    audit_s: float | None = None
    paused: dict[str, int] = field(default_factory=dict)
    moves: Counter[Move] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    offers: list[tuple[str, float]] = field(default_factory=list)  # direction, and seconds until there was an offer


def read(connection: Connection, after: int | None, now: datetime) -> Figures:
    """Everything; of events what is behind number ``after``, or nothing but where they end."""
    figures = Figures(feed.settled(connection) if after is None else after)
    _trades(connection, figures, now)
    _webhooks(connection, figures, now)
    _audits(connection, figures, now)
    _switches(connection, figures)
    if after is not None:
        _events(connection, figures, after)
    return figures


def _age_s(now: datetime, at: datetime | None) -> float:
    return 0.0 if at is None else max(0.0, (now - at).total_seconds())


def _trades(connection: Connection, figures: Figures, now: datetime) -> None:
    t = trades.c
    query = select(t.direction, t.status, t.waits_for, func.count().label("n"), func.min(t.touched).label("oldest"))
    for row in connection.execute(query.where(_LIVE).group_by(t.direction, t.status, t.waits_for)):
        figures.live[row.direction, row.status, row.waits_for or ""] = (row.n, _age_s(now, row.oldest))
    given = t.order_issued_at.is_not(None)
    since = func.min(func.coalesce(t.order_issued_at, t.next_try_at, t.touched), type_=t.touched.type)
    query = select(given.label("given"), func.count().label("n"), since.label("oldest")).where(
        _LIVE, t.status == TradeStatus.QUEUED.value, t.waits_for.is_(None)
    )
    figures.orders = {"given": (0, 0.0), "due": (0, 0.0)}
    for row in connection.execute(query.group_by(given)):
        figures.orders["given" if row.given else "due"] = (row.n, _age_s(now, row.oldest))


def _webhooks(connection: Connection, figures: Figures, now: datetime) -> None:
    enabled = {row.target_id: row.disabled_at is None for row in connection.execute(select(webhook_targets))}
    figures.targets.update("enabled" if each else "disabled" for each in enabled.values())
    d = webhook_deliveries.c
    query = select(d.target_id, func.count().label("n"), func.min(d.number).label("first")).where(d.delivered_at.is_(None))
    counts: Counter[str] = Counter()
    firsts: dict[str, int] = {}
    for row in connection.execute(query.group_by(d.target_id)):
        state = "enabled" if enabled.get(row.target_id) else "disabled"
        counts[state] += row.n
        firsts[state] = min(row.first, firsts.get(state, row.first))
    at = {row.number: row.at for row in connection.execute(_times(list(firsts.values())))}
    for state in ("enabled", "disabled"):
        figures.owed[state] = (counts[state], _age_s(now, at.get(firsts.get(state, -1))))


def _times(numbers: list[int]) -> Any:
    return select(events.c.number, events.c.at).where(events.c.number.in_(numbers))


def _audits(connection: Connection, figures: Figures, now: datetime) -> None:
    """One row for each bot."""
    a = audits.c
    query = select(a.verdict, func.count().label("n"), func.min(a.finished_at).label("oldest")).where(a.verdict.is_not(None))
    oldest = []
    for row in connection.execute(query.group_by(a.verdict)):
        figures.verdicts[row.verdict] = row.n
        oldest += [row.oldest] if row.oldest else []
    figures.audit_s = _age_s(now, min(oldest)) if oldest else None
    for row in connection.execute(select(a.differences, a.known).where(a.differences != "[]")):
        seen = set(json.loads(row.known))
        figures.differences.update("true" if each["key"] in seen else "false" for each in json.loads(row.differences))


def _switches(connection: Connection, figures: Figures) -> None:
    """Of the whole fleet; pauses of one client are not told here."""
    paused = set(connection.scalars(select(switches.c.switch).where(switches.c.switch.in_(_OPEN_SWITCHES))))
    figures.paused = {name: int(name in paused) for name in _OPEN_SWITCHES}


def _events(connection: Connection, figures: Figures, after: int) -> None:
    """Count what happened behind this number, up to `EVENTS_MAX` events, in the order of the feed."""
    e, t = events.c, trades.c
    settled = engine.settled_number(connection)
    end = select(e.number).where(e.number > after).order_by(e.number).limit(EVENTS_MAX)
    last = connection.scalar(select(func.max(end.subquery().c.number))) or after
    figures.number = last = last if settled is None else max(after, min(last, settled))
    query = (
        select(e.kind, e.at, e.data, t.direction, t.failure_code, t.created_at, t.begun_at)
        .join_from(events, trades, t.trade_id == e.trade_id, isouter=True)
        .where(e.number > after, e.number <= last, e.kind.in_(_KINDS))
    )
    for row in connection.execute(query):
        data = json.loads(row.data)
        if row.kind == ALARM:
            figures.alarms[words.known(str(data.get("alarm")), words.ALARM_NAMES)] += 1
        elif row.direction is not None and data.get("to") in _STATUSES and data["to"] != data.get("from"):
            _move(figures, row, TradeStatus(data["to"]))


def _move(figures: Figures, row: Any, to: TradeStatus) -> None:
    ended = to not in LIVE and to not in _WENT_WELL
    figures.moves[row.direction, to.value, words.known(row.failure_code, words.ENDS) if ended else ""] += 1
    if row.kind == TradeEvent.OFFER_ACTIVE:
        figures.offers.append((row.direction, _age_s(row.at, max(row.created_at, row.begun_at or row.created_at))))
