"""`fleet tickets`: items that the house itself issues for its games."""

from __future__ import annotations

import getpass
import json

import click

from scripts.cli.asking import DRY, JSON, answer, opened
from scripts.cli.fleet import App

CLIENT = "cli"  # whose refs these are

cli = click.Group(help="Tickets of games: issue some, list their kinds.")


@cli.command()
@click.argument("name")
@click.option("--value-cents", type=int, required=True, help="What each is worth; for all tickets of this name, for good.")
@click.option("--count", type=int, required=True, help="How many.")
@click.option("--ref", help="A name of this call: typed again with it, nothing is issued a second time.")
@DRY
@JSON
@click.pass_obj
def issue(app: App, name: str, value_cents: int, count: int, ref: str | None, dry_run: bool, as_json: bool) -> None:
    """Issue COUNT tickets called NAME. They are the house's, and never withdrawn.

    \b
    fleet tickets issue "SnG Ticket" --value-cents 100 --count 500 --ref tickets-of-may
    """
    from pydantic import ValidationError

    from balancer.custody import tickets
    from balancer.custody.refs import Call
    from balancer.orders.build import new_id
    from balancer.web.handlers import refs
    from balancer.web.schemas.games import IssueBody

    clock = app.clock()
    try:
        body = IssueBody(ref=ref or new_id(clock, "cli"), market_hash_name=name, value_cents=value_cents, count=count)
    except ValidationError as error:
        wrong = ", ".join(str(each["loc"][0]) for each in error.errors())
        raise click.UsageError(
            f"a name of 1 to 100 characters, cents from 1 on, a count of 1 to 1000; wrong: {wrong}"
        ) from None
    with opened(app, dry_run=dry_run) as (connection, _):
        call = Call(CLIENT, f"cli:{getpass.getuser()}", *refs.hashed(body), clock.now())
        made = tickets.issue(connection, call, body.wish(), lambda prefix: new_id(clock, prefix))
    told = json.loads(made.json)
    said = f"issued {len(told['deposit_ids'])} tickets {name} of {value_cents} cents, ref {told['ref']}"
    answer(told, said + ("" if made.first else ", when this was typed first"), as_json=as_json, dry_run=dry_run)


@cli.command("list")
@JSON
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """Every kind with its value, how many were issued, and where they are. Exit status 1: there are not as many as issued.

    \b
    fleet tickets list
    """
    from dataclasses import asdict

    from balancer.custody import tickets

    with opened(app, only_reads=True) as (connection, _):
        found = tickets.kinds(connection)
    if as_json:
        click.echo(json.dumps({"kinds": [asdict(kind) for kind in found]}))
    else:
        for kind in found:
            counts = f"{kind.issued} issued, {kind.with_house} with the house, {kind.rows - kind.with_house} with users"
            missing = "" if kind.rows == kind.issued else f"; THERE ARE {kind.rows} ROWS"
            click.echo(f"{kind.market_hash_name}  {kind.value_cents} cents  {counts}{missing}")
        click.echo(f"{len(found)} kinds")
    if any(kind.rows != kind.issued for kind in found):
        raise SystemExit(1)
