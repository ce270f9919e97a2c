"""One order after the other through a whole fleet: what it takes beyond Steam's own time, and how often Redis is asked."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

from sqlalchemy import insert

from balancer.db import tables
from bot_worker.steam.connection import Connection
from bot_worker.steam.pace import Pace
from bot_worker.steam.session import SteamSession
from bot_worker.vault import Account, SavedSession
from scripts.benchmarks.options import Options
from scripts.benchmarks.proxy import RoundTrips
from scripts.benchmarks.rows import BenchError, Floor, Row, median, percentile
from scripts.benchmarks.running import CALL_TIMEOUT_S, Caller, CountedStack, folder, players_of
from scripts.benchmarks.site import bare_server, known_item, prepare_raw
from scripts.lab.calls import get_json, send_json
from scripts.lab.postgres import EmbeddedPostgres
from scripts.lab.quick import NEVER_REACHED
from scripts.lab.stack import Stack, Wish
from shared import settings
from shared.clock import Clock
from shared.domain.ids import STEAM_ID_BASE, TradeUrl
from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID, Asset

Say = Callable[[str], None]
PLAYERS = 20
BARE_USER = "bench"
WARM_UP = 3
IDLE_S = 4.0
AFTER_S = 0.15  # what a worker still does for an order after its report
WITHOUT_LIMITS = {
    "offers_per_partner_max": 10_000,
    "offers_per_bot_max": 10_000,
    "offers_per_player_max": 10_000,
    "pending_deposits_per_player_max": 10_000,
}
QUIET = ["--player-habit", "ignore", "--items-per-player", "30"]


def whole_order(options: Options, say: Say) -> Iterator[Row]:
    """From POST /deposit to its answer with the offer, less the time of the same call to Steam made directly."""
    with folder() as directory:
        yield from _whole_order(options, say, "SQLite", "", f"sqlite:///{directory / 'raw.db'}")
    with EmbeddedPostgres(durable=options.durable) as server:
        yield from _whole_order(options, say, "PostgreSQL", server.create_database("orders"), server.create_database("raw"))


def _whole_order(options: Options, say: Say, database: str, url: str, raw_url: str) -> Iterator[Row]:
    say(f"a whole order on {database}")
    with folder() as directory:
        wish = Wish(directory, bots_per_group=2, players=PLAYERS, log_level="warning", database_url=url, sandbox_args=QUIET)
        wish.overrides = {"limits": WITHOUT_LIMITS, "rates": NEVER_REACHED, "trades": {"watch_s": 5.0}}
        with Stack(wish, say=say) as stack, bare_path(stack, raw_url) as bare:
            orders, sends, bares = _order_times(stack, bare, options.orders)
    steam = median(sends)
    over = [one - steam for one in orders]
    note = (
        f"{len(orders)} orders, one client; order p50 {median(orders):.1f} ms, the same send made directly p50 {steam:.1f} ms; "
        "the baseline: handler, insert, push, RQ's own in-process worker, stream, update, answer, without Steam"
    )
    name = f"a whole order over Steam's time, {database}"
    for share in (0.5, 0.99):
        floor, goal = (Floor.ratio_most(3.0), "≤ 2.0x") if share == 0.5 else (None, "")
        ours, baseline = percentile(over, share), percentile(bares, share)
        yield Row(f"{name}: p{share * 100:.0f}", "ms", ours, baseline, floor, goal, note if share == 0.5 else "")


@contextmanager
def bare_path(stack: Stack, raw_url: str) -> Iterator[str]:
    """The same steps without our code, on the stack's Redis and a database of their own; gives the address."""
    item, units = known_item(stack.wish.directory), stack.settings().database.units_of_work_max
    engine = prepare_raw(raw_url, item)
    with engine.begin() as connection:
        connection.execute(insert(tables.users).values(user_id=BARE_USER, steam_id=STEAM_ID_BASE, created_at=Clock().now()))
    engine.dispose()
    worker = [sys.executable, "-P", "-m", "scripts.benchmarks.bare_worker", stack.redis_url]
    with subprocess.Popen(worker, stdin=subprocess.DEVNULL) as process:
        try:
            with bare_server(raw_url, item, units, stack.redis_url) as (bare, _):
                yield bare
        finally:
            process.kill()


def _order_times(stack: Stack, bare: str, count: int) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of whole orders, and of bare sends and bare paths between them. The first few warm up and do not count."""
    lift_limits(stack)
    probe, players = probe_session(stack), itertools.cycle(players_of(stack))
    with closing(Caller(stack)) as caller, closing(HTTPConnection(bare.removeprefix("http://"), timeout=CALL_TIMEOUT_S)) as raw:
        found = [_one_order(caller, probe, raw, next(players)) for _ in range(WARM_UP + count)][WARM_UP:]
    orders, sends, bares = zip(*found, strict=True)
    return list(orders), list(sends), list(bares)


def _one_order(caller: Caller, probe: SteamSession, raw: HTTPConnection, player: dict[str, Any]) -> tuple[float, float, float]:
    asset = caller.fresh_asset(player)
    started = time.perf_counter()
    caller.deposit(player, [asset])
    took_ms = (time.perf_counter() - started) * 1000
    return took_ms, _send(probe, player, asset), _bare_order(raw, player, asset)


def _bare_order(raw: HTTPConnection, player: dict[str, Any], asset_id: str) -> float:
    """Milliseconds of the bare path, asked over one kept connection like ours.

    Raises:
        BenchError: it refused.
    """
    body = {"user_id": BARE_USER, "steam_id": player["steam_id"], "asset_ids": [asset_id]}
    started = time.perf_counter()
    raw.request("POST", "/order", json.dumps(body), {"Idempotency-Key": asset_id})
    answer = raw.getresponse()
    text = answer.read()
    if answer.status != HTTPStatus.CREATED:
        raise BenchError(f"the bare path answered {answer.status}: {text.decode(errors='replace')[:200]}")
    return (time.perf_counter() - started) * 1000


def lift_limits(stack: Stack) -> None:
    """Let the sandbox's bots have as many open offers as the measurement makes."""
    for row in get_json(f"{stack.control_url}/control/accounts")["accounts"]:
        limits = {"limits": {"per_partner": 10_000, "total": 10_000}}
        send_json("PATCH", f"{stack.control_url}/control/accounts/{row['steam_id']}", limits)


