"""A bot at a simulated Steam, for the tests of the bot's side: give it orders, cause trouble, read its reports."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import redis
import requests
from hand_clock import HandClock

from bot_worker.bot import Bot
from bot_worker.rq_worker import OrderWorker
from bot_worker.steam import transport
from bot_worker.steam.session import SteamSession
from bot_worker.steam.transport import SteamAdapter
from bot_worker.vault import Account, SavedSession, Vault
from bot_worker.worker import Worker, new_run
from shared import settings as settings_module
from shared import wire
from shared.domain.items import Asset
from shared.orders import (
    DeclineOrder,
    OfferOrder,
    Order,
    Payload,
    SendOrder,
    WatchedTrade,
    WatchOrder,
)
from shared.reports import Heartbeat, Report
from shared.sealing import BotKeys, MasterKey
from shared.settings import Settings

MASTER = MasterKey(b"m" * 32)
FAST = {
    "sign_in_s": 0,
    "send_s": 0,
    "confirm_s": 0,
    "confirm_list_s": 0,
    "read_s": 0,
    "look_s": 0,
    "inventory_s": 0,
    "retry_s": 0.005,
}
# On a Tuesday evening tests say the same as on a Sunday.
NO_WEEKLY_HOURS = {"maintenance_lasts_s": 0.0}
numbers = itertools.count(1)


def ask(url: str, method: str = "GET", body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, method=method, data=data), timeout=120) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@dataclass
class SteamAccount:
    """One account of the sandbox and what its person can do."""

    control: str
    steam_id: str
    trade_token: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"{self.control}/control/accounts/{self.steam_id}"

    def change(self, **values: Any) -> None:
        answer = ask(self.url, "PATCH", values)
        self.trade_token = answer["trade_token"]

    def items(self, context_id: int = 2) -> list[dict[str, Any]]:
        rows = ask(f"{self.control}/control/record?part=assets")["assets"]
        return [row for row in rows if row["owner"] == self.steam_id and row["context_id"] == context_id]

    def assets(self, count: int = 1) -> list[Asset]:
        """That many that can be traded; where chance has made too few of them, more are made."""
        while len(free := [Asset(730, "2", row["asset_id"]) for row in self.items() if row["tradable"]]) < count:
            ask(f"{self.url}/items", "POST", {"count": 1})
        return free[:count]

    def give_items(self, *names: str, **more: Any) -> list[dict[str, Any]]:
        body = {"items": [{"market_hash_name": name, **more} for name in names]}
        rows: list[dict[str, Any]] = ask(f"{self.url}/items", "POST", body)["assets"]
        return rows

    def act(self, offer_id: str, action: str) -> None:
        ask(f"{self.control}/control/people/{self.steam_id}/offers/{offer_id}", "POST", {"action": action})

    def offers(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = ask(f"{self.control}/control/people/{self.steam_id}/offers")["offers"]
        return rows

    def fault(self, route: str, kind: str, **more: Any) -> None:
        body = {"route": route, "kind": kind, "account": self.steam_id, **more}
        ask(f"{self.control}/control/faults", "POST", body)

    def requests(self) -> dict[str, int]:
        counts: dict[str, int] = ask(f"{self.control}/control/requests")["by_account"].get(self.steam_id, {})
        return counts


@dataclass
class SteamWorld:
    """The sandbox, through its control API."""

    steam: str
    control: str
    moved_s: float = 0.0

    def account(self, kind: str, items: int = 3, **more: Any) -> SteamAccount:
        row = ask(f"{self.control}/control/accounts", "POST", {"kind": kind, "items": items, "habit": "manual", **more})
        return SteamAccount(self.control, row["steam_id"], row["trade_token"])

    def credentials(self, account: SteamAccount) -> dict[str, str]:
        rows = ask(f"{self.control}/control/credentials")["accounts"]
        found: dict[str, str] = next(row for row in rows if row["steam_id"] == account.steam_id)
        return found

    def vault_account(self, account: SteamAccount, bot: str) -> Account:
        row = self.credentials(account)
        names = ("account_name", "password", "steam_id", "shared_secret", "identity_secret", "device_id")
        return Account(bot, **{name: row[name] for name in names})

    def pass_time(self, seconds: float) -> None:
        ask(f"{self.control}/control/clock", "POST", {"advance_s": seconds})
        self.moved_s += seconds

    def put_clock_back(self) -> None:
        """Its time is the time again that a new lab's clock shows."""
        if self.moved_s:
            self.pass_time(-self.moved_s)

    def change_rules(self, **values: Any) -> None:
        ask(f"{self.control}/control/settings", "PATCH", values)

    def clear_faults(self) -> None:
        ask(f"{self.control}/control/faults", "DELETE")


