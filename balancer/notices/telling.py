"""Tells people of each alarm: once to each address, in order, and again until it is taken.

How far an address has been told stands in the database, beside a short lease of whoever tells it, so several balancers tell
each alarm once. A balancer that dies between the sending and the note lets another one send it a second time: an alarm that
comes twice is better than none. An address that was not there before is told what comes from then on. Its row is found by a
keyed hash, because the address itself holds passwords.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from balancer.db import pipeline
from balancer.db.engine import Database
from balancer.db.tables import events, notice_targets
from balancer.journal import alarms
from balancer.journal import events as feed
from balancer.journal.by import By
from balancer.journal.events import Event
from balancer.notices import people, wording
from shared import log
from shared.clock import Clock
from shared.sealing import MasterKey
from shared.settings import Settings

AT_ONCE = 100  # alarms in one message at most
LEASE_S = 120.0
RETRY_MIN_S, RETRY_MAX_S = 10.0, 600.0
TOLD_AFTER_S = 600.0  # an address that takes nothing for so long is an alarm itself: the others tell it

Send = Callable[[str, str, str], Awaitable[bool]]
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Owed:
    """What one address has not been told, under a lease."""

    target: str
    alarms: list[Event]
    fails: int
    failing_since: datetime | None


class Teller:
    """`round` tells all addresses what they are owed; called again and again by each balancer."""

    def __init__(self, db: Database, clock: Clock, master: MasterKey, settings: Settings, send: Send = people.send) -> None:
        self._db, self._clock, self._send = db, clock, send
        self._ops_url, self._livemode = settings.alarms.ops_url, settings.balancer.livemode
        self._addresses = {master.notice_target(address): address for address in settings.alarms.notify}
        self._me = secrets.token_hex(8)
        self._known = False

    async def round(self) -> int:
        """How many messages were taken.

        Raises:
            DatabaseUnavailable.
        """
        if not self._known:
            await self._db.run(_know, sorted(self._addresses), self._clock.now())
            self._known = True
        return sum(await asyncio.gather(*(self._tell(target, address) for target, address in self._addresses.items())))

    async def _tell(self, target: str, address: str) -> bool:
        """Send what is owed, and write down what became of it. One that is slow holds up no other one."""
        owed = await self._db.run(_claim, target, self._me, self._clock.now(), self._livemode)
        if owed is None:
            return False
        taken = await self._send(address, wording.title(owed.alarms), wording.body(owed.alarms, self._ops_url))
        if taken:
            await self._db.run(_mark_sent, owed, self._me)
        else:
            service = address.partition("://")[0]
            _log.warning("a notice was not taken", action="notices", service=service, alarms=len(owed.alarms))
            await self._db.run(_failed, owed, self._me, service, self._clock.now())
        return taken


def _know(connection: Connection, targets: Sequence[str], now: datetime) -> None:
    """Rows for the addresses that are written now, and for no others."""
    connection.execute(delete(notice_targets).where(notice_targets.c.target.not_in(targets)))
    end = feed.settled(connection)
    for target in targets:
        row = {"target": target, "told_to": end, "lease_until": now, "next_at": now, "fails": 0}
        connection.execute(pipeline.insert(connection, notice_targets).values(row).on_conflict_do_nothing())
    # A database that was restored has fewer events than were told.
    connection.execute(update(notice_targets).where(notice_targets.c.told_to > end).values(told_to=end))


def _claim(connection: Connection, target: str, me: str, now: datetime, livemode: bool) -> Owed | None:
    """What this address is owed, if it is due and no other balancer tells it now."""
    t = notice_targets.c
    row = connection.execute(select(notice_targets).where(t.target == target).with_for_update()).first()
    if row is None or row.next_at > now or (row.lease_by not in (None, me) and row.lease_until > now):
        return None
    behind = feed.behind(connection, row.told_to, AT_ONCE, livemode, events.c.kind == "alarm")
    if not behind:
        return None
    lease = {"lease_by": me, "lease_until": now + timedelta(seconds=LEASE_S)}
    connection.execute(update(notice_targets).where(t.target == target).values(lease))
    return Owed(target, behind, row.fails, row.failing_since)


def _mark_sent(connection: Connection, owed: Owed, me: str) -> None:
    values = {"told_to": owed.alarms[-1].number, "fails": 0, "failing_since": None, "lease_by": None}
    t = notice_targets.c
    connection.execute(update(notice_targets).where(t.target == owed.target, t.lease_by == me).values(values))
    alarms.over(connection, _alarm_of(owed.target))


def _failed(connection: Connection, owed: Owed, me: str, service: str, now: datetime) -> None:
    """It is tried again later; after some time an alarm says that this address takes nothing."""
    since = owed.failing_since or now
    wait_s = min(RETRY_MAX_S, RETRY_MIN_S * 2 ** min(owed.fails, 10))
    values = {"fails": owed.fails + 1, "failing_since": since, "next_at": now + timedelta(seconds=wait_s), "lease_by": None}
    t = notice_targets.c
    connection.execute(update(notice_targets).where(t.target == owed.target, t.lease_by == me).values(values))
    if now - since >= timedelta(seconds=TOLD_AFTER_S) and alarms.first(connection, _alarm_of(owed.target), now):
        data = {"alarm": alarms.NOTICES, "service": service, "tries": owed.fails + 1, "action": alarms.NOTICES_ACTION}
        feed.append(connection, feed.row("alarm", data, By("notices", now)))


def _alarm_of(target: str) -> str:
    return f"notices:{target}"
