"""`fleet balancer`: the HTTP service, in the foreground until SIGTERM or Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scripts.cli.fleet import App

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from shared.settings import Settings

# What stopping takes at most: idle connections, requests, loops; a database that hangs may keep it for ever.
STOP_MAX_S = 40.0


@click.command()
@click.option("--host", help="Address to listen on, instead of the setting's.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of the setting's; 0 takes a free one.")
@click.option("--ready-json", is_flag=True, help="Print one line of JSON with the address when it answers.")
@click.pass_obj
def cli(app: App, host: str | None, port: int | None, ready_json: bool) -> None:
    """Run the HTTP service. Migrates the database first; several may run side by side, also on one port.

    \b
    fleet balancer --port 8080
    """
    import asyncio

    from sqlalchemy.exc import SQLAlchemyError

    from balancer.db import migrate
    from scripts import advice
    from shared import errors, log

    chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = app.settings({"balancer": chosen})
    log.set_up(settings.log.level, settings.log.format)
    try:
        migrate.open_for(settings)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, ready_json))
    except (errors.FleetError, SQLAlchemyError) as error:
        click.echo(advice.of(error, settings), err=True)
        raise SystemExit(1 if getattr(error, "retryable", False) else 2) from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop where it is installed (the extra ``speed``)."""
    import importlib

    try:
        uvloop: Any = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _spare_collections() -> None:
    """What is there by now stays: never walk it again, and look for cycles among new objects less often."""
    import gc

    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def _serve(settings: Settings, ready_json: bool) -> None:
    import asyncio
    import json
    import signal

    from balancer.app import running
    from shared import notify
    from shared.clock import Clock

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as url:
        _spare_collections()
        click.echo(json.dumps({"balancer": url}) if ready_json else f"balancer on {url}, API page {url}/docs")
        notify.tell("READY=1")
        signs = asyncio.create_task(notify.signs(Clock()))
        await stop.wait()
        _end_at_the_latest()
        notify.tell("STOPPING=1")
        signs.cancel()


def _end_at_the_latest() -> None:
    """After `STOP_MAX_S` the process ends as if it had been killed: what it still waits for does not come."""
    import os
    import sys
    import threading

    def end() -> None:
        print(f"not stopped within {STOP_MAX_S:.0f} s, ending at once", file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(STOP_MAX_S, end)
    timer.daemon = True
    timer.start()
