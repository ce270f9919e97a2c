"""Calls to the fleet: taken up, sent until they are answered, and the answer written with what follows from it.

A call was decided in a transaction before it is sent, and the fleet does each of them once by its ref. So it does not matter
who sends it, how often, or who dies in between: what counts is the answer, and every sender gets the same one.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import F, Q

from fleet_client import AsyncClient, answers, errors
from fleet_client.calls import Credit, Move, Take
from website.custody import services as custody
from website.engine import crash, saga
from website.engine.models import Call, Feed
from website.engine.unit import alarm
from website.rooms import orders
from website.rooms.models import TICKET_NAMES, Kind, Lane, Piece, unseen

CALLS_AT_ONCE = 50
PAUSE_FIRST_MS, PAUSE_MOST_MS = 200, 5_000
# Our key is not taken: that says nothing about the call, which may have been done before.
KEY_CODES = frozenset({"bad_key", "wrong_mode", "scope_missing"})


@dataclass(frozen=True)
class Outcome:
    """What became of one sending. `answer` is JSON; a refusal is final, "later" is not."""

    state: str
    answer: str = ""
    code: str = ""
    pause_ms: int = 0


# ---- taken up


def claim(now_ms: int) -> list[Call]:
    """Calls that are due, for this engine alone for a while: if it dies, another one sends them again."""
    close_old_connections()
    # What somebody put off further than anybody does had another clock.
    absurd = Q(next_try_ms__gt=now_ms + settings.SITE_CALL_MS + PAUSE_MOST_MS)
    due = Call.objects.filter(Q(next_try_ms__lte=now_ms) | absurd, state=Call.DUE)
    if not due.exists() or Feed.objects.filter(older_ms__isnull=False).exists():
        return []  # to a fleet that is older than we are nothing is sent until people have looked
    with transaction.atomic(durable=True):
        mine = due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        found = list(mine.order_by("next_try_ms", "id")[:CALLS_AT_ONCE])
        Call.objects.filter(id__in=[call.id for call in found]).update(
            next_try_ms=now_ms + settings.SITE_CALL_MS, tries=F("tries") + 1
        )
    for call in found:
        call.tries += 1
    return found


# ---- sent


async def send(fleet: AsyncClient, call: Call) -> Outcome:
    """One sending."""
    if call.kind == Call.LOCK:
        crash.at("bet.before_lock")
    try:
        said = await SENDERS[call.kind](fleet, call.ref, json.loads(call.body))
    except (errors.Unreachable, errors.AnswerLost, errors.UnexpectedAnswer) as error:
        return Outcome(Call.DUE, code=type(error).__name__, pause_ms=_pause_ms(call.tries))
    except errors.Problem as problem:
        return _refused(call, problem)
    crash.at("call.sent")
    if call.kind == Call.LOCK and call.ref.startswith("bet_"):
        crash.at("bet.after_lock")
    if call.kind == Call.UNLOCK:
        crash.at("unlock.answered")
    crash.at("call.answered")
    return Outcome(Call.DONE, json.dumps(said))


def _refused(call: Call, problem: errors.Problem) -> Outcome:
    if problem.error_code in KEY_CODES:
        return Outcome(Call.DUE, code=problem.error_code, pause_ms=PAUSE_MOST_MS)
    if isinstance(problem, errors.NotNow) or problem.retryable or problem.status >= 500:
        asked_ms = int((problem.retry_after_s or 0) * 1000)
        return Outcome(Call.DUE, code=problem.error_code, pause_ms=max(_pause_ms(call.tries), min(asked_ms, PAUSE_MOST_MS)))
    details = {"player_message": problem.player_message, "actor": problem.actor, **problem.more}
    return Outcome(Call.REFUSED, json.dumps(details), problem.error_code)


def _pause_ms(tries: int) -> int:
    return int(min(PAUSE_FIRST_MS * 2 ** min(tries - 1, 10), PAUSE_MOST_MS))


async def _lock(fleet: AsyncClient, ref: str, body: Mapping[str, Any]) -> dict[str, Any]:
    lock = await fleet.lock(
        ref, user_id=body["user_id"], deposit_ids=body["deposit_ids"], unsettled=body["unsettled"], note=body["note"]
    )
    return {"state": lock.state, "rows": [row_of_lock(row) for row in lock.rows]}


def row_of_lock(row: answers.LockRow) -> dict[str, Any]:
    """What is kept of an item that the fleet has bound."""
    return {
        "deposit_id": row.deposit_id,
        "item_id": row.item_id,
        "market_hash_name": row.market_hash_name,
        "icon_url": row.icon_url,
        "value_cents": row.value_cents,
        "settled": row.settled_at is not None,
    }


async def _unlock(fleet: AsyncClient, ref: str, _body: Mapping[str, Any]) -> dict[str, Any]:
    freed = await fleet.release(ref)
    return {"released": freed.released, "moved": freed.moved}


async def _transfer(fleet: AsyncClient, ref: str, body: Mapping[str, Any]) -> dict[str, Any]:
    done = await fleet.transfer(
        ref,
        locks=body["locks"],
        moves=[Move(*move) for move in body["moves"]],
        release=body["release"],
        credits=[Credit(*credit) for credit in body["credits"]],
    )
    lost = [{"deposit_id": row.deposit_id, "status": row.status, "reason": row.reason} for row in done.lost]
    return {"moved": done.moved, "released": done.released, "lost": lost, "credits": done.credits}


async def _user(fleet: AsyncClient, ref: str, body: Mapping[str, Any]) -> dict[str, Any]:
    await fleet.bind_user(ref, steam_id=body["steam_id"])
    return {}


async def _exchange(fleet: AsyncClient, ref: str, body: Mapping[str, Any]) -> dict[str, Any]:
    done = await fleet.exchange(
        ref,
        user_id=body["user_id"],
        give=body["give"],
        take=Take(**body["take"]),
        rest="credit",
        give_credit_cents=body["credit_cents"] or None,
        seen_cents=body["seen_cents"],
    )
    cents = {"value_in_cents": done.value_in_cents, "value_out_cents": done.value_out_cents, "rest_cents": done.rest_cents}
    return {"gave": done.gave, "took": done.took, "fee_cents": done.fee_cents, **cents}


async def _credit(fleet: AsyncClient, ref: str, body: Mapping[str, Any]) -> dict[str, Any]:
    done = await fleet.credit(ref, lines=[Credit(*line) for line in body["lines"]])
    return {"credits": done.credits}


SENDERS: Mapping[str, Callable[[AsyncClient, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]] = {
    Call.LOCK: _lock,
    Call.UNLOCK: _unlock,
    Call.TRANSFER: _transfer,
    Call.USER: _user,
    Call.EXCHANGE: _exchange,
    Call.CREDIT: _credit,
}


# ---- answered


def answered(outcomes: Mapping[int, Outcome], now_ms: int) -> str:
    """Writes what became of sendings of one lane's calls, by their ids, and what follows. The lane to be looked at now, if any.

    Under the lane's lock, as everything that concerns it. A second answer to the same call changes nothing.
    """
    close_old_connections()
    (lane_name,) = set(Call.objects.filter(id__in=outcomes).values_list("lane", flat=True))
    with transaction.atomic(durable=True):
        lane = Lane.objects.select_for_update().get(name=lane_name) if lane_name else None
        due = list(Call.objects.select_for_update().filter(id__in=outcomes, state=Call.DUE).order_by("id"))
        for call in due:
            _note(call, outcomes[call.id], now_ms)
        Call.objects.bulk_update(due, ["state", "answer", "code", "next_try_ms"])
        final = [call for call in due if call.state != Call.DUE]
        _follow(final, now_ms)
        if lane is not None and final:
            Lane.objects.filter(id=lane.id).update(next_at_ms=0)
    if any(call.kind == Call.LOCK and call.ref.startswith("bet_") for call in final):
        crash.at("bet.locked")
    return lane_name if final else ""


def _note(call: Call, outcome: Outcome, now_ms: int) -> None:
    """An answer that is final is kept; for any other the call is put off."""
    call.code = outcome.code
    if outcome.state != Call.DUE:
        call.state, call.answer = outcome.state, outcome.answer
        return
    call.next_try_ms = now_ms + outcome.pause_ms
    if outcome.code in KEY_CODES:
        text = f"the fleet does not take our key ({outcome.code}): calls wait for a good one"
        alarm("fleet_key", outcome.code, text, now_ms)


def _follow(final: list[Call], now_ms: int) -> None:
    know(
        [row for call in final if (call.kind, call.state) == (Call.LOCK, Call.DONE) for row in json.loads(call.answer)["rows"]]
    )
    saga.locked([call.ref for call in final if (call.kind, call.state) == (Call.LOCK, Call.DONE)], now_ms)
    for call in final:
        if call.kind in (Call.LOCK, Call.UNLOCK):
            saga.answered(call, now_ms)
        if call.kind == Call.TRANSFER and call.state == Call.DONE:
            _next_part(call)
            _tell_lost(call, now_ms)
        if call.kind == Call.EXCHANGE:
            custody.answered(call, now_ms)
        if call.kind == Call.CREDIT:
            orders.answered(call, now_ms)
        if call.state == Call.REFUSED and call.kind not in (Call.LOCK, Call.EXCHANGE):
            text = f"the fleet refuses {call.kind} {call.ref} ({call.code}): nothing is settled by itself, somebody has to look"
            alarm(f"{call.kind}_refused", call.ref, text, now_ms)


def know(rows: list[dict[str, Any]]) -> None:
    """Kinds and items get the numbers under which records name them; in one order, so that two lanes never wait in a ring."""
    if not rows:
        return
    kinds = {row["item_id"]: row for row in rows}
    for item_id in sorted(kinds):
        name = kinds[item_id]["market_hash_name"]
        if name in TICKET_NAMES:
            Kind.objects.filter(item_id=unseen(name)).update(item_id=item_id)
    Kind.objects.bulk_create(
        [
            Kind(item_id=each, market_hash_name=kinds[each]["market_hash_name"], icon_url=kinds[each]["icon_url"])
            for each in sorted(kinds)
        ],
        ignore_conflicts=True,
    )
    numbers = dict(Kind.objects.filter(item_id__in=kinds).values_list("item_id", "id"))
    Piece.objects.bulk_create(
        [
            Piece(deposit_id=row["deposit_id"], kind_id=numbers[row["item_id"]])
            for row in sorted(rows, key=lambda row: str(row["deposit_id"]))
        ],
        ignore_conflicts=True,
    )


def _next_part(call: Call) -> None:
    """Parts of a large round go out in order."""
    name, _, number = call.ref.rpartition(":")
    Call.objects.filter(kind=Call.TRANSFER, ref=f"{name}:{int(number) + 1}", state=Call.WAITS).update(state=Call.DUE)


def _tell_lost(call: Call, now_ms: int) -> None:
    lost = json.loads(call.answer)["lost"]
    if lost:
        text = f"rows of {call.ref} were handed over, but are not what they were; make them good: {json.dumps(lost)}"
        alarm("lost", call.ref, text, now_ms)
