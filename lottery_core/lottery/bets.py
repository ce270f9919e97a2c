"""A bet: the checks in their order, each with a typed refusal, and the tickets and log values of what is accepted.

Nothing is half-accepted: `accept` works out everything before it touches the round.
"""

from collections.abc import Collection
from itertools import chain
from typing import NamedTuple

from lottery.commitments import log_items
from lottery.effects import Receipt
from lottery.errors import Refused
from lottery.events import Bet, Buy, Denial, Row
from lottery.pot import FIELDS, FIRST, new_entry, plain
from lottery.rules import TICKETS_MAX
from lottery.state import Placed, Player, Round

NO_TEAM, CT, T = 0, 1, 2
TEAM_NAMES = {CT: "CT", T: "T"}
CLIENT_SEED_BYTES = 64
SOUVENIR = "souvenir"
REST_MS = 30 * 24 * 3600 * 1000
"""What is left of an earlier rake may be asked for during so long."""


class Offer(NamedTuple):
    """What a bet brings into the pot: the numbers of its entries, one after the other, their rows, cents and tickets."""

    numbers: list[int]
    rows: set[int]
    value: int
    tickets: int


def place(state: Round, bet: Bet) -> Receipt:
    """Accepts a bet into the round. Raises Refused with the first check that fails; then nothing has changed."""
    player = state.players.get(bet.user_id)
    return accept(state, bet, check(state, bet, player), player)


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
    place = len(state.entries) + 1
    entry = [len(state.bets) + 1, buy.user_id, terms.template, place, price, state.tickets, buy.quantity]
    return accept(state, bet, Offer(entry, set(), price, buy.quantity), state.players.get(buy.user_id))


# ---- the checks, in the order in which they are answered


def check(state: Round, bet: Bet, player: Player | None) -> Offer:
    """What is offered, by a player of this round or a new one. Raises Refused for the first of the checks that fails, saying
    what would be accepted.
    """
    rules = state.rules
    if rules.raffle is not None:
        raise Refused("mode", mode=rules.mode)
    _check_gate(bet.gate)
    if bet.client_seed:
        _check_seed(bet.client_seed)
    if not bet.rows:
        raise Refused("empty")
    offer = _offered(state, bet)
    if len(offer.rows) != len(bet.rows):
        raise Refused("duplicate_rows")
    if rules.allowed is not None:
        _check_allowed(rules.allowed, bet.rows)
    _check_team(state, bet, player)
    _check_limits(state, player, offer)
    if bet.inviters:
        _check_inviters(bet)
    if bet.rests:
        _check_rests(state, bet)
    return offer


def _offered(state: Round, bet: Bet) -> Offer:
    """The rows of a bet as entries. Raises Refused for the first thing that is wrong with one of them.

    Rows as nearly all are can be seen to be right at one look; of others each is looked at, check by check.
    """
    number, user_id, taken, by_cent = len(state.bets) + 1, bet.user_id, state.rows, state.rules.tickets == "cent"
    first = end = state.tickets
    numbers, rows, value, looked = list[int](), set[int](), 0, False
    for deposit_id, item_id, owner, price, status, locked_by, settled, name in bet.rows:
        if not looked and not (
            type(deposit_id) is type(item_id) is type(owner) is type(price) is int
            and owner == user_id
            and type(status) is type(name) is str
            and status == "active"
            and locked_by is None
            and deposit_id not in taken
            and settled is True
            and 0 <= price <= TICKETS_MAX
            and (not name or SOUVENIR not in name.lower())
        ):
            _look_at(state, bet)
            looked = True
        assert price is not None  # a row without one is refused above
        count = price if by_cent else 1
        numbers += (number, user_id, item_id, deposit_id, price, end, count)
        rows.add(deposit_id)
        value += price
        end += count
    return Offer(numbers, rows, value, end - first)


