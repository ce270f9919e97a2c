"""What somebody needs who runs rounds for others: rules that end a round, odds, the public view, pending work, snapshots."""

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import permutations
from random import Random
from typing import Any

import lottery_factories as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery import odds, payouts, rooms, rounds, teams, view
from lottery.commitments import Piece
from lottery.effects import Closed, Opened, Refund, Settle, Started, Stopped
from lottery.encoding import canonical_json
from lottery.errors import LotteryError, Refused, RoomError
from lottery.events import Buy, Create, Event, Finalize, Open, Settled, Start, Tick, Void
from lottery.payouts import moving_rows
from lottery.snapshots import load, snapshot
from lottery.state import Phase, Round

HOUR = 3_600_000


def refused(state: Round, event: Any) -> str:
    before = snapshot(state)
    with pytest.raises(Refused) as caught:
        rounds.apply(state, event)
    assert snapshot(state) == before
    return caught.value.code


# ---- ends by rule


def test_a_round_with_one_bettor_is_void_by_rule() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.started()
    make.place(state, 1, [300], state.now + 500)
    end = state.now + 900_000
    make.place(state, 1, [300], end - 1)
    assert refused(state, make.bet(state, 2, [300], end)) == "deadline"
    assert refused(state, make.bet(state, 1, [300], end)) == "deadline"
    assert refused(state, Void(end, make.token(), "regret")) == "deadline"
    assert rounds.apply(state, Tick(end - 1, make.token())) == ()
    (refund,) = rounds.apply(state, Tick(end + 77_000, make.token()))
    assert isinstance(refund, Refund)
    assert (state.phase, refund.reason, state.close and state.close.close_ms) == (Phase.VOID, "one player only", end)


def test_a_second_bettor_ends_the_loneliness_for_good() -> None:
    state = make.Lane(rooms.load("classic-unlimited", player_limit=5)).started()
    make.place(state, 1, [300])
    make.place(state, 2, [300], state.now + 899_999)
    assert rounds.apply(state, Tick(state.now + 10**9, make.token())) == ()
    assert state.phase is Phase.GAME


@pytest.mark.parametrize("name", ["classic-limited", "sit-n-go", "5v5"])
def test_a_round_that_never_closes_is_void_a_day_after_its_first_bet(name: str) -> None:
    state = make.Lane(rooms.load(name)).started()
    rounds.apply(state, Tick(state.now + 100 * HOUR, make.token()))
    team, item = (1, 11) if name == "5v5" else (0, 1)
    make.place(state, 1, [100], team=team, item=item)
    end = state.now + 24 * HOUR
    assert refused(state, make.bet(state, 2, [100], end, team=team, item=item)) == "deadline"
    (refund,) = rounds.apply(state, Tick(end, make.token()))
    assert isinstance(refund, Refund)
    assert refund.reason == "open too long"


def test_the_global_pot_may_stay_open() -> None:
    assert rooms.load("global-pot").open_max_s is None
    for wrong in (0, 3599):
        with pytest.raises(RoomError):
            rooms.load("global-pot", open_max_s=wrong)
    rooms.load("global-pot", open_max_s=3600)


def test_typed_numbers_that_do_not_come_end_by_rule_too() -> None:
    state = make.Lane(rooms.load("global-pot", global_pot_limit=500, open_max_s=3600, shares=(2, 1))).started()
    make.place(state, 1, [300])
    make.place(state, 2, [300], state.now + 1000)
    assert state.phase is Phase.TYPING
    end = make.T0 + HOUR
    rounds.apply(state, make.typed(state, "7", end - 1))
    assert refused(state, make.typed(state, "8", end)) == "deadline"
    rounds.apply(state, Tick(end, make.token()))
    assert (state.phase, state.closed_by) == (Phase.VOID, "too_long")


def test_of_two_ends_the_earlier_one_counts() -> None:
    state = make.Lane(rooms.load("classic-unlimited", player_limit=1, min_players=2, lonely_void_s=30)).started()
    make.place(state, 1, [300])
    rounds.apply(state, Tick(state.now + 30_000, make.token()))
    assert (state.closed_by, state.phase) == ("few", Phase.VOID)


