"""The bots as they are now: rows of the database joined with the workers' sealed heartbeats, refreshed every second or so.

The snapshot serves choosing and showing. It may be a moment old and it counts this process' own choices ahead of the database,
so nothing relies on it: the guarded UPDATE of the transaction decides whether a bot takes a trade (`balancer.fleet.reserve`).
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import redis
from sqlalchemy import Connection, Row, select, update

from balancer.db import pipeline, tables
from balancer.db.engine import Database
from balancer.fleet import choose
from balancer.fleet.bot import Bot, Group, bot_of, group_of_bot, in_maintenance
from balancer.fleet.health import OFFLINE
from balancer.fleet.heartbeats import Beats, is_sane
from balancer.fleet.reads import Lane, window
from balancer.journal import events
from balancer.journal.by import By
from shared import log, wire
from shared.clock import Clock, ServerClock
from shared.domain.health import May
from shared.domain.ids import BotName, bot_name, group_of
from shared.domain.status import BotMode
from shared.errors import NotFound
from shared.reports import Heartbeat
from shared.sealing import MasterKey, SealBroken
from shared.settings import Settings

logger = log.get(__name__)

RETRY_AFTER_S = 5.0


class Fleet:
    """The snapshot. `refresh` is called by a loop; everything else reads what it left."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        server_clock: ServerClock,
        master: MasterKey,
        client: redis.Redis,
        db: Database,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._server_clock = server_clock
        self._master = master
        self._sealed = Beats(client)
        self._db = db
        # In order of color and number; the lists below are made of it once per refresh, so that a request costs the same
        # whatever the size of the fleet.
        self._bots: dict[str, Bot] = {}
        self._online: list[Bot] = []
        self._able: Counter[May] = Counter()
        self._lanes: list[Lane] = []
        self._groups: list[tuple[Group, list[Lane]]] = []
        self._groups_known = 0
        self._groups_from = 0
        self._accounts: frozenset[str] = frozenset()
        self._maintenance = False
        self._beats: dict[str, Heartbeat] = {}
        self._texts: dict[str, str] = {}  # those heartbeats as they were read
        self._heard_s: float | None = None
        self._changes = 0  # rows that this process has changed or read anew beside `refresh`
        limits = settings.limits
        offers_max = limits.offers_per_bot_max - limits.offers_kept_for_withdrawals
        self.limits = choose.Limits(limits.bot_items_max, offers_max, limits.trade_items_max)
        self._rooms = choose.Rooms(self.limits)
        self._choosing = threading.Lock()

    async def refresh(self) -> None:
        """Read all heartbeats and all bot rows; a bot that is heard of for the first time gets a row. Repeatable.

        Only heartbeats that have changed are opened.
        """
        changes = self._changes
        rows = await self._db.read(all_bots)
        known = {bot_name(row) for row in rows}
        self._beats = await asyncio.to_thread(self._read_beats, known)
        self._heard_s = self._clock.monotonic()
        if new := [beat for name, beat in sorted(self._beats.items()) if name not in known]:
            rows = await self._db.run(_register, new, self._clock.now())
        await asyncio.to_thread(self._take_over, rows)
        while changes != self._changes:  # what was read before an operator's word is older than that
            changes = self._changes
            await asyncio.to_thread(self._take_over, await self._db.read(all_bots))

    @property
    def fresh(self) -> bool:
        """Whether the heartbeats were read so lately that a bot which is offline by them is."""
        lately_s = self._settings.group.offline_after_s
        return self._heard_s is not None and self._clock.monotonic() - self._heard_s < lately_s

    def run_of(self, bot: str) -> str | None:
        """The worker's run that this bot's last heartbeat came from."""
        beat = self._beats.get(bot)
        return beat.run if beat is not None else None

    def reads(self, bot: str, name: str) -> bool:
        """Whether this bot's worker says that it knows this field of an order."""
        beat = self._beats.get(bot)
        return beat is not None and name in beat.reads

    def beats(self) -> list[Heartbeat]:
        """The last heartbeat of every bot that has sent one, however old."""
        return list(self._beats.values())

    def bots(self) -> list[Bot]:
        """Every known bot, ordered by color and number."""
        return list(self._bots.values())

    @property
    def maintenance(self) -> bool:
        """Whether most groups of bots with a recent heartbeat report Steam's maintenance."""
        return self._maintenance

    def get(self, name: str) -> Bot | None:
        return self._bots.get(name)

    def is_bot(self, steam_id: int) -> bool:
        """Whether this Steam account is one of the bots' own."""
        return str(int(steam_id)) in self._accounts

    def online(self) -> list[Bot]:
        """Those that may look: their worker is signed in and was heard of lately, whatever else they may not do; ordered by
        color and number."""
        return list(self._online)

    @property
    def count(self) -> int:
        """How many bots are known."""
        return len(self._bots)

    def able(self, what: May) -> int:
        """How many bots may do this now."""
        return self._able[what]

    async def set_mode(self, color: str, bot_id: int, mode: str, who: str) -> Bot:
        """Set what the operator ``who`` wants of a bot (`BotMode`); setting it again changes nothing.

        Raises:
            NotFound: no such bot.
            ValueError: no such mode.
        """
        rows = await self._db.run(set_mode, color, bot_id, BotMode(mode), By(who, self._clock.now()))
        self._changes += 1
        self._take_over(rows)
        return self._bots[str(BotName(color, bot_id))]

    async def read_again(self, color: str, bot_id: int) -> Bot:
        """A bot as the database has it now, for the snapshot too.

        Raises:
            KeyError: no such bot.
        """
        rows = await self._db.read(all_bots)
        self._changes += 1
        self._take_over(rows)
        return self._bots[str(BotName(color, bot_id))]

    @property
    def lanes(self) -> Sequence[Lane]:
        """The addresses from which players' inventories can be read now, with their bots.

        What Steam has restricted reads only when nobody else is there: what it is refused may be because of itself.
        """
        return self._lanes

    @property
    def groups_known(self) -> int:
        """How many groups of bots there are, online or not; those that an operator has paused whole are not counted."""
        return self._groups_known

    def lanes_beside(self, bot: str) -> list[Lane]:
        """Some of the `lanes` of other groups than this bot's; other ones each time, as many whatever the size of the fleet.

        A group's keys lie on one host, and that is what counts: what a host calls itself, it may have made up.
        """
        name = BotName.parse(bot)
        own = (name.color, group_of(name.bot_id))
        self._groups_from += 1
        among = window(self._groups, self._groups_from)
        return [lane for group, lanes in among if group != own for lane in lanes]

    def choose(
        self, holdings: Mapping[str, int], n_items: int, color: str | None, barred: Collection[str] = ()
    ) -> list[choose.Part] | choose.Refusal:
        """`choose_deposit` over the snapshot; what it gives counts as taken. From any thread."""
        with self._choosing:
            parts = choose.choose_deposit(self._rooms, holdings, n_items, color, barred)
            if not isinstance(parts, choose.Refusal):
                for name, n in parts:
                    self._rooms.take(name, n)
            return parts

    def open_offers(self, name: str) -> int:
        """How many offers of this bot are open, those included that this process has just given away. From any thread."""
        with self._choosing:
            room, view = self._rooms.get(name), self._bots.get(name)
        return room.offers if room is not None else view.open_offers if view is not None else 0

    def correct(self, rows: list[Row[Any]]) -> None:
        """These rows of bots were just read from the database: believe them. From any thread."""
        with self._choosing:
            for row in rows:
                self._place(self._view(row))

    def _take_over(self, rows: list[Row[Any]]) -> None:
        views = [self._view(row) for row in rows]
        views.sort(key=lambda view: (view.color, view.bot_id))
        self._bots = {view.name: view for view in views}
        self._online = [view for view in views if May.LOOK in view.may]
        awake = [view for view in self._online if view.mode != BotMode.PAUSED]
        self._lanes = self._lanes_of([view for view in awake if view.restriction is None] or awake)
        self._groups = self._by_group(awake)
        self._groups_known = len({group_of_bot(view) for view in views if view.mode != BotMode.PAUSED})
        self._able = Counter(what for view in views for what in view.may)
        self._accounts = frozenset(view.steam_id for view in views)
        self._maintenance = in_maintenance([view for view in views if view.state != OFFLINE])
        with self._choosing:
            for name in self._rooms.names():
                if name not in self._bots:
                    self._rooms.drop(name)
            for view in views:
                self._place(view)

    def _lanes_of(self, readers: Sequence[Bot]) -> list[Lane]:
        """By the address that each bot's worker names. The slowest word for an address counts."""
        bots: dict[str, list[str]] = {}
        every_s: dict[str, float] = {}
        for view in readers:
            if (beat := self._beats.get(view.name)) is not None:
                address = beat.egress or beat.host
                bots.setdefault(address, []).append(view.name)
                every_s[address] = max(every_s.get(address, 0.0), beat.read_every_s)
        return [Lane(address, every_s[address], tuple(names)) for address, names in bots.items()]

    def _by_group(self, awake: Sequence[Bot]) -> list[tuple[Group, list[Lane]]]:
        groups: dict[Group, list[Bot]] = {}
        for view in awake:
            groups.setdefault(group_of_bot(view), []).append(view)
        return [
            (group, self._lanes_of([view for view in views if view.restriction is None] or views))
            for group, views in groups.items()
        ]

    def _place(self, view: Bot) -> None:
        if May.TAKE in view.may:
            self._rooms.put(choose.Room(view.name, view.color, view.used, view.open_offers))
        else:
            self._rooms.drop(view.name)

    def _read_beats(self, known: set[str]) -> dict[str, Heartbeat]:
        """Every heartbeat that its own bot sealed."""
        beats = {}
        before, self._texts = self._texts, self._sealed.read(known)
        for name, text in self._texts.items():
            if before.get(name) == text:  # opened when it came; left out again if it was refused then
                if name in self._beats:
                    beats[name] = self._beats[name]
                continue
            try:
                beat = wire.open_heartbeat(name, text, self._master.bot(name))
            except SealBroken:
                logger.warning("heartbeat refused", action="heartbeat", bot=name, reason="forged")
                continue
            if is_sane(beat):
                beats[name] = beat
            else:
                logger.warning("heartbeat refused", action="heartbeat", bot=name, reason="makes no sense")
        return beats

    def _view(self, row: Row[Any]) -> Bot:
        beat = self._beats.get(bot_name(row))
        settings = self._settings
        return bot_of(row, beat, self._server_clock.unmoved_ms(), settings.group.offline_after_s, settings.balancer.avatars_url)


