"""What changes rooms from outside the engine: a bet that a player wants, rules that are proposed and approved, lanes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from lottery import encoding
from lottery import rooms as rules_of_rooms
from lottery.bets import CLIENT_SEED_BYTES

from website.accounts.models import Player
from website.live import hints
from website.office.models import Staff
from website.rooms.models import Bet, Lane, RoomVersion

TOKEN_MAX = 64
ITEMS_MAX = 100


class BetError(Exception):
    """A bet that cannot even be kept; `code` is for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class TwoPeopleError(Exception):
    """Nobody approves what they have proposed themselves."""


@dataclass(frozen=True)
class Wanted:
    """What a player asks for. `token` is the form's own word: the same one is the same bet, however often it is sent."""

    lane: str
    round: int
    deposit_ids: Sequence[str]
    seen_cents: int
    token: str
    client_seed: str = ""
    team: int = 0


def place_bet(player: Player, wanted: Wanted, now_ms: int) -> Bet:
    """Writes down what a player wants; an engine decides. The same token again gives the same bet.

    Raises BetError for what is no bet at all, or for a token that was used for another one.
    """
    _check(wanted)
    try:
        with transaction.atomic():
            hints.work(wanted.lane)
            return Bet.objects.create(
                bet_id=f"bet_{uuid.uuid4().hex}",
                lane=wanted.lane,
                round=wanted.round,
                player=player,
                token=wanted.token,
                deposit_ids=json.dumps(list(wanted.deposit_ids)),
                team=wanted.team,
                client_seed=wanted.client_seed,
                seen_cents=wanted.seen_cents,
                created_ms=now_ms,
                touched_ms=now_ms,
            )
    except IntegrityError:
        return _again(player, wanted)


def _again(player: Player, wanted: Wanted) -> Bet:
    bet = Bet.objects.get(player=player, token=wanted.token)
    asked = (wanted.lane, wanted.round, list(wanted.deposit_ids), wanted.client_seed, wanted.team)
    if asked != (bet.lane, bet.round, json.loads(bet.deposit_ids), bet.client_seed, bet.team):
        raise BetError("token_reused", "This form was sent before, with other items.")
    return bet


def _check(wanted: Wanted) -> None:
    ids = wanted.deposit_ids
    if not 1 <= len(wanted.token) <= TOKEN_MAX:
        raise BetError("token", f"A token has 1 to {TOKEN_MAX} signs.")
    if not 1 <= len(ids) <= ITEMS_MAX or len(set(ids)) != len(ids):
        raise BetError("deposit_ids", f"1 to {ITEMS_MAX} items, each once.")
    if len(wanted.client_seed.encode()) > CLIENT_SEED_BYTES:
        raise BetError("client_seed", f"At most {CLIENT_SEED_BYTES} bytes.")
    if wanted.seen_cents < 0 or wanted.round < 1:
        raise BetError("number", "Cents and rounds are positive.")
    if not Lane.objects.filter(name=wanted.lane).exists():
        raise BetError("lane", "There is no such lane.")


# ---- rules


def draft(room: rules_of_rooms.Room, by: Staff, why: str, now_ms: int, not_before_ms: int = 0) -> RoomVersion:
    """The next version of a room's rules, for somebody else to approve."""
    with transaction.atomic():
        newest = RoomVersion.objects.filter(room=room.name).order_by("-version").first()
        return RoomVersion.objects.create(
            room=room.name,
            version=1 if newest is None else newest.version + 1,
            rules=encoding.canonical_json(room.rules).decode(),
            rules_hash=room.rules_hash,
            drafted_by=by,
            why=why,
            made_ms=now_ms,
            not_before_ms=not_before_ms,
        )


def approve(room: str, version: int, by: Staff) -> RoomVersion:
    """A second person lets a version be used, from the next round on. Once; a room's first one also makes its lanes.

    Raises TwoPeopleError, RoomVersion.DoesNotExist when there is no such draft.
    """
    with transaction.atomic():
        row = RoomVersion.objects.select_for_update().get(room=room, version=version, state=RoomVersion.DRAFT)
        if row.drafted_by_id == by.id:
            raise TwoPeopleError(f"version {version} of {room} is {by.username}'s own: a second person approves it")
        row.state, row.approved_by = RoomVersion.APPROVED, by
        row.save()
        names = [f"{room}-{letter}" for letter in "abcdefgh"[: settings.SITE_LANES_PER_ROOM]]
        Lane.objects.bulk_create([Lane(name=name, room=room) for name in names], ignore_conflicts=True)
    return row
