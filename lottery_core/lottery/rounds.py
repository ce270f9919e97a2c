"""The state machine of a round: what may happen when, as one table, and what each event does.

    warmup ─start→ game ─limit, time→ closed ─open→ opened ─entropy→ drawn ─finalize→ finalized ─settled→ sealed
       └──void──┴── no beacon for a day: void ──┴───────┘        void ─open→ void, with its seal

In mode mixed `typing` stands between game and closed: bets have stopped, the numbers are typed, the last one closes.
Mode none has no `opened` to wait in, mode direct is drawn by its last typed number. State is the fold of the events: `apply` is
the only door, changes the round it is given, and raises `Refused` before it has changed anything.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lottery import bets, commitments, draw, payouts, record
from lottery.commitments import MANUAL_DIRECT, MANUAL_MIXED, NONE
from lottery.draw import Draw
from lottery.encoding import HASH_BYTES, U64_MAX, ZERO_HASH
from lottery.errors import LotteryError, Refused
from lottery.events import NAMES, Bet, Buy, Create, Entropy, Event, Finalize, Manual, Open, Settled, Start, Tick, Void
from lottery.state import (
    Closed,
    Debit,
    Drawn,
    Effects,
    Opened,
    Phase,
    Receipt,
    Refund,
    Round,
    Sealed,
    Settle,
    Started,
    Stopped,
    TimerStarted,
    Typed,
)

ZERO_SEAL = ZERO_HASH
OPEN_AFTER_MS = 1_000
PLACED = (Bet, Buy)
"""Events whose tokens are kept with the bets."""
DIGITS_MAX = 100


def create(event: Create, previous: Round | None = None) -> Round:
    """A new round in warmup, its commitment shown. `previous` is the round before it on the same lane, when at hand.

    Raises Refused unless that one is sealed (or void and sealed), numbers have no gap, and seal and chain go on.
    """
    if event.round < 1:
        raise Refused("round", at_least=1)
    pieces = [number for piece in event.guarantees for number in piece]
    commitments.check_numbers((event.round, event.now, event.chain[0], *pieces))
    if {len(value) for value in (event.hash, event.salt, event.prev_seal, event.chain[1])} != {HASH_BYTES}:
        raise Refused("length", bytes=HASH_BYTES)
    if event.chain[0] >= event.round:
        raise Refused("chain", before=event.round)
    if event.round == 1 and event.prev_seal != ZERO_SEAL:
        raise Refused("prev_seal", prev_seal=ZERO_SEAL.hex())
    if len({piece.deposit_id for piece in event.guarantees}) != len(event.guarantees):
        raise Refused("duplicate_rows")
    if previous is not None:
        _check_follows(event, previous)
    start = commitments.log_start(event.room, event.round, event.hash, event.rules.rules_hash, event.prev_seal)
    return Round(
        rules=event.rules,
        room=event.room,
        number=event.round,
        commitment=event.hash,
        salt=event.salt,
        prev_seal=event.prev_seal,
        chain=event.chain,
        guarantees=event.guarantees,
        log_start=start,
        log=start,
        now=event.now,
    )


def _check_follows(event: Create, previous: Round) -> None:
    if previous.seal is None or previous.phase not in (Phase.SEALED, Phase.VOID):
        raise Refused("previous_open", round=previous.number)
    if event.room != previous.room:
        raise Refused("room", room=previous.room)
    if event.round != previous.number + 1:
        raise Refused("round", round=previous.number + 1)
    if event.prev_seal != previous.seal:
        raise Refused("prev_seal", prev_seal=previous.seal.hex())
    if event.chain != (previous.number, previous.secret):
        raise Refused("chain", round=previous.number)
    if event.now < previous.now:
        raise Refused("time_backwards", at_least=previous.now)


def apply(state: Round, event: Event) -> Effects:
    """What the event brings about; the round is changed in place.

    The same token again is answered as before and changes nothing. Raises Refused, with the round unchanged, when the phase has
    no such event, a check fails, or the token was used for something else.
    """
    repeated = _answered(state, event)
    if repeated is not None:
        return repeated
    handler = TABLE.get((state.phase, type(event)))
    if handler is None:
        raise _out_of_phase(state, event)
    if not state.now <= event.now <= U64_MAX:
        raise _out_of_time(state, event)
    effects = handler(state, event)
    state.now = event.now
    if event.token and type(event) not in PLACED:
        state.answers[event.token] = (event.intent(), effects)
    return effects


def _out_of_phase(state: Round, event: Event) -> Refused:
    """Who comes for the last raffle ticket a moment too late is told so, not that the phase is wrong."""
    if isinstance(event, Buy) and state.closed_by == "sold_out":
        return Refused("capacity", capacity=0)
    return Refused("phase", phase=state.phase.value, events=accepted_events(state.phase))


def _out_of_time(state: Round, event: Event) -> Refused:
    """Time does not run back, and ends where the record has no place for it."""
    if event.now < state.now:
        return Refused("time_backwards", at_least=state.now)
    return Refused("number", at_least=0, at_most=U64_MAX)


def accepted_events(phase: Phase) -> list[str]:
    """Names of the events that a phase has, in the order of the table."""
    return [NAMES[kind] for (where, kind) in TABLE if where is phase]


def fold(events: Iterable[Create | Event], previous: Round | None = None) -> Round:
    """The state after a list of events, the first of which creates the round. Raises LotteryError for an empty list."""
    state: Round | None = None
    for event in events:
        if isinstance(event, Create):
            if state is not None:
                raise Refused("phase", phase=state.phase.value, events=accepted_events(state.phase))
            state = create(event, previous)
        elif state is None:
            raise LotteryError("the first event creates the round")
        else:
            apply(state, event)
    if state is None:
        raise LotteryError("no events, no round")
    return state


def _answered(state: Round, event: Event) -> Effects | None:
    placed = state.bet_tokens.get(event.token)
    if placed is not None:
        bet = state.bets[placed - 1]
        if event.intent() != bets.intent_of(state, bet):
            raise Refused("token_reused", token=event.token)
        return (bets.receipt_again(state, bet), *bet.after)
    kept = state.answers.get(event.token)
    if kept is None:
        return None
    if kept[0] != event.intent():
        raise Refused("token_reused", token=event.token)
    return kept[1]


# ---- game


def _start(state: Round, event: Start) -> Effects:
    state.phase = Phase.GAME
    state.time_start = event.now
    if state.rules.timer_from_start:
        return (Started(event.now), *_start_timer(state, event.now))
    return (Started(event.now),)


def _start_timer(state: Round, now: int) -> Effects:
    state.deadline = now + (state.rules.time_limit or 0) * 1000
    return (TimerStarted(state.deadline),)


def _bet(state: Round, event: Bet) -> Effects:
    _check_token(event.token)
    return _after(state, event.now, bets.place(state, event), ())


def _buy(state: Round, event: Buy) -> Effects:
    _check_token(event.token)
    receipt = bets.purchase(state, event)
    return _after(state, event.now, receipt, (Debit(event.user_id, state.entries[-1].price),))


def _check_token(token: str) -> None:
    if not token:
        raise Refused("token_missing")


def _after(state: Round, now: int, receipt: Receipt, extra: Effects) -> Effects:
    """The clock and the close that an accepted bet may set off."""
    if _clock_starts(state):
        extra += _start_timer(state, now)
    reached = _limit_reached(state)
    if reached is not None:
        extra += _stop(state, now, reached)
    if extra:
        state.bets[-1] = state.bets[-1]._replace(after=extra)
    return (receipt, *extra)


def _clock_starts(state: Round) -> bool:
    rules = state.rules
    if not rules.time_enable or state.deadline is not None or rules.player_limit is None:
        return False
    return len(state.players) >= rules.player_limit


def _limit_reached(state: Round) -> str | None:
    rules = state.rules
    if rules.raffle is not None:
        return "sold_out" if state.tickets >= rules.raffle.tickets else None
    if rules.item_limit_max is not None and len(state.entries) >= rules.item_limit_max:
        return "items"
    if rules.global_pot_limit is not None and state.bank >= rules.global_pot_limit:
        return "bank"
    return None


def _tick(state: Round, event: Tick) -> Effects:
    if state.phase is Phase.GAME and state.deadline is not None and event.now >= state.deadline:
        return _stop(state, state.deadline, "time")
    return ()


def _stop(state: Round, now: int, reason: str) -> Effects:
    """No more bets: void, or on to the typed numbers of mode mixed, or to the close."""
    if state.rules.raffle is not None and reason == "time":
        return _void_open_round(state, now, "expired")
    if not state.tickets or len(state.players) < state.rules.min_players:
        return _void_open_round(state, now, "too few players")
    if _mode(state) == MANUAL_MIXED:
        state.phase = Phase.TYPING
        return (Stopped(now, _draws(state)),)
    return _close(state, now, reason)


def _close(state: Round, now: int, reason: str) -> Effects:
    rules = state.rules
    close = commitments.close_record(state.log, len(state.entries), state.tickets, now, rules.entropy, rules.entropy_margin_s)
    state.close, state.closed_by, state.phase = close, reason, Phase.CLOSED
    return (Closed(close, now + OPEN_AFTER_MS, _beacon_ms(state)),)


def _mode(state: Round) -> int:
    return commitments.entropy_mode(state.rules.entropy).code


def _beacon_ms(state: Round) -> int | None:
    if state.close is None or not commitments.entropy_mode(state.rules.entropy).waits:
        return None
    return commitments.source_time_ms(state.rules.entropy, state.close.source_round)


def _draws(state: Round) -> int:
    """How many winners can be drawn: one per share, as long as there are users with tickets left."""
    return min(len(state.rules.shares or (1,)), len(state.players))


# ---- typed numbers


def _type_before_close(state: Round, event: Manual) -> Effects:
    state.log = _type(state, event, state.log)
    return _close(state, event.now, "manual") if len(state.typed) >= _draws(state) else ()


def _type_after_open(state: Round, event: Manual) -> Effects:
    """Mode direct: the number is the ticket. It must exist and not be of a user who already won."""
    if _mode(state) != MANUAL_DIRECT:
        raise Refused("entropy_mode", entropy=state.rules.entropy)
    _check_digits(event)
    ticket = int(event.digits)
    if ticket >= state.tickets:
        raise Refused("digits", below=state.tickets)
    user_id = state.owner(ticket)
    if any(winner.user_id == user_id for winner in state.winners):
        raise Refused("already_won", user_id=user_id)
    if state.close is None:
        raise LotteryError("an opened round has a close record")
    state.entropy = _type(state, event, state.entropy or state.close.hash)
    state.winners += (draw.Winner(user_id, ticket, None),)
    return _draw_done(state) if len(state.winners) >= _draws(state) else ()


def _type(state: Round, event: Manual, log: bytes) -> bytes:
    _check_digits(event)
    operators = (event.operator1, event.operator2)
    after = commitments.log_manual(log, len(state.typed) + 1, event.digits, event.now, operators, event.evidence)
    state.typed.append(Typed(event.digits, event.now, *operators, event.evidence, after))
    return after


def _check_digits(event: Manual) -> None:
    if not (event.digits.isascii() and event.digits.isdigit() and len(event.digits) <= DIGITS_MAX):
        raise Refused("digits", digits_max=DIGITS_MAX)
    commitments.check_numbers((event.operator1, event.operator2))
    if event.operator1 == event.operator2:
        raise Refused("operators", operators=2)
    if not event.evidence:
        raise Refused("evidence")


# ---- opening, entropy, draw


def _open(state: Round, event: Open) -> Effects:
    _check_secret(state, event.secret)
    state.secret, state.opened_ms = event.secret, event.now
    beacon = _beacon_ms(state)
    opened = Opened(event.secret, beacon is not None and event.now >= beacon)
    if _mode(state) == NONE:
        state.final = commitments.final_without_entropy(event.secret, state.room, state.number, state.salt)
        return (opened, *_draw(state))
    state.phase = Phase.OPENED
    return (opened,)


def _check_secret(state: Round, secret: bytes) -> None:
    commitments.check_secret(state.room, state.number, state.commitment, state.salt, secret, state.chain)


def _entropy(state: Round, event: Entropy) -> Effects:
    mode = commitments.entropy_mode(state.rules.entropy)
    if not mode.waits or state.close is None or state.secret is None:
        raise Refused("entropy_mode", entropy=state.rules.entropy)
    if event.source_round != state.close.source_round:
        raise Refused("source_round", source_round=state.close.source_round)
    commitments.check_entropy(state.rules.entropy, event.source_round, event.entropy, event.proof)
    state.entropy, state.proof = event.entropy, dict(event.proof)
    state.final = commitments.final(state.secret, state.close.hash, state.salt, event.entropy)
    return _draw(state)


def _draw(state: Round) -> Effects:
    if state.final is None:
        raise LotteryError("nothing is drawn without the final value")
    words = draw.words(state.final)
    if state.rules.mode == "teams":
        state.eliminations, state.winners = payouts.play_teams(state, words)
        return _draw_done(state)
    state.winners = tuple(
        draw.distinct_winners(
            state.tickets, _draws(state), state.owner, lambda user: state.players[user].ranges, _picker(state, words)
        )
    )
    drawn = state.winners[0].draw
    if drawn is not None and not state.typed:
        state.number_drawn = commitments.winning_number(drawn.word)
    return _draw_done(state)


def _picker(state: Round, words: draw.Words) -> draw.Pick:
    def uniform(tickets: int, index: int) -> tuple[int, Draw | None]:
        drawn = draw.uniform(tickets, "winner", index, words)
        return drawn.value, drawn

    def mixed(tickets: int, index: int) -> tuple[int, Draw | None]:
        drawn = draw.uniform(tickets, "manual", index, words)
        return (drawn.value + int(state.typed[index].digits)) % tickets, drawn

    return mixed if _mode(state) == MANUAL_MIXED else uniform


def _draw_done(state: Round) -> Effects:
    if _mode(state) == MANUAL_DIRECT and state.close is not None and state.secret is not None:
        state.final = commitments.final(state.secret, state.close.hash, state.salt, state.entropy)
    state.phase = Phase.DRAWN
    return (Drawn(tuple(winner.user_id for winner in state.winners)),)


# ---- settlement


def _finalize(state: Round, event: Finalize) -> Effects:
    state.outcome = payouts.outcome(state, event)
    state.phase = Phase.FINALIZED
    outcome = state.outcome
    return (Settle(payouts.of_outcome(outcome), tuple(outcome["house"]), payouts.referral_credits(outcome)),)


def _settled(state: Round, event: Settled) -> Effects:
    expected = payouts.moving_rows(state)
    if len(event.moved) != len(expected) or set(event.moved) != expected:
        missing, foreign = sorted(expected - set(event.moved)), sorted(set(event.moved) - expected)
        raise Refused("moved", missing=missing, foreign=foreign, rows=len(expected))
    state.phase = Phase.SEALED
    state.seal = record.seal(state)
    return (Sealed(state.seal),)


# ---- void


def _void(state: Round, event: Void) -> Effects:
    """By an operator, before the end only: once the clock has run out a tick closes the round, however late it comes."""
    if not event.reason:
        raise Refused("reason")
    bets.check_deadline(state, event.now)
    return _void_open_round(state, event.now, event.reason)


def _void_without_beacon(state: Round, event: Void) -> Effects:
    """After the close there is one reason only, fixed in advance: no beacon for a day."""
    beacon = _beacon_ms(state)
    if beacon is None:
        raise Refused("no_void_after_close", events=accepted_events(state.phase))
    if event.now < beacon + commitments.NO_BEACON_MS:
        raise Refused("beacon_not_overdue", from_ms=beacon + commitments.NO_BEACON_MS)
    effects = _become_void(state, "no beacon for 24 hours")
    return (*effects, *_seal_void(state)) if state.secret is not None else effects


def _void_open_round(state: Round, now: int, reason: str) -> Effects:
    state.close = commitments.void_record(state.log, len(state.entries), state.tickets, now, state.rules.entropy)
    state.closed_by = "void"
    return _become_void(state, reason)


def _become_void(state: Round, reason: str) -> Effects:
    state.phase, state.void_reason = Phase.VOID, reason
    return (Refund(payouts.refunds(state), reason),)


def _open_void(state: Round, event: Open) -> Effects:
    """A void round is opened too: the lane's chain goes on, and in mode none the would-be number can be checked."""
    if state.secret is not None:
        raise Refused("already_open")
    _check_secret(state, event.secret)
    state.secret, state.opened_ms = event.secret, event.now
    return (Opened(event.secret, False), *_seal_void(state))


