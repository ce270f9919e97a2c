"""Signing one account in, with steampy's pieces.

A refresh token (about 200 days) gives new cookies without a password, a Guard code or a sign-in event; only without a good one
the password is used. steampy's own `login` hides why Steam says no, so its steps are taken one by one here and each answer's
``x-eresult`` is read. Whatever Steam answers, and whatever steampy makes of it, only our errors come out of here.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from steampy.client import SteamClient
from steampy.exceptions import ApiException, CaptchaRequired
from steampy.login import LoginExecutor
from steampy.models import SteamUrl

from bot_worker.steam import answers, transport
from shared import log, strict
from shared.errors import FleetError, NotSignedIn, SteamRefused, SteamUnavailable
from shared.strict import BadShape
from shared.trouble import place_of

COMMUNITY = "steamcommunity.com"
GUARD_CODE = 3
# Steam's own page sends no more of a password: ``replace(/[^\x00-\x7F]/g, '').slice(0, 64)`` (ArchiSteamFarm#2903).
PASSWORD_MAX = 64
# Where Steam's answer may lead us with a token in hand.
STEAM_HOSTS = ("steamcommunity.com", "steampowered.com", "steam.tv")

_log = log.get(__name__)


class WrongCode(SteamUnavailable):
    """Steam did not take the Guard code; the next one may do."""

    code = "wrong_code"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a signed-in session holds. ``issued`` and ``expires`` of the access token, unix s."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    issued: int
    expires: int


def renew(client: Any, steam_id: str, refresh_token: str) -> Tokens:
    """New cookies from a refresh token.

    Raises:
        NotSignedIn: the token is revoked or too old: sign in with the password.
        SteamUnavailable, SteamThrottled: Steam cannot do it now.
    """
    executor = _executor(client)
    executor.refresh_token = refresh_token
    try:
        client._session.post(SteamUrl.COMMUNITY_URL)  # gives the cookies sessionid and steamCountry
        answer = transport.read_json(executor._finalize_login())
        if not isinstance(answer, dict) or not answer.get("transfer_info"):
            raise NotSignedIn("Steam does not take the refresh token any more")
        return _finish(client, executor, answer, steam_id)
    except FleetError:
        raise
    except Exception as error:
        # Without the first page there is no cookie for the next step, and steampy says so by a KeyError.
        raise _not_understood(error, "a renewal") from error


def with_password(client: Any, steam_id: str, code: Callable[[], str]) -> Tokens:
    """Sign in with the password and a Guard code, which is asked for when Steam wants it: its first answer tells the time.

    Raises:
        WrongCode: the code was not taken.
        SteamRefused: repeating will not help; ``code`` and ``reason`` say why.
        SteamThrottled: too many sign-ins from this address.
        SteamUnavailable: Steam cannot do it now.
    """
    executor = _executor(client)
    client._session.cookies.set("steamRememberLogin", "true")
    try:
        begun = executor._send_login_request()
        session = _session(begun)
        if session is None:
            raise answers.sign_in_failure(transport.result_of(begun))
        _enter_code(executor, session, code())
        answer = transport.read_json(executor._finalize_login())
        if not isinstance(answer, dict) or not answer.get("transfer_info"):
            raise SteamUnavailable("Steam did not take its own refresh token")
        return _finish(client, executor, answer, steam_id)
    except FleetError:
        raise
    except Exception as error:
        raise _not_understood(error, "a sign-in") from error


def _not_understood(error: Exception, wanted: str) -> SteamUnavailable:
    """The error that stands for what a library raised; what a library does not raise on purpose is named by its place."""
    if isinstance(error, requests.RequestException):
        return SteamUnavailable(f"no answer while waiting for {wanted}")
    message = f"Steam answered something else than {wanted}"
    if isinstance(error, ApiException | CaptchaRequired | ValueError | KeyError):
        return SteamUnavailable(message)
    place = place_of(error)
    _log.warning("odd_answer", error=place)
    return SteamUnavailable(f"{message} ({place})")


def _executor(client: Any) -> Any:
    # A second sign-in on the same jar dies with CookieConflictError.
    client._session.cookies.clear()
    return LoginExecutor(client.username, client._password, client.steam_guard["shared_secret"], client._session)


def _enter_code(executor: Any, session: dict[str, str], code: str) -> None:
    form = {
        "client_id": session["client_id"],
        "steamid": session["steamid"],
        "code_type": GUARD_CODE,
        "code": code,
    }
    entered = executor._api_call("POST", "IAuthenticationService", "UpdateAuthSessionWithSteamGuardCode", params=form)
    result = transport.result_of(entered)
    if result in answers.WRONG_CODE_RESULTS:
        raise WrongCode(result=result)
    if result in answers.SIGN_IN_REFUSALS or result in answers.THROTTLE_RESULTS:
        raise answers.sign_in_failure(result)
    try:
        executor._pool_sessions_steam(session["client_id"], session["request_id"])
    except KeyError as error:
        # Polled too early, or the code was rejected (steampy#310 and others): one more try with the next code.
        raise WrongCode("Steam gave no refresh token") from error


def _session(answer: requests.Response) -> dict[str, str] | None:
    """The three ids of a sign-in that has begun; ``None`` where there is none, and the header says why."""
    data = transport.read_json(answer)
    response = data.get("response") if isinstance(data, dict) else None
    if not isinstance(response, dict) or "client_id" not in response:
        return None
    ids = {name: str(strict.whole(response.get(name), name, 0, 2**64)) for name in ("client_id", "steamid")}
    return {**ids, "request_id": strict.text(response.get("request_id"), "request_id")}


def _finish(client: Any, executor: Any, answer: dict[str, Any], steam_id: str) -> Tokens:
    """Fetch the cookies of every host and tell steampy's client that it is signed in."""
    _check_transfers(answer)
    try:
        executor._perform_redirects(answer)
        executor.set_sessionid_cookies()
        cookies = client._session.cookies
        access_token = _token(cookies.get("steamLoginSecure", domain=COMMUNITY), steam_id)
        refresh_token = _token(cookies.get("steamRefresh_steam", domain=COMMUNITY), steam_id)
    except KeyError as error:
        raise SteamUnavailable("Steam left out a cookie") from error
    # Error texts are recognised in English.
    cookies.set("Steam_Language", "english", domain=COMMUNITY, path="/")
    client.was_login_executed = True
    client.market._set_login_executed(client.steam_guard, client._get_session_id())
    client._access_token = access_token
    return Tokens(access_token, refresh_token, *token_times(access_token))


