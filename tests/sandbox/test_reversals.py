"""Reversals under trade protection: what they undo, what they leave alone, what they cost, and how Steam shows them."""

from collections.abc import Callable
from typing import Any

import pytest
from sandbox_lab import Bench, Person, Play
from steampy.client import SteamClient

from sandbox.errors import Refused
from sandbox.world import reversals, timeline
from sandbox.world.accounts import Account
from sandbox.world.exchanges import Exchange, Status
from sandbox.world.items import Item
from sandbox.world.offers import State

DAY = 86400


def swap(play: Play, partner: Account, message: str = "") -> tuple[Item, Exchange]:
    """The bot asks for one item, which the partner gives; the item and the exchange."""
    item = play.stock(partner)[0]
    offer = play.send(play.bot, partner, [], [item], message=message)
    tradeid, _ = play.accept(partner, offer)
    play.confirm(offer)
    return item, play.world.exchanges[tradeid]


def test_every_protected_exchange_of_the_account_is_undone_with_new_ids(play: Play) -> None:
    first, one = swap(play, play.player)
    play.advance(DAY)
    second, two = swap(play, play.player)
    others, three = swap(play, play.players[0])
    given = {item.item_uid: item.asset_id for item in (first, second)}

    done = reversals.reverse(play.world, play.player, play.now)

    assert done is not None and done.exchanges == (two.tradeid, one.tradeid)
    assert {one.status, two.status} == {Status.PROTECTION_ROLLBACK}
    assert three.status == Status.COMPLETE
    for item in (first, second):
        assert (item.owner, item.context_id, item.protected_until) == (play.player.steam_id, 2, 0)
        assert item.asset_id > given[item.item_uid]
    assert (others.owner, others.context_id) == (play.bot.steam_id, 16)


def test_settled_exchanges_stay_as_they_are(play: Play) -> None:
    item, exchange = swap(play, play.player)
    play.advance(7 * DAY)

    assert reversals.reverse(play.world, play.player, play.now) is None
    assert (item.owner, item.context_id, exchange.status) == (play.bot.steam_id, 2, Status.COMPLETE)
    assert play.player.trade_locked_until == 0
    assert play.world.reversals == []


@pytest.mark.parametrize("before", [True, False])
def test_the_moment_of_settlement_decides_even_in_one_jump_of_the_clock(play: Play, before: bool) -> None:
    item, exchange = swap(play, play.player)
    reversals.plan(play.world, play.player, exchange.time_settlement + (-1 if before else 1))

    play.advance(30 * DAY)

    assert exchange.status == (Status.PROTECTION_ROLLBACK if before else Status.COMPLETE)
    assert item.owner == (play.player if before else play.bot).steam_id
    assert item.context_id == 2


def test_an_item_that_settled_stays_free_when_the_clock_goes_back(play: Play) -> None:
    item, exchange = swap(play, play.player)
    play.advance(8 * DAY)
    play.now -= 4 * DAY
    assert play.now < exchange.time_settlement

    assert reversals.reverse(play.world, play.player, play.now) is None
    assert item.owner == play.bot.steam_id


def test_either_side_may_reverse(play: Play) -> None:
    item, exchange = swap(play, play.player)

    reversals.reverse(play.world, play.bot, play.now)

    assert item.owner == play.player.steam_id
    assert (play.bot.trade_locked_until > play.now, play.player.trade_locked_until) == (True, 0)
    assert exchange.reversed_by == play.bot.steam_id


def test_an_exchange_is_reversed_once(play: Play) -> None:
    swap(play, play.player)

    assert reversals.reverse(play.world, play.player, play.now) is not None
    assert reversals.reverse(play.world, play.player, play.now) is None
    assert reversals.reverse(play.world, play.bot, play.now) is None
    assert len(play.world.exchanges) == 2


