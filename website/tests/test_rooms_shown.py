"""Pages of rooms without scripts: every mode in every phase, what a bet goes through, and what strange requests get."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver
from paper import HOUSE, Paper
from rooms_shown import ClientOnPaper, signed_in
from test_rooms_on_paper import type_both

from scripts.lab import write_lock
from website import fleet, limits
from website.accounts.models import Player
from website.rooms import api, guarantees, odds, picker, reading, services, views
from website.rooms.models import Bet, Round
from website.rooms.services import draft

SNG, RAFFLE = "SnG Ticket", "Raffle Ticket"
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:|<style")
TAGS = re.compile(r"<[^>]*>")


@pytest.fixture
def paper(one_database: str, site_settings: None, monkeypatch: pytest.MonkeyPatch) -> Paper:
    made = Paper()
    monkeypatch.setattr(limits, "take", lambda *asked: None)
    for module in (views, api):
        monkeypatch.setattr(module, "wall_ms", lambda: made.now_ms)
    return made


@pytest.fixture(autouse=True)
def client_on_paper(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> ClientOnPaper:
    """The fleet, as pages reach it."""
    made = ClientOnPaper(paper.fleet)
    monkeypatch.setattr(fleet, "client", lambda: made)
    return made


def address(at: Round) -> str:
    return f"/rooms/{at.room}/{at.lane}/{at.round}"


def page(browser: Client, path: str) -> str:
    """A page that is well: nothing inline, no word that only Python says."""
    answer = browser.get(path)
    text = answer.content.decode()
    assert answer.status_code == 200, (path, answer.status_code, text[:200])
    assert not INLINE.search(text), INLINE.search(text)
    assert not re.search(r"\bNone\b(?!</button>)|\bFraction\b|Decimal\(", text)
    return text


def both(browser: Client, at: Round) -> str:
    """The round by its address, on its room's page if it is the open one, and for programs."""
    told = browser.get(f"/api/v1/rounds/{at.lane}/{at.round}").json()
    row = Round.objects.get(id=at.id)
    assert (told["round"], told["phase"], told["pot_cents"]) == (at.round, row.phase, row.pot_cents)
    assert (told["secret"] is None) == (row.opened_ms is None)
    page(browser, f"/rooms/{at.room}")
    return page(browser, address(at))


def follow(paper: Paper, browser: Client, at: Round) -> set[str]:
    """Looks at a round once in each phase until it is sealed; the phases it was seen in."""
    seen: set[str] = set()
    for _ in range(60):
        row = Round.objects.get(id=at.id)
        if row.phase not in seen:
            both(browser, at)
        seen.add(row.phase)
        if row.sealed_ms:
            return seen
        paper.run(1)
    raise AssertionError(seen)


# ---- each mode to its seal


def test_w21_a_classic_round_in_every_phase(paper: Paper) -> None:
    """What a page without scripts says is what the API says, in each phase."""
    paper.open("classic-unlimited", time_limit=3)
    at = paper.game("classic-unlimited")
    ana, bo = paper.player(), paper.player()
    hers = signed_in(ana, paper)
    assert "nobody has bet yet" in both(hers, at)
    paper.bet(ana, at, paper.items(ana, 300, 250))
    assert "waiting for one more player" in both(hers, at)
    paper.bet(bo, at, paper.items(bo, 450))
    text = both(hers, at)
    assert "10.00" in text and "0–299" in text and "55.00" in text and 'class="you"' in text
    told = hers.get(f"/api/v1/rounds/{at.lane}/{at.round}").json()
    assert [each["chance"] for each in told["players_list"]] == ["11/20", "9/20"]
    assert f'data-seq="{told["seq"]}"' in text and 'http-equiv="refresh"' in text
    assert {"game", "closed", "opened", "sealed"} <= follow(paper, hers, at)
    text = page(hers, address(at))
    assert "was drawn" in text and "lottery verify" in text and f'data-record="{address(at)}/record.json"' in text
    assert 'http-equiv="refresh"' not in text
    sealed = Round.objects.get(id=at.id)
    assert hers.get(f"{address(at)}/record.json").content == bytes(sealed.record)
    assert hers.get(f"{address(at)}/events.json").json()[0]["event"] == "create"
    assert "checks of this record hold" in page(hers, f"{address(at)}?explain")
    assert address(at) in page(hers, "/")


