"""What tests of rounds are written in: a site with players and a room, its engine in this process, and what must hold after."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

import own_chain
from custody import STEAM_ID, Custody
from django.db import connections
from lottery import encoding, rooms, rounds, verify
from lottery.events import Create
from lottery.rooms import Room
from lottery.verify.report import GOOD, UNCHECKED

from fleet_client import AsyncClient
from website.accounts.models import Player
from website.care import gate
from website.engine import program
from website.engine.beacon import Beacon
from website.engine.chains import ChainKey, Chains
from website.engine.clock import Clock, wall_ms
from website.engine.driver import Engine
from website.engine.models import Call
from website.engine.writer import Writer
from website.office.models import Staff
from website.rooms import projections, services
from website.rooms.models import Bet, Guarantee, Lane, LaneEvent, LaneMessage, Round

PATIENCE_S = 120.0
CHAIN_KEY = bytes(range(32))
ids = itertools.count(1)
T = TypeVar("T")


async def run(work: Callable[..., T], *arguments: Any) -> T:
    """The database's work is done in threads: the loop belongs to the engine. No connection stays behind."""

    def closing() -> T:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)


def ids_of_process() -> str:
    """A number that no other test has: the fleet behind the tests keeps all refs for good."""
    return f"{os.getpid()}{next(ids):04d}"


def quick_room(**changes: Any) -> Room:
    """Classic Unlimited whose rounds are over in two seconds: no beacon, and the clock runs for one."""
    name = f"room{ids_of_process()}"
    return rooms.load("classic-unlimited", **{"name": name, "time_limit": 1, "entropy": "none", "bet_value_min": 0, **changes})


def beacon_room(**changes: Any) -> Room:
    """The same with a drand chain of our own, a beacon every second."""
    terms = own_chain.terms(period=1)
    name = f"drand:{terms.chain_hash}"
    return quick_room(**{"entropy": name, "beacon": terms, "entropy_margin_s": 3, **changes})


class OwnBeacons:
    """A source that signs what is due by its clock."""

    def __init__(self, now_ms: Callable[[], int] = wall_ms) -> None:
        self.now_ms, self.period, self.asked = now_ms, 1, list[int]()

    async def fetch(self, round_number: int) -> Beacon | None:
        self.asked.append(round_number)
        due_ms = (own_chain.GENESIS + (round_number - 1) * self.period) * 1000
        return Beacon(round_number, own_chain.signature(round_number)) if self.now_ms() >= due_ms else None


def open_room(room: Room, version: int = 1) -> list[str]:
    """Two operators bring a room's rules into use; its lanes."""
    people = [Staff.objects.get_or_create(username=name)[0] for name in ("proposer", "approver")]
    drafted = services.draft(room, people[0], "for a test", wall_ms())
    services.approve(room.name, drafted.version, people[1])
    return list(Lane.objects.filter(room=room.name).order_by("name").values_list("name", flat=True))


def new_player(custody: Custody, name: str = "ana") -> Player:
    """Somebody grown up from where play is allowed, whom the fleet knows."""
    number = int(ids_of_process())
    player = Player.objects.create(id=number, steam_id=STEAM_ID + number, name=name, registered_ms=wall_ms())
    custody.bind(player.user_id, player.steam_id)
    gate.declare(player, date(1990, 1, 1), "LV", wall_ms())
    return player


