"""`/metrics` of a running balancer: what it says, who may read it, what it costs, and that nobody can make it grow."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from balancer_http.harness import ONE_DATABASE, PLAYER, Service
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine, event, insert, select

from balancer.db import tables
from balancer.fleet.forecast import LEAST_S, Forecasts
from balancer.journal import events
from balancer.journal.by import By
from balancer.metrics import figures, words
from balancer.metrics.steam import SteamCalls
from balancer.metrics.watch import WATCH, Watch
from balancer.web import addresses
from balancer.web.handlers import health
from balancer.web.handlers import metrics as handler
from shared.errors import DatabaseUnavailable
from shared.reports import Heartbeat

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def text_of(service: Service, *, anew: bool = True) -> str:
    if anew:
        service.part(WATCH)._asked_s = -1e9
    response = await service.client.get("/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return await response.text()


def read(text: str) -> Series:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(series: Series, name: str, **labels: str) -> float | None:
    return series.get((name, tuple(sorted(labels.items()))))


@pytest.mark.both_databases
async def test_figures_follow_what_the_fleet_does(service: Service) -> None:
    before = read(await text_of(service))
    assert value(before, "fleet_database_up") == value(before, "fleet_redis_up") == 1
    assert value(before, "fleet_bots", color="red", state="online") == 2
    assert value(before, "fleet_bots_able", color="red", may="take") == 2
    assert value(before, "fleet_trade_moves_total", direction="deposit", status="sent", reason="") == 0
    assert value(before, "fleet_reports_behind") is not None
    trade = await service.deposit("1")
    await service.ctx.fleet.refresh()
    now = read(await text_of(service))
    assert value(now, "fleet_trade_moves_total", direction="deposit", status="queued", reason="") == 1
    assert value(now, "fleet_trade_moves_total", direction="deposit", status="sent", reason="") == 1
    assert value(now, "fleet_trade_offer_seconds_count", direction="deposit") == 1
    assert value(now, "fleet_trades", direction="deposit", status="sent", reason="") == 1
    assert value(now, "fleet_orders_waiting", state="due") == 0
    assert value(now, "fleet_offers_open") == 1
    assert value(now, "fleet_color_slots_free", color="red") == value(now, "fleet_slots_free")
    assert value(now, "fleet_color_full_seconds", color="red") is None  # nothing has come in yet
    await service.accepted(trade)
    service.ctx.forecasts = Forecasts(service.ctx.db, service.ctx.fleet, service.ctx.clock)
    left = value(read(await text_of(service)), "fleet_color_full_seconds", color="red")
    assert left == service.ctx.fleet.limits.items_max * 2 * LEAST_S - LEAST_S
    assert value(now, "fleet_price_age_seconds", source="file") is not None
    assert value(now, "fleet_http_request_duration_seconds_count", route="POST /deposit", status="201") == 1
    assert value(now, "fleet_loop_late", loop="sweep") == 0
    assert value(now, "fleet_audit_differences", seen="false") == 0
    assert value(read(await text_of(service)), "fleet_trade_moves_total", direction="deposit", status="sent", reason="") == 1
    again = await text_of(service)
    for secret in (trade["token"], trade["trade_id"], PLAYER, service.keys["site"], "red-1", "host-1"):
        assert secret not in again


@pytest.mark.both_databases
async def test_alarms_and_what_webhooks_are_owed_are_counted(service: Service) -> None:
    first = read(await text_of(service))
    assert value(first, "fleet_alarms_total", alarm="doubt_stays") == 0
    now = service.ctx.clock.now()

    def write(connection: Any) -> None:
        data = {"alarm": "prices", "feed": "file", "reason": "gone", "action": "look"}
        events.append(connection, events.row("alarm", data, By("test", now - timedelta(seconds=90))))
        number = connection.scalar(select(tables.events.c.number).order_by(tables.events.c.number.desc()).limit(1))
        for target_id, disabled_at in (("wht_1", None), ("wht_2", now)):
            row = {"target_id": target_id, "url": f"http://127.0.0.1:9/{target_id}", "secret_sealed": "x", "spread_to": number}
            row |= {"created_at": now, "created_by": "test", "disabled_at": disabled_at, "pause_until": now + timedelta(days=1)}
            connection.execute(insert(tables.webhook_targets).values(row))
            delivery = {"target_id": target_id, "number": number, "lane": "x", "next_at": now + timedelta(days=1)}
            connection.execute(insert(tables.webhook_deliveries).values(delivery))

    await service.ctx.db.run(write)
    series = read(await text_of(service))
    assert value(series, "fleet_alarms_total", alarm="prices") == 1
    for state in ("enabled", "disabled"):
        assert value(series, "fleet_webhook_targets", target=state) == 1
        assert value(series, "fleet_webhook_deliveries_owed", target=state) == 1
        assert (value(series, "fleet_webhook_oldest_seconds", target=state) or 0) >= 89


@ONE_DATABASE
async def test_the_database_is_asked_once_in_ten_seconds_for_all(service: Service) -> None:
    with service.selects("trades") as seen:
        await text_of(service)
        for _ in range(9):
            await text_of(service, anew=False)
    asked = [each for each in seen if "GROUP BY trades.direction" in each]
    assert 1 <= len(asked) < 5  # one, if the machine takes less than ten seconds for it


def test_no_statement_reads_a_large_table_from_end_to_end() -> None:
    """What grows for years is read by an index; only bots, targets and switches are read whole."""
    engine, seen = create_engine("sqlite://"), []
    tables.metadata.create_all(engine)
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, said, values, *_: seen.append((said, values)))
    with engine.connect() as connection:
        figures.read(connection, 5, datetime.now(UTC))
        plans = [
            row[3]
            for said, values in list(seen)
            if said.startswith("SELECT")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}", values)
        ]
    engine.dispose()
    large = ("SCAN trades", "SCAN events", "SCAN webhook_deliveries")
    assert [plan for plan in plans if plan.startswith(large) and " INDEX ix_" not in plan] == []
    assert "SCAN trades USING INDEX ix_trades_live_partner" in plans


class Away:
    """A database that does not answer."""

    async def read(self, *_: Any) -> Any:
        raise DatabaseUnavailable


@ONE_DATABASE
async def test_without_its_database_it_says_so_and_tells_no_old_figures(service: Service) -> None:
    registry = CollectorRegistry()
    ctx = dataclasses.replace(service.ctx)
    watching = Watch(ctx, service.part(health.LOOPS), registry)
    gone = ("fleet_trades", "fleet_orders_waiting", "fleet_webhook_deliveries_owed", "fleet_audit_differences", "fleet_paused")
    await service.deposit("1")
    assert {name for name, _ in read((await watching.fresh()).decode())} >= set(gone)
    ctx.db, watching._asked_s = cast(Any, Away()), -1e9
    series = read((await watching.fresh()).decode())
    assert value(series, "fleet_database_up") == 0
    assert value(series, "fleet_bots", color="red", state="online") == 2
    assert [name for name, _ in series if name in gone] == []


@ONE_DATABASE
async def test_nobody_reads_it_through_a_proxy(service: Service) -> None:
    for name in handler.PASSED_ON:
        refused = await service.client.get("/metrics", headers={name: "127.0.0.1"})
        assert (refused.status, (await refused.json())["code"]) == (403, "address_not_allowed")


def test_only_addresses_that_are_named_may_read_it() -> None:
    readers = addresses.Networks(["127.0.0.0/8", "2001:db8::1/128"])
    allowed = {each: handler.may_read(readers, each, ()) for each in ("127.0.0.1", "2001:db8::1", "2001:db8::2", "192.0.2.7")}
    assert allowed == {"127.0.0.1": True, "2001:db8::1": True, "2001:db8::2": False, "192.0.2.7": False}
    assert not handler.may_read(readers, None, ())


@ONE_DATABASE
async def test_nobody_can_make_it_grow(service: Service) -> None:
    """Not a caller with strange requests, nor a host that was taken over with words that it has made up."""
    for number in range(3):
        await service.client.get(f"/nowhere/{number}")
        await service.client.request("ODD" + "X" * number, "/deposit")
        await service.call("GET", f"/trade/trd_{number}")
    trade = await service.deposit("1")
    await text_of(service)
    first = read(await text_of(service))
    for number in range(20):
        await service.client.get(f"/nowhere/again-{number}")
        await service.client.request("VERY" + "X" * number, "/deposit")
        await service.call("GET", f"/trade/trd_0{number}")
    assert value(first, "fleet_http_request_duration_seconds_count", route="GET /trade/{trade_id}", status="404") == 3

    def write(connection: Any) -> None:
        for number in range(20):
            connection.execute(
                tables.trades.update().where(tables.trades.c.trade_id == trade["trade_id"]).values(failure_code=f"odd_{number}")
            )
            row = events.row("declined_at_once", {"from": "sent", "to": "declined"}, By("test", service.ctx.clock.now()))
            row |= {
                "kind": "offer_declined",
                "trade_id": trade["trade_id"],
                "data": json.dumps({"from": "sent", "to": "declined"}),
            }
            events.append(connection, row)

    await service.ctx.db.run(write)
    series = read(await text_of(service))
    new = {key for key in series if key not in first}
    moved = ("fleet_trade_moves_total", (("direction", "deposit"), ("reason", "other"), ("status", "declined")))
    assert series[moved] == 20
    assert new == {moved}


def test_words_that_we_do_not_know_are_told_as_other() -> None:
    assert words.known("bot_locked", words.WHY_NOT) == "bot_locked"
    assert words.known("made up\n", words.WHY_NOT) == "other"
    assert words.known(None, words.ENDS) == ""


def test_calls_to_steam_only_grow_when_a_worker_starts_again() -> None:
    registry = CollectorRegistry()
    calls = SteamCalls(registry)

    def beat(run: str, **counts: float) -> Heartbeat:
        return Heartbeat("red-1", run, 1, "host", PLAYER, "online", 1, **counts)  # type: ignore[arg-type]

    def of(use: str) -> float | None:
        return registry.get_sample_value("fleet_steam_calls_total", {"color": "red", "use": use})

    calls.take([beat("a", steam_calls=1000, look_calls=50, deposit_calls=600.0)])
    assert (of("deposit"), of("look"), of("other")) == (0, 0, 0)
    calls.take([beat("a", steam_calls=1010, look_calls=52, deposit_calls=606.0, throttled=1)])
    assert (of("deposit"), of("look"), of("other")) == (6, 2, 4)
    calls.take([beat("b", steam_calls=3, look_calls=1, deposit_calls=1.0)])
    assert (of("deposit"), of("look"), of("other")) == (7, 3, 6)
    calls.take([])
    calls.take([beat("b", steam_calls=3, look_calls=1, deposit_calls=1.0)])
    assert of("other") == 6
    assert registry.get_sample_value("fleet_steam_throttles_total", {"color": "red"}) == 1
