"""`fleet up`: all parts on this machine, in the foreground, until Ctrl-C; nothing stays behind."""

from __future__ import annotations

import json
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from scripts.lab.stack import Stack


@click.command()
@click.option("--redis", "redis_url", default="", help="Your own Redis instead of an embedded one (redis://…, unix://…).")
@click.option(
    "--database",
    "database_url",
    default="",
    help="Your own database instead of SQLite (postgresql+psycopg://…); give --directory too, so that its keys are kept. "
    "The sandbox's world is new at each start, so let the database be empty.",
)
@click.option("--groups", default=1, show_default=True, type=click.IntRange(1, 10), help="Groups of ten bots of color red.")
@click.option("--bots", default=10, show_default=True, type=click.IntRange(1, 10), help="Bots in each group.")
@click.option("--players", default=20, show_default=True, type=click.IntRange(0, 1000), help="Steam accounts to play with.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="The balancer's port; 0 takes a free one.")
@click.option(
    "--control-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="The port of the sandbox's control API and pages; 0 takes a free one.",
)
@click.option("--seed", default=1, show_default=True, help="Accounts and items are made from it.")
@click.option(
    "--protection", default=20, show_default=True, help="Seconds for which Steam protects a trade (at the real Steam: 7 days)."
)
@click.option(
    "--directory", type=click.Path(file_okay=False, path_type=Path), help="Keep everything here, not in a temporary folder."
)
@click.option("--site/--no-site", "with_site", default=True, show_default=True, help="Start the website on top too.")
@click.option("--site-port", default=0, type=click.IntRange(0, 65535), help="The website's port; 0 takes a free one.")
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one line of JSON first.")
def cli(
    redis_url: str,
    database_url: str,
    groups: int,
    bots: int,
    players: int,
    port: int,
    control_port: int,
    seed: int,
    protection: int,
    directory: Path | None,
    with_site: bool,
    site_port: int,
    log_level: str,
    as_json: bool,
) -> None:
    """Run Redis, SQLite, the sandbox Steam, a balancer, bots and the website on this machine until Ctrl-C.

    \b
    fleet up
    fleet up --no-site --directory ./here
    """
    from scripts.lab import operator
    from scripts.lab.parts import BEACON, StackError, interruptible
    from scripts.lab.stack import Stack, Wish

    if with_site and find_spec("django") is None:
        with_site = False
        click.echo("the website is left out: it needs more packages (python3 scripts/bootstrap.py site)", err=True)
    with tempfile.TemporaryDirectory(prefix="fleet-up-", ignore_cleanup_errors=True) as temporary, interruptible():
        wish = Wish(
            directory=(directory or Path(temporary)).absolute(),
            groups=[f"red:{number}" for number in range(1, groups + 1)],
            bots_per_group=bots,
            players=players,
            seed=seed,
            protection_s=protection,
            redis_url=redis_url,
            database_url=database_url,
            port=port,
            control_port=control_port,
            log_level=log_level,
            # Else another `fleet up` on this port would share it, and requests would go to either.
            overrides={"balancer": {"share_port": False}},
            sandbox_args=list(BEACON) if with_site else [],
            operator=operator.NAME,
        )
        try:
            with (
                Stack(wish, say=lambda text: click.echo(text, err=True)) as stack,
                operator.OperatorPage(stack.settings(), stack.balancer_url) as desk,
            ):
                site = _site(stack, site_port) if with_site else ""
                found = {**_addresses(stack), "site": site, "operator": desk.url}
                click.echo(json.dumps(found) if as_json else _table(stack, site, desk.url))
                try:
                    stack.watch()
                except KeyboardInterrupt:
                    _tell_calls(stack)
                    raise
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
        except StackError as error:
            click.echo(str(error), err=True)
            raise SystemExit(1) from None


def _tell_calls(stack: Stack) -> None:
    """What Steam was asked for the trades that were made, if any were."""
    from fleet_client import Patience
    from fleet_client.errors import FleetError
    from scripts.demo_run.view import calls_lines, calls_of
    from scripts.lab.calls import balancer, get_json

    fleet = balancer(stack.balancer_url, stack.api_key, patience=Patience(0.0))
    try:
        made = {"deposit": 0, "withdraw": 0}
        for trade in fleet.each_trade():
            made[trade.direction] += 1
        calls = get_json(f"{stack.control_url}/control/requests")["counts"]
        bots = fleet.bots().bots
    except (OSError, FleetError, ValueError):  # it is being stopped anyway
        return
    if any(made.values()):
        click.echo("\n".join(calls_lines(calls_of(calls, bots, made))), err=True)


def _addresses(stack: Stack) -> dict[str, str]:
    return {
        "balancer": stack.balancer_url,
        "api_key": stack.api_key,
        "sandbox": stack.steam_url,
        "control": stack.control_url,
        "redis": stack.redis_url,
        "database": stack.database_url,
        "config": str(stack.config),
    }


def _site(stack: Stack, port: int) -> str:
    """Starts the website, with one engine; gives its address. It reads its settings when it is imported, so only now."""
    from scripts.site_run import serve

    return serve.start(stack, 1, port)[1]


def _table(stack: Stack, site: str, desk: str) -> str:
    lines = [f"{name:10} {value}" for name, value in _addresses(stack).items()]
    lines += [
        "",
        f"API page   {stack.balancer_url}/docs",
        f"players    {stack.control_url}/",
        f"operators  {desk} (one click signs you in at {stack.balancer_url}/ops)",
    ]
    if site:
        from scripts.lab.parts import HOW_TO_PLAY

        lines += [f"website    {site}", f"           {HOW_TO_PLAY}."]
    return "\n".join([*lines, "Ctrl-C stops everything."])
