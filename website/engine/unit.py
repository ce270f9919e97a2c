"""One transaction over one lane: what has happened on it, what is added, and everything that follows in the same commit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from django.db.models import Q
from lottery import proofs, rounds
from lottery.effects import Effects
from lottery.events import Create, Event
from lottery.state import Round

from website.care import gate
from website.care.gate import Line
from website.engine.models import Alarm
from website.ledger import services as ledger
from website.ledger.services import Wanted
from website.live import hints, post
from website.live.post import Letter
from website.rooms import projections
from website.rooms.models import Lane, LaneEvent, LaneMessage
from website.rooms.projections import Message, Place


class GapError(Exception):
    """The events of a lane are not all there: nobody may go on with it."""


@dataclass
class Held:
    """The newest round of a lane as far as it was read: its place, its state, how many of its events are in it, their hash."""

    place: Place
    state: Round
    count: int
    digest: str = ""

    def saw(self, row: LaneEvent) -> None:
        """One more of its events is in the state."""
        text = f"{self.digest}/{row.lane}/{row.round}/{row.number}/{row.body}"
        self.count, self.digest = row.number, hashlib.sha256(text.encode()).hexdigest()


def catch_up(lane: Lane, held: Held | None) -> Held | None:
    """The lane's newest round, with every event that was committed since; None if it never had one.

    Under the lane's lock. Raises GapError when a number is missing.
    """
    newer = Q(round=lane.round) if held is None else Q(round=held.place.number, number__gt=held.count)
    if held is not None:
        newer |= Q(round__gt=held.place.number)
    for row in LaneEvent.objects.filter(newer, lane=lane.name).order_by("round", "number"):
        held = _with(lane, held, row)
    if (0 if held is None else held.place.number) != lane.round:
        raise GapError(f"{lane.name} is at round {lane.round}, its events are not")
    return held


def _with(lane: Lane, held: Held | None, row: LaneEvent) -> Held:
    event = projections.event_of(row)
    if isinstance(event, Create):
        if row.number != 1:
            raise GapError(f"{lane.name}: event {row.number} of round {row.round} creates it")
        place = Place(lane.room, lane.name, row.round, projections.version_of(event.token))
        made = Held(place, rounds.create(event, None if held is None else held.state), 0)
        made.saw(row)
        return made
    if held is None or (held.place.number, held.count + 1) != (row.round, row.number):
        raise GapError(f"{lane.name}: event {row.number} of round {row.round} does not follow")
    rounds.apply(held.state, event, proofs.check)
    held.saw(row)
    return held


@dataclass
class Unit:
    """What is added to a lane in one transaction. `now_ms` is the engine's clock; a round's own time never goes back.

    `came_from` is the hash of what was there before. `letters` are for single players, `coins` are entries of play coins.
    `told` is what is hinted at when all is committed.
    """

    lane: Lane
    held: Held | None
    now_ms: int
    events: list[LaneEvent] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    coins: list[Wanted] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    came_from: str = ""
    _items_from: int = 0
    _bets_from: int = 0
    _changed: bool = False

    def __post_init__(self) -> None:
        if self.held is not None:
            self.came_from = self.held.digest
            self._items_from, self._bets_from = len(self.state.entries), len(self.state.bets)

    @property
    def state(self) -> Round:
        assert self.held is not None
        return self.held.state

    @property
    def place(self) -> Place:
        assert self.held is not None
        return self.held.place

    def time(self) -> int:
        """The moment of the next event."""
        return self.now_ms if self.held is None else max(self.now_ms, self.state.now)

    def create(self, event: Create, version: int, secret: bytes) -> None:
        """The lane's next round. Raises Refused with nothing changed."""
        state = rounds.create(event, None if self.held is None else self.state, secret)
        self._save_round()
        place = Place(self.lane.room, self.lane.name, event.round, version)
        self.held = Held(place, state, 0)
        self._items_from = self._bets_from = 0
        self.lane.round = event.round
        self._added(event, ())

    def append(self, event: Event) -> Effects:
        """Adds an event to the round. Raises Refused with nothing changed."""
        brought = rounds.apply(self.state, event, proofs.check)
        self._added(event, brought)
        return brought

    def _added(self, event: Create | Event, brought: Effects) -> None:
        assert self.held is not None
        row = projections.event_row(self.place, self.held.count + 1, event)
        self.held.saw(row)
        self._changed = True
        self.events.append(row)
        self.messages += projections.messages(self.state, event, brought)
        self.lines += projections.lines(self.place, self.state, event, brought)

    def coins_of(self, owner: str) -> int:
        """What an account holds, with what this transaction is going to move."""
        return ledger.balance(owner) + sum(wanted.lines.get(owner, 0) for wanted in self.coins)

    def note_lines(self) -> None:
        """Writes what players' logs have got so far, so that the gate sees it for the next bet of the same transaction."""
        gate.note(self.lines)
        self.lines.clear()

    def save(self) -> None:
        """Everything, but the lane's own row. Accounts of coins are locked after profiles, mailboxes of players last.

        Raises LedgerError when somebody's coins have become too few meanwhile: all is done anew.
        """
        LaneEvent.objects.bulk_create(self.events)
        self._save_round()
        self.note_lines()
        ledger.post_all(self.coins, self.now_ms)
        rows = [
            LaneMessage(lane=self.lane.name, seq=seq, at_ms=said.at_ms, kind=said.kind, body=said.body)
            for seq, said in enumerate(self.messages, self.lane.seq + 1)
        ]
        LaneMessage.objects.bulk_create(rows)
        self.lane.seq += len(rows)
        self.told = [(hints.lane_channel(row.lane), hints.message(row.seq, row.at_ms, row.kind, row.body)) for row in rows]
        post.send(self.letters, self.now_ms)

    def _save_round(self) -> None:
        if self._changed:
            projections.save(self.place, self.state, self._items_from, self._bets_from)
        self._changed = False


def alarm(kind: str, about: str, text: str, now_ms: int) -> None:
    """Raises an alarm, unless the same one stands already."""
    Alarm.objects.bulk_create([Alarm(kind=kind, about=about, text=text, at_ms=now_ms)], ignore_conflicts=True)


def end_alarms(kind: str, about: str, now_ms: int) -> None:
    """What it was about is over."""
    Alarm.objects.filter(kind=kind, about=about, ended_ms=None).update(ended_ms=now_ms)
