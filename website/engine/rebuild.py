"""Rounds that a restored database lacks, rebuilt from the witness: the same events, by the same steps, to the same bytes (S20).

Nothing is decided here. Each event is taken from the witness and added as the engine would add it, so that calls, bets and what
readers see follow as they did; where that would give another event than the witness has, the lane stays as it is. No round is
voided, drawn or settled that was not: what the fleet has handed over stands in the rebuilt round, or the lane stays paused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from lottery import encoding, event_json, record
from lottery.effects import Sealed
from lottery.errors import LotteryError
from lottery.events import Bet as BetEvent
from lottery.events import Create, Event

from fleet_client.answers import Lock
from website.accounts.models import Player
from website.engine import calls, saga
from website.engine.chains import ChainKeyError, Chains
from website.engine.marks import Marks, behind
from website.engine.models import Alarm, Call, Chain, ChainPoint, Feed
from website.engine.recovery import HOUSE, NOTE, PAID
from website.engine.steps import Given, Steps
from website.engine.unit import GapError, Unit, catch_up, end_alarms
from website.engine.witness import Line, Told, TwoEndsError, following
from website.office.models import Staff
from website.raffles.instances import slot_of
from website.rooms import projections
from website.rooms.models import Bet, Guarantee, Kind, Lane, Piece, RoomVersion

WHY = "rebuilt from the witness"


class CannotError(Exception):
    """A lane cannot be rebuilt from what is here; the text says what is missing or contradicts."""


@dataclass(frozen=True)
class Fleet:
    """What the fleet says: the locks that it holds for us, the refs of all transfers, and the number of the newest event."""

    locks: Sequence[Lock]
    transfers: Sequence[str]
    newest_event: int = 0


@dataclass
class Rebuilt:
    """What became of one lane. `freed`: locks of bets that were never taken, which are to be freed."""

    lane: str
    events: int = 0
    round: int = 0
    freed: list[str] = field(default_factory=list)
    why_not: str = ""


@dataclass(frozen=True)
class Hands:
    """Who rebuilds, and with what."""

    chains: Chains
    marks: Marks
    people: tuple[Staff, Staff]
    now_ms: int


def everything(told: Told, fleet: Fleet, hands: Hands) -> list[Rebuilt]:
    """Each lane that lies behind, in a transaction of its own: whole, or left as it was with the reason.

    When no lane lies behind any more, those that were paused for it go on, each with a new chain from its next round on.
    """
    lanes = sorted(set(behind(hands.marks)) | {lane for lane in told.lines if lacks(told, lane)})
    found = [_one(lane, told, fleet, hands) for lane in lanes]
    with transaction.atomic(durable=True):
        _numbers_go_on()
        if not behind(hands.marks):
            go_on(hands.now_ms)
            # Of what the fleet did up to now no alarm tells any more: it was looked at as a whole.
            Feed.objects.update(known_to=fleet.newest_event)
    return found


def lacks(told: Told, lane: str) -> bool:
    """Whether the table ends before what was committed for certain."""
    at = Lane.objects.filter(name=lane).values_list("state", "seq").first()
    newest = max((line.seq for line in told.lines.get(lane, ()) if line.after in told.done), default=0)
    return newest > 0 if at is None else at[0] != Lane.RETIRED and at[1] < newest


def _one(name: str, told: Told, fleet: Fleet, hands: Hands) -> Rebuilt:
    result = Rebuilt(name)
    try:
        with transaction.atomic(durable=True):
            _Lane(name, told, fleet, hands, result).rebuild()
    except (CannotError, TwoEndsError, GapError, LotteryError, ChainKeyError, Chain.DoesNotExist) as error:
        return Rebuilt(name, why_not=str(error))
    return result


class _Replay(Steps):
    """The engine's steps, at the times of the witness, with the events of the witness."""

    def settle_as_before(self) -> None:
        """The fleet had moved everything when this was settled."""
        unit = self.unit
        moved = Call.objects.filter(kind=Call.TRANSFER, lane=unit.lane.name, round=unit.place.number)
        moved.update(state=Call.DONE, answer=json.dumps({"moved": 0, "released": [], "lost": [], "credits": []}))
        self._settle()

    def finalize(self) -> None:
        self._finalize()

    def void(self) -> None:
        self._void()

    def use(self, version: RoomVersion, number: int) -> None:
        self._use(version, number)


