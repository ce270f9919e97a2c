"""How many files a request enters, and how often its path changes room: what somebody has to open who follows it.

Counted with `sys.setprofile` in this process: every call of a function of `balancer`, while one request is under way and the
loops that only repeat themselves stand still. Each task of the event loop, and each thread that works for it, is a path of its
own: that the loop goes on with another task is nobody's step. A room is a folder of `balancer`, or a file beside them. `pytest
tests/balancer_http/test_paths.py -s` prints the figures; `docs/decisions/0016-counting-paths.md` says what each is worth.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest
from balancer_http.harness import PLAYER, READY_S, Service
from balancer_http.test_trades import settled, withdraw_body

import balancer
from balancer.web.handlers import health

ROOT = str(Path(balancer.__file__).parent) + "/"
FIRST_INSTRUCTION = 8  # a coroutine begins a little after its code does
# The lowest layer. What it is given to do, somebody gave it: `db.run(make, …)` reads as a call of `make`.
GROUND = frozenset({"db", "batching.py", "changes.py", "fields.py"})


class Count(NamedTuple):
    """``files`` entered; ``changes`` of room from one call to the next, whoever called; ``calls`` from a file into one of
    another room, the ground left out, each pair once; ``rooms``: the same by rooms."""

    files: int
    changes: int
    calls: int
    rooms: int


# At most. Each is a little more than was counted; whoever makes a path shorter lowers it.
MOST = {
    # Each request is also counted for `/metrics`: one call, into one more room. An order carries the request's id only to a
    # worker that reads it: one more call, from the order to what its bot has said of itself.
    "deposit": Count(60, 106, 30, 17),
    "withdraw": Count(53, 86, 22, 14),
    "lost answer": Count(60, 106, 30, 17),
    # A slow machine counts one more. It says who the bot is in Steam, too; what is below `/ops` is told apart on the way.
    "verify": Count(37, 54, 17, 13),
}


@dataclass
class Steps:
    """The files that each task and each thread entered, in order, without repetition in a row."""

    on: bool = False
    entered: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    called: set[tuple[str, str]] = field(default_factory=set)  # from which file, into which

    def profile(self, frame: FrameType, event: str, _argument: Any) -> None:
        if self.on and event == "call" and not _resumed(frame) and frame.f_code.co_filename.startswith(ROOT):
            seen, name = self.entered[_whose()], frame.f_code.co_filename.removeprefix(ROOT)
            if seen[-1:] != [name]:
                seen.append(name)
            if _room(name) not in GROUND and (caller := _caller(frame)) is not None:
                self.called.add((caller, name))

    @contextmanager
    def taken(self) -> Iterator[None]:
        self.entered.clear()
        self.called.clear()
        self.on = True
        yield
        self.on = False

    @property
    def files(self) -> set[str]:
        return {name for seen in self.entered.values() for name in seen}

    @property
    def count(self) -> Count:
        calls = {(_room(one), _room(other)) for one, other in self.called}
        crossing = [pair for pair in self.called if _room(pair[0]) != _room(pair[1])]
        return Count(len(self.files), self.changes, len(crossing), sum(one != other for one, other in calls))

    @property
    def changes(self) -> int:
        """From how many files a task or a thread went on in which file of another room; again and again counts once, as loops
        wait in rounds."""
        pairs = {pair for seen in self.entered.values() for pair in itertools.pairwise(seen)}
        return sum(_room(one) != _room(other) for one, other in pairs)


def _resumed(frame: FrameType) -> bool:
    """Whether a coroutine only goes on after it waited for something: that is no step of anybody's reading."""
    return frame.f_lasti > FIRST_INSTRUCTION


def _caller(frame: FrameType) -> str | None:
    """The file above the ground from which this was called; none where a task or a thread begins."""
    above = frame.f_back
    while above is not None:
        name = above.f_code.co_filename
        if name.startswith(ROOT) and _room(name.removeprefix(ROOT)) not in GROUND:
            return name.removeprefix(ROOT)
        above = above.f_back
    return None


def _whose() -> int:
    """The task that runs in this thread, else the thread."""
    try:
        return id(asyncio.current_task() or threading.current_thread())
    except RuntimeError:  # no event loop here
        return threading.get_ident()


def _room(file: str) -> str:
    return file.partition("/")[0]


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """One kind is enough: the path is the same."""
    (tmp_path / "fleet.db").write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{tmp_path / 'fleet.db'}"


@pytest.fixture
def steps() -> Iterator[Steps]:
    made = Steps()
    threading.setprofile(made.profile)
    sys.setprofile(made.profile)
    yield made
    sys.setprofile(None)
    threading.setprofile(None)


async def test_the_paths_of_four_requests_enter_few_files(steps: Steps, database_url: str, service: Service) -> None:
    await service.deposit("1")  # what is done only once is done
    await _stand_still(service)
    with steps.taken():
        deposited = await service.deposit("2")
    _compare("deposit", steps)
    with steps.taken():
        response = await service.call("POST", "/verify", {"token": deposited["token"], "steam_id": PLAYER})
    assert response.status == 200
    _compare("verify", steps)
    (row,) = await settled(service, "3")
    with steps.taken():
        response = await service.call("POST", "/withdraw", withdraw_body(row))
    assert response.status == 201
    _compare("withdraw", steps)
    service.bots.sends = "answer_lost"
    with steps.taken():
        response = await service.call("POST", "/deposit?wait=0", service.deposit_body("4"))
        await _until_in_doubt(database_url, (await response.json())["trades"][0]["trade_id"])
    _compare("lost answer", steps)


async def _stand_still(service: Service) -> None:
    """Let the loops wait that only look again whether something is to be done; reports are read on."""
    loops = service.part(health.LOOPS)
    for name, task in loops._tasks.items():
        if name not in ("reports", "changes"):
            task.cancel()
    await asyncio.sleep(0)


async def _until_in_doubt(database_url: str, trade_id: str) -> None:
    """Looked up past the balancer, so that asking adds no steps."""
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
        async with asyncio.timeout(READY_S):
            while connection.execute("SELECT status FROM trades WHERE trade_id = ?", [trade_id]).fetchone() != ("in_doubt",):
                await asyncio.sleep(0.02)


def _compare(name: str, steps: Steps) -> None:
    count = steps.count
    print(f"\n{name}: {count}\n  {', '.join(sorted(steps.files))}")
    assert all(is_ <= most for is_, most in zip(count, MOST[name], strict=True)), (name, count, MOST[name])
