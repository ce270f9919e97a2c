"""Operators who are signed in: rows of random ids, of which only a hash is kept; they end by age, without clicks, or at once.

A session begins when Steam has vouched for the account, and may then only give a code. The right code opens another one, under
a new id. What an operator may do stands in the settings and is looked up at each request.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from balancer.db.tables import operator_sessions as rows
from balancer.web.sessions import csrf_is_right, csrf_of, hash_of
from shared.sections import OpsSettings

# For typing a code.
HALF_S = 300
# A click is written down this often.
SEEN_S = 60
ID_MAX = 100


@dataclass(frozen=True, slots=True)
class Session:
    """One that has not ended."""

    session_id: str = field(repr=False)
    steam_id: str
    whole: bool  # the code was given
    notice: str | None
    seen_at: datetime

    @property
    def csrf(self) -> str:
        """The word that its forms carry."""
        return csrf_of(self.session_id)

    def csrf_is_right(self, word: str) -> bool:
        return csrf_is_right(self.session_id, word)


def begin(connection: Connection, steam_id: str, replaced: str | None, now: datetime) -> str:
    """A session that waits for its code; the browser's earlier one ends. Returns its id."""
    if replaced:
        end(connection, replaced)
    return _add(connection, steam_id, None, now + timedelta(seconds=HALF_S), now)


def complete(connection: Connection, half: str, steam_id: str, rules: OpsSettings, now: datetime) -> str:
    """A whole session in place of the one that waited for its code. Returns its id, which nobody has seen before."""
    end(connection, half)
    return _add(connection, steam_id, now, now + timedelta(seconds=rules.session_s), now)


def _add(connection: Connection, steam_id: str, code_at: datetime | None, expires_at: datetime, now: datetime) -> str:
    session_id = secrets.token_urlsafe(32)
    times = {"code_at": code_at, "seen_at": now, "expires_at": expires_at, "created_at": now}
    connection.execute(rows.insert().values(id_hash=hash_of(session_id), steam_id=int(steam_id), **times))
    return session_id


def find(connection: Connection, session_id: str, rules: OpsSettings, now: datetime) -> Session | None:
    """The session with this id, if it has not ended."""
    if not 0 < len(session_id) <= ID_MAX:
        return None
    idle = now - timedelta(seconds=rules.idle_s)
    live = (rows.c.expires_at > now, rows.c.seen_at > idle)
    row = connection.execute(select(rows).where(rows.c.id_hash == hash_of(session_id), *live)).first()
    return None if row is None else Session(session_id, str(row.steam_id), row.code_at is not None, row.said, row.seen_at)


def change(connection: Connection, session_id: str, **values: Any) -> None:
    """Note a click (``seen_at``), or what is to be shown next (``said``)."""
    connection.execute(update(rows).where(rows.c.id_hash == hash_of(session_id)).values(values))


def end(connection: Connection, session_id: str) -> None:
    """A second call changes nothing."""
    connection.execute(delete(rows).where(rows.c.id_hash == hash_of(session_id)))
