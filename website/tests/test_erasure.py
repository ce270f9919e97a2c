"""A person is forgotten: nothing that says who they are is left, the books add up, and an exclusion goes on."""

from __future__ import annotations

import io
from datetime import date

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from paper import Paper

from website.accounts import erasure, sessions
from website.accounts import services as accounts
from website.accounts.erasure import ErasureError
from website.accounts.models import Player
from website.accounts.steam import SteamProfile
from website.care import gate, play
from website.care import services as care
from website.custody.models import Errand
from website.engine.clock import wall_ms
from website.engine.models import Call, Feed
from website.ledger import coins
from website.ledger.models import Posting
from website.live.models import Mailbox
from website.raffles.models import Prize, Purchase, Template
from website.rooms.models import Round

STEAM_ID = 76561198000000777
NAME, PICTURE = "Very Recognisable", "ab" * 20


@pytest.fixture
def person(one_database: str, site_settings: None) -> Player:
    Feed.objects.get_or_create(reader="site", defaults={"livemode": False})
    made = accounts.register(STEAM_ID, NAME, wall_ms())
    Call.objects.filter(kind=Call.USER).update(state=Call.DONE)
    accounts.saw(made, SteamProfile(NAME, PICTURE, 20, 1_000_000_000_000))
    gate.declare(made, date(1987, 6, 5), "LV", wall_ms())
    return made


def tables() -> str:
    """Everything that stands in the database, but for books that only grow."""
    said = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if not table.startswith("ledger_"):
                cursor.execute(f'SELECT * FROM "{table}"')
                said.append(f"{table}: {cursor.fetchall()}")
    return "\n".join(said)


def test_nothing_of_a_person_is_left_and_the_books_stay(person: Player) -> None:
    coins.welcome(person, wall_ms())
    browser = Client(SERVER_NAME="localhost")
    browser.cookies[sessions.COOKIE] = sessions.start(person, "a browser", wall_ms())
    before = tables()
    assert NAME in before and str(STEAM_ID) in before and PICTURE in before and "1987" in before
    books = list(Posting.objects.values_list("account_id", "cents"))
    assert browser.post("/me/erase", {"word": "no"}).status_code == 303 and tables() != ""
    assert Player.objects.get(id=person.id).steam_id == STEAM_ID, "without the words nothing is done"
    assert "FORGET ME" in browser.get("/me/play").content.decode()
    assert browser.post("/me/erase", {"word": "forget me"}).status_code == 303
    after = tables()
    for trace in (NAME, str(STEAM_ID), PICTURE, "1987", "a browser"):
        assert trace not in after, [line for line in after.splitlines() if trace in line]
    assert list(Posting.objects.values_list("account_id", "cents")) == books
    assert browser.get("/me").status_code == 302, "signed out everywhere"
    out = io.StringIO()
    call_command("people", stdout=out)
    assert f"fleet users forget {person.id}" in out.getvalue()
    call_command("people", "done", str(person.id))
    out = io.StringIO()
    call_command("people", stdout=out)
    assert out.getvalue() == ""


@pytest.mark.parametrize("ever", [True, False])
def test_w26_being_forgotten_is_no_way_around_an_exclusion(person: Player, ever: bool) -> None:
    now_ms = wall_ms()
    if ever:
        care.exclude(person, None, now_ms)
    else:
        care.take_time_out(person, 7, now_ms)
    erasure.erase(person, now_ms)
    again = accounts.register(STEAM_ID, NAME, now_ms + 1)
    assert again.id != person.id
    gate.declare(again, date(1987, 6, 5), "LV", now_ms + 1)
    no = gate.standing(again, now_ms + 2)
    assert no is not None and no.reason == ("self_excluded" if ever else "time_out")
    other = accounts.register(STEAM_ID + 1, "somebody else", now_ms)
    gate.declare(other, date(1987, 6, 5), "LV", now_ms)
    assert gate.standing(other, now_ms + 2) is None


def test_who_has_something_here_or_under_way_is_not_forgotten_yet(
    one_database: str, site_settings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = Paper()
    paper.open("classic-unlimited", time_limit=3)
    at = paper.game("classic-unlimited")
    ana, bo = paper.player(), paper.player()
    paper.bet(ana, at, paper.items(ana, 300))

    def code() -> str:
        with pytest.raises(ErasureError) as no:
            erasure.erase(ana, paper.now_ms)
        return no.value.code

    assert code() == "in_a_round"
    paper.bet(bo, at, paper.items(bo, 500))
    sealed: Round = paper.until_sealed(at)
    totals, record = play.totals(ana, paper.now_ms)[-1], bytes(sealed.record)
    erasure.erase(ana, paper.now_ms)
    assert play.totals(ana, paper.now_ms)[-1] == totals and bytes(paper.round(at).record) == record
    paper.check()


@pytest.mark.parametrize("what", ["deposit", "raffle", "message"])
def test_who_gets_something_while_the_fleet_is_asked_is_not_forgotten(
    person: Player, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fleet said that nothing is there; before anything was locked a deposit or a raffle came to its end."""
    asked = {"lane": "raffle-1-1", "round": 1, "quantity": 1, "player": person, "created_ms": 1, "touched_ms": 1}
    bought = Purchase.objects.create(purchase_id="buy_1", token="t", state=Purchase.PLACED, **asked)
    if what != "raffle":
        Purchase.objects.filter(id=bought.id).update(state=Purchase.OVER)

    def meanwhile(_player: Player) -> None:
        if what == "deposit":
            Errand.objects.create(
                errand_id="in_1",
                player=person,
                kind="deposit",
                token="d",
                state=Errand.DONE,
                body="{}",
                made_ms=1,
                touched_ms=1,
            )
        elif what == "raffle":
            Purchase.objects.filter(id=bought.id).update(state=Purchase.OVER)
        else:
            Mailbox.objects.update_or_create(player=person, defaults={"seq": 99})

    with monkeypatch.context() as patched:
        patched.setattr(erasure, "_check_fleet", meanwhile)
        with pytest.raises(ErasureError, match="under_way"):
            erasure.erase(person, wall_ms())
        assert Player.objects.get(id=person.id).steam_id == STEAM_ID
    erasure.erase(person, wall_ms())
    assert Player.objects.get(id=person.id).steam_id < 0


def test_being_forgotten_is_no_way_around_a_block_and_gives_no_prize_away(person: Player) -> None:
    def code() -> str:
        with pytest.raises(ErasureError) as no:
            erasure.erase(person, wall_ms())
        return no.value.code

    person.blocked_why = "a trade was reversed"
    person.save()
    assert code() == "blocked", "who registers anew would be blocked no more"
    person.blocked_why = ""
    person.save()
    template = Template.objects.create()
    prize = Prize.objects.create(template=template, kind="hand", state=Prize.OWED, player=person, made_ms=1)
    assert code() == "prize_owed"
    prize.state = Prize.CONFIRMED
    prize.save()
    bought = Purchase.objects.create(
        purchase_id="buy_1", lane="raffle-1-1", round=1, player=person, token="t", quantity=1, created_ms=1, touched_ms=1
    )
    for state, said in ((Purchase.NEW, "under_way"), (Purchase.PLACED, "in_a_round")):
        bought.state = state
        bought.save()
        assert code() == said
    bought.state = Purchase.OVER
    bought.save()
    erasure.erase(person, wall_ms())
    assert Player.objects.get(id=person.id).steam_id < 0
