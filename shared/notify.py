"""Messages to systemd for units of ``Type=notify``: ready, stopping, still at work. Nothing is sent without systemd.

With ``WatchdogSec=`` systemd ends and restarts a program that has given no sign of life for so long. The sign must come from
the place whose standing still is the fault: the event loop of a balancer, the loop of a supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import socket

from shared.clock import Clock

# Three signs fit into the time that systemd waits, so that one may be late.
SIGNS = 3
TELL_S = 1.0  # a socket that is full must not hold up what it asks about


def tell(word: str) -> None:
    """Say it (``READY=1``, ``STOPPING=1``, ``WATCHDOG=1``) to whoever started us, if it asked for that. Never fails."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.settimeout(TELL_S)
        out.sendto(word.encode(), "\0" + address[1:] if address.startswith("@") else address)


def every_s() -> float | None:
    """How often this process is to give a sign of life; ``None`` if nobody waits for one."""
    waits = os.environ.get("WATCHDOG_USEC", "")
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not waits.isdigit() or waits == "0":
        return None
    return int(waits) / 1_000_000 / SIGNS


class Life:
    """Signs of life from a loop that comes round often; the process that makes it gives them, no child of it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._every_s = every_s()
        self._next = clock.monotonic()
        if self._every_s is not None:
            faulthandler.enable()  # systemd ends what stands still by SIGABRT: then standard error is told where it stood

    def sign(self) -> None:
        """One, if it is time for it."""
        if self._every_s is not None and self._clock.monotonic() >= self._next:
            self._next = self._clock.monotonic() + self._every_s
            tell("WATCHDOG=1")


async def signs(clock: Clock) -> None:
    """Those of the event loop that runs this, for as long as it comes round; ends at once if nobody waits for any."""
    life, pause_s = Life(clock), every_s()
    while pause_s is not None:
        life.sign()
        await asyncio.sleep(pause_s)
