"""Custody for games over HTTP: locks, transfers, credits, users, stock and the catalogue."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from balancer_http.harness import GOOD, OTHER, PLAYER, PRICES, READY_S, TRADE_URL, Service
from balancer_http.test_operate import json_of, settled, with_settings
from sqlalchemy import select, update

from balancer.db import tables

D = tables.deposits.c


@pytest.fixture
async def game(service: Service) -> Service:
    """A service that a game calls too, with the players 1 and 2 and values in the catalogue."""
    await service.add_client("game", "play", "read")
    for number, steam_id in ((1, PLAYER), (2, OTHER)):
        response = await service.call("PUT", f"/users/player-{number}", {"steam_id": steam_id}, client="game")
        assert response.status in (200, 201)
    async with asyncio.timeout(READY_S):
        while len(await items(service)) < len(PRICES):
            await asyncio.sleep(0.02)
    return service


async def items(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await json_of(await service.call("GET", "/items")))[1]["items"]
    return found


def part_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The same where it is a part of an answer: what the whole says of its balancer is not in it."""
    return {name: value for name, value in answer.items() if name != "livemode"}


async def play(service: Service, method: str, path: str, body: Any = None, client: str = "game") -> tuple[int, Any]:
    status, answer = await json_of(await service.call(method, path, body, key=None, client=client))
    return status, answer


def lock(ref: str, ids: list[str], user_id: str = "player-1", **more: Any) -> dict[str, Any]:
    return {"ref": ref, "user_id": user_id, "deposit_ids": ids, **more}


def move(deposit_id: str, to: str = "player-2", owner: str = "player-1") -> dict[str, Any]:
    return {"deposit_id": deposit_id, "from": owner, "to": to}


def moved(ref: str, which: list[str], *moves: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"ref": ref, "locks": which, "moves": list(moves), **more}


async def change(service: Service, statement: Any) -> None:
    await service.ctx.db.run(lambda connection: connection.execute(statement).rowcount)


async def test_a_round_from_bet_to_prize(game: Service) -> None:
    one, two = [(await settled(game, each))[0] for each in ("1", "2")]
    status, answer = await play(game, "POST", "/locks", lock("bet:1", [one, two], note="room/812"))
    assert (status, answer["state"], len(answer["rows"])) == (201, "held", 2)
    row = answer["rows"][0]
    assert (row["market_hash_name"], row["value_cents"], row["state"]) == (GOOD, 1200, "held")
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", each) for each in (answer["locked_at"], row["valued_at"]))
    assert await play(game, "POST", "/locks", lock("bet:1", [one, two], note="room/812")) == (200, answer)
    assert await play(game, "POST", "/locks", lock("bet:1", [one, two], note="room/812", unsettled=False)) == (200, answer)
    assert await play(game, "GET", "/locks/bet:1") == (200, answer)
    assert (await play(game, "GET", "/locks?state=held&user_id=player-1"))[1]["locks"] == [part_of(answer)]

    credit = {"user_id": "player-2", "cents": 31, "kind": "rest"}
    body = moved("round:812", ["bet:1"], move(one), release="rest", credits=[credit])
    status, answer = await play(game, "POST", "/transfers", body)
    assert (status, answer["moved"], answer["released"], answer["lost"]) == (201, 1, [two], [])
    assert await play(game, "POST", "/transfers", body) == (200, answer)
    assert await play(game, "GET", "/transfers/round:812") == (200, answer)
    assert (await play(game, "GET", "/transfers"))[1]["transfers"] == [part_of(answer)]
    [deposit] = (await play(game, "GET", f"/deposits?ids={one}"))[1]["deposits"]
    assert (deposit["user_id"], deposit["locked_by"]) == ("player-2", None)
    found = (await play(game, "GET", "/deposits?user_ids=player-1&user_ids=player-2"))[1]["deposits"]
    assert sorted(each["deposit_id"] for each in found) == sorted([one, two])

    status, found = await play(game, "GET", "/credits?user_id=player-2")
    assert (found["balance_cents"], [line["cents"] for line in found["lines"]]) == (31, [31])
    assert found["lines"][0]["credit_id"] == answer["credits"][0]
    status, released = await play(game, "DELETE", "/locks/bet:1")
    assert (status, released["released"], released["moved"]) == (200, [two], [one])
    assert await play(game, "DELETE", "/locks/bet:1") == (200, released)
    kinds = [event["kind"] for event in (await play(game, "GET", "/events?limit=500"))[1]["events"]]
    assert [kind for kind in kinds if kind.startswith("items_")] == ["items_locked", "items_transferred", "items_unlocked"]
    # The winner takes it home.
    given = {"user_id": "player-2", "steam_id": OTHER, "deposit_ids": [one]}
    given["trade_url"] = TRADE_URL.replace("39734274", "39734275")
    assert (await game.call("POST", "/withdraw", given)).status == 201


