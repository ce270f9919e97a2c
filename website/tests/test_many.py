"""Two engines at once on one lane with clocks that are wrong, and what leaves the site before a secret is opened."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
from pathlib import Path

import pytest
from django.db import OperationalError, connections
from paper import Paper

from website.accounts.models import Player
from website.engine import calls
from website.engine.chains import Chains
from website.engine.clock import Clock
from website.engine.marks import Marks
from website.engine.models import Call
from website.engine.writer import Writer
from website.live import hints
from website.live.models import UserMessage
from website.rooms.models import Bet, Lane, LaneEvent, LaneMessage, Round

BATCH = 200


@pytest.mark.both_databases
def test_w4_two_engines_with_wrong_clocks_write_what_one_could_have_written(database_url: str) -> None:
    """Whoever comes adds what is due; nobody has a lease."""
    play_at_once(150)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.both_databases
def test_w4_ten_thousand_bets(database_url: str) -> None:
    play_at_once(10_000)


def play_at_once(count: int) -> None:
    paper = Paper()
    paper.open("classic-unlimited", item_limit_max=count, bet_item_limit_max=count, time_limit=86_400, bet_value_min=0)
    at = paper.game("classic-unlimited")
    players = [paper.player() for _ in range(10)]
    ended, failed = threading.Event(), list[BaseException]()
    engines = [threading.Thread(target=drive, args=(paper, skew, at.lane, ended, failed)) for skew in (-5_000, 5_000)]
    for engine in engines:
        engine.start()
    try:
        for start in range(0, count, BATCH):
            batch = min(BATCH, count - start)
            rows = [new_bet(paper, players[number % 10], at, start + number) for number in range(batch)]
            Bet.objects.bulk_create(rows)
            while Bet.objects.filter(lane=at.lane, state__in=Bet.OPEN).exists() and not failed:
                answer_all(paper)
    finally:
        ended.set()
        for engine in engines:
            engine.join()
    assert not failed, failed
    assert Bet.objects.filter(state__in=(Bet.PLACED, Bet.OVER)).count() == count
    assert LaneEvent.objects.filter(lane=at.lane, round=at.round, kind="bet").count() == count
    paper.now_ms += 10_000  # past both clocks
    paper.until_sealed(at)
    paper.check()


def new_bet(paper: Paper, player: Player, at: Round, number: int) -> Bet:
    (deposit_id,) = paper.items(player, 100)
    told = {
        "lane": at.lane,
        "round": at.round,
        "token": f"t{number}",
        "seen_cents": 100,
        "deposit_ids": f'["{deposit_id}"]',
    }
    return Bet(bet_id=f"bet_{number:032x}", player=player, created_ms=paper.now_ms, touched_ms=paper.now_ms, **told)


def answer_all(paper: Paper) -> None:
    """What is due is sent, and what has piled up is written at once, as an engine does it."""
    claimed = calls.claim(paper.now_ms)
    if claimed:
        outcomes = {call.id: asyncio.run(paper._sent(call)) for call in claimed}
        calls.answered(outcomes, paper.now_ms)


def drive(paper: Paper, skew_ms: int, lane: str, ended: threading.Event, failed: list[BaseException]) -> None:
    """An engine of its own whose clock is off."""
    chance = random.Random(skew_ms)
    clock = Clock(wall=lambda: paper.now_ms + skew_ms, steady=lambda: paper.now_ms)
    writer = Writer(Chains(paper.writer.chains.key, 64), clock, f"engine {skew_ms}")
    try:
        while not ended.is_set():
            with contextlib.suppress(OperationalError):  # SQLite: another one was at it for too long
                writer.work(lane)
            ended.wait(chance.uniform(0.0, 0.02))
    except BaseException as error:
        failed.append(error)
    finally:
        connections.close_all()


def test_w17_no_secret_leaves_before_it_is_opened_in_messages_hints_logs_or_files(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that leaves is looked through after each step: nothing has the secret of a round that is not opened."""
    said: list[str] = []
    monkeypatch.setattr(hints, "publish", lambda told: said.extend(text for _, text in told))
    caplog.set_level(logging.DEBUG)
    paper = Paper()
    paper.writer.marks = Marks(tmp_path / "marks")
    paper.open("classic-unlimited", time_limit=5)
    at = paper.game("classic-unlimited")
    for player in [paper.player() for _ in range(2)]:
        paper.bet(player, at, paper.items(player, 200))
    secrets = {number: paper.writer.chains.secret(at.lane, at.round + number) for number in (0, 1, 2)}
    opened = False
    for _ in range(60):
        left = everything(said, caplog.text, tmp_path / "marks")
        opened = LaneEvent.objects.filter(lane=at.lane, round=at.round, kind="open").exists()
        assert (secrets[0].hex() in left) == opened
        assert secrets[1].hex() not in left and secrets[2].hex() not in left
        if paper.round(at).sealed_ms is not None:
            break
        paper.run(1)
    assert opened and paper.round(at).sealed_ms is not None


def everything(said: list[str], logs: str, marks: Path) -> str:
    """What browsers, other processes, logs and files get, as text."""
    rows = [*LaneMessage.objects.values_list("body", flat=True), *UserMessage.objects.values_list("body", flat=True)]
    records = [bytes(row).hex() for row in Round.objects.values_list("record", flat=True)]
    read = [bytes.fromhex(text).decode() for text in records]
    told = [str(row.__dict__) for row in (*Lane.objects.all(), *Call.objects.all())]
    return "\n".join([*said, logs, *rows, *read, *told, *(path.read_text() for path in marks.iterdir())])
