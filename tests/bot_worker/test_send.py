"""One offer per attempt, whatever Steam answers and whenever a worker dies."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import Any

import pytest
from bot_lab import Counting, Killed, Lab, Otherwise, SteamAccount, SteamWorld, does_otherwise, killed_at, kinds
from narrowed import known, payload
from support import wait_until

from bot_worker.orders import send
from shared import wire
from shared.clock import Clock
from shared.orders import Order, SendOrder


def offers_of(lab: Lab, order: Order) -> list[dict[str, Any]]:
    """What really exists at Steam of this trade."""
    return [offer for offer in lab.me.offers() if payload(order, SendOrder).token in offer["message"]]


def test_a_deposit_offer_is_active_at_once(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets(2))
    picked_up, active = lab.do(order)
    (offer,) = offers_of(lab, order)
    assert picked_up.kind == "picked_up"
    assert (active.kind, active.data) == ("offer_active", {"offer_id": offer["offer_id"], "state": 2})
    assert (active.trade_id, active.attempt, active.order_id) == (order.trade_id, 1, order.order_id)
    assert offer["state"] == 2
    assert [row["asset_id"] for row in offer["receive"]] == [each.asset_id for each in player.assets(2)]
    assert lab.redis.get(wire.attempted_key(lab.name, known(order.trade_id))) == b"1"


def test_a_withdrawal_is_reported_before_it_is_confirmed(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(2), [])
    reports = lab.do(order)
    assert kinds(reports) == ["picked_up", "confirmation_needed", "offer_active"]
    assert reports[1].data == {"offer_id": reports[2].data["offer_id"], "state": 9}
    assert [report.calls for report in reports] == ["", "send 200", "getlist 200; ajaxop 200"]
    assert offers_of(lab, order)[0]["state"] == 2
    assert [report.number for report in reports] == sorted(report.number for report in reports)


def test_the_calls_to_steam_that_led_to_a_report_are_told(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.me.fault("send", "cut", after=True)
    assert [report.calls for report in lab.do(order)] == ["", "send no answer"]
    (found,) = lab.do(lab.find_order(lab.watched(order, None, "in_doubt")))
    assert (found.kind, found.calls) == ("offer_active", "GetTradeOffers 200 (1); GetTradeOffers 200 (1)")


def test_a_send_costs_few_round_trips_to_redis(lab: Lab, player: SteamAccount) -> None:
    deposit, withdrawal = lab.send_order(player, [], player.assets()), lab.send_order(player, lab.me.assets(), [])
    lab.do(lab.send_order(player, [], player.assets(2)))  # loads the scripts
    lab.enqueue(deposit, withdrawal)
    counting = Counting(lab.bot.redis, lab.rq.connection)
    lab.rq.work_one(1)
    assert counting.count == 5  # take, fetch, claim with picked_up, offer_active, done
    counting.count = 0
    lab.rq.work_one(1)
    assert counting.count == 6  # and confirmation_needed with the look for a recall
    assert kinds(lab.reports())[-1] == "offer_active"


def test_steam_is_called_as_little_as_can_be(lab: Lab, player: SteamAccount) -> None:
    before = lab.me.requests()
    lab.do(lab.send_order(player, [], player.assets()))
    between = lab.me.requests()
    lab.do(lab.send_order(player, lab.me.assets(), []))
    after = lab.me.requests()
    assert {name: between[name] - before.get(name, 0) for name in between if between[name] > before.get(name, 0)} == {"send": 1}
    assert {name: after[name] - between.get(name, 0) for name in after if after[name] > between.get(name, 0)} == {
        "send": 1,
        "getlist": 1,
        "ajaxop": 1,
    }


def test_a_redelivered_order_is_not_sent_twice(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.do(order)
    assert [(report.kind, report.data) for report in lab.do(order)] == [("answer_lost", {"reason": "attempted_before"})]
    assert len(offers_of(lab, order)) == 1


def test_an_order_redelivered_to_a_new_worker_is_not_sent_twice(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.do(order)
    lab.die()
    lab.start()
    assert kinds(lab.do(order)) == ["answer_lost"]
    assert len(offers_of(lab, order)) == 1


def test_the_next_attempt_is_sent(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.me.fault("send", "str_error", code=20)
    assert kinds(lab.do(order)) == ["picked_up", "try_later"]
    assert kinds(lab.do(replace(order, attempt=2))) == ["picked_up", "offer_active"]
    assert kinds(lab.do(replace(order, attempt=1))) == ["answer_lost"]
    assert len(offers_of(lab, order)) == 1


def test_a_recalled_order_is_dropped(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.redis.set(wire.recall_key(lab.name, known(order.trade_id)), 1)
    (report,) = lab.do(order)
    assert (report.kind, report.data) == ("order_dropped", {"reason": "recalled"})
    assert offers_of(lab, order) == []


def test_a_recall_of_an_older_attempt_does_not_stop_this_one(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets(), attempt=2)
    lab.redis.set(wire.recall_key(lab.name, known(order.trade_id)), 1)
    assert kinds(lab.do(order)) == ["picked_up", "offer_active"]


def test_an_expired_order_is_dropped(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets(), expires_at_ms=Clock().now_ms() - 1)
    (report,) = lab.do(order)
    assert (report.kind, report.data) == ("order_dropped", {"reason": "expired"})
    assert offers_of(lab, order) == []


def test_an_expired_order_that_was_attempted_is_in_doubt(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets(), expires_at_ms=Clock().now_ms() - 1)
    lab.redis.set(wire.attempted_key(lab.name, known(order.trade_id)), 1)
    lab.redis.set(wire.recall_key(lab.name, known(order.trade_id)), 1)
    assert kinds(lab.do(order)) == ["answer_lost"]


@pytest.mark.parametrize("direction", ["deposit", "withdrawal"])
def test_a_recall_during_the_post_cancels_the_offer(lab: Lab, player: SteamAccount, direction: str) -> None:
    order = (
        lab.send_order(player, lab.me.assets(), [])
        if direction == "withdrawal"
        else lab.send_order(player, [], player.assets())
    )
    send = lab.bot.session.send_offer

    def send_then_recall(*args: Any) -> object:
        sent = send(*args)
        lab.redis.set(wire.recall_key(lab.name, known(order.trade_id)), order.attempt)
        return sent

    with lab.steam_does(send_offer=send_then_recall):
        reports = lab.do(order)
    made = "confirmation_needed" if direction == "withdrawal" else "offer_active"
    assert kinds(reports) == ["picked_up", made, "offer_canceled"]
    assert offers_of(lab, order)[0]["state"] == 6


def test_a_recall_while_waiting_for_the_confirmation_cancels_the_offer(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(), [])

    def not_there_then_recall(_offer_id: str) -> bool:
        lab.redis.set(wire.recall_key(lab.name, known(order.trade_id)), order.attempt)
        return False

    with lab.steam_does(confirm=not_there_then_recall):
        assert kinds(lab.do(order)) == ["picked_up", "confirmation_needed", "offer_canceled"]
    assert offers_of(lab, order)[0]["state"] == 6


@pytest.mark.parametrize(
    ("fault", "exists"),
    [
        ({"kind": "str_error", "code": 16}, False),
        ({"kind": "str_error", "code": 16, "after": True}, True),
        ({"kind": "str_error", "code": 11, "after": True}, True),
        ({"kind": "str_error", "code": 2, "status": 500}, False),
        ({"kind": "str_error", "code": 99}, False),
        ({"kind": "html"}, False),
        ({"kind": "html", "status": 503, "after": True}, True),
        ({"kind": "cut", "after": True}, True),
        ({"kind": "status", "status": 502}, False),
        ({"kind": "null", "status": 400}, False),
        ({"kind": "null", "status": 200, "after": True}, True),
    ],
    ids=str,
)
def test_what_may_have_been_done_is_in_doubt(lab: Lab, player: SteamAccount, fault: dict[str, Any], exists: bool) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.me.fault("send", **fault)
    assert kinds(lab.do(order)) == ["picked_up", "answer_lost"]
    assert len(offers_of(lab, order)) == int(exists)


def test_a_timeout_is_in_doubt(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.me.fault("send", "timeout", after=True)
    lab.bot.session.connection.client._session.get_adapter("https://")._timeout = (60.0, 0.3)
    assert kinds(lab.do(order)) == ["picked_up", "answer_lost"]
    assert wait_until(lambda: len(offers_of(lab, order)) == 1)


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [
        (8, "refused", "steam_refused"),
        (15, "refused", "partner_unavailable"),
        (20, "try_later", "steam_unavailable"),
        (24, "bot_refused", "bot_restricted"),
        (25, "bot_refused", "bot_restricted"),  # there are no offers to this partner that could be too many
        (26, "refused", "item_gone"),
        (28, "refused", "steam_refused"),
        (34, "refused", "partner_unavailable"),
        (50, "bot_refused", "bot_restricted"),
        (55, "try_later", "steam_unavailable"),
        (84, "try_later", "steam_throttled"),
    ],
)
def test_a_clear_refusal_is_told_with_its_reason(lab: Lab, player: SteamAccount, code: int, kind: str, word: str) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.me.fault("send", "str_error", code=code, status=500)
    report = lab.do(order)[-1]
    assert (report.kind, report.data["code"], report.data["result"]) == (kind, word, code)
    assert (report.data["retry_after_s"] is not None) == (kind == "try_later")
    assert offers_of(lab, order) == []


def test_a_wrong_trade_token_is_refused(lab: Lab, player: SteamAccount) -> None:
    old_token = replace(player)
    player.change(new_trade_token=True)
    report = lab.do(lab.send_order(old_token, [], player.assets()))[-1]
    assert (report.kind, report.data["code"], report.data["result"]) == ("refused", "token_wrong", None)
    assert report.data["player_message"]


def test_steam_is_asked_in_english_whatever_the_accounts_language(lab: Lab, world: SteamWorld, player: SteamAccount) -> None:
    """Refusals without a number are recognised by their words."""
    player.change(banned=True)
    world.change_rules(language="german")
    try:
        report = lab.do(lab.send_order(player, [], player.assets()))[-1]
    finally:
        world.change_rules(language="english")
    assert (report.kind, report.data["code"]) == ("refused", "partner_banned")


def test_a_dead_session_is_renewed_for_the_next_attempt(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.me.fault("send", "null", status=401)
    assert [(each.kind, each.data.get("code")) for each in lab.do(order)][-1] == ("try_later", "not_signed_in")
    assert lab.me.requests()["finalizelogin"] >= 1
    assert kinds(lab.do(replace(order, attempt=2))) == ["picked_up", "offer_active"]


def test_too_many_calls_are_told_and_the_address_pauses(lab: Lab, player: SteamAccount) -> None:
    lab.me.fault("send", "null", status=429)
    report = lab.do(lab.send_order(player, [], player.assets()))[-1]
    assert (report.kind, report.data["code"]) == ("try_later", "steam_throttled")
    assert report.data["retry_after_s"] > 0


def test_a_confirmation_that_comes_late_is_waited_for(lab: Lab, player: SteamAccount) -> None:
    lab.me.fault("getlist", "no_conf")
    lab.me.fault("getlist", "html")
    order = lab.send_order(player, lab.me.assets(), [])
    assert kinds(lab.do(order)) == ["picked_up", "confirmation_needed", "offer_active"]
    assert offers_of(lab, order)[0]["state"] == 2


def test_a_confirmation_done_in_spite_of_its_answer_is_seen(lab: Lab, player: SteamAccount) -> None:
    lab.me.fault("ajaxop", "success_false", after=True)
    order = lab.send_order(player, lab.me.assets(), [])
    assert kinds(lab.do(order)) == ["picked_up", "confirmation_needed", "offer_active"]


def test_an_offer_that_cannot_be_confirmed_stays_unconfirmed(lab: Lab, player: SteamAccount) -> None:
    lab.me.fault("ajaxop", "success_false", times=10)
    order = lab.send_order(player, lab.me.assets(), [])
    reports = lab.do(order)
    assert kinds(reports)[:2] == ["picked_up", "confirmation_needed"]
    assert "offer_active" not in kinds(reports)
    assert offers_of(lab, order)[0]["state"] == 9


def test_an_unsure_clock_sends_nothing(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.bot.server_clock.measured(Clock().now_ms() + 31_000, Clock().now_ms(), Clock().now_ms())
    report = lab.do(replace(order, expires_at_ms=order.expires_at_ms + 90_000))[-1]
    assert (report.kind, report.data["code"]) == ("try_later", "clock_unsure")
    lab.redis.set(wire.attempted_key(lab.name, known(order.trade_id)), 2)
    assert kinds(lab.do(replace(order, attempt=2, expires_at_ms=order.expires_at_ms + 90_000))) == ["answer_lost"]
    assert offers_of(lab, order) == []


def test_a_restarted_redis_is_not_believed_to_remember(lab: Lab, player: SteamAccount) -> None:
    """Marker and dequeue may be forgotten together: what was issued before is in doubt for a worker that does not know it."""
    old = lab.send_order(player, [], player.assets(), issued_at_ms=Clock().now_ms() - 1)
    lab.bot.memory.redis_run = "f" * 40  # as if the server had been another one
    lab.redis.set(wire.memory_key(lab.name), f"{'f' * 40} 0")
    assert kinds(lab.do(old)) == ["answer_lost"]
    new = lab.send_order(player, [], player.assets(), issued_at_ms=Clock().now_ms() + 600_000)
    assert kinds(lab.do(new)) == ["picked_up", "offer_active"]


def test_a_worker_that_starts_at_another_redis_doubts_what_is_older(lab: Lab, player: SteamAccount) -> None:
    old = lab.send_order(player, [], player.assets())
    lab.die()
    lab.redis.set(wire.memory_key(lab.name), f"{'f' * 40} 0")
    lab.start()
    lab.die()  # before it came to any order; the next one knows no more of them than it did
    lab.start()
    assert kinds(lab.do(old)) == ["answer_lost"]


def test_what_was_first_asked_of_this_run_needs_no_clock_to_be_new(lab: Lab, player: SteamAccount) -> None:
    lab.die()
    lab.redis.set(wire.memory_key(lab.name), f"{'f' * 40} 0")
    lab.start()
    asked_again = lab.send_order(player, [], player.assets())
    assert kinds(lab.do(asked_again)) == ["answer_lost"]
    of_another = replace(lab.send_order(player, [], player.assets()), run="red-1/another")
    assert kinds(lab.do(of_another)) == ["answer_lost"]
    first = replace(lab.send_order(player, [], player.assets()), run=lab.bot.lease.run)
    assert kinds(lab.do(first)) == ["picked_up", "offer_active"]
    lab.redis.delete(wire.attempted_key(lab.name, known(first.trade_id)))
    assert kinds(lab.do(first)) == ["answer_lost"]


def test_after_another_change_of_redis_even_that_is_in_doubt(lab: Lab, player: SteamAccount) -> None:
    old = replace(lab.send_order(player, [], player.assets(), issued_at_ms=Clock().now_ms() - 1), run=lab.bot.lease.run)
    lab.bot.memory.redis_run = "f" * 40
    lab.redis.set(wire.memory_key(lab.name), f"{'f' * 40} 0")
    assert kinds(lab.do(old)) == ["answer_lost"]


def test_what_stands_in_place_of_the_memory_of_a_redis_stops_no_bot_for_ever(lab: Lab, player: SteamAccount) -> None:
    for text in ("", "f" * 40, f"{lab.bot.memory.redis_run} {'9' * 30}", "f" * 200):
        lab.redis.set(wire.memory_key(lab.name), text)
        run, doubt_before_ms = lab.bot.lease.remember_server(60_000, 0)
        assert run == lab.bot.memory.redis_run
        assert doubt_before_ms <= Clock().now_ms() + 660_000


def test_an_idle_worker_notices_a_restarted_redis_before_its_next_order(lab: Lab, player: SteamAccount) -> None:
    lab.bot.memory.redis_run = "f" * 40
    lab.redis.set(wire.memory_key(lab.name), f"{'f' * 40} 0")
    send.look_at_server(lab.bot)
    new = lab.send_order(player, [], player.assets(), issued_at_ms=lab.bot.memory.doubt_before_ms + 1)
    assert kinds(lab.do(new)) == ["picked_up", "offer_active"]


def test_without_the_lease_nothing_is_sent(lab: Lab, player: SteamAccount) -> None:
    from bot_worker.lease import LeaseLost

    order = lab.send_order(player, [], player.assets())
    lab.redis.set(wire.lease_key(lab.name), "another run")
    lab.enqueue(order)
    with pytest.raises(LeaseLost):
        lab.rq.work_one(1)
    assert lab.reports() == []
    assert offers_of(lab, order) == []
    assert lab.redis.llen(f"rq:queue:{lab.name}") == 1  # for whoever has the lease now


def test_a_worker_that_lost_its_bot_during_the_post_confirms_nothing(lab: Lab, player: SteamAccount) -> None:
    """Another worker may have sent the next attempt by then: two confirmed offers would both be good."""
    from bot_worker.lease import LeaseLost

    order = lab.send_order(player, lab.me.assets(), [])
    send = lab.bot.session.send_offer

    def send_then_lose(*args: Any) -> object:
        sent = send(*args)
        lab.redis.set(wire.lease_key(lab.name), "another run")
        return sent

    lab.enqueue(order)
    with lab.steam_does(send_offer=send_then_lose), pytest.raises(LeaseLost):
        lab.rq.work_one(1)
    assert kinds(lab.reports()) == ["picked_up", "confirmation_needed"]
    assert [offer["state"] for offer in offers_of(lab, order)] == [9]


BOUNDARIES = [
    ("session", "ready_to_send"),
    ("lease", "claim"),
    ("session", "send_offer"),
    ("reporter", "append"),
    ("session.phone", "confirm"),
    ("queue", "done"),
]


def dies(lab: Lab, part: str, name: str, moment: str) -> None:
    """The worker's process dies at this call of a part, or where it takes an order that is done out of its hands."""
    if part != "queue":
        does_otherwise(lab.bot, part, **{name: killed_at(attrgetter(f"{part}.{name}")(lab.bot), moment)})
        return
    pipeline = lab.rq.connection.pipeline

    def last_words(**options: Any) -> Any:
        pipe = pipeline(**options)
        return Otherwise(pipe, execute=killed_at(pipe.execute, moment))

    does_otherwise(lab.rq, "connection", pipeline=last_words)