async def test_b02_what_is_locked_is_not_withdrawn_and_the_other_way_round(game: Service) -> None:
    one, two = [(await settled(game, each))[0] for each in ("1", "2")]
    await play(game, "POST", "/locks", lock("a", [one]))
    body = {"user_id": "player-1", "steam_id": PLAYER, "trade_url": TRADE_URL, "deposit_ids": [one]}
    status, problem = await json_of(await game.call("POST", "/withdraw", body))
    assert (status, problem["code"]) == (409, "item_locked") and problem["player_message"]
    assert (await game.call("POST", "/withdraw", body | {"deposit_ids": [two]})).status == 201
    status, problem = await play(game, "POST", "/locks", lock("b", [two]))
    assert (status, problem["code"], problem["deposits"]) == (
        409,
        "not_active",
        [{"deposit_id": two, "status": "withdraw_pending"}],
    )


async def test_b14_without_the_scope_play_no_owner_and_no_lock_changes(game: Service) -> None:
    [one] = await settled(game, "1")
    await play(game, "POST", "/locks", lock("a", [one]))
    await game.add_client("plain", "trade", "read", "operate")
    before = await game.rows()
    for method, path, body in (
        ("POST", "/locks", lock("b", [one])),
        ("DELETE", "/locks/a", None),
        ("GET", "/locks/a", None),
        ("GET", "/locks", None),
        ("POST", "/transfers", moved("t", ["a"], move(one))),
        ("GET", "/transfers/t", None),
        ("GET", "/transfers", None),
        ("POST", "/credits", {"ref": "c", "lines": [{"user_id": "player-1", "cents": 1, "kind": "rest"}]}),
        (
            "POST",
            "/exchanges",
            {"ref": "e", "user_id": "player-1", "give": [one], "take": {"deposit_ids": ["d"]}, "rest": "credit"},
        ),
        ("PUT", "/users/player-9", {"steam_id": "76561198000000009"}),
    ):
        status, problem = await play(game, method, path, body, client="plain")
        assert (status, problem["code"], problem["scope"]) == (403, "scope_missing", "play"), path
    seen, _ = await play(game, "GET", "/credits?user_id=player-1", client="plain")
    assert seen != 403  # to see what is owed is no play
    assert await game.rows() == before
    [row] = await game.ctx.db.read(lambda connection: list(connection.execute(select(tables.deposits))))
    assert row.user_id == "player-1" and row.locked_by.endswith(":a")


async def test_a_correction_needs_the_scope_operate_and_a_reason(game: Service) -> None:
    await game.add_client("boss", "play", "operate")
    line = {"user_id": "player-1", "cents": -5, "kind": "correction", "reason": "booked twice"}
    body = {"ref": "c", "lines": [line], "not_below_cents": -10}
    status, problem = await play(game, "POST", "/credits", body)
    assert (status, problem["code"], problem["scope"]) == (403, "scope_missing", "operate")
    status, answer = await play(game, "POST", "/credits", body, client="boss")
    assert (status, answer["balances"]) == (201, [{"user_id": "player-1", "cents": -5}])
    assert await play(game, "POST", "/credits", body, client="boss") == (200, answer)
    status, problem = await play(game, "POST", "/credits", body | {"lines": [line | {"cents": -4}]}, client="boss")
    assert (status, problem["code"]) == (422, "ref_reused")
    for wrong in ({"reason": ""}, {"kind": "rest"}, {"cents": 0}, {"kind": "exchange", "reason": ""}):
        status, problem = await play(game, "POST", "/credits", {"ref": "d", "lines": [line | wrong]}, client="boss")
        assert (status, problem["code"]) == (400, "invalid_request"), wrong
    status, problem = await play(game, "POST", "/credits", {"ref": "e", "lines": [line | {"cents": -1}]}, client="boss")
    assert (status, problem["code"], problem["balance_cents"], problem["actor"]) == (409, "too_little_credit", -5, "player")


async def test_the_house_cannot_be_credited_by_itself(game: Service) -> None:
    line = {"user_id": "house", "cents": 5, "kind": "make_good"}
    before = await game.rows()
    for path, body in (
        ("/credits", {"ref": "c", "lines": [line | {"user_id": "player-1"}, line]}),
        ("/transfers", moved("t", [], credits=[line])),
    ):
        status, problem = await play(game, "POST", path, body)
        assert (status, problem["code"]) == (400, "invalid_request"), path
        assert "owes itself nothing" in json.dumps(problem)
    assert await game.rows() == before


