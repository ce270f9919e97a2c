"""What the services show, and the named queries of the HTTP side."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from balancer_core.core_world import MASTER, World, bot_account, player

from balancer.changes import Changes
from balancer.context import Context
from balancer.custody import deposits
from balancer.fields import plain
from balancer.fleet.reads import LOOKED_AT_MAX, idlest, window
from balancer.fleet.snapshot import Fleet
from balancer.orders.sights import Sight, Sights
from balancer.trades import verify
from balancer.web import clients, sessions
from shared import wire
from shared.domain.health import May
from shared.domain.status import TradeStatus
from shared.errors import Conflict, NotFound
from shared.reports import Heartbeat
from shared.sealing import BotKeys, MasterKey

pytestmark = pytest.mark.both_databases

# --- trades ----------------------------------------------------------------------------------------------------


async def test_a_trade_is_shown_whole(world: World) -> None:
    [trade_id] = await world.deposit(2)
    [view] = await world.ctx.views.of([trade_id])
    row = world.trade(trade_id)
    assert (view.trade_id, view.direction, view.status, view.user_id) == (trade_id, "deposit", "queued", "user-1")
    assert view.steam_id == str(int(player(1)))
    assert view.bot_steam_id == str(int(bot_account(f"{row.color}-{row.bot_id}")))
    assert view.token == MASTER.verify_token(trade_id)
    assert view.expires_at - view.created_at == world.ctx.settings.trades.offer_timeout_s
    assert [item.deposit_status for item in view.items] == ["deposit_pending"] * 2
    assert view.failure is None
    assert view.items[0].new_asset_id is None


async def test_accepted_trade_shows_new_ids_and_when_it_settles(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    [view] = await world.ctx.views.of([trade_id])
    assert int(view.items[0].new_asset_id or 0) == int(view.items[0].asset_id) + 1_000_000
    assert view.items[0].matched == "receipt"
    assert view.settles_at == int(world.trade(trade_id).settles_at.timestamp())


async def test_token_is_shown_only_while_it_may_be_checked(world: World) -> None:
    [trade_id] = await world.deposit(1)
    [ended] = await world.deposit(1)
    await world.tell(ended, "offer_declined", offer_id="1", state=7)
    shown = await world.ctx.views.of([trade_id, ended])
    assert [view.token is None for view in shown] == [False, True]
    world.later(world.ctx.settings.trades.token_lifetime_s + 1)
    assert (await world.ctx.views.of([trade_id]))[0].token is None


async def test_failure_says_whether_it_may_be_tried_again(world: World) -> None:
    [refused] = await world.deposit(1)
    await world.tell(refused, "refused", code="partner_hold", reason="15", player_message="Turn on the authenticator.")
    [dropped] = await world.deposit(1)
    for _ in range(3):
        await world.tell(dropped, "order_dropped", reason="expired")
    first, second = await world.ctx.views.of([refused, dropped])
    assert first.failure is not None
    assert (first.failure.code, first.failure.retryable) == ("partner_hold", False)
    assert first.failure.player_message == "Turn on the authenticator."
    assert second.failure is not None
    assert (second.failure.code, second.failure.retryable) == ("order_expired", True)


async def test_trades_are_found_by_offer_user_and_status_in_pages(world: World) -> None:
    ids = sorted([trade_id for _ in range(3) for trade_id in await world.deposit(1)])
    await world.deposit(1, who=2)
    await world.tell(ids[0], "offer_active", offer_id="901", state=2)
    assert [view.trade_id for view in await world.ctx.views.find(offer_ids=["901", "902"])] == [ids[0]]
    mine = await world.ctx.views.find(user_id="user-1")
    assert [view.trade_id for view in mine] == ids
    assert [view.trade_id for view in await world.ctx.views.find(user_id="user-1", after=ids[0], limit=1)] == [ids[1]]
    assert len(await world.ctx.views.find(user_id="user-1", status="queued")) == 2
    assert await world.ctx.views.of(["trd_unknown"]) == []
    assert [view.trade_id for view in await world.ctx.views.of([ids[2], ids[0]])] == [ids[2], ids[0]]


async def test_deposits_are_listed_in_pages(world: World) -> None:
    held = await world.held(3)
    await world.deposit(1, who=2)
    listed = await deposits.list_deposits(world.ctx, user_ids=["user-1"], status="active")
    assert [row.deposit_id for row in listed] == sorted(held)
    assert listed[0].market_hash_name.startswith("P250")
    assert listed[0].color == "b0c3d9"
    assert listed[0].bot in ("red-1", "red-2")
    assert listed[0].settled_at is not None
    rest = await deposits.list_deposits(world.ctx, after=listed[0].deposit_id, limit=2)
    assert len(rest) == 2


# --- the fleet ---------------------------------------------------------------------------------------------------


async def test_bots_register_themselves_by_their_heartbeats(world: World) -> None:
    await world.online("blue-7", items=12, reason=None)
    names = [bot.name for bot in world.ctx.fleet.bots()]
    assert names == ["blue-7", "red-1", "red-2"]
    assert [bot.name for bot in world.ctx.fleet.online()] == names
    assert world.bot("blue-7").steam_id == int(bot_account("blue-7"))


async def test_forged_heartbeats_register_nobody(world: World) -> None:
    beat = Heartbeat("green-1", "run", 1, "host", "1", "online", world.ctx.server_clock.now_ms())
    wire.put_heartbeat(world.ctx.redis, beat, MASTER.bot("red-1"))
    world.ctx.redis.sadd(wire.BOTS, "no bot", "red-999", "x" * 100_000)
    world.ctx.redis.set(wire.heartbeat_key("no bot"), "AAAA")
    await world.ctx.fleet.refresh()
    assert [bot.name for bot in world.ctx.fleet.bots()] == ["red-1", "red-2"]


async def test_silent_bot_is_offline_and_one_with_another_account_unhealthy(world: World) -> None:
    world.later(60)
    beat = Heartbeat("red-2", "run", 1, "host", str(int(bot_account("red-1"))), "online", world.ctx.server_clock.now_ms())
    wire.put_heartbeat(world.ctx.redis, beat, MASTER.bot("red-2"))
    await world.ctx.fleet.refresh()
    assert [bot.state for bot in world.ctx.fleet.bots()] == ["offline", "unhealthy"]
    assert all(bot.action for bot in world.ctx.fleet.bots())
    assert world.ctx.fleet.lanes == []


async def test_modes_are_kept_and_unknown_bots_refused(world: World) -> None:
    view = await world.ctx.fleet.set_mode("red", 1, "paused", "test")
    assert view.mode == "paused"
    await world.ctx.fleet.refresh()
    assert [bot.mode for bot in world.ctx.fleet.bots()] == ["paused", "active"]
    assert [lane.bots for lane in world.ctx.fleet.lanes] == [("red-2",)]
    with pytest.raises(NotFound):
        await world.ctx.fleet.set_mode("red", 99, "paused", "test")
    with pytest.raises(ValueError, match="asleep"):
        await world.ctx.fleet.set_mode("red", 1, "asleep", "test")


async def test_bots_behind_one_address_are_one_lane_as_slow_as_the_slowest_word(world: World) -> None:
    await world.online("red-1", egress="proxy:80", read_every_s=2.0)
    await world.online("red-2", egress="proxy:80", read_every_s=3.0)
    await world.online("blue-1")
    assert [(lane.address, lane.every_s, lane.bots) for lane in world.ctx.fleet.lanes] == [
        ("host", 0.0, ("blue-1",)),
        ("proxy:80", 3.0, ("red-1", "red-2")),
    ]


@pytest.mark.parametrize(
    "wrong", [{"egress": "x" * 301}, {"egress": 5}, {"read_every_s": -1.0}, {"read_every_s": float("nan")}]
)
async def test_a_heartbeat_with_an_address_that_cannot_be_counts_for_nothing(world: World, wrong: dict[str, Any]) -> None:
    await world.online("blue-1", **wrong)
    assert [bot.name for bot in world.ctx.fleet.bots()] == ["red-1", "red-2"]


class CountedKeys:
    """The keys of the bots, and whose were taken."""

    def __init__(self, taken: list[str]) -> None:
        self._taken = taken

    def bot(self, name: str) -> BotKeys:
        self._taken.append(name)
        return MASTER.bot(name)


async def test_a_heartbeat_is_opened_once(world: World) -> None:
    opened: list[str] = []
    ctx, keys = world.ctx, CountedKeys(opened)
    ctx.fleet = Fleet(ctx.settings, ctx.clock, ctx.server_clock, cast(MasterKey, keys), ctx.redis, ctx.db)
    await world.ctx.fleet.refresh()
    opened.clear()
    await world.ctx.fleet.refresh()
    assert opened == []
    await world.online("red-2", items=3)
    assert opened == ["red-2"]
    # One that was refused is not believed later either.
    world.ctx.redis.set(wire.heartbeat_key("red-2"), "AAAA")
    for _ in range(2):
        await world.ctx.fleet.refresh()
        assert [bot.state for bot in world.ctx.fleet.bots()] == ["online", "offline"]
    assert opened == ["red-2"] * 2


def calls_of(work: Callable[[], object]) -> int:
    """How many functions of Python are called meanwhile."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


