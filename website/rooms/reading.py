"""What pages say of rooms and rounds, read from the rows that follow from events: a fixed number of questions for each page.

A round is read at one `seq` of its lane: when a message was written meanwhile, it is read again. So what is shown, and the
messages after that number, are together what a page made later shows (W20).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeVar

from django.db.models import Q, QuerySet
from lottery import rooms as rules_of_rooms
from lottery.events import Create
from lottery.rooms import Room

from website.engine.models import Alarm, Call
from website.rooms import projections, ruler, words
from website.rooms.models import Kind, Lane, LaneEvent, LaneMessage, Piece, RoomVersion, Round, RoundItem, RoundPlayer
from website.rooms.people import people
from website.rooms.ruler import Held
from website.rooms.shown import Card, Given, Number, Past, Seat, Thing, View

T = TypeVar("T")
LOOKS = 8
TRIES = 4
ITEMS_SHOWN = 100
ITEMS_ON_RULER = 1_000
STRIPES = 240
"""A pot of more items than are drawn one by one is drawn by so many of them, each where it lies."""
LAST_ROUNDS = 10
ON_THE_WAY = ("typing", "closed", "opened", "drawn", "finalized", "void")
HEAVY = ("record", "outcome")
CALLS_PATIENT = 4
"""A call that was sent so often has met a fleet that does not answer."""


# ---- small questions


@lru_cache(maxsize=512)
def _created(commitment: bytes, body: str) -> Create:
    row = LaneEvent(body=body)
    event = projections.event_of(row)
    assert isinstance(event, Create)
    return event


def created(row: Round) -> Create:
    """What the house promised before the first bet of a round. It never changes."""
    body = LaneEvent.objects.values_list("body", flat=True).get(lane=row.lane, round=row.round, number=1)
    return _created(bytes(row.hash), body)


def kinds(item_nos: Iterable[int]) -> dict[int, Kind]:
    """Names and pictures of kinds of items, by their numbers in records."""
    return Kind.objects.in_bulk(set(item_nos))


def consistent(lane: str, read: Callable[[Lane], T]) -> T:
    """What was read while nothing was written to the lane. Raises Lane.DoesNotExist."""
    for _ in range(TRIES):
        row = Lane.objects.get(name=lane)
        found = read(row)
        if Lane.objects.values_list("seq", flat=True).get(name=lane) == row.seq:
            break
    return found


def versions() -> dict[str, RoomVersion]:
    """The rules by which each room plays now, or will with its first round."""
    usable = RoomVersion.objects.filter(state__in=(RoomVersion.APPROVED, RoomVersion.IN_USE)).order_by("version")
    found: dict[str, RoomVersion] = {}
    for row in usable:
        if row.room not in found or row.state == RoomVersion.IN_USE:
            found[row.room] = row
    return found


@lru_cache(maxsize=128)
def _parsed(text: str) -> Room:
    return rules_of_rooms.parse(json.loads(text))


def rules_of(row: RoomVersion) -> Room:
    return _parsed(row.rules)


def following(room: str, version: int) -> RoomVersion | None:
    """Rules that are approved and come after these."""
    return RoomVersion.objects.filter(room=room, version__gt=version, state=RoomVersion.APPROVED).order_by("-version").first()


def changes(now: Room, then: Room) -> list[tuple[str, Any, Any]]:
    """Parameters that will be others: name, then, now."""
    return [(name, value, now.rules[name]) for name, value in then.rules.items() if value != now.rules[name]]


# ---- the lobby


def cards() -> list[Card]:
    """One for each room that plays, in the order of the seed."""
    rules = {room: rules_of(version) for room, version in versions().items()}
    lanes = list(Lane.objects.filter(room__in=rules).exclude(state=Lane.RETIRED).order_by("name"))
    rows: dict[str, list[Round]] = {}
    for row in newest(lanes):
        rows.setdefault(row.room, []).append(row)
    names = sorted(rules, key=words.place)
    return [_card(name, rules[name], rows.get(name, []), [lane for lane in lanes if lane.room == name]) for name in names]


def newest(lanes: Sequence[Lane]) -> QuerySet[Round]:
    """The newest round of each lane."""
    at = Q(pk__in=[])
    for lane in lanes:
        at |= Q(lane=lane.name, round=lane.round)
    return Round.objects.filter(at).defer(*HEAVY)


def _card(room: str, rules: Room, rows: Sequence[Round], lanes: Sequence[Lane]) -> Card:
    row = best(rows)
    paused = next((lane.paused_why or lane.state for lane in lanes if lane.state == Lane.PAUSED), "")
    if lanes and not all(lane.state == Lane.PAUSED for lane in lanes):
        paused = ""
    said = "" if row is None else words.phase(rules.mode, row.phase, row.players, rules.player_limit, row.sealed_ms is not None)
    return Card(room, rules.mode, row, rules, said, paused)


PREFERENCE = {"game": 0, "typing": 1, "closed": 2, "opened": 2, "drawn": 2, "finalized": 3, "warmup": 4}


def best(rows: Iterable[Round]) -> Round | None:
    """Of the newest rounds of a room's lanes the one to be shown: that which takes bets, else that which is being drawn."""
    return min(rows, key=lambda row: (PREFERENCE.get(row.phase, 5), -(row.closed_ms or 0), row.lane), default=None)


