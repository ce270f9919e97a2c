"""Hints over Redis: after a commit, who watches is told what is new, and engines are told that there is work.

Nothing rests on them. What a hint tells stands in the database, with a number by which a lost one is noticed; whoever hears
nothing looks there from time to time. So a Redis that is away, slow or empty delays and loses nothing.

Channels, each with the prefix of the settings (`site:`):

* `lane:{lane}` and `user:{user_id}`: `{"seq": 813, "message": {"at": 1732…, "kind": "bet", "body": {…}}}`, one for each row of
  `LaneMessage` and `UserMessage`
* `work`: the name of a lane with something new to do, or nothing where it is another kind of work
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

import redis
from django.conf import settings
from django.db import transaction

TIMEOUT_S = 1.0
AGAIN_S = 1.0
WAITING_MAX = 10_000
HEARTBEAT_S = 0.5

_log = logging.getLogger(__name__)


def lane_channel(lane: str) -> str:
    return f"{settings.SITE_REDIS_PREFIX}lane:{lane}"


def user_channel(user_id: int) -> str:
    return f"{settings.SITE_REDIS_PREFIX}user:{user_id}"


def work_channel() -> str:
    return f"{settings.SITE_REDIS_PREFIX}work"


def message(seq: int, at_ms: int, kind: str, body: str) -> str:
    """A message as its channel carries it; `body` is JSON already."""
    return f'{{"seq":{seq},"message":{{"at":{at_ms},"kind":{json.dumps(kind)},"body":{body}}}}}'


def publish(told: Sequence[tuple[str, str]]) -> None:
    """Tells channels, in this order. Returns at once; what cannot be told is dropped."""
    if settings.SITE_REDIS_URL and told:
        _publisher.put(told)


def work(lane: str = "") -> None:
    """Tells engines, after the commit of the transaction that goes on, that there is work, on a lane if it is named."""
    if settings.SITE_REDIS_URL:
        transaction.on_commit(lambda: publish([(work_channel(), lane)]), robust=True)


class _Publisher:
    """A thread that tells. Redis may be stopped in the middle of an answer: nobody waits for it but this thread."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Sequence[tuple[str, str]]] = queue.Queue(WAITING_MAX)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, told: Sequence[tuple[str, str]]) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # not alive: after a fork
                self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(told)
        except queue.Full:
            _log.debug("a hint is dropped: Redis takes none")

    def _run(self) -> None:
        client: redis.Redis | None = None
        url = ""
        while True:
            told = self._waiting.get()
            try:
                if client is None or url != settings.SITE_REDIS_URL:
                    url = settings.SITE_REDIS_URL
                    client = connect(TIMEOUT_S)
                pipe = client.pipeline(transaction=False)
                for channel, text in told:
                    pipe.publish(channel, text)
                pipe.execute()
            except redis.RedisError as error:
                _log.warning("hints are not told: %s", type(error).__name__)
                client = None
                time.sleep(AGAIN_S)
                self._forget()

    def _forget(self) -> None:
        """What waited meanwhile is old: who watches has found it in the database."""
        while not self._waiting.empty():
            self._waiting.get()


_publisher = _Publisher()


def connect(timeout_s: float) -> redis.Redis:
    """The site's Redis; no answer in time is an error."""
    patience = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "health_check_interval": 5}
    return redis.Redis.from_url(settings.SITE_REDIS_URL, decode_responses=True, **patience)


def hear(ended: threading.Event, tell: Callable[[str], object]) -> None:
    """Calls `tell` with each lane that has work ("" for other work), until `ended` is set. Raises RedisError."""
    with connect(TIMEOUT_S) as client, client.pubsub(ignore_subscribe_messages=True) as listening:
        listening.subscribe(work_channel())
        while not ended.is_set():
            said = listening.get_message(timeout=HEARTBEAT_S)
            if said is not None and not ended.is_set():
                tell(str(said["data"]))
