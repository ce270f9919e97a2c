"""What deposits that are under way count for a player's limit of deposits, until they have come in or are over.

A hold stands on the errand, is written under the player's profile, and ends with the event of the fleet that ends its trade.
What cannot be told ends by itself: until then the limit is tighter than it has to be, never wider.
"""

from __future__ import annotations

import json

from django.db.models import Sum

from website.custody.models import Errand, SteamInventory

HOLD_MS = 6 * 3_600_000
"""Longer than an offer can be open."""


def worth(player_id: int, asset_ids: list[str]) -> int | None:
    """What these items on Steam were worth as the page showed them; None when one of them was not there."""
    kept = SteamInventory.objects.filter(player=player_id).values_list("items", flat=True).first()
    known = {row["id"]: row["cents"] or 0 for row in json.loads(kept or "[]")}
    return sum(known[each] for each in asset_ids) if set(asset_ids) <= set(known) else None


def pending(player_id: int, now_ms: int) -> int:
    """Cents that may still come in by what was asked for."""
    asked = Errand.objects.filter(player=player_id, kind=Errand.DEPOSIT, made_ms__gt=now_ms - HOLD_MS)
    held = asked.exclude(state=Errand.REFUSED).aggregate(cents=Sum("held_cents", default=0))
    return int(held["cents"])


def came(player_id: int, trade_id: str, cents: int) -> None:
    """So much of a deposit came in: it stands in the player's log now."""
    errand = _of(player_id, trade_id)
    if errand is not None:
        left = 0 if len(json.loads(errand.trades)) == 1 else max(0, errand.held_cents - cents)
        Errand.objects.filter(id=errand.id).update(held_cents=left)


def over(player_id: int, trade_id: str) -> None:
    """Nothing comes of a trade. What one of several was worth nobody has said: their hold ends by itself."""
    errand = _of(player_id, trade_id)
    if errand is not None and len(json.loads(errand.trades)) == 1:
        Errand.objects.filter(id=errand.id).update(held_cents=0)


def _of(player_id: int, trade_id: str) -> Errand | None:
    held = Errand.objects.filter(player=player_id, kind=Errand.DEPOSIT, held_cents__gt=0)
    return next((each for each in held if trade_id in json.loads(each.trades)), None)
