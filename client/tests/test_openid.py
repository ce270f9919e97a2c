"""The sign-in answer, spoiled in each way that sites have fallen for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fleet_client import openid

ENDPOINT = "https://steamcommunity.com/openid/login"
PREFIX = "https://steamcommunity.com/openid/id/"
PLAYER = "76561198000000002"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
RETURN_TO = "https://site.example/verify/signed-in?state=abc"
YES = f"ns:{openid.NS}\nis_valid:true\n"

Pairs = list[tuple[str, str]]


def answer(**changes: str | None) -> Pairs:
    """A good answer; a change of ``None`` leaves the field out."""
    fields: dict[str, str | None] = {
        "ns": openid.NS,
        "mode": "id_res",
        "op_endpoint": ENDPOINT,
        "claimed_id": PREFIX + PLAYER,
        "identity": PREFIX + PLAYER,
        "return_to": RETURN_TO,
        "response_nonce": "2026-11-21T11:59:50Zabc/=",
        "assoc_handle": "1234567890",
        "signed": openid.SIGNED,
        "sig": "c2ln",
        **changes,
    }
    found = [(f"openid.{name}", value) for name, value in fields.items() if value is not None]
    return [("state", "abc"), *found]


def test_a_good_answer_names_the_player() -> None:
    assert openid.check(answer(), RETURN_TO, NOW).claimed_steam_id == PLAYER


def both(claimed: str) -> Pairs:
    return answer(claimed_id=claimed, identity=claimed)


FORGED: dict[str, tuple[Callable[[], Pairs], str]] = {
    "mode": (lambda: answer(mode="cancel"), "mode"),
    "mode of a request": (lambda: answer(mode="check_authentication"), "mode"),
    "no mode": (lambda: answer(mode=None), "mode"),
    "ns": (lambda: answer(ns="http://openid.net/signon/1.1"), "ns"),
    "another endpoint": (lambda: answer(op_endpoint="https://evil.example/openid/login"), "op_endpoint"),
    "endpoint with more": (lambda: answer(op_endpoint=ENDPOINT + "/"), "op_endpoint"),
    "identity differs": (lambda: answer(identity=PREFIX + "76561198000000003"), "identity"),
    "another host": (lambda: both(f"https://steamcommunity.com.evil.example/openid/id/{PLAYER}"), "claimed_id"),
    "host inside": (lambda: both(f"https://evil.example/{PREFIX}{PLAYER}"), "claimed_id"),
    "http": (lambda: both(f"http://steamcommunity.com/openid/id/{PLAYER}"), "claimed_id"),
    "something behind": (lambda: both(f"{PREFIX}{PLAYER}/x"), "claimed_id"),
    "line behind": (lambda: both(f"{PREFIX}{PLAYER}\n"), "claimed_id"),
    "dot is a dot": (lambda: both(f"https://steamcommunityxcom/openid/id/{PLAYER}"), "claimed_id"),
    "a group, not a person": (lambda: both(f"{PREFIX}76561199999999999999"), "claimed_id"),
    "below every account": (lambda: both(f"{PREFIX}76561197960265728"), "claimed_id"),
    "above every account": (lambda: both(f"{PREFIX}76561202255233024"), "claimed_id"),
    "other digits": (lambda: both(f"{PREFIX}7656119800000000２"), "claimed_id"),
    "signed list shorter": (lambda: answer(signed="signed,op_endpoint,identity,return_to,response_nonce"), "signed"),
    "signed list reordered": (lambda: answer(signed=",".join(reversed(openid.SIGNED.split(",")))), "signed"),
    "signed list longer": (lambda: answer(signed=openid.SIGNED + ",ns"), "signed"),
    "another return_to": (lambda: answer(return_to="https://other.example/verify/signed-in?state=abc"), "return_to"),
    "another state": (lambda: answer(return_to=RETURN_TO.replace("abc", "abd")), "return_to"),
    "return_to with more": (lambda: answer(return_to=RETURN_TO + "&x=1"), "return_to"),
    "state of another browser": (lambda: [("state", "abd"), *answer()[1:]], "return_to"),
    "no state in our query": (lambda: answer()[1:], "return_to"),
    "one more parameter": (lambda: [*answer(), ("x", "1")], "return_to"),
    "doubled field": (lambda: [*answer(), ("openid.claimed_id", PREFIX + PLAYER)], "doubled"),
    "doubled state": (lambda: [("state", "abc"), *answer()], "doubled"),
    "NUL": (lambda: answer(return_to=RETURN_TO + "\0"), "nul"),
    "unknown field": (lambda: [*answer(), ("openid.ext1", "1")], "fields"),
    "no signature": (lambda: answer(sig=None), "fields"),
    "old nonce": (lambda: answer(response_nonce="2026-11-21T11:54:59Zabc"), "nonce"),
    "nonce of tomorrow": (lambda: answer(response_nonce="2026-11-22T12:00:00Zabc"), "nonce"),
    "nonce without a time": (lambda: answer(response_nonce="abc"), "nonce"),
    "nonce of no day": (lambda: answer(response_nonce="2026-13-41T12:00:00Zabc"), "nonce"),
    "nonce too long": (lambda: answer(response_nonce="2026-11-21T11:59:50Z" + "a" * 300), "nonce"),
}


@pytest.mark.parametrize("steam_id", ["76561197960265729", "76561199999999999", "76561200000000000", "76561202255233023"])
def test_every_account_may_sign_in(steam_id: str) -> None:
    assert openid.check(both(PREFIX + steam_id), RETURN_TO, NOW).claimed_steam_id == steam_id
    assert openid.check(both(f"{PREFIX}{steam_id}/"), RETURN_TO, NOW).claimed_steam_id == steam_id


@pytest.mark.parametrize("name", FORGED)
def test_forged(name: str) -> None:
    make, reason = FORGED[name]
    with pytest.raises(openid.SignInRefused) as caught:
        openid.check(make(), RETURN_TO, NOW)
    assert caught.value.reason == reason


def back_of(url: str, **changes: str | None) -> str:
    """What a browser brings back that was sent to ``url``."""
    return_to = dict(parse_qsl(urlsplit(url).query))["openid.return_to"]
    fields = answer(return_to=return_to, response_nonce="2026-11-21T11:59:50Zabc", **changes)[1:]
    return f"{urlsplit(return_to).query}&{urlencode(fields)}"


def test_a_site_of_one_process_signs_in_with_two_calls() -> None:
    steam = openid.SignIn("https://site.example/signed-in")
    url, state = steam.leave()
    assert url.startswith(ENDPOINT) and dict(parse_qsl(urlsplit(url).query))["openid.realm"] == "https://site.example"
    asked = steam.back(back_of(url), state, NOW)
    assert (asked.url, asked.form["openid.mode"]) == (ENDPOINT, "check_authentication")
    assert asked.confirmed(200, YES) == PLAYER
    with pytest.raises(openid.SignInRefused):
        asked.confirmed(200, YES.replace("true", "false"))


def test_an_answer_signs_in_once_and_only_the_browser_that_has_left() -> None:
    steam = openid.SignIn("https://site.example/signed-in")
    url, state = steam.leave()
    for other, reason in ((steam.leave()[1], "return_to"), ("", "state")):
        with pytest.raises(openid.SignInRefused) as caught:
            steam.back(back_of(url), other, NOW)
        assert caught.value.reason == reason
    steam.back(back_of(url), state, NOW)
    with pytest.raises(openid.SignInRefused) as caught:
        steam.back(back_of(url), state, NOW)
    assert caught.value.reason == "nonce_seen"


def test_other_pages_may_stand_for_steams() -> None:
    there = openid.Provider.at("http://127.0.0.1:8421/")
    assert (there.endpoint, there.identity_prefix) == ("http://127.0.0.1:8421/openid/login", "http://127.0.0.1:8421/openid/id/")
    assert openid.Provider.at("https://steamcommunity.com") == openid.STEAM


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (f"ns:{openid.NS}\nis_valid:true\n", True),
        (f"is_valid:true\nns:{openid.NS}", True),
        (f"ns:{openid.NS}\r\nis_valid:true\r\n", True),
        (f"ns:{openid.NS}\nis_valid:false\n", False),
        (f"ns:{openid.NS}\nis_valid:false\nerror:is_valid:true\n", False),
        (f"ns:{openid.NS}\nis_valid:false\nis_valid:true\n", False),
        (f"ns:{openid.NS}\nis_valid:true \n", False),
        (f"ns:{openid.NS}\nis_valid:TRUE\n", False),
        (f"ns:{openid.NS}\nnot_is_valid:true\n", False),
        ("is_valid:true\n", False),
        ("<html>is_valid:true</html>", False),
        ("", False),
    ],
)
def test_steams_word_is_read_by_line(text: str, valid: bool) -> None:
    assert openid.is_valid(text) is valid


def test_the_browser_is_sent_to_the_endpoint_of_the_settings() -> None:
    url = urlsplit(openid.login_url(RETURN_TO, "https://site.example"))
    query = parse_qs(url.query)
    assert f"{url.scheme}://{url.netloc}{url.path}" == ENDPOINT
    assert query["openid.return_to"] == [RETURN_TO]
    assert query["openid.claimed_id"] == query["openid.identity"] == [openid.SELECT]


def test_nothing_of_the_answer_is_printed() -> None:
    claim = openid.check(answer(), RETURN_TO, NOW)
    assert "c2ln" not in repr(claim) and "abc" not in repr(claim)


def test_steam_is_asked_about_known_fields_only() -> None:
    asked = openid.question(openid.check(answer(), RETURN_TO, NOW), nonce_is_new=True)
    assert set(asked) == {f"openid.{name}" for name in openid.FIELDS}
    assert asked["openid.mode"] == "check_authentication" and asked["openid.sig"] == "c2ln"


def test_an_answer_works_once() -> None:
    claim, nonces = openid.check(answer(), RETURN_TO, NOW), openid.Nonces()
    assert openid.question(claim, nonce_is_new=nonces.is_new(claim.nonce, NOW))
    with pytest.raises(openid.SignInRefused, match="nonce_seen"):
        openid.question(claim, nonce_is_new=nonces.is_new(claim.nonce, NOW + timedelta(seconds=300)))


def test_a_nonce_is_kept_as_long_as_its_answer_would_be_taken() -> None:
    nonces = openid.Nonces(most=2)
    latest = NOW + timedelta(seconds=openid.NONCE_AHEAD_S + openid.STEAM.nonce_max_age_s)
    assert nonces.is_new("a", NOW) and nonces.is_new("b", NOW) and not nonces.is_new("a", latest)
    assert not nonces.is_new("c", latest), "when it is full nobody signs in, and nothing is forgotten"
    assert nonces.is_new("c", latest + timedelta(seconds=2))


def test_steams_word_decides() -> None:
    claim = openid.check(answer(), RETURN_TO, NOW)
    assert openid.confirmed(claim, 200, YES) == PLAYER
    with pytest.raises(openid.SignInRefused, match="signature"):
        openid.confirmed(claim, 200, YES.replace("true", "false"))
    for status in (301, 403, 429, 500):
        with pytest.raises(openid.SteamAway):
            openid.confirmed(claim, status, YES)


def test_a_query_is_read_whole() -> None:
    query = f"state=abc&{urlencode(answer()[1:])}"
    assert openid.check(openid.pairs_of(query), RETURN_TO, NOW).claimed_steam_id == PLAYER
    assert openid.pairs_of("a=&b=1") == [("a", ""), ("b", "1")]
    with pytest.raises(openid.SignInRefused, match="too_long"):
        openid.pairs_of("a" * 20_000)


@given(some.lists(some.tuples(some.sampled_from([f"openid.{name}" for name in openid.FIELDS]) | some.text(), some.text())))
def test_whatever_comes_back_is_refused_and_nothing_else(pairs: Pairs) -> None:
    with pytest.raises(openid.SignInRefused):
        openid.check(pairs, RETURN_TO, NOW)


def test_states_cannot_be_guessed() -> None:
    assert len({openid.new_state() for _ in range(100)}) == 100 and len(openid.new_state()) >= 32


def test_it_needs_the_standard_library_only() -> None:
    others = "{'httpx', 'aiohttp', 'pydantic', 'fleet_client.drivers'}"
    code = f"import sys, fleet_client.openid; print(sorted({others} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
