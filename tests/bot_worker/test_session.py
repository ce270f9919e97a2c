"""Signing in, staying signed in, and calling Steam politely and secretly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from bot_lab import FAST, Lab, SteamAccount, SteamWorld, ask, bot_settings
from hand_clock import HandClock
from narrowed import known

from bot_worker.backoff import sign_in_action, sign_in_pause
from bot_worker.steam import sign_in, transport
from bot_worker.steam.connection import Connection
from bot_worker.steam.pace import Pace
from bot_worker.steam.session import SteamSession
from bot_worker.vault import SavedSession
from shared import log, wire
from shared.clock import Clock
from shared.domain.items import Asset
from shared.errors import FleetError, NotSignedIn, SteamRefused, SteamThrottled, SteamUnavailable
from shared.sections import PaceSettings
from shared.settings import Settings


class Opened:
    """A session without a worker around it; ``slept`` are the waits that it asked for."""

    def __init__(
        self,
        world: SteamWorld,
        settings: Settings,
        me: SteamAccount,
        saved: SavedSession | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.me = me
        self.saves: list[SavedSession] = []
        self.slept: list[float] = []
        pace = Pace(None, "here", settings.pace, clock or Clock(), self.slept.append)
        self.connection = Connection(
            world.vault_account(me, "red-1"),
            saved or SavedSession(),
            settings,
            pace,
            self.saves.append,
            self.slept.append,
            clock,
        )
        self.session = SteamSession(self.connection)


@pytest.fixture
def opened(world: SteamWorld, tmp_path: Path) -> Callable[..., Opened]:
    def make(
        me: SteamAccount | None = None, saved: SavedSession | None = None, clock: Clock | None = None, **sections: Any
    ) -> Opened:
        settings = bot_settings("redis://unused", world.steam, tmp_path, **sections)
        return Opened(world, settings, me or world.account("bot", items=1), saved, clock)

    return make


def test_the_first_sign_in_takes_password_and_code_and_acknowledges(opened: Callable[..., Opened]) -> None:
    it = opened()
    it.session.sign_in()
    assert it.saves[-1].refresh_token and it.saves[-1].acknowledged
    assert it.me.requests()["acknowledge"] == 1
    assert len(it.session.inventories.own_inventory().held) == 1


def test_the_second_sign_in_needs_the_refresh_token_only(opened: Callable[..., Opened]) -> None:
    first = opened()
    first.session.sign_in()
    again = opened(first.me, first.saves[-1])
    again.session.sign_in()
    assert again.session.observer.calls["BeginAuthSessionViaCredentials"] == 0
    assert again.session.observer.calls["acknowledge"] == 0
    assert len(again.session.inventories.own_inventory().held) == 1


def test_a_revoked_refresh_token_leads_back_to_the_password(opened: Callable[..., Opened]) -> None:
    again = opened(saved=SavedSession("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3NjU2MSJ9.bad", True))
    again.session.sign_in()
    assert again.session.observer.calls["BeginAuthSessionViaCredentials"] >= 1
    assert again.saves[0].refresh_token is None
    assert again.saves[-1].refresh_token


@pytest.mark.parametrize("route", ["home", "finalizelogin", "settoken"])
@pytest.mark.parametrize("fault", [{"kind": "status", "status": 502}, {"kind": "html"}, {"kind": "cut"}], ids=str)
def test_a_renewal_that_steam_cannot_answer_keeps_the_refresh_token(
    opened: Callable[..., Opened], route: str, fault: dict[str, Any]
) -> None:
    first = opened()
    first.session.sign_in()
    again = opened(first.me, first.saves[-1])
    ask(f"{again.me.control}/control/faults", "POST", {"route": route, "times": 1, **fault})
    try:
        again.session.sign_in()  # some hosts' cookies can be done without
    except SteamUnavailable:
        again.session.sign_in()
    assert again.session.observer.calls["BeginAuthSessionViaCredentials"] == 0
    assert len(again.session.inventories.own_inventory().held) == 1


def test_a_refused_code_is_tried_once_more_with_the_next(opened: Callable[..., Opened]) -> None:
    it = opened(clock=HandClock())  # half a minute may end at any moment
    ask(f"{it.me.control}/control/faults", "POST", {"route": "PollAuthSessionStatus", "kind": "eresult", "code": 9})
    with pytest.raises(sign_in.WrongCode):
        # The sleep is not real here, so the second code is the used first one.
        it.session.sign_in()
    assert it.session.observer.calls["BeginAuthSessionViaCredentials"] == 2
    assert 0 < max(it.slept) <= 31


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ({"kind": "eresult", "code": 5}, SteamRefused, "wrong_password"),
        ({"kind": "eresult", "code": 84}, SteamThrottled, "steam_throttled"),
        ({"kind": "eresult", "code": 87}, SteamThrottled, "steam_throttled"),
        ({"kind": "eresult", "code": 20}, SteamUnavailable, "steam_unavailable"),
        ({"kind": "html"}, SteamUnavailable, "steam_unavailable"),
        ({"kind": "cut"}, SteamUnavailable, "steam_unavailable"),
    ],
    ids=str,
)
def test_why_steam_says_no_is_told(
    opened: Callable[..., Opened], fault: dict[str, Any], kind: type[FleetError], code: str
) -> None:
    it = opened()
    ask(f"{it.me.control}/control/faults", "POST", {"route": "BeginAuthSessionViaCredentials", **fault})
    with pytest.raises(kind) as caught:
        it.session.sign_in()
    assert caught.value.error_code == code
    assert it.session.observer.calls["BeginAuthSessionViaCredentials"] == 1


def test_a_wrong_password_is_told(opened: Callable[..., Opened]) -> None:
    it = opened()
    it.connection.account = replace(it.connection.account, password="wrong")
    with pytest.raises(SteamRefused) as caught:
        it.session.sign_in()
    assert caught.value.error_code == "wrong_password"


def test_a_password_that_somebody_changed_is_told(opened: Callable[..., Opened]) -> None:
    """A thief's change of it signs out everywhere: the refresh token is refused, and then the password we know."""
    it = opened()
    it.session.sign_in()
    it.me.change(password="the thief's")
    with pytest.raises(NotSignedIn):
        it.session.inventories.own_inventory()
    with pytest.raises(SteamRefused) as caught:
        it.session.sign_in()
    assert caught.value.error_code == "wrong_password"
    assert it.saves[-1].refresh_token is None