def test_the_rules_that_end_a_round_are_in_its_hash() -> None:
    hashes = {rooms.load("classic-unlimited", **each).rules_hash for each in ({}, {"lonely_void_s": 901}, {"open_max_s": 3600})}
    assert len(hashes) == 3


# ---- odds


def classic(stakes: list[tuple[int, int]], **changes: Any) -> Round:
    state = make.Lane(rooms.load("classic-unlimited", bet_value_min=None, **changes)).started()
    for user, cents in stakes:
        make.place(state, user, [cents])
    return state


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 9000)), min_size=1, max_size=12), st.integers(1, 9000))
def test_returns_of_all_players_and_the_houses_edge_are_one(stakes: list[tuple[int, int]], bet: int) -> None:
    state = classic(stakes)
    before = snapshot(state)
    mine = odds.of_bet(state, 9, bet, 1)
    assert snapshot(state) == before
    make.place(state, 9, [bet])
    all_of_them = [odds.of_bet(state, user) for user in state.players]
    assert all_of_them[-1] == mine
    assert sum(each.chance * each.win for each in all_of_them) / state.bank + mine.edge == 1
    assert {each.edge for each in all_of_them} == {mine.edge}
    assert mine.expected == mine.chance * (state.bank - mine.due) - state.players[9].value


def test_the_odds_of_a_bet_as_they_are_shown() -> None:
    found = odds.of_bet(classic([(1, 700)]), 2, 300, 1)
    assert found[:4] == (Fraction(3, 10), Fraction(100), Fraction(900), Fraction(3, 10) * 900 - 300)
    assert found.edge == Fraction(3, 10) * Fraction(1, 10) + Fraction(7, 10) * Fraction(6, 100)
    assert all(isinstance(each, Fraction) for each in found[:5])


def by_orders(tickets: dict[int, int], user: int, count: int) -> list[Fraction]:
    """The chances of places by walking every order in which others can win."""
    places = [Fraction(0)] * count
    for order in permutations(tickets, count):
        chance, left = Fraction(1), sum(tickets.values())
        for each in order:
            chance *= Fraction(tickets[each], left)
            left -= tickets[each]
        if user in order:
            places[order.index(user)] += chance
    return places


@pytest.mark.parametrize("seed", range(5))
def test_places_without_repetition_are_counted_over_all_orders(seed: int) -> None:
    chance = Random(seed)
    state = make.Lane(rooms.load("sit-n-go", min_players=2, bet_item_limit_max=5)).started()
    for user in range(1, 5):
        make.place(state, user, [100] * chance.randint(1, 2), item=1)
    tickets = {user: player.tickets for user, player in state.players.items()}
    for user in tickets:
        found = odds.of_bet(state, user)
        assert list(found.places) == by_orders(tickets, user, 3)
        assert not found.approximate


def test_sit_n_go_of_ten_is_even_and_the_house_keeps_a_tenth() -> None:
    state = make.Lane(rooms.load("sit-n-go")).started()
    for user in range(9):
        make.place(state, user, [100], item=1)
    found = odds.of_bet(state, 9, 100, 1)
    assert found.places == (Fraction(1, 10),) * 3
    assert (found.expected, found.edge, found.win) == (Fraction(-10), Fraction(1, 10), Fraction(500))


