"""`fleet webhooks`: where events are sent, and what became of each."""

from __future__ import annotations

import asyncio
import getpass
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import click

from balancer.journal.by import By
from scripts.cli.asking import DRY, JSON, answer, dangerous, opened, sure
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from balancer.webhooks.deliveries import Delivery
    from balancer.webhooks.targets import Target, WithSecret

TARGET = click.argument("target_id")
TEST_S = 30.0
LOOK_S = 0.5

cli = click.Group(help="Webhooks: addresses that events are sent to.")


@cli.command("list")
@JSON
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """Every target, and what it is still owed. Exit status 1: one is disabled.

    \b
    fleet webhooks list
    """
    from balancer import fields
    from balancer.webhooks import targets

    with opened(app, only_reads=True) as (connection, _):
        found = targets.every(connection)
    if as_json:
        click.echo(json.dumps({"webhooks": [fields.plain(each) for each in found]}))
    else:
        click.echo("\n".join(map(_line, found)) or "no targets; `fleet webhooks add URL` makes one")
    if any(each.status == "disabled" for each in found):
        raise SystemExit(1)


@cli.command()
@click.argument("url")
@click.option("--kind", "kinds", multiple=True, help="Only events of this kind; repeat it. Default: all.")
@click.option("--after", type=click.IntRange(min=0), help="Also the events behind this number. Default: from now on.")
@JSON
@click.pass_obj
def add(app: App, url: str, kinds: tuple[str, ...], after: int | None, as_json: bool) -> None:
    """Send events to URL. Prints the secret that signs them, which is shown this once.

    \b
    fleet webhooks add https://site.example/hooks --kind settled --kind alarm
    """
    from balancer.outward import Outward, Refused
    from balancer.webhooks import targets
    from shared.domain.ids import record_id

    rules, clock = app.settings().webhooks, app.clock()
    try:
        asyncio.run(Outward(private=rules.private_targets).check(url))
    except Refused as error:
        raise click.UsageError(str(error)) from None
    wanted = targets.Wanted(record_id("whk", clock.now_ms(), secrets.token_bytes(7)), url, kinds, after)
    with opened(app) as (connection, master):
        made = targets.add(connection, wanted, master, By(_who(), clock.now()), rules.targets_max)
    _show_secret(made, as_json=as_json)


@cli.command()
@TARGET
@JSON
@click.pass_obj
def rotate(app: App, target_id: str, as_json: bool) -> None:
    """Make a new secret and print it. The one before signs too for [webhooks] rotate_s.

    \b
    fleet webhooks rotate whk_01jdv
    """
    from balancer.webhooks import targets

    with opened(app) as (connection, master):
        made = targets.rotate(connection, target_id, master, By(_who(), app.clock().now()), app.settings().webhooks.rotate_s)
    _show_secret(made, as_json=as_json)


@cli.command()
@TARGET
@click.option("--wait-s", type=click.FloatRange(min=0), default=TEST_S, show_default=True, help="For the answer.")
@JSON
@click.pass_obj
def test(app: App, target_id: str, wait_s: float, as_json: bool) -> None:
    """Send an event to this target alone and say what it answered. Exit status 1: it was not taken.

    \b
    fleet webhooks test whk_01jdv
    """
    from balancer.webhooks import targets

    with opened(app) as (connection, _):
        number = targets.try_out(connection, target_id, By(_who(), app.clock().now()))
    found = _tried(app, target_id, number, wait_s)
    if as_json:
        click.echo(json.dumps(_plain(found) if found else {"number": number, "state": "waiting", "tries": 0}))
    else:
        click.echo(_delivery(found) if found else f"event {number} was not sent yet: does a balancer run?")
    if found is None or found.state != "delivered":
        raise SystemExit(1)


