"""Bets from the click to the pot, or back: what is decided about them in their lane's transaction.

new → locking: the round could take it, and the fleet is asked to bind its items. locked → placed: the round has taken it, at
the prices that were bound. Everything else goes by way of unlocking, which ends when the fleet has said that nothing is bound.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from lottery import bets as rules_of_bets
from lottery import encoding, game, record
from lottery.errors import Refused
from lottery.events import Bet as BetEvent
from lottery.events import Row
from lottery.state import Phase

from website.accounts import referrals
from website.care.gate import Gate
from website.engine.models import Call
from website.engine.unit import Unit
from website.live import post
from website.live.post import Letter
from website.rooms.models import Bet, Kind, Piece


class TurnedAwayError(Exception):
    """A bet is not taken: `code` says why, `details` what would be."""

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.code, self.details = code, details


def work(unit: Unit, closed_because: str | None) -> int | None:
    """Takes every open bet of the lane a step further; when the next one that waits for the fleet is given up.

    `closed_because`: why no new bet is taken at the moment, if none is. What all of them need is read at once, and what becomes
    of them is written at once: the number of statements does not grow with the bets.
    """
    rows = list(Bet.objects.filter(lane=unit.lane.name, state__in=Bet.OPEN).order_by("id").select_related("player"))
    if not rows:
        return None
    # All profiles at once, or two lanes with the same two players could wait for each other (W6).
    plays = unit.held is not None and unit.state.phase is Phase.GAME
    gate = Gate({row.player_id for row in rows} if plays else (), at_once=False)
    desk = _Desk(unit, gate, closed_because, _Locked.of([row.bet_id for row in rows if row.state == Bet.LOCKED]))
    for row in sorted(rows, key=lambda row: row.state != Bet.LOCKED):
        desk.take(row)
    desk.write()
    return min((row.give_up_ms for row in rows if row.state == Bet.LOCKING), default=None)


@dataclass(frozen=True)
class _Locked:
    """What the fleet has bound for some bets, by bet, and the numbers of items and kinds in records."""

    answers: Mapping[str, Sequence[Mapping[str, Any]]]
    numbers: Mapping[str, int]
    kinds: Mapping[str, int]

    @classmethod
    def of(cls, refs: Collection[str]) -> _Locked:
        if not refs:
            return cls({}, {}, {})
        calls = Call.objects.filter(kind=Call.LOCK, ref__in=refs).values_list("ref", "answer")
        answers = {ref: json.loads(answer)["rows"] for ref, answer in calls}
        rows = [each for bound in answers.values() for each in bound]
        pieces = Piece.objects.filter(deposit_id__in=[each["deposit_id"] for each in rows])
        kinds = Kind.objects.filter(item_id__in={each["item_id"] for each in rows})
        return cls(answers, dict(pieces.values_list("deposit_id", "id")), dict(kinds.values_list("item_id", "id")))

    def rows(self, row: Bet) -> tuple[Row, ...]:
        """The items of a lock's answer as the core takes them, in the order in which the player named them."""
        bound = {each["deposit_id"]: each for each in self.answers[row.bet_id]}
        return tuple(
            Row(
                self.numbers[deposit_id],
                self.kinds[bound[deposit_id]["item_id"]],
                row.player_id,
                bound[deposit_id]["value_cents"],
                settled=bound[deposit_id]["settled"],
                name=bound[deposit_id]["market_hash_name"],
            )
            for deposit_id in json.loads(row.deposit_ids)
        )