@dataclass
class Play:
    """A running engine, and hands that bet."""

    custody: Custody
    engine: Engine
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def until(self, holds: Callable[[], Any], what: str = "") -> Any:
        """Waits for something in the tables."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = await run(holds)
            if found:
                return found
            for task in self.tasks:
                if task.done():
                    task.result()
            if time.monotonic() > deadline:
                raise AssertionError(f"it never came to: {what or holds.__name__}\n{await run(told)}")
            await asyncio.sleep(0.02)

    async def open_round(self, room: str) -> Round:
        """The round of a room that takes bets."""
        found = await self.until(lambda: Round.objects.filter(room=room, phase="game").first(), "a round that takes bets")
        assert isinstance(found, Round)
        return found

    async def bet(self, player: Player, at: Round, deposits: list[str], cents: int, **more: Any) -> Bet:
        wanted = services.Wanted(at.lane, at.round, deposits, cents, more.pop("token", f"t-{next(ids)}"), **more)
        return await run(services.place_bet, player, wanted, wall_ms())

    async def answered(self, bet: Bet) -> Bet:
        """The bet, when it is decided."""
        final = (Bet.PLACED, Bet.REFUSED, Bet.OVER)
        found = await self.until(lambda: Bet.objects.filter(id=bet.id, state__in=final).first(), f"bet {bet.id} is decided")
        assert isinstance(found, Bet)
        return found

    async def sealed(self, at: Round) -> Round:
        found = await self.until(
            lambda: Round.objects.filter(lane=at.lane, round=at.round).exclude(sealed_ms=None).first(), "the round is sealed"
        )
        assert isinstance(found, Round)
        return found

    async def quiet(self) -> None:
        """Until no call is open and no bet is undecided."""
        open_bets = (*Bet.OPEN, Bet.UNLOCKING)
        await self.until(
            lambda: (
                not Call.objects.filter(state__in=(Call.DUE, Call.WAITS)).exclude(ref__startswith="stk_").exists()
                and not Bet.objects.filter(state__in=open_bets).exists()
            ),
            "nothing is under way",
        )


def told() -> str:
    """What stands in the tables, for a test that has waited in vain."""
    rows = [f"bet {b.bet_id} {b.lane}/{b.round} {b.state} {b.code} {b.details}" for b in Bet.objects.all()]
    rows += [f"call {c.kind} {c.ref} {c.state} {c.code} tries {c.tries}" for c in Call.objects.all()]
    rows += [f"round {r.lane}/{r.round} {r.phase}" for r in Round.objects.all()]
    rows += [f"lane {x.name} {x.state} {x.paused_why} next {x.next_at_ms - wall_ms()}" for x in Lane.objects.all()]
    return "\n".join(rows)


def new_engine(fleet: AsyncClient, source: OwnBeacons, skew_ms: int = 0, chain_length: int = 1000) -> Engine:
    clock, chains = Clock(skew_ms), Chains(ChainKey(CHAIN_KEY), chain_length)
    return Engine(Writer(chains, clock, f"engine-{next(ids)}"), fleet, lambda _room: source, clock)


@contextlib.asynccontextmanager
async def playing(
    custody: Custody, engines: int = 1, skews: Sequence[int] = (), chain_length: int = 1000, address: str = ""
) -> AsyncIterator[Play]:
    """Engines in this process, with their clocks so far off; `address`: where they find the balancer, if not itself."""
    source = OwnBeacons()
    async with AsyncClient(address or custody.balancer_url, custody.api_key, patience=program.PATIENCE) as fleet:
        made = [new_engine(fleet, source, skew, chain_length) for skew in skews or [0] * engines]
        play = Play(custody, made[0], [asyncio.create_task(engine.run()) for engine in made])
        try:
            yield play
        finally:
            for task in play.tasks:
                task.cancel()
            await asyncio.gather(*play.tasks, return_exceptions=True)
    await asyncio.sleep(0.05)  # connections that were canceled are closed by the loop


# ---- what must hold


def check_books(custody: Custody) -> None:
    """W1, W2, W5, W8, W11, W16 and W22, after quiet."""
    for lane in Lane.objects.all():
        check_lane(lane)
    for bet in Bet.objects.all():
        events = LaneEvent.objects.filter(token=bet.bet_id).count()
        assert events == (1 if bet.state in (Bet.PLACED, Bet.OVER) else 0), (bet.bet_id, bet.state, events)
        assert bool(bet.receipt) == bool(events), bet.bet_id
    assert not Call.objects.filter(state=Call.REFUSED).exclude(kind=Call.LOCK).exists()
    ours = set(Call.objects.filter(kind=Call.LOCK).values_list("ref", flat=True))
    bound = {ref.partition(":")[2] for ref in custody.locked().values()} & ours
    assert bound <= open_refs(), bound - open_refs()


def open_refs() -> set[str]:
    """Locks that are rightly held: of bets in rounds that go on, and of the house's pieces for this round and the next."""
    live = {(row.lane, row.round) for row in Round.objects.filter(sealed_ms=None)}
    bets = {bet.bet_id for bet in Bet.objects.filter(state__in=(*Bet.OPEN, Bet.PLACED)) if (bet.lane, bet.round) in live}
    pieces = {f"stk_{lane.name}_{number}" for lane in Lane.objects.all() for number in (lane.round, lane.round + 1)}
    held = Guarantee.objects.filter(state__in=(Guarantee.ASKED, Guarantee.BOUND)).values_list("ref", flat=True)
    return bets | pieces | set(held)


