"""What the chaos run's foreign client does at a bot's account, and that it leaves when it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest
from bot_lab import Lab, SteamAccount, SteamWorld, ask, bot_settings
from support import wait_until

from scripts.chaos_run.foreign_client import ForeignClient, Raid, credentials

CANCELED, DECLINED = 6, 7


@pytest.fixture
def friend(world: SteamWorld) -> SteamAccount:
    return world.account("player", items=0, habit="accept")


def test_it_declines_cancels_gives_one_item_away_and_leaves(
    lab: Lab, player: SteamAccount, world: SteamWorld, friend: SteamAccount, tmp_path: Path
) -> None:
    asked = lab.do(lab.send_order(player, [], player.assets()[:1]))[-1].data["offer_id"]
    before = len(lab.me.items())
    wanted = {"partner": lab.me.steam_id, "receive": [lab.me.assets()[0].asset_id]}
    theirs = ask(f"{world.control}/control/people/{player.steam_id}/offers", "POST", wanted)["offer_id"]
    settings = bot_settings("redis://unused", world.steam, tmp_path)
    account = credentials(world.control, lab.me.steam_id)
    raid = Raid(
        lambda: ForeignClient(account, settings, lab.saved()),
        {"steam_id": friend.steam_id, "trade_token": friend.trade_token},
        "a test",
    )
    assert not raid.over
    raid.leave()
    wait_until(lambda: raid.over)
    assert (raid.gave, raid.canceled, raid.declined) == (True, [asked], [theirs])
    assert len(lab.me.items()) == before - 1
    states = {offer["offer_id"]: offer["state"] for offer in player.offers()}
    assert (states[asked], states[theirs]) == (CANCELED, DECLINED)
