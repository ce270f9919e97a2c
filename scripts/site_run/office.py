"""Two members of the staff at work in the office: raffles, keys, coins, blocks. What takes two is proposed by one and
approved, or refused, by the other, through the same table of operations that the pages call.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError

from scripts.site_run.people import Stopped, Tally, in_thread, now_ms
from website.accounts.models import Player
from website.ledger.models import Entry
from website.office import log, operations
from website.office.log import Asker
from website.office.models import Line, Proposal, Staff
from website.office.operation import Args, RefusedError
from website.raffles.models import Prize, Template, TemplateVersion
from website.rooms.models import Round

NAMES = ("ana", "bo")
PAUSE_S = (1.0, 3.0)
TEMPLATES_MAX = 6
REFUSES = 0.15
GRANTS = (500, 2_000, -100)
BY_STAFF = "office:"


@dataclass
class Office:
    """Both of them."""

    tally: Tally
    chance: random.Random

    async def work(self, ended: Stopped) -> None:
        """Until it is over: then nobody is blocked any more by them."""
        while not ended.is_set():
            await asyncio.sleep(self.chance.uniform(*PAUSE_S))
            try:
                await in_thread(self.decide_all)
                await in_thread(self.something)
            except DatabaseError as error:
                self.tally.interrupted[type(error).__name__] += 1

    def something(self) -> None:
        """One operation, by one of them."""
        found = [each for each in (self._draft(), self._switch(), self._keys(), self._coins(), self._other()) if each]
        name, args = self.chance.choice(found)
        try:
            operations.run(name, args, "a day's work", self._asker(self.chance.choice(NAMES)), now_ms())
            self.tally.errands[f"office: {name}"] += 1
        except RefusedError:
            self.tally.errands[f"office: {name} is refused"] += 1

    def decide_all(self) -> None:
        """Whatever waits for a second person."""
        for row in operations.waiting(now_ms()):
            other = self._asker(next(name for name in NAMES if name != row.by.username))
            try:
                if self.chance.random() < REFUSES:
                    operations.refuse(row.id, "not today", other, now_ms())
                else:
                    operations.approve(row.id, other, now_ms())
                    self.tally.errands[f"office: {row.operation} is approved"] += 1
            except RefusedError:
                self.tally.errands[f"office: {row.operation} cannot be any more"] += 1

    def _asker(self, name: str) -> Asker:
        return Asker(Staff.objects.get(username=name), "127.0.0.1", "")

    # ---- what there is to do; every one draws the same numbers of `chance`, whatever stands in the tables

    def _draft(self) -> tuple[str, Args]:
        tickets, kind = self.chance.randint(4, 12), self.chance.choice((TemplateVersion.KEY, TemplateVersion.HAND))
        args: Args = {
            "prize": f"A prize of {tickets}",
            "price_cents": tickets * 50,
            "commission_cents": tickets * 5,
            "tickets": tickets,
            "prize_kind": kind,
            "parallel": self.chance.randint(1, 2),
            "share_max_percent": 50,
        }
        there = list(Template.objects.order_by("id").values_list("id", flat=True))
        if len(there) >= TEMPLATES_MAX or (there and self.chance.random() < 0.5):
            args["template"] = self.chance.choice(there)
        return "draft_raffle", args

    def _switch(self) -> tuple[str, Args] | None:
        on = self.chance.random() < 0.7
        rows = list(Template.objects.exclude(active=on).order_by("id"))
        return ("activate_raffle" if on else "deactivate_raffle", {"template": self.chance.choice(rows).id}) if rows else None

    def _keys(self) -> tuple[str, Args] | None:
        rows = list(Template.objects.order_by("id"))
        keys = [secrets.token_hex(8) for _ in range(3)]
        return ("add_keys", {"template": self.chance.choice(rows).id, "keys": keys}) if rows else None

    def _coins(self) -> tuple[str, Args]:
        players = list(Player.objects.order_by("id"))
        return "adjust_coins", {"player": self.chance.choice(players).id, "cents": self.chance.choice(GRANTS)}

    def _other(self) -> tuple[str, Args] | None:
        blocked = list(Player.objects.exclude(blocked_why="").order_by("id"))
        if blocked:
            return "lift_block", {"player": blocked[0].id}
        what = self.chance.choice(("block_player", "counter_entry", "void_round", "prize_sent"))
        if what == "block_player":
            return what, {"player": self.chance.choice(list(Player.objects.order_by("id"))).id}
        if what == "counter_entry":
            given = Entry.objects.filter(kind=Entry.GRANT, ref__startswith=BY_STAFF).order_by("-id").first()
            return (what, {"entry": given.ref}) if given else None
        if what == "void_round":
            at = Round.objects.filter(phase="game", room__startswith="raffle-", players__gt=0).first()
            return (what, {"lane": at.lane, "round": at.round}) if at else None
        prize = Prize.objects.filter(kind=TemplateVersion.HAND, state=Prize.OWED).first()
        return (what, {"prize": prize.id, "note": "by mail"}) if prize else None


def differences() -> Iterator[str]:
    """What does not fit between the staff log, what was approved, and the coins that moved by it."""
    yield from log.differences()
    approved = Proposal.objects.filter(state=Proposal.APPROVED)
    wanted = {f"{BY_STAFF}{row.id}" for row in approved.filter(operation="adjust_coins")}
    wanted |= {f"counter:{json.loads(row.args)['entry']}" for row in approved.filter(operation="counter_entry")}
    made = set(Entry.objects.filter(who__startswith="staff ").values_list("ref", flat=True))
    for ref in sorted(wanted ^ made):
        yield f"{ref} was approved, and no coins moved" if ref in wanted else f"{ref} moved coins, and nobody approved it"


def counted() -> dict[str, Any]:
    """Lines of the log, and raffles by how they ended."""
    sealed = Round.objects.filter(room__startswith="raffle-").exclude(sealed_ms=None)
    return {
        "staff_log": Line.objects.count(),
        "raffles_drawn": sealed.filter(void_reason="").count(),
        "raffles_void": sealed.exclude(void_reason="").count(),
    }
