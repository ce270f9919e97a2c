"""What the nemesis will do and when: a pure function of the seed, so that a bad day can be had again.

The plan names blows, not their consequences: which trade is struck depends on the machine, what is done to the fleet does not.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Nothing is begun so shortly before the end, in seconds: there would be no load left to suffer from it.
LAST_BLOW_S = 4.0
# Between two blows, in seconds.
GAP_S = (2.5, 9.0)
# Of the whole run: when everything dies at once.
POWER_CUT_AT = 0.6
# A target is left alone so long after it was mended, in seconds.
REST_S = 3.0


@dataclass(frozen=True)
class Kind:
    """One way to hurt the fleet. ``lasts_s``: shortest and longest time until it is mended. ``share``: how often it comes."""

    name: str
    target: str
    lasts_s: tuple[float, float]
    share: int
    text: str


KINDS = (
    Kind("worker_killed", "bot", (0, 0), 5, "a worker gets SIGKILL"),
    Kind("worker_stopped", "bot", (6, 14), 3, "a worker is stopped past its lease"),
    Kind("worker_stopped_long", "bot", (26, 34), 1, "a worker is stopped past its lease and its orders' expiry"),
    Kind("supervisor_killed", "group", (0, 1), 2, "a supervisor gets SIGKILL"),
    Kind("host_killed", "group", (0.5, 4), 2, "a supervisor and all its workers get SIGKILL"),
    Kind("host_frozen", "group", (3, 12), 1, "a supervisor and all its workers are stopped"),
    Kind("host_restarted", "group", (0, 0), 1, "a supervisor gets SIGTERM and is started again"),
    Kind("host_cut", "group", (3, 20), 2, "the network between a host and Redis is cut"),
    Kind("host_doubled", "group", (8, 16), 1, "a second host starts the same group, while a worker of the first is stopped"),
    Kind("host_clock", "group", (5, 12), 1, "a host comes back with a clock that is minutes wrong"),
    Kind("sessions_revoked", "bot", (0, 0), 2, "Steam ends every session of a bot, its refresh token too"),
    Kind("bot_locked", "bot", (4, 12), 2, "Steam locks a bot, and lets it trade again"),
    Kind("bot_banned", "bot", (4, 12), 2, "Steam bans a bot from trading, and lifts the ban"),
    Kind("foreign_client", "bot", (8, 20), 2, "a foreign client at a bot's account declines, cancels and gives an item away"),
    Kind("balancer_killed", "balancer", (0, 2), 3, "a balancer gets SIGKILL"),
    Kind("balancer_stopped", "balancer", (3, 10), 2, "a balancer is stopped"),
    Kind("balancer_restarted", "balancer", (0, 0), 1, "a balancer gets SIGTERM and is started again"),
    Kind("balancer_clock", "balancer", (5, 12), 1, "a balancer comes back with a clock that is minutes wrong"),
    Kind("redis_killed", "redis", (0, 3), 2, "Redis gets SIGKILL and keeps its data"),
    Kind("redis_lost", "redis", (0, 3), 1, "Redis gets SIGKILL and loses all its data"),
    Kind("redis_went_back", "redis", (1, 3), 1, "Redis comes back without its last seconds, as after a failover"),
    Kind("redis_stopped", "redis", (2, 8), 1, "Redis is stopped"),
    Kind("postgres_killed", "postgres", (0, 3), 1, "PostgreSQL gets SIGKILL"),
    Kind("postgres_restarted", "postgres", (0, 1), 1, "PostgreSQL is restarted"),
    Kind("steam_clock", "steam", (0, 0), 1, "Steam's clock jumps ahead"),
)
POWER_CUT = Kind("power_cut", "everything", (0, 0), 0, "every process gets SIGKILL at once")
POWER_CUT_LOST = Kind("power_cut_lost", "everything", (0, 0), 0, "every process gets SIGKILL at once, Redis' data is lost")
POWER_CUTS = (POWER_CUT, POWER_CUT_LOST)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in (*KINDS, *POWER_CUTS)}


@dataclass(frozen=True)
class Shape:
    """What there is to be hurt: groups with their bots, how many balancers, and what else by its sort."""

    groups: Mapping[str, Sequence[str]]
    balancers: int
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def targets(self, what: str) -> list[str]:
        """Everything of one sort, by name."""
        if what == "bot":
            return [bot for bots in self.groups.values() for bot in bots]
        if what == "group":
            return list(self.groups)
        if what == "balancer":
            return [f"balancer-{number}" for number in range(1, self.balancers + 1)]
        return list(self.others.get(what, [what]))

    def touched(self, target: str) -> set[str]:
        """The target and what it belongs to or holds: of these only one is hurt at a time."""
        for group, bots in self.groups.items():
            if target == group:
                return {group, *bots}
            if target in bots:
                return {group, target}
        return {target}


@dataclass(frozen=True)
class Blow:
    """One thing that the nemesis does: when (seconds from the start), to whom, how long, and by how much a clock is moved."""

    at_s: float
    kind: str
    target: str
    lasts_s: float
    amount_s: float = 0.0


def plan(
    seed: int,
    seconds: float,
    shape: Shape,
    *,
    kinds: Sequence[Kind] = KINDS,
    power_cut: bool = True,
    gap_s: tuple[float, float] = GAP_S,
) -> list[Blow]:
    """The blows in order. Each kind comes once before any comes twice as often as its share says."""
    chance = random.Random(f"chaos:{seed}")  # noqa: S311 - a plan that can be had again, no secret
    cut_at = round(seconds * POWER_CUT_AT, 2) if power_cut else None
    blows: list[Blow] = []
    free_at: dict[str, float] = {}
    waiting: list[Kind] = []
    now = chance.uniform(*gap_s)
    while now < seconds - LAST_BLOW_S:
        if cut_at is not None and now >= cut_at - LAST_BLOW_S:
            blows.append(Blow(cut_at, chance.choice(POWER_CUTS).name, POWER_CUT.target, 0.0))
            now, cut_at, free_at = cut_at + 3 * LAST_BLOW_S, None, {}
            continue
        waiting = waiting or _shuffled(chance, kinds)
        blow = _next(chance, waiting, shape, now, free_at, cut_at or seconds)
        if blow is not None:
            blows.append(blow)
            for name in shape.touched(blow.target):
                free_at[name] = now + blow.lasts_s + REST_S
        now = round(now + chance.uniform(*gap_s), 2)
    return blows


def _shuffled(chance: random.Random, kinds: Sequence[Kind]) -> list[Kind]:
    """Every kind once in any order, then the rest of their shares in any order."""
    first = list(kinds)
    rest = [kind for kind in kinds for _ in range(kind.share - 1)]
    chance.shuffle(first)
    chance.shuffle(rest)
    return first + rest


def _next(
    chance: random.Random, waiting: list[Kind], shape: Shape, now: float, free_at: Mapping[str, float], end: float
) -> Blow | None:
    """The first kind that is waiting and has a target which is not hurt just now; it is taken off the list."""
    for kind in waiting:
        free = [
            target
            for target in shape.targets(kind.target)
            if all(free_at.get(name, 0.0) <= now for name in shape.touched(target))
        ]
        lasts_s = round(chance.uniform(*kind.lasts_s), 2)
        if not free or now + lasts_s > end:
            continue
        waiting.remove(kind)
        return Blow(round(now, 2), kind.name, chance.choice(free), lasts_s, _amount(chance, kind))
    return None


def _amount(chance: random.Random, kind: Kind) -> float:
    """By how many seconds a clock is moved: a process' up to ten minutes either way, Steam's a little and only forward."""
    if kind.name == "steam_clock":
        return round(chance.uniform(3, 20), 1)
    if kind.name.endswith("_clock"):
        return round(chance.choice((-1, 1)) * chance.uniform(40, 600), 1)
    return 0.0
