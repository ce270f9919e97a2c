"""Somebody else at a bot's account: what he sends is told, and what leaves by it is reported, at an idle bot too."""

from __future__ import annotations

from pathlib import Path

import pytest
from bot_lab import Lab, SteamAccount, SteamWorld, bot_settings, kinds

from bot_worker.vault import SavedSession
from scripts.chaos_run.foreign_client import ForeignClient
from shared.orders import Order


def enter(world: SteamWorld, folder: Path, me: SteamAccount, saved: SavedSession | None = None) -> ForeignClient:
    return ForeignClient(world.vault_account(me, "red-99"), bot_settings("redis://unused", world.steam, folder), saved)


@pytest.fixture
def thief(lab: Lab, world: SteamWorld, tmp_path: Path) -> ForeignClient:
    return enter(world, tmp_path, lab.me, lab.saved())  # a Guard code is good once, a stolen token longer


def test_a_foreign_sent_offer_at_an_idle_bot_is_told_at_the_first_look_when_it_is_two_minutes_old(
    lab: Lab, player: SteamAccount, thief: ForeignClient
) -> None:
    offer_id = thief.offer(player.steam_id, player.trade_token, [], player.assets())
    assert lab.do(lab.decline_order(idle=True)) == []
    lab.bot.memory.strange.forget(offer_id)  # as if it had not looked yet
    lab.clock.pass_time(125)
    assert lab.do(lab.decline_order()) == [], "while trades are live their watch tells it"
    (report,) = lab.do(lab.decline_order(idle=True))
    assert (report.kind, report.data["offer_id"]) == ("offer_unknown", offer_id)
    assert lab.do(lab.decline_order(idle=True)) == []


def test_one_call_looks_at_both_sides_of_an_idle_bot(lab: Lab) -> None:
    before = sum(lab.me.requests().values())
    assert lab.do(lab.decline_order(idle=True)) == []
    assert sum(lab.me.requests().values()) == before + 1


@pytest.mark.parametrize("idle", [True, False])
def test_items_that_left_by_a_foreign_offer_are_reported_once(
    lab: Lab, player: SteamAccount, thief: ForeignClient, idle: bool
) -> None:
    (asset,) = lab.me.assets()
    offer_id = thief.offer(player.steam_id, player.trade_token, [asset], [])
    player.act(offer_id, "accept")

    def order() -> Order:
        return lab.decline_order(idle=True) if idle else lab.watch_order()

    (report,) = lab.do(order())
    assert report.kind == "items_left"
    told = {"offer_id": offer_id, "sent": True, "partner": player.steam_id, "asset_ids": [asset.asset_id]}
    assert report.data == {"offers": [told]}
    assert lab.do(order()) == []


def test_a_received_offer_that_somebody_accepted_for_the_bot_is_reported(
    lab: Lab, world: SteamWorld, thief: ForeignClient, tmp_path: Path
) -> None:
    other = world.account("bot", items=1)
    (asset,) = lab.me.assets()
    offer_id = enter(world, tmp_path, other).offer(lab.me.steam_id, lab.me.trade_token, [], [asset])
    lab.me.act(offer_id, "accept")
    (report,) = lab.do(lab.decline_order())
    assert (report.kind, report.data["offers"][0]["sent"]) == ("items_left", False)
    assert report.data["offers"][0]["asset_ids"] == [asset.asset_id]


def test_what_the_bot_gave_by_order_is_not_reported(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(), [])
    offer_id = lab.do(order)[-1].data["offer_id"]
    player.act(offer_id, "accept")
    assert kinds(lab.do(lab.watch_order(lab.watched(order, offer_id)))) == ["offer_accepted"]
    assert lab.do(lab.watch_order(), lab.decline_order(idle=True)) == []
