"""Trouble that turns calls away or keeps accounts from trading."""

from collections.abc import Callable
from typing import Any

import pytest
from hand_clock import SteamsHandClock
from sandbox_lab import Bench, Person
from steampy.client import SteamClient
from steampy.exceptions import SevenDaysHoldException, TooManyRequests
from steampy.models import GameOptions

COMMUNITY = "https://steamcommunity.com"
API = "https://api.steampowered.com"
BROWSER = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
    "Accept-Language": "en-US,en;q=0.9",
    "Accept-Encoding": "gzip, deflate, br",
}
POLL = {"get_sent_offers": 1, "active_only": 1, "time_historical_cutoff": 1}

# --- conditions of accounts ----------------------------------------------------------------------


def test_a_hold_is_seen_beforehand_and_keeps_the_items(bench: Bench, bot: SteamClient, player: Person) -> None:
    order = {"kind": "hold", "days": 15, "account": player["steam_id"]}
    bench.order(order)
    target = {"steamid_target": player["steam_id"], "trade_offer_access_token": player["trade_token"]}

    holds = bench.api(bot, "GetTradeHoldDurations", **target)
    offer_id, tradeid = bench.accepted(bot, player)
    days = bot.get_escrow_duration(player["trade_url"])

    assert (
        holds["their_escrow"]["escrow_end_duration_seconds"]
        == 15 * 86400
        == holds["both_escrow"]["escrow_end_duration_seconds"]
    )
    assert holds["my_escrow"]["escrow_end_duration_seconds"] == 0
    assert days == 15
    assert bench.offer(offer_id)["state"] == 11
    bench.heal()
    assert bot.get_escrow_duration(player["trade_url"]) == 0
    bench.advance(15 * 86400 + 1)
    assert bench.offer(offer_id)["state"] == 3
    assert bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]["status"] == 3


def test_a_new_device_locks_an_account_for_seven_days(bench: Bench, bot: SteamClient, player: Person) -> None:
    account = bot.steam_guard["steamid"]
    order = {"kind": "device_lock", "account": account, "for_s": 7 * 86400}
    bench.order(order)

    assert bench.give(bot, player)["strError"].startswith("You have logged in from a new device.")
    other = bench.client("red-2")
    bench.withdraw(other, bench.accounts("bot")[0], bench.stock(other.steam_guard["steamid"])[:1], confirm=True)
    with pytest.raises(SevenDaysHoldException):
        bot.accept_trade_offer(bench.offers()[0]["offer_id"])
    assert "You have logged in from a new device" in bot._session.get(player["trade_url"]).text
    bench.advance(7 * 86400)
    assert "tradeofferid" in bench.give(bot, player)


