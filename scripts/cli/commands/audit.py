"""`fleet audit`: every bot's rows against its real inventory.

Exit status 0: it adds up. 1: there are differences. 2: it cannot tell.
"""

from __future__ import annotations

import getpass
import json
import secrets
import time
from typing import TYPE_CHECKING

import click

from balancer.journal.by import By
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from balancer.custody.views import BotAudit

POLL_S = 0.5


@click.command()
@click.option("--bot", "bots", multiple=True, help="Only this bot, as in red-3; repeat it. Default: all.")
@click.option(
    "--wait", "wait_s", default=900.0, show_default=True, help="Seconds to wait for the bots; then the audit cannot tell."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def cli(app: App, bots: tuple[str, ...], wait_s: float, as_json: bool) -> None:
    """Let every bot read its inventory, compare it with its rows, and name each difference.

    A running balancer carries it out. A difference counts when a second look, [trades] audit_again_s later, shows it too; it
    freezes that bot until `fleet bots unfreeze`.

    \b
    fleet audit
    fleet audit --json
    """
    try:
        audit_id, views = _audited(app, bots, wait_s)
    except Exception as error:
        raise cannot(why(error, app)) from None
    if not views:
        raise cannot("there are no bots; start a group, and a balancer that hears of it")
    verdict = _verdict(views)
    if as_json:
        from balancer import fields

        click.echo(json.dumps({"audit_id": audit_id, "verdict": verdict, "bots": [fields.plain(view) for view in views]}))
    else:
        _tell(views)
    raise SystemExit({"clean": 0, "differences": 1, "inconclusive": 2}[verdict])


def why(error: Exception, app: App) -> str:
    """What prevented the audit, for a person. Defects of this program are raised unchanged."""
    from scripts import advice

    said = advice.of(error, app.loaded) or (
        str(error).splitlines()[0] if isinstance(error, ValueError) and str(error) else None
    )
    if said is None:
        raise error
    return said


def cannot(text: str) -> SystemExit:
    """Say why there is nothing to compare; the exit to raise."""
    click.echo(f"cannot compare: {text}", err=True)
    return SystemExit(2)


def _audited(app: App, bots: tuple[str, ...], wait_s: float) -> tuple[str, list[BotAudit]]:
    """Ask for an audit, as the API does, and wait until it or the time is over."""
    from balancer.custody.audit import ask, show
    from balancer.db.engine import Database
    from scripts.cli.asking import opened
    from shared.domain.ids import BotName, record_id

    clock = app.clock()
    names = [str(BotName.parse(name)) for name in bots]
    audit_id = record_id("audit", clock.now_ms(), secrets.token_bytes(7))
    with opened(app) as (connection, _):
        chosen = ask.want(connection, names or None, audit_id, By(f"cli:{getpass.getuser()}", clock.now()))
    database = Database(app.settings().database)
    deadline = time.monotonic() + wait_s
    try:
        while True:
            with database.transaction() as connection:
                views = show.show(connection, chosen)
            if not any(view.running for view in views) or time.monotonic() > deadline:
                return audit_id, views
            time.sleep(POLL_S)
    finally:
        database.close()


def _verdict(views: list[BotAudit]) -> str:
    if any(not view.running and view.verdict == "differences" for view in views):
        return "differences"
    return "clean" if all(not view.running and view.verdict == "clean" for view in views) else "inconclusive"


def _tell(views: list[BotAudit]) -> None:
    for view in views:
        if view.running:
            click.echo(f"{view.bot}: not finished yet{', ' + view.reason if view.reason else ''}; is a balancer running?")
        elif view.verdict == "inconclusive":
            click.echo(f"{view.bot}: cannot tell, {view.reason}")
        else:
            frozen = f"; frozen until `fleet bots unfreeze {view.bot}`" if view.frozen_by else ""
            click.echo(f"{view.bot}: {view.rows} rows, {view.assets} assets, {len(view.differences)} differences{frozen}")
            for each in view.differences:
                click.echo(f"  {each.kind}: {each.text}{' (known)' if each.known else ''}")
