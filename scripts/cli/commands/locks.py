"""`fleet locks`: items that stand in games. A lock never runs out by itself, so an old one is looked at by a person."""

from __future__ import annotations

import getpass
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from scripts.cli.commands.clients import JSON, _opened
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
    """Locks that hold something, the oldest first."""
    from balancer import fields
    from balancer.custody.locks import by_operator

    before = app.clock().now() - timedelta(hours=older_than_h)
    with _opened(app, only_reads=True) as (connection, _):
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
@click.pass_obj
def release(app: App, ref: str, client: str | None, reason: str, unlock_a_running_game: bool) -> None:
    """Free the items of a lock although its client did not ask for it. An alarm says so.

    They can be withdrawn at once: if their game still runs, its winner gets nothing.
    """
    from balancer.custody.locks import by_operator

    if not unlock_a_running_game:
        raise click.UsageError("a game may count on these items; say --unlock-a-running-game if you know that none does")
    _check(reason)
    with _opened(app) as (connection, _):
        freed = by_operator.release(connection, ref, client, reason, _who(), app.clock().now())
    click.echo(f"released {len(freed)} items of {ref}; `fleet locks restore {ref}` binds them again while they are there")


@cli.command()
@REF
@CLIENT
@REASON
@click.pass_obj
def restore(app: App, ref: str, client: str | None, reason: str) -> None:
    """Bind the items of a lock again that `fleet locks release` has freed, at the values of then; all of them or none."""
    from balancer.custody.locks import by_operator

    _check(reason)
    with _opened(app) as (connection, _):
        bound = by_operator.restore(connection, ref, client, reason, _who(), app.clock().now())
    click.echo(f"locked {len(bound)} items of {ref} again")


def _check(reason: str) -> None:
    if not 0 < len(reason) <= REASON_MAX or not reason.isprintable():
        raise click.UsageError(f"--reason is one line of at most {REASON_MAX} characters")


def _who() -> str:
    return f"cli:{getpass.getuser()}"
