"""Events about what each bot may do: every change is an event ``bot_health``, each restriction by Steam an alarm too.

The bot's row remembers what was reported last. `balancer.fleet.health` decides what a bot may do now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from balancer.db.engine import Database
from balancer.db.tables import bots
from balancer.fleet.bot import Bot
from balancer.fleet.health import BotMay, BotWhyNot, allowed, since_of
from balancer.fleet.snapshot import Fleet
from balancer.journal import alarms, events
from balancer.journal.by import By
from shared import log
from shared.clock import Clock
from shared.domain.health import NOTHING, RESTRICTIONS, May

logger = log.get(__name__)

WHO = "health"
STRANGE = "strange_confirmation"

_FREEZES = frozenset({STRANGE})


async def round_of(fleet: Fleet, db: Database, clock: Clock) -> int:
    """Tell of every bot whose health is another than was told. Returns how many; a second call tells nothing."""
    if not fleet.fresh:
        return 0  # without Redis nobody was heard of
    changed = [view for view in fleet.bots() if _key(view.why_not) != _key_told(view.health_told)]
    for view in changed:
        await db.run(tell, view, clock.now())
    return len(changed)


def tell(connection: Connection, view: Bot, now: datetime) -> bool:
    """Write down what this bot may do now, with the events that say so. Whether nobody else did before."""
    before = since_of(view.health_told)
    at = int(now.timestamp())
    since = {each.reason: min(before.get(each.reason, each.since or at), at) for each in view.why_not}
    mine = (bots.c.color == view.color, bots.c.bot_id == view.bot_id, bots.c.health.is_not_distinct_from(view.health_told))
    health = json.dumps({"may": _words(view.may), "since": since}, separators=(",", ":"))
    new = [each for each in view.why_not if each.reason not in before]
    values: dict[str, Any] = {"health": health}
    if frozen := next((each.reason for each in new if each.reason in _FREEZES), None):
        values |= {"frozen_by": view.frozen_by or frozen, "touched": now}
    if not connection.execute(update(bots).where(*mine).values(values)).rowcount:
        return False
    why_not = [_in_event(each, since[each.reason]) for each in view.why_not]
    events.append(connection, *_events(view, why_not, new, sorted(before.keys() - since.keys()), now))
    return True


def _in_event(each: BotWhyNot, since: int) -> dict[str, Any]:
    return {"reason": each.reason, "since": since, "forbids": _words(each.forbids), "action": each.action}


def _events(
    view: Bot, why_not: list[dict[str, Any]], new: Sequence[BotWhyNot], over: list[str], now: datetime
) -> list[dict[str, Any]]:
    event_data = {"may": asdict(BotMay.of(view.may)), "why_not": why_not, "over": over}
    rows = [events.row("bot_health", event_data, By(WHO, now), None, None, view.name)]
    for each in new:
        rule = RESTRICTIONS.get(each.reason)
        if rule is not None and rule.alarm:
            data = {"alarm": alarms.RESTRICTED, "reason": each.reason, "forbids": _words(each.forbids), "action": each.action}
            rows.append(events.row("alarm", data, By(WHO, now), None, None, view.name))
            logger.error("alarm", action=alarms.RESTRICTED, bot=view.name, reason=each.reason)
    return rows


def _key(why_not: Iterable[BotWhyNot]) -> tuple[list[str], list[str]]:
    codes = list(why_not)
    return sorted(each.reason for each in codes), _words(allowed(codes))


def _key_told(text: str | None) -> tuple[list[str], list[str]]:
    """Of a bot that nothing was told of: that it may do everything."""
    if text is None:
        return [], _words(NOTHING)
    data = json.loads(text)
    return sorted(data["since"]), sorted(data["may"])


def _words(what: Iterable[May]) -> list[str]:
    return sorted(each.value for each in what)
