"""What players may see of a running round: everything that is public at this moment, as plain JSON, and nothing else.

A secret is in here from the moment it is opened, who invited whom from the close on; what a token said, never.
"""

from typing import Any

from lottery import drawing, game
from lottery.commitments import pieces_json
from lottery.state import Phase, Round


def public(state: Round) -> dict[str, Any]:
    """The round as it stands. Items are those of the record, players have their exact chances as "own/all"."""
    end = game.end(state) if state.phase in (Phase.GAME, Phase.TYPING) else None
    return {
        "room": state.room,
        "round": state.number,
        "phase": state.phase.value,
        "rules": state.rules.rules,
        "rules_hash": state.rules.rules_hash.hex(),
        "hash": state.commitment.hex(),
        "salt": state.salt.hex(),
        "chain": {"value": state.chain.value.hex(), "last": state.chain.last},
        "prev_seal": state.prev_seal.hex(),
        "guarantees": pieces_json(state.guarantees),
        "stock": pieces_json(state.stock),
        "log": {"start": state.log_start.hex(), "end": state.log.hex()},
        "time_start": state.time_start,
        "deadline": state.deadline,
        "ends": None if end is None else {"time_ms": end[0], "by": end[1]},
        "bank": state.bank,
        "tickets": state.tickets,
        "items": [_item(state, place) for place in range(len(state.entries))],
        "players": [_player(state, user_id) for user_id in state.players],
        "manual": [{name: value for name, value in typed._asdict().items() if name != "log"} for typed in state.typed],
        **_after_the_close(state),
    }


def _item(state: Round, place: int) -> dict[str, Any]:
    entry = state.entries[place]
    bet = state.bets[entry.bet - 1]
    told = {name: getattr(entry, name) for name in ("bet", "user_id", "item_id", "deposit_id", "price", "first", "tickets")}
    return {**told, "team": bet.team, "time_ms": bet.time_ms, "client_seed": bet.client_seed}


def _player(state: Round, user_id: int) -> dict[str, Any]:
    player = state.players[user_id]
    held = {"items": player.items, "value": player.value, "tickets": player.tickets, "team": player.team}
    return {"user_id": user_id, "chance": f"{player.tickets}/{state.tickets}", **held}


def _after_the_close(state: Round) -> dict[str, Any]:
    close = state.close
    return {
        "close": None if close is None else close.plain(),
        "open_after_ms": None if close is None else close.close_ms + game.OPEN_AFTER_MS,
        "beacon_ms": None if state.closed_by in (*game.VOIDS, game.OPERATOR, "failure") else drawing.beacon_ms(state),
        "secret": None if state.secret is None else state.secret.hex(),
        "entropy": state.entropy.hex(),
        "proof": dict(state.proof),
        "winners": [{"user_id": each.user_id, "ticket": each.ticket} for each in state.winners],
        "eliminations": [{"user_id": user_id, "value": value} for user_id, value in state.eliminations],
        "outcome": state.outcome,
        "void": state.void_reason,
        "failure": state.failure,
        "seal": None if state.seal is None else state.seal.hex(),
    }
