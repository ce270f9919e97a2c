"""The state of a player's sign-in from the verify page: made and marked by us, so that nobody else can make one.

It says when the sign-in began and which token's page it began at, and stands in the address that Steam sends the browser back
to and in a cookie of that browser. So an answer works only where it was asked for, and a sign-in that fails knows its way back.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from shared.sealing import MasterKey

LIFETIME_S = 900

# What is random, when it began in unix seconds, the token (none if the address held no token), our mark.
_STATE = re.compile(r"([A-Za-z0-9_-]{22})\.(\d{1,12})\.([A-Za-z0-9_-]{22})?\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that we began."""

    at: int
    token: str | None = field(repr=False)

    def is_young(self, now: datetime) -> bool:
        return 0 <= now.timestamp() - self.at <= LIFETIME_S


def new(master: MasterKey, token: str | None, now: datetime) -> str:
    """A state for one sign-in."""
    text = f"{secrets.token_urlsafe(16)}.{int(now.timestamp())}.{token or ''}"
    return f"{text}.{master.sign_in_mark(text)}"


def read(master: MasterKey, state: str) -> Begun | None:
    """What stands in a state; ``None`` if we did not make it."""
    match = _STATE.fullmatch(state)
    if match is None:
        return None
    text, _, mark = state.rpartition(".")
    if not hmac.compare_digest(master.sign_in_mark(text), mark):
        return None
    return Begun(int(match[2]), match[3])
