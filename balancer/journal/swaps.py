"""A row under which lies another item than it says: frozen, under the item's real name and at that one's value.

What an item is was told before it came, by the bot that read the player's inventory: whoever has that bot's host could say
anything. The bot that received it says it again, and its word counts: with Steam's receipt, when it settles, and in an audit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection, select, update

from balancer.db import repository
from balancer.db.tables import deposits, items
from balancer.journal import alarms
from shared.domain.status import DepositStatus

FROZEN = "swapped"
ValueOf = Callable[[str], int | None]
_HERE = [DepositStatus.ACTIVE.value, DepositStatus.WITHDRAW_PENDING.value]


def compare(
    connection: Connection, told: Mapping[str, str], value_of: ValueOf, who: str, now: datetime, trade_id: str | None = None
) -> list[str]:
    """Freeze those rows (deposit id → the name that the receiving bot tells) that say another name. The ids of these.

    The row's item and value become those of the real name, or 0 if nobody knows a value. A second time it changes nothing.
    """
    if not told:
        return []
    query = select(deposits, items.c.market_hash_name).join(items, items.c.item_id == deposits.c.item_id)
    query = query.where(deposits.c.deposit_id.in_(told), deposits.c.status.in_(_HERE)).order_by(deposits.c.deposit_id)
    swapped = []
    for row in connection.execute(query.with_for_update(of=deposits)):
        name = told[row.deposit_id]
        if name == row.market_hash_name:
            continue
        item_id, cents = repository.item_id_of(name), value_of(name) or 0
        new = repository.insert(connection, items).values(item_id=item_id, market_hash_name=name)
        connection.execute(new.on_conflict_do_nothing())
        values = {"item_id": item_id, "value_cents": cents, "frozen_by": row.frozen_by or FROZEN, "touched": now}
        connection.execute(update(deposits).where(deposits.c.deposit_id == row.deposit_id).values(values))
        data = {
            "deposit_id": row.deposit_id,
            "said": row.market_hash_name,
            "is": name,
            "value_cents_said": row.value_cents,
            "value_cents": cents,
        }
        alarms.of_row(connection, alarms.SWAPPED, row, trade_id, data, who, now)
        swapped.append(str(row.deposit_id))
    return swapped
