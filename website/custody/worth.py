"""What players have in custody, for the bar of every page: as this process heard it last.

No page waits for it. What is known is shown, and when it is old somebody else asks the fleet for it meanwhile; the next page
has it.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings

from fleet_client import errors
from website import fleet
from website.accounts.models import Player

OLD_S = 10.0
PLAYERS_MAX = 10_000


@dataclass(frozen=True)
class Known:
    cents: int | None
    at: float


_known: dict[int, Known] = {}
_lock = threading.Lock()
_asking = ThreadPoolExecutor(max_workers=2, thread_name_prefix="worth")
_waiting = threading.BoundedSemaphore(50)
"""Beyond so many questions at once the next page asks again."""


def note(player_id: int, cents: int) -> None:
    """Somebody has just heard it."""
    with _lock:
        if len(_known) >= PLAYERS_MAX:
            _known.clear()
        _known[player_id] = Known(cents, time.monotonic())


def known(player: Player) -> int | None:
    """Cents, as heard last; None if nobody has heard it yet. Asks for it in the background when that is a while ago."""
    if not settings.SITE_FLEET_URLS:
        return None
    with _lock:
        have = _known.get(player.id, Known(None, 0.0))
        if have.at and time.monotonic() < have.at + OLD_S:
            return have.cents
        _known[player.id] = Known(have.cents, time.monotonic())
    ask_later(player)
    return have.cents


def ask_later(player: Player) -> None:
    """Has the fleet asked by a thread that no page waits for."""
    if _waiting.acquire(blocking=False):
        _asking.submit(_ask, player.id, player.user_id)


def forget() -> None:
    with _lock:
        _known.clear()


def _ask(player_id: int, user_id: str) -> None:
    try:
        rows = list(fleet.client().each_deposit(user_id=user_id))
    except (errors.FleetError, ValueError):
        return
    finally:
        _waiting.release()
    note(player_id, sum(row.value_cents for row in rows if row.status in ("active", "withdraw_pending")))
