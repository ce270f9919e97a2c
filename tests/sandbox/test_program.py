"""The program: what it prints, what it takes, and that it stops cleanly; and starting it inside a test."""

import asyncio
import datetime
import signal
import socket
import ssl
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from signal import Signals
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from cryptography import x509
from sandbox_lab import first_line

from sandbox import __main__ as program
from sandbox import server, tls
from sandbox.server import RunningSandbox
from sandbox.settings import SandboxSettings
from sandbox.steam_api.router import STEAM_HOSTS


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_addresses_serves_and_stops_with_0(how: Signals) -> None:
    command = [sys.executable, "-m", "sandbox", "--bot-group", "blue:3", "--players", "2", "--items-per-player", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        ready = first_line(process)
        accounts = requests.get(f"{ready['control']}/control/accounts", timeout=120).json()["accounts"]
        home = requests.get(ready["steam"], headers={"Host": "steamcommunity.com"}, timeout=120)
        process.send_signal(how)
        out, err = process.communicate(timeout=120)

    assert [a["name"] for a in accounts if a["kind"] == "bot"] == ["blue-1", "blue-2", "blue-3"]
    assert sum(a["kind"] == "player" for a in accounts) == 2
    assert "g_steamID = false;" in home.text
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err
    assert "GET" not in err


def test_the_access_log_has_paths_and_no_queries() -> None:
    command = [sys.executable, "-m", "sandbox", "--access-log", "--players", "0", "--bots", "a"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        ready = first_line(process)
        where = f"{ready['steam']}/IEconService/GetTradeOffers/v1?access_token=very.secret.word"
        requests.get(where, headers={"Host": "api.steampowered.com"}, timeout=120)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)

    assert "GET api.steampowered.com/IEconService/GetTradeOffers/v1 401" in err
    assert "secret" not in err


def test_steams_port_speaks_https_by_an_authority_of_its_own(tmp_path: Path) -> None:
    """Good for Steam's hosts and this machine, whoever trusts it trusts nothing else; the control port stays plain."""
    ca = tmp_path / "ca.pem"
    command = [sys.executable, "-m", "sandbox", "--tls", "--ca-file", str(ca), "--players", "0", "--bots", "a"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        ready = first_line(process)
        home = requests.get(ready["steam"], headers={"Host": "steamcommunity.com"}, verify=ready["ca"], timeout=120)
        accounts = requests.get(f"{ready['control']}/control/accounts", timeout=120)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(ready["steam"], timeout=120)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)

    assert (ready["ca"], ready["steam"][:8], ready["control"][:7]) == (str(ca), "https://", "http://")
    assert "g_steamID = false;" in home.text
    assert accounts.status_code == 200
    assert b"PRIVATE" not in ca.read_bytes()


def greet(running: RunningSandbox, name: str) -> str | None:
    """A TLS greeting by that name, as a client that trusts the sandbox's authority and no other."""
    context = ssl.create_default_context(cafile=str(running.ca_file))
    where = urlsplit(running.steam_url)
    plain = socket.create_connection((where.hostname, where.port), timeout=120)
    with plain, context.wrap_socket(plain, server_hostname=name) as wrapped:
        return wrapped.version()


def test_the_certificate_names_all_of_steams_hosts() -> None:
    with server.in_thread(SandboxSettings(bots=(), players=0), tls=True) as running:
        ca = running.ca_file
        assert ca is not None
        for name in (*STEAM_HOSTS, "localhost", "127.0.0.1"):
            assert greet(running, name) in ("TLSv1.2", "TLSv1.3")
        with pytest.raises(ssl.SSLCertVerificationError):
            greet(running, "example.com")
        assert ca.exists()
    assert not ca.exists()


def test_an_authority_cannot_speak_for_other_hosts() -> None:
    now = datetime.datetime.now(datetime.UTC)
    authority = tls.Authority(["steamcommunity.com", "127.0.0.1"], now)
    certificate = x509.load_pem_x509_certificate(authority.pem)
    names = certificate.extensions.get_extension_for_class(x509.NameConstraints)

    assert names.critical and names.value.permitted_subtrees
    assert [str(name.value) for name in names.value.permitted_subtrees] == ["127.0.0.1/32", "steamcommunity.com"]
    assert certificate.not_valid_after_utc - now <= datetime.timedelta(days=30)


def options(*argv: Any) -> SandboxSettings:
    return program.settings_of(program._parser().parse_args(argv))


def test_the_command_line_becomes_settings() -> None:
    assert options() == SandboxSettings(fixed_players=True)
    made = options("--seed", "7", "--bots", "a,b", "--bot-group", "red:2", "--items-per-player", "20", "--protection-s", "0")
    assert (made.seed, made.bots, made.items_per_player, made.protection_s) == (7, ("a", "b", "red-1", "red-2"), (20, 20), 0)
    assert options("--items-per-player", "3-9").items_per_player == (3, 9)
    assert options("--moved-file", "moved-time").moved_file == "moved-time"


@pytest.mark.parametrize("argv", [["--bots", "a,a"], ["--bot-group", "red"], ["--items-per-player", "9-3"]])
def test_a_command_line_that_does_not_fit_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(argv) == 2
    assert "sandbox: " in capsys.readouterr().err


async def test_it_runs_in_a_tests_own_loop() -> None:
    running = await server.start(replace(SandboxSettings(), bots=("x",), players=1))
    try:
        assert running.steam_url.startswith("http://127.0.0.1:")
        assert running.control_url != running.steam_url
        assert next(iter(running.world.accounts)).name == "x"
    finally:
        await running.stop()


async def test_it_stops_even_when_something_has_just_become_due() -> None:
    for _ in range(20):
        running = await server.start(replace(SandboxSettings(), bots=("x",), players=0))
        running.nudge()
        await asyncio.wait_for(running.stop(), 120)

    assert [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


def test_its_world_can_be_looked_at_from_another_thread() -> None:
    with server.in_thread(bots=("x", "y"), players=0) as running:
        names = running.on_loop(lambda: [a.name for a in running.world.accounts])

    assert names == ["x", "y"]


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    with server.in_thread(bots=(), players=0) as running:
        port = int(running.control_url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"), server.in_thread(control_port=port):
            pytest.fail("two servers on one port")


def test_settings_that_make_no_sense_are_refused() -> None:
    for change in ({"items_per_player": (3, 1)}, {"protection_s": -1}, {"offer_lifetime_s": 0}, {"bots": ("a", "a")}):
        with pytest.raises(ValueError):
            SandboxSettings(**change)