class _Desk:
    def __init__(self, unit: Unit, gate: Gate, closed_because: str | None, bound: _Locked) -> None:
        self.unit, self.gate, self.closed_because, self.bound = unit, gate, closed_because, bound
        self._asked: list[Bet] = []
        self._placed: list[Bet] = []
        self._calls: list[Call] = []

    def write(self) -> None:
        """What `take` has decided, but for bets that were turned away, which are written at once."""
        self.gate.write()
        Bet.objects.bulk_update(self._asked, ["state", "give_up_ms"])
        Bet.objects.bulk_update(self._placed, ["state", "receipt", "touched_ms"])
        Call.objects.bulk_create(self._calls)

    def take(self, row: Bet) -> None:
        try:
            {Bet.NEW: self._ask, Bet.LOCKING: self._wait, Bet.LOCKED: self._place}[row.state](row)
        except TurnedAwayError as no:
            self._turn_away(row, no.code, no.details)
        except Refused as no:
            self._turn_away(row, no.code, dict(no.accepts))

    # ---- new

    def _ask(self, row: Bet) -> None:
        """Nothing is bound that would be refused anyway: that costs no call."""
        self._check_open(row)
        if row.player.blocked_why:
            raise TurnedAwayError("blocked")
        ids = json.loads(row.deposit_ids)
        self._dry_run(row, len(ids))
        self._ask_gate(row, row.seen_cents)
        end = game.end(self.unit.state)
        row.state, row.give_up_ms = Bet.LOCKING, self.unit.time() + settings.SITE_BET_GIVE_UP_MS
        if end is not None:
            row.give_up_ms = min(row.give_up_ms, end[0])
        self._asked.append(row)
        body = {
            "user_id": row.player.user_id,
            "deposit_ids": ids,
            "unsettled": self.unit.state.rules.unsettled,
            "note": f"{row.lane}/{row.round}",
        }
        self._call(Call.LOCK, row, body)

    def _dry_run(self, row: Bet, count: int) -> None:
        """As if it were placed now, worth what the player saw: the first item is all of it."""
        state, player = self.unit.state, row.player_id
        if state.rules.allowed is not None:
            return  # which kinds of items these are only the lock says
        offered = tuple(Row(-place, 0, player, row.seen_cents if place == 1 else 0) for place in range(1, count + 1))
        event = BetEvent(self.unit.time(), row.bet_id, player, offered, row.team, row.client_seed)
        game.check_in_time(state, event.now)
        rules_of_bets.check(state, event, state.players.get(player))

    # ---- locking

    def _wait(self, row: Bet) -> None:
        self._check_open(row)
        if self.unit.time() >= row.give_up_ms:
            raise TurnedAwayError("fleet_away")

    # ---- locked

    def _place(self, row: Bet) -> None:
        """Accepted or refused is decided here and nowhere else."""
        self._check_open(row)
        if row.player.blocked_why:
            raise TurnedAwayError("blocked")
        offered = self.bound.rows(row)
        cents = sum(each.price or 0 for each in offered)
        if abs(cents - row.seen_cents) * 10_000 > settings.SITE_PRICE_SLIP_BP * row.seen_cents:
            raise TurnedAwayError("price_changed", seen_cents=row.seen_cents, now_cents=cents)
        self._ask_gate(row, cents)
        inviters = referrals.inviters(row.player, self.unit.time())
        event = BetEvent(self.unit.time(), row.bet_id, row.player_id, offered, row.team, row.client_seed, inviters=inviters)
        receipt, *_ = self.unit.append(event)
        told = record.receipt(self.unit.state, receipt)  # type: ignore[arg-type]  # a bet's first effect
        row.state, row.receipt = Bet.PLACED, encoding.canonical_json(told).decode()
        row.touched_ms = self.unit.now_ms
        self._placed.append(row)
        said = {"bet": row.bet_id, "lane": row.lane, "round": row.round, "cents": cents, "items": len(offered)}
        self.unit.letters.append(Letter(row.player_id, "bet_placed", said))

    # ---- shared

    def _check_open(self, row: Bet) -> None:
        """Raises TurnedAwayError unless its own round takes bets now: a bet is never carried on to another round."""
        held = self.unit.held
        if held is None or row.round != held.place.number or held.state.phase is not Phase.GAME:
            raise TurnedAwayError("round_over", lane=row.lane, round=0 if held is None else held.place.number)
        if self.closed_because:
            raise TurnedAwayError("paused", because=self.closed_because)

    def _ask_gate(self, row: Bet, cents: int) -> None:
        """Each bet of a player is asked with all those before it, of this same transaction too."""
        place, added = self.unit.place, {line.user_id for line in self.unit.lines}
        if row.player_id in added:
            self.unit.note_lines()
            self.gate.played(added)
        no = self.gate.ask(row.player_id, cents, place.room, place.cycle, self.unit.time())
        if no is not None:
            raise TurnedAwayError("gate", reason=no.reason, until=no.until)

    def _turn_away(self, row: Bet, code: str, details: dict[str, Any]) -> None:
        """A new bet is refused at once; of any other the fleet may have bound the items, so they are freed first."""
        row.code, row.details = code, json.dumps(details)
        row.state = Bet.REFUSED if row.state == Bet.NEW else Bet.UNLOCKING
        row.touched_ms = self.unit.now_ms
        row.save(update_fields=["state", "code", "details", "touched_ms"])
        if row.state == Bet.UNLOCKING:
            unlock(row.bet_id, row.lane, row.round, self.unit.now_ms)
        else:
            self.unit.letters.append(refusal(row))

    def _call(self, kind: str, row: Bet, body: dict[str, Any]) -> None:
        call = Call(kind=kind, ref=row.bet_id, body=json.dumps(body), lane=row.lane, round=row.round, made_ms=self.unit.now_ms)
        self._calls.append(call)


