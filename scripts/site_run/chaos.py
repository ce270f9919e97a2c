"""A site and its fleet hurt by the seed while people play, then healed, brought to rest and audited across all three books."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.chaos_run import run as chaos
from scripts.chaos_run.checker import Reader
from scripts.chaos_run.fleet import PACES, ChaosFleet
from scripts.chaos_run.nemesis import Nemesis
from scripts.chaos_run.workload import Workload
from scripts.lab.calls import get_json
from scripts.lab.gate import Gate
from scripts.lab.stack import Wish
from scripts.site_run import audit, trouble
from scripts.site_run.onlookers import Onlookers
from scripts.site_run.serve import invited
from scripts.site_run.start import PATRONS, Site

if TYPE_CHECKING:  # they need the settings of the site, which are made later
    from scripts.site_run.own_limits import Bound
    from scripts.site_run.person import Person

BALANCERS = 2
# With few people most rounds would be void otherwise, and somebody is alone more often.
# A prize waits for its first ticket longer than the demo lets it: who has none gets some by an exchange first.
SHORTER = {
    "classic-unlimited": {"lonely_void_s": 12},
    "global-pot": {"global_pot_limit": 800},
    "giveaway": {"time_limit": 30},
}
PAGES = 2
PROTECTION_S = 3
OFFER_LIFETIME_S = 600
SETTLE_S = 300.0
TICK_S = 0.05
TRIES_LUCK = 0.2
# Two rooms need ten players: so many more there are as may bind themselves.
BOUND_PLAYERS = 5
BOUND_AFTER = (5, 25)
# An engine that is started while its database is away ends, as the log of its end says; it is started again.
DATABASE_AWAY = "OperationalError"
OURS = ("engine", "web")


@dataclass(frozen=True)
class Options:
    """What kind of day it is to be. Without a database the site's is on the fleet's own PostgreSQL server."""

    seconds: float
    seed: int
    players: int
    engines: int
    bots: int
    database_url: str = ""

    def wish(self, folder: Path) -> Wish:
        """What to start beneath the site."""
        return Wish(
            directory=folder,
            bots_per_group=self.bots,
            players=self.players + PATRONS,
            seed=self.seed,
            protection_s=PROTECTION_S,
            offer_lifetime_s=OFFER_LIFETIME_S,
            overrides={**PACES, "trades": {**PACES["trades"], "settle_margin_s": 0.5}},
            sandbox_args=[
                *("--items-per-player", "24-32", "--player-delay-s", "0.2"),
                *("--beacon-period-s", "1", "--beacon-clock", "real"),
            ],
        )


def run(options: Options, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The whole run; its result as plain values.

    Raises:
        StackError, EmbeddedError: something did not start, or did not come back although nothing was wrong any more.
    """
    started = time.monotonic()
    with ChaosFleet(options.wish(folder), balancers=BALANCERS, say=say) as fleet:
        database_url = options.database_url or fleet.postgres.create_database(trouble.DATABASE_NAME).replace("+psycopg", "")
        urls = [balancer.url for balancer in fleet.balancers]
        relays = [f"{fleet.steam_url}/relays/{name}" for name in trouble.RELAYS]
        assert fleet.redis is not None
        with Gate(str(fleet.redis.socket_path)) as gate:
            redis_url = f"redis://{gate.host}:{gate.port}/0"
            site = Site(fleet, database_url, options.engines, urls, relays, redis_url, shorter=SHORTER, raffles=True)
            say("starting the site")
            site.start()
            invited(site)
            result = hurt(options, fleet, site, gate)
    return {**result, "seconds": round(time.monotonic() - started, 1)}


def hurt(options: Options, fleet: ChaosFleet, site: Site, gate: Gate) -> dict[str, Any]:
    """Everything once it runs. In the main thread: what it starts would end with another one."""
    accounts = get_json(f"{fleet.control_url}/control/accounts")["accounts"]
    reader, struck = Reader(fleet.database_url), trouble.Trouble(fleet, site, options.seed, gate)
    # Nobody asks but the site and its people; the fleet's own workload only says which account is whose.
    workload = Workload(options.seed, site.fleet_urls, fleet.api_key, fleet.control_url, accounts)
    nemesis = Nemesis(fleet, workload, reader, fleet.say, struck.deeds())
    struck.keep_engines()
    addresses = struck.keep_pages(PAGES)
    crowd = Crowd(site, options)
    lookers = Onlookers(addresses, lanes())
    lookers.start()
    try:
        crowd.start(nemesis.tick)
        nemesis.run(trouble.blows(options.seed, options.seconds, fleet, options.engines, site.database_url), options.seconds)
        crowd.stopped.set()
        chaos.heal(fleet, nemesis, fleet.say)
        crowd.finish(nemesis.tick)
        chaos.settle(fleet, nemesis, reader, SETTLE_S, fleet.say)
        lookers.stop(messages)
    finally:
        nemesis.close()
    fleet.say("everything is at rest; now all three books are held against each other")
    return told(options, site, nemesis, struck, crowd, lookers)


