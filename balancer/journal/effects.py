"""Pure: what a trade's change of status, or a report about its items, means for its deposits and its bot's counters.

`balancer.journal.record` carries out what is decided here, in the transaction that moves the trade; nobody else calls it.

=========== ==================== =====================================================================================
direction   trade becomes        its deposits, and the slots of its bot
=========== ==================== =====================================================================================
deposit     accepted             active, under the asset ids of Steam's receipt; reserved slots become held
deposit     ended unmoved        deposit_failure or counter; reserved slots are free
deposit     settled              settled, with the present asset id and context; frozen if that is not certain
deposit     reversed             frozen, and awaited: each becomes reversed when it is seen gone, and its slot free then
withdraw    accepted             withdrawn; held slots are free
withdraw    ended unmoved        stay withdraw_pending, and awaited: active when seen, frozen when seen gone; active at once if
                                 no order was ever given, and if a reversal froze them: what became of them, its look says
withdraw    reversed             awaited: active and frozen when seen back, and its slot held again
=========== ==================== =====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.clock import from_unix
from shared.domain.status import (
    COUNTED,
    DEPOSIT_END,
    DEPOSIT_TABLE,
    ENDED_UNMOVED,
    DepositEvent,
    DepositStatus,
    Direction,
    TradeStatus,
)

D, F, S = DepositStatus, DepositEvent, TradeStatus

FROZEN_REVERSAL = "reversal"
FROZEN_GONE = "items_gone"
FROZEN_RECEIPT = "receipt_missing"
FROZEN_UNMATCHED = "unmatched"
FROZEN_EXCHANGE = "exchange_failed"
FROZEN_WRITTEN_OFF = "written_off"
# What a later sight of the item itself puts right; a reversal is for an operator.
_THAWED_BY_SIGHT = frozenset({FROZEN_GONE, FROZEN_RECEIPT})
_MATCHED = frozenset({"id", "receipt", "fingerprint", "name"})


@dataclass(frozen=True, slots=True)
class Held:
    """One deposit of a trade, as it is now."""

    deposit_id: str
    status: DepositStatus
    asset_id: int
    context_id: str
    frozen_by: str | None
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class DepositMove:
    """One deposit: its status before and after, which may be the same, and what else is set."""

    deposit_id: str
    before: DepositStatus
    after: DepositStatus
    values: dict[str, Any] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """What the event says of it."""
        data: dict[str, Any] = {"deposit_id": self.deposit_id, "from": self.before.value, "to": self.after.value}
        if frozen := self.values.get("frozen_by"):
            data["frozen_by"] = frozen
        return data


@dataclass(slots=True)
class Effects:
    """Deposits that change, the trade's items' new ids, changes of its bot's counters, rows still awaited (None: as before)."""

    moves: list[DepositMove] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    held: int = 0
    reserved: int = 0
    offers: int = 0
    awaited: int | None = None
    owners: dict[str, str] = field(default_factory=dict)  # of rows that are another's than the trade's user: they changed hands

    def as_data(self) -> list[dict[str, Any]]:
        """What the event says of the deposits."""
        owners = self.owners
        return [
            {**move.as_data(), "owner": owners[move.deposit_id]} if move.deposit_id in owners else move.as_data()
            for move in self.moves
        ]


def of_move(
    direction: Direction,
    to: TradeStatus,
    held: Sequence[Held],
    data: Mapping[str, Any],
    now: datetime,
    *,
    given: bool = True,
) -> Effects:
    """What follows when a trade becomes ``to``; counters of open offers are the journal's own.

    ``given`` says that an order of the trade may be out.
    """
    if to is S.ACCEPTED:
        return _accepted(direction, held, data)
    if to is S.SETTLED:
        return _settled(held, data, now) if direction is Direction.DEPOSIT else Effects()
    if to is S.REVERSED:
        return _reversed(direction, held)
    if to in ENDED_UNMOVED:
        return _returned(held, given=given) if direction is Direction.WITHDRAW else _ended(to, held)
    return Effects()


