"""Pages of a player's items: what is shown of them, what is asked for once, and what never happens twice."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from counter import Counter, counting
from custody import Custody, new_ref
from django.db import connections
from django.test import Client, override_settings
from django.utils.translation import override
from play import new_player

from fleet_client import AsyncClient
from website import fleet, limits
from website.accounts import sessions
from website.accounts.models import Player
from website.accounts.services import register
from website.custody import errands, pictures, swaps, verifying, views, words, worth
from website.custody.models import Errand, Exchange, SteamInventory
from website.engine import calls
from website.engine.clock import wall_ms
from website.rooms.models import Bet, Lane

LINK = "https://steamcommunity.com/tradeoffer/new/?partner=1&token=abcdefgh"
TOKEN = "a-token-of-a-form"
NO_INLINE = re.compile(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:")


def forget() -> None:
    """What this process has heard of a fleet is that of another test."""
    fleet.close()
    worth.forget()
    pictures._livemode, pictures._asked_at = None, 0.0


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody has given their trade link."""
    monkeypatch.setattr(views, "trade_url_of", lambda _player: LINK)


@pytest.fixture
def counter(one_database: str, linked: None) -> Iterator[Counter]:
    with (
        counting() as made,
        override_settings(SITE_FLEET_URLS=[made.address], SITE_FLEET_KEY="fk_test_x", SITE_FLEET_PATIENCE_S=2),
    ):
        forget()
        yield made
    forget()


@pytest.fixture
def at_the_fleet(shared_custody: Custody, one_database: str, linked: None) -> Iterator[Custody]:
    with override_settings(SITE_FLEET_URLS=[shared_custody.balancer_url], SITE_FLEET_KEY=shared_custody.api_key):
        forget()
        yield shared_custody
    forget()


def signed_in(player: Player) -> Client:
    browser = Client(SERVER_NAME="localhost")
    browser.cookies[sessions.COOKIE] = sessions.start(player, "a browser", wall_ms())
    return browser


def ana() -> tuple[Player, Client]:
    player = register(76561198000000001, "ana", wall_ms())
    return player, signed_in(player)


def text_of(browser: Client, address: str, status: int = 200) -> str:
    page = browser.get(address)
    text = page.content.decode()
    assert page.status_code == status, (address, page.status_code)
    assert not NO_INLINE.search(text), NO_INLINE.search(text)
    return text


# ---- what is here, by the real fleet


def test_what_is_here_with_its_value_and_the_round_that_holds_it(at_the_fleet: Custody) -> None:
    player = new_player(at_the_fleet)
    free, bound = at_the_fleet.tickets(player.user_id, 2, cents=1250)
    Lane.objects.create(name="classic-a", room="classic")
    bet = Bet.objects.create(
        bet_id=f"bet_{player.id}",
        lane="classic-a",
        round=7,
        player=player,
        token="t",
        deposit_ids="[]",
        seen_cents=1250,
        created_ms=0,
        touched_ms=0,
    )
    at_the_fleet.ask("POST", "/locks", {"ref": bet.bet_id, "user_id": player.user_id, "deposit_ids": [bound]})
    text = text_of(signed_in(player), "/inventory")
    assert "25.00" in text and "in a round" in text and "mark-lock" in text
    assert f'value="{free}"' in text and f'value="{bound}"' not in text


def test_what_is_chosen_by_a_button_without_scripts(at_the_fleet: Custody) -> None:
    player = new_player(at_the_fleet)
    at_the_fleet.tickets(player.user_id, 1, cents=500)
    at_the_fleet.tickets(player.user_id, 1, cents=300)
    at_the_fleet.tickets(player.user_id, 1, cents=200)
    browser = signed_in(player)
    assert text_of(browser, "/inventory?choose=all").count(" checked") == 3
    assert text_of(browser, "/inventory?choose=none").count(" checked") == 0
    upto = text_of(browser, "/inventory?choose=upto&value=7,00")
    assert upto.count(" checked") == 2 and "<b data-sum>7.00</b>" in upto
    for odd in ("", "x", "-1", "1e9", "١", "1.234", "9" * 40):
        assert "Write an amount" in text_of(browser, f"/inventory?choose=upto&value={odd}", 400)


