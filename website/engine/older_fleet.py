"""A fleet that came back older than it was, from yesterday's backup (S9): noticed, left alone, brought up to us by two people.

An event of the feed has a number, and stands under it for good. So a fleet that has another one, or none, where we have read
one is an older one. Then nothing is sent to it: what it told us that it did it knows nothing of, and what is settled on it
would be settled twice or by nobody. Lanes are paused; rounds that go on are drawn and shown, and are paid when it is known how.

Every call to the fleet stands in a table in the order in which it was decided, and the fleet does each once by its ref. So all
of them since the backup can be asked for again, in their order; the first that it refuses ends that, and people look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import close_old_connections, transaction

from fleet_client import AsyncClient
from fleet_client.answers import Event
from website.engine import calls
from website.engine.feed import READER, identity
from website.engine.models import Call, Feed
from website.engine.unit import alarm, end_alarms
from website.rooms.models import Lane

WHY = "fleet_older"
BEFORE_MS = 3_600_000
"""Calls that were decided so long before the backup are asked for again too: their answers may have come after it."""
TOLD_MAX = 50


@dataclass(frozen=True)
class Seen:
    """The newest event that was taken."""

    number: int
    identity: str

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.identity.split("|")[0])


def seen() -> Seen | None:
    """What the feed was read up to; None when nothing was read yet, or by a release that did not keep it."""
    close_old_connections()
    row = Feed.objects.filter(reader=READER).exclude(seen="").first()
    if row is None:
        return None
    number, _, found = row.seen.partition("|")
    return Seen(int(number), found)


def is_older(mine: Seen, behind: Sequence[Event]) -> bool:
    """Whether a fleet is older. `behind`: its first events behind the number before ours. Pure.

    A first one with a greater number says nothing: what the fleet no longer keeps is gone at both its ends.
    """
    if not behind:
        return True
    return behind[0].number == mine.number and identity(behind[0]) != mine.identity


def known() -> bool:
    """Whether the fleet is known to be older than we are."""
    close_old_connections()
    return Feed.objects.filter(reader=READER, older_ms__isnull=False).exists()


def noticed(lost: Sequence[str], now_ms: int) -> None:
    """Nothing is sent to it from now on, and no lane takes a bet. `lost`: refs of ours that it knows nothing of."""
    close_old_connections()
    with transaction.atomic(durable=True):
        Feed.objects.filter(reader=READER, older_ms=None).update(older_ms=now_ms)
        for lane in Lane.objects.select_for_update().filter(state=Lane.OPEN).order_by("name"):
            lane.state, lane.paused_why = Lane.PAUSED, WHY
            lane.save(update_fields=["state", "paused_why"])
        told = ", ".join(lost[:TOLD_MAX]) or "none that it lists"
        text = (
            f"the fleet is older than what it told us: {len(lost)} of our refs stand nowhere there ({told});"
            " nothing is sent to it, all lanes are paused (manage.py recover fleet)"
        )
        alarm(WHY, READER, text, now_ms)


def over(after: int, newest: str, now_ms: int) -> None:
    """It knows all that we know. The feed is read on from the last event that both have."""
    close_old_connections()
    with transaction.atomic(durable=True):
        Feed.objects.filter(reader=READER).update(older_ms=None, after=after, seen=newest)
        for lane in Lane.objects.select_for_update().filter(state=Lane.PAUSED, paused_why=WHY).order_by("name"):
            lane.state, lane.paused_why, lane.next_at_ms = Lane.OPEN, "", 0
            lane.save(update_fields=["state", "paused_why", "next_at_ms"])
        end_alarms(WHY, READER, now_ms)


def unknown(locks: Iterable[str], transfers: Iterable[str]) -> list[str]:
    """Locks and transfers of ours that were done, and that the fleet does not list. The oldest first."""
    close_old_connections()
    there = {Call.LOCK: set(locks), Call.TRANSFER: set(transfers)}
    done = Call.objects.filter(kind__in=there, state=Call.DONE).order_by("id").values_list("kind", "ref")
    return [ref for kind, ref in done.iterator() if ref not in there[kind]]


def last_common(mine: Seen, first_behind: Callable[[int], Event | None]) -> Event | None:
    """The last event that both have: the fleet's newest one that is not later than the newest we took. By halves.

    `first_behind` gives the fleet's first event behind a number, None if there is none.
    """
    low, high, found = 0, mine.number, None
    while low < high:
        middle = (low + high) // 2
        event = first_behind(middle)
        if event is not None and event.at <= mine.at and event.number <= mine.number:
            found, low = event, max(event.number, middle + 1)
        else:
            high = middle
    return found


def since(common: Event | None) -> list[Call]:
    """What we had the fleet do since, in the order in which it was decided."""
    close_old_connections()
    from_ms = 0 if common is None else int(common.at.timestamp() * 1000) - BEFORE_MS
    return list(Call.objects.filter(state=Call.DONE, made_ms__gte=from_ms).order_by("id"))


async def again(fleet: AsyncClient, asked: Sequence[Call]) -> str:
    """Asks for all of it once more. "" when everything was done; else what the fleet said no to, or did not answer."""
    for call in asked:
        outcome = await calls.send(fleet, call)
        if outcome.state != Call.DONE:
            return f"{call.kind} {call.ref}: {outcome.code or outcome.state} {outcome.answer}".strip()
    return ""
