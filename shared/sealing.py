"""Keys and seals: who may order a bot, and whose report it is.

One master key lives with the balancer. From it HKDF-SHA256 (RFC 5869) derives a key per bot and direction, the key of the
verify tokens, the key of trade URLs at rest, and the pepper of API keys. A host is given the two keys of each of its own bots
and cannot make any other. A seal is AES-256-GCM with the direction and the bot as associated data, so a sealed text that is
moved to another bot or turned round does not open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared import private_files
from shared.errors import SettingsError

_NONCE = 12
_VERSION = b"\x01"


class SealBroken(ValueError):
    """The sealed text does not open with this key: forged, damaged, or meant for another."""


def seal(key: bytes, text: bytes, *, purpose: str) -> str:
    """Encrypt and authenticate; ``purpose`` (as in ``order:red-1``) must be the same when it is opened. URL-safe base64."""
    nonce = secrets.token_bytes(_NONCE)
    return base64.urlsafe_b64encode(_VERSION + nonce + AESGCM(key).encrypt(nonce, text, purpose.encode())).decode()


def unseal(key: bytes, sealed: str | bytes, *, purpose: str) -> bytes:
    """The text inside.

    Raises:
        SealBroken: wrong key, wrong purpose, a changed byte, or not a sealed text at all.
    """
    try:
        raw = base64.urlsafe_b64decode(sealed)
    except ValueError as error:
        raise SealBroken("not a sealed text") from error
    if raw[:1] != _VERSION or len(raw) < 1 + _NONCE + 16:
        raise SealBroken("not a sealed text")
    try:
        return AESGCM(key).decrypt(raw[1 : 1 + _NONCE], raw[1 + _NONCE :], purpose.encode())
    except InvalidTag as error:
        raise SealBroken("the seal does not open") from error


@dataclass(frozen=True, slots=True)
class BotKeys:
    """The two keys of one bot: to open its orders, to seal its reports."""

    bot: str
    order: bytes = field(repr=False)
    report: bytes = field(repr=False)

    def to_json(self) -> dict[str, str]:
        return {
            "bot": self.bot,
            "order": base64.urlsafe_b64encode(self.order).decode(),
            "report": base64.urlsafe_b64encode(self.report).decode(),
        }

    @classmethod
    def from_json(cls, data: dict[str, str]) -> BotKeys:
        return cls(data["bot"], base64.urlsafe_b64decode(data["order"]), base64.urlsafe_b64decode(data["report"]))


class MasterKey:
    """The balancer's one secret, 32 random bytes. Everything else is derived from it."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise SettingsError("a master key has 32 bytes")
        self._secret = secret
        self._bots: dict[str, BotKeys] = {}
        self._token = self._derive("token")
        self._pepper = self._derive("api-key")
        self._sign_in = self._derive("sign-in")
        self.at_rest = self._derive("at-rest")

    def __repr__(self) -> str:
        return "MasterKey(…)"

    @classmethod
    def read(cls, path: Path) -> MasterKey:
        """Read the key file: 64 hex digits.

        Raises:
            SettingsError: no such file, readable by others, or not a key.
        """
        try:
            text = path.read_text(encoding="ascii", errors="replace").strip()
            open_to_others = private_files.open_to_others(path)
        except FileNotFoundError as error:
            said = "make one with `fleet keys new`, or put your copy there"
            raise SettingsError(f"there is no master key file {path.absolute()}; {said}") from error
        except OSError as error:
            said = "let the user of this program read it, and nobody else"
            raise SettingsError(f"cannot read the master key file {path}: {error.strerror}; {said}") from error
        if open_to_others:
            raise SettingsError(f"the master key file {path} may be read by others; `chmod 600` it")
        try:
            return cls(bytes.fromhex(text))
        except ValueError as error:
            said = "put your copy of it back, as a new key fits no bot and no token"
            raise SettingsError(f"the master key file {path} does not hold 64 hex digits; {said}") from error

    @staticmethod
    def create(path: Path) -> None:
        """Write a new key file, readable by its owner only; an existing file is never overwritten.

        Raises:
            FileExistsError: there is one.
        """
        private_files.create(path, secrets.token_hex(32) + "\n")

    def _derive(self, info: str) -> bytes:
        return HKDF(hashes.SHA256(), 32, salt=b"trade-fleet", info=info.encode()).derive(self._secret)

    def bot(self, name: str) -> BotKeys:
        """The keys of one bot; kept, as deriving them costs more than using them."""
        keys = self._bots.get(name)
        if keys is None:
            keys = BotKeys(name, self._derive(f"order:{name}"), self._derive(f"report:{name}"))
            if len(self._bots) < 100_000:
                self._bots[name] = keys
        return keys

    def verify_token(self, trade_id: str) -> str:
        """The secret token of a trade: 128 bits, URL-safe base64 without padding (22 characters)."""
        return base64.urlsafe_b64encode(hmac.digest(self._token, trade_id.encode(), "sha256")[:16]).rstrip(b"=").decode()

    def token_hash(self, token: str) -> str:
        """What the database keeps of a token."""
        return hashlib.sha256(b"token:" + token.encode()).hexdigest()

    def sign_in_mark(self, text: str) -> str:
        """What marks the state of a player's sign-in as made by us: 128 bits, URL-safe base64."""
        return base64.urlsafe_b64encode(hmac.digest(self._sign_in, text.encode(), "sha256")[:16]).rstrip(b"=").decode()

    def notice_target(self, address: str) -> str:
        """What the database calls an address that alarms are sent to: a keyed hash, as addresses hold passwords."""
        return hashlib.blake2b(address.encode(), key=self._pepper, digest_size=16, person=b"notices").hexdigest()

    def api_key_hash(self, api_key: str) -> str:
        """What the database keeps of an API key: a keyed hash, as keys are random and long. Any text of a header has one."""
        return hashlib.blake2b(api_key.encode(errors="surrogateescape"), key=self._pepper, digest_size=32).hexdigest()
