"""What has to be done for a call, as data: code that knows nothing of sockets yields steps and is told what became of them.

A *plan* is a generator of steps. Two small drivers (`fleet_client.drivers`) carry steps out, one of them waiting in its
thread and one in an event loop. So each rule of this package is written once.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it goes to any balancer. ``target`` is the path with its query. The API key is put in by the driver."""

    method: str
    target: str
    body: bytes | None = field(default=None, repr=False)  # may hold a trade URL or a token
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 65.0


@dataclass(frozen=True, slots=True)
class Send:
    """Send it to this address. What becomes of it: an `Answer`, or `Lost`."""

    request: Request
    address: str


@dataclass(frozen=True, slots=True)
class Open:
    """Send it, and leave its answer open: `Opened`, an `Answer` if it is no 200, or `Lost`. What was open before is closed.

    ``silent_max_s``: when nothing was heard for so long, the next `Read` is `Lost`.
    """

    request: Request
    address: str
    silent_max_s: float


@dataclass(frozen=True, slots=True)
class Read:
    """Read on in what is open: a `Chunk`, or `Lost`."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait that long. What becomes of it: `None`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Give(Generic[T]):
    """Give this to whoever goes through an iterator. What becomes of it: `None`, when the next one is wanted."""

    value: T


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Names of headers are in small letters."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no answer. ``sent``: the request may have arrived; otherwise it certainly did not."""

    sent: bool
    why: str


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer has begun, with status 200. Names of headers are in small letters."""

    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some more of it; nothing, when it has ended."""

    data: bytes = field(repr=False)


Outcome: TypeAlias = Answer | Lost | Opened | Chunk | None
Plan: TypeAlias = Generator[Send | Wait, Outcome, T]
Stream: TypeAlias = Generator[Send | Wait | Open | Read | Give[T], Outcome, None]
