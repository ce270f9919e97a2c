"""One order after the other through a whole fleet: what it takes beyond Steam's own time, and how often Redis is asked."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from bot_worker.steam.connection import Connection
from bot_worker.steam.pace import Pace
from bot_worker.steam.session import SteamSession
from bot_worker.vault import Account, SavedSession
from scripts.benchmarks.options import Options
from scripts.benchmarks.proxy import RoundTrips
from scripts.benchmarks.rows import Floor, Row, median, percentile
from scripts.benchmarks.running import Caller, CountedStack, folder, players_of
from scripts.embedded import EmbeddedPostgres
from scripts.stack import Stack, Wish, get_json, send_json
from shared import settings
from shared.clock import Clock
from shared.domain.ids import TradeUrl
from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID, Asset

Say = Callable[[str], None]
PLAYERS = 20
WARM_UP = 3
IDLE_S = 4.0
AFTER_S = 0.15  # what a worker still does for an order after its report
WITHOUT_LIMITS = {"offers_per_partner_max": 10_000, "offers_per_bot_max": 10_000}
QUIET = ["--player-habit", "ignore", "--items-per-player", "30"]


def whole_order(options: Options, say: Say) -> Iterator[Row]:
    """From POST /deposit to its answer with the offer, less the time of the same call to Steam made directly."""
    yield from _whole_order(options, say, "SQLite", "")
    with EmbeddedPostgres(durable=options.durable) as server:
        yield from _whole_order(options, say, "PostgreSQL", server.create_database("orders"))


def _whole_order(options: Options, say: Say, database: str, url: str) -> Iterator[Row]:
    say(f"a whole order on {database}")
    with folder() as directory:
        wish = Wish(directory, bots_per_group=2, players=PLAYERS, log_level="warning", database_url=url, sandbox_args=QUIET)
        wish.overrides = {"limits": WITHOUT_LIMITS, "trades": {"watch_s": 5.0}}
        with Stack(wish, say=say) as stack:
            orders, sends = _order_times(stack, options.orders)
    steam = median(sends)
    over = [one - steam for one in orders]
    note = (
        f"{len(orders)} orders, one client; order p50 {median(orders):.1f} ms, the same send made directly p50 {steam:.1f} ms"
    )
    p50, p99 = percentile(over, 0.5), percentile(over, 0.99)
    name = f"a whole order over Steam's time, {database}"
    yield Row(f"{name}: p50", "ms", p50, floor=Floor.most(15), goal="≤ 8", note=note)
    yield Row(f"{name}: p99", "ms", p99, goal="≤ 25")


def _order_times(stack: Stack, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of whole orders, and of bare sends between them. The first few warm everything up and do not count."""
    lift_limits(stack)
    probe, players = probe_session(stack), itertools.cycle(players_of(stack))
    with closing(Caller(stack)) as caller:
        both = [_one_order(caller, probe, next(players)) for _ in range(WARM_UP + count)][WARM_UP:]
    return [order for order, _ in both], [send for _, send in both]


def _one_order(caller: Caller, probe: SteamSession, player: dict[str, Any]) -> tuple[float, float]:
    asset = caller.fresh_asset(player)
    started = time.perf_counter()
    caller.deposit(player, [asset])
    took_ms = (time.perf_counter() - started) * 1000
    return took_ms, _send(probe, player, asset)


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
        wish.overrides = {"limits": WITHOUT_LIMITS, "trades": {"watch_s": 3600.0, "inventory_cache_s": 3600.0}}
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
