"""Somebody who has a host: its vault, its Redis user, and what can be done with them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flow_site import Player, Website
from intruders.guarded import GuardedStack

from shared import wire
from shared.clock import Clock
from shared.domain.items import Asset
from shared.orders import Order, SendOrder
from shared.reports import Report
from shared.sealing import BotKeys, seal


class Intruder:
    """Has the vault of the host of red-1, its Redis user, and (``everything``) a Redis user that may do all."""

    def __init__(self, stack: GuardedStack, site: Website) -> None:
        self.stack = stack
        self.site = site
        keys = stack.vault("red:1").keys("red-1")
        assert keys is not None
        self.keys: BotKeys = keys
        self.host = stack.redis.client("host-red-1")
        self.everything = stack.redis.client()
        self._number = 1_000_000

    def close(self) -> None:
        self.host.close()
        self.everything.close()

    def keys_of(self, bot: str) -> BotKeys:
        """To see in the test what the intruder cannot read."""
        keys = self.stack.vault(
            next(group for group in self.stack.wish.groups if group.startswith(bot.partition("-")[0]))
        ).keys(bot)
        assert keys is not None
        return keys

    def push(self, bot: str, order_id: str, fields: dict[Any, Any]) -> None:
        """A job in a bot's queue, as the balancer puts it there."""
        self.everything.hset(wire.job_key(bot, order_id), mapping=fields)
        self.everything.rpush(f"rq:queue:{bot}", wire.job_id(bot, order_id))

    def send_order(self, bot: str, thief: Player, give: list[Asset]) -> Order:
        """All that this bot has, to the thief."""
        now_ms = Clock().now_ms()
        payload = SendOrder("t" * 22, thief.steam_id, thief.trade_url[-8:], "http://x/verify/" + "t" * 22, give, [])
        return Order("forged", "send", bot, "trd_forged", 1, now_ms, now_ms + 60_000, payload)

    def report(self, kind: str, trade_id: Any, data: Any, *, bot: str = "red-1", attempt: Any = 1) -> None:
        """A report sealed with the keys that were stolen, in the name of ``bot``."""
        self._number += 1
        told = Report(bot, "run", self._number, kind, None, trade_id, attempt, Clock().now_ms(), data)
        sealed = seal(self.keys.report, told.dumps(), purpose=f"report:{bot}")
        self.host.xadd(wire.REPORTS, {"bot": bot, "sealed": sealed})

    def events(self, kind: str, bot: str) -> list[dict[str, Any]]:
        found, after = [], 0
        while rows := (answer := self.site.call("GET", f"/events?after={after}&limit=500").body)["events"]:
            found += [row for row in rows if row["kind"] == kind and row["bot"] == bot]
            after = answer["next"]
        return found

    def log_says(self, part: str, words: str) -> Callable[[], bool]:
        return lambda: words in (self.stack.wish.directory / f"{part}.log").read_text(errors="replace")


def pid_of(stack: GuardedStack, bot: str) -> int:
    """The worker that wrote last what `fleet group status` shows of this bot."""
    group = next(group for group in stack.wish.groups if group.partition(":")[0] == bot.partition("-")[0])
    said = json.loads((stack.host_config(group).parent / "run" / f"{bot}.json").read_text())
    return int(said["pid"])


@contextmanager
def held(pids: list[int]) -> Iterator[None]:
    """These workers stand still, so that what is in their queues can be looked at."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