async def test_picking_a_reader_costs_the_same_in_a_large_fleet(world: World) -> None:
    fleet = world.ctx.fleet

    def pick() -> str:
        lane = window(fleet.lanes, 5)[0]
        return idlest(lane, 7, ["red-1"])

    for number in range(1, 10):
        world.beat(f"blue-{number}", egress=f"host-{number}")
    await fleet.refresh()
    small = calls_of(pick)
    for number in range(10, 40):
        world.beat(f"blue-{number}", egress=f"host-{number}")
    for number in range(100, 140):
        world.beat(f"green-{number}", egress="host-5")
    await fleet.refresh()
    assert (fleet.count, fleet.able(May.LOOK)) == (81, 81)
    assert [bot.name for bot in fleet.bots()][:2] == ["blue-1", "blue-2"]
    # A lane of one bot against one of forty: a few calls more, not forty.
    assert calls_of(pick) <= small + LOOKED_AT_MAX


async def test_items_that_no_row_knows_take_room_too(world: World) -> None:
    full = world.ctx.settings.limits.bot_items_max
    await world.online("red-1", items=full)
    [trade_id] = await world.deposit(1)
    assert world.trade(trade_id).bot_id == 2


# --- clients, tokens, nonces, sessions -------------------------------------------------------------------------------


