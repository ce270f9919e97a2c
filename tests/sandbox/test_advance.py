"""`POST /sandbox/advance`: so much later for the sandbox, and for the fleet that was started with it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
import requests
from sandbox_lab import SMALL, Bench, Person
from steampy.client import SteamClient

from sandbox import __main__ as program
from sandbox import server

LATEST = 4_102_444_800


def advanced(url: str, body: Any) -> tuple[int, Any]:
    answer = requests.post(f"{url}/sandbox/advance", json=body, timeout=60)
    return answer.status_code, answer.json()


def seconds_of(file: Path) -> float:
    found: float = struct.unpack("<d", file.read_bytes())[0]
    return found


def test_what_becomes_due_has_happened_when_it_answers(bench: Bench, bot: SteamClient, player: Person) -> None:
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    before = bench.control("GET", "/control/clock")
    moved = bench.control("POST", "/sandbox/advance", {"seconds": 1_209_601})
    assert moved["fleet"] is False and moved["moved_s"] == pytest.approx(1_209_601)
    assert moved["now"] - before["now"] == pytest.approx(1_209_601, abs=200)
    assert bench.offer(offer)["state"] == 5
    assert bench.control("POST", "/sandbox/advance", {"seconds": 0.5})["moved_s"] == pytest.approx(1_209_601.5)


NOTHING_TO_MOVE_BY: list[Any] = [
    {},
    [],
    "x",
    {"seconds": "60"},
    {"seconds": True},
    {"seconds": None},
    {"seconds": [60]},
    {"seconds": 60, "now": 1},
    {"advance_s": 60},
    {"seconds": 0},
    {"seconds": -1},
    {"seconds": -0.0},
    {"seconds": 366 * 86400 + 1},
    {"seconds": 10**400},
]


@pytest.mark.parametrize("body", NOTHING_TO_MOVE_BY, ids=lambda body: str(body)[:30])
def test_what_it_cannot_move_by_is_refused_and_moves_nothing(bench: Bench, body: Any) -> None:
    before = bench.control("GET", "/control/clock")["offset_s"]
    status, answer = advanced(bench.running.control_url, body)
    assert status == 400 and answer["error"]
    for text in (b"{", b'{"seconds": NaN}', b'{"seconds": Infinity}', b"\xff"):
        assert requests.post(f"{bench.running.control_url}/sandbox/advance", data=text, timeout=60).status_code == 400
    assert bench.control("GET", "/control/clock")["offset_s"] == before


def test_it_goes_no_further_than_the_clock_does(bench: Bench) -> None:
    bench.control("POST", "/control/clock", {"now": LATEST - 100})
    assert bench.control("POST", "/sandbox/advance", {"seconds": 3600}, 400)["error"] == "the clock goes to 2100"


def test_a_page_of_another_site_cannot_move_time(bench: Bench) -> None:
    before = bench.control("GET", "/control/clock")["offset_s"]
    bench.control("POST", "/sandbox/advance", {"seconds": 1}, 403, headers={"Origin": "https://evil.example"})
    assert bench.control("GET", "/control/clock")["offset_s"] == before


def test_the_file_of_a_fleet_goes_on_with_it_and_a_new_sandbox_begins_there(tmp_path: Path) -> None:
    file = tmp_path / "moved-time"
    file.write_bytes(bytes(8))
    mapped = file.stat().st_ino
    with server.in_thread(SMALL, moved_file=str(file)) as running:
        assert advanced(running.control_url, {"seconds": 3600})[1]["fleet"] is True
        assert advanced(running.control_url, {"seconds": 60.5})[1]["moved_s"] == seconds_of(file) == 3660.5
        # The sandbox's own clock may be moved alone; the fleet does not follow.
        requests.post(f"{running.control_url}/control/clock", json={"advance_s": 1000}, timeout=60).raise_for_status()
        assert seconds_of(file) == 3660.5
    assert file.stat().st_ino == mapped  # others have mapped this very file
    with server.in_thread(SMALL, moved_file=str(file)) as running:
        assert running.clock.offset_s == 3660.5


def test_a_file_that_cannot_be_written_moves_nobody(tmp_path: Path) -> None:
    file = tmp_path / "moved-time"
    file.write_bytes(bytes(8))
    with server.in_thread(SMALL, moved_file=str(file)) as running:
        file.unlink()
        assert requests.post(f"{running.control_url}/sandbox/advance", json={"seconds": 60}, timeout=60).status_code == 500
        assert running.clock.offset_s == 0.0


@pytest.mark.parametrize("held", [None, b"", b"1", struct.pack("<d", -5.0)])
def test_a_program_does_not_start_with_a_file_that_holds_no_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], held: bytes | None
) -> None:
    file = tmp_path / "moved-time"
    if held is not None:
        file.write_bytes(held)
    assert program.main(["--moved-file", str(file)]) == 2
    assert str(file) in capsys.readouterr().err
