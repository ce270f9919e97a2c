"""What is missing in a database that is older than what was committed before: by the marks, and by what the fleet knows (S20).

Nothing is rebuilt here and nothing is voided: a round that was drawn is not to be drawn again, and one whose secret was shown
is not to be played on. A lane that lies behind stays paused until two people say that its mark is wrong.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from fleet_client.answers import Lock
from website.engine.marks import Marks
from website.engine.models import Call
from website.rooms.models import Bet, Lane

AT_ONCE = 500
NOTE = re.compile(r"(?P<lane>[a-z0-9._-]+)/(?P<round>\d+)")
HOUSE = re.compile(r"(?:stk|gua)_(?P<lane>.+?)_(?P<round>\d+)(?:_\d+)?")
PAID = re.compile(r"round:(?P<lane>.+):(?P<round>\d+):\d+")


@dataclass(frozen=True)
class Missing:
    """One thing that the fleet did for a round and that stands nowhere here."""

    lane: str
    round: int
    ref: str
    what: str


def missing(locks: Sequence[Lock], transfers: Sequence[str]) -> list[Missing]:
    """What the fleet holds or has handed over for us, by refs that no call of ours has. Only these are looked up."""
    refs = [lock.ref for lock in locks]
    asked = {(Call.LOCK, ref) for ref in _known(Call.objects.filter(kind=Call.LOCK), "ref", refs)}
    asked |= {(Call.TRANSFER, ref) for ref in _known(Call.objects.filter(kind=Call.TRANSFER), "ref", transfers)}
    bets = _known(Bet.objects.all(), "bet_id", refs)
    found = []
    for lock in locks:
        named = NOTE.fullmatch(lock.note) if lock.ref.startswith("bet_") else HOUSE.fullmatch(lock.ref)
        if named and (Call.LOCK, lock.ref) not in asked and lock.ref not in bets:
            items = ", ".join(row.deposit_id for row in lock.rows)
            what = f"binds {items} of {lock.user_id}"
            found.append(Missing(named["lane"], int(named["round"]), lock.ref, what))
    for ref in transfers:
        paid = PAID.fullmatch(ref)
        if paid and (Call.TRANSFER, ref) not in asked:
            found.append(Missing(paid["lane"], int(paid["round"]), ref, "was handed over"))
    return sorted(found, key=lambda each: (each.lane, each.round, each.ref))


def _known(rows: QuerySet[Any], name: str, values: Sequence[str]) -> set[str]:
    """Which of these values stand in a column. In parts, as a statement takes only so many."""
    found: set[str] = set()
    for start in range(0, len(values), AT_ONCE):
        found.update(rows.filter(**{f"{name}__in": values[start : start + AT_ONCE]}).values_list(name, flat=True))
    return found


def note(found: Iterable[Missing], marks: Marks) -> list[str]:
    """A round that only the fleet knows is a mark too; lanes that lie behind by it."""
    newest: dict[str, int] = defaultdict(int)
    for each in found:
        newest[each.lane] = max(newest[each.lane], each.round)
    at = dict(Lane.objects.values_list("name", "round"))
    ahead = sorted(lane for lane, number in newest.items() if lane in at and number >= max(at[lane], 1))
    for lane in ahead:
        known = Lane.objects.get(name=lane)
        marks.note(lane, (max(newest[lane], known.round), max(known.seq + 1, marks.of(lane)[1])))
    return ahead
