"""What may stand in a bot's queue, and what the worker does with everything else."""

from __future__ import annotations

import json
import pickle
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from bot_lab import MASTER, Counting, Lab, SteamAccount, kinds
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from bot_worker import orders
from bot_worker.rq_worker import put_right
from shared import wire
from shared.errors import OrderRefused
from shared.orders import InventoryOrder, WatchOrder


def push(lab: Lab, job_id: str, fields: Mapping[Any, Any]) -> None:
    if fields:
        lab.redis.hset(wire.job_key(lab.name, job_id), mapping=fields)
    lab.redis.rpush(f"rq:queue:{lab.name}", wire.job_id(lab.name, job_id))


def packed(call: object) -> bytes:
    return zlib.compress(json.dumps(call).encode())


def empty_watch(lab: Lab) -> Any:
    return lab.order("watch", WatchOrder([], 1_700_000_000), trade_id=None)


def sealed_watch(lab: Lab, **more: Any) -> str:
    return wire.seal_order(replace(empty_watch(lab), **more), lab.keys)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('unpickled')",))


BAD_JOBS: dict[str, dict[str, Any]] = {
    "other_function": {"data": packed(["os.system", None, ["true"], {}])},
    "method": {"data": packed([wire.ORDER_FUNCTION, "object", ["x"], {}])},
    "two_arguments": {"data": packed([wire.ORDER_FUNCTION, None, ["x", "y"], {}])},
    "keyword": {"data": packed([wire.ORDER_FUNCTION, None, ["x"], {"bot": "x"}])},
    "number": {"data": packed([wire.ORDER_FUNCTION, None, [1], {}])},
    "not_a_call": {"data": packed("hello")},
    "deep": {"data": zlib.compress(b"[" * 100_000)},
    "pickle": {"data": zlib.compress(pickle.dumps((wire.ORDER_FUNCTION, None, ("x",), Evil())))},
    "bare_pickle": {"data": pickle.dumps(Evil())},
    "no_data": {"data": b""},
    "huge": {"data": b"x" * (wire.SEALED_MAX_BYTES + 1)},
    "bomb": {"data": zlib.compress(b"[" + b" " * (wire.SEALED_MAX_BYTES * 3))},
    "cut": {"data": packed([wire.ORDER_FUNCTION, None, ["x"], {}])[:-5]},
    "callback": {"success_callback_name": "os.system"},
    "failure_callback": {"failure_callback_name": "os.system"},
    "stopped_callback": {"stopped_callback_name": "os.system"},
    "webhooks": {"webhooks": '[{"url":"http://127.0.0.1"}]'},
    "meta": {"meta": b'{"x":1}'},
    "huge_meta": {"meta": b"x" * 100_000},
}


@pytest.mark.parametrize("name", BAD_JOBS)
def test_what_is_no_order_is_refused_and_removed_and_the_worker_goes_on(lab: Lab, name: str) -> None:
    good = {"data": packed([wire.ORDER_FUNCTION, None, [sealed_watch(lab)], {}])}
    push(lab, "bad", {**good, **BAD_JOBS[name]})
    assert lab.rq.work_one(1)
    (report,) = lab.reports()
    assert report.kind == "order_refused"
    assert set(report.data) == {"reason"}
    assert lab.redis.keys("rq:job:*") == []
    assert lab.redis.llen(f"rq:queue:{lab.name}:intermediate") == 0
    assert kinds(lab.do(empty_watch(lab))) == []
    assert lab.bot.health.orders_done == 1


def test_a_job_that_is_not_a_hash_is_refused(lab: Lab) -> None:
    lab.redis.set(wire.job_key(lab.name, "bad"), "text")
    push(lab, "bad", {})
    assert lab.rq.work_one(1)
    assert kinds(lab.reports()) == ["order_refused"]


def test_an_order_that_was_carried_out_already_is_no_news(lab: Lab) -> None:
    push(lab, "gone", {})
    assert lab.rq.work_one(1)
    assert lab.reports() == []


def test_a_forged_order_is_refused(lab: Lab) -> None:
    forged = wire.seal_order(empty_watch(lab), replace(lab.keys, order=b"x" * 32))
    orders.carry_out(forged, lab.bot)
    orders.carry_out("not even sealed", lab.bot)
    orders.carry_out("ü" * 100, lab.bot)
    assert [report.data for report in lab.reports()] == [{"reason": "seal"}] * 3


