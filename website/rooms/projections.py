"""What follows from a lane's events for readers: rows of rounds, messages, lines of players' logs. Pure functions.

The lane's writer uses them as events come, `rebuild` uses them on all events again: both end with the same rows (W7). So
nothing here may depend on anything but the events: no name of a player or an item, which may change, and no clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lottery import drawing, effects, encoding, event_json, payouts, record
from lottery.effects import Effects
from lottery.events import Bet as BetEvent
from lottery.events import Buy, Create, Entropy, Event, Manual
from lottery.state import Phase, Player, Round

from website.care.gate import COIN, ITEM, Line
from website.rooms import models


class Message(NamedTuple):
    """One message of a lane before it has its number. `body` is canonical JSON."""

    at_ms: int
    kind: str
    body: str


@dataclass(frozen=True)
class Place:
    """Which round a state is: room, lane, number, and the version of the rules that it was created with."""

    room: str
    lane: str
    number: int
    version: int

    @property
    def cycle(self) -> str:
        """The name of the round in players' logs."""
        return f"{self.lane}:{self.number}"


def create_token(version: int) -> str:
    """The token of the event that creates a round says which version of the room's rules it took."""
    return f"create:{version}"


def version_of(token: str) -> int:
    return int(token.partition(":")[2])


# ---- messages


def messages(state: Round, event: Create | Event, brought: Effects) -> list[Message]:
    """What those who watch the lane are told of an event."""
    said = [_typed(state, event), *(_said(state, event, effect) for effect in brought)]
    return [
        Message(event.now, kind, encoding.canonical_json({"round": state.number, **body}).decode())
        for found in said
        for kind, body in found
    ]


def _said(state: Round, event: Create | Event, effect: effects.Effect) -> list[tuple[str, dict[str, Any]]]:
    match effect:
        case effects.Started():
            return [("opened_round", _opened_round(state, effect))]
        case effects.Receipt():
            return [("bet", _bet(state, event, effect))]
        case effects.TimerStarted():
            return [("timer", {"deadline_ms": effect.deadline_ms})]
        case effects.Stopped():
            return [("typing", {"numbers": effect.numbers, "time_ms": effect.time_ms})]
        case effects.Closed():
            close = {"close": effect.close.plain(), "open_after_ms": effect.open_after_ms, "beacon_ms": effect.beacon_ms}
            return [("closed", close | {"closed_by": state.closed_by})]
        case effects.Opened():
            return [("secret", {"secret": effect.secret.hex(), "late": effect.late})]
        case effects.Drawn():
            return [*_beacon(event), ("drawn", _drawn(state))]
        case effects.Settle():
            return [("result", {"outcome": state.outcome, "outcome_hash": outcome_hash(state).hex()})]
        case effects.Refund():
            return [("void", {"reason": effect.reason})]
        case effects.Renewed():
            return [("renewed", {"anchor": effect.link.value.hex(), "last": effect.link.last})]
        case effects.Sealed() | effects.LaneEnded():
            return [("sealed", {"seal": effect.seal.hex()})]
        case _:
            return []


def _typed(state: Round, event: Create | Event) -> list[tuple[str, dict[str, Any]]]:
    """A typed number, with all that its log value covers; a number that closes the round comes before the close."""
    if not isinstance(event, Manual):
        return []
    last = state.typed[-1]
    operators = {"operator1": last.operator1, "operator2": last.operator2}
    told = {"number": len(state.typed), "digits": last.digits, "time_ms": last.time_ms, "evidence": last.evidence}
    return [("typed", told | operators | {"log": last.log.hex()})]


def _opened_round(state: Round, started: effects.Started) -> dict[str, Any]:
    return {
        "hash": state.commitment.hex(),
        "salt": state.salt.hex(),
        "log_start": started.log_start.hex(),
        "rules_hash": state.rules.rules_hash.hex(),
        "prev_seal": state.prev_seal.hex(),
        "chain": {"value": state.chain.value.hex(), "last": state.chain.last},
        "guarantees": [piece._asdict() for piece in state.guarantees],
        "stock": [piece._asdict() for piece in state.stock],
    }


def _bet(state: Round, event: Create | Event, receipt: effects.Receipt) -> dict[str, Any]:
    """What the log's hash covers, so that a browser keeps the log itself."""
    told = record.receipt(state, receipt)
    seed = event.client_seed if isinstance(event, BetEvent | Buy) else ""
    team = event.team if isinstance(event, BetEvent) else 0
    named = {name: told[name] for name in ("bet", "user_id", "number", "items", "logs")}
    return named | {"team": team, "client_seed": seed, "time_ms": event.now, "pot": state.bank, "tickets": state.tickets}


def _beacon(event: Create | Event) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(event, Entropy):
        return []
    return [
        ("beacon", {"source_round": event.source_round, "entropy": event.entropy.hex(), "proof": dict(event.proof)}),
    ]


def _drawn(state: Round) -> dict[str, Any]:
    winners = [{"user_id": winner.user_id, "ticket": winner.ticket} for winner in state.winners]
    gone = [{"user_id": user_id, "value": value} for user_id, value in state.eliminations]
    return {"winners": winners, "eliminations": gone, "final": None if state.final is None else state.final.hex()}


def outcome_hash(state: Round) -> bytes:
    """Binds the house to an outcome before anything has moved; the sealed record has the same outcome (W16)."""
    return hashlib.sha256(encoding.canonical_json(state.outcome)).digest()


