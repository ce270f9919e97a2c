"""What a lane does next: one small function for each phase of its round. All inside the lane's transaction.

A step looks only at the tables, the clock and what was fetched for it (`Given`), so whoever takes a lane up after a crash goes
on exactly where it stood. What a step lacks, it wants (`Wants`): the writer commits, somebody fetches it, the lane comes again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lottery import commitments, drawing, encoding, game, payouts, rooms
from lottery.commitments import Piece as HousePiece
from lottery.effects import Sealed
from lottery.errors import Refused
from lottery.events import Create, Entropy, Fail, Finalize, Open, Renew, Settled, Start, Tick, Void
from lottery.pot import Entry
from lottery.state import Phase

from website.engine import crash, house, numbers, raffles, saga, settlement
from website.engine.beacon import Beacon
from website.engine.chains import ChainKeyError, Chains, last_round
from website.engine.models import Alarm, Call, Chain, ChainPoint
from website.engine.unit import Unit, alarm
from website.live.post import Letter
from website.raffles.models import TemplateVersion
from website.rooms import projections
from website.rooms.models import Bet, Lane, Order, Piece, RoomVersion, Round

SIBLING_MS = 1_000
BEACON_FIRST_MS, BEACON_MOST_MS, BEACON_ALARM_MS = 300, 5_000, 600_000
LONG_MS = 3_600_000


@dataclass(frozen=True)
class Given:
    """What was fetched for a lane since it said that it wants it."""

    beacon: Beacon | None = None
    stock: Sequence[str] | None = None  # deposit ids of free pieces of the house
    clock_wrong: bool = False


@dataclass
class Wants:
    """What a lane needs from outside, and when it is to be looked at again without it."""

    beacon: int | None = None
    stock_max_cents: int | None = None
    next_at_ms: int = 0


@dataclass
class Steps:
    unit: Unit
    chains: Chains
    given: Given
    wants: Wants = field(default_factory=Wants)
    _give_up_ms: int | None = None
    _orders: tuple[int, list[Order]] | None = None

    def run(self) -> Wants:
        """All that can be done now."""
        unit = self.unit
        while self._step():
            pass
        self._give_up_ms = saga.work(unit, self._no_bets_because())
        raffles.work(unit, self._no_bets_because())
        while self._step():  # the last bet may have closed the round
            pass
        if unit.held is not None and unit.state.phase is not Phase.GAME:
            self._give_up_ms = saga.work(unit, None)
            raffles.work(unit, None)
        self._say_why()
        self.wants.next_at_ms = self._next_at_ms()
        return self.wants

    def _say_why(self) -> None:
        lane, why = self.unit.lane, self._waits_for()
        assert why in Lane.WAITS, why
        if lane.waits_for != why or self.unit.events:
            lane.waits_for, lane.waits_since_ms = why, self.unit.now_ms

    def _waits_for(self) -> str:
        """What the lane's newest round waits for, or the next one: a word of `Lane.WAITS`."""
        unit = self.unit
        if unit.held is None or projections.is_over(unit.state):
            return self._why_not_created()
        phase = unit.state.phase
        if phase is Phase.WARMUP:
            paused = unit.lane.state != Lane.OPEN
            return "paused" if paused else "clock" if self._clock_keeps_back() else "other_lane"
        if phase is Phase.GAME:
            return "clock_to_end" if unit.state.deadline is not None else "players"
        if phase is Phase.OPENED and unit.state.rules.source.waits:
            return "beacon_time" if unit.time() < (drawing.beacon_ms(unit.state) or 0) else "beacon"
        if phase is Phase.FINALIZED:
            refused = Call.objects.filter(kind=Call.TRANSFER, lane=unit.lane.name, round=unit.place.number, state=Call.REFUSED)
            return "fleet_refuses" if refused.exists() else "fleet"
        return {Phase.CLOSED: "opening", Phase.FAILED: "paused"}.get(phase, "numbers")

    def _why_not_created(self) -> str:
        lane = self.unit.lane
        if lane.state != Lane.OPEN:
            return "paused"
        if raffles.is_raffle(lane):
            if raffles.wanted(lane) is None:
                return "off"
        elif self._version() is None:
            return "rules"
        prize = Alarm.objects.filter(kind="no_prize", about=lane.room, ended_ms=None)
        return "prize" if prize.exists() else "fleet_before"

    def _no_bets_because(self) -> str | None:
        if self.unit.lane.state != Lane.OPEN:
            return self.unit.lane.paused_why or self.unit.lane.state
        return "clock" if self._clock_keeps_back() else None

    def _clock_keeps_back(self) -> bool:
        """A clock that is late would close rounds on beacons that are public already."""
        held = self.unit.held
        return self.given.clock_wrong and (held is None or held.state.rules.source.waits)

    def _step(self) -> bool:
        """One event further; False when there is nothing to do now."""
        held = self.unit.held
        if held is None or projections.is_over(held.state):
            return self._create()
        return self._failed() or STEPS[held.state.phase](self)

    # ---- a new round

    def _create(self) -> bool:
        unit, lane = self.unit, self.unit.lane
        if lane.state != Lane.OPEN:
            return False
        terms, number = self._terms(), lane.round + 1
        if terms is None:
            house.let_go(unit, number)
            return False
        rules, version = terms
        guarantees = self._guarantees(terms, number)
        if guarantees is None:
            return False
        stock = self._stock(rules, number)
        if stock is None:
            return False
        if not lane.round:
            self.chains.make(lane.name, 1, unit.now_ms)
        secret, link = self.chains.secret(lane.name, number), self.chains.link(lane.name, number)
        prev_seal = encoding.ZERO_HASH if unit.held is None else unit.state.seal or b""
        crash.at("stock.locked")
        event = Create(
            unit.time(),
            projections.create_token(version.version),
            rules,
            lane.name,
            number,
            commitments.promise(lane.name, number, secret),
            link,
            prev_seal,
            guarantees,
            stock,
        )
        unit.create(event, version.version, secret)
        if isinstance(version, RoomVersion):
            self._use(version, number)
        return True

    def _terms(self) -> tuple[rooms.Room, RoomVersion | TemplateVersion] | None:
        """The rules of the next round, and where they stand."""
        if raffles.is_raffle(self.unit.lane):
            return raffles.wanted(self.unit.lane, to_create=True)
        version = self._version()
        return None if version is None else (rooms.parse(json.loads(version.rules)), version)

    def _guarantees(
        self, terms: tuple[rooms.Room, RoomVersion | TemplateVersion], number: int
    ) -> tuple[HousePiece, ...] | None:
        if isinstance(terms, raffles.Terms):
            return raffles.prize(self.unit, terms, number)
        return house.guarantees(self.unit, terms[0], number)

    def _version(self) -> RoomVersion | None:
        """The newest approved rules whose time has come."""
        usable = RoomVersion.objects.filter(
            room=self.unit.lane.room,
            state__in=(RoomVersion.APPROVED, RoomVersion.IN_USE),
            not_before_ms__lte=self.unit.now_ms,
        )
        return usable.order_by("-version").first()

    def _use(self, version: RoomVersion, number: int) -> None:
        if version.state == RoomVersion.IN_USE:
            return
        older = RoomVersion.objects.select_for_update().filter(room=version.room, version__lte=version.version)
        for row in older.order_by("version"):
            if row.version == version.version and row.state == RoomVersion.APPROVED:
                row.state, row.first_lane, row.first_round = RoomVersion.IN_USE, self.unit.lane.name, number
            elif row.version < version.version and row.state in (RoomVersion.APPROVED, RoomVersion.IN_USE):
                row.state = RoomVersion.RETIRED
            else:
                continue
            row.save()

    def _stock(self, rules: rooms.Room, number: int) -> tuple[HousePiece, ...] | None:
        """Pieces that may be given as change; None: not yet known."""
        if self.given.stock is None and house.wants_stock(self.unit, rules, number):
            self.wants.stock_max_cents = max(rules.rake_change_max, 1)
            return None
        return house.stock(self.unit, rules, number, self.given.stock or ())

    # ---- phases

    def _agreed(self, kind: str) -> Order | None:
        """What two operators want of this round and nobody has carried out. Read once for all steps of this transaction."""
        number = self.unit.place.number
        if self._orders is None or self._orders[0] != number:
            rows = Order.objects.filter(lane=self.unit.lane.name, round=number, state=Order.AGREED).order_by("id")
            self._orders = number, list(rows)
        return next((row for row in self._orders[1] if row.kind == kind and row.state == Order.AGREED), None)

    def _ordered(self) -> bool:
        """Two operators want the round to be void. After its end they come too late."""
        unit = self.unit
        row = self._agreed(Order.VOID)
        if row is None:
            return False
        try:
            unit.append(Void(unit.time(), f"void:{row.id}", row.why))
            row.state = Order.DONE
        except Refused as no:
            row.state, row.code = Order.REFUSED, no.code
        row.save(update_fields=["state", "code"])
        return row.state == Order.DONE

    def _failed(self) -> bool:
        """Two operators say that the secret is lost. It is believed only where it cannot be opened; then the lane ends."""
        row = self._agreed(Order.FAIL)
        if row is None:
            return False
        row.state, row.code = self._fail(row)
        row.save(update_fields=["state", "code"])
        return row.state == Order.DONE

    def _fail(self, row: Order) -> tuple[str, str]:
        unit = self.unit
        with contextlib.suppress(ChainKeyError, Chain.DoesNotExist, ChainPoint.DoesNotExist):
            self.chains.secret(unit.lane.name, unit.place.number)
            return Order.REFUSED, "secret_is_here"
        try:
            unit.append(Fail(unit.time(), f"fail:{row.id}", row.why))
        except Refused as no:
            return Order.REFUSED, no.code
        for ref in locks_of(unit):
            saga.unlock(ref, unit.lane.name, unit.place.number, unit.now_ms)
        house.freed(unit)
        raffles.returned(unit)
        self._over()
        unit.lane.state, unit.lane.paused_why = Lane.RETIRED, "secret_lost"
        told = {"lane": unit.lane.name, "round": unit.place.number, "reason": row.why}
        unit.letters += [Letter(user_id, "returned", told) for user_id in unit.state.players]
        return Order.DONE, ""

    def _too_late(self) -> None:
        """What was not carried out before the end is not any more."""
        waiting = (Order.PROPOSED, Order.AGREED)
        mine = Order.objects.filter(lane=self.unit.lane.name, round=self.unit.place.number, kind=Order.VOID)
        late = mine.filter(state__in=waiting)
        late.update(state=Order.REFUSED, code="closed")
        self._orders = None

    def _start(self) -> bool:
        """The lanes of a room alternate: this one begins when no other one takes bets. Raffles run beside each other."""
        unit = self.unit
        if self._ordered():
            return True
        if unit.lane.state != Lane.OPEN or self._clock_keeps_back():
            return False
        others = Round.objects.filter(room=unit.lane.room, phase__in=[Phase.GAME.value]).exclude(lane=unit.lane.name)
        if others.exists() and not raffles.is_raffle(unit.lane):
            return False
        unit.append(Start(unit.time(), "start"))
        return True

    def _play(self) -> bool:
        unit = self.unit
        if unit.state.renewed is None and (unit.state.left == 0 or unit.lane.renew):
            unit.lane.renew = False
            row = self.chains.make(unit.lane.name, unit.place.number + 1, unit.now_ms)
            unit.append(Renew(unit.time(), "renew", bytes(row.anchor), last_round(row)))
            return True
        return self._tick() or self._ordered()

    def _tick(self) -> bool:
        """A clock or a rule has ended the round."""
        end = game.end(self.unit.state)
        if end is None or self.unit.time() < end[0]:
            return False
        self.unit.append(Tick(self.unit.time(), "tick"))
        return True

    def _type(self) -> bool:
        """Mode mixed: bets have stopped, and the last number closes."""
        return self._tick() or self._ordered() or numbers.take(self.unit)

    def _open(self) -> bool:
        unit = self.unit
        assert unit.state.close is not None
        self._too_late()
        if unit.time() < unit.state.close.close_ms + game.OPEN_AFTER_MS:
            return False
        unit.append(Open(unit.time(), "open", self.chains.secret(unit.lane.name, unit.place.number)))
        return True

    def _draw(self) -> bool:
        """An open round waits for its beacon, or for tickets that are typed."""
        return self._take_beacon() if self.unit.state.rules.source.waits else numbers.take(self.unit)

    def _take_beacon(self) -> bool:
        unit, beacon = self.unit, self.given.beacon
        assert unit.state.close is not None
        wanted, due_ms = unit.state.close.source_round, drawing.beacon_ms(unit.state) or 0
        if unit.time() < due_ms:
            return False
        if beacon is None or beacon.round_number != wanted:
            self.wants.beacon = wanted
            if unit.now_ms > due_ms + BEACON_ALARM_MS:
                text = f"round {unit.place.number} waits for beacon {wanted}, which nobody has; it is waited for, never voided"
                alarm("beacon_late", unit.place.cycle, text, unit.now_ms)
            return False
        unit.append(Entropy(unit.time(), "entropy", wanted, beacon.entropy, beacon.proof))
        return True

    def _finalize(self) -> bool:
        """The outcome is known and public before anything moves."""
        unit = self.unit
        unit.append(Finalize(unit.time(), "finalize"))
        own, refs = raffles.not_of_the_fleet(unit), locks_of(unit)
        moved = [move for move in settlement.moves(unit.state) if move.number not in own]
        numbers = {number for numbers in refs.values() for number in numbers}
        deposit_ids = dict(Piece.objects.filter(id__in=numbers).values_list("id", "deposit_id"))
        lock_of = {number: ref for ref, numbers in refs.items() for number in numbers}
        used = {move.number: lock_of[move.number] for move in moved}
        change = house.stock_ref(unit.lane.name, unit.place.number)
        left = [change] if change in refs else []
        wanted = settlement.parts(moved, used, settlement.credits(unit.state), left)
        Call.objects.bulk_create(
            Call(
                kind=Call.TRANSFER,
                ref=f"round:{unit.lane.name}:{unit.place.number}:{number}",
                body=json.dumps(part.body(deposit_ids)),
                state=Call.DUE if number == 1 else Call.WAITS,
                lane=unit.lane.name,
                round=unit.place.number,
                made_ms=unit.now_ms,
            )
            for number, part in enumerate(wanted, 1)
        )
        return True

    def _settle(self) -> bool:
        unit = self.unit
        calls = Call.objects.filter(kind=Call.TRANSFER, lane=unit.lane.name, round=unit.place.number)
        states = {call.state for call in calls}
        if Call.REFUSED in states and unit.lane.state == Lane.OPEN:
            unit.lane.state, unit.lane.paused_why = Lane.PAUSED, "transfer_refused"
        if states - {Call.DONE}:
            return False
        crash.at("settle.before_event")
        unit.append(Settled(unit.time(), "settled", tuple(sorted(payouts.moving_rows(unit.state)))))
        house.given(unit)
        raffles.settled(unit)
        self._over()
        self._tell_winners()
        return True

    def _void(self) -> bool:
        """Nothing has moved: every lock is released. It is opened too, so that the lane's chain goes on."""
        unit = self.unit
        self._too_late()
        for ref in locks_of(unit):
            saga.unlock(ref, unit.lane.name, unit.place.number, unit.now_ms)
        house.freed(unit)
        brought = unit.append(Open(unit.time(), "open", self.chains.secret(unit.lane.name, unit.place.number)))
        assert any(isinstance(effect, Sealed) for effect in brought)
        raffles.returned(unit)
        self._over()
        told = {"lane": unit.lane.name, "round": unit.place.number, "reason": unit.state.void_reason or ""}
        unit.letters += [Letter(user_id, "returned", told) for user_id in unit.state.players]
        return True

    def _over(self) -> None:
        unit = self.unit
        placed = Bet.objects.filter(lane=unit.lane.name, round=unit.place.number, state=Bet.PLACED)
        placed.update(state=Bet.OVER, touched_ms=unit.now_ms)

    def _tell_winners(self) -> None:
        unit = self.unit
        if raffles.is_raffle(unit.lane):
            return  # `raffles.settled` has told who won
        won = projections.returned(unit.state)
        for payout in payouts.of_outcome(unit.state.outcome or {"payouts": []}):
            told = {"lane": unit.lane.name, "round": unit.place.number, "cents": won[payout.user_id]}
            items = len(payout.rows) + len(payout.guarantees) + len(payout.change)
            unit.letters.append(Letter(payout.user_id, "won", {**told, "items": items, "credit_cents": payout.credit}))

    def _nothing(self) -> bool:
        return False

    # ---- when to look again

    def _next_at_ms(self) -> int:
        unit, now_ms = self.unit, self.unit.now_ms
        if unit.held is None or projections.is_over(unit.state):
            return now_ms + (raffles.IDLE_MS if unit.lane.waits_for == "off" else SIBLING_MS)
        waits = [self._of_phase(now_ms)]
        return min([*waits, *([self._give_up_ms] if self._give_up_ms is not None else [])])

    def _of_phase(self, now_ms: int) -> int:
        state = self.unit.state
        if state.phase is Phase.WARMUP:
            return now_ms + SIBLING_MS
        if state.phase in (Phase.GAME, Phase.TYPING):
            end = game.end(state)
            return now_ms + LONG_MS if end is None else end[0]
        if state.phase is Phase.CLOSED and state.close is not None:
            return state.close.close_ms + game.OPEN_AFTER_MS
        if state.phase is Phase.OPENED and state.rules.source.waits:
            due_ms = drawing.beacon_ms(state) or now_ms
            late_ms = now_ms - due_ms
            return due_ms if late_ms < 0 else now_ms + min(max(late_ms // 10, BEACON_FIRST_MS), BEACON_MOST_MS)
        return now_ms + LONG_MS  # an answer of the fleet wakes it


STEPS: Mapping[Phase, Callable[[Steps], bool]] = {
    Phase.WARMUP: Steps._start,
    Phase.GAME: Steps._play,
    Phase.TYPING: Steps._type,
    Phase.CLOSED: Steps._open,
    Phase.OPENED: Steps._draw,
    Phase.DRAWN: Steps._finalize,
    Phase.FINALIZED: Steps._settle,
    Phase.VOID: Steps._void,
    Phase.FAILED: Steps._nothing,
}


def locks_of(unit: Unit) -> dict[str, list[int]]:
    """Every lock of the round and the numbers of its rows: one of each bet, and those of the house's pieces.

    Tickets of a raffle are no items, and nothing binds them.
    """
    state = unit.state
    if state.rules.raffle is not None:
        return house.locks(unit)
    found = {token: [entry.deposit_id for entry in _entries(unit, number)] for token, number in state.bet_tokens.items()}
    return found | house.locks(unit)


def _entries(unit: Unit, number: int) -> Sequence[Entry]:
    placed = unit.state.bets[number - 1]
    return unit.state.entries[placed.start : placed.end]
