"""What changes a player."""

from __future__ import annotations

import json

from django.db import transaction

from website.accounts.models import Player
from website.engine.models import Call
from website.live import hints


def register(steam_id: int, name: str, now_ms: int, inviter: Player | None = None) -> Player:
    """The player of a Steam account; the second time the same one. The fleet is told who they are."""
    with transaction.atomic():
        player, made = Player.objects.get_or_create(
            steam_id=steam_id, defaults={"name": name, "registered_ms": now_ms, "inviter": inviter}
        )
        if made:
            body = json.dumps({"steam_id": str(steam_id)})
            Call.objects.create(kind=Call.USER, ref=player.user_id, body=body, made_ms=now_ms)
            hints.work()
    return player