def test_a_token_that_ends_soon_is_renewed_before_it_does(opened: Callable[..., Opened], world: SteamWorld) -> None:
    it = opened()
    it.session.sign_in()
    it.session.inventories.own_inventory()
    assert it.session.observer.calls["finalizelogin"] == 1
    tokens = known(it.connection.tokens)
    now_s = Clock().now_ms() // 1000
    it.connection.tokens = replace(tokens, issued=now_s - 80_000, expires=now_s + 3000)
    it.session.inventories.own_inventory()
    assert it.session.observer.calls["finalizelogin"] == 2
    assert it.session.observer.calls["BeginAuthSessionViaCredentials"] == 1
    it.session.inventories.own_inventory()
    assert it.session.observer.calls["finalizelogin"] == 2


def test_all_pages_of_offers_and_inventory_are_read(lab: Lab, world: SteamWorld, player: SteamAccount) -> None:
    for asset in player.assets(4):
        lab.do(lab.send_order(player, [], [asset]))
    world.change_rules(offers_page_size=1)
    try:
        assert len(lab.bot.session.sent_offers(1)) == 4
    finally:
        world.change_rules(offers_page_size=100)


@pytest.mark.parametrize("order", ["updated", "created"])
def test_the_list_of_ended_offers_is_read_no_further_than_needed(
    lab: Lab, world: SteamWorld, player: SteamAccount, order: str
) -> None:
    """Steam's `historical_only` knows no cutoff: without a stop every search pages through the whole life of an account."""

    def declined() -> str:
        offer_id: str = lab.do(lab.send_order(player, [], player.assets()))[-1].data["offer_id"]
        player.act(offer_id, "decline")
        return offer_id

    for _ in range(6):
        declined()
    world.pass_time(7200)
    since = int(ask(f"{world.control}/control/clock")["now"])
    wanted = {declined() for _ in range(3)}
    before = lab.me.requests().get("GetTradeOffers", 0)
    world.change_rules(offers_page_size=2, offers_sorted_by=order)
    try:
        assert {offer.offer_id for offer in lab.bot.session.ended_sent_offers(since)} == wanted
    finally:
        world.change_rules(offers_page_size=100, offers_sorted_by="updated")
    assert lab.me.requests()["GetTradeOffers"] - before == 3  # two pages with the wanted ones, one with none