def test_tickets_stay_here(at_the_fleet: Custody, monkeypatch: pytest.MonkeyPatch) -> None:
    player = new_player(at_the_fleet)
    (ticket,) = at_the_fleet.tickets(player.user_id, 1)
    monkeypatch.setattr(views, "trade_url_of", lambda _player: LINK.replace("=1&", f"={player.steam_id - 76561197960265728}&"))
    page = signed_in(player).post("/withdrawals", {"token": TOKEN, "ids": [ticket]}, follow=True).content.decode()
    assert "they cannot be sent to Steam" in page and at_the_fleet.owners()[ticket] == player.user_id


def test_russian_has_every_sentence_and_every_form_of_a_number(counter: Counter) -> None:
    player, browser = ana()
    browser.cookies["language"] = "ru"
    texts = {**words.REFUSALS, **words.NOT_TAKEN, **words.FROZEN}
    said = [
        *texts.values(),
        *(state.title for state in words._DEPOSIT.values()),
        *(v.title for v in verifying.VERDICTS.values()),
    ]
    with override("ru"):
        assert all(re.search("[а-я]", str(each)) for each in said)
    for count, form in ((1, "1 предмет,"), (2, "2 предмета,"), (5, "5 предметов,")):
        row = {"deposit_status": None, "market_hash_name": "AK-47 | Redline", "value_cents": 1, "asset_id": "1"}
        row |= {"new_asset_id": None, "matched": None}
        items = [{**row, "deposit_id": f"dep_{number}"} for number in range(count)]
        trade = counter.trade(player.user_id, items=items)
        assert form in text_of(browser, f"/trades/{trade['trade_id']}")
    browser.post("/deposits", {"token": TOKEN, "ids": ["11"]})
    assert "ru" in counter.languages


