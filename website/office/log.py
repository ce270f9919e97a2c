"""The staff log: a chain of hashes in which each line covers all before it. Only `operations` writes it, in the transaction of
what the line says (W24); the last hash of each day is public, so that a day cannot be written anew unseen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Max
from lottery import encoding

from website.office.models import Head, Line, Staff

TAG = "site.staff"
HASH_BYTES = 32
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Asker:
    """Who asks, and from where: an address of the network, and the number of the request."""

    staff: Staff
    address: str = ""
    request_id: str = ""


def lock() -> Head:
    """Takes the log for this transaction; operations of the office take turns by it."""
    Head.objects.bulk_create([Head(id=1)], ignore_conflicts=True)
    return Head.objects.select_for_update().get(id=1)


def write(asker: Asker, operation: str, target: str, now_ms: int, **more: Any) -> Line:
    """Adds a line; `more`: before, after, why, proposal. Part of the caller's transaction."""
    head = lock()
    number = head.number + 1
    line = {
        "number": number,
        "at_ms": now_ms,
        "staff": asker.staff.username,
        "roles": asker.staff.roles,
        "operation": operation,
        "target": target[:200],
        "before": more.get("before"),
        "after": more.get("after"),
        "why": more.get("why", ""),
        "proposal": more.get("proposal"),
        "request": asker.request_id,
        "address": asker.address,
    }
    text = encoding.canonical_json(line).decode()
    digest = chained(bytes(head.hash), text)
    row = Line.objects.create(
        number=number, at_ms=now_ms, staff=asker.staff, operation=operation, target=target[:200], line=text, hash=digest
    )
    head.number, head.hash = number, digest
    head.save(update_fields=["number", "hash"])
    return row


def chained(previous: bytes, text: str) -> bytes:
    """The hash of a line: `text` is its canonical JSON."""
    return encoding.sha256(encoding.TAG(TAG), previous, encoding.LP(text.encode()))


def differences() -> Iterator[str]:
    """Everything that does not fit, as sentences: lines that miss, that were changed, that were cut off at the end."""
    previous, number = bytes(HASH_BYTES), 0
    for row in Line.objects.order_by("number").iterator():
        number += 1
        if row.number != number:
            yield f"line {number} is missing"
            number = row.number
        if bytes(row.hash) != chained(previous, row.line):
            yield f"line {row.number} is not what was written"
        said = json.loads(row.line)
        if (said["number"], said["at_ms"], said["operation"], said["target"]) != (
            *(row.number, row.at_ms, row.operation, row.target),
        ):
            yield f"the columns of line {row.number} say something else than the line"
        previous = bytes(row.hash)
    head = Head.objects.filter(id=1).first() or Head()
    if (head.number, bytes(head.hash)) != (number, previous):
        yield f"the log ends at line {number}, but {head.number} were written"


@dataclass(frozen=True)
class DayOfLog:
    day: date
    lines: int
    hash: bytes


def days(most: int = 14) -> list[DayOfLog]:
    """The last days on which something was done, the newest first: how many lines there were, and the hash after the last."""
    found: dict[date, DayOfLog] = {}
    for at_ms, number, digest in _last_lines(most):
        day = datetime.fromtimestamp(at_ms / 1000, UTC).date()
        found[day] = DayOfLog(day, number, digest)
    return list(found.values())


def _last_lines(most: int) -> Iterator[tuple[int, int, bytes]]:
    """Of each day its last line. A line is found by its number, since a clock may have been set back."""
    end_ms: int | None = None
    for _ in range(most):
        rows = Line.objects.all() if end_ms is None else Line.objects.filter(at_ms__lt=end_ms)
        newest = rows.aggregate(at=Max("at_ms"))["at"]
        if newest is None:
            return
        start_ms = newest // DAY_MS * DAY_MS
        row = Line.objects.filter(at_ms__gte=start_ms, at_ms__lt=start_ms + DAY_MS).order_by("-number")[0]
        yield row.at_ms, row.number, bytes(row.hash)
        end_ms = start_ms
