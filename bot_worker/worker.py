"""One bot, one process: lease, sign-in, then orders until told to stop."""

from __future__ import annotations

import signal
import threading
import uuid
from types import FrameType

import redis
import structlog

from bot_worker import backoff, broken, identity, memory, orders, own_account
from bot_worker.backoff import sign_in_action, sign_in_pause
from bot_worker.bot import Bot, Health
from bot_worker.credentials.accounts import check_account, egress_of
from bot_worker.heartbeat import Beats, status_file
from bot_worker.lease import Lease, LeaseLost
from bot_worker.orders import send
from bot_worker.reporting import Reporter
from bot_worker.rq_worker import OrderWorker, put_back, put_right
from bot_worker.steam.connection import UNREADABLE, Connection
from bot_worker.steam.pace import Pace
from bot_worker.steam.session import SteamSession
from bot_worker.steam.transport import quiet_libraries
from bot_worker.vault import Vault
from shared import log, wire
from shared.away import RedisAway
from shared.clock import Clock, ServerClock
from shared.errors import SteamError, VaultError
from shared.settings import Settings

# Another server may run on another clock; hosts and servers are at most 30 s off each (Bot.time_is_sure).
SERVER_CHANGED_MARGIN_MS = 60_000
REDIS_AGAIN_S = 1.0

_log = log.get(__name__)


def new_run(bot: str) -> str:
    """A name for one process' time with a bot; it stands in the lease and in reports."""
    return f"{bot}/{uuid.uuid4().hex[:16]}"


def main(settings: Settings, bot: str, run: str, parent: int | None = None) -> int:
    """Run one bot until SIGTERM, SIGINT, a lost lease or the end of process ``parent``. The exit status.

    0: told to stop. 3: another worker has the bot. What keeps it from starting is told, and tried again.
    """
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    quiet_libraries()
    structlog.contextvars.bind_contextvars(bot=bot)
    return work(settings, bot, run, stop, parent)


def work(settings: Settings, bot: str, run: str, stop: threading.Event, parent: int | None = None) -> int:
    """As `main`, until ``stop`` is set."""
    failures = 0
    while not stop.is_set():
        try:
            worker = Worker(settings, bot, run, stop, parent=parent)
        except Exception as error:
            failures += 1
            wait_s = backoff.unexpected_pause(failures, settings.pace.retry_s)
            broken.say_why(settings, bot, run, stop, error, wait_s, parent)
        else:
            return worker.run()
    return 0


