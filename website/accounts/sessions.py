"""Who is signed in in which browser. The cookie holds a key that only the browser has; the table holds its hash."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.http import HttpResponseBase

from website.accounts.models import Player, PlayerSession

COOKIE = "player"
DAY_S = 86_400
SEEN_EVERY_MS = 60_000


def start(player: Player, agent: str, now_ms: int) -> str:
    """A new session; gives the key for the browser, which is kept nowhere else."""
    key = secrets.token_urlsafe(32)
    PlayerSession.objects.filter(expires_ms__lt=now_ms).delete()
    PlayerSession.objects.create(
        key_hash=_hashed(key),
        player=player,
        created_ms=now_ms,
        expires_ms=now_ms + settings.SITE_SIGNED_IN_DAYS * DAY_S * 1000,
        seen_ms=now_ms,
        agent=agent[:120],
    )
    return key


def find(key: str, now_ms: int) -> PlayerSession | None:
    """The session of a browser's key, unless it is over."""
    if not key:
        return None
    found = PlayerSession.objects.select_related("player").filter(key_hash=_hashed(key), expires_ms__gt=now_ms).first()
    if found is not None and found.seen_ms < now_ms - SEEN_EVERY_MS:
        PlayerSession.objects.filter(id=found.id).update(seen_ms=now_ms)
    return found


def end(session: PlayerSession) -> None:
    session.delete()


def end_all(player: Player) -> int:
    """Signs a player out everywhere; gives how many sessions there were."""
    return PlayerSession.objects.filter(player=player).delete()[0]


def remember(response: HttpResponseBase, key: str) -> None:
    """Gives the browser its key."""
    response.set_cookie(
        COOKIE,
        key,
        max_age=settings.SITE_SIGNED_IN_DAYS * DAY_S,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def forget(response: HttpResponseBase) -> None:
    response.delete_cookie(COOKIE, samesite="Lax")


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
