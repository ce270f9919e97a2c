"""The engine as a program: everything is made once, in order, and closed in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, close_old_connections, connection
from lottery.rooms import Room

from fleet_client import AsyncClient, Patience
from website import life
from website.engine import crash, driver
from website.engine.beacon import Source
from website.engine.chains import ChainKey, Chains
from website.engine.clock import Clock
from website.engine.marks import Marks
from website.engine.models import Chain
from website.engine.relays import Relays
from website.engine.witness import Witness
from website.engine.writer import Writer

# Trying again is the engine's own affair: a call that has no answer stays due.
PATIENCE = Patience(patience_s=0.0, request_max_s=0.0)
TIMEOUT_S = 40.0
AGAIN_S = 1.0

_log = logging.getLogger(__name__)

# httpcore looks for sniffio several times in each request, and Python searches its whole path for what is not there: that was a
# sixth of an engine's processor time. A module that is None is known to be missing.
with contextlib.suppress(ImportError):
    importlib.import_module("sniffio")
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]


def name() -> str:
    """This process among all engines."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def chains() -> Chains:
    """The chains, with the key proven on every lane's newest one. Raises ImproperlyConfigured, ChainKeyError."""
    close_old_connections()
    if not settings.SITE_CHAIN_KEY:
        raise ImproperlyConfigured("SITE_CHAIN_KEY_FILE names no file with a key: nobody could open a round")
    made = Chains(ChainKey.read(settings.SITE_CHAIN_KEY), settings.SITE_CHAIN_LENGTH)
    for row in Chain.objects.order_by("lane", "-first_round"):
        made.prove(row)
    return made


async def once_there(make: Callable[[], Chains], again_s: float = AGAIN_S) -> Chains:
    """What ``make`` reads from the database, as soon as that answers. Raises what ``make`` raises for other reasons.

    SQLite is a file: what it refuses (no such table) is refused for good.
    """
    while True:
        try:
            return await asyncio.to_thread(make)
        except OperationalError as error:
            if connection.vendor == "sqlite":
                raise
            _log.warning("the database is away, trying again: %s", str(error).partition("\n")[0])
            await asyncio.sleep(again_s)


class Sources:
    """One source for each chain, made when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Relays] = {}

    def of(self, rules: Room) -> Source:
        chain = driver.chain_of(rules)
        if chain.hash not in self._made:
            self._made[chain.hash] = Relays(settings.SITE_BEACON_RELAYS, chain)
        return self._made[chain.hash]

    async def close(self) -> None:
        for source in self._made.values():
            await source.close()


async def run() -> None:
    """Until SIGTERM or SIGINT."""
    if connection.vendor == "postgresql":
        # Its few threads live as long as it does: each opens a connection once, and another after an error. (Django's default
        # is one for each unit of work, which costs as much as the work.)
        connection.settings_dict["CONN_MAX_AGE"] = None
    clock, sources = Clock(settings.SITE_CLOCK_SKEW_MS), Sources()
    outside = Path(settings.SITE_MARKS_DIR) if settings.SITE_MARKS_DIR else None
    marks = Marks(outside)
    await asyncio.to_thread(marks.share)
    writer = Writer(await once_there(chains), clock, name(), marks, Witness(outside))
    crash.arm(settings.SITE_CRASH_AT)
    async with AsyncClient(settings.SITE_FLEET_URLS, settings.SITE_FLEET_KEY, patience=PATIENCE, timeout_s=TIMEOUT_S) as fleet:
        working = asyncio.create_task(driver.Engine(writer, fleet, sources.of, clock).run())
        signs = asyncio.create_task(life.signs())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, working.cancel)
        life.tell("READY=1")
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await working
        finally:
            life.tell("STOPPING=1")
            signs.cancel()
            await sources.close()
