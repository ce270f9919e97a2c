"""A whole trade, in every way in which it can end, through real processes over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from support import wait_until

from scripts.lab.calls import send_json

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]

# What a worker makes of each answer is tried without a fleet (`bot_worker/test_send.py`, `bot_worker/test_answers.py`); here
# one or two of a kind go the whole way.
ALSO = pytest.mark.long
LOST = [
    pytest.param({"kind": "str_error", "code": 2, "status": 500}, id="2", marks=ALSO),
    pytest.param({"kind": "str_error", "code": 11}, id="11", marks=ALSO),
    pytest.param({"kind": "str_error", "code": 16, "status": 500}, id="16"),
    pytest.param({"kind": "html"}, id="html", marks=ALSO),
    pytest.param({"kind": "status", "status": 502}, id="502", marks=ALSO),
    pytest.param({"kind": "null", "status": 500}, id="null-500", marks=ALSO),
    pytest.param({"kind": "cut"}, id="cut"),
]
# Steam's word, ours, and how many bots are asked: where it is perhaps because of the bot, two before the player is told.
REFUSED = [
    pytest.param(8, "steam_refused", 1, marks=ALSO),
    (26, "item_gone", 1),
    (15, "partner_unavailable", 2),
    pytest.param(34, "partner_unavailable", 2, marks=ALSO),
]
# Because of the bot, or perhaps so: another one makes the offer.
OURS = [pytest.param(24, marks=ALSO), 25, pytest.param(50, marks=ALSO), 15, pytest.param(34, marks=ALSO)]


@pytest.fixture
def three(site: Any) -> None:
    """Whoever is refused has another to go to: what Steam's answers to earlier trades have taken from a bot is over."""
    site.all_may()


def only_trade(answer: Any) -> dict[str, Any]:
    assert answer.status in (201, 202), answer.body
    assert len(answer.body["trades"]) == 1
    trade: dict[str, Any] = answer.body["trades"][0]
    return trade


def test_an_accepted_deposit_is_credited_settles_and_knows_its_new_asset_ids(site: Any) -> None:
    player = site.player(habit="accept")
    answer = site.deposit(player, 3)
    trade = only_trade(answer)
    assert answer.status == 201 and trade["offer_id"] and trade["token"] and trade["bot"].startswith("red-")
    done = site.until(trade["trade_id"], "accepted", "settled")
    record = site.record()
    owners = {row["asset_id"]: row["owner"] for row in record["assets"]}
    bots = {bot.steam_id for bot in site.stack.bots()}
    assert all(owners[item["new_asset_id"]] in bots for item in done["items"])
    assert {item["matched"] for item in done["items"]} == {"receipt"}
    offer = next(offer for offer in record["offers"] if offer["offer_id"] == trade["offer_id"])
    assert offer["message"].startswith(f"{site.stack.balancer_url}/verify/{trade['token']}")
    rows = site.deposits(player)
    assert {row["status"] for row in rows.values()} == {"active"}
    site.until(trade["trade_id"], "settled")
    assert all(row["settled_at"] for row in site.deposits(player).values())
    site.agree()


def test_an_accepted_withdrawal_gives_the_same_items_to_their_owner(site: Any) -> None:
    player = site.player(habit="accept")
    ids = site.settled_deposits(player, 2)
    names = sorted(row["market_hash_name"] for row in site.deposits(player).values())
    trade = only_trade(site.withdraw(player, ids))
    done = site.until(trade["trade_id"], "settled")
    assert sorted(item["market_hash_name"] for item in done["items"]) == names
    moved = {
        move["old_asset_id"]: move["to"]
        for row in site.record()["exchanges"]
        if row["offer_id"] == done["offer_id"]
        for move in row["moves"]
    }
    assert moved == {item["asset_id"]: player.steam_id for item in done["items"]}
    site.agree()


@pytest.mark.parametrize(
    ("habit", "status", "row_status"),
    [("decline", "declined", "deposit_failure"), ("counter", "countered", "counter")],
)
def test_a_deposit_that_the_player_does_not_take_ends_so(site: Any, habit: str, status: str, row_status: str) -> None:
    player = site.player(habit=habit)
    trade = only_trade(site.deposit(player))
    done = site.until(trade["trade_id"], status)
    assert {item["deposit_status"] for item in done["items"]} == {row_status}
    site.agree()


