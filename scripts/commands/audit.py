"""`fleet audit`: every bot's rows against its real inventory, or the database against the sandbox's own record.

Exit status 0: it adds up. 1: there are differences. 2: it cannot tell.
"""

from __future__ import annotations

import getpass
import json
import secrets
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.fleet import App

if TYPE_CHECKING:
    from balancer.audits import AuditView
    from scripts.audit import Books

POLL_S = 0.5
RECORD_AGAIN_S = 5.0


@click.command()
@click.option("--bot", "bots", multiple=True, help="Only this bot, as in red-3; repeat it. Default: all.")
@click.option("--wait", "wait_s", default=900.0, show_default=True, help="Seconds after which it cannot tell.")
@click.option("--record", help="Compare with this instead: the sandbox's control address, or a file with its record.")
@click.option("--database", help="The database's URL for --record; that of the settings if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def cli(app: App, bots: tuple[str, ...], wait_s: float, record: str | None, database: str | None, as_json: bool) -> None:
    """Let every bot read its inventory, compare it with its rows, and name each difference.

    A running balancer carries it out. A difference counts when a second look, [trades] audit_again_s later, shows it too; it
    freezes that bot until `fleet bots unfreeze`. With --record the database is compared with what the sandbox says happened;
    trades that are still going on are counted, and no difference.
    """
    if record is None:
        _custody(app, bots, wait_s, as_json=as_json)
    else:
        _against_record(app, record, database, as_json=as_json)


def _why(error: Exception, app: App) -> str:
    """What kept the audit from it, for a person. Mistakes of ours come through."""
    from scripts import advice

    said = advice.of(error, app.loaded) or (
        str(error).splitlines()[0] if isinstance(error, ValueError) and str(error) else None
    )
    if said is None:
        raise error
    return said


def _cannot(text: str) -> SystemExit:
    click.echo(f"cannot compare: {text}", err=True)
    return SystemExit(2)


# --- the bots' own inventories ---------------------------------------------------------------------------


def _custody(app: App, bots: tuple[str, ...], wait_s: float, *, as_json: bool) -> None:
    try:
        audit_id, views = _audited(app, bots, wait_s)
    except Exception as error:
        raise _cannot(_why(error, app)) from None
    if not views:
        raise _cannot("there are no bots; start a group, and a balancer that hears of it")
    verdict = _verdict(views)
    if as_json:
        click.echo(json.dumps({"audit_id": audit_id, "verdict": verdict, "bots": [_plain(view) for view in views]}))
    else:
        _tell(views)
    raise SystemExit({"clean": 0, "differences": 1, "inconclusive": 2}[verdict])


def _audited(app: App, bots: tuple[str, ...], wait_s: float) -> tuple[str, list[AuditView]]:
    """Ask for an audit, as the API does, and wait until it is over or the time is."""
    from balancer import audits
    from balancer.db import Database
    from scripts.commands.clients import _opened
    from shared.clock import Clock
    from shared.domain.ids import BotName, record_id

    clock = Clock()
    names = [str(BotName.parse(name)) for name in bots]
    audit_id = record_id("audit", clock.now_ms(), secrets.token_bytes(7))
    with _opened(app) as (connection, _):
        chosen = audits.want(connection, names or None, audit_id, f"cli:{getpass.getuser()}", clock.now())
    database = Database(app.settings().database)
    deadline = time.monotonic() + wait_s
    try:
        while True:
            with database.transaction() as connection:
                views = audits.show(connection, chosen)
            if not any(view.running for view in views) or time.monotonic() > deadline:
                return audit_id, views
            time.sleep(POLL_S)
    finally:
        database.close()


def _verdict(views: list[AuditView]) -> str:
    if any(not view.running and view.verdict == "differences" for view in views):
        return "differences"
    return "clean" if all(not view.running and view.verdict == "clean" for view in views) else "inconclusive"


def _plain(view: AuditView) -> dict[str, Any]:
    """For programs: times as the API writes them."""
    times = {name: getattr(view, name) for name in ("finished_at", "next_at")}
    said = {name: None if at is None else datetime.fromtimestamp(at, UTC).isoformat() for name, at in times.items()}
    return {**asdict(view), **said}


def _tell(views: list[AuditView]) -> None:
    for view in views:
        if view.running:
            click.echo(f"{view.bot}: not over yet{', ' + view.reason if view.reason else ''}; is a balancer running?")
        elif view.verdict == "inconclusive":
            click.echo(f"{view.bot}: cannot tell, {view.reason}")
        else:
            frozen = f"; frozen until `fleet bots unfreeze {view.bot}`" if view.frozen_by else ""
            click.echo(f"{view.bot}: {view.rows} rows, {view.assets} assets, {len(view.differences)} differences{frozen}")
            for each in view.differences:
                click.echo(f"  {each['kind']}: {each['text']}{' (known)' if each['known'] else ''}")


# --- the sandbox's record -----------------------------------------------------------------------------------


def _against_record(app: App, record: str, database: str | None, *, as_json: bool) -> None:
    from scripts import audit

    url = database or app.settings().database.url
    try:
        books, facts = _books_and_record(url, record)
        found = audit.differences(books, facts)
        if found and _is_address(record):
            # The fleet hears of what happens at Steam a few seconds later: what is gone by then was no difference.
            time.sleep(RECORD_AGAIN_S)
            books, facts = _books_and_record(url, record)
            found = [row for row in audit.differences(books, facts) if row in set(found)]
    except Exception as error:
        raise _cannot(_why(error, app)) from None
    compared, going_on = audit.summary(books, facts), audit.under_way(books)
    if as_json:
        click.echo(audit.as_json(found, compared, going_on))
    else:
        click.echo("compared " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in compared.items()))
        if going_on:
            by_status = ", ".join(f"{count} {status}" for status, count in going_on.items())
            click.echo(f"{sum(going_on.values())} trades are under way ({by_status}); how they end is not compared yet")
        for row in found:
            click.echo(f"{row.kind}: {row.text}")
        click.echo(f"{len(found)} differences")
    raise SystemExit(1 if found else 0)


def _is_address(record: str) -> bool:
    return record.startswith(("http://", "https://"))


def _books_and_record(database_url: str, record: str) -> tuple[Books, dict[str, Any]]:
    """The tables, and the sandbox's record.

    Raises:
        ValueError: that is no record.
    """
    from scripts import audit
    from scripts.stack import get_json

    facts: Any
    if _is_address(record):
        facts = get_json(f"{record.rstrip('/')}/control/record", timeout_s=60)
    else:
        facts = json.loads(Path(record).read_text())
    audit.check_record(facts)
    return audit.read_books(database_url), facts