# ---- players' logs


def lines(place: Place, state: Round, event: Create | Event, brought: Effects) -> list[Line]:
    """Stakes as they are accepted, and what came back when all is over. Raffles are played with coins."""
    found, currency = [], ITEM if state.rules.raffle is None else COIN
    for effect in brought:
        if isinstance(effect, effects.Receipt) and not isinstance(event, Create):
            cents = sum(entry.price for entry in effect.entries)
            found.append(Line(effect.user_id, event.now, "stake", cents, place.cycle, f"stake:{event.token}", currency))
        elif isinstance(effect, effects.Sealed | effects.LaneEnded):
            found += [
                Line(user_id, event.now, "return", cents, place.cycle, f"return:{place.cycle}:{user_id}", currency)
                for user_id, cents in returned(state).items()
                if cents
            ]
    return found


def returned(state: Round) -> dict[int, int]:
    """What everybody of a round got back, in cents at the prices of the round. The prize of a raffle is no coins."""
    prices = {piece.deposit_id: piece.price if state.rules.raffle is None else 0 for piece in state.guarantees}
    back = dict.fromkeys(state.players, 0)
    for payout in payouts.of_outcome(state.outcome or {"payouts": []}):
        back[payout.user_id] = back.get(payout.user_id, 0) + payout.claim + sum(prices[row] for row in payout.guarantees)
    return back


# ---- rows of a round


def round_row(place: Place, state: Round) -> models.Round:
    close, sealed = state.close, state.seal is not None
    beacon_ms = drawing.beacon_ms(state)
    return models.Round(
        lane=place.lane,
        round=place.number,
        room=place.room,
        version=place.version,
        rules_hash=state.rules.rules_hash,
        hash=state.commitment,
        salt=state.salt,
        log=state.log,
        phase=state.phase.value,
        time_start_ms=state.time_start,
        deadline_ms=state.deadline,
        closed_ms=None if close is None else close.close_ms,
        closed_by=state.closed_by or "",
        pot_cents=state.bank,
        tickets=state.tickets,
        items=len(state.entries),
        players=len(state.players),
        source_round=None if close is None else close.source_round,
        opened_ms=state.opened_ms,
        late=state.opened_ms is not None and beacon_ms is not None and state.opened_ms >= beacon_ms,
        entropy=state.entropy,
        winners=json.dumps([[winner.user_id, winner.ticket] for winner in state.winners]),
        outcome="" if state.outcome is None else encoding.canonical_json(state.outcome).decode(),
        outcome_hash=b"" if state.outcome is None else outcome_hash(state),
        seal=state.seal or b"",
        record=encoding.canonical_json(record.sealed(state)) if sealed else b"",
        sealed_ms=state.now if sealed else None,
        void_reason=state.void_reason or state.failure or "",
    )


def item_rows(place: Place, state: Round, start: int = 0) -> list[models.RoundItem]:
    """Items of the pot from place `start` (counted from 0) on."""
    return [
        models.RoundItem(
            lane=place.lane,
            round=place.number,
            place=number,
            bet=entry.bet,
            user_id=entry.user_id,
            number=entry.deposit_id,
            item_no=entry.item_id,
            price_cents=entry.price,
            first=entry.first,
            tickets=entry.tickets,
        )
        for number, entry in enumerate(state.entries[start:], start + 1)
    ]


def player_rows(place: Place, players: Iterable[Player]) -> list[models.RoundPlayer]:
    return [
        models.RoundPlayer(
            lane=place.lane,
            round=place.number,
            user_id=player.user_id,
            team=player.team,
            items=player.items,
            value_cents=player.value,
            tickets=player.tickets,
        )
        for player in players
    ]


ROUND_FIELDS = [field.name for field in models.Round._meta.concrete_fields if field.name not in ("id", "lane", "round")]
PLAYER_FIELDS = ["team", "items", "value_cents", "tickets"]


def event_row(place: Place, number: int, event: Create | Event) -> models.LaneEvent:
    values = event_json.to_json(event)
    return models.LaneEvent(
        lane=place.lane,
        round=place.number,
        number=number,
        at_ms=event.now,
        kind=values["event"],
        token=event.token,
        body=encoding.canonical_json(values).decode(),
    )


def event_of(row: models.LaneEvent) -> Create | Event:
    return event_json.from_json(json.loads(row.body))


def is_over(state: Round) -> bool:
    """Whether the next round of its lane may be created."""
    return state.seal is not None and state.phase is not Phase.FAILED


def save(place: Place, state: Round, items_from: int, bets_from: int) -> None:
    """Brings the rows of a round up to its state; items and bets before these places are there already."""
    models.Round.objects.bulk_create(
        [round_row(place, state)], update_conflicts=True, unique_fields=["lane", "round"], update_fields=ROUND_FIELDS
    )
    models.RoundItem.objects.bulk_create(item_rows(place, state, items_from))
    changed: Sequence[int] = list(dict.fromkeys(bet.user_id for bet in state.bets[bets_from:]))
    models.RoundPlayer.objects.bulk_create(
        player_rows(place, [state.players[user_id] for user_id in changed]),
        update_conflicts=True,
        unique_fields=["lane", "round", "user_id"],
        update_fields=PLAYER_FIELDS,
    )
