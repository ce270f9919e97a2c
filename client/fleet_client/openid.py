"""Signing a player in through Steam: OpenID 2.0, and nothing of it believed that Steam did not sign for you just now.

Pure, and of the standard library only: what is sent over the network you send yourself.

`SignIn` does all of it for a site of one process. By itself:

1. Send the browser to `login_url`. ``return_to`` holds a state of yours (`new_state`), which you also give to that browser as a
   cookie: an answer then works only where it was asked for.
2. `check` what comes back in the query, with the ``return_to`` that belongs to the browser's cookie.
3. Remember the claim's nonce, so that an answer works once (`Nonces`, or a unique column in your database), and ask Steam:
   POST `question` to ``provider.endpoint`` as a form, without following redirects.
4. `confirmed` reads Steam's answer and gives the player's SteamID64.

The order of the checks, and each of them, answers a mistake that sites really made (an endpoint taken from the answer, a
claimed id read from an unsigned field, ``is_valid:true`` searched as a part of the text, answers played twice). All checks of
the answer itself come before any request. Sources: OpenID Authentication 2.0, section 11; xPaw/SteamOpenID.php.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

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
STATE_MIN = 16  # of the signs of a state
NONCE_AHEAD_S = 60.0  # how far Steam's clock may be before ours
ANSWER_MAX_BYTES = 4096  # of Steam's answer to the question; it has two lines
QUERY_MAX_BYTES = 16_384

_NONCE = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)[!-~]{0,200}")
_INDIVIDUAL = range(76561197960265729, 76561197960265728 + 2**32)  # universe 1, type 1, instance 1


class SignInRefused(Exception):
    """Steam's answer does not prove who this is. ``reason`` names the first check that failed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Steam's answer does not prove who this is: {reason}.")
        self.reason = reason


class SteamAway(Exception):
    """Steam gave no usable answer to the question; the same question may be asked again."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where players sign in, and how a claimed id must begin. Never taken from an answer."""

    endpoint: str = "https://steamcommunity.com/openid/login"
    identity_prefix: str = "https://steamcommunity.com/openid/id/"
    nonce_max_age_s: float = 300.0

    @classmethod
    def at(cls, address: str) -> Provider:
        """The pages that are there instead of Steam's, as in ``http://127.0.0.1:8421`` of a sandbox."""
        return cls(f"{address.rstrip('/')}/openid/login", f"{address.rstrip('/')}/openid/id/")


STEAM = Provider()


@dataclass(frozen=True, slots=True)
class Claim:
    """An answer that passed every check of ours; Steam has still to say that it is its own."""

    claimed_steam_id: str
    nonce: str = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)


def new_state() -> str:
    """What nobody can guess, for one sign-in of one browser: it goes into ``return_to`` and into a cookie (HttpOnly, Lax)."""
    return secrets.token_urlsafe(24)


def login_url(return_to: str, realm: str, provider: Provider = STEAM) -> str:
    """Where to send the browser. ``realm``: the address of the site that Steam shows to the player."""
    values = {
        "openid.ns": NS,
        "openid.mode": "checkid_setup",
        "openid.return_to": return_to,
        "openid.realm": realm,
        "openid.identity": SELECT,
        "openid.claimed_id": SELECT,
    }
    return f"{provider.endpoint}?{urlencode(values)}"


def pairs_of(query: str) -> list[tuple[str, str]]:
    """The raw query of a request (what stands behind the question mark), in order and with empty values.

    Raises:
        SignInRefused: it is too long.
    """
    _must(len(query) <= QUERY_MAX_BYTES, "too_long")
    return parse_qsl(query, keep_blank_values=True)


def check(pairs: Sequence[tuple[str, str]], return_to: str, now: datetime, provider: Provider = STEAM) -> Claim:
    """Check what came back in the query. ``return_to`` is what was sent, state included; ``now`` is aware.

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


def question(claim: Claim, *, nonce_is_new: bool) -> dict[str, str]:
    """The form to POST to Steam: whether it signed this answer. Known fields only.

    Raises:
        SignInRefused: the nonce was seen before.
    """
    _must(nonce_is_new, "nonce_seen")
    return {f"openid.{name}": claim.fields[name] for name in FIELDS} | {"openid.mode": "check_authentication"}


def confirmed(claim: Claim, status: int, text: str) -> str:
    """The player's SteamID64, if Steam's answer to the question says so.

    Raises:
        SteamAway: the status is not 200.
        SignInRefused: Steam says no.
    """
    if status != 200:
        raise SteamAway(f"Steam answered the sign-in with status {status}.")
    _must(is_valid(text[:ANSWER_MAX_BYTES]), "signature")
    return claim.claimed_steam_id


def is_valid(text: str) -> bool:
    """Whether the answer's lines say so: compared line by line and key by key, never searched."""
    lines: Mapping[str, str] = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    doubled = sum(line.startswith("is_valid:") for line in text.splitlines()) > 1
    return not doubled and lines.get("ns") == NS and lines.get("is_valid") == "true"


