"""`fleet config`: show the settings that come with the program, and check one's own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from balancer.journal.by import By
from scripts.cli.asking import JSON, YES, answer, sure
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from scripts.cli.config_findings.finding import Finding, Part
    from shared.settings_text import Place, Written

cli = click.Group("config", help="Show and check settings.")

PARTS = click.Choice(["balancer", "host"])
LEVELS = ("error", "warning")
WORDS = {True: "live", False: "test"}


@cli.command()
@click.option("--offline", is_flag=True, help="Check the settings only, not the files, servers and addresses that they name.")
@click.option(
    "--part", "parts", multiple=True, type=PARTS, help="What this machine runs; repeatable. Default: decided from the file."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def check(app: App, offline: bool, parts: tuple[Part, ...], as_json: bool) -> None:
    """Say what is wrong with the settings and with what they name, by line, and what to do about it. Starts nothing.

    Exit status 0: nothing was found. 1: warnings, which may be intended. 2: errors: it is unsafe or would not work.

    \b
    fleet --config fleet.toml config check
    fleet --config fleet.toml config check --offline --json
    """
    from shared.errors import SettingsError
    from shared.settings_text import Written

    try:
        written = Written.read(app.config, os.environ)
        rows = findings_of(written, frozenset(parts), offline=offline)
    except SettingsError as error:
        click.echo(error.detail, err=True)
        raise SystemExit(2) from None
    if as_json:
        click.echo(json.dumps({"findings": [_plain(finding, place) for place, _, finding in rows]}))
    else:
        _tell(app, rows)
    levels = {finding.level for *_, finding in rows}
    raise SystemExit(2 if "error" in levels else 1 if levels else 0)


def findings_of(written: Written, parts: frozenset[Part], *, offline: bool) -> list[tuple[Place, str, Finding]]:
    """Every finding by line: its place, the setting that stands there, and itself."""
    from scripts.cli import config_facts
    from scripts.cli.config_findings import files, find, finding
    from shared import settings
    from shared.settings_text import Place

    read, problems = settings.understand(written)
    found = [finding.error(f"{each.section}.{each.key}", each.text, "") for each in problems]
    if read is not None:
        parts = parts or find.parts_of(written.values())
        named = files.files_of(read, parts)
        facts = None if offline else config_facts.look(read, named, written.path)
        wrong = {each.setting for each in found}
        found += [each for each in find.find(read, parts, facts) if each.setting not in wrong]
    rows = [(*_place(written, each), each) for each in found]
    for name, do in find.strange_variables(written.environ, settings.names()):
        rows.append((Place(variable=name), "", finding.warning("", "looks like a setting, and is not read", do)))
    return sorted(rows, key=lambda row: (row[0].order(), LEVELS.index(row[2].level)))


def _place(written: Written, finding: Finding) -> tuple[Place, str]:
    """Where the operator wrote the setting, or else another one that it does not go together with; and which one that is."""
    places = [(written.place(*_name(setting)), setting) for setting in (finding.setting, *finding.also)]
    return next((found for found in places if str(found[0])), places[0])


def _name(setting: str) -> tuple[str, str]:
    section, _, key = setting.rpartition(".")
    return section, key


def _tell(app: App, rows: list[tuple[Place, str, Finding]]) -> None:
    for place, setting, finding in rows:
        where = [each for each in (str(place), shown(setting)) if each]
        where[-1] += f" (with {shown(finding.setting)})" if setting != finding.setting else ""
        click.echo(f"{finding.level}: {': '.join(where)}: {finding.text}")
        if finding.do:
            click.echo(f"  What to do: {finding.do}.")
    errors = sum(finding.level == "error" for *_, finding in rows)
    if rows:
        click.echo(f"{count(errors, 'error')}, {count(len(rows) - errors, 'warning')}")
    else:
        click.echo(f"settings are fine: defaults{f' and {app.config}' if app.config else ''}")


def shown(setting: str) -> str:
    section, key = _name(setting)
    return f"[{section}] {key}".strip() if section else ""


def count(number: int, name: str) -> str:
    return f"{number or 'no'} {name}{'' if number == 1 else 's'}"


def _plain(finding: Finding, place: Place) -> dict[str, Any]:
    section, key = _name(finding.setting)
    return {
        "level": finding.level,
        "section": section or None,
        "key": key or None,
        "file": place.file or None,
        "line": place.line,
        "variable": place.variable or None,
        "text": finding.text,
        "do": finding.do or None,
    }


@cli.command()
@click.argument("mode", type=click.Choice(["live", "test"]), required=False)
@YES
@JSON
@click.pass_obj
def mode(app: App, mode: str | None, yes: bool, as_json: bool) -> None:
    """Say whether the database is that of a live fleet or of one that tests; with MODE, put right what was noted wrongly.

    It is noted at the first start from [balancer] livemode, and the other mode is refused from then on. Everything that the
    database holds, its events too, counts as of the new mode afterwards. Stop all balancers before.

    \b
    fleet config mode
    fleet config mode live
    """
    import getpass

    from balancer.db import migrate
    from balancer.db import mode as kept
    from balancer.db.engine import Database
    from balancer.upkeep import mode_change
    from shared import log

    settings = app.settings()
    if mode is not None and settings.balancer.livemode is not (mode == "live"):
        raise click.UsageError(f"write livemode = {'true' if mode == 'live' else 'false'} in [balancer] first")
    log.set_up("error", settings.log.format)
    migrate.upgrade(settings.database.url)
    database = Database(settings.database)
    try:
        with database.transaction() as connection:
            if mode is not None and kept.of(connection) is not (mode == "live"):
                sure(f"All that the database holds will count as {mode}. Go on?", yes=yes, dry_run=False)
                mode_change.change(connection, mode == "live", By(f"cli:{getpass.getuser()}", app.clock().now()))
            now = kept.of(connection)
    finally:
        database.close()
    answer({"live": now}, "nobody has opened it yet" if now is None else WORDS[now], as_json=as_json)


@cli.command()
def default() -> None:
    """Print every setting with its unit and the reason for its value.

    \b
    fleet config default > fleet.toml
    """
    from shared.settings import default_toml

    click.echo(default_toml(), nl=False)