def test_another_bots_order_is_refused(lab: Lab) -> None:
    orders.carry_out(wire.seal_order(replace(empty_watch(lab), bot="red-2"), MASTER.bot("red-2")), lab.bot)
    # Sealed for this bot, but naming another one inside: only the balancer could, and it must not.
    from shared.sealing import seal

    order = replace(empty_watch(lab), bot="red-2")
    orders.carry_out(seal(lab.keys.order, order.dumps(), purpose=f"order:{lab.name}"), lab.bot)
    assert [report.data["reason"] for report in lab.reports()] == ["seal", "other_bot"]


def test_an_expired_order_is_not_carried_out(lab: Lab, player: SteamAccount) -> None:
    before = lab.me.requests()
    order = lab.order("inventory", InventoryOrder(player.steam_id, None), trade_id=None, expires_at_ms=1)
    (report,) = lab.do(order)
    assert (report.kind, report.data) == ("order_failed", {"kind": "inventory", "reason": "expired", "retryable": False})
    assert lab.me.requests() == before


def test_orders_are_carried_out_by_a_bots_own_worker_only() -> None:
    with pytest.raises(OrderRefused):
        orders.carry_out("sealed")


def test_an_order_enqueued_by_rq_works(lab: Lab) -> None:
    queue = Queue(lab.name, connection=lab.redis, serializer=JSONSerializer)
    job = queue.enqueue(wire.ORDER_FUNCTION, sealed_watch(lab), result_ttl=0, job_id=wire.job_id(lab.name, "rq"))
    assert lab.rq.work_one(1)
    assert lab.bot.health.orders_done == 1
    assert not lab.redis.exists(job.key)


def test_our_jobs_are_rqs_jobs(lab: Lab) -> None:
    order = empty_watch(lab)
    lab.enqueue(order)
    job = Job.fetch(wire.job_id(lab.name, order.order_id), connection=lab.redis, serializer=JSONSerializer)
    ours = wire.job_mapping(job.args[0], lab.name, "2026-11-21T00:00:00.000000Z")
    assert (job.func_name, len(job.args), job.kwargs) == (wire.ORDER_FUNCTION, 1, {})
    assert (job.origin, job.timeout, job.result_ttl, job.failure_ttl) == (lab.name, 180, 0, 3600)
    theirs = job.to_dict()
    assert set(ours) - {"meta"} == set(theirs)  # RQ leaves an empty one out, and reads ours as empty
    assert job.meta == {}
    for name in set(theirs) - {"data", "created_at", "enqueued_at"}:
        assert str(ours[name]) == str(getattr(theirs[name], "value", theirs[name])), name
    assert zlib.decompress(ours["data"]) == zlib.decompress(theirs["data"])


def test_rq_sees_the_worker(lab: Lab) -> None:
    (seen,) = SimpleWorker.all(connection=lab.redis)
    assert seen.name == lab.name
    assert seen.queue_names() == [lab.name]


def test_an_order_costs_three_round_trips_of_the_queue(lab: Lab) -> None:
    lab.do(empty_watch(lab))
    lab.enqueue(empty_watch(lab))
    counting = Counting(lab.rq.connection)
    assert lab.rq.work_one(1)
    assert counting.count == 3


def test_what_a_dead_worker_had_in_hand_comes_first_again(lab: Lab) -> None:
    first, second, third = empty_watch(lab), empty_watch(lab), empty_watch(lab)
    lab.enqueue(first, second, third)
    key = f"rq:queue:{lab.name}"
    for _ in range(2):
        lab.redis.lmove(key, f"{key}:intermediate", "LEFT", "RIGHT")
    assert put_right(lab.redis, lab.name) == 2
    assert lab.redis.lrange(key, 0, -1) == [wire.job_id(lab.name, each.order_id).encode() for each in (first, second, third)]
    assert not lab.redis.exists(f"rq:worker:{lab.name}")
    assert put_right(lab.redis, lab.name) == 0


def test_a_mistake_of_ours_is_told_and_the_worker_goes_on(lab: Lab) -> None:
    with lab.steam_does(sent_offers=lambda since: 1 / 0):
        (report,) = lab.do(empty_watch(lab))
    told = dict(report.data)
    assert told.pop("error").startswith("ZeroDivisionError at ")
    assert told == {"kind": "watch", "reason": "internal", "retryable": False}
    assert lab.do(empty_watch(lab)) == []


def test_a_mistake_in_a_send_leaves_it_in_doubt(lab: Lab, player: SteamAccount) -> None:
    with lab.steam_does(send_offer=lambda *_: 1 / 0):
        assert kinds(lab.do(lab.send_order(player, [], player.assets()))) == ["picked_up", "answer_lost"]
