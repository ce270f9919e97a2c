"""The two operators of a simulated site: they set prizes aside, type the numbers of the global pot, and end what is left over.

Both are members of the staff with keys of their own, and nothing of theirs is done by one alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass

from django.db import DatabaseError

from fleet_client import AsyncClient, errors
from scripts.site_run import people
from scripts.site_run.people import Stopped, Tally, in_thread
from website.engine.models import Call
from website.office.models import Staff
from website.rooms import guarantees, numbers, orders
from website.rooms.models import TICKET_NAMES, Guarantee, Lane, LaneEvent, Order, Round

GIVEAWAY = "giveaway"
PRIZES_AHEAD = 3
EVIDENCE = "https://stream.example/1 sha256:" + "ab" * 32
MISTYPED = 0.1
"""How often one of the two types another number: then both type again."""


@dataclass
class Steward:
    """Both of them."""

    fleet: AsyncClient
    tally: Tally
    chance: random.Random

    async def work(self, ended: Stopped) -> None:
        """Until everything is over."""
        while not ended.is_set():
            await asyncio.sleep(people.LOOK_S)
            try:
                await self.prizes()
                await in_thread(self.type_all)
            except (errors.FleetError, DatabaseError) as error:
                self.tally.interrupted[type(error).__name__] += 1

    # ---- prizes

    async def prizes(self) -> None:
        """A free item of the house for each of the next giveaways."""
        if await in_thread(enough_prizes):
            return
        free = (await self.fleet.stock(limit=200)).items
        ids = [row.deposit_id for row in free if row.market_hash_name not in TICKET_NAMES]
        if ids:
            await in_thread(self._set_aside, ids)

    def _set_aside(self, ids: list[str]) -> None:
        promised = guarantees_and_stock()
        chosen = [each for each in reversed(ids) if each not in promised][:1]
        if not chosen:
            return
        self.dropped()
        try:
            guarantees.set_aside(GIVEAWAY, chosen, operators()[0], "a prize of the house", people.now_ms())
        except guarantees.GuaranteeError:  # the other has just done it
            self.tally.errands["prize: taken already"] += 1
            return
        self.tally.errands["prize set aside"] += 1

    def dropped(self) -> None:
        """What the fleet would not bind is the house's again: its lane waits for that."""
        for row in Guarantee.objects.filter(room=GIVEAWAY, state=Guarantee.REFUSED):
            if Call.objects.filter(kind=Call.UNLOCK, ref=row.ref, state=Call.DONE).exists():
                guarantees.drop(row.id, people.now_ms())
                self.tally.errands[f"prize dropped: {row.code}"] += 1

    # ---- numbers

    def type_all(self) -> None:
        """The next number of every round that waits for one, by both."""
        for at in Round.objects.filter(phase="typing"):
            digits = str(self.chance.randrange(10**9))
            for operator in operators():
                typed = str(self.chance.randrange(10**9)) if self.chance.random() < MISTYPED else digits
                self._type(at, typed, operator)

    def _type(self, at: Round, digits: str, operator: Staff) -> None:
        due = 1 + LaneEvent.objects.filter(lane=at.lane, round=at.round, kind="manual").count()
        try:
            numbers.type_in(at.lane, due, digits, EVIDENCE, operator, people.now_ms())
            self.tally.errands["number typed"] += 1
        except (numbers.NumberError, Lane.DoesNotExist):
            self.tally.errands["number not asked for"] += 1

    # ---- the end

    def end_rounds(self) -> bool:
        """Rounds with no clock that nobody fills any more are made void, by one and the other."""
        one, other = operators()
        for at in Round.objects.filter(phase="game", deadline_ms=None, players__gt=0):
            waiting = Order.objects.filter(lane=at.lane, round=at.round, state__in=(Order.PROPOSED, Order.AGREED))
            if not waiting.exists():
                with contextlib.suppress(orders.OrderError):  # it has ended by itself just now
                    orders.propose_void(at.lane, at.round, one, "the play is over", people.now_ms())
                    self.tally.errands["round made void"] += 1
        for order in Order.objects.filter(state=Order.PROPOSED):
            with contextlib.suppress(orders.OrderError):
                orders.agree(order.id, other)
        self.dropped()
        return True


def operators() -> list[Staff]:
    return list(Staff.objects.filter(username__in=("proposer", "approver")).order_by("-username"))


def enough_prizes() -> bool:
    return Guarantee.objects.filter(room=GIVEAWAY, state=Guarantee.WAITING).count() >= PRIZES_AHEAD


def guarantees_and_stock() -> set[str]:
    """Pieces of the house that are promised."""
    rows = Guarantee.objects.filter(state__in=Guarantee.OPEN).values_list("deposit_ids", flat=True)
    return {each for text in rows for each in json.loads(text)}
