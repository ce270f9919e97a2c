"""`fleet clients` and `fleet balancer`, as typed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support import wait_until

from scripts.cli.fleet import main
from shared.sealing import MasterKey


@pytest.fixture
def config(tmp_path: Path, redis_url: str) -> Path:
    MasterKey.create(tmp_path / "master.key")
    (tmp_path / "prices.json").write_text("{}")
    path = tmp_path / "fleet.toml"
    path.write_text(
        f'[redis]\nurl = "{redis_url}"\n[database]\nurl = "sqlite:///{tmp_path}/fleet.db"\n'
        f'[log]\nlevel = "debug"\n[balancer]\nmaster_key_file = "{tmp_path}/master.key"\n'
        f'prices_file = "{tmp_path}/prices.json"\n'
    )
    return path


def fleet(config: Path, *arguments: str, stdin: str = "") -> Any:
    return CliRunner().invoke(main, ["--config", str(config), *arguments], input=stdin)


def test_a_key_is_shown_once_and_kept_as_a_hash(config: Path) -> None:
    done = fleet(config, "clients", "add", "site", "--scope", "trade", "--scope", "read", "--json")
    made = json.loads(done.stdout)
    assert made["livemode"] is True and re.fullmatch(r"fk_live_[\w-]{40}", made["api_key"])
    assert made["scopes"] == ["read", "trade"]
    listed = fleet(config, "clients", "list", "--json")
    assert [row["name"] for row in json.loads(listed.stdout)["clients"]] == ["site"]
    assert made["api_key"] not in listed.stdout
    assert made["api_key"].encode() not in (config.parent / "fleet.db").read_bytes()


def test_a_name_is_taken_once(config: Path) -> None:
    assert fleet(config, "clients", "add", "site").exit_code == 0
    again = fleet(config, "clients", "add", "site")
    assert again.exit_code == 1 and "site" in again.stderr


def test_keys_are_changed_and_ended(config: Path) -> None:
    fleet(config, "clients", "add", "site")
    second = json.loads(fleet(config, "clients", "new-key", "site", "--json").stdout)["api_key"]
    assert fleet(config, "clients", "new-key", "site").exit_code == 1
    assert fleet(config, "clients", "revoke", "--key-stdin", stdin=second + "\n").exit_code == 0
    assert fleet(config, "clients", "revoke", "--key-stdin", stdin=second + "\n").exit_code == 1
    assert fleet(config, "clients", "revoke", "site", "--yes").exit_code == 0
    assert fleet(config, "clients", "revoke", "site", "--yes").exit_code == 1
    assert fleet(config, "clients", "list").stdout == ""


def test_one_way_to_name_what_is_revoked(config: Path) -> None:
    assert fleet(config, "clients", "revoke").exit_code == 2
    assert fleet(config, "clients", "revoke", "site", "--key-stdin").exit_code == 2


def test_a_missing_master_key_is_said_plainly(config: Path) -> None:
    (config.parent / "master.key").unlink()
    done = fleet(config, "clients", "add", "site")
    assert done.exit_code == 1 and "fleet keys new" in done.stderr


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@contextmanager
def balancer(config: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The service as a process of its own, and its address."""
    command = [sys.executable, "-m", "scripts.cli.fleet", "--config", str(config), "balancer", "--port", "0", "--ready-json"]
    with (config.parent / "balancer.log").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=output, cwd=Path(__file__).parents[2], env=os.environ | environment
        )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["balancer"]
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_an_open_request_is_answered_before_the_end(config: Path) -> None:
    key = json.loads(fleet(config, "clients", "add", "site", "--json").stdout)["api_key"]
    with balancer(config) as (process, url):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=120) as connection:
            # Far ahead of the feed, which may hold an alarm about prices by then.
            first = "GET /events?after=999999999&wait=1 HTTP/1.1"
            request = f"{first}\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nExpect: 100-continue\r\n\r\n"
            connection.sendall(request.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 100")  # it is in hand now
            process.send_signal(signal.SIGTERM)
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b'{"events":[],"next":999999999,"livemode":true}')
        wait_until(lambda: process.poll() is not None)
        assert process.returncode == 0


def test_the_balancer_starts_says_where_and_ends_on_sigterm(config: Path) -> None:
    with balancer(config) as (process, url):
        assert status_of(f"{url}/healthz") == 200
        assert status_of(f"{url}/readyz") == 503
        assert status_of(f"{url}/verify/{'secret' * 3}abcd") == 200
        assert status_of(f"{url}/verify/{'secret' * 3}abcd/x") == 404
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None)
    assert process.returncode == 0
    log = (config.parent / "balancer.log").read_bytes()
    assert b"/verify/{token}" in log and b"secretsecret" not in log


def test_systemd_is_told_when_it_answers_and_when_it_stops(config: Path, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.settimeout(120)
        heard.bind(str(address))
        with balancer(config, NOTIFY_SOCKET=str(address)) as (process, url):
            assert heard.recv(100) == b"READY=1"
            assert status_of(f"{url}/healthz") == 200
            process.send_signal(signal.SIGTERM)
            assert heard.recv(100) == b"STOPPING=1"
            wait_until(lambda: process.poll() is not None)


def test_an_address_that_is_taken_is_said_plainly(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = fleet(config, "balancer", "--port", port)
    assert done.exit_code == 2 and port in done.stderr and "in use" in done.stderr and "Traceback" not in done.stderr


def test_a_missing_key_file_ends_the_balancer_with_a_sentence(config: Path) -> None:
    (config.parent / "master.key").unlink()
    done = fleet(config, "balancer", "--port", "0")
    assert done.exit_code == 2 and "fleet keys new" in done.stderr
