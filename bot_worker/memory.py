"""Keeping ten processes small: give memory back after large answers of Steam."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable

M_ARENA_MAX = -8


def _c_function(name: str) -> Callable[..., int] | None:
    """A function of glibc; ``None`` where there is none (macOS, musl)."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), name, None)


_trim = _c_function("malloc_trim")


def share_one_arena() -> None:
    """Before any thread starts: glibc would give the heartbeat's thread a heap of its own, which stays half empty."""
    mallopt = _c_function("mallopt")
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def tidy() -> None:
    """Collect cycles and return free pages to the system. A few milliseconds, so for idle moments."""
    gc.collect()
    if _trim is not None:
        _trim(0)
