"""What an item is, as the bot that holds it reports: a different item than in the row freezes the row, a new name does not.

Before an item comes, the bot that read the player's inventory says what it is; an intruder on that host could
say anything. The bot that received the item says it again, and this counts: with Steam's receipt, at settlement, in an audit.

The *phase* of a Doppler is part of what it is: another one than in the row is a swap, and one that the row does not know yet is
the row's from now on.

Valve renames items, too. Another name is a *rename* if a bot has called the item's class (Steam's ``classid``) by the row's
name before: the bot that holds the item itself, or another of its group, whose word is as good; or bots of two other groups.
The class that the reader of the player's inventory told proves nothing, as it may have been made up like the name. The row then
follows the new name and keeps the value at which it was taken in. Everything else is a *swap*: frozen, under the item's real
name and at that one's value (``docs/decisions/0009-what-an-item-is.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, Row, case, func, literal, select, update

from balancer.db import pipeline
from balancer.db.tables import deposits, items
from balancer.journal import alarms
from balancer.journal.by import By
from shared import strict
from shared.domain import phases
from shared.domain.ids import BotName, group_of
from shared.domain.items import item_id_of
from shared.domain.status import DepositStatus

FROZEN = "swapped"
NAME_MAX = 500
CLASS_MAX = 20
GROUPS_THAT_AGREE = 2
ValueOf = Callable[[str], int | None]
_HERE = [DepositStatus.ACTIVE.value, DepositStatus.WITHDRAW_PENDING.value]


@dataclass(frozen=True, slots=True)
class Named:
    """What a bot calls an item that it holds; ``class_id`` is empty, ``phase`` is ``None`` if it did not say."""

    name: str
    class_id: str = ""
    phase: str | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self | None:
        """As a report has it; ``None`` if it names nothing."""
        name = data.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= NAME_MAX:
            return None
        return cls(name, strict.maybe_text(data.get("class_id"), CLASS_MAX), phases.known(data.get("phase")))


def compare(
    connection: Connection, names: Mapping[str, Named], value_of: ValueOf, by: By, trade_id: str | None = None
) -> list[str]:
    """Freeze those rows (deposit id → what its bot says of the item) under which another item lies. The ids of these.

    Their item and value become those of the real name, or 0 if nobody knows a value. A second time it changes nothing.
    """
    if not names:
        return []
    query = select(deposits, items.c.market_hash_name).join(items, items.c.item_id == deposits.c.item_id)
    query = query.where(deposits.c.deposit_id.in_(names), deposits.c.status.in_(_HERE)).order_by(deposits.c.deposit_id)
    swapped: list[str] = []
    confirmed: dict[str, list[str]] = {}
    for row in connection.execute(query.with_for_update(of=deposits)).all():
        named = names[row.deposit_id]
        if named.name == row.market_hash_name:
            if named.phase and row.phase and named.phase != row.phase:
                _freeze(connection, row, named, _worth(named, value_of), by, trade_id)
                swapped.append(str(row.deposit_id))
                continue
            if named.phase and not row.phase:
                this_row = deposits.c.deposit_id == row.deposit_id
                connection.execute(update(deposits).where(this_row).values(phase=named.phase, touched=by.now))
            if named.class_id and named.class_id != row.named_class:
                confirmed.setdefault(named.class_id, []).append(row.deposit_id)
        elif _is_renamed(connection, row, named):
            rename(connection, _bot(row), named.class_id, row.market_hash_name, named.name, by, row.deposit_id)
        else:
            _freeze(connection, row, named, _worth(named, value_of), by, trade_id)
            swapped.append(str(row.deposit_id))
    for class_id, ids in confirmed.items():
        connection.execute(update(deposits).where(deposits.c.deposit_id.in_(ids)).values(named_class=class_id))
    return swapped


def rename(
    connection: Connection,
    bot: BotName,
    class_id: str,
    old: str,
    new: str,
    by: By,
    deposit_id: str | None = None,
) -> None:
    """Let this row, and all of the bot's that it has called so, follow the new name of their class; an alarm, once.

    What they are worth stays: it is what they were taken in at.
    """
    known = (deposits.c.named_class == class_id) if deposit_id is None else _either(class_id, deposit_id)
    here = (deposits.c.color == bot.color, deposits.c.bot_id == bot.bot_id, deposits.c.status.in_(_HERE))
    item_id = _know(connection, new)
    # Name, wear, pattern and tag: the item is found by it if its asset id changes.
    its_print = deposits.c.fingerprint
    fingerprint = case(
        (its_print.startswith(f"{old}|", autoescape=True), literal(new).concat(func.substr(its_print, len(old) + 1))),
        else_=its_print,
    )
    connection.execute(
        update(deposits)
        .where(*here, known, deposits.c.item_id == item_id_of(old))
        .values(item_id=item_id, named_class=class_id, fingerprint=fingerprint, touched=by.now)
    )
    alarms.of_rename(connection, str(bot), class_id, old, new, by)


def _either(class_id: str, deposit_id: str) -> ColumnElement[bool]:
    return (deposits.c.named_class == class_id) | (deposits.c.deposit_id == deposit_id)


def _is_renamed(connection: Connection, row: Row[Any], named: Named) -> bool:
    """Whether those whose word counts have called this class by the row's name."""
    if not named.class_id:
        return False
    if row.named_class is not None:
        return bool(row.named_class == named.class_id)
    called_so = (deposits.c.item_id == row.item_id, deposits.c.named_class == named.class_id, deposits.c.bot_id.is_not(None))
    holders = connection.execute(select(deposits.c.color, deposits.c.bot_id).where(*called_so).distinct())
    groups = {(each.color, group_of(each.bot_id)) for each in holders}
    return (row.color, group_of(row.bot_id)) in groups or len(groups) >= GROUPS_THAT_AGREE


def _worth(named: Named, value_of: ValueOf) -> int:
    return value_of(phases.priced_name(named.name, named.phase)) or 0


def _freeze(connection: Connection, row: Row[Any], named: Named, cents: int, by: By, trade_id: str | None) -> None:
    values = {
        "item_id": _know(connection, named.name),
        "named_class": named.class_id or None,
        "phase": named.phase,
        "value_cents": cents,
        "frozen_by": row.frozen_by or FROZEN,
        "touched": by.now,
    }
    connection.execute(update(deposits).where(deposits.c.deposit_id == row.deposit_id).values(values))
    data = {
        "deposit_id": row.deposit_id,
        "said": phases.priced_name(row.market_hash_name, row.phase),
        "is": phases.priced_name(named.name, named.phase),
        "value_cents_said": row.value_cents,
        "value_cents": cents,
    }
    alarms.of_row(connection, alarms.SWAPPED, row, trade_id, data, by)


def _know(connection: Connection, name: str) -> str:
    item_id = item_id_of(name)
    new = pipeline.insert(connection, items).values(item_id=item_id, market_hash_name=name)
    connection.execute(new.on_conflict_do_nothing())
    return item_id


def _bot(row: Row[Any]) -> BotName:
    return BotName(row.color, row.bot_id)
