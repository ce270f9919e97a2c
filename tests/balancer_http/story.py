"""One small story, told by every call of the API: a player brings two items, plays, and takes one home; then an operator works.

`recording.Recorder` writes down what is sent and answered. Whoever adds a call to the API adds its place in the story here.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from balancer_http import test_sign_in
from balancer_http.harness import GOOD, READY_S, Service, held
from balancer_http.recording import Recorder
from balancer_http.test_operate import with_settings
from sqlalchemy import update

from balancer.db import tables
from balancer.journal import events

# Players of every sandbox (docs/sandbox.md), so that the examples work as they stand in a fleet of `fleet up`.
PLAYER, OTHER = "76561197980265729", "76561197980265733"
TRADE_URL, OTHER_URL = [f"https://steamcommunity.com/tradeoffer/new/?partner=2000000{n}&token=fixed-0{n}" for n in (1, 5)]
WHO = {"user_id": "player-17", "steam_id": PLAYER, "trade_url": TRADE_URL}
WINNER = {"user_id": "player-23", "steam_id": OTHER, "trade_url": OTHER_URL}
BOT = "red-7"
ICON = (
    "https://community.akamai.steamstatic.com/economy/image/"
    "-9a81dlWLwJ2UUGcVs_nsVtzdOEdtWwKGZZLQHTxDZ7I56KU0Zwwo4NUX4oFJZEHLbXH{}"
)
# Players of every sandbox (docs/sandbox.md), so that the examples work as they stand in a fleet of `fleet up`.
PLAYER, OTHER = "76561197980265729", "76561197980265733"
TRADE_URL, OTHER_URL = [f"https://steamcommunity.com/tradeoffer/new/?partner=2000000{n}&token=fixed-0{n}" for n in (1, 5)]
WHO = {"user_id": "player-17", "steam_id": PLAYER, "trade_url": TRADE_URL}
WINNER = {"user_id": "player-23", "steam_id": OTHER, "trade_url": OTHER_URL}
BOT = "red-7"
ICON = "IzMF03bi9WpSBq-S-ekoE33L-iLqGFHVaU25ZzQNQcXdB2ozio1RrlIWFK3UfvMYB8UsvjiMXojflsZalyxSh31CIyHz2GZ-KuFpPsrTzBGvRuXKE3g"
RIFLE = {
    "type": "Classified Rifle",
    "color": "d32ce6",
    "name_color": "D2D2D2",
    "icon_url": ICON,
    "icon_url_large": ICON,
    "wear": "0.2173451930284500",
    "pattern": "412",
}
CASE = {
    "type": "Base Grade Container",
    "color": "b0c3d9",
    "name_color": "D2D2D2",
    "icon_url": ICON,
    "icon_url_large": ICON,
    "wear": None,
}
AVATAR = "5d0b8c1f9e7a63424c1d7fa0b5e86c2d9f34a17b"
# What PLAYER has there.
FIRST, SECOND = "40145483141", "40145478371"
ITEMS = {
    FIRST: held(
        int(FIRST),
        "AK-47 | Ice Coaled (Minimal Wear)",
        type="Classified Rifle",
        color="d32ce6",
        name_color="D2D2D2",
        icon_url=ICON.format("104c5961b"),
        wear="0.12696058640465208",
        pattern="47",
        inspect_link="steam://run/730//+csgo_econ_action_preview%2000000000000001E9",
    ),
    SECOND: held(
        int(SECOND),
        "FAMAS | Roll Cage (Well-Worn)",
        type="Classified Rifle",
        color="d32ce6",
        name_color="D2D2D2",
        icon_url=ICON.format("0a1b2c3d4"),
        wear="0.43598726589052356",
        pattern="917",
        inspect_link="steam://run/730//+csgo_econ_action_preview%2000000000000001E8",
    ),
}
PRICES = {"AK-47 | Ice Coaled (Minimal Wear)": 1009, "FAMAS | Roll Cage (Well-Worn)": 590, GOOD: 1200, "Sticker | Cheap": 3}
CHEAP = "27348562003"
Json = dict[str, Any]


async def play(recorder: Recorder, hook: str) -> None:
    """The whole story; ``hook`` is an address that takes webhooks."""
    await _is_it_there(recorder)
    deposits = await _take_in(recorder)
    await _follow(recorder)
    await _games(recorder, *deposits)
    await _give_back(recorder)
    await _listen(recorder)
    await _webhooks(recorder, hook)
    await _operate(recorder)
    await _pages(recorder)


async def _is_it_there(recorder: Recorder) -> None:
    recorder.chapter("Is it there?")
    await recorder.call("The process answers", "GET", "/healthz")
    await recorder.call("It can do its work", "GET", "/readyz", patient=True)
    service = recorder.service
    service.bots.identity = {"name": "Evenly keeper 7", "avatar": AVATAR, "level": 24, "since": 1_614_556_800}
    async with asyncio.timeout(READY_S):
        while any(bot.identity is None for bot in service.ctx.fleet.bots()):
            await asyncio.sleep(0.02)


async def _take_in(recorder: Recorder) -> list[str]:
    """Two settled deposits of player-17; their ids."""
    recorder.chapter("Take items in")
    world = World(recorder.service)
    cheap = held(int(CHEAP), "Sticker | Cheap", type="High Grade Sticker", wear=None)
    recorder.service.bots.inventories[PLAYER] = [*ITEMS.values(), cheap]
    await recorder.call("May this player trade?", "POST", "/precheck", WHO)
    recorder.service.bots.hold_days = 15
    await recorder.call("A player whose trades Steam would hold", "POST", "/precheck", WHO)
    recorder.service.bots.hold_days = 0
    await recorder.call("What could the player bring?", "POST", "/inventory", {"steam_id": PLAYER, "trade_url": TRADE_URL})
    body = {**WHO, "asset_ids": [FIRST, SECOND], "message": "Welcome"}
    made = await recorder.call("The player brings two items", "POST", "/deposit?wait=10", body, status=201)
    [trade] = made["trades"]
    await recorder.call("The same items cannot be asked for twice", "POST", "/deposit?wait=10", body, status=409)
    body = {**WHO, "asset_ids": [CHEAP]}
    await recorder.call("An item that is not accepted", "POST", "/deposit?wait=10", body, status=422)
    with_settings(recorder.service, "limits", pending_deposits_per_player_max=1)
    world.owns("27348562016")
    body = {**WHO, "asset_ids": ["27348562016"]}
    await recorder.call("More deposits at once than one player may have", "POST", "/deposit?wait=10", body, status=422)
    with_settings(recorder.service, "limits", pending_deposits_per_player_max=5)
    recorder.chapter("Let players check an offer")
    token = trade["token"]
    await recorder.call("The site's own check", "POST", "/verify", {"token": token, "steam_id": PLAYER})
    await recorder.call("The balancer's page, which players open", "GET", f"/verify/{token}")
    await recorder.call("Its button leads to Steam", "GET", f"/verify/{token}/sign-in", status=302)
    taken = parse_qs(urlsplit(recorder.location).query)
    identity = test_sign_in.PREFIX + PLAYER
    back = urlencode(test_sign_in.answer(recorder.service, taken, claimed_id=identity, identity=identity))
    await recorder.call("Steam sends the browser back", "GET", f"/verify/signed-in?{back}", status=303)
    recorder.chapter("Take items in")
    await recorder.call("The trade while its offer is open", "GET", f"/trade/{trade['trade_id']}")
    await world.accepted(trade)
    body = {**WHO, "deposit_ids": [item["deposit_id"] for item in trade["items"]]}
    await recorder.call("What has not settled is not given back", "POST", "/withdraw?wait=10", body, status=409)
    await world.settled(trade)
    by_asset = {item["asset_id"]: item["deposit_id"] for item in trade["items"]}
    return [by_asset[FIRST], by_asset[SECOND]]


async def _follow(recorder: Recorder) -> None:
    recorder.chapter("Follow a trade")
    page = await recorder.call("The player's trades", "GET", "/trade?user_id=player-17&limit=100")
    trade_id = page["trades"][0]["trade_id"]
    await recorder.call("Several trades at once", "POST", "/trade", {"trade_ids": [trade_id], "offer_ids": []})
    await recorder.call("The player's items", "GET", "/deposits?user_id=player-17&limit=500")
    await recorder.call("Everything about one trade", "GET", f"/trade/{trade_id}/story")
    canceled = (await World(recorder.service).deposit("27348562010"))["trade_id"]
    await recorder.call("A trade is to be canceled", "POST", f"/trade/{canceled}/cancel")


async def _games(recorder: Recorder, first: str, second: str) -> None:
    recorder.chapter("Games")
    await _a_round(recorder, first, second)
    await _tickets(recorder, second)
    call, world = recorder.call, World(recorder.service)
    line = {"user_id": "player-12", "cents": 20, "kind": "referral"}
    await world.put("/users/player-12", {"steam_id": "76561198000000004"})
    body = {"ref": "ref:classic-a:812", "lines": [line], "not_below_cents": 0}
    await call("The house owes a user cents", "POST", "/credits", body, status=201)
    await call("A user's balance and its lines", "GET", "/credits?user_id=player-23&limit=100")


async def _a_round(recorder: Recorder, first: str, second: str) -> None:
    call = recorder.call
    await call("A user who has not traded yet", "PUT", "/users/player-23", {"steam_id": OTHER}, status=201)
    bet = {"ref": "bet_01jdv", "user_id": "player-17", "deposit_ids": [first, second], "note": "classic-a/812"}
    await call("The player bets both items", "POST", "/locks", bet, status=201)
    await call("A lock as it is now", "GET", "/locks/bet_01jdv")
    await call("What player-17 has in games", "GET", "/locks?state=held&user_id=player-17&limit=100")
    moves = [
        {"deposit_id": first, "from": "player-17", "to": "player-23"},
        {"deposit_id": second, "from": "player-17", "to": "house"},
    ]
    credit = {"user_id": "player-23", "cents": 31, "kind": "rest"}
    body = {"ref": "round:classic-a:812", "locks": ["bet_01jdv"], "moves": moves, "release": "rest", "credits": [credit]}
    await call("The round is decided", "POST", "/transfers", body, status=201)
    await call("A transfer, shown again", "GET", "/transfers/round:classic-a:812")
    await call("All transfers of yours", "GET", "/transfers?limit=100")


async def _tickets(recorder: Recorder, of_the_house: str) -> None:
    call, world = recorder.call, World(recorder.service)
    await call("What there is to play with", "GET", "/stock?value_max_cents=5000&limit=100")
    await call("All known items and their values", "GET", "/items?limit=1000")
    tickets = {"ref": "issue_01jdv", "market_hash_name": "SnG Ticket", "value_cents": 100, "count": 20, "to": "house"}
    await call("The house issues tickets", "POST", "/issues", tickets, status=201, client="office")
    given = {"ref": "exc_01je", "user_id": "player-17", "give": [await world.held("27348562011")], "seen_cents": 1200}
    body = {**given, "take": {"market_hash_name": "SnG Ticket", "count": 11}, "rest": "credit"}
    [*back, staked] = (await call("An item for tickets", "POST", "/exchanges", body, status=201))["took"]
    take: Json = {"take": {"deposit_ids": [of_the_house]}, "rest": "credit"}
    body = {"ref": "exc_01jf", "user_id": "player-17", "give": back[:7], **take}
    await call("A ticket for an item of the house", "POST", "/exchanges", body, status=201)
    bet = {"ref": "bet_01jdw", "user_id": "player-17", "deposit_ids": [staked], "note": "classic-a/813"}
    await world.posted("/locks", bet, key=False)
    await call("A bet that is not played is freed", "DELETE", "/locks/bet_01jdw")


async def _give_back(recorder: Recorder) -> None:
    recorder.chapter("Give items back")
    service, world = recorder.service, World(recorder.service)
    [won] = (await world.seen("/deposits?user_id=player-23"))["deposits"]
    body = {**WINNER, "deposit_ids": [won["deposit_id"]], "message": "Enjoy"}
    made = await recorder.call("The winner takes the item home", "POST", "/withdraw?wait=10", body, status=201)
    await world.accepted(made["trades"][0])
    second = await world.held("27348562012")
    with_settings(service, "limits", approval_above_cents=1000)
    body = {**WHO, "deposit_ids": [second]}
    made = await recorder.call("A dear withdrawal waits", "POST", "/withdraw?wait=10", body, status=202)
    await recorder.call("What waits for an approval", "GET", "/approvals", client="office")
    trade_id = made["trades"][0]["trade_id"]
    await recorder.call("A second person approves", "POST", f"/approvals/{trade_id}/approve", client="office")
    with_settings(service, "limits", approval_above_cents=0)
    await world.until(trade_id, "sent")


async def _listen(recorder: Recorder) -> None:
    recorder.chapter("Listen")
    await recorder.call("A page of the feed", "GET", "/events?after=0&limit=100&kind=trade_created&kind=settled")
    await recorder.stream("The same as it happens", "/events/stream?after=0&kind=settled")


async def _webhooks(recorder: Recorder, hook: str) -> None:
    recorder.chapter("Webhooks")
    call = recorder.call
    body = {"url": hook, "kinds": ["settled"], "after": 0}
    made = await call("A new target", "POST", "/webhooks", body, status=201, client="office")
    path = f"/webhooks/{made['target']['target_id']}"
    await call("An event to try it out", "POST", f"{path}/test", status=202, client="office")
    await World(recorder.service).delivered(path)
    await call("All targets", "GET", "/webhooks", client="office")
    await call("One target", "GET", path, client="office")
    await call("What was sent", "GET", f"{path}/deliveries?state=delivered&limit=100", client="office")
    first = (await World(recorder.service).seen("/events?kind=settled&limit=500"))["events"][0]["number"]
    body = {"first": first, "last": first}
    await call("An event once more", "POST", f"{path}/redeliver", body, status=202, client="office")
    await World(recorder.service).delivered(path)
    await call("A new secret", "POST", f"{path}/rotate", client="office")
    await call("A disabled target goes on", "POST", f"{path}/enable", client="office")
    await call("A target is no longer wanted", "DELETE", path, client="office")


async def _operate(recorder: Recorder) -> None:
    recorder.chapter("Operate")
    world, call = World(recorder.service), recorder.call
    await call("The fleet", "GET", "/bots")
    await call("A bot gets no new trades", "POST", "/bots/red/7/pause", client="office")
    await world.posted("/bots/red/7/resume", None, client="office", key=False)
    await call("A bot is to be audited", "POST", "/audit", {"bots": [BOT]}, status=202, client="office")
    await call("The last audits", "GET", "/audit")
    switch = {"switch": "deposits", "paused": True, "reason": "Steam updates its servers"}
    await call("No new deposits", "POST", "/switches", switch, client="office")
    await call("What is paused", "GET", "/switches")
    await call("Refused while it is paused", "POST", "/deposit?wait=10", {**WHO, "asset_ids": ["27348562018"]}, status=503)
    await world.posted("/switches", {**switch, "paused": False}, client="office", key=False)
    await _doubts(recorder)
    await _reversals(recorder)
    gift = next(row for row in (await world.seen("/deposits?user_id=house"))["deposits"] if row["bot"])
    body = {"trade_url": OTHER_URL, "deposit_ids": [gift["deposit_id"]], "reason": "gifts, to our store"}
    await call("The house's items go to an account of the house", "POST", "/deposits/give", body, status=202, client="office")


async def _doubts(recorder: Recorder) -> None:
    service, world = recorder.service, World(recorder.service)
    service.bots.ignores.add("send")
    world.owns("27348562013")
    made = await world.posted("/deposit?wait=0", {**WHO, "asset_ids": ["27348562013"]})
    await service.report("answer_lost", made["trades"][0], {"reason": "timeout"})
    trade = await world.until(made["trades"][0]["trade_id"], "in_doubt")
    service.bots.ignores.remove("send")
    body = {"offer_id": "7123456789", "reason": "seen in the bot's sent offers"}
    await recorder.call("The offer of a trade in doubt", "POST", f"/trade/{trade['trade_id']}/doubt", body, client="office")


async def _reversals(recorder: Recorder) -> None:
    world, call = World(recorder.service), recorder.call
    trade = await world.accepted(await world.deposit("27348562014"))
    await recorder.service.report("exchange_reversed", trade, {"exchange_id": "5001", "exchange_status": 12})
    await world.until(trade["trade_id"], "reversed")
    await call("A player may trade again", "POST", "/users/player-17/unblock", client="office")
    deposit_id = await world.held("27348562015")
    await world.freeze(deposit_id, "reversal")
    reason = {"reason": "seen in the bot's inventory on Steam"}
    await call("A frozen item may be used again", "POST", f"/deposits/{deposit_id}/thaw", reason, client="office")
    await world.freeze(deposit_id, "unmatched")
    body = {"decision": "release", "asset_id": "40987654321", "reason": "lies in the bot's inventory, free"}
    path = f"/deposits/{deposit_id}/decision"
    await call("What becomes of an item that stays frozen", "POST", path, body, status=202, client="office")


async def _pages(recorder: Recorder) -> None:
    recorder.chapter("The API's own pages")
    await recorder.call("This API as a document", "GET", "/openapi.json", shown=False)
    await recorder.call("A page to try it", "GET", "/docs")
    await recorder.call("What that page loads", "GET", "/docs/docs.js")
    await recorder.call("Figures for Prometheus", "GET", "/metrics", shown=False)


class World:
    """What happens between the calls of the story."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def seen(self, path: str) -> Json:
        found: Json = await (await self.service.call("GET", path, client="mysite")).json()
        return found

    async def posted(self, path: str, body: Any, *, client: str = "mysite", key: bool = True) -> Json:
        response = await self.service.call("POST", path, body, client=client, key="" if key else None)
        found: Json = await response.json()
        assert response.status < 300, found
        return found

    async def put(self, path: str, body: Any) -> None:
        assert (await self.service.call("PUT", path, body, client="mysite")).status < 300

    def owns(self, asset_id: str) -> None:
        """Player-17 has this item too."""
        self.service.bots.inventories[PLAYER].append(held(int(asset_id)))

    async def deposit(self, asset_id: str) -> Json:
        """The trade by which player-17 brings such an item."""
        self.owns(asset_id)
        [trade] = (await self.posted("/deposit", {**WHO, "asset_ids": [asset_id]}))["trades"]
        return dict(trade)

    async def held(self, asset_id: str) -> str:
        """A settled item of player-17's; its deposit id."""
        trade = await self.accepted(await self.deposit(asset_id))
        await self.settled(trade)
        return str(trade["items"][0]["deposit_id"])

    async def until(self, trade_id: str, status: str) -> Json:
        async with asyncio.timeout(READY_S):
            while (found := await self.seen(f"/trade/{trade_id}"))["status"] != status:
                await asyncio.sleep(0.02)
        return found

    async def accepted(self, trade: Json) -> Json:
        now = int(self.service.ctx.clock.now().timestamp())
        moved = [
            {
                "asset_id": item["asset_id"],
                "context_id": "2",
                "new_asset_id": str(int(item["asset_id"]) + 13_639_092_000),
                "new_context_id": "16",
            }
            for item in trade["items"]
        ]
        settles_at = now + 7 * 86_400 + 3600
        data = {"offer_id": trade["offer_id"], "state": 3, "exchange_id": "5001", "settles_at": settles_at, "moved": moved}
        await self.service.report("offer_accepted", trade, data)
        return await self.until(trade["trade_id"], "accepted")

    async def settled(self, trade: Json) -> None:
        trade = await self.until(trade["trade_id"], "accepted")
        assets = [
            {"deposit_id": item["deposit_id"], "asset_id": item["new_asset_id"], "context_id": "2", "matched": "id"}
            for item in trade["items"]
        ]
        await self.service.report("settled", trade, {"assets": assets})
        await self.until(trade["trade_id"], "settled")

    async def freeze(self, deposit_id: str, why: str) -> None:
        change = update(tables.deposits).where(tables.deposits.c.deposit_id == deposit_id).values(frozen_by=why)
        await self.service.ctx.db.run(lambda connection: connection.execute(change).rowcount)

    async def delivered(self, path: str) -> None:
        """Until the target was sent all that it is owed."""

        async def owed() -> bool:
            found = await (await self.service.call("GET", path, client="office")).json()
            return bool(found["waiting"] or found["sent_to"] < await self.service.ctx.db.read(events.newest))

        async with asyncio.timeout(READY_S):
            while await owed():
                await asyncio.sleep(0.02)
