"""`python -m sandbox`: run a simulated Steam until it is told to stop."""

import argparse
import asyncio
import json
import logging
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox import server
from sandbox.clock import MovedFile
from sandbox.errors import BadRequest
from sandbox.faults import profiles
from sandbox.faults.orders import Faults
from sandbox.settings import BEACON_CLOCKS, SandboxSettings
from sandbox.steam_api.router import ROUTE_NAMES


def main(argv: Sequence[str] | None = None) -> int:
    """Print one line of JSON with both addresses when ready, then serve until SIGTERM or SIGINT.

    Returns 0; 2 for options that do not fit, 1 for an address or port that cannot be had.
    """
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    try:
        settings = settings_of(options)
        if settings.faults is not None:
            profiles.check(Faults(settings.seed, ROUTE_NAMES), profiles.find(settings.faults), 0.0)
        if settings.moved_file is not None:
            MovedFile(Path(settings.moved_file))
    except (ValueError, OSError, BadRequest) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    try:
        asyncio.run(_serve(settings))
    except OSError as error:
        where = error.filename or f"listen on {settings.host}"
        sys.stderr.write(f"sandbox: cannot {'write ' if error.filename else ''}{where}: {error.strerror or error}\n")
        return 1
    return 0


async def _serve(settings: SandboxSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # event loops of Windows have no signal handlers
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    running = await server.start(settings)
    ready = {"steam": running.steam_url, "control": running.control_url}
    if running.ca_file is not None:
        ready["ca"] = str(running.ca_file)
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    try:
        await stop.wait()
    finally:
        await running.stop()


def settings_of(options: argparse.Namespace) -> SandboxSettings:
    """Settings from the command line; `--bot-group red:10` is red-1 to red-10. Raises: ValueError."""
    bots = [name for name in (options.bots or "").split(",") if name]
    for group in options.bot_group or []:
        color, _, count = group.partition(":")
        if not color or not count.isdigit():
            raise ValueError(f"--bot-group wants color:count, not {group!r}")
        bots += [f"{color}-{number}" for number in range(1, int(count) + 1)]
    none_asked = options.bots is None and not options.bot_group
    return SandboxSettings(
        host=options.host,
        port=options.port,
        control_port=options.control_port,
        seed=options.seed,
        bots=SandboxSettings().bots if none_asked else tuple(bots),
        players=options.players,
        fixed_players=True,
        items_per_player=_range(options.items_per_player),
        items_per_bot=_range(options.items_per_bot),
        player_habit=options.player_habit,
        player_delay_s=options.player_delay_s,
        take_back_s=options.take_back_s,
        protection_s=options.protection_s,
        offer_lifetime_s=options.offer_lifetime_s,
        beacon_period_s=options.beacon_period_s,
        beacon_genesis_time=options.beacon_genesis_time,
        beacon_clock=options.beacon_clock,
        tls=options.tls or options.ca_file is not None,
        ca_file=options.ca_file,
        moved_file=options.moved_file,
        access_log=options.access_log,
        faults=options.faults,
    )


def _range(text: str) -> tuple[int, int]:
    """`20` or `10-30`. Raises: ValueError."""
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text)
    if match is None:
        raise ValueError(f"items are a number or a range such as 10-30, not {text!r}")
    return int(match[1]), int(match[2] or match[1])


def _parser() -> argparse.ArgumentParser:
    default = SandboxSettings()
    parser = argparse.ArgumentParser(prog="sandbox", description="A simulated Steam for trying and testing trade bots.")
    parser.add_argument("--host", default=default.host, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="Steam's port, 0 for any free one")
    parser.add_argument("--control-port", type=int, default=0, help="port of the control API and pages, 0 for any")
    parser.add_argument("--tls", action="store_true", help="HTTPS on Steam's port, with a new certificate authority")
    parser.add_argument("--ca-file", metavar="FILE", help="write that authority's certificate there (and --tls)")
    parser.add_argument("--seed", type=int, default=default.seed, help="same seed, same world (%(default)s)")
    parser.add_argument("--bots", help="names of bot accounts, separated by commas (red-1 to red-10)")
    parser.add_argument("--bot-group", action="append", metavar="COLOR:N", help="bots COLOR-1 to COLOR-N; repeatable")
    parser.add_argument("--players", type=int, default=default.players, help="number of players (%(default)s)")
    parser.add_argument("--items-per-player", default="15-30", help="a number or a range such as 10-30 (%(default)s)")
    parser.add_argument("--items-per-bot", default="0", help="a number or a range (%(default)s)")
    parser.add_argument("--player-habit", default=default.player_habit, help="what players do (%(default)s)")
    parser.add_argument("--player-delay-s", type=float, default=default.player_delay_s, help="seconds until they answer")
    parser.add_argument(
        "--take-back-s", type=float, default=default.take_back_s, help="seconds after which take_back reverses (%(default)s)"
    )
    parser.add_argument("--protection-s", type=int, default=default.protection_s, help="trade protection (%(default)s)")
    parser.add_argument("--offer-lifetime-s", type=int, default=default.offer_lifetime_s, help="(%(default)s)")
    parser.add_argument("--beacon-period-s", type=int, default=default.beacon_period_s, help="of drand's form (%(default)s)")
    parser.add_argument("--beacon-genesis-time", type=int, default=default.beacon_genesis_time, help="(%(default)s)")
    parser.add_argument("--beacon-clock", choices=BEACON_CLOCKS, default=default.beacon_clock, help="(%(default)s)")
    parser.add_argument(
        "--faults", metavar="FILE|NAME", help=f"faults from the beginning: {', '.join(profiles.names())}, or a file"
    )
    parser.add_argument("--moved-file", metavar="FILE", help="move a fleet on by this file, together with the sandbox")
    parser.add_argument("--access-log", action="store_true", help="log requests (paths only)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
