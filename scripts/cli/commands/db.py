"""`fleet db`: the schema of the database."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from scripts.cli.asking import JSON
from scripts.cli.fleet import App

cli = click.Group(help="Bring the database to the schema of this release, or say what that would run.")


@cli.command()
@click.option("--dry-run", is_flag=True, help="Only say what would run; nothing is changed or made.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@click.pass_obj
def upgrade(app: App, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Run the migrations that the database lacks, all or none. A balancer does the same when it starts, without asking.

    \b
    fleet db upgrade --dry-run
    fleet db upgrade --yes
    """
    from balancer.db import migrate
    from shared import log

    settings = app.settings()
    log.set_up("error", settings.log.format)
    pending = migrate.pending(settings)
    if pending and not dry_run:
        if not yes:
            names = ", ".join(one.revision for one in pending)
            click.confirm(f"Run {names}? Make a backup first (`fleet backup`)", abort=True, err=True)
        migrate.open_for(settings)
    if as_json:
        click.echo(json.dumps({"migrations": [asdict(one) for one in pending], "dry_run": dry_run}))
        return
    for one in pending:
        click.echo(f"{one.revision} {'would run' if dry_run else 'has run'}: {one.says}")
    if not pending:
        click.echo("the database is of this release; nothing is to be run")