def lanes() -> list[str]:
    """No connection stays behind: all of them are ended now and then."""
    from django.db import connections

    from website.rooms.models import Lane

    try:
        return list(Lane.objects.order_by("name").values_list("name", flat=True))
    finally:
        connections.close_all()


def messages(lane: str) -> list[tuple[int, str]]:
    """What a lane was told, by the table."""
    from website.rooms.models import LaneMessage

    return list(LaneMessage.objects.filter(lane=lane).order_by("seq").values_list("seq", "kind"))


class Crowd:
    """People who play, in a thread of their own, so that the nemesis never waits for them."""

    def __init__(self, site: Site, options: Options) -> None:
        import django

        django.setup()  # the settings are in the environment by now
        from scripts.site_run.office import Office
        from scripts.site_run.people import Tally

        self.tally = Tally()
        self._office = Office(self.tally, random.Random(f"office:{options.seed}"))  # noqa: S311 - a script of play, no secret
        self._crowd: list[Person] = []
        self.began, self.stopped = threading.Event(), threading.Event()
        self.failed: BaseException | None = None
        self._site, self._options = site, options
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)

    def start(self, tick: Callable[[], None]) -> None:
        """Returns when they play."""
        self._thread.start()
        while not self.began.is_set() and self._thread.is_alive():
            tick()
            time.sleep(TICK_S)

    def finish(self, tick: Callable[[], None]) -> None:
        """Returns when everybody has gone home, or something never came."""
        while self._thread.is_alive():
            tick()
            time.sleep(TICK_S)

    @property
    def bounds(self) -> list[Bound]:
        """What some of them have decided about their own play."""
        return [bound for each in self._crowd for bound in each.bounds]

    def _begin(self, crowd: list[Person]) -> None:
        """All try their luck with raffles, and the first some bind themselves sooner or later."""
        from scripts.site_run import own_limits

        for place, each in enumerate(crowd):
            each.tries_luck = TRIES_LUCK
            if place < BOUND_PLAYERS:
                each.decides, each.steps = own_limits.KINDS[place % len(own_limits.KINDS)], each.chance.randint(*BOUND_AFTER)
        self._crowd = crowd
        self.began.set()

    def _run(self) -> None:
        from scripts.site_run import game

        options = self._options

        async def stopped(_wanted: set[str]) -> bool:
            return self.stopped.is_set()

        try:
            play = game.whole(self._site, options.seed, options.players, self.tally, self._begin, stopped, self._office.work)
            asyncio.run(play)
        except BaseException as error:
            self.failed = error


def told(
    options: Options, site: Site, nemesis: Nemesis, struck: trouble.Trouble, crowd: Crowd, lookers: Onlookers
) -> dict[str, Any]:
    """The numbers, and every difference."""
    from scripts.site_run import office, people
    from website.rooms.models import Round

    found, compared = audit.of_all_books(site, crowd.bounds)
    waiting = people.under_way()
    play = [*crowd.tally.problems, *([repr(crowd.failed)] if crowd.failed is not None else [])]
    ended = nemesis.fleet.ended_by_itself
    voids = Round.objects.exclude(void_reason="").values_list("void_reason", flat=True)
    return {
        "seed": options.seed,
        "chaos_s": options.seconds,
        "rounds": compared["rounds"],
        "rounds_by_room": dict(people.drawn()),
        "void": compared["void"],
        "void_reasons": dict(Counter(voids)),
        "bets": dict(crowd.tally.bets),
        "refused": dict(crowd.tally.refused),
        "errands": dict(sorted(crowd.tally.errands.items())),
        "interrupted": dict(crowd.tally.interrupted),
        "withdrawn_items": crowd.tally.withdrawn,
        "blows": dict(sorted(Counter(wound.blow.kind for wound in nemesis.wounds).items())),
        "died_at": dict(struck.died),
        "never_reached": dict(struck.unreached),
        "ended_by_themselves": ended,
        "looked_on": dict(lookers.answers),
        "messages_followed": sum(map(len, lookers.told.values())),
        **office.counted(),
        "bound_themselves": dict(Counter(bound.kind for bound in crowd.bounds)),
        "compared": compared,
        "differences": [{"kind": one.kind, "text": one.text} for one in found]
        + [{"kind": "play", "text": text} for text in play]
        + [{"kind": "pages", "text": text} for text in lookers.problems]
        + [{"kind": "waiting", "text": text} for text in waiting]
        + [
            {"kind": "ended", "text": text}
            for text in ended
            if text.startswith(("engine", "web")) and DATABASE_AWAY not in text
        ],
    }
