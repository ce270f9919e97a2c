"""The id of the HTTP request that something is done for: it goes from the request's answer to the log lines of Steam's calls.

Within one process it is bound to the context, so each log line has it by itself; from the balancer to a worker it travels in
the order (`shared.orders`). It says who asked and decides nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

NAME = "request_id"
_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


def taken_or_made(given: str | None) -> str:
    """The caller's own id if it is 8 to 64 letters, digits, ``.``, ``_`` and ``-``; else a new one."""
    return given if given is not None and _FORM.fullmatch(given) else f"req-{secrets.token_hex(12)}"


def is_well_formed(text: str) -> bool:
    return _FORM.fullmatch(text) is not None


def bind(request_id: str) -> None:
    """From here on, all that this task does and logs is for this request."""
    structlog.contextvars.bind_contextvars(**{NAME: request_id})


def current() -> str | None:
    """The request that the running code works for; ``None`` in work of the program's own."""
    bound_id = structlog.contextvars.get_contextvars().get(NAME)
    return bound_id if isinstance(bound_id, str) else None


@contextmanager
def bound(request_id: str | None) -> Iterator[None]:
    """Within this block all that is logged is for this request; nothing changes for ``None``."""
    if request_id is None:
        yield
        return
    with structlog.contextvars.bound_contextvars(**{NAME: request_id}):
        yield
