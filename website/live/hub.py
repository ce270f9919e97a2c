"""One hub in each process that serves pages: it knows who watches what, and tells them what is new, in order and without a gap.

Hints over Redis only say where there is something new; what it is, is read from the rows. So there is one way in which a
message reaches a browser, with Redis or without, and a hint that is lost costs a moment and nothing else. Whoever watches is
never waited for: telling puts a text into a queue and goes on (W27). The loop never reads the database itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import redis
import redis.asyncio
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from website.live import tables
from website.live.doors import Doors
from website.live.window import KEPT, Told, Window

LOOK_S, LOOK_ALONE_S = 2.0, 0.5
"""How often the database is asked what is new: while hints are heard, and while they are not."""
UNWATCHED_S = 60.0
ROOM_PAUSE_S = 0.25
HINT_S, AGAIN_S = 5.0, 1.0
THREADS = 2

_log = logging.getLogger(__name__)
T = TypeVar("T")


class UnavailableError(Exception):
    """The database does not answer now."""


class Watcher(Protocol):
    """Who is told. None of it may wait."""

    def offer(self, texts: Sequence[str]) -> None: ...

    def begin_again(self, text: str) -> None:
        """What was told does not lead to what is there; `text` says so. It is not watched any more."""


@dataclass(frozen=True)
class Joined:
    """The number that a channel has come to, and what the watcher does not know of it; None: too much, load the page anew."""

    seq: int
    missing: tuple[str, ...] | None


class Channel:
    """What one channel has told, and who watches it. `known` is done when it has been read for the first time."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name = hub, name
        self.kind, _, self.key = name.partition(":")
        self.watchers: set[Watcher] = set()
        self.left_s = time.monotonic()
        self.there = False
        self._again = False
        self._task: asyncio.Task[None] | None = None

    def tell(self, texts: Sequence[str]) -> None:
        if texts:
            for watcher in tuple(self.watchers):
                watcher.offer(texts)

    def wake(self) -> asyncio.Task[None]:
        """There may be something new. Only one task of a channel reads at a time; what comes meanwhile makes it read again."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"live {self.name}")
        return self._task

    async def _run(self) -> None:
        while self._again:
            self._again = False
            await self.read()

    async def read(self) -> None:
        """Reads what is new and tells it. Raises UnavailableError."""
        raise NotImplementedError

    def join(self, after: int | None) -> Joined:
        raise NotImplementedError


class Numbered(Channel):
    """A lane, or the messages of one player."""

    window: Window
    _doubted = False

    async def read(self) -> None:
        if not self.there or self._doubted:
            await self._from_the_beginning()
        while self.there and (told := await self._after(self.window.seq)):
            if not self.window.add(told):
                await self._from_the_beginning(broken=True)
                return
            self.tell([each.text for each in told])
            if len(told) < KEPT:
                return

    async def _from_the_beginning(self, broken: bool = False) -> None:
        """Who watches begins again when what is there does not go on from what was told: a database came back from a backup."""
        if self.kind == "lane":
            found = await self.hub.ask(tables.lane, self.key, self.hub.names)
        else:
            found = await self.hub.ask(tables.mailbox, int(self.key))
        self._doubted = False
        window = None if found is None else Window(*found)
        if self.there and not broken and window is not None and window.seq >= self.window.seq:
            return
        if self.there:
            self._begin_again(0 if window is None else window.seq)
        self.there = window is not None
        self.window = window or Window()

    async def _after(self, seq: int) -> list[Told]:
        if self.kind == "lane":
            return await self.hub.ask(tables.lane_after, self.key, seq, self.hub.names)
        return await self.hub.ask(tables.mailbox_after, int(self.key), seq)

    def _begin_again(self, seq: int) -> None:
        _log.warning("%s: its messages do not follow what was told; whoever watches begins again", self.name)
        for watcher in tuple(self.watchers):
            watcher.begin_again(resync(self.name, seq))
        self.watchers.clear()

    def seen(self, seq: int) -> None:
        """How far the table had come a moment ago; somebody may have told more since, so less is only a doubt."""
        if self.there and seq != self.window.seq:
            self._doubted = seq < self.window.seq
            self.hub.background(_quietly(self.wake()))

    def join(self, after: int | None) -> Joined:
        missing = () if after is None else self.window.after(after)
        return Joined(self.window.seq, missing)


class RoomState(Channel):
    """What a room's card shows. Only the newest state counts."""

    text = ""
    lanes: Sequence[str] = ()

    async def read(self) -> None:
        found = await self.hub.ask(tables.room, self.key)
        if found is None:
            return
        first, self.there = not self.there, True
        text, self.lanes = found
        if text != self.text:
            self.text = text
            self.tell([text])
        if not first:
            await asyncio.sleep(ROOM_PAUSE_S)  # a room in which much happens is told a few times a second

    def join(self, after: int | None) -> Joined:
        return Joined(0, (self.text,))


def resync(channel: str, seq: int) -> str:
    return f'{{"ch":"{channel}","is":"resync","seq":{seq}}}'