def test_an_item_that_comes_back_is_not_protected_and_may_be_traded_at_once_by_the_other_side(play: Play) -> None:
    item, _ = swap(play, play.player)
    reversals.reverse(play.world, play.bot, play.now)

    offer = play.send(play.other_bot, play.player, [], [item])
    play.accept(play.player, offer)
    play.confirm(offer)

    assert item.owner == play.other_bot.steam_id


def test_who_reversed_cannot_trade_for_thirty_days(play: Play) -> None:
    waiting = play.send(play.bot, play.player, [play.stock(play.bot)[0]], [])
    play.confirm(waiting)
    swap(play, play.player)
    reversals.reverse(play.world, play.player, play.now)
    mine = play.stock(play.player)[0]

    def refused(action: Callable[..., Any], *args: Any) -> int:
        with pytest.raises(Refused) as caught:
            action(*args)
        return caught.value.code

    assert refused(play.send, play.player, play.bot, [mine], []) == 24
    assert refused(play.send, play.bot, play.player, [], [mine]) == 15
    assert refused(play.accept, play.player, waiting) == 24
    play.advance(30 * DAY - 1)
    assert refused(play.send, play.bot, play.player, [], [mine]) == 15
    play.advance(1)
    assert play.send(play.bot, play.player, [], [mine]).state == State.ACTIVE


def test_a_confirmation_of_a_locked_account_fails(play: Play) -> None:
    swap(play, play.player)
    item = play.stock(play.player)[0]
    offer = play.send(play.bot, play.player, [], [item])
    play.accept(play.player, offer)
    reversals.reverse(play.world, play.player, play.now)

    assert play.confirm(offer) is False
    assert item.owner == play.player.steam_id


@pytest.mark.parametrize(("marks", "state"), [(False, State.ACCEPTED), (True, State.REVERTED)])
def test_the_state_of_the_offer_is_a_switch(make_play: type[Play], marks: bool, state: State) -> None:
    play = make_play(reversal_marks_offer=marks)
    _, exchange = swap(play, play.player)

    reversals.reverse(play.world, play.player, play.now)

    assert exchange.offer_id is not None and play.world.offers.by_id[exchange.offer_id].state == state


def test_items_taken_out_of_the_world_by_hand_do_not_come_back(play: Play) -> None:
    item, exchange = swap(play, play.player)
    play.world.items.remove(item.place, item.asset_id)

    done = reversals.reverse(play.world, play.player, play.now)

    assert done is not None and play.world.exchanges[done.rollbacks[0]].moves == []
    assert exchange.status == Status.PROTECTION_ROLLBACK
    assert item.item_uid not in play.world.items.by_uid


def test_a_protected_item_that_had_moved_on_would_be_noticed(play: Play) -> None:
    item, _ = swap(play, play.player)
    play.world.items.move(item, play.other_bot.steam_id, 2, play.world.items.new_asset_id())

    with pytest.raises(AssertionError, match="has moved on"):
        reversals.reverse(play.world, play.player, play.now)


def test_held_items_are_not_protected_yet(play: Play) -> None:
    play.player.hold_days = 3
    _, exchange = swap(play, play.player)

    assert reversals.reverse(play.world, play.player, play.now) is None
    play.advance(3 * DAY)
    assert reversals.reverse(play.world, play.player, play.now) is not None
    assert exchange.status == Status.PROTECTION_ROLLBACK


def test_a_player_who_takes_back_accepts_first_and_reverses_later(play: Play) -> None:
    play.player.habit, play.player.delay_s, play.player.take_back_s = "take_back", 5, 2 * DAY
    item = play.stock(play.player)[0]
    offer = play.send(play.bot, play.player, [], [item])
    play.advance(6)
    assert (offer.state, item.owner) == (State.ACCEPTED, play.bot.steam_id)

    play.advance(2 * DAY)

    assert item.owner == play.player.steam_id
    assert [entry.steam_id for entry in play.world.reversals] == [play.player.steam_id]


