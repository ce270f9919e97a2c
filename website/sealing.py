"""What the database holds sealed: AES-256-GCM with a key that lies elsewhere, each value bound to what it is about."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import ClassVar, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


class SealError(Exception):
    """The key opens nothing here: it is another one, or the table was tampered with."""


class Key:
    """Seals values. Its bytes are in no repr."""

    called: ClassVar[str] = "seal key"

    def __init__(self, key: bytes, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a {self.called} has {KEY_BYTES} bytes")
        self._box, self.random = AESGCM(key), random

    @classmethod
    def read(cls, text: str) -> Self:
        """From the hex that stands in a key file. Raises ValueError, without what stands there."""
        try:
            return cls(bytes.fromhex(text))
        except ValueError:
            raise ValueError(f"a {cls.called} is {2 * KEY_BYTES} hexadecimal digits") from None

    def seal(self, value: bytes, about: str) -> bytes:
        nonce = self.random(NONCE_BYTES)
        return nonce + self._box.encrypt(nonce, value, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """Raises SealError."""
        try:
            return self._box.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError):
            raise SealError(f"the {self.called} does not open {about}") from None
