"""`fleet users`: what is kept of a person, and forgetting it."""

from __future__ import annotations

import getpass
import json

import click

from scripts.cli.commands.clients import _opened
from scripts.cli.fleet import App

cli = click.Group(help="What is kept about a person, and forgetting it.")

PERSON = click.argument("person")


@cli.command()
@PERSON
@click.pass_obj
def export(app: App, person: str) -> None:
    """Print everything that is kept of PERSON, a user id or a Steam id, as JSON. Secrets are not shown."""
    from balancer.upkeep import persons

    with _opened(app, only_reads=True) as (connection, _):
        kept = persons.export(connection, persons.find(connection, person))
    click.echo(json.dumps(kept, indent=2, ensure_ascii=False))


@cli.command()
@PERSON
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def forget(app: App, person: str, yes: bool) -> None:
    """Take the name of PERSON, a user id or a Steam id, off everything that is kept here. It cannot be undone.

    Trades, items and events stay under a made-up name. Refused while PERSON has trades under way or items here, or is blocked.
    Backups and logs are not touched: after restoring an older backup say it again.
    """
    from balancer.upkeep import persons

    with _opened(app, only_reads=True) as (connection, _):
        found = persons.find(connection, person)
        persons.check_free(connection, found)
        known = persons.mentions(connection, found, 0)
    if not yes:
        click.confirm(f"Forget user {found.user_id}, Steam account {found.steam_id}, for good?", abort=True)
    with _opened(app) as (connection, _):
        done = persons.forget(connection, found, known, f"cli:{getpass.getuser()}", app.clock().now())
    click.echo(f"forgotten: {done['trades']} trades, {done['items']} items and {done['events']} events no longer have a name")
