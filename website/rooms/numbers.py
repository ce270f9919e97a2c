"""Numbers of a draw before the camera: two operators type each of them, and neither sees what the other has typed."""

from __future__ import annotations

from django.db import transaction
from lottery.game import DIGITS_MAX
from lottery.sources import MANUAL_DIRECT

from website.live import hints
from website.office.models import Staff
from website.rooms import projections
from website.rooms.models import Lane, LaneEvent, Round, TypedNumber

EVIDENCE_MAX = 300
SEATS = 2


class NumberError(Exception):
    """This number is not to be typed now, by this person, or is none."""


def type_in(lane_name: str, number: int, digits: str, evidence: str, by: Staff, now_ms: int) -> TypedNumber:
    """Keeps what an operator has typed as number `number` (from 1) of the round that waits for numbers.

    An engine compares it with what the other has typed. The same again, while it waits, is the same. `evidence`: address and
    hash of the recording. Raises NumberError, Lane.DoesNotExist.
    """
    _check_form(digits, evidence)
    with transaction.atomic():
        lane = Lane.objects.select_for_update().get(name=lane_name)
        if not awaits_number(lane):
            raise NumberError(f"{lane_name} awaits no number now")
        due = 1 + LaneEvent.objects.filter(lane=lane_name, round=lane.round, kind="manual").count()
        if number != due:
            raise NumberError(f"number {due} of round {lane.round} is to be typed now, not {number}")
        row = _seat(lane, number, digits, evidence, by, now_ms)
        Lane.objects.filter(id=lane.id).update(next_at_ms=0)
        hints.work(lane_name)
    return row


def _seat(lane: Lane, number: int, digits: str, evidence: str, by: Staff, now_ms: int) -> TypedNumber:
    asked = {"lane": lane.name, "round": lane.round, "number": number}
    waiting = list(TypedNumber.objects.filter(**asked, state=TypedNumber.WAITING))
    mine = next((row for row in waiting if row.operator_id == by.id), None)
    if mine is not None and (mine.digits, mine.evidence) == (digits, evidence):
        return mine
    if mine is not None:
        raise NumberError(f"{by.username} has typed this number already, otherwise; when the two differ, both type again")
    if len(waiting) >= SEATS:
        raise NumberError("two have typed this number already")
    return TypedNumber.objects.create(**asked, operator=by, digits=digits, evidence=evidence, made_ms=now_ms)


def awaits_number(lane: Lane) -> bool:
    """Whether the newest round of a lane waits for a typed number."""
    row = Round.objects.filter(lane=lane.name, round=lane.round).first()
    if row is None or row.phase not in ("typing", "opened"):
        return False
    created = LaneEvent.objects.get(lane=lane.name, round=lane.round, number=1)
    rules = projections.event_of(created).rules  # type: ignore[union-attr]  # the first event creates the round
    return row.phase == "typing" or rules.source.code == MANUAL_DIRECT


def _check_form(digits: str, evidence: str) -> None:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX):
        raise NumberError(f"a number has 1 to {DIGITS_MAX} digits and nothing else")
    if not 1 <= len(evidence) <= EVIDENCE_MAX or not evidence.isprintable():
        raise NumberError(f"evidence is the address and hash of the recording, at most {EVIDENCE_MAX} signs")
