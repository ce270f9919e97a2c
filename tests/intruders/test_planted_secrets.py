"""A bad day at debug level, and then a search: no secret of the fleet is anywhere but in its own file."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import tomllib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flow_site import Player, Website
from intruders import places, trading
from intruders.conftest import DATABASE_PASSWORD, PROXY_PASSWORD
from intruders.guarded import GuardedStack
from intruders.places import Place
from sqlalchemy import create_engine, text
from support import wait_until

from scripts.cli.fleet import main
from scripts.lab.calls import get_json, send_json
from scripts.lab.postgres import EmbeddedPostgres
from shared.sealing import MasterKey

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intruders"), pytest.mark.timeout(600)]

BAD_DAY = Path(__file__).parents[2] / "config" / "faults" / "bad-day.toml"
# What only makes a day longer, or keeps a trade from ending at all, is left out.
LEFT_OUT = {"slow", "rate_limit", "hold", "trade_ban", "device_lock", "timeout", "stuck_status", "sign_in_refused"}
# Whatever these shapes are part of is a session at Steam.
SHAPES = {
    "a token of Steam's": re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "a session cookie": re.compile(rb"steam(LoginSecure|Refresh_steam)=[A-Za-z0-9%]"),
    "another cookie": re.compile(rb"sessionid=[0-9a-f]{8}"),
}
GONE_ON = ("accepted", "settled", "declined", "countered", "expired", "canceled", "failed", "reversed")


def secrets_of(stack: GuardedStack, players: Iterable[Player]) -> dict[str, bytes]:
    """Every secret there is, by what it is."""
    found: dict[str, str] = {"database password": DATABASE_PASSWORD, "proxy password": PROXY_PASSWORD, "API key": stack.api_key}
    for row in get_json(f"{stack.control_url}/control/credentials?kind=bot")["accounts"]:
        found |= {f"{name} of {row['name']}": row[name] for name in ("password", "shared_secret", "identity_secret")}
    for player in players:
        found[f"trade token of {player.user_id}"] = player.trade_url[-8:]
    master = stack.wish.directory / "master.key"
    found["master key"] = master.read_text().strip()
    found |= {f"Redis password of {path.stem}": path.read_text().strip() for path in stack.users.glob("*.password")}
    keys = MasterKey.read(master)
    for group in stack.wish.groups:
        found[f"vault key of {group}"] = (stack.host_config(group).parent / "vault.key").read_text().strip()
        vault = stack.vault(group)
        for bot in filter(vault.has_account, vault.bots()):
            found |= {f"{name} key of {bot}": key for name, key in keys.bot(bot).to_json().items() if name != "bot"}
            refresh = vault.session(bot).refresh_token
            assert refresh, f"{bot} has never signed in"
            found[f"refresh token of {bot}"] = refresh
            found[f"signature of the refresh token of {bot}"] = refresh.rpartition(".")[2]
    secrets = {name: text.encode() for name, text in found.items()}
    raw = {f"{name}, raw": _raw(text) for name, text in found.items() if "key" in name or "secret" in name}
    return secrets | {name: text for name, text in raw.items() if len(text) >= 16}


def _raw(text: str) -> bytes:
    """The bytes that a key's text stands for."""
    try:
        return bytes.fromhex(text) if len(text) == 64 else base64.urlsafe_b64decode(text)
    except ValueError:
        return b""


def found_in(where: Iterable[Place], secrets: dict[str, bytes], *, shapes: bool = True) -> list[str]:
    """Which secrets stand where; the secrets themselves are not shown."""
    shapes_wanted = SHAPES if shapes else {}
    found = set()
    for place, content in where:
        found |= {f"{name}: {place}" for name, secret in secrets.items() if secret in content}
        found |= {f"{name}: {place}" for name, shape in shapes_wanted.items() if shape.search(content)}
    return sorted(found)


def make_trouble(site: Website) -> None:
    faults = [row for row in tomllib.loads(BAD_DAY.read_text())["fault"] if row["kind"] not in LEFT_OUT]
    for row in faults:
        if "probability" in row:
            row["probability"] = min(1.0, 2 * row["probability"])
    body = {"profile": {"name": "bad hour", "about": "short and bad", "fault": faults}}
    send_json("POST", f"{site.stack.control_url}/control/profile", body)


