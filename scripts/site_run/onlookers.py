"""People who only look on while a site is hurt: they ask its pages, and follow what every lane is told, by number.

What they get is a page, or 503 with a time to come again; or nothing, from a process that is down. What they have been told of
a lane has no gap and nothing twice, whichever process they asked (W19); at the end it is what stands in the table.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

PAGES = ("/", "/status", "/custody", "/odds", "/rooms/classic-unlimited", "/rooms/5v5")
REST_S = 0.3
TIMEOUT_S = 10.0
PROBLEMS_MAX = 20


@dataclass
class Onlookers:
    """`addresses` of processes with pages, `lanes` that are followed. `answers` are counted by status or error."""

    addresses: Sequence[str]
    lanes: Sequence[str]
    answers: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    told: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stopped, self._lock = threading.Event(), threading.Lock()
        self._turns = itertools.cycle(self.addresses)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._look, self._follow_all)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, rows: Callable[[str], list[tuple[int, str]]]) -> None:
        """When all is at rest. `rows` of a lane: number and kind of each message, as the table has them."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        for lane in self.lanes:
            while self._follow(lane):
                pass
            mine, theirs = self.told.get(lane, []), rows(lane)
            if mine != theirs[-len(mine) :] and mine:
                self._problem(f"{lane}: an onlooker was told {len(mine)} messages that are not the {len(theirs)} of the table")
            if theirs and not mine:
                self._problem(f"{lane}: an onlooker was told nothing")

    def _look(self) -> None:
        for page in itertools.cycle(PAGES):
            if self._stopped.wait(REST_S):
                return
            self._get(page)

    def _follow_all(self) -> None:
        for lane in itertools.cycle(self.lanes):
            if self._stopped.wait(REST_S / 3):
                return
            self._follow(lane)

    def _follow(self, lane: str) -> bool:
        """What is new on a lane; whether anything was."""
        mine = self.told.setdefault(lane, [])
        after = mine[-1][0] if mine else 0
        text = self._get(f"/api/v1/lanes/{lane}/messages?after={after}")
        said: dict[str, Any] = json.loads(text) if text else {"messages": [], "resync": False}
        if said["resync"]:
            self._problem(f"{lane}: after message {after} all was to be loaded anew")
        for message in said["messages"]:
            if mine and message["seq"] != mine[-1][0] + 1:
                self._problem(f"{lane}: message {message['seq']} came after {mine[-1][0]}")
            mine.append((message["seq"], message["kind"]))
        return bool(said["messages"])

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(next(self._turns) + path, timeout=TIMEOUT_S) as answer:  # noqa: S310 - our own
                self.answers[str(answer.status)] += 1
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                self.answers[str(error.code)] += 1
                if error.code != 503 or not error.headers.get("Retry-After"):
                    self._problem(f"{path}: {error.code} {error.read().decode(errors='replace')[:200]}")
        except (OSError, http.client.HTTPException) as error:
            self.answers[type(error).__name__] += 1
        return ""

    def _problem(self, text: str) -> None:
        with self._lock:
            if len(self.problems) < PROBLEMS_MAX:
                self.problems.append(text)
