"""`fleet audit`: the database against the sandbox's own record; exit 1 for differences, 2 if it cannot compare."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.fleet import App


@click.command()
@click.option("--record", required=True, help="The sandbox's control address, or a file with its record.")
@click.option("--database", help="The database's URL; that of the settings if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def cli(app: App, record: str, database: str | None, as_json: bool) -> None:
    """Compare what the database says with what Steam says, item by item, and name each difference."""
    from sqlalchemy.exc import SQLAlchemyError

    from scripts import audit
    from scripts.stack import get_json
    from shared.log import redact_text

    try:
        if record.startswith(("http://", "https://")):
            facts = get_json(f"{record.rstrip('/')}/control/record", timeout_s=60)
        else:
            facts = json.loads(Path(record).read_text())
        books = audit.read_books(database or app.settings().database.url)
    except (OSError, ValueError, SQLAlchemyError) as error:
        click.echo(f"cannot compare: {redact_text(str(error).splitlines()[0])}", err=True)
        raise SystemExit(2) from None
    found, compared = audit.differences(books, facts), audit.summary(books, facts)
    if as_json:
        click.echo(audit.as_json(found, compared))
    else:
        click.echo("compared " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in compared.items()))
        for row in found:
            click.echo(f"{row.kind}: {row.text}")
        click.echo(f"{len(found)} differences")
    raise SystemExit(1 if found else 0)
