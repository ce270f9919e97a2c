"""`fleet prices`: price lists that are held back, and accepting one."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from scripts.cli.commands.clients import JSON, _opened
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from pathlib import Path

    from balancer.items.price_lists import Standing

cli = click.Group(help="Price lists: which is held back and why, and accepting it.")


@cli.command()
@JSON
@click.pass_obj
def status(app: App, as_json: bool) -> None:
    """Show the price file's content and the lists that are held back. Exit status 1: the file's list is not in use."""
    from balancer.items import price_lists

    with _opened(app, only_reads=True) as (connection, _):
        lists = price_lists.standing(connection)
    told: dict[str, Any] = {
        "file": _of_file(app.settings().balancer.prices_file, lists),
        "held": [_shown(each) for each in lists],
    }
    click.echo(json.dumps(told) if as_json else "\n".join(_lines(told)))
    if not told["file"]["usable"]:
        raise SystemExit(1)


@cli.command()
@click.argument("digest")
@click.option("--feed", default="file", show_default=True, help="Which feed's list.")
@JSON
@click.pass_obj
def accept(app: App, digest: str, feed: str, as_json: bool) -> None:
    """Let every balancer use the list with this DIGEST, which `status` shows. Its first characters are enough if unique.

    They take it at their next look at the file ([balancer] prices_check_s). A file that has changed since is another list.
    """
    from balancer.items import price_lists
    from shared.clock import Clock
    from shared.errors import NotFound, TooLate

    try:
        with _opened(app) as (connection, _):
            taken = price_lists.accept(connection, feed, digest, f"cli:{getpass.getuser()}", Clock().now())
    except (NotFound, TooLate) as error:
        raise click.ClickException(error.detail) from None
    said = f"accepted: {taken.names} names, which were held back since {taken.why}"
    click.echo(json.dumps(_shown(taken)) if as_json else said)


def _of_file(path: Path, lists: list[Standing]) -> dict[str, Any]:
    """What lies in the file now, and whether the balancers may use it."""
    from balancer.items import prices

    told: dict[str, Any] = {"path": str(path), "usable": False, "names": None, "digest": None, "error": None}
    try:
        data = path.read_bytes()
        found = prices.parse(data)
    except (OSError, prices.BadPrices) as error:
        return {**told, "error": (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)}
    digest = prices.digest_of(data)
    held = any(each.digest == digest and each.accepted_by is None for each in lists)
    return {**told, "usable": not held, "names": len(found.cents), "digest": digest, "error": "held back" if held else None}


def _shown(each: Standing) -> dict[str, Any]:
    row = asdict(each)
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


def _lines(told: dict[str, Any]) -> list[str]:
    from balancer.items.price_lists import DIGEST_SHOWN

    file = told["file"]
    state = file["error"] or "taken"
    lines = [f"{file['path']}: {state}" + ("" if file["names"] is None else f", {file['names']} names")]
    for each in told["held"]:
        digest = each["digest"][:DIGEST_SHOWN]
        after = f"accepted by {each['accepted_by']}" if each["accepted_by"] else f"`fleet prices accept {digest}` takes it"
        lines.append(f"  {digest}  {each['feed']}  held back {each['held_at'][:19]}: {each['why']}; {after}")
    return lines
