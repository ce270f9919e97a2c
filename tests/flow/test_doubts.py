"""A doubt that no search can end, ended by an operator's word, on a fleet of real processes."""

from __future__ import annotations

from typing import Any

import pytest
from flow_site import Answer, Website
from support import wait_until

from scripts.lab.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]

NONE = {"offer_id": None, "reason": "neither the bot's sent offers nor its history show one"}


def test_a_doubt_whose_item_is_gone_is_ended_by_an_operators_word(small_fleet: Stack) -> None:
    """Steam's answer is lost and the player's item is somewhere else: nothing shows that there is no offer."""
    site = Website(small_fleet)
    player = site.player(habit="accept")
    [asset_id, *_] = site.acceptable(player)
    site.remove_item(player.steam_id, asset_id)
    lost = site.fault(route="send", kind="cut", after=False, times=1)
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
    [trade] = site.call("POST", "/deposit?wait=0", body | {"asset_ids": [asset_id]}).body["trades"]
    trade_id = trade["trade_id"]
    site.until(trade_id, "in_doubt")
    assert site.fault_hits(lost) == 1
    path = f"/trade/{trade_id}/doubt"
    early = site.call("POST", path, NONE)
    assert (early.status, early.body["code"]) == (409, "doubt_too_young")
    named = site.call("POST", path, {"offer_id": "4711", "reason": "a slip of the pen"})
    assert (named.status, named.body["status"]) == (200, "in_doubt")

    def of_kind(kind: str) -> list[dict[str, Any]]:
        return [event for event in site.events(trade_id) if event["kind"] == kind]

    wait_until(lambda: of_kind("alarm"), every_s=0.3)
    [alarm] = of_kind("alarm")
    assert alarm["data"]["alarm"] == "doubt_stays"
    assert site.trade(trade_id)["status"] == "in_doubt"
    answers: list[Answer] = []

    def taken() -> bool:
        answers.append(site.call("POST", path, NONE))
        return answers[-1].status == 200

    wait_until(taken)
    assert answers[-1].body["attempt"] == 2
    done = site.until(trade_id, "failed")
    assert done["failure"]["code"] == "item_gone"
    assert {item["deposit_status"] for item in done["items"]} == {"deposit_failure"}
    assert of_kind("doubt_decided")[0]["who"].startswith("client:")
    assert site.offers_of(trade_id, player.steam_id) == []
    site.agree()
