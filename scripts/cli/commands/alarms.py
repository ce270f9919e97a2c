"""`fleet alarms`: what only an operator can solve, and saying that somebody has seen it."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING

import click

from balancer.journal.by import By
from scripts.cli.asking import JSON, answer, dangerous, opened, sure
from scripts.cli.fleet import App
from scripts.cli.lines import moment, one_line

if TYPE_CHECKING:
    from balancer.journal.events import Event

NOTE_MAX = 500

cli = click.Group(help="What only an operator can solve: list what nobody has seen yet, acknowledge it, try who is told.")


@cli.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many, the newest.")
@JSON
@click.pass_obj
def list_(app: App, limit: int, as_json: bool) -> None:
    """Alarms that nobody has acknowledged, the newest first, with what to do. Exit status 1: there are some.

    \b
    fleet alarms list
    fleet alarms list --json | jq '.alarms[].data.action'
    """
    from balancer import fields
    from balancer.journal import open_alarms

    with opened(app, only_reads=True) as (connection, _):
        found = open_alarms.unseen(connection, limit, app.settings().balancer.livemode)
        total = open_alarms.count(connection)
    if as_json:
        click.echo(json.dumps({"alarms": [fields.plain(event) for event in found], "unseen": total}))
    else:
        for event in found:
            click.echo("\n".join(lines_of(event)))
        click.echo(f"{total} alarms that nobody has acknowledged" if total else "no alarm that nobody has acknowledged")
    if total:
        raise SystemExit(1)


def lines_of(event: Event) -> list[str]:
    """One alarm for people: when, what, about what; then what to do."""
    from balancer.journal.kinds.cards import card_of

    about = event.trade_id or event.bot or event.user_id or "the fleet"
    facts = ", ".join(f"{name} {value}" for name, value in event.data.items() if name not in ("alarm", "action"))
    head = click.style(str(event.data.get("alarm")), fg="red", bold=True)
    lines = [f"{event.number:>7}  {moment(event.at)}  {head}  {about}", one_line(f"         {facts}") if facts else ""]
    return [
        line
        for line in (
            *lines,
            f"         to do: {one_line(str(event.data.get('action', 'look at its story')))}",
            f"         card:  {card_of(str(event.data.get('alarm')))}",
        )
        if line
    ]


@cli.command()
@click.argument("numbers", nargs=-1, type=click.IntRange(min=1))
@click.option("--all", "every", is_flag=True, help="All that there are now, instead of NUMBERS.")
@click.option("--note", default="", help="What you found or did; it stands in the feed.")
@dangerous
@click.pass_obj
def ack(app: App, numbers: tuple[int, ...], every: bool, note: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Say that you have seen the alarms with these NUMBERS. What they tell of is not mended by it.

    \b
    fleet alarms ack 5120 5124 --note "ticket at Steam is open"
    fleet alarms ack --all --yes
    """
    from balancer.journal import open_alarms

    if bool(numbers) == every:
        raise click.UsageError("give either NUMBERS, as `fleet alarms list` shows them, or --all")
    if len(note) > NOTE_MAX or not note.isprintable():
        raise click.UsageError(f"--note is one line of at most {NOTE_MAX} characters")
    sure("All alarms that nobody has acknowledged?", yes=yes or not every, dry_run=dry_run)
    seen: list[int] = []
    with opened(app, dry_run=dry_run) as (connection, _):
        who, now = f"cli:{getpass.getuser()}", app.clock().now()
        while new := open_alarms.acknowledge(connection, None if every else numbers, By(who, now), note):
            seen += new
    others = [f"{number} is no alarm that is open" for number in sorted(set(numbers) - set(seen))]
    line = "\n".join([*others, f"{len(seen)} are acknowledged"])
    answer({"acknowledged": seen}, line, as_json=as_json, dry_run=dry_run)


@cli.command()
@JSON
@click.pass_obj
def test(app: App, as_json: bool) -> None:
    """Send a test message to each address of `[alarms] notify`. Exit status 1: one did not take it, or there is none.

    Addresses hold passwords, so only their kind and their place in the list are shown.

    \b
    fleet alarms test
    """
    import asyncio

    from balancer.notices import people

    rows = []
    for number, address in enumerate(app.settings().alarms.notify, 1):
        taken = asyncio.run(people.send(address, "trade fleet: a test", "Alarms of the fleet will come here."))
        rows.append({"number": number, "service": address.partition("://")[0], "taken": taken})
    if as_json:
        click.echo(json.dumps({"addresses": rows}))
    else:
        for row in rows:
            click.echo(f"{row['number']}. {row['service']}: {'taken' if row['taken'] else 'not taken'}")
        if not rows:
            click.echo("[alarms] notify is empty: nobody is told of alarms", err=True)
    if not rows or not all(row["taken"] for row in rows):
        raise SystemExit(1)