def test_five_against_five_in_every_phase(paper: Paper) -> None:
    paper.open("5v5", time_limit=2, team_limit=2, player_limit=4, min_players=4)
    at = paper.game("5v5")
    players = [paper.player() for _ in range(4)]
    hers = signed_in(players[0], paper)
    assert "free seat" in both(hers, at)
    for place, player in enumerate(players):
        paper.bet(player, at, paper.items(player, 300 + place), 1 + place % 2)
        if place == 1:
            text = both(hers, at)
            assert text.count("free seat") == 2 and "waiting for 2 more players" in text
    follow(paper, hers, at)
    gone = json.loads(Round.objects.get(id=at.id).outcome)["eliminations"]
    text = page(hers, address(at))
    assert "Who left" in text and all(f"<code>{each['value']}" in text.replace("\u202f", "") for each in gone)


def test_sit_n_go_in_every_phase(paper: Paper) -> None:
    paper.open("sit-n-go", item_limit_max=4, min_players=4, shares=[1, 1, 1])
    at = paper.game("sit-n-go")
    players = [paper.player() for _ in range(4)]
    hers = signed_in(players[0], paper)
    assert "Get tickets for items" in page(hers, "/rooms/sit-n-go")
    paper.items(players[0], 100, 100, name=SNG)
    for player in players:
        paper.bet(player, at, paper.items(player, 100, name=SNG)[:1])
        if player is players[2]:
            assert page(hers, address(at)).count(">25.00\u202f%<") >= 9, (
                "three players, three places each, as it will be when it is full"
            )
    follow(paper, hers, at)
    assert page(hers, address(at)).count('class="winner"') == 3


def test_the_global_pot_in_every_phase(paper: Paper) -> None:
    (lane, _) = paper.open("global-pot", global_pot_limit=1_000, shares=[5, 3])
    at = paper.game("global-pot")
    ana, bo = paper.player(), paper.player()
    hers = signed_in(ana, paper)
    assert "stays bound until the pot is full" in page(hers, "/rooms/global-pot")
    paper.bet(ana, at, paper.items(ana, 400, 100))
    both(hers, at)
    paper.bet(bo, at, paper.items(bo, 250, 250))
    paper.run(3)
    both(hers, at)
    people = [paper.operator(name) for name in ("typist", "second")]
    type_both(paper, lane, 1, "17", people)
    text = both(hers, at)
    assert ">17<" in text and f"operators {people[0].id} and {people[1].id}" in text and "stream.example" in text
    type_both(paper, lane, 2, "612", people)
    follow(paper, hers, at)
    assert "People of the house typed numbers" in page(hers, address(at))


def test_a_giveaway_in_every_phase(paper: Paper) -> None:
    (prize,) = paper.fleet.add(HOUSE, "★ Karambit | Night", 50_000)
    paper.open("giveaway", item_limit_max=2, bet_item_limit_max=2)
    guarantees.set_aside("giveaway", [prize], paper.operator("ana"), "a prize", paper.now_ms)
    at = paper.game("giveaway")
    ana = paper.player()
    hers = signed_in(ana, paper)
    text = both(hers, at)
    assert "Karambit" in text and "500.00" in text and "Get tickets for items" in page(hers, "/rooms/giveaway")
    paper.bet(ana, at, paper.items(ana, 100, 100, name=RAFFLE))
    follow(paper, hers, at)
    assert "Karambit" in page(hers, address(at))


def test_a_void_round_says_why_and_that_everything_went_back(paper: Paper) -> None:
    paper.open("classic-unlimited", lonely_void_s=2)
    at = paper.game("classic-unlimited")
    ana = paper.player()
    paper.bet(ana, at, paper.items(ana, 300))
    paper.run(4)
    text = page(signed_in(ana, paper), address(at))
    assert "one player had been alone for too long" in text and "gets back what they bet" in text


# ---- a bet


def form_of(text: str) -> dict[str, Any]:
    """The form of the bet as a browser would send it with nothing ticked."""
    inputs = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text)
    return dict(inputs) | {"client_seed": "abc"}


