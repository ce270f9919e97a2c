"""A site whose fleet is a few dictionaries and whose time passes when it is told to: whole rounds in a fraction of a second.

The engine's steps, sagas and calls are the real ones, on a real database; only what answers the calls is made up, with the
fleet's own refusals. What the real balancer does is shown where it plays (`test_rooms.py`, `test_rounds.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import own_chain
from custody import STEAM_ID
from lottery import rooms, verify
from lottery.rooms import Room
from lottery.verify.report import UNCHECKED
from play import CHAIN_KEY, check_lane, ids_of_process

from fleet_client import AsyncClient, errors
from fleet_client.calls import Credit, Move, Take
from website.accounts.models import Player
from website.care import gate
from website.engine import calls
from website.engine.beacon import Beacon
from website.engine.chains import ChainKey, Chains
from website.engine.clock import Clock
from website.engine.models import Alarm, Call, Feed
from website.engine.steps import Given
from website.engine.writer import Worked, Writer
from website.office.models import Staff
from website.rooms import definitions, services
from website.rooms.models import TICKET_NAMES, Bet, Lane, Round

START_MS = 1_900_000_000_000
HOUSE = "house"
numbers = itertools.count(1)


@dataclass
class Deposit:
    deposit_id: str
    owner: str
    name: str
    cents: int
    lock: str = ""


def refusal(code: str) -> errors.Problem:
    return errors.Problem({"code": code, "retryable": False}, 409)


@dataclass
class PaperFleet:
    """Who owns what, and under which lock it is. `credited` are the lines of cents that the house owes."""

    deposits: dict[str, Deposit] = field(default_factory=dict)
    released: set[str] = field(default_factory=set)
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    credited: list[Credit] = field(default_factory=list)
    transfers: list[tuple[str, int, int, str]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    loses: bool = False
    lost: set[tuple[str, str]] = field(default_factory=set)

    def add(self, owner: str, name: str, cents: int, count: int = 1) -> list[str]:
        ids = [f"dep_{next(numbers):06d}" for _ in range(count)]
        self.deposits |= {each: Deposit(each, owner, name, cents) for each in ids}
        return ids

    def free(self, most_cents: int, most: int = 64) -> list[str]:
        rows = [row for row in self.deposits.values() if row.owner == HOUSE and not row.lock and row.cents <= most_cents]
        chosen = sorted(rows, key=lambda row: (row.cents, row.deposit_id))[:most]
        return [row.deposit_id for row in chosen if row.name not in TICKET_NAMES]

    async def lock(self, ref: str, *, user_id: str, deposit_ids: Sequence[str], unsettled: bool, note: str) -> Any:
        assert not unsettled and note
        if ref in self.released:
            raise refusal("lock_released")
        if ("lock", ref) in self.answers:
            return self.answers["lock", ref]
        rows = [self.deposits.get(each) for each in deposit_ids]
        if None in rows:
            raise refusal("not_found")
        found = [row for row in rows if row is not None]
        if any(row.owner != user_id for row in found):
            raise refusal("not_owner")
        if any(row.lock for row in found):
            raise refusal("item_locked")
        self.notes[ref] = note
        for row in found:
            row.lock = ref
        said = SimpleNamespace(state="held", rows=[self._row(row) for row in found])
        return self.answers.setdefault(("lock", ref), said)

    def _row(self, row: Deposit) -> Any:
        item_id = f"itm_{row.name.replace(' ', '_')}"
        told = {"market_hash_name": row.name, "icon_url": "", "value_cents": row.cents, "settled_at": "settled"}
        return SimpleNamespace(deposit_id=row.deposit_id, item_id=item_id, **told)

    async def release(self, ref: str) -> Any:
        self.released.add(ref)
        freed = [row for row in self.deposits.values() if row.lock == ref]
        for row in freed:
            row.lock = ""
        return SimpleNamespace(released=[row.deposit_id for row in freed], moved=[])

    async def transfer(self, ref: str, *, locks: list[str], moves: list[Move], release: str, credits: list[Credit]) -> Any:
        if ("transfer", ref) in self.answers:
            return self.answers["transfer", ref]
        assert len(moves) <= 2_000 and len(locks) <= 2_000 and len(credits) <= 2_000
        assert len({move.deposit_id for move in moves}) == len(moves)
        assert not self.released & set(locks)
        for move in moves:
            row = self.deposits[move.deposit_id]
            assert row.owner == move.from_user and row.lock in locks, (move, row)
        for move in moves:
            row = self.deposits[move.deposit_id]
            row.owner, row.lock = move.to_user, ""
        left = [row for row in self.deposits.values() if release == "rest" and row.lock in locks]
        for row in left:
            row.lock = ""
        self.credited += credits
        self.transfers.append((ref, len(moves), len(credits), release))
        said = SimpleNamespace(moved=len(moves), released=[row.deposit_id for row in left], lost=[], credits=[])
        return self.answers.setdefault(("transfer", ref), said)

    async def credit(self, ref: str, *, lines: Sequence[Credit]) -> Any:
        if ("credit", ref) not in self.answers:
            self.credited += lines
        return self.answers.setdefault(("credit", ref), SimpleNamespace(credits=["crd_1"]))

    async def exchange(
        self,
        ref: str,
        *,
        user_id: str,
        take: Take,
        rest: str,
        give: Sequence[str] = (),
        give_credit_cents: int | None = None,
        seen_cents: int | None = None,
    ) -> Any:
        if ("exchange", ref) in self.answers:
            return self.answers["exchange", ref]
        assert take.market_hash_name and take.count and rest == "credit"
        rows = [self.deposits[each] for each in give]
        if any(row.owner != user_id or row.lock for row in rows):
            raise refusal("item_locked")
        cents = give_credit_cents or 0
        if cents > sum(line.cents for line in self.credited if line.user_id == user_id):
            raise refusal("too_little_credit")
        came, went = cents + sum(row.cents for row in rows), 100 * take.count
        if came != seen_cents:
            raise refusal("price_changed")
        if went > came:
            raise refusal("too_little")
        self.credited += [Credit(user_id, -cents, "exchange")] if cents else []
        for row in rows:
            row.owner = HOUSE
        took = self.add(user_id, take.market_hash_name, 100, take.count)
        if came > went:
            self.credited.append(Credit(user_id, came - went, "exchange"))
        sums = {"value_in_cents": came, "value_out_cents": went, "rest_cents": came - went, "fee_cents": 0}
        said = SimpleNamespace(gave=list(give), took=took, **sums)
        return self.answers.setdefault(("exchange", ref), said)


@dataclass
class Paper:
    """An engine that works when it is asked to. `now_ms` is everybody's clock."""

    fleet: PaperFleet = field(default_factory=PaperFleet)
    now_ms: int = START_MS

    @property
    def notes(self) -> dict[str, str]:
        return self.fleet.notes

    def __post_init__(self) -> None:
        self.clock = Clock(wall=lambda: self.now_ms, steady=lambda: self.now_ms)
        self.writer = Writer(Chains(ChainKey(CHAIN_KEY), 64), self.clock, "paper")
        Feed.objects.get_or_create(reader="site", defaults={"livemode": False})

    # ---- the site

    def open(self, name: str, **changes: Any) -> list[str]:
        """Two operators bring a room of the seed into use; its lanes. The beacon is of a chain that we sign."""
        self.draft(name, **changes)
        return list(Lane.objects.filter(room=name).order_by("name").values_list("name", flat=True))

    def draft(self, name: str, **changes: Any) -> int:
        ana, bo = self.operator("proposer"), self.operator("approver")
        row = services.draft(own_beacon(definitions.load(name), **changes), ana, "for a test", self.now_ms)
        services.approve(name, row.version, bo)
        return row.version

    def operator(self, name: str) -> Staff:
        return Staff.objects.get_or_create(username=name)[0]

    def player(self, inviter: Player | None = None, deposited: bool = True) -> Player:
        number = int(ids_of_process())
        first = self.now_ms if deposited else None
        player = Player.objects.create(
            id=number,
            steam_id=STEAM_ID + number,
            name=f"player {number}",
            registered_ms=self.now_ms,
            inviter=inviter,
            first_deposit_ms=first,
        )
        gate.declare(player, date(1990, 1, 1), "LV", self.now_ms)
        return player

    def items(self, player: Player, *cents: int, name: str = "") -> list[str]:
        return [each for worth in cents for each in self.fleet.add(player.user_id, name or f"Item of {worth}", worth)]

    def bet(self, player: Player, at: Round, ids: Sequence[str], team: int = 0, seen: int | None = None) -> Bet:
        """Placed or refused, when everything that follows is done too."""
        cents = sum(self.fleet.deposits[each].cents for each in ids) if seen is None else seen
        wanted = services.Wanted(at.lane, at.round, ids, cents, f"t{next(numbers)}", "", team)
        row = services.place_bet(player, wanted, self.now_ms)
        self.settle()
        return Bet.objects.get(id=row.id)

    def game(self, room: str) -> Round:
        """The round of a room that takes bets."""
        self.settle()
        return Round.objects.get(room=room, phase="game")

    def round(self, at: Round) -> Round:
        return Round.objects.get(id=at.id)

    # ---- time

    def settle(self) -> None:
        """Does all that can be done without time passing."""
        for _ in range(200):
            added = sum(self._work(lane) for lane in Lane.objects.order_by("name").values_list("name", flat=True))
            if not added + self._send():
                return
        raise AssertionError("it never comes to rest")

    def run(self, seconds: int, step_s: int = 1) -> None:
        """Time passes, and what is due is done."""
        for _ in range(0, seconds, step_s):
            self.now_ms += step_s * 1000
            self.settle()

    def until_sealed(self, at: Round) -> Round:
        for _ in range(60):
            self.run(1)
            if self.round(at).sealed_ms is not None:
                return self.round(at)
        raise AssertionError(f"{at.lane}/{at.round} is {self.round(at).phase}: {list(Alarm.objects.values_list('text'))}")

    def _work(self, lane: str) -> int:
        given, added = Given(), 0
        for _ in range(4):
            worked = self.writer.work(lane, given)
            added += worked.added
            fetched = self._fetch(worked)
            if fetched is None:
                break
            given = fetched
        return added

    def _fetch(self, worked: Worked) -> Given | None:
        wants = worked.wants
        if wants.stock_max_cents is not None:
            return Given(stock=self.fleet.free(wants.stock_max_cents))
        if wants.beacon is not None:
            return Given(beacon=Beacon(wants.beacon, own_chain.signature(wants.beacon)))
        return None

    def _send(self) -> int:
        claimed = calls.claim(self.now_ms)
        for call in claimed:
            outcome = asyncio.run(self._sent(call))
            calls.answered({call.id: outcome}, self.now_ms)
        return len(claimed)

    async def _sent(self, call: Call) -> calls.Outcome:
        """Where the fleet loses answers, it has done what it was asked for, and the first answer to each call is lost."""
        outcome = await calls.send(cast(AsyncClient, self.fleet), call)
        if self.fleet.loses and (call.kind, call.ref) not in self.fleet.lost:
            self.fleet.lost.add((call.kind, call.ref))
            return calls.Outcome(Call.DUE, code="AnswerLost", pause_ms=500)
        return outcome

    # ---- what must hold

    def check(self) -> None:
        """W1, W2, W8, W11, W16, W22: the books agree, and every record is good."""
        for lane in Lane.objects.all():
            check_lane(lane)
        live = {(row.lane, row.round) for row in Round.objects.filter(sealed_ms=None)}
        live |= {(lane.name, lane.round + 1) for lane in Lane.objects.all()}
        held = {row.lock for row in self.fleet.deposits.values() if row.lock}
        of_live = {call.ref for call in Call.objects.filter(kind=Call.LOCK) if (call.lane, call.round) in live}
        assert held <= of_live, held - of_live
        assert not Call.objects.filter(state=Call.REFUSED, kind__in=(Call.TRANSFER, Call.UNLOCK)).exists()


