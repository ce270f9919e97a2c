"""A balancer dies before or after the commit of a game's call: the same ref does the work once, and is answered the same."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from balancer_core.core_world import World
from balancer_core.games import TICKET, TICKET_CENTS, Games, check, owners, said

from balancer.custody.refs import Answer

ROOT = Path(__file__).parents[2]
# A process of its own that is killed by SIGKILL at the point that it is told.
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

url, point, what, ids, call = json.loads(sys.argv[1])
call["now"] = datetime.fromisoformat(call["now"])
call = Call(**call)
database = Database(load(overrides={"database": {"url": url}}).database)
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if point == "before":
    event.listen(database.engine, "commit", die)
if what == "lock":
    work = database.run(bind.lock, call, Wish("user-1", ids), Terms(1e9, 3600.0))
elif what == "release":
    work = database.run(releases.release, call)
elif what == "issue":
    numbers = itertools.count(1)
    work = database.run(tickets.issue, call, tickets.Wish("SnG Ticket", 100, 2), lambda prefix: f"{prefix}_{next(numbers)}")
elif what == "exchange":
    numbers = itertools.count(1)
    wish, rules = exchanges.Wish("user-1", ids, ticket="SnG Ticket", tickets=5), exchanges.Rules(Terms(1e9, 3600.0), 300)
    work = database.run(exchanges.exchange, call, wish, rules, lambda prefix: f"{prefix}_{next(numbers)}")
else:
    moves = [transfers.Move(each, "user-1", "user-2") for each in ids]
    work = database.run(transfers.transfer, call, transfers.Wish(["bet"], moves), Limits(), lambda prefix: prefix)
asyncio.run(work)
die()
"""


@pytest.mark.both_databases
@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("what", ["lock", "transfer", "release", "issue", "exchange"])
async def test_b03_b08_killed_around_the_commit_the_repetition_does_the_work_once(world: World, what: str, point: str) -> None:
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
    argument = json.dumps([url, point, what, ids, told])
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CALLS, argument, cwd=ROOT)
    assert await child.wait() == -signal.SIGKILL
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
