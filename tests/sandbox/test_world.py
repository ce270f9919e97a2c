"""The rules of trading in a world without HTTP, on a clock that is a number."""

from collections.abc import Callable
from typing import Any

import pytest
from sandbox_lab import Play

from sandbox.errors import BadRequest, Refused
from sandbox.world.offers import Offer, State


def refusal(action: Callable[..., Any], *args: Any, **more: Any) -> int:
    with pytest.raises(Refused) as caught:
        action(*args, **more)
    return caught.value.code


def test_the_same_seed_makes_the_same_world(make_play: type[Play]) -> None:
    first, second, other = make_play(), make_play(), make_play(seed=2)

    def seen(play: Play) -> list[tuple[Any, ...]]:
        return [(i.item_uid, i.owner, i.asset_id, i.kind.market_hash_name, i.wear) for i in play.world.items]

    assert seen(first) == seen(second) != seen(other)
    assert first.bot.shared_secret == second.bot.shared_secret != other.bot.shared_secret


def test_an_offer_that_gives_nothing_is_active_at_once(play: Play) -> None:
    offer = play.send(play.bot, play.player, [], play.stock(play.player)[:1])

    assert (offer.state, offer.confirmation) == (State.ACTIVE, None)


def state_of(offer: Offer) -> State:
    """As it is at this moment."""
    return offer.state


def test_an_offer_that_gives_waits_for_the_phone(play: Play) -> None:
    offer = play.send(play.bot, play.player, play.stock(play.bot)[:1], [])

    assert state_of(offer) == State.NEEDS_CONFIRMATION
    assert not offer.concerns(play.player.steam_id)
    assert play.confirm(offer)
    assert state_of(offer) == State.ACTIVE
    assert offer.concerns(play.player.steam_id)


def test_refusing_on_the_phone_moves_the_offer_to_10(play: Play) -> None:
    offer = play.send(play.bot, play.player, play.stock(play.bot)[:1], [])

    assert play.confirm(offer, allow=False)
    assert offer.state == State.CANCELED_BY_SECOND_FACTOR
    assert play.world.offers.confirmations_of(play.bot.steam_id, play.now) == []


@pytest.mark.parametrize("token", [None, "", "AAAAAAAA"])
def test_a_wrong_token_is_15(play: Play, token: str | None) -> None:
    assert refusal(play.send, play.bot, play.player, [], play.stock(play.player)[:1], token=token) == 15


def test_an_old_token_is_15(play: Play) -> None:
    old = play.player.trade_token
    play.world.accounts.renew_trade_token(play.player)

    assert refusal(play.send, play.bot, play.player, [], play.stock(play.player)[:1], token=old) == 15


@pytest.mark.parametrize("who", ["bot", "player"])
def test_a_banned_account_is_15(play: Play, who: str) -> None:
    getattr(play, who).banned = True

    assert refusal(play.send, play.bot, play.player, [], play.stock(play.player)[:1]) == 15


def test_a_banned_account_cannot_accept(play: Play) -> None:
    offer = play.send(play.bot, play.player, [], play.stock(play.player)[:1])
    play.player.banned = True

    assert refusal(play.accept, play.player, offer) == 15


def test_a_new_device_is_24(play: Play) -> None:
    play.bot.device_locked = True

    assert refusal(play.send, play.bot, play.player, [], play.stock(play.player)[:1]) == 24


def test_asking_a_private_inventory_is_15(play: Play) -> None:
    play.player.private = True

    assert refusal(play.send, play.bot, play.player, [], play.stock(play.player)[:1]) == 15


def test_items_that_are_not_there_are_26(play: Play) -> None:
    mine, theirs = play.stock(play.bot)[0], play.stock(play.player)[0]

    assert refusal(play.send, play.bot, play.player, [theirs], []) == 26
    assert refusal(play.send, play.bot, play.player, [], [mine]) == 26
    assert refusal(play.send, play.bot, play.player, [mine, mine], []) == 26


def test_an_item_named_in_the_wrong_context_is_26(play: Play) -> None:
    from sandbox.world.trading import Proposal, Wanted, send

    item = play.stock(play.bot)[0]
    for wanted in (Wanted(730, 16, item.asset_id), Wanted(440, 2, item.asset_id), Wanted(730, 2, item.asset_id, 2)):
        proposal = Proposal(play.player.steam_id, [wanted], [], "", play.player.trade_token)
        assert refusal(send, play.world, play.bot, proposal, play.now) == 26


def test_an_item_that_is_bound_is_26(play: Play) -> None:
    item = play.stock(play.bot)[0]
    item.tradable = False

    assert refusal(play.send, play.bot, play.player, [item], []) == 26