@pytest.fixture(params=[pytest.param(False, id="steam-is-well"), pytest.param(True, id="steam-is-not", marks=pytest.mark.long)])
def bad_day(
    request: pytest.FixtureRequest, guarded: GuardedStack, site: Website, own_postgres: EmbeddedPostgres | None
) -> Iterator[tuple[list[Player], list[str]]]:
    """Trades while workers and servers are killed and, which takes minutes, Steam misbehaves too; gives the players, and what
    the API said."""
    said: list[str] = []
    players = [site.player(habit="accept") for _ in range(2)]
    if request.param:
        make_trouble(site)
    made = [
        wait_until(partial(trading.made, site, player, color), trading.LONG_S, 0.3)
        for player, color in zip(players, ("red", "blue"), strict=True)
    ]
    kill_some(guarded, own_postgres, site, said)
    cause_tracebacks(guarded, site, players[0], said)
    if request.param:
        send_json("DELETE", f"{guarded.control_url}/control/profile", {})
    trading.all_online(site)
    for trade in made:
        assert trade is not None
        site.until(trade["trade_id"], *GONE_ON, timeout_s=trading.LONG_S)
    yield players, said


def kill_some(stack: GuardedStack, postgres: EmbeddedPostgres | None, site: Website, said: list[str]) -> None:
    """A worker, Redis and the database die in the middle of it; what the API says of that is kept."""
    os.kill(pid_of(stack, "red:1", "red-1"), signal.SIGKILL)
    stack.redis.restart()
    os.kill(pid_of(stack, "blue:1", "blue-2"), signal.SIGSEGV)
    if postgres is not None:
        postgres.kill()
        said += [json.dumps(site.call("GET", path).body) for path in ("/deposits", "/trade", "/events")]
        postgres.restart()