def own_beacon(room: Room, **changes: Any) -> Room:
    """The room with a drand chain of our own in the place of the network's."""
    terms = own_chain.terms(period=1)
    if room.source.waits and "entropy" not in changes:
        kind = "manual:mixed" if room.source.manual else "drand"
        changes |= {"entropy": f"{kind}:{terms.chain_hash}", "beacon": terms}
    elif changes.get("entropy", "") in ("none", "manual:direct"):
        changes |= {"beacon": None}
    return rooms.parse({**room.rules, **plain(changes)})


def plain(changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value.plain() if key == "beacon" and value is not None else value for key, value in changes.items()}


def record_of(at: Round) -> dict[str, Any]:
    """The sealed record, which `lottery verify` accepts. Numbers typed for the draw itself nobody can check from a record."""
    text = bytes(at.record)
    report = verify.verify(text, frozenset([own_chain.terms(period=1).chain_hash]))
    assert report.good or (report.verdict == UNCHECKED and at_direct(text)), (report.checks[-1], report.unchecked)
    return cast(dict[str, Any], json.loads(text))


def at_direct(text: bytes) -> bool:
    return bool(json.loads(text)["rules"]["entropy"] == "manual:direct")


def owners(paper: Paper, ids: Iterable[str]) -> set[str]:
    return {paper.fleet.deposits[each].owner for each in ids}
