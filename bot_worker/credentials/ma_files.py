"""One account out of one maFile.

Three shapes of maFile are about: the desktop authenticator's (the id under ``Session.SteamID``), steamguard-cli's
(``steam_id``) and steampy's (``steamid`` and two secrets, nothing else).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bot_worker.credentials import fields
from bot_worker.credentials.accounts import default_device_id
from bot_worker.vault import Account
from shared import strict
from shared.errors import VaultError
from shared.strict import BadShape


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
    read = fields.Fields(str(path))
    account_name = read.take("account_name", lambda: _account_name(data.get("account_name"), path))
    steam_id = read.take("the Steam id (Session.SteamID, steamid or steam_id)", lambda: _steam_id_of(data))
    secrets = {
        name: read.take(name, partial(fields.secret_text, data.get(name), name))
        for name in ("shared_secret", "identity_secret")
    }
    device_id = read.take(
        "device_id", lambda: fields.word("" if data.get("device_id") is None else data["device_id"], "device_id")
    )
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
        return strict.mapping(strict.parse_json(fields.read_file(path), "file"), "file")
    except BadShape as error:
        if error.wanted == "JSON":
            message = "not JSON; if the authenticator encrypted it, export it without a passkey first"
            raise VaultError(f"{path}: {message}") from None
        raise VaultError(f"{path}: not a maFile: an object is wanted") from None


def _account_name(value: object, path: Path) -> str:
    if value in (None, ""):
        value = "" if path.stem.isdigit() else path.stem
    if not value:
        raise BadShape("account_name", "the name to sign in with")
    return fields.word(value, "account_name")


def _steam_id_of(data: Mapping[str, Any]) -> str:
    session = data.get("Session")
    candidates = [session.get("SteamID") if isinstance(session, dict) else None]
    candidates += [data.get(name) for name in ("steamid", "steam_id", "SteamID")]
    ids = {fields.steam_id(each) for each in candidates if each not in (None, "", 0)}
    if len(ids) != 1:
        raise BadShape("steam_id", "one SteamID64" if ids else "a SteamID64")
    return ids.pop()
