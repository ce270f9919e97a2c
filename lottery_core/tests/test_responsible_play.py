"""Responsible play: every reason, at its border, and what a user may change."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from lottery import responsible_play as play
from lottery.errors import LotteryError
from lottery.events import Denial
from lottery.responsible_play import ALLOW, DAY_MS, HOUR_MS, Entry, Intent, Limit, Policy, Profile

NOW = int(datetime(2026, 5, 10, 12, tzinfo=UTC).timestamp()) * 1000
POLICY = Policy(countries={"classic": frozenset({"DE", "FR"})}, ages={"FR": 21})
ADULT = Profile(
    1,
    born=date(1990, 1, 1),
    verified=True,
    identity_country="DE",
    connection_country="DE",
    limits_prompted=True,
    reality_answered_ms=NOW,
)
BET = Intent("bet", 500, "classic", "round 2")
DEPOSIT = Intent("deposit", 500)


def ask(profile: Profile = ADULT, intent: Intent = BET, ledger: tuple[Entry, ...] = (), now: int = NOW) -> Any:
    return play.gate(profile, ledger, now, intent, POLICY)


@pytest.mark.parametrize("intent", [BET, DEPOSIT, Intent("purchase", 5, "classic"), Intent("free_play", 0, "classic")])
def test_a_verified_adult_may(intent: Intent) -> None:
    assert ask(intent=intent) is ALLOW
    assert play.denial(ask(intent=intent)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"identity_country": "US"}, "country"),
        ({"connection_country": "US"}, "country"),
        ({"identity_country": ""}, "country"),
        ({"verified": False}, "not_verified"),
        ({"born": None}, "not_verified"),
        ({"excluded": True}, "self_excluded"),
        ({"national_exclusion": True}, "national_list"),
        ({"time_out_until": NOW + 1}, "time_out"),
    ],
)
@pytest.mark.parametrize("kind", ["deposit", "bet", "purchase", "free_play"])
def test_reasons_hold_for_free_play_too(changes: dict[str, Any], reason: str, kind: str) -> None:
    answer = ask(replace(ADULT, **changes), Intent(kind, 0, "classic"))
    assert isinstance(answer, Denial)
    assert answer.reason == reason


def test_a_room_without_countries_denies_everybody() -> None:
    assert ask(intent=Intent("bet", 1, "another room")) == Denial("country")


def test_eighteen_on_the_birthday_and_higher_where_the_country_says_so() -> None:
    today = date(2026, 5, 10)
    assert ask(replace(ADULT, born=date(2008, 5, 10))) is ALLOW
    minor = ask(replace(ADULT, born=date(2008, 5, 11)))
    assert minor == Denial("under_age", int(datetime(2026, 5, 11, tzinfo=UTC).timestamp()) * 1000)
    assert ask(replace(ADULT, born=date(2006, 1, 1), identity_country="FR")).reason == "under_age"
    assert [play.age(date(2008, 2, 29), day) for day in (date(2026, 2, 28), date(2026, 3, 1), today)] == [
        17,
        18,
        18,
    ]
    leap = play.gate(replace(ADULT, born=date(2008, 2, 29)), (), NOW - 80 * DAY_MS, BET, POLICY)
    assert leap == Denial("under_age", int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1000)


def test_self_exclusion_is_at_once_at_least_half_a_year_and_never_shortened() -> None:
    half = NOW + play.EXCLUSION_MIN_MS
    with pytest.raises(LotteryError):
        play.exclude(ADULT, NOW, half - 1)
    out = play.exclude(ADULT, NOW, half)
    assert ask(out) == Denial("self_excluded", half)
    assert play.gate(replace(out, reality_answered_ms=half), (), half, BET, POLICY) is ALLOW
    with pytest.raises(LotteryError):
        play.exclude(play.exclude(ADULT, NOW, None), NOW, half)
    assert play.exclude(out, NOW, None).excluded_until is None
    assert play.gate(play.exclude(ADULT, NOW, None), (), NOW + 10**13, DEPOSIT, POLICY) == Denial("self_excluded", None)


def test_excluded_users_may_always_withdraw() -> None:
    assert ask(play.exclude(replace(ADULT, verified=False, identity_country="US"), NOW, None), Intent("withdraw")) is ALLOW


def test_time_out_lasts_a_day_to_thirty() -> None:
    for wrong in (NOW + DAY_MS - 1, NOW + 30 * DAY_MS + 1):
        with pytest.raises(LotteryError):
            play.take_time_out(ADULT, NOW, wrong)
    out = play.take_time_out(ADULT, NOW, NOW + 2 * DAY_MS)
    assert ask(out) == Denial("time_out", NOW + 2 * DAY_MS)
    with pytest.raises(LotteryError):
        play.take_time_out(out, NOW, NOW + DAY_MS)


def test_limits_are_asked_for_before_the_first_deposit() -> None:
    assert ask(replace(ADULT, limits_prompted=False), DEPOSIT) == Denial("limits_not_chosen")
    assert ask(replace(ADULT, limits_prompted=False), BET) is ALLOW


def test_deposit_limit_is_gross_and_the_lowest_of_several_applies() -> None:
    limits = (Limit("deposit", "day", 1000), Limit("deposit", "week", 1200))
    profile = replace(ADULT, limits=limits)
    ledger = (Entry(NOW - 3 * DAY_MS, "deposit", 500), Entry(NOW - 1000, "deposit", 500), Entry(NOW - 500, "return", 9000))
    assert ask(profile, Intent("deposit", 200), ledger) is ALLOW
    assert ask(profile, Intent("deposit", 201), ledger) == Denial("deposit_limit", NOW - 3 * DAY_MS + 7 * DAY_MS)
    assert ask(profile, Intent("deposit", 501), ledger).until == NOW - 1000 + DAY_MS
    assert ask(profile, Intent("deposit", 1001), ()) == Denial("deposit_limit", None)


def test_loss_limit_counts_stakes_less_returns() -> None:
    profile = replace(ADULT, limits=(Limit("loss", "day", 1000),))
    ledger = (Entry(NOW - HOUR_MS, "stake", 1500, "round 1"), Entry(NOW - HOUR_MS + 1, "return", 900, "round 1"))
    assert ask(profile, Intent("bet", 400, "classic", "round 2"), ledger) is ALLOW
    assert ask(profile, Intent("bet", 401, "classic", "round 2"), ledger).reason == "loss_limit"
    assert play.used("loss", [Entry(NOW, "return", 5)], NOW, DAY_MS) == 0


def test_stake_limit_and_the_edge_of_its_window() -> None:
    profile = replace(ADULT, limits=(Limit("stake", "day", 1000),))
    ledger = (Entry(NOW - DAY_MS + 1, "stake", 600, "round 1"),)
    assert ask(profile, BET, ledger) == Denial("stake_limit", NOW + 1)
    assert ask(profile, BET, ledger, NOW + 1) is ALLOW


def test_reality_check_blocks_the_next_bet_until_answered() -> None:
    due = NOW + HOUR_MS
    assert ask(now=due - 1) is ALLOW
    assert ask(now=due) == Denial("reality_check")
    assert ask(intent=DEPOSIT, now=due) is ALLOW
    assert ask(play.answer_reality(ADULT, due), now=due) is ALLOW
    ledger = (Entry(NOW - 1, "stake", 7), Entry(NOW + 1, "stake", 100), Entry(NOW + 2, "return", 30))
    assert play.reality(ADULT, ledger, due) == (HOUR_MS, 100, -70)


def test_pace_is_five_seconds_between_games_not_between_bets_of_one() -> None:
    ledger = (Entry(NOW - 4999, "stake", 100, "round 1"),)
    assert ask(ledger=ledger) == Denial("pace", NOW + 1)
    assert ask(ledger=ledger, now=NOW + 1) is ALLOW
    assert ask(intent=Intent("bet", 500, "classic", "round 1"), ledger=ledger) is ALLOW


def test_limits_fall_at_once_and_rise_after_a_day_and_a_second_consent() -> None:
    first = play.set_limit(replace(ADULT, limits_prompted=False), Limit("deposit", "day", 1000), NOW)
    assert (first.limits, first.limits_prompted) == ((Limit("deposit", "day", 1000),), True)
    lower = play.set_limit(first, Limit("deposit", "day", 500), NOW)
    assert lower.limits == (Limit("deposit", "day", 500),)
    asked = play.set_limit(lower, Limit("deposit", "day", 900), NOW)
    assert asked.limits == lower.limits
    with pytest.raises(LotteryError):
        play.confirm_raise(asked, "deposit", "day", NOW + DAY_MS - 1)
    assert play.confirm_raise(asked, "deposit", "day", NOW + DAY_MS).limits == (Limit("deposit", "day", 900),)
    gone = play.drop_limit(lower, "deposit", "day", NOW)
    assert play.confirm_raise(gone, "deposit", "day", NOW + DAY_MS).limits == ()
    again = play.set_limit(asked, Limit("deposit", "day", 400), NOW)
    with pytest.raises(LotteryError):
        play.confirm_raise(again, "deposit", "day", NOW + DAY_MS)
    with pytest.raises(LotteryError):
        play.set_limit(ADULT, Limit("deposit", "year", 1), NOW)


def test_unknown_intents_are_an_error() -> None:
    with pytest.raises(LotteryError):
        ask(intent=Intent("tip"))


def test_every_answer_can_be_logged_in_a_chain() -> None:
    first, one = play.logged(bytes(32), 1, BET, ALLOW, NOW)
    second, two = play.logged(one, 1, BET, Denial("pace", 5), NOW)
    assert (first["answer"], second["reason"], second["until"]) == ("allow", "pace", 5)
    assert play.logged(bytes(32), 1, BET, Denial("pace", 5), NOW)[1] not in (one, two)
