"""How a round ends: who gets what, that everything has moved, and the seal; or all goes back; or the house has failed."""

from lottery import commitments, draw, game, payouts, record
from lottery.commitments import Link, check_secret
from lottery.effects import Effects, LaneEnded, Opened, Refund, Renewed, Sealed, Settle
from lottery.errors import LotteryError, Refused
from lottery.events import Fail, Finalize, Open, Renew, Settled
from lottery.sources import MANUAL_DIRECT, NONE
from lottery.state import Phase, Round

# ---- settlement


def finalize(state: Round, event: Finalize) -> Effects:
    """A function of what is bound: the outcome is known to everybody who has the beacon."""
    state.outcome = payouts.outcome(state)
    state.phase = Phase.FINALIZED
    return (settlement(state),)


def settlement(state: Round) -> Settle:
    """What has to be moved. Raises LotteryError before the round is finalized."""
    if state.outcome is None:
        raise LotteryError("the round is not finalized")
    paid = payouts.of_outcome(state.outcome)
    return Settle(paid, tuple(state.outcome["house"]), payouts.referral_credits(state.outcome))


def settled(state: Round, event: Settled) -> Effects:
    """Every row was moved once."""
    expected = payouts.moving_rows(state)
    if len(event.moved) != len(expected) or set(event.moved) != expected:
        missing, foreign = sorted(expected - set(event.moved)), sorted(set(event.moved) - expected)
        raise Refused("moved", missing=missing, foreign=foreign, rows=len(expected))
    seal = record.seal(state)
    state.phase, state.seal = Phase.SEALED, seal
    return (Sealed(seal, state.left),)


# ---- void


def open_void(state: Round, event: Open) -> Effects:
    """A void round is opened too: the lane's chain goes on, and in mode none the would-be number can be checked."""
    if state.secret is not None:
        raise Refused("already_open")
    check_secret(state.room, state.number, state.commitment, state.chain.value, event.secret)
    state.secret, state.opened_ms = event.secret, event.now
    if state.rules.source.code == NONE:
        state.final = commitments.final_without_entropy(event.secret, state.room, state.number, state.salt)
        if state.tickets and state.rules.mode != "teams":
            drawn = draw.uniform(state.tickets, "winner", 0, draw.words(state.final))
            state.number_drawn = commitments.winning_number(drawn.word)
    state.outcome = payouts.void_outcome(state)
    state.seal = record.seal(state)
    return (Opened(event.secret, False), Sealed(state.seal, state.left))


# ---- the lane


def renew(state: Round, event: Renew) -> Effects:
    """Binds the lane's next chain into this round's outcome: once, before that is known, and reaching beyond this round."""
    if state.seal is not None:
        raise Refused("sealed")
    if state.renewed is not None:
        raise Refused("renewed", anchor=state.renewed.value.hex())
    if event.last <= state.number:
        raise Refused("chain_end", at_least=state.number + 1)
    state.renewed = Link(event.anchor, event.last)
    return (Renewed(state.renewed),)


def fail(state: Round, event: Fail) -> Effects:
    """The house cannot go on: all goes back, the record says whose fault it is, and the lane ends.

    With an opened secret only a draw before the camera can fail: a beacon that is late is waited for.
    """
    if not event.reason:
        raise Refused("reason")
    if state.phase is Phase.OPENED and state.rules.source.code != MANUAL_DIRECT:
        raise Refused("beacon_awaited", source_round=None if state.close is None else state.close.source_round)
    if state.seal is not None:
        raise Refused("sealed")
    if state.close is None:
        game.close_undrawn(state, event.now, "failure")
    state.failure, state.winners = event.reason, ()
    state.outcome = payouts.void_outcome(state)
    state.seal = record.seal(state)
    refunded = state.phase is Phase.VOID
    state.phase = Phase.FAILED
    ended = LaneEnded(state.seal, event.reason)
    return (ended,) if refunded else (Refund(payouts.refunds(state), event.reason), ended)