def bot_settings(redis_url: str, steam_url: str, folder: Path, **more: dict[str, Any]) -> Settings:
    values: dict[str, dict[str, Any]] = {
        # Nobody keeps the lease of a lab, and no answer is late because the machine is slow: a test whose subject is that
        # time sets it short.
        "redis": {"url": redis_url, "timeout_s": 60.0},
        "steam": {"base_url": steam_url, "connect_timeout_s": 60.0, "read_timeout_s": 60.0, **NO_WEEKLY_HOURS},
        "group": {
            "vault_file": str(folder / "vault"),
            "vault_key_file": str(folder / "vault.key"),
            "status_dir": str(folder / "run"),
            "heartbeat_s": 0.2,
            "lease_s": 3600.0,
        },
        "pace": dict(FAST),
        "trades": {"absent_after_s": 0.0},
    }
    for section, changes in more.items():
        values.setdefault(section, {}).update(changes)
    return settings_module.load(None, values)


def fill_vault(settings: Settings, account: Account) -> Vault:
    vault = Vault.open(settings.group, create=True)
    vault.put([account])
    vault.put_keys([MASTER.bot(account.bot)])
    return vault


class Stop(threading.Event):
    """What a worker waits on; ``waiting`` is called in place of a wait of that many seconds, and says whether to stop."""

    waiting: Callable[[float], bool] | None = None

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(timeout) if self.waiting is None else self.waiting(timeout or 0.0)


class Otherwise:
    """Something of the bot's that does some calls otherwise."""

    def __init__(self, real: Any, **calls: Callable[..., Any]) -> None:
        vars(self).update(calls, _real=real)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._real.__setattr__(name, value)


def does_otherwise(owner: Any, part: str, **calls: Callable[..., Any]) -> None:
    """From now on this part of a bot or worker (``session``, ``session.phone``, ``lease`` …) does these calls otherwise."""
    path, _, name = part.rpartition(".")
    whose = attrgetter(path)(owner) if path else owner
    setattr(whose, name, Otherwise(getattr(whose, name), **calls))


class Killed(BaseException):
    """SIGKILL, as far as one process can tell."""


def killed_at(call: Callable[..., Any], moment: str) -> Callable[..., Any]:
    """The call, in which the process dies: ``before`` it has any effect, or ``after``."""

    def die(*arguments: Any, **more: Any) -> Any:
        if moment == "after":
            call(*arguments, **more)
        raise Killed

    return die


def order_for(bot: str, clock: HandClock, kind: str, payload: Payload, **more: Any) -> Order:
    """An order that could be given now; ``more`` are other values of its fields."""
    number, now_ms = next(numbers), clock.now_ms()
    values: dict[str, Any] = {
        "order_id": f"or_{number}",
        "kind": kind,
        "bot": bot,
        "trade_id": f"tr_{number}",
        "attempt": 1,
        "issued_at_ms": now_ms + 5,
        "expires_at_ms": now_ms + 3_600_000,
        "payload": payload,
    }
    return Order(**{**values, **more})


