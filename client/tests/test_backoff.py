"""How long to wait: pure arithmetic, and foreign headers that may say anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fleet_client import backoff


@given(some.integers(1, 1000), some.floats(0, 1))
def test_a_pause_is_anything_up_to_a_bound_that_doubles(tries: int, chance: float) -> None:
    pause_s = backoff.pause_s(tries, chance)
    assert 0 <= pause_s <= backoff.MOST_S
    assert pause_s == chance * min(backoff.MOST_S, 0.25 * 2 ** min(tries - 1, 10))


@given(some.floats(0, 86400), some.floats(0, 1))
def test_what_the_service_says_is_waited_for_in_full(said_s: float, chance: float) -> None:
    assert said_s <= backoff.pause_s(3, chance, said_s) <= said_s + backoff.FIRST_S


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12", 12.0),
        (" 0 ", 0.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("-5", None),
        ("1e3", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert backoff.retry_after_s({"retry-after": text}, 1_700_000_000.0) == seconds


POLICY = '"key";q=1200;w=2, "player";q=60;w=60'


@pytest.mark.parametrize(
    ("left", "policy", "seconds"),
    [
        ('"key";r=0;t=2', POLICY, 2 / 1200),
        ('"player";r=3;t=1, "key";r=0;t=2', POLICY, 2 / 1200),
        ('"key";r=1;t=2', POLICY, 0.0),
        ('"player";r=0;t=60', POLICY, 0.0),
        ('"key";r=0;t=2', '"key";q=0;w=2', 0.0),
        ('"key";r=0', "", 0.0),
        ("key;r=0", POLICY, 0.0),
        ("", "", 0.0),
    ],
)
def test_calls_that_are_left(left: str, policy: str, seconds: float) -> None:
    assert backoff.used_up_s({"ratelimit": left, "ratelimit-policy": policy}) == pytest.approx(seconds)


@given(some.text(max_size=60), some.text(max_size=60))
def test_headers_that_say_anything_are_no_error(one: str, other: str) -> None:
    backoff.retry_after_s({"retry-after": one}, 0.0)
    assert backoff.used_up_s({"ratelimit": one, "ratelimit-policy": other}) >= 0
