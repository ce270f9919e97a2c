"""The sealed record: everything anybody needs to check a round, in the words of the seed where it has them.

docs/record-format.md is its contract; this module is the only writer of it.
"""

from typing import Any

from lottery import commitments
from lottery.commitments import pieces_json
from lottery.effects import Receipt
from lottery.errors import LotteryError
from lottery.pot import Entry
from lottery.rules import MODES
from lottery.state import CODES, Phase, Round

FORMAT = "lot2"
RECEIPT = "lot2.receipt"


def seal(state: Round) -> bytes:
    """The seal of a round whose outcome is known; of one that the house failed to draw, another kind.

    Raises LotteryError before.
    """
    if state.close is None or state.outcome is None:
        raise LotteryError("a round is sealed when it is closed and has an outcome")
    if state.failure is not None:
        return commitments.failure_seal(state.prev_seal, state.close.hash, state.salt, state.entropy, state.outcome)
    if state.secret is None:
        raise LotteryError("a round is sealed when it is opened")
    return commitments.seal(state.prev_seal, state.close.hash, state.secret, state.salt, state.entropy, state.outcome)


def sealed(state: Round) -> dict[str, Any]:
    """The record of a round that is over. Raises LotteryError before that: the secret would be missing."""
    if state.seal is None or state.close is None or state.outcome is None:
        raise LotteryError(f"round {state.number} is not sealed")
    return {
        "format": FORMAT,
        "id": state.number,
        "room": state.room,
        "mode": MODES[state.rules.mode],
        "time_start": state.time_start,
        "status": CODES[state.phase],
        "bank": state.bank,
        "winning_number": state.number_drawn,
        "hash": state.commitment.hex(),
        "salt": state.salt.hex(),
        "winning_ticket": state.winners[0].ticket if state.winners else None,
        "items": _items(state),
        "players": _players(state),
        "rules": state.rules.rules,
        "chain": {"value": state.chain.value.hex(), "last": state.chain.last},
        "prev_seal": state.prev_seal.hex(),
        "guarantees": pieces_json(state.guarantees),
        "stock": pieces_json(state.stock),
        "log": {"start": state.log_start.hex(), "end": state.log.hex()},
        "manual": _manual(state),
        "close": state.close.plain(),
        "secret": None if state.secret is None else state.secret.hex(),
        "entropy": state.entropy.hex(),
        "proof": dict(state.proof),
        "final": None if state.final is None else state.final.hex(),
        "outcome": state.outcome,
        "seal": state.seal.hex(),
    }


def _items(state: Round) -> list[dict[str, Any]]:
    items = []
    for entry in state.entries:
        bet = state.bets[entry.bet - 1]
        items.append(
            {
                "item_id": entry.item_id,
                "deposit_id": entry.deposit_id,
                "user_id": entry.user_id,
                "price": entry.price,
                "tickets_start": entry.first if entry.tickets else None,
                "tickets_end": entry.first + entry.tickets - 1 if entry.tickets else None,
                "bet": entry.bet,
                "team": bet.team,
                "time_ms": bet.time_ms,
                "client_seed": bet.client_seed,
            }
        )
    return items


def _players(state: Round) -> list[dict[str, Any]]:
    winners = {winner.user_id for winner in state.winners} if state.phase is Phase.SEALED else set()
    return [
        {
            "user_id": player.user_id,
            "chance": f"{player.tickets}/{state.tickets}",
            "is_winner": player.user_id in winners,
        }
        for player in state.players.values()
    ]


def _manual(state: Round) -> list[dict[str, Any]]:
    return [
        {
            "digits": typed.digits,
            "time_ms": typed.time_ms,
            "operator1": typed.operator1,
            "operator2": typed.operator2,
            "evidence": typed.evidence,
        }
        for typed in state.typed
    ]


def receipt(state: Round, given: Receipt) -> dict[str, Any]:
    """What a bettor keeps: the bet as it was logged. With it `lottery verify --receipt` finds a record that leaves it out."""
    return {
        "format": RECEIPT,
        "room": state.room,
        "round": state.number,
        "hash": state.commitment.hex(),
        "log_start": state.log_start.hex(),
        "bet": given.bet,
        "user_id": given.user_id,
        "number": given.number,
        "items": [_receipted(entry) for entry in given.entries],
        "logs": [log.hex() for log in given.logs],
    }


def _receipted(entry: Entry) -> dict[str, int]:
    return {
        "item_id": entry.item_id,
        "deposit_id": entry.deposit_id,
        "price": entry.price,
        "first_ticket": entry.first,
        "tickets": entry.tickets,
    }