@pytest.mark.parametrize("tradable_in_16", [False, True])
def test_a_protected_item_is_26_until_it_has_settled(make_play: type[Play], tradable_in_16: bool) -> None:
    play = make_play(tradable_in_16=tradable_in_16)
    item = play.stock(play.player)[0]
    gift = play.send(play.bot, play.player, [], [item])
    play.accept(play.player, gift)
    play.confirm(gift)

    assert (item.owner, item.context_id) == (play.bot.steam_id, 16)
    assert refusal(play.send, play.bot, play.player, [item], []) == 26
    play.advance(604_799)
    assert refusal(play.send, play.bot, play.player, [item], []) == 26
    play.advance(1)
    assert play.send(play.bot, play.player, [item], []).state == State.NEEDS_CONFIRMATION


def test_an_empty_offer_a_long_message_and_too_many_items_are_8(play: Play) -> None:
    play.world.add_random_items(play.bot, 300, play.now)
    many = play.stock(play.bot)

    assert refusal(play.send, play.bot, play.player, [], []) == 8
    assert refusal(play.send, play.bot, play.player, many[:1], [], message="x" * 129) == 8
    assert refusal(play.send, play.bot, play.player, many[:256], []) == 8
    assert play.send(play.bot, play.player, many[:255], [], message="ж" * 128).state == State.NEEDS_CONFIRMATION


def test_counter_strike_items_do_not_mix_with_those_of_other_games(play: Play) -> None:
    kind = play.world.catalogue.kind("Mann Co. Supply Crate Key", 440)
    other = play.world.items.create(kind, play.bot.steam_id, play.now)

    assert refusal(play.send, play.bot, play.player, [other, play.stock(play.bot)[0]], []) == 8
    offer = play.send(play.bot, play.player, [other], [])
    play.confirm(offer)
    play.accept(play.player, offer)
    assert (other.context_id, other.protected_until) == (2, 0)


def test_five_offers_per_partner_unconfirmed_ones_counted(play: Play) -> None:
    mine, theirs = play.stock(play.bot), play.stock(play.player)
    offers = [play.send(play.bot, play.player, mine[:1], []) for _ in range(3)]
    offers += [play.send(play.bot, play.player, [], theirs[:1]) for _ in range(2)]

    assert refusal(play.send, play.bot, play.player, mine[:1], []) == 25
    play.confirm(offers[0], allow=False)
    assert play.send(play.bot, play.player, mine[:1], []).state == State.NEEDS_CONFIRMATION


def test_thirty_offers_in_all(make_play: type[Play]) -> None:
    play = make_play(players=8)
    for partner in [play.player, *play.players[:5]]:
        for _ in range(5):
            play.send(play.bot, partner, [], play.stock(partner)[:1])

    last = play.players[5]
    assert refusal(play.send, play.bot, last, [], play.stock(last)[:1]) == 25
    assert play.send(play.other_bot, last, [], play.stock(last)[:1]).state == State.ACTIVE


def test_an_account_may_have_limits_of_its_own(play: Play) -> None:
    play.bot.limits["total"] = 1
    play.send(play.bot, play.player, [], play.stock(play.player)[:1])

    other = play.players[0]
    assert refusal(play.send, play.bot, other, [], play.stock(other)[:1]) == 25


def test_an_offer_expires_after_its_lifetime(play: Play) -> None:
    active = play.send(play.bot, play.player, [], play.stock(play.player)[:1])
    waiting = play.send(play.bot, play.player, play.stock(play.bot)[:1], [])

    play.advance(1_209_599)
    assert (active.state, waiting.state) == (State.ACTIVE, State.NEEDS_CONFIRMATION)
    play.advance(1)
    assert (active.state, waiting.state) == (State.EXPIRED, State.EXPIRED)
    assert active.updated == active.expires
    assert refusal(play.accept, play.player, active) == 11


def test_an_exchange_gives_new_ids_and_protects_for_seven_days(play: Play) -> None:
    given, asked = play.stock(play.bot)[0], play.stock(play.player)[0]
    old = given.asset_id, asked.asset_id
    offer = play.send(play.bot, play.player, [given], [asked])
    play.confirm(offer)
    tradeid, needs_phone = play.accept(play.player, offer)
    assert needs_phone
    assert offer.state == State.ACTIVE
    play.confirm(offer)

    exchange = play.world.exchanges[tradeid]
    assert (offer.state, offer.tradeid, exchange.status) == (State.ACCEPTED, tradeid, 3)
    assert exchange.time_settlement == int(play.now) + 604_800
    for item, before, owner in zip((given, asked), old, (play.player, play.bot), strict=True):
        assert item.asset_id != before
        assert (item.owner, item.context_id) == (owner.steam_id, 16)
        assert item.protected_until == exchange.time_settlement