async def test_a_days_limit_of_credits_is_told_with_an_alarm(game: Service) -> None:
    with_settings(game, "games", user_credits_day_cents=10)
    body = {"ref": "c", "lines": [{"user_id": "player-1", "cents": 11, "kind": "make_good"}]}
    response = await game.call("POST", "/credits", body, key=None, client="game")
    status, problem = await json_of(response)
    assert (status, problem["code"], problem["actor"], problem["retryable"]) == (503, "limit_reached", "operator", True)
    assert problem["reason"] == "user_credits_day_cents" and response.headers["Retry-After"]
    [alarm] = [each for each in (await play(game, "GET", "/events"))[1]["events"] if each["kind"] == "alarm"]
    assert (alarm["data"]["alarm"], alarm["data"]["of"], alarm["data"]["would_be"]) == ("limit_reached", "player-1", 11)
    with_settings(game, "games", user_credits_day_cents=11)
    assert (await play(game, "POST", "/credits", body))[0] == 201


@pytest.mark.both_databases
async def test_a_user_is_bound_once(game: Service) -> None:
    answer = {"user_id": "player-3", "steam_id": "76561198000000007", "livemode": True}
    assert await play(game, "PUT", "/users/player-3", {"steam_id": "76561198000000007"}) == (201, answer)
    assert await play(game, "PUT", "/users/player-3", {"steam_id": "76561198000000007"}) == (200, answer)
    for user_id, last in (("player-3", 8), ("player-4", 7), ("house", 9)):
        steam_id = f"7656119800000000{last}"
        status, problem = await play(game, "PUT", f"/users/{user_id}", {"steam_id": steam_id})
        assert (status, problem["code"]) == (409, "user_mismatch")
    status, problem = await play(game, "PUT", "/users/player-5", {"steam_id": "76561190000000007"})
    assert (status, problem["code"]) == (400, "invalid_request")


async def test_a_pause_of_locks_stops_locks_and_nothing_else(game: Service) -> None:
    one, two = [(await settled(game, each))[0] for each in ("1", "2")]
    await play(game, "POST", "/locks", lock("a", [one]))
    await game.call("POST", "/switches", {"switch": "locks", "paused": True, "reason": "new prices"})
    status, problem = await play(game, "POST", "/locks", lock("b", [two]))
    assert (status, problem["code"], problem["reason"], problem["retryable"]) == (503, "fleet_paused", "new prices", True)
    assert (await play(game, "POST", "/transfers", moved("t", ["a"], move(one))))[0] == 201
    assert (await game.deposit("3"))["status"] == "sent"
    await game.call("POST", "/switches", {"switch": "locks", "paused": False})
    assert (await play(game, "POST", "/locks", lock("b", [two])))[0] == 201


async def test_problems_say_which_rows_and_who_can_do_something(game: Service) -> None:
    [one] = await settled(game, "1")
    problems = {}
    for values, ref in (({"frozen_by": "audit"}, "f"), ({"frozen_by": None, "settled_at": None}, "u")):
        await change(game, update(tables.deposits).values(values))
        status, problem = await play(game, "POST", "/locks", lock(ref, [one]))
        problems[problem["code"]] = problem
        assert (status, problem["deposit_ids"]) == (409, [one])
    assert problems["item_frozen"]["actor"] == "operator"
    assert problems["item_unsettled"]["settles_at"] is None and problems["item_unsettled"]["player_message"]
    status, problem = await play(game, "POST", "/locks", lock("x", ["dep_none"]))
    assert (status, problem["code"], problem["deposit_ids"]) == (404, "not_found", ["dep_none"])
    status, problem = await play(game, "POST", "/locks", lock("x", [one, one]))
    assert (status, problem["errors"][0]["field"]) == (400, "body.deposit_ids[1]")
    for wrong in (lock("a b", [one]), lock("a", []), lock("a", [one]) | {"extra": 1}):
        assert (await play(game, "POST", "/locks", wrong))[0] == 400
    status, problem = await play(game, "POST", "/transfers", {"ref": "t", "locks": ["a"]})
    assert (status, problem["code"]) == (400, "invalid_request")
    status, problem = await play(game, "POST", "/transfers", moved("t", [], move(one), move(one)))
    assert (status, problem["code"], problem["actor"]) == (422, "repeated", "site")
    await game.add_client("other", "play")
    await play(game, "DELETE", "/locks/mine")
    status, problem = await play(game, "DELETE", "/locks/mine", client="other")
    assert (status, problem["code"]) == (409, "ref_of_another_client")
    status, problem = await play(game, "POST", "/locks", lock("mine", [one]))
    assert (status, problem["code"]) == (409, "lock_released")


