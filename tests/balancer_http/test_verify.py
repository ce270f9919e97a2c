"""Tokens: who is told what, what uses one up, and that no yes is said without a look at the offer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from balancer_http.harness import OTHER, PLAYER, Service
from balancer_http.verifying import change, check, events_of, impatient, look_under_way, no_longer_fresh, reason
from narrowed import payload
from sqlalchemy import update

from balancer.db import tables
from shared.orders import WatchOrder

# --- the site's check --------------------------------------------------------------------------------------


async def test_a_yes_names_the_offer_and_is_said_once(service: Service) -> None:
    trade = await service.deposit("1", "2")
    said = await check(service, trade["token"])
    assert said.pop("seen_at") and said.pop("verified_at")
    assert said == {
        "ok": True,
        "retryable": False,
        "player_message": None,
        "trade_id": trade["trade_id"],
        "direction": "deposit",
        "status": "sent",
        "bot": trade["bot"],
        "bot_steam_id": trade["bot_steam_id"],
        "bot_identity": None,
        "items": 2,
        "offer_id": trade["offer_id"],
        "offer_url": f"https://steamcommunity.com/tradeoffer/{trade['offer_id']}/",
        "ended_at": None,
    }
    again = await check(service, trade["token"])
    assert (again["ok"], again["reason"], again["offer_id"]) == (False, "used", trade["offer_id"])
    assert again["verified_at"] is not None


async def test_no_yes_without_a_look(service: Service) -> None:
    trade = await service.deposit("1")
    assert (await check(service, trade["token"]))["ok"]
    [order] = service.bots.looks
    assert [(one.trade_id, one.offer_id) for one in payload(order, WatchOrder).trades] == [
        (trade["trade_id"], trade["offer_id"])
    ]


async def test_a_yes_deletes_the_token_and_is_written_down(service: Service) -> None:
    trade = await service.deposit("1")
    before = await service.rows()
    assert (await check(service, trade["token"]))["ok"]
    after = await service.rows()
    assert (after["tokens"], after["events"]) == (before["tokens"] - 1, before["events"] + 1)
    shown = await (await service.call("GET", f"/trade/{trade['trade_id']}")).json()
    assert shown["verified_at"] is not None
    [event] = [one for one in await events_of(service, trade) if one["kind"] == "offer_verified"]
    assert (event["who"], event["data"]) == ("client:site", {"offer_id": trade["offer_id"]})


SEEN: list[tuple[str | None, str, bool, str]] = [
    ("offer_declined", "over", False, "declined"),
    ("offer_countered", "over", False, "countered"),
    ("offer_expired", "over", False, "expired"),
    ("offer_canceled", "over", False, "canceled"),
    ("offer_accepted", "over", False, "accepted"),
    ("items_missing", "over", False, "failed"),
    ("exchange_reversed", "over", False, "reversed"),
    ("confirmation_needed", "not_yet", True, "sent"),
    ("offer_held", "in_hold", False, "sent"),
    (None, "cannot_tell", True, "sent"),
    ("nonsense", "cannot_tell", True, "sent"),
]


async def test_what_the_look_shows_counts_and_not_what_is_booked(service: Service) -> None:
    trade = await service.deposit("1")
    before = await service.rows()
    for sees, expected, retryable, status in SEEN:
        service.bots.sees[trade["trade_id"]] = sees
        await no_longer_fresh(service)
        said = await check(service, trade["token"])
        assert (said["ok"], said["reason"], said["retryable"], said["status"]) == (False, expected, retryable, status), sees
        assert "not accept" in said["player_message"]
        assert (said["ended_at"] is not None) == (expected == "over")
    assert await service.rows() == before


BOOKED = [
    ("queued", "not_yet"),
    ("sending", "not_yet"),
    ("in_doubt", "cannot_tell"),
    ("confirming", "not_yet"),
    ("held", "in_hold"),
    ("accepted", "over"),
    ("settled", "over"),
    ("declined", "over"),
    ("countered", "over"),
    ("expired", "over"),
    ("canceled", "over"),
    ("failed", "over"),
    ("reversed", "over"),
]


async def test_what_is_booked_as_no_open_offer_troubles_no_bot(service: Service) -> None:
    trade = await service.deposit("1")
    before = await service.rows()
    for status, expected in BOOKED:
        await change(service, trade, status=status)
        said = await check(service, trade["token"])
        assert (said["ok"], said["reason"], said["status"]) == (False, expected, status)
    assert service.bots.looks == []
    assert await service.rows() == before


async def test_the_end_is_told_with_its_time(service: Service) -> None:
    trade = await service.deposit("1")
    await service.report("offer_declined", trade, {"offer_id": trade["offer_id"], "state": 7})
    await service.until(trade["trade_id"], "declined")
    said = await check(service, trade["token"])
    [ended] = [event for event in await events_of(service, trade) if event["kind"] == "offer_declined"]
    assert (said["reason"], said["status"], said["ended_at"]) == ("over", "declined", ended["at"])


async def test_another_offer_of_the_trade_than_the_known_one_proves_nothing(service: Service) -> None:
    trade = await service.deposit("1")
    first = await check(service, trade["token"])
    assert first["ok"]
    await change(service, trade, offer_id="7999999999")
    assert await reason(service, trade["token"]) == "cannot_tell"


async def test_an_offer_that_is_being_taken_back_gets_no_yes(service: Service) -> None:
    trade = await service.deposit("1")
    assert (await service.call("POST", f"/trade/{trade['trade_id']}/cancel")).status == 200
    assert await reason(service, trade["token"]) == "cannot_tell"


async def test_a_bot_that_says_nothing_is_waited_for_in_vain(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service)
    service.bots.blind = ""
    said = await check(service, trade["token"])
    assert (said["ok"], said["reason"], said["retryable"]) == (False, "cannot_tell", True)
    service.bots.blind = None
    await no_longer_fresh(service)
    impatient(service, 60.0)
    assert (await check(service, trade["token"]))["ok"]


async def test_a_look_that_fails_is_tried_again_while_somebody_waits(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service, 60.0)
    service.bots.blind = "steam_throttled"
    asking = asyncio.create_task(check(service, trade["token"]))
    await look_under_way(service)
    service.bots.blind = None
    assert (await asking)["ok"]


# --- who is told what -------------------------------------------------------------------------------------------


async def test_an_expired_token(service: Service) -> None:
    trade = await service.deposit("1")
    await service.move_clock(1799)
    other = await service.deposit("2")
    await service.move_clock(2)
    assert await check(service, trade["token"]) == {"ok": False, "reason": "expired"}
    assert (await check(service, other["token"]))["ok"]


async def test_an_unknown_token(service: Service) -> None:
    for token in ("x" * 22, "short", "x" * 23, "ё" * 22, "../../etc/passwd"):
        assert await check(service, token) == {"ok": False, "reason": "unknown"}


async def test_a_wrong_player_learns_nothing_and_uses_nothing_up(service: Service) -> None:
    trade = await service.deposit("1")
    assert await check(service, trade["token"], OTHER) == {"ok": False, "reason": "unknown"}
    assert (await check(service, trade["token"]))["ok"]
    assert await check(service, trade["token"], OTHER) == {"ok": False, "reason": "unknown"}
    await service.move_clock(1801)
    assert await check(service, trade["token"], OTHER) == {"ok": False, "reason": "unknown"}


async def test_a_wrong_player_asks_no_bot(service: Service) -> None:
    trade = await service.deposit("1")
    await check(service, trade["token"], OTHER)
    assert service.bots.looks == []


async def test_a_token_that_a_release_before_marked_as_used_is_used(service: Service) -> None:
    trade = await service.deposit("1")
    mark = update(tables.tokens).values(used_at=service.ctx.clock.now())
    await service.ctx.db.run(lambda connection: connection.execute(mark))
    assert await reason(service, trade["token"]) == "used"


async def test_what_was_verified_is_known_for_as_long_as_the_token_would_have_lived(service: Service) -> None:
    trade = await service.deposit("1")
    await service.move_clock(600)
    assert (await check(service, trade["token"]))["ok"]
    await service.move_clock(1190)
    await no_longer_fresh(service)
    assert await reason(service, trade["token"]) == "used"
    await service.move_clock(20)
    assert await reason(service, trade["token"]) == "expired"
    await service.move_clock(1800)
    assert await reason(service, trade["token"]) == "unknown"


async def test_bad_checks_of_the_site(service: Service) -> None:
    for body in (
        {},
        {"token": "x"},
        {"steam_id": PLAYER},
        {"token": "x", "steam_id": "1"},
        {"token": "x", "steam_id": "1" * 17},
    ):
        response = await service.call("POST", "/verify", body)
        assert (response.status, (await response.json())["code"]) == (400, "invalid_request")


# --- whose the token is ---------------------------------------------------------------------------------------------


PLACES: dict[str, Callable[[dict[str, Any]], tuple[str, str, Any]]] = {
    "one trade": lambda trade: ("GET", f"/trade/{trade['trade_id']}", None),
    "the list": lambda trade: ("GET", "/trade", None),
    "by offer": lambda trade: ("GET", f"/trade?offer_id={trade['offer_id']}", None),
    "several": lambda trade: ("POST", "/trade", {"trade_ids": [trade["trade_id"]]}),
    "the story": lambda trade: ("GET", f"/trade/{trade['trade_id']}/story", None),
    "a cancel": lambda trade: ("POST", f"/trade/{trade['trade_id']}/cancel", None),
    "the feed": lambda trade: ("GET", "/events", None),
}


async def test_only_the_client_that_made_the_trade_sees_its_token(service: Service) -> None:
    trade = await service.deposit("1")
    await service.add_client("other", "read", "trade", "operate")
    for name, place in PLACES.items():
        method, path, body = place(trade)
        foreign = await (await service.call(method, path, body, client="other")).text()
        assert trade["trade_id"] in foreign and trade["token"] not in foreign, name
        own = await (await service.call(method, path, body)).text()
        assert trade["token"] in own or name == "the feed", name


async def test_another_client_may_check_it_all_the_same(service: Service) -> None:
    """Whoever has the token from the offer's message may ask; it is the player who must be right."""
    trade = await service.deposit("1")
    await service.add_client("other", "trade")
    assert (await check(service, trade["token"], client="other"))["ok"]
