"""What the hub of a web process reads. Everything here waits for the database, so it runs in the hub's threads."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lottery.state import Phase

from website.accounts.models import Player, PlayerSession
from website.engine.clock import wall_ms
from website.live.models import Mailbox, UserMessage
from website.live.window import KEPT, Told
from website.pages.templatetags import site
from website.rooms.models import Kind, Lane, LaneMessage, Round

NAMES_S = 60.0
ROUNDS_SHOWN = (Phase.GAME, Phase.TYPING, Phase.CLOSED, Phase.OPENED, Phase.DRAWN, Phase.FINALIZED)


@dataclass
class Names:
    """What messages say of people and kinds of items besides their numbers: `LaneMessage` follows from events only.

    Kept in memory; a name that was changed is seen a minute later.
    """

    _who: dict[int, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    _what: dict[int, tuple[float, dict[str, Any]]] = field(default_factory=dict)

    def who(self, user_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
        def read(ids: Collection[int]) -> dict[int, dict[str, Any]]:
            rows = Player.objects.filter(id__in=ids).only("id", "name", "pseudonym", "avatar")
            return {row.id: {"name": row.name, "look": site.look_of(row.id), **_picture(row)} for row in rows}

        return _kept(self._who, set(user_ids), read)

    def what(self, item_nos: Iterable[int]) -> dict[int, dict[str, Any]]:
        def read(ids: Collection[int]) -> dict[int, dict[str, Any]]:
            return {kind.id: _look(kind) for kind in Kind.objects.filter(id__in=ids)}

        return _kept(self._what, set(item_nos), read)


def _picture(row: Player) -> dict[str, Any]:
    return {"picture": site.avatar(row.picture)} if row.picture else {}


def _kept(kept: dict[int, tuple[float, dict[str, Any]]], ids: set[int], read: Any) -> dict[int, dict[str, Any]]:
    now = time.monotonic()
    old = [each for each in ids if each not in kept or kept[each][0] < now - NAMES_S]
    if old:
        kept.update({key: (now, value) for key, value in read(old).items()})
    return {each: kept[each][1] for each in ids if each in kept}


def _look(kind: Kind) -> dict[str, Any]:
    return {"name": kind.market_hash_name, "picture": site.picture(kind.icon_url), "rarity": site.rarity(kind.color)}


# ---- numbered channels


def lane(name: str, names: Names) -> tuple[int, list[Told]] | None:
    """A lane's number and its newest messages; None when there is no such lane."""
    seq = Lane.objects.filter(name=name).values_list("seq", flat=True).first()
    if seq is None:
        return None
    rows = LaneMessage.objects.filter(lane=name).order_by("-seq")[:KEPT]
    return seq, _lane_told(list(rows)[::-1], names)


def lane_after(name: str, seq: int, names: Names) -> list[Told]:
    """What a lane was told after a number, at most `KEPT` of it."""
    return _lane_told(list(LaneMessage.objects.filter(lane=name, seq__gt=seq).order_by("seq")[:KEPT]), names)


def mailbox(user_id: int) -> tuple[int, list[Told]]:
    seq = Mailbox.objects.filter(player=user_id).values_list("seq", flat=True).first() or 0
    rows = UserMessage.objects.filter(player=user_id).order_by("-seq")[:KEPT]
    return seq, [_told(f"user:{user_id}", row, json.loads(row.body)) for row in list(rows)[::-1]]


def mailbox_after(user_id: int, seq: int) -> list[Told]:
    rows = UserMessage.objects.filter(player=user_id, seq__gt=seq).order_by("seq")[:KEPT]
    return [_told(f"user:{user_id}", row, json.loads(row.body)) for row in rows]


def _lane_told(rows: list[LaneMessage], names: Names) -> list[Told]:
    bodies = [json.loads(row.body) for row in rows]
    who = names.who(body["user_id"] for body in bodies if "user_id" in body)
    of_items = [{} if row.lane.startswith("raffle-") else body for row, body in zip(rows, bodies, strict=True)]
    what = names.what(number for body in of_items for number in _kinds(body))
    return [_told(f"lane:{row.lane}", row, body, _about(body, who, what)) for row, body in zip(rows, bodies, strict=True)]


def _kinds(body: Mapping[str, Any]) -> set[int]:
    """Kinds of items that a message shows."""
    return {piece["item_id"] for part in ("items", "guarantees") for piece in body.get(part, ())}


def _about(body: Mapping[str, Any], who: Mapping[int, Any], what: Mapping[int, Any]) -> dict[str, Any]:
    user_id = body.get("user_id", 0)
    people = {str(user_id): who[user_id]} if user_id in who else {}
    things = {str(key): what[key] for key in sorted(_kinds(body)) if key in what}
    return ({"who": people} if people else {}) | ({"what": things} if things else {})


def _told(channel: str, row: LaneMessage | UserMessage, body: Any, about: Mapping[str, Any] | None = None) -> Told:
    said = {"ch": channel, "seq": row.seq, "at": row.at_ms, "kind": row.kind, "body": body, **(about or {})}
    return Told(row.seq, json.dumps(said, ensure_ascii=False, separators=(",", ":")))


# ---- the state of a room


def room(name: str) -> tuple[str, list[str]] | None:
    """What a card of the lobby shows of a room, as JSON, and its lanes; None when there is no such room."""
    lanes = list(Lane.objects.filter(room=name).order_by("name"))
    if not lanes:
        return None
    rounds = {each.lane: each for each in Round.objects.filter(room=name, phase__in=[phase.value for phase in ROUNDS_SHOWN])}
    shown = [_round(rounds[each.name]) for each in lanes if each.name in rounds]
    taking = next((each["lane"] for each in shown if each["phase"] == Phase.GAME.value), None)
    paused = {each.name: each.paused_why for each in lanes if each.state == Lane.PAUSED}
    said = {"ch": f"room:{name}", "is": "state", "lane": taking, "rounds": shown, "paused": paused}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")), [each.name for each in lanes]


def _round(row: Round) -> dict[str, Any]:
    counted = {"pot": row.pot_cents, "tickets": row.tickets, "items": row.items, "players": row.players}
    return {"lane": row.lane, "round": row.round, "phase": row.phase, "deadline_ms": row.deadline_ms, **counted}


# ---- what is looked at from time to time


@dataclass(frozen=True)
class Look:
    """How far what is watched has come, and which of the sessions are over."""

    lanes: Mapping[str, int]
    mailboxes: Mapping[int, int]
    over: frozenset[int]


def look(lanes: Collection[str], rooms: Collection[str], users: Collection[int], sessions: Collection[int]) -> Look:
    watched = Lane.objects.filter(name__in=lanes) | Lane.objects.filter(room__in=rooms)
    boxes = Mailbox.objects.filter(player__in=users) if users else Mailbox.objects.none()
    alive: set[int] = set()
    if sessions:
        alive = set(PlayerSession.objects.filter(id__in=sessions, expires_ms__gt=wall_ms()).values_list("id", flat=True))
    return Look(
        dict(watched.values_list("name", "seq")),
        dict(boxes.values_list("player_id", "seq")),
        frozenset(set(sessions) - alive),
    )
