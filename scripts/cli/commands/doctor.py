"""`fleet doctor`: what is wrong with this machine's part of the fleet, and what to do about it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from scripts.cli.commands.config import PARTS, count, findings_of, shown
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from scripts.cli.config_findings.finding import Finding, Part
    from scripts.cli.diagnosis import Trouble


@click.command()
@click.option(
    "--part", "parts", multiple=True, type=PARTS, help="What this machine runs; repeatable. Default: decided from the settings."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def cli(app: App, parts: tuple[Part, ...], as_json: bool) -> None:
    """Look at everything that this machine's part of the fleet needs, and say what to do about each thing that is wrong.

    It checks the settings as `fleet config check` does, and then what runs: Redis, clocks, the database, disks, the balancer's
    address, each bot, prices, old locks. Run it as the user of the service.

    Exit status 0: nothing was found. 1: warnings. 2: errors, which keep trades from going on or are unsafe.

    \b
    fleet doctor
    fleet doctor --json
    """
    found = examine(app, parts)
    if as_json:
        click.echo(json.dumps({"findings": [asdict(trouble) for trouble in found]}))
    else:
        for trouble in found:
            click.echo(f"{trouble.level}: {trouble.about}: {trouble.text}")
            if trouble.do:
                click.echo(f"  What to do: {trouble.do}.")
        click.echo(summary(found))
    levels = {trouble.level for trouble in found}
    raise SystemExit(2 if "error" in levels else 1 if levels else 0)


def examine(app: App, parts: tuple[Part, ...]) -> list[Trouble]:
    """What the settings tell, then what was seen; errors first."""
    from scripts.cli import diagnosis, examination
    from scripts.cli.config_findings.files import files_of
    from scripts.cli.config_findings.find import parts_of
    from shared import errors, log, settings
    from shared.settings_text import Written

    log.set_up("critical")  # what a part logs about its own trouble is a finding here
    try:
        written = Written.read(app.config, os.environ)
    except errors.SettingsError as error:
        return [diagnosis.error("settings", error.detail, "")]
    found = [
        diagnosis.Trouble(finding.level, f"settings, {place}" if str(place) else "settings", _text(finding), finding.do)
        for place, _, finding in findings_of(written, frozenset(parts), offline=False)
    ]
    read, _ = settings.understand(written)
    if read is not None:
        chosen = frozenset(parts) or parts_of(written.values())
        files = files_of(read, chosen)
        found += diagnosis.diagnose(examination.examine(read, chosen, files))
    return sorted(found, key=lambda trouble: trouble.level != "error")


def _text(finding: Finding) -> str:
    return f"{shown(finding.setting)}: {finding.text}" if finding.setting else finding.text


def summary(found: list[Trouble]) -> str:
    """The last line."""
    errors = sum(trouble.level == "error" for trouble in found)
    counts = (count(errors, "error"), count(len(found) - errors, "warning"))
    return ", ".join(counts) if found else "nothing is wrong with this part of the fleet"
