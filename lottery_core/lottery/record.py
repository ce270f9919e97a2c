"""The sealed record: everything anybody needs to check a round, in the words of the seed where it has them.

docs/record-format.md is its contract; this module is the only writer of it.
"""

from typing import Any

from lottery import commitments, encoding
from lottery.errors import LotteryError
from lottery.rooms import MODES
from lottery.state import CODES, Phase, Round

FORMAT = "lot1"


def seal(state: Round) -> bytes:
    """The seal of a round whose outcome is known. Raises LotteryError before that."""
    if state.close is None or state.secret is None or state.outcome is None:
        raise LotteryError("a round is sealed when it is closed, opened and has an outcome")
    sealed = encoding.canonical_json(state.outcome)
    return commitments.seal(state.prev_seal, state.close.hash, state.secret, state.salt, state.entropy, sealed)


def sealed(state: Round) -> dict[str, Any]:
    """The record of a sealed (or void and sealed) round. Raises LotteryError before that: the secret would be missing."""
    if state.seal is None or state.secret is None or state.close is None or state.outcome is None:
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
        "chain": {"round": state.chain[0], "value": state.chain[1].hex()},
        "prev_seal": state.prev_seal.hex(),
        "log": {"start": state.log_start.hex(), "end": state.log.hex()},
        "manual": _manual(state),
        "close": _close(state.close),
        "secret": state.secret.hex(),
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


def _close(close: commitments.Close) -> dict[str, Any]:
    return {
        "items": close.items,
        "tickets": close.tickets,
        "close_ms": close.close_ms,
        "mode": close.mode,
        "source": close.source,
        "source_round": close.source_round,
        "hash": close.hash.hex(),
    }
