"""Waiting for the answer to a bet without holding a thread's work or a connection meanwhile."""

from __future__ import annotations

import asyncio
import time

from asgiref.sync import sync_to_async
from django.db import connection

from website.rooms.models import Bet

LOOK_S = 0.1
ANSWERED = (Bet.PLACED, Bet.REFUSED, Bet.OVER)


async def answered(row: Bet, patience_s: float) -> Bet:
    """The bet once it is answered, or as it is after so long."""
    until = time.monotonic() + patience_s
    while row.state not in ANSWERED and time.monotonic() < until:
        await asyncio.sleep(LOOK_S)
        row = await sync_to_async(_look)(row.pk)
    return row


def _look(key: int) -> Bet:
    found = Bet.objects.select_related("player").get(pk=key)
    if not connection.in_atomic_block:
        connection.close()
    return found
