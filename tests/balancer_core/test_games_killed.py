"""A balancer dies before or after the commit of a game's call: the same ref does the work once, and is answered the same."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from balancer_core.core_world import World
from balancer_core.games import Games, check, owners, said

from balancer.custody.refs import Answer

ROOT = Path(__file__).parents[2]
# A process of its own that is killed by SIGKILL at the point that it is told.
CALLS = """
import asyncio, json, os, signal, sys
from datetime import datetime
from sqlalchemy import event
from balancer.custody import transfers
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
else:
    moves = [transfers.Move(each, "user-1", "user-2") for each in ids]
    work = database.run(transfers.transfer, call, transfers.Wish(["bet"], moves), Limits(), lambda prefix: prefix)
asyncio.run(work)
die()
"""


@pytest.mark.both_databases
@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("what", ["lock", "transfer", "release"])
async def test_b03_killed_around_the_commit_the_repetition_does_the_work_once(world: World, what: str, point: str) -> None:
    games = Games(world)
    await games.ready(2)
    ids = await world.held(2)
    if what != "lock":
        await games.lock("bet", ids)
    before = len(world.events())
    moves = [(each, "user-1", "user-2") for each in ids]
    ref, body = {
        "lock": ("bet", ["user-1", ids, {}]),
        "transfer": ("t", [["bet"], moves, str({})]),
        "release": ("bet", None),
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
        if what == "lock":
            return await games.lock(ref, ids)
        return await (games.transfer(ref, ["bet"], moves) if what == "transfer" else games.release(ref))

    answer = await repeat()
    assert answer.first == (point == "before")
    assert said(await repeat()) == said(answer)
    assert len(world.events()) == before + 1
    assert set(owners(world).values()) == {"user-2" if what == "transfer" else "user-1"}
    check(world)
