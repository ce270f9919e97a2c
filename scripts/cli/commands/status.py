"""`fleet status`: the fleet on one screen: bots, what they can serve, trades under way, and what an operator has to look at."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from scripts.cli.asking import books
from scripts.cli.fleet import App
from scripts.cli.lines import colored

if TYPE_CHECKING:
    import redis

    from balancer.db.engine import Database
    from balancer.fleet.bot import Bot
    from balancer.fleet.forecast import Pace
    from balancer.fleet.reads import Turns
    from balancer.fleet.snapshot import Fleet
    from balancer.metrics.glance import Glance
    from shared.clock import Clock

_WAITS = {"settlement": "Steam's protection to end", "approval": "a second operator", "offer": "a free offer", "bot": "a bot"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def cli(app: App, as_json: bool) -> None:
    """Say how many bots may look, take and give, how much they can take in, which trades are under way, and what waits for you.

    It reads the bots' heartbeats and rows itself, so no balancer has to run. Exit status 1: no bot is online.

    \b
    fleet status
    fleet status --json | jq .trades
    """
    with seeing(app) as seen:
        told = seen.look()
    click.echo(json.dumps(told) if as_json else "\n".join(_lines(told)))
    if not told["bots"]["online"]:
        raise SystemExit(1)


@dataclass(frozen=True)
class Seen:
    """What one look at the fleet needs; `look` may be called again and again."""

    fleet: Fleet
    database: Database
    turns: Turns
    client: redis.Redis
    clock: Clock
    pace: Pace

    def look(self) -> dict[str, Any]:
        """Read heartbeats and rows again, and tell what there is."""
        from balancer.fleet import capacity
        from shared.domain.health import May

        fleet = self.fleet
        asyncio.run(fleet.refresh())
        can = asdict(capacity.of(fleet.bots(), fleet.lanes, fleet.limits, 0, fleet.groups_known))
        for shown, lane in zip(can["addresses"], fleet.lanes, strict=True):
            shown["next_turn_s"] = self.turns.ahead_s(lane)
        del can["reads_waiting"]  # each balancer knows its own; the next turns say how many there are
        may = {what.value: fleet.able(what) for what in May}
        known = {"known": fleet.count, "online": fleet.able(May.LOOK), "may": may, "states": _states(fleet)}
        told = {"bots": known, "paused": _paused(fleet), "capacity": can, "forecasts": self._forecasts()}
        return told | {"trades": asdict(self.glance())}

    def _forecasts(self) -> list[dict[str, Any]]:
        """When each color is full."""
        from balancer.fleet import forecast

        if self.pace.due:
            with self.database.reading() as connection:
                self.pace.counted(forecast.flows(connection, self.clock.now()))
        return [asdict(one) for one in forecast.of(self.fleet.bots(), self.fleet.limits.items_max, self.pace.flows)]

    def glance(self) -> Glance:
        """Trades under way, and what nobody has looked at yet."""
        from balancer.metrics import glance

        with self.database.reading() as connection:
            return glance.read(connection, self.clock.now())

    def bots(self) -> list[Bot]:
        """Every bot as `look` has last read it, with the withdrawals that wait for it."""
        from balancer.trades import line
        from shared.domain.status import WaitsFor

        with self.database.reading() as connection:
            waits = line.per_bot(connection)
        return [
            replace(bot, waiting=sum(mine.values()), in_line=mine.get(WaitsFor.OFFER, 0))
            if (mine := waits.get(bot.name))
            else bot
            for bot in self.fleet.bots()
        ]


@contextmanager
def seeing(app: App) -> Iterator[Seen]:
    """The fleet by its heartbeats and rows; no balancer has to run."""
    from balancer.fleet.forecast import Pace
    from balancer.fleet.reads import Turns
    from balancer.fleet.snapshot import Fleet
    from shared import wire
    from shared.clock import Clock, ServerClock

    settings = app.settings()
    clock = Clock.of(settings.clock)
    server_clock = ServerClock(clock)
    with (
        books(app) as (database, master),
        wire.connect(settings.redis.url, timeout_s=settings.redis.timeout_s) as client,
    ):
        wire.measure_time(client, clock, server_clock)
        fleet = Fleet(settings, clock, server_clock, master, client, database)
        yield Seen(fleet, database, Turns(client), client, clock, Pace(clock))


def _paused(fleet: Fleet) -> list[dict[str, Any]]:
    """The bots that may make no calls to Steam now."""
    from balancer.fields import plain

    return [{"bot": bot.bot, **plain(bot.paused)} for bot in fleet.bots() if bot.paused is not None]


def _states(fleet: Fleet) -> dict[str, int]:
    """How many bots are in each state, and how many of them an operator has paused or lets run empty."""
    return dict(Counter([bot.state for bot in fleet.bots()] + [bot.mode.value for bot in fleet.bots() if bot.mode != "active"]))


def glance_lines(trades: dict[str, Any]) -> list[str]:
    """Trades under way, what they wait for, and what an operator has to look at, each with the command for it."""
    lines = []
    for name in ("deposits", "withdrawals"):
        under_way = (
            ", ".join(f"{count} {colored(status)}" for status, count in sorted(trades[name].items())) or "none under way"
        )
        lines.append(f"{name:12} {under_way}")
    waits = ", ".join(f"{count} for {_WAITS.get(what, what)}" for what, count in sorted(trades["waiting"].items()))
    lines.append(f"{'waiting':12} {waits or 'none'}; the oldest move under way is {_age(trades['oldest_s'])} old")
    todo = [
        (trades["alarms"], "alarms that nobody has acknowledged", "fleet alarms list"),
        (trades["doubts"], "trades in doubt", "fleet trades list --status in_doubt"),
        (trades["differences"], "differences in audits", "fleet audit"),
        (trades["waiting"].get("approval", 0), "withdrawals that wait for a second operator", "fleet approvals list"),
        (trades["webhooks_disabled"], "disabled targets of webhooks", "fleet webhooks list"),
        (len(trades["paused"]), f"switches are off: {', '.join(trades['paused'])}", "fleet switches list"),
    ]
    due = [f"  {click.style(str(count), fg='red')} {what}: {command}" for count, what, command in todo if count]
    return [*lines, *(["look at", *due] if due else [f"{'look at':12} nothing"])]


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _forecast_line(each: dict[str, Any]) -> str:
    """Of one color."""
    when = (
        "does not fill" if each["full_in_s"] is None else f"full in {_age(each['full_in_s'])}" if each["full_in_s"] else "full"
    )
    moved = f"{each['came_in']} in and {each['went_out']} out in {_age(each['over_s'])}"
    return f"{each['color']}: {each['free']} of {each['slots']} items free; {moved}: {when}"


def _lines(told: dict[str, Any]) -> list[str]:
    bots, can = told["bots"], told["capacity"]
    may = ", ".join(f"{count} may {what}" for what, count in bots["may"].items())
    reads = can["reads_per_minute"]
    rate = "as many as are asked for" if reads is None else f"{reads:g} a minute"
    lines = [
        f"bots         {bots['known']} known, {bots['online']} online; {may}",
        "health       " + (", ".join(f"{n} {colored(state)}" for state, n in sorted(bots["states"].items())) or "no bot yet"),
        f"room         {can['slots_free']} items, {can['offers_free']} open offers for deposits",
        f"inventories  {rate}, over {len(can['addresses'])} addresses that Steam sees",
        f"dear items   read by bots of {'two groups' if can['groups'] > 1 else 'one group only: there is no second one'}",
    ]
    lines[3:3] = [f"  {_forecast_line(each)}" for each in told["forecasts"]]
    for each in can["addresses"]:
        pace = "at will" if each["reads_per_minute"] is None else f"{each['reads_per_minute']:g} a minute"
        lines.append(f"  {each['address']}: {each['bots']} bots, {pace}, next turn in {each['next_turn_s']:.0f} s")
    for each in told["paused"]:
        asked = f" (it asked for {each['asked_s']} s)" if each["asked_s"] is not None else ""
        lines.append(f"  {each['bot']}: {each['reason']} since {each['since']}, until {each['until']}{asked}")
    return [*lines, *glance_lines(told["trades"])]
