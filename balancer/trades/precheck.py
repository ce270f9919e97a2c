"""May this player trade, and what they should be told: asked before the site shows a player what could be deposited.

Each check is told by itself: passed, failed with the code and the sentence that a deposit would be refused with, or not known.
Steam says one thing at a time: after a trade URL that is wrong nobody has seen the inventory. Nothing is reserved here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, or_, select

from balancer.db.tables import users
from balancer.items.readings import PlayerInventory
from balancer.spoken import PlayerMessage
from balancer.trades import players, shares
from balancer.trades.players import Holdings
from shared.errors import Conflict, FleetError
from shared.sections import LimitSettings


class What(StrEnum):
    TRADE_URL = "trade_url"
    HOLD = "hold"
    TRADE_BAN = "trade_ban"
    INVENTORY = "inventory"
    LEVEL = "level"
    OPEN_OFFERS = "open_offers"
    SLOTS = "slots"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that could keep a player from trading. `ok` is null when it is not known."""

    check: What
    ok: bool | None
    code: Annotated[str | None, Field(description="That of the refusal which a deposit would get; null: none")]
    player_message: PlayerMessage | None


@dataclass(frozen=True, slots=True)
class Precheck:
    """Whether a player may deposit. `may_trade` is false when a check failed, and null when one that matters is not known."""

    user_id: str
    steam_id: str
    may_trade: bool | None
    checks: list[Check]
    free_slots: Annotated[int, Field(description="How many more items this player may have here")]
    hold_days: int | None
    level: Annotated[int | None, Field(description="Steam level; null when nobody asked or the profile does not show it")]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the player has here already; ``blocked``: a trade with them was reversed."""

    holdings: Holdings
    blocked: bool


# Which check a refusal of Steam's decides; those before it in this order have passed, those behind it are not known.
SEEN = (What.TRADE_URL, What.HOLD, What.TRADE_BAN, What.INVENTORY)
FAILS = {
    "foreign_trade_url": What.TRADE_URL,
    "trade_url_wrong": What.TRADE_URL,
    "partner_hold": What.HOLD,
    "partner_banned": What.TRADE_BAN,
    "inventory_private": What.INVENTORY,
}
MESSAGES = {
    "level_too_low": "Your Steam level is too low to trade here.",
    "level_unknown": "Your Steam profile does not show its level. Set it to public in Steam's privacy settings and try again.",
    "partner_blocked": "A trade of yours was taken back at Steam. Our support has to look at it first.",
    "inventory_full": "You have as many items here as one player may have. Withdraw some first.",
}
# What passes without being known: an offer shows it, or nothing depends on it.
_OPTIONAL = frozenset({What.HOLD, What.LEVEL})


def standing(connection: Connection, user_id: str, steam_id: int) -> Standing:
    """What this player has here, without a lock.

    Raises:
        Conflict: ``user_mismatch``, user or Steam account are bound to another.
    """
    rows = list(connection.execute(select(users).where(or_(users.c.user_id == user_id, users.c.steam_id == steam_id))))
    if rows and [(row.user_id, row.steam_id) for row in rows] != [(user_id, steam_id)]:
        raise Conflict("this user or this Steam account is bound to another one", code="user_mismatch")
    unanswered = rows[0].unanswered if rows else 0
    return Standing(players.holdings(connection, user_id, steam_id, unanswered), bool(rows and rows[0].blocked_by))


def of(
    user_id: str,
    steam_id: int,
    read: PlayerInventory | FleetError,
    here: Standing,
    limits: LimitSettings,
    words: dict[str, str],
) -> Precheck:
    """All checks. Pure. ``read`` is the inventory or why there is none, ``words`` the sentences of codes."""
    error = read if isinstance(read, FleetError) else None
    inventory = read if isinstance(read, PlayerInventory) else None
    free = max(0, limits.inventory_limit - here.holdings.items)
    excess = shares.deposit_excess(limits, here.holdings, 1, 1)
    checks = [
        *_seen(inventory, error, words),
        *_level(inventory, limits),
        _check(What.OPEN_OFFERS, None if excess is None else excess.error_code, excess.player_message if excess else None),
        _check(What.SLOTS, None if free else "inventory_full"),
        _check(What.BLOCKED, "partner_blocked" if here.blocked else None),
    ]
    return Precheck(
        user_id=user_id,
        steam_id=str(steam_id),
        may_trade=_all(checks),
        checks=checks,
        free_slots=free,
        hold_days=inventory.hold_days if inventory else None,
        level=inventory.level if inventory else None,
    )


def _seen(inventory: PlayerInventory | None, error: FleetError | None, words: dict[str, str]) -> list[Check]:
    """What only Steam knows. A hold may be unknown although everything else was seen."""
    code = error.error_code if error else "partner_hold" if inventory and inventory.hold_days else None
    failed = FAILS.get(code or "")
    checks = []
    for what in SEEN:
        if what is failed and code is not None:
            sentence = error.player_message if error and error.player_message else words.get(code)
            checks.append(Check(what, False, code, sentence))
        elif inventory is not None:
            known = what is not What.HOLD or inventory.hold_days is not None
            checks.append(Check(what, True if known else None, None, None))
        else:
            checks.append(Check(what, None, None, None))
    return checks


def _level(inventory: PlayerInventory | None, limits: LimitSettings) -> list[Check]:
    """Nothing where no level is wanted."""
    if not limits.steam_level_min:
        return []
    if inventory is None or inventory.level is None:
        code = None if inventory is None else "level_unknown"
        return [Check(What.LEVEL, None, code, MESSAGES.get(code or ""))]
    return [_check(What.LEVEL, "level_too_low" if inventory.level < limits.steam_level_min else None)]


def _check(what: What, code: str | None, sentence: str | None = None) -> Check:
    return Check(what, code is None, code, sentence or MESSAGES.get(code or ""))


def _all(checks: list[Check]) -> bool | None:
    if any(each.ok is False for each in checks):
        return False
    return None if any(each.ok is None and each.check not in _OPTIONAL for each in checks) else True