@pytest.mark.both_databases
async def test_stock_is_free_settled_and_the_houses_smallest_first(game: Service) -> None:
    ids = [(await settled(game, each))[0] for each in ("1", "2", "3")]
    assert (await play(game, "GET", "/stock"))[1]["items"] == []
    await change(game, update(tables.deposits).values(user_id="house"))
    case = select(tables.items.c.item_id).where(tables.items.c.market_hash_name == "Case").scalar_subquery()
    await change(game, update(tables.deposits).where(D.deposit_id == ids[2]).values(item_id=case))
    await play(game, "POST", "/locks", lock("stk", [ids[1]], "house"))
    found = (await play(game, "GET", "/stock"))[1]
    assert [(each["deposit_id"], each["value_cents"]) for each in found["items"]] == [(ids[2], 55), (ids[0], 1200)]
    assert [each["deposit_id"] for each in (await play(game, "GET", "/stock?value_max_cents=60"))[1]["items"]] == [ids[2]]
    await change(game, update(tables.deposits).values(settled_at=None))
    assert (await play(game, "GET", "/stock"))[1]["items"] == []


async def test_the_catalogue_has_values_of_the_price_list_in_pages(game: Service) -> None:
    found = {each["market_hash_name"]: each for each in await items(game)}
    assert {name: found[name]["value_cents"] for name in PRICES} == PRICES
    assert found[GOOD]["value_source"] == "file" and found[GOOD]["valued_at"]
    page = (await play(game, "GET", "/items?limit=2"))[1]
    rest = (await play(game, "GET", f"/items?after={page['next']}"))[1]
    assert rest["next"] is None
    assert [each["item_id"] for each in page["items"] + rest["items"]] == sorted(each["item_id"] for each in found.values())


async def test_the_largest_transfer_fits_into_a_body(game: Service) -> None:
    longest = "u" * 64
    moves = [{"deposit_id": f"dep_{number:020}", "from": longest, "to": longest} for number in range(2000)]
    lines = [{"user_id": longest, "cents": 10**11, "kind": "make_good"} for _ in range(2000)]
    body = {"ref": "r" * 128, "locks": ["l"], "moves": moves, "release": "rest", "credits": lines}
    assert len(json.dumps(body)) < game.ctx.settings.balancer.body_max_bytes
    status, problem = await play(game, "POST", "/transfers", body)
    assert (status, problem["code"], problem["locks"]) == (404, "not_found", ["l"])


async def test_ids_and_users_of_deposits_are_bounded(game: Service) -> None:
    assert (await play(game, "GET", "/deposits?" + "&".join(f"ids=dep_{n}" for n in range(201))))[0] == 400
    assert (await play(game, "GET", "/deposits?" + "&".join(f"user_ids=u{n}" for n in range(51))))[0] == 400


async def test_b09_an_exchange_over_http(game: Service) -> None:
    await game.add_client("boss", "operate")
    [one] = await settled(game, "1")
    issue = {"ref": "i", "market_hash_name": "SnG Ticket", "value_cents": 500, "count": 1}
    status, problem = await play(game, "POST", "/issues", issue)
    assert (status, problem["scope"]) == (403, "operate")
    status, issued = await play(game, "POST", "/issues", issue, client="boss")
    assert (status, len(issued["deposit_ids"])) == (201, 1)
    assert await play(game, "POST", "/issues", issue | {"to": "house"}, client="boss") == (200, issued)
    status, problem = await play(game, "POST", "/issues", {**issue, "ref": "j", "value_cents": 501}, client="boss")
    assert (status, problem["code"], problem["value_cents"]) == (409, "kind_differs", 500)

    body = {"ref": "e", "user_id": "player-1", "give": [one], "take": {"market_hash_name": "SnG Ticket", "count": 2}}
    status, problem = await play(game, "POST", "/exchanges", {**body, "rest": "refuse"})
    assert (status, problem["code"], problem["rest_cents"], problem["actor"]) == (409, "uneven", 200, "player")
    assert problem["player_message"]
    status, answer = await play(game, "POST", "/exchanges", {**body, "rest": "credit", "seen_cents": 1200})
    assert (status, answer["value_in_cents"], answer["rest_cents"], len(answer["took"])) == (201, 1200, 200, 2)
    assert await play(game, "POST", "/exchanges", {**body, "rest": "credit", "seen_cents": 1200}) == (200, answer)
    status, problem = await play(game, "POST", "/exchanges", {**body, "rest": "credit"})
    assert (status, problem["code"]) == (422, "ref_reused")
    rows = (await play(game, "GET", "/deposits?user_ids=player-1"))[1]["deposits"]
    assert sorted(row["deposit_id"] for row in rows) == sorted(answer["took"])
    assert {(row["bot"], row["market_hash_name"], row["value_cents"]) for row in rows} == {(None, "SnG Ticket", 500)}
    # The same item back, for tickets: the house keeps its part.
    back = {"ref": "f", "user_id": "player-1", "give": answer["took"], "give_credit_cents": 200}
    back |= {"take": {"deposit_ids": [one]}, "rest": "credit"}
    status, problem = await play(game, "POST", "/exchanges", back)
    assert (status, problem["code"], problem["fee_cents"]) == (409, "uneven", 36)
    await play(game, "POST", "/credits", {"ref": "c", "lines": [{"user_id": "player-1", "cents": 36, "kind": "make_good"}]})
    status, answer = await play(game, "POST", "/exchanges", {**back, "give_credit_cents": 236})
    assert (status, answer["fee_bp"], answer["fee_cents"], answer["rest_cents"], answer["credit_id"]) == (201, 300, 36, 0, None)
    assert (await play(game, "GET", "/credits?user_id=player-1"))[1]["balance_cents"] == 0


