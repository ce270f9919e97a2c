"""`fleet ops`: who may use the operators' page, and the secrets that their one-time codes are made from."""

from __future__ import annotations

import getpass
import json

import click

from balancer.journal.by import By
from scripts.cli.asking import JSON, opened
from scripts.cli.fleet import App

cli = click.Group(help="The operators' page (/ops): who may use it, and their secrets for one-time codes.")


@cli.command("list")
@JSON
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """Who may use the page, by `[ops] operators`. Exit status 1: one of them has no codes yet.

    \b
    fleet ops list
    """
    from balancer.web.ops import codes

    named = app.settings().ops.operators
    with opened(app, only_reads=True) as (connection, _):
        rows = [{**each.model_dump(), "enrolled": codes.is_enrolled(connection, each.steam_id)} for each in named]
    if as_json:
        click.echo(json.dumps({"operators": rows}))
    else:
        for row in rows:
            codes_said = "has codes" if row["enrolled"] else f"no codes yet: fleet ops enrol {row['steam_id']}"
            click.echo(f"{row['name']:16} {row['steam_id']}  may {row['role']:8} {codes_said}")
        if not rows:
            click.echo("nobody: name operators in the settings, [ops] operators; until then there is no such page")
    if not all(row["enrolled"] for row in rows):
        raise SystemExit(1)


@cli.command()
@click.argument("steam_id")
@JSON
@click.pass_obj
def enrol(app: App, steam_id: str, as_json: bool) -> None:
    """Make a new secret for the operator with this STEAM_ID and print its otpauth: address, this once.

    Put it into an app for one-time codes, by hand or as a picture (`| qrencode -t ansiutf8`). What was before is over: the old
    secret, a lock after wrong codes, and every session of this operator.

    \b
    fleet ops enrol 76561198000000002 | qrencode -t ansiutf8
    """
    from balancer.web.ops import codes, operators

    settings = app.settings()
    issuer = f"{settings.balancer.site_name or 'Fleet'} operators"
    with opened(app) as (connection, master):
        operator = operators.of(settings.ops, steam_id)
        if operator is None:
            raise click.ClickException(f"{steam_id} stands nowhere in [ops] operators: name this account there first")
        who, now = f"cli:{getpass.getuser()}", app.clock().now()
        address = codes.enrol(connection, master, operator, issuer, By(who, now))
    if as_json:
        click.echo(json.dumps({"name": operator.name, "steam_id": operator.steam_id, "otpauth": address}))
        return
    click.echo(f"for {operator.name}; it is not shown again:", err=True)
    click.echo(address)
