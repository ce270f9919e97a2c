"""The control API: clock, accounts, items, faults, people by hand, the record of what happened and of requests."""

import json
import queue
import threading
from typing import Any

import pytest
import requests
from sandbox_lab import Bench, Person
from steampy.client import SteamClient
from steampy.login import InvalidCredentials
from support import wait_until


def test_the_clock_moves_and_everything_due_has_happened_when_it_answers(
    bench: Bench, bot: SteamClient, player: Person
) -> None:
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    before = bench.control("GET", "/control/clock")

    moved = bench.control("POST", "/control/clock", {"advance_s": 1_209_601})

    assert moved["offset_s"] == pytest.approx(1_209_601)
    assert moved["now"] - before["now"] == pytest.approx(1_209_601, abs=200)
    assert bench.offer(offer)["state"] == 5
    assert bench.control("POST", "/control/clock", {"now": 2_000_000_000})["now"] == pytest.approx(2e9, abs=200)
    bad: list[Any] = [{}, {"advance_s": "1"}, {"advance_s": True}, {"now": 1, "advance_s": 1}, [], {"now": -1}, {"now": 1e12}]
    for wrong in bad:
        bench.control("POST", "/control/clock", wrong, 400)


def test_a_clock_that_is_moved_back_still_finds_what_changed(bench: Bench, bot: SteamClient, player: Person) -> None:
    first = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    now = bench.control("GET", "/control/clock")["now"]
    bench.control("POST", "/control/clock", {"now": now - 86400})
    second = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]

    found = bench.api(bot, "GetTradeOffers", get_sent_offers=1, time_historical_cutoff=int(now) - 600, historical_only=0)
    assert [offer["tradeofferid"] for offer in found["trade_offers_sent"]] == [first, second]
    changed = [o["offer_id"] for o in bench.control("GET", f"/control/people/{player['steam_id']}/offers")["offers"]]
    assert changed == [first, second]


def test_accounts_are_listed_made_and_changed(bench: Bench) -> None:
    names = [a["name"] for a in bench.accounts("bot")]
    made = bench.control(
        "POST",
        "/control/accounts",
        {"kind": "player", "name": "ann", "items": ["Fracture Case", "AWP | Asiimov (Field-Tested)"], "habit": "decline"},
        201,
    )

    assert names == ["red-1", "red-2"]
    assert (made["name"], made["habit"]) == ("ann", "decline")
    assert made["trade_url"].endswith(f"partner={made['account_id']}&token={made['trade_token']}")
    assert int(made["steam_id"]) == made["account_id"] + 76561197960265728
    assert [a["market_hash_name"] for a in bench.stock(made["steam_id"])] == ["Fracture Case", "AWP | Asiimov (Field-Tested)"]
    changed = bench.patch(made["steam_id"], habit="ignore", delay_s=2.5, limits={"total": 3}, new_trade_token=True)
    assert (changed["habit"], changed["delay_s"], changed["limits"]) == ("ignore", 2.5, {"total": 3})
    assert changed["trade_token"] != made["trade_token"]
    assert bench.control("GET", f"/control/accounts/{made['steam_id']}") == changed


@pytest.mark.parametrize(
    "change",
    [{"habit": "dance"}, {"hold_days": "3"}, {"hold_days": True}, {"private": 1},
     {"hold_days": -1}, {"delay_s": -1}, {"steam_id": "1"}, {"limits": {"x": 1}},
     {"friends": ["bob"]}],
)  # fmt: skip
def test_changes_that_do_not_fit_are_refused(bench: Bench, player: Person, change: dict[str, Any]) -> None:
    bench.control("PATCH", f"/control/accounts/{player['steam_id']}", change, 400)

    assert bench.control("GET", f"/control/accounts/{player['steam_id']}") == player


def test_unknown_accounts_are_404_and_bad_bodies_400(bench: Bench) -> None:
    bench.control("GET", "/control/accounts/76561197960265729", status=404)
    bench.control("POST", "/control/accounts", {"kind": "cat"}, 400)
    bench.control("POST", "/control/accounts", {"kind": "player", "colour": "red"}, 400)
    bench.control("POST", "/control/accounts", [1], 400)
    bench.control("POST", "/control/accounts", {"kind": "player", "items": 10**9}, 400)
    for text in ('{"advance_s": NaN}', '{"advance_s": 1e999}', "{"):
        bench.control("POST", "/control/clock", None, 400, data=text)

    assert len(bench.control("GET", "/control/accounts")["accounts"]) == 5


