"""`fleet crosscheck`: the database against the sandbox's own record of what happened at Steam.

Exit status 0: it adds up. 1: there are differences. 2: it cannot tell.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.cli.commands.audit import cannot, why
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from scripts.crosscheck import Books

AGAIN_S = 5.0


@click.command()
@click.argument("record")
@click.option("--database", help="The database's URL; that of the settings if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def cli(app: App, record: str, database: str | None, as_json: bool) -> None:
    """Compare the database with RECORD: the sandbox's control address, or a file with its record.

    At an address a difference counts when a second reading shows it too. Trades that are still going on are counted and are no
    difference.

    \b
    fleet crosscheck http://127.0.0.1:8071
    """
    from scripts import crosscheck

    url = database or app.settings().database.url
    try:
        # The fleet hears of what happens at Steam a few seconds later: what is gone by then was no difference.
        books, facts, found = crosscheck.compare(
            lambda: _books_and_record(url, record), (lambda: time.sleep(AGAIN_S)) if _is_address(record) else None
        )
    except Exception as error:
        raise cannot(why(error, app)) from None
    compared, going_on = crosscheck.summary(books, facts), crosscheck.under_way(books)
    if as_json:
        click.echo(crosscheck.as_json(found, compared, going_on))
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
    from scripts import crosscheck
    from scripts.lab.calls import get_json

    facts: Any
    if _is_address(record):
        facts = get_json(f"{record.rstrip('/')}/control/record", timeout_s=60)
    else:
        facts = json.loads(Path(record).read_text())
    crosscheck.check_record(facts)
    return crosscheck.read_books(database_url), facts