def test_s23_two_tabs_a_double_click_and_the_way_back_are_one_bet(paper: Paper) -> None:
    paper.open("classic-unlimited")
    at = paper.game("classic-unlimited")
    ana = paper.player()
    (item, other) = paper.items(ana, 300, 200)
    browser = signed_in(ana, paper)
    first, second = form_of(page(browser, "/rooms/classic-unlimited")), form_of(page(browser, "/rooms/classic-unlimited"))
    assert first["token"] == second["token"]
    answers = [browser.post("/bets", {**form, "item": f"{item}:300"}) for form in (first, first, second)]
    assert {each.status_code for each in answers} == {303}
    assert len({each["Location"] for each in answers}) == 1 and Bet.objects.count() == 1
    changed = browser.post("/bets", {**second, "item": f"{other}:200"})
    assert changed.status_code == 409 and "sent before" in changed.content.decode()
    paper.settle()
    assert "is in the pot" in page(browser, answers[0]["Location"])
    assert form_of(page(browser, "/rooms/classic-unlimited"))["token"] != first["token"]
    told = browser.post("/bets", {**first, "item": f"{item}:300"}, headers={"accept": "application/json"}).json()
    assert told["state"] == "placed" and told["receipt"]["items"][0]["price"] == 300 and told["next_token"] != first["token"]
    assert at.round == told["round"]