def test_items_are_made_and_taken_out_of_the_world(bench: Bench, bot: SteamClient, player: Person) -> None:
    made = bench.control(
        "POST",
        f"/control/accounts/{player['steam_id']}/items",
        {"items": [{"market_hash_name": "Kilowatt Case", "tradable": 0}, {"market_hash_name": "Odd Hat", "app_id": 440}]},
        201,
    )["assets"]
    more = bench.control("POST", f"/control/accounts/{player['steam_id']}/items", {"count": 3}, 201)["assets"]
    assert [(a["market_hash_name"], a["tradable"], a["app_id"]) for a in made] == [
        ("Kilowatt Case", 0, 730),
        ("Odd Hat", 1, 440),
    ]
    assert len(more) == 3

    victim = bench.stock(player["steam_id"])[0]
    offer = bench.deposit(bot, player, [victim])["tradeofferid"]
    path = f"/control/items/730/2/{victim['asset_id']}?owner={player['steam_id']}"
    assert bench.control("DELETE", path)["item_uid"] == victim["item_uid"]
    bench.control("DELETE", path, status=404)
    record = bench.control("GET", "/control/record")
    assert record["removed"] == [victim["item_uid"]]
    assert victim["item_uid"] not in {a["item_uid"] for a in record["assets"]}
    assert bench.offer(offer)["state"] == 8


def test_credentials_and_mafiles_belong_together(bench: Bench) -> None:
    known = {c["steam_id"]: c for c in bench.control("GET", "/control/credentials?kind=bot")["accounts"]}
    mafiles = bench.control("GET", "/control/mafiles?kind=bot")["mafiles"]

    assert len(mafiles) == len(known) == 2
    for mafile in mafiles:
        owner = known[str(mafile["Session"]["SteamID"])]
        for name in ("account_name", "shared_secret", "identity_secret", "device_id"):
            assert mafile[name] == owner[name]
        assert "password" not in json.dumps(mafile)


def test_the_catalogue_is_large_and_its_prices_are_cents(bench: Bench) -> None:
    prices = bench.control("GET", "/control/prices")
    items = bench.control("GET", "/control/catalogue")["items"]
    unpriced = [i for i in items if i["price_cents"] is None]

    assert prices["currency"] == "USD"
    assert all(isinstance(cents, int) and cents > 0 for cents in prices["prices"].values())
    assert len(items) >= 600
    words = ("Phase ", "Ruby", "Sapphire", "Black", "Emerald")
    phases = {name for name in prices["prices"] if name.rpartition(" - ")[2].startswith(words)}
    assert phases and {i["market_hash_name"] for i in items if i not in unpriced} == prices["prices"].keys() - phases
    assert unpriced
    assert min(prices["prices"].values()) < 10
    assert max(prices["prices"].values()) > 100_000
    names = " ".join(i["market_hash_name"] for i in items)
    assert all(part in names for part in ("StatTrak™ AK-47", "Souvenir ", "★ Karambit", " Case Key", "Sticker | "))
    assert any(not i["tradable"] for i in items)


def test_the_record_tells_each_step_of_an_item(bench: Bench, bot: SteamClient, player: Person) -> None:
    wanted = bench.stock(player["steam_id"])[0]
    offer = bench.deposit(bot, player, [wanted], "why")["tradeofferid"]
    bench.act(player["steam_id"], offer, "accept")

    record = bench.control("GET", "/control/record")
    (exchange,) = record["exchanges"]
    (move,) = exchange["moves"]
    asset = next(a for a in record["assets"] if a["item_uid"] == wanted["item_uid"])
    origin = next(o for o in record["origins"] if o["item_uid"] == wanted["item_uid"])
    assert (record["offers"][0]["message"], record["offers"][0]["state"]) == ("why", 3)
    assert record["offers"][0]["receive"][0]["asset_id"] == wanted["asset_id"]
    assert (move["from"], move["to"]) == (player["steam_id"], bot.steam_guard["steamid"])
    assert (move["old_asset_id"], move["new_asset_id"]) == (wanted["asset_id"], asset["asset_id"])
    assert (move["old_context_id"], move["new_context_id"]) == (2, 16)
    assert asset["protected_until"] == exchange["time_settlement"]
    assert origin["owner"] == player["steam_id"]
    assert set(bench.control("GET", "/control/record?part=assets,offers")) == {"now", "assets", "offers"}
    bench.control("GET", "/control/record?part=secrets", status=400)


