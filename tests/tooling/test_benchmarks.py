"""The benchmarks measure what they say: rows and floors, round trips, the baseline's rows, and every row in a tiny run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import func, select
from support import wait_until

from balancer.db import tables
from scripts.benchmarks import __main__ as bench
from scripts.benchmarks.fake_fleet import FakeFleet, held
from scripts.benchmarks.http_rows import per_request
from scripts.benchmarks.load import Ask, content_length, fire
from scripts.benchmarks.options import Options
from scripts.benchmarks.proxy import Messages, RoundTrips
from scripts.benchmarks.raw_sql import Item
from scripts.benchmarks.rows import BenchError, Floor, Row, interleaved, percentile, table
from scripts.benchmarks.site import ITEMS, Players, bare_server, prepare_raw
from shared import wire
from shared.orders import InventoryOrder, Order
from shared.sealing import BotKeys, MasterKey

ITEM = Item("itm_bench", "AK-47 | Redline (Field-Tested)", 1200)


# --- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reached"),
    [
        (Row("a", "per s", 300, 1000, Floor.ratio(0.3)), True),
        (Row("a", "per s", 299, 1000, Floor.ratio(0.3)), False),
        (Row("a", "ms", 15, None, Floor.most(15)), True),
        (Row("a", "ms", 16, None, Floor.most(15)), False),
        (Row("a", "ms", 300, 100, Floor.ratio_most(3)), True),
        (Row("a", "ms", 301, 100, Floor.ratio_most(3)), False),
        (Row("a", "per s", 300, None, Floor.ratio(0.3)), None),
        (Row("a", "per s", 300, 1000), None),
    ],
)
def test_a_floor_is_reached_or_missed_or_cannot_be_told(row: Row, reached: bool | None) -> None:
    assert row.reached is reached


def test_the_table_shows_every_row_with_its_ratio_and_its_note() -> None:
    text = table([Row("POST /deposit", "per s", 500, 1000, Floor.ratio(0.3), "≥ 0.5", "64 connections"), Row("x", "ms", 0.25)])
    shown = text.splitlines()
    assert shown[2].split() == ["POST", "/deposit", "500", "1", "000", "per", "s", "0.50", "≥", "0.3", "ok", "≥", "0.5"]
    assert shown[3].strip() == "64 connections"
    assert shown[4].split() == ["x", "0.25", "–", "ms", "–"]


def test_rounds_are_interleaved_in_turning_order() -> None:
    said: list[str] = []
    found = interleaved(3, {"ours": lambda turn: said.append(f"o{turn}"), "raw": lambda turn: said.append(f"r{turn}")})
    assert said == ["o0", "r0", "r1", "o1", "o2", "r2"]
    assert [len(values) for values in found.values()] == [3, 3]


def test_percentiles_take_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7.0], 0.99)) == (50.0, 99.0, 7.0)


def test_rows_written_are_told_per_request() -> None:
    before, after = {"trades": 5, "deposits": 50, "users": 0}, {"trades": 9, "deposits": 90, "users": 4}
    assert per_request(before, after, 4) == "trades 1, deposits 10"


# --- counting round trips ------------------------------------------------------------------------


def test_a_pipeline_is_one_round_trip_and_two_commands_are_two(redis_url: str, tmp_path: Path) -> None:
    with RoundTrips(redis_url, tmp_path / "counted") as counted, redis.Redis.from_url(counted.url) as client:
        client.ping()
        before = counted.snapshot()
        client.set("a", "1")
        assert client.get("a") == b"1"
        assert counted.snapshot() - before == {"SET": 1, "GET": 1}
        before = counted.snapshot()
        pipe = client.pipeline(transaction=True)
        for number in range(300):
            pipe.hset("many", f"field-{number}", "x" * 1000)
        pipe.execute()
        assert counted.snapshot() - before == {"MULTI": 1}
        assert client.hlen("many") == 300


def test_messages_are_cut_wherever_the_stream_breaks() -> None:
    whole = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n+OK\r\n$-1\r\n%1\r\n+k\r\n*2\r\n:1\r\n_\r\n>2\r\n+message\r\n$0\r\n\r\n"
    at_once = Messages().feed(whole)
    assert [message[:1] for message in at_once] == [b"*", b"+", b"$", b"%", b">"]
    cutter = Messages()
    assert [message for byte in whole for message in cutter.feed(bytes([byte]))] == at_once


# --- both sides of the HTTP rows -----------------------------------------------------------------


def test_the_baseline_writes_the_rows_of_a_deposit(database_url: str) -> None:
    engine = prepare_raw(database_url, ITEM)
    try:
        asks = [player.deposit() for player in Players([engine]).take(6)]
        with bare_server(database_url, ITEM, units=2) as (url, _pid):
            result = fire(url, asks, connections=3)
        with engine.connect() as connection:
            counted = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (tables.trades, tables.deposits, tables.trade_items, tables.tokens, tables.events)
            }
            reserved = connection.execute(select(func.sum(tables.bots.c.slots_reserved))).scalar_one()
    finally:
        engine.dispose()
    assert result.statuses == {"202": 6}
    assert counted == {"trades": 6, "deposits": 6 * ITEMS, "trade_items": 6 * ITEMS, "tokens": 6, "events": 6}
    assert reserved == 6 * ITEMS


def test_another_status_than_the_wanted_one_is_no_measurement(database_url: str) -> None:
    engine = prepare_raw(database_url, ITEM)
    engine.dispose()
    with bare_server(database_url, ITEM, units=1) as (url, _pid):
        result = fire(url, [Ask("GET", "/nowhere")], connections=1, repeat=3)
    assert result.statuses == {"404": 3}
    with pytest.raises(BenchError, match="3 answers had status 404"):
        result.require(200)


def test_an_answer_without_a_length_is_refused() -> None:
    assert content_length(b"HTTP/1.1 200 OK\r\ncontent-length: 12") == 12
    with pytest.raises(BenchError):
        content_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked")


def test_the_fake_fleet_beats_and_answers_inventories_only(redis_url: str) -> None:
    master = MasterKey(bytes(32))
    client = wire.connect(redis_url)
    orders = [(_inventory_order("red-2", "1"), master.bot("red-2")), (_inventory_order("red-1", "2"), master.bot("red-1"))]
    with FakeFleet(redis_url, master, 2, lambda steam_id: [held(int(steam_id), ITEM.name)]):
        names: Any = client.smembers(wire.BOTS)
        beats: Any = {name: client.get(wire.heartbeat_key(name.decode())) for name in names}
        wire.enqueue(client, orders, "now")
        wait_until(lambda: client.xlen(wire.REPORTS) == 2)
    entries: Any = client.xrange(wire.REPORTS)
    reports = [wire.open_report(*_entry(fields, master)) for _, fields in entries]
    client.close()
    assert {wire.open_heartbeat(name.decode(), sealed, master.bot(name.decode())).state for name, sealed in beats.items()} == {
        "online"
    }
    assert {(report.kind, report.data["assets"][0]["asset"]["asset_id"]) for report in reports} == {
        ("inventory_read", "1"),
        ("inventory_read", "2"),
    }


def _inventory_order(bot: str, steam_id: str) -> Order:
    return Order(f"ord_{steam_id}", "inventory", bot, None, 0, 0, 2**40, InventoryOrder(steam_id, None))


def _entry(fields: dict[bytes, bytes], master: MasterKey) -> tuple[str, bytes, BotKeys]:
    bot = fields[b"bot"].decode()
    return bot, fields[b"sealed"], master.bot(bot)


# --- the command -----------------------------------------------------------------------------------


def test_a_tiny_run_of_the_small_rows_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--quick", "--json", "--only", "cli", "--only", "enqueue"]) == 0
    said = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in said["rows"]}
    assert said["not_measured"] == {}
    assert rows["Redis round trips to enqueue an order"]["ours"] == 1
    assert rows["the same for 64 orders at once"]["ours"] == 1
    assert rows["fleet --help, over python -c pass"]["floor"] == "≤ 0.3"


def test_what_cannot_be_measured_is_named_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_options: Options, _say: object) -> Iterator[Row]:
        raise BenchError("no PostgreSQL here")

    assert bench.main(["--quick", "--only", "cli"], lambda _name: broken) == 1
    assert "not measured: cli: BenchError: no PostgreSQL here" in capsys.readouterr().out


ROWS = (
    "fleet --help, over python -c pass",
    "choosing a bot among 10 000",
    "picking a reader among 10 000",
    "choosing and reserving among 10 000",
    "Redis round trips to enqueue an order",
    "POST /deposit, PostgreSQL",
    "POST /deposit, PostgreSQL: p99",
    "GET /trade/{id}, PostgreSQL",
    "GET /healthz",
    "POST /deposit, SQLite",
    "a whole order over Steam's time, SQLite: p50",
    "a whole order over Steam's time, PostgreSQL: p99",
    "Redis round trips per send order",
    "Steam requests per accepted deposit",
    "Steam requests per accepted withdrawal",
    "Steam requests per settled trade, all looks",
    "a record of 100 items checked in a browser",
    "memory per bot after trades (PSS)",
)


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.javascript
@pytest.mark.timeout(1200)
def test_a_tiny_run_prints_every_row() -> None:
    command = [sys.executable, "-P", "-m", "scripts.benchmarks", "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1150)
    said = json.loads(done.stdout)
    assert said["not_measured"] == {}
    assert done.returncode == 0
    measured = {row["name"] for row in said["rows"] if row["ours"] is not None}
    assert set(ROWS) <= measured