def _check_transfers(answer: dict[str, Any]) -> None:
    """Our tokens go to Steam's own hosts only.

    Raises:
        BadShape: the answer leads elsewhere, or is no such answer.
    """
    for each in strict.rows(answer["transfer_info"], "transfer_info"):
        transfer = strict.mapping(each, "transfer_info")
        strict.mapping(transfer.get("params"), "params")
        url = urlsplit(strict.text(transfer.get("url"), "url"))
        host = url.hostname or ""
        if url.scheme != "https" or not any(host == name or host.endswith(f".{name}") for name in STEAM_HOSTS):
            raise BadShape("url", "an address of Steam")


def _token(cookie: str | None, steam_id: str) -> str:
    owner, _, token = unquote(cookie or "").partition("||")
    if not token:
        raise SteamUnavailable("Steam gave a cookie without a token")
    if owner != steam_id:
        raise SteamRefused(
            "Steam signed in another account", code="wrong_account", reason="the vault's steam id is another account's"
        )
    return token


def token_times(token: str) -> tuple[int, int]:
    """When a JWT says that it was issued and expires, unix s; 0 where it does not. Only Steam's word counts, so no check."""
    parts = token.split(".")
    if len(parts) != 3:
        return 0, 0
    try:
        text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = strict.mapping(strict.parse_json(text, "claims"), "claims")
        return strict.moment(claims.get("iat", 0), "iat"), strict.moment(claims.get("exp", 0), "exp")
    except (binascii.Error, ValueError):
        return 0, 0


def as_steam_reads(password: str) -> str:
    """Of a password what Steam's own page sends of it."""
    return "".join(sign for sign in password if sign <= "\x7f")[:PASSWORD_MAX]


def new_client(account_name: str, password: str, steam_id: str, shared_secret: str, identity_secret: str) -> Any:
    """A steampy client that has not signed in. No API key: with one, Steam shows no CS2 offers."""
    password = as_steam_reads(password)
    guard = {"steamid": steam_id, "shared_secret": shared_secret, "identity_secret": identity_secret}
    # With more than these three keys steampy takes the text for a file name and dies of its length.
    return SteamClient("", username=account_name, password=password, steam_guard=json.dumps(guard))
