"""What operators set aside as guarantees of rounds to come. Binding it is the engine's affair (`engine.house`)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.db import transaction
from lottery.rounds import GUARANTEES_MAX

from website.engine import house
from website.engine.models import Call
from website.engine.unit import end_alarms
from website.office.models import Staff
from website.rooms.models import Guarantee, Lane, Round


class GuaranteeError(Exception):
    """These items cannot be set aside, or this guarantee cannot be dropped."""


def set_aside(room: str, deposit_ids: Sequence[str], by: Staff, why: str, now_ms: int) -> Guarantee:
    """These items of the house go into the next round of a room that has none yet. Raises GuaranteeError."""
    ids = list(deposit_ids)
    if not 1 <= len(ids) <= GUARANTEES_MAX or len(set(ids)) != len(ids):
        raise GuaranteeError(f"1 to {GUARANTEES_MAX} items, each once")
    with transaction.atomic():
        lanes = list(Lane.objects.select_for_update().filter(room=room).order_by("name"))
        if not lanes:
            raise GuaranteeError(f"there is no room {room}")
        taken = {each for row in Guarantee.objects.filter(state__in=Guarantee.OPEN) for each in json.loads(row.deposit_ids)}
        if doubled := sorted(taken & set(ids)):
            raise GuaranteeError(f"set aside already: {', '.join(doubled)}")
        if bound := sorted(_as_change() & set(ids)):
            raise GuaranteeError(f"bound as change by rounds that go on, free after them: {', '.join(bound)}")
        row = Guarantee.objects.create(room=room, deposit_ids=json.dumps(ids), set_aside_by=by, why=why, made_ms=now_ms)
        Lane.objects.filter(room=room).update(next_at_ms=0)
    return row


def _as_change() -> set[str]:
    """Deposits of the house that rounds have bound, or have asked for, to give change with."""
    now = dict(Lane.objects.values_list("name", "round"))
    over = Round.objects.filter(lane__in=now, round__in=now.values()).exclude(sealed_ms=None).values_list("lane", "round")
    places = {(name, number + more) for name, number in now.items() for more in (0, 1)} - set(over)
    refs = [house.stock_ref(*place) for place in places]
    asked = Call.objects.filter(kind=Call.LOCK, ref__in=refs, state__in=(Call.DUE, Call.DONE))
    return {each for call in asked for each in json.loads(call.body)["deposit_ids"]}


def drop(guarantee_id: int, now_ms: int) -> Guarantee:
    """A guarantee that waits, or was refused, is the house's free stock again. Raises GuaranteeError for any other."""
    with transaction.atomic():
        row = Guarantee.objects.filter(id=guarantee_id).first()
        list(Lane.objects.select_for_update().filter(room="" if row is None else row.room).order_by("name"))
        kept = Guarantee.objects.filter(id=guarantee_id, state__in=(Guarantee.WAITING, Guarantee.REFUSED))
        if not kept.update(state=Guarantee.DROPPED):
            raise GuaranteeError(f"guarantee {guarantee_id} does not wait, and was not refused")
        row = Guarantee.objects.get(id=guarantee_id)
        end_alarms("guarantee_refused", str(row.id), now_ms)
        Lane.objects.filter(room=row.room).update(next_at_ms=0)
    return row
