"""Operators decide about a row that stays frozen: one proposes, a second one agrees, the bot's next reading carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Row, or_, select

from balancer.custody.audit import ask
from balancer.custody.decisions import STUCK
from balancer.db import pipeline
from balancer.db.tables import decisions, deposits, trade_items, trades
from balancer.fields import Time, unix
from balancer.journal import events
from balancer.journal.by import By
from shared.domain.ids import bot_name
from shared.domain.status import LIVE, Decision, DepositStatus
from shared.errors import Conflict, NotFound

# A proposal that nobody agreed to by then is none: the second person is to judge what the first one saw.
PROPOSAL_LIVES = timedelta(days=1)
DECIDABLE = frozenset({DepositStatus.ACTIVE, DepositStatus.WITHDRAW_PENDING})


@dataclass(frozen=True, slots=True)
class Decided:
    """Where a decision stands."""

    deposit_id: str
    decision: Decision
    asset_id: Annotated[str | None, Field(description="The asset to release, if another than the row names")]
    proposed_by: str
    proposed_at: Time
    agreed_by: Annotated[str | None, Field(description="Null: a second person has still to say the same")]


def decide(
    connection: Connection,
    deposit_id: str,
    decision: Decision,
    asset_id: int | None,
    reason: str,
    by: By,
    audit_id: str,
) -> Decided:
    """Propose it; or, if somebody else has proposed the same within a day, agree and let the bot read its inventory.

    Said again by the same person it is only a newer proposal; said after it was agreed it changes nothing.

    Raises:
        NotFound: no such deposit.
        Conflict: ``not_frozen``; ``item_frozen``, something else ends this freeze (``thaw``, an audit); ``item_locked``, a game
            counts on what would be written off; ``asset_in_trade``, a trade still has to say what became of it.
    """
    row = _checked(connection, deposit_id, decision)
    earlier = connection.execute(select(decisions).where(decisions.c.deposit_id == deposit_id)).first()
    same = (
        earlier is not None
        and (earlier.decision, earlier.asset_id) == (decision, asset_id)
        and by.now - earlier.at < PROPOSAL_LIVES
    )
    if earlier is not None and same and earlier.agreed_at is not None:
        return _view(earlier)
    values: dict[str, Any] = {"decision": decision.value, "asset_id": asset_id, "reason": reason, "who": by.who, "at": by.now}
    values |= {"agreed_by": None, "agreed_at": None}
    if earlier is not None and same and earlier.who != by.who:
        values |= {"who": earlier.who, "at": earlier.at, "reason": earlier.reason, "agreed_by": by.who, "agreed_at": by.now}
    agreed = values["agreed_by"] is not None
    new = pipeline.insert(connection, decisions).values(deposit_id=deposit_id, **values)
    connection.execute(new.on_conflict_do_update(index_elements=[decisions.c.deposit_id], set_=values))
    bot = bot_name(row)
    event_data = {
        "deposit_id": deposit_id,
        "decision": decision.value,
        "asset_id": asset_id and str(asset_id),
        "reason": reason,
    }
    kind = "deposit_decision_agreed" if agreed else "deposit_decision_proposed"
    events.append(connection, events.row(kind, event_data, by, None, row.user_id, bot))
    if agreed:
        ask.want(connection, [bot], audit_id, by)
    return _view(connection.execute(select(decisions).where(decisions.c.deposit_id == deposit_id)).one())


def _checked(connection: Connection, deposit_id: str, decision: Decision) -> Row[Any]:
    """The row, locked, of which this may be decided."""
    row = connection.execute(select(deposits).where(deposits.c.deposit_id == deposit_id).with_for_update()).first()
    if row is None:
        raise NotFound("there is no such deposit")
    if row.frozen_by is None or row.status not in DECIDABLE:
        raise Conflict("the item is not frozen", code="not_frozen", deposit_status=row.status)
    if row.frozen_by not in STUCK or row.bot_id is None:
        raise Conflict("this freeze is ended otherwise: by thaw, or by an audit", code="item_frozen", frozen_by=row.frozen_by)
    if row.locked_by is not None and decision is Decision.WRITE_OFF:
        raise Conflict("a game counts on this item: release its lock first", code="item_locked")
    open_still = or_(trades.c.items_awaited > 0, trades.c.status.in_([status.value for status in LIVE]))
    named = select(trade_items.c.trade_id).where(trade_items.c.deposit_id == deposit_id)
    trade_id = connection.scalar(select(trades.c.trade_id).where(trades.c.trade_id.in_(named), open_still).limit(1))
    if trade_id is not None:
        raise Conflict("a bot still has to report where this item is", code="asset_in_trade", trade_id=trade_id)
    return row


def _view(row: Row[Any]) -> Decided:
    asset_id = None if row.asset_id is None else str(row.asset_id)
    return Decided(row.deposit_id, Decision(row.decision), asset_id, row.who, unix(row.at), row.agreed_by)
