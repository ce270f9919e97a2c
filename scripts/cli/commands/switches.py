"""`fleet switches`: stop deposits, withdrawals or locks for games, and let them go on."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING

import click

from balancer.journal.by import By
from scripts.cli.asking import DRY, JSON, opened
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from balancer.fleet.switches import Pause

REASON_MAX = 200  # as over HTTP

SWITCH = click.argument("switch", type=click.Choice(["deposits", "withdrawals", "locks"]))
CLIENT = click.option("--client", help="Only the withdrawals of the client of this name.")

cli = click.Group(help="Pause deposits, withdrawals or locks for games, and resume them.")


@cli.command()
@SWITCH
@CLIENT
@click.option("--reason", default="", help="Shown to the sites whose requests are refused.")
@DRY
@JSON
@click.pass_obj
def pause(app: App, switch: str, client: str | None, reason: str, dry_run: bool, as_json: bool) -> None:
    """Refuse new trades of this kind. Every balancer does so within seconds.

    Withdrawals that no bot has begun are held, too; a bot finishes what it has begun.

    \b
    fleet switches pause deposits --reason "Steam updates its servers"
    fleet switches pause withdrawals --client site
    """
    if len(reason) > REASON_MAX or not reason.isprintable():
        raise click.UsageError(f"--reason is one line of at most {REASON_MAX} characters")
    _show(_turn(app, switch, client, reason, paused=True, dry_run=dry_run), as_json=as_json)


@cli.command()
@SWITCH
@CLIENT
@DRY
@JSON
@click.pass_obj
def resume(app: App, switch: str, client: str | None, dry_run: bool, as_json: bool) -> None:
    """Take new trades of this kind again. Limits of what goes out count from now on.

    \b
    fleet switches resume deposits
    """
    _show(_turn(app, switch, client, "", paused=False, dry_run=dry_run), as_json=as_json)


@cli.command("list")
@JSON
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """Show what is paused.

    \b
    fleet switches list --json
    """
    from balancer.fleet import switches

    with opened(app) as (connection, _):
        pauses = switches.read(connection)
    _show(pauses, as_json=as_json)


def _turn(app: App, switch: str, client: str | None, reason: str, *, paused: bool, dry_run: bool) -> list[Pause]:
    from balancer.fleet import switches

    with opened(app, dry_run=dry_run) as (connection, _):
        return switches.write(connection, switch, By(f"cli:{getpass.getuser()}", app.clock().now()), reason, paused, client)


def _show(pauses: list[Pause], *, as_json: bool) -> None:
    from balancer import fields

    if as_json:
        click.echo(json.dumps({"paused": [fields.plain(one) for one in pauses]}))
        return
    for one in pauses:
        of = f" of {one.client}" if one.client else ""
        since = f"{fields.rfc3339(one.paused_at)}"
        click.echo(f"{one.switch}{of} are paused since {since} by {one.who} {one.reason}".rstrip())
    if not pauses:
        click.echo("nothing is paused")
