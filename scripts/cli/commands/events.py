"""`fleet events` and `fleet logs`: the numbered feed of the fleet as lines, whole, or of one trade or one bot.

They read what `GET /events` serves, by the same function and from the database, so that they work while no balancer does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

import click

from scripts.cli import log_lines
from scripts.cli.asking import books
from scripts.cli.fleet import App
from scripts.cli.lines import moment, one_line

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from balancer.db.engine import Database
    from balancer.journal.events import Event

PAGE = 500
LOOK_EVERY_S = 1.0

FOLLOW = click.option("--follow", "-f", is_flag=True, help="Go on with what happens next, until Ctrl-C.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line, as in `GET /events`.")


@click.command()
@click.option("--after", type=click.IntRange(min=0), help="Everything behind this number, instead of the last ones.")
@click.option("--kind", "kinds", multiple=True, help="Only events of this kind; repeat it for more.")
@click.option(
    "--last", type=click.IntRange(0, 10_000), default=50, show_default=True, help="Without --after: how many old ones."
)
@FOLLOW
@JSON
@click.pass_obj
def cli(app: App, after: int | None, kinds: tuple[str, ...], last: int, follow: bool, as_json: bool) -> None:
    """Show what happened in the fleet: number, time, kind, trade or bot, who did it, and what changed.

    Each number comes once and in order: to go on later without a gap, give the last one to --after.

    \b
    fleet events --last 20
    fleet events --follow --kind alarm --kind audit_difference
    fleet events --after 5120 --json | jq .kind
    """
    from balancer.db import tables
    from balancer.journal import kinds as known

    if unknown := sorted(set(kinds) - known.KINDS.keys()):
        raise click.UsageError(f"there is no kind {', '.join(unknown)}; GET /openapi.json lists them")
    only = [tables.events.c.kind.in_(kinds)] if kinds else []
    show(app, only, after, last, follow=follow, as_json=as_json)


@click.command()
@click.argument("trade_id", required=False)
@click.option("--trade", "named", metavar="TRADE_ID", help="The same as TRADE_ID.")
@click.option("--request", "request_id", help="Instead of a trade: those that the HTTP request with this X-Request-Id made.")
@click.option("--bot", help="Instead of a trade: what concerns this bot (as in red-3).")
@click.option(
    "--in",
    "files",
    type=click.File(errors="replace"),
    multiple=True,
    help="A log file (- is standard input): show its lines about the trade or the request instead; repeat it for more.",
)
@click.option("--last", type=click.IntRange(0, 10_000), default=50, show_default=True, help="Of a bot: how many old lines.")
@FOLLOW
@JSON
@click.pass_obj
def logs(
    app: App,
    trade_id: str | None,
    named: str | None,
    request_id: str | None,
    bot: str | None,
    files: tuple[IO[str], ...],
    last: int,
    follow: bool,
    as_json: bool,
) -> None:
    """Tell the story of TRADE_ID, of a request's trades, or of a bot, as lines in time. Shows no secrets.

    It comes from the fleet's database. With --in it shows lines of log files instead, of several processes in the order of
    their times: the request at the balancer and, with `[log] level = "debug"`, each call to Steam that was made for it. A host
    that has no database is asked with --request.

    \b
    fleet logs trd_01jdv --follow
    fleet logs --request 5f0c2b1e-shop
    fleet logs --bot red-3 --last 200
    journalctl -o cat -u 'fleet-*' | fleet logs --request 5f0c2b1e-shop --in -
    """
    from balancer.db import tables
    from shared import request_ids
    from shared.domain.ids import BotName

    given = [one for one in (trade_id, named, request_id, bot) if one is not None]
    if len(given) != 1 or (files and bot is not None):
        raise click.UsageError("give one of TRADE_ID, --trade, --request and --bot; --in goes with the first three")
    if request_id is not None and not request_ids.is_well_formed(request_id):
        raise click.UsageError("a request's id has 8 to 64 letters, digits, '.', '_' and '-'")
    if files:
        if follow or as_json:
            raise click.UsageError("--in shows lines as they are, and does not follow")
        _show_lines(app, trade_id or named, request_id, files)
        return
    trade_id = trade_id or named
    if request_id is not None:
        made = _made_by(app, request_id)
        if not made:
            raise click.ClickException(f"no trade was made by a request {request_id}")
        show(app, [tables.events.c.trade_id.in_(made)], 0, last, follow=follow, as_json=as_json)
        return
    if trade_id is not None:
        only = tables.events.c.trade_id == trade_id
        show(app, [only], 0, last, follow=follow, as_json=as_json, nothing=f"there is no trade {trade_id}")
        return
    try:
        name = str(BotName.parse(bot or ""))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    show(app, [tables.events.c.bot == name], None, last, follow=follow, as_json=as_json)


def _made_by(app: App, request_id: str) -> list[str]:
    from balancer.journal import opening

    with books(app) as (database, _), database.reading() as connection:
        return opening.made_by(connection, request_id)


def _show_lines(app: App, trade_id: str | None, request_id: str | None, files: Sequence[IO[str]]) -> None:
    """Lines about the request, or about the trade and the request that made it. Only for the latter the database is asked."""
    from balancer.journal import opening

    ids = [one for one in (trade_id, request_id) if one is not None]
    if trade_id is not None:
        with books(app) as (database, _), database.reading() as connection:
            ids += opening.asked_by(connection, [trade_id]).values()
    lines = log_lines.about((line.rstrip("\n") for file in files for line in file), ids)
    if not lines:
        raise click.ClickException(f"no line names {' or '.join(ids)}")
    for line in lines:
        click.echo(one_line(line))


def show(
    app: App,
    only: Sequence[ColumnElement[bool]],
    after: int | None,
    last: int,
    *,
    follow: bool,
    as_json: bool,
    nothing: str | None = None,
) -> None:
    """``nothing``: what is wrong if there is no event at all."""
    livemode = app.settings().balancer.livemode
    with books(app) as (database, _):
        at, shown = _begin(database, only, after, last, livemode, as_json=as_json)
        if nothing and not shown:
            raise click.ClickException(nothing)
        try:
            while follow:
                app.wait(LOOK_EVERY_S)
                at, _ = _rest(database, only, at, livemode, as_json=as_json)
        except KeyboardInterrupt:
            return


def _begin(
    database: Database, only: Sequence[ColumnElement[bool]], after: int | None, last: int, livemode: bool, *, as_json: bool
) -> tuple[int, int]:
    """Show the old ones. The number up to which all were shown, and how many they were."""
    from balancer.journal import events

    if after is not None:
        return _rest(database, only, after, livemode, as_json=as_json)
    with database.reading() as connection:
        found = events.last(connection, last, livemode, *only)
        at = found[-1].number if found else events.settled(connection)
    for one in found:
        click.echo(_line(one, as_json=as_json))
    return at, len(found)


def _rest(
    database: Database, only: Sequence[ColumnElement[bool]], after: int, livemode: bool, *, as_json: bool
) -> tuple[int, int]:
    """Show all behind ``after``, page by page."""
    from balancer.journal import events

    shown = 0
    while True:
        with database.reading() as connection:
            found = events.behind(connection, after, PAGE, livemode, *only)
        for one in found:
            click.echo(_line(one, as_json=as_json))
        after, shown = (found[-1].number if found else after), shown + len(found)
        if len(found) < PAGE:
            return after, shown


def _line(event: Event, *, as_json: bool) -> str:
    from balancer import fields
    from balancer.journal import story

    if as_json:
        return json.dumps(fields.plain(event))
    about = event.trade_id or event.bot or event.user_id or "-"
    text = one_line(story.sentence(event.kind, event.bot, event.data))
    kind = click.style(f"{event.kind:20}", fg="red" if event.kind == "alarm" else None)
    return f"{event.number:>7}  {moment(event.at)}  {kind} {about}  {one_line(event.who)}  {text}"
