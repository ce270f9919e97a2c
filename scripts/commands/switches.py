"""`fleet switches`: stop new deposits or withdrawals, and let them go on."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING

import click

from scripts.commands.clients import JSON, _opened
from scripts.fleet import App

if TYPE_CHECKING:
    from balancer.switches import Pause

REASON_MAX = 200  # as over HTTP

cli = click.Group(help="Stop new deposits or withdrawals, and let them go on.")


@cli.command()
@click.argument("switch", type=click.Choice(["deposits", "withdrawals"]))
@click.option("--reason", default="", help="Shown to the sites that are refused.")
@click.pass_obj
def pause(app: App, switch: str, reason: str) -> None:
    """Refuse new trades of this kind. Every balancer does so within seconds; what is under way goes on."""
    if len(reason) > REASON_MAX or not reason.isprintable():
        raise click.UsageError(f"--reason is one line of at most {REASON_MAX} characters")
    _show(_turn(app, switch, reason, paused=True), as_json=False)


@cli.command()
@click.argument("switch", type=click.Choice(["deposits", "withdrawals"]))
@click.pass_obj
def resume(app: App, switch: str) -> None:
    """Take new trades of this kind again."""
    _show(_turn(app, switch, "", paused=False), as_json=False)


@cli.command("list")
@JSON
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """What is stopped."""
    from balancer import switches

    with _opened(app) as (connection, _):
        pauses = switches.read(connection)
    _show(pauses, as_json=as_json)


def _turn(app: App, switch: str, reason: str, *, paused: bool) -> list[Pause]:
    from balancer import switches
    from shared.clock import Clock

    with _opened(app) as (connection, _):
        return switches.write(connection, switch, f"cli:{getpass.getuser()}", reason, Clock().now(), paused)


def _show(pauses: list[Pause], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"switch": one.switch, "paused_at": one.paused_at.isoformat(), "who": one.who, "reason": one.reason}
            for one in pauses
        ]
        click.echo(json.dumps({"paused": rows}))
        return
    for one in pauses:
        click.echo(f"{one.switch} are paused since {one.paused_at:%Y-%m-%d %H:%M:%S} UTC by {one.who} {one.reason}".rstrip())
    if not pauses:
        click.echo("nothing is paused")
