"""CSV files: whole bots, and passwords by account name."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from bot_worker.credentials import fields
from bot_worker.credentials.accounts import default_device_id
from bot_worker.vault import Account
from shared.errors import VaultError

CSV_NEEDED = ("bot", "account_name", "password", "steam_id", "shared_secret", "identity_secret")
CSV_KNOWN = (*CSV_NEEDED, "device_id", "proxy")
# A name that a message may show: a line of values, or a quote that has swallowed some, looks otherwise.
_COLUMN = re.compile(r"[a-z_]{1,20}")


def read_csv(path: Path) -> list[Account]:
    """All bots of a CSV file with a header.

    Raises:
        VaultError: with one line per mistake, each with its line number and field.
    """
    rows = _csv_rows(path, CSV_NEEDED, CSV_KNOWN)
    return fields.all_or_none(partial(_csv_account, f"{path}, line {line}", row) for line, row in rows)


def _csv_account(where: str, row: Mapping[str, str]) -> Account:
    read = fields.Fields(where)
    steam_id = read.take("steam_id", lambda: fields.steam_id(row["steam_id"]))
    values = {
        "bot": read.take("bot", lambda: fields.bot_name(row["bot"])),
        "account_name": read.take(
            "account_name", lambda: fields.word(row["account_name"], "account_name", "the name to sign in with")
        ),
        "password": read.take("password", lambda: fields.password(row["password"])),
        "steam_id": steam_id,
        "shared_secret": read.take("shared_secret", lambda: fields.secret_text(row["shared_secret"], "shared_secret")),
        "identity_secret": read.take("identity_secret", lambda: fields.secret_text(row["identity_secret"], "identity_secret")),
        "device_id": read.take("device_id", lambda: fields.word(row.get("device_id") or "", "device_id"))
        or default_device_id(steam_id),
        "proxy": read.take("proxy", lambda: fields.proxy(row.get("proxy") or "")),
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

    fields.all_or_none(partial(take, line, row) for line, row in _csv_rows(path, columns, columns))
    return passwords


def _csv_rows(path: Path, needed: tuple[str, ...], known: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Line numbers and lines, each with the columns of the header."""
    try:
        reader = csv.reader(io.StringIO(fields.read_file(path).decode("utf-8-sig"), newline=""), strict=True)
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
    message = f"missing {', '.join(missing)}" if missing else f"unknown column {', '.join(unknown)}"
    if doubled:
        message = f"{', '.join(doubled)} twice"
    if missing or unknown or doubled:
        raise VaultError(f"{path}, line 1: the header must name {', '.join(known)}: {message}")
