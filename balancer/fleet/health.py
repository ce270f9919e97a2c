"""What each bot may do, and why not: may it look, may it take, may it give (`shared.domain.health`).

A pure answer from a bot's row and its last heartbeat (`reasons`), and the telling of it: every change is an event
``bot_health`` beside the row that remembers what was told (`tell`), and what Steam keeps a bot from is an alarm too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PlainSerializer
from sqlalchemy import Connection, Row, update

from balancer.db.tables import bots
from balancer.fields import Time
from balancer.journal import alarms, record
from shared import log
from shared.domain.health import NOTHING, RESTRICTED, RESTRICTIONS, TRADES, May, rule_of
from shared.domain.status import BotMode
from shared.messages import Heartbeat

if TYPE_CHECKING:
    from balancer.context import Context
    from balancer.fleet.snapshot import Bot

logger = log.get(__name__)

WHO = "health"
ONLINE = "online"
OFFLINE = "offline"
LOOKS = frozenset({ONLINE, RESTRICTED})
STRANGE = "strange_confirmation"

_FREEZES = frozenset({STRANGE})


@dataclass(frozen=True, slots=True)
class BotMay:
    """What a bot may do now, asked apart: look (watch, find, settle, audit, read), take items in, give items out."""

    look: bool
    take: bool
    give: bool

    @classmethod
    def of(cls, may: frozenset[May]) -> BotMay:
        return cls(May.LOOK in may, May.TAKE in may, May.GIVE in may)


@dataclass(frozen=True, slots=True)
class BotWhyNot:
    """One reason why a bot may not do everything."""

    reason: Annotated[
        str, Field(description="As in bot_locked, bot_banned, own_hold, offline, paused; docs/operations.md has them all")
    ]
    since: Time | None  # null: nobody knows
    forbids: Annotated[frozenset[May], PlainSerializer(sorted, return_type=list[May])]
    action: Annotated[str, Field(description="What an operator should do")]


def reasons(row: Row[Any], beat: Heartbeat | None, state: str, reason: str | None, action: str | None) -> tuple[BotWhyNot, ...]:
    """Why this bot may not do everything; empty when it may. ``state``, ``reason``, ``action`` are what is shown of it."""
    found: list[BotWhyNot] = []
    if state not in LOOKS:
        found.append(BotWhyNot(reason if state != OFFLINE and reason else state, None, NOTHING, action or "wait"))
    elif beat is not None:
        for each in beat.restrictions:
            rule = rule_of(each["reason"])
            found.append(BotWhyNot(each["reason"], each["since_ms"] // 1000, rule.forbids, rule.action))
    if row.frozen_by is not None:
        found.append(BotWhyNot("frozen", None, TRADES, "find out why, then `fleet bots unfreeze`"))
    if row.mode == BotMode.PAUSED:
        found.append(BotWhyNot("paused", None, TRADES, "an operator has paused it: resume it"))
    if row.mode == BotMode.DRAINING:
        found.append(BotWhyNot("draining", None, frozenset({May.TAKE}), "an operator lets it give back only: resume it"))
    if not found:
        return ()
    since = _since(row.health)
    return tuple(replace(each, since=since.get(each.reason, each.since)) for each in found)


def allowed(why_not: Iterable[BotWhyNot]) -> frozenset[May]:
    """What is left."""
    return NOTHING.difference(*(each.forbids for each in why_not))


def _since(text: str | None) -> Mapping[str, int]:
    found: Mapping[str, int] = {} if text is None else json.loads(text)["since"]
    return found


# --- telling -----------------------------------------------------------------------------------------------


async def round_of(ctx: Context) -> int:
    """Tell of every bot whose health is another than was told. Returns how many; a second call tells nothing."""
    if not ctx.fleet.fresh:
        return 0  # without Redis nobody was heard of
    changed = [view for view in ctx.fleet.bots() if _key(view.why_not) != _key_told(view.health_told)]
    for view in changed:
        await ctx.db.run(tell, view, ctx.clock.now())
    return len(changed)


def tell(connection: Connection, view: Bot, now: datetime) -> bool:
    """Write down what this bot may do now, with the events that say so. Whether nobody else did before."""
    before = _since(view.health_told)
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
    record.append(connection, _events(view, why_not, new, sorted(before.keys() - since.keys()), now))
    return True


def _in_event(each: BotWhyNot, since: int) -> dict[str, Any]:
    return {"reason": each.reason, "since": since, "forbids": _words(each.forbids), "action": each.action}


def _events(
    view: Bot, why_not: list[dict[str, Any]], new: Sequence[BotWhyNot], over: list[str], now: datetime
) -> list[dict[str, Any]]:
    told = {"may": asdict(BotMay.of(view.may)), "why_not": why_not, "over": over}
    rows = [record.event_row("bot_health", told, WHO, now, None, None, view.name)]
    for each in new:
        rule = RESTRICTIONS.get(each.reason)
        if rule is not None and rule.alarm:
            data = {"alarm": alarms.RESTRICTED, "reason": each.reason, "forbids": _words(each.forbids), "action": each.action}
            rows.append(record.event_row("alarm", data, WHO, now, None, None, view.name))
            logger.error("alarm", action=alarms.RESTRICTED, bot=view.name, reason=each.reason)
    return rows


def _key(why_not: Iterable[BotWhyNot]) -> tuple[list[str], list[str]]:
    found = list(why_not)
    return sorted(each.reason for each in found), _words(allowed(found))


def _key_told(text: str | None) -> tuple[list[str], list[str]]:
    """Of a bot that nothing was told of: that it may do everything."""
    if text is None:
        return [], _words(NOTHING)
    told = json.loads(text)
    return sorted(told["since"]), sorted(told["may"])


def _words(what: Iterable[May]) -> list[str]:
    return sorted(each.value for each in what)
