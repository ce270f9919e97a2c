"""What each bot may do, and why not: may it look, may it take, may it give (`shared.domain.health`).

A pure answer from a bot's row and its last heartbeat; `balancer.fleet.health_events` tells of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field, PlainSerializer
from sqlalchemy import Row

from balancer.fields import Time
from shared.domain.health import NOTHING, RESTRICTED, TRADES, May, rule_of
from shared.domain.status import BotMode
from shared.reports import Heartbeat

ONLINE = "online"
OFFLINE = "offline"
LOOKS = frozenset({ONLINE, RESTRICTED})


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
    result: list[BotWhyNot] = []
    if state not in LOOKS:
        result.append(BotWhyNot(reason if state != OFFLINE and reason else state, None, NOTHING, action or "wait"))
    elif beat is not None:
        for each in beat.restrictions:
            rule = rule_of(each["reason"])
            result.append(BotWhyNot(each["reason"], each["since_ms"] // 1000, rule.forbids, rule.action))
    if row.frozen_by is not None:
        result.append(BotWhyNot("frozen", None, TRADES, "find out why, then `fleet bots unfreeze`"))
    if row.mode == BotMode.PAUSED:
        result.append(BotWhyNot("paused", None, TRADES, "an operator has paused it: resume it"))
    if row.mode == BotMode.DRAINING:
        result.append(BotWhyNot("draining", None, frozenset({May.TAKE}), "an operator lets it give back only: resume it"))
    if not result:
        return ()
    since = since_of(row.health)
    return tuple(replace(each, since=since.get(each.reason, each.since)) for each in result)


def allowed(why_not: Iterable[BotWhyNot]) -> frozenset[May]:
    """What is left."""
    return NOTHING.difference(*(each.forbids for each in why_not))


def since_of(text: str | None) -> Mapping[str, int]:
    """Since when each reason holds, as it stands in a bot's row."""
    stored: Mapping[str, int] = {} if text is None else json.loads(text)["since"]
    return stored
