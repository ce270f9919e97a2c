"""Reading bots' credentials out of maFiles and CSV files, and making Guard codes from them.

Three shapes of maFile are about: the desktop authenticator's (the id under ``Session.SteamID``), steamguard-cli's
(``steam_id``) and steampy's (``steamid`` and two secrets, nothing else). Every file is checked whole, and each mistake in it is
told with the file, the field and what is wanted there, never with the value, which may be a secret. Nothing is imported unless
everything can be.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pyotp.contrib.steam

from bot_worker.vault import Account
from shared import strict
from shared.domain.ids import BotName, SteamId
from shared.errors import VaultError
from shared.sealing import BotKeys
from shared.strict import BadShape

T = TypeVar("T")

CSV_NEEDED = ("bot", "account_name", "password", "steam_id", "shared_secret", "identity_secret")
CSV_KNOWN = (*CSV_NEEDED, "device_id", "proxy")
# Both of Steam's secrets are the keys of an HMAC-SHA1.
SECRET_BYTES = 20
KEY_BYTES = 32
FILE_MAX_BYTES = 16 * 1024 * 1024
WORD_MAX = 200
# A name that a message may show: a line of values, or a quote that has swallowed some, looks otherwise.
_COLUMN = re.compile(r"[a-z_]{1,20}")


def guard_code(shared_secret: str, at_s: int) -> str:
    """The five signs that the authenticator shows at this unix time.

    Raises:
        VaultError: the secret is none of Steam's.
    """
    secret = base64.b32encode(_secret(shared_secret, "shared_secret")).decode()
    code: str = pyotp.contrib.steam.Steam(secret).at(at_s)
    return code


def default_device_id(steam_id: str) -> str:
    """The id that steampy and node-steam-totp make up for an authenticator of which none is known."""
    digest = hashlib.sha1(steam_id.encode(), usedforsecurity=False).hexdigest()
    return f"android:{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


# --- maFiles --------------------------------------------------------------------------------------------------


def natural_order(path: Path) -> tuple[Any, ...]:
    """A key to sort files by, so that ``bot_10`` comes after ``bot_2``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return (*((int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in parts), str(path))


def read_ma_file(path: Path) -> Account:
    """One account out of one maFile; the name of its bot and its password are still empty.

    Raises:
        VaultError: it cannot be read, is encrypted, or something is missing or wrong; a line for each, with file and field.
    """
    data = _ma_object(path)
    read = _Fields(str(path))
    account_name = read.take("account_name", lambda: _account_name(data.get("account_name"), path))
    steam_id = read.take("the Steam id (Session.SteamID, steamid or steam_id)", lambda: _steam_id_of(data))
    secrets = {
        name: read.take(name, partial(_checked_secret, data.get(name), name)) for name in ("shared_secret", "identity_secret")
    }
    device_id = read.take("device_id", lambda: _word("" if data.get("device_id") is None else data["device_id"], "device_id"))
    read.finish()
    return Account(
        bot="",
        account_name=account_name,
        password="",
        steam_id=steam_id,
        device_id=device_id or default_device_id(steam_id),
        **secrets,
    )


def _ma_object(path: Path) -> dict[str, Any]:
    try:
        return strict.mapping(strict.parse_json(_read(path), "file"), "file")
    except BadShape as error:
        if error.wanted == "JSON":
            said = "not JSON; if the authenticator encrypted it, export it without a passkey first"
            raise VaultError(f"{path}: {said}") from None
        raise VaultError(f"{path}: not a maFile: an object is wanted") from None


def _account_name(value: object, path: Path) -> str:
    if value in (None, ""):
        value = "" if path.stem.isdigit() else path.stem
    if not value:
        raise BadShape("account_name", "the name to sign in with")
    return _word(value, "account_name")


def _steam_id_of(data: Mapping[str, Any]) -> str:
    session = data.get("Session")
    candidates = [session.get("SteamID") if isinstance(session, dict) else None]
    candidates += [data.get(name) for name in ("steamid", "steam_id", "SteamID")]
    found = {_steam_id(each) for each in candidates if each not in (None, "", 0)}
    if len(found) != 1:
        raise BadShape("steam_id", "one SteamID64" if found else "a SteamID64")
    return found.pop()


class _Fields:
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


# --- CSV -----------------------------------------------------------------------------------------------------


def read_csv(path: Path) -> list[Account]:
    """All bots of a CSV file with a header.

    Raises:
        VaultError: with one line per mistake, each with its line number and field.
    """
    rows = _csv_rows(path, CSV_NEEDED, CSV_KNOWN)
    return all_or_none(partial(_csv_account, f"{path}, line {line}", row) for line, row in rows)


def _csv_account(where: str, row: Mapping[str, str]) -> Account:
    read = _Fields(where)
    steam_id = read.take("steam_id", lambda: _steam_id(row["steam_id"]))
    values = {
        "bot": read.take("bot", lambda: _bot_name(row["bot"])),
        "account_name": read.take(
            "account_name", lambda: _word(row["account_name"], "account_name", "the name to sign in with")
        ),
        "password": read.take("password", lambda: _password(row["password"])),
        "steam_id": steam_id,
        "shared_secret": read.take("shared_secret", lambda: _checked_secret(row["shared_secret"], "shared_secret")),
        "identity_secret": read.take("identity_secret", lambda: _checked_secret(row["identity_secret"], "identity_secret")),
        "device_id": read.take("device_id", lambda: _word(row.get("device_id") or "", "device_id"))
        or default_device_id(steam_id),
        "proxy": read.take("proxy", lambda: _proxy(row.get("proxy") or "")),
    }
    read.finish()
    return Account(**values)


def read_passwords(path: Path) -> dict[str, str]:
    """``account_name,password`` lines below such a header.

    Raises:
        VaultError: a column is missing, a line is incomplete, or an account comes twice.
    """
    columns = ("account_name", "password")
    passwords: dict[str, str] = {}

    def take(line: int, row: Mapping[str, str]) -> None:
        name = row["account_name"]
        if not name or not row["password"]:
            raise VaultError(f"{path}, line {line}: account_name or password is empty")
        if name in passwords:
            raise VaultError(f"{path}, line {line}: account_name: comes twice")
        passwords[name] = row["password"]

    all_or_none(partial(take, line, row) for line, row in _csv_rows(path, columns, columns))
    return passwords


def _csv_rows(path: Path, needed: tuple[str, ...], known: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Line numbers and lines, each with the columns of the header."""
    try:
        reader = csv.reader(io.StringIO(_read(path).decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header, needed, known)
        rows, wrong = [], []
        for values in reader:
            if not values:
                continue
            if len(values) != len(header):
                wrong.append(f"{path}, line {reader.line_num}: expected {len(header)} values")
                continue
            rows.append((reader.line_num, dict(zip(header, (value.strip() for value in values), strict=True))))
    except (csv.Error, UnicodeDecodeError) as error:
        raise VaultError(f"{path}: not a CSV file in UTF-8: {error}") from error
    if wrong:
        raise VaultError("\n".join(wrong))
    return rows


def _shown(name: str, number: int) -> str:
    return name if _COLUMN.fullmatch(name) else f"number {number}"


def _check_header(path: Path, header: list[str], needed: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Raises: VaultError, which repeats nothing that may be a value: the first line may be one of them."""
    missing = [name for name in needed if name not in header]
    unknown = [_shown(name, number) for number, name in enumerate(header, 1) if name not in known]
    doubled = sorted({name for name in known if header.count(name) > 1})
    said = f"missing {', '.join(missing)}" if missing else f"unknown column {', '.join(unknown)}"
    if doubled:
        said = f"{', '.join(doubled)} twice"
    if missing or unknown or doubled:
        raise VaultError(f"{path}, line 1: the header must name {', '.join(known)}: {said}")


# --- keys ----------------------------------------------------------------------------------------------------


def read_keys(path: Path) -> list[BotKeys]:
    """What `fleet keys issue` wrote.

    Raises:
        VaultError: with one line per mistake, each with its entry and field.
    """
    try:
        rows = strict.parse_json(_read(path), "file")
        if not isinstance(rows, list) or not rows:
            raise BadShape("file", "a list of keys")
    except BadShape as error:
        raise VaultError(f"{path} is not what `fleet keys issue` writes: {error.wanted} is wanted") from None
    found = all_or_none(partial(_bot_keys, f"{path}: entry {number}", row) for number, row in enumerate(rows, 1))
    names = [each.bot for each in found]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise VaultError("\n".join(f"{path}: {name} comes twice" for name in doubled))
    return found


def _bot_keys(where: str, row: object) -> BotKeys:
    try:
        data = strict.mapping(row, "entry")
        bot = _bot_name(data.get("bot"))
        order, report = (_key(data.get(name), name) for name in ("order", "report"))
    except BadShape as error:
        raise VaultError(
            f"{where}: {error.field}: {error.wanted} is wanted; it is not what `fleet keys issue` writes"
        ) from None
    return BotKeys(bot, order, report)


def _key(value: object, name: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(strict.text(value, name))
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise BadShape(name, f"{KEY_BYTES} bytes in base64")
    return raw


# --- all together --------------------------------------------------------------------------------------------


def all_or_none(readers: Iterable[Callable[[], T]]) -> list[T]:
    """What all of them read.

    Raises:
        VaultError: with the mistakes of all, a line for each.
    """
    found, wrong = [], []
    for read in readers:
        try:
            found.append(read())
        except VaultError as error:
            wrong.append(error.detail)
    if wrong:
        raise VaultError("\n".join(wrong))
    return found


def check_together(accounts: list[Account]) -> None:
    """One bot, one account: no bot and no Steam id may come twice.

    Raises:
        VaultError: one line per double.
    """
    wrong = []
    for what in ("bot", "steam_id", "account_name"):
        seen: set[str] = set()
        for account in accounts:
            value = getattr(account, what)
            if value in seen:
                wrong.append(f"{what} {value} comes twice")
            seen.add(value)
    if wrong:
        raise VaultError("\n".join(wrong))


def check_account(account: Account) -> None:
    """Whether a worker can sign in with what its vault holds: an entry may be older than the checks of the import.

    Raises:
        VaultError: it cannot; a line for each field that has to be imported anew.
    """
    read = _Fields(f"the vault's entry of {account.bot}")
    read.take("password", lambda: _password(account.password))
    read.take("steam_id", lambda: _steam_id(account.steam_id))
    read.take("shared_secret", lambda: _checked_secret(account.shared_secret, "shared_secret"))
    read.take("identity_secret", lambda: _checked_secret(account.identity_secret, "identity_secret"))
    read.take("proxy", lambda: _proxy(account.proxy))
    read.finish()


# --- fields --------------------------------------------------------------------------------------------------


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


def egress_of(proxy: str) -> str:
    """A name for the address that Steam sees: the proxy's, without its password, else this host's."""
    if not proxy:
        return socket.gethostname()
    parts = urlsplit(proxy)
    return f"{parts.hostname}:{parts.port}"


def _proxy(text: str) -> str:
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


def _password(text: str) -> str:
    if not text:
        raise VaultError("password is empty")
    check_password(text)
    return text


def _word(value: object, name: str, wanted: str | None = None) -> str:
    found = strict.text(value, name, WORD_MAX)
    if wanted is not None and not found:
        raise BadShape(name, wanted)
    return found


def _bot_name(value: object) -> str:
    try:
        return str(BotName.parse(strict.text(value, "bot", WORD_MAX)))
    except ValueError:
        raise BadShape("bot", "a color, a dash and a number, as in red-7,") from None


def _steam_id(value: object) -> str:
    try:
        return str(SteamId(strict.number_id(value, "steam_id")))
    except ValueError:
        raise BadShape("steam_id", "a SteamID64 of an individual account") from None


def _checked_secret(value: object, name: str) -> str:
    if value in (None, ""):
        raise VaultError(f"{name} is empty")
    found = strict.text(value, name, WORD_MAX)
    _secret(found, name)
    return found


def _secret(value: str, name: str) -> bytes:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VaultError(f"{name} is not base64: {SECRET_BYTES} bytes in base64 are wanted") from error
    if len(raw) != SECRET_BYTES:
        raise VaultError(f"{name} has {len(raw)} bytes: {SECRET_BYTES} are wanted")
    return raw


def _read(path: Path) -> bytes:
    """A file that a person hands over; none of them is large."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise VaultError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > FILE_MAX_BYTES:
        raise VaultError(f"{path}: it has more than {FILE_MAX_BYTES} bytes")
    return content
