"""Responsible play against a bet at the same moment: what a player has decided holds from the moment of the answer."""

from __future__ import annotations

import random
import threading
import time

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from paper import Paper

from website.accounts import sessions
from website.accounts.models import Player
from website.care import services
from website.care.models import PlayDecision, PlayLog
from website.engine.clock import wall_ms
from website.engine.models import Feed
from website.rooms import services as rooms
from website.rooms.models import Bet, Round


@pytest.fixture
def paper(database_url: str, site_settings: None) -> Paper:
    return Paper()


def asks(paper: Paper, player: Player, at: Round, *cents: int) -> Bet:
    """A bet that nobody has worked on yet."""
    ids = paper.items(player, *cents)
    wanted = rooms.Wanted(at.lane, at.round, ids, sum(cents), f"t-{ids[0]}", "", 0)
    return rooms.place_bet(player, wanted, paper.now_ms)


def state(bet: Bet) -> tuple[str, str]:
    row = Bet.objects.get(id=bet.id)
    return row.state, row.details


def test_w26_who_excludes_himself_after_the_lock_is_not_placed_and_has_the_item_back(paper: Paper) -> None:
    paper.open("classic-unlimited")
    player = paper.player()
    at = paper.game("classic-unlimited")
    bet = asks(paper, player, at, 500)
    paper._work(at.lane)
    paper._send()
    assert state(bet)[0] == Bet.LOCKED and any(row.lock for row in paper.fleet.deposits.values())
    services.exclude(player, None, paper.now_ms)
    paper.settle()
    assert state(bet) == (Bet.REFUSED, '{"reason": "self_excluded", "until": null}')
    assert not any(row.lock == bet.bet_id for row in paper.fleet.deposits.values())
    assert not PlayLog.objects.filter(player=player, kind="stake").exists()
    said = PlayDecision.objects.filter(player=player).order_by("-number").first()
    assert said is not None and '"self_excluded"' in said.line


def test_w14_a_limit_that_is_lowered_after_the_lock_holds_for_that_bet(paper: Paper) -> None:
    paper.open("classic-unlimited")
    player = paper.player()
    at = paper.game("classic-unlimited")
    assert paper.bet(player, at, paper.items(player, 300)).state == Bet.PLACED
    bet = asks(paper, player, at, 500)
    paper._work(at.lane)
    paper._send()
    services.set_limit(player, "stake", "day", 700, paper.now_ms)
    paper.settle()
    assert state(bet)[0] == Bet.REFUSED and "stake_limit" in state(bet)[1]
    assert paper.bet(player, at, paper.items(player, 400)).state == Bet.PLACED


def test_w14_a_stake_that_an_engine_with_a_fast_clock_has_written_counts(paper: Paper) -> None:
    """One lane is driven by an engine that is seconds ahead, the other by one that is right."""
    paper.open("classic-unlimited")
    paper.open("classic-limited")
    player = paper.player()
    ahead, behind = paper.game("classic-unlimited"), paper.game("classic-limited")
    services.set_limit(player, "stake", "day", 700, paper.now_ms)
    paper.now_ms += 9_000
    assert paper.bet(player, ahead, paper.items(player, 400)).state == Bet.PLACED
    paper.now_ms -= 9_000
    assert PlayLog.objects.get(player=player, kind="stake").time_ms > paper.now_ms
    refused = paper.bet(player, behind, paper.items(player, 400))
    assert refused.state == Bet.REFUSED and "stake_limit" in refused.details


@pytest.mark.both_databases
def test_w14_bets_that_are_placed_in_one_transaction_count_for_each_other(paper: Paper) -> None:
    """Of three bets that wait together the third is over the limit; another player's beside them is not touched."""
    paper.open("classic-unlimited")
    player, other = paper.player(), paper.player()
    at = paper.game("classic-unlimited")
    services.set_limit(player, "stake", "day", 700, paper.now_ms)
    bets = [
        asks(paper, player, at, 300),
        asks(paper, other, at, 900),
        asks(paper, player, at, 300),
        asks(paper, player, at, 300),
    ]
    paper._work(at.lane)
    paper._send()
    assert {state(bet)[0] for bet in bets} == {Bet.LOCKED}
    paper._work(at.lane)
    assert [state(bet)[0] for bet in bets] == [Bet.PLACED, Bet.PLACED, Bet.PLACED, Bet.UNLOCKING]
    assert "stake_limit" in state(bets[-1])[1]
    assert sorted(PlayLog.objects.filter(player=player, kind="stake").values_list("cents", flat=True)) == [300, 300]
    numbers = PlayDecision.objects.filter(player=player).order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, len(numbers) + 1))


@pytest.mark.both_databases
def test_the_number_of_statements_does_not_grow_with_the_bets(paper: Paper) -> None:
    paper.open("classic-unlimited", item_limit_max=100, bet_item_limit_max=100)
    players = [paper.player() for _ in range(12)]
    at = paper.game("classic-unlimited")

    def statements(bettors: list[Player]) -> list[int]:
        for player in bettors:
            asks(paper, player, at, 300)
        counts = []
        for _ in ("asked for", "placed"):
            with CaptureQueriesContext(connection) as captured:
                paper._work(at.lane)
            counts.append(len(captured))
            paper._send()
        assert not Bet.objects.filter(state__in=Bet.OPEN).exists()
        return counts

    statements(players[:2])  # kinds and items of these values are known from now on
    few, many = statements(players[:2]), statements(players)
    assert many == few


def test_w26_no_bet_is_placed_after_the_answer_whatever_runs_at_once(paper: Paper) -> None:
    """The engine places bets one after the other while the player excludes himself: what stands at the answer is all."""
    paper.open("classic-unlimited", time_limit=3_600)
    chance = random.Random(26)
    for _ in range(2):
        at = paper.game("classic-unlimited")
        player = paper.player()
        bets = [asks(paper, player, at, 300) for _ in range(6)]
        at_the_answer: list[int] = []

        def leave(player: Player = player, seen: list[int] = at_the_answer, after_s: float = chance.uniform(0, 0.1)) -> None:
            time.sleep(after_s)
            services.exclude(player, None, paper.now_ms)
            seen.append(PlayLog.objects.filter(player=player, kind="stake").count())
            connections.close_all()

        leaving = threading.Thread(target=leave)
        leaving.start()
        paper.settle()
        leaving.join()
        paper.settle()
        placed = [bet for bet in bets if state(bet)[0] == Bet.PLACED]
        assert [len(placed)] == at_the_answer
        assert all(state(bet)[0] == Bet.REFUSED for bet in bets if bet not in placed)
        refused = asks(paper, player, at, 300)
        paper.settle()
        assert state(refused)[0] == Bet.REFUSED


def test_w26_who_is_excluded_still_has_every_page_and_may_sign_out(one_database: str) -> None:
    Feed.objects.create(reader="site", livemode=False)
    player = Player.objects.create(steam_id=76561198000000301, name="ana", registered_ms=1)
    services.exclude(player, None, wall_ms())
    browser = Client(SERVER_NAME="localhost")
    browser.cookies[sessions.COOKIE] = sessions.start(player, "", wall_ms())
    for page in ("/me", "/me/play", "/me/limits", "/me/data.json"):
        assert browser.get(page).status_code == 200
    assert browser.post("/sign-out").status_code == 303
