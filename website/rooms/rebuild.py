"""All that readers see of a lane, worked out once more from its events: to compare, or to put back what was lost (W1, W7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import models as django_models
from django.db import transaction
from lottery import proofs, rounds
from lottery.effects import Effects
from lottery.events import Create, Event
from lottery.state import Round as State

from website.care import gate
from website.care.gate import Line
from website.care.models import PlayLog
from website.rooms import projections
from website.rooms.models import Lane, LaneEvent, LaneMessage, Round, RoundItem, RoundPlayer
from website.rooms.projections import Place


@dataclass
class Rows:
    """The rows of one lane."""

    rounds: list[Round] = field(default_factory=list)
    items: list[RoundItem] = field(default_factory=list)
    players: list[RoundPlayer] = field(default_factory=list)
    messages: list[LaneMessage] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def compute(lane: Lane) -> Rows:
    """From the events alone. Raises LotteryError or ValueError for a list that no engine could have written."""
    rows = Rows()
    for place, state in _states(lane, rows):
        rows.rounds.append(projections.round_row(place, state))
        rows.items += projections.item_rows(place, state)
        rows.players += projections.player_rows(place, state.players.values())
    return rows


def _states(lane: Lane, rows: Rows) -> Iterator[tuple[Place, State]]:
    """Each round with its last state; messages and lines are added on the way."""
    place: Place | None = None
    state: State | None = None
    brought: Effects = ()
    expected = 1
    for row in LaneEvent.objects.filter(lane=lane.name).order_by("round", "number"):
        event = projections.event_of(row)
        if isinstance(event, Create):
            if place is not None and state is not None:
                yield place, state
            place, expected = Place(lane.room, lane.name, row.round, projections.version_of(event.token)), 1
            state, brought = rounds.create(event, state), ()
        else:
            if state is None:
                raise ValueError(f"{lane.name}: its first event creates no round")
            brought = rounds.apply(state, event, proofs.check)
        if place is None or (row.round, row.number) != (place.number, expected):
            raise ValueError(f"{lane.name}: event {row.number} of round {row.round} does not follow")
        expected += 1
        _tell(rows, place, state, event, brought)
    if place is not None and state is not None:
        yield place, state


def _tell(rows: Rows, place: Place, state: State, event: Create | Event, brought: Effects) -> None:
    for said in projections.messages(state, event, brought):
        seq = len(rows.messages) + 1
        rows.messages.append(LaneMessage(lane=place.lane, seq=seq, at_ms=said.at_ms, kind=said.kind, body=said.body))
    rows.lines += projections.lines(place, state, event, brought)


def differences(lane: Lane) -> list[str]:
    """What readers see of a lane and its events do not say, in sentences. No engine adds to the lane meanwhile."""
    with transaction.atomic():
        return _differences(Lane.objects.select_for_update().get(name=lane.name))


def _differences(lane: Lane) -> list[str]:
    rows = compute(lane)
    found = []
    for kind, computed in _tables(rows):
        stored = {_key(row): _values(row) for row in kind._default_manager.filter(lane=lane.name)}
        wanted = {_key(row): _values(row) for row in computed}
        purged = set(wanted) - set(stored) if kind is LaneMessage else set()
        purged = {key for key in purged if key[0] <= lane.seq - settings.SITE_MESSAGES_MIN}  # nobody keeps those
        for key in sorted((stored.keys() | wanted.keys()) - purged, key=str):
            if stored.get(key) != wanted.get(key):
                found.append(f"{lane.name}: {kind.__name__} {key} is not what the events say")
    logged = set(PlayLog.objects.filter(ref__in=[line.ref for line in rows.lines]).values_list("ref", "cents", "time_ms"))
    missing = {(line.ref, line.cents, line.time_ms) for line in rows.lines} - logged
    found += [f"{lane.name}: a player's log lacks {ref}" for ref, _, _ in sorted(missing)]
    if lane.seq != len(rows.messages):
        found.append(f"{lane.name}: has {lane.seq} messages, the events make {len(rows.messages)}")
    return found


def restore(lane_name: str) -> None:
    """Throws what readers see of a lane away and writes it anew. Under the lane's lock, so engines wait."""
    with transaction.atomic():
        lane = Lane.objects.select_for_update().get(name=lane_name)
        rows = compute(lane)
        for kind, computed in _tables(rows):
            kind._default_manager.filter(lane=lane.name).delete()
            kind._default_manager.bulk_create(computed)
        gate.note(rows.lines)
        lane.seq = len(rows.messages)
        lane.save(update_fields=["seq"])


def _tables(rows: Rows) -> list[tuple[type[django_models.Model], list[Any]]]:
    return [(Round, rows.rounds), (RoundItem, rows.items), (RoundPlayer, rows.players), (LaneMessage, rows.messages)]


def _values(row: django_models.Model) -> dict[str, Any]:
    values = {each.name: getattr(row, each.name) for each in row._meta.concrete_fields if each.name != "id"}
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in values.items()}


def _key(row: Any) -> tuple[Any, ...]:
    """What a row of one lane is told apart by."""
    if isinstance(row, LaneMessage):
        return (row.seq,)
    if isinstance(row, RoundItem):
        return (row.round, row.place)
    return (row.round, row.user_id) if isinstance(row, RoundPlayer) else (row.round,)