def cause_tracebacks(stack: GuardedStack, site: Website, player: Player, said: list[str]) -> None:
    """A table is missing for a while: whatever is asked of it ends in errors with the statement and its values."""
    engine = create_engine(stack.database_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE deposits RENAME TO deposits_gone"))
    try:
        answers = [site.call("GET", f"/deposits?user_id={player.user_id}"), site.call("GET", "/deposits?status=active")]
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE deposits_gone RENAME TO deposits"))
        engine.dispose()
    assert [answer.status for answer in answers] == [500, 500]
    said += [json.dumps(answer.body) for answer in answers]


def pid_of(stack: GuardedStack, group: str, bot: str) -> int:
    def pid() -> int | None:
        [status] = json.loads(stack.fleet("group", "status", "--json", config=stack.host_config(group)))
        return next((row["pid"] for row in status["bots"] if row["bot"] == bot), None)

    found = wait_until(pid, trading.LONG_S, 0.2)
    assert found is not None
    return found


def error_answers(site: Website, player: Player, trade_id: str) -> Iterator[Place]:
    """Requests that hold secrets and are refused."""
    url, token = player.trade_url, player.trade_url[-8:]
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": url, "asset_ids": ["1"]}
    for path, more in (
        ("/deposit", {"trade_url": url + token}),
        ("/deposit", {"trade_url": url.replace("https", "http")}),
        ("/deposit", {"steam_id": "76561198000000009"}),
        ("/deposit", {"color": token}),
        ("/deposit", {"message": token * 60}),
        ("/deposit", {token: token}),
        ("/inventory", {"trade_url": url}),
        ("/verify", {"token": token}),
    ):
        answer = site.call("POST", path, {**body, **more})
        assert answer.status >= 400, (path, more)
        # A field's name is repeated; nobody puts a secret there.
        yield f"an answer of {path}", json.dumps(answer.body).replace(f"body.{token}", "").encode()
    wrong = site.call("GET", "/bots", api_key=site.stack.api_key + "x")
    assert wrong.status == 401
    yield "an answer about a wrong key", json.dumps(wrong.body).encode()
    for path in ("/trade/none", f"/trade/{trade_id}/story", "/bots", "/events?limit=500", "/switches"):
        yield f"an answer of {path}", json.dumps(site.call("GET", path).body).encode()


def command_outputs(stack: GuardedStack, tmp_path: Path) -> Iterator[Place]:
    """What the command line says of settings, good and bad ones, and of everything else that it shows."""
    for group in stack.wish.groups:
        config = stack.host_config(group)
        for words in (["config", "check"], ["bots", "list", "--json"], ["group", "status"], ["vault", "check"]):
            yield f"fleet {' '.join(words)}", _said(config, *words)
    for words in (["config", "check"], ["config", "default"], ["clients", "list"], ["approvals", "list"], ["switches", "list"]):
        yield f"fleet {' '.join(words)}", _said(stack.config, *words)
    good = stack.config.read_text()
    for number, (old, new) in enumerate(
        (('url = "unix', 'url = "unixx'), ("[redis]", "[redis]\nurl_ = 1"), ('url = "', "url = "))
    ):
        broken = tmp_path / f"broken-{number}.toml"
        broken.write_text(good.replace(old, new, 1))
        yield f"fleet config check of a file that is wrong ({number})", _said(broken, "config", "check", fails=True)


def _said(config: Path, *words: str, fails: bool = False) -> bytes:
    done = CliRunner().invoke(main, ["--config", str(config), *words])
    # What `config check` finds in the hasty settings of a test is right, and its words are searched as any other's.
    assert (done.exit_code != 0) is fails or (words == ("config", "check") and done.output), (words, done.output)
    return done.output.encode()


def test_no_secret_is_anywhere_after_a_bad_day(
    guarded: GuardedStack, site: Website, bad_day: tuple[list[Player], list[str]], tmp_path: Path
) -> None:
    players, said = bad_day
    listed = [*places.processes()]
    last = trading.deposit(site, site.player(habit="ignore"), "red", "sent")
    secrets = secrets_of(guarded, players)
    secrets["verify token"] = last["token"].encode()
    assert len(secrets) > 40
    searched: dict[str, list[Place]] = {
        "logs": [*places.logs(guarded)],
        "processes": listed,
        "status files": [*places.status_files(guarded)],
        "answers": [("an answer in the bad day", answer.encode()) for answer in said if '"token"' not in answer],
        "errors": [*error_answers(site, players[0], last["trade_id"])],
        "commands": [*command_outputs(guarded, tmp_path)],
        "database": [*places.database_values(guarded.database_url)],
        "Redis' files": [*places.redis_files(guarded.redis.directory)],
    }
    with guarded.redis.client() as client:
        searched["Redis"] = [*places.redis_values(client)]
    for name, found in searched.items():
        assert sum(len(content) for _, content in found) > 100, f"nothing was searched: {name}"
    written = b"".join(content for _, content in searched["logs"])
    assert b"Traceback" in written and b"worker_died" in written and b'"level": "debug"' in written
    # The story and the trade show the verify token to the site itself; it is searched for everywhere else.
    everywhere = [place for name, found in searched.items() if name != "errors" for place in found]
    assert found_in(everywhere, secrets) == []
    del secrets["verify token"]
    assert found_in(searched["errors"], secrets) == []


def test_the_search_finds_what_is_there(guarded: GuardedStack, site: Website) -> None:
    """Each place is really looked at: something that must stand there is found by the same means."""
    player = site.player(habit="ignore")
    trade = trading.deposit(site, player, "red", "sent")
    known: dict[str, Any] = {"a bot": b"red-1", "the trade": trade["trade_id"].encode(), "a path": b"scripts.cli.fleet"}
    assert any("the trade: log group-" in row for row in found_in(places.logs(guarded), known, shapes=False))
    assert any("a path: command" in row for row in found_in(places.processes(), known, shapes=False))
    assert found_in(places.status_files(guarded), known, shapes=False)
    assert any(
        "the trade: trades.trade_id" in row
        for row in found_in(places.database_values(guarded.database_url), known, shapes=False)
    )
    assert any(
        "the trade: Redis' file" in row for row in found_in(places.redis_files(guarded.redis.directory), known, shapes=False)
    )
    called = {"a function": b"bot_worker.orders.carry_out"}
    files = found_in(places.redis_files(guarded.redis.directory), called, shapes=False)
    assert any(row.endswith("unpacked") for row in files)
    with guarded.redis.client() as client:
        assert found_in(places.redis_values(client), known, shapes=False)
    trading.cancel(site, trade)