class Lab:
    """One bot, signed in, with its lease; a balancer's view of its queue and its reports."""

    def __init__(self, world: SteamWorld, settings: Settings, me: SteamAccount, name: str = "red-1") -> None:
        self.world = world
        self.settings = settings
        self.me = me
        self.name = name
        self.keys: BotKeys = MASTER.bot(name)
        self.redis: redis.Redis = wire.connect(settings.redis.url, timeout_s=settings.redis.timeout_s)
        fill_vault(settings, world.vault_account(me, name))
        self.clock = HandClock(runs=True)
        self.start()
        self._read = "0"

    def start(self) -> None:
        """A worker of its own; called again, a new one after the death of the first."""
        self.stop = Stop()
        self.worker = Worker(self.settings, self.name, new_run(self.name), self.stop, clock=self.clock)
        assert self.worker.take_lease()
        self.bot: Bot = self.worker.bot
        self.bot.session.sign_in()
        self.rq: OrderWorker = self.worker.order_worker()

    def die(self) -> None:
        """As after SIGKILL and the supervisor's cleaning up: nothing is told, the lease is free."""
        self.redis.delete(wire.lease_key(self.name))

    def close(self) -> None:
        self.worker.close()
        self.redis.close()

    @contextlib.contextmanager
    def steam_does(self, **calls: Callable[..., Any]) -> Iterator[None]:
        """Meanwhile these calls of the bot's session, or of its phone or inventories, are done otherwise."""
        session = self.bot.session
        parts = {name: getattr(session, name) for name in ("phone", "inventories")}
        of_parts = {name: {call: calls.pop(call) for call in [*calls] if hasattr(part, call)} for name, part in parts.items()}
        otherwise: dict[str, Any] = {name: Otherwise(parts[name], **mine) for name, mine in of_parts.items()}
        self.bot.session = cast(SteamSession, Otherwise(session, **calls, **otherwise))
        try:
            yield
        finally:
            self.bot.session = session

    def order(self, kind: str, payload: Payload, **more: Any) -> Order:
        return order_for(self.name, self.clock, kind, payload, **more)

    def send_order(self, partner: SteamAccount, give: list[Asset], take: list[Asset], **more: Any) -> Order:
        token = f"token-{next(numbers):016d}"
        message = f"http://127.0.0.1/verify/{token} hello"
        return self.order("send", SendOrder(token, partner.steam_id, partner.trade_token, message, give, take), **more)

    def watched(self, order: Order, offer_id: str | None = None, status: str = "sent") -> WatchedTrade:
        sent = order.payload
        assert isinstance(sent, SendOrder)
        return WatchedTrade(
            order.trade_id or "",
            order.attempt,
            sent.token,
            sent.partner,
            offer_id,
            status,
            sent.give,
            sent.take,
            sent.trade_token,
        )

    def watch_order(self, *trades: WatchedTrade, **more: Any) -> Order:
        return self.order("watch", WatchOrder(list(trades), self.clock.now_ms() // 1000 - 60), **more)

    def find_order(self, *trades: WatchedTrade, **more: Any) -> Order:
        return self.order("find", WatchOrder(list(trades), self.clock.now_ms() // 1000 - 60), trade_id=None, **more)

    def heartbeat(self) -> Heartbeat:
        """What the worker says of itself now."""
        self.worker.beats.holding = True
        self.worker.beats.beat()
        sealed: Any = self.redis.get(wire.heartbeat_key(self.name))
        return wire.open_heartbeat(self.name, sealed, self.keys)

    def offer_order(self, kind: str, trade: WatchedTrade) -> Order:
        payload = OfferOrder(trade.token, trade.partner, trade.offer_id, trade.give, trade.take)
        return self.order(kind, payload, trade_id=trade.trade_id, attempt=trade.attempt)

    def decline_order(self, *, keep_gifts: bool = False, idle: bool = False) -> Order:
        return self.order("decline", DeclineOrder(keep_gifts, idle), trade_id=None)

    def enqueue(self, *orders: Order) -> None:
        wire.enqueue(self.redis, [(order, self.keys) for order in orders], "2026-11-21T00:00:00.000000Z")

    def do(self, *orders: Order) -> list[Report]:
        """Put orders into the queue, let the worker carry them out, and read what it reported."""
        self.enqueue(*orders)
        for _ in orders:
            assert self.rq.work_one(1)
        return self.reports()

    def reports(self) -> list[Report]:
        """What was reported since the last look."""
        found = []
        entries: Any = self.redis.xrange(wire.REPORTS, min=f"({self._read}" if self._read != "0" else "-")
        for entry_id, fields in entries:
            self._read = entry_id.decode()
            found.append(wire.open_report(self.name, fields[b"sealed"], self.keys))
        return found

    def saved(self) -> SavedSession:
        return Vault.open(self.settings.group).session(self.name)


def kinds(reports: list[Report]) -> list[str]:
    return [report.kind for report in reports]


class Counting:
    """Counts round trips to Redis made through a client."""

    def __init__(self, *clients: redis.Redis) -> None:
        self.count = 0
        for client in clients:
            pool = client.connection_pool
            original = pool.get_connection
            pool.get_connection = self._counted(original)  # type: ignore[method-assign]

    def _counted(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def get_connection(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return original(*args, **kwargs)

        return get_connection


@contextlib.contextmanager
def twist(lab: Lab, call: str, change: Callable[[requests.Response], None]) -> Iterator[None]:
    """Let Steam answer this kind of call otherwise, in every session that the bot has or makes meanwhile."""
    send = SteamAdapter.send

    def twisted(adapter: SteamAdapter, request: requests.PreparedRequest, *rest: Any, **options: Any) -> requests.Response:
        response = send(adapter, request, *rest, **options)
        if transport.call_name(request.url or "") == call:
            change(response)
            lab.bot.session.observer.end(request.url or "", response, 1.0)
        return response

    SteamAdapter.send = twisted  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        SteamAdapter.send = send  # type: ignore[method-assign]