@pytest.mark.parametrize("changes", [False, True])
def test_settlement_moves_items_back_to_context_2(make_play: type[Play], changes: bool) -> None:
    play = make_play(settle_changes_ids=changes)
    item = play.stock(play.player)[0]
    offer = play.send(play.bot, play.player, [], [item])
    play.accept(play.player, offer)
    play.confirm(offer)
    before = item.asset_id

    play.advance(604_800)

    assert (item.context_id, item.protected_until) == (2, 0)
    assert (item.asset_id != before) is changes
    assert play.world.items.find((play.bot.steam_id, 730, 2), item.asset_id) is item


def test_no_protection_when_it_is_switched_off(make_play: type[Play]) -> None:
    play = make_play(protection_s=0)
    item = play.stock(play.bot)[0]
    offer = play.send(play.bot, play.player, [item], [])
    play.confirm(offer)
    tradeid, _ = play.accept(play.player, offer)

    assert (item.context_id, play.world.exchanges[tradeid].time_settlement) == (2, 0)


def test_the_second_of_two_offers_for_one_item_becomes_invalid(play: Play) -> None:
    item = play.stock(play.player)[0]
    first = play.send(play.bot, play.player, [], [item])
    second = play.send(play.other_bot, play.player, [], [item])
    play.accept(play.player, first)
    play.confirm(first)

    assert (first.state, second.state) == (State.ACCEPTED, State.INVALID_ITEMS)


def test_accepting_what_is_gone_is_26_and_invalidates_the_offer(play: Play) -> None:
    item = play.stock(play.bot)[0]
    offer = play.send(play.bot, play.player, [item], [])
    play.confirm(offer)
    item.tradable = False

    assert refusal(play.accept, play.player, offer) == 26
    assert offer.state == State.INVALID_ITEMS


def test_accepting_twice_is_28_and_another_mans_offer_11(play: Play) -> None:
    offer = play.send(play.bot, play.player, play.stock(play.bot)[:1], [])
    assert refusal(play.accept, play.player, offer) == 11
    play.confirm(offer)
    assert refusal(play.accept, play.players[0], offer) == 11
    assert refusal(play.accept, play.bot, offer) == 11
    play.accept(play.player, offer)

    assert refusal(play.accept, play.player, offer) == 28


def test_a_full_inventory_is_25_and_a_swap_still_fits(make_play: type[Play]) -> None:
    play = make_play(inventory_max=6)
    offer = play.send(play.bot, play.player, play.stock(play.bot)[:1], [])
    play.confirm(offer)
    swap = play.send(play.bot, play.player, play.stock(play.bot)[1:2], play.stock(play.player)[:1])
    play.confirm(swap)

    assert refusal(play.accept, play.player, offer) == 25
    assert offer.state == State.ACTIVE
    assert play.accept(play.player, swap)[1] is True


def test_a_hold_keeps_the_items_until_it_is_over(play: Play) -> None:
    play.player.hold_days = 15
    item = play.stock(play.player)[0]
    offer = play.send(play.bot, play.player, [], [item])
    tradeid, _ = play.accept(play.player, offer)
    play.confirm(offer)
    exchange = play.world.exchanges[tradeid]

    assert (offer.state, exchange.status) == (State.IN_ESCROW, 10)
    assert offer.escrow_end == exchange.time_escrow_end == int(play.now) + 15 * 86400
    assert item not in play.world.items.at((play.player.steam_id, 730, 2))
    play.advance(15 * 86400 - 1)
    assert item.in_escrow
    play.advance(1)
    assert (offer.state, exchange.status, item.owner) == (State.ACCEPTED, 3, play.bot.steam_id)


def test_a_hold_of_the_side_that_gives_nothing_does_not_matter(play: Play) -> None:
    play.player.hold_days = 15
    offer = play.send(play.bot, play.player, play.stock(play.bot)[:1], [])
    play.confirm(offer)
    play.accept(play.player, offer)

    assert offer.state == State.ACCEPTED


def test_a_cancelled_hold_returns_the_items_under_new_ids(play: Play) -> None:
    from sandbox.world import trading

    play.player.hold_days = 3
    item = play.stock(play.player)[0]
    before = item.asset_id
    offer = play.send(play.bot, play.player, [], [item])
    tradeid, _ = play.accept(play.player, offer)
    play.confirm(offer)
    trading.cancel(play.world, play.bot, offer.offer_id, play.now)

    move = play.world.exchanges[tradeid].moves[0]
    assert (offer.state, play.world.exchanges[tradeid].status) == (State.CANCELED, 11)
    assert (item.owner, item.context_id) == (play.player.steam_id, 2)
    assert item.asset_id == move.rollback_asset_id != before
    play.advance(4 * 86400)
    assert item.owner == play.player.steam_id


