"""Sockets: a real process that serves pages, a real Redis, real sockets, and what may happen to each of them."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import resource
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from django.db import connections, transaction
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from web import PATIENCE_S, Listener, Web, in_thread, new_lane, tell

from scripts.lab.redis_server import EmbeddedRedis
from website.accounts import sessions
from website.accounts.models import Player
from website.engine.clock import wall_ms
from website.live import frames, post, tables
from website.live.doors import Doors, FullError, Pace
from website.live.hub import Hub
from website.live.post import Letter
from website.live.window import KEPT, Told, Window
from website.rooms.models import Bet, Kind, Lane, LaneMessage, Round

names = (f"room{number}-a" for number in itertools.count(1))


@dataclass
class LiveSite:
    web: Web
    redis: EmbeddedRedis
    database_url: str


@pytest.fixture(scope="module")
def live_site(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    folder = tmp_path_factory.mktemp("web")
    shutil.copy(migrated_file, folder / "site.sqlite3")
    url = f"sqlite://{folder / 'site.sqlite3'}"
    with EmbeddedRedis(folder / "redis") as redis:
        limits = {"SITE_SOCKETS_PER_USER": "3", "SITE_SOCKETS_PER_ADDRESS": "600"}
        web = Web(folder, {"SITE_DATABASE_URL": url, "SITE_REDIS_URL": redis.url, **limits})
        web.start()
        yield LiveSite(web, redis, url)
        web.end()


@pytest.fixture
def site(live_site: LiveSite, lead: Callable[[str], None]) -> Iterator[LiveSite]:
    lead(live_site.database_url)
    with override_settings(SITE_REDIS_URL=live_site.redis.url):
        yield live_site
    connections.close_all()


@pytest.fixture
def lane(site: LiveSite) -> str:
    return new_lane(next(names))


async def heard(opened: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(await asyncio.wait_for(opened.recv(), PATIENCE_S))
    return said


async def say(opened: Any, **said: Any) -> None:
    await opened.send(json.dumps(said))


async def sub(opened: Any, channel: str, after: int | None = None) -> dict[str, Any]:
    await say(opened, op="sub", ch=channel, **({} if after is None else {"after": after}))
    return await heard(opened)


async def closed(opened: Any) -> int:
    with pytest.raises(websockets.ConnectionClosed):
        while True:
            await asyncio.wait_for(opened.recv(), PATIENCE_S)
    return int(opened.close_code)


@pytest.mark.skipif(sys.platform != "linux", reason="no other process's limits can be set elsewhere")
async def test_s21_a_process_with_pages_whose_disk_is_full_says_so_and_goes_on(site: LiveSite, lane: str) -> None:
    """No file of it may grow: what would be written is refused with a sentence, what is read is there."""
    player = await in_thread(lambda: Player.objects.create(steam_id=76561198700000001, name="ana", registered_ms=0))
    key = await in_thread(sessions.start, player, "test", wall_ms())
    form = {"lane": lane, "round": "1", "item": "dep_1:100", "token": "t1", "csrfmiddlewaretoken": "c" * 32}
    pid = site.web.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    cookies = {sessions.COOKIE: key, "csrftoken": "c" * 32}
    async with httpx.AsyncClient(base_url=site.web.address, cookies=cookies, timeout=PATIENCE_S) as browser:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4_096, before[1]))
        try:
            answer = await browser.post("/bets", data=form, headers={"Accept": "application/json"})
            assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1, answer.text
            assert "Nothing was done" in answer.text and not await in_thread(Bet.objects.exists)
            assert (await browser.get("/")).status_code == 200
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        assert (await browser.post("/bets", data=form)).status_code == 303
        assert (await in_thread(Bet.objects.get)).state == Bet.NEW


# ---- nothing is missing, and nothing comes twice


@pytest.mark.parametrize(("sockets", "told"), [(20, 150), pytest.param(100, 1500, marks=pytest.mark.long)])
async def test_w19_sockets_cut_at_random_moments_end_with_the_same_list(
    site: LiveSite, lane: str, sockets: int, told: int
) -> None:
    """Every third hint is lost, too; what was lost comes with the next one or with a look."""
    rng = random.Random(sockets)
    listeners = [Listener(site.web, f"lane:{lane}") for _ in range(sockets)]
    tasks = [asyncio.create_task(each.listen(told, lambda: rng.random() < 0.05)) for each in listeners]
    sent = 0
    while sent < told:
        several = [{"round": 1, "text": f"message {sent + 1 + more}"} for more in range(min(rng.randint(1, 4), told - sent))]
        await in_thread(lambda several=several: tell(lane, *several, hint=rng.random() < 0.67))
        sent += len(several)
        await asyncio.sleep(rng.random() * 0.02)
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
    assert sum(each.cuts for each in listeners) > sockets
    for listener in listeners:
        assert [said["seq"] for said in listener.told] == list(range(1, told + 1))
        assert [said["body"]["text"] for said in listener.told] == [f"message {seq}" for seq in range(1, told + 1)]
        assert not listener.resyncs


async def test_a_page_gets_what_came_since_it_was_made_or_is_to_be_made_anew(site: LiveSite, lane: str) -> None:
    await in_thread(lambda: tell(lane, *[{"n": number} for number in range(KEPT + 40)], hint=False))
    newest = KEPT + 40
    async with site.web.socket() as opened:
        assert await sub(opened, f"lane:{lane}", newest - 3) == {"ch": f"lane:{lane}", "is": "sub", "seq": newest, "sent": 3}
        assert [(await heard(opened))["seq"] for _ in range(3)] == [newest - 2, newest - 1, newest]
        for after, answer in ((newest, "sub"), (newest - KEPT, "sub"), (newest - KEPT - 1, "resync"), (newest + 1, "resync")):
            said = await sub(opened, f"lane:{lane}", after)
            assert (said["is"], said["seq"]) == (answer, newest)
            for _ in range(said.get("sent", 0)):
                await heard(opened)
        # A page may know more than has been heard here, when the hint was lost.
        await in_thread(lambda: tell(lane, {"n": 0}, hint=False))
        said = await sub(opened, f"lane:{lane}", newest + 1)
        assert (said["is"], said["seq"], said["sent"]) == ("sub", newest + 1, 0)
        assert await sub(opened, "lane:nobody-knows-it", 3) == {"ch": "lane:nobody-knows-it", "is": "unknown"}


async def test_a_lane_that_goes_back_makes_everybody_begin_again(site: LiveSite, lane: str) -> None:
    """A database that came back from a backup: nobody is shown what does not exist any more."""
    await in_thread(lambda: tell(lane, {}, {}, {}))
    async with site.web.socket() as opened:
        await sub(opened, f"lane:{lane}", 3)

        def restore() -> None:
            LaneMessage.objects.filter(lane=lane, seq=3).delete()
            Lane.objects.filter(name=lane).update(seq=2)

        await in_thread(restore)
        assert await heard(opened) == {"ch": f"lane:{lane}", "is": "resync", "seq": 2}
        assert (await sub(opened, f"lane:{lane}", 2))["is"] == "sub"


async def test_messages_say_who_and_what_beside_their_numbers(site: LiveSite, lane: str) -> None:
    def prepare() -> int:
        kind = Kind.objects.create(item_id=f"itm_{lane}", market_hash_name="AK-47 | Redline", color="D32CE6")
        ana = Player.objects.create(steam_id=int(time.monotonic_ns()), name="ana", registered_ms=1)
        tell(lane, {"round": 1, "user_id": ana.id, "items": [{"item_id": kind.id, "price": 5}]})
        return ana.id

    ana_id = await in_thread(prepare)
    async with site.web.socket() as opened:
        await sub(opened, f"lane:{lane}", 0)
        said = await heard(opened)
    assert said["who"] == {str(ana_id): {"name": "ana", "look": said["who"][str(ana_id)]["look"]}}
    assert [(each["name"], each["rarity"]) for each in said["what"].values()] == [("AK-47 | Redline", "rarity-d32ce6")]


async def test_a_room_is_told_as_it_stands(site: LiveSite, lane: str) -> None:
    room = lane.rpartition("-")[0]

    def play(pot: int) -> None:
        values = {"room": room, "version": 1, "phase": "game", "tickets": pot, "items": 1, "players": 1, "winners": "[]"}
        Round.objects.update_or_create(lane=lane, round=1, defaults={**values, "pot_cents": pot})
        tell(lane, {"round": 1})

    await in_thread(play, 100)
    async with site.web.socket() as opened:
        assert (await sub(opened, f"room:{room}"))["is"] == "sub"
        said = await heard(opened)
        assert (said["is"], said["lane"], said["rounds"][0]["pot"]) == ("state", lane, 100)
        await in_thread(play, 250)
        assert (await heard(opened))["rounds"][0]["pot"] == 250


# ---- slow ones, many, and those whose Redis is gone


async def test_w27_a_reader_that_stands_still_delays_nobody(site: LiveSite, lane: str) -> None:
    """It is closed with 4000 when too much waits for it, and gets what it missed when it comes back."""
    count, text = 420, "x" * 40_000
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    narrow.connect(("127.0.0.1", site.web.port))
    narrow.setblocking(False)
    async with site.web.socket(sock=narrow, max_queue=1, ping_interval=None) as stalled:
        await say(stalled, op="sub", ch=f"lane:{lane}", after=0)
        others = [Listener(site.web, f"lane:{lane}") for _ in range(4)]
        tasks = [asyncio.create_task(each.listen(count)) for each in others]
        for _ in range(count // 2):
            await in_thread(lambda: tell(lane, {"text": text}, {"text": text}))
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
        assert all([said["seq"] for said in each.told] == list(range(1, count + 1)) for each in others)
        got = 0
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                got += "kind" in await heard(stalled)
        assert stalled.close_code == 4000 and got < count
    async with site.web.socket() as back:
        assert (await sub(back, f"lane:{lane}", count - 10))["sent"] == 10


@pytest.mark.parametrize("sockets", [30, pytest.param(500, marks=pytest.mark.long)])
async def test_s19_all_come_back_at_once_after_a_restart_and_nothing_is_missing(
    site: LiveSite, lane: str, sockets: int
) -> None:
    await in_thread(lambda: tell(lane, {}, {}, {}))
    opened = await asyncio.gather(*[site.web.socket() for _ in range(sockets)])
    assert {(await sub(each, f"lane:{lane}", 3))["is"] for each in opened} == {"sub"}
    await asyncio.to_thread(site.web.end)
    assert {await closed(each) for each in opened} == {1012}
    await in_thread(lambda: tell(lane, *[{"n": number} for number in range(20)]))
    await asyncio.to_thread(site.web.start)
    listeners = [Listener(site.web, f"lane:{lane}") for _ in range(sockets)]
    for listener in listeners:
        listener.after = 3
    started = time.monotonic()
    await asyncio.wait_for(asyncio.gather(*[each.listen(23) for each in listeners]), PATIENCE_S)
    print(f"{sockets} sockets caught up in {time.monotonic() - started:.2f} s")
    assert all([said["seq"] for said in each.told] == list(range(4, 24)) and not each.resyncs for each in listeners)


async def test_s12_without_redis_everything_still_comes_a_little_later(site: LiveSite, lane: str) -> None:
    async with site.web.socket() as opened:
        await sub(opened, f"lane:{lane}", 0)
        await asyncio.to_thread(site.redis.kill)
        try:
            await in_thread(lambda: tell(lane, {"n": 1}))
            assert (await heard(opened))["body"] == {"n": 1}
            await in_thread(lambda: tell(lane, {"n": 2}))
            assert (await heard(opened))["body"] == {"n": 2}
        finally:
            site.redis.start()
        await in_thread(lambda: tell(lane, {"n": 3}))
        assert (await heard(opened))["body"] == {"n": 3}


async def test_s19_many_who_come_at_once_cost_one_reading_of_the_lane() -> None:
    reads: list[Any] = []

    class Counting(Hub):
        async def ask(self, work: Any, *arguments: Any) -> Any:
            reads.append(work)
            await asyncio.sleep(0.01)
            return (3, [Told(seq, str(seq)) for seq in (1, 2, 3)]) if work is tables.lane else []

    class Nobody:
        def offer(self, texts: Any) -> None: ...

        def begin_again(self, text: str) -> None: ...

    hub = Counting(Doors(1, 1))
    joined = await asyncio.gather(*[hub.join(Nobody(), "lane:x", 1) for _ in range(500)])
    assert {(each.seq, each.missing) for each in joined if each} == {(3, ("2", "3"))} and len(joined) == 500
    assert reads.count(tables.lane) == 1 and len(reads) < 5


# ---- who may look, and what is refused


async def test_pages_of_other_sites_and_other_protocols_are_refused(site: LiveSite) -> None:
    refused = [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": None}, 403),
        ({"origin": f"{site.web.address}.evil.example"}, 403),
        ({"subprotocols": None}, 400),
        ({"subprotocols": ["site.v2"]}, 400),
    ]
    for changes, status in refused:
        with pytest.raises(websockets.InvalidStatus) as failed:
            await site.web.socket(**changes)  # type: ignore[arg-type]
        assert failed.value.response.status_code == status
    with pytest.raises(websockets.InvalidStatus) as failed:
        await websockets.connect(f"ws://127.0.0.1:{site.web.port}/elsewhere", proxy=None)
    assert failed.value.response.status_code == 404


def signed_in(name: str) -> tuple[Player, str]:
    player = Player.objects.create(steam_id=time.monotonic_ns(), name=name, registered_ms=1)
    return player, sessions.start(player, "a browser", wall_ms())


async def test_messages_to_a_player_reach_their_own_browsers_only_and_end_with_the_session(site: LiveSite) -> None:
    ana, key = await in_thread(signed_in, "ana")
    bo, others = await in_thread(signed_in, "bo")

    def send() -> None:
        with transaction.atomic():
            post.send([Letter(ana.id, "won", {"cents": 5})], 1)

    async with site.web.socket(key) as opened, site.web.socket(others) as other, site.web.socket() as stranger:
        assert (await sub(opened, f"user:{ana.id}"))["is"] == "sub"
        for each in (other, stranger):
            assert await sub(each, f"user:{ana.id}") == {"ch": f"user:{ana.id}", "is": "refused"}
        await in_thread(send)
        assert (await heard(opened))["body"] == {"cents": 5}
        await in_thread(sessions.end_all, ana)
        assert await closed(opened) == 4001
        assert (await sub(other, f"user:{bo.id}"))["is"] == "sub"


async def test_w31_one_player_has_so_many_sockets_and_the_next_one_is_told_when_to_come_back(site: LiveSite) -> None:
    _, key = await in_thread(signed_in, "ana")
    opened = [await site.web.socket(key) for _ in range(3)]
    with pytest.raises(websockets.InvalidStatus) as failed:
        await site.web.socket(key)
    assert failed.value.response.status_code == 429 and failed.value.response.headers["Retry-After"] == "10"
    await opened.pop().close()
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            opened.append(await site.web.socket(key))
            break
        except websockets.InvalidStatus:
            assert time.monotonic() < deadline
    for each in opened:
        await each.close()


async def test_w31_a_socket_has_so_many_channels(site: LiveSite) -> None:
    lanes = [await in_thread(new_lane, next(names)) for _ in range(33)]
    async with site.web.socket() as opened:
        for lane in lanes[:32]:
            assert (await sub(opened, f"lane:{lane}"))["is"] == "sub"
        await say(opened, op="unsub", ch=f"lane:{lanes[0]}")
        assert (await sub(opened, f"lane:{lanes[0]}"))["is"] == "sub"
        await say(opened, op="sub", ch=f"lane:{lanes[32]}")
        assert await closed(opened) == 4003


async def test_strange_frames_end_the_socket_and_unknown_ones_are_answered(site: LiveSite) -> None:
    strange = ["no json", "[]", '{"op":"sub"}', '{"op":"sub","ch":"lane:A B"}', b"\x00\x01", "[" * 4_000, '{"op":1}']
    for frame in [*strange, '{"op":"sub","ch":"lane:x","after":-1}']:
        async with site.web.socket() as opened:
            await opened.send(frame)
            assert await closed(opened) == 1008
    async with site.web.socket() as opened:
        await opened.send("x" * (frames.BYTES_MAX + 1))
        assert await closed(opened) == 1009
    async with site.web.socket() as opened:
        await say(opened, op="dance")
        assert await heard(opened) == {"is": "error", "why": "unknown_op", "op": "dance"}
        await say(opened, op="ping", t=7)
        pong = await heard(opened)
        assert (pong["is"], pong["t"]) == ("pong", 7) and abs(pong["server_ms"] - wall_ms()) < PATIENCE_S * 1000
        for _ in range(300):
            await say(opened, op="ping")
        assert await closed(opened) == 1008


# ---- the same rows without a socket


async def test_who_has_no_socket_gets_the_same_rows(site: LiveSite, lane: str) -> None:
    _, key = await in_thread(signed_in, "ana")
    told: dict[str, Any] = {"base_url": site.web.address, "timeout": PATIENCE_S, "trust_env": False}
    async with httpx.AsyncClient(cookies={sessions.COOKIE: key}, **told) as client:
        address = f"/api/v1/lanes/{lane}/messages"
        assert (await client.get(address)).json() == {"seq": 0, "resync": False, "messages": []}
        waiting = asyncio.create_task(client.get(address, params={"after": 0, "wait": 25}))
        async with site.web.socket() as opened:
            await sub(opened, f"lane:{lane}", 0)
            await in_thread(lambda: tell(lane, {"n": 1}))
            on_socket = await heard(opened)
        answer = await waiting
        assert answer.json() == {"seq": 1, "resync": False, "messages": [on_socket]}
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await client.get(address, params={"after": 1, "wait": 0})).json()["messages"] == []
        assert (await client.get(address, params={"after": 9})).json() == {"seq": 1, "resync": True, "messages": []}
        for bad in ({"after": "x"}, {"after": "-1"}, {"wait": "1e9"}, {"after": "9" * 30}):
            assert (await client.get(address, params=bad)).status_code == 400
        for unknown in ("nobody", "A%20B", "x" * 200):
            assert (await client.get(f"/api/v1/lanes/{unknown}/messages")).status_code == 404


async def test_pages_and_files_are_served_while_many_wait(site: LiveSite, lane: str) -> None:
    """Whoever waits holds no thread: a hundred of them keep no page waiting."""
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=site.web.address, timeout=PATIENCE_S, trust_env=False, limits=limits) as client:
        address = f"/api/v1/lanes/{lane}/messages"
        waiting = [asyncio.create_task(client.get(address, params={"after": 0, "wait": 25})) for _ in range(100)]
        assert (await client.get("/static/site/mark.svg")).status_code == 200
        assert (await client.get("/")).status_code == 200
        await in_thread(lambda: tell(lane, {"n": 1}))
        assert {(await each).json()["seq"] for each in waiting} == {1}
        threads = len(list(Path(f"/proc/{site.web.process.pid}/task").iterdir())) if Path("/proc").exists() else 0
        assert threads < 60


# ---- parts


@given(st.lists(st.integers(1, 5), max_size=200), st.integers(0, 600))
def test_a_window_gives_all_that_came_after_a_number_or_nothing(batches: list[int], asked: int) -> None:
    window, everything = Window(), list[Told]()
    for size in batches:
        told = [Told(len(everything) + number, f"{len(everything) + number}") for number in range(1, size + 1)]
        assert window.add(told)
        everything += told
    assert not window.add([Told(len(everything) + 2, "a gap")]) and not window.add([Told(len(everything), "again")])
    found = window.after(asked)
    if found is None:
        assert asked > len(everything) or len(everything) - asked > KEPT
    else:
        assert found == tuple(each.text for each in everything[asked:])


@settings(max_examples=50)
@given(st.none() | st.text(max_size=60) | st.lists(st.integers() | st.text(max_size=9), max_size=5).map(json.dumps))
def test_no_frame_breaks_the_reader(text: str | None) -> None:
    try:
        frames.parse(text)
    except frames.StrangeError:
        return
    raise AssertionError(f"{text!r} was taken")


def test_doors_count_who_is_inside() -> None:
    doors = Doors(per_user=1, per_address=2)
    with doors.entered("a", 1), doors.entered("a", 2):
        for address, user_id in (("a", None), ("b", 1)):
            with pytest.raises(FullError), doors.entered(address, user_id):
                pass
    with doors.entered("a", 1):
        pass
    assert not doors._inside


def test_pace_lets_a_burst_through_and_then_so_many_a_second() -> None:
    pace = Pace(at_once=3, per_s=10.0)
    assert [pace.allows(100.0) for _ in range(6)].count(True) in (3, 4)
    assert [pace.allows(100.1) for _ in range(3)] == [True, False, False]
