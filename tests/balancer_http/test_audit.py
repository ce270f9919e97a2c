"""`/audit` and unfreezing, over HTTP and as typed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from balancer_core.core_world import World
from balancer_core.test_audits import asset, tell
from balancer_http.harness import GOOD, READY_S, Service
from balancer_http.test_commands import fleet
from balancer_http.test_operate import body, json_of, settled
from balancer_http.test_operator_commands import world  # noqa: F401 - a fixture

from balancer.custody.audit import ask
from shared import wire
from shared.reports import Report


async def order_of(service: Service, bot: str, after: int = 0) -> Any:
    """The newest order to this bot to read its own inventory."""
    async with asyncio.timeout(READY_S):
        while True:
            found = [each for each in service.bots.orders[after:] if each.bot == bot and _own(each)]
            if found:
                return found[-1]
            await asyncio.sleep(0.02)


def _own(order: Any) -> bool:
    return order.kind == "inventory" and order.payload.own_rows is not None


async def read(service: Service, order: Any, *assets: dict[str, Any]) -> None:
    data = {"steam_id": order.payload.steam_id, "assets": list(assets)}
    report = Report(order.bot, "run-1", 1, "custody_read", order.order_id, None, 0, 0, data)
    await asyncio.to_thread(wire.append_reports, service.ctx.redis, [report], service.ctx.master.bot(order.bot))


async def audit_of(service: Service, bot: str) -> dict[str, Any]:
    status, answer = await json_of(await service.call("GET", "/audit"))
    assert status == 200
    return next(row for row in answer["bots"] if row["bot"] == bot)


@pytest.fixture
def quick(service: Service) -> Service:
    times = service.ctx.settings.trades.model_copy(update={"audit_again_s": 0.01})
    service.ctx.settings = service.ctx.settings.model_copy(update={"trades": times})
    return service


async def audited(service: Service, bot: str, *assets: dict[str, Any]) -> dict[str, Any]:
    """An audit of one bot that reads this as often as it is asked; its result."""
    status, started = await json_of(await service.call("POST", "/audit", {"bots": [bot]}))
    assert (status, started["bots"]) == (202, [bot])
    while True:
        after, before = len(service.bots.orders), await audit_of(service, bot)
        await ask.round_of(service.ctx)
        await read(service, await order_of(service, bot, after), *assets)
        async with asyncio.timeout(READY_S):
            while _stage(row := await audit_of(service, bot)) == _stage(before):
                await asyncio.sleep(0.02)
        if not row["running"]:
            assert row["audit_id"] == started["audit_id"]
            return row
        await asyncio.sleep(0.02)


def _stage(row: dict[str, Any]) -> tuple[bool, int]:
    return row["running"], row["looks"]


@pytest.mark.both_databases
async def test_an_audit_by_api_and_what_a_frozen_bot_means(quick: Service) -> None:
    service = quick
    [deposit_id] = await settled(service, "1")
    name = (await json_of(await service.call("GET", "/deposits")))[1]["deposits"][0]["bot"]
    # The row's item is there under its own name: so it is the bot that is frozen, not the row.
    row = await audited(service, name, asset(1), asset(90001, GOOD))
    assert (row["verdict"], row["frozen_by"]) == ("differences", "audit"), row
    kinds = {each["kind"] for each in row["differences"]}
    assert "extra" in kinds and all(each["text"] and not each["known"] for each in row["differences"])
    status, problem = await json_of(await service.call("POST", "/withdraw", body([deposit_id])))
    assert (status, problem["code"], problem["actor"], problem["bot"]) == (409, "bot_frozen", "operator", name)
    assert problem["retryable"] is False
    number = int(name.rpartition("-")[2])
    status, bot = await json_of(await service.call("POST", f"/bots/red/{number}/unfreeze"))
    assert (status, bot["frozen_by"]) == (200, None)
    assert (await json_of(await service.call("POST", f"/bots/red/{number}/unfreeze")))[0] == 200
    status, _ = await json_of(await service.call("POST", "/withdraw", body([deposit_id])))
    assert status in (201, 202)
    assert all(each["known"] for each in (await audit_of(service, name))["differences"])


async def test_audits_need_the_scope_and_known_bots_and_change_nothing_when_refused(service: Service) -> None:
    await service.add_client("plain", "trade", "read")
    before = await service.rows()
    data: dict[str, Any] | None
    for data, status, code in (
        ({"bots": ["red-77"]}, 404, "not_found"),
        ({"bots": []}, 400, "invalid_request"),
        ({"bots": ["red"]}, 400, "invalid_request"),
        ({"bot": "red-1"}, 400, "invalid_request"),
    ):
        answered, problem = await json_of(await service.call("POST", "/audit", data))
        assert (answered, problem["code"]) == (status, code), data
    for method, path, data in (("POST", "/audit", {}), ("POST", "/bots/red/1/unfreeze", None)):
        status, problem = await json_of(await service.call(method, path, data, client="plain"))
        assert (status, problem["code"]) == (403, "scope_missing")
    status, problem = await json_of(await service.call("POST", "/bots/red/77/unfreeze"))
    assert (status, problem["code"]) == (404, "not_found")
    assert {**await service.rows(), "audits": 0} == {**before, "audits": 0}  # the schedule knows the bots by now


# --- as typed ---------------------------------------------------------------------------------------------------


async def typed(world: World, config: Path, *assets: dict[str, Any]) -> Any:  # noqa: F811
    """`fleet audit` while a bot reads this as often as it is asked."""
    typing = asyncio.create_task(asyncio.to_thread(fleet, config, "audit", "--bot", "red-1", "--wait", "280"))
    while not typing.done():
        await world.online("red-1", "red-2")
        await ask.round_of(world.ctx)
        for order in world.orders("red-1") and world.taken("red-1"):
            await tell(world, order, assets=list(assets))
        await asyncio.sleep(0.05)
    return await typing


async def test_the_command_ends_with_what_it_found(world: World, tmp_path: Path) -> None:  # noqa: F811
    config = tmp_path / "fleet.toml"
    ctx = world.ctx
    ctx.settings = ctx.settings.model_copy(update={"trades": ctx.settings.trades.model_copy(update={"audit_again_s": 0.1})})
    done = await typed(world, config)
    assert (done.exit_code, "red-1: 0 rows, 0 assets, 0 differences" in done.stdout) == (0, True), done.output
    done = await typed(world, config, asset(5))
    assert done.exit_code == 1
    assert "extra: asset 5 (Case) of red-1 belongs to no row" in done.stdout and "fleet bots unfreeze red-1" in done.stdout
    assert fleet(config, "bots", "unfreeze", "red-1", "--yes").exit_code == 0
    assert fleet(config, "bots", "unfreeze", "red-1", "--yes").exit_code == 1
    assert fleet(config, "bots", "unfreeze", "red").exit_code == 2
    done = await typed(world, config, asset(5))
    assert (done.exit_code, "(known)" in done.stdout) == (1, True)


async def test_the_command_says_when_it_cannot_tell(world: World, tmp_path: Path) -> None:  # noqa: F811
    config = tmp_path / "fleet.toml"
    done = fleet(config, "audit", "--wait", "0")
    assert done.exit_code == 2 and "is a balancer running?" in done.stdout
    done = fleet(config, "audit", "--bot", "red-9")
    assert done.exit_code == 2 and "red-9" in done.stderr
    assert fleet(config, "audit", "--bot", "red").exit_code == 2
    (tmp_path / "master.key").unlink()
    assert fleet(config, "audit").exit_code == 2