def test_held_offers_do_not_count_against_the_limit(make_play: type[Play]) -> None:
    play = make_play(offers_per_partner_max=1)
    play.player.hold_days = 3
    first, second = play.stock(play.player)[:2]
    offer = play.send(play.bot, play.player, [], [first])
    play.accept(play.player, offer)
    play.confirm(offer)

    assert play.send(play.bot, play.player, [], [second]).state == State.ACTIVE


def test_a_counter_offer_replaces_the_first_one_without_a_token(play: Play) -> None:
    from sandbox.world import people

    offer = play.send(play.bot, play.player, [], play.stock(play.player)[:2])
    people.act(play.world, play.player, offer, "counter", play.now)
    (answer,) = [o for o in play.world.offers if o.sender == play.player.steam_id]

    assert (offer.state, answer.state) == (State.COUNTERED, State.ACTIVE)
    assert len(answer.give) == 1
    assert len(answer.receive) == 1
    assert refusal(play.send, play.player, play.bot, play.stock(play.player)[:1], [], countered=offer.offer_id) == 11


def test_only_the_recipient_may_counter(play: Play) -> None:
    offer = play.send(play.bot, play.player, [], play.stock(play.player)[:1])
    stranger = play.players[0]

    code = refusal(play.send, stranger, play.bot, play.stock(stranger)[:1], [], countered=offer.offer_id)
    assert code == 11
    assert offer.state == State.ACTIVE


@pytest.mark.parametrize(
    ("habit", "state"),
    [
        ("accept", State.ACCEPTED),
        ("decline", State.DECLINED),
        ("counter", State.COUNTERED),
        ("ignore", State.ACTIVE),
        ("manual", State.ACTIVE),
    ],
)
def test_people_act_by_habit_after_their_time_and_only_on_active_offers(play: Play, habit: str, state: State) -> None:
    play.player.habit, play.player.delay_s = habit, 30.0
    offer = play.send(play.bot, play.player, play.stock(play.bot)[:1], [])
    play.advance(100)
    assert state_of(offer) == State.NEEDS_CONFIRMATION

    play.confirm(offer)
    play.advance(29)
    assert state_of(offer) == State.ACTIVE
    play.advance(1)
    assert state_of(offer) == state


def test_a_jump_of_the_clock_does_everything_at_its_own_time(play: Play) -> None:
    play.player.habit, play.player.delay_s = "accept", 60.0
    offer = play.send(play.bot, play.player, [], play.stock(play.player)[:1])
    item = play.world.items.by_uid[offer.receive[0].item_uid]
    start = int(play.now)

    play.advance(30 * 86400)

    assert offer.updated == start + 60
    assert offer.tradeid is not None
    assert play.world.exchanges[offer.tradeid].time_settlement == start + 60 + 604_800
    assert item.context_id == 2


def test_new_ids_are_missing_for_a_while_and_the_status_is_2_meanwhile(make_play: type[Play]) -> None:
    play = make_play(exchange_ids_delay_s=60)
    offer = play.send(play.bot, play.player, play.stock(play.bot)[:1], [])
    play.confirm(offer)
    tradeid, _ = play.accept(play.player, offer)
    exchange = play.world.exchanges[tradeid]

    assert (exchange.shows_ids(play.now), exchange.status_at(play.now)) == (False, 2)
    assert (exchange.shows_ids(play.now + 60), exchange.status_at(play.now + 60)) == (True, 3)


def test_an_exchange_may_stay_at_status_2_for_ever(make_play: type[Play]) -> None:
    play = make_play(exchanges_stay_committed=True)
    offer = play.send(play.bot, play.player, play.stock(play.bot)[:1], [])
    play.confirm(offer)
    tradeid, _ = play.accept(play.player, offer)
    play.advance(30 * 86400)

    exchange = play.world.exchanges[tradeid]
    assert (exchange.status_at(play.now), exchange.shows_ids(play.now), offer.state) == (2, True, State.ACCEPTED)


def test_a_poll_costs_what_it_returns(play: Play) -> None:
    for _ in range(50):
        offer = play.send(play.bot, play.player, [], play.stock(play.player)[:1])
        from sandbox.world import trading

        trading.cancel(play.world, play.bot, offer.offer_id, play.now)
        play.advance(10)
    recent = list(play.world.offers.changed_since(play.bot.steam_id, play.now - 30))

    assert len(recent) == 3
    assert [o.offer_id for o in recent] == sorted((o.offer_id for o in recent), reverse=True)
    assert play.world.offers.live(play.bot.steam_id) == []


@pytest.mark.parametrize(
    "change", [{"host": "0.0.0.0"}, {"protection_s": "1"}, {"tradable_in_16": 1}, {"protection_s": True}, {"nonsense": 1}]
)
def test_settings_that_do_not_fit_are_refused(play: Play, change: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        play.world.change_settings(change)
