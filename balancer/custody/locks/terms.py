"""Why rows cannot be bound to a game now. Pure: the rows and what the house allows come in, a refusal comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from balancer.custody.refs import Call, tag
from shared.domain.ids import bot_name
from shared.domain.status import DepositStatus
from shared.errors import Conflict, FleetError, Forbidden, NotFound

HOUSE_ISSUED = "house"  # the source of a value that the house itself has set; it does not grow old


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rows of whom. ``unsettled``: also those that Steam may still take back, at the risk of the site's house."""

    user_id: str
    deposit_ids: Sequence[str]
    unsettled: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What keeps rows from being bound now. ``cannot_give`` says why the items of a bot cannot be had at the moment."""

    value_age_max_s: float
    settle_margin_s: float
    cannot_give: Callable[[str], str | None] = lambda _bot: None
    paused: str | None = None  # why, maybe empty; `None`: nobody has paused locks


def why_not(wish: Wish, rows: Mapping[str, Row[Any]], blocked_by: str | None, call: Call, terms: Terms) -> FleetError | None:
    """Why these rows cannot be bound, with all that this is true of; ``None``: they can. Pure.

    Of several reasons the first counts, in the order of docs/http-api.md.
    """
    if missing := [each for each in wish.deposit_ids if each not in rows]:
        return NotFound("There are no such deposits.", deposit_ids=missing)
    return next(_refusals(wish, list(rows.values()), blocked_by, call, terms), None)


def _refusals(wish: Wish, rows: Sequence[Row[Any]], blocked_by: str | None, call: Call, terms: Terms) -> Iterator[FleetError]:
    if refused := [row for row in rows if row.user_id != wish.user_id]:
        yield Forbidden("These items belong to another user.", code="not_owner", deposit_ids=_ids(refused))
    if refused := [row for row in rows if row.status != DepositStatus.ACTIVE]:
        statuses = [{"deposit_id": row.deposit_id, "status": row.status} for row in refused]
        yield Conflict("These items are not in custody, or are on their way out.", code="not_active", deposits=statuses)
    if refused := [row for row in rows if row.locked_by is not None]:
        own = tag(call.client_id, "")
        mine = sorted({row.locked_by.removeprefix(own) for row in refused if row.locked_by.startswith(own)})
        yield Conflict("These items are in a game.", code="item_locked", deposit_ids=_ids(refused), refs=mine)
    if not wish.unsettled and (refused := [row for row in rows if row.settled_at is None]):
        yield Conflict(
            "Steam may still reverse the trades that brought these items.",
            code="item_unsettled",
            deposit_ids=_ids(refused),
            settles_at=_settle_at(refused, terms.settle_margin_s),
        )
    if refused := [row for row in rows if row.frozen_by is not None]:
        yield Conflict("These items are frozen until an operator has looked.", code="item_frozen", deposit_ids=_ids(refused))
    if blocked_by is not None:
        yield Conflict(
            "A trade with this player was reversed; an operator has to look first.",
            code="partner_blocked",
            deposit_ids=_ids(rows),
        )
    if refused := [row for row in rows if cannot_give(row, terms) is not None]:
        yield Conflict(
            "The bots that hold these items cannot give them now.",
            code="bot_restricted",
            deposit_ids=_ids(refused),
            reason=cannot_give(refused[0], terms),
        )
    if refused := [row for row in rows if is_stale(row, call.now, terms)]:
        yield Conflict("The values of these items are too old to play with.", code="value_stale", deposit_ids=_ids(refused))


def _ids(rows: Iterable[Row[Any]]) -> list[str]:
    return [row.deposit_id for row in rows]


def _settle_at(rows: Sequence[Row[Any]], margin_s: float) -> int | None:
    """When the last of them may settle, in unix seconds; ``None``: Steam has not said so of each."""
    times = [row.settles_at for row in rows]
    return None if None in times else int(max(times).timestamp() + margin_s)


def cannot_give(row: Row[Any], terms: Terms) -> str | None:
    """Why the bot that holds this row cannot give it now; ``None``: it can, or none holds it."""
    if row.bot_id is None:
        return None
    return "bot_frozen" if row.bot_frozen is not None else terms.cannot_give(bot_name(row))


def is_stale(row: Row[Any], now: datetime, terms: Terms) -> bool:
    """Whether the value of this row's item is too old; one that the house has set does not grow old."""
    oldest = now - timedelta(seconds=terms.value_age_max_s)
    known = row.item_value_cents is not None and row.value_source != HOUSE_ISSUED
    return known and (row.valued_at is None or row.valued_at < oldest)


def was_released(which: Sequence[str]) -> Conflict:
    return Conflict("This lock was released, which is for good; use another ref.", code="lock_released", locks=list(which))
