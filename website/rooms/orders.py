"""What operators have done to a round that goes on: proposed by one, agreed to by another, carried out by an engine."""

from __future__ import annotations

from django.db import transaction

from website.live import hints
from website.office.models import Staff
from website.rooms.models import Lane, Order, Round
from website.rooms.services import TwoPeopleError

WHY_MAX = 200
VOIDABLE = ("warmup", "game", "typing")


class OrderError(Exception):
    """This cannot be ordered, or not any more."""


def propose_void(lane: str, number: int, by: Staff, why: str, now_ms: int) -> Order:
    """That a round ends without a draw and everything goes back. Before its close only. Raises OrderError."""
    if not 1 <= len(why) <= WHY_MAX or not why.isprintable():
        raise OrderError(f"say why in 1 to {WHY_MAX} signs: it stands in the record")
    with transaction.atomic():
        at = Round.objects.filter(lane=lane, round=number).first()
        if at is None or at.phase not in VOIDABLE:
            phase = "not there" if at is None else at.phase
            raise OrderError(f"round {number} of {lane} is {phase}: only a round that is not closed yet can be made void")
        return Order.objects.create(kind=Order.VOID, lane=lane, round=number, why=why, proposed_by=by, made_ms=now_ms)


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