def test_an_offer_created_long_ago_does_not_end_the_list_of_ended_offers(
    lab: Lab, world: SteamWorld, player: SteamAccount
) -> None:
    """Sorted by creation, one that was declined today may stand behind others; sorted by change, before newer ones."""
    (first, *rest) = [lab.do(lab.send_order(player, [], player.assets()))[-1].data["offer_id"] for _ in range(3)]
    for offer_id in rest:
        player.act(offer_id, "decline")
    world.pass_time(7200)
    since = int(ask(f"{world.control}/control/clock")["now"])
    new = lab.do(lab.send_order(player, [], player.assets()))[-1].data["offer_id"]
    player.act(new, "decline")
    player.act(first, "decline")
    world.change_rules(offers_page_size=1)
    try:
        found = [offer.offer_id for offer in lab.bot.session.ended_sent_offers(since)]
    finally:
        world.change_rules(offers_page_size=100)
    assert found == [first, new]


def test_an_offer_or_exchange_that_steam_does_not_know_is_none(lab: Lab) -> None:
    """Steam answers with 42; one unknown offer made every search and decline of that bot fail."""
    assert lab.bot.session.offer("1") is None
    assert lab.bot.session.exchange("1") is None


def times_of_actions(it: Opened) -> list[int]:
    """The times that this session's keys for actions carry, as they are sent from now on."""
    times: list[int] = []

    def note(answer: requests.Response, *_: Any, **__: Any) -> None:
        address = urlsplit(answer.url)
        if address.path == "/mobileconf/ajaxop":
            times.append(int(parse_qs(address.query)["t"][0]))

    it.connection.client._session.hooks["response"].append(note)
    return times


def given(it: Opened, player: SteamAccount, count: int) -> list[str]:
    """So many offers that give something and wait for the phone."""
    sent = [it.session.send_offer(player.steam_id, player.trade_token, "", [each], []) for each in it.me.assets(count)]
    return [each.offer_id for each in sent]


def test_two_confirmations_in_one_second_are_signed_with_two_times(opened: Callable[..., Opened], player: SteamAccount) -> None:
    """Steam takes a time for one action only, and says no to a second one without a reason."""
    it = opened()
    it.session.sign_in()
    offers, times = given(it, player, 3), times_of_actions(it)
    assert [it.session.phone.confirm(offer_id) for offer_id in offers] == [True] * 3
    assert len(set(times)) == 3 and times == sorted(times)
    assert {offer["state"] for offer in it.me.offers()} == {2}


def test_a_confirmation_is_signed_anew_after_the_clock_stepped_back(
    opened: Callable[..., Opened], player: SteamAccount
) -> None:
    it = opened()
    it.session.sign_in()
    offers, times = given(it, player, 2), times_of_actions(it)
    assert it.session.phone.confirm(offers[0])
    it.session.observer.steam_ahead_s -= 5
    assert it.session.phone.confirm(offers[1])
    assert times[1] == times[0] + 1


def test_a_confirmation_that_is_repeated_is_signed_anew(opened: Callable[..., Opened], player: SteamAccount) -> None:
    it = opened()
    it.session.sign_in()
    (offer_id,), times = given(it, player, 1), times_of_actions(it)
    it.me.fault("ajaxop", "html", status=503)
    assert it.session.phone.confirm(offer_id)
    assert len(times) == 2 and times[0] < times[1]


