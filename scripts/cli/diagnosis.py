"""What is wrong with a fleet as it stands, and what to do about each. Pure: what was seen in, findings out.

`scripts.cli.examination` looks. What settings and their files tell by themselves is in `scripts.cli.config_findings`. A part
that could not be looked at is ``None`` here: why is told by whoever tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shared.domain.health import RESTRICTED, rule_of

PYTHON_MIN = (3, 11)
REDIS_MIN = (7, 0)
DISK_LOW_SHARE = 0.1
DISK_LOW_BYTES = 1 << 30
DISK_FULL_BYTES = 64 << 20
MEMORY_LOW_SHARE = 0.8
CLOCK_OFF_S = 30.0  # what `shared.clock` goes by
CLOCK_UNSURE_S = 5.0  # a worker that is unsure by more sends nothing
DAY_H = 24.0
WEBHOOK_FAILS_S = 3600.0  # a receiver that is being restarted is back long before
FILE = "file"  # of `balancer.items.feeds.sources`
NO_HEARTBEAT = "no heartbeat"  # of `balancer.fleet.snapshot`: nothing more than that it is away


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing to mend. An ``error`` keeps trades from going on or is unsafe; a ``warning`` will, or may be meant.

    ``about`` is a part: ``redis``, ``database``, ``bot red-3`` …
    """

    level: Literal["error", "warning"]
    about: str
    text: str
    do: str


@dataclass(frozen=True, slots=True)
class Disk:
    """Where something is written, and how much room is left there."""

    what: str
    path: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Redis:
    """What Redis says of itself; ``None`` where this user may not ask. ``clock_ahead_s`` is this machine's, against Redis'."""

    clock_ahead_s: float
    clock_doubt_s: float
    version: tuple[int, ...] | None = None
    appends: bool | None = None
    snapshot_failed: bool = False
    append_failed: bool = False
    memory_bytes: int = 0
    memory_max_bytes: int = 0
    user: str | None = None
    others_without_password: bool = False
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Database:
    """How the database stands to this release. ``missing`` are revisions that a start of a balancer brings."""

    made: bool
    missing: int = 0
    writable: bool = True
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Port:
    """Who answers at the balancer's address: nobody, a balancer, or something else. ``unready`` are its own words."""

    address: str
    answers: Literal["nobody", "balancer", "other"]
    unready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bot:
    """One bot by its worker's last word. ``why`` are Steam's restrictions, ``action`` the worker's own advice."""

    name: str
    state: str
    reason: str | None = None
    action: str | None = None
    mode: str = "active"
    why: tuple[str, ...] = ()
    frozen_by: str | None = None
    silent_s: float | None = None
    waits_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One source of values: how old its list is (``None``: it never had one), how old it may get, and what is wrong with it.

    ``held`` says why a newer list is held back, with its digest.
    """

    name: str
    age_s: float | None
    age_max_s: float
    error: str | None = None
    held: str | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """How many items have a value, where values come from, and how old games take them."""

    names: int
    age_max_s: float
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Webhook:
    """A target of webhooks that takes no events: for how long, how many wait, and why nothing is sent any more, if so."""

    target_id: str
    host: str
    waiting: int
    failing_s: float | None = None
    disabled_why: str | None = None


@dataclass(frozen=True, slots=True)
class OldLock:
    """A lock of items in a game that was made long ago."""

    ref: str
    client: str
    age_h: float


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was looked at on this machine."""

    python: tuple[int, int, int]
    disks: Sequence[Disk] = ()
    redis: Redis | None = None
    database: Database | None = None
    port: Port | None = None
    bots: Sequence[Bot] | None = None
    prices: Prices | None = None
    webhooks: Sequence[Webhook] = ()
    locks: Sequence[OldLock] = ()
    paused: Mapping[str, str] = field(default_factory=dict)


Troubles = Iterator[Trouble]


def error(about: str, text: str, do: str) -> Trouble:
    return Trouble("error", about, text, do)


def warning(about: str, text: str, do: str) -> Trouble:
    return Trouble("warning", about, text, do)


def diagnose(seen: Seen) -> list[Trouble]:
    """Everything that is wrong, errors first, otherwise in the order of the parts."""
    found = [trouble for check in CHECKS for trouble in check(seen)]
    return sorted(found, key=lambda trouble: trouble.level != "error")


def _python(seen: Seen) -> Troubles:
    if seen.python[:2] < PYTHON_MIN:
        yield error("python", f"Python {_dotted(seen.python)} is too old", "install Python 3.11 or newer, and make .venv again")


