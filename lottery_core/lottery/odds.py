"""The odds of a bet before it is made, in exact fractions: as if it were placed and the round closed at this moment.

Later bets change them. What the house takes is "at most": it is collected in whole items, so it may be less, never more. Only
the places of a Global Pot with many players are too many to count: they are drawn, from a seed, and said to be approximate.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from lottery import draw, encoding, payouts, rake, shares, teams
from lottery.encoding import TAG
from lottery.errors import LotteryError
from lottery.state import Round
from lottery.teams import Seat

EXACT_USERS_MAX = 10
"""With so many users, places are counted over all sets of those who have won already."""
DRAWS = 10_000


class Odds(NamedTuple):
    """What one user can expect. Money in cents.

    `chance` is that of the first place, or that the user's team wins; `places` those of the first, second … place. `due` is
    what the house takes at most if so, `win` what is left to be won by then, `expected` the mean of what comes back less all
    that is staked (None where no money is: giveaways), `edge` the part of the pot that the house takes on average, from
    everybody.
    """

    chance: Fraction
    due: Fraction
    win: Fraction
    expected: Fraction | None
    edge: Fraction
    places: tuple[Fraction, ...]
    approximate: bool = False


class Stake(NamedTuple):
    """What one user has in the pot, the bet in hand included."""

    tickets: int
    cents: int
    items: int
    team: int


def of_bet(state: Round, user_id: int, cents: int = 0, items: int = 0, team: int = 0) -> Odds:
    """The odds of a user with a bet of so many items worth `cents` on top of what is in the pot; in a raffle of `items`
    tickets.

    Raises LotteryError where there are none: nothing staked, or in a 5v5 an empty team.
    """
    stakes = _stakes(state, user_id, cents, items, team)
    if user_id not in stakes or not stakes[user_id].tickets:
        raise LotteryError(f"user {user_id} has nothing in the pot")
    return _OF_MODE[state.rules.mode](state, stakes, user_id)


def _stakes(state: Round, user_id: int, cents: int, items: int, team: int) -> dict[int, Stake]:
    stakes = {each.user_id: Stake(each.tickets, each.value, each.items, each.team) for each in state.players.values()}
    terms = state.rules.raffle
    if terms is not None:
        cents = items * terms.ticket_price
    more = cents if state.rules.tickets == "cent" else items
    old = stakes.get(user_id, Stake(0, 0, 0, team))
    if more or items:
        stakes[user_id] = Stake(old.tickets + more, old.cents + cents, old.items + items, old.team)
    return stakes


def _due(state: Round, tickets: int, all_tickets: int, base: int) -> int:
    table = state.rules.rake
    return 0 if table is None else rake.due(base, rake.percent(table, tickets, all_tickets))


def _classic(state: Round, stakes: Mapping[int, Stake], user_id: int) -> Odds:
    own, total, bank = stakes[user_id], _tickets(stakes), _bank(stakes)
    chance = Fraction(own.tickets, total)
    due = _due(state, own.tickets, total, bank)
    taken = sum(Fraction(each.tickets, total) * _due(state, each.tickets, total, bank) for each in stakes.values())
    expected = chance * (bank - due) - own.cents
    return Odds(chance, Fraction(due), Fraction(bank - due), expected, _part(taken, bank), (chance,))


def _tickets(stakes: Mapping[int, Stake]) -> int:
    return sum(each.tickets for each in stakes.values())


def _bank(stakes: Mapping[int, Stake]) -> int:
    return sum(each.cents for each in stakes.values())


def _part(taken: Fraction | int, bank: int) -> Fraction:
    return Fraction(taken) / bank if bank else Fraction(0)


def _sitngo(state: Round, stakes: Mapping[int, Stake], user_id: int) -> Odds:
    """Shares are numbers of items, which all count as worth the same."""
    items, bank = sum(each.items for each in stakes.values()), _bank(stakes)
    counts = shares.item_shares(state.rules.shares or (), min(len(state.rules.shares or ()), len(stakes)))
    places, approximate = _places(state, stakes, user_id, len(counts))
    each = Fraction(bank, items)
    won = sum((chance * count * each for chance, count in zip(places, counts, strict=True)), Fraction(0))
    kept = max(0, items - sum(counts)) * each
    own = stakes[user_id]
    return Odds(places[0], kept, counts[0] * each, won - own.items * each, _part(kept, bank), places, approximate)


def _pot(state: Round, stakes: Mapping[int, Stake], user_id: int) -> Odds:
    total, bank, weights = _tickets(stakes), _bank(stakes), list(state.rules.shares or (1,))
    parts = shares.in_proportion(bank, weights[: len(stakes)])
    own = stakes[user_id]
    places, approximate = _places(state, stakes, user_id, len(parts))
    claims = [part - _due(state, own.tickets, total, part) for part in parts]
    expected = sum((chance * claim for chance, claim in zip(places, claims, strict=True)), Fraction(0)) - own.cents
    taken = sum(Fraction(each.tickets, total) * _due(state, each.tickets, total, parts[0]) for each in stakes.values())
    due = Fraction(parts[0] - claims[0])
    return Odds(places[0], due, Fraction(claims[0]), expected, _part(taken, parts[0]), places, approximate)


def _teams(state: Round, stakes: Mapping[int, Stake], user_id: int) -> Odds:
    """Survivors share what the house leaves of the bank; `win` is for a sole survivor."""
    users = [user for side in (payouts.CT, payouts.T) for user, each in stakes.items() if each.team == side]
    seats = [Seat(user, stakes[user].team, stakes[user].tickets) for user in users]
    found, bank, total = teams.odds(seats, state.rules.ranges or ""), _bank(stakes), _tickets(stakes)
    dues = {
        side: _due(state, sum(seat.bet for seat in seats if seat.team == side), total, bank) for side in (payouts.CT, payouts.T)
    }
    own = stakes[user_id]
    back = found.returns[users.index(user_id)] * own.cents * Fraction(bank - dues[own.team], bank)
    taken = sum((found.team[side] * due for side, due in dues.items()), Fraction(0))
    due, chance = Fraction(dues[own.team]), found.team[own.team]
    return Odds(chance, due, bank - due, back - own.cents, _part(taken, bank), (chance,))


def _raffle(state: Round, stakes: Mapping[int, Stake], user_id: int) -> Odds:
    """Of all tickets, sold or not: a raffle is drawn when it is sold out."""
    terms, prize = state.rules.raffle, sum(piece.price for piece in state.guarantees)
    if terms is None:
        raise LotteryError("a raffle has its terms")
    own, brought = stakes[user_id], terms.tickets * terms.ticket_price
    chance, kept = Fraction(own.tickets, terms.tickets), brought - prize
    expected = chance * prize - own.cents
    return Odds(chance, Fraction(kept), Fraction(prize), expected, _part(kept, brought), (chance,))


def _giveaway(state: Round, stakes: Mapping[int, Stake], user_id: int) -> Odds:
    chance = Fraction(stakes[user_id].tickets, _tickets(stakes))
    prize = Fraction(sum(piece.price for piece in state.guarantees))
    return Odds(chance, Fraction(0), prize, None, Fraction(0), (chance,))


# ---- places without repetition


def _places(state: Round, stakes: Mapping[int, Stake], user_id: int, count: int) -> tuple[tuple[Fraction, ...], bool]:
    """The chances of the first `count` places, and whether only the first of them is exact."""
    own = stakes[user_id].tickets
    others = [each.tickets for user, each in stakes.items() if user != user_id and each.tickets]
    if len(others) < EXACT_USERS_MAX:
        return _counted(own, others, count), False
    first = Fraction(own, own + sum(others))
    return (first, *_drawn(state, own, others, count)[1:]), count > 1


def _counted(own: int, others: Sequence[int], count: int) -> tuple[Fraction, ...]:
    """Over all sets of others that can have won before: how likely it is that exactly these have."""
    total = own + sum(others)
    sets: dict[int, Fraction] = {0: Fraction(1)}
    places = []
    for _ in range(count):
        left = {won: total - sum(bet for place, bet in enumerate(others) if won >> place & 1) for won in sets}
        places.append(sum((chance * Fraction(own, left[won]) for won, chance in sets.items()), Fraction(0)))
        after: dict[int, Fraction] = {}
        for won, chance in sets.items():
            for place, bet in enumerate(others):
                if not won >> place & 1:
                    now = won | 1 << place
                    after[now] = after.get(now, Fraction(0)) + chance * Fraction(bet, left[won])
        sets = after
    return tuple(places)


def _drawn(state: Round, own: int, others: Sequence[int], count: int) -> tuple[Fraction, ...]:
    """Ten thousand draws from a seed, the user's tickets first: how often the user came to each place."""
    words = draw.words(encoding.sha256(TAG("lot2.odds"), state.log))
    ranges, end = [(0, own)], own
    for bet in others:
        ranges.append((end, end + bet))
        end += bet
    firsts, hits = [first for first, _ in ranges], [0] * count
    for number in range(DRAWS):
        left = draw.Remaining(end)
        for place in range(count):
            ticket = left.original(int.from_bytes(words("odds", number, place, 0)[:16], "big") * left.count >> 128)
            winner = draw.owner(firsts, ticket)
            if not winner:
                hits[place] += 1
                break
            left.remove([ranges[winner]])
    return tuple(Fraction(each, DRAWS) for each in hits)


_OF_MODE = {
    "classic": _classic,
    "sitngo": _sitngo,
    "teams": _teams,
    "pot": _pot,
    "giveaway": _giveaway,
    "raffle": _raffle,
}
