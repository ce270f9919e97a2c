"""RQ's worker, without what we do not need.

The queue, the jobs and the worker's registration are RQ's own, so an order put there by `rq.Queue.enqueue` works and RQ's tools
see the worker. But a job is three round trips instead of twenty, nothing is forked, no thread listens to commands from Redis,
and nothing that stands in a job is imported, unpickled or called: one function with one text argument is known here, and
whoever writes anything else into the queue is reported. RQ's death penalty is left out, as a signal in the middle of a send
would lose an answer; every call below has a timeout of its own.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

import redis
from rq import Queue
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from bot_worker.lease import LeaseLost
from shared import log, wire

DEQUEUE_S = 1  # how long a stop may wait for an idle worker
WORKER_TTL_S = 420
FIELD_MAX = 4096
JOB_ID_MAX = 200

# KEYS: job. ARGV: largest data, largest other field. Answers how large the hash's fields are, or its fields.
_FETCH = """
local names = {'data', 'success_callback_name', 'failure_callback_name', 'stopped_callback_name', 'webhooks', 'meta'}
if redis.call('EXISTS', KEYS[1]) == 0 then return {'absent'} end
for number, name in ipairs(names) do
  local longest = tonumber(number == 1 and ARGV[1] or ARGV[2])
  if redis.call('HSTRLEN', KEYS[1], name) > longest then return {'large'} end
end
local found = redis.call('HMGET', KEYS[1], unpack(names))
for number = 1, #names do found[number] = found[number] or '' end
return {'fields', unpack(found)}
"""

_log = log.get(__name__)


class NotAnOrder(Exception):
    """A job that is none of ours; the text says why in one word."""


class OrderWorker(SimpleWorker):
    """Works one bot's queue in this process.

    ``carry_out`` is called with the sealed order, ``refuse`` with the reason why something was no order.
    """

    def __init__(self, bot: str, client: redis.Redis, carry_out: Callable[[str], None], refuse: Callable[[str], None]) -> None:
        queue = Queue(wire.queue_name(bot), connection=client, serializer=JSONSerializer)
        super().__init__(
            [queue], name=bot, connection=client, serializer=JSONSerializer, worker_ttl=WORKER_TTL_S, log_job_description=False
        )
        self._queue_key = queue.key
        self._jobs = wire.job_id(bot, "").encode()
        self._in_hand_key = queue.intermediate_queue_key
        self._carry_out = carry_out
        self._refuse = refuse
        self._fetch = client.register_script(_FETCH)

    def _set_connection(self, connection: redis.Redis) -> redis.Redis:
        # RQ would raise the client's timeout to minutes for its long BLMOVE; ours is short.
        return connection

    def work_one(self, timeout_s: int = DEQUEUE_S) -> bool:
        """Wait for an order and carry it out; false if none came in time.

        The job stays in RQ's intermediate list until it is done, so a killed worker leaves it there for the next one.

        Raises:
            redis.RedisError: the job waits in the intermediate list, perhaps carried out already.
            LeaseLost: it is back in the queue, for whoever has the bot now.
        """
        try:
            job_id = self.connection.blmove(self._queue_key, self._in_hand_key, timeout_s)
        except redis.ResponseError as error:
            self._mend(error)
            return False
        if not isinstance(job_id, bytes):
            return False
        try:
            sealed = self._sealed_order(job_id)
            if sealed is not None:
                self._carry_out(sealed)
        except NotAnOrder as error:
            self._refuse(str(error))
        except LeaseLost:
            self._give_back(job_id)
            raise
        except redis.RedisError:
            raise
        except Exception:
            # It would fail again; a send that was begun has its marker, so its trade ends in doubt.
            _log.exception("job_failed")
            self._refuse("internal")
        self._done(job_id)
        return True

    def _sealed_order(self, job_id: bytes) -> str | None:
        """The job's only argument; ``None`` for a job that was carried out before and is gone.

        Raises:
            NotAnOrder: anything about it is not as the balancer writes it.
        """
        if not self._is_own(job_id):
            raise NotAnOrder("not_its_job")
        try:
            answer = self._fetch(keys=[b"rq:job:" + job_id], args=[wire.SEALED_MAX_BYTES, FIELD_MAX])
        except redis.ResponseError as error:
            raise NotAnOrder("not_a_hash") from error
        if answer[0] == b"absent":
            return None
        if answer[0] == b"large":
            raise NotAnOrder("too_large")
        data, *callbacks, webhooks, meta = answer[1:]
        if any(callbacks) or webhooks not in (b"", b"[]") or meta not in (b"", b"{}"):
            raise NotAnOrder("extras")
        return self._argument(_unpack(data))

    @staticmethod
    def _argument(text: bytes) -> str:
        try:
            called = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NotAnOrder("not_json") from error
        if not isinstance(called, list) or len(called) != 4:
            raise NotAnOrder("not_a_call")
        function, instance, args, kwargs = called
        if function != wire.ORDER_FUNCTION or instance is not None:
            raise NotAnOrder("other_function")
        if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], str) or kwargs != {}:
            raise NotAnOrder("other_arguments")
        sealed: str = args[0]
        return sealed

    def _give_back(self, job_id: bytes) -> None:
        pipe: Any = self.connection.pipeline(transaction=True)
        pipe.lrem(self._in_hand_key, 1, job_id)
        pipe.lpush(self._queue_key, job_id)
        pipe.execute()

    def _done(self, job_id: bytes) -> None:
        pipe: Any = self.connection.pipeline(transaction=True)
        pipe.lrem(self._in_hand_key, 1, job_id)
        if self._is_own(job_id):
            pipe.delete(b"rq:job:" + job_id)
        pipe.execute()

    def _is_own(self, job_id: bytes) -> bool:
        """Whether its name says that it is a job of this bot; another's is neither read nor removed."""
        return job_id.startswith(self._jobs) and len(job_id) <= JOB_ID_MAX

    def _mend(self, error: redis.ResponseError) -> None:
        """Remove what stands in the queue's place and is no list; orders that it cost are asked for again by the sweep.

        Raises:
            redis.ResponseError: something else is wrong.
        """
        if "WRONGTYPE" not in str(error):
            raise error
        _log.error("queue_not_a_list")
        for key in (self._queue_key, self._in_hand_key):
            if self.connection.type(key) != b"list":
                self.connection.delete(key)