def test_a_player_who_gave_up_the_habit_takes_nothing_back(play: Play) -> None:
    play.player.habit = "take_back"
    play.send(play.bot, play.player, [], [play.stock(play.player)[0]])
    play.advance(1)
    play.player.habit = "accept"

    timeline.advance(play.world, play.now + DAY)

    assert play.world.reversals == []


def test_a_player_takes_back_after_a_hold_is_over(play: Play) -> None:
    play.player.habit, play.player.take_back_s, play.player.hold_days = "take_back", 60, 2
    item = play.stock(play.player)[0]
    play.send(play.bot, play.player, [], [item])

    play.advance(2 * DAY + 59)
    assert item.owner == play.bot.steam_id
    play.advance(2)
    assert item.owner == play.player.steam_id


# --- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def delivered(bench: Bench, bot: SteamClient, player: Person) -> tuple[str, str]:
    """A deposit that was accepted: the offer's id and the trade's."""
    offer_id = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    bench.act(player["steam_id"], offer_id, "accept")
    return offer_id, bench.offer(offer_id)["tradeid"]


def reverse(bench: Bench, steam_id: str, body: dict[str, Any] | None = None, status: int = 200) -> dict[str, Any]:
    found: dict[str, Any] = bench.control("POST", f"/control/accounts/{steam_id}/reverse", body or {}, status)
    return found


def trades(bench: Bench, bot: SteamClient, **params: Any) -> dict[str, dict[str, Any]]:
    return {trade["tradeid"]: trade for trade in bench.api(bot, "GetTradeHistory", max_trades=10, **params)["trades"]}


@pytest.mark.parametrize(("direction", "on_old", "on_new"), [("rollback", 0, 1), ("original", 1, 0), ("both", 1, 1)])
def test_steam_shows_status_12_and_a_new_exchange_linked_to_the_old(
    bench: Bench, bot: SteamClient, player: Person, delivered: tuple[str, str], direction: str, on_old: int, on_new: int
) -> None:
    offer_id, tradeid = delivered
    before = bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]
    bench.change(rollback_trade_on=direction)

    done = reverse(bench, player["steam_id"])

    (rollback,) = done["rollbacks"]
    assert done["exchanges"] == [tradeid]
    for shown in (trades(bench, bot, include_failed=1), trades(bench, bot)):
        old, new = shown[tradeid], shown[rollback]
        assert (old["status"], new["status"]) == (12, 3)
        assert old.get("rollback_trade") == (rollback if on_old else None)
        assert new.get("rollback_trade") == (tradeid if on_new else None)
    (back,) = new["assets_given"]
    assert (back["contextid"], back["new_contextid"]) == ("16", "2")
    assert back["assetid"] == before["assets_received"][0]["new_assetid"]
    assert "time_settlement" not in new
    assert bench.offer(offer_id)["state"] == 3
    assert bench.api(bot, "GetTradeOffer", tradeofferid=offer_id)["offer"]["trade_offer_state"] == 3
    assert bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]["status"] == 12


def test_the_record_tells_a_reversal(bench: Bench, bot: SteamClient, player: Person, delivered: tuple[str, str]) -> None:
    _, tradeid = delivered
    done = reverse(bench, player["steam_id"])

    record = bench.control("GET", "/control/record")
    old, new = record["exchanges"]
    assert [(entry["steam_id"], entry["exchanges"]) for entry in record["reversals"]] == [(player["steam_id"], [tradeid])]
    assert (old["status"], old["rolled_back_by"], old["offer_id"]) == (12, new["tradeid"], delivered[0])
    assert (new["status"], new["rollback_of"], new["offer_id"]) == (3, tradeid, None)
    assert {old["reversed_by"], new["reversed_by"]} == {player["steam_id"]}
    (there,), (back,) = old["moves"], new["moves"]
    asset = next(a for a in record["assets"] if a["item_uid"] == there["item_uid"])
    assert (there["from"], there["to"]) == (back["to"], back["from"]) == (player["steam_id"], bot.steam_guard["steamid"])
    assert (back["old_asset_id"], back["old_context_id"]) == (there["new_asset_id"], 16)
    assert (asset["owner"], asset["asset_id"], asset["context_id"]) == (player["steam_id"], back["new_asset_id"], 2)
    assert done["rollbacks"] == [new["tradeid"]]