def test_confirmations_of_a_bot_are_a_second_apart_and_lists_cost_nothing(
    opened: Callable[..., Opened], player: SteamAccount
) -> None:
    it = opened(clock=HandClock(), pace={"confirm_s": 1.0})
    it.session.sign_in()
    offers, before = given(it, player, 2), len(it.slept)
    assert [it.session.phone.confirm(offer_id) for offer_id in offers] == [True, True]
    (waited,) = it.slept[before:]
    assert 0.0 < waited <= 1.0


@pytest.mark.parametrize("kind", [5, 6, 9])
def test_an_alarming_confirmation_is_never_allowed_and_told(lab: Lab, player: SteamAccount, kind: int) -> None:
    ask(f"{lab.me.url}/confirmations", "POST", {"type": kind})
    lab.bot.health.is_now("online")
    lab.do(lab.send_order(player, lab.me.assets(), []))
    found = ask(f"{lab.me.url}/confirmations")
    assert ([each["type"] for each in found["waiting"]], [each["type"] for each in found["answered"]]) == ([kind], [])
    assert lab.bot.health.as_reported()[:2] == ("restricted", "strange_confirmation")


def test_steam_sees_a_browser(lab: Lab) -> None:
    headers = lab.bot.session.connection.client._session.headers
    assert "Mozilla/5.0" in headers["User-Agent"]
    assert "br" in headers["Accept-Encoding"] and headers["Accept-Language"]


