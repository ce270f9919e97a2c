"""Because of whom Steam refuses, what a bot may do then, and how it comes back by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bot_lab import Lab, SteamAccount, SteamWorld, ask, kinds
from support import wait_until

from bot_worker import own_account
from bot_worker.bot import Partner
from bot_worker.steam import trade_page
from shared.domain.health import RESTRICTIONS, TRADES, May
from shared.orders import InventoryOrder, Order, SettleCheck, SettleOrder, WantedAsset
from shared.reports import Report


def deposit(lab: Lab, player: SteamAccount) -> Report:
    """The last word about one deposit."""
    return lab.do(lab.send_order(player, [], player.assets()))[-1]


def withdrawal(lab: Lab, player: SteamAccount) -> Report:
    return lab.do(lab.send_order(player, lab.me.assets(), []))[-1]


def later(lab: Lab) -> str | None:
    """Whatever is to be asked of Steam is due; the restriction that it has lifted."""
    for reason, probe in lab.bot.memory.probes.items():
        lab.bot.memory.probes[reason] = replace(probe, at=0.0)
    return own_account.probe(lab.bot)


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    made = make_lab()
    made.bot.health.is_now("online")
    return made


# --- because of us -----------------------------------------------------------------------------------------


OURS: dict[str, dict[str, Any]] = {
    "bot_locked": {"device_locked": True},
    "bot_banned": {"banned": True},
    "offers_full": {"limits": {"total": 0}},
}


@pytest.mark.parametrize("reason", OURS)
def test_what_is_because_of_the_bot_is_told_as_that_and_nobody_is_blamed(lab: Lab, player: SteamAccount, reason: str) -> None:
    lab.me.change(**OURS[reason])
    said = deposit(lab, player)
    assert (said.kind, said.data["code"], said.data["reason"]) == ("bot_refused", "bot_restricted", reason)
    assert said.data["player_message"] is None
    assert lab.bot.health.as_reported()[:2] == ("restricted", reason)
    assert lab.bot.health.as_reported()[2] == RESTRICTIONS[reason].action
    beat = lab.heartbeat()
    assert beat.state == "restricted" and [each["reason"] for each in beat.restrictions] == [reason]


@pytest.mark.parametrize("reason", ["bot_locked", "bot_banned"])
def test_it_sends_nothing_more_and_asks_steam_nothing_until_it_may_again(lab: Lab, player: SteamAccount, reason: str) -> None:
    lab.me.change(**OURS[reason])
    deposit(lab, player)
    before = lab.me.requests()
    said = [deposit(lab, player), withdrawal(lab, player)]
    assert [(each.kind, each.data["reason"]) for each in said] == [("bot_refused", reason)] * 2
    assert lab.me.requests() == before
    assert later(lab) is None and lab.bot.health.restrictions  # asked, and still so
    lab.me.change(device_locked=False, banned=False)
    assert later(lab) == reason
    assert deposit(lab, player).kind == "offer_active"
    assert lab.bot.health.as_reported() == ("online", None, None)
    assert lab.bot.memory.probes == {}


def test_a_restricted_bot_goes_on_looking(lab: Lab, player: SteamAccount) -> None:
    """Watch, find, settle, decline and reading go on while it is banned."""
    order = lab.send_order(player, [], player.assets())
    sent = lab.do(order)[-1]
    lab.me.change(banned=True)
    assert deposit(lab, player).kind == "bot_refused"
    player.act(sent.data["offer_id"], "decline")
    watched = lab.watched(order, sent.data["offer_id"])
    assert kinds(lab.do(lab.watch_order(watched))) == ["offer_declined"]
    assert kinds(lab.do(lab.find_order(watched))) == ["offer_declined"]
    mine = lab.me.items()[0]
    wanted = WantedAsset("dep", lab.me.assets()[0], mine["market_hash_name"], None)
    check = SettleCheck("tr", 1, None, [wanted])
    assert kinds(lab.do(lab.order("settle", SettleOrder([check], []), trade_id=None))) == ["items_seen"]
    assert lab.do(lab.decline_order()) == []


def test_full_offers_end_when_our_own_list_has_room(make_lab: Callable[..., Lab], player: SteamAccount) -> None:
    lab = make_lab(limits={"offers_per_bot_max": 1, "offers_kept_for_withdrawals": 0})
    lab.bot.health.is_now("online")
    sent = deposit(lab, player)
    lab.me.change(limits={"total": 1})
    assert deposit(lab, player).data["reason"] == "offers_full"
    assert later(lab) is None
    player.act(sent.data["offer_id"], "decline")
    assert later(lab) == "offers_full"
    assert deposit(lab, player).kind == "offer_active"


def test_an_item_of_ours_that_is_not_there_is_no_players_fault(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [replace(lab.me.assets()[0], asset_id="1")], [])
    said = lab.do(order)[-1]
    assert (said.kind, said.data["reason"], said.data["player_message"]) == ("bot_refused", "items_missing", None)
    assert deposit(lab, player).kind == "offer_active"  # it gives nothing, and takes
    assert withdrawal(lab, player).data["reason"] == "items_missing"
    assert later(lab) == "items_missing"
    assert withdrawal(lab, player).kind == "offer_active"


def test_a_players_missing_item_is_still_his(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], [replace(player.assets()[0], asset_id="1")])
    said = lab.do(order)[-1]
    assert (said.kind, said.data["code"]) == ("refused", "item_gone")
    assert said.data["player_message"] and not lab.bot.health.restrictions


def test_an_own_hold_is_seen_before_any_offer_and_ends_by_itself(lab: Lab, player: SteamAccount) -> None:
    lab.me.change(hold_days=7)
    lab.bot.memory.partner = Partner(player.steam_id, player.trade_token)
    own_account.seen_hold(lab.bot, 7)
    assert lab.bot.health.why_not(May.TAKE) == lab.bot.health.why_not(May.GIVE) == "own_hold"
    assert deposit(lab, player).data["reason"] == "own_hold"
    assert later(lab) is None
    lab.me.change(hold_days=0)
    assert later(lab) == "own_hold"


# --- because of the partner, or nobody knows ------------------------------------------------------------------


def test_a_banned_partner_is_told_as_that(lab: Lab, player: SteamAccount) -> None:
    player.change(banned=True)
    said = deposit(lab, player)
    assert (said.kind, said.data["code"], said.data["unclear"]) == ("refused", "partner_banned", False)
    assert "trade ban" in said.data["player_message"]
    assert not lab.bot.health.restrictions


def test_an_old_trade_url_is_told_as_that(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    player.change(new_trade_token=True)
    said = lab.do(order)[-1]
    assert (said.kind, said.data["code"], said.data["unclear"]) == ("refused", "token_wrong", False)
    assert not lab.bot.health.restrictions


def test_what_steam_does_not_explain_may_be_because_of_either(lab: Lab, player: SteamAccount) -> None:
    lab.me.fault("send", "str_error", code=15)
    said = deposit(lab, player)
    assert (said.kind, said.data["code"], said.data["unclear"]) == ("refused", "partner_unavailable", True)
    assert not lab.bot.health.restrictions


def test_too_many_offers_to_one_partner_may_be_few_for_another_bot(lab: Lab, player: SteamAccount) -> None:
    for asset in player.assets(5):
        assert lab.do(lab.send_order(player, [], [asset]))[-1].kind == "offer_active"
    said = deposit(lab, player)
    assert (said.kind, said.data["code"], said.data["unclear"]) == ("refused", "too_many_offers", True)
    assert not lab.bot.health.restrictions


def test_a_bot_that_several_players_refuse_in_a_row_without_a_reason_is_itself_to_blame(
    lab: Lab, world: SteamWorld, player: SteamAccount
) -> None:
    strangers = [world.account("player") for _ in range(own_account.REFUSED_MAX)]
    lab.me.fault("send", "str_error", code=15, times=own_account.REFUSED_MAX)
    said = [deposit(lab, each) for each in strangers]
    assert [each.kind for each in said] == ["refused"] * (own_account.REFUSED_MAX - 1) + ["bot_refused"]
    assert said[-1].data["reason"] == "bot_refused"
    assert later(lab) == "bot_refused"
    assert deposit(lab, player).kind == "offer_active"


def test_an_offer_that_is_made_clears_the_count(lab: Lab, world: SteamWorld, player: SteamAccount) -> None:
    lab.me.fault("send", "str_error", code=15, times=2)
    assert [deposit(lab, world.account("player")).kind for _ in range(3)] == ["refused", "refused", "offer_active"]
    lab.me.fault("send", "str_error", code=15, times=2)
    assert [deposit(lab, world.account("player")).kind for _ in range(2)] == ["refused", "refused"]


def test_a_look_at_the_own_account_that_fails_blames_nobody(lab: Lab, player: SteamAccount) -> None:
    lab.me.change(banned=True)
    lab.me.fault("GetPlayerBans", "status", status=502, times=4)
    said = deposit(lab, player)
    assert (said.kind, said.data["unclear"]) == ("refused", True)


# --- coming back ------------------------------------------------------------------------------------------------


def test_the_question_is_asked_ever_more_seldom(lab: Lab, player: SteamAccount) -> None:
    lab.me.change(device_locked=True)
    deposit(lab, player)
    times, waits = lab.settings.group, []
    for _ in range(8):
        waits.append(lab.bot.memory.probes["bot_locked"].wait_s)
        assert later(lab) is None
    assert waits == [min(times.probe_s * 2**n, times.probe_max_s) for n in range(8)]
    before = lab.me.requests()
    assert own_account.probe(lab.bot) is None
    assert lab.me.requests() == before  # not due


def test_a_lock_that_steam_denies_and_keeps_is_asked_about_more_seldom_too(lab: Lab, player: SteamAccount) -> None:
    lab.me.fault("send", "str_error", code=24, times=2)
    assert deposit(lab, player).data["reason"] == "bot_locked"
    assert later(lab) == "bot_locked"  # the trade page says nothing of it
    assert deposit(lab, player).kind == "bot_refused"
    assert lab.bot.memory.probes["bot_locked"].wait_s == 2 * lab.settings.group.probe_s


def test_the_worker_asks_by_itself_between_its_orders(make_lab: Callable[..., Lab], player: SteamAccount) -> None:
    lab = make_lab(group={"probe_s": 0.05, "probe_max_s": 0.2})
    lab.bot.health.is_now("online")
    lab.me.change(banned=True)
    assert deposit(lab, player).kind == "bot_refused"
    lab.worker._look_at_restrictions()
    assert lab.heartbeat().state == "restricted"
    lab.me.change(banned=False)

    def online_after_a_look() -> bool:
        lab.worker._look_at_restrictions()
        return lab.heartbeat().state == "online"

    wait_until(online_after_a_look)


def test_a_ban_is_seen_by_a_look_at_a_players(lab: Lab, player: SteamAccount) -> None:
    """One call asks for both."""
    lab.me.change(banned=True)
    before = lab.me.requests().get("GetPlayerBans", 0)
    read = lab.do(inventory(lab, player))[-1]
    assert read.kind == "inventory_read"
    assert lab.me.requests()["GetPlayerBans"] == before + 1
    assert lab.bot.health.why_not(May.TAKE) == "bot_banned"
    lab.me.change(banned=False)
    lab.do(inventory(lab, player))
    assert not lab.bot.health.restrictions


def inventory(lab: Lab, player: SteamAccount) -> Order:
    payload = InventoryOrder(player.steam_id, player.trade_token, bans_of=[player.steam_id])
    return lab.order("inventory", payload, trade_id=None)


# --- the phone ----------------------------------------------------------------------------------------------------


@pytest.fixture
def strict(world: SteamWorld) -> Any:
    """Steam takes no confirmation of an account that has not accepted its rules of trade protection."""
    world.change_rules(require_acknowledge=True)
    yield
    world.change_rules(require_acknowledge=False)


@pytest.mark.usefixtures("strict")
def test_rules_of_trade_protection_are_accepted_by_the_bot_itself(lab: Lab, player: SteamAccount) -> None:
    lab.me.change(acknowledged=False)
    assert lab.saved().acknowledged  # or so it thinks
    assert withdrawal(lab, player).kind == "offer_active"
    assert not lab.bot.health.restrictions


@pytest.mark.usefixtures("strict")
def test_or_it_is_told_what_to_do_and_gives_nothing_until_then(make_lab: Callable[..., Lab], player: SteamAccount) -> None:
    lab = make_lab(steam={"accept_trade_protection": False})
    lab.bot.health.is_now("online")
    assert withdrawal(lab, player).kind == "confirmation_needed"
    state, reason, action = lab.bot.health.as_reported()
    assert (state, reason) == ("restricted", "confirmations_refused")
    assert action and "trade protection" in action
    assert withdrawal(lab, player).data["reason"] == "confirmations_refused"
    assert deposit(lab, player).kind == "offer_active"
    lab.me.change(acknowledged=True)
    assert later(lab) == "confirmations_refused"
    assert withdrawal(lab, player).kind == "offer_active"


def test_a_strange_confirmation_stops_trading_until_it_is_gone(lab: Lab, player: SteamAccount) -> None:
    lab.bot.session.phone.alarms = frozenset({9})
    own_account.seen_confirmations(lab.bot)
    assert lab.bot.health.why_not(May.GIVE) == lab.bot.health.why_not(May.TAKE) == "strange_confirmation"
    assert lab.bot.health.why_not(May.LOOK) is None
    assert deposit(lab, player).kind == "bot_refused"
    assert later(lab) == "strange_confirmation"


# --- pure ---------------------------------------------------------------------------------------------------------


def test_every_restriction_has_an_end_and_leaves_the_looking() -> None:
    for reason, rule in RESTRICTIONS.items():
        assert rule.forbids and rule.forbids <= TRADES and rule.action
        assert reason in own_account.PROBES or reason in (*own_account.NOT_ASKED, "bot_refused")


@pytest.mark.parametrize(
    ("text", "locks_us", "wrong_url", "our_days"),
    [
        ('<div id="error_msg">\n\tYou have logged in from a new device. In order to protect …\n</div>', True, False, 0),
        ('<div id="error_msg">You recently reset your password. You will be unable to trade for 4 days.</div>', True, False, 0),
        ('<div id="error_msg">You must have had Steam Guard enabled for at least 15 days …</div>', True, False, 0),
        ('<div id="error_msg">This Trade URL is no longer valid for sending a trade offer.</div>', False, True, 0),
        ('<div id="error_msg"><b>Bob</b> is not available to trade.</div>', False, False, 0),
        ("var g_daysMyEscrow = 3;\n\tvar g_daysTheirEscrow = 0;", False, False, 3),
        ("var g_daysMyEscrow = -1;", False, False, 0),
        ("", False, False, 0),
    ],
)
def test_the_trade_page_is_read(text: str, locks_us: bool, wrong_url: bool, our_days: int) -> None:
    page = trade_page.parse(text)
    assert (page.locks_us, page.wrong_url, page.our_days) == (locks_us, wrong_url, our_days)


# --- what an item is ----------------------------------------------------------------------------------------------


def test_the_bot_that_received_an_item_says_what_it_is(lab: Lab, player: SteamAccount) -> None:
    asset = player.assets()[0]
    order = lab.send_order(player, [], [asset])
    name = next(row["market_hash_name"] for row in player.items() if row["asset_id"] == asset.asset_id)
    sent = lab.do(order)[-1]
    player.act(sent.data["offer_id"], "accept")
    [accepted] = lab.do(lab.watch_order(lab.watched(order, sent.data["offer_id"])))
    assert accepted.kind == "offer_accepted"
    assert [row["name"] for row in accepted.data["moved"]] == [name]


@pytest.mark.parametrize("whose", ["bot", "partner"])
@pytest.mark.parametrize("kind", ["watch", "find"])
def test_whoever_reversed_an_exchange_is_told_from_other_looks_too(
    lab: Lab, player: SteamAccount, whose: str, kind: str
) -> None:
    """The acceptance was never heard of: the first look that sees the offer sees it reversed."""
    order = lab.send_order(player, [], player.assets())
    sent = lab.do(order)[-1]
    player.act(sent.data["offer_id"], "accept")
    ask(f"{(lab.me if whose == 'bot' else player).url}/reverse", "POST", {})
    watched = lab.watched(order, sent.data["offer_id"])
    [told] = [each for each in lab.do(replace(lab.watch_order(watched), kind=kind)) if each.trade_id == order.trade_id]
    assert (told.kind, told.data["reversed_by"]) == ("exchange_reversed", whose)


@pytest.mark.parametrize("whose", ["bot", "partner"])
def test_whoever_reversed_an_exchange_is_told(lab: Lab, player: SteamAccount, whose: str) -> None:
    order = lab.send_order(player, [], player.assets())
    sent = lab.do(order)[-1]
    player.act(sent.data["offer_id"], "accept")
    [accepted] = lab.do(lab.watch_order(lab.watched(order, sent.data["offer_id"])))
    ask(f"{(lab.me if whose == 'bot' else player).url}/reverse", "POST", {})
    check = SettleCheck(order.trade_id or "", 1, accepted.data["exchange_id"], [])
    [reversed_one] = lab.do(lab.order("settle", SettleOrder([check], []), trade_id=None))
    assert (reversed_one.kind, reversed_one.data["reversed_by"]) == ("exchange_reversed", whose)
    assert ("bot_locked" in lab.bot.health.restrictions) == (whose == "bot")
