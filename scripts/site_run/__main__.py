"""`scripts/site`: start everything, let people play, audit all three books. Exit 1 names every difference."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from scripts import crosscheck
from scripts.lab.calls import get_json
from scripts.lab.parts import StackError, interruptible
from scripts.lab.quick import NEVER_REACHED
from scripts.lab.stack import Stack, Wish
from scripts.site_run.start import Site

PROTECTION_S = 3
OFFER_LIFETIME_S = 600
BEACON_S = 1


@click.command()
@click.option("--rounds", default=10, show_default=True, type=click.IntRange(min=1), help="Rounds that are to be drawn.")
@click.option("--players", default=8, show_default=True, type=click.IntRange(2, 40), help="People who play.")
@click.option("--engines", default=2, show_default=True, type=click.IntRange(1, 8), help="Engines that drive the rounds.")
@click.option("--bots", default=4, show_default=True, type=click.IntRange(1, 10), help="Bots that keep the items.")
@click.option("--seed", default=1, show_default=True, help="Decides what people have and do.")
@click.option("--database", "database_url", default="", help="A database of your own (postgresql://…) instead of SQLite.")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), help="Keep settings, logs and records here.")
@click.option("--kill", is_flag=True, help="Engines are killed while people play, at points that the seed draws.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def cli(
    rounds: int,
    players: int,
    engines: int,
    bots: int,
    seed: int,
    database_url: str,
    directory: Path | None,
    kill: bool,
    as_json: bool,
) -> None:
    """Play classic rounds with items of a fleet against the simulated Steam, from the deposit to the withdrawal."""

    def say(text: str) -> None:
        click.echo(text, err=True)

    with tempfile.TemporaryDirectory(prefix="fleet-site-", ignore_cleanup_errors=True) as temporary, interruptible():
        folder = (directory or Path(temporary)).absolute()
        wish = Wish(
            directory=folder,
            bots_per_group=bots,
            players=players + 1,
            seed=seed,
            protection_s=PROTECTION_S,
            offer_lifetime_s=OFFER_LIFETIME_S,
            overrides={"rates": dict(NEVER_REACHED), "trades": {"settle_margin_s": 0.5}},
            sandbox_args=[
                "--items-per-player",
                "15-20",
                "--player-delay-s",
                "0.2",
                "--beacon-period-s",
                str(BEACON_S),
                "--beacon-clock",
                "real",
            ],
        )
        try:
            with Stack(wish, say) as stack:
                site = Site(stack, database_url or f"sqlite://{folder / 'site' / 'site.sqlite3'}", engines)
                say("starting the site")
                site.start()
                result = play(site, rounds, players, seed, kill=kill)
        except StackError as error:
            click.echo(str(error), err=True)
            raise SystemExit(2) from None
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            raise SystemExit(130) from None
    click.echo(json.dumps(result) if as_json else "\n".join(told(result)))
    raise SystemExit(1 if result["differences"] else 0)


def play(site: Site, rounds: int, players: int, seed: int, *, kill: bool) -> dict[str, Any]:
    """All that happens once everything runs; the numbers, and every difference."""
    import django

    django.setup()  # after the settings are in the environment, before a model is imported
    from scripts.site_run import game

    started = time.monotonic()
    tally = asyncio.run(game.run(site, rounds, players, seed, kills=kill))
    site.stack.say("everybody is done; now all three books are held against each other")
    found, compared = audit_all(site)
    return {
        "seed": seed,
        "rounds": compared["rounds"],
        "void": compared["void"],
        "bets": dict(tally.bets),
        "refused": dict(tally.refused),
        "kills": dict(tally.kills),
        "withdrawn_items": tally.withdrawn,
        "compared": compared,
        "seconds": round(time.monotonic() - started, 1),
        "differences": [{"kind": one.kind, "text": one.text} for one in found]
        + [{"kind": "play", "text": text} for text in tally.problems],
    }


def audit_all(site: Site) -> tuple[list[crosscheck.Difference], dict[str, int]]:
    """Steam's record against the fleet's rows, those against the site's rounds, every record by the verifier."""
    from scripts.site_run import audit

    stack = site.stack
    record = get_json(f"{stack.control_url}/control/record", timeout_s=120)
    books = crosscheck.read_books(stack.settings().database.url)
    found = crosscheck.differences(books, record)
    own = audit.read_site()
    client_id, transfers = site.done_by_the_fleet()
    found += audit.differences(own, books, client_id, transfers)
    found += audit.verify(site.folder, site.terms().chain_hash)
    compared = crosscheck.summary(books, record) | {
        "rounds": sum(not row["outcome"]["void"] for row in own.records),
        "void": sum(bool(row["outcome"]["void"]) for row in own.records),
        "records_verified": len(own.records),
        "transfers_of_rounds": len(own.transfers),
        "bets_of_players": len(own.bets),
    }
    return found, compared


def told(result: dict[str, Any]) -> list[str]:
    lines = [
        f"{result['rounds']} rounds drawn, {result['void']} void, in {result['seconds']:.0f} s",
        f"bets: {result['bets']}; refused: {result['refused'] or 'none'}; {result['withdrawn_items']} items withdrawn",
        f"compared: {', '.join(f'{count} {name}' for name, count in result['compared'].items())}",
        f"{len(result['differences'])} differences",
    ]
    if result["kills"]:
        lines.insert(1, f"engines killed: {result['kills']}")
    return lines + [f"  {one['kind']}: {one['text']}" for one in result["differences"]]


if __name__ == "__main__":
    cli(prog_name="scripts/site", args=sys.argv[1:])
