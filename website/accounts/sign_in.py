"""There and back: a browser goes to Steam with a state that only it holds, and what it comes back with is believed last.

The state is in `return_to`, and in a cookie together with the page that the player wanted. So an answer of somebody else's, or
one that was asked for in another browser, proves nothing here; one that was used before neither (`SignInNonce`).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from fleet_client import openid
from website.accounts import referrals, services, steam, trade_links
from website.accounts.models import Player, SignInNonce

COOKIE = "sign-in"
SALT = "website.accounts.sign_in"
BEGUN_S = 900
"""So long somebody may take at Steam, to find a password and the phone."""
NONCES_MS = 3_600_000


@dataclass(frozen=True)
class Begun:
    """A sign-in of this browser that is under way."""

    state: str
    back: str


def begin(response: HttpResponseBase, back: str) -> str:
    """Gives the browser its state; where to send it."""
    state = openid.new_state()
    response.set_cookie(
        COOKIE,
        signing.dumps({"state": state, "back": back}, salt=SALT),
        max_age=BEGUN_S,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
        path=reverse("sign_in"),
    )
    return openid.login_url(return_to(state), settings.SITE_ADDRESS, steam.provider())


def begun(request: HttpRequest) -> Begun | None:
    """What this browser has begun; None when that is nothing, or too long ago."""
    try:
        kept = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=BEGUN_S)
    except signing.BadSignature:
        return None
    return Begun(kept["state"], kept["back"])


def ended(response: HttpResponseBase) -> None:
    response.delete_cookie(COOKIE, path=reverse("sign_in"), samesite="Lax")


def return_to(state: str) -> str:
    return f"{settings.SITE_ADDRESS}{reverse('sign_in_return')}?{urlencode({'state': state})}"


def vouched(query: str, begun: Begun, now_ms: int) -> int:
    """The Steam id that the answer in this query proves.

    Raises openid.SignInRefused, openid.SteamAway, steam.BusyError.
    """
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    claim = openid.check(openid.pairs_of(query), return_to(begun.state), now, steam.provider())
    return steam.confirm(claim, openid.question(claim, nonce_is_new=_remember(claim.nonce, now_ms)))


def _remember(nonce: str, now_ms: int) -> bool:
    """Whether it was never used; from now on it was, for every process."""
    SignInNonce.objects.filter(seen_ms__lt=now_ms - NONCES_MS).delete()
    try:
        with transaction.atomic():
            SignInNonce.objects.create(nonce=nonce, seen_ms=now_ms)
    except IntegrityError:
        return False
    return True


def player(request: HttpRequest, steam_id: int, now_ms: int) -> Player:
    """Who it is, new or not, with what Steam shows of them now."""
    shown = steam.profile(steam_id)
    found = services.register(steam_id, shown.name, now_ms, referrals.inviter(request.COOKIES.get(referrals.COOKIE, "")))
    services.saw(found, shown)
    if settings.SITE_SANDBOX_URL and not found.trade_url_sealed:
        _take_link_of_sandbox(found)
    return found


def _take_link_of_sandbox(found: Player) -> None:
    """In the demo nobody has to copy what the simulated Steam would show them; without it the player is asked, as anywhere."""
    with contextlib.suppress(trade_links.TradeLinkError):
        if link := steam.trade_url_in_sandbox(found.steam_id):
            trade_links.set_trade_url(found, link)
