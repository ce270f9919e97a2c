"""What operators decided about rows that stay frozen: carried out by what the bot's next reading shows, or dropped.

Nobody's word alone moves an item or ends a row. Two people decide (`balancer.custody.decide`), and a reading that the bot was
asked for afterwards has to agree: what is released lies in the bot's inventory, what is written off is missing there for a
second time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from balancer.custody import departures
from balancer.custody.audit.freeze import ROW_FROZEN
from balancer.custody.compare import Difference, Entry, Kind, Seen
from balancer.db.tables import decisions, deposits, items
from balancer.journal import effects, events, record
from balancer.journal.by import By
from shared import log
from shared.domain.ids import bot_name
from shared.domain.items import CONTEXT_NORMAL
from shared.domain.status import Decision, DepositStatus

# Rows that nothing else lets go: nobody knows which asset is theirs, or the item is gone.
STUCK = frozenset({effects.FROZEN_UNMATCHED, effects.FROZEN_RECEIPT, effects.FROZEN_GONE, departures.FROZEN, ROW_FROZEN})

logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a bot's inventory against its rows; ``counted`` are keys of differences that were there before."""

    asked_at: datetime
    rows: Sequence[Entry]
    seen: Sequence[Seen]
    differences: Sequence[Difference]
    counted: Collection[str]


def carry_out(connection: Connection, color: str, bot_id: int, reading: Reading, now: datetime) -> None:
    """Do what was decided about rows of this bot before it was asked to read. A second time nothing is left to do."""
    query = (
        select(decisions.c.decision, decisions.c.asset_id.label("named"), decisions.c.reason, decisions.c.agreed_by, deposits)
        .add_columns(items.c.market_hash_name)
        .join(deposits, deposits.c.deposit_id == decisions.c.deposit_id)
        .join(items, items.c.item_id == deposits.c.item_id)
        .where(deposits.c.color == color, deposits.c.bot_id == bot_id)
        .where(decisions.c.agreed_at.is_not(None), decisions.c.agreed_at <= reading.asked_at)
        .order_by(decisions.c.deposit_id)
        .with_for_update(of=deposits)
    )
    entries = {entry.deposit_id: entry for entry in reading.rows}
    for row in list(connection.execute(query)):
        entry = entries.get(row.deposit_id)
        if row.frozen_by not in STUCK or entry is None:
            _drop(connection, row, "not_frozen", now)
        elif entry.must:  # else something goes on with it: the next reading will tell
            _one(connection, row, reading, now)


def _one(connection: Connection, row: Row[Any], reading: Reading, now: datetime) -> None:
    status = DepositStatus(row.status)
    view = {"deposit_id": row.deposit_id, "frozen_by": row.frozen_by, "reason": row.reason}
    if row.decision == Decision.WRITE_OFF:
        missing = [each for each in reading.differences if each.kind is Kind.MISSING and each.deposit_id == row.deposit_id]
        if not missing:
            _drop(connection, row, "item_may_be_here", now)
        elif missing[0].key in reading.counted:
            after = effects.of_write_off(status, row.deposit_id)
            record.record_decision(connection, "deposit_written_off", row, after, view, By(row.agreed_by, now))
            _forget(connection, row.deposit_id)
        return
    asset_id = str(row.named or row.asset_id)
    why_not = _why_not(asset_id, row, reading)
    if why_not is not None:
        _drop(connection, row, why_not, now)
        return
    after = effects.of_release(status, row.deposit_id, int(asset_id), CONTEXT_NORMAL)
    view |= {"asset_id": asset_id}
    record.record_decision(connection, "deposit_released", row, after, view, By(row.agreed_by, now))
    _forget(connection, row.deposit_id)


def _why_not(asset_id: str, row: Row[Any], reading: Reading) -> str | None:
    """Why this asset cannot be the row's item."""
    asset = next((each for each in reading.seen if each.asset_id == asset_id), None)
    if asset is None:
        return "item_not_here"
    if any(each.asset_id == asset_id and each.must and each.deposit_id != row.deposit_id for each in reading.rows):
        return "item_of_another_row"
    if asset.name != row.market_hash_name:
        return "another_item"
    if row.fingerprint is not None and asset.fingerprint not in (None, row.fingerprint):
        return "another_copy"
    return None if asset.context_id == CONTEXT_NORMAL else "item_protected"


def _drop(connection: Connection, row: Row[Any], why: str, now: datetime) -> None:
    """The bot's reading contradicts the decision: nothing is done, and the row stays as it is."""
    data = {"deposit_id": row.deposit_id, "decision": row.decision, "why": why}
    bot = bot_name(row)
    events.append(connection, events.row("deposit_decision_dropped", data, By(row.agreed_by, now), None, row.user_id, bot))
    logger.warning("decision dropped", action="decision", bot=bot, reason=why)
    _forget(connection, row.deposit_id)


def _forget(connection: Connection, deposit_id: str) -> None:
    connection.execute(delete(decisions).where(decisions.c.deposit_id == deposit_id))
