"""`fleet group`: ten bots of a color on this host."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from scripts.cli.fleet import App

cli = click.Group(help="Ten bots of a color on this host: start, status.")


@cli.command()
@click.argument("color")
@click.argument("group", type=click.IntRange(min=1))
@click.pass_obj
def start(app: App, color: str, group: int) -> None:
    """Run the bots of GROUP of COLOR (group 1 of red: red-1 … red-10) until Ctrl-C or SIGTERM.

    \b
    fleet group start red 1
    """
    settings = app.settings()
    from bot_worker.group import Group
    from shared import log
    from shared.domain.ids import parse_color

    log.set_up(settings.log.level, settings.log.format)
    try:
        status = Group(settings, parse_color(color), group).run()
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    raise SystemExit(status)


@cli.command()
@click.argument("color", required=False)
@click.argument("group", type=click.IntRange(min=1), required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def status(app: App, color: str | None, group: int | None, as_json: bool) -> None:
    """Show the state of this host's groups, or of one of them. If none of them runs, the exit status is 1.

    \b
    fleet group status
    """
    settings = app.settings().group
    from bot_worker.group import read_status
    from shared.clock import Clock

    folder = settings.status_dir
    found = sorted(match[1] for path in folder.glob("group-*.json") if (match := re.fullmatch(r"group-(.+)\.json", path.name)))
    if color is not None:
        found = [name for name in found if name == f"{color}-{group}" or (group is None and name.rpartition("-")[0] == color)]
    now_ms = Clock().now_ms()
    rows = [row for name in found if (row := read_status(folder, name, now_ms, settings.offline_after_s)) is not None]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    elif rows:
        for row in rows:
            _show(row)
    else:
        click.echo(f"no group has run on this host ({folder})")
    if all(row["state"] == "stopped" for row in rows):
        raise SystemExit(1)


def _show(row: dict[str, Any]) -> None:
    click.echo(f"group {row['group']}: {row['state']}" + (f", pid {row['pid']}" if row["pid"] else ""))
    for bot in row["bots"]:
        age = "never" if bot["age_s"] is None else f"{bot['age_s']:.0f} s ago"
        why = f"   {bot['reason']}: {bot['action'] or '-'}" if bot["reason"] and bot["state"] != "stopped" else ""
        click.echo(
            f"  {bot['bot']:12} {bot['state']:11} pid {bot['pid'] or '-':>7}  restarts {bot['restarts']:>3}  "
            f"heard {age:>9}  items {_or_dash(bot['items']):>4}  offers {_or_dash(bot['offers']):>3}  "
            f"orders {_or_dash(bot['orders_done']):>6}{why}"
        )


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)
