"""5v5: players leave one by one until a team is gone; the draws, and the odds as exact fractions.

Seats come in order: CT by first bet, then T. Two rules give the weight with which a living player leaves:

* `complement` (sum of living bets − own bet): everybody's expected return is exactly his stake, and a team wins with its share
  of the bank. When v leaves and his stake is spread over the living in proportion to theirs, player j's stake is a martingale
  iff p_j ∝ S − s_j; spreading in proportion keeps the ratios of bets, so bets may stand for stakes.
* `inverse` (1/bet, as integers lcm/bet): the letter of the seed; fair for equal bets only.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from operator import mul
from typing import NamedTuple

from lottery.draw import Words, uniform
from lottery.errors import LotteryError

ODDS_SEATS_MAX = 16


class Seat(NamedTuple):
    user_id: int
    team: int
    bet: int


class Elimination(NamedTuple):
    """Who left, and the value drawn for it."""

    user_id: int
    value: int


def play(seats: Sequence[Seat], rule: str, words: Words) -> tuple[list[Elimination], list[Seat]]:
    """The eliminations in order, and the survivors in seat order. Every bet is positive, both teams have somebody."""
    living = list(seats)
    common = lcm(*(seat.bet for seat in seats))
    gone: list[Elimination] = []
    while len({seat.team for seat in living}) == 2:
        weights = weights_of([seat.bet for seat in living], rule, common)
        value = uniform(sum(weights), "elim", len(gone), words).value
        gone.append(Elimination(living.pop(_hit(weights, value)).user_id, value))
    return gone, living


def _hit(weights: Sequence[int], value: int) -> int:
    for index, weight in enumerate(weights):
        if value < weight:
            return index
        value -= weight
    raise ValueError("the value lies beyond all weights")


def weights_of(bets: Sequence[int], rule: str, common: int) -> list[int]:
    """The weights with which the living leave; `common` is a multiple of every bet (rule inverse)."""
    if rule == "inverse":
        return [common // bet for bet in bets]
    total = sum(bets)
    return [total - bet for bet in bets]


class Odds(NamedTuple):
    """Exact: `team` wins with this probability; `returns` is each seat's expected return per cent staked, before rake."""

    team: dict[int, Fraction]
    returns: tuple[Fraction, ...]


def odds(seats: Sequence[Seat], rule: str) -> Odds:
    """The odds of a line-up of two teams, exactly. Raises LotteryError unless both have somebody and all together at most 16.

    Complement is fair by construction (see above): the share of the bank, and every stake back.
    """
    names = sorted({seat.team for seat in seats})
    if len(names) != 2 or len(seats) > ODDS_SEATS_MAX or min(seat.bet for seat in seats) < 1:
        raise LotteryError(f"odds are for two teams of together at most {ODDS_SEATS_MAX}, who all bet")
    if rule == "inverse":
        return _inverse_odds(seats, names)
    bank = sum(seat.bet for seat in seats)
    shares = {name: Fraction(sum(seat.bet for seat in seats if seat.team == name), bank) for name in names}
    return Odds(shares, tuple(Fraction(1) for _ in seats))


def _inverse_odds(seats: Sequence[Seat], names: Sequence[int]) -> Odds:
    """Weights that never change are clocks: who leaves next is whose clock rings next, at a rate of his weight.

    All of the other team ring before any of the set B with probability Σ (−1)^|T| · w(B) / (w(B) + w(T)), over all parts T of
    the other team. Everything is counted in parts of one common denominator, so that fractions are made only at the end.
    """
    common, bank = lcm(*(seat.bet for seat in seats)), sum(seat.bet for seat in seats)
    sides = [[index for index, seat in enumerate(seats) if seat.team == name] for name in names]
    rates = [_sums_of_sets([common // seats[index].bet for index in side]) for side in sides]
    whole = lcm(*(one + other for one in rates[0] for other in rates[1] if one + other))
    parts = [[whole // (one + other) if one + other else 0 for other in rates[1]] for one in rates[0]]
    ends = [_exactly_these(rates[0], parts), _exactly_these(rates[1], list(zip(*parts, strict=True)))]
    returns: dict[int, Fraction] = {}
    for side, chances in zip(sides, ends, strict=True):
        staked = _sums_of_sets([seats[index].bet for index in side])
        stakes = lcm(*staked[1:])
        pays = [chance * (stakes // stake) if stake else 0 for chance, stake in zip(chances, staked, strict=True)]
        for place, index in enumerate(side):
            paid = sum([pay for living, pay in enumerate(pays) if living >> place & 1])
            returns[index] = Fraction(bank * paid, whole * stakes)
    first = Fraction(sum(ends[0]), whole)
    return Odds({names[0]: first, names[1]: 1 - first}, tuple(returns[index] for index in range(len(seats))))


def _sums_of_sets(values: Sequence[int]) -> list[int]:
    """The sum of every set of the values; bit i of the place says whether value i is in the set."""
    sums = [0]
    for value in values:
        sums += [each + value for each in sums]
    return sums


def _exactly_these(rates: Sequence[int], parts: Sequence[Sequence[int]]) -> list[int]:
    """For every set of one team, how likely it is that exactly these are left when the other team is gone."""
    signs = [-1 if other.bit_count() % 2 else 1 for other in range(len(parts[0]))]
    chances = [rate * sum(map(mul, signs, row)) for rate, row in zip(rates, parts, strict=True)]  # at least these are left
    for bit in range((len(rates) - 1).bit_length()):
        for living in range(1, len(rates)):
            if not living >> bit & 1:
                chances[living] -= chances[living | 1 << bit]
    return chances
