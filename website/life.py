"""Words to systemd, for units of ``Type=notify`` with ``WatchdogSec=``: ready, still at work, stopping. Else nothing is sent.

The same few lines as the fleet's own: the website is a program of its own, and imports nothing of the fleet but its client.
A sign of life comes from the event loop itself: one that stands still gives none, so systemd ends it and starts it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import socket

SIGNS = 3
"""Signs that fit into the time that systemd waits, so that one may be late."""
TELL_S = 1.0
"""A socket that is full must not hold up the loop whose life it tells of."""


def tell(word: str) -> None:
    """Say it (``READY=1``, ``STOPPING=1``, ``WATCHDOG=1``) to whoever started us, if it asked for that. Never fails."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.settimeout(TELL_S)
        out.sendto(word.encode(), "\0" + address[1:] if address.startswith("@") else address)


def every_s() -> float | None:
    """How often this process is to give a sign of life; `None` if nobody waits for one."""
    waits = os.environ.get("WATCHDOG_USEC", "")
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not waits.isdigit() or waits == "0":
        return None
    return int(waits) / 1_000_000 / SIGNS


async def signs() -> None:
    """Give them for as long as the loop comes round; ends at once if nobody waits for any."""
    pause_s = every_s()
    if pause_s is None:
        return
    faulthandler.enable()  # systemd ends what stands still by SIGABRT: then standard error is told where it stood
    while True:
        tell("WATCHDOG=1")
        await asyncio.sleep(pause_s)
