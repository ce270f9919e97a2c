"""The hand of an operator on a lane: no new round, or go on."""

from __future__ import annotations

from django.db import transaction

from website.engine.models import Alarm, Call
from website.rooms.models import Lane


def pause(name: str, why: str) -> None:
    """The round that goes on ends as it would; bets are refused and no other round begins. Raises Lane.DoesNotExist."""
    with transaction.atomic():
        lane = Lane.objects.select_for_update().get(name=name)
        lane.state, lane.paused_why = Lane.PAUSED, why[:200]
        lane.save(update_fields=["state", "paused_why"])


def resume(name: str, now_ms: int) -> None:
    """What the fleet refused to move is tried again: somebody has looked, and has put right what was wrong there.

    Raises Lane.DoesNotExist.
    """
    with transaction.atomic():
        lane = Lane.objects.select_for_update().get(name=name)
        lane.state, lane.paused_why, lane.next_at_ms = Lane.OPEN, "", 0
        lane.save(update_fields=["state", "paused_why", "next_at_ms"])
        refused = Call.objects.filter(lane=name, kind=Call.TRANSFER, state=Call.REFUSED)
        about = list(refused.values_list("ref", flat=True))
        refused.update(state=Call.DUE, next_try_ms=0, tries=0)
        Alarm.objects.filter(about__in=about, ended_ms=None).update(ended_ms=now_ms)