def _seal_void(state: Round) -> Effects:
    if _mode(state) == NONE and state.secret is not None:
        state.final = commitments.final_without_entropy(state.secret, state.room, state.number, state.salt)
        if state.tickets and state.rules.mode != "teams":
            drawn = draw.uniform(state.tickets, "winner", 0, draw.words(state.final))
            state.number_drawn = commitments.winning_number(drawn.word)
    state.outcome = payouts.void_outcome(state)
    state.seal = record.seal(state)
    return (Sealed(state.seal),)


Handler = Callable[[Round, Any], Effects]
_LIVE = (Phase.WARMUP, Phase.GAME, Phase.TYPING, Phase.CLOSED, Phase.OPENED, Phase.DRAWN, Phase.FINALIZED)

TABLE: Mapping[tuple[Phase, type[Any]], Handler] = {
    (Phase.WARMUP, Start): _start,
    (Phase.WARMUP, Void): _void,
    (Phase.GAME, Bet): _bet,
    (Phase.GAME, Buy): _buy,
    (Phase.GAME, Void): _void,
    (Phase.TYPING, Manual): _type_before_close,
    (Phase.TYPING, Void): _void,
    (Phase.CLOSED, Open): _open,
    (Phase.CLOSED, Void): _void_without_beacon,
    (Phase.OPENED, Entropy): _entropy,
    (Phase.OPENED, Manual): _type_after_open,
    (Phase.OPENED, Void): _void_without_beacon,
    (Phase.DRAWN, Finalize): _finalize,
    (Phase.FINALIZED, Settled): _settled,
    (Phase.VOID, Open): _open_void,
    **{(phase, Tick): _tick for phase in _LIVE},
}
"""(phase, kind of event) → what it does. A pair that is not here is refused."""
