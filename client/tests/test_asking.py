"""Tries, pauses, other addresses, and what a lost answer means: each rule on a scripted course of things."""

from __future__ import annotations

from typing import Any

import pytest
from scripted import LOST, NOT_THERE, OK, A, B, Script, answer, problem, proxys

from fleet_client import asking, errors
from fleet_client.answers import Bound
from fleet_client.asking import Call, Patience, Repeat


def call(repeat: Repeat = Repeat.ONCE_PER_KEY, **changes: Any) -> Call[Bound]:
    values: dict[str, Any] = {"body": {"steam_id": "1"}, "repeat": repeat, "key": "key-1", **changes}
    return Call("POST", "/deposit", Bound, **values)


BUSY = problem(503, "no_bot_available", retryable=True, retry_after_s=10)


def test_a_good_answer_is_read() -> None:
    script = Script([answer(201, OK)])
    assert script.run(asking.ask(call(), script.line())).user_id == "player-1"
    assert (script.asked, script.waits) == ([A], [])


def test_the_same_key_and_body_go_out_each_time() -> None:
    script = Script([LOST, BUSY, proxys(502), answer(201, OK)])
    script.run(asking.ask(call(), script.line(A, B)))
    assert len(script.sent) == 4
    assert {(one.request.headers["Idempotency-Key"], one.request.body) for one in script.sent} == {
        ("key-1", b'{"steam_id": "1"}')
    }


def test_the_next_address_is_tried_at_once_and_kept() -> None:
    script = Script([NOT_THERE, answer(201, OK)])
    line = script.line(A, B)
    script.run(asking.ask(call(), line))
    assert (script.asked, script.waits) == ([A, B], [])
    script.run(asking.ask(call(), line))
    assert script.asked == [A, B, B]


def test_after_all_addresses_there_is_a_growing_pause() -> None:
    script = Script([NOT_THERE])
    with pytest.raises(errors.Unreachable):
        script.run(asking.ask(call(), script.line(A, B)))
    assert script.asked[:6] == [A, B, A, B, A, B]
    assert script.waits == sorted(script.waits)
    assert 25.0 < sum(script.waits) <= 30.0


def test_not_now_is_waited_for_as_long_as_it_says() -> None:
    script = Script([BUSY, answer(201, OK)], chance=0.0)
    script.run(asking.ask(call(), script.line()))
    assert script.waits == [10.0]


def test_the_header_counts_where_the_document_says_nothing() -> None:
    script = Script([problem(429, "rate_limited", retryable=True, headers={"retry_after": "7"}), answer(201, OK)], chance=0.0)
    script.run(asking.ask(call(), script.line()))
    assert script.waits == [7.0]


def test_a_wait_beyond_the_patience_is_raised_at_once() -> None:
    script = Script([problem(503, "fleet_paused", retryable=True, retry_after_s=60)])
    with pytest.raises(errors.FleetPaused) as caught:
        script.run(asking.ask(call(), script.line()))
    assert (script.waits, caught.value.retry_after_s, caught.value.unsure) == ([], 60.0, False)


def test_a_refusal_is_raised_at_once() -> None:
    script = Script([problem(409, "item_unsettled", settles_at="2026-12-01T00:00:00Z")])
    with pytest.raises(errors.ItemUnsettled) as caught:
        script.run(asking.ask(call(), script.line()))
    assert len(script.sent) == 1 and caught.value.more["settles_at"] == "2026-12-01T00:00:00Z"


# --- a lost answer -------------------------------------------------------------------------------------------------------


def test_a_refusal_after_a_lost_answer_is_final_only_when_the_lost_try_must_be_over() -> None:
    """The first try reserves the asset late; until then the second is refused, and afterwards it shows the trade."""
    script = Script([LOST, lambda at: problem(409, "asset_in_trade") if at < 60 else answer(201, OK)])
    assert script.run(asking.ask(call(), script.line())).user_id == "player-1"
    assert len(script.sent) == 3 and sum(script.waits) >= 60


def test_a_refusal_that_stays_is_raised_then() -> None:
    script = Script([LOST, problem(409, "asset_in_trade")])
    with pytest.raises(errors.AssetInTrade) as caught:
        script.run(asking.ask(call(), script.line()))
    assert len(script.sent) == 3 and not caught.value.unsure


def test_who_does_not_wait_for_the_lost_try_takes_no_refusal_for_the_last_word() -> None:
    script = Script([LOST, problem(409, "asset_in_trade")])
    line = script.line(patience=asking.Patience(patience_s=30, request_max_s=0))
    with pytest.raises(errors.AnswerLost) as caught:
        script.run(asking.ask(call(), line))
    assert caught.value.key == "key-1" and len(script.sent) == 2


def test_answers_that_stay_lost_say_so_and_name_the_key() -> None:
    script = Script([LOST])
    with pytest.raises(errors.AnswerLost) as caught:
        script.run(asking.ask(call(), script.line()))
    assert caught.value.key == "key-1" and script.now - 1000 <= 65


def test_not_there_after_a_lost_answer_is_no_proof_that_nothing_was_done() -> None:
    script = Script([LOST, NOT_THERE])
    with pytest.raises(errors.AnswerLost):
        script.run(asking.ask(call(), script.line()))


