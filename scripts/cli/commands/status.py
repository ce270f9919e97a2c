"""`fleet status`: how many bots are there, and what they can serve."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from scripts.cli.fleet import App

if TYPE_CHECKING:
    from balancer.fleet.snapshot import Fleet


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def cli(app: App, as_json: bool) -> None:
    """Say how many bots may look, take and give, and how much they can take in: items, offers, inventories a minute.

    It reads the bots' heartbeats and rows itself, so no balancer has to run. Exit status 1: no bot is online.
    """
    told = _look(app)
    click.echo(json.dumps(told) if as_json else "\n".join(_lines(told)))
    if not told["bots"]["online"]:
        raise SystemExit(1)


def _look(app: App) -> dict[str, Any]:
    from balancer.db import migrate
    from balancer.db.engine import Database
    from balancer.fleet import capacity
    from balancer.fleet.reads import Turns
    from balancer.fleet.snapshot import Fleet
    from shared import log, wire
    from shared.clock import Clock, ServerClock
    from shared.domain.health import May
    from shared.sealing import MasterKey

    settings = app.settings()
    log.set_up("error", settings.log.format)
    master = MasterKey.read(settings.balancer.master_key_file)
    migrate.open_for(settings)
    database = Database(settings.database)
    clock = Clock.of(settings.clock)
    server_clock = ServerClock(clock)
    try:
        with wire.connect(settings.redis.url, timeout_s=settings.redis.timeout_s) as client:
            wire.measure_time(client, clock, server_clock)
            fleet = Fleet(settings, clock, server_clock, master, client, database)
            asyncio.run(fleet.refresh())
            turns = Turns(client)
            can = asdict(capacity.of(fleet.bots(), fleet.lanes, fleet.limits, 0, fleet.groups_known))
            paused = _paused(fleet)
            for shown, lane in zip(can["addresses"], fleet.lanes, strict=True):
                shown["next_turn_s"] = turns.ahead_s(lane)
    finally:
        database.close()
    del can["reads_waiting"]  # each balancer knows its own; the next turns say how many there are
    may = {what.value: fleet.able(what) for what in May}
    return {"bots": {"known": fleet.count, "online": fleet.able(May.LOOK), "may": may}, "paused": paused, "capacity": can}


def _paused(fleet: Fleet) -> list[dict[str, Any]]:
    """The bots that may make no calls to Steam now."""
    from balancer.fields import plain

    return [{"bot": bot.bot, **plain(bot.paused)} for bot in fleet.bots() if bot.paused is not None]


def _lines(told: dict[str, Any]) -> list[str]:
    bots, can = told["bots"], told["capacity"]
    may = ", ".join(f"{count} may {what}" for what, count in bots["may"].items())
    reads = can["reads_per_minute"]
    rate = "as many as are asked for" if reads is None else f"{reads:g} a minute"
    lines = [
        f"bots         {bots['known']} known, {bots['online']} online; {may}",
        f"room         {can['slots_free']} items, {can['offers_free']} open offers for deposits",
        f"inventories  {rate}, over {len(can['addresses'])} addresses that Steam sees",
        f"dear items   read by bots of {'two groups' if can['groups'] > 1 else 'one group only: there is no second one'}",
    ]
    for each in can["addresses"]:
        pace = "at will" if each["reads_per_minute"] is None else f"{each['reads_per_minute']:g} a minute"
        lines.append(f"  {each['address']}: {each['bots']} bots, {pace}, next turn in {each['next_turn_s']:.0f} s")
    for each in told["paused"]:
        asked = f" (it asked for {each['asked_s']} s)" if each["asked_s"] is not None else ""
        lines.append(f"  {each['bot']}: {each['reason']} since {each['since']}, until {each['until']}{asked}")
    return lines
