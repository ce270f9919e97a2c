"""Staying signed in: back-off by cause, sessions that die, throttles, proxies, and confirmations that do not come."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from bot_lab import FAST, MASTER, Lab, SteamAccount, SteamWorld, ask, kinds
from forward_proxy import Proxy, proxied
from support import wait_until

from bot_worker.backoff import sign_in_action, sign_in_pause
from bot_worker.credentials.accounts import egress_of
from bot_worker.credentials.fields import check_proxy
from bot_worker.steam.sign_in import WrongCode
from bot_worker.vault import Account, Vault
from bot_worker.worker import Worker, new_run
from shared import wire
from shared.errors import SteamError, SteamRefused, SteamThrottled, SteamUnavailable, VaultError
from shared.orders import InventoryOrder, Order

# --- back-off ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (SteamThrottled(), [1500, 1500, 1500]),
        (SteamThrottled(retry_after_s=40.0), [40, 40, 40]),
        (SteamRefused(code="wrong_password"), [30, 60, 3600, 3600]),
        (SteamRefused(code="account_disabled"), [3600, 3600]),
        (WrongCode(), [35, 120, 600, 3600, 3600]),
        (SteamUnavailable(), [30, 60, 120, 300, 600, 600]),
    ],
    ids=lambda value: getattr(value, "error_code", ""),
)
def test_how_long_a_sign_in_waits_depends_on_its_cause(error: SteamError, waits: list[float]) -> None:
    assert [sign_in_pause(error, failures, 1.0) for failures in range(1, len(waits) + 1)] == waits
    assert sign_in_action(error)


def sign_in_fault(world: SteamWorld, code: int, times: int) -> None:
    order = {"route": "BeginAuthSessionViaCredentials", "kind": "sign_in_refused", "code": code, "times": times}
    ask(f"{world.control}/control/faults", "POST", order)


@pytest.fixture
def second_worker(lab: Lab, world: SteamWorld) -> Iterator[tuple[Worker, threading.Event]]:
    """A worker of another bot on the same host, that has not signed in yet."""
    vault = Vault.open(lab.settings.group)
    vault.put([world.vault_account(world.account("bot"), "red-2")])
    vault.put_keys([MASTER.bot("red-2")])
    stop = threading.Event()
    worker = Worker(lab.settings, "red-2", new_run("red-2"), stop)
    yield worker, stop
    stop.set()
    worker.close()


@pytest.mark.parametrize("code", [84, 87])
def test_a_throttled_sign_in_holds_the_whole_group_and_says_so(
    make_lab: Callable[..., Lab], world: SteamWorld, code: int
) -> None:
    lab = make_lab(pace={**FAST, "sign_in_s": 0.01, "retry_s": 1.0})
    vault, stop = Vault.open(lab.settings.group), threading.Event()
    workers = []
    for name in ("red-2", "red-3"):
        vault.put([world.vault_account(world.account("bot"), name)])
        vault.put_keys([MASTER.bot(name)])
        workers.append(Worker(lab.settings, name, new_run(name), stop))
    sign_in_fault(world, code, 1)
    threads = [threading.Thread(target=worker.sign_in) for worker in workers]
    try:
        for worker, thread in zip(workers, threads, strict=True):
            thread.start()
            wait_until(lambda worker=worker: worker.bot.health.state == "unhealthy")  # type: ignore[misc]
        for worker in workers:
            health = worker.bot.health
            assert health.reason == "steam_throttled"
            assert "pause" in (health.action or "")
        # Only the first one asked Steam at all.
        asked = [worker.bot.session.observer.calls["BeginAuthSessionViaCredentials"] for worker in workers]
        assert asked == [1, 0]
        assert workers[0].bot.session.observer.throttled == 1
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)
        for worker in workers:
            worker.close()


def test_a_bot_that_cannot_sign_in_shows_why_and_what_to_do_and_recovers(
    second_worker: tuple[Worker, threading.Event], world: SteamWorld
) -> None:
    worker, stop = second_worker
    sign_in_fault(world, 5, 1000)
    thread = threading.Thread(target=worker.sign_in)
    thread.start()
    try:
        wait_until(lambda: worker.bot.health.state == "unhealthy")
        assert worker.bot.health.reason == "wrong_password"
        assert worker.bot.health.action == "check the password in the vault"
        world.clear_faults()
        wait_until(lambda: worker.bot.health.state == "online")
        assert [worker.bot.health.reason, worker.bot.health.action] == [None, None]
    finally:
        stop.set()
        thread.join(120)


# --- sessions that die ---------------------------------------------------------------------------


def test_an_access_token_is_renewed_before_it_ends(
    make_lab: Callable[..., Lab], world: SteamWorld, player: SteamAccount
) -> None:
    """Tokens of 4 000 seconds and a margin of 2 000: none is ever used in its second half."""
    world.change_rules(access_token_s=4000)
    try:
        lab = make_lab()
        session = lab.bot.session
        signed_in = session.observer.calls["finalizelogin"]
        for later_s, renewed in ((0, 0), (1500, 0), (800, 1)):
            lab.clock.pass_time(later_s)
            assert lab.do(lab.watch_order()) == []
            assert session.observer.calls["finalizelogin"] == signed_in + renewed
        assert session.observer.calls["BeginAuthSessionViaCredentials"] == 1
    finally:
        world.change_rules(access_token_s=86_400)


SILENT = [
    ("dead_cookie", "send"),
    ("dead_token", "send"),
    ("dead_cookie", "getlist"),
    ("dead_cookie", "ajaxop"),
    ("dead_token", "GetTradeOffers"),
    ("dead_cookie", "partnerinventory"),
    ("dead_cookie", "cancel"),
]


@pytest.mark.parametrize(("fault", "route"), SILENT)
def test_a_session_that_dies_silently_is_noticed_and_loses_no_trade(
    lab: Lab, player: SteamAccount, fault: str, route: str
) -> None:
    """The token or the cookies die without a word, at the very call that needs them: it is repeated with new ones."""
    give = route in ("getlist", "ajaxop")
    order = lab.send_order(player, lab.me.assets() if give else [], [] if give else player.assets())
    lab.me.fault(route, fault)
    told = lab.do(order)
    if route == "send":
        assert told[-1].data["code"] == "not_signed_in"
        told = lab.do(replace(order, attempt=2, order_id="or_again"))
    assert kinds(told)[-1] == "offer_active"
    offer_id = told[-1].data["offer_id"]
    assert [(offer["offer_id"], offer["state"]) for offer in lab.me.offers()] == [(offer_id, 2)]
    later: dict[str, tuple[Order, list[str]]] = {
        "GetTradeOffers": (lab.watch_order(lab.watched(order, offer_id)), []),
        "partnerinventory": (lab.order("inventory", InventoryOrder(player.steam_id, player.trade_token)), ["inventory_read"]),
        "cancel": (lab.offer_order("cancel", lab.watched(order, offer_id)), ["offer_canceled"]),
    }
    if route in later:
        given, expected = later[route]
        assert kinds(lab.do(given)) == expected
    assert lab.bot.session.observer.calls["finalizelogin"] == 2
    assert not lab.bot.needs_sign_in


def test_tokens_that_were_all_revoked_lead_to_the_password(lab: Lab, world: SteamWorld, player: SteamAccount) -> None:
    world.change_rules(codes_used_once=False)
    try:
        lab.me.change(revoke_tokens=True)
        order = lab.send_order(player, [], player.assets())
        assert lab.do(order)[-1].data["code"] == "not_signed_in"
        assert lab.bot.session.observer.calls["BeginAuthSessionViaCredentials"] >= 2
        # What was issued within the second of the revocation is revoked too, so it may take another try.
        attempts = itertools.count(2)
        wait_until(lambda: kinds(lab.do(replace(order, attempt=next(attempts))))[-1] == "offer_active")
    finally:
        world.change_rules(codes_used_once=True)
    assert [offer["state"] for offer in lab.me.offers()] == [2]


# --- throttles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["send", "GetTradeOffers", "decline"])
def test_a_wait_that_steam_asks_for_is_kept(lab: Lab, player: SteamAccount, route: str) -> None:
    lab.me.fault(route, "null", status=429, retry_after_s=77)
    with pytest.raises(SteamThrottled) as caught:
        if route == "send":
            asset = player.assets()[0]
            lab.bot.session.send_offer(player.steam_id, player.trade_token, "hello", [], [asset])
        elif route == "decline":
            lab.bot.session.decline("1")
        else:
            lab.bot.session.sent_offers(1)
    assert caught.value.retry_after_s == 77
    assert lab.heartbeat().throttled == 1


def test_a_read_that_steam_wants_much_later_is_not_repeated(lab: Lab) -> None:
    lab.me.fault("GetTradeOffers", "status", status=503, retry_after_s=60, times=5)
    before = lab.me.requests().get("GetTradeOffers", 0)
    with pytest.raises(SteamUnavailable) as caught:
        lab.bot.session.sent_offers(1)
    assert caught.value.retry_after_s == 60
    assert lab.me.requests()["GetTradeOffers"] == before + 1


# --- proxies -------------------------------------------------------------------------------------


@pytest.fixture
def proxy() -> Iterator[str]:
    with proxied() as address:
        yield address


def test_a_bot_with_a_proxy_goes_out_through_it_and_is_paced_by_its_address(
    lab: Lab, world: SteamWorld, player: SteamAccount, proxy: str
) -> None:
    account = Vault.open(lab.settings.group).account("red-1")
    assert account.proxy == ""
    lab.die()
    Vault.open(lab.settings.group).put([replace(account, proxy=proxy)])
    lab.start()
    assert Proxy.passed == lab.bot.session.observer.total > 0
    assert kinds(lab.do(lab.send_order(player, [], player.assets()))) == ["picked_up", "offer_active"]
    assert Proxy.passed == lab.bot.session.observer.total
    lab.bot.session.connection.pace.throttled(30.0)
    assert lab.redis.exists(wire.pace_key(egress_of(proxy), "everything"))
    assert not lab.redis.exists(wire.pace_key(egress_of(""), "everything"))


def test_a_proxy_is_an_address_and_its_password_is_never_shown() -> None:
    good = "http://user:secret@203.0.113.9:8080"
    check_proxy(good)
    assert egress_of(good) == "203.0.113.9:8080"
    assert egress_of("") not in ("", good)
    assert "secret" not in repr(Account("red-1", "a", "p", "1", "s", "i", "d", good))
    for bad in ("203.0.113.9:8080", "socks5://203.0.113.9:1", "http://203.0.113.9", "http://:8080", "http://h:99999", "secret"):
        with pytest.raises(VaultError) as caught:
            check_proxy(bad)
        assert bad not in str(caught.value)


# --- confirmations that do not come --------------------------------------------------------------


def test_a_confirmation_that_failed_is_tried_again_by_the_offers_id(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(), [])
    lab.me.fault("ajaxop", "success_false", times=20)
    offer_id = lab.do(order)[1].data["offer_id"]
    trade = lab.watched(order, offer_id, "confirming")
    assert lab.do(lab.watch_order(trade)) == []
    lab.world.clear_faults()
    (report,) = lab.do(lab.watch_order(trade))
    assert (report.kind, report.data["offer_id"]) == ("offer_active", offer_id)
    assert [offer["state"] for offer in lab.me.offers()] == [2]


@pytest.mark.parametrize("route", ["getlist", "ajaxop"])
def test_an_offer_that_cannot_be_confirmed_for_too_long_is_canceled(
    make_lab: Callable[..., Lab], player: SteamAccount, route: str
) -> None:
    lab = make_lab(trades={"confirm_give_up_s": 1800.0})
    order = lab.send_order(player, lab.me.assets(), [])
    lab.me.fault(route, "bad_codes" if route == "ajaxop" else "no_conf", times=50)
    offer_id = lab.do(order)[1].data["offer_id"]
    trade = lab.watched(order, offer_id, "confirming")
    for later_s in (0, 1000):
        lab.clock.pass_time(later_s)
        assert lab.do(lab.watch_order(trade)) == []
    lab.clock.pass_time(1000)
    (report,) = lab.do(lab.watch_order(trade))
    assert report.kind == "offer_canceled"
    assert report.data == {"offer_id": offer_id, "state": 6, "reason": "not_confirmed"}
    assert [offer["state"] for offer in lab.me.offers()] == [6]
    assert len(lab.me.items()) == 3
