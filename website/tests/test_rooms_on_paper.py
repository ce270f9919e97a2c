"""The rooms of the seed, guarantees, change and credits, and how rounds end without a draw: on paper, at any time of day."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import override_settings
from paper import HOUSE, Paper, owners, record_of

from website.accounts import referrals
from website.custody import services as custody
from website.custody.models import Exchange
from website.engine.models import Alarm, Call
from website.rooms import definitions, guarantees, numbers, services
from website.rooms.models import Bet, Guarantee, Lane, LaneMessage, RoomVersion, Round, TypedNumber

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SNG, RAFFLE = "SnG Ticket", "Raffle Ticket"
EVIDENCE = "https://stream.example/812 sha256:" + "ab" * 32


@pytest.fixture
def paper(database_url: str, site_settings: None) -> Paper:
    return Paper()


# ---- each room to its seal


def test_w22_classic_limited_ends_with_its_sixteenth_item(paper: Paper) -> None:
    paper.open("classic-limited")
    at = paper.game("classic-limited")
    players = [paper.player() for _ in range(8)]
    for player in players:
        assert paper.bet(player, at, paper.items(player, 200, 30)).state == Bet.PLACED
    late = paper.bet(paper.player(), at, paper.items(players[0], 100))
    assert (late.state, late.code) == (Bet.REFUSED, "round_over")
    done = paper.until_sealed(at)
    record = record_of(done)
    assert (done.closed_by, done.items, done.pot_cents) == ("items", 16, 1840)
    assert record["outcome"]["rake"]["due"] == 184
    paper.check()


def test_w22_a_giveaway_gives_its_prize_and_keeps_the_tickets(paper: Paper) -> None:
    (prize,) = paper.fleet.add(HOUSE, "Knife", 50_000)
    paper.open("giveaway", item_limit_max=3, bet_item_limit_max=2)
    guarantees.set_aside("giveaway", [prize], paper.operator("ana"), "the week's prize", paper.now_ms)
    at = paper.game("giveaway")
    assert paper.fleet.deposits[prize].lock == f"gua_{at.lane}_{at.round}"
    ana, bo = paper.player(), paper.player()
    hers, his = paper.items(ana, 100, 100, name=RAFFLE), paper.items(bo, 100, name=RAFFLE)
    assert paper.bet(bo, at, paper.items(bo, 100)).code == "not_allowed"
    assert [paper.bet(ana, at, hers).state, paper.bet(bo, at, his).state] == [Bet.PLACED, Bet.PLACED]
    done = paper.until_sealed(at)
    ((winner, _),) = json.loads(done.winners)
    assert owners(paper, [prize]) == {str(winner)} and owners(paper, [*hers, *his]) == {HOUSE}
    assert record_of(done)["outcome"]["payouts"][0]["claim"] == 0
    assert Guarantee.objects.get().state == Guarantee.GIVEN
    paper.check()


def test_w22_five_against_five_play_until_a_team_is_gone(paper: Paper) -> None:
    paper.open("5v5", time_limit=5)
    at = paper.game("5v5")
    seats = [(paper.player(), team) for team in (1, 2) for _ in range(5)]
    ids: list[str] = []
    for place, (player, team) in enumerate(seats):
        mine = paper.items(player, 333 + place, 101)
        ids += mine
        assert paper.bet(player, at, mine, team).state == Bet.PLACED
    switched = paper.bet(seats[0][0], at, paper.items(seats[0][0], 500), 2)
    assert (switched.state, switched.code) == (Bet.REFUSED, "team_switched")
    done = paper.until_sealed(at)
    outcome = record_of(done)["outcome"]
    teams = {player.id: team for player, team in seats}
    living = {payout["user_id"] for payout in outcome["payouts"]}
    assert len({teams[user_id] for user_id in living}) == 1
    assert len(outcome["eliminations"]) == 10 - len(living) >= 5
    rests = {(payout["user_id"], payout["credit"]) for payout in outcome["payouts"] if payout["credit"]}
    assert rests == {(int(line.user_id), line.cents) for line in paper.fleet.credited if line.kind == "rest"}
    assert rests or len(living) == 1, "with these prices something is left over when several share"
    assert owners(paper, ids) <= {HOUSE, *map(str, living)}
    paper.check()


def test_w22_sit_n_go_is_played_with_tickets_of_an_exchange(paper: Paper) -> None:
    paper.open("sit-n-go")
    at = paper.game("sit-n-go")
    players, tickets = [paper.player() for _ in range(10)], []
    for player in players:
        give = paper.items(player, 130)
        row = custody.exchange(player, custody.Swap(give, 130, "one", SNG, 1), paper.now_ms)
        paper.settle()
        row.refresh_from_db()
        assert row.state == Exchange.DONE and json.loads(row.answer)["rest_cents"] == 30
        tickets += json.loads(row.answer)["took"]
    for player, ticket in zip(players, tickets, strict=True):
        assert paper.bet(player, at, [ticket]).state == Bet.PLACED
    done = paper.until_sealed(at)
    payouts = record_of(done)["outcome"]["payouts"]
    assert [len(payout["rows"]) for payout in payouts] == [5, 3, 1]
    held = [paper.fleet.deposits[each].owner for each in tickets]
    assert sorted(held.count(str(payout["user_id"])) for payout in payouts) == [1, 3, 5] and held.count(HOUSE) == 1
    assert paper.game("sit-n-go").lane != at.lane or paper.game("sit-n-go").round > at.round
    paper.check()


@pytest.mark.parametrize("entropy", ["manual:mixed", "manual:direct"])
def test_w22_the_global_pot_is_drawn_by_typed_numbers(paper: Paper, entropy: str) -> None:
    """Mixed with a beacon, bets stop and the numbers close the round; direct, they are the tickets, typed after the close."""
    changes: dict[str, Any] = {} if entropy == "manual:mixed" else {"entropy": entropy}
    (lane, _) = paper.open("global-pot", global_pot_limit=1_000, shares=[5, 3], **changes)
    at = paper.game("global-pot")
    ana, bo = paper.player(), paper.player()
    assert paper.bet(ana, at, paper.items(ana, 400, 100)).state == Bet.PLACED
    assert paper.bet(bo, at, paper.items(bo, 250, 250)).state == Bet.PLACED
    paper.run(3)
    assert paper.round(at).phase == ("typing" if entropy == "manual:mixed" else "opened")
    people = [paper.operator(name) for name in ("typist", "second", "third")]
    type_both(paper, lane, 1, "17", people[:2])
    with pytest.raises(numbers.NumberError, match="number 2"):
        numbers.type_in(lane, 1, "17", EVIDENCE, people[0], paper.now_ms)
    type_both(paper, lane, 2, "612", people[1:])
    done = paper.until_sealed(at)
    record = record_of(done)
    assert [each["digits"] for each in record["manual"]] == ["17", "612"]
    assert [(each["operator1"], each["operator2"]) for each in record["manual"]] == [
        (people[0].id, people[1].id),
        (people[1].id, people[2].id),
    ]
    if entropy == "manual:direct":
        assert [each["ticket"] for each in record["outcome"]["winners"]] == [17, 612]
    said = LaneMessage.objects.filter(lane=lane, kind="typed").order_by("seq").values_list("body", flat=True)
    assert [json.loads(body)["digits"] for body in said] == ["17", "612"]
    paper.check()


def type_both(paper: Paper, lane: str, number: int, digits: str, people: list[Any]) -> None:
    for person in people:
        numbers.type_in(lane, number, digits, EVIDENCE, person, paper.now_ms)
    paper.settle()


def test_a_typed_number_counts_when_two_have_typed_the_same(paper: Paper) -> None:
    (lane, _) = paper.open("global-pot", global_pot_limit=200, shares=[1], entropy="manual:direct")
    at = paper.game("global-pot")
    one, two, three = (paper.operator(name) for name in ("one", "two", "three"))
    with pytest.raises(numbers.NumberError, match="awaits no number"):
        numbers.type_in(lane, 1, "1", EVIDENCE, one, paper.now_ms)
    for _ in range(2):
        player = paper.player()
        paper.bet(player, at, paper.items(player, 100))
    paper.run(2)
    numbers.type_in(lane, 1, "150", EVIDENCE, one, paper.now_ms)
    numbers.type_in(lane, 1, "150", EVIDENCE, one, paper.now_ms)  # the same again is the same
    paper.settle()
    assert paper.round(at).phase == "opened", "one person alone decides nothing"
    with pytest.raises(numbers.NumberError, match="otherwise"):
        numbers.type_in(lane, 1, "151", EVIDENCE, one, paper.now_ms)
    numbers.type_in(lane, 1, "151", EVIDENCE, two, paper.now_ms)
    with pytest.raises(numbers.NumberError, match="two have typed"):
        numbers.type_in(lane, 1, "151", EVIDENCE, three, paper.now_ms)
    paper.settle()
    assert set(TypedNumber.objects.values_list("state", flat=True)) == {TypedNumber.DIFFERS}
    type_both(paper, lane, 1, "200", [one, three])
    refused = TypedNumber.objects.filter(state=TypedNumber.REFUSED).values_list("digits", "code")
    assert list(refused) == [("200", "digits")] * 2, "there is no ticket 200"
    type_both(paper, lane, 1, "199", [one, three])
    assert paper.until_sealed(at).phase == "sealed"
    for wrong in ("", "-1", "1.5", "1" * 101, "١"):
        with pytest.raises(numbers.NumberError):
            numbers.type_in(lane, 1, wrong, EVIDENCE, one, paper.now_ms)
    paper.check()


# ---- the house's part


@override_settings(SITE_LANES_PER_ROOM=1)  # of two, each binds a part of the stock
def test_w11_guarantees_go_to_the_winner_and_change_comes_out_of_the_stock(paper: Paper) -> None:
    prizes = paper.fleet.add(HOUSE, "Gloves", 900, 2)
    small = [*paper.fleet.add(HOUSE, "Sticker", 3, 30), *paper.fleet.add(HOUSE, "Case", 200, 4)]
    tickets = paper.fleet.add(HOUSE, SNG, 100, 2)
    paper.open("classic-unlimited", time_limit=2)
    guarantees.set_aside("classic-unlimited", prizes, paper.operator("ana"), "a good evening", paper.now_ms)
    at = paper.game("classic-unlimited")
    assert all(not paper.fleet.deposits[each].lock for each in tickets), "tickets are no change"
    assert {paper.fleet.deposits[each].lock for each in prizes} == {f"gua_{at.lane}_{at.round}"}
    ana, bo = paper.player(), paper.player()
    paper.bet(ana, at, paper.items(ana, 1000))
    paper.bet(bo, at, paper.items(bo, 820, 205))
    done = paper.until_sealed(at)
    record = record_of(done)
    ((winner, _),) = json.loads(done.winners)
    (payout,) = record["outcome"]["payouts"]
    assert owners(paper, prizes) == {str(winner)} and len(payout["guarantees"]) == 2
    changed = [each for each in small if paper.fleet.deposits[each].owner == str(winner)]
    assert len(changed) == len(payout["change"]) > 0
    assert record["outcome"]["rake"]["net"] <= record["outcome"]["rake"]["due"]
    assert not any(paper.fleet.deposits[each].lock == f"stk_{at.lane}_{at.round}" for each in small)
    paper.check()


def test_a_round_whose_guarantee_is_not_to_be_had_is_not_created(paper: Paper) -> None:
    """The prize belongs to somebody else: an alarm says so, nothing is bound, and another prize lets the round begin."""
    somebody = paper.player()
    (foreign,) = paper.items(somebody, 900)
    first, second = paper.open("giveaway")
    paper.settle()
    assert not Round.objects.exists()
    assert Alarm.objects.get(ended_ms=None).kind == "no_prize"
    ana = paper.operator("ana")
    row = guarantees.set_aside("giveaway", [foreign], ana, "a mistake", paper.now_ms)
    paper.run(3)
    row.refresh_from_db()
    assert (row.state, row.code, row.lane) == (Guarantee.REFUSED, "not_owner", first)
    assert not Round.objects.filter(lane=first).exists()
    alarm = Alarm.objects.get(kind="guarantee_refused")
    assert "not_owner" in alarm.text and first in alarm.text
    with pytest.raises(guarantees.GuaranteeError, match="set aside already"):
        guarantees.set_aside("giveaway", [foreign], ana, "again", paper.now_ms)
    guarantees.drop(row.id, paper.now_ms)
    prizes = paper.fleet.add(HOUSE, "Knife", 5_000, 2)
    for prize in prizes:
        guarantees.set_aside("giveaway", [prize], ana, "a real one", paper.now_ms)
    paper.run(2)
    assert {(each.lane, each.ref) for each in Guarantee.objects.filter(state=Guarantee.BOUND)} == {
        (first, f"gua_{first}_1_2"),
        (second, f"gua_{second}_1"),
    }
    assert not Alarm.objects.filter(ended_ms=None).exists()
    with pytest.raises(guarantees.GuaranteeError, match="does not wait"):
        guarantees.drop(Guarantee.objects.filter(state=Guarantee.BOUND).first().id, paper.now_ms)  # type: ignore[union-attr]
    paper.check()


def test_what_is_set_aside_is_never_given_as_change(paper: Paper) -> None:
    (cheap,) = paper.fleet.add(HOUSE, "Sticker", 3)
    paper.open("giveaway")
    guarantees.set_aside("giveaway", [cheap], paper.operator("ana"), "a joke", paper.now_ms)
    paper.open("classic-unlimited")
    assert paper.fleet.free(5_000) == [cheap]
    Lane.objects.filter(room="giveaway").update(state=Lane.PAUSED)
    paper.game("classic-unlimited")
    assert paper.fleet.deposits[cheap].lock == ""


def test_inviters_are_credited_with_the_items_and_count_from_the_first_deposit(paper: Paper) -> None:
    top = paper.player()
    paper.now_ms += 10
    middle = paper.player(inviter=top)
    paper.now_ms += 10
    asleep = paper.player(inviter=top, deposited=False)
    paper.now_ms += 10
    players = [paper.player(inviter=middle), paper.player(inviter=asleep)]
    paper.open("classic-limited", item_limit_max=2, bet_item_limit_max=1, bet_value_max=10_000)
    at = paper.game("classic-limited")
    for player in players:
        paper.bet(player, at, paper.items(player, 5_000))
    small = paper.fleet.add(HOUSE, "Case", 500, 20)
    assert small
    done = paper.until_sealed(at)
    record = record_of(done)
    bound = {each["user_id"]: each["inviters"] for each in record["inviters"]} if "inviters" in record else None
    assert bound in (None, {players[0].id: [middle.id, top.id], players[1].id: [asleep.id]})
    ((winner, _),) = json.loads(done.winners)
    above = {players[0].id: [middle, top], players[1].id: [asleep]}[winner]
    net = record["outcome"]["rake"]["net"]
    lines = record["outcome"]["referral"]
    credited = [(line.user_id, line.cents) for line in paper.fleet.credited if line.kind == "referral"]
    assert bool(lines) == bool(net)
    expected, amount = [], net
    for inviter in above:
        amount = amount * 20 // 100
        expected += [(inviter.user_id, amount)] if amount else []
    assert credited == expected
    paper.check()


def test_an_inviter_whom_the_fleet_does_not_know_stops_no_round(paper: Paper) -> None:
    """The fleet would refuse a credit to a stranger, and with it everything else that the call moves."""
    strange = paper.player()
    Call.objects.create(kind=Call.USER, ref=strange.user_id, body="{}", state=Call.REFUSED, made_ms=paper.now_ms)
    paper.now_ms += 10
    known = paper.player(inviter=strange)
    paper.now_ms += 10
    assert referrals.inviters(paper.player(inviter=known), paper.now_ms) == (known.id,)
    assert referrals.inviters(known, paper.now_ms) == ()


def test_two_lanes_share_the_stock(paper: Paper) -> None:
    small = paper.fleet.add(HOUSE, "Sticker", 3, 40)
    lanes = paper.open("classic-unlimited")
    paper.settle()
    held = [paper.fleet.deposits[each].lock for each in small]
    assert min(held.count(f"stk_{lane}_1") for lane in lanes) >= 10


# ---- exchanges


def test_a_piece_that_a_round_has_for_change_is_no_prize_until_the_round_is_over(paper: Paper) -> None:
    """Its lock would be refused, and a lane would stand still until somebody drops the prize."""
    paper.open("classic-unlimited", time_limit=5)
    paper.open("giveaway")
    paper.fleet.add(HOUSE, "Small item", 20, 8)
    at = paper.game("classic-unlimited")
    (bound, *_) = (row.deposit_id for row in paper.fleet.deposits.values() if row.lock == f"stk_{at.lane}_{at.round}")
    with pytest.raises(guarantees.GuaranteeError, match="bound as change"):
        guarantees.set_aside("giveaway", [bound], paper.operator("proposer"), "a prize", paper.now_ms)
    paper.fleet.add(HOUSE, "Small item", 20)  # came in later: nobody has bound it
    (later, *_) = reversed(paper.fleet.deposits)
    assert guarantees.set_aside("giveaway", [later], paper.operator("proposer"), "a prize", paper.now_ms)


def test_an_exchange_is_done_once_and_a_refused_one_says_why(paper: Paper) -> None:
    ana = paper.player()
    mine = paper.items(ana, 250, 80)
    swap = custody.Swap(mine[:1], 250, "one", SNG, 2)
    rows = [custody.exchange(ana, swap, paper.now_ms) for _ in range(3)]
    assert len({row.id for row in rows}) == 1
    with pytest.raises(custody.ExchangeError, match="other items"):
        custody.exchange(ana, custody.Swap(mine, 330, "one", SNG, 3), paper.now_ms)
    other = custody.exchange(ana, custody.Swap(mine[1:], 90, "two", SNG, 1), paper.now_ms)
    of_credit = custody.exchange(ana, custody.Swap([], 40, "three", SNG, 1, credit_cents=40), paper.now_ms)
    paper.settle()
    found = {row.token: (row.state, row.code) for row in Exchange.objects.all()}
    assert found == {"one": ("done", ""), "two": ("refused", "price_changed"), "three": ("refused", "too_little")}
    assert owners(paper, mine[:1]) == {HOUSE} and owners(paper, mine[1:]) == {ana.user_id}
    assert [(line.user_id, line.cents) for line in paper.fleet.credited] == [(ana.user_id, 50)]
    assert not Alarm.objects.exists() and other.id != of_credit.id
    for wrong in (
        custody.Swap([], 0, "x", SNG, 1),
        custody.Swap(mine, 1, "x"),
        custody.Swap(mine, 1, "x", SNG, 1, ["dep_1"]),
        custody.Swap(mine, 1, "x", SNG, 0),
        custody.Swap(mine * 2, 1, "x", SNG, 1),
        custody.Swap(mine, -1, "x", SNG, 1),
        custody.Swap(mine, 1, "", SNG, 1),
    ):
        with pytest.raises(custody.ExchangeError):
            custody.exchange(ana, wrong, paper.now_ms)


def test_s2_every_first_answer_of_the_fleet_is_lost_and_nothing_happens_twice(paper: Paper) -> None:
    """Locks of guarantees, change and bets, an exchange, the transfer, unlocks: each is asked for again under its ref."""
    paper.fleet.loses = True
    prizes = paper.fleet.add(HOUSE, "Knife", 5_000, 2)
    paper.open("giveaway", item_limit_max=2, bet_item_limit_max=1)
    for prize in prizes:
        guarantees.set_aside("giveaway", [prize], paper.operator("ana"), "prizes", paper.now_ms)
    paper.run(3)
    at = paper.game("giveaway")
    players = [paper.player() for _ in range(2)]
    swaps = [
        custody.exchange(each, custody.Swap(paper.items(each, 130), 130, "one", RAFFLE, 1), paper.now_ms) for each in players
    ]
    paper.run(3)
    for swap, player in zip(swaps, players, strict=True):
        swap.refresh_from_db()
        assert paper.bet(player, at, json.loads(swap.answer)["took"]).state == Bet.LOCKING
    done = paper.until_sealed(at)
    paper.run(5)
    assert record_of(done)["outcome"]["payouts"][0]["guarantees"]
    assert [ref for ref, *_ in paper.fleet.transfers] == [f"round:{at.lane}:{at.round}:1"]
    assert sum(line.cents for line in paper.fleet.credited) == 60, "the rest of each exchange, once"
    assert {kind for kind, _ in paper.fleet.lost} == {Call.LOCK, Call.EXCHANGE, Call.TRANSFER}
    paper.check()


# ---- void by rule


def test_a_room_that_stays_open_too_long_gives_everything_back(paper: Paper) -> None:
    paper.open("classic-limited", open_max_s=3_600)
    at = paper.game("classic-limited")
    players = [paper.player() for _ in range(3)]
    ids = {player.user_id: paper.items(player, 100, 50) for player in players}
    for player in players:
        assert paper.bet(player, at, ids[player.user_id]).state == Bet.PLACED
    paper.run(3_540, 60)
    assert paper.round(at).phase == "game"
    paper.run(60, 60)
    done = paper.round(at)
    assert (done.phase, done.void_reason, done.closed_by) == ("void", "open too long", "too_long")
    assert_all_back(paper, ids)
    record_of(done)
    paper.check()


def test_a_lonely_bettor_gets_everything_back_and_the_guarantee_waits_for_the_next_round(paper: Paper) -> None:
    prizes = paper.fleet.add(HOUSE, "Gloves", 900)
    paper.open("classic-unlimited")
    guarantees.set_aside("classic-unlimited", prizes, paper.operator("ana"), "a good evening", paper.now_ms)
    at = paper.game("classic-unlimited")
    ana = paper.player()
    ids = {ana.user_id: paper.items(ana, 100, 200)}
    paper.bet(ana, at, ids[ana.user_id])
    paper.run(900, 30)
    done = paper.round(at)
    assert (done.phase, done.void_reason) == ("void", "one player only")
    assert_all_back(paper, ids)
    paper.settle()
    row = Guarantee.objects.get()
    assert row.state == Guarantee.BOUND and (row.lane, row.round) != (at.lane, at.round)
    assert paper.fleet.deposits[prizes[0]].lock == row.ref
    record_of(done)
    paper.check()


def test_a_clock_that_finds_too_few_players_voids_the_round(paper: Paper) -> None:
    prizes = paper.fleet.add(HOUSE, "Knife", 9_000, 2)
    paper.open("giveaway", min_players=2, time_limit=60)
    for prize in prizes:
        guarantees.set_aside("giveaway", [prize], paper.operator("ana"), "prizes", paper.now_ms)
    at = paper.game("giveaway")
    ana = paper.player()
    ids = {ana.user_id: paper.items(ana, 100, name=RAFFLE)}
    paper.bet(ana, at, ids[ana.user_id])
    paper.run(62)
    done = paper.round(at)
    assert (done.phase, done.void_reason) == ("void", "too few players")
    assert_all_back(paper, ids)
    record_of(done)
    paper.check()


def test_a_full_pot_that_nobody_draws_is_void_too(paper: Paper) -> None:
    """Bets have stopped, the numbers are never typed: `open_max_s` ends that as well."""
    paper.open("global-pot", global_pot_limit=200, shares=[1], open_max_s=3_600)
    at = paper.game("global-pot")
    players = [paper.player() for _ in range(2)]
    ids = {player.user_id: paper.items(player, 100) for player in players}
    for player in players:
        paper.bet(player, at, ids[player.user_id])
    assert paper.round(at).phase == "typing"
    paper.run(3_600, 600)
    assert paper.round(at).phase == "void"
    assert_all_back(paper, ids)
    paper.check()


def assert_all_back(paper: Paper, ids: dict[str, list[str]]) -> None:
    for user_id, mine in ids.items():
        for each in mine:
            row = paper.fleet.deposits[each]
            assert (row.owner, row.lock) == (user_id, "")


# ---- versions of rules


def test_w23_a_running_round_keeps_its_rules_and_the_next_one_takes_the_new(paper: Paper) -> None:
    paper.open("classic-unlimited", time_limit=20)
    at = paper.game("classic-unlimited")
    first = RoomVersion.objects.get(room="classic-unlimited", version=1)
    ana, bo = paper.player(), paper.player()
    paper.bet(ana, at, paper.items(ana, 500))
    assert paper.draft("classic-unlimited", time_limit=3, bet_value_min=900) == 2
    RoomVersion.objects.filter(id=first.id).update(rules=first.rules.replace('"time_limit":20', '"time_limit":1'))
    paper.writer._held.clear()  # as after a restart: everything is folded anew
    assert paper.bet(bo, at, paper.items(bo, 500)).state == Bet.PLACED, "900 is for rounds to come"
    paper.run(10)
    assert paper.round(at).phase == "game", "it still runs for twenty seconds"
    done = paper.until_sealed(at)
    record = record_of(done)
    assert record["rules"]["time_limit"] == 20 and bytes(done.rules_hash) == bytes(first.rules_hash)
    again = paper.game("classic-unlimited")
    paper.run(1)
    later = Round.objects.filter(version=2)
    assert later.exists() and {bytes(row.rules_hash) for row in Round.objects.all()} <= approved_hashes()
    assert again.version in (1, 2)
    assert [row.state for row in RoomVersion.objects.order_by("version")] == [RoomVersion.RETIRED, RoomVersion.IN_USE]
    RoomVersion.objects.filter(id=first.id).update(rules=first.rules)
    paper.check()


def approved_hashes() -> set[bytes]:
    rows = RoomVersion.objects.exclude(state=RoomVersion.DRAFT).exclude(approved_by=None)
    return {bytes(row.rules_hash) for row in rows}


def test_w23_a_draft_and_a_version_whose_time_has_not_come_are_not_used(paper: Paper) -> None:
    paper.open("classic-unlimited")
    newer = definitions.load("classic-unlimited")
    ana, bo = paper.operator("proposer"), paper.operator("approver")
    services.draft(newer, ana, "a draft", paper.now_ms)
    later = services.draft(newer, ana, "for later", paper.now_ms, paper.now_ms + 3_600_000)
    with pytest.raises(services.TwoPeopleError):
        services.approve("classic-unlimited", later.version, ana)
    services.approve("classic-unlimited", later.version, bo)
    paper.run(3)
    assert set(Round.objects.values_list("version", flat=True)) == {1}
    paper.check()


def test_w15_a_pot_of_thousands_of_items_is_settled_in_parts(paper: Paper) -> None:
    """2 400 items of 24 players: one call takes 2 000, so a second one follows, and frees what is left of the stock."""
    paper.fleet.add(HOUSE, "Sticker", 3, 10)
    paper.open("classic-unlimited", time_limit=5, item_limit_max=2_400, bet_item_limit_max=100)
    at = paper.game("classic-unlimited")
    for _ in range(24):
        player = paper.player()
        assert paper.bet(player, at, paper.items(player, *[100] * 100)).state == Bet.PLACED
    done = paper.until_sealed(at)
    assert len(record_of(done)["items"]) == 2_400
    refs = [f"round:{at.lane}:{at.round}:{part}" for part in (1, 2)]
    assert [(ref, release) for ref, _, _, release in paper.fleet.transfers] == [(refs[0], "none"), (refs[1], "rest")]
    assert sum(moves for _, moves, _, _ in paper.fleet.transfers) == 2_400
    paper.check()
