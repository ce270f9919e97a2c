"""The state machine of a round: what may happen when, as one table.

    warmup ─start→ game ─limit, clock→ closed ─open→ opened ─entropy→ drawn ─finalize→ finalized ─settled→ sealed
       └─────void─────┴─→ void ─open→ void, with its seal          fail: from anywhere before the opening, ends the lane

In mode mixed `typing` stands between game and closed: bets have stopped, the numbers are typed, the last one closes.
Mode none has no `opened` to wait in, mode direct is drawn by its last typed number. After the close nothing is void any more: a
late beacon is waited for. State is the fold of the events: `apply` is the only door, changes the round it is given, and raises
`Refused` before it has changed anything.

The order of writing, for whoever keeps a journal: apply the event; refused, answer that and write nothing; accepted, append the
event to the journal and commit, then do what the effects say. When the commit fails, throw the state away and fold again.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lottery import bets, commitments, drawing, ending, event_checks, game, payouts, rules
from lottery.commitments import Link, Piece
from lottery.effects import Closed, Effects, Opened, Refund, Started, Stopped
from lottery.encoding import ZERO_HASH
from lottery.errors import LotteryError, Refused
from lottery.events import (
    NAMES,
    Bet,
    Buy,
    Create,
    Entropy,
    Event,
    Fail,
    Finalize,
    Manual,
    Open,
    Renew,
    Settled,
    Start,
    Tick,
    Void,
)
from lottery.rooms import Room
from lottery.sources import Check
from lottery.state import Phase, Round

ZERO_SEAL = ZERO_HASH
PLACED = (Bet, Buy)
"""Events whose tokens are kept with the bets."""
STOCK_MAX = 256
GUARANTEES_MAX = 100


def create(event: Create, previous: Round | None = None, secret: bytes | None = None) -> Round:
    """A new round in warmup, its commitment shown. `previous` is the round before it on the same lane, when at hand.

    Whoever runs the lane passes the `secret` too: it is checked here and not kept, so that no bet is taken on a round that
    could never be opened. Raises Refused unless the round before is sealed, numbers have no gap, seal and chain go on, the
    chain has a secret for this round, and the house's pieces make sense.
    """
    event_checks.whole(event)
    if type(event) is not Create:
        raise Refused("malformed", event=type(event).__name__)
    _check_place(event)
    house = _check_house(event.rules, event.guarantees, event.stock)
    if previous is not None:
        _check_follows(event, previous)
    if secret is not None:
        commitments.check_secret(event.room, event.round, event.hash, event.chain.value, secret)
    return Round(
        rules=event.rules,
        room=event.room,
        number=event.round,
        commitment=event.hash,
        salt=commitments.salt(event.room, event.round, event.chain.value),
        prev_seal=event.prev_seal,
        chain=event.chain,
        guarantees=event.guarantees,
        stock=event.stock,
        now=event.now,
        rows=house if event.rules.raffle is None else set(),
    )


def _check_place(event: Create) -> None:
    if event.round < 1:
        raise Refused("round", at_least=1)
    if event.chain.last < event.round:
        raise Refused("chain_end", last=event.chain.last)
    if event.round == 1 and event.prev_seal != ZERO_SEAL:
        raise Refused("prev_seal", prev_seal=ZERO_SEAL.hex())
    network = event.rules.network
    if network is not None and event.now < network.genesis * 1000:
        raise Refused("before_genesis", from_ms=network.genesis * 1000)


def _check_house(room: Room, guarantees: tuple[Piece, ...], stock: tuple[Piece, ...]) -> set[int]:
    """The rows of the house. A giveaway or raffle has one prize; change is only for rooms that take a rake in items."""
    if room.mode in ("giveaway", "raffle") and len(guarantees) != 1:
        raise Refused("prize", guarantees=1)
    if len(guarantees) > GUARANTEES_MAX:
        raise Refused("guarantees", at_most=GUARANTEES_MAX)
    most = 0 if room.rake is None else STOCK_MAX
    if len(stock) > most:
        raise Refused("stock", at_most=most)
    if not guarantees and not stock:
        return set()
    deposits, _, prices = zip(*guarantees, *stock, strict=True)
    rows = set(deposits)
    if len(rows) != len(deposits):
        raise Refused("duplicate_rows")
    if max(prices) > rules.TICKETS_MAX:
        raise Refused("number", at_least=0, at_most=rules.TICKETS_MAX)
    return rows


def _check_follows(event: Create, previous: Round) -> None:
    if previous.phase is Phase.FAILED:
        raise Refused("lane_ended", round=previous.number)
    if previous.seal is None or previous.secret is None:
        raise Refused("previous_open", round=previous.number)
    if event.room != previous.room:
        raise Refused("room", room=previous.room)
    if event.round != previous.number + 1:
        raise Refused("round", round=previous.number + 1)
    if event.prev_seal != previous.seal:
        raise Refused("prev_seal", prev_seal=previous.seal.hex())
    due = previous.renewed or Link(previous.secret, previous.chain.last)
    if event.chain != due:
        raise Refused("chain", value=due.value.hex(), last=due.last)
    if event.now < previous.now:
        raise Refused("time_backwards", at_least=previous.now)


def apply(state: Round, event: Event, check: Check | None = None) -> Effects:
    """What the event brings about; the round is changed in place.

    `check` says whether a beacon is genuine (`lottery.proofs.check` does, or one that also asks a node): without it no
    entropy is taken. The same token again is answered as before and changes nothing. Raises Refused, with the round
    unchanged, when the event is malformed, the phase has no such event, a check fails, or the token was used for something
    else.
    """
    event_checks.whole(event)
    token, kind = event.token, type(event)
    if token in state.bet_tokens or token in state.answers:
        return _answered(state, event)
    handler = TABLE.get((state.phase, kind))
    if handler is None:
        raise _out_of_phase(state, event)
    if event.now < state.now:
        raise Refused("time_backwards", at_least=state.now)
    if isinstance(event, Entropy):
        drawing.check_entropy(state, event, check)
    effects = handler(state, event)
    state.now = event.now
    if token and kind not in PLACED:
        state.answers[token] = (event.intent(), effects)
    return effects


def _out_of_phase(state: Round, event: Event) -> Refused:
    """Who comes for the last raffle ticket a moment too late is told so, not that the phase is wrong."""
    if isinstance(event, Buy) and state.closed_by == "sold_out":
        return Refused("capacity", capacity=0)
    return Refused("phase", phase=state.phase.value, events=accepted_events(state.phase))


def accepted_events(phase: Phase) -> list[str]:
    """Names of the events that a phase has, in the order of the table."""
    return [NAMES[kind] for (where, kind) in TABLE if where is phase]


def fold(
    events: Iterable[Create | Event], previous: Round | None = None, check: Check | None = None, secret: bytes | None = None
) -> Round:
    """The state after a list of events, the first of which creates the round. Raises LotteryError for an empty list.

    A replay checks again: `check` is asked for each beacon, and `secret` as in `create`.
    """
    state: Round | None = None
    for event in events:
        if isinstance(event, Create):
            if state is not None:
                raise Refused("phase", phase=state.phase.value, events=accepted_events(state.phase))
            state = create(event, previous, secret)
        elif state is None:
            raise LotteryError("the first event creates the round")
        else:
            apply(state, event, check)
    if state is None:
        raise LotteryError("no events, no round")
    return state


def seen(state: Round, token: str) -> bool:
    """Whether an event with this token was accepted before: `apply` answers as it did then, and nothing is to be written."""
    return token in state.bet_tokens or token in state.answers


def _answered(state: Round, event: Event) -> Effects:
    """As the first time, unless the token meant something else then."""
    placed = state.bet_tokens.get(event.token)
    if placed is not None:
        bet = state.bets[placed - 1]
        if event.intent() != bets.intent_of(state, bet):
            raise Refused("token_reused", token=event.token)
        return (bets.receipt_again(state, bet), *bet.after)
    intent, effects = state.answers[event.token]
    if intent != event.intent():
        raise Refused("token_reused", token=event.token)
    return effects


def pending(state: Round) -> Effects:
    """What is still to be carried out in the state as it stands, after a crash: the effects that wait for an event of the
    outside.

    The start of the log and the close record are to be public, an open round's secret opened, payouts moved, refunds given.
    Each is safe to do again under the same round's name.
    """
    phase = state.phase
    if phase is Phase.GAME:
        return (Started(state.time_start or 0, state.log_start),)
    if phase is Phase.TYPING:
        return (Stopped(state.now, game.draws(state) - len(state.typed)),)
    if phase in (Phase.CLOSED, Phase.OPENED) and state.close is not None:
        closed = Closed(state.close, state.close.close_ms + game.OPEN_AFTER_MS, drawing.beacon_ms(state))
        return (closed,) if state.secret is None else (closed, Opened(state.secret, _opened_late(state)))
    if phase is Phase.FINALIZED:
        return (ending.settlement(state),)
    if phase in (Phase.VOID, Phase.FAILED):
        return (Refund(payouts.refunds(state), state.void_reason or state.failure or ""),)
    return ()


def _opened_late(state: Round) -> bool:
    beacon = drawing.beacon_ms(state)
    return beacon is not None and (state.opened_ms or 0) >= beacon


Handler = Callable[[Round, Any], Effects]
_LIVE = (Phase.WARMUP, Phase.GAME, Phase.TYPING, Phase.CLOSED, Phase.OPENED, Phase.DRAWN, Phase.FINALIZED)
_UNOPENED = (Phase.WARMUP, Phase.GAME, Phase.TYPING, Phase.CLOSED, Phase.VOID)

TABLE: Mapping[tuple[Phase, type[Any]], Handler] = {
    (Phase.WARMUP, Start): game.start,
    (Phase.WARMUP, Void): game.void,
    (Phase.GAME, Bet): game.bet,
    (Phase.GAME, Buy): game.buy,
    (Phase.GAME, Void): game.void,
    (Phase.TYPING, Manual): game.type_before_close,
    (Phase.TYPING, Void): game.void,
    (Phase.CLOSED, Open): drawing.open_secret,
    (Phase.OPENED, Entropy): drawing.take_entropy,
    (Phase.OPENED, Manual): drawing.type_after_open,
    (Phase.DRAWN, Finalize): ending.finalize,
    (Phase.FINALIZED, Settled): ending.settled,
    (Phase.VOID, Open): ending.open_void,
    **{(phase, Tick): game.tick for phase in _LIVE},
    **{(phase, Renew): ending.renew for phase in (*_LIVE, Phase.VOID) if phase is not Phase.FINALIZED},
    **{(phase, Fail): ending.fail for phase in (*_UNOPENED, Phase.OPENED)},
}
"""(phase, kind of event) → what it does. A pair that is not here is refused."""
