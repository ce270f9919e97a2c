"""How long messages are kept. A page that comes back later than that is made anew (`resync`)."""

from __future__ import annotations

from django.conf import settings
from django.db import close_old_connections, transaction

from website.live.models import UserMessage
from website.rooms.models import Lane, LaneMessage

AT_ONCE = 5_000
"""Rows that one transaction removes at most, so that nobody waits for it."""


def purge(now_ms: int) -> int:
    """Removes what is older than the settings say; of each lane the newest stay, however old. How many rows went."""
    close_old_connections()
    gone = 0
    for name, seq in Lane.objects.values_list("name", "seq"):
        old = LaneMessage.objects.filter(lane=name, seq__lte=seq - settings.SITE_MESSAGES_MIN)
        gone += _remove(old.filter(at_ms__lt=now_ms - settings.SITE_MESSAGES_MS).order_by("seq"))
    return gone + _remove(UserMessage.objects.filter(at_ms__lt=now_ms - settings.SITE_USER_MESSAGES_MS).order_by("id"))


def _remove(rows: object) -> int:
    ids = list(rows.values_list("id", flat=True)[:AT_ONCE])  # type: ignore[attr-defined]
    if not ids:
        return 0
    with transaction.atomic(durable=True):
        return int(rows.model._default_manager.filter(id__in=ids).delete()[0])  # type: ignore[attr-defined]
