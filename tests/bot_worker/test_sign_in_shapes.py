"""A sign-in and a proxy whose answers have any shape: only our own errors come out, and the bot says so and tries again.

Some thirty generated answers for each step and sixty of a proxy, over a network; eight thousand in memory with ``-m long``.
"""

from __future__ import annotations

import base64
import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3.util.connection
from bot_lab import bot_settings, fill_vault
from hypothesis import strategies as st
from odd_server import BODIES, GOOD, STEAM_ID, OddServer, OddWires, Wire, answer, odd_http
from odd_shapes import check
from support import wait_until

from bot_worker.steam.connection import Connection
from bot_worker.steam.pace import Pace
from bot_worker.steam.session import SteamSession
from bot_worker.vault import Account, SavedSession
from bot_worker.worker import Worker, new_run
from shared.clock import Clock
from shared.errors import SteamError, SteamUnavailable
from shared.settings import Settings

SECRET = base64.b64encode(b"s" * 20).decode()
STEPS = tuple(BODIES)
READ_S = 30.0
PASSWORD = "correct-horse"


# How many odd answers each of the eight steps gets, and a CONNECT; thousands only where no network is between.
SHORT = {"step": 30, "proxy": 60}
LONG = {"step": 1000, "proxy": 8000}
Server = OddServer | OddWires


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer() as running:
        yield running


@pytest.fixture(params=["network", pytest.param("memory", marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def wires(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, dict[str, int]]]:
    """Somebody who answers, and how many odd answers there are to be."""
    if request.param == "network":
        with OddServer() as running:
            yield running, SHORT
        return
    in_memory = OddWires()
    monkeypatch.setattr(urllib3.util.connection, "create_connection", in_memory.open)
    yield in_memory, LONG


def test_answers_in_memory_are_read_as_those_of_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wires = OddWires()
    monkeypatch.setattr(urllib3.util.connection, "create_connection", wires.open)
    settings = bot_settings("redis://unused", wires.url, tmp_path)
    session(settings).sign_in()
    assert set(wires.asked) == set(STEPS)
    for odd in ODD.values():
        wires.instead = {"finalizelogin": odd}.get
        with pytest.raises(SteamError):
            session(settings).sign_in()


def account(proxy: str = "") -> Account:
    return Account("red-1", "one", PASSWORD, STEAM_ID, SECRET, SECRET, "android:1", proxy)


def session(settings: Settings, *, proxy: str = "", token: str | None = None) -> SteamSession:
    """One that waits for nothing."""
    pace = Pace(None, "here", settings.pace, Clock(), lambda _s: False)
    saved = SavedSession(refresh_token=token)
    return SteamSession(Connection(account(proxy), saved, settings, pace, lambda _: None, lambda _s: False))


def signs_in(settings: Settings, token: str | None) -> None:
    """It comes off, or ends in an error of ours, which holds no secret."""
    made = session(settings, token=token)
    try:
        made.sign_in()
    except SteamError as error:
        assert PASSWORD not in f"{error} {error.reason}" and SECRET not in f"{error!r}"
    else:
        assert made.connection.tokens is not None
        assert made.connection.tokens.access_token


def test_a_whole_sign_in_takes_these_steps(server: OddServer, tmp_path: Path) -> None:
    settings = bot_settings("redis://unused", server.url, tmp_path)
    made = session(settings)
    made.sign_in()
    assert made.connection.tokens is not None
    assert set(server.asked) == set(STEPS)
    server.asked.clear()
    session(settings, token="head.e30.tail").sign_in()
    assert server.asked == ["page", "finalizelogin", "settoken", "settoken", "acknowledge"]


@pytest.mark.parametrize("step", STEPS)
def test_an_odd_answer_at_any_step_of_a_sign_in_is_an_error_of_ours(
    wires: tuple[Server, dict[str, int]], tmp_path: Path, step: str
) -> None:
    server, counts = wires
    settings = bot_settings("redis://unused", server.url, tmp_path, steam={"read_timeout_s": READ_S})

    def read(shape: tuple[Wire, bool]) -> None:
        odd, renews = shape
        server.instead = {step: odd}.get
        signs_in(settings, "head.e30.tail" if renews else None)

    shapes = st.tuples(odd_http(BODIES[step]), st.booleans())
    assert check(shapes, read, counts["step"], shrink=False) >= counts["step"]


# --- a proxy's words ----------------------------------------------------------------------------------------------


# Python 3.11 leaves a TLS socket to the collector when the other side speaks first and hangs up (python/cpython#108310).
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_whatever_a_proxy_answers_to_connect_nothing_has_left_and_the_proxy_is_named(
    wires: tuple[Server, dict[str, int]], tmp_path: Path
) -> None:
    """Also when it agrees and then speaks no TLS."""
    server, counts = wires
    settings = bot_settings("redis://unused", "https://steam.example", tmp_path, steam={"read_timeout_s": READ_S})

    def read(odd: Wire) -> None:
        server.instead = lambda _step: odd
        proxy = server.url.replace("http://", "http://somebody:hunter2@")
        with pytest.raises(SteamUnavailable) as refused:
            session(settings, proxy=proxy).sign_in()
        error = refused.value
        assert error.error_code == "proxy_unavailable"
        assert server.url.removeprefix("http://") in str(error.reason)
        assert "hunter2" not in f"{error} {error.reason} {error!r} {error.__cause__!r}"

    assert check(odd_http({}), read, counts["proxy"], shrink=False) >= counts["proxy"]
    assert server.asked
    gc.collect()


# --- the bot ---------------------------------------------------------------------------------------------------------


ODD: dict[str, Wire] = {
    "no HTTP": Wire(b"\xff\xfe\x00"),
    "nothing": Wire(b""),
    "a reset": Wire(b"HTTP/1.1 200 OK\r\nContent-Le", reset=True),
    "closed halfway": Wire(GOOD["finalizelogin"].data[:-20]),
    "another type": answer([[[]]]),
    "huge": Wire(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 200_000),
    "a page": answer(b"<html>sorry</html>", status="503 x", kind="text/html"),
    "a loop": answer(status="302 Found", Location="https://steamcommunity.com/"),
}


@pytest.mark.parametrize("odd", ODD)
def test_the_bot_is_told_as_in_trouble_and_comes_online_when_the_answers_are_good_again(
    server: OddServer, redis_url: str, tmp_path: Path, odd: str
) -> None:
    settings = bot_settings(redis_url, server.url, tmp_path)
    fill_vault(settings, account())
    times = [3]

    def instead(step: str) -> Wire | None:
        times[0] -= step == "finalizelogin"
        return ODD[odd] if step == "finalizelogin" and times[0] >= 0 else None

    server.instead = instead
    it = Worker(settings, "red-1", new_run("red-1"), threading.Event())
    told: list[Any] = []
    thread = threading.Thread(target=it.run)
    thread.start()

    def online() -> bool:
        told.append((it.bot.health.state, it.bot.health.reason, it.bot.health.action))
        return it.bot.health.state == "online"

    wait_until(online)
    it._stop.set()
    thread.join()
    assert times[0] < 0
    trouble = [said for said in told if said[0] == "unhealthy"]
    assert trouble and all(reason and action for _, reason, action in trouble)
