"""Rooms, rounds and bets as JSON for programs: the same facts as on pages, under the names of records."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from lottery.odds import Odds

from website.rooms import words
from website.rooms.models import Bet, LaneMessage, Round
from website.rooms.shown import Card, View


def fraction(value: Fraction | None) -> str | None:
    """Exactly: "137/1250"."""
    return None if value is None else f"{value.numerator}/{value.denominator}"


def card(found: Card) -> dict[str, Any]:
    return {
        "room": found.room,
        "title": found.title,
        "mode": found.mode,
        "state": found.words,
        "paused": found.paused or None,
        "rules": found.rules.rules,
        "round": None if found.row is None else head(found.row),
    }


def head(row: Round) -> dict[str, Any]:
    return {
        "room": row.room,
        "lane": row.lane,
        "round": row.round,
        "phase": row.phase,
        "version": row.version,
        "rules_hash": bytes(row.rules_hash).hex(),
        "pot_cents": row.pot_cents,
        "tickets": row.tickets,
        "items": row.items,
        "players": row.players,
        "time_start_ms": row.time_start_ms,
        "deadline_ms": row.deadline_ms,
        "closed_ms": row.closed_ms,
        "closed_by": row.closed_by or None,
        "sealed_ms": row.sealed_ms,
        "void_reason": row.void_reason or None,
    }


def round_of(found: View) -> dict[str, Any]:
    row = found.row
    return {
        **head(row),
        "seq": found.lane.seq,
        "state": found.words,
        "waits": found.trouble or None,
        "commitment": {"hash": bytes(row.hash).hex(), "salt": bytes(row.salt).hex(), "log": bytes(row.log).hex()},
        "house_edge": fraction(found.edge),
        "players_list": [_seat(seat) for seat in found.seats],
        "items_list": [_thing(thing) for thing in found.things],
        "guarantees": [{"item_no": each.item_id, "cents": each.price} for each in found.created.guarantees],
        "close": dict(found.close) or None,
        "secret": found.opened.get("open", {}).get("secret"),
        "late": row.late,
        "beacon": _beacon(found),
        "typed": [each._asdict() for each in found.numbers],
        "winners": [{"user_id": user_id, "ticket": ticket} for user_id, ticket in found.winners],
        "outcome": dict(found.outcome) or None,
        "outcome_hash": bytes(row.outcome_hash).hex() or None,
        "seal": bytes(row.seal).hex() or None,
    }


def _beacon(found: View) -> dict[str, Any] | None:
    event = found.opened.get("entropy")
    return None if event is None else {name: event[name] for name in ("source_round", "entropy", "proof")}


def _seat(seat: Any) -> dict[str, Any]:
    held = {"items": seat.items, "cents": seat.cents, "tickets": seat.tickets, "team": seat.team}
    return {"user_id": seat.user_id, "name": seat.name, "chance": fraction(seat.chance), **held}


def _thing(thing: Any) -> dict[str, Any]:
    owner = None if thing.seat is None else thing.seat.user_id
    tickets = {"first": thing.first, "last": thing.last}
    return {"place": thing.place, "user_id": owner, "name": thing.name, "cents": thing.cents, **tickets}


def odds(found: Odds) -> dict[str, Any]:
    """Cents and parts of one, each exactly."""
    exact = {name: fraction(getattr(found, name)) for name in ("chance", "due", "win", "expected", "edge")}
    return {**exact, "places": [fraction(each) for each in found.places], "approximate": found.approximate}


def closes(rows: Iterable[LaneMessage]) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        body = json.loads(row.body)
        found.append({"number": row.pk, "at_ms": row.at_ms, "lane": row.lane, **body})
    return found


def bet(row: Bet) -> dict[str, Any]:
    """A bet for its bettor."""
    told: dict[str, Any] = {
        "bet_id": row.bet_id,
        "address": f"/bets/{row.bet_id}",
        "lane": row.lane,
        "round": row.round,
        "state": row.state,
        "state_text": words.state(row.state),
        "answered": row.state in ANSWERED,
        "seen_cents": row.seen_cents,
        "team": row.team,
        "created_ms": row.created_ms,
        "receipt": json.loads(row.receipt) if row.receipt else None,
    }
    return told | (problem(row.code, json.loads(row.details)) if row.code else {})


ANSWERED = (Bet.PLACED, Bet.REFUSED, Bet.OVER)


def problem(code: str, details: dict[str, Any]) -> dict[str, Any]:
    said = words.refusal(code, details)
    return {"code": code, "detail": said.why, "accepted": said.accepted, "link": said.link or None, "accepts": details}
