"""`fleet keys`: the master key of the balancer, and the keys that a bot host needs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.cli.asking import JSON, answer
from scripts.cli.fleet import App

cli = click.Group(help="The master key, and the keys that a host needs for its bots.")


@cli.command()
@JSON
@click.pass_obj
def new(app: App, as_json: bool) -> None:
    """Make the balancer's master key. An existing one is never overwritten.

    \b
    fleet keys new
    """
    from shared import private_files
    from shared.sealing import MasterKey

    path = app.settings().balancer.master_key_file
    private_files.make_folder(path.parent)
    try:
        MasterKey.create(path)
    except FileExistsError:
        raise click.ClickException(
            f"{path} exists; the keys of all bots are derived from it, so it is not overwritten"
        ) from None
    line = f"{path} written. Keep a copy: without it no bot can get orders and no token can be checked."
    answer({"file": str(path)}, line, as_json=as_json)


@cli.command()
@click.argument("color")
@click.argument("group", type=click.IntRange(min=1))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write, mode 600.")
@JSON
@click.pass_obj
def issue(app: App, color: str, group: int, out: Path, as_json: bool) -> None:
    """Write the keys of a group's ten bots, for `fleet bots keys` on their host.

    \b
    fleet keys issue red 1 --out keys.json
    """
    from shared import private_files
    from shared.domain.ids import bots_of_group, parse_color
    from shared.errors import SettingsError
    from shared.sealing import MasterKey

    try:
        master = MasterKey.read(app.settings().balancer.master_key_file)
        names = bots_of_group(parse_color(color), group)
    except (SettingsError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    private_files.replace(out, json.dumps([master.bot(str(name)).to_json() for name in names], indent=1) + "\n")
    line = f"{out}: keys of {names[0]} … {names[-1]}. Copy it to their host, run `fleet bots keys {out}` there, then delete it."
    answer({"file": str(out), "bots": [str(name) for name in names]}, line, as_json=as_json)