def check_lane(lane: Lane) -> None:
    rows = list(LaneEvent.objects.filter(lane=lane.name).order_by("round", "number"))
    by_round: dict[int, list[LaneEvent]] = {}
    for row in rows:
        by_round.setdefault(row.round, []).append(row)
    assert list(by_round) == list(range(1, lane.round + 1))
    previous, messages, records = None, list[projections.Message](), []
    for number, listed in by_round.items():
        assert [row.number for row in listed] == list(range(1, len(listed) + 1))
        events = [projections.event_of(row) for row in listed]
        place = projections.Place(lane.room, lane.name, number, projections.version_of(events[0].token))
        first, *later = events
        assert isinstance(first, Create)
        state = rounds.create(first, previous)
        for event in later:
            assert not isinstance(event, Create)
            brought = rounds.apply(state, event, lambda _claim: True)
            messages += projections.messages(state, event, brought)
        check_round(place, state)
        records += [bytes(Round.objects.get(lane=lane.name, round=number).record)] if state.seal else []
        previous = state
    said = LaneMessage.objects.filter(lane=lane.name).order_by("seq").values_list("seq", "at_ms", "kind", "body")
    assert [row[0] for row in said] == list(range(1, lane.seq + 1))
    assert [projections.Message(*row[1:]) for row in said] == messages
    for text in records:
        report = verify.verify(text, frozenset([own_chain.terms(period=1).chain_hash]))
        typed = json.loads(text)["rules"]["entropy"] == "manual:direct"  # what a person types no record proves
        assert report.verdict == (UNCHECKED if typed and not json.loads(text)["outcome"]["void"] else GOOD), report.checks[-1]


def check_round(place: projections.Place, state: Any) -> None:
    """W1: the rows are what the events say. W11: no cent and no item appears or vanishes. W16: the outcome stays as shown."""
    row, wanted = Round.objects.get(lane=place.lane, round=place.number), projections.round_row(place, state)
    for name in projections.ROUND_FIELDS:
        have, want = getattr(row, name), getattr(wanted, name)
        assert (bytes(have) if isinstance(have, memoryview) else have) == want, (place, name)
    if state.seal is None or state.void_reason:
        return
    record = json.loads(bytes(row.record))
    prices = {item["deposit_id"]: item["price"] for item in (*record["items"], *record["stock"], *record["guarantees"])}
    outcome = record["outcome"]
    won = sum(prices[each] for payout in outcome["payouts"] for each in (*payout["rows"], *payout["change"]))
    owed = sum(payout["credit"] for payout in outcome["payouts"])
    claimed = sum(payout["claim"] for payout in outcome["payouts"])
    given = sum(prices[each] for payout in outcome["payouts"] for each in payout["change"])
    kept = sum(prices[each] for each in outcome["house"])
    assert won + owed == claimed
    raffled = state.rules.raffle is not None  # tickets are no rows: what was paid for them stays with the house
    assert won + kept - given == (0 if raffled else record["bank"])
    assert outcome["rake"] is None or outcome["rake"]["net"] == kept - given - owed
    moved = Counter(each for payout in outcome["payouts"] for each in payout["rows"]) + Counter(outcome["house"])
    assert moved == Counter(item["deposit_id"] for item in record["items"] if not raffled)
    shown = LaneMessage.objects.filter(lane=place.lane, kind="result").values_list("body", flat=True)
    (body,) = [each for each in map(json.loads, shown) if each["round"] == place.number]
    assert body["outcome"] == outcome
    assert body["outcome_hash"] == encoding.sha256(encoding.canonical_json(outcome)).hex()
