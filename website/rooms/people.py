"""Names and pictures for the numbers that events and messages have of players."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from website.accounts.models import Player


def people(user_ids: Iterable[int]) -> Mapping[int, str]:
    """What each of these players is called on pages. One question, whatever their number; who is not there has no entry."""
    wanted = set(user_ids)
    return dict(Player.objects.filter(id__in=wanted).values_list("id", "name")) if wanted else {}


def pictures(user_ids: Iterable[int]) -> Mapping[int, str]:
    """The pictures at Steam of those of these players who have one and go by their name there. One question, too."""
    wanted = set(user_ids)
    shown = Player.objects.filter(id__in=wanted, pseudonym="").exclude(avatar="") if wanted else Player.objects.none()
    return dict(shown.values_list("id", "avatar"))
