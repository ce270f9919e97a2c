"""Signing in through Steam: OpenID 2.0, and nothing of it believed that Steam did not sign for us just now.

The order of the checks, and each of them, answers a mistake that sites really made (an endpoint taken from the answer, a
claimed id read from an unsigned field, ``is_valid:true`` searched as a part of the text, answers played twice). All checks of
the answer itself are pure and come before any request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import aiohttp

from shared.domain.ids import SteamId
from shared.errors import FleetError, Forbidden, SteamUnavailable

NS = "http://specs.openid.net/auth/2.0"
SELECT = "http://specs.openid.net/auth/2.0/identifier_select"
SIGNED = "signed,op_endpoint,claimed_id,identity,return_to,response_nonce,assoc_handle"
FIELDS = (
    "ns",
    "mode",
    "op_endpoint",
    "claimed_id",
    "identity",
    "return_to",
    "response_nonce",
    "assoc_handle",
    "signed",
    "sig",
)
NONCE_AHEAD_S = 60.0  # how far Steam's clock may be before ours
TRIES = 3
TIMEOUT = aiohttp.ClientTimeout(total=10)
ANSWER_MAX_BYTES = 4096

_NONCE = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)[!-~]{0,200}")


class SignInRefused(Forbidden):
    """Steam's answer does not prove who you are."""

    code = "sign_in_refused"


@dataclass(frozen=True, slots=True)
class Provider:
    """Where players sign in, and how a claimed id must begin. Both come from the settings, never from an answer."""

    endpoint: str
    identity_prefix: str
    nonce_max_age_s: float


@dataclass(frozen=True, slots=True)
class Claim:
    """An answer that passed every check of ours; Steam has still to say that it is its own."""

    steam_id: SteamId
    nonce: str = field(repr=False)
    fields: dict[str, str] = field(repr=False)


def login_url(provider: Provider, return_to: str, realm: str) -> str:
    """Where to send the browser."""
    values = {
        "openid.ns": NS,
        "openid.mode": "checkid_setup",
        "openid.return_to": return_to,
        "openid.realm": realm,
        "openid.identity": SELECT,
        "openid.claimed_id": SELECT,
    }
    return f"{provider.endpoint}?{urlencode(values)}"


def check(provider: Provider, pairs: Sequence[tuple[str, str]], return_to: str, now: datetime) -> Claim:
    """Check what came back in the query, in the order of the protocol notes. ``return_to`` is what we sent, state included.

    Raises:
        SignInRefused: ``reason`` names the first check that failed.
    """
    fields = _fields(pairs)
    _must(fields["mode"] == "id_res", "mode")
    _must(fields["ns"] == NS, "ns")
    _must(fields["op_endpoint"] == provider.endpoint, "op_endpoint")
    _must(fields["claimed_id"] == fields["identity"], "identity")
    steam_id = _steam_id(provider.identity_prefix, fields["claimed_id"])
    _must(fields["signed"] == SIGNED, "signed")
    _must(fields["return_to"] == return_to, "return_to")
    _must(_expected_query(pairs, return_to), "return_to")
    _must(_nonce_is_fresh(fields["response_nonce"], now, provider.nonce_max_age_s), "nonce")
    return Claim(steam_id, fields["response_nonce"], fields)


def _must(good: bool, reason: str) -> None:
    if not good:
        raise SignInRefused(reason=reason)


def _fields(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The known OpenID fields, each exactly once; any parameter twice, or with a NUL, spoils the whole answer."""
    names = [name for name, _ in pairs]
    _must(len(names) == len(set(names)), "doubled")
    _must(all("\0" not in name + value for name, value in pairs), "nul")
    fields = {name.removeprefix("openid."): value for name, value in pairs if name.startswith("openid.")}
    _must(fields.get("mode") == "id_res", "mode")
    _must(set(fields) == set(FIELDS), "fields")
    return fields


def _steam_id(prefix: str, claimed_id: str) -> SteamId:
    match = re.fullmatch(re.escape(prefix) + r"(7656119[0-9]{10})/?", claimed_id)
    if match is None:
        raise SignInRefused(reason="claimed_id")
    try:
        return SteamId(match[1])
    except ValueError:
        raise SignInRefused(reason="claimed_id") from None


def _expected_query(pairs: Sequence[tuple[str, str]], return_to: str) -> bool:
    """Beside the OpenID fields the query holds what our own return_to held, and no more."""
    ours = "&".join(f"{name}={value}" for name, value in pairs if not name.startswith("openid."))
    return ours == urlsplit(return_to).query


def _nonce_is_fresh(nonce: str, now: datetime, max_age_s: float) -> bool:
    match = _NONCE.fullmatch(nonce)
    if match is None:
        return False
    try:
        made = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return -NONCE_AHEAD_S <= (now - made).total_seconds() <= max_age_s


async def confirm(session: aiohttp.ClientSession, provider: Provider, claim: Claim) -> None:
    """Ask Steam itself whether it signed this answer. Known fields only go to the endpoint of the settings.

    Raises:
        SignInRefused: Steam says no.
        SteamUnavailable: Steam gave no usable answer, twice.
    """
    form = {f"openid.{name}": claim.fields[name] for name in FIELDS}
    form["openid.mode"] = "check_authentication"
    last: FleetError = SteamUnavailable("Steam did not answer the sign-in.")
    for _ in range(TRIES):
        try:
            async with session.post(provider.endpoint, data=form, timeout=TIMEOUT, allow_redirects=False) as response:
                text = (await response.content.read(ANSWER_MAX_BYTES)).decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError):
            continue
        if response.status == 200:
            _must(is_valid(text), "signature")
            return
        last = SteamUnavailable(f"Steam answered the sign-in with status {response.status}.")
    raise last


def is_valid(text: str) -> bool:
    """Whether the answer's lines say so: compared line by line and key by key, never searched."""
    lines: Mapping[str, str] = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    doubled = sum(line.startswith("is_valid:") for line in text.splitlines()) > 1
    return not doubled and lines.get("ns") == NS and lines.get("is_valid") == "true"
