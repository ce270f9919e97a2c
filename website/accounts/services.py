"""What changes a player."""

from __future__ import annotations

import json

from django.db import transaction

from website.accounts import erasure, names
from website.accounts.models import Player
from website.accounts.steam import SteamProfile
from website.engine.models import Call
from website.live import hints


def register(steam_id: int, name: str, now_ms: int, inviter: Player | None = None) -> Player:
    """The player of a Steam account; the second time the same one. The fleet is told who they are.

    The inviter is fixed here, and counts only if registered earlier. Who has no name gets one.
    """
    if inviter is not None and inviter.registered_ms >= now_ms:
        inviter = None
    new = {"name": name or names.unknown(steam_id), "steam_name": name, "registered_ms": now_ms, "inviter": inviter}
    with transaction.atomic():
        player, made = Player.objects.get_or_create(steam_id=steam_id, defaults=new)
        if made:
            body = json.dumps({"steam_id": str(steam_id)})
            Call.objects.create(kind=Call.USER, ref=player.user_id, body=body, made_ms=now_ms)
            hints.work()
            erasure.carry_on(player, now_ms)
    return player


def saw(player: Player, shown: SteamProfile) -> None:
    """What Steam shows of a player now. What it does not show stays as it was."""
    player.steam_name = shown.name or player.steam_name
    player.avatar = shown.picture or player.avatar
    player.steam_level = player.steam_level if shown.level is None else shown.level
    player.steam_made_ms = player.steam_made_ms if shown.made_ms is None else shown.made_ms
    _name(player)
    player.save(update_fields=["name", "steam_name", "avatar", "steam_level", "steam_made_ms"])


def call(player: Player, pseudonym: str) -> None:
    """What others see instead of the name at Steam; "" for that name. Raises ValueError for one with nothing to be seen."""
    cleaned = names.clean(pseudonym)
    if pseudonym.strip() and not cleaned:
        raise ValueError("nothing of this name can be seen")
    player.pseudonym = cleaned
    _name(player)
    player.save(update_fields=["name", "pseudonym"])


def _name(player: Player) -> None:
    player.name = player.pseudonym or player.steam_name or names.unknown(player.steam_id)
