"""What needs no running fleet: the command line's start, and giving an order to Redis."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from scripts.benchmarks.options import Options
from scripts.benchmarks.proxy import RoundTrips
from scripts.benchmarks.rows import BenchError, Floor, Row, interleaved, median
from scripts.benchmarks.running import folder
from scripts.lab.redis_server import EmbeddedRedis
from shared import wire
from shared.clock import Clock
from shared.domain.ids import STEAM_ID_BASE
from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID, Asset
from shared.orders import Order, SendOrder
from shared.sealing import BotKeys, MasterKey

Say = Callable[[str], None]
ITEMS = 10
ORDERS = 64


def command_line(options: Options, say: Say) -> Iterator[Row]:
    """`fleet --help` over an interpreter that does nothing."""
    say("fleet --help")
    found = interleaved(
        options.repeats,
        {"ours": lambda _turn: _seconds("-m", "scripts.cli.fleet", "--help"), "raw": lambda _turn: _seconds("-c", "pass")},
    )
    ours, empty = median(found["ours"]), median(found["raw"])
    note = f"{ours:.2f} s against {empty:.2f} s of `python -c pass`"
    yield Row("fleet --help, over python -c pass", "s more", ours - empty, floor=Floor.most(0.3), goal="≤ 0.3", note=note)


def _seconds(*arguments: str) -> float:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-P", *arguments], capture_output=True, check=False)
    if done.returncode:
        raise BenchError(f"python {' '.join(arguments)} failed: {done.stderr.decode(errors='replace')[-500:]}")
    return time.perf_counter() - started


def enqueuing(options: Options, say: Say) -> Iterator[Row]:
    """Round trips to give one order, and many at once."""
    say("enqueue")
    keys, clock = MasterKey(bytes(32)).bot("red-1"), Clock()
    with folder() as directory, EmbeddedRedis(directory / "redis") as server:
        with RoundTrips(server.url, directory / "counted") as counted:
            client = wire.connect(counted.url)
            client.ping()
            for count in (1, ORDERS):
                before = counted.snapshot().total()
                wire.enqueue(client, [(_order(number, clock), keys) for number in range(count)], "now")
                trips = counted.snapshot().total() - before
                name = "Redis round trips to enqueue an order" if count == 1 else f"the same for {count} orders at once"
                yield Row(name, "trips", float(trips), floor=Floor.most(1), goal="1")
            client.close()
        with wire.connect(server.url) as client:
            yield _enqueue_rate(options, client, keys, clock)


def _enqueue_rate(options: Options, client: object, keys: BotKeys, clock: Clock) -> Row:
    def one(_turn: int) -> float:
        started = time.perf_counter()
        for number in range(ORDERS):
            wire.enqueue(client, [(_order(number, clock), keys)], "now")
        return ORDERS / (time.perf_counter() - started)

    def many(_turn: int) -> float:
        started = time.perf_counter()
        wire.enqueue(client, [(_order(number, clock), keys) for number in range(ORDERS)], "now")
        return ORDERS / (time.perf_counter() - started)

    found = interleaved(options.repeats, {"ours": one, "raw": many})
    note = f"one at a time; the baseline is {ORDERS} in one pipeline"
    return Row("sealed orders enqueued", "per s", median(found["ours"]), median(found["raw"]), note=note)


def _order(number: int, clock: Clock) -> Order:
    assets = [Asset(CS2_APP_ID, CONTEXT_NORMAL, str(40_000_000_000 + number * ITEMS + place)) for place in range(ITEMS)]
    payload = SendOrder("A" * 22, str(STEAM_ID_BASE + 1), "AbCd_123", "https://example.org/verify/" + "A" * 22, [], assets)
    now_ms = clock.now_ms()
    return Order(f"ord_{number}", "send", "red-1", f"trd_{number}", 1, now_ms, now_ms + 60_000, payload)