def test_not_now_after_a_lost_answer_is_no_proof_either() -> None:
    script = Script([LOST, problem(503, "no_bot_available", retryable=True, retry_after_s=300)])
    with pytest.raises(errors.AnswerLost):
        script.run(asking.ask(call(), script.line()))


def test_a_try_that_takes_a_minute_is_followed_by_another() -> None:
    script = Script([LOST, answer(201, OK)], try_s=65)
    script.run(asking.ask(call(), script.line()))
    assert len(script.sent) == 2


@pytest.mark.parametrize("code", ["internal", "request_timeout", "database_unavailable"])
def test_a_balancer_that_failed_may_have_done_it(code: str) -> None:
    script = Script([problem(500, code, retryable=True), problem(409, "item_locked")])
    with pytest.raises(errors.ItemLocked):
        script.run(asking.ask(call(), script.line(A, B)))
    assert sum(script.waits) >= 60 and script.asked[1] == B


def test_a_wrong_form_is_raised_and_says_that_the_lost_try_is_open() -> None:
    script = Script([LOST, problem(401, "bad_key")])
    with pytest.raises(errors.BadKey) as caught:
        script.run(asking.ask(call(), script.line()))
    assert caught.value.unsure


def test_a_read_is_just_read_again() -> None:
    script = Script([LOST, problem(404, "not_found")])
    with pytest.raises(errors.NotFound):
        script.run(asking.ask(call(Repeat.READS, key=None), script.line()))
    assert len(script.sent) == 2


def test_what_may_not_be_sent_twice_is_not() -> None:
    for first in (LOST, proxys(502)):
        script = Script([first, answer(200, OK)])
        with pytest.raises(errors.AnswerLost):
            script.run(asking.ask(call(Repeat.NEVER, key=None), script.line()))
        assert len(script.sent) == 1


def test_what_did_not_arrive_is_sent_again_all_the_same() -> None:
    script = Script([NOT_THERE, problem(503, "steam_throttled", retryable=True, retry_after_s=1), answer(200, OK)])
    script.run(asking.ask(call(Repeat.NEVER, key=None), script.line(A, B)))
    assert len(script.sent) == 3


def test_a_balancer_that_failed_is_not_asked_twice_for_that() -> None:
    script = Script([problem(500, "internal", retryable=True), answer(200, OK)])
    with pytest.raises(errors.Internal) as caught:
        script.run(asking.ask(call(Repeat.NEVER, key=None), script.line()))
    assert caught.value.unsure and len(script.sent) == 1


def test_what_is_refused_because_of_itself_says_that_it_may_be_so() -> None:
    script = Script([LOST, problem(409, "not_frozen")])
    with pytest.raises(errors.NotFrozen) as caught:
        script.run(asking.ask(call(Repeat.SAME, key=None), script.line()))
    assert caught.value.unsure


def test_an_answer_that_cannot_be_read_leaves_it_open_whether_it_was_done() -> None:
    script = Script([answer(201, {"what": "is this"})])
    with pytest.raises(errors.AnswerLost) as caught:
        script.run(asking.ask(call(), script.line()))
    assert caught.value.key == "key-1"


def test_something_else_at_the_address() -> None:
    script = Script([proxys(404)])
    with pytest.raises(errors.UnexpectedAnswer) as caught:
        script.run(asking.ask(call(), script.line()))
    assert caught.value.status == 404
    script = Script([answer(301, {})])
    with pytest.raises(errors.UnexpectedAnswer):
        script.run(asking.ask(call(), script.line()))


def test_no_patience_at_all_is_one_try() -> None:
    script = Script([BUSY])
    with pytest.raises(errors.NoBotAvailable):
        script.run(asking.ask(call(), script.line(patience=Patience(0.0, 0.0))))
    assert len(script.sent) == 1


# --- limits ---------------------------------------------------------------------------------------------------------------


def test_a_key_without_calls_left_waits_before_it_is_refused() -> None:
    used_up = answer(
        201, OK, ratelimit='"key";r=0;t=2, "player";r=41;t=19', ratelimit_policy='"key";q=10;w=2, "player";q=60;w=60'
    )
    script = Script([used_up])
    line = script.line()
    script.run(asking.ask(call(), line))
    script.run(asking.ask(call(), line))
    assert script.waits == [pytest.approx(0.2)]


# --- what goes out --------------------------------------------------------------------------------------------------------


def test_paths_and_queries_are_written_safely() -> None:
    query = {"state": ["held", "used"], "wait": 2.5, "after": None, "limit": 10.0}
    request = asking.request_of(Call("GET", "/locks/{ref}", Bound, {"ref": "a/b?c"}, query), 65.0)
    assert request.target == "/locks/a%2Fb%3Fc?state=held&state=used&wait=2.5&limit=10"
    assert request.body is None and request.headers == {}


@pytest.mark.parametrize(
    "address", ["", "a.example", "ftp://a.example", "http://", "http://user:secret@a.example", "http://a.example/?key=secret"]
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(ValueError, match="address") as caught:
        Script([LOST]).line(address, B)
    assert "secret" not in str(caught.value)


def test_nothing_that_was_sent_is_shown() -> None:
    script = Script([LOST])
    with pytest.raises(errors.AnswerLost) as caught:
        script.run(asking.ask(call(body={"trade_url": "hush"}), script.line()))
    assert "hush" not in f"{caught.value!r} {caught.value} {script.sent!r} {call(body={'trade_url': 'hush'})!r}"
