"""Who asks for a trade, and what they have here already: read under a lock that makes the user's other requests wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text

from balancer.db import engine, pipeline
from balancer.db.pipeline import Statement
from balancer.db.tables import trade_items, trades, users
from balancer.trades.requests import DepositWish, Request
from shared.domain.ids import record_id
from shared.domain.status import COUNTED, IN_CUSTODY, LIVE, DepositStatus, TradeStatus
from shared.errors import Conflict, FleetError, RequestReused

_CUSTODY = ", ".join(f"'{status.value}'" for status in IN_CUSTODY)
_COUNTED = ", ".join(f"'{status.value}'" for status in COUNTED)
_LIVE = ", ".join(f"'{status.value}'" for status in LIVE)

_MOVED = (TradeStatus.ACCEPTED.value, TradeStatus.SETTLED.value, TradeStatus.REVERSED.value)

_User = tuple[str, int, str | None, int]  # user id, Steam id, the trade that blocks them, offers left unanswered
_COLUMNS = "user_id, steam_id, blocked_by, unanswered"
_FIND = f"SELECT {_COLUMNS} FROM users WHERE user_id = :user_id OR steam_id = :steam_id"  # noqa: S608
_LOCK_USER = text(_FIND + " FOR NO KEY UPDATE")
_FIND_USER = text(_FIND)
# What a live trade takes: a withdrawal that waits nothing; the others an open offer, as Steam counts it from the moment it is
# made, but not while it holds the items. A deposit that waits for a bot goes on soon, so it counts.
WAITS, HELD, TAKES, GIVES = "waits", "held", "takes", "gives"
_KIND = f"""CASE WHEN waits_for IS NOT NULL AND direction = 'withdraw' THEN '{WAITS}' WHEN status NOT IN ({_COUNTED})
    THEN '{HELD}' WHEN direction = 'deposit' THEN '{TAKES}' ELSE '{GIVES}' END"""
# What the user has in custody or on the way by status, and the partner's live trades by what they take, both per bot.
_HOLDINGS = text(
    f"""
    SELECT status AS what, color, bot_id, count(*) AS n FROM deposits
    WHERE user_id = :user_id AND status IN ({_CUSTODY}) AND bot_id IS NOT NULL GROUP BY status, color, bot_id
    UNION ALL SELECT {_KIND}, color, bot_id, count(*) FROM trades
    WHERE partner = :steam_id AND status IN ({_LIVE}) GROUP BY 1, color, bot_id
    """  # noqa: S608
)


@dataclass(slots=True)
class Holdings:
    """What one user, who may be new here, has and takes: items and open offers per bot, and counts over all bots.

    ``items`` are all of them but house-issued ones; ``pending_items`` those in unanswered deposits, ``pending_deposits`` those
    deposits' trades; ``waiting`` are withdrawals that wait; ``unanswered`` offers in a row came to nothing.
    """

    new: bool = False
    unanswered: int = 0
    by_bot: dict[str, int] = field(default_factory=dict)
    items: int = 0
    pending_items: int = 0
    offers: dict[str, int] = field(default_factory=dict)
    pending_deposits: int = 0
    waiting: int = 0

    @property
    def open_offers(self) -> int:
        return sum(self.offers.values())

    def count(self, what: str, color: str | None, bot_id: int | None, n: int) -> None:
        """Take in one row of what was asked."""
        bot = f"{color}-{bot_id}"
        if what in (TAKES, GIVES):
            self.offers[bot] = self.offers.get(bot, 0) + n
            self.pending_deposits += n if what == TAKES else 0
        elif what == WAITS:
            self.waiting += n
        elif what != HELD:
            self.items += n
            self.pending_items += n if what == DepositStatus.DEPOSIT_PENDING else 0
            if color is not None:
                self.by_bot[bot] = self.by_bot.get(bot, 0) + n


def bind(connection: Connection, user_id: str, steam_id: int, now: datetime) -> Holdings:
    """Bind user and Steam account to each other at first use, make other requests of this user wait, and see what they have.

    Raises:
        Conflict: one of them is bound to another, or ``partner_blocked`` since a reversal.
        IntegrityError: another request bound one of them just now.
    """
    pair = {"user_id": user_id, "steam_id": steam_id}
    query = _LOCK_USER if engine.is_postgres(connection) else _FIND_USER
    rows = list(connection.execute(query, pair))
    if not rows:
        new = pipeline.insert(connection, users).values(**pair, created_at=now)
        new = new.on_conflict_do_nothing(index_elements=[users.c.user_id]).returning(users.c.user_id)
        if connection.execute(new).first() is not None:
            return Holdings(new=True)
        rows = list(connection.execute(query, pair))
    if (refusal := _why_not(user_id, steam_id, [tuple(row) for row in rows])) is not None:
        raise refusal
    return holdings(connection, user_id, steam_id, rows[0].unanswered)


def _why_not(user_id: str, steam_id: int, rows: Sequence[_User]) -> Conflict | None:
    """Why this user may not trade with this Steam account; ``rows`` are those of either."""
    if [(of, account) for of, account, _, _ in rows] != [(user_id, steam_id)]:
        return Conflict("this user or this Steam account is bound to another one", code="user_mismatch")
    _, _, blocked_by, _ = rows[0]
    if blocked_by is None:
        return None
    return Conflict(
        "a trade with this player was reversed; an operator has to check it first", code="partner_blocked", trade_id=blocked_by
    )


def is_user(connection: Connection, steam_id: int) -> bool:
    """Whether this Steam account is bound to a user: it has traded here before."""
    return connection.execute(select(users.c.user_id).where(users.c.steam_id == steam_id)).first() is not None


def holdings(connection: Connection, user_id: str, steam_id: int, unanswered: int) -> Holdings:
    result = Holdings(unanswered=unanswered)
    for row in connection.execute(_HOLDINGS, {"user_id": user_id, "steam_id": steam_id}):
        result.count(*row)
    return result


def lock(connection: Connection, user_ids: Iterable[str]) -> dict[str, Row[Any]]:
    """The rows of these users, whose requests wait from now on."""
    query = select(users).where(users.c.user_id.in_(set(user_ids))).order_by(users.c.user_id)
    return {row.user_id: row for row in connection.execute(query.with_for_update(key_share=True))}


def brought(connection: Connection, user_ids: Iterable[str], since: datetime) -> set[tuple[str, int]]:
    """Assets that these users' deposits have moved, of trades made since then: user and the asset's id of before.

    Such an asset has another id now and never comes back under this one, whatever an inventory that was read before, or that
    Steam shows late, still says.
    """
    first = record_id("trd", int(since.timestamp() * 1000), bytes(7))
    moved = (trades.c.direction == "deposit", trades.c.status.in_(_MOVED), trades.c.trade_id > first)
    query = select(trades.c.user_id, trade_items.c.asset_id).join(trades, trades.c.trade_id == trade_items.c.trade_id)
    return {(row.user_id, row.asset_id) for row in connection.execute(query.where(trades.c.user_id.in_(set(user_ids)), *moved))}


# --- many at once -------------------------------------------------------------------------------------


_LOCK_MANY = Statement.of(
    f"SELECT {_COLUMNS} FROM users WHERE user_id :user_ids[] OR steam_id :steam_ids[] ORDER BY user_id",  # noqa: S608
    lock="FOR NO KEY UPDATE",
)
_HOLDINGS_OF_MANY = Statement.of(
    f"""
    SELECT status AS what, user_id AS whose, color, bot_id, count(*) AS n FROM deposits
    WHERE user_id :user_ids[] AND status IN ({_CUSTODY}) AND bot_id IS NOT NULL GROUP BY status, user_id, color, bot_id
    UNION ALL SELECT {_KIND}, CAST(partner AS TEXT), color, bot_id, count(*) FROM trades
    WHERE partner :steam_ids[] AND status IN ({_LIVE}) GROUP BY 1, partner, color, bot_id
    UNION ALL SELECT 'key', key, client_id, NULL, 1 FROM idempotency WHERE key :keys[]
    """  # noqa: S608
)


_OF_TRADES = (WAITS, HELD, TAKES, GIVES)


def of_many(connection: Connection, asked: Sequence[tuple[Request, DepositWish]]) -> list[Holdings | FleetError]:
    """What each of these has, in their order, or why they may not trade; `RequestReused` if the key was used before.

    No user, partner or key stands among them twice. The users are locked, in one order, so that two such calls wait for each
    other and do not deadlock. Whoever is new is yet to be inserted, which fails if another call does so first.
    """
    pairs = {wish.user_id: int(wish.trade_url.partner) for _, wish in asked}
    user_ids, steam_ids, keys = list(pairs), list(pairs.values()), [request.key for request, _ in asked]
    rows, held_rows = pipeline.run(
        connection,
        [
            _LOCK_MANY.step(connection, user_ids=user_ids, steam_ids=steam_ids),
            _HOLDINGS_OF_MANY.step(connection, user_ids=user_ids, steam_ids=steam_ids, keys=keys),
        ],
    )
    result = _of_rows(pairs, rows)
    held = {user_id: has for user_id, has in result.items() if isinstance(has, Holdings)}
    partners = {str(pairs[user_id]): has for user_id, has in held.items()}
    used = set()
    for what, of, color, bot_id, n in held_rows:
        if what == "key":
            used.add((color, of))
        elif (has := (partners if what in _OF_TRADES else held).get(of)) is not None:
            has.count(what, color, bot_id, n)
    return [
        RequestReused() if (request.caller.client_id, request.key) in used else result[wish.user_id] for request, wish in asked
    ]


def _of_rows(pairs: Mapping[str, int], rows: Iterable[_User]) -> dict[str, Holdings | FleetError]:
    """Each of these users: new if there is no row of theirs or of their Steam account; else whether they are bound to it."""
    by_user = {row[0]: row for row in rows}
    by_account = {row[1]: row for row in by_user.values()}
    result: dict[str, Holdings | FleetError] = {}
    for user_id, steam_id in pairs.items():
        mine = {row for row in (by_user.get(user_id), by_account.get(steam_id)) if row is not None}
        refusal = _why_not(user_id, steam_id, list(mine)) if mine else None
        result[user_id] = refusal or Holdings(not mine, sum(row[3] for row in mine))
    return result
