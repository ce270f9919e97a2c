"""What a trade costs at Steam, counted call by call where Steam is asked, with nothing left out."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from flow_site import Player, Website

from scripts.lab.calls import get_json

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]

# Looks at offers, at others' offers and at inventories that an audit or a settlement takes come by the clock, for all trades
# of a bot together; `scripts/bench --only steam` counts them too.
BY_THE_CLOCK = frozenset({"GetTradeOffers", "GetInventoryItemsWithDescriptions", "GetTradeHistory"})


def asked(site: Website) -> Counter[str]:
    counts = Counter(get_json(f"{site.stack.control_url}/control/requests")["counts"])
    return Counter({route: count for route, count in counts.items() if route not in BY_THE_CLOCK})


def deposit(site: Website, player: Player) -> None:
    trade = site.deposit(player, 1).body["trades"][0]
    site.until(trade["trade_id"], "accepted", "settled")


def test_a_deposit_asks_for_one_inventory_one_hold_and_a_share_of_the_bans(site: Website) -> None:
    players = [site.player(habit="accept") for _ in range(4)]
    before = asked(site)
    with ThreadPoolExecutor(len(players)) as pool:
        list(pool.map(lambda player: deposit(site, player), players))
    spent = asked(site) - before
    count = len(players)
    assert spent["send"] == count
    # A slow machine may let what was read grow old between the player's look and the deposit.
    for route in ("partnerinventory", "GetTradeHoldDurations"):
        assert count <= spent[route] <= 2 * count
    assert 1 <= spent["GetPlayerBans"] <= 2 * count
    assert (spent["inventory"], spent["getlist"], spent["tradepage"]) == (0, 0, 0)


def test_a_withdrawal_asks_for_its_offer_and_its_phone_only(site: Website) -> None:
    player = site.player(habit="accept")
    ids = site.settled_deposits(player, 1)
    before = asked(site)
    trade = site.withdraw(player, ids).body["trades"][0]
    site.until(trade["trade_id"], "accepted", "settled")
    spent = asked(site) - before
    assert (spent["send"], spent["getlist"], spent["ajaxop"]) == (1, 1, 1)
    assert not {"partnerinventory", "inventory", "GetTradeHoldDurations", "GetPlayerBans"} & set(+spent)