def test_no_secret_is_logged_even_at_debug(
    opened: Callable[..., Opened], world: SteamWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    log.set_up("debug", "json")
    transport.quiet_libraries()
    it = opened()
    it.session.sign_in()
    it.session.inventories.own_inventory()
    it.me.fault("GetTradeOffers", "null", status=429)
    with pytest.raises(SteamThrottled):
        it.session.sent_offers(1)
    logging.getLogger("test").debug("the log works")
    said = capfd.readouterr()
    text = said.err + said.out
    assert "steam_throttled" in text and "the log works" in text
    account = world.credentials(it.me)
    tokens = known(it.connection.tokens)
    for secret in (account["password"], account["shared_secret"], tokens.access_token, tokens.refresh_token):
        assert secret not in text
    assert "access_token" not in text and "eyJ" not in text


def test_call_names_hold_no_ids() -> None:
    names = {
        "https://api.steampowered.com/IEconService/GetTradeOffers/v1?access_token=x": "GetTradeOffers",
        "https://steamcommunity.com/tradeoffer/new/send": "send",
        "https://steamcommunity.com/tradeoffer/7012345678/cancel": "cancel",
        "https://steamcommunity.com/inventory/76561198000000001/730/2?l=english": "inventory",
        "https://steamcommunity.com/mobileconf/getlist?k=secret": "getlist",
        "https://steamcommunity.com/profiles/76561198000000001": "page",
        "https://steamcommunity.com": "page",
    }
    assert {url: transport.call_name(url) for url in names} == names


# --- pace ----------------------------------------------------------------------------------------


def pace_settings(**more: float) -> PaceSettings:
    return PaceSettings(**{**FAST, **more})


def make_pace(redis_url: str | None, slept: list[float], **more: float) -> Pace:
    client = wire.connect(redis_url, timeout_s=60.0) if redis_url else None
    return Pace(client, "203.0.113.7", pace_settings(**more), HandClock(), slept.append)


def test_calls_of_one_bot_are_spaced(redis_url: str) -> None:
    slept: list[float] = []
    pace = make_pace(None, slept, send_s=3.0)
    for _ in range(3):
        pace.wait("send")
    pace.wait("confirm")
    assert slept == pytest.approx([3.0, 6.0], abs=0.1)


def test_workers_of_one_address_share_its_pace(redis_url: str) -> None:
    slept: list[float] = []
    workers = [make_pace(redis_url, slept, inventory_s=14.0) for _ in range(3)]
    for worker in workers:
        worker.wait("inventory")
    # By the clock of Redis, which goes on meanwhile.
    assert [14.0 >= slept[0] > 0, 28.0 >= slept[1] > 14.0] == [True, True], slept


@pytest.mark.parametrize("kind", ["inventory", "read", "confirm_list"])
def test_our_own_spacing_is_not_called_steams(redis_url: str, kind: str) -> None:
    """Both take too long; only one of them is what Steam said."""
    slept: list[float] = []
    pace = make_pace(redis_url, slept, retry_s=1.0, **{f"{kind}_s": 20.0})
    pace.wait(kind)
    pace.wait(kind)
    with pytest.raises(SteamThrottled) as ours:
        pace.wait(kind)
    assert (ours.value.error_code, 30 < (ours.value.retry_after_s or 0) <= 40) == ("own_pace", True)
    pace.throttled(600.0)
    with pytest.raises(SteamThrottled) as steams:
        pace.wait(kind)
    assert steams.value.error_code == "steam_throttled"


def test_a_throttle_pauses_the_whole_address_longer_each_time(redis_url: str) -> None:
    slept: list[float] = []
    first, second = (make_pace(redis_url, slept, read_s=0.1, retry_s=1.0) for _ in range(2))
    assert [first.throttled() for _ in range(2)] == [5.0, 60.0]
    with pytest.raises(SteamThrottled) as caught:
        second.wait("read")
    assert 5 < known(caught.value.retry_after_s) <= 60
    assert slept == []
    assert [first.throttled() for _ in range(4)] == [300.0, 900.0, 900.0, 900.0]


def test_a_sign_in_throttle_holds_sign_ins_only(redis_url: str) -> None:
    slept: list[float] = []
    first, second = (make_pace(redis_url, slept, read_s=0.1, sign_in_s=15.0, retry_s=1.0) for _ in range(2))
    assert first.sign_in_throttled() == 1500.0
    second.wait("read")
    assert slept == []
    with pytest.raises(SteamThrottled) as caught:
        second.wait("sign_in")
    assert 1000 < known(caught.value.retry_after_s) <= 1500


def test_reads_are_repeated_while_steam_cannot_answer() -> None:
    slept: list[float] = []
    pace, calls = make_pace(None, slept, retry_s=1.0), []

    def read() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise SteamUnavailable()
        return "done"

    assert pace.repeat_reads(read) == "done"
    assert [round(wait) for wait in slept] == [1, 2]
    with pytest.raises(SteamRefused):
        pace.repeat_reads(lambda: (_ for _ in ()).throw(SteamRefused()))


def test_an_address_pauses_no_longer_than_a_quarter_of_an_hour_whatever_steam_asks(redis_url: str) -> None:
    pace = make_pace(redis_url, [])
    assert pace.pause() is None
    assert pace.throttled(86_400.0) == 900.0
    first = pace.pause()
    assert first is not None
    assert (first.reason, round(first.until_s - first.since_s), first.asked_s) == ("steam_throttled", 900, 86_400.0)
    assert pace.throttled(30.0) == 30.0
    again = pace.pause()
    assert again is not None and (again.since_s, again.until_s) == (first.since_s, first.until_s), "it only goes on"
    # Another worker of this address learns it with its next call.
    other = make_pace(redis_url, [], read_s=0.1)
    with pytest.raises(SteamThrottled):
        other.wait("read")
    seen = other.pause()
    assert seen is not None and 890 < seen.until_s - seen.since_s <= 900
    assert sign_in_pause(SteamThrottled(retry_after_s=86_400.0), 1, 1.0) == 1800.0


def test_a_proxy_that_is_away_is_named_without_its_password(opened: Callable[..., Opened]) -> None:
    it = opened()
    it.connection.account = replace(it.connection.account, proxy="http://user:hidden@127.0.0.1:9")
    it.connection.client = it.connection._new_client()
    with pytest.raises(SteamUnavailable) as caught:
        it.session.sign_in()
    assert caught.value.error_code == "proxy_unavailable"
    assert "127.0.0.1:9" in sign_in_action(caught.value) and "hidden" not in sign_in_action(caught.value)
    with pytest.raises(SteamUnavailable) as sent:
        it.session.send_offer("76561198000000002", "AbCdEfGh", "m", [], [Asset(730, "2", "1")])
    assert "127.0.0.1:9" in (sent.value.reason or ""), "nothing has left this machine, so it is told as later, not as lost"
