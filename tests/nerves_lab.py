"""A fleet of real processes behind gates, and hands that kill, stop and cut them: `from nerves_lab import Fleet`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from flow_site import Answer, Player, Website, numbers
from support import PATIENCE_S, wait_until

from scripts.lab.calls import get_json, send_json
from scripts.lab.gate import Gate
from scripts.lab.parts import Part
from scripts.lab.quick import NEVER_REACHED
from scripts.lab.redis_server import EmbeddedRedis
from scripts.lab.stack import Stack, Wish
from shared import wire

PROTECTION_S = 1

# Everything that waits for a lost worker, order or look, scaled down to seconds; what would end a call or call a bot offline
# only because the machine is slow is long.
SHORT: dict[str, dict[str, Any]] = {
    "redis": {"timeout_s": 60.0},
    "steam": {"connect_timeout_s": 60.0},
    "trades": {
        "watch_s": 0.5,
        "sweep_s": 0.4,
        "find_s": 0.5,
        "find_max_s": 1.0,
        "absent_after_s": 1.0,
        "settle_margin_s": 0.2,
        "settle_again_s": 0.5,
        "items_look_s": 0.5,
        "inventory_cache_s": 600.0,
        "inventory_wait_s": 60.0,
        "retry_after_s": 1.0,
        "order_expiry_s": 6.0,
        "order_in_hand_s": 3.0,
        "attempts_max": 8,
    },
    "group": {"lease_s": 8.0, "heartbeat_s": 0.5, "offline_after_s": 300.0, "restart_min_s": 0.05, "restart_max_s": 0.2},
    "balancer": {"heartbeat_read_s": 0.3, "request_max_s": 120.0},
    # While one of two groups is restarted, nobody else could read what is dear.
    "limits": {"dear_item_cents": 0},
    # A load that repeats what fails at once is no site's.
    "rates": dict(NEVER_REACHED),
}


# A test's few players trade as much as it takes, and no bot keeps offers for others.
NO_SHARES = {
    "offers_per_partner_max": 30,
    "offers_per_player_max": 30,
    "pending_deposits_per_player_max": 30,
    "offers_kept_for_withdrawals": 0,
}


def short(**sections: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`SHORT` with these sections' values on top."""
    return {name: SHORT.get(name, {}) | sections.get(name, {}) for name in {**SHORT, **sections}}


class GatedStack(Stack):
    """A `Stack` with gates: hosts reach Steam through ``steam``, Redis through ``hosts``; balancers Redis by ``balancers``."""

    steam: Gate
    hosts: Gate
    balancers: Gate

    def __enter__(self) -> Self:
        self._gates = contextlib.ExitStack()
        try:
            super().__enter__()
        except BaseException:
            self._gates.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        # Whatever a test left held or stopped would keep the parts from ending in order.
        self.steam.clear()
        self.hosts.clear()
        self.balancers.clear()
        super().__exit__(*error)
        self._gates.close()

    def _start_redis(self) -> None:
        super()._start_redis()
        self.hosts, self.balancers = (self._gates.enter_context(Gate(self.redis_target())) for _ in range(2))

    def failover(self, to: EmbeddedRedis) -> None:
        """The Redis of now is gone; everybody is led to another one, which must run already."""
        if self.redis is not None:
            self.redis.kill()
        self.redis, self.redis_url = to, to.url
        for gate in (self.hosts, self.balancers):
            gate.lead_to(self.redis_target())

    def redis_target(self) -> tuple[str, int] | str:
        """Where Redis itself listens."""
        parts = urlsplit(self.redis_url)
        return parts.path if parts.scheme == "unix" else (parts.hostname or "", parts.port or 0)

    def _start_sandbox(self) -> None:
        super()._start_sandbox()
        parts = urlsplit(self.steam_url)
        self.steam = self._gates.enter_context(Gate((parts.hostname or "", parts.port or 0)))
        self.steam_url = f"http://{self.steam.host}:{self.steam.port}"

    def host_redis_url(self, _group: str) -> str:
        return gate_url(self.hosts)

    def _write_settings(self) -> None:
        super()._write_settings()
        change(self.config, self.redis_url, gate_url(self.balancers))


