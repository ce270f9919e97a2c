"""`fleet clients`: API keys of the websites that call the balancer."""

from __future__ import annotations

import json
import re
import sys

import click

from scripts.cli.asking import JSON, answer, dangerous, opened, sure
from scripts.cli.fleet import App

NAME = re.compile(r"[!-~]{1,64}")
SCOPES = click.Choice(["trade", "read", "operate", "play"])


cli = click.Group(help="API keys of the websites that call the balancer.")


@cli.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=SCOPES, help="What the key may do; repeat it. Default: trade and read.")
@JSON
@click.pass_obj
def add(app: App, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a client and print its key. The key is shown this once; only a hash of it is kept.

    A live balancer's keys begin with fk_live_, those of a test balancer ([balancer] livemode = false) with fk_test_.

    \b
    fleet clients add site --scope trade --scope read
    """
    from balancer.web import clients

    if not NAME.fullmatch(name):
        raise click.UsageError("a client's name is 1 to 64 letters, digits or other visible ASCII characters")
    chosen = sorted(set(scopes or ("trade", "read")))
    livemode = app.settings().balancer.livemode
    key = clients.new_key(livemode)
    with opened(app) as (connection, master):
        client = clients.create(connection, name, chosen, master.api_key_hash(key), now=app.clock().now())
    if as_json:
        answer = {"client_id": client.client_id, "name": name, "scopes": chosen, "livemode": livemode, "api_key": key}
        click.echo(json.dumps(answer))
    else:
        click.echo(key)


@cli.command("new-key")
@click.argument("name")
@JSON
@click.pass_obj
def new_key(app: App, name: str, as_json: bool) -> None:
    """Make a second key for a client, so that it can change keys without a gap.

    \b
    fleet clients new-key site
    """
    from balancer.web import clients

    livemode = app.settings().balancer.livemode
    key = clients.new_key(livemode)
    with opened(app) as (connection, master):
        clients.add_key(connection, name, master.api_key_hash(key), now=app.clock().now())
    click.echo(json.dumps({"name": name, "livemode": livemode, "api_key": key}) if as_json else key)


@cli.command("list")
@JSON
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """List the clients that may call.

    \b
    fleet clients list --json
    """
    from balancer.web import clients

    with opened(app) as (connection, _):
        found = clients.live(connection)
    rows = [{"client_id": one.client_id, "name": one.name, "scopes": sorted(one.scopes)} for one in found]
    if as_json:
        click.echo(json.dumps({"clients": rows}))
        return
    for one in found:
        click.echo(f"{one.name:24} {' '.join(sorted(one.scopes))}")


@cli.command()
@click.argument("name", required=False)
@click.option("--key-stdin", is_flag=True, help="Revoke only the key that is given on standard input; nothing is asked then.")
@dangerous
@click.pass_obj
def revoke(app: App, name: str | None, key_stdin: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Revoke a client with all its keys, or one key. Balancers refuse it within three seconds.

    \b
    fleet clients revoke site
    fleet clients revoke --key-stdin < leaked.txt
    """
    from balancer.web import clients

    if bool(name) == key_stdin:
        raise click.UsageError("name a client, or give a key with --key-stdin")
    sure(f"Revoke {name} with all its keys?", yes=yes or key_stdin, dry_run=dry_run)
    with opened(app, dry_run=dry_run) as (connection, master):
        now = app.clock().now()
        if name:
            ended = clients.revoke(connection, name, now=now)
        else:
            given = sys.stdin.readline().strip()
            ended = clients.revoke_key(connection, master.api_key_hash(given), now=now)
    if not ended:
        raise click.ClickException("there is no valid client or key like this")
    answer({"client": name, "revoked": True}, "revoked", as_json=as_json, dry_run=dry_run)
