"""The site: bets, what sockets hear, a restart of pages and of an engine, a room's page, an engine's memory, a proof.

Each beside the same without the site: a bare Django view, a bare fan-out from Redis, the lottery's core alone.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import redis

from scripts.benchmarks import play_site, proof_rows, sockets
from scripts.benchmarks.memory_rows import pss_mb
from scripts.benchmarks.options import Options
from scripts.benchmarks.play_site import Played, until
from scripts.benchmarks.rows import BenchError, Floor, Row, interleaved, median, percentile
from scripts.benchmarks.site import cpu_s
from scripts.benchmarks.sockets import Socket
from scripts.lab.parts import Part

Say = Callable[[str], None]
PER_S, LANES = 50, 5
LISTENERS, COMING_BACK = 400, 500
APART_S = 0.1
MANY_LANES, POT, PER_BET = 50, 100_000, 100
TOKEN = "c" * 32
LINKED = re.compile(
    rb"""(?:src|href)="(/static/[^"]+)"|url\\(["']?([^"')]+)["']?\\)|(?:from|import)\\s*["']([^"']+\\.js)["']"""
)
numbers, items_of_nobody = itertools.count(1), itertools.count(10_000_000)


def playing(options: Options, say: Say) -> Iterator[Row]:
    """All rows of the site, on one fleet with one PostgreSQL server."""
    say("the site: a balancer, PostgreSQL, pages and engines")
    with play_site.site(options, say) as (site, bare_database):
        yield from bet_rows(site, bare_database, options)
        yield from page_rows(site, options)
        yield from socket_rows(site, bare_database, options)
        yield from engine_rows(site, options)
    yield from proof_rows.in_a_browser(options, say)


# ---- bets


