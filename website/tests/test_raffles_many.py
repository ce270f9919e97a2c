"""Ten thousand raffles on one lane, in memory: every ticket is drawn as often as any other, and no coin is lost on the way."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from lottery import commitments, encoding, raffle, rounds
from lottery.effects import Debit, Refund, Settle
from lottery.events import Buy, Create, Finalize, Open, Settled, Start, Void
from lottery.rooms import Room
from lottery.state import Phase, Round

TICKETS, PLAYERS, PRICE = 20, 7, 80
COINS = 10_000_000
VOID_ONE_IN = 5
CHI_SQUARE_MAX = 43.8
"""Of 19 degrees of freedom: one in a thousand lies above it."""
TERMS = raffle.Template(1, "a game", 1_499, 101, TICKETS, entropy="none")
PRIZE = commitments.Piece(1, 1, 1_499)


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_every_ticket_is_equal_and_no_coin_is_lost(count: int) -> None:
    slot = raffle.Slot(1, 1)
    rules, chance = raffle.instance_rules(TERMS, slot), random.Random(7)
    values = commitments.chain(slot.lane, b"\7" * encoding.HASH_BYTES, count)
    wallets = dict.fromkeys(range(1, PLAYERS + 1), COINS)
    house, drawn = 0, Counter[int]()
    previous: Round | None = None
    for number in range(1, count + 1):
        state = begun(rules, slot.lane, number, values, previous)
        ends = VOID_ONE_IN if number % VOID_ONE_IN == 0 else 0
        escrow = sell(state, wallets, chance, until=TICKETS - 1 if ends else TICKETS)
        if ends:
            (refund,) = rounds.apply(state, Void(state.now, "void", "not sold out"))
            assert isinstance(refund, Refund)
            for payout in refund.payouts:
                wallets[payout.user_id] += payout.credit
                escrow -= payout.credit
        rounds.apply(state, Open(state.now + 1_000, "open", values[number]))
        if not ends:
            (settle,) = rounds.apply(state, Finalize(state.now, "finalize"))
            assert isinstance(settle, Settle) and settle.payouts[0].guarantees == (PRIZE.deposit_id,)
            rounds.apply(state, Settled(state.now, "settled", (PRIZE.deposit_id,)))
            house, escrow = house + escrow, 0
            ticket = state.winners[0].ticket
            assert ticket is not None and state.owner(ticket) == state.winners[0].user_id
            drawn[ticket] += 1
        assert escrow == 0 and state.phase in (Phase.SEALED, Phase.VOID)
        assert sum(wallets.values()) + house == PLAYERS * COINS
        previous = state
    expected = sum(drawn.values()) / TICKETS
    assert house == sum(drawn.values()) * TICKETS * PRICE
    assert sum((drawn[ticket] - expected) ** 2 / expected for ticket in range(TICKETS)) < CHI_SQUARE_MAX


def begun(rules: Room, lane: str, number: int, values: list[bytes], previous: Round | None) -> Round:
    """An instance that sells."""
    now = 1_900_000_000_000 if previous is None else previous.now
    promise = commitments.promise(lane, number, values[number])
    link = commitments.Link(values[number - 1], len(values) - 1)
    seal = encoding.ZERO_HASH if previous is None else previous.seal or b""
    create = Create(now, "create:1", replace(rules), lane, number, promise, link, seal, (PRIZE,))
    state = rounds.create(create, previous, values[number])
    rounds.apply(state, Start(now, "start"))
    return state


def sell(state: Round, wallets: dict[int, int], chance: random.Random, until: int) -> int:
    """Until so many tickets are sold; what was paid."""
    escrow = 0
    while state.tickets < until:
        user, quantity = chance.randint(1, PLAYERS), min(chance.randint(1, 6), until - state.tickets)
        buy = Buy(state.now + 1, f"buy {len(state.bets)}", user, quantity, wallets[user])
        for effect in rounds.apply(state, buy):
            if isinstance(effect, Debit):
                wallets[user] -= effect.cents
                escrow += effect.cents
    assert escrow == until * PRICE == state.bank
    return escrow
