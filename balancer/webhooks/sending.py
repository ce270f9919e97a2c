"""Sends each target what it is owed; one balancer at a time per target.

Who sends is decided by a lease in the database, beside the rows that it is about: a balancer that has lost it writes nothing
more about the target. A balancer that dies keeps its leases until they run out, then another goes on with what is still owed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select
from standardwebhooks import Webhook

from balancer.db.engine import Database
from balancer.db.tables import webhook_targets
from balancer.journal import events, tail
from balancer.outward import Failed, Outward
from balancer.webhooks import deliveries, targets
from balancer.webhooks.deliveries import Due, Result
from shared import log
from shared.clock import Clock
from shared.errors import DatabaseUnavailable
from shared.sealing import MasterKey
from shared.sections import WebhookSettings
from shared.settings import Settings

# Of an answer's body so much is read, to use the connection again, and none of it is kept.
ANSWER_MAX_BYTES = 4096
# A lease is taken anew when this share of its time is over.
RENEWED = 0.25
STOP_S = 5.0
# Events that are read at once.
READ_MAX = 400

_log = log.get(__name__)


def headers(keys: Sequence[str], event: events.Event, body: bytes, now: datetime) -> dict[str, str]:
    """Those of the Standard Webhooks specification. The id stays the same whenever the event is sent again."""
    message_id = f"evt_{event.number}_{event.at}"
    signed = " ".join(Webhook(key).sign(message_id, now, body.decode()) for key in keys)
    return {
        "Content-Type": "application/json",
        "User-Agent": "trade-fleet-webhooks/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signed,
    }


@dataclass(frozen=True, slots=True)
class _Parts:
    """What every sender works with."""

    db: Database
    clock: Clock
    master: MasterKey
    rules: WebhookSettings
    outward: Outward
    livemode: bool
    me: str


class Senders:
    """One for each target that this balancer has the lease of. `round` is called again and again; `close` in the end."""

    def __init__(self, db: Database, clock: Clock, master: MasterKey, settings: Settings, outward: Outward) -> None:
        livemode = settings.balancer.livemode
        self._parts = _Parts(db, clock, master, settings.webhooks, outward, livemode, secrets.token_hex(8))
        self._senders: dict[str, _Sender] = {}

    async def round(self) -> None:
        """Take the leases that are free, go on having those that are ours, and end what is no longer ours.

        Raises:
            DatabaseUnavailable.
        """
        parts = self._parts
        rows = await parts.db.read(_enabled)
        for target_id in self._senders.keys() - {row.target_id for row in rows}:
            self._senders.pop(target_id).end()
        for row in rows:
            await self._keep(row)

    async def _keep(self, row: Row[Any]) -> None:
        parts, now = self._parts, self._parts.clock.now()
        sender = self._senders.get(row.target_id)
        lease_for = timedelta(seconds=parts.rules.lease_s)
        if row.lease_by == parts.me and sender is not None and row.lease_until - now > lease_for * (1 - RENEWED):
            return
        if row.lease_by not in (None, parts.me) and row.lease_until >= now:
            mine = False
        else:
            asked_at = parts.clock.monotonic()
            mine = await parts.db.run(deliveries.lease, row.target_id, parts.me, now, now + lease_for)
        if not mine:
            if sender is not None:
                self._senders.pop(row.target_id).end()
            return
        if sender is None or sender.over:
            _log.info("sending", action="webhooks", target=row.target_id, host=targets.host_of(row.url))
            sender = self._senders[row.target_id] = _Sender(parts, row.target_id)
        sender.may_send_until = asked_at + parts.rules.lease_s - parts.rules.timeout_s

    async def close(self) -> None:
        """Let what is under way end, then let other balancers send."""
        senders = list(self._senders.values())
        self._senders.clear()
        for sender in senders:
            sender.end()
        await asyncio.gather(*(sender.ended() for sender in senders))
        if senders:
            try:
                await self._parts.db.run(deliveries.let_go, self._parts.me)
            except DatabaseUnavailable:  # the leases run out by themselves
                _log.warning("leases not given back", action="webhooks")
        await self._parts.outward.close()


def _enabled(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(select(webhook_targets).where(webhook_targets.c.disabled_at.is_(None))).all()


def _state_of(connection: Connection, target_id: str, me: str) -> tuple[Row[Any] | None, int]:
    mine = (webhook_targets.c.target_id == target_id, webhook_targets.c.lease_by == me)
    return connection.execute(select(webhook_targets).where(*mine)).first(), events.newest(connection)


class _Sender:
    """Sends to one target while this balancer may: up to `at_once` lanes at a time, the events of each one by one.

    What is due is read in large pieces, and what became of it is written in the pieces that gather meanwhile, so an event
    costs few statements. A lane is not read again before all of it that was sent has been written down.
    """

    def __init__(self, parts: _Parts, target_id: str) -> None:
        self._parts = parts
        self._target_id = target_id
        self.may_send_until = 0.0  # monotonic: what is begun by then has ended before the lease does
        self._stop = asyncio.Event()
        self._news = asyncio.Event()  # something has ended
        self._waiting: deque[list[Due]] = deque()  # lanes that were read and not begun
        self._under_way: dict[str, asyncio.Task[None]] = {}  # by lane
        self._results: list[Result] = []
        self._failed = False  # something that was sent was not taken: the target is looked at before more is sent
        self._row: Row[Any]
        self._task = asyncio.create_task(self._run(), name=f"webhook-{target_id}")

    @property
    def over(self) -> bool:
        return self._task.done()

    def end(self) -> None:
        """Begin nothing more."""
        self._stop.set()
        self._news.set()

    async def ended(self) -> None:
        """Once what was under way is over, or has taken too long."""
        _, late = await asyncio.wait([self._task], timeout=STOP_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    more = await self._step()
                except DatabaseUnavailable:
                    more = False
                if not more:
                    await self._pause()
            if self._under_way:
                await asyncio.wait(self._under_way.values())
            await self._note()
        except DatabaseUnavailable:  # what was sent and not noted is sent again
            return
        except Exception:  # a new sender begins anew
            _log.exception("sender failed", action="webhooks", target=self._target_id)
        finally:
            for task in self._under_way.values():
                task.cancel()

    async def _step(self) -> bool:
        """Note what has ended and begin what is due. Whether to do so again at once."""
        parts = self._parts
        self._news.clear()
        if await self._note() and self._waiting and not self._failed:
            self._begin()
            return False
        row, newest = await parts.db.read(_state_of, self._target_id, parts.me)
        if row is None:  # disabled, removed or another's by now; the next round says so
            self._waiting.clear()
            return False
        more = bool(newest > row.spread_to) and await parts.db.run(
            deliveries.spread, self._target_id, parts.me, parts.clock.now()
        )
        await self._read(row)
        self._begin()
        return more

    async def _read(self, row: Row[Any]) -> None:
        """Read what is due, unless there is enough; one event only while the receiver seems to be away."""
        parts, now = self._parts, self._parts.clock.now()
        self._row, self._failed = row, False
        away = row.pause_until is not None
        if away:
            self._waiting.clear()
        if self._waiting or (away and (self._under_way or row.pause_until > now)):
            return
        due = await parts.db.read(_due, self._target_id, now, READ_MAX, parts.livemode, away)
        lanes: dict[str, list[Due]] = {}
        for one in due:
            if one.lane not in self._under_way:
                lanes.setdefault(one.lane, []).append(one)
        self._waiting.extend(lanes.values())

    def _begin(self) -> None:
        """Let as many lanes go as may at once."""
        while self._waiting and len(self._under_way) < self._parts.rules.at_once and self._may_send():
            lane = self._waiting.popleft()
            keys = targets.secrets_of(self._row, self._parts.master, self._parts.clock.now())
            task = asyncio.create_task(self._send_lane(self._row.url, keys, lane))
            self._under_way[lane[0].lane] = task
            task.add_done_callback(lambda _: self._news.set())

    def _may_send(self) -> bool:
        return not self._stop.is_set() and self._parts.clock.monotonic() < self.may_send_until

    async def _send_lane(self, url: str, keys: Sequence[str], lane: Sequence[Due]) -> None:
        """Send these one after the other, until one is not taken."""
        for one in lane:
            if not self._may_send():
                return
            result = await self._send(url, keys, one)
            self._results.append(result)
            if not result.taken:
                self._failed = True
                return

    async def _send(self, url: str, keys: Sequence[str], one: Due) -> Result:
        """One try; what the answer says beyond its status is not looked at."""
        parts = self._parts
        status = error = None
        # The receiver compares the timestamp with its own clock.
        body, now = tail.line(one.event).body, parts.clock.unmoved()
        try:
            answer = await parts.outward.ask(
                "POST",
                url,
                body=body,
                headers=headers(keys, one.event, body, now),
                read_max=ANSWER_MAX_BYTES,
                timeout_s=parts.rules.timeout_s,
            )
            status = answer.status
        except Failed as failed:
            error = failed.reason
        return Result(one.event.number, status, error, parts.clock.now())

    async def _note(self) -> bool:
        """Write down what has ended. Whether there was something."""
        done = [lane for lane, task in self._under_way.items() if task.done()]
        results = list(self._results)
        if results:
            parts = self._parts
            await parts.db.run(deliveries.note, self._target_id, parts.me, results, parts.clock.now(), parts.rules)
            del self._results[: len(results)]
        for lane in done:
            self._under_way.pop(lane).result()
        return bool(results or done)

    async def _pause(self) -> None:
        """Until something has ended, it is time to look again, or the end."""
        try:
            async with asyncio.timeout(self._parts.rules.poll_s):
                await self._news.wait()
        except TimeoutError:
            return


def _due(connection: Connection, target_id: str, now: datetime, most: int, livemode: bool, probe: bool) -> list[Due]:
    return deliveries.due(connection, target_id, now, most, livemode, probe=probe)