def offers_taken(before: TradeStatus, waited_for: str | None, after: TradeStatus, waits_for: str | None) -> int:
    """By how much the open offers of the trade's bot change with this move; a trade that waits for its order takes none.

    After a restore a waiting one may turn out to have been sent; then its offer counts.
    """
    took = before in COUNTED and waited_for is None
    takes = after in COUNTED and waits_for is None
    return int(takes) - int(took)


def _accepted(direction: Direction, held: Sequence[Held], data: Mapping[str, Any]) -> Effects:
    moved = {str(row["asset_id"]): row for row in data.get("moved") or ()}
    after = Effects()
    for row in held:
        receipt = moved.get(str(row.asset_id))
        if receipt is not None:
            after.receipts.append(_receipt(row, receipt))
        to = DEPOSIT_TABLE.get((row.status, F.TRADE_ACCEPTED))
        if to is None:
            continue
        values = _taken_in(receipt, data) if direction is Direction.DEPOSIT else {}
        after.moves.append(DepositMove(row.deposit_id, row.status, to, values))
    after.held = len(after.moves) if direction is Direction.DEPOSIT else -len(after.moves)
    after.reserved = -len(after.moves) if direction is Direction.DEPOSIT else 0
    return after


def _receipt(row: Held, receipt: Mapping[str, Any]) -> dict[str, Any]:
    matched = receipt.get("matched") or "receipt"
    return {
        "deposit_id": row.deposit_id,
        "new_asset_id": int(receipt["new_asset_id"]),
        "new_context_id": str(receipt["new_context_id"]),
        "matched": matched if matched in _MATCHED else None,
    }


def _taken_in(receipt: Mapping[str, Any] | None, data: Mapping[str, Any]) -> dict[str, Any]:
    settles_at = None if data.get("settles_at") is None else from_unix(data["settles_at"])
    if receipt is None:
        return {"settles_at": settles_at, "frozen_by": FROZEN_RECEIPT}
    return {
        "settles_at": settles_at,
        "asset_id": int(receipt["new_asset_id"]),
        "context_id": str(receipt["new_context_id"]),
    }


def _returned(held: Sequence[Held], *, given: bool) -> Effects:
    """Rows of a withdrawal that moved nothing."""
    after = Effects(awaited=0)
    for row in held:
        if row.status is not D.WITHDRAW_PENDING:
            continue
        if given and row.frozen_by != FROZEN_REVERSAL:
            after.awaited = (after.awaited or 0) + 1
        else:
            after.moves.append(DepositMove(row.deposit_id, row.status, DEPOSIT_TABLE[row.status, F.ITEMS_SEEN]))
    return after


def _ended(to: TradeStatus, held: Sequence[Held]) -> Effects:
    after = Effects()
    for row in held:
        status = DEPOSIT_TABLE.get((row.status, DEPOSIT_END[to]))
        if status is not None:
            after.moves.append(DepositMove(row.deposit_id, row.status, status))
    after.reserved = -len(after.moves)
    return after


def _settled(held: Sequence[Held], data: Mapping[str, Any], now: datetime) -> Effects:
    seen = {str(row["deposit_id"]): row for row in data.get("assets") or ()}
    after = Effects()
    for row in held:
        if row.status in (D.ACTIVE, D.WITHDRAW_PENDING):
            values = {"settled_at": now, **_sighted(row, seen.get(row.deposit_id))}
            after.moves.append(DepositMove(row.deposit_id, row.status, row.status, values))
    return after


def _sighted(row: Held, seen: Mapping[str, Any] | None) -> dict[str, Any]:
    """Where the item is by now; frozen when nobody can say which of several it is."""
    if seen is None or seen.get("matched") not in _MATCHED:
        return {"frozen_by": row.frozen_by or FROZEN_UNMATCHED}
    values: dict[str, Any] = {"asset_id": int(seen["asset_id"]), "context_id": str(seen["context_id"])}
    if row.frozen_by in _THAWED_BY_SIGHT:
        values["frozen_by"] = None
    return values


