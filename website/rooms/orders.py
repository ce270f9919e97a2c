"""What operators have done to a round: proposed by one, agreed to by another, carried out by an engine."""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.db import transaction

from website.accounts.models import Player
from website.engine.models import Call
from website.engine.unit import end_alarms
from website.live import hints, post
from website.live.post import Letter
from website.office.models import Staff
from website.rooms.models import Lane, Order, Piece, Round
from website.rooms.services import TwoPeopleError

WHY_MAX = 200
VOIDABLE = ("warmup", "game", "typing")
FAILABLE = (*VOIDABLE, "closed", "void")


class OrderError(Exception):
    """This cannot be ordered, or not any more."""


def propose_void(lane: str, number: int, by: Staff, why: str, now_ms: int) -> Order:
    """That a round ends without a draw and everything goes back. Before its close only. Raises OrderError."""
    return _propose(Order.VOID, VOIDABLE, "a round that is not closed yet can be made void", (lane, number, by, why, now_ms))


def propose_fail(lane: str, number: int, by: Staff, why: str, now_ms: int) -> Order:
    """That a round whose secret is lost ends as the house's failure: everything goes back, and so does the lane end.

    An engine that still has the secret refuses it: after the close this would be a veto of who lost. Raises OrderError.
    """
    return _propose(Order.FAIL, FAILABLE, "a round that is not drawn yet can fail", (lane, number, by, why, now_ms))


def _propose(kind: str, phases: Sequence[str], may: str, asked: tuple[str, int, Staff, str, int]) -> Order:
    lane, number, by, why, now_ms = asked
    if not 1 <= len(why) <= WHY_MAX or not why.isprintable():
        raise OrderError(f"say why in 1 to {WHY_MAX} signs: it stands in the record")
    with transaction.atomic():
        at = Round.objects.filter(lane=lane, round=number).first()
        if at is None or at.phase not in phases:
            phase = "not there" if at is None else at.phase
            raise OrderError(f"round {number} of {lane} is {phase}: only {may}")
        return Order.objects.create(kind=kind, lane=lane, round=number, why=why, proposed_by=by, made_ms=now_ms)


def propose_make_good(lane: str, number: int, deposit_id: str, by: Staff, why: str, now_ms: int) -> Order:
    """That whoever was given an item which was lost on the way is credited what it was worth in the round, by its record.

    Each lost item once. Raises OrderError unless the fleet has said of this item that it was lost.
    """
    if not 1 <= len(why) <= WHY_MAX or not why.isprintable():
        raise OrderError(f"say why in 1 to {WHY_MAX} signs")
    with transaction.atomic():
        Lane.objects.select_for_update().filter(name=lane).first()
        taker = _lost(lane, number, deposit_id)
        if taker is None:
            raise OrderError(f"the fleet has not said that {deposit_id} of round {number} of {lane} was lost")
        player = Player.objects.filter(id=int(taker)).first() if taker.isdigit() else None
        if player is None:
            raise OrderError(f"{deposit_id} was given to {taker}: nobody has to be made good")
        again = Order.objects.filter(kind=Order.MAKE_GOOD, lane=lane, round=number, deposit_id=deposit_id)
        if again.exclude(state__in=(Order.DROPPED, Order.REFUSED)).exists():
            raise OrderError(f"{deposit_id} is being made good, or was")
        cents = _worth(lane, number, deposit_id)
        asked = {"lane": lane, "round": number, "deposit_id": deposit_id, "player": player, "cents": cents}
        return Order.objects.create(kind=Order.MAKE_GOOD, **asked, why=why, proposed_by=by, made_ms=now_ms)


def _lost(lane: str, number: int, deposit_id: str) -> str | None:
    """To whom a lost item of a round was given."""
    for call in Call.objects.filter(kind=Call.TRANSFER, lane=lane, round=number, state=Call.DONE):
        if deposit_id in {row["deposit_id"] for row in json.loads(call.answer)["lost"]}:
            return next(str(taker) for moved, _, taker in json.loads(call.body)["moves"] if moved == deposit_id)
    return None


def _worth(lane: str, number: int, deposit_id: str) -> int:
    """By the sealed record of its round. Raises OrderError while there is none."""
    row = Round.objects.filter(lane=lane, round=number).exclude(sealed_ms=None).first()
    if row is None:
        raise OrderError(f"round {number} of {lane} is not sealed yet")
    record = json.loads(bytes(row.record))
    piece = Piece.objects.get(deposit_id=deposit_id)
    rows = (*record["items"], *record["stock"], *record["guarantees"])
    return int(next(each["price"] for each in rows if each["deposit_id"] == piece.id))


def agree(order_id: int, by: Staff) -> Order:
    """A second person lets it happen. Raises TwoPeopleError, OrderError."""
    with transaction.atomic():
        row = Order.objects.select_for_update().filter(id=order_id, state=Order.PROPOSED).first()
        if row is None:
            raise OrderError(f"no order {order_id} waits for a second person")
        if row.proposed_by_id == by.id:
            raise TwoPeopleError(f"order {order_id} is {by.username}'s own: a second person agrees to it")
        row.state, row.agreed_by = Order.AGREED, by
        row.save(update_fields=["state", "agreed_by"])
        if row.kind == Order.MAKE_GOOD:
            body = {"lines": [[str(row.player_id), row.cents, "make_good"]]}
            asked = {"body": json.dumps(body), "made_ms": row.made_ms}
            Call.objects.get_or_create(kind=Call.CREDIT, ref=row.ref, defaults=asked)
        Lane.objects.filter(name=row.lane).update(next_at_ms=0)
        hints.work(row.lane)
    return row


def drop(order_id: int) -> Order:
    """It is not to happen any more. Raises OrderError."""
    with transaction.atomic():
        row = Order.objects.select_for_update().filter(id=order_id, state=Order.PROPOSED).first()
        if row is None:
            raise OrderError(f"no order {order_id} waits for a second person")
        row.state = Order.DROPPED
        row.save(update_fields=["state"])
    return row


def answered(call: Call, now_ms: int) -> None:
    """What the fleet has said of a credit, in the transaction in which its answer is kept."""
    for row in Order.objects.filter(kind=Order.MAKE_GOOD, state=Order.AGREED):
        if row.ref != call.ref:
            continue
        row.state = Order.DONE if call.state == Call.DONE else Order.REFUSED
        row.code = call.code
        row.save(update_fields=["state", "code"])
        if row.state == Order.DONE and row.player_id is not None:
            _all_good(row, now_ms)
            told = {"lane": row.lane, "round": row.round, "deposit": row.deposit_id, "cents": row.cents}
            post.send([Letter(row.player_id, "made_good", told)], now_ms)


def _all_good(row: Order, now_ms: int) -> None:
    """The alarm about a part of a payout ends when everything that it lost is made good."""
    good = Order.objects.filter(kind=Order.MAKE_GOOD, lane=row.lane, round=row.round, state=Order.DONE)
    made = set(good.values_list("deposit_id", flat=True))
    for call in Call.objects.filter(kind=Call.TRANSFER, lane=row.lane, round=row.round, state=Call.DONE):
        lost = {each["deposit_id"] for each in json.loads(call.answer)["lost"]}
        if lost and lost <= made:
            end_alarms("lost", call.ref, now_ms)
