"""5v5: players leave one by one until a team is gone; the draws, and the odds as exact fractions.

Seats come in order: CT by first bet, then T. Two rules give the weight with which a living player leaves:

* `complement` (sum of living bets − own bet): everybody's expected return is exactly the stake, and a team wins with its share
  of the bank. When v leaves and v's stake is spread over the living in proportion to theirs, player j's stake is a martingale
  iff p_j ∝ S − s_j; spreading in proportion keeps the ratios of bets, so bets may stand for stakes.
* `inverse` (1/bet, as integers lcm/bet): the letter of the seed; fair for equal bets only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm
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


Ratio = tuple[int, int]
"""Numerator and denominator, not in lowest terms."""


@dataclass(frozen=True, eq=False)
class Odds:
    """Exact: how likely each team wins, and each seat's expected return per cent staked, before rake.

    The numbers can have thousands of digits, and it takes longer to shorten one than to find it: so they are kept as found, and
    `team` and `returns` are fractions in lowest terms from the first time they are asked for.
    """

    wins: Mapping[int, Ratio]
    paid: tuple[Ratio, ...]

    @cached_property
    def team(self) -> dict[int, Fraction]:
        return {name: Fraction(*ratio) for name, ratio in self.wins.items()}

    @cached_property
    def returns(self) -> tuple[Fraction, ...]:
        return tuple(Fraction(*ratio) for ratio in self.paid)


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
    shares = {name: (sum(seat.bet for seat in seats if seat.team == name), bank) for name in names}
    return Odds(shares, tuple((1, 1) for _ in seats))


def _inverse_odds(seats: Sequence[Seat], names: Sequence[int]) -> Odds:
    """Weights that never change are clocks: the player whose clock rings next leaves, at the rate of their weight.

    All of the other team ring before any of the set B with probability Σ (−1)^|T| · w(B) / (w(B) + w(T)), over all parts T of
    the other team. All is counted in parts of one common denominator, the `whole`.
    """
    bank = sum(seat.bet for seat in seats)
    sides = [[index for index, seat in enumerate(seats) if seat.team == name] for name in names]
    rates = [_rates_of_sets([seats[index].bet for index in side]) for side in sides]
    at_least = [_at_least_these(*rates), _at_least_these(*reversed(rates))]
    whole = _common_multiple([below for _, below in at_least[0]])
    returns: dict[int, Ratio] = {}
    wins = []
    for side, ratios in zip(sides, at_least, strict=True):
        chances = _exactly_these([above * (whole // below) for above, below in ratios])
        wins.append(sum(chances))
        staked = _sums_of_sets([seats[index].bet for index in side])
        stakes = lcm(*staked[1:])
        pays = [chance * (stakes // stake) if stake else 0 for chance, stake in zip(chances, staked, strict=True)]
        for place, index in enumerate(side):
            paid = sum([pay for living, pay in enumerate(pays) if living >> place & 1])
            returns[index] = bank * paid, whole * stakes
    teams = {name: (chance, whole) for name, chance in zip(names, wins, strict=True)}
    return Odds(teams, tuple(returns[index] for index in range(len(seats))))


def _sums_of_sets(values: Sequence[int]) -> list[int]:
    """The sum of every set of the values; bit i of the place says whether value i is in the set."""
    sums = [0]
    for value in values:
        sums += [each + value for each in sums]
    return sums


def _rates_of_sets(bets: Sequence[int]) -> list[Ratio]:
    """The sum of 1/bet of every set of bets, over the product of these bets; places as above."""
    rates = [(0, 1)]
    for bet in bets:
        rates += [(above * bet + below, below * bet) for above, below in rates]
    return rates


def _at_least_these(own: Sequence[Ratio], others: Sequence[Ratio]) -> list[Ratio]:
    """For every set of one team, how likely it is that all of them are left when the other team is gone; for the empty one 0.

    The sum of one set has small denominators. Only when it is complete it is put in parts of the whole, so with five a side
    long numbers are divided 62 times, not 961 times.
    """
    signs = [-1 if other.bit_count() % 2 else 1 for other in range(1, len(others))]
    found = [(0, 1)]
    for above, below in own[1:]:
        both = [above * product + rate * below for rate, product in others[1:]]
        common = lcm(*both)
        terms = [sign * product * (common // each) for sign, (_, product), each in zip(signs, others[1:], both, strict=True)]
        found.append((common + above * sum(terms), common))
    return found


def _common_multiple(numbers: Sequence[int]) -> int:
    """The least common multiple, by halves: so that long numbers meet numbers of their own length only."""
    if len(numbers) == 1:
        return numbers[0]
    half = len(numbers) // 2
    return lcm(_common_multiple(numbers[:half]), _common_multiple(numbers[half:]))


def _exactly_these(at_least: Sequence[int]) -> list[int]:
    """From how likely it is that all of a set are left, for every set: how likely it is that these and nobody else are left."""
    chances = list(at_least)
    for bit in range((len(chances) - 1).bit_length()):
        for living in range(1, len(chances)):
            if not living >> bit & 1:
                chances[living] -= chances[living | 1 << bit]
    return chances
