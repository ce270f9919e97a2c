"""What was committed on each lane, kept outside the database: enough to rebuild its rounds when that comes back older (S20).

A file of lines in the folder of marks, readable by its owner alone. A line is one transaction of a lane: its events, and what
they name that the database alone would know (whose numbers these are, which items, which chain). It is written and on the disk
*before* the transaction is committed, so nothing was ever shown that stands in no line. After the commit a short line says so.

Lines of a lane hang on each other by a hash over the events of a round. What was written and not committed is followed by
nothing, and what is torn by a full disk or a crash has another checksum: both are told apart by reading alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lottery import encoding

from website.engine.models import Call, Chain
from website.engine.unit import Unit
from website.rooms.models import Bet, Guarantee, LaneEvent, Piece

NAME = "witness-{day}.jsonl"
DAY_S = 86_400
CHECK = 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """One transaction of a lane. `before` and `after` are hashes over its round's events; `more` is what these name."""

    lane: str
    room: str
    at_ms: int
    seq: int
    before: str
    after: str
    events: Sequence[tuple[int, int, str]]  # round, number, body
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Told:
    """What the files say: lines of each lane, the hashes that were committed, and how many lines are torn."""

    lines: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    done: set[str] = field(default_factory=set)
    torn: int = 0


class TwoEndsError(Exception):
    """Two different things were written last, and nothing says which of them was committed."""


# ---- written


