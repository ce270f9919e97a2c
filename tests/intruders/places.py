"""Every place where a secret of the fleet could turn up, as bytes to be searched."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from intruders.guarded import GuardedStack
from sqlalchemy import MetaData, create_engine, select

Place = tuple[str, bytes]


def logs(stack: GuardedStack) -> Iterator[Place]:
    """Of every part, the servers' too."""
    for path in sorted(stack.wish.directory.rglob("*.log")):
        yield f"log {path.name}", path.read_bytes()


def status_files(stack: GuardedStack) -> Iterator[Place]:
    for group in stack.wish.groups:
        for path in sorted((stack.host_config(group).parent / "run").iterdir()):
            yield f"status file {path.name}", path.read_bytes()


def processes() -> Iterator[Place]:
    """What `ps` shows of every process on this machine that runs our programs, and the variables of each."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            if any(part in command for part in (b"scripts.cli.fleet", b"sandbox", b"valkey", b"redis", b"postgres")):
                yield f"command {command[:60]!r}", command
                yield f"variables of {command[:60]!r}", (folder / "environ").read_bytes()


def redis_values(client: redis.Redis) -> Iterator[Place]:
    """Every key and everything in it; orders unpacked."""
    found: Any = client.scan_iter(count=1000)
    for key in found:
        kind: Any = client.type(key)
        name = key.decode("utf-8", "replace")
        yield "the name of a key in Redis", key
        if kind == b"string":
            values: list[Any] = [client.get(key)]
        elif kind == b"hash":
            values = [part for pair in client.hgetall(key).items() for part in pair]
        elif kind == b"list":
            values = client.lrange(key, 0, -1)
        elif kind == b"set":
            values = [*client.smembers(key)]
        else:
            entries: Any = client.xrange(key)
            values = [part for _, fields in entries for pair in fields.items() for part in pair]
        for value in values:
            yield f"{name} in Redis", bytes(value or b"")
            yield f"{name} in Redis, unpacked", _unpacked(bytes(value or b""))


def redis_files(folder: Path) -> Iterator[Place]:
    """What Redis wrote to its disk, which remembers every command; each packed text in it unpacked."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".aof", ".rdb"):
            text = path.read_bytes()
            yield f"Redis' file {path.name}", text
            for start in _packed_starts(text):
                yield f"Redis' file {path.name}, unpacked", _unpacked(text[start : start + 4 * 1024 * 1024])


def _packed_starts(text: bytes) -> Iterator[int]:
    start = text.find(b"\x78\x01")
    while start >= 0:
        yield start
        start = text.find(b"\x78\x01", start + 2)


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(b"\x78"):
        return b""
    try:
        return zlib.decompressobj().decompress(data, 8 * 1024 * 1024)
    except zlib.error:
        return b""


def database_values(url: str) -> Iterator[Place]:
    """Every column of every row of every table, whether we know the table or not."""
    engine, metadata = create_engine(url), MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                for column, value in row._mapping.items():
                    yield f"{table.name}.{column} in the database", value if isinstance(value, bytes) else str(value).encode()
    engine.dispose()
