"""What a browser says on a socket, one JSON object a frame. Pure: whatever comes in is one of these, or `StrangeError`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

BYTES_MAX = 4_096
NUMBER_MAX = 2**53
CHANNEL = re.compile(r"(?:(?:lane|room):[a-z0-9][a-z0-9_-]{0,63}|user:[1-9][0-9]{0,17})")


class StrangeError(Exception):
    """No frame of this protocol. The socket is closed: who sends it would never understand an answer."""


@dataclass(frozen=True)
class Sub:
    """Watch a channel. `after` is the number of the last message that is known; None: only what is yet to come."""

    channel: str
    after: int | None


@dataclass(frozen=True)
class Unsub:
    channel: str


@dataclass(frozen=True)
class Ping:
    t: Any


@dataclass(frozen=True)
class Unknown:
    """Well formed, but of a later version."""

    op: str


def parse(text: str | None) -> Sub | Unsub | Ping | Unknown:
    """Raises StrangeError."""
    if text is None or len(text.encode("utf-8", "replace")) > BYTES_MAX:
        raise StrangeError("not text, or too long")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise StrangeError("not JSON") from None
    if not isinstance(said, dict) or not isinstance(op := said.get("op"), str):
        raise StrangeError("no op")
    match op:
        case "sub":
            return Sub(_channel(said), _after(said))
        case "unsub":
            return Unsub(_channel(said))
        case "ping":
            t = said.get("t")
            return Ping(t if isinstance(t, (int, float)) else None)
        case _:
            return Unknown(op[:32])


def _channel(said: dict[str, Any]) -> str:
    name = said.get("ch")
    if not isinstance(name, str) or not CHANNEL.fullmatch(name):
        raise StrangeError("no channel")
    return name


def _after(said: dict[str, Any]) -> int | None:
    after = said.get("after")
    if after is None:
        return None
    if not isinstance(after, int) or isinstance(after, bool) or not 0 <= after <= NUMBER_MAX:
        raise StrangeError("after is no number of a message")
    return after
