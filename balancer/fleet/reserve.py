"""Reserving slots and open offers of bots inside a transaction: what makes a choice true.

The snapshot that a choice is made from may be old. So each choice is tried with a guarded UPDATE that refuses to go over a
limit or to a bot that takes nothing; the row it left unchanged is read, believed, and another choice made. "No bot" is said
only after the database itself was asked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text, update

from balancer.db import engine, pipeline
from balancer.db.pipeline import Step
from balancer.db.tables import bots
from balancer.fleet.choose import Limits, Part, Refusal
from balancer.fleet.snapshot import RETRY_AFTER_S, Fleet
from shared.domain.health import BOT_RESTRICTED, May
from shared.domain.ids import BotName
from shared.domain.status import BotMode
from shared.errors import Conflict, NoBotAvailable

# What a bot must be to take ``n`` items in ``offers`` offers, whichever statement asks.
_GUARD = (
    "mode = 'active' AND frozen_by IS NULL "
    "AND slots_held + slots_reserved + {n} <= {items_max} AND open_offers + {offers} <= {offers_max}"
)
_TAKE = text(
    "UPDATE bots SET slots_reserved = slots_reserved + :n, open_offers = open_offers + :offers "  # noqa: S608
    "WHERE color = :color AND bot_id = :bot_id AND "
    + _GUARD.format(n=":n", offers=":offers", items_max=":items_max", offers_max=":offers_max")
)

# A restriction lasts minutes at least.
RESTRICTED_AGAIN_S = 60.0

_SENTENCES = {
    Refusal.NONE_ONLINE: "no bot is online",
    Refusal.OFFERS_FULL: "every bot has as many open offers as deposits may use",
    Refusal.SLOTS_FULL: "no bots together have room for this many items",
}


def for_deposit(
    connection: Connection,
    fleet: Fleet,
    holdings: Mapping[str, int],
    n_items: int,
    color: str | None,
    barred: Collection[str] = (),
) -> list[Part]:
    """Reserve slots and open offers for ``n_items``: which bots, other than those barred, take how many.

    Raises:
        NoBotAvailable: the bots that are online and active have no room for all of them, by the database's own word.
    """
    asked = False
    while True:
        parts = fleet.choose(holdings, n_items, color, barred)
        if isinstance(parts, Refusal):
            if asked:
                raise _nobody(fleet, parts, color)
            asked = True
            _ask_database(connection, fleet, color)
        elif _take_all(connection, fleet, sorted(parts, key=_place)):
            return parts


def _nobody(fleet: Fleet, why: Refusal, color: str | None) -> NoBotAvailable:
    """None takes it; if some are there that Steam keeps from it, that is the reason."""
    there = [bot for bot in fleet.online() if color in (None, bot.color)]
    if why is Refusal.NONE_ONLINE and (held := next((bot.restriction for bot in there if bot.restriction), None)):
        return _restricted("Steam keeps the bots that are online from trading", held)
    return NoBotAvailable(_SENTENCES[why], reason=why.value, retry_after_s=RETRY_AFTER_S)


def _restricted(detail: str, reason: str) -> NoBotAvailable:
    return NoBotAvailable(detail, code=BOT_RESTRICTED, reason=reason, retry_after_s=RESTRICTED_AGAIN_S)


def _place(part: Part) -> BotName:
    return BotName.parse(part[0])


def _take_all(connection: Connection, fleet: Fleet, parts: list[Part]) -> bool:
    """Take every part or none. Bots in their order, so that two requests wait for each other and do not deadlock."""
    for number, part in enumerate(parts):
        if not _take(connection, fleet.limits, part):
            for taken in parts[:number]:
                _let_go(connection, fleet.limits, taken)
            _believe(connection, fleet, [name for name, _ in parts])
            return False
    return True


def _take(connection: Connection, limits: Limits, part: Part) -> bool:
    name, n_items = part
    bot = BotName.parse(name)
    values = {
        "color": bot.color,
        "bot_id": bot.bot_id,
        "n": n_items,
        "offers": limits.trades(n_items),
        "items_max": limits.items_max,
        "offers_max": limits.offers_max,
    }
    return bool(connection.execute(_TAKE, values).rowcount)


class Stale(Exception):
    """A bot has less room than the snapshot said; the transaction must be given up."""


# The same guarded UPDATE for many bots. PostgreSQL locks them in their order first: an UPDATE of many rows has none.
_TAKE_MANY = """
    UPDATE bots SET slots_reserved = slots_reserved + w.n, open_offers = open_offers + w.offers FROM {wanted}
    WHERE bots.color = w.color AND bots.bot_id = w.bot_id AND {guard}
"""
_WANTED = "json_to_recordset(%(wanted)s::json) AS w (color TEXT, bot_id INTEGER, n INTEGER, offers INTEGER)"
_LOCK_BOTS = f"""
    SELECT bots.bot_id FROM bots JOIN {_WANTED} ON bots.color = w.color AND bots.bot_id = w.bot_id
    ORDER BY bots.color, bots.bot_id FOR NO KEY UPDATE OF bots
