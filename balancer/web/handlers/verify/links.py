"""Addresses of the verify pages, and their cookies."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from aiohttp import web

from shared.settings import Settings

SESSION_COOKIE = "fleet_player"
STATE_COOKIE = "fleet_sign_in"
OFFER_URL = "https://steamcommunity.com/tradeoffer/{offer_id}/"


def base_of(settings: Settings) -> str:
    """The path in front of ours, when the site serves us below one."""
    return urlsplit(settings.balancer.site_url).path.rstrip("/")


def return_to(settings: Settings, state: str) -> str:
    """Where Steam sends the browser back to; the state stands in it, so Steam's signature covers it."""
    return f"{settings.balancer.site_url.rstrip('/')}/verify/signed-in?state={state}"


def page_of(settings: Settings, token: str) -> str:
    return f"{base_of(settings)}/verify/{quote(token, safe='')}"


def sign_in_of(settings: Settings, token: str) -> str:
    return f"{page_of(settings, token)}/sign-in"


def set_cookie(settings: Settings, response: web.StreamResponse, name: str, value: str, age_s: float) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(age_s),
        path=base_of(settings) + "/verify",
        secure=settings.balancer.site_url.startswith("https:"),
        httponly=True,
        samesite="Lax",
    )
