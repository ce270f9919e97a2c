"""Who asks for a trade, and what they have here already: read under a lock that makes the user's other requests wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, text

from balancer import db, repository, trips
from balancer.models import users
from balancer.trips import Statement
from balancer.wishes import DepositWish, Request
from shared.domain.status import IN_CUSTODY, LIVE
from shared.errors import Conflict

_CUSTODY = ", ".join(f"'{status.value}'" for status in IN_CUSTODY)
_LIVE = ", ".join(f"'{status.value}'" for status in LIVE)

_FIND = "SELECT user_id, steam_id, blocked_by FROM users WHERE user_id = :user_id OR steam_id = :steam_id"
_LOCK_USER = text(_FIND + " FOR NO KEY UPDATE")
_FIND_USER = text(_FIND)
# What the user has in custody or on the way, and the partner's open offers, both per bot. Steam counts an offer from the
# moment it is made, but not while it holds it.
_HOLDINGS = text(
    f"""
    SELECT 'items' AS what, color, bot_id, count(*) AS n FROM deposits
    WHERE user_id = :user_id AND status IN ({_CUSTODY}) GROUP BY color, bot_id
    UNION ALL SELECT 'offers', color, bot_id, count(*) FROM trades
    WHERE partner = :steam_id AND status IN ({_LIVE}) AND status <> 'held' GROUP BY color, bot_id
    """  # noqa: S608
)


@dataclass(slots=True)
class Holdings:
    """Items per bot, all items (house-issued ones too), and open offers per bot, of one user, who may be new here."""

    new: bool = False
    by_bot: dict[str, int] = field(default_factory=dict)
    items: int = 0
    offers: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, color: str | None, bot_id: int | None, n: int) -> None:
        """Take in one row of what was asked."""
        if what == "offers":
            self.offers[f"{color}-{bot_id}"] = n
            return
        self.items += n
        if color is not None:
            self.by_bot[f"{color}-{bot_id}"] = n

    def barred(self, n_trades: int, most: int) -> list[str]:
        """Bots that cannot open this many more offers to this user: Steam's limit is one bot's towards one partner."""
        return [bot for bot, n in self.offers.items() if n + n_trades > most]


def bind(connection: Connection, user_id: str, steam_id: int, now: datetime) -> None:
    """Bind user and Steam account to each other at first use, and make other requests of this user wait.

    Raises:
        Conflict: one of them is bound to another, or ``partner_blocked`` since a reversal.
        IntegrityError: another request bound one of them just now.
    """
    pair = {"user_id": user_id, "steam_id": steam_id}
    query = _LOCK_USER if db.is_postgres(connection) else _FIND_USER
    rows = list(connection.execute(query, pair))
    if not rows:
        new = repository.insert(connection, users).values(**pair, created_at=now)
        new = new.on_conflict_do_nothing(index_elements=[users.c.user_id]).returning(users.c.user_id)
        if connection.execute(new).first() is not None:
            return
        rows = list(connection.execute(query, pair))
    if [(row.user_id, row.steam_id) for row in rows] != [(user_id, steam_id)]:
        raise Conflict("this user or this Steam account is bound to another one", code="user_mismatch")
    if rows[0].blocked_by is not None:
        raise Conflict(
            "a trade with this player was reversed; an operator has to look first",
            code="partner_blocked",
            trade_id=rows[0].blocked_by,
        )


def holdings(connection: Connection, user_id: str, steam_id: int) -> Holdings:
    found = Holdings()
    for row in connection.execute(_HOLDINGS, {"user_id": user_id, "steam_id": steam_id}):
        found.count(*row)
    return found


# --- many at once -------------------------------------------------------------------------------------


_LOCK_MANY = Statement.of(
    "SELECT user_id, steam_id, blocked_by FROM users WHERE user_id :user_ids[] OR steam_id :steam_ids[] ORDER BY user_id",
    lock="FOR NO KEY UPDATE",
)
_HOLDINGS_OF_MANY = Statement.of(
    f"""
    SELECT 'items' AS what, user_id AS whose, color, bot_id, count(*) AS n FROM deposits
    WHERE user_id :user_ids[] AND status IN ({_CUSTODY}) GROUP BY user_id, color, bot_id
    UNION ALL SELECT 'offers', CAST(partner AS TEXT), color, bot_id, count(*) FROM trades
    WHERE partner :steam_ids[] AND status IN ({_LIVE}) AND status <> 'held' GROUP BY partner, color, bot_id
    UNION ALL SELECT 'key', key, client_id, NULL, 1 FROM idempotency WHERE key :keys[]
    """  # noqa: S608
)


_User = tuple[str, int, str | None]  # user id, Steam id, the trade that blocks him


def of_many(connection: Connection, asked: Sequence[tuple[Request, DepositWish]]) -> list[Holdings | None]:
    """What each of these has, in their order; ``None`` for whoever may not trade, or whose key was used before.

    No user, partner or key stands among them twice. The users are locked, in one order, so that two such calls wait for each
    other and do not deadlock. Whoever is new is yet to be inserted, which fails if another call does so first.
    """
    pairs = {wish.user_id: int(wish.trade_url.partner) for _, wish in asked}
    user_ids, steam_ids, keys = list(pairs), list(pairs.values()), [request.key for request, _ in asked]
    rows, held_rows = trips.run(
        connection,
        [
            _LOCK_MANY.step(connection, user_ids=user_ids, steam_ids=steam_ids),
            _HOLDINGS_OF_MANY.step(connection, user_ids=user_ids, steam_ids=steam_ids, keys=keys),
        ],
    )
    found = {user_id: Holdings(new) for user_id, new in _good(pairs, rows)}
    partners = {str(pairs[user_id]): held for user_id, held in found.items()}
    used = set()
    for what, of, color, bot_id, n in held_rows:
        if what == "key":
            used.add((color, of))
        elif (held := (partners if what == "offers" else found).get(of)) is not None:
            held.count(what, color, bot_id, n)
    return [None if (request.caller.client_id, request.key) in used else found.get(wish.user_id) for request, wish in asked]


def _good(pairs: dict[str, int], rows: Sequence[_User]) -> Iterator[tuple[str, bool]]:
    """Those of these users who are bound to this Steam account and no other, or to none yet: then they are new."""
    account_of = {user_id: steam_id for user_id, steam_id, _ in rows}
    user_of = {steam_id: user_id for user_id, steam_id, _ in rows}
    blocked = {user_id for user_id, _, by in rows if by is not None}
    for user_id, steam_id in pairs.items():
        if user_id not in account_of and steam_id not in user_of:
            yield user_id, True
        elif (account_of.get(user_id), user_of.get(steam_id)) == (steam_id, user_id) and user_id not in blocked:
            yield user_id, False
