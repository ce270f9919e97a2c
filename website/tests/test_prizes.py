"""Keys of games and prizes sent by hand: sealed at rest, read by who has won them, never by anybody else."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from paper import Paper, record_of
from raffling import ask, check_coins, give, open_raffle, people, terms

from website import sealing
from website.engine.models import Alarm
from website.office import operators
from website.raffles import prizes, services
from website.raffles.models import Prize, Template, TemplateVersion
from website.raffles.prizes import PrizeError
from website.rooms.models import Lane, LaneEvent, LaneMessage, Round

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
KEYS = ["AAAAA-BBBBB-CCCCC", "DDDDD-EEEEE-FFFFF"]


@pytest.fixture
def paper(database_url: str, site_settings: None) -> Paper:
    return Paper()


def buy_out(paper: Paper, at: Round) -> None:
    player = paper.player()
    give(player, 100_000, paper.now_ms)
    ask(player, at, 10, paper.now_ms)
    paper.settle()


def test_a_key_is_in_stock_before_an_instance_opens_and_is_read_by_the_winner_only(paper: Paper) -> None:
    ana, _ = people()
    room = open_raffle(terms(prize_kind=TemplateVersion.KEY), paper.now_ms)
    paper.settle()
    assert not Round.objects.exists() and Alarm.objects.get(ended_ms=None).kind == "no_prize"
    template_id = Template.objects.get().id
    prizes.add_keys(template_id, KEYS, ana, "bought today", paper.now_ms)
    at = paper.game(room)
    assert prizes.in_stock(template_id) == 1 and not Alarm.objects.filter(ended_ms=None).exists()
    buy_out(paper, at)
    with pytest.raises(Prize.DoesNotExist):
        prizes.reveal(paper.player(), Prize.objects.get(round=1).id, paper.now_ms)  # it is bound, nobody has won it
    done = paper.until_sealed(at)
    row = Prize.objects.get(lane=at.lane, round=1)
    winner = row.player
    assert winner is not None and json.loads(done.winners)[0][0] == winner.id
    other = paper.player()
    with pytest.raises(Prize.DoesNotExist):
        prizes.reveal(other, row.id, paper.now_ms)
    assert prizes.reveal(winner, row.id, paper.now_ms) == KEYS[0]
    row.refresh_from_db()
    assert (row.state, row.sent_ms) == (Prize.SENT, paper.now_ms)
    assert prizes.reveal(winner, row.id, paper.now_ms + 1) == KEYS[0]  # the winner may look again
    row.refresh_from_db()
    assert row.sent_ms == paper.now_ms
    with pytest.raises(Prize.DoesNotExist):
        prizes.reveal(other, row.id, paper.now_ms)
    paper.settle()
    assert Round.objects.get(lane=at.lane, round=2).phase == "game"  # the second key
    record_of(done)
    paper.check()
    check_coins()


def test_a_key_stands_nowhere_in_the_clear(paper: Paper) -> None:
    ana, _ = people()
    room = open_raffle(terms(prize_kind=TemplateVersion.KEY), paper.now_ms)
    prizes.add_keys(Template.objects.get().id, KEYS, ana, "bought today", paper.now_ms)
    at = paper.game(room)
    buy_out(paper, at)
    done = paper.until_sealed(at)
    written = [bytes(row.sealed) for row in Prize.objects.all()] + [repr(row).encode() for row in Prize.objects.all()]
    written += [text.encode() for text in LaneEvent.objects.values_list("body", flat=True)] + [bytes(done.record)]
    written += [text.encode() for text in LaneMessage.objects.values_list("body", flat=True)]
    assert not [text for text in written for key in KEYS if key.encode() in text]
    row = Prize.objects.get(lane=at.lane, round=1)
    assert row.player is not None
    with override_settings(SITE_SEAL_KEY="11" * 32), pytest.raises(sealing.SealError):
        prizes.reveal(row.player, row.id, paper.now_ms)
    row.refresh_from_db()
    assert row.state == Prize.OWED
    Prize.objects.filter(id=row.id).update(sealed=bytes(Prize.objects.exclude(id=row.id).first().sealed))  # type: ignore[union-attr]
    with pytest.raises(sealing.SealError):
        prizes.reveal(row.player, row.id, paper.now_ms)


def test_a_void_raffle_puts_its_key_back_for_the_next_one(paper: Paper) -> None:
    room = open_raffle(terms(prize_kind=TemplateVersion.KEY, expires_s=60), paper.now_ms)
    prizes.add_keys(Template.objects.get().id, KEYS[:1], people()[0], "bought today", paper.now_ms)
    at = paper.game(room)
    paper.run(61)
    paper.until_sealed(at)
    again = paper.game(room)
    (row,) = Prize.objects.all()
    assert (again.round, row.state, row.round, row.player) == (2, Prize.BOUND, 2, None)
    check_coins()


@pytest.mark.parametrize("keys", [[], [""], ["x" * 201], ["same", "same"], ["a\x07b"], ["known"]])
def test_keys_that_are_none_or_known_are_refused_all_together(paper: Paper, keys: list[str]) -> None:
    ana, _ = people()
    template_id = services.draft(terms(), ana, "a game", paper.now_ms).template_id
    prizes.add_keys(template_id, ["known"], ana, "first", paper.now_ms)
    with pytest.raises(PrizeError) as refused:
        prizes.add_keys(template_id, ["fresh", *keys] if keys else keys, ana, "more", paper.now_ms)
    assert "known" not in str(refused.value).split() and Prize.objects.count() == 1
    (row,) = Prize.objects.all()
    prizes.drop_key(row.id, ana, "was sold twice", paper.now_ms)
    row.refresh_from_db()
    assert (row.state, bytes(row.sealed)) == (Prize.DROPPED, b"")
    with pytest.raises(PrizeError):
        prizes.drop_key(row.id, ana, "again", paper.now_ms)


def test_what_is_sent_by_hand_is_owed_sent_and_confirmed(paper: Paper) -> None:
    ana, _ = people()
    at = paper.game(open_raffle(terms(), paper.now_ms))
    (row,) = Prize.objects.all()
    with pytest.raises(PrizeError):
        prizes.mark_sent(row.id, ana, "by mail", paper.now_ms)  # nobody has won it yet
    buy_out(paper, at)
    paper.until_sealed(at)
    row.refresh_from_db()
    assert row.player is not None and list(prizes.owed()) == [row]
    assert not prizes.overdue(paper.now_ms).exists() and prizes.overdue(paper.now_ms + prizes.OVERDUE_MS).exists()
    with pytest.raises(Prize.DoesNotExist):
        prizes.confirm(row.player, row.id, paper.now_ms)  # it was not sent
    for note in ("", "x" * 501):
        with pytest.raises(PrizeError):
            prizes.mark_sent(row.id, ana, note, paper.now_ms)
    prizes.mark_sent(row.id, ana, "gift sent to the account", paper.now_ms)
    with pytest.raises(Prize.DoesNotExist):
        prizes.confirm(paper.player(), row.id, paper.now_ms)
    assert prizes.confirm(row.player, row.id, paper.now_ms).state == Prize.CONFIRMED
    assert prizes.confirm(row.player, row.id, paper.now_ms + 1).confirmed_ms == paper.now_ms
    check_coins()


def test_operators_make_raffles_at_the_command_line(paper: Paper, tmp_path: Path) -> None:
    for name in ("ana", "bo"):
        (tmp_path / f"{name}.key").write_text(operators.add(name)[1], encoding="utf-8")
    (tmp_path / "knife.toml").write_text(
        'prize = "a game"\nprice_cents = 900\ncommission_cents = 100\ntickets = 3\nprize_kind = "key"\n'
    )
    (tmp_path / "keys").write_text("\n".join(KEYS), encoding="utf-8")

    def run(*words: Any, by: str = "", why: bool = False) -> str:
        said = io.StringIO()
        who = ["--by", by, "--key-file", str(tmp_path / f"{by}.key")] if by else []
        call_command("raffles", *map(str, words), *who, *(["--why", "a test"] if why else []), stdout=said)
        return said.getvalue()

    assert "3 tickets of 334" in run("draft", tmp_path / "knife.toml", "--dry-run", by="ana", why=True)
    assert not Template.objects.exists()
    run("draft", tmp_path / "knife.toml", by="ana", why=True)
    with pytest.raises(CommandError, match="another approves"):
        run("approve", 1, 1, by="ana")
    run("approve", 1, 1, by="bo")
    assert "has 0 in stock" in run("keys", 1, tmp_path / "keys", "--dry-run", by="ana", why=True)
    assert "has 2 in stock" in run("keys", 1, tmp_path / "keys", by="ana", why=True)
    run("on", 1, by="ana", why=True)
    paper.settle()
    assert "raffle-1-1  open  raffle 1 game, 0 sold" in run("list")
    run("off", 1, by="bo", why=True)
    assert "1  off  version 1: a game, 1 keys" in run("list") and run("owed") == ""
    assert "agree" in run("check")
    assert Lane.objects.count() == 1
    with pytest.raises(CommandError):
        run("sent", 1, "by mail", by="ana")
