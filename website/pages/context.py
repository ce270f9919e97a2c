"""What every page knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest

from website.accounts.middleware import player_of
from website.accounts.models import Player
from website.custody import worth
from website.pages import calm
from website.pages import guide as guides


def of_the_site(request: HttpRequest) -> dict[str, Any]:
    try:
        player = player_of(request)
    except (OperationalError, InterfaceError):  # the page that says so is made all the same
        player = None
    return {
        "site_name": settings.SITE_NAME,
        "site_address": settings.SITE_ADDRESS,
        "player": player,
        "in_custody": None if player is None else worth.known(player),
        "calm": calm.is_calm(request),
        "guide": lambda: _guide(player),  # asked for when the page shows it
    }


def _guide(player: Player | None) -> list[guides.Step]:
    try:
        return guides.steps(player)
    except (OperationalError, InterfaceError):
        return []
