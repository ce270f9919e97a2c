"""What tests of custody for games are written in: one client's calls, and what must hold in the tables after each."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from balancer_core.core_world import World, player
from sqlalchemy import Connection, select, update

from balancer.custody import credits, exchanges, tickets, transfers, users
from balancer.custody.credits import Limits, Line
from balancer.custody.locks import bind, releases
from balancer.custody.locks import show as shows
from balancer.custody.locks.show import Lock
from balancer.custody.locks.terms import Terms, Wish
from balancer.custody.refs import Answer, Call
from balancer.custody.transfers import Move
from balancer.db import pipeline, tables
from balancer.items import catalogue
from shared.domain.games import CreditKind
from shared.domain.status import DepositStatus

ITEM = "P250 | Sand Dune (Field-Tested)"
VALUE = 260
DAY_S = 86_400.0
TICKET = "SnG Ticket"
TICKET_CENTS = 100
CALLS = (tables.locks, tables.transfers, tables.credit_calls, tables.issues, tables.exchanges)
KINDS = ("items_locked", "items_unlocked", "items_transferred", "credits_posted", "items_issued", "items_exchanged")


@dataclass
class Games:
    """One client of a balancer."""

    world: World
    client_id: str = "cli_game"
    terms: Terms = field(default_factory=lambda: Terms(DAY_S, 3600.0))
    limits: Limits = field(default_factory=Limits)
    rules: dict[str, int] = field(default_factory=lambda: {"fee_bp": 300})
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def may_give(self) -> None:
        """Steam restricts no bot."""
        self.terms = replace(self.terms, cannot_give=lambda _bot: None)

    async def ready(self, *user_ids: int) -> None:
        """The client and these users are known, and the item has a value."""
        await self.world.ctx.db.run(self._write, user_ids)

    def _write(self, connection: Connection, user_ids: tuple[int, ...]) -> None:
        now = self.world.ctx.clock.now()
        row = {"client_id": self.client_id, "name": self.client_id, "scopes": "play", "created_at": now}
        connection.execute(pipeline.insert(connection, tables.clients).values(row).on_conflict_do_nothing())
        catalogue.upsert(connection, {ITEM: VALUE}, "file", now)
        for number in user_ids:
            users.bind(connection, f"user-{number}", int(player(number)), now)

    def call(self, ref: str, body: Any) -> Call:
        body_hash = hashlib.sha256(json.dumps(body).encode()).hexdigest()
        return Call(self.client_id, f"client:{self.client_id}", ref, body_hash, self.world.ctx.clock.now())

    def new_ref(self) -> str:
        return f"ref-{next(self.numbers)}"

    async def lock(self, ref: str, ids: list[str], who: str = "user-1", **more: Any) -> Answer:
        wish = Wish(who, ids, **more)
        call = self.call(ref, [who, ids, more])
        return await self.world.ctx.db.run(bind.lock, call, wish, self.terms)

    async def release(self, ref: str) -> Answer:
        return await self.world.ctx.db.run(releases.release, self.call(ref, None))

    async def show(self, ref: str) -> Lock:
        return await self.world.ctx.db.read(shows.show, self.client_id, ref)

    async def transfer(self, ref: str, which: list[str], moves: list[tuple[str, str, str]], **more: Any) -> Answer:
        wish = transfers.Wish(which, [Move(*move) for move in moves], **more)
        call = self.call(ref, [which, moves, str(more)])
        return await self.world.ctx.db.run(transfers.transfer, call, wish, self.limits, self.world.ctx.new_id)

    async def post(self, ref: str, *lines: tuple[str, int], floor: int = 0) -> Answer:
        made = [Line(user_id, cents, CreditKind.REFERRAL) for user_id, cents in lines]
        call = self.call(ref, [lines, floor])
        return await self.world.ctx.db.run(credits.post, call, made, floor, self.limits, self.world.ctx.new_id)

    async def issue(self, ref: str, count: int, name: str = TICKET, value_cents: int = TICKET_CENTS) -> Answer:
        call = self.call(ref, [name, value_cents, count])
        return await self.world.ctx.db.run(tickets.issue, call, tickets.Wish(name, value_cents, count), self.world.ctx.new_id)

    async def exchange(self, ref: str, give: list[str], who: str = "user-1", **more: Any) -> Answer:
        """For ``take``, ids of the house's rows, or for so many ``tickets`` of the kind ``ticket``."""
        if more.get("tickets"):
            more.setdefault("ticket", TICKET)
        wish, rules = exchanges.Wish(who, give, **more), exchanges.Rules(self.terms, **self.rules)
        call = self.call(ref, [who, give, str(more)])
        return await self.world.ctx.db.run(exchanges.exchange, call, wish, rules, self.world.ctx.new_id)

    def houses(self, *ids: str) -> None:
        """These rows are the house's from now on."""
        self.world.change(update(tables.deposits).where(tables.deposits.c.deposit_id.in_(ids)).values(user_id="house"))


def said(answer: Answer) -> Any:
    return json.loads(answer.json)


def owners(world: World) -> dict[str, str]:
    return {row.deposit_id: row.user_id for row in world.rows(tables.deposits.select())}


def where(world: World) -> dict[str, tuple[Any, ...]]:
    """What no call of a game changes, per deposit."""
    table = tables.deposits.c
    query = select(
        table.deposit_id, table.color, table.bot_id, table.asset_id, table.settled_at, table.settles_at, table.item_id
    )
    return {row[0]: tuple(row[1:]) for row in world.rows(query)}


def check(world: World) -> None:
    """B1, B8 and B10, and what follows: locks and rows name each other, there are as many tickets as were issued, all of them
    here, and every cent has its opposite."""
    rows = {row.deposit_id: row for row in world.rows(tables.deposits.select())}
    under: Counter[str] = Counter()
    states: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for row in world.rows(tables.lock_rows.select()):
        states[row.client_id, row.ref].add(row.state)
        if row.state == "held":
            under[row.deposit_id] += 1
            assert rows[row.deposit_id].locked_by == f"{row.client_id}:{row.ref}"
    assert set(under.values()) <= {1}
    assert {each for each, row in rows.items() if row.locked_by is not None} == set(under)
    assert not [row for row in rows.values() if row.locked_by and row.status == DepositStatus.WITHDRAW_PENDING]
    for row in world.rows(tables.locks.select()):
        has = states[row.client_id, row.ref]
        assert (row.state in ("held", "part_moved")) == ("held" in has), (row.ref, row.state, has)
        assert row.state != "used" or "moved" in has
    found = [row for row in rows.values() if row.bot_id is None]
    assert {row.status for row in found} <= {"active"}
    issued: Counter[str] = Counter()
    for row in world.rows(tables.issues.select()):
        issued[row.item_id] += row.count
    for row in world.rows(tables.exchanges.select()):
        issued[row.item_id] += row.issued
    assert +issued == Counter(row.item_id for row in found)
    sums: Counter[str] = Counter()
    for row in world.rows(tables.credits.select()):
        sums[row.user_id] += row.cents
    assert sum(sums.values()) == 0
    assert {row.user_id: row.credit_cents for row in world.rows(tables.users.select()) if row.credit_cents} == {
        user_id: cents for user_id, cents in sums.items() if cents
    }
