"""What the bots report, applied: one report, one transaction, acknowledged after its commit.

The stream is read as a consumer group, so several balancers share it and each report is applied by one of them. A report may
come twice all the same: after a crash between commit and acknowledgement, or taken over from a balancer that is only slow. That
needs no memory of (bot, run, number): `journal.record` compares and sets, so the second time nothing fits any more, and what
has no status (a sighting, a settlement time) says the same thing twice.

What does not open, or makes no sense, is logged and acknowledged: it would never get better. When the database is away nothing
is acknowledged, and what was read is read again later. The stream is trimmed only up to what every reader has acknowledged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import redis
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from balancer.context import Context
from balancer.custody.audit import readings as audit_readings
from balancer.journal.rules import Rules
from balancer.orders import sights
from balancer.reports import apply
from balancer.trades import restricted
from shared import log, wire
from shared.domain.ids import BotName
from shared.domain.status import TradeEvent
from shared.errors import DatabaseUnavailable
from shared.reports import Report
from shared.sealing import SealBroken

logger = log.get(__name__)

BLOCK_MS = 1000
# A balancer that has not acknowledged a report for so long is taken for dead.
IDLE_MS = 10_000
TRIM_S = 5.0
# order_failed comes with every look while Steam is away; once in a while is enough for the feed.
SAME_FAILURE_S = 300.0
# How often a report is tried that the database does not take: it may be the database's fault, or the report's.
TRIES_MAX = 5
REFUSALS_TOLD_S = 1.0
BATCH_BYTES_MAX = 64 * 1024 * 1024

_MAY_GO_ON = frozenset({TradeEvent.REFUSED.value, TradeEvent.BOT_REFUSED.value})
# Answers that somebody waits for, at whichever balancer; they change no row.
_ANSWERS = frozenset({"inventory_read", "inventory_failed"}) | sights.REPORTS

# What a report itself can cause; anything else may be the database's state of this moment.
_WRONG = (
    *(KeyError, IndexError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError),
    *(IntegrityError, DataError, ProgrammingError),
)

Entry = tuple[bytes, dict[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of one entry: acknowledge it, and tell whom."""

    entry_id: bytes
    trade_id: str | None = None
    answer: tuple[str, str] | None = None  # bot and sealed report, for the other balancers