class Worker:
    """Builds everything that a bot needs, in order, and closes it in reverse."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        run: str,
        stop: threading.Event,
        *,
        parent: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        vault = Vault.open(settings.group)
        keys = vault.keys(name)
        if keys is None:
            raise VaultError(f"the vault has no keys of {name}; put them there with `fleet bots keys`")
        account = vault.account(name)
        check_account(account)
        self._settings = settings
        self._stop = stop
        self._failures = 0  # exceptions in a row that nobody expected
        # The queue is read with its own client: its blocking reads and the heartbeats must not share a timeout.
        self._client = wire.connect(settings.redis.url, timeout_s=settings.redis.timeout_s)
        self._queue_client = wire.connect(settings.redis.url, timeout_s=settings.redis.timeout_s)
        clock = clock or Clock.of(settings.clock)
        self._away = RedisAway(settings.redis.url, clock)
        server_clock = ServerClock(clock)
        pace = Pace(self._client, egress_of(account.proxy), settings.pace, clock, stop.wait)
        connection = Connection(
            account,
            vault.session(name),
            settings,
            pace,
            save=lambda saved: vault.save_session(name, saved),
            sleep=stop.wait,
            clock=clock,
        )
        session = SteamSession(connection)
        self.bot = Bot(
            name=name,
            settings=settings,
            keys=keys,
            session=session,
            redis=self._client,
            lease=Lease(self._client, name, run, settings.group.lease_s),
            reporter=Reporter(self._client, keys, run, server_clock, stop.wait),
            clock=clock,
            server_clock=server_clock,
            stop=stop,
            health=Health(),
        )
        self.beats = Beats(
            self._client,
            self.bot.lease,
            keys,
            account.steam_id,
            self.bot.health,
            session.observer,
            clock,
            server_clock,
            stop,
            every_s=settings.group.heartbeat_s,
            status_file=status_file(settings.group.status_dir, name) if parent is not None else None,
            parent=parent,
            egress=egress_of(account.proxy),
            read_every_s=settings.pace.inventory_s,
            pause=pace.pause,
        )

        self._reported = self.bot.health.restrictions

    def run(self) -> int:
        """Work until told to stop; the exit status."""
        self.beats.start()
        try:
            if self.take_lease():
                self._work()
        finally:
            self.close()
        return 3 if self.beats.lost else 0

    def close(self) -> None:
        """Let go of the bot. The order in hand is done by then."""
        if not self.beats.lost:
            self.bot.health.is_now("stopping")
        self.beats.close()
        try:
            if self.beats.holding and self.bot.lease.take():
                put_right(self._client, self.bot.name)
                self.bot.lease.release()
        except redis.RedisError as error:
            _log.warning("lease_not_released", error=type(error).__name__)
        self._client.close()
        self._queue_client.close()

    def take_lease(self) -> bool:
        """Wait until no other worker has this bot. False: told to stop first."""
        while not self._stop.is_set():
            try:
                if self.bot.lease.take():
                    self._begin()
                    self.beats.holding = True
                    _log.info("lease_taken", run=self.bot.lease.run)
                    return True
                self.bot.health.is_now("waiting", "lease", "another worker has this bot; this one waits")
            except redis.RedisError as error:
                self.bot.health.is_now("starting", "redis", "Redis cannot be reached")
                self._away.noticed(error)
            except Exception as error:
                self._unexpected(error)
            self._stop.wait(min(self._settings.group.lease_s / 5, REDIS_AGAIN_S))
        return False

    def _begin(self) -> None:
        """What to know before the first order: the time, whether Redis can have forgotten markers, what a dead worker left."""
        bot = self.bot
        wire.measure_time(bot.redis, bot.clock, bot.server_clock)
        bot.memory.redis_run, bot.memory.lease_doubt_before_ms = bot.lease.remember_server(
            SERVER_CHANGED_MARGIN_MS, bot.clock.moved_ms
        )
        put_back = put_right(bot.redis, bot.name)
        if put_back:
            _log.warning("orders_put_back", count=put_back)

    def order_worker(self) -> OrderWorker:
        """RQ's side of this worker, registered there."""
        bot = self.bot
        worker = OrderWorker(
            bot.name,
            self._queue_client,
            carry_out=lambda sealed: orders.carry_out(sealed, bot),
            refuse=lambda reason: orders.refuse(bot, reason),
        )
        worker.register_birth()  # type: ignore[no-untyped-call]
        return worker

    def _work(self) -> None:
        worker = self._registered()
        while worker is not None and self.sign_in():
            self._work_queue(worker)

    def _registered(self) -> OrderWorker | None:
        """RQ's side of this worker, as soon as Redis takes it; ``None``: told to stop first."""
        while not self._stop.is_set():
            try:
                return self.order_worker()
            except redis.RedisError as error:
                self._away.noticed(error)
                self._stop.wait(REDIS_AGAIN_S)
            except Exception as error:
                self._unexpected(error)
        return None

    def _work_queue(self, worker: OrderWorker) -> None:
        """Carry out orders until told to stop or until the session is lost."""
        untidy = True
        while not self._stop.is_set() and not self.bot.needs_sign_in:
            try:
                self._know_server()
                worked = worker.work_one()
                self._away.back()
                self._as_expected()
                self._look_at_restrictions()
                if not worked:
                    self._look_at_identity()
                if untidy and not worked:
                    memory.tidy()
                untidy = worked
            except LeaseLost:
                _log.error("lease_lost")
                self.beats.holding, self.beats.lost = False, True
                self._stop.set()
            except redis.RedisError as error:
                self._away.noticed(error)
                self.bot.reporter.was_away = True
                if not self._stop.wait(REDIS_AGAIN_S):
                    self._deliver_again()
            except Exception as error:
                self._unexpected(error)

    def _unexpected(self, error: Exception) -> None:
        """An exception that nobody expected is told as trouble of this bot, with its type and place; then wait a while."""
        self._failures += 1
        _log.error("unexpected", again_s=self._pause_s(), exc_info=error)
        self.bot.health.is_now("unhealthy", backoff.INTERNAL, backoff.unexpected_action(error))
        self.beats.nudge()
        self._stop.wait(self._pause_s())

    def _pause_s(self) -> float:
        return backoff.unexpected_pause(self._failures, self._settings.pace.retry_s)

    def _as_expected(self) -> None:
        """It goes on, so that trouble is over."""
        self._failures = 0
        if self.bot.health.reason == backoff.INTERNAL:
            self.bot.health.is_now("online")
            self.beats.nudge()

    def _look_at_restrictions(self) -> None:
        """Ask whether a restriction has ended, if it is time to; and let the balancer know at once what has changed."""
        before = self._reported
        try:
            own_account.probe(self.bot)
        except (LeaseLost, redis.RedisError):
            raise
        except Exception:
            _log.exception("probe_failed")  # a mistake of ours must not take the bot out of service
        self._reported = self.bot.health.restrictions
        if self._reported is not before:
            self.beats.nudge()

    def _look_at_identity(self) -> None:
        """Who the account is, if it is time to ask; what nobody expected there must not take the bot out of service."""
        try:
            if identity.refresh(self.bot):
                self.beats.nudge()
        except redis.RedisError:
            raise
        except Exception:
            _log.exception("identity_failed")

    def _know_server(self) -> None:
        """After Redis was away it may be another one. What is issued after this look was begun by nobody."""
        if self.bot.reporter.was_away:
            send.look_at_server(self.bot)
            self.bot.reporter.was_away = False

    def _deliver_again(self) -> None:
        """Redis was away in the middle of an order: put it back. If Redis is still away, the next round does it."""
        try:
            if self.bot.lease.take():
                put_back(self.bot.redis, self.bot.name)
        except redis.RedisError as error:
            self._away.noticed(error)

    def sign_in(self) -> bool:
        """Sign in; after a failure, wait as long as its cause calls for. False: told to stop."""
        health, failures = self.bot.health, 0
        while not self._stop.is_set():
            if health.state != "unhealthy":
                health.is_now("signing_in")
            try:
                self.bot.session.sign_in()
                self._count_items()
            except SteamError as error:
                if self._stop.is_set():
                    return False
                failures += 1
                pause_s = sign_in_pause(error, failures, self._settings.pace.retry_s)
                _log.error("sign_in_failed", reason=error.error_code, result=error.result, again_s=pause_s)
                health.is_now("unhealthy", error.error_code, sign_in_action(error))
                self.beats.nudge()
                self._stop.wait(pause_s)
                continue
            except redis.RedisError as error:
                # The pace that the workers of an address share lies there.
                self._away.noticed(error)
                self._stop.wait(REDIS_AGAIN_S)
                continue
            except Exception as error:
                # Whatever Steam has sent: no exception in a sign-in ends the process, or it would start anew for ever.
                self._unexpected(error)
                continue
            self._failures = 0
            self.bot.needs_sign_in = False
            health.is_now("online")
            self.beats.nudge()
            _log.info("online", items=health.items)
            return True
        return False

    def _count_items(self) -> None:
        """How many slots are taken, and whether Steam lets us trade at all: the balancer needs both before the first trade. No
        start ends because they cannot be read."""
        if self.bot.health.items is not None:
            return
        try:
            own_account.seen_bans(self.bot, self.bot.session.banned(self.bot.session.steam_id))
            self.bot.health.items = len(self.bot.session.inventories.own_inventory().held)
        except SteamError as error:
            if error.error_code != UNREADABLE:
                raise
            _log.error("items_not_counted", reason=error.reason)
