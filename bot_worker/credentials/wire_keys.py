"""The keys of bots for orders and reports, as `fleet keys issue` writes them."""

from __future__ import annotations

import base64
import binascii
from functools import partial
from pathlib import Path

from bot_worker.credentials import fields
from shared import strict
from shared.errors import VaultError
from shared.sealing import BotKeys
from shared.strict import BadShape

KEY_BYTES = 32


def read_keys(path: Path) -> list[BotKeys]:
    """What `fleet keys issue` wrote.

    Raises:
        VaultError: with one line per mistake, each with its entry and field.
    """
    try:
        rows = strict.parse_json(fields.read_file(path), "file")
        if not isinstance(rows, list) or not rows:
            raise BadShape("file", "a list of keys")
    except BadShape as error:
        raise VaultError(f"{path} is not what `fleet keys issue` writes: {error.wanted} is wanted") from None
    keys = fields.all_or_none(partial(_bot_keys, f"{path}: entry {number}", row) for number, row in enumerate(rows, 1))
    names = [each.bot for each in keys]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise VaultError("\n".join(f"{path}: {name} comes twice" for name in doubled))
    return keys


def _bot_keys(where: str, row: object) -> BotKeys:
    try:
        data = strict.mapping(row, "entry")
        bot = fields.bot_name(data.get("bot"))
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