def bet_rows(site: Played, bare_database: str, options: Options) -> Iterator[Row]:
    """Bets that come at a steady pace whatever becomes of those before, as people do, on five lanes."""
    count = PER_S * (1 if options.quick else 20)
    rounds = min(options.rounds, 3)
    lanes, users = site.open(LANES), site.seat(20 if options.quick else 200)
    owned = site.tickets(users, -(-count * (rounds + 1) // len(users)))
    bets = [
        (user, deposit_id)
        for deposits in zip(*owned.values(), strict=True)
        for user, deposit_id in zip(owned, deposits, strict=True)
    ]
    engine, (pages, address) = site.engine(), site.pages(1)
    bare, bare_address = site.bare(site.stack.redis_url, bare_database)
    numbers_of = until(lambda: rounds_of(lanes), "every lane takes bets")
    left = iter(bets)

    spent = list[float]()

    def ours(_turn: int) -> list[float]:
        some = list(itertools.islice(left, count))
        asks = [ask(site, user, deposit_id, lanes[n % LANES], numbers_of) for n, (user, deposit_id) in enumerate(some)]
        before = used_s(pages, engine)
        times = asyncio.run(paced(f"{address}/bets", asks))
        spent.append((used_s(pages, engine) - before) * 1000 / count)
        return times

    def raw(_turn: int) -> list[float]:
        return asyncio.run(paced(f"{bare_address}/bets", [{"data": {"lane": "a"}, "headers": {}}] * count))

    try:
        ours(0)  # nothing is compiled, imported or connected in the first one
        found = interleaved(rounds, {"ours": ours, "raw": raw})
    finally:
        for part in (bare, pages, engine):
            site.end(part)
    note = f"{PER_S} a second over {LANES} lanes, to the answer that it is placed; raw: a bare Django view commits one row"
    for name, share, goal in (("p50", 0.5, 60), ("p99", 0.99, 300)):
        both = {side: median([percentile(times, share) for times in rows]) for side, rows in found.items()}
        yield Row(f"POST /bets: {name}", "ms", both["ours"], both["raw"], Floor.most(goal), f"≤ {goal}", note)
    note = "what the process with pages and the engine used for each bet; the balancer and PostgreSQL are not counted"
    yield Row("POST /bets: processor time", "ms each", median(spent), None, note=note)


def used_s(*parts: Part) -> float:
    """Processor time of processes so far; 0 where the system does not tell."""
    return sum(cpu_s(part.process.pid) or 0.0 for part in parts)


def rounds_of(lanes: Sequence[str]) -> dict[str, int] | None:
    from website.rooms.models import Round

    found = dict(Round.objects.filter(lane__in=lanes, phase="game").values_list("lane", "round"))
    return found if len(found) == len(lanes) else None


def ask(site: Played, user: int, deposit_id: str, lane: str, numbers_of: dict[str, int]) -> dict[str, Any]:
    """What a page sends, from an address of its own."""
    from website.accounts import sessions

    form = {"lane": lane, "round": str(numbers_of[lane]), "item": f"{deposit_id}:100", "token": f"t{next(numbers)}"}
    headers = {
        "Accept": "application/json",
        "Cookie": f"{sessions.COOKIE}={site.keys[user]}; csrftoken={TOKEN}",
        "X-CSRFToken": TOKEN,
        "X-Forwarded-For": f"10.{user >> 16 & 255}.{user >> 8 & 255}.{user & 255}",
    }
    return {"data": form, "headers": headers}


async def paced(address: str, asks: Sequence[dict[str, Any]]) -> list[float]:
    """Milliseconds to each answer. Raises BenchError when one is none."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(told: dict[str, Any]) -> float:
            at = time.monotonic()
            async with session.post(address, **told) as response:
                text = await response.text()
            # One that is not answered when the patience of its page is over is slow, and counts as it is.
            if response.status != 200:
                raise BenchError(f"a bet was answered {response.status}: {text[:300]}")
            return (time.monotonic() - at) * 1000

        tasks, began = [], time.monotonic()
        for number, told in enumerate(asks):
            await asyncio.sleep(max(0.0, began + number / PER_S - time.monotonic()))
            tasks.append(asyncio.create_task(one(told)))
        return list(await asyncio.gather(*tasks))


# ---- pages


def page_rows(site: Played, options: Options) -> Iterator[Row]:
    """A room's page with a hundred items, asked for by one browser after the other."""
    (lane,) = site.open(1)
    engine, (pages, address) = site.engine(), site.pages(1)
    bare, bare_address = site.bare(site.stack.redis_url, site.database_url)
    try:
        until(lambda: rounds_of([lane]), "the lane takes bets")
        site.end(engine)
        play(site, lane, 10, 10)
        room = f"{address}/rooms/{lane.removesuffix('-a')}"
        repeats = 10 if options.quick else 60
        sides: dict[str, Callable[[int], float]] = {
            "ours": lambda _: median([taken(room) for _ in range(repeats)]),
            "raw": lambda _: median([taken(f"{bare_address}/page") for _ in range(repeats)]),
        }
        taken(room)
        found = interleaved(min(options.rounds, 3), sides)
        size, files = loaded(room)
    finally:
        site.end(pages)
        site.end(bare)
    note = "with a pot of 100 items, seen by nobody signed in; raw: a bare Django view with a hundred lines from memory"
    yield Row("a room's page", "ms", median(found["ours"]), median(found["raw"]), Floor.most(15), "≤ 15", note)
    yield Row("a room's first load", "KB", size / 1024, None, Floor.most(150), "≤ 150", f"{files} files, fonts too, as sent")


def taken(address: str) -> float:
    at = time.monotonic()
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - our own
        answer.read()
    return (time.monotonic() - at) * 1000


def loaded(address: str) -> tuple[int, int]:
    """Bytes on the wire, and files, of a page with everything that it names and that these name."""
    todo, seen, size = [address], set[str](), 0
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        asked = urllib.request.Request(one, headers={"Accept-Encoding": "gzip"})  # noqa: S310 - our own
        with urllib.request.urlopen(asked) as answer:  # noqa: S310
            body, packed = answer.read(), answer.headers.get("Content-Encoding") == "gzip"
            kind = answer.headers.get_content_type()
        if packed:
            size, body = size + len(body), gzip.decompress(body)
        else:
            size += len(body)
        if kind in ("text/html", "text/css", "text/javascript", "application/javascript"):
            names = [name.decode() for found in LINKED.findall(body) for name in found if name]
            todo += [urljoin(one, name).partition("#")[0] for name in names if not name.startswith("data:")]
    return size, len(seen)


def play(site: Played, lane: str, bets: int, items: int) -> None:
    """Bets written into a lane's round as its writer would, without a fleet that binds anything."""
    from django.db import transaction
    from lottery.events import Bet
    from lottery.events import Row as Item

    from website.engine.clock import wall_ms
    from website.engine.unit import Unit, catch_up
    from website.rooms.models import Lane

    users = list(site.keys)
    with transaction.atomic():
        row = Lane.objects.select_for_update().get(name=lane)
        unit = Unit(row, catch_up(row, None), wall_ms())
        for place in range(bets):
            user = users[place % len(users)]
            rows = tuple(Item(next(items_of_nobody), 1, user, 100) for _ in range(items))
            unit.append(Bet(unit.time(), f"bench_{next(numbers)}", user, rows, 0, "x"))
        unit.save()
        row.save()


# ---- sockets


def socket_rows(site: Played, bare_database: str, options: Options) -> Iterator[Row]:
    """What was committed reaches everybody; everybody comes back after a restart."""
    count, listeners, coming = (10, 40, 50) if options.quick else (60, LISTENERS, COMING_BACK)
    lane = "bench-0-a"
    served = [site.pages(number) for number in (1, 2)]
    bare = [site.bare(site.stack.redis_url, bare_database) for _ in range(2)]
    client = redis.Redis.from_url(site.stack.redis_url)

    def raw_tell(number: int) -> int:
        client.publish("bare", json.dumps({"seq": number, "kind": "bet", "body": "x" * 200}))
        return number

    def ours(_turn: int) -> list[float]:
        return asyncio.run(heard([each for _, each in served], listeners, count, sub(lane), lambda _: tell(lane)))

    def raw(_turn: int) -> list[float]:
        return asyncio.run(heard([each for _, each in bare], listeners, count, b"{}", raw_tell))

    try:
        found = interleaved(min(options.rounds, 3), {"ours": ours, "raw": raw})
        back = asyncio.run(come_back(site, served[0], lane, coming))
    finally:
        for part in [part for part in site.stack.parts if part.name.startswith(("web", "bare"))]:
            site.end(part)
    p99 = {side: median([percentile(each, 0.99) for each in rows]) for side, rows in found.items()}
    p50 = {side: median([percentile(each, 0.5) for each in rows]) for side, rows in found.items()}
    note = f"from the commit; p50 {p50['ours']:.0f} / {p50['raw']:.0f} ms; raw: Redis to sockets, no database, no numbers"
    name = f"event committed, seen by {listeners} sockets on 2 processes: p99"
    yield Row(name, "ms", p99["ours"], p99["raw"], Floor.most(100), "≤ 100", note)
    note = "from when the process answers again to the last one who has what it missed; nobody waits before coming"
    yield Row(f"{coming} sockets back after a restart", "s", back, None, Floor.most(5), "≤ 5", note)


def sub(lane: str, after: int | None = None) -> bytes:
    from website.rooms.models import Lane

    seq = Lane.objects.get(name=lane).seq if after is None else after
    return json.dumps({"op": "sub", "ch": f"lane:{lane}", "after": seq}).encode()


def tell(lane: str) -> int:
    """One message in a transaction of its own, and its hint; its number."""
    from django.db import transaction

    from website.live import hints
    from website.rooms.models import Lane, LaneMessage

    with transaction.atomic():
        row = Lane.objects.select_for_update().get(name=lane)
        row.seq += 1
        said = LaneMessage.objects.create(lane=lane, seq=row.seq, at_ms=0, kind="bet", body=json.dumps({"text": "x" * 200}))
        row.save(update_fields=["seq"])
    hints.publish([(hints.lane_channel(lane), hints.message(said.seq, said.at_ms, said.kind, said.body))])
    return row.seq


async def heard(addresses: Sequence[str], listeners: int, count: int, first: bytes, told: Callable[[int], int]) -> list[float]:
    """Milliseconds from each commit to each socket."""
    came: list[tuple[int, float]] = []
    opened = [
        await sockets.connect(addresses[n % len(addresses)], first, lambda seq, at, _: came.append((seq, at)))
        for n in range(listeners)
    ]
    began: dict[int, float] = {}
    for number in range(count):
        seq = await asyncio.to_thread(told, number)
        began[seq] = time.monotonic()  # a hint goes out by a thread of its own
        await asyncio.sleep(APART_S)
    async with asyncio.timeout(play_site.PATIENCE_S):
        while sum(seq in began for seq, _ in came) < count * listeners:
            await asyncio.sleep(0.02)
    for each in opened:
        each.close()
    return [max(0.0, at - began[seq]) * 1000 for seq, at in came if seq in began]


async def come_back(site: Played, served: tuple[Part, str], lane: str, coming: int) -> float:
    """Seconds until everybody has what was told meanwhile, each message once."""
    part, address = served
    port = int(address.rpartition(":")[2])
    last = await asyncio.to_thread(tell, lane)
    opened = [await sockets.connect(address, sub_of(lane, last), lambda *_: None) for _ in range(coming)]
    await asyncio.to_thread(site.end, part)
    for each in opened:
        await each.ended
    missed = [await asyncio.to_thread(tell, lane) for _ in range(20)]
    await asyncio.to_thread(site.pages, 3, port)
    at, came = time.monotonic(), [list[int]() for _ in range(coming)]
    back: list[Socket] = await asyncio.gather(*(sockets.connect(address, sub_of(lane, last), kept_in(mine)) for mine in came))
    async with asyncio.timeout(play_site.PATIENCE_S):
        while any(len(mine) < len(missed) for mine in came):
            await asyncio.sleep(0.01)
    taken_s = time.monotonic() - at
    for each in back:
        each.close()
    if any(mine != missed for mine in came):
        raise BenchError("a socket did not get each message once, in order")
    return taken_s


def kept_in(mine: list[int]) -> sockets.Heard:
    return lambda seq, _at, _text: mine.append(seq)


def sub_of(lane: str, after: int) -> bytes:
    return json.dumps({"op": "sub", "ch": f"lane:{lane}", "after": after}).encode()


# ---- an engine


def engine_rows(site: Played, options: Options) -> Iterator[Row]:
    """A new engine on fifty lanes, everything due; then one of them has a pot of a hundred thousand items."""
    count, pot = (8, 2_000) if options.quick else (MANY_LANES, POT)
    from website.rooms.models import Lane

    first = site.engine()
    lanes = list(Lane.objects.order_by("id").values_list("name", flat=True))
    lanes += site.open(max(0, count - len(lanes)))
    until(lambda: rounds_of(lanes), "every lane takes bets")
    site.end(first)
    for lane in lanes[LANES:]:
        play(site, lane, 4, 10)
    rounds, began = min(options.rounds, 3), list[float]()
    for turn in range(rounds):
        seconds, part = restarted(site, lanes, turn)
        began.append(seconds)
        site.end(part)
    alone = core_alone(site, lanes)
    note = f"from the start of its process until it has worked on all {len(lanes)} lanes; raw: the core alone, in the same way"
    yield Row(f"an engine's restart, {len(lanes)} lanes", "s", median(began), alone[0], Floor.most(2), "≤ 2", note)
    play(site, lanes[-1], pot // PER_BET, PER_BET)
    seconds, part = restarted(site, lanes, rounds)
    ours = pss_mb(part.process.pid)
    site.end(part)
    alone = core_alone(site, lanes)
    note = f"with {len(lanes)} lanes, one with a pot of {pot} items, which it had after {seconds:.1f} s; raw: the core alone"
    yield Row("an engine's memory (PSS)", "MB", ours, alone[1], Floor.most(300), "≤ 300", note)


def restarted(site: Played, lanes: Sequence[str], turn: int) -> tuple[float, Part]:
    """Seconds from the start of a process until each lane was worked on by it."""
    from website.rooms.models import Lane

    Lane.objects.filter(name__in=lanes).update(next_at_ms=0, driver="", driver_until_ms=0)
    at = time.monotonic()
    part = site.engine(turn + 2)
    until(lambda: not Lane.objects.filter(name__in=lanes, driver="").exists(), "the engine has worked on every lane")
    return time.monotonic() - at, part


def core_alone(site: Played, lanes: Sequence[str]) -> tuple[float, float]:
    """Seconds from the start of a process until the core has folded the same events, and its memory then."""
    path = Path(site.folder) / "events.jsonl"
    path.write_text(play_site.as_lines(list(lanes)))
    command = [sys.executable, "-P", "-m", "scripts.benchmarks.core_alone", str(path)]
    at = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        said = process.stdout.readline()
        seconds = time.monotonic() - at
        if not said:
            raise BenchError("the core alone ended")
        memory = pss_mb(process.pid)
        process.stdin.close()
    return seconds, memory