def test_a_trade_ban_is_told_and_shown_among_the_bans(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.order({"kind": "trade_ban", "account": player["steam_id"]})
    known = bench.credentials("red-1")
    url = f"{API}/ISteamUser/GetPlayerBans/v1?key={known['api_key']}&steamids={player['steam_id']}"

    assert "because they have a trade ban" in bench.give(bot, player)["strError"]
    assert bot._session.get(url).json()["players"][0]["EconomyBan"] == "banned"
    assert "because they have a trade ban" in bot._session.get(player["trade_url"]).text
    bench.heal()
    assert "tradeofferid" in bench.give(bot, player)


def test_a_share_of_the_players_is_struck_and_no_bot(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(players=40, items_per_player=(0, 0))
    bot = bench.client("red-1")
    order = {"kind": "hold", "days": 3, "who": "player", "probability": 0.3, "seed": 8}
    bench.order(order)

    def held(account: dict[str, Any]) -> bool:
        target = {"steamid_target": account["steam_id"], "trade_offer_access_token": account["trade_token"]}
        found: bool = bench.api(bot, "GetTradeHoldDurations", **target)["their_escrow"]["escrow_end_duration_seconds"] > 0
        return found

    first = [held(account) for account in bench.accounts("player")]

    assert first == [held(account) for account in bench.accounts("player")]
    assert 4 <= sum(first) <= 20
    assert not held(bench.accounts("bot")[1])


# --- gates ---------------------------------------------------------------------------------------


def test_calls_are_limited_per_route_and_address(bench: Bench, bot: SteamClient, player: Person) -> None:
    url = f"{COMMUNITY}/inventory/{player['steam_id']}/730/2?count=10"
    order = {"kind": "rate_limit", "route": "inventory,getlist", "calls": 3, "per_s": 300, "retry_after_s": 9}
    bench.order(order)

    answers = [bot._session.get(url) for _ in range(3)] + [bench.session().get(url)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert (answers[3].text, answers[3].headers["Retry-After"]) == ("null", "9")
    assert bot._session.get(url, headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 429
    assert bot._session.get(f"{COMMUNITY}/mobileconf/getlist").status_code == 200
    with pytest.raises(TooManyRequests):
        bot.get_partner_inventory(player["steam_id"], GameOptions.CS, count=100)
    (fault,) = bench.control("GET", "/control/faults")["faults"]
    assert fault["hits"] == 3


def test_the_forwarded_address_counts_when_it_is_asked_for(bench: Bench) -> None:
    session = bench.session()
    order = {"kind": "rate_limit", "route": "home", "calls": 1, "per_s": 300, "forwarded": True}
    bench.order(order)

    def get(address: str) -> int:
        return session.get(f"{COMMUNITY}/", headers={"X-Forwarded-For": f"{address}, 10.0.0.1"}).status_code

    assert [get("203.0.113.1"), get("203.0.113.2"), get("203.0.113.1")] == [200, 200, 429]


def test_a_limit_ends_with_its_window(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(clock=(clock := SteamsHandClock()))
    session = bench.session()
    bench.order({"kind": "rate_limit", "route": "home", "calls": 1, "per_s": 20})
    codes = []

    for seconds in (0, 1, 18, 2, 1):
        clock.at += seconds
        codes.append(session.get(f"{COMMUNITY}/").status_code)

    assert codes == [200, 429, 429, 200, 429]


@pytest.mark.parametrize(
    ("change", "status"),
    [({}, 200), ({"Accept-Language": None}, 429), ({"Accept-Encoding": "gzip, deflate"}, 429),
     ({"User-Agent": "python-requests/2.32.3"}, 429), ({"User-Agent": "Mozilla/5.0 (compatible; somebot/1.0)"}, 429)],
)  # fmt: skip
def test_the_edge_turns_away_what_is_no_browser(bench: Bench, change: dict[str, Any], status: int) -> None:
    bench.order({"kind": "edge_filter"})
    session = bench.session()

    answer = session.get(f"{COMMUNITY}/", headers=BROWSER | change)
    elsewhere = session.post(f"{API}/ITwoFactorService/QueryTime/v1")

    assert answer.status_code == status
    assert elsewhere.status_code == 200


def test_steampy_as_it_comes_does_not_pass_the_edge(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.order({"kind": "edge_filter"})

    with pytest.raises(TooManyRequests):
        bot.get_partner_inventory(player["steam_id"], GameOptions.CS, count=100)
    bot._session.headers.update(BROWSER)
    assert len(bot.get_partner_inventory(player["steam_id"], GameOptions.CS, count=100)) == 6


@pytest.mark.parametrize(
    ("shape", "send", "poll", "inventory"),
    [("502", 502, 502, 502), ("503", 503, 503, 503), ("20", 500, 200, 500), ("empty", 500, 200, 200)],
)
def test_maintenance_answers_in_many_ways(
    bench: Bench, bot: SteamClient, player: Person, shape: str, send: int, poll: int, inventory: int
) -> None:
    bench.ask(bot, player)
    bench.order({"kind": "maintenance", "shape": shape})
    session = bot._session

    sent = session.post(f"{COMMUNITY}/tradeoffer/new/send")
    polled = session.get(f"{API}/IEconService/GetTradeOffers/v1", params={"access_token": bot._access_token} | POLL)
    items = session.get(f"{COMMUNITY}/inventory/{player['steam_id']}/730/2?count=10")

    assert (sent.status_code, polled.status_code, items.status_code) == (send, poll, inventory)
    if shape == "20":
        assert sent.json()["strError"].endswith("(20)")
        assert polled.headers["x-eresult"] == "20"
        assert session.get(f"{COMMUNITY}/mobileconf/getlist").json()["needauth"] is True
        assert items.json()["error"].endswith("EResult 20")
    if shape == "empty":
        assert polled.json() == {"response": {"next_cursor": 0}}
        assert items.json() == {"total_inventory_count": 0, "success": 1, "rwgrsn": -2}
        assert bench.inventories(bot, player) == ([0, 0, 0, 0], [0, 0])
    assert len(bench.offers()) == 1
    assert session.post(f"{API}/ITwoFactorService/QueryTime/v1").status_code == 200


def test_maintenance_is_mixed_and_lasts_for_its_span_of_the_movable_clock(
    bench: Bench, bot: SteamClient, player: Person
) -> None:
    order = {"kind": "maintenance", "in_s": 3600, "for_s": 1800, "seed": 3}
    bench.order(order)

    def poll() -> tuple[Any, ...]:
        url = f"{API}/IEconService/GetTradeOffers/v1"
        answer = bot._session.get(url, params={"access_token": bot._access_token} | POLL)
        return answer.status_code, answer.headers.get("x-eresult")

    bench.ask(bot, player)
    assert poll() == (200, "1")
    bench.advance(3601)
    during = {poll() for _ in range(30)}
    assert during == {(502, None), (503, None), (200, "20"), (200, "1")}
    bench.advance(1800)
    assert [poll() for _ in range(10)] == [(200, "1")] * 10
    assert bench.control("GET", "/control/faults") == {"faults": []}
    (over,) = bench.control("GET", "/control/faults?all=1")["faults"]
    assert over["hits"] == 30
