"""The draw: the secret is opened, the beacon is checked, and winners follow from both."""

from lottery import commitments, draw, game, payouts, sources
from lottery.commitments import check_secret
from lottery.draw import Draw
from lottery.effects import Drawn, Effects, Opened
from lottery.errors import LotteryError, Refused
from lottery.events import Entropy, Manual, Open
from lottery.sources import MANUAL_DIRECT, MANUAL_MIXED, NONE, Check, Claim
from lottery.state import Phase, Round


def beacon_ms(state: Round) -> int | None:
    """When the awaited beacon comes at the earliest (unix ms); None where none is awaited."""
    if state.close is None or not state.rules.source.waits:
        return None
    rules = state.rules
    return sources.source_of(rules.source, rules.network, state.close.close_ms, rules.entropy_margin_s).time_ms


# ---- opening


def open_secret(state: Round, event: Open) -> Effects:
    """After the close, and not before a second has passed, so that everybody can have seen the close."""
    if state.close is None:
        raise LotteryError("a closed round has a close record")
    open_from = state.close.close_ms + game.OPEN_AFTER_MS
    if event.now < open_from:
        raise Refused("too_early", from_ms=open_from)
    check_secret(state.room, state.number, state.commitment, state.chain.value, event.secret)
    state.secret, state.opened_ms = event.secret, event.now
    beacon = beacon_ms(state)
    opened = Opened(event.secret, beacon is not None and event.now >= beacon)
    if state.rules.source.code == NONE:
        state.final = commitments.final_without_entropy(event.secret, state.room, state.number, state.salt)
        return (opened, *_draw(state))
    state.phase = Phase.OPENED
    return (opened,)


# ---- entropy


def check_entropy(state: Round, event: Entropy, check: Check | None) -> None:
    """Raises Refused unless this is the awaited beacon, not before its time, and genuine as the checking function says."""
    earliest = beacon_ms(state)
    if earliest is None or state.close is None:
        raise Refused("entropy_mode", entropy=state.rules.entropy)
    if event.source_round != state.close.source_round:
        raise Refused("source_round", source_round=state.close.source_round)
    if event.now < earliest:
        raise Refused("too_early", from_ms=earliest)
    sources.check_form(state.rules.network, event.source_round, event.entropy, event.proof)
    if check is None:
        raise Refused("entropy_unchecked", because="no checking function was given")
    claim = Claim(state.close.source, event.source_round, event.entropy, event.proof, state.rules.beacon)
    try:
        genuine = check(claim)
    except ValueError as error:
        raise Refused("entropy_proof", because=str(error)) from error
    if genuine is not True:
        raise Refused("entropy_proof", because="the checking function does not accept it")


def take_entropy(state: Round, event: Entropy) -> Effects:
    """The beacon, checked already."""
    if state.close is None or state.secret is None:
        raise LotteryError("an opened round has a close record and a secret")
    state.entropy, state.proof = event.entropy, dict(event.proof)
    state.final = commitments.final(state.secret, state.close.hash, state.salt, event.entropy)
    return _draw(state)


# ---- winners


def _draw(state: Round) -> Effects:
    if state.final is None:
        raise LotteryError("nothing is drawn without the final value")
    words = draw.words(state.final)
    if state.rules.mode == "teams":
        state.eliminations, state.winners = payouts.play_teams(state, words)
        return _drawn(state)
    count, pick = game.draws(state), _picker(state, words)
    ranges = draw.distinct_winners(state.tickets, count, state.owner, lambda user: state.players[user].ranges, pick)
    state.winners = tuple(ranges)
    first = state.winners[0].draw
    if first is not None and not state.typed:
        state.number_drawn = commitments.winning_number(first.word)
    return _drawn(state)


def _picker(state: Round, words: draw.Words) -> draw.Pick:
    def uniform(tickets: int, index: int) -> tuple[int, Draw | None]:
        drawn = draw.uniform(tickets, "winner", index, words)
        return drawn.value, drawn

    def mixed(tickets: int, index: int) -> tuple[int, Draw | None]:
        drawn = draw.uniform(tickets, "manual", index, words)
        return (drawn.value + int(state.typed[index].digits)) % tickets, drawn

    return mixed if state.rules.source.code == MANUAL_MIXED else uniform


def _drawn(state: Round) -> Effects:
    state.phase = Phase.DRAWN
    return (Drawn(tuple([winner.user_id for winner in state.winners])),)


def type_after_open(state: Round, event: Manual) -> Effects:
    """Mode direct: the number is the ticket. It must exist and not be of a user who already won."""
    if state.rules.source.code != MANUAL_DIRECT or state.close is None or state.secret is None:
        raise Refused("entropy_mode", entropy=state.rules.entropy)
    game.check_digits(event)
    ticket = int(event.digits)
    if ticket >= state.tickets:
        raise Refused("digits", below=state.tickets)
    user_id = state.owner(ticket)
    if any(winner.user_id == user_id for winner in state.winners):
        raise Refused("already_won", user_id=user_id)
    state.entropy = game.log_typed(state, event, state.entropy or state.close.hash)
    state.winners += (draw.Winner(user_id, ticket, None),)
    if len(state.winners) < game.draws(state):
        return ()
    state.final = commitments.final(state.secret, state.close.hash, state.salt, state.entropy)
    return _drawn(state)