def last_rounds(room: str = "", count: int = LAST_ROUNDS) -> list[Past]:
    """The last sealed rounds that had a winner, the newest first; of one room, or of all in which items are staked."""
    found = Round.objects.filter(phase="sealed", sealed_ms__isnull=False).exclude(winners="[]").order_by("-sealed_ms")
    of_rooms = found.filter(room=room) if room else found.exclude(room__startswith="raffle-")
    rows = list(of_rooms.defer(*HEAVY)[:count])
    first = [json.loads(row.winners) for row in rows]
    names = people(winners[0][0] for winners in first)
    at = Q(pk__in=[])
    for row, winners in zip(rows, first, strict=True):
        at |= Q(lane=row.lane, round=row.round, user_id=winners[0][0])
    held = {(each.lane, each.round): each.tickets for each in RoundPlayer.objects.filter(at)} if rows else {}
    return [_past(row, winners, names, held.get((row.lane, row.round))) for row, winners in zip(rows, first, strict=True)]


def _past(row: Round, winners: list[list[Any]], names: Mapping[int, str], tickets: int | None) -> Past:
    chance = Fraction(tickets, row.tickets) if tickets and row.tickets else None
    return Past(row, names.get(winners[0][0], f"{winners[0][0]}"), len(winners) - 1, chance)


# ---- one round


def open_round(room: str) -> Round | None:
    """The round of a room to be shown, None before its first."""
    return best(newest(list(Lane.objects.filter(room=room).exclude(state=Lane.RETIRED))))


def others_on_the_way(room: str, but: Round) -> list[Round]:
    """Rounds of a room's other lanes that are being drawn or paid out."""
    lanes = list(Lane.objects.filter(room=room).exclude(name=but.lane))
    return [row for row in newest(lanes) if row.phase in ON_THE_WAY and row.sealed_ms is None]


def view(lane: str, number: int, you: int | None, before: int | None = None) -> View:
    """A round as `you` see it. `before`: older items, from this place of the pot down.

    Raises Round.DoesNotExist, Lane.DoesNotExist.
    """
    return consistent(lane, lambda row: _view(row, number, you, before))


def _view(lane: Lane, number: int, you: int | None, before: int | None) -> View:
    row = Round.objects.defer("record").get(lane=lane.name, round=number)
    players = list(RoundPlayer.objects.filter(lane=lane.name, round=number).order_by("id"))
    names = people(each.user_id for each in players)
    seats = [_seat(place, each, names, row.tickets, you) for place, each in enumerate(players)]
    items, held = _items(row, you, before)
    found = View(lane, row, created(row), seats, _things(items, seats), ruler.stretches(held, row.tickets or 1), you=you)
    found.trouble = _trouble(lane, row)
    if row.phase not in ("warmup", "game"):
        _after_bets(found)
    return found


def _seat(place: int, row: RoundPlayer, names: Mapping[int, str], tickets: int, you: int | None) -> Seat:
    look = 0 if row.user_id == you else place % LOOKS + 1
    chance = Fraction(row.tickets, tickets) if tickets else Fraction(0)
    name = names.get(row.user_id, str(row.user_id))
    return Seat(row.user_id, name, look, row.team, row.items, row.value_cents, row.tickets, chance)


