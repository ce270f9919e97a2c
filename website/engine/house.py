"""The house's part in a round: guarantees, and small pieces for change. Both are bound before the round is created.

Inside the lane's transaction. A round whose guarantees are not to be had is not created, and an alarm says why; change is
given of whatever there is.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from django.conf import settings
from lottery.commitments import Piece as HousePiece
from lottery.rooms import Room

from website.engine import saga, settlement
from website.engine.models import Call
from website.engine.unit import Unit, alarm, end_alarms
from website.rooms.models import Guarantee, Kind, Piece

ONE_PRIZE = ("giveaway", "raffle")
"""Modes whose rounds are about one item of the house, and cannot be without it."""


# ---- guarantees


def guarantees(unit: Unit, rules: Room, number: int) -> tuple[HousePiece, ...] | None:
    """What the house puts into the next round, bound; None while that is not so. Without anything set aside: nothing."""
    row = _of_round(unit, number) or _take_next(unit, number)
    if row is None:
        return _without(unit, rules)
    call = Call.objects.get(kind=Call.LOCK, ref=row.ref)
    if call.state == Call.DUE or row.state == Guarantee.REFUSED:
        return None
    pieces = _pieces(call) if call.state == Call.DONE else ()
    why_not = _why_not(call, pieces, len(json.loads(row.deposit_ids)), rules)
    if why_not:
        _refuse(unit, row, why_not)
        return None
    row.state = Guarantee.BOUND
    row.save(update_fields=["state"])
    end_alarms("no_prize", unit.lane.room, unit.now_ms)
    return pieces


def _why_not(call: Call, pieces: Sequence[HousePiece], count: int, rules: Room) -> str:
    """Why these pieces cannot be the guarantee of a round; empty when they can."""
    if call.state != Call.DONE:
        return call.code or call.state
    if len(pieces) != count:
        return "unpriced"
    return "not_one_prize" if rules.mode in ONE_PRIZE and count != 1 else ""


def _of_round(unit: Unit, number: int) -> Guarantee | None:
    mine = (Guarantee.ASKED, Guarantee.BOUND, Guarantee.REFUSED)
    return Guarantee.objects.filter(lane=unit.lane.name, round=number, state__in=mine).order_by("-id").first()


def _take_next(unit: Unit, number: int) -> Guarantee | None:
    """The oldest of the room that waits and is free: another lane of the room may be after the same one."""
    lane = unit.lane.name
    for row in Guarantee.objects.filter(room=unit.lane.room, state=Guarantee.WAITING).order_by("id"):
        if row.ref and not Call.objects.filter(kind=Call.UNLOCK, ref=row.ref, state=Call.DONE).exists():
            continue  # it comes back from a void round
        tried = Call.objects.filter(kind=Call.LOCK, lane=lane, round=number, ref__startswith="gua_").count()
        ref = guarantee_ref(lane, number, tried)
        waiting = Guarantee.objects.filter(id=row.id, state=Guarantee.WAITING)
        if waiting.update(state=Guarantee.ASKED, lane=lane, round=number, ref=ref):
            ask(unit, ref, json.loads(row.deposit_ids), number)
            return Guarantee.objects.get(id=row.id)
    return None


def _without(unit: Unit, rules: Room) -> tuple[HousePiece, ...] | None:
    if rules.mode not in ONE_PRIZE:
        return ()
    text = f"{unit.lane.room} has no prize for its next round: set one aside (manage.py stock guarantee)"
    alarm("no_prize", unit.lane.room, text, unit.now_ms)
    return None


def _refuse(unit: Unit, row: Guarantee, code: str) -> None:
    """A first sending may still be on its way, so what it would bind is freed too. Somebody drops it, and sets aside anew."""
    row.state, row.code = Guarantee.REFUSED, code
    row.save(update_fields=["state", "code"])
    saga.unlock(row.ref, row.lane, row.round, unit.now_ms)
    text = f"round {row.round} of {row.lane} is not created: its guarantee {row.id} cannot be bound ({code})"
    alarm("guarantee_refused", str(row.id), text, unit.now_ms)


def given(unit: Unit) -> None:
    """The round is settled: its guarantees belong to who has won them."""
    _bound(unit).update(state=Guarantee.GIVEN)


def freed(unit: Unit) -> None:
    """The round is void: its guarantees wait for another one, once the fleet has freed them."""
    _bound(unit).update(state=Guarantee.WAITING)


def let_go(unit: Unit, number: int) -> None:
    """A round that was about to be created is not wanted any more: what was asked for is freed, and waits for another one."""
    row = Guarantee.objects.filter(lane=unit.lane.name, round=number, state=Guarantee.ASKED).first()
    if row is None:
        return
    row.state = Guarantee.WAITING
    row.save(update_fields=["state"])
    saga.unlock(row.ref, row.lane, row.round, unit.now_ms)


def _bound(unit: Unit) -> Any:
    return Guarantee.objects.filter(lane=unit.lane.name, round=unit.place.number, state=Guarantee.BOUND)


# ---- change


def wants_stock(unit: Unit, rules: Room, number: int) -> bool:
    """Whether it has to be asked which pieces are free."""
    if rules.rake is None or not settings.SITE_STOCK_MAX:
        return False
    return not Call.objects.filter(kind=Call.LOCK, ref=stock_ref(unit.lane.name, number)).exists()


def stock(unit: Unit, rules: Room, number: int, free: Sequence[str]) -> tuple[HousePiece, ...] | None:
    """Pieces that may be given as change, bound; None: not yet known. `free`: the house's free pieces, if that was asked."""
    if rules.rake is None or not settings.SITE_STOCK_MAX:
        return ()
    lane, ref = unit.lane.name, stock_ref(unit.lane.name, number)
    call = Call.objects.filter(kind=Call.LOCK, ref=ref).first()
    if call is None:
        ids = share(free, set_aside() | asked_for())
        if ids:
            ask(unit, ref, ids, number)
        return None if ids else ()
    if call.state == Call.DONE:
        return _pieces(call)
    if call.state == Call.DUE:
        return None
    saga.unlock(ref, lane, number, unit.now_ms)
    return ()