def _disks(seen: Seen) -> Troubles:
    for disk in seen.disks:
        free = _size(disk.free_bytes)
        if disk.free_bytes < DISK_FULL_BYTES:
            yield error("disk", f"{disk.path} ({disk.what}) has {free} left", "free space there now: nothing can be written")
        elif disk.free_bytes < min(DISK_LOW_BYTES, disk.total_bytes * DISK_LOW_SHARE):
            yield warning("disk", f"{disk.path} ({disk.what}) has {free} left", "free space there, or give it a larger disk")


def _redis(seen: Seen) -> Troubles:
    redis = seen.redis
    if redis is None:
        return
    if redis.version is not None and redis.version[:2] < REDIS_MIN:
        text = f"Redis {_dotted(redis.version)} knows no access lists as `fleet redis acl` writes them"
        yield error("redis", text, "use Redis 7.0 or newer, or Valkey")
    if redis.snapshot_failed or redis.append_failed:
        what = "its append-only file" if redis.append_failed else "a snapshot"
        yield error(
            "redis", f"Redis could not write {what}, and then takes no orders", "give its disk space; its log says more"
        )
    elif redis.appends is False:
        text = "Redis keeps nothing over a restart: every order that waits is searched for and given again, which takes minutes"
        yield warning("redis", text, "write `appendonly yes`, as in config/redis/redis.conf")
    if redis.memory_max_bytes and redis.memory_bytes > redis.memory_max_bytes * MEMORY_LOW_SHARE:
        text = f"Redis uses {_size(redis.memory_bytes)} of {_size(redis.memory_max_bytes)}; when it is full it refuses orders"
        yield warning("redis", text, "look at what fills it (`redis-cli --bigkeys`), or raise maxmemory")
    if redis.others_without_password and redis.elsewhere:
        yield error("redis", "anybody who reaches Redis may use it without a password", "load a list from `fleet redis acl`")
    elif redis.user == "default" and redis.elsewhere:
        text = "this part is Redis' default user, who reaches the queues of all bots"
        yield warning("redis", text, "make a user for each part with `fleet redis acl`")


def _clock(seen: Seen) -> Troubles:
    redis = seen.redis
    if redis is None:
        return
    if abs(redis.clock_ahead_s) > CLOCK_OFF_S:
        way = "ahead of" if redis.clock_ahead_s > 0 else "behind"
        text = f"this machine's clock is {abs(redis.clock_ahead_s):.0f} s {way} Redis': its bots send nothing"
        yield error("clock", text, "set both clocks, and let them be kept by NTP (`timedatectl set-ntp true`)")
    elif redis.clock_doubt_s > CLOCK_UNSURE_S:
        text = f"Redis took {redis.clock_doubt_s * 2:.0f} s to tell its time, so nobody knows when an order expires"
        yield error("clock", text, "look at the line to Redis and at its load")


def _database(seen: Seen) -> Troubles:
    database = seen.database
    if database is None:
        return
    if not database.made:
        yield warning("database", "it has no tables yet", "start a balancer, which makes them")
        return
    if database.missing:
        steps = f"{database.missing} step{'s' if database.missing > 1 else ''}"
        yield warning("database", f"its schema is {steps} behind this release", "back it up, then restart the balancers")
    if not database.writable:
        yield error(
            "database", f"this user cannot write it: {database.why_not}", "let the user of [database] url own its tables"
        )


def _port(seen: Seen) -> Troubles:
    port = seen.port
    if port is None:
        return
    if port.answers == "nobody":
        yield warning("balancer", f"nobody answers at {port.address}", "start it: `fleet balancer`, or its systemd unit")
    elif port.answers == "other":
        text = f"another program answers at {port.address}, so no balancer can listen there"
        yield error("balancer", text, "end that program (`ss -ltnp` names it), or write another [balancer] port")
    for what in port.unready:
        yield error("balancer", f"the balancer at {port.address} is not ready: {what}", "its log and `/readyz` say more")


def _bots(seen: Seen) -> Troubles:
    bots = seen.bots
    if bots is None:
        return
    if not bots:
        yield warning("bots", "no bot has ever reported", "on a host of bots: `fleet bots import`, then `fleet group start`")
    away = [bot for bot in bots if bot.state == "offline"]
    if bots and len(away) == len(bots):
        yield error("bots", "no bot is online: nothing can be traded", "start the groups of bots (`fleet group start`)")
    for bot in bots:
        yield from _bot(bot)