"""  # noqa: S608
_TAKE_POSTGRES = _TAKE_MANY.format(
    wanted=_WANTED,
    guard=_GUARD.format(n="w.n", offers="w.offers", items_max="%(items_max)s", offers_max="%(offers_max)s"),
)
_TAKE_SQLITE = _TAKE_MANY.format(
    wanted="(SELECT json_extract(value, '$.color') AS color, json_extract(value, '$.bot_id') AS bot_id, "
    "json_extract(value, '$.n') AS n, json_extract(value, '$.offers') AS offers FROM json_each(:wanted)) AS w",
    guard=_GUARD.format(n="w.n", offers="w.offers", items_max=":items_max", offers_max=":offers_max"),
)


def take_many(connection: Connection, limits: Limits, parts: Iterable[Part], then: Sequence[Step]) -> None:
    """Take all these parts of several deposits and do the steps that follow, in one round trip.

    Raises:
        Stale: at least one bot refuses.
        DBAPIError: a step failed.
    """
    wanted: dict[str, dict[str, Any]] = {}
    for name, n_items in parts:
        bot = BotName.parse(name)
        mine = wanted.setdefault(name, {"color": bot.color, "bot_id": bot.bot_id, "n": 0, "offers": 0})
        mine["n"] += n_items
        mine["offers"] += limits.trades(n_items)
    rows = {"wanted": json.dumps(list(wanted.values()))}
    values = {**rows, "items_max": limits.items_max, "offers_max": limits.offers_max}
    if engine.is_postgres(connection):
        taking = [Step(_LOCK_BOTS, rows), Step(_TAKE_POSTGRES, values)]
    else:
        taking = [Step(_TAKE_SQLITE, values)]
    if pipeline.run(connection, [*taking, *then])[len(taking) - 1] != len(wanted):
        raise Stale


def _let_go(connection: Connection, limits: Limits, part: Part) -> None:
    bot = BotName.parse(part[0])
    connection.execute(
        update(bots)
        .where(bots.c.color == bot.color, bots.c.bot_id == bot.bot_id)
        .values(slots_reserved=bots.c.slots_reserved - part[1], open_offers=bots.c.open_offers - limits.trades(part[1]))
    )


def _believe(connection: Connection, fleet: Fleet, names: Iterable[str]) -> None:
    """Read these bots' rows and correct the snapshot by them."""
    for name in names:
        bot = BotName.parse(name)
        row = connection.execute(select(bots).where(bots.c.color == bot.color, bots.c.bot_id == bot.bot_id)).first()
        fleet.correct([] if row is None else [row])


def _ask_database(connection: Connection, fleet: Fleet, color: str | None) -> None:
    """Correct the snapshot by every bot that has any room at all."""
    limits = fleet.limits
    query = select(bots).where(
        bots.c.mode == BotMode.ACTIVE.value,
        bots.c.frozen_by.is_(None),
        bots.c.slots_held + bots.c.slots_reserved < limits.items_max,
        bots.c.open_offers < limits.offers_max,
    )
    if color is not None:
        query = query.where(bots.c.color == color)
    fleet.correct(list(connection.execute(query)))


def any_has_room(connection: Connection, fleet: Fleet, names: Iterable[str], color: str | None) -> bool:
    """Whether one of these bots (of this color) is online and active and has a free slot and a free offer just now."""
    for name in names:
        bot, view = BotName.parse(name), fleet.get(name)
        if view is None or May.TAKE not in view.may or color not in (None, bot.color):
            continue
        row = connection.execute(select(bots).where(bots.c.color == bot.color, bots.c.bot_id == bot.bot_id)).first()
        if row is None or row.mode != BotMode.ACTIVE.value or row.frozen_by is not None:
            continue
        if row.slots_held + row.slots_reserved < fleet.limits.items_max and row.open_offers < fleet.limits.offers_max:
            return True
    return False


def check_gives(connection: Connection, fleet: Fleet, bot: BotName) -> None:
    """Whether the bot that holds the items gives anything out now.

    Raises:
        NoBotAvailable: it is offline, restricted (``bot_restricted``) or paused.
        Conflict: ``bot_frozen``, an audit found a difference and no operator has let it go on yet.
    """
    view = fleet.get(str(bot))
    if view is None or May.LOOK not in view.may:
        raise NoBotAvailable(f"{bot}, which holds these items, is offline", reason="bot_offline", retry_after_s=RETRY_AFTER_S)
    if view.restriction is not None and May.GIVE not in view.may:
        raise _restricted(f"{bot}, which holds these items, may not give anything now", view.restriction)
    row = connection.execute(select(bots).where(bots.c.color == bot.color, bots.c.bot_id == bot.bot_id)).one()
    if row.frozen_by is not None:
        raise Conflict(
            f"{bot}, which holds these items, is frozen until an operator has checked it", code="bot_frozen", bot=str(bot)
        )
    if row.mode == BotMode.PAUSED:
        raise NoBotAvailable(f"{bot}, which holds these items, is paused", reason="bot_paused", retry_after_s=RETRY_AFTER_S)


def for_one_bot(
    connection: Connection,
    fleet: Fleet,
    holdings: Mapping[str, int],
    n_items: int,
    color: str | None,
    barred: Collection[str],
) -> str | None:
    """Reserve slots and one open offer for these items with a single bot; its name, ``None`` if none takes all of them."""
    for asked in (False, True):
        parts = fleet.choose(holdings, n_items, color, barred)
        if isinstance(parts, Refusal) or len(parts) > 1:
            if not asked:
                _ask_database(connection, fleet, color)
        elif _take_all(connection, fleet, parts):
            return parts[0][0]
    return None


def take_offer(connection: Connection, bot: BotName, offers_max: int, now: datetime) -> bool:
    """Take one open offer of a bot that gives, for a withdrawal, if it has fewer than ``offers_max``. Whether it is taken."""
    taken = connection.execute(
        update(bots)
        .where(
            bots.c.color == bot.color,
            bots.c.bot_id == bot.bot_id,
            bots.c.mode != BotMode.PAUSED.value,
            bots.c.frozen_by.is_(None),
            bots.c.open_offers < offers_max,
        )
        .values(open_offers=bots.c.open_offers + 1, touched=now)
    )
    return bool(taken.rowcount)
