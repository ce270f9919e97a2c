"""Small helpers that tests import by name: `from support import wait_until`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Any of our processes may get no processor for seconds on a busy machine. Only a test that fails waits this long.
PATIENCE_S = 120.0


def wait_until(predicate: Callable[[], T], timeout_s: float = PATIENCE_S, every_s: float = 0.02) -> T:
    """Return the first truthy answer; fail when there is none in time. For what happens in other processes."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            name = getattr(predicate, "__name__", repr(predicate))
            raise AssertionError(f"{name} was still {answer!r} after {timeout_s} s")
        pause.wait(every_s)
