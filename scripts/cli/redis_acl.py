"""Who may do what in Redis: an access list in which each host reaches its own bots' keys only, and a balancer what it uses.

Pure: names and password hashes in, the lines of an ACL file out. Scripts (EVAL) reach no further than their user: Redis checks
each call inside them against the same list. What a host may still do to others is to trim or flood the stream of reports, to
which everybody appends, and to hold an egress address that it is told to share; both cost time and no item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from shared import wire
from shared.domain.ids import bots_of_group

Version = tuple[int, ...]

OLDEST: Version = (7, 0)  # the first with selectors and with rights to read or write a key
# Rules that an older server does not know; it would not start with them. What they let through is not needed, only asked for.
SINCE: dict[str, Version] = {"+client|setinfo": (7, 2)}

OPERATOR = "operator"
BALANCER = "balancer"
SITE = "site"

_EVERYBODY = "+ping +select +client|setinfo +client|setname +time +multi +exec +eval +evalsha +script|load"
_BALANCER = (
    "+hset +expire +pexpire +sadd +rpush +exists +get +mget +set +del +strlen +sscan "
    "+xgroup|create +xreadgroup +xautoclaim +xack +xtrim +xpending +xinfo|groups +publish +subscribe +unsubscribe"
)
_BALANCER_KEYS = (
    *("~rq:queues", "~rq:queue:*", "~rq:job:*", f"~{wire.REPORTS}", f"~{wire.BOTS}"),
    *(f"~{wire.heartbeat_key('*')}", f"~{wire.recall_key('*', '*')}", f"~{wire.leader_key('*')}", f"~{wire.look_key('*')}"),
    *(f"~{wire.rate_key('*', '*')}", f"~{wire.reads_key('*')}"),
)
# The website's hints, marks and limits (SITE_REDIS_PREFIX): it sees nothing of the fleet here, nor the fleet anything of it.
_SITE = "~site:* &site:*"
_SITE_MAY = "+get +set +zadd +zrange +zrem +publish +subscribe +unsubscribe"
_HOST = (
    "+client|info +info +blmove +lmove +lpush +lrem +type +get +set +del +exists +expire +pexpire +pttl "
    "+hset +hexists +hmget +hstrlen +sadd +srem"
)
# Keys that all hosts share: what else a host may do with its own keys, it may not do with these.
_HOST_SHARED = f"(+xadd %W~{wire.REPORTS}) (+sadd %W~{wire.BOTS}) (+sadd +srem %W~rq:workers)"


def host_user(group: str) -> str:
    """The Redis user of the host that runs a group: ``host-red-1`` for ``red:1``."""
    return f"host-{group.replace(':', '-')}"


def group_of_user(user: str) -> str | None:
    """The group of a host's user; ``None`` for another user."""
    color, dash, number = user.removeprefix("host-").rpartition("-")
    return f"{color}:{number}" if user.startswith("host-") and dash else None


def hash_of(password: str) -> str:
    """What the list keeps of a password."""
    return hashlib.sha256(password.encode()).hexdigest()


def lines(hashes: Mapping[str, str], egress: Iterable[str] = ("*",), version: Version = OLDEST) -> list[str]:
    """The ACL file. ``hashes`` are those of the passwords by user: operator, balancers, site, each host (`host_user`).

    ``egress`` are the addresses (a host's name, or ``proxy:port``) whose spacing hosts share; ``*`` is every one.
    ``version`` is that of the oldest Redis or Valkey that reads the file.
    """
    written = ["user default reset"]
    for user, digest in hashes.items():
        group = group_of_user(user)
        if user == OPERATOR:
            may = "~* &* +@all"
        elif user == SITE:
            may = f"{_SITE} {_EVERYBODY} {_SITE_MAY}"
        elif group is None:
            may = f"{' '.join(_BALANCER_KEYS)} &{wire.CHANGES} {_EVERYBODY} {_BALANCER}"
        else:
            keys = [key for name in bots_of_group(*_parts(group)) for key in _keys_of(str(name))]
            keys += [f"~{wire.pace_key(address, '*')}" for address in egress]
            may = f"{' '.join(keys)} {_EVERYBODY} {_HOST} {_HOST_SHARED}"
        known = " ".join(rule for rule in may.split(" ") if SINCE.get(rule, OLDEST) <= version)
        written.append(f"user {user} reset on #{digest} {known}")
    return written


def _parts(group: str) -> tuple[str, int]:
    color, _, number = group.partition(":")
    return color, int(number)


def _keys_of(bot: str) -> list[str]:
    queue = f"~rq:queue:{wire.queue_name(bot)}"
    return [
        *(queue, f"{queue}:intermediate", f"~{wire.job_key(bot, '*')}"),
        *(f"~rq:worker:{bot}", f"~rq:worker:{bot}:*", f"~rq:workers:{wire.queue_name(bot)}"),
        *(f"~{wire.lease_key(bot)}", f"~{wire.memory_key(bot)}", f"~{wire.heartbeat_key(bot)}"),
        *(f"~{wire.recall_key(bot, '*')}", f"~{wire.attempted_key(bot, '*')}"),
    ]
