"""Redis: the names of everything there, how an order gets into a bot's queue and how reports come back.

Redis is a carrier, not a memory: whatever stands here may be lost or forged, so orders and reports are sealed and the database
decides. Keys, all below the prefix ``fleet:`` except RQ's own:

===================================== ======================================================================================
``rq:queue:<bot>``                     RQ's queue of one bot
``rq:job:<bot>_<order>``              its jobs (JSON, one argument: the sealed order)
``fleet:reports``                     stream of ``bot``, ``sealed``; read by the consumer group ``balancers``
``fleet:heartbeat:<bot>``             its last sealed heartbeat
``fleet:bots``                        set: every bot that ever sent one
``fleet:lease:<bot>``                 the run that may use this bot, with a time to live
``fleet:recall:<bot>:<trade>``        the highest attempt that must not be sent any more
``fleet:attempted:<bot>:<trade>``     the highest attempt that a worker began to send
``fleet:look:<trade>``                the balancer that has this trade's offer looked at now, with a time to live
``fleet:memory:<bot>``                which Redis the bot's last worker worked under, and since when that one remembers
``fleet:changes``                     channel: what one balancer applied, so that whoever waits at another hears of it
``fleet:leader:<loop>``               the balancer that does this loop's work, with a time to live
``fleet:leader:<loop>:ran``           when a round of it last went well, whichever balancer did it
``fleet:pace:<address>:<kind>``       when the next call of this kind from this egress address may start
``fleet:reads:<address>``             when the next inventory may be read from this egress address, by turns
``fleet:rate:<bucket>:<whom>``        when this bucket of the HTTP API's limits will be full again
===================================== ======================================================================================

What belongs to one bot has its name in the key, so that an access list keeps each host to its own bots (`fleet redis acl`).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

import redis

from shared.clock import Clock, ServerClock
from shared.orders import Order
from shared.reports import Heartbeat, Report
from shared.sealing import BotKeys, SealBroken, seal, unseal

REPORTS = "fleet:reports"
REPORT_GROUP = "balancers"
BOTS = "fleet:bots"
CHANGES = "fleet:changes"
ORDER_FUNCTION = "bot_worker.orders.carry_out"

SEALED_MAX_BYTES = 4 * 1024 * 1024
JOB_TTL_S = 24 * 3600
RECALL_TTL_S = 8 * 24 * 3600


def queue_name(bot: str) -> str:
    return bot


def lease_key(bot: str) -> str:
    return f"fleet:lease:{bot}"


def job_id(bot: str, order_id: str) -> str:
    """The id of an order's job: RQ allows letters, digits, ``_`` and ``-``, and a bot's name holds exactly one ``-``."""
    return f"{bot}_{order_id}"


def job_key(bot: str, order_id: str) -> str:
    return f"rq:job:{job_id(bot, order_id)}"


def heartbeat_key(bot: str) -> str:
    return f"fleet:heartbeat:{bot}"


def recall_key(bot: str, trade_id: str) -> str:
    return f"fleet:recall:{bot}:{trade_id}"


def attempted_key(bot: str, trade_id: str) -> str:
    return f"fleet:attempted:{bot}:{trade_id}"


def look_key(trade_id: str) -> str:
    return f"fleet:look:{trade_id}"


def memory_key(bot: str) -> str:
    return f"fleet:memory:{bot}"


def leader_key(loop: str) -> str:
    return f"fleet:leader:{loop}"


def ran_key(loop: str) -> str:
    return f"{leader_key(loop)}:ran"


def pace_key(address: str, kind: str) -> str:
    return f"fleet:pace:{address}:{kind}"


def reads_key(address: str) -> str:
    return f"fleet:reads:{address}"


def rate_key(bucket: str, whom: str) -> str:
    return f"fleet:rate:{bucket}:{whom}"


def connect(url: str, *, blocking: bool = False, timeout_s: float = 5.0) -> redis.Redis:
    """A client. redis-py 8 gives up a read after 5 s, so whoever waits longer for something asks for a blocking one."""
    return redis.Redis.from_url(
        url,
        socket_timeout=None if blocking else timeout_s,
        socket_connect_timeout=timeout_s,
        decode_responses=False,
        health_check_interval=0 if blocking else 30,
    )


def measure_time(client: redis.Redis, clock: Clock, server_clock: ServerClock) -> None:
    """Ask Redis for its time and keep the offset."""
    before = clock.unmoved_ms()
    seconds, micros = client.time()
    server_clock.measured(seconds * 1000 + micros // 1000, before, clock.unmoved_ms())


def seal_order(order: Order, keys: BotKeys) -> str:
    return seal(keys.order, order.dumps(), purpose=f"order:{order.bot}")


def open_order(sealed: str, keys: BotKeys) -> Order:
    """The order inside.

    Raises:
        SealBroken: it was not sealed for this bot by the balancer, is too large, or holds no order that we know.
    """
    if len(sealed) > SEALED_MAX_BYTES:
        raise SealBroken("too large")
    text = unseal(keys.order, sealed, purpose=f"order:{keys.bot}")
    try:
        return Order.loads(text)
    except (ValueError, KeyError, TypeError) as error:
        raise SealBroken("sealed, but not an order that we know") from error


def job_mapping(sealed: str, bot: str, created_at: str) -> dict[str, Any]:
    """The hash that RQ 3 keeps of a job, as ``Job.to_dict`` writes it; a contract test holds it against RQ itself."""
    data = json.dumps([ORDER_FUNCTION, None, [sealed], {}]).encode()
    return {
        "created_at": created_at,
        "data": zlib.compress(data, 1),
        "success_callback_name": "",
        "failure_callback_name": "",
        "stopped_callback_name": "",
        "started_at": "",
        "ended_at": "",
        "last_heartbeat": "",
        "worker_name": "",
        "group_id": "",
        "origin": queue_name(bot),
        "description": "order",
        "enqueued_at": created_at,
        "timeout": 180,
        "result_ttl": 0,
        "failure_ttl": 3600,
        "status": "queued",
        "meta": b"{}",
    }


def enqueue(client: Any, orders: Iterable[tuple[Order, BotKeys]], created_at: str) -> None:
    """Put orders into their bots' queues, all in one round trip. Enqueuing one twice gives two jobs of one id: harmless."""
    pipe = client.pipeline(transaction=True)
    for order, keys in orders:
        key = job_key(order.bot, order.order_id)
        pipe.hset(key, mapping=job_mapping(seal_order(order, keys), order.bot, created_at))
        pipe.expire(key, JOB_TTL_S)
        pipe.sadd("rq:queues", f"rq:queue:{queue_name(order.bot)}")
        pipe.rpush(f"rq:queue:{queue_name(order.bot)}", job_id(order.bot, order.order_id))
    pipe.execute()


