"""`POST /precheck`: each check by itself, with the sentence for the player, and nothing that is not known called good."""

from __future__ import annotations

from typing import Any

import pytest
from balancer_http.harness import OTHER, OTHER_URL, PLAYER, TRADE_URL, Service, assert_fits, held
from balancer_http.test_operate import json_of, with_settings
from sqlalchemy import update

from balancer.db import tables

BODY = {"user_id": "player-1", "steam_id": PLAYER, "trade_url": TRADE_URL}
SEEN = ("trade_url", "hold", "trade_ban", "inventory")


async def ask(service: Service, **more: Any) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    status, answer = await json_of(await service.call("POST", "/precheck", {**BODY, **more}, key=None))
    assert status == 200, answer
    assert_fits(answer, "Precheck")
    return answer, {each["check"]: each for each in answer["checks"]}


async def test_a_player_who_may_trade_passes_every_check_and_nothing_is_reserved(service: Service) -> None:
    service.bots.inventories[PLAYER] = [held(1)]
    before = await service.rows()
    answer, checks = await ask(service)
    assert (answer["may_trade"], answer["hold_days"], answer["level"]) == (True, 0, None)
    assert answer["free_slots"] == service.ctx.settings.limits.inventory_limit
    assert list(checks) == [*SEEN, "open_offers", "slots", "blocked"]
    assert {(each["ok"], each["code"], each["player_message"]) for each in checks.values()} == {(True, None, None)}
    assert await service.rows() == before
    assert service.bots.reads == 1
    await ask(service)
    assert service.bots.reads == 1  # the reading is kept


STEAM: list[tuple[str, str, tuple[bool | None, ...]]] = [
    ("trade_url_wrong", "trade_url", (False, None, None, None)),
    ("partner_banned", "trade_ban", (None, None, False, None)),
    ("inventory_private", "inventory", (None, None, None, False)),
]


@pytest.mark.parametrize(("code", "check", "seen"), STEAM)
async def test_what_steam_says_fails_its_check_and_leaves_the_rest_unknown(
    service: Service, code: str, check: str, seen: tuple[bool | None, ...]
) -> None:
    service.bots.failures[PLAYER] = code
    answer, checks = await ask(service)
    assert answer["may_trade"] is False
    assert tuple(checks[name]["ok"] for name in SEEN) == seen
    assert checks[check]["code"] == code and checks[check]["player_message"]


async def test_a_foreign_trade_url_and_a_hold_fail(service: Service) -> None:
    answer, checks = await ask(service, trade_url=OTHER_URL)
    assert (answer["may_trade"], checks["trade_url"]["code"], checks["inventory"]["ok"]) == (False, "foreign_trade_url", None)
    assert service.bots.reads == 0
    service.bots.hold_days = 15
    answer, checks = await ask(service)
    assert (answer["may_trade"], answer["hold_days"], checks["hold"]["code"]) == (False, 15, "partner_hold")
    assert checks["inventory"]["ok"] and checks["hold"]["player_message"]


async def test_a_hold_that_is_not_known_keeps_nobody_out(service: Service) -> None:
    service.bots.hold_days = None
    answer, checks = await ask(service)
    assert (answer["may_trade"], checks["hold"]["ok"], answer["hold_days"]) == (True, None, None)


async def test_what_the_player_has_here_counts(service: Service) -> None:
    await service.deposit("1")
    with_settings(service, "limits", inventory_limit=1, pending_deposits_per_player_max=1)
    answer, checks = await ask(service)
    assert (answer["may_trade"], answer["free_slots"]) == (False, 0)
    assert (checks["slots"]["code"], checks["open_offers"]["code"]) == ("inventory_full", "too_many_offers")
    assert checks["slots"]["player_message"] and "1" in checks["open_offers"]["player_message"]
    await service.ctx.db.run(lambda connection: connection.execute(update(tables.users).values(blocked_by="trd_x")))
    answer, checks = await ask(service)
    assert checks["blocked"]["code"] == "partner_blocked" and checks["blocked"]["player_message"]
    status, problem = await json_of(await service.call("POST", "/precheck", {**BODY, "user_id": "player-9"}, key=None))
    assert (status, problem["code"]) == (409, "user_mismatch")
    status, problem = await json_of(await service.call("POST", "/precheck", {**BODY, "steam_id": OTHER}, key=None))
    assert (status, problem["code"]) == (409, "user_mismatch")


LEVELS: list[tuple[int | None, bool | None, str | None, bool]] = [
    (10, True, None, True),
    (9, False, "level_too_low", False),
    (None, None, "level_unknown", True),
]


@pytest.mark.parametrize(("level", "ok", "code", "may_trade"), LEVELS)
async def test_a_level_counts_only_where_one_is_wanted(
    service: Service, level: int | None, ok: bool | None, code: str | None, may_trade: bool
) -> None:
    service.bots.level = level
    with_settings(service, "limits", steam_level_min=10)
    service.ctx.inventories.settings = service.ctx.settings
    answer, checks = await ask(service)
    assert (answer["level"], checks["level"]["ok"], checks["level"]["code"], answer["may_trade"]) == (
        level,
        ok,
        code,
        may_trade,
    )
    assert (checks["level"]["player_message"] is None) == (code is None)


async def test_what_cannot_be_read_now_is_refused_and_no_answer(service: Service) -> None:
    service.bots.failures[PLAYER] = "inventory_unavailable"
    status, problem = await json_of(await service.call("POST", "/precheck", BODY, key=None))
    assert (status, problem["code"], problem["retryable"]) == (503, "inventory_unavailable", True)
    service.bots.failures[OTHER] = "unknown_player"
    body = {"user_id": "player-2", "steam_id": OTHER, "trade_url": OTHER_URL}
    status, problem = await json_of(await service.call("POST", "/precheck", body, key=None))
    assert (status, problem["code"]) == (422, "unknown_player")
