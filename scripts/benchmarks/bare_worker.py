"""The worker of the bare order path, a process of its own: `python -m scripts.benchmarks.bare_worker REDIS_URL`.

RQ's own worker that runs jobs in its process; a job does nothing but say so in a stream.
"""

from __future__ import annotations

import os
import sys

import redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

QUEUE = "bare"
STREAM = "bare-reports"
JOB = "scripts.benchmarks.bare_worker.tell"
SERVER = "FLEET_BENCH_REDIS"

_clients: dict[str, redis.Redis] = {}


def tell(trade_id: str) -> None:
    """The job: one entry in the stream, over one kept connection."""
    url = os.environ[SERVER]
    if url not in _clients:
        _clients[url] = redis.Redis.from_url(url)
    _clients[url].xadd(STREAM, {"trade_id": trade_id})


def queue(url: str) -> Queue:
    return Queue(QUEUE, connection=redis.Redis.from_url(url, socket_timeout=None), serializer=JSONSerializer)


def main(arguments: list[str]) -> int:
    (url,) = arguments
    os.environ[SERVER] = url
    jobs = queue(url)
    worker = SimpleWorker([jobs], connection=jobs.connection, serializer=JSONSerializer)
    worker.work(logging_level="ERROR")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
