"""What others offer to a bot: declined, never accepted, but for gifts; and sent offers that no trade knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bot_lab import Lab, SteamAccount, SteamWorld, bot_settings, kinds

from bot_worker.orders.decline import counter_of
from bot_worker.steam.connection import Connection
from bot_worker.steam.pace import Pace
from bot_worker.steam.session import SteamSession
from bot_worker.steam.shapes import Offer
from bot_worker.vault import SavedSession
from shared.clock import Clock
from shared.domain.items import Asset


class Stranger:
    """Somebody with a Steam client of his own, who offers what he likes."""

    def __init__(self, world: SteamWorld, folder: Path) -> None:
        self.account = world.account("bot", items=3)
        settings = bot_settings("redis://unused", world.steam, folder)
        pace = Pace(None, "elsewhere", settings.pace, Clock(), lambda _: None)
        account = world.vault_account(self.account, "red-99")
        nothing: Callable[[Any], None] = lambda _: None  # noqa: E731
        self.session = SteamSession(Connection(account, SavedSession(), settings, pace, nothing, nothing))
        self.session.sign_in()

    def offer(self, to: SteamAccount, give: list[Asset], take: list[Asset]) -> str:
        sent = self.session.send_offer(to.steam_id, to.trade_token, "hello", give, take)
        if sent.needs_confirmation:
            assert self.session.phone.confirm(sent.offer_id)
        return sent.offer_id


@pytest.fixture
def stranger(world: SteamWorld, tmp_path: Path) -> Stranger:
    return Stranger(world, tmp_path)


def states(lab: Lab) -> dict[str, int]:
    return {offer["offer_id"]: offer["state"] for offer in lab.me.offers()}


def test_the_offer_that_a_counter_answers_is_told_by_partner_and_moment() -> None:
    def offer(offer_id: str, partner: str, *, created: int = 0, updated: int = 0) -> Offer:
        return Offer(offer_id, partner, "", 4, (), (), None, created, updated, True)

    mine = [offer("1", "a", updated=100), offer("2", "a", updated=130), offer("3", "b", updated=131)]
    assert counter_of(offer("9", "a", created=131), mine) == "2"
    assert counter_of(offer("9", "a", created=101), mine) == "1"
    assert counter_of(offer("9", "b", created=131), mine) == "3"
    assert counter_of(offer("9", "a", created=191), mine) is None
    assert counter_of(offer("9", "c", created=131), mine) is None


def test_without_offers_a_look_is_one_call(lab: Lab) -> None:
    before = sum(lab.me.requests().values())
    assert lab.do(lab.decline_order()) == []
    assert sum(lab.me.requests().values()) == before + 1


@pytest.mark.parametrize("strangers", [False, True])
def test_a_counter_offer_is_declined_and_never_accepted(
    make_lab: Callable[..., Lab], player: SteamAccount, strangers: bool
) -> None:
    lab = make_lab(group={"decline_strangers": strangers})
    order = lab.send_order(player, [], player.assets())
    offer_id: str = lab.do(order)[-1].data["offer_id"]
    player.act(offer_id, "counter")
    (counter,) = states(lab).keys() - {offer_id}
    (report,) = lab.do(lab.decline_order())
    assert report.kind == "offer_declined_by_us"
    assert report.data == {"offer_id": counter, "partner": player.steam_id, "counter_of": offer_id}
    assert states(lab) == {offer_id: 4, counter: 7}
    assert lab.do(lab.decline_order()) == []
    assert kinds(lab.do(lab.watch_order(lab.watched(order, offer_id)))) == ["offer_countered"]


def test_a_counter_offer_that_only_keeps_an_item_back_is_no_gift(lab: Lab, player: SteamAccount) -> None:
    offer_id = lab.do(lab.send_order(player, [], player.assets(2)))[-1].data["offer_id"]
    player.act(offer_id, "counter")
    (counter,) = states(lab).keys() - {offer_id}
    (report,) = lab.do(lab.decline_order(keep_gifts=True))
    assert (report.kind, report.data["counter_of"]) == ("offer_declined_by_us", offer_id)
    assert states(lab) == {offer_id: 4, counter: 7}


@pytest.mark.parametrize("keep_gifts", [False, True])
def test_who_asks_for_our_items_is_declined(lab: Lab, stranger: Stranger, keep_gifts: bool) -> None:
    plain = stranger.offer(lab.me, [], lab.me.assets())
    swap = stranger.offer(lab.me, stranger.account.assets(), lab.me.assets())
    reports = lab.do(lab.decline_order(keep_gifts=keep_gifts))
    assert {report.data["offer_id"] for report in reports} == {plain, swap}
    assert {(report.kind, report.data["counter_of"]) for report in reports} == {("offer_declined_by_us", None)}
    assert states(lab) == {plain: 7, swap: 7}
    assert len(lab.me.items()) == 3


def test_strangers_are_left_alone_if_so_set(make_lab: Callable[..., Lab], stranger: Stranger) -> None:
    lab = make_lab(group={"decline_strangers": False})
    offer_id = stranger.offer(lab.me, [], lab.me.assets())
    assert lab.do(lab.decline_order()) == []
    assert states(lab) == {offer_id: 2}


def test_a_gift_is_declined_or_kept_as_ordered(lab: Lab, stranger: Stranger) -> None:
    first, second = stranger.account.assets(2)
    unwanted = stranger.offer(lab.me, [first], [])
    assert kinds(lab.do(lab.decline_order())) == ["offer_declined_by_us"]
    wanted = stranger.offer(lab.me, [second], [])
    (report,) = lab.do(lab.decline_order(keep_gifts=True))
    assert (report.kind, report.data["offer_id"]) == ("gift_accepted", wanted)
    assert report.data["partner"] == stranger.account.steam_id
    (moved,) = report.data["moved"]
    assert (moved["asset_id"], moved["new_asset_id"]) == (second.asset_id, lab.me.items(16)[0]["asset_id"])
    assert states(lab) == {unwanted: 7, wanted: 3}
    assert lab.do(lab.decline_order(keep_gifts=True)) == []


def test_a_gift_is_told_again_by_a_worker_that_cannot_know(lab: Lab, stranger: Stranger) -> None:
    stranger.offer(lab.me, stranger.account.assets(), [])
    (told,) = lab.do(lab.decline_order(keep_gifts=True))
    lab.die()
    lab.start()
    (again,) = lab.do(lab.decline_order(keep_gifts=True))
    assert (again.kind, again.data) == ("gift_accepted", told.data)


def test_a_gift_whose_new_ids_come_late_is_told_when_they_are_there(lab: Lab, stranger: Stranger) -> None:
    stranger.offer(lab.me, stranger.account.assets(), [])
    lab.me.fault("GetTradeStatus", "late_ids", late_s=3600)
    assert lab.do(lab.decline_order(keep_gifts=True)) == []
    lab.world.clear_faults()
    assert kinds(lab.do(lab.decline_order(keep_gifts=True))) == ["gift_accepted"]


def test_an_acceptance_whose_answer_is_lost_is_seen_afterwards(lab: Lab, stranger: Stranger) -> None:
    stranger.offer(lab.me, stranger.account.assets(), [])
    lab.me.fault("accept", "cut", after=True)
    assert kinds(lab.do(lab.decline_order(keep_gifts=True))) == ["order_failed"]
    assert kinds(lab.do(lab.decline_order(keep_gifts=True))) == ["gift_accepted"]


def test_an_offer_that_asks_for_something_is_never_taken_for_a_gift(lab: Lab) -> None:
    asset = lab.me.assets()[0]
    for offer in (
        Offer("1", "76561198000000002", "", 2, (asset,), (), None, 1, 1, True),
        Offer("1", "76561198000000002", "", 2, (), (), None, 1, 1, False),
    ):
        with pytest.raises(ValueError, match="never accepted"):
            lab.bot.session.accept_gift(offer)
    assert lab.me.requests().get("accept", 0) == 0


# --- sent offers that no trade knows -------------------------------------------------------------


def unknown_offer(lab: Lab, player: SteamAccount) -> str:
    """A live offer of which no watched trade tells."""
    order = lab.send_order(player, [], player.assets())
    offer_id: str = lab.do(order)[-1].data["offer_id"]
    lab.bot.memory.offers.forget(offer_id)
    assert lab.do(lab.watch_order()) == []
    return offer_id


def test_an_old_offer_that_no_trade_knows_is_canceled(make_lab: Callable[..., Lab], player: SteamAccount) -> None:
    lab = make_lab(trades={"unknown_offer_cancel_s": 3000.0})
    offer_id = unknown_offer(lab, player)
    lab.clock.pass_time(121)
    assert kinds(lab.do(lab.watch_order())) == ["offer_unknown"]
    later = lab.watch_order()
    lab.clock.pass_time(1500)
    assert lab.do(later) == []
    lab.clock.pass_time(1500)
    (report,) = lab.do(later)
    assert (report.kind, report.data["offer_id"], report.data["state"]) == ("offer_unknown_canceled", offer_id, 6)
    assert states(lab) == {offer_id: 6}
    assert lab.do(later) == []


def test_an_old_offer_of_a_watched_trade_is_never_canceled(make_lab: Callable[..., Lab], player: SteamAccount) -> None:
    lab = make_lab(trades={"unknown_offer_cancel_s": 1.0})
    order = lab.send_order(player, [], player.assets())
    offer_id: str = lab.do(order)[-1].data["offer_id"]
    for known in (offer_id, None):  # by its id, and by its token alone
        for _ in range(3):
            lab.clock.pass_time(200)
            assert "offer_unknown_canceled" not in kinds(lab.do(lab.watch_order(lab.watched(order, known))))
    assert states(lab) == {offer_id: 2}
