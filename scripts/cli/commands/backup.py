"""`fleet backup` and `fleet restore`: a copy of the SQLite database while it is in use, and putting one back."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from balancer.journal.by import By
from scripts.cli.asking import JSON, YES, answer, opened, sure
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from shared.settings import Settings


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@JSON
@click.pass_obj
def cli(app: App, file: Path, as_json: bool) -> None:
    """Write a whole copy of the SQLite database to FILE. Balancers may go on working meanwhile.

    \b
    fleet backup /var/backups/fleet-2026-12-01.db
    """
    from balancer.upkeep import restored

    size = restored.backup(restored.database_file(app.settings()), file)
    answer(
        {"file": str(file), "bytes": size}, f"{file}: {size} bytes; keep it as secret as the database itself", as_json=as_json
    )


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--marks-only", is_flag=True, help="The database was already restored (pg_restore): only mark the trades and pause."
)
@YES
@JSON
@click.pass_obj
def restore(app: App, file: Path | None, marks_only: bool, yes: bool, as_json: bool) -> None:
    """Put the backup FILE in the database's place, with all balancers stopped.

    The replaced database is kept beside it. Every trade whose order may have been given is in doubt until a bot has searched
    for its offer. Deposits and withdrawals stay paused until an operator has run the audit and resumes them.

    \b
    fleet restore /var/backups/fleet-2026-12-01.db
    fleet restore --marks-only
    """
    from balancer.upkeep import restored

    if (file is None) != marks_only:
        raise click.UsageError("name a FILE, or give --marks-only")
    settings, now = app.settings(), app.clock().now()
    _refuse_while_running(settings)
    sure("Everything after the backup will be lost. Go on?", yes=yes, dry_run=False)
    kept = None if file is None else restored.put_back(file, restored.database_file(settings), now)
    with opened(app) as (connection, _):
        counted = restored.mark(connection, settings, By(f"cli:{getpass.getuser()}", now))
    lines = [] if kept is None else [f"the replaced database is kept as {kept}"]
    trades = ", ".join(f"{count} {status}" for status, count in sorted(counted.items())) or "none"
    lines += [f"restored; trades whose offers bots will search for: {trades}"]
    lines += ["deposits and withdrawals are paused: start a balancer, run `fleet audit`, then `fleet switches resume …`"]
    answer({"kept": None if kept is None else str(kept), "trades": counted}, "\n".join(lines), as_json=as_json)


def _refuse_while_running(settings: Settings) -> None:
    """A balancer that still runs would write old facts into the restored database; its lead in Redis shows that it runs."""
    import redis

    from shared import wire

    client = wire.connect(settings.redis.url, timeout_s=settings.redis.timeout_s)
    try:
        running = client.exists(wire.leader_key("sweep"))
    except redis.RedisError:
        click.echo("Redis does not answer, so it is not known whether a balancer runs; stop all of them", err=True)
        return
    finally:
        client.close()
    if running:
        raise click.ClickException("a balancer is running, or stopped less than half a minute ago; stop it and try again")