def _reversed(direction: Direction, held: Sequence[Held]) -> Effects:
    if direction is Direction.WITHDRAW:
        return Effects(awaited=sum(row.status in (D.WITHDRAWN, D.WITHDRAW_PENDING) for row in held))
    moves = [DepositMove(row.deposit_id, row.status, row.status, {"frozen_by": FROZEN_REVERSAL}) for row in held]
    return Effects(moves=moves, awaited=sum(map(_may_go_back, held)))


# --- what a look for the items found -----------------------------------------------------------------


def of_seen(
    direction: Direction, status: TradeStatus, awaited: int, held: Sequence[Held], assets: Iterable[Mapping[str, Any]]
) -> Effects:
    """The bot sees these items in its inventory: rows of a withdrawal that moved nothing, or was reversed, are active again."""
    if direction is not Direction.WITHDRAW or status not in (*ENDED_UNMOVED, S.REVERSED):
        return Effects()
    seen = {str(row["deposit_id"]): row for row in assets}
    after = Effects()
    for row in held:
        to = DEPOSIT_TABLE.get((row.status, F.ITEMS_SEEN))
        if to is None or row.deposit_id not in seen:
            continue
        values = _sighted(row, seen[row.deposit_id])
        if status is S.REVERSED:
            values["frozen_by"] = FROZEN_REVERSAL
        after.moves.append(DepositMove(row.deposit_id, row.status, to, values))
        after.held += row.status is D.WITHDRAWN
    after.awaited = max(0, awaited - len(after.moves))
    return after


def of_gone(direction: Direction, status: TradeStatus, awaited: int, held: Sequence[Held], gone: Iterable[str]) -> Effects:
    """The bot does not have these items: a reversed deposit is over; items of an ended withdrawal are an operator's business.

    A reversed withdrawal whose items are not back yet goes on waiting.
    """
    missing = set(gone)
    after = Effects()
    for row in held:
        if row.deposit_id not in missing:
            continue
        if direction is Direction.DEPOSIT and status is S.REVERSED:
            _take_back(after, row)
        elif direction is Direction.WITHDRAW and status in ENDED_UNMOVED and _to_freeze(row):
            after.moves.append(DepositMove(row.deposit_id, row.status, row.status, {"frozen_by": FROZEN_GONE}))
    after.awaited = max(0, awaited - len(after.moves))
    if direction is Direction.DEPOSIT and status is S.REVERSED:
        # What was given out before it could go back is not waited for.
        after.awaited = sum(_may_go_back(row) for row in held) - len(after.moves)
    return after


# --- what two operators decided about one frozen row, and a bot's reading showed ----------------------------------


def of_release(status: DepositStatus, deposit_id: str, asset_id: int, context_id: str) -> Effects:
    """Its item is here, as this asset: the row may be used again."""
    to = DEPOSIT_TABLE.get((status, F.ITEMS_SEEN), status)
    values = {"frozen_by": None, "asset_id": asset_id, "context_id": context_id}
    return Effects([DepositMove(deposit_id, status, to, values)])


def of_write_off(status: DepositStatus, deposit_id: str) -> Effects:
    """Its item is gone: the row is over, and its slot free."""
    move = DepositMove(deposit_id, status, DEPOSIT_TABLE[status, F.WRITTEN_OFF], {"frozen_by": FROZEN_WRITTEN_OFF})
    return Effects([move], held=-1)


def _may_go_back(row: Held) -> bool:
    """Whether a reversed deposit's row may still become ``reversed``, maybe after a withdrawal of it has ended."""
    return row.status is D.WITHDRAW_PENDING or (row.status, F.REVERSAL_SEEN) in DEPOSIT_TABLE


def _to_freeze(row: Held) -> bool:
    return row.status is D.WITHDRAW_PENDING and row.frozen_by is None


def _take_back(after: Effects, row: Held) -> None:
    to = DEPOSIT_TABLE.get((row.status, F.REVERSAL_SEEN))
    if to is not None:
        after.moves.append(DepositMove(row.deposit_id, row.status, to))
        after.held -= row.status is D.ACTIVE
        after.reserved -= row.status is D.DEPOSIT_PENDING
