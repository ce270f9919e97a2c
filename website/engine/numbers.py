"""Numbers that two operators have typed, taken into their round: inside the lane's transaction."""

from __future__ import annotations

from lottery.errors import Refused
from lottery.events import Manual

from website.engine.unit import Unit
from website.rooms.models import TypedNumber


def take(unit: Unit) -> bool:
    """The next number, when both have typed the same. What differs, or is no number for this round, both type again."""
    number = len(unit.state.typed) + 1
    waiting = TypedNumber.objects.filter(
        lane=unit.lane.name, round=unit.place.number, number=number, state=TypedNumber.WAITING
    ).order_by("id")
    rows = list(waiting[:2])
    if len(rows) < 2:
        return False
    first, second = rows
    if (first.digits, first.evidence) != (second.digits, second.evidence):
        return _end(rows, TypedNumber.DIFFERS)
    operators = (first.operator_id, second.operator_id)
    try:
        unit.append(Manual(unit.time(), f"manual:{number}", first.digits, *operators, first.evidence))
    except Refused as no:
        return _end(rows, TypedNumber.REFUSED, no.code)
    _end(rows, TypedNumber.TAKEN)
    return True


def _end(rows: list[TypedNumber], state: str, code: str = "") -> bool:
    TypedNumber.objects.filter(id__in=[row.id for row in rows]).update(state=state, code=code)
    return False
