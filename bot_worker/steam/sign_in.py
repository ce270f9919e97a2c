"""Signing one account in, with steampy's pieces.

A refresh token (about 200 days) gives new cookies without a password, a Guard code or a sign-in event; only without a good one
the password is used. steampy's own `login` hides why Steam says no, so its steps are taken one by one here and each answer's
``x-eresult`` is read.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import requests
from steampy.client import SteamClient
from steampy.exceptions import ApiException, CaptchaRequired
from steampy.login import LoginExecutor
from steampy.models import SteamUrl

from bot_worker.steam import answers, transport
from shared.errors import NotSignedIn, SteamRefused, SteamUnavailable

COMMUNITY = "steamcommunity.com"
GUARD_CODE = 3


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
    except requests.RequestException as error:
        raise SteamUnavailable("no answer while renewing the session") from error
    except (ValueError, KeyError) as error:
        # Without the first page there is no cookie for the next step, and steampy says so by a KeyError.
        raise SteamUnavailable("Steam answered something else than a renewal") from error


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
        session = _response(begun)
        if "client_id" not in session:
            raise answers.sign_in_failure(transport.result_of(begun))
        _enter_code(executor, session, code())
        answer = transport.read_json(executor._finalize_login())
        if not isinstance(answer, dict) or not answer.get("transfer_info"):
            raise SteamUnavailable("Steam did not take its own refresh token")
        return _finish(client, executor, answer, steam_id)
    except requests.RequestException as error:
        raise SteamUnavailable("no answer while signing in") from error
    except (ApiException, CaptchaRequired, ValueError, KeyError) as error:
        raise SteamUnavailable("Steam answered something else than a sign-in") from error


def _executor(client: Any) -> Any:
    # A second sign-in on the same jar dies with CookieConflictError.
    client._session.cookies.clear()
    return LoginExecutor(client.username, client._password, client.steam_guard["shared_secret"], client._session)


def _enter_code(executor: Any, session: dict[str, Any], code: str) -> None:
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


def _response(answer: requests.Response) -> dict[str, Any]:
    data = transport.read_json(answer)
    response = data.get("response") if isinstance(data, dict) else None
    return response if isinstance(response, dict) else {}


def _finish(client: Any, executor: Any, answer: dict[str, Any], steam_id: str) -> Tokens:
    """Fetch the cookies of every host and tell steampy's client that it is signed in."""
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
    claims = token_claims(access_token)
    return Tokens(access_token, refresh_token, int(claims.get("iat", 0)), int(claims.get("exp", 0)))


def _token(cookie: str | None, steam_id: str) -> str:
    owner, _, token = unquote(cookie or "").partition("||")
    if not token:
        raise SteamUnavailable("Steam gave a cookie without a token")
    if owner != steam_id:
        raise SteamRefused(
            "Steam signed in another account", code="wrong_account", reason="the vault's steam id is another account's"
        )
    return token


def token_claims(token: str) -> dict[str, Any]:
    """What a JWT says about itself; empty if it says nothing readable. Nobody's word but Steam's counts, so no check."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def new_client(account_name: str, password: str, steam_id: str, shared_secret: str, identity_secret: str) -> Any:
    """A steampy client that has not signed in. No API key: with one, Steam shows no CS2 offers."""
    guard = {"steamid": steam_id, "shared_secret": shared_secret, "identity_secret": identity_secret}
    # With more than these three keys steampy takes the text for a file name and dies of its length.
    return SteamClient("", username=account_name, password=password, steam_guard=json.dumps(guard))