def share(free: Sequence[str], promised: Collection[str]) -> list[str]:
    """What one round may bind of the house's free pieces, small and dear ones alike: the room's other lanes need change too."""
    return [each for each in free if each not in promised][:: settings.SITE_LANES_PER_ROOM][: settings.SITE_STOCK_MAX]


def set_aside() -> set[str]:
    """Deposits that are promised to a round as guarantees, or are in one."""
    rows = Guarantee.objects.filter(state__in=Guarantee.OPEN).values_list("deposit_ids", flat=True)
    return {deposit_id for text in rows for deposit_id in json.loads(text)}


def asked_for() -> set[str]:
    """Deposits of the house for which another lane has just asked: a lock takes all its rows or none."""
    due = Call.objects.filter(kind=Call.LOCK, state=Call.DUE, ref__startswith="stk_").values_list("body", flat=True)
    return {deposit_id for body in due for deposit_id in json.loads(body)["deposit_ids"]}


# ---- shared


def ask(unit: Unit, ref: str, ids: Sequence[str], number: int) -> None:
    """Decides on a lock over pieces of the house."""
    body = {"user_id": settlement.HOUSE, "deposit_ids": list(ids), "unsettled": False, "note": ref}
    lane, now_ms = unit.lane.name, unit.now_ms
    Call.objects.create(kind=Call.LOCK, ref=ref, body=json.dumps(body), lane=lane, round=number, made_ms=now_ms)


def locks(unit: Unit) -> dict[str, list[int]]:
    """Locks over pieces of the house in this round, and the numbers of their rows."""
    found = {row.ref: [piece.deposit_id for piece in unit.state.guarantees] for row in _bound(unit)}
    ref = stock_ref(unit.lane.name, unit.place.number)
    if Call.objects.filter(kind=Call.LOCK, ref=ref, state=Call.DONE).exists():
        found[ref] = [piece.deposit_id for piece in unit.state.stock]
    return found


def stock_ref(lane: str, number: int) -> str:
    return f"stk_{lane}_{number}"


def guarantee_ref(lane: str, number: int, tried: int = 0) -> str:
    """A ref that was refused or freed is never used again."""
    return f"gua_{lane}_{number}" + (f"_{tried + 1}" if tried else "")


def _pieces(call: Call) -> tuple[HousePiece, ...]:
    """What was locked of the house, as the core binds it; what nobody can value is not used."""
    rows = {row["deposit_id"]: row for row in json.loads(call.answer)["rows"]}
    numbers = dict(Piece.objects.filter(deposit_id__in=rows).values_list("deposit_id", "id"))
    kinds = dict(Kind.objects.filter(item_id__in={row["item_id"] for row in rows.values()}).values_list("item_id", "id"))
    valued = [(deposit_id, row) for deposit_id, row in rows.items() if row["value_cents"] is not None]
    return tuple(HousePiece(numbers[each], kinds[row["item_id"]], row["value_cents"]) for each, row in sorted(valued))