def test_a_reversal_may_be_ordered_for_a_later_moment(
    bench: Bench, bot: SteamClient, player: Person, delivered: tuple[str, str]
) -> None:
    now = bench.control("GET", "/control/clock")["now"]

    planned = reverse(bench, player["steam_id"], {"at": now + 3 * DAY}, 202)
    assert planned["exchanges"] == []
    bench.advance(3 * DAY - 60)
    assert bench.api(bot, "GetTradeStatus", tradeid=delivered[1])["trades"][0]["status"] == 3
    bench.advance(120)

    assert bench.api(bot, "GetTradeStatus", tradeid=delivered[1])["trades"][0]["status"] == 12
    account = bench.control("GET", f"/control/accounts/{player['steam_id']}")
    assert account["trade_locked_until"] == pytest.approx(now + 33 * DAY, abs=200)


@pytest.mark.parametrize("body", [{"at": 5}, {"at": "now"}, {"at": True}, {"when": 1}, {"at": 1e12}])
def test_orders_to_reverse_that_do_not_fit_are_refused(bench: Bench, player: Person, body: dict[str, Any]) -> None:
    reverse(bench, player["steam_id"], body, 400)

    assert bench.control("GET", "/control/record?part=reversals") == {
        "now": pytest.approx(bench.control("GET", "/control/clock")["now"], abs=200),
        "reversals": [],
    }


def test_steams_pages_say_that_the_account_is_locked(
    bench: Bench, bot: SteamClient, player: Person, delivered: tuple[str, str]
) -> None:
    reverse(bench, player["steam_id"])

    page = bot._session.get(player["trade_url"]).text
    assert "is not available to trade. More information will be shown to" in page
    sent = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])
    assert "is not available to trade. More information will be shown to" in sent["strError"]
    bench.patch(player["steam_id"], trade_locked_until=0)
    assert "tradeofferid" in bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])


def test_a_bot_that_reversed_reads_why_it_cannot_trade(
    bench: Bench, bot: SteamClient, player: Person, delivered: tuple[str, str]
) -> None:
    reverse(bench, bot.steam_guard["steamid"])

    assert "You will be unable to trade until" in bot._session.get(player["trade_url"]).text
    assert bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["strError"].endswith("(24)")


def test_the_habit_works_over_the_control_api(bench: Bench, bot: SteamClient, player: Person) -> None:
    changed = bench.patch(player["steam_id"], habit="take_back", delay_s=60, take_back_s=7200)
    assert (changed["habit"], changed["take_back_s"]) == ("take_back", 7200)
    offer_id = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    bench.advance(61)
    assert bench.offer(offer_id)["state"] == 3

    bench.advance(7201)

    assert len(bench.control("GET", "/control/record?part=reversals")["reversals"]) == 1


def test_players_may_be_made_with_the_habit(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(player_habit="take_back", take_back_s=90.0)
    made = bench.control("POST", "/control/accounts", {"kind": "player", "take_back_s": 5}, 201)

    assert {(p["habit"], p["take_back_s"]) for p in bench.accounts("player")} == {("take_back", 90.0), ("take_back", 5)}
    assert made["take_back_s"] == 5
    for wrong in (-1, "1", True):
        bench.control("POST", "/control/accounts", {"kind": "player", "take_back_s": wrong}, 400)


def test_a_person_reverses_by_hand_on_the_page(bench: Bench, player: Person, delivered: tuple[str, str]) -> None:
    url = f"{bench.running.control_url}/play/{player['steam_id']}"
    session = bench._control
    assert "Reverse all protected trades" in session.get(url).text

    first = session.post(f"{url}/reverse").text
    second = session.post(f"{url}/reverse").text

    assert "Reversed 1 trades." in first
    assert "There is nothing to reverse." in second
