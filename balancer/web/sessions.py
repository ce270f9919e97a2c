"""Players who are signed in at the verify page: sessions, the word of their forms, and the nonces of Steam's answers."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from balancer.context import Context
from balancer.db import pipeline
from balancer.db.tables import nonces, sessions
from shared.domain.ids import SteamId


def hash_of(session_id: str) -> str:
    """What the database keeps of a session id; of any text that a cookie may hold."""
    return hashlib.sha256(b"session:" + session_id.encode(errors="surrogateescape")).hexdigest()


def csrf_of(session_id: str) -> str:
    """The word that the form of this session carries."""
    return hashlib.sha256(b"csrf:" + session_id.encode()).hexdigest()


def csrf_is_right(session_id: str, word: str) -> bool:
    return hmac.compare_digest(csrf_of(session_id).encode(), word.encode())


async def begin(ctx: Context, steam_id: SteamId, replaced: str | None) -> str:
    """A new session for a player whom Steam has vouched for; the browser's earlier one ends. Returns its id."""
    session_id = secrets.token_urlsafe(32)
    now = ctx.clock.now()
    ends = now + timedelta(seconds=ctx.settings.openid.session_s)
    await ctx.db.run(_begin, hash_of(session_id), str(int(steam_id)), ends, now, replaced)
    return session_id


def _begin(connection: Connection, id_hash: str, steam_id: str, ends: datetime, now: datetime, replaced: str | None) -> None:
    if replaced:
        connection.execute(delete(sessions).where(sessions.c.id_hash == hash_of(replaced)))
    row = {"id_hash": id_hash, "steam_id": int(steam_id), "expires_at": ends, "created_at": now}
    connection.execute(sessions.insert().values(row))


async def player_of(ctx: Context, session_id: str | None) -> SteamId | None:
    """The player of this session, if there is one and it has not ended."""
    if not session_id or len(session_id) > 100:
        return None
    steam_id = await ctx.db.read(_steam_id, hash_of(session_id), ctx.clock.now())
    return SteamId(steam_id) if steam_id else None


def _steam_id(connection: Connection, id_hash: str, now: datetime) -> str | None:
    """The Steam id that is signed in under this session; ``None`` if there is none or it has ended."""
    steam_id = connection.scalar(select(sessions.c.steam_id).where(sessions.c.id_hash == id_hash, sessions.c.expires_at > now))
    return None if steam_id is None else str(steam_id)


def remember_nonce(connection: Connection, nonce: str, now: datetime) -> bool:
    """Whether this nonce was never seen before; it has been now."""
    # An INSERT's rowcount is not known on PostgreSQL; what it returns is.
    statement = pipeline.insert(connection, nonces).values(nonce=nonce, seen_at=now).on_conflict_do_nothing()
    return connection.execute(statement.returning(nonces.c.nonce)).first() is not None
