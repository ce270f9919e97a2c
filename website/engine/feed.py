"""The fleet's events, read in order; each has its effect once, in the transaction that moves the reader on (W10)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import close_old_connections, transaction

from fleet_client.answers import Event
from website.accounts.models import Player
from website.care import gate
from website.care.gate import Line
from website.custody import holds
from website.engine import crash
from website.engine.models import Call, Feed
from website.engine.unit import alarm
from website.live import post
from website.live.post import Letter

READER = "site"
OURS = re.compile(r"(bet_[0-9a-f]{32}|stk_.+_\d+|gua_.+_\d+|exc_[0-9a-f]{32}|round:.+:\d+:\d+|mkg:.+:\d+:.+)")
CALL_OF = {
    "items_locked": Call.LOCK,
    "items_unlocked": Call.UNLOCK,
    "items_transferred": Call.TRANSFER,
    "items_exchanged": Call.EXCHANGE,
    "credits_posted": Call.CREDIT,
}

MONEY = ("items_exchanged", "credits_posted")
"""Of these nothing is rebuilt when the database comes back older: somebody is told of each."""


def position() -> int:
    """How far the feed was taken."""
    close_old_connections()
    return Feed.objects.get_or_create(reader=READER)[0].after


def identity(event: Event) -> str:
    """What an event is told apart by from another one under its number."""
    # Not the user: who is forgotten has another name in old events, and no fleet is older by that.
    about = event.trade_id or event.data.get("ref") or event.bot or ""
    return f"{event.at.isoformat()}|{event.kind}|{about}"[:180]


def saw_mode(livemode: bool | None) -> None:
    """What an answer of the fleet said of it: whether it is live, or tests. What says nothing changes nothing."""
    if livemode is None:
        return
    close_old_connections()
    Feed.objects.filter(reader=READER).exclude(livemode=livemode).update(livemode=livemode)


def brought_in(events: Sequence[Event]) -> list[str]:
    """The deposits that came in by these events: what they are worth is asked before they are applied."""
    return sorted({deposit_id for event in events for deposit_id in _brought(event.data)})


def take(events: Sequence[Event], worth: Mapping[str, int], after: int, next_after: int, now_ms: int) -> int:
    """Applies a stretch of the feed that was read behind `after`; where the reader stands then.

    `worth`: cents of what was brought in. If another engine was faster, nothing is done: the stretch is read again from there.
    """
    close_old_connections()
    with transaction.atomic(durable=True):
        feed = Feed.objects.select_for_update().get(reader=READER)
        if feed.after != after:
            return feed.after
        for event in events:
            _apply(event, worth, feed.known_to, now_ms)
        feed.after = next_after
        if events:
            feed.seen = f"{events[-1].number}|{identity(events[-1])}"
        feed.save(update_fields=["after", "seen"])
        post.send([letter for event in events for letter in _letters(event, worth)], now_ms)
        crash.at("feed.before_commit")
    crash.at("feed.after_commit")
    return next_after


def _apply(event: Event, worth: Mapping[str, int], known_to: int, now_ms: int) -> None:
    if _brought(event.data):
        _deposited(event, worth)
    elif _failed(event.data):
        _not_deposited(event)
    elif event.kind == "partner_blocked":
        _blocked(event, now_ms)
    elif event.kind in CALL_OF and (event.number > known_to or event.kind in MONEY):
        _check_ours(event, now_ms)


def _player(event: Event) -> Player | None:
    """The player that an event is about; None for the house and for users whom another site would have."""
    user_id = event.user_id or ""
    return Player.objects.filter(id=int(user_id)).first() if user_id.isascii() and user_id.isdigit() else None


def _deposited(event: Event, worth: Mapping[str, int]) -> None:
    """What a player brought in is theirs from now on; the first time makes the link of who invited them active."""
    player = _player(event)
    if player is None:
        return
    at_ms = int(event.at.timestamp() * 1000)
    if player.first_deposit_ms is None:
        Player.objects.filter(id=player.id, first_deposit_ms=None).update(first_deposit_ms=at_ms)
    brought = _brought(event.data)
    gate.note([Line(player.id, at_ms, "deposit", worth.get(each, 0), "", f"deposit:{each}") for each in brought])
    holds.came(player.id, event.trade_id or "", sum(worth.get(each, 0) for each in brought))


def _not_deposited(event: Event) -> None:
    """A deposit comes to nothing: it counts for no limit any more."""
    player = _player(event)
    if player is not None:
        holds.over(player.id, event.trade_id or "")


def _failed(data: Mapping[str, Any]) -> bool:
    """Whether deposits that were on their way are not, and did not come in."""
    rows = [row for row in data.get("deposits") or [] if isinstance(row, dict)]
    return any(row.get("from") == "deposit_pending" and row.get("to") != "active" for row in rows)


def _letters(event: Event, worth: Mapping[str, int]) -> list[Letter]:
    """What the player is told of an event."""
    player = _player(event)
    if player is None:
        return []
    if event.kind == "partner_blocked":
        return [Letter(player.id, "blocked", {"reason": str(event.data.get("reason") or "")[:200]})]
    found = {
        "deposit_arrived": _changed(event.data, "deposit_pending", "active"),
        "deposit_settled": _changed(event.data, "active", "active") if event.kind == "settled" else [],
        "withdrawal_done": _changed(event.data, "withdraw_pending", "withdrawn"),
    }
    letters = []
    for kind, ids in found.items():
        told: dict[str, Any] = {"deposits": ids, "trade": event.trade_id or ""}
        if kind == "deposit_arrived":
            told["cents"] = sum(worth.get(each) or 0 for each in ids)
        letters += [Letter(player.id, kind, told)] if ids else []
    return letters


def _brought(data: Mapping[str, Any]) -> list[str]:
    """Deposits that are in custody from this event on."""
    return _changed(data, "deposit_pending", "active")


def _changed(data: Mapping[str, Any], before: str, after: str) -> list[str]:
    rows = data.get("deposits") or []
    changed = [row for row in rows if isinstance(row, dict)]
    return [str(row["deposit_id"]) for row in changed if (row.get("from"), row.get("to")) == (before, after)]


def _blocked(event: Event, now_ms: int) -> None:
    """Whom the fleet trusts no more places no bet until somebody has looked; withdrawals are the fleet's affair."""
    player = _player(event)
    if player is not None:
        why = str(event.data.get("reason") or "blocked by the fleet")
        Player.objects.filter(id=player.id, blocked_why="").update(blocked_why=why[:200])
        alarm("player_blocked", player.user_id, f"the fleet has blocked player {player.id}: {why}", now_ms)


def _check_ours(event: Event, now_ms: int) -> None:
    """A ref of our form that we never asked for: this database is older than the fleet's, or somebody plays us."""
    ref = str(event.data.get("ref", ""))
    if OURS.fullmatch(ref) and not Call.objects.filter(kind=CALL_OF[event.kind], ref=ref).exists():
        alarm("unknown_ref", ref, f"the fleet did {event.kind} for {ref}, which stands nowhere here", now_ms)
