"""Sends through `apprise`, which knows some hundred services. Addresses hold passwords and tokens: nothing here shows one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from shared.errors import SettingsError

MISSING = "[alarms] notify needs the package apprise: install the extra `notify` (`pip install 'steam-trade-fleet[notify]'`)"


def check(addresses: Sequence[str]) -> list[int]:
    """Which of them, counted from 1, are no addresses that apprise knows.

    Raises:
        SettingsError: apprise is not installed.
    """
    return [number for number, address in enumerate(addresses, 1) if not _opened(address)]


async def send(address: str, title: str, body: str) -> bool:
    """Whether the service took it. Never raises what the service does.

    Raises:
        SettingsError: apprise is not installed.
    """
    return await asyncio.to_thread(_send, address, title, body)


def _send(address: str, title: str, body: str) -> bool:
    service = _opened(address)
    try:
        return bool(service and service.notify(title=title, body=body, body_format="text"))
    except Exception:  # a service's own code; what it says may hold its address
        return False


def _opened(address: str) -> Any:
    """The service behind an address; `None` if apprise knows none."""
    try:
        import apprise
    except ImportError:
        raise SettingsError(MISSING) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it writes addresses
    service = apprise.Apprise()
    return service if service.add(address) else None