async def test_client_with_two_keys_and_their_end(world: World) -> None:
    now = world.ctx.clock.now()
    run = world.ctx.db.run

    async def find(key_hash: str) -> Any:
        found = await world.ctx.db.read(clients.live_keys)
        return next((one for one in found if one.key_hash == key_hash), None)

    def create(connection: Any) -> clients.Client:
        return clients.create(connection, "site", ["trade", "read"], "hash-1", now=now)

    made = await run(create)
    assert made.scopes == {"trade", "read"}
    with pytest.raises(Conflict):
        await run(create)
    await run(lambda c: clients.add_key(c, "site", "hash-2", now=now))
    with pytest.raises(Conflict):
        await run(lambda c: clients.add_key(c, "site", "hash-3", now=now))
    assert await find("hash-1") == await find("hash-2") == made
    assert await run(lambda c: clients.revoke_key(c, "hash-1", now=now))
    assert not await run(lambda c: clients.revoke_key(c, "hash-1", now=now))
    assert await find("hash-1") is None
    assert [client.name for client in await world.ctx.db.read(clients.live)] == ["site"]
    assert await run(lambda c: clients.revoke(c, "site", now=now))
    assert await find("hash-2") is None
    with pytest.raises(NotFound):
        await run(lambda c: clients.add_key(c, "site", "hash-4", now=now))
    with pytest.raises(Conflict, match=r"was revoked.*choose another"):
        await run(create)


async def sent(world: World) -> tuple[str, str]:
    """A trade whose offer is out, and its token."""
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    return trade_id, MASTER.verify_token(trade_id)


async def nothing() -> None:
    """What happens meanwhile."""


class OpenOffers:
    """Looks of bots that all show the offer open; ``meanwhile`` happens while a bot looks."""

    def __init__(self, world: World, meanwhile: Callable[[], Awaitable[object]] = nothing) -> None:
        self._now_ms = world.ctx.server_clock.now_ms
        self._meanwhile = meanwhile

    async def of(self, *_asked: Any) -> Sight:
        await self._meanwhile()
        return Sight("77", TradeStatus.SENT, None, self._now_ms())


def seeing(world: World, meanwhile: Callable[[], Awaitable[object]] = nothing) -> Context:
    return replace(world.ctx, sights=cast(Sights, OpenOffers(world, meanwhile)))


async def test_token_is_consumed_once_by_the_right_player_only(world: World) -> None:
    trade_id, token = await sent(world)
    ctx = seeing(world)
    assert await verify.find(world.ctx, token, player(2)) is None
    assert await verify.find(world.ctx, "A" * 22, player(1)) is None
    found = await verify.find(world.ctx, token, player(1))
    assert found is not None and found.verified_at is None
    answers = await asyncio.gather(*(verify.answer(ctx, found, token, "test") for _ in range(10)))
    assert [answer.verdict for answer in answers] == [verify.Verdict.OK] * 10
    assert sorted(answer.first for answer in answers) == [False] * 9 + [True]
    assert world.count("tokens") == 0 and len(world.events("offer_verified")) == 1
    assert {answer.verified_at for answer in answers} == {world.trade(trade_id).verified_at}
    again = await verify.find(world.ctx, token, player(1))
    assert again is not None and (again.expires_at, again.verified_at) == (found.expires_at, world.trade(trade_id).verified_at)


