"""The committed example records, and ways to spoil them."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import beacons

from lottery import verify
from lottery.encoding import canonical_json

FOLDER = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
UNCHECKED = ("classic-block", "global-pot-direct")
"""Nothing is wrong with these, but whether the draw was fair no record can show."""
BLOCK = f"125552:{beacons.BLOCK_HASH}"
"""The block of the first of these, as a reader finds it who looks it up."""
FAILURE = "house-failure"
SOUND = [name for name in NAMES if name != FAILURE]
"""Those that verify as far as they can."""
Place = tuple[str | int, ...]


def text(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def load(name: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(text(name))
    return record


def failed_check(record: object) -> str:
    """The name of the check at which the verifier stopped, "" when all of them hold."""
    report = verify.verify(canonical_json(record))
    return report.lie[0] if report.lie else ""


def refused(data: bytes) -> bool:
    """True when this is a lie, or no record at all."""
    try:
        return verify.verify(data).verdict == verify.LIE
    except verify.Unreadable:
        return True


def leaves(value: Any, where: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value that is no object and no list with something in it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    pairs = list(inner)
    if not pairs:
        yield where, value
    for key, each in pairs:
        yield from leaves(each, (*where, key))


def get(record: Any, where: Place) -> Any:
    for key in where:
        record = record[key]
    return record


def changed(record: Any, where: Place, value: Any) -> Any:
    """The record with one value replaced; what does not lie on the way to it is shared with the true one."""
    if not where:
        return value
    spoiled = copy.copy(record)
    spoiled[where[0]] = changed(record[where[0]], where[1:], value)
    return spoiled
