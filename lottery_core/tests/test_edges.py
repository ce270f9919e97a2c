"""The edge cases of the rules with their numbers, the order of the checks, and the state machine's whole table."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import lottery_factories as make
import pytest

from lottery import events, record, rooms, rounds, shares
from lottery.commitments import Piece
from lottery.effects import Closed, Refund, Stopped
from lottery.errors import Refused
from lottery.events import Denial, Tick
from lottery.snapshots import snapshot
from lottery.state import CODES, Phase, Round, short_chance


def refused(state: Round, event: Any) -> Refused:
    """The refusal of an event, which must leave the state byte-identical."""
    before = snapshot(state)
    with pytest.raises(Refused) as caught:
        rounds.apply(state, event)
    assert snapshot(state) == before
    return caught.value


def started(name: str = "classic-unlimited", **changes: Any) -> Round:
    return make.Lane(rooms.load(name, **changes)).started()


def test_pot_of_79_refuses_three_and_says_one() -> None:
    state = started()
    for index in range(8):
        make.place(state, index, [100] * (10 if index < 7 else 9))
    refusal = refused(state, make.bet(state, 9, [100] * 3))
    assert (refusal.code, refusal.accepts) == ("capacity", {"capacity": 1})
    assert refused(state, make.bet(state, 9, [100] * 2)).accepts == {"capacity": 1}
    effects = make.place(state, 9, [100])
    assert isinstance(effects[-1], Closed)
    assert state.closed_by == "items"


def test_worthless_items_only_together_with_others() -> None:
    state = started(bet_value_min=None)
    assert refused(state, make.bet(state, 1, [0, 0])).code == "no_tickets"
    make.place(state, 1, [0, 5, 0])
    assert [(entry.first, entry.tickets) for entry in state.entries] == [(0, 0), (0, 5), (5, 0)]
    assert [state.owner(ticket) for ticket in range(5)] == [1] * 5


def test_worthless_items_have_no_tickets_in_the_record() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.started()
    make.place(state, 1, [0, 300])
    make.place(state, 2, [100])
    make.finish(lane, state)
    items = record.sealed(state)["items"]
    assert [(item["tickets_start"], item["tickets_end"]) for item in items] == [(None, None), (0, 299), (300, 399)]


def test_guarantee_has_no_tickets_and_is_not_in_the_bank_and_goes_to_the_winner() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.started(guarantees=(Piece(make.HOUSE, 5, 99_999),))
    make.place(state, 1, [300])
    make.place(state, 2, [100])
    make.finish(lane, state)
    assert (state.bank, state.tickets, len(state.entries)) == (400, 400, 2)
    assert state.outcome is not None
    assert state.outcome["payouts"][0]["guarantees"] == [make.HOUSE]
    assert state.outcome["rake"]["dues"][0]["base"] == 400


def test_global_pot_takes_the_last_bet_whole() -> None:
    state = started("global-pot", entropy="drand:quicknet", bet_item_limit_max=None)
    make.place(state, 1, [99_990_000])
    make.place(state, 2, [30_000])
    assert (state.tickets, state.phase, state.closed_by) == (100_020_000, Phase.CLOSED, "bank")


def test_global_pot_stops_for_the_typed_numbers() -> None:
    state = started("global-pot", global_pot_limit=500)
    make.place(state, 1, [300])
    (_, stopped) = make.place(state, 2, [200])
    assert stopped == Stopped(state.now, 2)
    assert refused(state, make.bet(state, 3, [100])).code == "phase"


def test_five_a_side_refuses_the_eleventh_and_switching_teams() -> None:
    state = started("5v5")
    for index in range(10):
        make.place(state, index, [100], team=1 + index % 2)
    make.place(state, 0, [100], team=1)
    assert refused(state, make.bet(state, 0, [100], team=2)).accepts == {"team": 1}
    late = refused(state, make.bet(state, 11, [100], team=1))
    assert (late.code, late.accepts) == ("team_full", {"free": []})


def test_five_a_side_names_the_free_team() -> None:
    state = started("5v5")
    for index in range(5):
        make.place(state, index, [100], team=1)
    assert refused(state, make.bet(state, 6, [100])).accepts == {"free": [2]}
    assert refused(state, make.bet(state, 6, [100], team=1)).accepts == {"free": [2]}
    assert refused(started(), make.bet(state, 6, [100], team=1)).code == "no_teams"


def test_limits_are_totals_per_player_and_minimum_is_per_bet() -> None:
    state = started("classic-limited", bet_value_min=50)
    make.place(state, 1, [100])
    assert refused(state, make.bet(state, 1, [200, 10])).accepts == {"items": 1}
    assert refused(state, make.bet(state, 1, [401])).accepts == {"at_most": 400}
    assert refused(state, make.bet(state, 1, [49])).accepts == {"at_least": 50}
    make.place(state, 1, [400])


def test_a_pot_without_clock_and_player_limit_ends_by_items_only() -> None:
    state = started("classic-limited")
    rounds.apply(state, Tick(state.now + 10**9, make.token()))
    assert (state.phase, state.deadline) == (Phase.GAME, None)
    for index in range(8):
        make.place(state, index, [10, 20])
    assert (state.phase, len(state.entries)) == (Phase.CLOSED, 16)


def test_too_few_players_at_the_close_is_void() -> None:
    state = started(player_limit=1)
    make.place(state, 1, [300])
    (refund,) = make.close_by_time(state)
    assert isinstance(refund, Refund)
    assert (refund.reason, [payout.rows for payout in refund.payouts]) == ("too few players", [(1,)])
    assert (state.phase, state.status) == (Phase.VOID, 5)


def test_giveaway_without_entries_is_void_and_with_one_entrant_he_wins() -> None:
    lane = make.Lane(rooms.load("giveaway"))
    empty = lane.started()
    assert empty.deadline == make.T0 + 86_400_000
    make.close_by_time(empty)
    make.finish(lane, empty)
    assert empty.outcome is not None
    assert (empty.phase, empty.outcome["payouts"]) == (Phase.VOID, [])
    _, state = make.giveaway(users=(5,))
    assert [winner.user_id for winner in state.winners] == [5]


def test_v03_of_the_rules() -> None:
    """A 2.50, B 133.37, A 314.13 more: 45 000 tickets; whoever wins, the due and what can be taken of it."""
    lane = make.Lane(rooms.load("classic-unlimited"), "v03")
    state = lane.started()
    make.place(state, 7001, [249, 1])
    make.place(state, 7002, [0, 13_337], client_seed="red")
    make.place(state, 7001, [250, 31_163])
    assert (state.tickets, state.chance(7001)) == (45_000, Fraction(31_663, 45_000))
    assert short_chance(state.chance(7001)) == "0.7036"
    make.finish(lane, state)
    assert state.outcome is not None
    rake = state.outcome["rake"]
    if state.winners[0].user_id == 7001:
        assert (rake["due"], rake["net"], rake["shortfall"]) == (2700, 500, 2200)
    else:
        assert (rake["due"], rake["net"], rake["shortfall"]) == (4500, 500, 4000)


def test_mode_none_says_what_a_void_round_would_have_drawn() -> None:
    lane = make.Lane(rooms.load("classic-unlimited", entropy="none"))
    state = lane.started()
    make.place(state, 1, [300])
    rounds.apply(state, events.Void(state.now, make.token(), "power cut"))
    make.finish(lane, state)
    sealed = record.sealed(state)
    assert sealed["winning_number"].startswith("0.")
    assert (sealed["winning_ticket"], sealed["outcome"]["winners"]) == (None, [])


def test_unfilled_shares_go_to_the_winners_in_proportion() -> None:
    assert shares.item_shares([5, 3, 1], 2) == [6, 3]
    assert shares.item_shares([5, 3, 1], 1) == [9]
    assert shares.in_proportion(10, [1, 1, 1], rest_to=2) == [3, 3, 4]


# ---- the order of the checks: a bet with every fault, mended one by one


FAULTS: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("deadline", lambda bet: bet.update(now=bet["now"] - 60_000)),
    ("gate", lambda bet: bet.update(gate=None)),
    ("client_seed", lambda bet: bet.update(client_seed="")),
    ("duplicate_rows", lambda bet: bet.update(ids=list(range(100, 112)))),
    ("not_active", lambda bet: bet["facts"].pop("status")),
    ("not_owner", lambda bet: bet.update(owner=3)),
    ("locked", lambda bet: bet["facts"].pop("locked_by")),
    ("unsettled", lambda bet: bet["facts"].pop("settled")),
    ("unpriced", lambda bet: bet.update(price=1)),
    ("souvenir", lambda bet: bet["facts"].pop("name")),
    ("not_allowed", lambda bet: bet.update(item=11)),
    ("no_teams", lambda bet: bet.update(team=0)),
    ("player_items", lambda bet: bet.update(count=10)),
    ("capacity", lambda bet: bet.update(count=1)),
    ("bet_value_min", lambda bet: bet.update(price=5000)),
    ("bet_value_max", lambda bet: bet.update(price=200)),
]


def test_the_first_failing_check_is_the_answer() -> None:
    state = started(item_limit_max=15, allowed_items=(11,), bet_value_max=400)
    make.place(state, 1, [10] * 10)
    make.place(state, 2, [100])
    bet: dict[str, Any] = {
        "now": state.now + 60_000,
        "gate": Denial("pace", 5),
        "client_seed": "x" * 65,
        "ids": [100] * 12,
        "owner": 4,
        "facts": {"status": "withdrawn", "locked_by": "round 9", "settled": False, "name": "Souvenir AWP"},
        "price": None,
        "item": 12,
        "team": 1,
        "count": 12,
    }
    for code, mend in FAULTS:
        assert refused(state, as_event(bet)).code == code
        mend(bet)
    rounds.apply(state, as_event(bet))
    assert state.players[3].value == 200


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("not_active", {"status": "withdrawn"}),
        ("not_owner", {"user_id": 3}),
        ("locked", {"locked_by": "round 9"}),
        ("locked", {"deposit_id": 1}),
        ("unsettled", {"settled": False}),
        ("unpriced", {"price": None}),
        ("unpriced", {"price": -1}),
        ("unpriced", {"price": 10**18}),
        ("souvenir", {"name": "AWP (SOUVENIR)"}),
    ],
)
def test_one_fault_of_one_row_is_enough(code: str, fault: dict[str, Any]) -> None:
    state = started()
    make.place(state, 1, [300])
    good = make.rows(2, [100, 200, 300], 50)
    bad = good[1]._replace(**fault)
    refusal = refused(state, events.Bet(state.now, make.token(), 2, (good[0], bad, good[2])))
    assert (refusal.code, refusal.accepts["deposit_id"]) == (code, bad.deposit_id)
    rounds.apply(state, events.Bet(state.now, make.token(), 2, good))


def as_event(bet: dict[str, Any]) -> events.Bet:
    ids = bet["ids"][: bet["count"]]
    rows = tuple(events.Row(deposit_id, bet["item"], bet["owner"], bet["price"], **bet["facts"]) for deposit_id in ids)
    return events.Bet(bet["now"], make.token(), 3, rows, bet["team"], bet["client_seed"], bet["gate"])


def test_empty_bet_and_rows_already_in_the_pot() -> None:
    state = started()
    assert refused(state, events.Bet(state.now, make.token(), 1, ())).code == "empty"
    make.place(state, 1, [300])
    assert refused(state, make.bet(state, 1, [300], first=1)).code == "locked"
    assert refused(state, events.Bet(state.now, "", 1, make.rows(1, [300], 50))).code == "token_missing"


def test_a_room_may_accept_unsettled_items_knowingly() -> None:
    state = started(unsettled=True)
    make.place(state, 1, [300], settled=False)
    assert state.tickets == 300


def test_time_does_not_run_backwards() -> None:
    state = started()
    make.place(state, 1, [300], state.now + 50)
    assert refused(state, make.bet(state, 1, [300], state.now - 1)).accepts == {"at_least": state.now}


def test_a_bet_that_cannot_be_logged_changes_nothing() -> None:
    state = started()
    before = snapshot(state)
    for user, first, code in ((-5, 1, "malformed"), (2**64, 1, "malformed"), (5, -1, "number"), (5, 2**64, "number")):
        offered = make.bet(state, user, [300], rows=make.rows(user, [300], first))
        assert refused(state, offered).code == code
    assert snapshot(state) == before


# ---- the table


EXPECTED = {
    Phase.WARMUP: {"start", "void", "tick", "renew", "fail"},
    Phase.GAME: {"bet", "buy", "void", "tick", "renew", "fail"},
    Phase.TYPING: {"manual", "void", "tick", "renew", "fail"},
    Phase.CLOSED: {"open", "tick", "renew", "fail"},
    Phase.OPENED: {"entropy", "manual", "tick", "renew", "fail"},
    Phase.DRAWN: {"finalize", "tick", "renew"},
    Phase.FINALIZED: {"settled", "tick"},
    Phase.SEALED: set(),
    Phase.VOID: {"open", "renew", "fail"},
    Phase.FAILED: set(),
}


@pytest.mark.parametrize("phase", list(Phase))
def test_table_of_events_by_phase(phase: Phase) -> None:
    assert set(rounds.accepted_events(phase)) == EXPECTED[phase]


@pytest.mark.parametrize("phase", list(Phase))
def test_every_other_event_is_refused_and_named(phase: Phase) -> None:
    state = started()
    state.phase = phase
    samples = [
        events.Start(state.now, make.token()),
        make.bet(state, 1, [300]),
        events.Buy(state.now, make.token(), 1, 1, 1),
        make.typed(state, "1"),
        events.Open(state.now, make.token(), bytes(32)),
        events.Entropy(state.now, make.token(), 1, bytes(32), {}),
        events.Finalize(state.now, make.token()),
        events.Settled(state.now, make.token(), ()),
        events.Void(state.now, make.token(), "x"),
        events.Renew(state.now, make.token(), bytes(32), 9),
        events.Fail(state.now, make.token(), "x"),
    ]
    for event in samples:
        if events.NAMES[type(event)] not in EXPECTED[phase]:
            refusal = refused(state, event)
            assert refusal.code == "phase"
            assert set(refusal.accepts["events"]) == EXPECTED[phase]  # type: ignore[call-overload]


def test_codes_are_the_seeds_and_three_is_reserved() -> None:
    assert set(CODES) == set(Phase)
    assert set(CODES.values()) == {0, 1, 2, 4, 5}
    assert (CODES[Phase.WARMUP], CODES[Phase.GAME], CODES[Phase.FINALIZED], CODES[Phase.SEALED]) == (0, 1, 4, 5)


def test_priority_items_go_first_among_equally_exact_sets() -> None:
    lane = make.Lane(rooms.load("classic-unlimited", rake=((100, 10),), priority_items=(77,)), "priority")
    state = lane.started()
    for user in (1, 2):
        make.place(state, user, [700, 100])
        make.place(state, user, [100], item=77)
        make.place(state, user, [100])
    make.finish(lane, state)
    assert state.outcome is not None
    (first, *_) = state.outcome["rake"]["taken"]
    assert next(entry.item_id for entry in state.entries if entry.deposit_id == first) == 77