async def test_a_pause_of_locks_and_a_days_limit_stop_exchanges(game: Service) -> None:
    [one] = await settled(game, "1")
    await game.add_client("boss", "operate")
    await play(game, "POST", "/issues", {"ref": "i", "market_hash_name": "T", "value_cents": 5, "count": 1}, client="boss")
    take = {"market_hash_name": "T", "count": 1}
    body = {"ref": "e", "user_id": "player-1", "give": [one], "take": take, "rest": "credit"}
    await game.call("POST", "/switches", {"switch": "locks", "paused": True, "reason": "new prices"})
    status, problem = await play(game, "POST", "/exchanges", body)
    assert (status, problem["code"], problem["reason"]) == (503, "fleet_paused", "new prices")
    await game.call("POST", "/switches", {"switch": "locks", "paused": False})
    with_settings(game, "games", user_exchanges_day_cents=1199)
    status, problem = await play(game, "POST", "/exchanges", body)
    assert (status, problem["code"], problem["reason"]) == (503, "limit_reached", "user_exchanges_day_cents")
    [alarm] = [each for each in (await play(game, "GET", "/events"))[1]["events"] if each["kind"] == "alarm"]
    assert (alarm["data"]["alarm"], alarm["data"]["would_be"]) == ("limit_reached", 1200)
    with_settings(game, "games", user_exchanges_day_cents=1200)
    assert (await play(game, "POST", "/exchanges", body))[0] == 201


async def test_exchanges_of_a_wrong_form_are_refused(game: Service) -> None:
    good = {"ref": "e", "user_id": "player-1", "give": ["dep_1"], "take": {"deposit_ids": ["dep_2"]}, "rest": "credit"}
    wrong: dict[str, Any]
    for wrong in (
        {"give": []},
        {"give": ["dep_1", "dep_1"]},
        {"user_id": "house"},
        {"take": {}},
        {"take": {"deposit_ids": ["dep_2"], "market_hash_name": "T", "count": 1}},
        {"take": {"market_hash_name": "T"}},
        {"take": {"market_hash_name": " T", "count": 1}},
        {"take": {"market_hash_name": "T\u202e", "count": 1}},
        {"take": {"market_hash_name": "T", "count": 1001}},
        {"rest": "keep"},
        {"give_credit_cents": -1},
    ):
        status, problem = await play(game, "POST", "/exchanges", good | wrong)
        assert (status, problem["code"]) == (400, "invalid_request"), wrong
    del good["rest"]
    assert (await play(game, "POST", "/exchanges", good))[0] == 400


async def test_deposits_say_beforehand_that_their_bot_cannot_give_them(game: Service) -> None:
    ids = await settled(game)

    async def shown() -> set[str | None]:
        _, found = await play(game, "GET", f"/deposits?ids={'&ids='.join(ids)}")
        return {row["bot_restricted"] for row in found["deposits"]}

    assert await shown() == {None}
    await change(game, update(tables.bots).values(frozen_by="audit_1"))
    async with asyncio.timeout(READY_S):
        while await shown() == {None}:
            await asyncio.sleep(0.02)
    status, refused = await play(game, "POST", "/locks", lock("bet_1", ids))
    assert (status, refused["code"]) == (409, "bot_restricted")
    assert await shown() == {refused["reason"]} == {"bot_frozen"}