def test_the_request_record_counts_exactly_and_keeps_no_secret(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.control("DELETE", "/control/requests")
    for _ in range(3):
        bench.api(bot, "GetTradeOffers", get_sent_offers=1)
    sent = bench.withdraw(bot, player, bench.stock(bot.steam_guard["steamid"])[:1], confirm=True)
    seen = bench.control("GET", "/control/requests")
    mine = seen["by_account"][bot.steam_guard["steamid"]]

    assert mine == {"GetTradeOffers": 3, "send": 1, "getlist": 1, "details": 1, "ajaxop": 1}
    assert seen["counts"] == mine
    assert seen["recent"][0]["path"] == "/IEconService/GetTradeOffers/v1"
    assert {r["account"] for r in seen["recent"]} == {bot.steam_guard["steamid"]}
    text = json.dumps(seen)
    known = bench.credentials("red-1")
    secrets = [known[k] for k in ("password", "shared_secret", "identity_secret", "api_key")]
    for secret in (bot._access_token, bot._get_session_id(), *secrets):
        assert secret not in text
    assert sent["success"] is True
    bench.control("DELETE", "/control/requests")
    assert bench.control("GET", "/control/requests") == {"counts": {}, "by_account": {}, "recent": []}


# --- faults --------------------------------------------------------------------------------------


def give(bench: Bench, bot: SteamClient, player: Person) -> Any:
    return bench.withdraw(bot, player, bench.stock(bot.steam_guard["steamid"])[:1])


def test_a_fault_before_the_deed_leaves_no_offer(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.fault("send", "str_error", code=20, status=500)

    assert give(bench, bot, player)["strError"].endswith("(20)")
    assert bench.control("GET", "/control/record?part=offers")["offers"] == []
    assert "tradeofferid" in give(bench, bot, player)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "cut"}, requests.ConnectionError),
        ({"kind": "html"}, requests.JSONDecodeError),
        ({"kind": "status", "status": 502}, requests.JSONDecodeError),
    ],
)
def test_a_fault_after_the_deed_hides_an_offer_that_exists(
    bench: Bench, bot: SteamClient, player: Person, fault: dict[str, Any], error: type[Any]
) -> None:
    bench.fault("send", after=True, **fault)

    with pytest.raises(error):
        give(bench, bot, player)
    assert [o["state"] for o in bench.control("GET", "/control/record?part=offers")["offers"]] == [9]