def test_s10_a_bet_waits_for_sqlites_write_lock_or_is_refused_and_leaves_nothing(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the lock: pages are read all the same, and the same form is one bet afterwards."""
    paper.open("classic-unlimited")
    paper.game("classic-unlimited")
    ana = paper.player()
    (item,) = paper.items(ana, 300)
    browser = signed_in(ana, paper)
    browser.raise_request_exception = False
    form = {**form_of(page(browser, "/rooms/classic-unlimited")), "item": f"{item}:300"}
    path = Path(connection.settings_dict["NAME"])
    lock = write_lock.WriteLock(path)
    try:
        connection.close()
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.2)
        refused = browser.post("/bets", form)
        assert refused.status_code == 503 and "Nothing was done" in refused.content.decode() and refused["Retry-After"]
        told = browser.post("/bets", form, headers={"accept": "application/json"})
        assert told.status_code == 503 and told.json()["status"] == 503
        page(browser, "/rooms/classic-unlimited")
        assert not Bet.objects.exists()
        connection.close()
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 60)
        reached = threading.Event()
        monkeypatch.setattr(services, "_check", lambda *asked: reached.set())

        def free_when_it_is_asked() -> None:
            reached.wait()
            lock.free()

        freeing = threading.Thread(target=free_when_it_is_asked)
        freeing.start()
        assert browser.post("/bets", form).status_code == 303
        freeing.join()
    finally:
        lock.free()
    assert browser.post("/bets", form).status_code == 303
    paper.settle()
    assert Bet.objects.get().state == Bet.PLACED


def test_a_refused_bet_says_why_and_what_would_be_accepted(paper: Paper) -> None:
    paper.open("classic-unlimited")
    paper.game("classic-unlimited")
    ana = paper.player()
    (item,) = paper.items(ana, 20)
    browser = signed_in(ana, paper)
    form = form_of(page(browser, "/rooms/classic-unlimited"))
    where = browser.post("/bets", {**form, "item": f"{item}:20"})["Location"]
    text = page(browser, where)
    assert "asks again" in text and 'http-equiv="refresh"' in text
    paper.settle()
    text = page(browser, where)
    assert "too little for this room" in text and "from 1.00" in text and 'http-equiv="refresh"' not in text
    answer = browser.post("/bets", {**form, "item": f"{item}:20"}, headers={"accept": "application/json"})
    assert (
        answer.status_code == 409 and answer.json()["code"] == "bet_value_min" and answer.json()["accepts"] == {"at_least": 100}
    )
    browser.cookies["language"] = "ru"
    assert "too little" not in page(browser, where)


@override_settings(SITE_BET_WAIT_S=0.0)
def test_a_bet_belongs_to_who_made_it(paper: Paper) -> None:
    paper.open("classic-unlimited")
    paper.game("classic-unlimited")
    ana, bo = paper.player(), paper.player()
    (item,) = paper.items(ana, 300)
    hers, his, nobodys = signed_in(ana, paper), signed_in(bo, paper), Client(SERVER_NAME="localhost")
    form = form_of(page(hers, "/rooms/classic-unlimited")) | {"item": f"{item}:300"}
    assert nobodys.post("/bets", form)["Location"].startswith("/sign-in")
    assert nobodys.post("/bets", form, headers={"accept": "application/json"}).status_code == 401
    told = hers.post("/bets", form, headers={"accept": "application/json"}).json()
    assert told["state"] == "new" and not told["answered"]
    for path in ("", "/receipt.json", "/signed-receipt.json"):
        assert his.get(told["address"] + path).status_code == 404
        assert nobodys.get(told["address"] + path).status_code == 302
    assert hers.get(told["address"] + "/receipt.json").status_code == 404, "there is none yet"
    assert [each["bet_id"] for each in hers.get("/api/v1/bets").json()["bets"]] == [told["bet_id"]]
    assert his.get("/api/v1/bets").json() == {"bets": []} and nobodys.get("/api/v1/bets").status_code == 401


def test_w31_bets_come_at_most_so_often_and_the_page_says_when_again(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    browser = signed_in(paper.player(), paper)
    answers = [browser.post("/bets", {}, headers={"accept": "application/json"}) for _ in range(40)]
    late = [each for each in answers if each.status_code == 429]
    assert [each.status_code for each in answers[:5]] == [400] * 5 and late
    assert all(int(each["Retry-After"]) >= 1 for each in late)


def test_w31_odds_that_are_drawn_are_asked_for_at_most_so_often(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(fleet, "client", lambda: ClientOnPaper(paper.fleet))
    monkeypatch.setattr(odds, "EXACT_USERS_MAX", 1)
    asked: list[int] = []
    monkeypatch.setattr("lottery.odds.of_bet", lambda *question: asked.append(1))
    paper.open("global-pot")
    at = paper.game("global-pot")
    ana = paper.player()
    paper.bet(ana, at, paper.items(ana, 400))
    (item,) = paper.items(ana, 200)
    browser = signed_in(ana, paper)
    assert "Choose items" in page(browser, "/rooms/global-pot") and not asked, "nothing is drawn for who only looks"
    answers = [browser.get(f"/api/v1/rooms/global-pot/odds?cents={100 + each}&items=1") for each in range(8)]
    assert [each.status_code for each in answers[:5]] == [200] * 5 and answers[-1].status_code == 429
    drawn = len(asked)
    assert "ask again in some seconds" in page(browser, f"/rooms/global-pot?item={item}") and len(asked) == drawn


# ---- choosing without scripts


def test_the_picker_names_the_phase_of_a_doppler_and_piles_no_two_together(
    paper: Paper, client_on_paper: ClientOnPaper
) -> None:
    paper.open("classic-unlimited")
    ana, bo = paper.player(), paper.player()
    paper.bet(bo, paper.game("classic-unlimited"), paper.items(bo, 1_000))
    name = "★ Karambit | Doppler (Factory New)"
    ruby, second, plain = (paper.items(ana, 500, name=name)[0] for _ in range(3))
    client_on_paper.phases = {ruby: "Ruby", second: "Phase 2"}
    browser = signed_in(ana, paper)
    text = page(browser, "/rooms/classic-unlimited")
    for line in ("Ruby · Doppler (Factory New)", "Phase 2 · Doppler (Factory New)", "Doppler (Factory New)"):
        assert text.count(f"<span>{line}</span>") == 1, line
    assert all(f'value="{each}:500"' in text for each in (ruby, second, plain))
    browser.cookies["language"] = "ru"
    text = page(browser, "/rooms/classic-unlimited")
    assert "<span>Рубин · Doppler" in text and "<span>Фаза 2 · Doppler" in text


def test_the_picker_chooses_all_none_and_up_to_a_value(paper: Paper, client_on_paper: ClientOnPaper) -> None:
    paper.open("classic-unlimited")
    at = paper.game("classic-unlimited")
    ana, bo = paper.player(), paper.player()
    paper.bet(bo, at, paper.items(bo, 1_000))
    free = paper.items(ana, 500, 320, 200, 90)
    late, cold, souvenir = *paper.items(ana, 700, 800), *paper.items(ana, 900, name="Souvenir AWP | Safari Mesh")
    client_on_paper.unsettled, client_on_paper.frozen = [late], [cold]
    browser = signed_in(ana, paper)

    def chosen(**form: str) -> list[str]:
        where = browser.post("/rooms/classic-unlimited/choose", form)["Location"]
        text = page(browser, where.partition("#")[0])
        ticked = re.findall(r'value="(dep_\w+):\d+" data-cents="\d+" checked', text)
        assert ticked == parse_qs(urlsplit(where).query).get("item", [])
        assert 'http-equiv="refresh"' not in text, "nothing is torn from under who chooses"
        return ticked

    assert chosen(choose="all") == free
    assert chosen(choose="none", item=f"{free[0]}:500") == []
    assert chosen(choose="value", up_to="7.05") == [free[0], free[2]]
    assert chosen(choose="value", up_to="4,50") == [free[1], free[3]]
    assert chosen(choose="value", up_to="a lot") == []
    assert chosen(choose="these", item=free[3]) == [free[3]]
    text = page(browser, f"/rooms/classic-unlimited?item={free[0]}")
    assert "33.33" in text and "13.50" in text and "−0.50" in text and "Bet 5.00" in text
    assert all(str(picker.WHY_NOT[why]) in text for why in ("unsettled", "frozen", "souvenir"))
    assert f'value="{late}:' not in text and f'value="{souvenir}:' not in text
    client_on_paper.away = True
    assert "does not answer" in page(browser, "/rooms/classic-unlimited")


def test_rules_of_the_next_round_are_told_before(paper: Paper) -> None:
    paper.open("classic-unlimited")
    paper.game("classic-unlimited")
    paper.draft("classic-unlimited", bet_value_min=200)
    text = TAGS.sub("", page(Client(SERVER_NAME="localhost"), "/rooms/classic-unlimited"))
    assert re.search(r"bet_value_min\s*2\.00\s*\(now 1\.00\)", text)


# ---- strange requests


NUMBERS = ("0", "-1", "1.5", "9" * 30, "9" * 5_000, "1e3", "١", "abc", "")


def test_strange_addresses_and_numbers_are_refused_and_never_break(paper: Paper) -> None:
    (lane, _) = paper.open("classic-unlimited")
    at = paper.game("classic-unlimited")
    browser = signed_in(paper.player(), paper)
    for path in ("/rooms/nowhere", "/rooms/NOWHERE", "/rooms/a%00b", f"/rooms/{'a' * 300}", "/bets/none", "/bets/a%00b"):
        assert browser.get(path).status_code == 404, path
    assert browser.get(f"/rooms/5v5/{lane}/1").status_code == 404, "a round of another room"
    for number in NUMBERS:
        for path in (f"/rooms/classic-unlimited/{lane}/{number}", f"/api/v1/rounds/{lane}/{number}"):
            assert browser.get(path).status_code == 404, path
        query: dict[str, str] = {
            "after": number,
            "before": number,
            "item": number,
            "team": number,
            "cents": number,
            "items": number,
        }
        assert browser.get("/rooms/classic-unlimited", query).status_code == 200
        assert browser.get(address(at), query).status_code == 200
        for path in ("/api/v1/closes", "/api/v1/bets", "/api/v1/rooms/classic-unlimited/odds"):
            assert browser.get(path, query).status_code in (200, 400), (path, number)
    for path in ("record.json", "events.json"):
        assert browser.get(f"{address(at)}/{path}").status_code == 404, "not sealed yet"
    assert browser.get("/rooms/classic-unlimited?item=a%00b&client_seed=%00").status_code == 200
    assert browser.get("/bets").status_code == 405


def test_strange_forms_are_no_bets(paper: Paper) -> None:
    paper.open("classic-unlimited")
    paper.game("classic-unlimited")
    ana = paper.player()
    (item,) = paper.items(ana, 300)
    browser = signed_in(ana, paper)
    good = form_of(page(browser, "/rooms/classic-unlimited")) | {"item": f"{item}:300"}
    wrong: list[dict[str, Any]] = [{"lane": each} for each in ("", "nowhere", "a\x00b", "x" * 500)]
    wrong += [{"round": each} for each in (*NUMBERS, "a\x00")] + [{"token": each} for each in ("", "a\x00", "x" * 65, "ж")]
    wrong += [{"team": each} for each in ("-1", "3", "x", "9" * 40)] + [{"seen_cents": each} for each in ("-1", "x", "9" * 40)]
    wrong += [{"client_seed": each} for each in ("a\x00", "ж" * 33, "x" * 65, "a\nb")]
    wrong += [{"item": each} for each in ([], "", "a\x00:1", f"{item}:x", f"{item}:{'9' * 40}", [f"{item}:1"] * 2)]
    wrong += [{"item": [f"dep_{each}:1" for each in range(101)]}]
    for fields in wrong:
        for headers in ({}, {"accept": "application/json"}):
            answer = browser.post("/bets", {**good, **fields}, headers=headers)
            assert answer.status_code == 400, (fields, answer.status_code)
            assert "text/html" in answer["Content-Type"] or answer.json()["detail"]
        browser.post("/rooms/classic-unlimited/choose", {**good, **fields, "choose": "these"})
    assert browser.post("/rooms/nowhere/choose", good).status_code == 404
    assert not Bet.objects.exists()


def changing_routes() -> list[tuple[str, str]]:
    """Name and address of each view of this area that takes a POST."""
    arguments = {"room": "classic-unlimited", "lane": "classic-unlimited-a", "number": 1, "bet_id": "bet_x"}
    from website.rooms import urls

    found = []
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        given = {name: arguments[name] for name in pattern.pattern.converters}
        found.append((pattern.name or "", "/" + str(get_resolver().reverse(pattern.name, **given)) if pattern.name else ""))
    return found


def test_w30_no_address_of_rooms_changes_anything_without_its_token(paper: Paper) -> None:
    """By GET nothing is written; a POST without its token, or from elsewhere, is refused, whatever the address."""
    (lane, _) = paper.open("classic-unlimited")
    paper.game("classic-unlimited")
    ana = paper.player()
    strict = signed_in(ana, paper, enforce_csrf_checks=True)
    routes = [each for each in changing_routes() if each[0]]
    assert {"lobby", "room", "round", "choose", "place_bet", "bet", "record"} <= {name for name, _ in routes}
    for _, path in routes:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            strict.get(path)
        written = [each["sql"] for each in asked if re.match(r"(?i)\s*(insert|update|delete)", each["sql"])]
        assert not [each for each in written if "playersession" not in each], (path, written)
        assert strict.post(path).status_code in (403, 405), path
    strict.get("/rooms/classic-unlimited")
    good = {"csrfmiddlewaretoken": strict.cookies["csrftoken"].value, "lane": lane}
    assert strict.post("/bets", good, headers={"origin": "https://elsewhere.example"}).status_code == 403
    assert strict.post("/bets", good).status_code == 400, "with its token it is looked at"


# ---- how much a page asks


def test_a_page_asks_no_more_for_a_full_pot_than_for_an_empty_one(paper: Paper) -> None:
    paper.open("classic-unlimited", item_limit_max=200, bet_item_limit_max=60)
    at = paper.game("classic-unlimited")
    players = [paper.player() for _ in range(2)]
    browser = signed_in(players[0], paper)

    def asked(path: str) -> int:
        page(browser, path)
        with CaptureQueriesContext(connection) as found:
            page(browser, path)
        return len(found)

    paper.bet(players[0], at, paper.items(players[0], 100))
    few = {path: asked(path) for path in ("/", "/rooms/classic-unlimited", address(at))}
    for player in players:
        paper.bet(player, at, paper.items(player, *range(100, 150)))
    assert Round.objects.get(id=at.id).items == 101
    for path, before in few.items():
        assert asked(path) == before <= 22, path
    text = page(browser, "/rooms/classic-unlimited")
    assert text.count('class="item ') >= 100 and "1 older item" in text
    assert "before=2" in text and page(browser, f"{address(at)}?before=2").count('data-place="1"') == 1


def test_a_pot_of_more_items_than_are_drawn_shows_where_some_of_them_lie(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ITEMS_ON_RULER", 20)
    monkeypatch.setattr(reading, "STRIPES", 5)
    paper.open("classic-unlimited", bet_item_limit_max=30)
    at = paper.game("classic-unlimited")
    ana, bo = paper.player(), paper.player()
    paper.bet(bo, at, paper.items(bo, *[100] * 25))
    paper.bet(ana, at, paper.items(ana, 100, 100))
    found = reading.view(at.lane, at.round, ana.id)
    assert len(found.things) == 27 and [each.user_id for each in found.stretches].count(ana.id) == 1
    assert 2 <= len(found.stretches) <= 7 and found.stretches[-1].tickets == 200


# ---- receipts


KEY = "5a" * 32


@override_settings(SITE_RECEIPT_KEY=KEY)
def test_a_receipt_is_signed_and_a_changed_one_is_noticed(
    paper: Paper, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from django.core.management import CommandError, call_command
    from lottery.verify import lane as verify_lane

    paper.open("classic-unlimited")
    at = paper.game("classic-unlimited")
    ana = paper.player()
    bet = paper.bet(ana, at, paper.items(ana, 300, 200))
    browser = signed_in(ana, paper)
    assert "signed receipt" in page(browser, f"/bets/{bet.bet_id}")
    text = browser.get(f"/bets/{bet.bet_id}/signed-receipt.json").content
    published = browser.get("/fairness/receipt-key").json()["public_key"]
    path, inner = tmp_path / "receipt.json", tmp_path / "inner.json"
    path.write_bytes(text)
    call_command("receipts", "check", str(path), "--key", published, "--inner", str(inner))
    assert "good: bet 1" in capsys.readouterr().out
    assert verify_lane.read_receipt(inner.read_bytes())["bet"] == 1
    assert json.loads(inner.read_text()) == browser.get(f"/bets/{bet.bet_id}/receipt.json").json()
    for changed in (
        text.replace(b"300", b"301"),
        text.replace(b"site.receipt.1", b"site.receipt.2"),
        b"{}",
        b"[1]",
        b"\xff",
        b"{" * 9_999,
    ):
        path.write_bytes(changed)
        with pytest.raises(CommandError):
            call_command("receipts", "check", str(path), "--key", published)
    path.write_bytes(text)
    with pytest.raises(CommandError):
        call_command("receipts", "check", str(path), "--key", "00" * 32)


def test_a_site_without_a_key_signs_nothing_and_says_nothing_of_it(paper: Paper) -> None:
    paper.open("classic-unlimited")
    at = paper.game("classic-unlimited")
    ana = paper.player()
    bet = paper.bet(ana, at, paper.items(ana, 300))
    browser = signed_in(ana, paper)
    assert "signed-receipt" not in page(browser, f"/bets/{bet.bet_id}")
    assert browser.get(f"/bets/{bet.bet_id}/signed-receipt.json").status_code == 404
    assert browser.get("/fairness/receipt-key").status_code == 404


# ---- for programs


def test_programs_get_rooms_odds_and_closes(paper: Paper) -> None:
    paper.open("classic-unlimited", time_limit=2)
    at = paper.game("classic-unlimited")
    ana, bo = paper.player(), paper.player()
    paper.bet(ana, at, paper.items(ana, 300))
    browser = Client(SERVER_NAME="localhost")
    (room,) = browser.get("/api/v1/rooms").json()["rooms"]
    assert (room["room"], room["round"]["pot_cents"]) == ("classic-unlimited", 300)
    assert browser.get("/api/v1/rooms/classic-unlimited").json()["round"]["items_list"][0]["cents"] == 300
    found = browser.get("/api/v1/rooms/classic-unlimited/odds", {"cents": 100, "items": 1}).json()
    assert found["odds"]["chance"] == "1/4" and found["odds"]["win"] == "360/1" and found["odds"]["expected"] == "-10/1"
    assert browser.get("/api/v1/rooms/classic-unlimited/odds?cents=x&items=1").status_code == 400
    paper.bet(bo, at, paper.items(bo, 300))
    paper.run(8)
    said = browser.get("/api/v1/closes").json()
    assert [(each["lane"], each["round"], each["close"]["tickets"]) for each in said["closes"]] == [(at.lane, at.round, 600)]
    assert browser.get("/api/v1/closes", {"after": said["next"]}).json() == {"closes": [], "next": said["next"]}


def test_a_room_whose_first_round_is_not_made_yet_says_so(paper: Paper) -> None:
    version = paper.draft("classic-limited")
    assert version == 1 and draft is not None
    browser = Client(SERVER_NAME="localhost")
    assert "begins by itself" in page(browser, "/rooms/classic-limited")
    assert "not begun yet" in page(browser, "/") and Player.objects.count() == 0
    assert "No round has been sealed yet" in page(browser, "/")
