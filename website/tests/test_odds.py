"""Odds before the bet, and the words for what is refused."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import lottery
import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from lottery import responsible_play
from lottery.state import Player, Round

import website
from website.rooms import definitions, odds, panel, ruler, words
from website.rooms.odds import Stake
from website.rooms.ruler import Held

CLASSIC = ("classic-unlimited", "classic-limited")
STAKES = st.lists(st.integers(1, 10**7), min_size=2, max_size=12)


def standing(room: str, cents: list[int]) -> Round:
    state = odds.bare(definitions.load(room))
    for number, each in enumerate(cents, 1):
        state.players[number] = Player(number, 0, 1, each, each)
    state.tickets = state.bank = sum(cents)
    return state


@pytest.mark.parametrize("room", CLASSIC)
@given(cents=STAKES)
def test_what_comes_back_and_what_the_house_takes_is_all_there_is(room: str, cents: list[int]) -> None:
    """Expected returns of all players and the house's edge are one pot, exactly."""
    state = standing(room, cents)
    found = [odds.of_bet(state, number) for number in state.players]
    back = sum(each.expected + stake for each, stake in zip(found, cents, strict=True) if each and each.expected is not None)
    edge = odds.house_edge(state)
    assert edge is not None and back / sum(cents) + edge == 1
    assert all(each is not None and each.win + each.due == sum(cents) for each in found)


@given(cents=STAKES, more=st.integers(1, 10**7))
def test_odds_of_a_bet_are_those_after_it(cents: list[int], more: int) -> None:
    before, after = standing(CLASSIC[0], cents), standing(CLASSIC[0], [*cents, more])
    assert odds.of_bet(before, len(cents) + 1, more, 1) == odds.of_bet(after, len(cents) + 1)


@given(cents=STAKES, more=st.integers(1, 10**7))
def test_a_loss_is_never_shown_as_nothing_and_a_win_never_too_high(cents: list[int], more: int) -> None:
    found = odds.of_bet(standing(CLASSIC[0], cents), 99, more, 1)
    assert found is not None and found.expected is not None
    shown = panel.shown(found)
    assert shown.expected is not None and shown.expected <= found.expected < shown.expected + 1
    assert (shown.expected < 0) == (found.expected < 0) and shown.win <= found.win and shown.due >= found.due


def test_sit_n_go_is_looked_at_as_it_is_when_it_is_full() -> None:
    state = odds.bare(definitions.load("sit-n-go"))
    state.players[1] = Player(1, 0, 1, 100, 1)
    state.tickets, state.bank = 1, 100
    found = odds.of_bet(state, 2, 100, 1)
    assert found is not None and found.places == (Fraction(1, 10),) * 3
    assert (found.win, found.due, found.expected, found.edge) == (Fraction(500), Fraction(100), Fraction(-10), Fraction(1, 10))
    assert odds.house_edge(state) == Fraction(1, 10)


def test_there_are_no_odds_without_a_stake_or_a_second_team() -> None:
    state = odds.bare(definitions.load("5v5"))
    assert odds.of_bet(state, 1, 100, 1, 1) is None and odds.house_edge(state) is None
    state = odds.bare(definitions.load("classic-unlimited"))
    assert odds.of_bet(state, 1) is None and odds.house_edge(state) is None


def test_tables_say_what_each_room_takes() -> None:
    tables = odds.tables({name: definitions.load(name) for name in definitions.names()})
    classic = tables["classic-unlimited"]
    assert classic["brackets"][0] == (0, Fraction(1, 2), Fraction(1, 10)) and classic["brackets"][-1].high == 1
    two = classic["examples"][0]
    assert (two.players, two.chance, two.edge, two.back) == (2, Fraction(1, 2), Fraction(2, 25), Fraction(23, 25))
    (ten,) = tables["sit-n-go"]["examples"]
    assert (ten.players, ten.edge, ten.back) == (10, Fraction(1, 10), Fraction(9, 10))
    assert tables["giveaway"]["examples"][0].back is None
    for table in tables.values():
        for each in table["examples"]:
            assert each.back is None or each.back + each.edge == 1


# ---- the ruler


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 10**6)), min_size=1, max_size=40))
def test_the_ruler_has_every_ticket_once(bets: list[tuple[int, int]]) -> None:
    held, end = [], 0
    for user_id, tickets in bets:
        held.append(Held(user_id, end, tickets))
        end += tickets
    found = ruler.stretches(held, end or 1)
    assert sum(each.tickets for each in found) == end
    assert all(one.first + one.tickets == other.first and one.user_id != other.user_id for one, other in pairwise(found))
    if end:
        assert 1 <= len(ruler.ticks(end)) <= 2 * ruler.TICKS + 1


# ---- words


def codes() -> set[str]:
    """Every code with which a bet can be refused: by the core, by the site, by the fleet."""
    core = Path(lottery.__file__).parent
    site = Path(website.__file__).parent
    fleet_says = {"not_found", "not_owner", "not_active", "item_locked", "item_unsettled", "item_frozen", "partner_blocked"}
    fleet_says |= {"bot_restricted", "value_stale", "fleet_paused", "lock_released", "ref_reused"}
    found = set(re.findall(r'Refused\(\s*"(\w+)"', (core / "bets.py").read_text()))
    found |= set(re.findall(r'TurnedAwayError\("(\w+)"', (site / "engine" / "saga.py").read_text()))
    found |= set(
        re.findall(
            r'BetError\("(\w+)"', (site / "rooms" / "services.py").read_text() + (site / "rooms" / "forms.py").read_text()
        )
    )
    found |= {"deadline", "phase", "token_reused", "token_missing", "time_backwards"} | fleet_says
    return found - {"quantity", "balance"}  # of raffles, which have pages of their own


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_refusal_has_words(language: str) -> None:
    assert len(codes()) > 40
    with translation.override(language):
        for code in codes():
            said = words.refusal(code, {})
            assert code in words.REFUSALS, code
            assert said.why.endswith(".") and (not said.accepted or said.accepted.endswith(".")), said
            if language == "ru":
                assert re.search("[а-я]", said.why) and not re.search(
                    "[a-z]{4}", said.why.replace("Steam", "").replace("client seed", "")
                ), said


def test_every_reason_of_the_gate_has_words() -> None:
    source = Path(responsible_play.__file__).read_text()
    reasons = set(re.findall(r'Denial\("(\w+)"', source)) | {f"{kind}_limit" for kind in responsible_play.LIMITS}
    reasons |= {"self_excluded", "national_list", "time_out", "under_age"}
    assert reasons <= words.GATE.keys(), reasons - words.GATE.keys()
    said = words.refusal("gate", {"reason": "stake_limit", "until": 1_900_000_000_000})
    assert "limit of stakes" in said.why and "2030" in said.accepted


@pytest.mark.parametrize(
    "details",
    [{}, {"free": "x"}, {"until": 10**30, "reason": []}, {"at_least": None, "at_most": "x", "capacity": []}, {"team": 9}],
)
def test_strange_details_cost_a_sentence_and_never_the_page(details: dict[str, object]) -> None:
    for code in (*words.REFUSALS, "never heard of"):
        assert words.refusal(code, details).why


def test_a_code_that_is_new_is_said_as_it_is() -> None:
    assert "brand_new" in words.refusal("brand_new", {}).why
    assert words.refusal("brand_new", {"player_message": "Steam says no."}).why == "Steam says no."


def test_waiting_has_a_reason_in_words() -> None:
    for code in words.WAITS:
        assert words.waits(code).endswith(".")
    assert "maintenance" in words.waits("maintenance")
    assert Stake(1, 0, 1, 100, 100).cents == 100
