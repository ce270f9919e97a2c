"""A bet: the checks in their order, each with a typed refusal, and the tickets and log values of what is accepted.

Nothing is half-accepted: `accept` works out everything before it touches the round.
"""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from lottery.commitments import log_items
from lottery.effects import Receipt
from lottery.errors import Refused
from lottery.events import Bet, Buy, Denial, Row
from lottery.pot import new_entry
from lottery.rules import TICKETS_MAX
from lottery.state import Placed, Player, Round

NO_TEAM, CT, T = 0, 1, 2
TEAM_NAMES = {CT: "CT", T: "T"}
CLIENT_SEED_BYTES = 64
SOUVENIR = "souvenir"
REST_MS = 30 * 24 * 3600 * 1000
"""What is left of an earlier rake may be asked for during so long."""


class Offer(NamedTuple):
    """The rows of a bet as columns, in the order of the fields of `Row`: quick to check, to add up and to enter."""

    deposits: tuple[int, ...]
    items: tuple[int, ...]
    owners: tuple[int, ...]
    prices: tuple[int, ...]
    statuses: tuple[str, ...]
    locks: tuple[str | None, ...]
    settled: tuple[bool, ...]
    names: tuple[str, ...]


def place(state: Round, bet: Bet) -> Receipt:
    """Accepts a bet into the round. Raises Refused with the first check that fails; then nothing has changed."""
    offer = check(state, bet)
    tickets = offer.prices if state.rules.tickets == "cent" else (1,) * len(bet.rows)
    return accept(state, bet, offer.items, offer.deposits, offer.prices, tickets)


def purchase(state: Round, buy: Buy) -> Receipt:
    """Accepts a purchase of raffle tickets as one entry. Raises Refused; then nothing has changed."""
    terms = state.rules.raffle
    if terms is None:
        raise Refused("mode", mode=state.rules.mode)
    _check_gate(buy.gate)
    _check_seed(buy.client_seed)
    if buy.quantity < 1:
        raise Refused("quantity", at_least=1)
    left = terms.tickets - state.tickets
    if buy.quantity > left:
        raise Refused("capacity", capacity=left)
    price = buy.quantity * terms.ticket_price
    if buy.balance < price:
        affordable = buy.balance // terms.ticket_price if terms.ticket_price else left
        raise Refused("balance", needed=price, capacity=max(0, affordable))
    bet = Bet(buy.now, buy.token, buy.user_id, (), client_seed=buy.client_seed)
    return accept(state, bet, (terms.template,), (len(state.entries) + 1,), (price,), (buy.quantity,))


# ---- the checks, in the order in which they are answered


def check(state: Round, bet: Bet) -> Offer:
    """What is offered. Raises Refused for the first of the checks that fails, saying what would be accepted."""
    rules = state.rules
    if rules.raffle is not None:
        raise Refused("mode", mode=rules.mode)
    _check_gate(bet.gate)
    _check_seed(bet.client_seed)
    if not bet.rows:
        raise Refused("empty")
    _check_forms(bet.rows)
    offer = Offer._make(zip(*bet.rows, strict=True))
    if len(set(offer.deposits)) != len(bet.rows):
        raise Refused("duplicate_rows")
    if not _rows_in_order(state, bet.user_id, offer):
        _check_rows(state, bet.user_id, bet.rows)
    _check_allowed(state, offer)
    _check_team(state, bet)
    _check_limits(state, bet, sum(offer.prices))
    _check_inviters(bet)
    _check_rests(state, bet)
    return offer


_NOTHING = type(None)
_ROW_TYPES = (int, int, int, int, str, _NOTHING, bool, str)
_OTHERS = {3: {int, _NOTHING}, 5: {str, _NOTHING}}
"""The price and the lock of a row may be something else than they mostly are."""


