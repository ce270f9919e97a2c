"""`fleet prices`: where values come from, lists that are held back and accepting one, trying a feed, what an item was worth."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from balancer.journal.by import By
from scripts.cli.asking import DRY, JSON, answer, opened
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from collections.abc import Mapping

cli = click.Group(help="Values of items: their sources, lists that are held back, trying a feed.")


@cli.command()
@JSON
@click.pass_obj
def status(app: App, as_json: bool) -> None:
    """Show every source of values in the order of trust, and the lists that are held back.

    Exit status 1: of one of them the newest list is not in use.

    \b
    fleet prices status
    """
    from balancer.items import standing
    from scripts.cli import price_status

    settings = app.settings()
    with opened(app, only_reads=True) as (connection, _):
        told = standing.read(settings, connection, app.clock().now())
    click.echo(json.dumps(told) if as_json else "\n".join(price_status.lines(told)))
    if not all(source["usable"] for source in told["sources"]):
        raise SystemExit(1)


@cli.command()
@click.argument("source")
@click.option("--reason", required=True, help="Why the list is right; the event says it.")
@click.option(
    "--digest", default="", help="The list that was looked at, as `status` shows it; its first characters are enough."
)
@DRY
@JSON
@click.pass_obj
def accept(app: App, source: str, reason: str, digest: str, dry_run: bool, as_json: bool) -> None:
    """Let every balancer use the list of SOURCE that is held back: a feed's name, or `file` for the price file.

    They take it at their next look ([balancer] prices_check_s). With --digest no other list is accepted than that one.

    \b
    fleet prices accept skinport --digest 9f86d0 --reason "they removed stickers"
    """
    from balancer.items import price_lists
    from balancer.items.feeds import kept
    from balancer.items.feeds.sources import FILE
    from shared.errors import NotFound, TooLate

    if source not in app.settings().prices.sources:
        raise click.ClickException(
            f"{source} is no source of values; [prices] sources names {', '.join(app.settings().prices.sources)}"
        )
    who, now = f"cli:{getpass.getuser()}", app.clock().now()
    try:
        with opened(app, dry_run=dry_run) as (connection, _):
            if source == FILE:
                taken: Any = price_lists.accept(connection, FILE, digest, reason, By(who, now))
            else:
                taken = kept.accept(connection, source, digest, reason, By(who, now))
    except (NotFound, TooLate) as error:
        raise click.ClickException(error.detail) from None
    told = {"source": source, "digest": taken.digest, "names": taken.names, "accepted_by": who, "reason": reason}
    answer(told, f"accepted: {taken.names} names of {source}", as_json=as_json, dry_run=dry_run)


@cli.command("try")
@click.argument("place")
@click.option("--preset", default="", help="A well-known shape: skinport, market_csgo, csgotrader, pricempire, table …")
@click.option("--set", "parts", multiple=True, help="A part of the shape, as in unit=cents; repeat it.")
@JSON
@click.pass_obj
def try_(app: App, place: str, preset: str, parts: tuple[str, ...], as_json: bool) -> None:
    """Show what would be read from PLACE: an address, a file, or a feed of the settings. Nothing is changed.

    Exit status 1: no price in it can be used.

    \b
    fleet prices try https://prices.example/all.json --preset skinport
    """
    from scripts.cli import feed_trial

    settings = app.settings()
    told = feed_trial.tried(feed_trial.feed_of(place, preset, parts, settings), settings)
    click.echo(json.dumps(told) if as_json else "\n".join(feed_trial.lines(told, settings.balancer.currency)))
    if told["error"] is not None:
        raise SystemExit(1)


@cli.command()
@click.argument("market_hash_name")
@JSON
@click.pass_obj
def history(app: App, market_hash_name: str, as_json: bool) -> None:
    """Show what an item was worth and who said so, the newest first. Kept for [retention] values_days.

    \b
    fleet prices history "AK-47 | Redline (Field-Tested)"
    """
    from balancer.items import catalogue

    with opened(app, only_reads=True) as (connection, _):
        found = catalogue.history(connection, market_hash_name)
    rows = [_shown(asdict(each)) for each in found]
    if as_json:
        click.echo(json.dumps({"market_hash_name": market_hash_name, "values": rows}))
        return
    for row in rows:
        click.echo(f"{row['at'][:19]}  {row['value_cents']:>12}  {row['source']}")
    if not rows:
        raise click.ClickException("no value of this item is known; its whole market_hash_name is wanted")


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