def _look_at(state: Round, bet: Bet) -> None:
    """Raises Refused for the first of the checks that fails for a row, in their order."""
    _check_forms(bet.rows)
    if len({row.deposit_id for row in bet.rows}) != len(bet.rows):
        raise Refused("duplicate_rows")
    _check_rows(state, bet.user_id, bet.rows)


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


def _check_allowed(allowed: Collection[int], rows: tuple[Row, ...]) -> None:
    for row in rows:
        if row.item_id not in allowed:
            raise Refused("not_allowed", deposit_id=row.deposit_id, allowed_items=sorted(allowed))


def _check_team(state: Round, bet: Bet, player: Player | None) -> None:
    limit = state.rules.team_limit
    if limit is None:
        if bet.team != NO_TEAM:
            raise Refused("no_teams")
        return
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


def _check_limits(state: Round, player: Player | None, offer: Offer) -> None:
    rules, count, value, tickets = state.rules, len(offer.rows), offer.value, offer.tickets
    items, staked = (player.items, player.value) if player else (0, 0)
    if rules.bet_item_limit_max is not None and items + count > rules.bet_item_limit_max:
        raise Refused("player_items", items=rules.bet_item_limit_max - items)
    if rules.item_limit_max is not None and len(state.entries) + count > rules.item_limit_max:
        raise Refused("capacity", capacity=rules.item_limit_max - len(state.entries))
    if rules.bet_value_min is not None and value < rules.bet_value_min:
        raise Refused("bet_value_min", at_least=rules.bet_value_min)
    if rules.bet_value_max is not None and staked + value > rules.bet_value_max:
        raise Refused("bet_value_max", at_most=rules.bet_value_max - staked)
    if not tickets:
        raise Refused("no_tickets")
    if state.tickets + tickets > TICKETS_MAX or state.bank + value > TICKETS_MAX:
        raise Refused("too_much", at_most=TICKETS_MAX - max(state.tickets, state.bank))


def _check_inviters(bet: Bet) -> None:
    """No user is their own inviter, and no inviter is there twice."""
    if len({bet.user_id, *bet.inviters}) != len(bet.inviters) + 1:
        raise Refused("inviters", user_id=bet.user_id)


def _check_rests(state: Round, bet: Bet) -> None:
    """Only where the room collects them; each once, of a round that was over before this bet and not too long ago."""
    if not state.rules.rake_carry:
        raise Refused("rests", rake_carry=False)
    for rest in bet.rests:
        if not rest.cents or rest.cents > TICKETS_MAX or not bet.now - REST_MS <= rest.close_ms <= bet.now:
            raise Refused("rests", round=rest.round, from_ms=bet.now - REST_MS)
    if len({rest.seal for rest in bet.rests}) != len(bet.rests):
        raise Refused("rests", seals="each once")


# ---- acceptance


def accept(state: Round, bet: Bet, offer: Offer, player: Player | None) -> Receipt:
    """Enters what was checked: tickets in order, log values, totals.

    Raises Refused for a number that does not fit the log; then nothing has changed.
    """
    numbers, user_id, first = offer.numbers, bet.user_id, state.tickets
    number, start = len(state.bets) + 1, len(state.entries)
    logs = log_items(state.log, start + 1, plain(numbers), bet.team, bet.now, bet.client_seed.encode())
    end = start + len(logs)
    state.bets.append(Placed(number, user_id, bet.team, bet.now, bet.client_seed, start, end, state.log, ()))
    state.bet_tokens[bet.token] = number
    state.entries.numbers += numbers
    state.firsts.extend(numbers[FIRST::FIELDS])
    state.rows |= offer.rows
    state.log = logs[-1]
    if player is None:
        player = state.players[user_id] = Player(user_id, bet.team, inviters=bet.inviters, rests=bet.rests)
    player.items += len(logs)
    player.value += offer.value
    player.tickets += offer.tickets
    state.tickets += offer.tickets
    state.bank += offer.value
    player.ranges.append((first, state.tickets))
    return Receipt(number, user_id, start + 1, tuple(map(new_entry, plain(numbers))), tuple(logs))


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
