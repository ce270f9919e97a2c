"""`scripts/site`: start everything, let people play, audit all three books. Exit 1 names every difference."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from scripts.lab.parts import StackError, interruptible
from scripts.lab.quick import NEVER_REACHED
from scripts.lab.servers import EmbeddedError
from scripts.lab.stack import Stack, Wish
from scripts.site_run import audit, chaos
from scripts.site_run.serve import Served, serve
from scripts.site_run.start import PATRONS, Site

PROTECTION_S = 3
OFFER_LIFETIME_S = 600
BEACON_S = 1
PLAYERS, PLAYERS_OF_CHAOS = 40, 15
TOLD_OF_CHAOS = (
    "blows",
    "died_at",
    "never_reached",
    "errands",
    "interrupted",
    "void_reasons",
    "looked_on",
    "messages_followed",
    "staff_log",
    "raffles_drawn",
    "raffles_void",
    "bound_themselves",
)


@click.command()
@click.option(
    "--rounds", type=click.IntRange(min=1), help="Play so many rounds of each room instead, and audit all three books."
)
@click.option(
    "--players",
    type=click.IntRange(10, 60),
    help="People who play; 40, with --chaos 15. Two rooms need ten of them.",
)
@click.option("--engines", default=2, show_default=True, type=click.IntRange(1, 8), help="Engines that drive the rounds.")
@click.option("--bots", default=4, show_default=True, type=click.IntRange(1, 10), help="Bots that keep the items.")
@click.option("--chaos", "chaos_s", type=click.FloatRange(min=5), help="Hurt everything for so many seconds instead.")
@click.option("--seed", default=1, show_default=True, help="Decides what people have and do.")
@click.option("--database", "database_url", default="", help="A database of your own (postgresql://…) instead of SQLite.")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), help="Keep settings, logs and records here.")
@click.option("--port", default=8430, show_default=True, type=click.IntRange(0, 65535), help="Where pages are; 0: a free port.")
@click.option("--kill", is_flag=True, help="Engines are killed while people play, at points that the seed draws.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def cli(
    rounds: int | None,
    chaos_s: float | None,
    players: int | None,
    engines: int,
    bots: int,
    seed: int,
    database_url: str,
    directory: Path | None,
    port: int,
    kill: bool,
    as_json: bool,
) -> None:
    """A site to play on: a fleet against the simulated Steam, six rooms, and forty simulated people who play until Ctrl-C.

    With --rounds they play from the first deposit to the last withdrawal, and three books are held against each other.
    With --chaos engines, the fleet's parts and the beacon's relays are hurt by the seed meanwhile, and healed in the end.
    """

    def say(text: str) -> None:
        click.echo(text, err=True)

    with tempfile.TemporaryDirectory(prefix="fleet-site-", ignore_cleanup_errors=True) as temporary, interruptible():
        folder = (directory or Path(temporary)).absolute()
        try:
            if rounds is None and chaos_s is None:
                serve(folder, Served(players or PLAYERS, engines, bots, seed, port, database_url), say)
                return
            if chaos_s is None:
                result = by_rounds(folder, rounds or 1, players or PLAYERS, engines, bots, seed, database_url, kill, say)
            else:
                result = chaos.run(
                    chaos.Options(chaos_s, seed, players or PLAYERS_OF_CHAOS, engines, bots, database_url), folder, say
                )
        except (StackError, EmbeddedError) as error:
            click.echo(str(error), err=True)
            raise SystemExit(2) from None
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            raise SystemExit(130) from None
    click.echo(json.dumps(result) if as_json else "\n".join(told(result)))
    raise SystemExit(1 if result["differences"] else 0)


def by_rounds(
    folder: Path,
    rounds: int,
    players: int,
    engines: int,
    bots: int,
    seed: int,
    database_url: str,
    kill: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """A run over so many rounds. With `kill`, engines die meanwhile. Raises StackError."""
    wish = Wish(
        directory=folder,
        bots_per_group=bots,
        players=players + PATRONS,
        seed=seed,
        protection_s=PROTECTION_S,
        offer_lifetime_s=OFFER_LIFETIME_S,
        overrides={"rates": dict(NEVER_REACHED), "trades": {"settle_margin_s": 0.5}},
        sandbox_args=[
            *("--items-per-player", "24-32", "--player-delay-s", "0.2"),
            *("--beacon-period-s", str(BEACON_S), "--beacon-clock", "real"),
        ],
    )
    with Stack(wish, say) as stack:
        site = Site(stack, database_url or f"sqlite://{folder / 'site' / 'site.sqlite3'}", engines)
        say("starting the site")
        site.start()
        return play(site, rounds, players, seed, kill=kill)


def play(site: Site, rounds: int, players: int, seed: int, *, kill: bool) -> dict[str, Any]:
    """All that happens once everything runs; the numbers, and every difference."""
    import django

    django.setup()  # after the settings are in the environment, before a model is imported
    from scripts.site_run import game, people

    started = time.monotonic()
    tally = asyncio.run(game.run(site, rounds, players, seed, kills=kill))
    site.stack.say("everybody is done; now all three books are held against each other")
    found, compared = audit.of_all_books(site)
    return {
        "seed": seed,
        "rounds": compared["rounds"],
        "rounds_by_room": dict(people.drawn()),
        "void": compared["void"],
        "bets": dict(tally.bets),
        "refused": dict(tally.refused),
        "kills": dict(tally.kills),
        "errands": dict(sorted(tally.errands.items())),
        "withdrawn_items": tally.withdrawn,
        "compared": compared,
        "seconds": round(time.monotonic() - started, 1),
        "differences": [{"kind": one.kind, "text": one.text} for one in found]
        + [{"kind": "play", "text": text} for text in tally.problems]
        + [{"kind": "waiting", "text": text} for text in people.under_way()],
    }


def told(result: dict[str, Any]) -> list[str]:
    lines = [
        f"{result['rounds']} rounds drawn, {result['void']} void, in {result['seconds']:.0f} s",
        f"bets: {result['bets']}; refused: {result['refused'] or 'none'}; {result['withdrawn_items']} items withdrawn",
        f"compared: {', '.join(f'{count} {name}' for name, count in result['compared'].items())}",
        *(f"{name}: {result[name]}" for name in TOLD_OF_CHAOS if name in result),
        f"{len(result['differences'])} differences",
    ]
    if result.get("kills"):
        lines.insert(1, f"engines killed: {result['kills']}")
    return lines + [f"  {one['kind']}: {one['text']}" for one in result["differences"]]


if __name__ == "__main__":
    cli(prog_name="scripts/site", args=sys.argv[1:])
