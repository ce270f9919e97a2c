"""A balancer dies before or after the commit of a game's call: the same ref does the work once, and is answered the same."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from balancer_core.core_world import World
from balancer_core.games import TICKET, TICKET_CENTS, Games, check, owners, said

from balancer.custody.refs import Answer

ROOT = Path(__file__).parents[2]
# A process that has loaded what is needed once and makes a process of its own for each line that it is told: that one is killed
# by SIGKILL at the point that the line names. How it ended is the answer.
CALLS = """
import asyncio, itertools, json, os, signal, sys
from datetime import datetime
from sqlalchemy import event
from balancer.custody import exchanges, tickets, transfers
from balancer.custody.locks import bind, releases
from balancer.custody.locks.terms import Terms, Wish
from balancer.custody.credits import Limits
from balancer.custody.refs import Call
from balancer.db.engine import Database
from shared.settings import load


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def work(url, point, what, ids, call):
    call["now"] = datetime.fromisoformat(call["now"])
    call, numbers = Call(**call), itertools.count(1)
    database = Database(load(overrides={"database": {"url": url}}).database)
    if point == "before":
        event.listen(database.engine, "commit", die)
    if what == "lock":
        return database.run(bind.lock, call, Wish("user-1", ids), Terms(1e9, 3600.0))
    if what == "release":
        return database.run(releases.release, call)
    if what == "issue":
        return database.run(tickets.issue, call, tickets.Wish("SnG Ticket", 100, 2), lambda prefix: f"{prefix}_{next(numbers)}")
    if what == "exchange":
        wish, rules = exchanges.Wish("user-1", ids, ticket="SnG Ticket", tickets=5), exchanges.Rules(Terms(1e9, 3600.0), 300)
        return database.run(exchanges.exchange, call, wish, rules, lambda prefix: f"{prefix}_{next(numbers)}")
    moves = [transfers.Move(each, "user-1", "user-2") for each in ids]
    return database.run(transfers.transfer, call, transfers.Wish(["bet"], moves), Limits(), lambda prefix: prefix)

async def lived(line):
    await work(*json.loads(line))

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)  # its log is no answer
        try:
            asyncio.run(lived(line))
            die()
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def calls() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", CALLS]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.mark.both_databases
@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("what", ["lock", "transfer", "release", "issue", "exchange"])
async def test_b03_b08_killed_around_the_commit_the_repetition_does_the_work_once(
    world: World, calls: subprocess.Popen[str], what: str, point: str
) -> None:
    games = Games(world)
    await games.ready(2)
    ids = await world.held(2)
    if what in ("transfer", "release"):
        await games.lock("bet", ids)
    if what == "exchange":
        await games.issue("first", 2)
    before = len(world.events())
    moves = [(each, "user-1", "user-2") for each in ids]
    ref, body = {
        "lock": ("bet", ["user-1", ids, {}]),
        "transfer": ("t", [["bet"], moves, str({})]),
        "release": ("bet", None),
        "issue": ("i", [TICKET, TICKET_CENTS, 2]),
        "exchange": ("e", ["user-1", ids, str({"tickets": 5, "ticket": TICKET})]),
    }[what]
    call = games.call(ref, body)
    told = {"client_id": call.client_id, "who": call.who, "ref": ref, "body_hash": call.body_hash, "now": call.now.isoformat()}
    url = world.ctx.db.engine.url.render_as_string(hide_password=False)
    assert calls.stdin and calls.stdout
    calls.stdin.write(f"{json.dumps([url, point, what, ids, told])}\n")
    calls.stdin.flush()
    assert int(await asyncio.to_thread(calls.stdout.readline)) == -signal.SIGKILL
    assert len(world.events()) == before + (point == "after")
    check(world)

    async def repeat() -> Answer:
        again = {
            "lock": lambda: games.lock(ref, ids),
            "transfer": lambda: games.transfer(ref, ["bet"], moves),
            "release": lambda: games.release(ref),
            "issue": lambda: games.issue(ref, 2),
            "exchange": lambda: games.exchange(ref, ids, tickets=5),
        }
        return await again[what]()

    answer = await repeat()
    assert answer.first == (point == "before")
    assert said(await repeat()) == said(answer)
    assert len(world.events()) == before + 1
    expected = {"transfer": {"user-2": 2}, "issue": {"user-1": 2, "house": 2}, "exchange": {"house": 2, "user-1": 5}}
    assert Counter(owners(world).values()) == expected.get(what, {"user-1": 2})
    check(world)
