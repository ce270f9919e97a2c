"""Rounds whose engines were away over the close, rules that change while a round is made, and winners who are gone."""

from __future__ import annotations

import html
import json

import pytest
from django.test import Client
from lottery import rooms
from paper import Paper, record_of

from website.accounts.models import Player
from website.office.models import Staff
from website.rooms import services, words
from website.rooms.models import Bet, RoomVersion, Round


@pytest.fixture
def paper(one_database: str) -> Paper:
    return Paper()


def two_bets(paper: Paper) -> tuple[Round, list[Player]]:
    paper.open("classic-unlimited", time_limit=5)
    at = paper.game("classic-unlimited")
    players = [paper.player() for _ in range(2)]
    for player in players:
        assert paper.bet(player, at, paper.items(player, 200)).state == Bet.PLACED
    return at, players


def test_s17_a_secret_that_is_opened_after_the_beacon_is_called_late(paper: Paper, browser: Client) -> None:
    """Every engine was away for an hour. The round closes at its deadline all the same, is drawn, and its page says so."""
    at, _ = two_bets(paper)
    deadline_ms = paper.round(at).deadline_ms
    paper.now_ms += 3_600_000
    done = paper.until_sealed(at)
    assert done.late and done.closed_ms == deadline_ms
    assert record_of(done)["outcome"]["payouts"]
    page = browser.get(f"/rooms/{at.room}/{at.lane}/{at.round}").content.decode()
    assert str(words.LATE) in html.unescape(page.partition('id="proof"')[2])


def test_s22_rules_that_change_as_a_round_is_made_are_of_one_version(paper: Paper) -> None:
    """The row that says which version a round took is written in the transaction that makes it."""
    at, _ = two_bets(paper)
    ana, bo = (Staff.objects.create(username=name) for name in ("ana-2", "bo-2"))
    rules = json.loads(RoomVersion.objects.get(room="classic-unlimited", version=1).rules)
    services.draft(rooms.parse({**rules, "time_limit": 9}), ana, "longer", paper.now_ms)
    services.approve("classic-unlimited", 2, bo)
    paper.until_sealed(at)
    paper.settle()
    for made in Round.objects.filter(room="classic-unlimited"):
        version = RoomVersion.objects.get(room=made.room, version=made.version)
        assert bytes(made.rules_hash) == bytes(version.rules_hash)
    newest = Round.objects.filter(lane=at.lane).order_by("-round")[0]
    assert (newest.version, paper.round(at).version) == (2, 1) and newest.round > at.round
    paper.check()


def test_s26_what_somebody_wins_who_is_gone_stays_theirs(paper: Paper) -> None:
    """Blocked, with every session ended: the items are in custody under their name, and nothing waits for them."""
    at, players = two_bets(paper)
    Player.objects.filter(id__in=[player.id for player in players]).update(blocked_why="gone")
    done = paper.until_sealed(at)
    ((winner, _),) = json.loads(done.winners)
    owners = {row.owner for row in paper.fleet.deposits.values() if row.cents == 200}
    assert str(winner) in owners and owners <= {str(winner), "house"}
    assert not any(row.lock.startswith("bet_") for row in paper.fleet.deposits.values())
    paper.check()
