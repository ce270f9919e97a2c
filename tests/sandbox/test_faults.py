"""Trouble over HTTP: each kind is seen by a client, and the record tells what really happened meanwhile."""

import threading
import time

import pytest
import requests
from sandbox_lab import Bench, Person
from steampy.client import SteamClient
from support import wait_until

COMMUNITY = "https://steamcommunity.com"
API = "https://api.steampowered.com"
POLL = {"get_sent_offers": 1, "active_only": 1, "time_historical_cutoff": 1}

# --- answers that do not arrive whole ------------------------------------------------------------


@pytest.mark.parametrize("kind", ["truncated", "cut_middle"])
def test_half_an_answer_hides_an_offer_that_exists(bench: Bench, bot: SteamClient, player: Person, kind: str) -> None:
    bench.fault("send", kind)

    with pytest.raises(requests.RequestException) as caught:
        bench.give(bot, player)

    assert isinstance(caught.value, requests.exceptions.ChunkedEncodingError | requests.ConnectionError)
    assert [offer["state"] for offer in bench.offers()] == [9]
    assert bench.struck() == [kind]
    assert "tradeofferid" in bench.give(bot, player)


def test_a_truncated_answer_promises_more_than_comes(bench: Bench, bot: SteamClient) -> None:
    bench.fault("home", "truncated")

    answer = bot._session.get(f"{COMMUNITY}/", stream=True)
    promised, got = int(answer.headers["Content-Length"]), b""
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        for piece in answer.iter_content(16):
            got += piece

    assert 0 < len(got) < promised
    assert got.startswith(b"<!DOCTYPE html>")