def _tried(app: App, target_id: str, number: int, wait_s: float) -> Delivery | None:
    """The delivery of this event once it was tried, or as it stands after ``wait_s``."""
    from balancer.webhooks import deliveries

    until = time.monotonic() + wait_s
    while True:
        with opened(app, only_reads=True) as (connection, _):
            found = deliveries.find(connection, target_id, number - 1, 1)
        if (found and found[0].tries) or time.monotonic() >= until:
            return found[0] if found else None
        time.sleep(LOOK_S)


@cli.command()
@TARGET
@DRY
@JSON
@click.pass_obj
def enable(app: App, target_id: str, dry_run: bool, as_json: bool) -> None:
    """Send to a disabled target again, first everything that it is owed.

    \b
    fleet webhooks enable whk_01jdv
    """
    from balancer.webhooks import targets

    with opened(app, dry_run=dry_run) as (connection, _):
        target = targets.enable(connection, target_id, By(_who(), app.clock().now()))
    answer({"target": _plain(target)}, _line(target), as_json=as_json, dry_run=dry_run)


@cli.command()
@TARGET
@dangerous
@click.pass_obj
def remove(app: App, target_id: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Forget a target, with what it was sent and what it is owed.

    \b
    fleet webhooks remove whk_01jdv --yes
    """
    from balancer.webhooks import targets

    sure(f"Forget {target_id} and what it is still owed?", yes=yes, dry_run=dry_run)
    with opened(app, dry_run=dry_run) as (connection, _):
        targets.remove(connection, target_id, By(_who(), app.clock().now()))
    answer({"target_id": target_id}, "removed", as_json=as_json, dry_run=dry_run)


@cli.command()
@TARGET
@click.option("--after", type=click.IntRange(min=0), default=0, help="Behind the event of this number.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--state", type=click.Choice(["waiting", "delivered"]), help="Only these.")
@JSON
@click.pass_obj
def deliveries(app: App, target_id: str, after: int, limit: int, state: str | None, as_json: bool) -> None:
    """What a target was sent or is owed, in the order of the events.

    \b
    fleet webhooks deliveries whk_01jdv --state waiting
    """
    from balancer.webhooks import deliveries as rows

    with opened(app, only_reads=True) as (connection, _):
        found = rows.find(connection, target_id, after, limit, state)
    if as_json:
        click.echo(json.dumps({"deliveries": [_plain(each) for each in found]}))
    else:
        click.echo("\n".join(map(_delivery, found)) or "none")


@cli.command()
@TARGET
@click.argument("first", type=click.IntRange(min=1))
@click.argument("last", type=click.IntRange(min=1), required=False)
@DRY
@JSON
@click.pass_obj
def redeliver(app: App, target_id: str, first: int, last: int | None, dry_run: bool, as_json: bool) -> None:
    """Send event FIRST again, or all from FIRST to LAST (at most 1000), with the same ids.

    \b
    fleet webhooks redeliver whk_01jdv 5120 5180
    """
    from balancer.webhooks import deliveries as rows

    with opened(app, dry_run=dry_run) as (connection, _):
        count = rows.redeliver(connection, target_id, first, last or first, By(_who(), app.clock().now()))
    answer({"events": count}, f"{count} events are sent again", as_json=as_json, dry_run=dry_run)


def _who() -> str:
    return f"cli:{getpass.getuser()}"


def _plain(view: Delivery | Target) -> Any:
    from balancer import fields

    return fields.plain(view)


def _show_secret(made: WithSecret, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"target": _plain(made.target), "secret": made.secret}))
        return
    click.echo(f"{made.target.target_id}  {made.target.url}", err=True)
    click.echo(made.secret)


def _line(target: Target) -> str:
    state = target.status if target.disabled_why is None else f"disabled ({target.disabled_why})"
    if target.failing_since is not None:
        state += ", failing"
    return f"{target.target_id}  {state}  {target.waiting} waiting  {target.url}  {' '.join(target.kinds) or 'all kinds'}"


def _delivery(each: Delivery) -> str:
    answer = each.error or each.status or "not tried"
    return f"{each.number:>10}  {each.state:9}  {answer!s:10}  {each.tries} tries  {each.kind}  {each.trade_id or ''}".rstrip()