async def test_a_trade_that_ends_while_it_is_looked_at_gets_no_yes(world: World) -> None:
    """The look showed it open; what is booked by the time of the decision counts."""
    trade_id, token = await sent(world)
    found = await verify.find(world.ctx, token, player(1))
    assert found is not None

    async def declined() -> None:
        await world.tell(trade_id, "offer_declined", offer_id="77", state=7)

    answer = await verify.answer(seeing(world, declined), found, token, "test")
    assert (answer.verdict, answer.status, answer.first) == (verify.Verdict.OVER, TradeStatus.DECLINED, False)
    assert world.count("tokens") == 1


async def test_a_token_that_expires_while_the_offer_is_looked_at_gets_no_yes(world: World) -> None:
    _, token = await sent(world)
    found = await verify.find(world.ctx, token, player(1))
    assert found is not None

    async def half_an_hour() -> None:
        world.later(world.ctx.settings.trades.token_lifetime_s)

    assert (await verify.answer(seeing(world, half_an_hour), found, token, "test")).verdict is verify.Verdict.EXPIRED


async def test_nonces_and_sessions(world: World) -> None:
    now, run = world.ctx.clock.now(), world.ctx.db.run
    remembered = await asyncio.gather(*(run(sessions.remember_nonce, "n", now) for _ in range(5)))
    assert sorted(remembered) == [False] * 4 + [True]
    session_id = await sessions.begin(world.ctx, player(1), None)
    assert await sessions.player_of(world.ctx, session_id) == player(1)
    another = await sessions.begin(world.ctx, player(1), session_id)
    assert await sessions.player_of(world.ctx, session_id) is None
    assert await sessions.player_of(world.ctx, another) == player(1)
    world.later(world.ctx.settings.openid.session_s)
    assert await sessions.player_of(world.ctx, another) is None


# --- waiting -----------------------------------------------------------------------------------------------------


async def test_a_wait_ends_with_any_of_its_trades_and_only_with_those() -> None:
    changes = Changes()
    waiting = asyncio.create_task(changes.wait(["a", "b"], 10))
    await asyncio.sleep(0)
    changes.notify(["c"])
    assert not await changes.wait(["a"], 0)
    changes.notify(["b"])
    assert await waiting


async def test_a_change_between_look_and_wait_is_not_missed() -> None:
    changes = Changes()
    with changes.expect(["a"]) as expectation:
        changes.notify(["a"])
        assert await expectation.wait(0)
        assert not await expectation.wait(0)


async def test_waits_leave_nothing_behind() -> None:
    changes = Changes()
    assert not await changes.wait(["a"], 0)
    assert changes._trades == {}


async def test_who_listens_hears_of_every_change() -> None:
    changes = Changes()
    heard: list[str] = []
    changes.listen(heard.extend)
    changes.notify(name for name in "ab")
    changes.notify(["a"])
    assert heard == ["a", "b", "a"]


async def test_what_steam_keeps_a_bot_from_is_shown_until_it_is_over(world: World) -> None:
    now_ms = world.ctx.server_clock.now_ms()
    told = {"reason": "steam_throttled", "since_ms": now_ms - 5000, "until_ms": now_ms + 600_000, "asked_s": 86_400}
    assert await paused_as_shown(world, told) == (
        "steam_throttled",
        (now_ms - 5000) // 1000,
        (now_ms + 600_000) // 1000,
        86_400,
    )
    assert await paused_as_shown(world, told | {"until_ms": now_ms - 1}) is None
    assert await paused_as_shown(world, None) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"paused": {"reason": "x", "since_ms": 1, "until_ms": 2**52, "asked_s": None}},
        {"paused": {"reason": "x" * 500, "since_ms": 1, "until_ms": 2, "asked_s": None}},
        {"paused": ["x"]},
        {"restrictions": [{"reason": "bot_locked", "since_ms": 2**52}]},
    ],
)
async def test_a_time_that_is_no_date_in_a_heartbeat_breaks_no_view_of_the_fleet(world: World, wrong: dict[str, Any]) -> None:
    """One host that was taken over must not keep operators from seeing the others."""
    await beat_of(world, **wrong)
    await world.ctx.fleet.refresh()
    assert [plain(bot)["bot"] for bot in world.ctx.fleet.bots()] == ["red-1", "red-2"]


async def beat_of(world: World, **more: Any) -> None:
    now_ms = world.ctx.server_clock.now_ms()
    beat = Heartbeat("red-1", "run", 1, "host", str(int(bot_account("red-1"))), "online", now_ms, **more)
    wire.put_heartbeat(world.ctx.redis, beat, MASTER.bot("red-1"))


async def paused_as_shown(world: World, told: dict[str, Any] | None) -> tuple[Any, ...] | None:
    await beat_of(world, paused=told)
    await world.ctx.fleet.refresh()
    bot = world.ctx.fleet.get("red-1")
    assert bot is not None
    return None if bot.paused is None else (bot.paused.reason, bot.paused.since, bot.paused.until, bot.paused.asked_s)
