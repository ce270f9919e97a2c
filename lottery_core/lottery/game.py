"""The game: its start, its bets, its clocks, and the close, which binds all that the draw and the payouts depend on.

A game ends when the pot or the bank is full, when its clock has run out, or, without a draw, by one of three rules: one bettor
stayed alone for `lonely_void_s`, it was open for `open_max_s` after its first bet, or an operator ended it before all that.
Whatever comes at or after such a moment comes too late, in whatever order things are processed.
"""

from lottery import bets, commitments, payouts, sources
from lottery.commitments import Bound
from lottery.effects import Closed, Debit, Effects, Receipt, Refund, Started, Stopped, TimerStarted
from lottery.errors import Refused
from lottery.events import Bet, Buy, Manual, Start, Tick, Void
from lottery.sources import MANUAL_MIXED
from lottery.state import Phase, Round, Typed

OPEN_AFTER_MS = 1_000
"""The secret stays closed for so long after the close, so that the close is public before it."""
DIGITS_MAX = 100
MS = 1_000
VOIDS = {"few": "too few players", "lonely": "one player only", "too_long": "open too long", "expired": "expired"}
"""`closed_by` and the reason of a round that is void by rule."""
OPERATOR = "operator"


def start(state: Round, event: Start) -> Effects:
    state.phase, state.time_start = Phase.GAME, event.now
    state.begin_log(event.now)
    begun = Started(event.now, state.log_start)
    return (begun, *_start_clock(state, event.now)) if state.rules.timer_from_start else (begun,)


def _start_clock(state: Round, now: int) -> Effects:
    state.deadline = now + (state.rules.time_limit or 0) * MS
    return (TimerStarted(state.deadline),)


def bet(state: Round, event: Bet) -> Effects:
    if not event.token:
        raise Refused("token_missing")
    check_in_time(state, event.now)
    return _after(state, event.now, bets.place(state, event), ())


def buy(state: Round, event: Buy) -> Effects:
    if not event.token:
        raise Refused("token_missing")
    check_in_time(state, event.now)
    receipt = bets.purchase(state, event)
    return _after(state, event.now, receipt, (Debit(event.user_id, state.entries[-1].price),))


def _after(state: Round, now: int, receipt: Receipt, extra: Effects) -> Effects:
    """The clock and the close that an accepted bet may set off."""
    if _clock_starts(state):
        extra += _start_clock(state, now)
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


# ---- the end


End = tuple[int, str]
"""When a game ends if nothing else happens (unix ms), and by what."""


def end(state: Round) -> End | None:
    """The first moment at which a clock or a rule ends the round, of equal moments the clock's; None where only bets can."""
    last, rules = None, state.rules
    if state.deadline is not None and state.phase is Phase.GAME:
        last = (state.deadline, "time")
    if not state.bets:
        return last
    first = state.bets[0].time_ms
    if rules.lonely_void_s is not None and len(state.players) == 1 and state.phase is Phase.GAME:
        last = _earlier(last, first + rules.lonely_void_s * MS, "lonely")
    if rules.open_max_s is not None:
        last = _earlier(last, first + rules.open_max_s * MS, "too_long")
    return last


def _earlier(last: End | None, time_ms: int, by: str) -> End:
    return (time_ms, by) if last is None or time_ms < last[0] else last


def check_in_time(state: Round, now: int) -> None:
    """Raises Refused("deadline") at and after the moment at which the round ends."""
    last = end(state)
    if last is not None and now >= last[0]:
        raise Refused("deadline", before=last[0])


def tick(state: Round, event: Tick) -> Effects:
    last = end(state) if state.phase in (Phase.GAME, Phase.TYPING) else None
    if last is None or event.now < last[0]:
        return ()
    time_ms, by = last
    return _stop(state, time_ms, by) if by == "time" else void_now(state, time_ms, by, VOIDS[by])


def _stop(state: Round, now: int, reason: str) -> Effects:
    """No more bets: void, or on to the typed numbers of mode mixed, or to the close."""
    if state.rules.raffle is not None and reason == "time":
        return void_now(state, now, "expired", VOIDS["expired"])
    if not state.tickets or len(state.players) < state.rules.min_players:
        return void_now(state, now, "few", VOIDS["few"])
    if state.rules.source.code == MANUAL_MIXED:
        state.phase = Phase.TYPING
        return (Stopped(now, draws(state)),)
    return _close(state, now, reason)


def _close(state: Round, now: int, reason: str) -> Effects:
    rules = state.rules
    source = sources.source_of(rules.source, rules.network, now, rules.entropy_margin_s)
    state.close = commitments.close_record(state.log, len(state.entries), state.tickets, now, source, bound(state))
    state.closed_by, state.phase = reason, Phase.CLOSED
    return (Closed(state.close, now + OPEN_AFTER_MS, source.time_ms),)


def bound(state: Round) -> Bound:
    """What the close fixes besides the log."""
    players = state.players.values()
    return Bound(
        state.stock,
        tuple([(each.user_id, each.inviters) for each in players if each.inviters]),
        tuple([(each.user_id, rest) for each in players for rest in each.rests]),
    )


def draws(state: Round) -> int:
    """How many winners can be drawn: one per share, as long as there are users with tickets left."""
    return min(len(state.rules.shares or (1,)), len(state.players))


# ---- void


def void(state: Round, event: Void) -> Effects:
    """By an operator, before the end only: once a clock has run out a tick closes the round, however late it comes."""
    if not event.reason:
        raise Refused("reason")
    check_in_time(state, event.now)
    return void_now(state, event.now, OPERATOR, event.reason)


def void_now(state: Round, now: int, by: str, reason: str) -> Effects:
    """The round ends without a draw, and all goes back."""
    close_undrawn(state, now, by)
    state.phase, state.void_reason = Phase.VOID, reason
    return (Refund(payouts.refunds(state), reason),)


def close_undrawn(state: Round, now: int, by: str) -> None:
    """The close record of a round that ends before it was closed: no source is awaited."""
    if not state.log_start:
        state.begin_log(None)
    source = commitments.nothing_awaited(state.rules.source.code)
    state.close = commitments.close_record(state.log, len(state.entries), state.tickets, now, source, bound(state))
    state.closed_by = by


# ---- typed numbers


def type_before_close(state: Round, event: Manual) -> Effects:
    """Mode mixed: the last number closes the round."""
    check_in_time(state, event.now)
    check_digits(event)
    state.log = log_typed(state, event, state.log)
    return _close(state, event.now, "manual") if len(state.typed) >= draws(state) else ()


def log_typed(state: Round, event: Manual, log: bytes) -> bytes:
    """Enters a checked number, chained to the value before it."""
    operators = (event.operator1, event.operator2)
    after = commitments.log_manual(log, len(state.typed) + 1, event.digits, event.now, operators, event.evidence)
    state.typed.append(Typed(event.digits, event.now, *operators, event.evidence, after))
    return after


def check_digits(event: Manual) -> None:
    """Raises Refused unless two operators typed a number and said where it can be seen."""
    if not (event.digits.isascii() and event.digits.isdigit() and len(event.digits) <= DIGITS_MAX):
        raise Refused("digits", digits_max=DIGITS_MAX)
    if event.operator1 == event.operator2:
        raise Refused("operators", operators=2)
    if not event.evidence:
        raise Refused("evidence")