def test_null_after_the_deed_is_what_steampy_returns_as_none(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.fault("send", "null", after=True, status=401)

    assert give(bench, bot, player) is None
    assert [o["state"] for o in bench.control("GET", "/control/record?part=offers")["offers"]] == [9]


def test_an_answer_that_never_comes(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.fault("send", "timeout", after=True)
    outcome: queue.SimpleQueue[Any] = queue.SimpleQueue()

    bench.give_up_after(bot, 0.3)

    def impatient() -> None:
        try:
            outcome.put(give(bench, bot, player))
        except requests.RequestException as error:
            outcome.put(error)

    thread = threading.Thread(target=impatient)
    thread.start()
    thread.join(timeout=120)
    assert isinstance(outcome.get_nowait(), requests.Timeout)
    assert wait_until(lambda: len(bench.offers()) == 1)


def test_faults_have_an_account_a_number_of_times_and_an_end(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.fault("GetTradeOffers", "eresult", code=20, account=bot.steam_guard["steamid"], times=2)
    other = bench.client("red-2")

    assert bench.api(other, "GetTradeOffers") == {"next_cursor": 0}
    assert [bench.api(bot, "GetTradeOffers") for _ in range(3)] == [{}, {}, {"next_cursor": 0}]
    bench.fault("cancel", "null")
    assert len(bench.control("GET", "/control/faults")["faults"]) == 1
    bench.control("DELETE", "/control/faults")
    assert bench.control("GET", "/control/faults") == {"faults": []}


def test_confirmation_faults_have_their_own_shapes(bench: Bench, bot: SteamClient, player: Person) -> None:
    sent = give(bench, bot, player)["tradeofferid"]
    for kind, error in (("needauth", KeyError), ("no_conf", KeyError), ("bad_codes", InvalidCredentials)):
        bench.fault("getlist", kind)
        with pytest.raises(error):
            bot._confirm_transaction(sent)
    bench.fault("ajaxop", "success_false", after=True)
    assert bot._confirm_transaction(sent)["success"] is False
    assert bench.offer(sent)["state"] == 2


def test_a_sentence_without_a_number_can_be_ordered(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.fault("send", "str_error", text="You have sent too many trade offers.")

    assert give(bench, bot, player) == {"strError": "You have sent too many trade offers."}


@pytest.mark.parametrize(
    "order", [{"route": "send"}, {"route": "send", "kind": "odd"}, {"route": "send", "kind": "null", "x": 1},
              {"route": "send", "kind": "null", "times": "1"},
              {"route": "send", "kind": "null", "times": 0}, {"route": "send", "kind": "null", "after": 1},
              {"route": "send", "kind": "str_error", "text": 5}, {"route": "send", "kind": "null", "account": "bob"}],
)  # fmt: skip
def test_orders_for_trouble_that_do_not_fit_are_refused(bench: Bench, order: dict[str, Any]) -> None:
    bench.control("POST", "/control/faults", order, 400)

    assert bench.control("GET", "/control/faults") == {"faults": []}


# --- people --------------------------------------------------------------------------------------


def test_people_act_by_themselves_in_real_time(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.patch(player["steam_id"], habit="accept", delay_s=0.05)
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]

    assert wait_until(lambda: bench.offer(offer)["state"] == 3)


def test_moving_the_clock_ahead_makes_people_act_at_once(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.patch(player["steam_id"], habit="decline", delay_s=3600)
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    assert bench.offer(offer)["state"] == 2

    bench.advance(3601)

    assert bench.offer(offer)["state"] == 7


def test_people_are_moved_by_hand_and_steams_refusals_are_told(bench: Bench, bot: SteamClient, player: Person) -> None:
    asset = bench.stock(player["steam_id"])[:1]
    offers = [bench.deposit(bot, player, asset)["tradeofferid"] for _ in range(2)]

    listed = bench.control("GET", f"/control/people/{player['steam_id']}/offers")["offers"]
    assert {o["offer_id"] for o in listed} == set(offers)
    bench.act(player["steam_id"], offers[0], "dance", 400)
    bench.act(bench.accounts("player")[1]["steam_id"], offers[0], "accept", 404)
    assert bench.act(player["steam_id"], offers[0], "decline")["state"] == 7
    assert bench.act(player["steam_id"], offers[0], "accept", 409)["code"] == 11
    assert bench.act(player["steam_id"], offers[1], "counter")["state"] == 4
    received = bench.api(bot, "GetTradeOffers", get_received_offers=1, active_only=1)["trade_offers_received"]
    assert [o["accountid_other"] for o in received] == [player["account_id"]]


def test_other_sites_may_not_write(bench: Bench, player: Person) -> None:
    evil = {"Origin": "https://evil.example"}

    bench.control("POST", "/control/clock", {"advance_s": 1}, 403, headers=evil)
    assert bench.control("GET", "/control/clock")["offset_s"] == 0
    own = {"Origin": bench.running.control_url}
    assert bench.control("POST", "/control/clock", {"advance_s": 1}, 200, headers=own)["offset_s"] == 1


def test_settings_are_read_and_changed(bench: Bench) -> None:
    bench.change(protection_s=60)

    content = bench.control("GET", "/control/settings")
    assert content["protection_s"] == 60
    assert "protection_s" in content["changeable"]
    bench.control("PATCH", "/control/settings", {"seed": 3}, 400)
