"""What the fleet has bound for us against what we have in play, every minute: W8, and W9 by it.

What is under way is no difference: a lock that was asked for and not answered, or one that is being freed. The tables are read
before and after the fleet is asked, and a difference counts only if it stands after another look. Then it is an alarm with the
list, and lanes whose bets are bound to nothing are paused: the fleet may be older than we are (S9), and nothing is settled
as if it were not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import close_old_connections, transaction

from website.engine.models import Call, CustodyCheck
from website.engine.unit import alarm, end_alarms
from website.raffles import instances
from website.rooms.models import Bet, Guarantee, Lane, Piece, Round, RoundItem

KEPT_MS = 7 * 24 * 3_600_000
TOLD_MAX = 50
ABOUT = "locks"
BEFORE_PAYOUT = ("warmup", "game", "typing", "closed", "opened", "drawn")
"""Phases in which nothing of a round has moved or been freed yet."""


@dataclass(frozen=True)
class Ours:
    """What we have in play. `must`: refs that are bound for certain, with lane and items; `may`: those that are under way."""

    must: Mapping[str, tuple[str, frozenset[str]]]
    may: frozenset[str]
    in_rounds: Mapping[str, int] = field(default_factory=dict)  # lane → items in its pot, guarantees, and change for it
    twice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """One difference; `lane` where a lane's own items are not bound."""

    text: str
    lane: str = ""


def claim(now_ms: int) -> int | None:
    """The minute to look at, for this engine alone; None when somebody has taken it."""
    close_old_connections()
    minute_ms = now_ms // settings.SITE_RECONCILE_MS * settings.SITE_RECONCILE_MS
    with transaction.atomic(durable=True):
        return minute_ms if CustodyCheck.objects.get_or_create(at_ms=minute_ms)[1] else None


def ours() -> Ours:
    """What stands in the tables now."""
    close_old_connections()
    live = {(row.lane, row.round): row.phase for row in Round.objects.filter(sealed_ms=None)}
    freeing = set(Call.objects.filter(kind=Call.UNLOCK, state=Call.DUE).values_list("ref", flat=True))
    asked = set(Call.objects.filter(kind=Call.LOCK, state=Call.DUE).values_list("ref", flat=True))
    must: dict[str, tuple[str, frozenset[str]]] = {}
    may = freeing | asked
    for bet in Bet.objects.filter(state__in=(*Bet.OPEN, Bet.PLACED, Bet.UNLOCKING)):
        if bet.state == Bet.PLACED and live.get((bet.lane, bet.round)) in BEFORE_PAYOUT:
            must[bet.bet_id] = (bet.lane, frozenset(json.loads(bet.deposit_ids)))
        else:
            may.add(bet.bet_id)
    for row in Guarantee.objects.filter(state__in=(Guarantee.ASKED, Guarantee.BOUND)):
        if row.state == Guarantee.BOUND and live.get((row.lane, row.round)) in BEFORE_PAYOUT:
            must[row.ref] = (row.lane, frozenset(json.loads(row.deposit_ids)))
        else:
            may.add(row.ref)
    next_round = dict(Lane.objects.values_list("name", "round"))
    for call in _stock_calls(live, next_round):
        if live.get((call.lane, call.round)) in BEFORE_PAYOUT:
            must[call.ref] = (call.lane, frozenset(row["deposit_id"] for row in json.loads(call.answer)["rows"]))
        elif (call.lane, call.round) in live or call.round > next_round.get(call.lane, 0):
            may.add(call.ref)
    counts: Counter[str] = Counter()
    for lane, ids in must.values():
        counts[lane] += len(ids)
    return Ours(must, frozenset(may), counts, tuple(_twice(live)))


def _twice(live: Collection[tuple[str, int]]) -> list[str]:
    """W9: items that are in two rounds that are not over. Tickets of raffles are no items."""
    seen: Counter[int] = Counter()
    for lane, number in live:
        if instances.slot_of(lane) is not None:
            continue
        seen.update(RoundItem.objects.filter(lane=lane, round=number).values_list("number", flat=True))
    doubled = [number for number, count in seen.items() if count > 1]
    return sorted(Piece.objects.filter(id__in=doubled).values_list("deposit_id", flat=True))


def compare(before: Ours, held: Mapping[str, frozenset[str]], after: Ours) -> list[Found]:
    """What does not add up. `held`: the fleet's locks by ref, with the items that are under them. Pure."""
    known = before.must.keys() | before.may | after.must.keys() | after.may
    found = [
        Found(f"{ref} binds {len(held[ref])} items, and nothing that goes on has it") for ref in sorted(held.keys() - known)
    ]
    for ref in sorted(before.must.keys() & after.must.keys()):
        lane, ids = after.must[ref]
        if ref not in held:
            found.append(Found(f"{ref} is in play on {lane}, and the fleet has not bound it", lane))
        elif held[ref] != ids:
            lacks = ", ".join(sorted(ids ^ held[ref])[:TOLD_MAX])
            found.append(Found(f"{ref} of {lane} binds other items than were staked: {lacks}", lane))
    doubled = sorted(set(before.twice) & set(after.twice))
    return found + [Found(f"{deposit_id} is in two rounds that are not over") for deposit_id in doubled]


def _stock_calls(live: Mapping[tuple[str, int], str], newest: Mapping[str, int]) -> list[Call]:
    """What was bound for change in rounds that are not over or not made yet, and was not freed; never the whole past."""
    found: list[Call] = []
    for lane, number in newest.items():
        since = min((at for name, at in live if name == lane), default=number + 1)
        calls = Call.objects.filter(kind=Call.LOCK, lane=lane, round__gte=since, ref__startswith="stk_", state=Call.DONE)
        found += calls
    freed = Call.objects.filter(kind=Call.UNLOCK, ref__in=[call.ref for call in found])
    gone = set(freed.values_list("ref", flat=True))
    return [call for call in found if call.ref not in gone]


def keep(minute_ms: int, mine: Ours, held: Mapping[str, frozenset[str]], found: Sequence[Found], now_ms: int) -> None:
    """Writes down what a look has found, raises or ends the alarm, and pauses lanes whose own items are not bound."""
    close_old_connections()
    by_lane: Counter[str] = Counter()
    for ref, (lane, _) in mine.must.items():
        by_lane[lane] += len(held.get(ref, ()))
    lanes = {lane: {"in_rounds": mine.in_rounds[lane], "bound": by_lane[lane]} for lane in sorted(mine.in_rounds)}
    said = [each.text for each in found]
    with transaction.atomic(durable=True):
        CustodyCheck.objects.update_or_create(
            at_ms=minute_ms,
            defaults={
                "done_ms": now_ms,
                "items_in_rounds": sum(mine.in_rounds.values()),
                "items_bound": sum(by_lane.values()),
                "locks": len(mine.must),
                "under_way": len(mine.may),
                "lanes": json.dumps(lanes),
                "differences": json.dumps(said[:TOLD_MAX]),
                "count": len(said),
            },
        )
        CustodyCheck.objects.filter(at_ms__lt=now_ms - KEPT_MS).delete()
        for lane in sorted({each.lane for each in found if each.lane}):
            Lane.objects.filter(name=lane, state=Lane.OPEN).update(state=Lane.PAUSED, paused_why="custody")
        if said:
            alarm("custody", ABOUT, "; ".join(said[:TOLD_MAX]), now_ms)
        else:
            end_alarms("custody", ABOUT, now_ms)