@pytest.mark.parametrize("ranges", ["complement", "inverse"])
def test_five_a_side_returns_are_those_of_the_game_less_the_rake(ranges: str) -> None:
    state = make.Lane(rooms.load("5v5", ranges=ranges)).started()
    bets = [500, 400, 300, 200, 100, 300, 300, 300, 300, 300]
    for user, cents in enumerate(bets):
        make.place(state, user, [cents], team=1 + user // 5)
    exact = teams.odds(payouts.seats_of(state), ranges)
    for user, cents in enumerate(bets):
        found = odds.of_bet(state, user)
        due = 3000 * 8 // 100
        assert found.chance == exact.team[1 + user // 5]
        assert found.expected == exact.returns[user] * cents * Fraction(3000 - due, 3000) - cents
    assert odds.of_bet(state, 0).edge == Fraction(8, 100)
    with pytest.raises(LotteryError):
        odds.of_bet(make.Lane(rooms.load("5v5")).started(), 1, 100, 1, team=1)


def test_a_pot_of_many_draws_its_later_places_from_a_seed() -> None:
    room = rooms.load("global-pot", shares=(5, 3, 1), entropy="drand:quicknet")
    state = make.Lane(room).started()
    for user in range(12):
        make.place(state, user, [1000])
    found = odds.of_bet(state, 0)
    assert (found.places[0], found.approximate) == (Fraction(1, 12), True)
    assert all(abs(each - Fraction(1, 12)) < Fraction(1, 60) for each in found.places)
    assert odds.of_bet(state, 0) == found
    few = make.Lane(room).started()
    for user in range(4):
        make.place(few, user, [1000 + 100 * user])
    exact = odds.of_bet(few, 2)
    assert list(exact.places) == by_orders({user: 1000 + 100 * user for user in range(4)}, 2, 3)
    assert not exact.approximate


def test_raffles_and_giveaways() -> None:
    terms = rooms.RaffleTerms(1, "a knife", 900, 100, 10, 100)
    raffle = rooms.Room(name="raffle", mode="raffle", tickets="bought", min_players=1, raffle=terms)
    state = make.Lane(raffle).started(guarantees=(Piece(make.HOUSE, 1, 900),))
    rounds.apply(state, Buy(state.now, "b", 1, 2, 10**6))
    found = odds.of_bet(state, 1, items=1)
    assert (found.chance, found.expected, found.edge) == (Fraction(3, 10), Fraction(270 - 300), Fraction(1, 10))
    free = make.Lane(rooms.load("giveaway")).started()
    make.place(free, 1, [5], item=2)
    assert odds.of_bet(free, 2, items=3)[:4] == (Fraction(3, 4), Fraction(0), Fraction(150_000), None)
    with pytest.raises(LotteryError):
        odds.of_bet(free, 77)


# ---- the public view


def walk() -> list[tuple[Round, bytes]]:
    """A round at each of its steps, with its secret."""
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.create(stock=make.stock([5]), guarantees=(Piece(make.HOUSE + 99, 3, 50),))
    secret, found = lane.secret(state), []

    def keep() -> None:
        found.append((load(snapshot(state)), secret))

    keep()
    rounds.apply(state, Start(state.now, "start"))
    keep()
    make.place(state, 1, [300], inviters=(77, 78), token="a secret token")
    make.place(state, 2, [200])
    keep()
    make.close_by_time(state)
    keep()
    rounds.apply(state, Open(state.now + 1000, "open", secret))
    keep()
    make.apply(state, make.entropy_event(state))
    keep()
    rounds.apply(state, Finalize(state.now, "finalize"))
    keep()
    rounds.apply(state, Settled(state.now, "settled", tuple(moving_rows(state))))
    keep()
    return found


def test_the_public_view_shows_what_is_public_and_nothing_before_its_time() -> None:
    for state, secret in walk():
        told = canonical_json(view.public(state)).decode()
        opened = state.phase in (Phase.OPENED, Phase.DRAWN, Phase.FINALIZED, Phase.SEALED)
        assert (secret.hex() in told) == opened
        assert ("77" in json.dumps(json.loads(told)["close"])) == (state.close is not None)
        assert "a secret token" not in told
        found = json.loads(told)
        assert found["phase"] == state.phase.value
        assert found["stock"] and found["guarantees"]
        assert len(found["items"]) == len(state.entries)
        assert [each["chance"] for each in found["players"]] == [
            f"{each.tickets}/{state.tickets}" for each in state.players.values()
        ]
        assert (found["ends"] is not None) == (state.phase is Phase.GAME and bool(state.players))


# ---- after a crash


def test_what_is_pending_is_what_the_last_event_asked_for() -> None:
    kinds = [[type(each) for each in rounds.pending(state)] for state, _ in walk()]
    assert kinds == [[], [Started], [Started], [Closed], [Closed, Opened], [], [Settle], []]
    state = make.Lane(rooms.load("classic-unlimited")).started()
    make.place(state, 1, [300])
    told = rounds.apply(state, Void(state.now, "void", "power cut"))
    assert rounds.pending(state) == told


def test_pending_effects_are_those_that_were_answered() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.started()
    make.place(state, 1, [300])
    make.place(state, 2, [300])
    closed = make.close_by_time(state)
    assert rounds.pending(state) == closed
    opened = rounds.apply(state, Open(state.now + 1000, "o", lane.secret(state)))
    assert rounds.pending(state) == (*closed, *opened)
    make.apply(state, make.entropy_event(state))
    settle = rounds.apply(state, Finalize(state.now, "f"))
    assert rounds.pending(state) == rounds.pending(load(snapshot(state))) == settle


def test_numbers_that_are_still_to_be_typed_are_pending() -> None:
    state = make.Lane(rooms.load("global-pot", global_pot_limit=500, shares=(2, 1))).started()
    make.place(state, 1, [300])
    make.place(state, 2, [300])
    rounds.apply(state, make.typed(state, "5"))
    (pending,) = rounds.pending(state)
    assert isinstance(pending, Stopped)
    assert pending.numbers == 1


def test_the_order_of_writing_survives_a_crash_at_every_event() -> None:
    """Refused, nothing is written; a crash before the commit loses the event, one after it finds it again."""
    lane = make.Lane(rooms.load("classic-unlimited"))
    create = lane.create_event()
    steps: list[Callable[[Round], Event]] = [
        lambda state: Start(state.now, "start"),
        lambda state: make.bet(state, 1, [300], token="one"),
        lambda state: make.bet(state, 2, [], token="of nothing"),
        lambda state: make.bet(state, 2, [200], token="two"),
        lambda state: Tick(state.deadline or 0, "tick"),
        lambda state: Open(state.now, "too early", lane.secret(state)),
        lambda state: Open(state.now + 1000, "open", lane.secret(state)),
        make.entropy_event,
        lambda state: Finalize(state.now, "finalize"),
        lambda state: Settled(state.now, "settled", tuple(moving_rows(state))),
    ]
    journal: list[Create | Event] = [create]

    def folded() -> Round:
        return rounds.fold(journal, check=make.issued)

    codes = []
    for step in steps:
        lost, kept = folded(), folded()
        event = step(lost)
        try:
            told = rounds.apply(lost, event, make.issued)  # and then the commit fails: `lost` is thrown away
        except Refused as error:
            codes.append(error.code)
            assert snapshot(lost) == snapshot(kept)
            continue
        assert rounds.apply(kept, event, make.issued) == told
        journal.append(event)
        after = folded()  # the commit was the last that happened: the effects are asked for again
        assert snapshot(after) == snapshot(kept)
        assert rounds.seen(after, event.token)
        assert rounds.apply(after, event, make.issued) == told
        assert snapshot(after) == snapshot(kept)
    assert codes == ["empty", "too_early"]
    assert folded().phase is Phase.SEALED


def test_a_token_that_was_seen_is_a_sign_not_to_write() -> None:
    state = make.Lane(rooms.load("classic-unlimited")).started()
    assert not rounds.seen(state, "a bet")
    make.place(state, 1, [300], token="a bet")
    assert rounds.seen(state, "a bet")
    rounds.apply(state, Void(state.now, "the void", "power cut"))
    assert rounds.seen(state, "the void")
    assert not rounds.seen(state, "")


@pytest.mark.parametrize("kind", make.EVERY_KIND)
def test_a_snapshot_is_loaded_to_the_same_state(kind: str) -> None:
    _, state = make.EVERY_KIND[kind]()
    again = load(snapshot(state))
    assert again == state or snapshot(again) == snapshot(state)
    assert canonical_json(view.public(again)) == canonical_json(view.public(state))
    assert again.rules == state.rules
    assert [*again.entries] == [*state.entries]


def test_a_loaded_state_goes_on_as_the_one_that_was_saved() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.started()
    make.place(state, 1, [300], token="once")
    again = load(snapshot(state))
    for one in (state, again):
        rounds.apply(one, make.events.Bet(make.T0 + 5, "twice", 2, make.rows(2, [200], 50)))
        rounds.apply(one, Tick(one.deadline or 0, "tick"))
        rounds.apply(one, Open(one.now + 1000, "open", lane.secret(one)))
        make.apply(one, make.entropy_event(one, now=one.now + 20_000))
    assert [winner.user_id for winner in again.winners] == [winner.user_id for winner in state.winners]
    assert again.log == state.log
    assert again.final == state.final
