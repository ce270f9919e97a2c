"""What an operator reads of alarms, wherever they read it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from balancer.journal.events import Event
from balancer.journal.kinds import cards

SHOWN_MAX = 10


def title(alarms: Sequence[Event]) -> str:
    """As in ``trade fleet: bot_restricted, red-3``, or ``trade fleet: 3 alarms``."""
    if len(alarms) > 1:
        return f"trade fleet: {len(alarms)} alarms"
    [alarm] = alarms
    about = alarm.bot or alarm.trade_id
    return f"trade fleet: {alarm.data.get('alarm')}" + (f", {about}" if about else "")


def body(alarms: Sequence[Event], ops_url: str) -> str:
    """Each alarm with its time, what it is about and what to do; after `SHOWN_MAX` only how many more there are."""
    parts = [_one(alarm, ops_url) for alarm in alarms[:SHOWN_MAX]]
    if more := len(alarms) - SHOWN_MAX if len(alarms) > SHOWN_MAX else 0:
        parts.append(f"and {more} more: fleet alarms list")
    return "\n\n".join(parts)


def _one(alarm: Event, ops_url: str) -> str:
    about = ", ".join(part for part in (alarm.bot, alarm.trade_id, alarm.user_id) if part)
    reason = alarm.data.get("reason")
    lines = [
        f"{datetime.fromtimestamp(alarm.at, UTC):%Y-%m-%d %H:%M:%S} UTC, no. {alarm.number}: {alarm.data.get('alarm')}"
        + (f" ({about})" if about else ""),
        *([f"reason: {reason}"] if isinstance(reason, str) else []),
        f"what to do: {alarm.data.get('action', 'look at its story')}",
        f"more: {cards.card_of(str(alarm.data.get('alarm')))}",
        *([f"{ops_url.rstrip('/')}/alarms#{alarm.number}"] if ops_url else []),
    ]
    return "\n".join(lines)