@pytest.mark.parametrize("withdrawal", [False, True])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("part", "name"), BOUNDARIES)
def test_a_death_at_any_step_makes_no_second_offer_and_leaves_no_lie(
    lab: Lab, player: SteamAccount, part: str, name: str, moment: str, withdrawal: bool
) -> None:
    order = lab.send_order(player, lab.me.assets() if withdrawal else [], [] if withdrawal else player.assets())
    dies(lab, part, name, moment)
    lab.enqueue(order)
    if name == "confirm" and not withdrawal:
        assert lab.rq.work_one(1)  # a deposit is not confirmed
    else:
        with pytest.raises(Killed):
            lab.rq.work_one(1)
    told_before = kinds(lab.reports())
    existed = len(offers_of(lab, order))
    lab.die()
    lab.start()  # delivers again what was in hand
    lab.rq.work_one(1)
    told = kinds(lab.reports())
    offers = offers_of(lab, order)
    assert len(offers) <= 1
    assert len(offers) >= existed
    assert "order_dropped" not in told and "refused" not in told and "try_later" not in told
    if existed or "picked_up" in told_before:
        assert set(told) <= {"answer_lost"}
    else:
        assert "offer_active" in told
    # Whatever was lost, the next look finds what there is.
    trade = lab.watched(order, None, "in_doubt")
    seen = kinds(lab.do(lab.watch_order(trade)))
    assert seen[-1:] == (["offer_active"] if offers else [])
