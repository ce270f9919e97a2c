"""Sign-in tokens: three base64url segments, signed with a key that lives as long as the process."""

import base64
import binascii
import json
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sandbox.world.state import World

READ_TOKENS_MAX = 5000


@dataclass(frozen=True)
class Claims:
    """What a token says; times are unix seconds of the real clock."""

    steam_id: int
    issuer: str
    audience: tuple[str, ...]
    issued: int
    expires: int
    token_id: str

    @property
    def is_refresh(self) -> bool:
        return "derive" in self.audience


class Tokens:
    """Issues and reads tokens. Claims follow node-steam-session and SteamKit: iss, sub, aud, exp, iat, jti, ..."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._key = Ed25519PrivateKey.generate()
        self._public = self._key.public_key()
        self._read: OrderedDict[str, Claims] = OrderedDict()
        self.revoked: set[str] = set()
        self.dead: set[str] = set()
        self.dead_cookies: set[str] = set()
        """Ids of tokens that a fault killed: altogether, or only as cookies; `revive` undoes it."""

    def refresh(self, steam_id: int, platform: str, real_now: float) -> str:
        """A refresh token for `web`, `mobile` or `client`."""
        return self._issue(steam_id, "steam", [platform, "renew", "derive"], real_now, self._world.settings.refresh_token_s)

    def access(self, refresh: Claims, audience: str, real_now: float) -> str:
        """An access token such as `web:community`, bound to its refresh token."""
        lifetime = self._world.settings.access_token_s
        return self._issue(refresh.steam_id, f"r:{refresh.token_id}", audience.split(), real_now, lifetime)

    def read(self, token: str, real_now: float) -> Claims | None:
        """The claims of a token that is genuine, not revoked and in time; else None."""
        claims = self._read.get(token) or self._verify(token)
        if claims is None or not claims.issued <= real_now + 60 or claims.expires <= real_now:
            return None
        parent = claims.issuer.removeprefix("r:")
        gone = claims.token_id in self.revoked or parent in self.revoked or claims.token_id in self.dead
        return None if gone else claims

    def revive(self) -> None:
        self.dead.clear()
        self.dead_cookies.clear()

    def _issue(self, steam_id: int, issuer: str, audience: list[str], real_now: float, lifetime_s: int) -> str:
        issued = int(real_now)
        claims: dict[str, Any] = {
            "iss": issuer,
            "sub": str(steam_id),
            "aud": audience,
            "exp": issued + lifetime_s,
            "nbf": issued - 8640,
            "iat": issued,
            "jti": "_".join((secrets.token_hex(2), secrets.token_hex(4), secrets.token_hex(2))).upper(),
            "oat": issued,
            "per": 1,
            "ip_subject": "127.0.0.1",
            "ip_confirmer": "127.0.0.1",
        }
        if issuer != "steam":
            claims |= {"rt_exp": issued + self._world.settings.refresh_token_s, "per": 0}
        text = f"{_encode(_json({'typ': 'JWT', 'alg': 'EdDSA'}))}.{_encode(_json(claims))}"
        return f"{text}.{_encode(self._key.sign(text.encode()))}"

    def _verify(self, token: str) -> Claims | None:
        head, _, rest = token.partition(".")
        body, _, signature = rest.partition(".")
        try:
            self._public.verify(_decode(signature), f"{head}.{body}".encode())
            said = json.loads(_decode(body))
        except (InvalidSignature, binascii.Error, ValueError):
            return None
        claims = Claims(int(said["sub"]), said["iss"], tuple(said["aud"]), said["iat"], said["exp"], said["jti"])
        self._read[token] = claims
        if len(self._read) > READ_TOKENS_MAX:
            self._read.popitem(last=False)
        return claims


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
