"""What a test has written into the feed is as `balancer.journal.kinds` declares it: each kind, each field, nothing else."""

from __future__ import annotations

import json
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from balancer.journal import kinds
from balancer.journal.kinds.alarms import ALARMS

BY_TESTS = ("test", "slow", "red-1")


def misfits(database: Path) -> list[str]:
    """What is wrong with the events of this SQLite database; those that tests made up are passed over."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        try:
            found = connection.execute("SELECT kind, who, data FROM events").fetchall()
        except sqlite3.DatabaseError:  # a test about another schema, or a file that is none
            return []
    connection.close()
    rows = {(kind, data) for kind, who, data in found if who not in BY_TESTS}
    return [said for kind, data in sorted(rows) for said in _wrong(kind, json.loads(data))]


def _wrong(kind: str, data: dict[str, Any]) -> list[str]:
    alarm = data.get("alarm") if kind == kinds.ALARM else None
    return [f"{kind} {alarm or ''} {error.json_path}: {error.message}" for error in _validator(kind, alarm).iter_errors(data)]


@cache
def _validator(kind: str, alarm: str | None) -> Any:
    about = kinds.KINDS[kind] if alarm is None else ALARMS[alarm]
    return jsonschema.Draft202012Validator(kinds.data_schema(about, alarm, exact=True))
