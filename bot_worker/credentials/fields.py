"""Single fields of credentials, however they come: what each may be, and all mistakes of a file told at once."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from shared import strict
from shared.domain.ids import BotName, SteamId
from shared.errors import VaultError
from shared.strict import BadShape

T = TypeVar("T")

# Both of Steam's secrets are the keys of an HMAC-SHA1.
SECRET_BYTES = 20
FILE_MAX_BYTES = 16 * 1024 * 1024
WORD_MAX = 200


class Fields:
    """Reads one file or line field by field, so that all its mistakes are told at once."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._wrong: list[str] = []

    def take(self, name: str, read: Callable[[], str]) -> str:
        try:
            return read()
        except BadShape as error:
            self._wrong.append(f"{self._where}: {name}: {error.wanted} is wanted")
        except VaultError as error:
            self._wrong.append(f"{self._where}: {error.detail}")
        return ""

    def finish(self) -> None:
        if self._wrong:
            raise VaultError("\n".join(self._wrong))


def all_or_none(readers: Iterable[Callable[[], T]]) -> list[T]:
    """What all of them read.

    Raises:
        VaultError: with the mistakes of all, a line for each.
    """
    values, wrong = [], []
    for read in readers:
        try:
            values.append(read())
        except VaultError as error:
            wrong.append(error.detail)
    if wrong:
        raise VaultError("\n".join(wrong))
    return values


def check_proxy(text: str) -> None:
    """Whether this is an address that a bot can go out through.

    Raises:
        VaultError: it is not; the text, which may hold a password, is not repeated.
    """
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port is not None
    except ValueError:
        good = False
    if not good or not strict.is_printable(text):
        raise VaultError("a proxy is written http://host:port or http://user:password@host:port")


def proxy(text: str) -> str:
    if text:
        check_proxy(text)
    return text


def check_password(text: str) -> None:
    """Whether Steam takes anything of it: of a password its own page sends what `sign_in.as_steam_reads` leaves.

    Raises:
        VaultError: it does not.
    """
    if not strict.is_printable(text) or not any(sign <= "\x7f" for sign in text):
        raise VaultError("password: a password in signs that Steam takes is wanted")


def password(text: str) -> str:
    if not text:
        raise VaultError("password is empty")
    check_password(text)
    return text


def word(value: object, name: str, wanted: str | None = None) -> str:
    text = strict.text(value, name, WORD_MAX)
    if wanted is not None and not text:
        raise BadShape(name, wanted)
    return text


def bot_name(value: object) -> str:
    try:
        return str(BotName.parse(strict.text(value, "bot", WORD_MAX)))
    except ValueError:
        raise BadShape("bot", "a color, a dash and a number, as in red-7,") from None


def steam_id(value: object) -> str:
    try:
        return str(SteamId(strict.number_id(value, "steam_id")))
    except ValueError:
        raise BadShape("steam_id", "a SteamID64 of an individual account") from None


def secret_text(value: object, name: str) -> str:
    if value in (None, ""):
        raise VaultError(f"{name} is empty")
    text = strict.text(value, name, WORD_MAX)
    secret_bytes(text, name)
    return text


def secret_bytes(value: str, name: str) -> bytes:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VaultError(f"{name} is not base64: {SECRET_BYTES} bytes in base64 are wanted") from error
    if len(raw) != SECRET_BYTES:
        raise VaultError(f"{name} has {len(raw)} bytes: {SECRET_BYTES} are wanted")
    return raw


def read_file(path: Path) -> bytes:
    """A file that a person hands over; none of them is large."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise VaultError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > FILE_MAX_BYTES:
        raise VaultError(f"{path}: it has more than {FILE_MAX_BYTES} bytes")
    return content
