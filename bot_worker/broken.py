"""A worker that cannot be built: the vault does not open, a secret in it is none, a folder is missing, or a mistake of ours.

The process stays, says why (to the balancer too, if the vault has the bot's keys), and is built again a while later; it is not
started anew for ever.
"""

from __future__ import annotations

import contextlib
import threading

import redis

from bot_worker import backoff
from bot_worker.bot import Health
from bot_worker.heartbeat import Beats, status_file
from bot_worker.lease import Lease
from bot_worker.steam.maintenance import Maintenance
from bot_worker.steam.transport import Observer
from bot_worker.vault import Vault
from shared import log, wire
from shared.clock import Clock, ServerClock
from shared.errors import VaultError
from shared.sealing import BotKeys
from shared.settings import Settings

VAULT = "vault"

_log = log.get(__name__)


def say_why(
    settings: Settings, bot: str, run: str, stop: threading.Event, error: Exception, wait_s: float, parent: int | None
) -> None:
    """Say why this worker could not be built, for so many seconds or until it shall stop."""
    if isinstance(error, VaultError):
        reason, action = VAULT, f"{error.detail}; it is tried again"
        _log.error("cannot_start", reason=error.detail, again_s=wait_s)
    else:
        reason, action = backoff.INTERNAL, backoff.unexpected_action(error)
        _log.error("cannot_start", again_s=wait_s, exc_info=error)
    keys, steam_id = _known(settings, bot)
    clock = Clock.of(settings.clock)
    health = Health()
    health.is_now("unhealthy", reason, action)
    with wire.connect(settings.redis.url, timeout_s=settings.redis.timeout_s) as client:
        lease = Lease(client, bot, run, settings.group.lease_s)
        beats = Beats(
            client,
            lease,
            keys or BotKeys(bot, b"", b""),
            steam_id,
            health,
            Observer(Maintenance(clock, settings.steam)),
            clock,
            ServerClock(clock),
            stop,
            every_s=settings.group.heartbeat_s,
            status_file=status_file(settings.group.status_dir, bot) if parent is not None else None,
            parent=parent,
        )
        if keys is not None and steam_id:
            beats.holding = _take(lease)
        beats.start()
        stop.wait(wait_s)
        beats.close()
        if beats.holding:
            with contextlib.suppress(redis.RedisError):
                lease.release()


def _known(settings: Settings, bot: str) -> tuple[BotKeys | None, str]:
    """The bot's keys and Steam id, as far as the vault tells them."""
    keys, steam_id = None, ""
    with contextlib.suppress(Exception):
        vault = Vault.open(settings.group)
        keys = vault.keys(bot)
        steam_id = vault.steam_id(bot)
    return keys, steam_id


def _take(lease: Lease) -> bool:
    try:
        return lease.take()
    except redis.RedisError:
        return False
