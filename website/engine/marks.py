"""How far each lane was, kept outside the database: in a file, and in Redis (S11, S20).

A database that comes back as it was before (a failover that lost the last commits, a backup) would let rounds go on whose
secrets are public, and draw again what was drawn. So an engine notes after each commit how far the lane was, and drives no lane
whose table lies behind its mark: it is paused with an alarm, and `manage.py recover` says what is missing.

A mark that was wrong is never taken away, as whoever has it in memory would bring it back: a lane's marks begin anew under its
name and the number of the beginning (`lane~1`), and of these the last one counts.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from redis import RedisError

from website.live import hints
from website.rooms.models import Lane

ROUNDS, SEQS = "mark-rounds", "mark-seqs"
AGAIN = "~"
"""Stands in no name of a lane."""
TIMEOUT_S = 1.0

_log = logging.getLogger(__name__)
Mark = tuple[int, int]
"""The newest round of a lane and the number of its newest message; of two the greater one is later."""


class Marks:
    """What was noted so far by anybody, as far as this process knows. ``folder``: none, no file."""

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / "marks.json"
        self._known: dict[str, Mark] = {}
        self._names: dict[str, str] = {}  # of each lane the name under which its marks are now
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._merge(self._read())

    def of(self, lane: str) -> Mark:
        return self._known.get(self._names.get(lane, lane), (0, 0))

    def all(self) -> Mapping[str, Mark]:
        """By lane."""
        return {lane: self.of(lane) for lane in list(self._names)}

    def note(self, lane: str, mark: Mark) -> None:
        """A lane was committed as far as this. A mark never goes back."""
        if mark > self.of(lane):
            self._keep(self._names.get(lane, lane), mark)

    def forget(self, lane: str) -> None:
        """Somebody has looked, and the lane goes on from where its table is. Engines learn it when they `share`."""
        self.share()
        self._keep(f"{lane}{AGAIN}{_beginning(self._names.get(lane, lane)) + 1}", (0, 0))
        self.share()

    def _keep(self, name: str, mark: Mark) -> None:
        self._merge({name: mark})
        if self._file is not None:
            with self._locked():
                self._merge(self._read())
                self._write()

    # ---- Redis: every engine, on whatever host, learns of it

    def share(self) -> None:
        """Writes what is known here to Redis, and learns what others know, from the file too.

        A Redis that is away is left alone.
        """
        self._merge(self._read())
        if not settings.SITE_REDIS_URL:
            return
        try:
            with hints.connect(TIMEOUT_S) as client:
                pipe = client.pipeline(transaction=False)
                for lane, (number, seq) in self._known.items():
                    pipe.zadd(settings.SITE_REDIS_PREFIX + ROUNDS, {lane: number}, gt=True)
                    pipe.zadd(settings.SITE_REDIS_PREFIX + SEQS, {lane: seq}, gt=True)
                pipe.zrange(settings.SITE_REDIS_PREFIX + ROUNDS, 0, -1, withscores=True)
                pipe.zrange(settings.SITE_REDIS_PREFIX + SEQS, 0, -1, withscores=True)
                *_, numbers, seqs = pipe.execute()
        except RedisError as error:
            _log.warning("marks are not shared: %s", type(error).__name__)
            return
        told = {lane: int(seq) for lane, seq in seqs}
        self._merge({lane: (int(number), told.get(lane, 0)) for lane, number in numbers})

    # ---- the file

    def _merge(self, told: Mapping[str, Mark]) -> None:
        for name, mark in told.items():
            self._known[name] = max(self._known.get(name, (0, 0)), mark)
            lane = _lane(name)
            self._names[lane] = max(self._names.get(lane, lane), name, key=_beginning)

    def _read(self) -> dict[str, Mark]:
        if self._file is None or not self._file.exists():
            return {}
        values = json.loads(self._file.read_text(encoding="utf-8"))
        return {lane: (int(number), int(seq)) for lane, (number, seq) in values.items()}

    def _write(self) -> None:
        assert self._file is not None
        made = self._file.with_suffix(f".{os.getpid()}")
        made.write_text(json.dumps(self._known), encoding="utf-8")
        made.replace(self._file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        assert self._file is not None
        with self._file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _lane(name: str) -> str:
    return name.partition(AGAIN)[0]


def _beginning(name: str) -> int:
    return int(name.partition(AGAIN)[2] or 0)


def behind(marks: Marks) -> Mapping[str, tuple[Mark, Mark]]:
    """Lanes whose table lies behind their mark: where the table is, and the mark. A lane that has ended counts no more."""
    noted = marks.all()  # before the table is read, or what another engine has just added would count as missing
    rows = Lane.objects.exclude(state=Lane.RETIRED).order_by("name").values_list("name", "round", "seq")
    return {name: ((number, seq), noted[name]) for name, number, seq in rows if (number, seq) < noted.get(name, (0, 0))}
