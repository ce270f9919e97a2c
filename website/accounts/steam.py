"""What is asked of Steam about who signs in: whether an answer is its own, and how the account is called.

Straight to the addresses of the settings: no redirect is followed, and no proxy of the environment is used.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings

from fleet_client import openid
from website.accounts import names

TIMEOUT_S = 5.0
TRIES = 2
AT_ONCE = 8
"""Sign-ins of this process that Steam is being asked about; more are told to come again, so that Steam never is flooded."""
PROFILE_MAX_BYTES = 65_536
MADE_MAX_S = 10**11
_asking = threading.BoundedSemaphore(AT_ONCE)
_log = logging.getLogger(__name__)


class BusyError(Exception):
    """Steam is being asked about as many sign-ins as may be."""


@dataclass(frozen=True)
class SteamProfile:
    """What Steam shows of an account to everybody. `level` and `made_ms` are None where it shows none.

    `made_ms` is when the account was made, `picture` a name of 40 digits.
    """

    name: str = ""
    picture: str = ""
    level: int | None = None
    made_ms: int | None = None


def provider() -> openid.Provider:
    base = settings.SITE_STEAM_URL
    return openid.Provider(f"{base}/openid/login", f"{base}/openid/id/")


def confirm(claim: openid.Claim, question: Mapping[str, str]) -> int:
    """The Steam id of whom Steam vouches for.

    Raises openid.SignInRefused where it says no, openid.SteamAway without a usable answer, BusyError.
    """
    if not _asking.acquire(blocking=False):
        raise BusyError
    try:
        return _confirm(claim, question)
    finally:
        _asking.release()


def _confirm(claim: openid.Claim, question: Mapping[str, str]) -> int:
    """A lost answer may have used the question up, as Steam answers each once: then the player has to begin again."""
    last: Exception = openid.SteamAway("Steam did not answer the sign-in.")
    for _ in range(TRIES):
        try:
            status, body = _ask("POST", provider().endpoint, openid.ANSWER_MAX_BYTES, data=dict(question))
            return int(openid.confirmed(claim, status, body.decode("utf-8", "replace")))
        except (httpx.HTTPError, httpx.InvalidURL, openid.SteamAway) as error:
            last = error
    raise openid.SteamAway("Steam did not answer the sign-in.") from last


def profile(steam_id: int) -> SteamProfile:
    """What Steam shows of an account; nothing of it where it does not answer. It needs a key of Steam's Web API.

    Sources: ISteamUser/GetPlayerSummaries (v2; `timecreated`, in seconds, is missing for private profiles),
    IPlayerService/GetSteamLevel (v1; the level is missing for private profiles); the key goes in the header `x-webapi-key`
    (partner.steamgames.com/doc/webapi_overview/auth), so it is in no address.
    """
    if not settings.SITE_STEAM_API_KEY:
        return SteamProfile()
    said = _read("ISteamUser/GetPlayerSummaries/v2/", {"steamids": str(steam_id)})
    players = said.get("players")
    player = players[0] if isinstance(players, list) and players and isinstance(players[0], dict) else {}
    name, picture = player.get("personaname"), player.get("avatarhash")
    made = player.get("timecreated")
    level = _read("IPlayerService/GetSteamLevel/v1/", {"steamid": str(steam_id)}).get("player_level")
    return SteamProfile(
        name=names.clean(name) if isinstance(name, str) else "",
        picture=picture if isinstance(picture, str) and _is_picture(picture) else "",
        level=level if type(level) is int and 0 <= level <= 100_000 else None,
        made_ms=made * 1000 if type(made) is int and 0 < made <= MADE_MAX_S else None,
    )


def trade_url_in_sandbox(steam_id: int) -> str:
    """What the simulated Steam knows of one of its players; empty where it does not say. The real Steam tells nobody."""
    try:
        status, body = _ask("GET", f"{settings.SITE_SANDBOX_URL}/control/accounts/{steam_id}", PROFILE_MAX_BYTES)
        said = httpx.Response(status, content=body).json() if status == 200 else {}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError):
        return ""
    link = said.get("trade_url") if isinstance(said, dict) else None
    return link if isinstance(link, str) else ""


def _is_picture(text: str) -> bool:
    return len(text) == 40 and set(text) <= set("0123456789abcdef")


def _read(method: str, parameters: dict[str, str]) -> dict[str, Any]:
    try:
        status, body = _ask(
            "GET",
            f"{settings.SITE_STEAM_API_URL}/{method}",
            PROFILE_MAX_BYTES,
            params=parameters,
            headers={"x-webapi-key": settings.SITE_STEAM_API_KEY},
        )
        said = httpx.Response(status, content=body).json() if status == 200 else {}
        response = said.get("response") if isinstance(said, dict) else None
        return response if isinstance(response, dict) else {}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
        _log.warning("Steam does not tell %s: %s", method, type(error).__name__)
        return {}


def _ask(method: str, address: str, most: int, **more: Any) -> tuple[int, bytes]:
    """Status and the first bytes of the answer."""
    with (
        httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
        client.stream(method, address, **more) as answer,
    ):
        body = b""
        for part in answer.iter_bytes(4096):
            body += part
            if len(body) >= most:
                break
        return answer.status_code, body[:most]