def gate_url(gate: Gate) -> str:
    """The Redis behind a gate."""
    return f"redis://{gate.host}:{gate.port}/0"


def change(config: Path, before: str, after: str) -> None:
    """Replace a value in a settings file."""
    text = config.read_text()
    assert before in text
    config.write_text(text.replace(before, after))


def exists(pid: int) -> bool:
    """Whether a process runs; one that is only waiting to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass(frozen=True)
class Host:
    """A second host of a group."""

    folder: Path
    part: Part


class Fleet(Website):
    """The site's side of a gated stack, and what can be done to its processes."""

    stack: GatedStack

    def __init__(self, stack: GatedStack) -> None:
        super().__init__(stack)
        self.stopped: set[int] = set()
        self.stock = STOCK.setdefault(str(stack.wish.directory), [])

    # --- as it should be -----------------------------------------------------------------------

    def heal(self) -> None:
        """Gates open, nothing held, no process stopped, every part running, every bot online with a fresh heartbeat."""
        stack = self.stack
        for pid in list(self.stopped):
            self.resume(pid)
        for gate in (stack.steam, stack.hosts, stack.balancers):
            gate.clear()
        if stack.redis is not None and not stack.redis.running:
            stack.redis.start()
        for group in stack.wish.groups:
            if self.supervisor(group) is None:
                stack.start_group(group)
        if not any(part.name == "balancer" and part.process.poll() is None for part in stack.parts):
            stack.start_balancer()
        self.all_online()

    def all_online(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until every bot has a living process, and the balancer has heard from that one that it is online."""
        wanted = self.stack.wish.bot_names()

        def online() -> bool:
            if self.call("GET", "/readyz").status != 200:
                return False
            online = {bot.bot for bot in self.stack.bots() if bot.state == "online"}
            return all(bot in online and self.worker(bot) is not None for bot in wanted)

        wait_until(online, timeout_s, 0.1)

    # --- processes -----------------------------------------------------------------------------

    def part(self, group: str) -> Part:
        """The newest supervisor that was started for ``red:1``."""
        return self.named(f"group-{group.replace(':', '-')}")

    def named(self, name: str) -> Part:
        """The newest part of this name."""
        return next(part for part in reversed(self.stack.parts) if part.name == name)

    def supervisor(self, group: str) -> Part | None:
        """That supervisor, if it runs."""
        name = f"group-{group.replace(':', '-')}"
        return next((part for part in self.stack.parts if part.name == name and part.process.poll() is None), None)

    @contextlib.contextmanager
    def second_host(self, group: str) -> Iterator[Host]:
        """Another host with the same bots: a folder, a vault and a supervisor of its own."""
        first = self.stack.host_config(group).parent
        folder = first.with_name(f"{first.name}-{next(numbers)}")
        shutil.copytree(first, folder, ignore=shutil.ignore_patterns("run"))
        change(folder / "fleet.toml", str(first), str(folder))
        part = self.stack.spawn_fleet(f"{folder.name}", "group", "start", *group.split(":"), config=folder / "fleet.toml")
        host = Host(folder, part)
        try:
            yield host
        finally:
            part.stop()
            self.stack.parts.remove(part)

    def stop(self, part: Part) -> None:
        """End a part in order, as an operator does."""
        part.stop()
        self.stack.parts.remove(part)

    def power_cut(self, group: str) -> None:
        """Everything on a group's host ends at once, what stands still too."""
        part = self.part(group)
        for pid in [part.process.pid, *self.workers(part)]:
            os.kill(pid, signal.SIGKILL)
            self.stopped.discard(pid)
        self.stop(part)

    def logged(self, part: Part, *words: str) -> bool:
        """Whether one line of a part's log holds all of these words."""
        return any(all(word in line for word in words) for line in part.log.read_text().splitlines())

    def workers(self, part: Part) -> list[int]:
        """The pids of a supervisor's workers."""
        return [int(pid) for pid in Path(f"/proc/{part.process.pid}/task/{part.process.pid}/children").read_text().split()]

    def said(self, bot: str, host: Host | None = None) -> dict[str, Any]:
        """What the worker wrote last into its status file."""
        color, _, number = bot.partition("-")
        folder = host.folder if host else self.stack.host_config(f"{color}:{(int(number) - 1) // 10 + 1}").parent
        path = folder / "run" / f"{bot}.json"
        try:
            said: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        return said

    def worker(self, bot: str, host: Host | None = None) -> int | None:
        """The pid of this bot's living worker that said of itself that it is online."""
        said = self.said(bot, host)
        pid = int(said.get("pid", 0))
        return pid if said.get("state") in ("online", "unhealthy") and pid and exists(pid) else None

    def pid(self, bot: str) -> int:
        """The same, waited for."""
        return wait_until(lambda: self.worker(bot)) or 0

    def kill(self, bot: str) -> int:
        """SIGKILL its worker; the pid that it had."""
        pid = self.pid(bot)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not exists(pid))
        return pid

    def freeze(self, pid: int) -> int:
        """SIGSTOP a process until `resume`."""
        os.kill(pid, signal.SIGSTOP)
        self.stopped.add(pid)
        wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        return pid

    def resume(self, pid: int) -> None:
        self.stopped.discard(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    # --- Redis ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def redis(self) -> Iterator[Any]:
        """A client of Redis itself, past the gates."""
        with wire.connect(self.stack.redis_url) as client:
            yield client

    def now_ms(self) -> int:
        """The time by which orders expire."""
        with self.redis() as client:
            seconds, micros = client.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def holder(self, bot: str) -> str:
        """Which run has the lease of this bot; empty: nobody."""
        with self.redis() as client:
            return (client.get(wire.lease_key(bot)) or b"").decode()

    def expire(self, begun_ms: int, bot: str) -> None:
        """Wait until an order given before then, and the lease of its stopped worker, have lapsed."""
        over_ms = begun_ms + int(self.stack.settings().trades.order_expiry_s * 1000) + 500
        wait_until(lambda: self.now_ms() > over_ms, every_s=0.1)
        wait_until(lambda: not self.holder(bot), every_s=0.1)

    def count_queued(self, bot: str, client: Any = None) -> int:
        """How many orders wait for this bot or are in its hand; ``client`` of another Redis than the one in use."""
        with contextlib.nullcontext(client) if client else self.redis() as asked:
            key = f"rq:queue:{wire.queue_name(bot)}"
            return int(asked.llen(key)) + int(asked.llen(f"{key}:intermediate"))

    # --- trades --------------------------------------------------------------------------------

    def take_stock(self) -> tuple[Player, str]:
        """A player with an item in custody that may be withdrawn, a different item each time."""
        player, ids = self.stock_keeper()
        return player, ids.pop()

    def stock_keeper(self) -> tuple[Player, list[str]]:
        """The player that `take_stock` gives, and the ids of what is left in custody: at least one."""
        if not self.stock or not self.stock[0][1]:
            player = self.player(STOCK_ITEMS + SPARE_ITEMS, habit="accept")
            self.stock[:] = [(player, self.settled_deposits(player, STOCK_ITEMS))]
        return self.stock[0]

    def mode(self, bot: str, action: str) -> None:
        """Pause, resume or drain a bot."""
        answer = self.call("POST", f"/bots/{bot.replace('-', '/')}/{action}")
        assert answer.status == 200, answer.body

    def begin_deposit(self, player: Player, assets: list[str], *, wait: int = 0) -> dict[str, Any]:
        """Ask for a deposit and do not wait for its offer."""
        body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url, "asset_ids": assets}
        return only_trade(self.call("POST", f"/deposit?wait={wait}", body))

    def begin_deposits(self, players: list[Player], assets: list[list[str]]) -> list[dict[str, Any]]:
        """A deposit of each player with a bot of its own; which bot has fewer offers may be known to it a moment late."""
        bots, trades = self.stack.wish.bot_names(), []
        for bot, player, ids in zip(bots, players, assets, strict=True):
            others = [other for other in bots if other != bot]
            for other in others:
                self.mode(other, "pause")
            trades.append(self.begin_deposit(player, ids))
            assert trades[-1]["bot"] == bot
            for other in others:
                self.mode(other, "resume")
        return trades

    def begin_withdrawal(self, player: Player, deposit_ids: list[str]) -> dict[str, Any]:
        """Ask for a withdrawal and do not wait for its offer."""
        return only_trade(self.withdraw(player, deposit_ids, wait=0))

    def story(self, trade: dict[str, Any]) -> list[dict[str, Any]]:
        """Everything that happened to one trade, in its order."""
        answer = self.call("GET", f"/trade/{trade['trade_id']}/story")
        assert answer.status == 200, answer.body
        steps: list[dict[str, Any]] = answer.body["story"]
        return steps

    def steps(self, trade: dict[str, Any], kind: str) -> list[dict[str, Any]]:
        """The data of all its steps of this kind."""
        return [step["data"] for step in self.story(trade) if step["kind"] == kind]

    def calls(self, bot: str, name: str) -> int:
        """How often this bot has called something at Steam."""
        steam_id = next(row.steam_id for row in self.stack.bots() if row.bot == bot)
        counts = get_json(f"{self.stack.control_url}/control/requests")["by_account"]
        return int(counts.get(steam_id, {}).get(name, 0))

    def accept(self, player: Player, offer_id: str) -> None:
        """The player accepts one offer by hand."""
        url = f"{self.stack.control_url}/control/people/{player.steam_id}/offers/{offer_id}"
        send_json("POST", url, {"action": "accept"})

    def offers(self, trade: dict[str, Any]) -> list[dict[str, Any]]:
        """Every offer with this trade's token that the sandbox ever saw; ``trade`` as the request answered it."""
        return [offer for offer in self.record()["offers"] if trade["token"] in offer["message"]]

    def ends_well(self, trade: dict[str, Any], *, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The trade went through: exactly one offer was ever accepted, none is left open, and the books fit the record."""
        done = self.until(trade["trade_id"], "accepted", "settled", timeout_s=timeout_s)
        states = [offer["state"] for offer in self.offers(trade)]
        assert states.count(ACCEPTED) == 1, states
        assert not set(states) & LIVE, states
        self.no_difference()
        return done

    def no_difference(self) -> None:
        """Books and record agree. A trade in the middle of its last report is given a moment."""
        found: list[str] = []

        def agree() -> bool:
            found[:] = self.differences()
            return not found

        try:
            wait_until(agree, every_s=0.3)
        except AssertionError:
            raise AssertionError(found) from None


# What stands in the requests that a gate may hold.
SEND, CONFIRM_LIST, CONFIRM = b"POST /tradeoffer/new/send", b"GET /mobileconf/getlist", b"GET /mobileconf/ajaxop"
FETCH, CLAIM, REPORT = (b"EVALSHA", b"rq:job:"), (b"EVALSHA", b"fleet:attempted:"), b"fleet:reports"

STOCK_ITEMS, SPARE_ITEMS = 20, 10
# Players with settled items, by the folder of their stack.
STOCK: dict[str, list[tuple[Player, list[str]]]] = {}

ACTIVE, ACCEPTED, CANCELED, NEEDS_CONFIRMATION = 2, 3, 6, 9
LIVE = {ACTIVE, NEEDS_CONFIRMATION, 11}


def only_trade(answer: Answer) -> dict[str, Any]:
    """The one trade that a request made."""
    assert answer.status in (201, 202), answer.body
    (trade,) = answer.body["trades"]
    found: dict[str, Any] = trade
    return found


def wish(folder: Path, *, bots: int = 2, **sections: dict[str, Any]) -> Wish:
    """A small fleet with short times; ``sections`` change settings of all its parts."""
    return Wish(
        directory=folder,
        bots_per_group=bots,
        players=0,
        protection_s=PROTECTION_S,
        log_level="debug",
        overrides=short(**sections),
    )
