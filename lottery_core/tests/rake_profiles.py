"""The pot profiles on which the loss of the rake is measured; seeded, so the figures can be repeated.

duel 5-16 items of two players; small 5-40; big 40-200; items of at least 1.00, 5-80; raw catalogue prices 5-80. 2-20 players,
the winner drawn by tickets, 60 small items in stock (the staked mix up to 5.00). Without the price file, raw is a wide
lognormal. Dear duels, 2-4 items of around 150.00 between two players, are the pots in which the rake loses: the README says so.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import NamedTuple

import lottery_factories as make

from lottery import rake
from lottery.rake import Item
from lottery.rooms import SEED_RAKE

PROFILES = {"duel": (5, 16), "small": (5, 40), "big": (40, 200), "from 1.00": (5, 80), "raw catalogue": (5, 80)}
LOSING = {"dear duel": (2, 4)}
KEY = 249
KNIFE_FROM = 8_000


def staked(chance: Random) -> int:
    kind = chance.random()
    if kind < 0.80:
        return max(1, int(100 * chance.lognormvariate(0, 1.3)))
    if kind < 0.90:
        return max(1, int(260 * chance.lognormvariate(0, 1.4)))
    return KEY if kind < 0.98 else int(15_000 * chance.lognormvariate(0, 0.7))


@cache
def catalogue() -> tuple[int, ...]:
    path = make.shared_file("LOTTERY_PRICES", "cs2-prices.json")
    if path is None:
        chance = Random("catalogue")
        return tuple(max(3, int(250 * chance.lognormvariate(0, 2.0))) for _ in range(20_000))
    prices = json.loads(path.read_text(encoding="utf-8"))["prices"].values()
    return tuple(price for price in prices if isinstance(price, int) and price > 0)


def price(name: str, chance: Random) -> int:
    if name in LOSING:
        return int(15_000 * chance.lognormvariate(0, 0.7))
    if name == "raw catalogue":
        return chance.choice(catalogue())
    cents = staked(chance)
    while name == "from 1.00" and cents < 100:
        cents = staked(chance)
    return cents


def stock(chance: Random) -> list[Item]:
    pieces: list[Item] = []
    while len(pieces) < 60:
        cents = staked(chance)
        if cents <= 500:
            pieces.append(Item(10**6 + len(pieces), cents))
    return pieces


@dataclass
class Measured:
    rounds: int = 0
    due: int = 0
    lost: int = 0
    over: int = 0
    own: int = 0
    nanoseconds: list[int] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)

    @property
    def loss(self) -> float:
        return self.lost / self.due


class Pot(NamedTuple):
    prices: list[int]
    owners: list[int]
    winner: int
    stock: list[Item]


def measure(name: str, rounds: int, change: bool, clock: bool = False) -> Measured:
    """Loss of the due over seeded rounds of a profile; CPU time per rake too when `clock` is set."""
    result = Measured()
    for pot in pots(name, rounds):
        play(result, pot, pot.stock if change else [], clock)
    return result


@cache
def pots(name: str, rounds: int) -> list[Pot]:
    """Making them takes longer than the rakes: with and without change, the same ones are played."""
    chance, found = Random(name), []
    low, high = {**PROFILES, **LOSING}[name]
    for _ in range(rounds):
        count, players = chance.randint(low, high), 2 if "duel" in name else chance.randint(2, 20)
        prices = [price(name, chance) for _ in range(count)]
        owners = [index if index < 2 else chance.randrange(players) for index in range(count)]
        winner = owners[drawn_index(prices, chance.randrange(sum(prices)))]
        found.append(Pot(prices, owners, winner, stock(chance)))
    return found


def drawn_index(prices: Sequence[int], ticket: int) -> int:
    for index, cents in enumerate(prices):
        if ticket < cents:
            return index
        ticket -= cents
    raise ValueError("no such ticket")


def play(result: Measured, pot: Pot, pieces: list[Item], clock: bool) -> None:
    prices, owners, winner, _ = pot
    bank = sum(prices)
    staked_by_winner = sum(cents for cents, owner in zip(prices, owners, strict=True) if owner == winner)
    due = rake.due(bank, rake.percent(SEED_RAKE, staked_by_winner, bank))
    rows = [Item(index, cents, 0 if cents == KEY or cents >= KNIFE_FROM else 1) for index, cents in enumerate(prices)]
    others = [row for row in rows if owners[row.deposit_id] != winner]
    own = [row for row in rows if owners[row.deposit_id] == winner]
    before = time.process_time_ns() if clock else 0
    found = rake.collect(due, others, own, pieces, 5000 if pieces else 0)
    if clock:
        result.nanoseconds.append(time.process_time_ns() - before)
    result.rounds += 1
    result.due += due
    result.lost += due - found.net
    result.over += found.net > due
    result.own += any(owners[row] == winner for row in found.taken)
    result.moved.append(len(found.taken) + len(found.change))
