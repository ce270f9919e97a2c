"""Raffles from the template to the seal: bought with coins, drawn when sold out, paid back when not. On paper."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.test import override_settings
from paper import HOUSE, Paper, owners, record_of
from raffling import ask, check_coins, give, has, open_raffle, people, terms

from website.accounts.models import Player
from website.care import services as care
from website.ledger import services as ledger
from website.ledger.models import Entry
from website.raffles import services
from website.raffles.models import Prize, Purchase, Template, TemplateVersion
from website.rooms import guarantees, rebuild
from website.rooms.models import Guarantee, Lane, Round

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def paper(database_url: str, site_settings: None) -> Paper:
    return Paper()


def rich(paper: Paper, cents: int = 10_000) -> Player:
    player = paper.player()
    give(player, cents, paper.now_ms)
    return player


def buy(paper: Paper, player: Player, at: Round, quantity: int) -> Purchase:
    row = ask(player, at, quantity, paper.now_ms)
    paper.settle()
    return Purchase.objects.get(id=row.id)


def check(paper: Paper) -> None:
    paper.check()
    check_coins()
    for lane in Lane.objects.all():
        assert rebuild.differences(lane) == []


def test_w22_a_raffle_is_drawn_when_its_last_ticket_is_sold_and_comes_again(paper: Paper) -> None:
    room = open_raffle(terms(), paper.now_ms)
    at = paper.game(room)
    ana, bo = rich(paper), rich(paper)
    assert [buy(paper, ana, at, 4).state, buy(paper, bo, at, 6).state] == [Purchase.PLACED] * 2
    assert (has(ana), has(bo), ledger.balance(ledger.escrow(at.lane, at.round))) == (6_000, 4_000, 10_000)
    before = Lane.objects.get(name=at.lane)
    late = buy(paper, ana, at, 1)
    assert (late.state, late.code, json.loads(late.details)) == (Purchase.REFUSED, "capacity", {"capacity": 0})
    done = paper.until_sealed(at)
    assert before.seq < Lane.objects.get(name=at.lane).seq and rebuild.differences(before) == [], (
        "what an engine added meanwhile"
    )
    record = record_of(done)
    ((winner, ticket),) = json.loads(done.winners)
    assert winner == (ana.id if ticket < 4 else bo.id) and done.closed_by == "sold_out"
    assert record["rules"]["raffle"]["prize"] == "a game" and record["outcome"]["payouts"][0]["claim"] == 0
    assert (ledger.balance(ledger.HOUSE), ledger.balance(ledger.escrow(at.lane, at.round))) == (10_000, 0)
    prize = Prize.objects.get(round=1)
    assert (prize.state, prize.player_id, prize.kind) == (Prize.OWED, winner, "hand")
    again = paper.game(room)
    assert (again.lane, again.round, again.players) == (at.lane, 2, 0)
    assert set(Purchase.objects.filter(round=1).exclude(state=Purchase.REFUSED).values_list("state", flat=True)) == {"over"}
    check(paper)


def test_a_raffle_that_is_not_sold_out_in_time_pays_everybody_back(paper: Paper) -> None:
    room = open_raffle(terms(expires_s=60), paper.now_ms)
    at = paper.game(room)
    ana, bo = rich(paper), rich(paper)
    assert [buy(paper, ana, at, 4).state, buy(paper, bo, at, 5).state] == [Purchase.PLACED] * 2
    paper.run(61)
    done = paper.until_sealed(at)
    assert (done.void_reason, done.closed_by) == ("expired", "expired")
    assert (has(ana), has(bo), ledger.balance(ledger.HOUSE)) == (10_000, 10_000, 0)
    assert record_of(done)["outcome"]["void"] == "expired"
    assert Prize.objects.get(round=1).state == Prize.VOID
    assert paper.game(room).round == 2
    check(paper)


def test_an_expired_raffle_without_a_buyer_comes_again(paper: Paper) -> None:
    room = open_raffle(terms(expires_s=60), paper.now_ms)
    at = paper.game(room)
    paper.run(61)
    paper.until_sealed(at)
    assert paper.game(room).round == 2 and not Entry.objects.exists()
    check(paper)


def test_instances_run_beside_each_other_until_the_template_is_off(paper: Paper) -> None:
    room = open_raffle(terms(parallel=3, tickets=2), paper.now_ms)
    paper.settle()
    ana, _ = people()
    assert Round.objects.filter(room=room, phase="game").count() == 3
    first, second, third = Round.objects.filter(room=room, phase="game").order_by("lane")
    player = rich(paper, 100_000)
    buy(paper, player, second, 2)
    paper.until_sealed(second)
    assert sorted(Round.objects.filter(room=room, phase="game").values_list("lane", "round")) == [
        (first.lane, 1),
        (second.lane, 2),
        (third.lane, 1),
    ]
    template_id = Template.objects.get().id
    services.deactivate(template_id, ana, "enough", paper.now_ms)
    buy(paper, player, first, 2)
    paper.until_sealed(first)
    paper.settle()
    assert sorted(Round.objects.filter(room=room, phase="game").values_list("lane", "round")) == [
        (second.lane, 2),
        (third.lane, 1),
    ]
    assert Lane.objects.get(name=first.lane).waits_for == "off"
    services.activate(template_id, ana, "again", paper.now_ms)
    paper.settle()
    assert Round.objects.filter(room=room, phase="game").count() == 3
    check(paper)


def test_w23_an_edit_reaches_the_next_instance_only_and_fewer_run_when_fewer_are_wanted(paper: Paper) -> None:
    room = open_raffle(terms(parallel=2, tickets=2), paper.now_ms)
    paper.settle()
    first, second = Round.objects.filter(room=room, phase="game").order_by("lane")
    template_id = Template.objects.get().id
    open_raffle(replace(terms(tickets=2), prize="another game", price_cents=19_000), paper.now_ms, template_id)
    player = rich(paper, 100_000)
    buy(paper, player, first, 2)
    done = paper.until_sealed(first)
    assert record_of(done)["rules"]["raffle"]["ticket_price"] == 5_000 and has(player) == 90_000
    paper.settle()
    assert not Round.objects.filter(lane=first.lane, round=2).exists()  # the other one is still there
    buy(paper, player, second, 2)
    paper.until_sealed(second)
    paper.run(40)
    (again,) = Round.objects.filter(room=room, phase="game")
    assert (again.lane, again.round, again.version) == (first.lane, 2, 2)
    buy(paper, player, again, 1)
    assert has(player) == 70_000
    check(paper)


def test_what_cannot_be_bought_costs_nothing(paper: Paper) -> None:
    at = paper.game(open_raffle(terms(), paper.now_ms))
    poor, other = rich(paper, 1_999), rich(paper)
    row = buy(paper, poor, at, 2)
    assert (row.code, json.loads(row.details)) == ("balance", {"needed": 2_000, "capacity": 1})
    buy(paper, other, at, 9)
    row = buy(paper, poor, at, 2)
    assert (row.code, json.loads(row.details)) == ("capacity", {"capacity": 1})
    Player.objects.filter(id=poor.id).update(blocked_why="looked at")
    assert buy(paper, poor, at, 1).code == "blocked"
    assert has(poor) == 1_999 and paper.round(at).tickets == 9
    check(paper)


def test_two_purchases_of_one_wallet_in_one_transaction_never_overdraw_it(paper: Paper) -> None:
    at, player = paper.game(open_raffle(terms(), paper.now_ms)), rich(paper, 1_500)
    rows = [ask(player, at, 1, paper.now_ms) for _ in range(3)]
    paper.settle()
    states = [Purchase.objects.get(id=row.id).code for row in rows]
    assert (states, has(player)) == (["", "balance", "balance"], 500)
    check(paper)


def test_nobody_has_more_than_the_templates_share(paper: Paper) -> None:
    at = paper.game(open_raffle(terms(share_max_percent=50), paper.now_ms))
    player = rich(paper)
    assert buy(paper, player, at, 3).state == Purchase.PLACED
    row = buy(paper, player, at, 3)
    assert (row.code, json.loads(row.details)) == ("share", {"capacity": 2, "most": 5, "percent": 50})
    assert buy(paper, player, at, 2).state == Purchase.PLACED
    assert has(player) == 5_000
    check(paper)


def test_a_template_may_ask_for_a_steam_level(paper: Paper) -> None:
    at = paper.game(open_raffle(terms(steam_level_min=10), paper.now_ms))
    player = rich(paper)
    for level, state in ((None, Purchase.REFUSED), (9, Purchase.REFUSED), (10, Purchase.PLACED)):
        Player.objects.filter(id=player.id).update(steam_level=level)
        assert buy(paper, player, at, 1).state == state
    check(paper)


def test_the_same_form_is_one_purchase(paper: Paper) -> None:
    at = paper.game(open_raffle(terms(), paper.now_ms))
    player = rich(paper)
    first = ask(player, at, 2, paper.now_ms, token="once")
    assert ask(player, at, 2, paper.now_ms, token="once").id == first.id
    paper.settle()
    assert ask(player, at, 2, paper.now_ms, token="once").state == Purchase.PLACED
    assert has(player) == 8_000
    check(paper)


def test_w14_limits_hold_over_raffles_and_an_excluded_player_buys_nothing(paper: Paper) -> None:
    room = open_raffle(terms(parallel=2), paper.now_ms)
    paper.settle()
    first, second = Round.objects.filter(room=room, phase="game").order_by("lane")
    player = rich(paper)
    with override_settings(SITE_LIMITS=[("stake", "day", 3_000)]):
        fresh = rich(paper)
        assert buy(paper, fresh, first, 2).state == Purchase.PLACED
        row = buy(paper, fresh, second, 2)
        assert (row.code, json.loads(row.details)["reason"], has(fresh)) == ("gate", "stake_limit", 8_000)
        assert buy(paper, fresh, second, 1).state == Purchase.PLACED
    care.exclude(player, None, paper.now_ms)
    row = buy(paper, player, first, 1)
    assert (row.code, json.loads(row.details)["reason"], has(player)) == ("gate", "self_excluded", 10_000)
    check(paper)


def test_an_item_of_the_house_is_locked_and_handed_to_the_winner(paper: Paper) -> None:
    room = open_raffle(terms(prize_kind=TemplateVersion.ITEM, tickets=2), paper.now_ms)
    paper.settle()
    assert not Round.objects.filter(room=room).exists()
    (knife,) = paper.fleet.add(HOUSE, "Knife", 50_000)
    guarantees.set_aside(room, [knife], people()[0], "the week's prize", paper.now_ms)
    at = paper.game(room)
    assert paper.fleet.deposits[knife].lock
    player = rich(paper)
    buy(paper, player, at, 2)
    paper.until_sealed(at)
    assert owners(paper, [knife]) == {player.user_id} and Guarantee.objects.get().state == Guarantee.GIVEN
    paper.settle()
    assert not Round.objects.filter(room=room, phase="game").exists()
    assert Lane.objects.get(room=room).waits_for == "prize"
    check(paper)


def test_an_item_is_free_again_when_its_template_is_switched_off_before_the_next_instance(paper: Paper) -> None:
    room = open_raffle(terms(prize_kind=TemplateVersion.ITEM, expires_s=60), paper.now_ms)
    (knife,) = paper.fleet.add(HOUSE, "Knife", 50_000)
    guarantees.set_aside(room, [knife], people()[0], "a prize", paper.now_ms)
    at = paper.game(room)
    services.deactivate(Template.objects.get().id, people()[0], "enough", paper.now_ms)
    paper.run(61)
    paper.until_sealed(at)
    paper.settle()
    assert not paper.fleet.deposits[knife].lock and Guarantee.objects.get().state == Guarantee.WAITING
    check(paper)
