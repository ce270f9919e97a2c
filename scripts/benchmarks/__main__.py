"""`scripts/bench`: run the measurements and print one table, or JSON.

Exit status 1 only if something could not be measured at all.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence

from fleet_client.errors import FleetError
from scripts.benchmarks.options import Options
from scripts.benchmarks.rows import BenchError, Row, table
from scripts.demo_run.players import NothingToTradeError
from scripts.lab.parts import StackError
from scripts.lab.servers import EmbeddedError
from shared import log

Say = Callable[[str], None]
Bench = Callable[[Options, Say], Iterator[Row]]

# Name, where it is, and what it measures. Each is imported only when it runs.
BENCHES: dict[str, tuple[str, str]] = {
    "cli": ("small_rows:command_line", "fleet --help over python -c pass"),
    "choose": ("choose_rows:choosing", "choosing a bot at 10, 1 000 and 10 000 bots"),
    "enqueue": ("small_rows:enqueuing", "Redis round trips to give orders"),
    "http": ("http_rows:on_postgres", "POST /deposit, GET /trade/{id}, /healthz on PostgreSQL"),
    "sqlite": ("http_rows:on_sqlite", "POST /deposit on SQLite"),
    "games": ("games_rows:on_postgres", "POST /locks, POST /transfers on PostgreSQL"),
    "games-sqlite": ("games_rows:on_sqlite", "POST /locks, POST /transfers on SQLite"),
    "listen": ("listen_rows:listening", "event streams to 200 listeners, webhooks per second"),
    "order": ("order_rows:whole_order", "a whole order over the time Steam takes"),
    "redis": ("order_rows:round_trips", "Redis round trips per order"),
    "steam": ("steam_rows:requests", "Steam requests per accepted deposit and withdrawal"),
    "site": ("play_rows:playing", "bets, sockets, pages, engines of the site; a proof in a browser"),
    "proof": ("proof_rows:in_a_browser", "a record of 100 items checked by the scripts of its page"),
    "memory": ("memory_rows:memory", "memory per bot after 200 trades"),
}


def load(name: str) -> Bench:
    module, _, function = BENCHES[name][0].partition(":")
    found: Bench = getattr(importlib.import_module(f"scripts.benchmarks.{module}"), function)
    return found


def measure(
    names: Sequence[str], options: Options, say: Say, loaded: Callable[[str], Bench] = load
) -> tuple[list[Row], dict[str, str]]:
    """The rows of these benches, and why the others have none."""
    rows: list[Row] = []
    failed: dict[str, str] = {}
    for name in names:
        try:
            for row in loaded(name)(options, say):
                rows.append(row)
                say(f"  {row.name}: {row.ours if row.ours is None else round(row.ours, 3)} {row.unit}")
        except (BenchError, StackError, EmbeddedError, FleetError, NothingToTradeError, OSError) as error:
            failed[name] = f"{type(error).__name__}: {error}"
            say(f"  {name} could not be measured: {error}")
    return rows, failed


def parser() -> argparse.ArgumentParser:
    text = "\n".join(f"  {name:12} {what}" for name, (_, what) in BENCHES.items())
    made = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure the fleet against its own baselines in the same run. Nothing fails because it is slow.",
        epilog=f"measurements:\n{text}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--only", action="append", choices=list(BENCHES), metavar="NAME", help="only this one; repeatable")
    made.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    made.add_argument(
        "--quick", action="store_true", help="only check that everything can be measured; the figures mean nothing"
    )
    made.add_argument("--durable", action="store_true", help="PostgreSQL with fsync (off otherwise, on both sides)")
    return made


def machine() -> dict[str, object]:
    """What it ran on, as far as figures depend on it."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count(), "load_before": load}


def main(argv: Sequence[str] | None = None, loaded: Callable[[str], Bench] = load) -> int:
    log.set_up("warning")  # standard output is for the table
    arguments = parser().parse_args(argv)
    options = Options(quick=arguments.quick, durable=arguments.durable)
    about = machine()
    rows, failed = measure(
        arguments.only or list(BENCHES), options, lambda text: print(text, file=sys.stderr, flush=True), loaded
    )
    if arguments.json:
        print(
            json.dumps({"machine": about, "rows": [row.to_json() for row in rows], "not_measured": failed}, ensure_ascii=False)
        )
    else:
        print(", ".join(f"{name} {value}" for name, value in about.items()))
        print(table(rows))
        for name, why in failed.items():
            print(f"not measured: {name}: {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
