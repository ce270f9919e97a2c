"""`request.player` and `request.player_session`: who asks, or None. Looked up when somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.http import urlencode

from website.accounts import sessions
from website.accounts.models import Player, PlayerSession
from website.engine.clock import wall_ms


def signed_in_player(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Works in both worlds, so that an asynchronous view does not cost a thread."""

    def middleware(request: HttpRequest) -> Any:
        _look_up(request)
        return get_response(request)

    async def waiting(request: HttpRequest) -> Any:
        _look_up(request)
        return await get_response(request)

    if not iscoroutinefunction(get_response):
        return middleware
    return markcoroutinefunction(waiting)


signed_in_player.sync_capable = True  # type: ignore[attr-defined]
signed_in_player.async_capable = True  # type: ignore[attr-defined]


def _look_up(request: HttpRequest) -> None:
    key = request.COOKIES.get(sessions.COOKIE, "")
    request.player_session = SimpleLazyObject(lambda: sessions.find(key, wall_ms()))  # type: ignore[attr-defined]


def session_of(request: HttpRequest) -> PlayerSession | None:
    """The session of this browser, or None. It asks the database once a request."""
    found = request.player_session  # type: ignore[attr-defined]
    return found if found else None


def player_of(request: HttpRequest) -> Player | None:
    session = session_of(request)
    return None if session is None else session.player


def players_only(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page for who is signed in; others are led to sign in, and from there back to it. Gives the view the player."""

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        player = player_of(request)
        if player is None:
            back = request.get_full_path() if request.method == "GET" else "/"
            return redirect(f"{reverse('sign_in')}?{urlencode({'next': back})}")
        return view(request, player, *arguments, **named)

    return guarded