class Reader:
    """Reads the stream with clients of its own: one blocks for reports, one for what other balancers have applied."""

    def __init__(self, ctx: Context, name: str) -> None:
        self._ctx = ctx
        self._name = name
        self.block_ms = BLOCK_MS
        timeout_s = BLOCK_MS / 1000 + ctx.settings.redis.timeout_s
        self._client = wire.connect(ctx.settings.redis.url, timeout_s=timeout_s)
        self._listener = wire.connect(ctx.settings.redis.url, timeout_s=timeout_s)
        self._pubsub: Any = None
        self._known = False
        self._redo = True  # something of ours may be unacknowledged
        self._tidied_s = 0.0
        self._failures: dict[tuple[str, str, str], float] = {}
        self._tries: dict[bytes, int] = {}
        self._count = ctx.settings.balancer.reports_batch
        self._refused = 0
        self._refused_s = -REFUSALS_TOLD_S
        # Said together with the next read, which follows at once: a round trip less for every batch.
        self._acks: list[bytes] = []
        self._news: list[str] = []

    async def round(self) -> int:
        """Wait up to a second for reports and apply them. Returns how many were applied.

        They are acknowledged by the next round, or by `flush`.

        Raises:
            redis.RedisError, DatabaseUnavailable: what was read stays unacknowledged and is read again next time.
        """
        entries = await asyncio.to_thread(self._read)
        done: list[_Done] = []
        try:
            by_bot: dict[bytes, list[Entry]] = {}
            for entry in entries:
                by_bot.setdefault(entry[1].get(b"bot", b""), []).append(entry)
            work = [self._apply_in_order(of_one, done) for of_one in by_bot.values()]
            failed = [error for error in await asyncio.gather(*work, return_exceptions=True) if error is not None]
            self._tell(done)
            if failed:
                raise failed[0]
        except BaseException:
            self._redo = True
            raise
        await self._tidy()
        return len(done)

    async def listen_round(self) -> int:
        """Wait up to a second for word of changes that another balancer applied, and pass it on. Returns how many."""
        messages = await asyncio.to_thread(self._hear)
        for message in messages:
            await self._pass_on(message)
        return len(messages)

    async def flush(self) -> None:
        """Acknowledge everything applied so far, without reading on."""
        pipe: Any = self._client.pipeline(transaction=False)
        self._say(pipe)
        await asyncio.to_thread(pipe.execute)
        self._clear()

    async def close(self) -> None:
        try:
            await self.flush()
        except redis.RedisError as error:  # what is not acknowledged comes again and changes nothing
            logger.warning("last reports not acknowledged", action="report", reason=type(error).__name__)
        if self._pubsub is not None:
            await asyncio.to_thread(self._pubsub.close)
        await asyncio.to_thread(self._client.close)
        await asyncio.to_thread(self._listener.close)

    # --- reading ---------------------------------------------------------------------------------

    def _read(self) -> list[Entry]:
        """Own entries that were not acknowledged first, then new ones."""
        if not self._known:
            self._make_group()
            self._take_over(0)
        try:
            entries = self._xread("0", self._count, None) if self._redo else []
            if not entries:
                self._redo = False
                entries = self._xread(">", self._count, self.block_ms)
        except (redis.ConnectionError, redis.TimeoutError):
            self._count = max(1, self._count // 2)  # perhaps it was too much at once
            raise
        small = _size(entries) <= BATCH_BYTES_MAX
        self._count = min(2 * self._count, self._ctx.settings.balancer.reports_batch) if small else 1
        return entries

    def _xread(self, after: str, count: int, block_ms: int | None) -> list[Entry]:
        pipe: Any = self._client.pipeline(transaction=False)
        self._say(pipe)
        pipe.xreadgroup(wire.REPORT_GROUP, self._name, {wire.REPORTS: after}, count=count, block=block_ms)
        try:
            answer: Any = pipe.execute()[-1]
        except redis.ResponseError as error:
            self._known = "NOGROUP" not in str(error)  # Redis came back empty: the group is made again
            self._mend(error)
            raise
        self._clear()
        return _entries(answer)

    def _make_group(self) -> None:
        try:
            self._client.xgroup_create(wire.REPORTS, wire.REPORT_GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                self._mend(error)
                raise
        self._known = True

    def _mend(self, error: redis.ResponseError) -> None:
        """Whatever stands in the stream's place and is no stream is removed, or no bot could ever report again."""
        if "WRONGTYPE" in str(error):
            logger.error("the stream of reports is something else", action="report")
            self._client.delete(wire.REPORTS)
            self._known = False

    def _take_over(self, idle_ms: int) -> None:
        """Make entries ours that somebody read and never acknowledged; they are read again as our own."""
        start: Any = "0-0"
        while True:
            answer: Any = self._client.xautoclaim(
                wire.REPORTS, wire.REPORT_GROUP, self._name, min_idle_time=idle_ms, start_id=start, count=100, justid=True
            )
            start, claimed = (answer[0], answer[1]) if len(answer) > 1 and isinstance(answer[1], list) else ("0-0", answer)
            self._redo = self._redo or bool(claimed)
            if start in (b"0-0", "0-0"):
                return

    async def _tidy(self) -> None:
        now_s = self._ctx.clock.monotonic()
        if now_s - self._tidied_s >= TRIM_S:
            self._tidied_s = now_s
            await asyncio.to_thread(self.trim)
            await asyncio.to_thread(self._take_over, IDLE_MS)
            self._failures = {key: at for key, at in self._failures.items() if now_s - at < SAME_FAILURE_S}

    def trim(self) -> None:
        """Remove entries older than the oldest that is not acknowledged yet.

        The last delivered id is read before the oldest pending one, so an entry delivered between is above both.
        """
        client: Any = self._client
        groups = client.xinfo_groups(wire.REPORTS)
        delivered = next((row["last-delivered-id"] for row in groups if row["name"] == wire.REPORT_GROUP.encode()), None)
        if delivered is None:
            return
        oldest = client.xpending(wire.REPORTS, wire.REPORT_GROUP)["min"]
        keep = delivered if oldest is None else min(delivered, oldest, key=_order_of)
        client.xtrim(wire.REPORTS, minid=keep, approximate=False)

    # --- applying --------------------------------------------------------------------------------

    async def _apply_in_order(self, entries: Sequence[Entry], done: list[_Done]) -> None:
        """Apply reports of one bot, in the order in which it told them, up to the first that fails."""
        for entry_id, fields in entries:
            done.append(await self._apply(entry_id, fields))

    async def _apply(self, entry_id: bytes, fields: dict[bytes, bytes]) -> _Done:
        bot = fields.get(b"bot", b"")[:40].decode("utf-8", "replace")
        try:
            BotName.parse(bot)
            sealed = fields.get(b"sealed", b"").decode("ascii")
            report = wire.open_report(bot, sealed, self._ctx.master.bot(bot))
        except ValueError as error:
            self._refuse(bot, str(error) if isinstance(error, SealBroken) else "not a report")
            return _Done(entry_id)
        if report.kind in _ANSWERS:
            self._answer(report)
            return _Done(entry_id, answer=(bot, sealed))
        if not self._worth_applying(report):
            return _Done(entry_id)
        try:
            changed = await self._applied(report)
        except Exception as error:
            if not self._hopeless(entry_id, error):
                raise
            # It would fail for ever; the trade stays as it is, and the next look at Steam says it again.
            logger.error("report makes no sense", action="report", bot=bot, trade_id=report.trade_id, reason=repr(error)[:500])
            await self._ctx.db.run(apply.unusable, report, self._ctx.clock.now())
            self._tries.pop(entry_id, None)
            return _Done(entry_id)
        self._tries.pop(entry_id, None)
        if changed and report.trade_id is not None and report.kind in _MAY_GO_ON:
            await self._go_on(report.trade_id)
        # That a worker has begun is no news to anybody who waits: there is no offer yet.
        news = changed and report.kind != TradeEvent.PICKED_UP
        return _Done(entry_id, trade_id=report.trade_id if news else None)

    async def _go_on(self, trade_id: str) -> None:
        """Steam did not let this bot do it: another one begins now, not when the sweep comes round."""
        try:
            await restricted.go_on_with(self._ctx, trade_id)
        except Exception as error:  # the report is applied; the sweep does this again
            logger.warning("no other bot yet", action="restricted", trade_id=trade_id, reason=repr(error)[:500])

    def _hopeless(self, entry_id: bytes, error: Exception) -> bool:
        """Whether it is the report that is wrong: whoever has a bot's keys can write anything into it.

        What the database never takes is given up after some tries, or it would stop every report behind it. While the database
        is away or its disk is full no report is at fault.
        """
        if isinstance(error, DatabaseUnavailable):
            return False
        if isinstance(error, _WRONG) and not getattr(error, "connection_invalidated", False):
            return True
        self._tries[entry_id] = self._tries.get(entry_id, 0) + 1
        return self._tries[entry_id] >= TRIES_MAX

    def _refuse(self, bot: str, reason: str) -> None:
        """Log it, but not a million times."""
        self._refused += 1
        now_s = self._ctx.clock.monotonic()
        if now_s - self._refused_s >= REFUSALS_TOLD_S:
            logger.error("report refused", action="report", bot=bot, reason=reason, times=self._refused)
            self._refused, self._refused_s = 0, now_s

    async def _applied(self, report: Report) -> bool:
        """One transaction; whether a trade changed."""
        ctx = self._ctx
        rules = replace(Rules.of(ctx.settings), value_of=ctx.prices.value)
        if report.kind in audit_readings.REPORTS and report.trade_id is None:
            await ctx.db.run(audit_readings.apply, report, ctx.clock.now(), ctx.settings.trades, rules.value_of)
            return False
        return await ctx.db.run(apply.apply, report, ctx.clock.now(), rules)

    def _worth_applying(self, report: Report) -> bool:
        """Not figures, and not the same failure of the same bot again and again."""
        if report.kind not in ("order_failed", "order_refused"):
            return report.kind != "steam_call"
        key = (report.bot, str(report.data.get("kind"))[:40], str(report.data.get("reason"))[:40])
        now_s = self._ctx.clock.monotonic()
        lately = now_s - self._failures.get(key, -SAME_FAILURE_S) < SAME_FAILURE_S
        if not lately:
            self._failures[key] = now_s
        return not lately

    # --- telling ---------------------------------------------------------------------------------

    def _tell(self, done: Sequence[_Done]) -> None:
        """Wake whoever waits here; the acknowledgement and the word to other balancers go out with the next read."""
        changed = sorted({one.trade_id for one in done if one.trade_id})
        self._ctx.changes.notify(changed)
        if changed:
            self._news.append(json.dumps({"by": self._name, "trades": changed}))
        self._news += [json.dumps({"by": self._name, "inventory": one.answer}) for one in done if one.answer]
        self._acks += [one.entry_id for one in done]

    def _say(self, pipe: Any) -> None:
        if self._acks:
            pipe.xack(wire.REPORTS, wire.REPORT_GROUP, *self._acks)
        for message in self._news:
            pipe.publish(wire.CHANGES, message)

    def _clear(self) -> None:
        self._acks.clear()
        self._news.clear()

    def _answer(self, report: Report) -> None:
        if report.kind in sights.REPORTS:
            self._ctx.sights.note(report)
            return
        self._ctx.inventories.readers.note(report)

    def _hear(self) -> list[bytes]:
        if self._pubsub is None:
            listener: Any = self._listener
            self._pubsub = listener.pubsub(ignore_subscribe_messages=True)
            self._pubsub.subscribe(wire.CHANGES)
        try:
            message = self._pubsub.get_message(timeout=self.block_ms / 1000)
        except redis.RedisError:
            self._pubsub = None
            raise
        return [message["data"]] if message else []

    async def _pass_on(self, message: bytes) -> None:
        """Whatever stands there only wakes waiters, who look for themselves; an answer for somebody is opened anew."""
        if len(message) > wire.SEALED_MAX_BYTES:
            logger.warning("change not understood", action="changes", reason="too large")
            return
        try:
            parsed = json.loads(message)
            if parsed.get("by") == self._name:
                return  # our own word
            self._ctx.changes.notify([str(trade_id) for trade_id in parsed.get("trades", ())])
            if "inventory" in parsed:
                bot, sealed = parsed["inventory"]
                self._answer(wire.open_report(bot, sealed, self._ctx.master.bot(bot)))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            logger.warning("change not understood", action="changes", reason=type(error).__name__)


def _entries(answer: Any) -> list[Entry]:
    """The entries of the one stream that was read, whichever of its two forms the client gives them in."""
    if not answer:
        return []
    streams = answer.values() if isinstance(answer, dict) else [row[1] for row in answer]
    result = []
    for batch in streams:
        entries = batch[0] if batch and isinstance(batch[0], list) else batch
        result += [(entry[0], entry[1] or {}) for entry in entries]
    return result


def _size(entries: Sequence[Entry]) -> int:
    """Bytes of all fields."""
    return sum(len(name) + len(value) for _, fields in entries for name, value in fields.items())


def _order_of(entry_id: bytes) -> tuple[int, int]:
    first, _, second = entry_id.partition(b"-")
    return int(first), int(second or 0)