class Witness:
    """Writes lines. ``folder``: none, nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._file, self._day = folder, -1, ""
        self._one = threading.Lock()  # lanes are worked on in several threads, and a day's end changes the file
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, unit: Unit) -> None:
        """What a transaction adds to its lane, on the disk when this returns. Raises OSError: then it must not be committed."""
        if self._folder is None or not unit.events:
            return
        line = _as_json(_line(unit))
        with self._one:
            self._append(line)
            os.fsync(self._file)

    def done(self, unit: Unit) -> None:
        """It was committed. This line may be lost: whatever follows says the same."""
        if self._folder is None or not unit.events or unit.held is None:
            return
        try:
            with self._one:
                self._append({"done": unit.held.digest})
        except OSError as error:
            _log.warning("the witness file: %s", error)

    def purge(self, days: int, now_s: float) -> None:
        """Files that are older than any backup that may come back go."""
        oldest = NAME.format(day=time.strftime("%Y%m%d", time.gmtime(now_s - days * DAY_S)))
        for path in self._folder.glob(NAME.format(day="*")) if self._folder is not None else ():
            if path.name < oldest:
                path.unlink(missing_ok=True)

    def _append(self, values: Mapping[str, Any]) -> None:
        self._open()
        text = encoding.canonical_json(values)
        # A line of its own, also behind one that is torn.
        whole = b"\n" + _check(text) + b" " + text + b"\n"
        written = os.write(self._file, whole)
        if written != len(whole):
            raise OSError(f"only {written} of {len(whole)} bytes could be written")

    def _open(self) -> None:
        day = time.strftime("%Y%m%d", time.gmtime())
        if day == self._day:
            return
        assert self._folder is not None
        path = self._folder / NAME.format(day=day)
        made = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name of a new file is to survive too
        finally:
            os.close(folder)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._day = made, day


def _line(unit: Unit) -> Line:
    events = [(row.round, row.number, row.body) for row in unit.events]
    assert unit.held is not None
    place = unit.place
    return Line(place.lane, place.room, unit.now_ms, unit.lane.seq, unit.came_from, unit.held.digest, events, _more(unit))


def _more(unit: Unit) -> dict[str, Any]:
    """What the events name."""
    created = [row.round for row in unit.events if row.kind == "create"]
    tokens = [row.token for row in unit.events if row.kind == "bet"]
    found: dict[str, Any] = {}
    if tokens:
        found["bets"] = [_bet(row) for row in Bet.objects.filter(bet_id__in=tokens).select_related("player").order_by("id")]
    if created:
        house = Guarantee.objects.filter(lane=unit.lane.name, round__in=created, state=Guarantee.BOUND)
        found["guarantees"] = [
            {"ref": row.ref, "round": row.round, "deposits": json.loads(row.deposit_ids)} for row in house.order_by("id")
        ]
        stock = Call.objects.filter(kind=Call.LOCK, lane=unit.lane.name, round__in=created, state=Call.DONE)
        found["stock"] = [
            {"ref": call.ref, "round": call.round, "rows": json.loads(call.answer)["rows"]}
            for call in stock.filter(ref__startswith="stk_").order_by("id")
        ]
    found["pieces"] = _pieces(unit.events)
    found["chains"] = [_chain(unit.lane.name, first) for first in _chains(unit.events)]
    return {name: value for name, value in found.items() if value}


def _bet(row: Bet) -> dict[str, Any]:
    player = row.player
    who = {"user": player.id, "steam_id": player.steam_id, "name": player.name, "registered_ms": player.registered_ms}
    what = {"bet": row.bet_id, "token": row.token, "deposits": json.loads(row.deposit_ids), "seen_cents": row.seen_cents}
    return {**who, **what, "created_ms": row.created_ms}


def _pieces(events: Iterable[LaneEvent]) -> list[list[Any]]:
    """Numbers of items, their ids at the fleet, and their kinds."""
    numbers: set[int] = set()
    for row in events:
        if row.kind in ("bet", "create"):
            body = json.loads(row.body)
            rows = (*body.get("rows", ()), *body.get("guarantees", ()), *body.get("stock", ()))
            numbers.update(each["deposit_id"] for each in rows)
    if not numbers:
        return []
    found = Piece.objects.filter(id__in=numbers).select_related("kind").order_by("id")
    return [
        [row.id, row.deposit_id, row.kind_id, row.kind.item_id, row.kind.market_hash_name, row.kind.icon_url] for row in found
    ]


def _chains(events: Iterable[LaneEvent]) -> list[int]:
    """First rounds of chains that these events bind."""
    return [
        row.round + (row.kind == "renew") for row in events if row.kind == "renew" or (row.kind == "create" and row.round == 1)
    ]


def _chain(lane: str, first_round: int) -> dict[str, Any]:
    """As it stands in the table: sealed, so the file tells no secret."""
    row = Chain.objects.get(lane=lane, first_round=first_round)
    points = [[point.place, bytes(point.sealed).hex()] for point in row.points.order_by("place")]
    sealed = {"anchor": bytes(row.anchor).hex(), "last_sealed": bytes(row.last_sealed).hex()}
    return {"first_round": first_round, "length": row.length, "made_ms": row.made_ms, "points": points, **sealed}


def _as_json(line: Line) -> dict[str, Any]:
    return {**line.__dict__, "events": [list(each) for each in line.events]}


def _check(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:CHECK].encode()


# ---- read


def read(folders: Sequence[Path]) -> Told:
    """All that the files of these folders say; each host that runs engines has one."""
    told = Told()
    for folder in folders:
        for path in sorted(folder.glob(NAME.format(day="*"))):
            for values in _values(path, told):
                if "done" in values:
                    told.done.add(values["done"])
                else:
                    line = Line(**{**values, "events": [tuple(each) for each in values["events"]]})
                    told.lines[line.lane].append(line)
    for lines in told.lines.values():
        told.done.update(line.before for line in lines)
    return told


def _values(path: Path, told: Told) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for text in file:
            found = text.rstrip(b"\n")
            if not found:
                continue
            check, _, body = found.partition(b" ")
            if check == _check(body):
                yield json.loads(body)
            else:
                told.torn += 1


def following(told: Told, lane: str, digest: str) -> list[Line]:
    """The transactions of a lane behind the one that ended with `digest`, in order.

    The last one may never have been committed: it decides nothing that was shown otherwise. Raises TwoEndsError.
    """
    behind: dict[str, dict[str, Line]] = defaultdict(dict)
    for line in told.lines.get(lane, ()):
        behind[line.before][line.after] = line
    found: list[Line] = []
    while ends := behind.pop(digest, None):
        sure = [line for line in ends.values() if line.after in told.done]
        chosen = sure or list(ends.values())
        if len(chosen) > 1:
            where = sorted(f"round {line.events[-1][0]}, event {line.events[-1][1]}" for line in chosen)
            raise TwoEndsError(f"{lane}: the witness has {len(chosen)} ends: {'; '.join(where)}")
        found.append(chosen[0])
        digest = chosen[0].after
    return found