def _check_forms(rows: tuple[Row, ...]) -> None:
    """Every field of every row is of its type. Whether numbers fit the log, the log itself says."""
    if tuple(map(type, chain.from_iterable(rows))) == _ROW_TYPES * len(rows):
        return
    for row in rows:
        for place, value in enumerate(row):
            if type(value) not in _OTHERS.get(place, {_ROW_TYPES[place]}):
                raise Refused("malformed", event="bet", field=f"rows.{Row._fields[place]}")


def _check_gate(gate: Denial | None) -> None:
    if gate is not None:
        raise Refused("gate", reason=gate.reason, until=gate.until)


def _check_seed(client_seed: str) -> None:
    if len(client_seed.encode()) > CLIENT_SEED_BYTES:
        raise Refused("client_seed", bytes_max=CLIENT_SEED_BYTES)


def _rows_in_order(state: Round, user_id: int, offer: Offer) -> bool:
    """True when no row can be refused; else each has to be looked at. Whole columns are quicker to check than rows."""
    count = len(offer.deposits)
    return (
        offer.statuses.count("active") == count
        and offer.owners.count(user_id) == count
        and offer.locks.count(None) == count
        and state.rows.isdisjoint(offer.deposits)
        and (state.rules.unsettled or all(offer.settled))
        and None not in offer.prices
        and min(offer.prices) >= 0
        and max(offer.prices) <= TICKETS_MAX
        and SOUVENIR not in "\n".join(offer.names).lower()
    )


def _check_rows(state: Round, user_id: int, rows: tuple[Row, ...]) -> None:
    unsettled = state.rules.unsettled
    for deposit_id, _, owner, price, status, locked_by, settled, name in rows:
        if status != "active":
            raise Refused("not_active", deposit_id=deposit_id, status=status)
        if owner != user_id:
            raise Refused("not_owner", deposit_id=deposit_id)
        if locked_by is not None or deposit_id in state.rows:
            raise Refused("locked", deposit_id=deposit_id)
        if not settled and not unsettled:
            raise Refused("unsettled", deposit_id=deposit_id)
        if price is None or not 0 <= price <= TICKETS_MAX:
            raise Refused("unpriced", deposit_id=deposit_id)
        if name and SOUVENIR in name.lower():
            raise Refused("souvenir", deposit_id=deposit_id)


def _check_allowed(state: Round, offer: Offer) -> None:
    allowed = state.rules.allowed
    if allowed is None:
        return
    for deposit_id, item_id in zip(offer.deposits, offer.items, strict=True):
        if item_id not in allowed:
            raise Refused("not_allowed", deposit_id=deposit_id, allowed_items=sorted(allowed))


def _check_team(state: Round, bet: Bet) -> None:
    limit = state.rules.team_limit
    if limit is None:
        if bet.team != NO_TEAM:
            raise Refused("no_teams")
        return
    player = state.players.get(bet.user_id)
    if player is not None:
        if bet.team != player.team:
            raise Refused("team_switched", team=player.team)
        return
    taken = {team: sum(each.team == team for each in state.players.values()) for team in TEAM_NAMES}
    free = [team for team in TEAM_NAMES if taken[team] < limit]
    if bet.team not in TEAM_NAMES:
        raise Refused("team_missing", free=free)
    if bet.team not in free:
        raise Refused("team_full", free=free)


def _check_limits(state: Round, bet: Bet, value: int) -> None:
    rules, count = state.rules, len(bet.rows)
    player = state.players.get(bet.user_id)
    items, staked = (player.items, player.value) if player else (0, 0)
    if rules.bet_item_limit_max is not None and items + count > rules.bet_item_limit_max:
        raise Refused("player_items", items=rules.bet_item_limit_max - items)
    if rules.item_limit_max is not None and len(state.entries) + count > rules.item_limit_max:
        raise Refused("capacity", capacity=rules.item_limit_max - len(state.entries))
    if rules.bet_value_min is not None and value < rules.bet_value_min:
        raise Refused("bet_value_min", at_least=rules.bet_value_min)
    if rules.bet_value_max is not None and staked + value > rules.bet_value_max:
        raise Refused("bet_value_max", at_most=rules.bet_value_max - staked)
    tickets = value if rules.tickets == "cent" else count
    if not tickets:
        raise Refused("no_tickets")
    if state.tickets + tickets > TICKETS_MAX or state.bank + value > TICKETS_MAX:
        raise Refused("too_much", at_most=TICKETS_MAX - max(state.tickets, state.bank))