@pytest.mark.parametrize(("habit", "status"), [("decline", "declined"), ("counter", "countered")])
def test_a_withdrawal_that_the_player_does_not_take_gives_the_items_back(site: Any, habit: str, status: str) -> None:
    player = site.player(habit="accept")
    ids = site.settled_deposits(player, 2)
    site.change(player.steam_id, habit=habit)
    trade = only_trade(site.withdraw(player, ids))
    site.until(trade["trade_id"], status)
    wait_until(lambda: {row["status"] for row in site.deposits(player).values()} == {"active"}, every_s=0.2)
    site.agree()


def test_an_offer_that_nobody_answers_expires_at_steam(site: Any) -> None:
    site.settings(offer_lifetime_s=2)
    try:
        player = site.player(habit="ignore")
        trade = only_trade(site.deposit(player))
        done = site.until(trade["trade_id"], "expired")
    finally:
        site.settings(offer_lifetime_s=14 * 86400)
    assert {item["deposit_status"] for item in done["items"]} == {"deposit_failure"}
    site.agree()


def test_the_site_cancels_an_offer_and_steam_says_so(site: Any) -> None:
    player = site.player(habit="ignore")
    trade = only_trade(site.deposit(player))
    answer = site.call("POST", f"/trade/{trade['trade_id']}/cancel", {})
    assert answer.status in (200, 202) and answer.body["cancel_requested"]
    site.until(trade["trade_id"], "canceled")
    offer = next(row for row in site.record()["offers"] if row["offer_id"] == trade["offer_id"])
    assert offer["state"] == 6
    again = site.call("POST", f"/trade/{trade['trade_id']}/cancel", {})
    assert (again.status, again.body["status"]) == (200, "canceled")
    site.agree()


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(("code", "word", "times"), REFUSED)
def test_a_clear_no_of_steam_fails_the_trade_with_its_reason(site: Any, code: int, word: str, times: int) -> None:
    player = site.player(habit="accept")
    site.acceptable(player)
    site.fault(account=None, route="send", kind="str_error", code=code, times=times)
    trade = only_trade(site.deposit(player))
    done = site.until(trade["trade_id"], "failed")
    assert done["failure"]["code"] == word
    assert {item["deposit_status"] for item in done["items"]} == {"deposit_failure"}
    site.agree()


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("code", OURS)
def test_a_no_that_is_or_may_be_because_of_the_bot_is_answered_by_another(site: Any, code: int) -> None:
    player = site.player(habit="accept")
    site.acceptable(player)
    site.fault(account=None, route="send", kind="str_error", code=code, times=1)
    trade = only_trade(site.deposit(player))
    done = site.until(trade["trade_id"], "accepted", "settled")
    changed = [row for row in site.events(trade["trade_id"]) if row["kind"] == "bot_changed"]
    assert changed and changed[-1]["bot"] == done["bot"]
    assert all(row["data"]["bot_before"] != row["bot"] for row in changed)
    assert done["attempt"] == 1 + len(changed) and done["failure"] is None
    site.agree()


@pytest.mark.parametrize("code", [20, pytest.param(55, marks=ALSO)])
def test_not_now_is_tried_again_and_made_once(site: Any, code: int) -> None:
    player = site.player(habit="accept")
    site.acceptable(player)
    site.fault(account=None, route="send", kind="str_error", code=code, times=1)
    trade = only_trade(site.deposit(player))
    site.until(trade["trade_id"], "accepted", "settled")
    assert len(site.offers_of(trade["trade_id"], player.steam_id)) == 1
    site.agree()