def unlock(ref: str, lane: str, number: int, now_ms: int) -> None:
    """What a lock holds, or would hold if it arrives late, is to be freed. Once, however often it is asked for."""
    Call.objects.filter(kind=Call.LOCK, ref=ref, state=Call.DUE).update(state=Call.DROPPED)
    Call.objects.bulk_create(
        [Call(kind=Call.UNLOCK, ref=ref, body="{}", lane=lane, round=number, made_ms=now_ms)], ignore_conflicts=True
    )


def refuse_since(lane: str, since_ms: int, now_ms: int) -> None:
    """Bets that were wanted after a lane was left alone are refused; what became of older ones somebody has to find out."""
    rows = list(Bet.objects.filter(lane=lane, state=Bet.NEW, created_ms__gte=since_ms))
    for row in rows:
        row.state, row.code, row.touched_ms = Bet.REFUSED, "paused", now_ms
        row.save(update_fields=["state", "code", "touched_ms"])
    post.send([refusal(row) for row in rows], now_ms)


def refusal(row: Bet) -> Letter:
    """What a player is told of a bet that was not taken, once nothing of it is bound."""
    where = {"bet": row.bet_id, "lane": row.lane, "round": row.round}
    return Letter(row.player_id, "bet_refused", {**where, "code": row.code, "details": json.loads(row.details)})


def locked(refs: Collection[str], now_ms: int) -> None:
    """The fleet has bound the items of these bets."""
    if refs:
        Bet.objects.filter(bet_id__in=refs, state=Bet.LOCKING).update(state=Bet.LOCKED, touched_ms=now_ms)


def answered(call: Call, now_ms: int) -> None:
    """What else the fleet has said of a bet's items, in the transaction in which its answer is kept; the lane is locked."""
    bets = Bet.objects.filter(bet_id=call.ref)
    if call.kind == Call.LOCK and call.state == Call.REFUSED:
        waiting = bets.filter(state=Bet.LOCKING)
        if waiting.update(state=Bet.UNLOCKING, code=call.code, details=call.answer, touched_ms=now_ms):
            unlock(call.ref, call.lane, call.round, now_ms)
    elif call.kind == Call.UNLOCK and call.state == Call.DONE:
        freed = list(bets.filter(state=Bet.UNLOCKING))
        bets.filter(state=Bet.UNLOCKING).update(state=Bet.REFUSED, touched_ms=now_ms)
        post.send([refusal(row) for row in freed], now_ms)