def _check_inviters(bet: Bet) -> None:
    """Nobody is above himself, and nobody twice above the same user."""
    if bet.inviters and len({bet.user_id, *bet.inviters}) != len(bet.inviters) + 1:
        raise Refused("inviters", user_id=bet.user_id)


def _check_rests(state: Round, bet: Bet) -> None:
    """Only where the room collects them; each once, of a round that was over before this bet and not too long ago."""
    if not bet.rests:
        return
    if not state.rules.rake_carry:
        raise Refused("rests", rake_carry=False)
    for rest in bet.rests:
        if not rest.cents or rest.cents > TICKETS_MAX or not bet.now - REST_MS <= rest.close_ms <= bet.now:
            raise Refused("rests", round=rest.round, from_ms=bet.now - REST_MS)
    if len({rest.seal for rest in bet.rests}) != len(bet.rests):
        raise Refused("rests", seals="each once")


# ---- acceptance


def accept(
    state: Round, bet: Bet, items: Sequence[int], deposits: Sequence[int], prices: Sequence[int], tickets: Sequence[int]
) -> Receipt:
    """Enters checked items, given by columns: tickets in order, log values, totals.

    Raises Refused for a number that does not fit the log; then nothing has changed.
    """
    number, start, user_id, end = len(state.bets) + 1, len(state.entries), bet.user_id, state.tickets
    entries, firsts = [], []
    for item_id, deposit_id, price, count in zip(items, deposits, prices, tickets, strict=True):
        entries.append(new_entry((number, user_id, item_id, deposit_id, price, end, count)))
        firsts.append(end)
        end += count
    logs = log_items(state.log, start + 1, entries, bet.team, bet.now, bet.client_seed.encode())
    placed = Placed(number, user_id, bet.team, bet.now, bet.client_seed, start, start + len(entries), state.log, ())
    state.bets.append(placed)
    state.bet_tokens[bet.token] = number
    state.entries.extend(entries)
    state.firsts.extend(firsts)
    if state.rules.raffle is None:
        state.rows.update(deposits)
    state.log = logs[-1]
    _count(state, bet, sum(prices), len(entries), end)
    return Receipt(number, user_id, start + 1, tuple(entries), tuple(logs))


def _count(state: Round, bet: Bet, value: int, items: int, end: int) -> None:
    player = state.players.get(bet.user_id)
    if player is None:
        player = state.players[bet.user_id] = Player(bet.user_id, bet.team, inviters=bet.inviters, rests=bet.rests)
    first = state.tickets
    player.items += items
    player.value += value
    player.tickets += end - first
    player.ranges.append((first, end))
    state.tickets = end
    state.bank += value


def receipt_again(state: Round, placed: Placed) -> Receipt:
    """The receipt of an accepted bet once more, worked out from the pot: the same bytes as the first time."""
    entries = tuple(state.entries[placed.start : placed.end])
    logs = log_items(placed.log_before, placed.start + 1, entries, placed.team, placed.time_ms, placed.client_seed.encode())
    return Receipt(placed.number, placed.user_id, placed.start + 1, entries, tuple(logs))


def intent_of(state: Round, placed: Placed) -> tuple[object, ...]:
    """What an accepted bet asked for, in the form of `Bet.intent` or `Buy.intent`."""
    entries = state.entries[placed.start : placed.end]
    if state.rules.raffle is not None:
        return ("buy", placed.user_id, entries[0].tickets, placed.client_seed)
    return ("bet", placed.user_id, placed.team, placed.client_seed, tuple(entry.deposit_id for entry in entries))
