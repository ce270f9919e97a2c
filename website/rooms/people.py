"""Names for the numbers that events and messages have of players."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from website.accounts.models import Player


def people(user_ids: Iterable[int]) -> Mapping[int, str]:
    """What each of these players is called on pages. One question, whatever their number; who is not there has no entry."""
    wanted = set(user_ids)
    return dict(Player.objects.filter(id__in=wanted).values_list("id", "name")) if wanted else {}
