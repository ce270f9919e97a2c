"""The line of pages to the fleet. Their key has the scopes `trade` and `read`: with it nobody can hand items over.

Nobody waits for a fleet that is away for longer than SITE_FLEET_PATIENCE_S. A call that is sent once more after it had no
answer has half of that for each try.
"""

from __future__ import annotations

import threading
from typing import Any

from django.conf import settings

from fleet_client import Client
from fleet_client.asking import Patience

LOOK_S = 5.0
"""So long a bot takes, at most, to look at an offer that a player asks about (the fleet's `[trades] look_s`)."""


_made: dict[tuple[Any, ...], Client] = {}
_lock = threading.Lock()


def client() -> Client:
    """What pages read with. One client, shared by the threads of this process."""
    patience_s: float = settings.SITE_FLEET_PATIENCE_S
    return _client(Patience(patience_s=patience_s / 4), patience_s / 2)


def hands() -> Client:
    """What sends items. It gives up early and says that it does not know: `custody.errands` asks again under the same key."""
    return _client(Patience(patience_s=0, request_max_s=0), settings.SITE_FLEET_PATIENCE_S / 2)


def checker() -> Client:
    """What checks an offer: before it says yes, a bot looks at the offer at Steam."""
    return _client(Patience(patience_s=1), settings.SITE_FLEET_PATIENCE_S + LOOK_S)


def close() -> None:
    """Ends every connection; the next call opens new ones."""
    with _lock:
        for each in _made.values():
            each.close()
        _made.clear()


def _client(patience: Patience, timeout_s: float) -> Client:
    urls, key = tuple(settings.SITE_FLEET_URLS), settings.SITE_FLEET_KEY
    with _lock:
        name = (urls, key, patience, timeout_s)
        if name not in _made:
            _made[name] = Client(urls, key, patience=patience, timeout_s=timeout_s)
        return _made[name]
