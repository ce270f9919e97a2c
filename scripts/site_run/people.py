"""What simulated people have in common: how they ask, wait and count, and what they read in the site's tables."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import DatabaseError, connections

from fleet_client import errors
from website.engine.models import Alarm, Call
from website.raffles.models import Purchase
from website.rooms.models import Bet, Lane, Round, RoundPlayer

T = TypeVar("T")
LOOK_S = 0.25
PATIENCE_S = 600.0
DECIDED = (Bet.PLACED, Bet.REFUSED, Bet.OVER)
LAST_MS = 1_500
"""Of a round: then it takes no bets on a page any more."""
NO_PRIZE = "no_prize"
Stopped = asyncio.Event | threading.Event


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """The site's database, as a page uses it: a connection for one piece of work."""

    def closing() -> T:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)


@dataclass
class Tally:
    """What people did and what became of it. `bets` by room and state, `problems` are differences."""

    bets: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    errands: Counter[str] = field(default_factory=Counter)
    interrupted: Counter[str] = field(default_factory=Counter)
    withdrawn: int = 0
    problems: list[str] = field(default_factory=list)


async def until(found: Callable[[], Any], what: str) -> Any:
    """Looks again and again. Raises TimeoutError that says what never came."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if answer := await found():
                return answer
        except (errors.FleetError, DatabaseError):
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"it never came to this: {what}")
        await asyncio.sleep(LOOK_S)


async def asked(call: Callable[[], Awaitable[T]], what: str) -> T | errors.Problem:
    """Asks until there is an answer that holds: what was asked for, or a refusal that asking again will not change."""

    async def once() -> list[T | errors.Problem]:
        try:
            return [await call()]
        except errors.Problem as problem:
            if isinstance(problem, errors.NotNow) or problem.retryable or problem.status >= 500:
                raise
            return [problem]

    answers: list[T | errors.Problem] = await until(once, what)
    return answers[0]


# ---- what stands in the tables


def open_rounds() -> list[Round]:
    """Rounds that take bets, and for long enough."""
    soon = now_ms() + LAST_MS
    rows = Round.objects.filter(phase="game", lane__in=Lane.objects.filter(state=Lane.OPEN).values("name"))
    return [row for row in rows if row.deadline_ms is None or row.deadline_ms > soon]


def open_raffles() -> list[Round]:
    """Raffles that sell tickets."""
    return list(Round.objects.filter(phase="game", room__startswith="raffle-"))


def answered_purchase(made: Purchase) -> Purchase | None:
    return Purchase.objects.filter(id=made.id).exclude(state=Purchase.NEW).first()


def smaller_team(at: Round) -> int:
    """The team of a round that has fewer players."""
    teams = Counter(RoundPlayer.objects.filter(lane=at.lane, round=at.round).values_list("team", flat=True))
    return 1 if teams[1] <= teams[2] else 2


def decision(bet: Bet) -> Bet | None:
    return Bet.objects.filter(id=bet.id, state__in=DECIDED).first()


def drawn() -> Counter[str]:
    """Rounds that were drawn and are over, by room."""
    return Counter(Round.objects.exclude(sealed_ms=None).filter(void_reason="").values_list("room", flat=True))


def rest_of_play() -> list[str]:
    """What is still under way: bets that are not decided, and rounds with bets in them, each with what it waits for."""
    bets = [f"bet {bet.bet_id} is {bet.state}" for bet in Bet.objects.filter(state__in=(*Bet.OPEN, Bet.UNLOCKING))]
    bets += [f"purchase {row.purchase_id} is not answered" for row in Purchase.objects.filter(state=Purchase.NEW)]
    rounds = Round.objects.filter(sealed_ms=None, players__gt=0)
    why = dict(Lane.objects.values_list("name", "waits_for"))
    return bets + [f"{row.lane}/{row.round} is in phase {row.phase} and waits for {why[row.lane]}" for row in rounds]


def under_way() -> list[str]:
    """What has not ended, each with the reason that the site tells."""
    calls = Call.objects.filter(state__in=(Call.DUE, Call.WAITS))
    alarms = Alarm.objects.filter(ended_ms=None).exclude(kind=NO_PRIZE)  # the last prize was given, nobody plays any more
    return [
        *rest_of_play(),
        *(f"{call.kind} {call.ref} is {call.state} after {call.tries} tries: {call.code or 'no answer'}" for call in calls),
        *(f"alarm {alarm.kind} about {alarm.about}: {alarm.text}" for alarm in alarms),
    ]


def pause() -> bool:
    """No new round begins, no new bet is taken; what goes on ends."""
    Lane.objects.filter(state=Lane.OPEN).update(state=Lane.PAUSED, paused_why="the play is over")
    return True