def test_items_of_somebody_else_are_not_withdrawn(at_the_fleet: Custody) -> None:
    player, other = new_player(at_the_fleet), new_player(at_the_fleet, "bo")
    (theirs,) = at_the_fleet.tickets(other.user_id, 1, cents=500)
    link = LINK.replace("partner=1", f"partner={player.steam_id - 76561197960265728}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "trade_url_of", lambda _player: link)
        page = signed_in(player).post("/withdrawals", {"token": TOKEN, "ids": [theirs]}, follow=True)
    errand = Errand.objects.get(player=player)
    assert (errand.state, errand.code) == (Errand.REFUSED, "not_owner") and at_the_fleet.owners()[theirs] == other.user_id
    assert "is not yours" in page.content.decode()


# ---- once, whatever is lost


def test_s23_a_double_click_is_one_deposit(counter: Counter) -> None:
    _player, browser = ana()
    answers = [browser.post("/deposits", {"token": TOKEN, "ids": ["11", "12"]}) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {302} and len({answer["Location"] for answer in answers}) == 1
    assert len(counter.trades) == 1 and Errand.objects.count() == 1 and counter.moves() == 1


def test_s8_an_answer_that_was_lost_is_asked_for_again_under_the_same_key(counter: Counter) -> None:
    player, browser = ana()
    counter.lose = 2
    first = browser.post("/deposits", {"token": TOKEN, "ids": ["11"]})
    errand = Errand.objects.get(player=player)
    assert (errand.state, first["Location"]) == (Errand.ASKED, f"/errands/{errand.errand_id}")
    counter.refuse = ["no_bot_available"]  # no last word: the first may still be at work
    assert "We are asking our bots" in text_of(browser, first["Location"])
    found = browser.get(first["Location"])
    (trade_id,) = counter.trades
    assert found["Location"] == f"/trades/{trade_id}" and set(counter.by_key) == {errand.errand_id}


def test_s7_while_the_fleet_is_away_nothing_is_done_and_pages_say_so(counter: Counter) -> None:
    player, browser = ana()
    with override_settings(SITE_FLEET_URLS=["http://127.0.0.1:9"]):
        forget()
        page = browser.post("/withdrawals", {"token": TOKEN, "ids": ["dep_1"]}, follow=True).content.decode()
        assert "Nothing was withdrawn" in page and "Nothing was done" in page
        for tab in ("here", "steam", "way", "credit"):
            assert "cannot be reached" in text_of(browser, f"/inventory?tab={tab}")
        assert "cannot be reached" in text_of(browser, "/trades/trd_1", 503)
    forget()
    assert Errand.objects.get(player=player).state == Errand.REFUSED
    text_of(browser, f"/errands/{Errand.objects.get(player=player).errand_id}")  # the fleet is back: it is not sent any more
    assert not counter.trades


def test_a_form_that_comes_back_with_other_items_does_nothing(counter: Counter) -> None:
    _player, browser = ana()
    browser.post("/deposits", {"token": TOKEN, "ids": ["11"]})
    again = browser.post("/deposits", {"token": TOKEN, "ids": ["12"]})
    assert again.status_code == 409 and "sent before" in again.content.decode() and len(counter.trades) == 1


def test_a_refusal_says_why_in_words(counter: Counter) -> None:
    _player, browser = ana()
    counter.refuse = ["partner_hold"]
    page = browser.post("/deposits", {"token": TOKEN, "ids": ["11"]}, follow=True).content.decode()
    assert "Nothing was deposited" in page and "said by the fleet: partner_hold" in page
    assert "en" in counter.languages


def test_who_has_no_trade_link_is_asked_for_it_first(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    _player, browser = ana()
    monkeypatch.setattr(views, "trade_url_of", lambda _player: "")
    page = browser.post("/deposits", {"token": TOKEN, "ids": ["11"]})
    assert page.status_code == 409 and 'href="/me"' in page.content.decode() and not Errand.objects.exists()


def test_strange_forms_get_a_clear_answer(counter: Counter) -> None:
    _player, browser = ana()
    for body in (
        {},
        {"token": TOKEN},
        {"token": "x", "ids": ["1"]},
        {"token": TOKEN, "ids": ["../1"]},
        {"token": TOKEN, "ids": ["\x00"]},
        {"token": "\N{SNOWMAN}" * 12, "ids": ["1"]},
        {"token": TOKEN, "ids": [str(number) for number in range(201)]},
    ):
        for address in ("/deposits", "/withdrawals"):
            assert browser.post(address, body).status_code == 400, (address, body)
    for address in ("/inventory?tab=x", "/trades/x", "/trades/trd_%00", "/trades/TRD_1", "/errands/x", "/trades/trd_9"):
        assert browser.get(address).status_code == 404, address
    assert browser.get("/deposits").status_code == 405 and counter.moves() == 0


def test_w30_nothing_is_done_by_get_or_by_a_form_from_elsewhere(counter: Counter) -> None:
    player, browser = ana()
    trade = counter.trade(player.user_id)
    strict = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
    strict.cookies = browser.cookies
    for address in ("/deposits", "/withdrawals", f"/withdrawals/{trade['trade_id']}/cancel", "/inventory/refresh"):
        assert browser.get(address).status_code == 405
        assert strict.post(address, {"token": TOKEN, "ids": ["11"]}).status_code == 403
    assert counter.moves() == 0 and not trade["cancel_requested"] and not Errand.objects.exists()


def test_w29_pages_of_items_load_nothing_foreign(counter: Counter) -> None:
    player, browser = ana()
    counter.items = [an_item("11")]
    trade = counter.trade(player.user_id)
    for address in ("/inventory?tab=steam", f"/trades/{trade['trade_id']}", "/inventory?tab=way"):
        text = text_of(browser, address)
        assert not re.findall(r"""<(?:img|link|script|form)[^>]*(?:src|href|action)=["'](?:https?:)?//""", text)


def test_s7_a_fleet_that_hangs_holds_no_page_up(counter: Counter) -> None:
    _player, browser = ana()
    counter.slow_s = 20.0
    with override_settings(SITE_FLEET_PATIENCE_S=0.4):
        forget()
        begun = time.monotonic()
        for tab in ("here", "steam", "way", "credit"):
            assert "cannot be reached" in text_of(browser, f"/inventory?tab={tab}")
        page = browser.post("/deposits", {"token": TOKEN, "ids": ["11"]}, follow=True)
        assert "We are asking our bots" in page.content.decode() and time.monotonic() - begun < 20
    counter.slow_s = 0.0


def test_pages_of_items_are_for_who_is_signed_in(browser: Client) -> None:
    for address in ("/inventory", "/trades/trd_1", "/errands/x", "/verify/" + "a" * 22):
        assert browser.get(address)["Location"].startswith("/sign-in")
    for address in ("/deposits", "/withdrawals", "/withdrawals/trd_1/cancel", "/inventory/refresh"):
        assert browser.post(address)["Location"].startswith("/sign-in")


# ---- trades


def test_a_trade_is_shown_to_its_player_only(counter: Counter) -> None:
    player, browser = ana()
    mine, theirs = counter.trade(player.user_id), counter.trade("99")
    text = text_of(browser, f"/trades/{mine['trade_id']}")
    assert f"/tradeoffer/{mine['offer_id']}/" in text and f"/verify/{mine['token']}" in text
    assert browser.get(f"/trades/{theirs['trade_id']}").status_code == 404
    assert browser.post(f"/withdrawals/{theirs['trade_id']}/cancel").status_code == 404
    assert not theirs["cancel_requested"]
    browser.post(f"/withdrawals/{mine['trade_id']}/cancel")
    assert mine["cancel_requested"]
    assert "being cancelled" in text_of(browser, f"/trades/{mine['trade_id']}")


@pytest.mark.parametrize("direction", ["deposit", "withdraw"])
def test_every_state_of_a_trade_has_words(counter: Counter, direction: str) -> None:
    player, browser = ana()
    states = ("queued", "sending", "in_doubt", "confirming", "sent", "held", "accepted", "settled", "declined", "countered")
    said = set()
    for status in (*states, "expired", "canceled", "failed", "reversed", "something_new"):
        trade = counter.trade(player.user_id, direction, status=status)
        page = text_of(browser, f"/trades/{trade['trade_id']}")
        said.add(re.search(r"<h1>(.*?)</h1>", page)[1])  # type: ignore[index]
        assert ("refresh" in page) == (status in states[:6]), status
    assert len(said) >= 10


def test_what_is_on_its_way_and_what_is_over(counter: Counter) -> None:
    player, browser = ana()
    browser.post("/deposits", {"token": TOKEN, "ids": ["11"]})
    counter.trade(player.user_id, "withdraw", status="queued", waits_for="settlement")
    counter.trade("99", status="sent")
    text = text_of(browser, "/inventory?tab=way")
    assert "Accept the offer in Steam" in text and "It waits for Steam" in text and text.count('href="/trades/') == 2
    (made,) = json.loads(Errand.objects.get().trades)
    counter.trades[made]["status"] = "declined"
    assert "The offer was declined" in text_of(browser, "/inventory?tab=way")


def test_a_request_with_several_trades_shows_each(counter: Counter) -> None:
    _player, browser = ana()
    counter.per_request = 2
    page = browser.post("/deposits", {"token": TOKEN, "ids": ["11"]}, follow=True)
    assert "2 trades were made" in page.content.decode() and page.content.decode().count('href="/trades/') == 2
    assert 'data-refresh="3"' in page.content.decode()  # it goes on until both are over


# ---- on Steam


def an_item(asset_id: str, reason: str | None = None, cents: int | None = 1090) -> dict[str, object]:
    return {
        "asset_id": asset_id,
        "app_id": 730,
        "context_id": "2",
        "market_hash_name": "AK-47 | Redline (Field-Tested)",
        "value_cents": cents,
        "acceptable": reason is None,
        "reason": reason,
        "tradable": True,
        "amount": 1,
        "type": "Rifle",
        "color": "D32CE6",
        "name_color": "",
        "icon_url": "abc",
        "icon_url_large": "",
        "inspect_link": None,
        "wear": None,
        "pattern": None,
        "name_tag": None,
    }


def test_what_is_on_steam_and_why_something_is_not_taken(counter: Counter) -> None:
    _player, browser = ana()
    counter.items = [an_item("11"), an_item("12", "souvenir"), an_item("13", "no_value", None)]
    text = text_of(browser, "/inventory?tab=steam")
    assert "souvenirs are not taken" in text and "its value is not known" in text and "rarity-d32ce6" in text
    assert 'value="11"' in text and 'value="12"' not in text and "/pictures/abc" in text


def test_the_phase_of_a_doppler_stands_by_its_name_here_and_on_steam(counter: Counter) -> None:
    _player, browser = ana()
    knife = an_item("11") | {"market_hash_name": "★ Karambit | Doppler (Factory New)"}
    counter.items = [knife | {"phase": "Sapphire"}, knife | {"asset_id": "12", "phase": "Phase 3"}, knife | {"asset_id": "13"}]
    text = text_of(browser, "/inventory?tab=steam")
    for line in ("Sapphire · Doppler (Factory New)", "Phase 3 · Doppler (Factory New)", "Doppler (Factory New)"):
        assert text.count(f">{line}</span>") == 1, line
    browser.cookies["language"] = "ru"
    text = text_of(browser, "/inventory?tab=steam")
    assert ">Сапфир · Doppler" in text and ">Фаза 3 · Doppler" in text


def test_w31_an_inventory_is_read_at_most_once_in_ten_seconds(counter: Counter) -> None:
    player, browser = ana()
    text_of(browser, "/inventory?tab=steam")
    text_of(browser, "/inventory?tab=steam")
    refused = browser.post("/inventory/refresh")
    assert refused.status_code == 429 and 1 <= int(refused["Retry-After"]) <= 10
    assert counter.asked.count(("POST", "/inventory")) == 1
    SteamInventory.objects.filter(player=player).update(asked_ms=0)
    assert browser.post("/inventory/refresh")["Location"] == "/inventory?tab=steam"
    assert counter.asked.count(("POST", "/inventory")) == 2


# ---- errands


def test_a_refusal_is_final_only_when_no_earlier_try_is_at_work(counter: Counter) -> None:
    player, _browser = ana()
    now_ms = wall_ms()
    errand = errands.ask(player, Errand.DEPOSIT, {"ids": ["11"]}, TOKEN, now_ms)
    counter.refuse = ["asset_in_trade", "asset_in_trade"]
    Errand.objects.filter(id=errand.id).update(sent_ms=now_ms)  # somebody sent it and died
    assert errands.carry_out(errand, LINK, "en", now_ms + 1).state == Errand.ASKED
    later_ms = now_ms + errands.AT_WORK_MS + 1
    assert errands.carry_out(errand, LINK, "en", later_ms).state == Errand.REFUSED


def test_a_process_that_died_before_it_asked_is_made_up_for_by_the_next_look(counter: Counter) -> None:
    player, browser = ana()
    errand = errands.ask(player, Errand.DEPOSIT, {"ids": ["11"]}, TOKEN, wall_ms())
    assert counter.moves() == 0
    (made,) = {browser.get(f"/errands/{errand.errand_id}")["Location"] for _ in range(2)}
    assert made == f"/trades/{next(iter(counter.trades))}" and counter.moves() == 1
    assert signed_in(register(76561198000000002, "bo", wall_ms())).get(f"/errands/{errand.errand_id}").status_code == 404


def test_an_errand_of_long_ago_is_not_sent_by_itself(counter: Counter) -> None:
    player, browser = ana()
    errand = errands.ask(player, Errand.WITHDRAW, {"ids": ["dep_1"]}, TOKEN, wall_ms() - errands.CARRIED_MS)
    assert "We had no answer" in text_of(browser, f"/errands/{errand.errand_id}") and counter.moves() == 0


# ---- the bar


def test_the_value_in_custody_is_never_waited_for(at_the_fleet: Custody, monkeypatch: pytest.MonkeyPatch) -> None:
    player, asked = new_player(at_the_fleet), list[Player]()
    at_the_fleet.tickets(player.user_id, 2, cents=4203)
    monkeypatch.setattr(worth, "ask_later", asked.append)
    assert worth.known(player) is None and worth.known(player) is None and asked == [player]
    worth._waiting.acquire()
    worth._ask(player.id, player.user_id)
    assert worth.known(player) == 8406 and "84.06" in text_of(signed_in(player), "/no-such-page", 404)


# ---- exchanges, by the real fleet


def tickets_of_the_house(custody: Custody) -> None:
    body = {"ref": new_ref("issue"), "market_hash_name": "SnG Ticket", "value_cents": 100, "count": 1, "to": "house"}
    custody.ask("POST", "/issues", body)
    swaps._prices.clear()
    swaps._searched_at = -1000.0


def carry_out(custody: Custody) -> None:
    """What an engine does with the calls that are due."""

    async def send() -> None:
        async with AsyncClient(custody.balancer_url, custody.api_key) as fleet_of_engine:
            for call in await asyncio.to_thread(closing, calls.claim, wall_ms()):
                outcome = await calls.send(fleet_of_engine, call)
                await asyncio.to_thread(closing, calls.answered, {call.id: outcome}, wall_ms())

    asyncio.run(send())


def closing(work: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return work(*arguments)
    finally:
        connections.close_all()


def hidden(page: str) -> dict[str, list[str]]:
    """What a form on a page would send."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page):
        found.setdefault(name, []).append(value)
    return found


def test_an_exchange_is_shown_whole_confirmed_once_and_followed(at_the_fleet: Custody) -> None:
    player = new_player(at_the_fleet)
    tickets_of_the_house(at_the_fleet)
    given = at_the_fleet.tickets(player.user_id, 1, cents=350)
    browser = signed_in(player)
    chosen = browser.post("/exchange", {"ids": given}).content.decode()
    assert chosen.count(" checked") == 2 and "SnG Ticket" in chosen  # the item, and the first kind of ticket
    page = browser.post("/exchange/review", {"ids": given, "take": "SnG Ticket", "count": ""}).content.decode()
    assert "3 × SnG Ticket" in page and "0.50" in page and not NO_INLINE.search(page)
    form = hidden(page)
    first, second = (browser.post("/exchanges", form) for _ in range(2))
    assert first["Location"] == second["Location"] and Exchange.objects.count() == 1
    assert "It is being exchanged" in text_of(browser, first["Location"])
    carry_out(at_the_fleet)
    done = text_of(browser, first["Location"])
    assert "You have 3 items more" in done and "0.50" in done
    assert [at_the_fleet.owners()[each] for each in given] == ["house"]
    credit = text_of(browser, "/inventory?tab=credit")
    assert "<b>0.50</b>" in credit and "exchange" in credit
    assert signed_in(new_player(at_the_fleet, "bo")).get(first["Location"]).status_code == 404


def test_w31_exchanges_and_deposits_have_a_limit_that_a_second_click_does_not_meet(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_buckets", limits._Buckets(lambda: 1))  # no time passes
    _player, browser = ana()
    forms = [{"token": f"{TOKEN}-{number}", "ids": ["dep_1"], "ticket": "SnG Ticket", "count": "1"} for number in range(12)]
    assert [browser.post("/exchanges", form).status_code for form in (forms[0], forms[0])] == [302, 302]
    refused = browser.post("/exchanges", forms[1])
    assert refused.status_code == 429 and refused["Retry-After"] == "1" and Exchange.objects.count() == 1
    answers = [browser.post("/deposits", form) for form in forms for _ in range(2)]
    assert {answer.status_code for answer in answers} == {302, 429} and len(counter.trades) < len(forms)


def test_what_cannot_be_exchanged_says_why_and_changes_nothing(at_the_fleet: Custody) -> None:
    player, other = new_player(at_the_fleet), new_player(at_the_fleet, "bo")
    tickets_of_the_house(at_the_fleet)
    (mine,), (theirs,) = at_the_fleet.tickets(player.user_id, 1, cents=150), at_the_fleet.tickets(other.user_id, 1, cents=150)
    browser = signed_in(player)
    for form, said in (
        ({"ids": [mine], "take": "SnG Ticket", "count": "2"}, "worth less"),
        ({"ids": [mine], "take": "SnG Ticket", "count": "0"}, "between 1 and 1000"),
        ({"ids": [mine], "take": "SnG Ticket", "count": "-1"}, "between 1 and 1000"),
        ({"ids": [theirs], "take": "SnG Ticket"}, "is not here any more"),
        ({"take": "SnG Ticket"}, "at least one item"),
        ({"ids": [mine], "take": "items"}, "at least one item"),
        ({"ids": [mine], "take": "items", "want": [theirs]}, "Somebody else"),
        ({"ids": [mine], "take": "Gold"}, "tickets or items"),
        ({"ids": [mine], "credit": "x", "take": "SnG Ticket"}, "Write an amount"),
        ({"ids": [mine], "credit": "5", "take": "SnG Ticket"}, "credit is too low"),
    ):
        page = browser.post("/exchange/review", form)
        assert page.status_code == 400 and said in page.content.decode(), form
    for odd in ({}, {"token": TOKEN}, {"token": TOKEN, "ids": [mine], "ticket": "x"}, {"token": TOKEN, "seen_cents": "-1"}):
        limits._buckets.forget()
        assert browser.post("/exchanges", odd).status_code == 400, odd
    limits._buckets.forget()
    assert not Exchange.objects.exists()
    forged = {"token": TOKEN, "ids": [theirs], "ticket": "SnG Ticket", "count": "1", "seen_cents": "150"}
    address = browser.post("/exchanges", forged)["Location"]
    carry_out(at_the_fleet)
    assert "Nothing was exchanged" in text_of(browser, address) and at_the_fleet.owners()[theirs] == other.user_id


# ---- is the offer ours?


def check(browser: Client, counter: Counter, expected: int = 200, **verdict: Any) -> str:
    counter.verdict = verdict
    page = browser.post(f"/verify/{'t' * 22}")
    assert page.status_code == expected and not NO_INLINE.search(page.content.decode())
    return page.content.decode()


def test_the_link_of_an_offer_shows_a_form_and_asks_nobody(counter: Counter) -> None:
    _player, browser = ana()
    assert "Check this offer" in text_of(browser, f"/verify/{'t' * 22}")
    assert browser.get(f"/verify/{'t' * 22}.)")["Location"] == f"/verify/{'t' * 22}"
    for odd in ("x", "t" * 23, "t" * 22 + "%2Fx", "%00" * 22, "..%2F" * 3):
        assert "This is no link of ours" in text_of(browser, f"/verify/{odd}", 404)
    assert ("POST", "/verify") not in counter.asked


def test_an_offer_that_is_ours_is_shown_with_its_items_and_number(counter: Counter) -> None:
    _player, browser = ana()
    browser.post("/deposits", {"token": TOKEN, "ids": ["11"]})
    (trade,) = counter.trades.values()
    facts = {"trade_id": trade["trade_id"], "direction": "deposit", "status": "sent", "bot": "red-1", "items": 1}
    facts |= {"bot_steam_id": trade["bot_steam_id"], "offer_id": trade["offer_id"], "seen_at": "2026-11-30T12:00:01Z"}
    page = check(browser, counter, ok=True, **facts)
    assert "Yes, this offer is ours." in page and trade["offer_id"] in page and "Redline" in page and "10.90" in page
    assert "a thief copies" in page
    assert "Our bot red-1" in page and 'class="level"' not in page and "since" not in page
    known = {"name": "Even <b>ly</b> 8", "avatar_url": "https://a.example/x.jpg", "level": 0, "since": "2021-03-01T00:00:00Z"}
    named = check(browser, counter, ok=True, **facts, bot_identity=known)
    assert "<bdi>Even &lt;b&gt;ly&lt;/b&gt; 8</bdi>" in named and "on Steam since 2021" in named
    assert 'aria-label="Steam level 0">0</span>' in named and "a.example" not in named
    again = check(browser, counter, ok=False, reason="used", verified_at="2026-11-30T12:00:01Z", **facts)
    assert "you have checked it before" in again
    over = check(
        browser, counter, ok=False, reason="over", **{**facts, "status": "declined", "ended_at": "2026-11-30T12:00:02Z"}
    )
    assert "Do not accept anything" in over and "2 seconds after we made it" in over and "dev/apikey" in over


def test_each_answer_has_a_way_on(counter: Counter) -> None:
    _player, browser = ana()
    for reason, said in (
        ("unknown", "We cannot confirm this offer"),
        ("expired", "too old"),
        ("not_yet", "not out yet"),
        ("in_hold", "accepted our offer already"),
        ("cannot_tell", "Do not accept yet"),
        ("a word of tomorrow", "Do not accept yet"),
    ):
        page = check(browser, counter, ok=False, reason=reason, direction="deposit", items=1)
        assert said in page and ('class="go' in page or reason == "in_hold"), reason
    with override_settings(SITE_FLEET_URLS=["http://127.0.0.1:9"]):
        assert "cannot be reached" in check(browser, counter, 503)


def test_the_token_of_an_offer_stands_in_no_log(counter: Counter, caplog: pytest.LogCaptureFixture) -> None:
    _player, browser = ana()
    token = "secretsecretsecret1234"
    with override_settings(SITE_FLEET_URLS=["http://127.0.0.1:9"]):
        browser.post(f"/verify/{token}")
    Client(enforce_csrf_checks=True, SERVER_NAME="localhost").post(f"/verify/{token}")
    browser.get(f"/verify/{token}/x")
    said = [record.getMessage() for record in caplog.records]
    assert any("/verify/…" in line for line in said) and not any("secret" in line for line in said)