@dataclass
class Hub:
    """Lives in one event loop, from the first who watches until the loop ends."""

    doors: Doors
    names: tables.Names = field(default_factory=tables.Names)
    channels: dict[str, Channel] = field(default_factory=dict)
    hears: bool = False
    _sessions: dict[int, set[Callable[[], None]]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "live"))
    _look_now: asyncio.Event = field(default_factory=asyncio.Event)

    # ---- for those who watch

    async def join(self, watcher: Watcher, name: str, after: int | None) -> Joined | None:
        """From now on the watcher is told, unless it has to begin again; None: no such channel. Raises UnavailableError.

        Between the answer and the first message nothing is missing and nothing comes twice: nobody else runs in between.
        """
        channel = self.channels.get(name)
        if channel is None:
            channel = self.channels[name] = (RoomState if name.startswith("room:") else Numbered)(self, name)
        channel.left_s = time.monotonic()
        if not channel.there:
            await asyncio.shield(channel.wake())
        elif isinstance(channel, Numbered) and after is not None and after > channel.window.seq:
            await asyncio.shield(channel.wake())  # the page knows more than has been heard here
        if not channel.there:
            if self.channels.get(name) is channel:
                del self.channels[name]
            return None
        joined = channel.join(after)
        if joined.missing is not None:
            channel.watchers.add(watcher)
        return joined

    def leave(self, watcher: Watcher, name: str) -> None:
        channel = self.channels.get(name)
        if channel is not None:
            channel.watchers.discard(watcher)
            channel.left_s = time.monotonic()

    @contextlib.contextmanager
    def told_of_end(self, session_id: int | None, tell: Callable[[], None]) -> Iterator[None]:
        """`tell` is called when the session is over while the block runs."""
        if session_id is None:
            yield
            return
        self._sessions.setdefault(session_id, set()).add(tell)
        try:
            yield
        finally:
            self._sessions[session_id].discard(tell)
            if not self._sessions[session_id]:
                del self._sessions[session_id]

    # ---- for the parts of the hub

    async def ask(self, work: Callable[..., T], *arguments: Any) -> T:
        """Reads in a thread. Raises UnavailableError; the next call has a new connection then."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, _reading, work, arguments)
        except DatabaseError as error:
            _log.warning("the database does not answer: %s", type(error).__name__)
            raise UnavailableError from error

    def background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, UnavailableError):
            _log.error("a part of the hub has failed", exc_info=error)

    # ---- what is new

    async def look_from_time_to_time(self) -> None:
        while True:
            self._look_now.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look_now.wait(), LOOK_S if self.hears else LOOK_ALONE_S)
            try:
                await self._look()
            except UnavailableError:
                continue
            except Exception:
                _log.exception("a look at the lanes has failed")
                await asyncio.sleep(LOOK_ALONE_S)  # whatever calls for looks must not fill the log

    async def _look(self) -> None:
        self._forget_unwatched()
        by_kind: dict[str, list[str]] = {"lane": [], "room": [], "user": []}
        for channel in self.channels.values():
            by_kind[channel.kind].append(channel.key)
        if not any(by_kind.values()) and not self._sessions:
            return
        users = [int(key) for key in by_kind["user"]]
        seen = await self.ask(tables.look, by_kind["lane"], by_kind["room"], users, list(self._sessions))
        self._compare(seen)

    def _compare(self, seen: tables.Look) -> None:
        for channel in tuple(self.channels.values()):
            if isinstance(channel, RoomState):
                self.background(_quietly(channel.wake()))
            elif isinstance(channel, Numbered):
                numbers: Any = seen.lanes if channel.kind == "lane" else seen.mailboxes
                channel.seen(numbers.get(channel.key if channel.kind == "lane" else int(channel.key), 0))
        for session_id in seen.over:
            for tell in tuple(self._sessions.get(session_id, ())):
                tell()

    def _forget_unwatched(self) -> None:
        old_s = time.monotonic() - UNWATCHED_S
        for name, channel in tuple(self.channels.items()):
            if not channel.watchers and channel.left_s < old_s:
                del self.channels[name]

    def hinted(self, name: str) -> None:
        """Something was told on a channel of Redis (without the prefix)."""
        channel = self.channels.get(name)
        if channel is not None:
            self.background(_quietly(channel.wake()))
        kind, _, key = name.partition(":")
        for other in tuple(self.channels.values()) if kind == "lane" else ():
            if isinstance(other, RoomState) and key in other.lanes:
                self.background(_quietly(other.wake()))

    async def hear(self) -> None:
        """Hints, for as long as the site has a Redis. When it is away the database is looked at more often (S12)."""
        while settings.SITE_REDIS_URL:
            try:
                await self._hear()
            except (redis.RedisError, OSError) as error:
                if self.hears:
                    _log.warning("no hints are heard: %s", type(error).__name__)
            self.hears = False
            self._look_now.set()
            await asyncio.sleep(AGAIN_S)

    async def _hear(self) -> None:
        prefix = settings.SITE_REDIS_PREFIX
        patience: dict[str, Any] = {"socket_timeout": HINT_S, "socket_connect_timeout": HINT_S, "health_check_interval": 5}
        client = redis.asyncio.Redis.from_url(settings.SITE_REDIS_URL, decode_responses=True, **patience)
        async with client, client.pubsub(ignore_subscribe_messages=True) as listening:
            await listening.psubscribe(f"{prefix}lane:*", f"{prefix}user:*")
            await listening.get_message(timeout=HINT_S)
            self.hears = True
            self._look_now.set()  # what was told before anybody listened
            while True:
                said = await listening.get_message(timeout=1.0)
                if said is not None:
                    self.hinted(str(said["channel"])[len(prefix) :])


async def _quietly(task: asyncio.Task[None]) -> None:
    with contextlib.suppress(UnavailableError):
        await asyncio.shield(task)


def _reading(work: Callable[..., T], arguments: Sequence[Any]) -> T:
    """A thread keeps its connection, as long as it works."""
    try:
        return work(*arguments)
    except DatabaseError:
        connections.close_all()
        raise


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()


def hub() -> Hub:
    """The hub of this loop; the first who asks starts it."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(loop)
    if found is None:
        found = _hubs[loop] = Hub(Doors(settings.SITE_SOCKETS_PER_USER, settings.SITE_SOCKETS_PER_ADDRESS))
        found.background(found.look_from_time_to_time())
        found.background(found.hear())
    return found