def all_bots(connection: Connection) -> list[Row[Any]]:
    """The row of every bot."""
    return list(connection.execute(select(tables.bots)))


def _register(connection: Connection, beats: list[Heartbeat], now: datetime) -> list[Row[Any]]:
    """Rows for bots that have none yet, then all rows. Two balancers may do so at once."""
    rows = []
    for beat in beats:
        name = BotName.parse(beat.bot)
        rows.append(
            {"color": name.color, "bot_id": name.bot_id, "steam_id": int(beat.steam_id), "created_at": now, "touched": now}
        )
    connection.execute(pipeline.insert(connection, tables.bots).on_conflict_do_nothing(), rows)
    return all_bots(connection)


def set_mode(connection: Connection, color: str, bot_id: int, mode: BotMode, by: By) -> list[Row[Any]]:
    """Set what an operator wants of a bot, with the event that says so. Every balancer goes by it from its next refresh on.

    A second call changes nothing and tells nothing. Returns all rows of bots.

    Raises:
        NotFound: no such bot.
    """
    bots = tables.bots
    mine = (bots.c.color == color, bots.c.bot_id == bot_id)
    before = connection.scalar(select(bots.c.mode).where(*mine).with_for_update())
    if before is None:
        raise NotFound(f"there is no bot {color}-{bot_id}")
    if before != mode.value:
        connection.execute(update(bots).where(*mine).values(mode=mode.value, touched=by.now))
        event_data = {"from": before, "to": mode.value}
        events.append(connection, events.row("bot_mode", event_data, by, None, None, str(BotName(color, bot_id))))
    return all_bots(connection)
