"""Pages of a player's own: what they show, what they take, and what they refuse in words."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import UTC, datetime

import pytest
from django.test import Client, override_settings
from lottery.events import Denial

from website import limits
from website.accounts import agents, sessions, trade_links
from website.accounts import urls as accounts_urls
from website.accounts.models import Player, PlayerSession
from website.accounts.services import register
from website.care import countries, gate, services
from website.care import urls as care_urls
from website.care.models import Declaration, PlayLog
from website.engine.clock import wall_ms
from website.engine.models import Feed
from website.rooms.models import Round

ACCOUNT = 1_000_201
STEAM_ID = trade_links.STEAM_ID_BASE + ACCOUNT
LINK = f"https://steamcommunity.com/tradeoffer/new/?partner={ACCOUNT}&token=aB3_-xYz"
DAY_MS = 86_400_000
PAGES = ("/me", "/me/play", "/me/limits", "/me/referral", "/me/declaration", "/me/reality", "/me/data.json", "/me/play.csv")


@pytest.fixture
def player(one_database: str) -> Player:
    limits._buckets.forget()
    Feed.objects.create(reader="site", livemode=False)
    return register(STEAM_ID, "ana", 1_700_000_000_000)


@pytest.fixture
def me(player: Player) -> Client:
    return signed_in(player)


def signed_in(player: Player, tokens: bool = False) -> Client:
    browser = Client(SERVER_NAME="localhost", enforce_csrf_checks=tokens)
    browser.cookies[sessions.COOKIE] = sessions.start(player, "a browser", wall_ms())
    return browser


def text(browser: Client, address: str) -> str:
    return browser.get(address).content.decode()


def routes() -> list[str]:
    """Every address of these two apps."""
    found = [str(each.pattern) for each in (*accounts_urls.urlpatterns, *care_urls.urlpatterns)]
    return ["/" + re.sub(r"<(\w+):\w+>", lambda match: "1" if match[1] == "int" else "day", each) for each in found]


# ---- what holds for all of them


def test_pages_are_for_their_player_only(one_database: str) -> None:
    stranger = Client(SERVER_NAME="localhost")
    for page in PAGES:
        assert stranger.get(page)["Location"] == f"/sign-in?next={page.replace('/', '%2F')}"


@pytest.mark.parametrize("language", ["en", "ru"])
def test_pages_have_nothing_inline_and_say_who_may_keep_them(me: Client, language: str) -> None:
    me.cookies["language"] = language
    for page in PAGES[:6]:
        answer = me.get(page)
        shown = answer.content.decode()
        assert answer.status_code == 200 and "no-store" in answer["Cache-Control"], page
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:", shown), page
        assert shown.count('aria-current="page"') >= 1 and shown.count("<h1") == 1, page


def test_w30_no_address_changes_anything_by_get_or_without_a_token(player: Player) -> None:
    browser = signed_in(player, tokens=True)
    before = dump(player)
    for route in routes():
        limits._buckets.forget()
        assert browser.post(route).status_code == 403, route
        assert browser.get(route).status_code in (200, 302, 403, 405), route
    assert dump(player) == before and PlayerSession.objects.count() == 1


def dump(player: Player) -> str:
    player.refresh_from_db()
    rows = [player.__dict__ | {"_state": None}, *services_rows()]
    return str(rows)


def services_rows() -> list[object]:
    return [list(Declaration.objects.values()), list(PlayLog.objects.values()), list(Player.objects.values())]


STRANGE = ("", " ", "0", "-1", "1e3", "9" * 400, "\0", "ä\N{RIGHT-TO-LEFT OVERRIDE}", "[]", "1; DROP TABLE", "<b>")


@pytest.mark.parametrize("value", STRANGE)
def test_anything_may_be_sent_and_the_answer_is_clear(me: Client, value: str) -> None:
    fields = (
        "amount",
        "none",
        "kind",
        "window",
        "days",
        "word",
        "minutes",
        "born",
        "country",
        "sure",
        "pseudonym",
        "trade_url",
        "language",
    )
    sent = dict.fromkeys(fields, value)
    for route in routes():
        limits._buckets.forget()
        if not route.startswith("/sign"):
            assert me.post(route, sent).status_code in (302, 303, 400, 404, 405), route
            assert me.get(route, {"next": value, "page": value}).status_code in (200, 302, 404, 405), route


def test_w31_changes_are_counted(me: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_buckets", limits._Buckets(lambda: 1_000_000))
    answers = [me.post("/me/shown", {"pseudonym": "x"}) for _ in range(limits.CHANGES.count + 1)]
    assert answers[-2].status_code == 303 and answers[-1].status_code == 429 and int(answers[-1]["Retry-After"]) >= 1
    assert me.get("/me/data.json").status_code == 200 and me.get("/me/data.json").status_code == 429


# ---- the profile


def test_the_trade_link_is_kept_and_never_shown_whole(me: Client, player: Player) -> None:
    assert me.post("/me/trade-link", {"trade_url": LINK}).status_code == 303
    player.refresh_from_db()
    assert trade_links.trade_url_of(player) == LINK
    shown = text(me, "/me")
    assert "aB3_-xYz" not in shown and str(ACCOUNT) in shown
    refused = me.post("/me/trade-link", {"trade_url": LINK.replace(str(ACCOUNT), "5")})
    assert refused.status_code == 400 and "another Steam account" in refused.content.decode()
    assert me.post("/me/trade-link", {"trade_url": ""}).status_code == 400
    me.post("/me/trade-link", {"forget": "1"})
    player.refresh_from_db()
    assert trade_links.trade_url_of(player) is None


def test_a_pseudonym_is_what_others_see(me: Client, player: Player) -> None:
    me.post("/me/shown", {"pseudonym": "  no\u202eb\u200bo\u0301\u0301\u0301\u0301dy  "})
    player.refresh_from_db()
    assert player.name == "nobó\u0301\u0301dy" and (player.show_statistics, player.show_raffles) == (False, False)
    assert me.post("/me/shown", {"pseudonym": "\u200b\u3164"}).status_code == 400
    me.post("/me/shown", {"pseudonym": "", "show_statistics": "yes"})
    player.refresh_from_db()
    assert player.name == "ana" and player.show_statistics


def test_the_language_goes_along(me: Client, player: Player) -> None:
    me.post("/me/language", {"language": "ru"})
    player.refresh_from_db()
    assert player.language == "ru" and '<html lang="ru"' in text(me, "/me")
    assert me.post("/me/language", {"language": "xx"}).status_code == 400


def test_sessions_are_seen_and_ended_one_by_one(me: Client, player: Player) -> None:
    other, stranger = signed_in(player), register(STEAM_ID + 1, "bo", 1_000)
    theirs = signed_in(stranger)
    assert text(me, "/me").count("Sign out there") == 1
    numbers = list(PlayerSession.objects.values_list("id", flat=True))
    me.post(f"/me/sessions/{numbers[1]}/end")
    me.post(f"/me/sessions/{numbers[2]}/end")
    assert other.get("/me").status_code == 302 and theirs.get("/me").status_code == 200


def test_all_own_data_and_nobody_elses(me: Client, player: Player, one_database: str) -> None:
    trade_links.set_trade_url(player, LINK)
    stranger = register(STEAM_ID + 1, "a stranger", 1_000)
    now_ms = wall_ms()
    gate.declare(player, datetime(1990, 5, 12, tzinfo=UTC).date(), "LV", now_ms)
    gate.note(
        [gate.Line(stranger.id, now_ms, "stake", 777_777, "x:1", "s"), gate.Line(player.id, now_ms, "stake", 125, "x:1", "p")]
    )
    answer = me.get("/me/data.json")
    told = answer.json()
    assert answer["Content-Disposition"].startswith("attachment") and told["player"]["trade_url"] == LINK
    assert told["declaration"] == {"born": "1990-05-12", "country": "LV", "at_ms": now_ms}
    assert [row["cents"] for row in told["play"]] == [125] and told["limits"]["limits"]
    with sqlite3.connect(one_database.removeprefix("sqlite://")) as file:
        hashes = [row[0] for row in file.execute("select key_hash from accounts_playersession")]
    file.close()
    assert not any(each in json.dumps(told) for each in (*hashes, "a stranger", "777777"))


# ---- the declaration


def declare(me: Client, born: str, country: str = "LV", **more: str) -> str:
    answer = me.post("/me/declaration", {"born": born, "country": country, "sure": "yes", **more}, follow=True)
    return str(answer.content.decode())


def test_a_declaration_is_said_once_and_openly(me: Client, player: Player) -> None:
    assert "nobody checks" in text(me, "/me/declaration") and "demonstration" in text(me, "/me/declaration")
    assert me.post("/me/declaration", {"born": "1990-05-12", "country": "LV"}).status_code == 400
    for born in ("", "1990-02-30", "2999-01-01", "1066-10-14", "19900512"):
        assert me.post("/me/declaration", {"born": born, "country": "LV", "sure": "yes"}).status_code == 400
    assert me.post("/me/declaration", {"born": "1990-05-12", "country": "XX", "sure": "yes"}).status_code == 400
    assert not Declaration.objects.exists()
    assert "You may play." in declare(me, "1990-05-12") and "Latvia" in text(me, "/me/declaration")
    assert "stays as it was" in declare(me, "2015-01-01", "DE")
    assert str(Declaration.objects.get().born) == "1990-05-12"


def test_who_is_under_age_is_told_from_when(me: Client, player: Player) -> None:
    this_year = datetime.now(UTC).year
    shown = declare(me, f"{this_year - 10}-03-04")
    assert "not old enough" in shown and f"4 Mar {this_year + 8}" in shown
    assert asked(player) == "under_age"


def test_with_a_live_fleet_only_listed_countries_may_play(me: Client, player: Player) -> None:
    Feed.objects.update(livemode=True)
    with override_settings(SITE_REAL_ITEMS=True, SITE_COUNTRIES=["LV"]):
        assert "Nobody may play from the country" in declare(me, "1990-05-12", "DE")
        assert asked(player) == "country"
    Feed.objects.update(livemode=False)
    assert asked(player) is None and "You may play." in text(me, "/me/declaration")


def asked(player: Player) -> str | None:
    no = gate.Gate([player.id]).ask(player.id, 100, "any", "any:1", wall_ms())
    return None if no is None else no.reason


def test_rooms_are_closed_until_the_fleet_is_heard_and_with_a_live_one_until_they_are_turned_on(player: Player) -> None:
    gate.declare(player, datetime(1990, 5, 12, tzinfo=UTC).date(), "LV", wall_ms())
    assert gate.play_is_open() and asked(player) is None
    Feed.objects.update(livemode=True)
    assert not gate.play_is_open() and asked(player) == "not_turned_on"
    with override_settings(SITE_REAL_ITEMS=True, SITE_COUNTRIES=[]):
        assert asked(player) == "not_turned_on"
    with override_settings(SITE_REAL_ITEMS=True, SITE_COUNTRIES=["LV"]):
        assert gate.play_is_open() and asked(player) is None
    Feed.objects.update(livemode=None)
    assert asked(player) == "fleet_unknown"


def test_rooms_say_what_keeps_a_player_from_betting_and_where_to_go(me: Client, player: Player) -> None:
    assert "how old you are" in text(me, "/") and 'href="/me/declaration"' in text(me, "/")
    gate.declare(player, datetime(1990, 5, 12, tzinfo=UTC).date(), "LV", wall_ms())
    assert 'role="note"' not in text(me, "/")
    services.take_time_out(player, 1, wall_ms())
    assert "You have taken a time-out" in text(me, "/")
    Feed.objects.update(livemode=True)
    stranger = Client(SERVER_NAME="localhost")
    assert "the operator has not turned them on" in text(stranger, "/")
    assert gate.standing(None, wall_ms()) == Denial("not_turned_on")


def test_w31_five_bets_a_second(me: Client, player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_buckets", limits._Buckets(lambda: 1_000_000))
    answers = [me.post("/bets", {}, headers={"accept": "application/json"}) for _ in range(6)]
    assert answers[0].status_code == 400
    assert answers[-1].status_code == 429 and answers[-1].json()["code"] == "too_often" and answers[-1]["Retry-After"] == "1"


def test_a_least_steam_level(me: Client, player: Player) -> None:
    gate.declare(player, datetime(1990, 5, 12, tzinfo=UTC).date(), "LV", wall_ms())
    with override_settings(SITE_STEAM_LEVEL_MIN=5):
        assert asked(player) == "steam_level" and "not known" in text(me, "/me") and "needs level 5" in text(me, "/me")
        Player.objects.update(steam_level=4)
        assert asked(player) == "steam_level"
        Player.objects.update(steam_level=5)
        assert asked(player) is None


# ---- limits and pauses


def test_a_lower_limit_holds_at_once_and_a_higher_one_waits_for_a_second_consent(
    me: Client, player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms = wall_ms()
    me.post("/me/limits/stake/day", {"amount": "20.50"})
    assert of(player)["stake", "day"] == 2_050
    me.post("/me/limits/stake/day", {"amount": "30"})
    assert of(player)["stake", "day"] == 2_050 and "You asked for 30.00" in text(me, "/me/limits")
    sent = {"kind": "stake", "window": "day"}
    early = me.post("/me/limits/confirm", sent)
    assert early.status_code == 400 and "needs a day" in early.content.decode() and of(player)["stake", "day"] == 2_050
    monkeypatch.setattr("website.care.views.wall_ms", lambda: now_ms + DAY_MS + 60_000)
    assert "do you still want it" in text(me, "/me/limits")
    me.post("/me/limits/confirm", sent)
    assert of(player)["stake", "day"] == 3_000
    me.post("/me/limits/stake/day", {"none": "1"})
    me.post("/me/limits/confirm", {**sent, "no": "1"})
    assert of(player)["stake", "day"] == 3_000 and "You asked" not in text(me, "/me/limits")
    assert me.post("/me/limits/stake/year", {"amount": "5"}).status_code == 400
    assert me.post("/me/limits/winnings/day", {"amount": "5"}).status_code == 400  # nothing would hold it
    assert me.post("/me/limits/stake/day", {"amount": "5.123"}).status_code == 400


def of(player: Player) -> dict[tuple[str, str], int]:
    return {(limit.kind, limit.window): limit.cents for limit in services.of(player, wall_ms()).limits}


def test_a_pause_is_made_longer_and_never_shorter(me: Client, player: Player) -> None:
    gate.declare(player, datetime(1990, 5, 12, tzinfo=UTC).date(), "LV", wall_ms())
    assert me.post("/me/time-out", {"days": "7"}).status_code == 303 and asked(player) == "time_out"
    shorter = me.post("/me/time-out", {"days": "1"})
    assert shorter.status_code == 400 and "never shorter" in shorter.content.decode()
    assert me.post("/me/time-out", {"days": "14"}).status_code == 303
    assert me.post("/me/time-out", {"days": "365"}).status_code == 400


def test_self_exclusion_takes_the_word_and_nobodys_help(me: Client, player: Player) -> None:
    assert me.post("/me/exclude", {"word": "yes", "days": "365"}).status_code == 400
    assert not services.of(player, wall_ms()).excluded
    assert me.post("/me/exclude", {"word": " exclude ", "days": "365"}).status_code == 303
    assert "You are excluded until" in text(me, "/me/limits")
    assert me.post("/me/exclude", {"word": "EXCLUDE", "days": "183"}).status_code == 400
    gate.declare(player, datetime(1990, 5, 12, tzinfo=UTC).date(), "LV", wall_ms())  # it outlives what is declared later
    assert asked(player) == "self_excluded"
    me.post("/me/exclude", {"word": "EXCLUDE", "days": "ever"})
    assert "for good" in text(me, "/me/limits")


def test_the_reality_check_shows_what_was_played_and_lets_on(
    me: Client, player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms = wall_ms()
    gate.declare(player, datetime(1990, 5, 12, tzinfo=UTC).date(), "LV", now_ms - 90 * 60_000)
    assert asked(player) == "reality_check"
    gate.note(
        [
            gate.Line(player.id, now_ms - 60_000, "stake", 1_234, "x:1", "a"),
            gate.Line(player.id, now_ms - 1, "return", 1_000, "x:1", "b"),
        ]
    )
    shown = text(me, "/me/reality")
    assert "1 h 30 min" in shown and "12.34" in shown and "−2.34" in shown
    assert me.post("/me/reality").status_code == 303 and asked(player) is None
    me.post("/me/reality", {"minutes": "15"})
    assert services.of(player, now_ms).reality_every_ms == 15 * 60_000
    assert me.post("/me/reality", {"minutes": "600"}).status_code == 400


# ---- what was played, and who was brought


def test_sums_of_play_and_every_line(me: Client, player: Player) -> None:
    now_ms = wall_ms()
    lines = [(0, "stake", 1_000), (1, "return", 400), (3 * DAY_MS, "stake", 2_000), (60 * DAY_MS, "return", 9_900)]
    gate.note([gate.Line(player.id, now_ms - age, kind, cents, "room-a:1", f"r{age}") for age, kind, cents in lines])
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", text(me, "/me/play"))
    sums = [re.findall(r"[−0-9.,]+", re.sub(r"<[^>]+>", " ", row.split("</th>")[1])) for row in rows]
    assert sums == [
        ["0.00", "10.00", "4.00", "−6.00"],
        ["0.00", "30.00", "4.00", "−26.00"],
        ["0.00", "30.00", "4.00", "−26.00"],
        ["0.00", "30.00", "103.00", "73.00"],
    ]
    told = b"".join(me.get("/me/play.csv").streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert told[0] == "time_utc,kind,currency,cents,round" and len(told) == 5 and told[-1].endswith("stake,item,1000,room-a:1")


def test_invitations_by_level(me: Client, player: Player) -> None:
    first = register(STEAM_ID + 1, "bo", 1_700_000_000_001, player)
    second = register(STEAM_ID + 2, "cy", 1_700_000_000_002, first)
    register(STEAM_ID + 3, "di", 1_700_000_000_003, player)
    Player.objects.filter(id__in=(first.id, second.id)).update(first_deposit_ms=1_700_000_000_004)
    outcome = {"referral": [{"user_id": second.id, "base": 1_000, "inviters": [first.id, player.id], "credits": [200, 40]}]}
    seal_a_round("room-a", 7, json.dumps(outcome))
    gate.note([gate.Line(second.id, 1_700_000_000_005, "return", 900, "room-a:7", "r")])
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text(me, "/me/referral")))
    assert f"/r/{player.code}" in text(me, "/me/referral")
    assert "1 2 1 2.00 0.00 2 1 1 0.40 0.40 3 0 0 0.08 0.00" in shown, shown


def seal_a_round(lane: str, number: int, outcome: str) -> None:
    nothing = dict.fromkeys(("rules_hash", "hash", "salt", "log", "entropy", "outcome_hash", "seal", "record"), b"")
    sums = {"pot_cents": 0, "tickets": 0, "items": 0, "players": 0}
    Round.objects.create(
        lane=lane,
        round=number,
        room="room",
        version=1,
        phase="sealed",
        winners="[]",
        outcome=outcome,
        sealed_ms=1,
        **nothing,
        **sums,
    )


def test_countries_have_names_in_both_languages() -> None:
    assert len(countries.CODES) == len(set(countries.CODES)) == 250
    assert (countries.name("LV", "en"), countries.name("LV", "ru"), countries.name("??", "ru")) == ("Latvia", "Латвия", "??")
    names = [name for _, name in countries.listed("ru")]
    assert names[0] == "Австралия" and names[-1] == "Япония"


def test_browsers_have_the_names_that_people_know() -> None:
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    chrome = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"
    safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1 Version/17.0 Mobile Safari/604.1"
    assert [agents.called(each) for each in (firefox, chrome, safari, "curl/8", "")] == [
        *("Firefox, Linux", "Chrome, Android", "Safari, iPhone", "curl/8", "")
    ]