def _unpack(data: bytes) -> bytes:
    """Decompress, but never into more than a sealed order may be."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, wire.SEALED_MAX_BYTES)
    except zlib.error as error:
        raise NotAnOrder("not_compressed") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise NotAnOrder("too_large")
    return text


# KEYS: in hand, queue. What was in hand goes to the front of the queue, in its old order.
_PUT_BACK = """
local count = 0
while redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT') do count = count + 1 end
return count
"""


def put_back(client: redis.Redis, bot: str) -> int:
    """Deliver again what was in hand; the number of jobs. Only for whoever holds the bot's lease.

    RQ alone needs a minute for this. A redelivered send is caught by its marker.
    """
    queue_key = f"rq:queue:{wire.queue_name(bot)}"
    count: Any = client.eval(_PUT_BACK, 2, f"{queue_key}:intermediate", queue_key)
    return int(count)


def put_right(client: redis.Redis, bot: str) -> int:
    """Remove all that a dead worker of this bot left in Redis, and `put_back` its jobs.

    Only for whoever holds the bot's lease, or has seen its holder die: RQ refuses a worker of the same name for minutes.
    Called twice, the second call finds nothing.
    """
    worker_key = f"rq:worker:{bot}"
    pipe: Any = client.pipeline(transaction=True)
    pipe.srem("rq:workers", worker_key)
    pipe.srem(f"rq:workers:{wire.queue_name(bot)}", worker_key)
    pipe.delete(worker_key, f"{worker_key}:executions")
    pipe.execute()
    return put_back(client, bot)