def _items(row: Round, you: int | None, before: int | None) -> tuple[list[RoundItem], list[Held]]:
    """Items to be listed, the newest first, and those to be drawn on the ruler."""
    of_round = RoundItem.objects.filter(lane=row.lane, round=row.round)
    if row.items <= ITEMS_ON_RULER:
        every = list(of_round.order_by("place"))
        listed = [each for each in reversed(every) if before is None or each.place < before][:ITEMS_SHOWN]
        return listed, [Held(each.user_id, each.first, each.tickets) for each in every]
    older = of_round if before is None else of_round.filter(place__lt=before)
    stripes = Q(place__in=[1 + row.items * each // STRIPES for each in range(STRIPES)])
    if you is not None:
        stripes |= Q(user_id=you)
    drawn = of_round.filter(stripes).order_by("place")[:ITEMS_ON_RULER]
    return list(older.order_by("-place")[:ITEMS_SHOWN]), [Held(each.user_id, each.first, each.tickets) for each in drawn]


def _things(items: Sequence[RoundItem], seats: Sequence[Seat]) -> list[Thing]:
    # What is bought in a raffle are tickets of a template, whose number is that of some kind of item too.
    bought = bool(items) and items[0].lane.startswith("raffle-")
    named, by_id = {} if bought else kinds(each.item_no for each in items), {seat.user_id: seat for seat in seats}
    return [_thing(each, named.get(each.item_no), by_id.get(each.user_id)) for each in items]


def _thing(row: RoundItem, kind: Kind | None, seat: Seat | None) -> Thing:
    last = row.first + row.tickets - 1 if row.tickets else None
    name, icon_url, color = _looks(kind)
    return Thing(name, icon_url, color, row.price_cents, row.place, row.first, last, seat)


def _looks(kind: Kind | None) -> tuple[str, str, str]:
    return ("?", "", "") if kind is None else (kind.market_hash_name, kind.icon_url, kind.color)


def _after_bets(found: View) -> None:
    """What is public once bets have ended."""
    row = found.row
    wanted = LaneEvent.objects.filter(lane=row.lane, round=row.round, kind__in=("open", "entropy", "manual"))
    events = list(wanted.order_by("number"))
    found.opened = {event.kind: json.loads(event.body) for event in events if event.kind != "manual"}
    found.numbers = [_number(place, event) for place, event in enumerate((e for e in events if e.kind == "manual"), 1)]
    found.close = _close(row)


def _number(place: int, event: LaneEvent) -> Number:
    body = json.loads(event.body)
    return Number(place, body["digits"], (body["operator1"], body["operator2"]), body["evidence"], event.at_ms)


def _close(row: Round) -> Mapping[str, Any]:
    """The close record: of the record once there is one, else as it was told."""
    if row.sealed_ms is not None:
        return _close_of(bytes(Round.objects.values_list("record", flat=True).get(id=row.id)).decode())
    told = LaneMessage.objects.filter(lane=row.lane, kind="closed").order_by("-seq").values_list("body", flat=True).first()
    body = {} if told is None else json.loads(told)
    return body.get("close", {}) if body.get("round") == row.round else {}


def _close_of(record: str) -> Mapping[str, Any]:
    """Canonical JSON has its keys in order, so it stands before all that players wrote; nothing else is read."""
    mark = '"close":'
    found: Mapping[str, Any] = json.JSONDecoder().raw_decode(record, record.index(mark) + len(mark))[0]
    return found


def _trouble(lane: Lane, row: Round) -> str:
    """What a round waits for that should not take so long; empty: nothing."""
    if row.sealed_ms is not None:
        return ""
    if lane.state != Lane.OPEN:
        return lane.paused_why or lane.state
    if (
        row.phase == "opened"
        and Alarm.objects.filter(kind="beacon_late", about=f"{row.lane}:{row.round}", ended_ms=None).exists()
    ):
        return "beacon_late"
    if row.phase == "finalized":
        calls = Call.objects.filter(kind=Call.TRANSFER, lane=row.lane, round=row.round, state=Call.DUE)
        return "fleet_away" if calls.filter(tries__gte=CALLS_PATIENT).exists() else ""
    return ""


def given(found: View) -> list[Given]:
    """What everybody got: of the outcome, with the names of all that was handed over."""
    payouts = found.outcome.get("payouts", [])
    if not payouts:
        return []
    named = _handed_over(found, payouts)
    tickets = dict(found.winners)
    return [
        Given(
            by_seat,
            tickets.get(each["user_id"]),
            each["claim"],
            [named[number] for part in ("rows", "change", "guarantees") for number in each[part] if number in named],
            each["credit"],
            len(each["guarantees"]),
        )
        for each in payouts
        if (by_seat := found.by_id.get(each["user_id"])) is not None
    ]


def _handed_over(found: View, payouts: Sequence[Mapping[str, Any]]) -> dict[int, Thing]:
    row, created_by = found.row, found.created
    rows = RoundItem.objects.filter(lane=row.lane, round=row.round).order_by("place")[:ITEMS_ON_RULER]
    items = {each.number: (each.item_no, each.price_cents) for each in rows}
    items |= {piece.deposit_id: (piece.item_id, piece.price) for piece in (*created_by.guarantees, *created_by.stock)}
    named = kinds(item_no for item_no, _ in items.values())
    return {number: Thing(*_looks(named.get(item_no)), cents) for number, (item_no, cents) in items.items()}


def prizes(found: View) -> list[Thing]:
    """What the house has put in beside the pot."""
    named = kinds(piece.item_id for piece in found.created.guarantees)
    return [Thing(*_looks(named.get(piece.item_id)), piece.price) for piece in found.created.guarantees]


def deposit_ids(numbers: Iterable[int]) -> dict[int, str]:
    """The fleet's names of pieces."""
    return dict(Piece.objects.filter(id__in=set(numbers)).values_list("id", "deposit_id"))


def neighbours(row: Round) -> tuple[int | None, int | None]:
    """The rounds of the same lane before and after."""
    there = Round.objects.filter(lane=row.lane, round__in=(row.round - 1, row.round + 1)).values_list("round", flat=True)
    found = set(there)
    before, after = row.round - 1, row.round + 1
    return (before if before in found else None, after if after in found else None)
