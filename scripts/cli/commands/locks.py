"""`fleet locks`: items that stand in games. A lock never runs out by itself, so an old one is looked at by a person."""

from __future__ import annotations

import getpass
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from balancer.journal.by import By
from scripts.cli.asking import DRY, JSON, answer, opened
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from balancer.custody.locks.show import Lock

REASON_MAX = 200

REF = click.argument("ref")
CLIENT = click.option("--client", help="The client whose ref it is; needed if several have one of this name.")
REASON = click.option("--reason", required=True, help="Why; it stands in the feed.")

cli = click.Group(help="Items that stand in games: list old locks, release or restore one.")


@cli.command("list")
@click.option("--older-than-h", type=click.FloatRange(min=0), default=0.0, help="Only locks at least so many hours old.")
@JSON
@click.pass_obj
def list_(app: App, older_than_h: float, as_json: bool) -> None:
    """Locks that hold something, the oldest first.

    \b
    fleet locks list --older-than-h 24
    """
    from balancer import fields
    from balancer.custody.locks import by_operator

    before = app.clock().now() - timedelta(hours=older_than_h)
    with opened(app, only_reads=True) as (connection, _):
        found = by_operator.find_open(connection, before)
    if as_json:
        click.echo(json.dumps({"locks": [{"client": client, **fields.plain(lock)} for client, lock in found]}))
        return
    for client, lock in found:
        click.echo(_line(client, lock))
    click.echo(f"{len(found)} locks")


def _line(client: str, lock: Lock) -> str:
    from balancer import fields

    held = [row for row in lock.rows if row.state == "held"]
    cents = sum(row.value_cents or 0 for row in held)
    since = fields.rfc3339(lock.locked_at)
    return f"{since}  {client}  {lock.ref}  {lock.user_id}  {len(held)} items, {cents} cents  {lock.note}".rstrip()


@cli.command()
@REF
@CLIENT
@REASON
@click.option("--unlock-a-running-game", is_flag=True, help="You know that no game counts on these items any more.")
@DRY
@JSON
@click.pass_obj
def release(
    app: App, ref: str, client: str | None, reason: str, unlock_a_running_game: bool, dry_run: bool, as_json: bool
) -> None:
    """Free the items of a lock although its client did not ask for it. An alarm says so.

    They can be withdrawn at once: if their game still runs, its winner gets nothing.

    \b
    fleet locks release bet_17 --reason "its site is gone" --unlock-a-running-game
    """
    from balancer.custody.locks import by_operator

    if not unlock_a_running_game:
        raise click.UsageError("a game may count on these items; say --unlock-a-running-game if you know that none does")
    _check(reason)
    with opened(app, dry_run=dry_run) as (connection, _):
        freed = by_operator.release(connection, ref, client, reason, By(_who(), app.clock().now()))
    line = f"released {len(freed)} items of {ref}; `fleet locks restore {ref}` binds them again while they are there"
    answer({"ref": ref, "items": len(freed)}, line, as_json=as_json, dry_run=dry_run)


@cli.command()
@REF
@CLIENT
@REASON
@DRY
@JSON
@click.pass_obj
def restore(app: App, ref: str, client: str | None, reason: str, dry_run: bool, as_json: bool) -> None:
    """Bind the items of a lock again that `fleet locks release` has freed, at the values of then; all of them or none.

    \b
    fleet locks restore bet_17 --reason "its site is back"
    """
    from balancer.custody.locks import by_operator

    _check(reason)
    with opened(app, dry_run=dry_run) as (connection, _):
        bound = by_operator.restore(connection, ref, client, reason, By(_who(), app.clock().now()))
    answer({"ref": ref, "items": len(bound)}, f"locked {len(bound)} items of {ref} again", as_json=as_json, dry_run=dry_run)


def _check(reason: str) -> None:
    if not 0 < len(reason) <= REASON_MAX or not reason.isprintable():
        raise click.UsageError(f"--reason is one line of at most {REASON_MAX} characters")


def _who() -> str:
    return f"cli:{getpass.getuser()}"