def test_an_answer_cut_in_the_middle_began_well(bench: Bench, bot: SteamClient) -> None:
    bench.fault("home", "cut_middle")

    answer = bot._session.get(f"{COMMUNITY}/", stream=True)
    got = b""
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        for piece in answer.iter_content(16):
            got += piece

    assert answer.status_code == 200
    assert "Content-Length" not in answer.headers
    assert got.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize(("after", "made"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("kind", ["cut", "timeout"])
def test_a_lost_answer_may_stand_for_a_deed_that_was_done_or_not(
    bench: Bench, bot: SteamClient, player: Person, kind: str, after: bool, made: int
) -> None:
    bench.fault("send", kind, after=after)
    assets = bench.stock(bot.steam_guard["steamid"])[:1]
    if kind == "timeout":
        bench.give_up_after(bot, 0.3)

    with pytest.raises(requests.ConnectionError if kind == "cut" else requests.Timeout):
        bench.withdraw(bot, player, assets)

    assert wait_until(lambda: bench.struck() == [kind])
    assert len(bench.offers()) == made


def test_a_slow_answer_comes_late_and_the_deed_is_not(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.fault("send", "slow", delay_s=0.25, jitter_s=0.1)

    before = time.monotonic()
    sent = bench.give(bot, player)
    took = time.monotonic() - before

    assert took >= 0.25
    assert bench.offer(sent["tradeofferid"])["state"] == 9
    assert bench.struck() == ["slow"]


def test_any_bad_answer_may_be_slow_and_say_when_to_come_again(bench: Bench, bot: SteamClient) -> None:
    bench.fault("GetTradeOffers", "null", status=429, retry_after_s=17, delay_s=0.2)
    url = f"{API}/IEconService/GetTradeOffers/v1?access_token={bot._access_token}"

    before = time.monotonic()
    first, second = bot._session.get(url), bot._session.get(url)

    assert time.monotonic() - before >= 0.2
    assert (first.status_code, first.text, first.headers["Retry-After"]) == (429, "null", "17")
    assert (second.status_code, "Retry-After" in second.headers) == (200, False)


def test_healing_lets_go_of_answers_that_hang(bench: Bench, bot: SteamClient) -> None:
    bench.fault("home", "timeout")
    bench.fault("GetTradeOffers", "slow", delay_s=500)
    url = f"{API}/IEconService/GetTradeOffers/v1?access_token={bot._access_token}"
    ends: list[int | str] = []

    def wait(where: str) -> None:
        session = bench.session()
        try:
            ends.append(session.get(where, timeout=120).status_code)
        except requests.ConnectionError:
            ends.append("cut")

    threads = [threading.Thread(target=wait, args=(where,)) for where in (f"{COMMUNITY}/", url)]
    for thread in threads:
        thread.start()
    assert wait_until(lambda: sorted(bench.struck()) == ["slow", "timeout"])
    bench.heal()
    for thread in threads:
        thread.join(timeout=120)

    assert sorted(map(str, ends)) == ["200", "cut"]


# --- sessions and sign-in ------------------------------------------------------------------------


@pytest.mark.parametrize("code", [84, 87, 5])
def test_a_sign_in_is_refused_though_everything_was_right(bench: Bench, code: int) -> None:
    bench.fault("BeginAuthSessionViaCredentials", "sign_in_refused", code=code)
    client = bench.unsigned("red-1")

    with pytest.raises(KeyError, match="client_id"):
        client.login()

    assert client.adapter.eresult == str(code)
    assert bench.client("red-1").is_session_alive()


def test_a_cookie_dies_silently_while_the_token_lives_on(bench: Bench, bot: SteamClient, player: Person) -> None:
    sent = bench.give(bot, player)["tradeofferid"]
    account = bot.steam_guard["steamid"]
    bench.fault("home", "dead_cookie", account=account)

    assert not bot.is_session_alive()

    assert "g_steamID = false;" in bot._session.get(f"{COMMUNITY}/").text
    assert bench.give(bot, player) is None
    with pytest.raises(KeyError, match="conf"):
        bot._confirm_transaction(sent)
    assert bench.api(bot, "GetTradeOffers", **POLL)["trade_offers_sent"][0]["tradeofferid"] == sent
    assert [offer["state"] for offer in bench.offers()] == [9]
    bench.heal()
    assert bot.is_session_alive()


def test_an_expired_token_ends_pages_and_api_until_it_is_renewed(bench: Bench, bot: SteamClient) -> None:
    refresh_token = bot._session.cookies.get_dict(domain="steamcommunity.com")["steamRefresh_steam"].split("%7C%7C")[1]
    bench.fault("GetTradeOffers", "dead_token")
    url = f"{API}/IEconService/GetTradeOffers/v1?access_token={bot._access_token}"

    answers = [bot._session.get(url) for _ in range(2)]
    assert [(a.status_code, "verify your <pre>key=</pre>" in a.text) for a in answers] == [(401, True)] * 2
    assert not bot.is_session_alive()
    bench.restore(bot, refresh_token)

    assert bot.is_session_alive()
    assert bench.api(bot, "GetTradeOffers", **POLL) == {"next_cursor": 0}


def test_a_refresh_token_is_revoked_while_the_session_lives_on(bench: Bench, bot: SteamClient) -> None:
    refresh_token = bot._session.cookies.get_dict(domain="steamcommunity.com")["steamRefresh_steam"].split("%7C%7C")[1]
    bench.order({"kind": "dead_refresh", "account": bot.steam_guard["steamid"]})

    for _ in range(2):
        with pytest.raises(Exception, match="no parameters fetched"):
            bench.restore(bench.unsigned("red-1"), refresh_token)
    assert bot.is_session_alive()
    bench.heal()

    bench.restore(bench.unsigned("red-1"), refresh_token)


def test_every_step_of_a_sign_in_is_known_by_its_account(bench: Bench) -> None:
    account = bench.credentials("red-1")["steam_id"]
    bench.client("red-1", acknowledge=False)

    steps = set(bench.control("GET", "/control/requests")["by_account"][account])

    assert steps >= {"BeginAuthSessionViaCredentials", "PollAuthSessionStatus", "finalizelogin", "settoken"}