class Nonces:
    """Nonces that were used, for a site of one process; several processes keep them in their database, in a unique column.

    What is forgotten is too old to pass `check`. When ``most`` are kept, nobody can sign in until some are old enough.
    """

    def __init__(self, provider: Provider = STEAM, most: int = 100_000) -> None:
        self._keep = timedelta(seconds=provider.nonce_max_age_s + NONCE_AHEAD_S + 1)
        self._most = most
        self._seen: dict[str, datetime] = {}

    def is_new(self, nonce: str, now: datetime) -> bool:
        """Whether it was never seen; from now on it was."""
        while self._seen and next(iter(self._seen.values())) < now - self._keep:
            del self._seen[next(iter(self._seen))]
        if nonce in self._seen or len(self._seen) >= self._most:
            return False
        self._seen[nonce] = now
        return True


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask Steam now: POST ``form`` to ``url``, follow no redirect, and give its answer to `confirmed`."""

    url: str
    form: Mapping[str, str] = field(repr=False)
    claim: Claim

    def confirmed(self, status: int, text: str) -> str:
        """As the function of this name."""
        return confirmed(self.claim, status, text)


class SignIn:
    """A site's sign-in in two steps, for a site of one process: ``return_to`` is where Steam sends browsers back to."""

    def __init__(self, return_to: str, provider: Provider = STEAM) -> None:
        self._return_to = return_to
        self._provider = provider
        self._nonces = Nonces(provider)

    def leave(self) -> tuple[str, str]:
        """Where to send a browser, and the state that it gets as a cookie (HttpOnly, SameSite=Lax, Secure)."""
        state = new_state()
        parts = urlsplit(self._return_to)
        return login_url(self._for(state), f"{parts.scheme}://{parts.netloc}", self._provider), state

    def back(self, query: str, state: str, now: datetime | None = None) -> Question:
        """From Steam: the raw query of the request, and the cookie. ``now`` is for tests.

        Raises:
            SignInRefused: ``reason`` names the first check that failed. An answer that comes a second time is refused too.
        """
        _must(len(state) >= STATE_MIN, "state")  # a browser without the cookie did not leave from here
        now = datetime.now(UTC) if now is None else now
        claim = check(pairs_of(query), self._for(state), now, self._provider)
        form = question(claim, nonce_is_new=self._nonces.is_new(claim.nonce, now))
        return Question(self._provider.endpoint, form, claim)

    def _for(self, state: str) -> str:
        return f"{self._return_to}?{urlencode({'state': state})}"


def _must(good: bool, reason: str) -> None:
    if not good:
        raise SignInRefused(reason)


def _fields(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The known OpenID fields, each exactly once; any parameter twice, or with a NUL, spoils the whole answer."""
    names = [name for name, _ in pairs]
    _must(len(names) == len(set(names)), "doubled")
    _must(all("\0" not in name + value for name, value in pairs), "nul")
    fields = {name.removeprefix("openid."): value for name, value in pairs if name.startswith("openid.")}
    _must(fields.get("mode") == "id_res", "mode")
    _must(set(fields) == set(FIELDS), "fields")
    return fields


def _steam_id(prefix: str, claimed_id: str) -> str:
    """Seventeen digits of an individual account; nothing before the prefix, nothing behind but one slash."""
    match = re.fullmatch(re.escape(prefix) + r"([1-9][0-9]{16})/?", claimed_id)
    if match is None or int(match[1]) not in _INDIVIDUAL:
        raise SignInRefused("claimed_id")
    return match[1]


def _expected_query(pairs: Sequence[tuple[str, str]], return_to: str) -> bool:
    """Beside the OpenID fields the query holds what our own return_to held, and no more."""
    ours = [pair for pair in pairs if not pair[0].startswith("openid.")]
    return ours == parse_qsl(urlsplit(return_to).query, keep_blank_values=True)


def _nonce_is_fresh(nonce: str, now: datetime, max_age_s: float) -> bool:
    match = _NONCE.fullmatch(nonce)
    if match is None:
        return False
    try:
        made = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return -NONCE_AHEAD_S <= (now - made).total_seconds() <= max_age_s
