"""Reading bots' credentials out of maFiles and CSV files, and making Guard codes from them.

Three shapes of maFile are about: the desktop authenticator's (the id under ``Session.SteamID``), steamguard-cli's
(``steam_id``) and steampy's (``steamid`` and two secrets, nothing else). Nothing is imported unless everything can be.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyotp.contrib.steam

from bot_worker.vault import Account
from shared.domain.ids import BotName, SteamId
from shared.errors import VaultError

CSV_NEEDED = ("bot", "account_name", "password", "steam_id", "shared_secret", "identity_secret")
CSV_KNOWN = (*CSV_NEEDED, "device_id", "proxy")


def guard_code(shared_secret: str, at_s: int) -> str:
    """The five signs that the authenticator shows at this unix time.

    Raises:
        VaultError: the secret is not base64.
    """
    secret = base64.b32encode(_secret(shared_secret, "shared_secret")).decode()
    code: str = pyotp.contrib.steam.Steam(secret).at(at_s)
    return code


def default_device_id(steam_id: str) -> str:
    """The id that steampy and node-steam-totp make up for an authenticator of which none is known."""
    digest = hashlib.sha1(steam_id.encode(), usedforsecurity=False).hexdigest()
    return f"android:{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def read_ma_file(path: Path, bot: str, password_of: Callable[[str], str]) -> Account:
    """One bot out of one maFile; ``password_of`` is asked with the account name.

    Raises:
        VaultError: it cannot be read, is encrypted, or something is missing or wrong; the message names the file.
    """
    data = _json_object(path)
    account_name = data.get("account_name") or ("" if path.stem.isdigit() else path.stem)
    try:
        steam_id = str(SteamId(str(_steam_id_of(data))))
        if not account_name:
            raise VaultError("there is no account_name in it")
        return _account(
            bot=bot,
            account_name=account_name,
            password=password_of(account_name),
            steam_id=steam_id,
            shared_secret=data.get("shared_secret") or "",
            identity_secret=data.get("identity_secret") or "",
            device_id=data.get("device_id") or "",
        )
    except (ValueError, VaultError) as error:
        raise VaultError(f"{path}: {error}") from None


def _json_object(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise VaultError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise VaultError(f"{path}: not JSON; if the authenticator encrypted it, export it without a passkey first") from error
    if not isinstance(data, dict):
        raise VaultError(f"{path}: not a maFile")
    return data


def _steam_id_of(data: dict[str, Any]) -> object:
    session = data.get("Session") or {}
    candidates = (session.get("SteamID"), data.get("steamid"), data.get("steam_id"), data.get("SteamID"))
    for candidate in candidates:
        if candidate:
            return candidate
    raise VaultError("there is no Steam id in it (Session.SteamID, steamid or steam_id)")


def read_csv(path: Path) -> list[Account]:
    """All bots of a CSV file with a header.

    Raises:
        VaultError: with one line per mistake, each with its line number.
    """
    rows = _csv_rows(path, CSV_NEEDED, CSV_KNOWN)
    accounts, wrong = [], []
    for line, row in rows:
        try:
            BotName.parse(row["bot"])
            SteamId(row["steam_id"])
            accounts.append(_account(**{name: row.get(name) or "" for name in CSV_KNOWN}))
        except (ValueError, VaultError) as error:
            wrong.append(f"{path}, line {line}: {error}")
    if wrong:
        raise VaultError("\n".join(wrong))
    return accounts


def read_passwords(path: Path) -> dict[str, str]:
    """``account_name,password`` lines below such a header.

    Raises:
        VaultError: a column is missing or a line is incomplete.
    """
    columns = ("account_name", "password")
    passwords = {}
    for line, row in _csv_rows(path, columns, columns):
        if not row["account_name"] or not row["password"]:
            raise VaultError(f"{path}, line {line}: account_name or password is empty")
        passwords[row["account_name"]] = row["password"]
    return passwords


def _csv_rows(path: Path, needed: tuple[str, ...], known: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            header = [name.strip() for name in reader.fieldnames or []]
            missing = [name for name in needed if name not in header]
            unknown = [name for name in header if name not in known]
            if missing or unknown:
                said = f"missing {', '.join(missing)}" if missing else f"unknown column {', '.join(unknown)}"
                raise VaultError(f"{path}, line 1: the header must name {', '.join(known)}: {said}")
            reader.fieldnames = header
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise VaultError(f"{path}, line {reader.line_num}: expected {len(header)} values")
                rows.append((reader.line_num, {name: value.strip() for name, value in row.items()}))
            return rows
    except OSError as error:
        raise VaultError(f"cannot read {path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise VaultError(f"{path}: not a CSV file in UTF-8: {error}") from error


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


def _account(**values: str) -> Account:
    for name in ("account_name", "password"):
        if not values[name]:
            raise VaultError(f"{name} is empty")
    for name in ("shared_secret", "identity_secret"):
        _secret(values[name], name)
    values["device_id"] = values["device_id"] or default_device_id(values["steam_id"])
    if values.get("proxy"):
        check_proxy(values["proxy"])
    return Account(**values)


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
    if not good:
        raise VaultError("a proxy is written http://host:port or http://user:password@host:port")


def egress_of(proxy: str) -> str:
    """A name for the address that Steam sees: the proxy's, without its password, else this host's."""
    if not proxy:
        return socket.gethostname()
    parts = urlsplit(proxy)
    return f"{parts.hostname}:{parts.port}"


def _secret(value: str, name: str) -> bytes:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VaultError(f"{name} is not base64") from error
    if not raw:
        raise VaultError(f"{name} is empty")
    return raw
