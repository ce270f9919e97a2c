"""5v5: players leave one by one until a team is gone; the draws, and the odds as exact fractions.

Seats come in order: CT by first bet, then T. Two rules give the weight with which a living player leaves:

* `complement` (sum of living bets − own bet): everybody's expected return is exactly his stake, and a team wins with its share
  of the bank. When v leaves and his stake is spread over the living in proportion to theirs, player j's stake is a martingale
  iff p_j ∝ S − s_j; spreading in proportion keeps the ratios of bets, so bets may stand for stakes.
* `inverse` (1/bet, as integers lcm/bet): the letter of the seed; fair for equal bets only.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from math import lcm
from typing import NamedTuple

from lottery.draw import Words, uniform


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
    """The odds of a line-up by recursion over the sets of the living: at most 2^10 states of exact fractions."""
    bets = tuple(seat.bet for seat in seats)
    teams = tuple(seat.team for seat in seats)
    common, bank = lcm(*bets), sum(bets)

    @cache
    def value(alive: tuple[int, ...]) -> tuple[Fraction, tuple[Fraction, ...]]:
        if len({teams[seat] for seat in alive}) == 1:
            return _ended(alive, teams, bets, bank)
        return _mixed(alive, weights_of([bets[seat] for seat in alive], rule, common), value, len(bets))

    first, payouts = value(tuple(range(len(seats))))
    names = sorted(set(teams))
    return Odds({names[0]: first, names[1]: 1 - first}, tuple(pay / bet for pay, bet in zip(payouts, bets, strict=True)))


Value = tuple[Fraction, tuple[Fraction, ...]]
"""Probability that the first team wins, and each seat's expected payout."""


def _ended(alive: tuple[int, ...], teams: Sequence[int], bets: Sequence[int], bank: int) -> Value:
    staked = sum(bets[seat] for seat in alive)
    payouts = [Fraction(0)] * len(bets)
    for seat in alive:
        payouts[seat] = Fraction(bank * bets[seat], staked)
    return Fraction(int(teams[alive[0]] == min(teams))), tuple(payouts)


def _mixed(alive: tuple[int, ...], weights: Sequence[int], value: Callable[[tuple[int, ...]], Value], seats: int) -> Value:
    total = sum(weights)
    first, payouts = Fraction(0), [Fraction(0)] * seats
    for place, weight in enumerate(weights):
        chance = Fraction(weight, total)
        wins, pays = value(alive[:place] + alive[place + 1 :])
        first += chance * wins
        payouts = [sofar + chance * pay for sofar, pay in zip(payouts, pays, strict=True)]
    return first, tuple(payouts)
