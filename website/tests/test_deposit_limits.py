"""Limits of deposits, and pauses: what is brought in passes the gate before the fleet is asked, whatever runs at once."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from fleet_client.answers import Event
from website.accounts import sessions
from website.accounts.models import Player
from website.care import gate, play
from website.care import services as care
from website.care.models import PlayDecision
from website.custody import errands, holds, views
from website.custody.errands import DeniedError, ErrandError
from website.custody.models import Errand, SteamInventory
from website.engine import feed
from website.engine.clock import wall_ms
from website.engine.models import Feed

NOW = 1_900_000_000_000
LINK = "https://steamcommunity.com/tradeoffer/new/?partner=1&token=abcdefgh"


@pytest.fixture
def player(database_url: str, site_settings: None) -> Player:
    """Ten items on Steam, of 5.00 each; age and country are declared."""
    return ready()


def ready() -> Player:
    Feed.objects.get_or_create(reader="site", defaults={"livemode": False})
    made = Player.objects.create(steam_id=76561198000000401, name="ana", registered_ms=1)
    gate.declare(made, date(1990, 1, 1), "LV", NOW)
    items = [{"id": f"a{number}", "market_hash_name": "P250", "cents": 500} for number in range(10)]
    SteamInventory.objects.create(player=made, items=json.dumps(items))
    return made


def brings(player: Player, *numbers: int, now_ms: int = NOW) -> Errand:
    body: dict[str, object] = {"ids": [f"a{number}" for number in numbers]}
    return errands.ask(player, Errand.DEPOSIT, body, f"token-{'-'.join(map(str, numbers))}-{now_ms}", now_ms)


def told(player: Player, trade_id: str, to: str, *deposit_ids: str) -> None:
    """The fleet says what became of a trade."""
    rows = [{"deposit_id": each, "from": "deposit_pending", "to": to} for each in deposit_ids]
    at, number = datetime.fromtimestamp(NOW / 1000, UTC), feed.position() + 1
    event = Event(
        number=number,
        at=at,
        kind="accepted",
        trade_id=trade_id,
        user_id=str(player.id),
        bot=None,
        who="bot",
        data={"deposits": rows},
    )
    feed.take([event], dict.fromkeys(deposit_ids, 500), number - 1, number, NOW)


def reason(player: Player, *numbers: int, now_ms: int = NOW) -> str:
    with pytest.raises(DeniedError) as no:
        brings(player, *numbers, now_ms=now_ms)
    return no.value.denial.reason


def test_w14_a_limit_of_deposits_counts_what_is_on_its_way_and_what_has_come(player: Player) -> None:
    care.set_limit(player, "deposit", "day", 1_500, NOW)
    first = brings(player, 0, 1)
    assert holds.pending(player.id, NOW) == 1_000 and reason(player, 2, 3) == "deposit_limit"
    assert brings(player, 0, 1).id == first.id, "the same form again is the same deposit, and is not counted twice"
    Errand.objects.filter(id=first.id).update(state=Errand.DONE, trades='["trd_1"]')
    told(player, "trd_1", "active", "dep_1", "dep_2")
    assert holds.pending(player.id, NOW) == 0 and play.totals(player, NOW + 1)[0].deposited == 1_000
    assert reason(player, 2, 3, now_ms=NOW + 1) == "deposit_limit"
    assert brings(player, 2, now_ms=NOW + 1).held_cents == 500
    decisions = list(PlayDecision.objects.filter(player=player).order_by("number").values_list("line", flat=True))
    assert [json.loads(line)["answer"] for line in decisions if json.loads(line)["intent"] == "deposit"] == [
        "allow",
        "deny",
        "deny",
        "allow",
    ]
    with pytest.raises(DeniedError) as no:
        brings(player, 3, now_ms=NOW + 2)
    assert no.value.denial.until is not None


def test_w14_a_deposit_that_comes_to_nothing_counts_no_more(player: Player) -> None:
    care.set_limit(player, "deposit", "week", 1_000, NOW)
    declined, refused = brings(player, 0), brings(player, 1)
    assert reason(player, 2) == "deposit_limit"
    Errand.objects.filter(id=declined.id).update(state=Errand.DONE, trades='["trd_1"]')
    told(player, "trd_1", "deposit_failure", "dep_1")
    assert brings(player, 2).held_cents == 500
    Errand.objects.filter(id=refused.id).update(state=Errand.REFUSED)
    assert brings(player, 3).held_cents == 500 and reason(player, 4) == "deposit_limit"
    later = NOW + holds.HOLD_MS + 1
    assert brings(player, 4, 5, now_ms=later).held_cents == 1_000, "what nobody ever told of ends by itself"


def test_w14_two_deposits_at_one_moment_do_not_both_fit(player: Player) -> None:
    care.set_limit(player, "deposit", "day", 1_000, NOW)
    said: list[Any] = []

    def work(number: int) -> None:
        try:
            said.append(brings(player, number, number + 1).held_cents)
        except DeniedError as no:
            said.append(no.denial.reason)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(2 * number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, said)) == ["1000", *["deposit_limit"] * 4]
    numbers = PlayDecision.objects.filter(player=player).order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, len(numbers) + 1))


def test_w26_who_has_stopped_brings_nothing_in_and_takes_everything_home(player: Player) -> None:
    care.take_time_out(player, 1, NOW)
    assert reason(player, 0) == "time_out"
    care.exclude(player, None, NOW)
    assert reason(player, 0) == "self_excluded"
    home = errands.ask(player, Errand.WITHDRAW, {"ids": ["dep_1"]}, "token-home", NOW)
    assert home.state == Errand.ASKED, "a withdrawal is asked of nobody"


def test_a_limit_of_deposits_holds_for_items_that_no_page_has_shown_and_for_who_has_declared_nothing(player: Player) -> None:
    with pytest.raises(ErrandError) as unknown:
        care.set_limit(player, "deposit", "day", 10_000, NOW)
        errands.ask(player, Errand.DEPOSIT, {"ids": ["a0", "never-seen"]}, "token-odd", NOW)
    assert unknown.value.code == "look_again"
    new = Player.objects.create(steam_id=76561198000000402, name="bo", registered_ms=1)
    SteamInventory.objects.create(player=new, items=json.dumps([{"id": "a0", "cents": 500}, {"id": "a1", "cents": None}]))
    assert brings(new, 0, 1).held_cents == 500
    care.set_limit(new, "deposit", "day", 100, NOW)
    assert reason(new, 0, now_ms=NOW + 1) == "deposit_limit"


def test_the_page_says_why_and_from_when_and_a_higher_limit_waits(
    one_database: str, site_settings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "trade_url_of", lambda _player: LINK)
    player = ready()
    browser = Client(SERVER_NAME="localhost")
    browser.cookies[sessions.COOKIE] = sessions.start(player, "", wall_ms())
    assert "Deposits" in browser.get("/me/limits").content.decode()
    assert browser.post("/me/limits/deposit/day", {"amount": "4"}).status_code == 303
    page = browser.post("/deposits", {"ids": ["a0"], "token": "token-of-form"})
    text = page.content.decode()
    assert page.status_code == 409 and "limit of deposits" in text and 'href="/me/limits"' in text
    assert not Errand.objects.exists()
    browser.post("/me/limits/deposit/day", {"amount": "40"})
    assert browser.post("/deposits", {"ids": ["a0"], "token": "token-of-form"}).status_code == 409
    browser.post("/me/exclude", {"word": "EXCLUDE", "days": "ever"})
    text = browser.post("/deposits", {"ids": ["a0"], "token": "token-of-more"}).content.decode()
    assert "excluded yourself" in text