def probe_session(stack: Stack) -> SteamSession:
    """A signed-in session of an account that no worker has."""
    made = send_json("POST", f"{stack.control_url}/control/accounts", {"kind": "bot", "name": "probe-1"})
    wide = {"limits": {"per_partner": 10_000, "total": 10_000}}
    send_json("PATCH", f"{stack.control_url}/control/accounts/{made['steam_id']}", wide)
    known = get_json(f"{stack.control_url}/control/credentials?kind=bot")["accounts"]
    row: dict[str, str] = next(row for row in known if row["steam_id"] == made["steam_id"])
    names = ("account_name", "password", "steam_id", "shared_secret", "identity_secret", "device_id")
    account = Account(bot="probe-1", **{name: row[name] for name in names})
    loaded = settings.load(stack.host_config(stack.wish.groups[0]))
    pace = Pace(None, "bench", loaded.pace, Clock(), time.sleep)
    connection = Connection(account, SavedSession(), loaded, pace, save=lambda _saved: None, sleep=time.sleep)
    session = SteamSession(connection)
    session.sign_in()
    return session


def _send(probe: SteamSession, player: dict[str, Any], asset_id: str) -> float:
    """Milliseconds of one send; the offer is canceled again."""
    url = TradeUrl.parse(player["trade_url"])
    asset = Asset(CS2_APP_ID, CONTEXT_NORMAL, asset_id)
    started = time.perf_counter()
    sent = probe.send_offer(str(int(url.partner)), url.trade_token, "https://example.org/verify/bench", [], [asset])
    took_ms = (time.perf_counter() - started) * 1000
    probe.cancel(sent.offer_id)
    return took_ms


def round_trips(options: Options, say: Say) -> Iterator[Row]:
    """Round trips to Redis for one send order, from the balancer and from the worker, less what both do when idle."""
    say("Redis round trips per order")
    with folder() as directory:
        wish = Wish(directory, bots_per_group=1, players=PLAYERS, log_level="warning", sandbox_args=QUIET)
        times = {"watch_s": 3600.0, "inventory_cache_s": 3600.0}
        wish.overrides = {"limits": WITHOUT_LIMITS, "rates": NEVER_REACHED, "trades": times}
        with CountedStack(wish, say) as stack:
            lift_limits(stack)
            sides = {"balancer": stack.by_balancer, "worker": stack.by_bots}
            found = dict(_trips(stack, sides, min(options.orders, 25)))
    total = sum(sum(counts.values()) for counts in found.values())
    note = "; ".join(f"{name} {_listed(counts)}" for name, counts in found.items())
    yield Row("Redis round trips per send order", "trips", total, floor=Floor.most(8), goal="≤ 6", note=note)


def _trips(stack: Stack, sides: dict[str, RoundTrips | None], count: int) -> list[tuple[str, dict[str, float]]]:
    caller, players = Caller(stack), players_of(stack)
    proxies = {name: proxy for name, proxy in sides.items() if proxy is not None}
    idle = _during(proxies, lambda: time.sleep(IDLE_S))
    busy: dict[str, Counter[str]] = {name: Counter() for name in proxies}
    seconds = 0.0
    for player in itertools.islice(itertools.cycle(players), count):
        asset = caller.fresh_asset(player)
        time.sleep(AFTER_S)
        started = time.monotonic()

        def order(player: dict[str, Any] = player, asset: str = asset) -> None:
            caller.deposit(player, [asset])
            time.sleep(AFTER_S)

        for name, counts in _during(proxies, order).items():
            busy[name].update(counts)
        seconds += time.monotonic() - started
    return [(name, _per_order(busy[name], idle[name], seconds / IDLE_S, count)) for name in proxies]


def _during(proxies: dict[str, RoundTrips], action: Callable[[], object]) -> dict[str, Counter[str]]:
    before = {name: proxy.snapshot() for name, proxy in proxies.items()}
    action()
    return {name: proxy.snapshot() - before[name] for name, proxy in proxies.items()}


def _per_order(busy: Counter[str], idle: Counter[str], share: float, count: int) -> dict[str, float]:
    """Per order and first command; below zero where an order kept the side from idling."""
    return {name: (busy[name] - idle[name] * share) / count for name in sorted({*busy, *idle})}


def _listed(counts: dict[str, float]) -> str:
    shown = ", ".join(f"{name} {count:.1f}" for name, count in counts.items() if abs(count) >= 0.05)
    return f"{sum(counts.values()):.1f} ({shown})"
