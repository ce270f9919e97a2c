"""Pages that explain: what they say is what rules and sealed records say, in both languages."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import pytest
from django.test import Client
from lottery import rooms

from website.engine.models import CustodyCheck
from website.office.models import Staff
from website.pages import facts, information, parameters
from website.rooms import definitions, words
from website.rooms.models import RoomVersion, Round
from website.rooms.services import approve, draft

NOW_MS = 1_780_000_000_000
ENGLISH_SENTENCE = re.compile(r"(?:\b[a-z]{3,}\b[ ,.]+){4}")


def test_rules_by_version(browser: Client) -> None:
    """A version in use, and a draft, which is nobody's business yet."""
    ana, bo = (Staff.objects.create(username=name) for name in ("ana", "bo"))
    first = definitions.load("classic-unlimited")
    draft(first, ana, "the first", NOW_MS)
    approve("classic-unlimited", 1, bo)
    RoomVersion.objects.update(state=RoomVersion.IN_USE, first_lane="classic-unlimited-a", first_round=1)
    draft(rooms.parse({**first.rules, "time_limit": 77}), ana, "longer", NOW_MS)
    listed = browser.get("/rules").content.decode()
    assert "in use" in listed and "/rules/classic-unlimited/1" in listed and "/rules/classic-unlimited/2" not in listed
    one = browser.get("/rules/classic-unlimited/1").content.decode()
    assert first.rules_hash.hex() in one and "up to 50 %: 10 %" in one
    assert browser.get("/rules/classic-unlimited/2").status_code == 404
    assert browser.get(f"/rules/classic-unlimited/{2**70}").status_code == 404
    assert "50 to 60 % of the tickets" in browser.get("/odds").content.decode()


def test_collected_rake_is_what_outcomes_say(one_database: str) -> None:
    """Two rounds count; one is too old, one was void."""
    outcome = json.dumps({"rake": {"due": 100, "net": 90}})
    for number, (sealed_ms, why) in enumerate([(0, ""), (1, ""), (31 * facts.DAY_MS, ""), (0, "one player only")]):
        sealed_round(number + 1, outcome, NOW_MS - sealed_ms, why).save()
    found = facts.collected(NOW_MS)["classic-unlimited"]
    assert (found.rounds, found.nominal, found.collected) == (2, Fraction(1, 10), Fraction(9, 100))


@pytest.mark.parametrize(
    ("house", "paid", "left"),
    [
        (["t10"], [["t1", "t2", "t3", "t4", "t5"], ["t6", "t7", "t8"], ["t9"]], Fraction(1, 10)),  # a Sit-n-Go
        (["t1", "t2"], [[]], Fraction(0)),  # a giveaway: the prize is the house's own, its tickets are worth nothing
        ([], [["r1", "r2"]], Fraction(0)),  # a classic round whose winner had so much that nothing was due
    ],
)
def test_what_no_share_reaches_is_the_houses_part(
    one_database: str, house: list[str], paid: list[list[str]], left: Fraction
) -> None:
    outcome = {"rake": None, "house": house, "payouts": [{"rows": rows} for rows in paid]}
    sealed_round(1, json.dumps(outcome), NOW_MS, "").save()
    found = facts.collected(NOW_MS)["classic-unlimited"]
    assert (found.nominal, found.collected) == (left, left)


def test_rooms_have_names_and_stand_in_the_order_of_the_seed(one_database: str, browser: Client) -> None:
    ana, bo = (Staff.objects.create(username=name) for name in ("ana", "bo"))
    for room in ("sit-n-go", "classic-limited", "5v5"):
        draft(definitions.load(room), ana, "the first", NOW_MS)
        approve(room, 1, bo)
    for address in ("/odds", "/rules"):
        text = browser.get(address).content.decode()
        names = [str(words.TITLES[room]) for room in ("classic-limited", "sit-n-go", "5v5")]
        places = [text.index(f"{name}<") for name in names]
        assert places == sorted(places) and "classic-limited<" not in text


def test_status_tells_what_is_late(browser: Client) -> None:
    assert "Everything works." in browser.get("/status").content.decode()
    row = sealed_round(1, "", NOW_MS, "")
    row.phase, row.sealed_ms, row.closed_ms = "closed", None, NOW_MS - 120_000
    row.save()
    now = facts.now(NOW_MS)
    assert now.late and now.settling == 1 and now.oldest_settling_s == 120
    assert "longer than it should" in browser.get("/status").content.decode()


def test_every_page_is_in_both_languages(browser: Client) -> None:
    title = re.compile(r"<h1>(.*?)</h1>")
    for name in (*information.TEXTS, "odds", "fairness", "rules", "status", "custody"):
        browser.cookies.pop("language", None)
        english = browser.get(f"/{name}").content.decode()
        browser.cookies["language"] = "ru"
        russian = browser.get(f"/{name}").content.decode()
        heads = [title.search(text) for text in (english, russian)]
        assert heads[0] and heads[1] and heads[0][1] != heads[1][1], name
        body = russian.partition("<article")[2].partition("</article>")[0]
        visible = re.sub(r"<pre.*?</pre>|<[^>]+>|https?://\S+", " ", body, flags=re.DOTALL)
        assert not ENGLISH_SENTENCE.search(visible), (name, visible)


def test_every_parameter_of_a_room_has_words() -> None:
    assert set(definitions.load("classic-unlimited").rules) - {"name"} == set(parameters.MEANINGS)


def sealed_round(number: int, outcome: str, sealed_ms: int, void_reason: str) -> Round:
    return Round(
        lane="classic-unlimited-a",
        round=number,
        room="classic-unlimited",
        version=1,
        phase="sealed",
        pot_cents=1000,
        tickets=1000,
        items=2,
        players=2,
        winners="[]",
        outcome=outcome,
        sealed_ms=sealed_ms,
        void_reason=void_reason,
        **dict.fromkeys(("rules_hash", "hash", "salt", "log", "entropy", "outcome_hash", "seal", "record"), b""),
    )


def test_custody_says_what_the_last_look_found(browser: Client) -> None:
    assert "Nobody has looked yet." in browser.get("/custody").content.decode()
    CustodyCheck.objects.create(at_ms=NOW_MS, done_ms=NOW_MS + 5, items_in_rounds=1234, items_bound=1234, locks=7)
    CustodyCheck.objects.create(at_ms=NOW_MS + 120_000, items_in_rounds=9)
    told = browser.get("/custody").content.decode()
    assert "No difference." in told and "1\N{NARROW NO-BREAK SPACE}234" in told
    text = json.dumps(["bet_1 is bound to nothing"])
    CustodyCheck.objects.create(at_ms=NOW_MS + 60_000, done_ms=NOW_MS + 60_005, differences=text, count=1)
    assert "bet_1 is bound to nothing" in browser.get("/custody").content.decode()
    looks = browser.get("/custody", headers={"accept": "application/json"}).json()["looks"]
    assert [look["count"] for look in looks] == [1, 0] and looks[1]["items_bound"] == 1234


def test_fairness_publishes_the_hashes_of_what_checks(browser: Client) -> None:
    told = browser.get("/fairness/scripts").json()
    assert told["page"]["sha256"] in browser.get("/fairness").content.decode()
    assert {"check.js", "beacon.js"} <= {each["name"] for each in told["scripts"]}
