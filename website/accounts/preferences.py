"""The language of a player: it goes along to every browser."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import get_language_from_request

from website.accounts.models import Player

YEAR_S = 365 * 86_400


def set_language(response: HttpResponseBase, player: Player, language: str) -> None:
    """From now on, here and wherever the player signs in. Raises ValueError for a language that the site does not have."""
    if language not in dict(settings.LANGUAGES):
        raise ValueError("no such language")
    player.language = language
    player.save(update_fields=["language"])
    _give(response, language)


def bring_language(request: HttpRequest, response: HttpResponseBase, player: Player) -> None:
    """At a sign-in: the player's own language; the first time, the one that this browser reads."""
    if player.language in dict(settings.LANGUAGES):
        _give(response, player.language)
    else:
        set_language(response, player, get_language_from_request(request))


def _give(response: HttpResponseBase, language: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME, language, max_age=YEAR_S, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )
