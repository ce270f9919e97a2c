"""Coins that players take themselves: once, from accounts that were not made for it, and never more in a day than the total."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date

import pytest
from django.db import connections
from django.test import override_settings
from lottery.responsible_play import DAY_MS

from website.accounts import export, services, steam
from website.accounts.models import Player
from website.care import gate
from website.care import services as care
from website.care.models import PlayDecision
from website.engine.models import Feed
from website.ledger import coins
from website.ledger import services as ledger
from website.ledger.coins import CoinsError
from website.ledger.models import Account, Entry

NOW_MS = 1_900_000_000_000
MIDNIGHT_MS = (NOW_MS // DAY_MS + 1) * DAY_MS
STEAM_ID = 76561198000000201
PLAYERS = 4


@pytest.fixture(autouse=True)
def terms() -> Iterator[None]:
    names = {"WELCOME": 1_000, "DAILY": 200, "DAY_TOTAL": 10_000, "STEAM_LEVEL_MIN": 5, "STEAM_AGE_DAYS": 30}
    with override_settings(**{f"SITE_COINS_{name}": value for name, value in names.items()}):
        yield


def player(number: int = 0, level: int | None = 5, made_ms: int | None = NOW_MS - 30 * DAY_MS) -> Player:
    made = services.register(STEAM_ID + number, f"player {number}", NOW_MS)
    services.saw(made, steam.SteamProfile(level=level, made_ms=made_ms))
    gate.declare(made, date(1990, 1, 1), "LV", NOW_MS)
    return made


def has(who: Player) -> int:
    return ledger.balance(ledger.wallet(who.id))


def refused(who: Player, now_ms: int = NOW_MS) -> tuple[str, int | None]:
    """What both kinds of coins are refused with; nothing has moved, and the books agree."""
    before, said = has(who), set()
    for take in (coins.welcome, coins.daily):
        with pytest.raises(CoinsError) as error:
            take(who, now_ms)
        said.add((error.value.code, error.value.until_ms))
    (answer,) = said
    assert has(who) == before and ledger.differences() == []
    return answer


def test_a_welcome_once_and_a_top_up_on_each_day(one_database: str) -> None:
    ana = player()
    assert coins.welcome(ana, NOW_MS) == coins.welcome(ana, NOW_MS + 90 * DAY_MS) and has(ana) == 1_000
    first = coins.daily(ana, NOW_MS)
    assert coins.daily(ana, MIDNIGHT_MS - 1) == first and has(ana) == 1_200
    assert coins.daily(ana, MIDNIGHT_MS) != first and has(ana) == 1_400
    assert set(Entry.objects.values_list("kind", "who")) == {("grant", f"player {ana.id}")}
    assert sum(Account.objects.filter(kind="mint").values_list("balance_cents", flat=True)) == -1_400
    assert ledger.differences() == []
    told = export.of(ana)["coins"]
    assert told["balance_cents"] == 1_400 and [each["cents"] for each in told["entries"]] == [1_000, 200, 200]


def test_a_young_or_low_steam_account_gets_none(one_database: str) -> None:
    assert refused(player(0, level=4)) == ("steam_level", None)
    assert refused(player(1, level=None)) == ("steam_level", None)
    assert refused(player(2, made_ms=None)) == ("steam_age", None)
    young = player(3, made_ms=NOW_MS - 30 * DAY_MS + 1)
    assert refused(young) == ("steam_age", NOW_MS + 1)
    assert coins.welcome(young, NOW_MS + 1).kind == Entry.GRANT
    with override_settings(SITE_COINS_STEAM_LEVEL_MIN=0, SITE_COINS_STEAM_AGE_DAYS=0):
        coins.welcome(player(4, level=None, made_ms=None), NOW_MS)


def test_what_steam_shows_no_more_is_kept_as_it_was(one_database: str) -> None:
    ana = player()
    services.saw(ana, steam.SteamProfile())
    ana.refresh_from_db()
    assert (ana.steam_level, ana.steam_made_ms) == (5, NOW_MS - 30 * DAY_MS)


def test_who_may_not_play_gets_none(one_database: str) -> None:
    """The gate is asked and keeps its answer. That the fleet was never heard (`closed_because`) keeps nobody from coins."""
    assert gate.closed_because() == "fleet_unknown"
    silent = services.register(STEAM_ID + 9, "silent", NOW_MS)
    services.saw(silent, steam.SteamProfile(level=9, made_ms=1))
    assert refused(silent) == ("not_verified", None)
    ana, bo, cy = player(0), player(1), player(2)
    until = NOW_MS + 3 * DAY_MS
    care.take_time_out(ana, 3, NOW_MS)
    assert refused(ana) == ("time_out", until)
    assert PlayDecision.objects.filter(player=ana, line__contains='"free_play"').count() == 2
    Player.objects.filter(id=bo.id).update(blocked_why="looked at")
    assert refused(bo) == ("blocked", None)
    with override_settings(SITE_COINS_WELCOME=0, SITE_COINS_DAILY=0):
        assert refused(cy) == ("turned_off", None)
    coins.welcome(cy, NOW_MS)
    coins.welcome(ana, until)


def test_the_total_of_a_day_is_that_with_which_it_began(one_database: str) -> None:
    Feed.objects.create(reader="site", livemode=False)
    with override_settings(SITE_COINS_DAY_TOTAL=1_200):
        ana, bo = player(0), player(1)
        coins.welcome(ana, NOW_MS)
        coins.daily(ana, NOW_MS)
    assert refused(bo) == ("day_is_used_up", MIDNIGHT_MS)
    assert coins.welcome(ana, NOW_MS).kind == Entry.GRANT  # what was given is given
    coins.welcome(bo, MIDNIGHT_MS)
    assert (has(ana), has(bo), ledger.differences()) == (1_200, 1_000, [])


@pytest.mark.both_databases
def test_w12_a_day_gives_no_more_than_its_total_whatever_runs_at_once(database_url: str) -> None:
    """Four players ask for their welcome twice at once, one of them on both sides of midnight; the day has enough for two."""
    people = [player(number) for number in range(PLAYERS)]
    said: Counter[str] = Counter()
    together = threading.Barrier(2 * PLAYERS)

    def press(number: int) -> None:
        late = number == 2 * PLAYERS - 1
        try:
            together.wait()
            coins.welcome(people[number % PLAYERS], MIDNIGHT_MS if late else NOW_MS)
            said["given"] += 1
        except CoinsError as error:
            said[error.code] += 1
        finally:
            connections.close_all()

    with override_settings(SITE_COINS_DAY_TOTAL=2_000):
        threads = [threading.Thread(target=press, args=(number,)) for number in range(2 * PLAYERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(said) <= {"given", "day_is_used_up"} and sum(said.values()) == 2 * PLAYERS
    refs = list(Entry.objects.values_list("ref", flat=True))
    assert len(refs) == len(set(refs)) and all(has(who) in (0, 1_000) for who in people)
    first = Account.objects.get(owner=f"mint:{coins._day(NOW_MS)}")
    assert first.balance_cents == -2_000 and has(people[-1]) == 1_000 and sum(map(has, people)) == 1_000 * len(refs)
    assert ledger.differences() == []