class _Lane:
    def __init__(self, name: str, told: Told, fleet: Fleet, hands: Hands, result: Rebuilt) -> None:
        self.name, self.told, self.fleet, self.hands, self.result = name, told, fleet, hands, result

    def rebuild(self) -> None:
        lines = self.told.lines.get(self.name, [])
        if slot_of(self.name) is not None:
            raise CannotError(f"{self.name} is a raffle's, and its coins stand in no witness")
        if not lines:
            raise CannotError(f"the witness has nothing of {self.name}")
        Lane.objects.get_or_create(
            name=self.name, defaults={"room": lines[-1].room, "state": Lane.PAUSED, "paused_why": "older"}
        )
        lane = Lane.objects.select_for_update().get(name=self.name)
        held = catch_up(lane, None)
        for line in following(self.told, self.name, "" if held is None else held.digest):
            unit = Unit(lane, held, line.at_ms)
            self._take(unit, line)
            unit.save()
            held = unit.held
            self.result.events += len(line.events)
            if lane.seq != line.seq:
                raise CannotError(f"{self.name} has {lane.seq} messages where the witness says {line.seq}")
        mark = self.hands.marks.of(self.name)
        if (lane.round, lane.seq) < mark:
            raise CannotError(
                f"the witness of {self.name} ends at round {lane.round}, message {lane.seq};"
                f" round {mark[0]}, message {mark[1]} was committed"
            )
        self.result.round = lane.round
        self._agree_with_the_fleet(Unit(lane, held, self.hands.now_ms))
        if lane.state == Lane.OPEN:
            lane.state, lane.paused_why = Lane.PAUSED, "older"
        lane.renew = True
        lane.save()
        self.hands.marks.note(self.name, (lane.round, lane.seq))
        end_alarms("older", self.name, self.hands.now_ms)

    # ---- one transaction of the witness

    def _take(self, unit: Unit, line: Line) -> None:
        self._know(line.more)
        steps = _Replay(unit, self.hands.chains, Given())
        for number, place, body in line.events:
            event = event_json.from_json(json.loads(body))
            unit.now_ms = event.now
            self._add(steps, number, event, line.more)
            row = unit.events[-1]
            if (row.round, row.number, row.body) != (number, place, body):
                raise CannotError(f"{self.name}: event {place} of round {number} would be another one than the witness has")

    def _add(self, steps: _Replay, number: int, event: Create | Event, more: Mapping[str, Any]) -> None:
        unit = steps.unit
        if isinstance(event, Create):
            self._create(steps, number, event, more)
        elif isinstance(event, BetEvent):
            self._bet(unit, event, more)
        else:
            name = event_json.to_json(event)["event"]
            by_steps: Mapping[str, Callable[[], None]] = {"finalize": steps.finalize, "settled": steps.settle_as_before}
            if name in ("buy", "fail"):
                raise CannotError(f"{self.name}/{number} has a {name}, whose coins and orders stand in no witness")
            if name in by_steps:
                by_steps[name]()
            elif name == "open" and unit.state.phase.value == "void":
                steps.void()
            else:
                brought = unit.append(event)
                assert not any(isinstance(effect, Sealed) for effect in brought)

    def _create(self, steps: _Replay, number: int, event: Create, more: Mapping[str, Any]) -> None:
        unit, version_number = steps.unit, projections.version_of(event.token)
        for told in more.get("guarantees", ()):
            if told["round"] == number:
                self._guarantee(unit, told)
        for told in more.get("stock", ()):
            if told["round"] == number:
                self._bound(told["ref"], "house", told["rows"], number, event.now)
        version, _ = RoomVersion.objects.get_or_create(
            room=unit.lane.room,
            version=version_number,
            defaults={
                "rules": encoding.canonical_json(event.rules.rules).decode(),
                "rules_hash": event.rules.rules_hash,
                "state": RoomVersion.APPROVED,
                "drafted_by": self.hands.people[0],
                "approved_by": self.hands.people[1],
                "why": WHY,
                "made_ms": event.now,
            },
        )
        if bytes(version.rules_hash) != event.rules.rules_hash:
            raise CannotError(f"version {version_number} of {unit.lane.room} has other rules here than in {self.name}/{number}")
        unit.create(event, version_number, self.hands.chains.secret(self.name, number))
        steps.use(version, number)

    def _bet(self, unit: Unit, event: BetEvent, more: Mapping[str, Any]) -> None:
        told = next((each for each in more.get("bets", ()) if each["bet"] == event.token), None)
        if told is None:
            raise CannotError(f"{self.name}: the witness does not say whose bet {event.token} is")
        player = self._player(told)
        receipt, *_ = unit.append(event)
        unit.note_lines()
        rows = [
            {
                "deposit_id": deposit_id,
                "item_id": row.item_id,
                "market_hash_name": row.name,
                "icon_url": "",
                "value_cents": row.price,
                "settled": row.settled,
            }
            for deposit_id, row in zip(told["deposits"], event.rows, strict=True)
        ]
        self._bound(event.token, player.user_id, rows, unit.place.number, event.now)
        Bet.objects.update_or_create(
            bet_id=event.token,
            defaults={
                "lane": self.name,
                "round": unit.place.number,
                "player": player,
                "token": told["token"],
                "deposit_ids": json.dumps(told["deposits"]),
                "team": event.team,
                "client_seed": event.client_seed,
                "seen_cents": told["seen_cents"],
                "state": Bet.PLACED,
                "code": "",
                "receipt": encoding.canonical_json(record.receipt(unit.state, receipt)).decode(),  # type: ignore[arg-type]
                "created_ms": told["created_ms"],
                "touched_ms": event.now,
            },
        )

    def _guarantee(self, unit: Unit, told: Mapping[str, Any]) -> None:
        """The one that was set aside for it, or one that is made for it: what the house gave, by those who rebuild."""
        ids = json.dumps(told["deposits"])
        mine = Guarantee.objects.filter(ref=told["ref"])
        free = Guarantee.objects.filter(room=unit.lane.room, deposit_ids=ids, state__in=(Guarantee.WAITING, Guarantee.ASKED))
        row = mine.first() or free.order_by("id").first()
        row = row or Guarantee(
            room=unit.lane.room, deposit_ids=ids, set_aside_by=self.hands.people[0], why=WHY, made_ms=unit.now_ms
        )
        row.state, row.lane, row.round, row.ref, row.code = Guarantee.BOUND, self.name, told["round"], told["ref"], ""
        row.save()
        rows = [{"deposit_id": each} for each in told["deposits"]]
        self._bound(told["ref"], "house", rows, told["round"], unit.now_ms)

    def _bound(self, ref: str, user_id: str, rows: Sequence[Mapping[str, Any]], number: int, now_ms: int) -> None:
        """A lock that the fleet has done, as if its answer were here. What it held may be over by now."""
        ids = [row["deposit_id"] for row in rows]
        body = {"user_id": user_id, "deposit_ids": ids, "unsettled": False, "note": f"{self.name}/{number}"}
        done = {"state": Call.DONE, "answer": json.dumps({"state": "held", "rows": list(rows)}), "code": ""}
        told = {"body": json.dumps(body), "lane": self.name, "round": number, "made_ms": now_ms}
        Call.objects.update_or_create(kind=Call.LOCK, ref=ref, defaults=done, create_defaults={**told, **done})

    # ---- numbers

    def _know(self, more: Mapping[str, Any]) -> None:
        for number, deposit_id, kind_no, item_id, name, icon_url in more.get("pieces", ()):
            self._kind(kind_no, item_id, name, icon_url)
            known = Piece.objects.filter(id=number).first()
            other = Piece.objects.filter(deposit_id=deposit_id).exclude(id=number).first()
            if other is not None or (known is not None and known.deposit_id != deposit_id):
                raise CannotError(
                    f"{deposit_id} has number {number} in records, and here that is another item or it has another"
                )
            if known is None:
                Piece.objects.create(id=number, deposit_id=deposit_id, kind_id=kind_no)
        for told in more.get("chains", ()):
            self._chain(told)

    def _kind(self, number: int, item_id: str, name: str, icon_url: str) -> None:
        known = Kind.objects.filter(id=number).first()
        if known is not None and known.market_hash_name == name:
            return
        if known is not None or Kind.objects.filter(item_id=item_id).exists():
            raise CannotError(f"{name} has number {number} in records, and here that is another kind or it has another")
        Kind.objects.create(id=number, item_id=item_id, market_hash_name=name, icon_url=icon_url)

    def _chain(self, told: Mapping[str, Any]) -> None:
        if Chain.objects.filter(lane=self.name, first_round=told["first_round"]).exists():
            return
        row = Chain.objects.create(
            lane=self.name,
            first_round=told["first_round"],
            length=told["length"],
            anchor=bytes.fromhex(told["anchor"]),
            last_sealed=bytes.fromhex(told["last_sealed"]),
            made_ms=told["made_ms"],
        )
        ChainPoint.objects.bulk_create(
            ChainPoint(chain=row, place=place, sealed=bytes.fromhex(sealed)) for place, sealed in told["points"]
        )

    def _player(self, told: Mapping[str, Any]) -> Player:
        """Who bet. Somebody who came after the backup is here again under the same number: the fleet knows them by it."""
        known = Player.objects.filter(id=told["user"]).first()
        other = Player.objects.filter(steam_id=told["steam_id"]).exclude(id=told["user"]).first()
        if other is not None or (known is not None and known.steam_id != told["steam_id"]):
            raise CannotError(f"player {told['user']} is another person here: somebody has signed in since the restore")
        return known or Player.objects.create(
            id=told["user"], steam_id=told["steam_id"], name=told["name"], registered_ms=told["registered_ms"]
        )

    # ---- the fleet's word

    def _agree_with_the_fleet(self, unit: Unit) -> None:
        """Every transfer that the fleet has done is one of ours now; what it holds is in play, for the next round, or goes."""
        number = unit.lane.round
        for ref in self.fleet.transfers:
            paid = PAID.fullmatch(ref)
            known = Call.objects.filter(kind=Call.TRANSFER, ref=ref)
            if paid and paid["lane"] == self.name and not known.exists():
                raise CannotError(f"the fleet has handed {ref} over, and the witness ends before it was decided")
        for lock in self.fleet.locks:
            named = NOTE.fullmatch(lock.note) if lock.ref.startswith("bet_") else HOUSE.fullmatch(lock.ref)
            if not named or named["lane"] != self.name or Call.objects.filter(kind=Call.LOCK, ref=lock.ref).exists():
                continue
            if int(named["round"]) > number + 1:
                raise CannotError(f"the fleet holds {lock.ref} for round {named['round']}, and the witness ends at {number}")
            self._left(unit, lock, int(named["round"]))

    def _left(self, unit: Unit, lock: Lock, number: int) -> None:
        """Asked for, and in no round. A bet was never said to be placed: it is freed. The house's is for the next round."""
        rows = [calls.row_of_lock(row) for row in lock.rows]
        waiting = Guarantee.objects.filter(
            room=unit.lane.room, state=Guarantee.WAITING, deposit_ids=json.dumps([row["deposit_id"] for row in rows])
        )
        if number > unit.lane.round and lock.ref.startswith("stk_"):
            self._bound(lock.ref, "house", rows, number, unit.now_ms)
            calls.know(rows)
        elif number > unit.lane.round and lock.ref.startswith("gua_") and waiting.exists():
            self._bound(lock.ref, "house", rows, number, unit.now_ms)
            calls.know(rows)
            chosen = waiting.order_by("id").first()
            Guarantee.objects.filter(id=chosen.id).update(  # type: ignore[union-attr]
                state=Guarantee.ASKED, lane=self.name, round=number, ref=lock.ref
            )
        else:
            saga.unlock(lock.ref, self.name, number, unit.now_ms)
            self.result.freed.append(lock.ref)


def _numbers_go_on() -> None:
    """New players, items and kinds get numbers behind those that came from the witness."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [Player, Piece, Kind]):
            cursor.execute(statement)


def go_on(now_ms: int) -> None:
    """Lanes that were paused because one lay behind are open."""
    Lane.objects.filter(state=Lane.PAUSED, paused_why="older").update(state=Lane.OPEN, paused_why="", next_at_ms=0)
    for alarm in Alarm.objects.filter(kind="unknown_ref", ended_ms=None):
        if Call.objects.filter(ref=alarm.about).exists():
            end_alarms("unknown_ref", alarm.about, now_ms)
