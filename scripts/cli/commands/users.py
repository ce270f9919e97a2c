"""`fleet users`: what is kept of a person, and forgetting it."""

from __future__ import annotations

import getpass
import json

import click

from balancer.journal.by import By
from scripts.cli.asking import answer, dangerous, opened, sure
from scripts.cli.fleet import App

cli = click.Group(help="What is kept about a person, and forgetting it.")

PERSON = click.argument("person")


@cli.command()
@PERSON
@click.pass_obj
def export(app: App, person: str) -> None:
    """Print everything that is kept of PERSON, a user id or a Steam id, as JSON. Secrets are not shown.

    \b
    fleet users export 76561198000000001
    """
    from balancer.upkeep import persons

    with opened(app, only_reads=True) as (connection, _):
        kept = persons.export(connection, persons.find(connection, person))
    click.echo(json.dumps(kept, indent=2, ensure_ascii=False))


@cli.command()
@PERSON
@dangerous
@click.pass_obj
def forget(app: App, person: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Take the name of PERSON, a user id or a Steam id, off everything that is kept here. It cannot be undone.

    Trades, items and events stay under a made-up name. Refused while PERSON has trades under way or items here, or is blocked.
    Backups and logs are not touched: after restoring an older backup say it again.

    \b
    fleet users forget user-17 --dry-run
    """
    from balancer.upkeep import persons

    with opened(app, only_reads=True) as (connection, _):
        found = persons.find(connection, person)
        persons.check_free(connection, found)
        known = persons.mentions(connection, found, 0)
    sure(f"Forget user {found.user_id}, Steam account {found.steam_id}, for good?", yes=yes, dry_run=dry_run)
    with opened(app, dry_run=dry_run) as (connection, _):
        done = persons.forget(connection, found, known, By(f"cli:{getpass.getuser()}", app.clock().now()))
    line = f"forgotten: {done['trades']} trades, {done['items']} items and {done['events']} events no longer have a name"
    answer({"user_id": found.user_id, **done}, line, as_json=as_json, dry_run=dry_run)