def _bot(bot: Bot) -> Troubles:
    about = f"bot {bot.name}"
    if bot.frozen_by is not None:
        text = f"it is frozen ({bot.frozen_by}), and gives and takes nothing"
        yield error(
            about, text, f"compare its rows with its items (`fleet audit --bot {bot.name}`), then `fleet bots unfreeze`"
        )
    if bot.state == "offline" and bot.mode != "paused":
        heard = "was never heard" if bot.silent_s is None else f"was last heard {duration(bot.silent_s)} ago"
        why = f"; it said {bot.reason}" if bot.reason and bot.reason != NO_HEARTBEAT else ""
        yield error(about, f"it {heard}{why}", bot.action or "look at its host: `fleet group status`")
    elif bot.state == RESTRICTED or bot.why:
        for reason in bot.why or ((bot.reason,) if bot.reason else ()):
            yield error(about, f"Steam keeps it from trading ({reason})", rule_of(reason).action)
    elif bot.state not in ("online", "offline", "stopped"):
        yield error(
            about, f"it is {bot.state}{f' ({bot.reason})' if bot.reason else ''}", bot.action or "look at its host's log"
        )
    if bot.waits_reason is not None:
        yield warning(about, f"it makes no calls to Steam now ({bot.waits_reason})", "wait, or give it another proxy")


def _prices(seen: Seen) -> Troubles:
    prices = seen.prices
    if prices is None:
        return
    if not prices.names:
        do = "put a list into [balancer] prices_file, or write a feed into [prices.feeds.NAME]"
        yield error("prices", "no item has a value, so none is taken", do)
    for source in prices.sources:
        yield from _source(source, prices)


def _source(source: Source, prices: Prices) -> Troubles:
    about, why = f"prices of {source.name}", f": {source.error}" if source.error else ""
    mend = "write the file anew" if source.name == FILE else f"see what `fleet prices try {source.name}` says"
    if source.held is not None:
        text = f"a newer list is held back: {source.held}"
        yield warning(about, text, f"mend it, or take it if it is right: `fleet prices accept {source.name}`")
    elif source.age_s is None:
        if prices.names:
            yield warning(about, f"it has never given a price{why}", mend)
    elif source.age_s > prices.age_max_s:
        text = f"its values are {duration(source.age_s)} old, and games take none older than {duration(prices.age_max_s)}{why}"
        yield warning(about, text, mend)
    elif source.age_s > source.age_max_s:
        yield warning(about, f"its list is {duration(source.age_s)} old{why}", mend)


def _webhooks(seen: Seen) -> Troubles:
    for target in seen.webhooks:
        about, wait = f"webhook {target.target_id}", f"{target.waiting} events wait for it"
        if target.disabled_why is not None:
            text = f"nothing is sent to {target.host} any more ({target.disabled_why}); {wait}"
            yield warning(about, text, f"mend the receiver, then `fleet webhooks enable {target.target_id}`")
        elif target.failing_s is not None and target.failing_s > WEBHOOK_FAILS_S:
            text = f"{target.host} has taken nothing for {duration(target.failing_s)}; {wait}"
            yield warning(about, text, f"look at the receiver; `fleet webhooks deliveries {target.target_id}` has its answers")


def _locks(seen: Seen) -> Troubles:
    if not seen.locks:
        return
    oldest = max(seen.locks, key=lambda lock: lock.age_h)
    count = f"{len(seen.locks)} lock{'s' if len(seen.locks) > 1 else ''} of games"
    text = f"{count} held for more than a day, the oldest {oldest.ref} of {oldest.client} for {duration(oldest.age_h * 3600)}"
    do = f"ask the site, which can release its own; then see `fleet locks list --older-than-h {DAY_H:g}`"
    yield warning("locks", text, do)


def _pauses(seen: Seen) -> Troubles:
    for what, why in seen.paused.items():
        yield warning(
            "switches", f"{what} are paused ({why or 'no reason given'})", f"`fleet switches resume {what.split()[0]}`"
        )


CHECKS: tuple[Callable[[Seen], Troubles], ...] = (
    *(_python, _redis, _clock, _database, _disks),
    *(_port, _bots, _prices, _webhooks, _locks, _pauses),
)


def _dotted(version: Sequence[int]) -> str:
    return ".".join(str(part) for part in version)


def _size(n_bytes: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"


def duration(seconds: float) -> str:
    """In the largest unit of which there are at least two."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