@pytest.mark.parametrize("after", [False, True], ids=["not-made", "made"])
@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_leaves_doubt_and_is_never_sent_again(site: Any, fault: dict[str, Any], after: bool) -> None:
    player = site.player(habit="ignore")
    site.acceptable(player)
    site.fault(account=None, route="send", after=after, times=1, **fault)
    trade = only_trade(site.deposit(player, wait=0))
    site.until(trade["trade_id"], *(("in_doubt", "sent") if after else ("in_doubt",)))
    if after:  # the watch knows the offer by its token and adopts it
        site.until(trade["trade_id"], "sent")
        assert len(site.offers_of(trade["trade_id"], player.steam_id)) == 1
    else:
        looks = site.call("GET", "/bots").body["bots"]
        calls = sum(row["steam_calls"] for row in looks)
        wait_until(lambda: sum(row["steam_calls"] for row in site.call("GET", "/bots").body["bots"]) > calls + 3, every_s=0.2)
        assert site.trade(trade["trade_id"])["status"] == "in_doubt"
        assert site.offers_of(trade["trade_id"], player.steam_id) == []
        assert {row["status"] for row in site.deposits(player).values()} == {"deposit_pending"}


def test_a_player_in_hold_is_told_before_an_offer_is_made(site: Any) -> None:
    player = site.player(habit="accept")
    ids = site.acceptable(player)
    site.change(player.steam_id, hold_days=15)
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url, "asset_ids": ids[:1]}

    def refused() -> Any:  # what was read before the hold is believed for a second
        answer = site.call("POST", "/deposit", body | {"asset_ids": ["1"]})
        return answer if answer.status == 422 and answer.body["code"] != "unknown_asset" else None

    answer = wait_until(refused, every_s=0.2)
    assert (answer.status, answer.body["code"]) == (422, "partner_hold")
    assert "authenticator" in answer.body["player_message"]
    assert site.deposits(player) == {}


def test_a_banned_player_is_told_before_an_offer_is_made(site: Any) -> None:
    player = site.player(habit="accept")
    [wanted, *_] = site.acceptable(player)
    site.change(player.steam_id, banned=True)
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url, "asset_ids": [wanted]}

    def refused() -> Any:  # what was read before the ban is believed for a second
        answer = site.call("POST", "/inventory", {"steam_id": player.steam_id, "trade_url": player.trade_url})
        return answer.status == 422

    wait_until(refused, every_s=0.2)
    answer = site.call("POST", "/deposit", body)
    assert (answer.status, answer.body["code"]) == (422, "partner_banned")
    assert site.deposits(player) == {}


def test_an_offer_that_enters_a_hold_is_shown_as_held(site: Any) -> None:
    player = site.player(habit="manual")
    trade = only_trade(site.deposit(player))
    site.change(player.steam_id, hold_days=1)
    url = f"{site.stack.control_url}/control/people/{player.steam_id}/offers/{trade['offer_id']}"
    send_json("POST", url, {"action": "accept"})
    held = site.until(trade["trade_id"], "held")
    assert {item["deposit_status"] for item in held["items"]} == {"deposit_pending"}


def test_an_item_that_is_gone_when_the_offer_is_made_fails_it(site: Any) -> None:
    player = site.player(habit="accept")
    gone = site.acceptable(player)[0]
    site.remove_item(player.steam_id, gone)
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url, "asset_ids": [gone]}
    answer = site.call("POST", "/deposit?wait=10", body)
    if answer.status == 422:  # the bot looked again in between
        assert answer.body["code"] == "unknown_asset"
        return
    done = site.until(only_trade(answer)["trade_id"], "failed")
    assert done["failure"]["code"] == "item_gone"


def test_a_renewed_trade_url_fails_the_withdrawal_and_the_items_stay(site: Any) -> None:
    player = site.player(habit="accept")
    ids = site.settled_deposits(player, 1)
    stale = player.trade_url[:-8] + "OldToken"
    trade = only_trade(site.withdraw(player, ids, trade_url=stale))
    done = site.until(trade["trade_id"], "failed")
    assert done["failure"]["code"] == "token_wrong"
    assert "trade" in done["failure"]["player_message"].lower()
    wait_until(lambda: {row["status"] for row in site.deposits(player).values()} == {"active"}, every_s=0.2)
    again = only_trade(site.withdraw(player, ids))
    site.until(again["trade_id"], "settled")
