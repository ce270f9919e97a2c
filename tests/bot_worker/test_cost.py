"""What a deposit and a withdrawal cost at Steam from the player's inventory to the settlement, with nothing left out."""

from __future__ import annotations

from bot_lab import Lab, SteamAccount, SteamWorld, kinds

from bot_worker.orders import cost
from shared.domain.items import Asset
from shared.domain.status import Direction
from shared.orders import (
    InventoryOrder,
    Order,
    SendOrder,
    SettleCheck,
    SettleOrder,
    WantedAsset,
    WatchOrder,
)
from shared.reports import Report

D = Direction
TRADES = 10  # live at one bot at a time, as in `scripts/bench --only steam`
COSTS_MOST = 4
LOOKS = 4  # of the watch until they have answered, the last of which sees it


def counts(lab: Lab) -> int:
    return sum(lab.me.requests().values())


def followed(lab: Lab, world: SteamWorld, players: list[SteamAccount], orders: list[Order]) -> None:
    """Offers made, looked at until all players have accepted them, and their exchanges looked at until they have settled."""
    offers = [lab.do(order)[-1].data["offer_id"] for order in orders]
    watched = [lab.watched(order, offer_id) for order, offer_id in zip(orders, offers, strict=True)]
    for look in range(LOOKS):
        if look == LOOKS - 1:
            for player, offer_id in zip(players, offers, strict=True):
                player.act(offer_id, "accept")
        accepted = lab.do(lab.watch_order(*watched))
    assert kinds(accepted) == ["offer_accepted"] * len(orders)
    lab.do(settling(lab, orders, accepted, over=False))
    world.pass_time(7 * 86400 + 60)
    assert kinds(lab.do(settling(lab, orders, accepted, over=True))) == ["settled"] * len(orders)


def settling(lab: Lab, orders: list[Order], accepted: list[Report], *, over: bool) -> Order:
    checks = []
    for order, told in zip(orders, accepted, strict=True):
        assert isinstance(order.payload, SendOrder)
        moved = told.data["moved"] if order.payload.take else []
        items = [
            WantedAsset(f"{told.trade_id}-{n}", Asset(730, "16", row["new_asset_id"]), row["name"], None)
            for n, row in enumerate(moved)
        ]
        until = told.data["settles_at"] if over else None
        checks.append(SettleCheck(told.trade_id or "", 1, told.data["exchange_id"], items, waited_until=until))
    return lab.order("settle", SettleOrder(checks, []), trade_id=None)


def test_deposits_and_withdrawals_cost_at_most_four_calls_each(lab: Lab, world: SteamWorld) -> None:
    """Ten players who were never seen before: each inventory, each hold, all bans, offers, phone, looks, settlement."""
    players = [world.account("player") for _ in range(TRADES)]
    before = counts(lab)
    bans_of = [player.steam_id for player in players]
    for player in players:
        order = InventoryOrder(player.steam_id, player.trade_token, bans_of=bans_of)
        assert kinds(lab.do(lab.order("inventory", order, trade_id=None))) == ["inventory_read"]
        bans_of = []
    followed(lab, world, players, [lab.send_order(player, [], player.assets()) for player in players])
    spent = counts(lab) - before
    said = lab.heartbeat()
    assert spent <= COSTS_MOST * TRADES
    assert (round(said.deposit_calls), said.withdraw_calls) == (spent, 0)

    before = counts(lab)
    mine = lab.me.assets(TRADES)
    orders = [lab.send_order(player, [asset], []) for player, asset in zip(players, mine, strict=True)]
    followed(lab, world, players, orders)
    spent = counts(lab) - before
    assert spent <= COSTS_MOST * TRADES
    assert round(lab.heartbeat().withdraw_calls) == spent


def test_a_call_for_several_trades_is_shared_by_them(lab: Lab, player: SteamAccount) -> None:
    deposit, withdrawal = lab.send_order(player, [], player.assets()), lab.send_order(player, lab.me.assets(), [])
    watched = [lab.watched(deposit), lab.watched(deposit), lab.watched(deposit), lab.watched(withdrawal)]
    assert cost.of_order(deposit) == {D.DEPOSIT: 1.0}
    assert cost.of_order(withdrawal) == {D.WITHDRAW: 1.0}
    assert cost.of_order(lab.watch_order(*watched)) == {D.DEPOSIT: 0.75, D.WITHDRAW: 0.25}
    assert cost.of_order(lab.order("look", WatchOrder(watched, 0))) == {}
    asked = InventoryOrder("1", "t")
    assert cost.of_order(lab.order("inventory", asked)) == {D.DEPOSIT: 1.0}
    assert cost.of_order(lab.order("inventory", InventoryOrder("1", "t", second=True))) == {}
    assert cost.of_order(lab.order("inventory", InventoryOrder("1", None, own_rows=3))) == {}
    items = [WantedAsset("d", player.assets()[0], "AK", None)]
    checks = [SettleCheck("a", 1, "9", items), SettleCheck("b", 1, "8", []), SettleCheck("c", 1, None, items)]
    shares = cost.of_order(lab.order("settle", SettleOrder(checks, [])))
    assert [round(shares[each], 2) for each in (D.DEPOSIT, D.WITHDRAW)] == [0.33, 0.67]