def append_reports(pipe: Any, reports: Iterable[Report], keys: BotKeys) -> None:
    """Add sealed reports to the stream; ``pipe`` is a client or a pipeline."""
    for report in reports:
        sealed = seal(keys.report, report.dumps(), purpose=f"report:{report.bot}")
        pipe.xadd(REPORTS, {"bot": report.bot, "sealed": sealed})


def open_report(bot: str, sealed: str | bytes, keys: BotKeys) -> Report:
    """The report inside.

    Raises:
        SealBroken: not sealed by this bot, too large, or holds no report that we know.
    """
    if len(sealed) > SEALED_MAX_BYTES:
        raise SealBroken("too large")
    text = unseal(keys.report, sealed, purpose=f"report:{bot}")
    try:
        report = Report.loads(text)
    except (ValueError, KeyError, TypeError) as error:
        raise SealBroken("sealed, but not a report that we know") from error
    if report.bot != bot:
        raise SealBroken("the report names another bot")
    return report


def put_heartbeat(pipe: Any, beat: Heartbeat, keys: BotKeys) -> None:
    """Leave a worker's word about itself; the newest replaces the one before."""
    pipe.set(heartbeat_key(beat.bot), seal(keys.report, beat.dumps(), purpose=f"heartbeat:{beat.bot}"))
    pipe.sadd(BOTS, beat.bot)


def open_heartbeat(bot: str, sealed: str | bytes, keys: BotKeys) -> Heartbeat:
    """The heartbeat inside.

    Raises:
        SealBroken: not this bot's own word.
    """
    text = unseal(keys.report, sealed, purpose=f"heartbeat:{bot}")
    try:
        beat = Heartbeat.loads(text)
    except (ValueError, KeyError, TypeError) as error:
        raise SealBroken("sealed, but not a heartbeat") from error
    if beat.bot != bot:
        raise SealBroken("the heartbeat names another bot")
    return beat
