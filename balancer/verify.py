"""Is the offer in front of the player really ours? Tokens are checked once, by the right player, and only then used up.

A token that is not this player's is called unknown, whatever it is: who may not use it learns nothing of it. Wrong tries slow
down the address they come from, never the token, so nobody can spend another player's token.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from balancer import models, repository, trades
from balancer.context import Context
from balancer.trades import TradeView
from shared.domain.ids import SteamId
from shared.errors import RateLimited

TRIES_MAX = 10
TRY_BACK_S = 6.0
ADDRESSES_MAX = 10_000

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class Answer:
    """``reason`` is unknown, expired or used when it is not ok; ``trade`` is there when it is."""

    ok: bool
    reason: str | None = None
    trade: TradeView | None = None


class Tries:
    """A bucket of wrong tries per address: ten at once, then one every six seconds. In memory and bounded."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, address: str, now: float) -> None:
        """Whether this address may try.

        Raises:
            RateLimited: ``too_many_tries``, with the seconds until the next one.
        """
        left = self._now(address, now)
        if left < 1:
            wait_s = math.ceil((1 - left) * TRY_BACK_S)
            raise RateLimited("Too many wrong tries from this address.", code="too_many_tries", retry_after_s=wait_s)

    def wrong(self, address: str, now: float) -> None:
        """Count one wrong try."""
        self._left[address] = (self._now(address, now) - 1, now)
        self._left.move_to_end(address)
        while len(self._left) > ADDRESSES_MAX:
            self._left.popitem(last=False)

    def _now(self, address: str, now: float) -> float:
        left, since = self._left.get(address, (float(TRIES_MAX), now))
        return min(float(TRIES_MAX), left + (now - since) / TRY_BACK_S)


async def check(ctx: Context, token: str, steam_id: SteamId) -> Answer:
    """Check the token for this player and use it up if it is good. A second check answers ``used``."""
    if not _TOKEN.fullmatch(token):
        return Answer(False, "unknown")
    verdict, trade_id = await ctx.db.run(_use, ctx.master.token_hash(token), str(int(steam_id)), ctx.clock.now())
    if verdict != "ok":
        return Answer(False, "unknown" if verdict == "foreign" else verdict)
    found = await trades.show(ctx, [trade_id])
    return Answer(True, None, found[0] if found else None)


def _use(connection: Connection, token_hash: str, steam_id: str, now: datetime) -> tuple[repository.TokenVerdict, str]:
    verdict = repository.use_token(connection, token_hash, steam_id, now)
    if verdict != "ok":
        return verdict, ""
    of_token = select(models.tokens.c.trade_id).where(models.tokens.c.token_hash == token_hash)
    return verdict, str(connection.scalar(of_token))


def remember_nonce(connection: Connection, nonce: str, now: datetime) -> bool:
    """Whether this nonce was never seen before; it has been now.

    The row is asked back, as PostgreSQL's driver does not count the rows of an INSERT that may do nothing.
    """
    row = repository.insert(connection, models.nonces).values(nonce=nonce, seen_at=now).on_conflict_do_nothing()
    return connection.execute(row.returning(models.nonces.c.nonce)).first() is not None


def new_secret() -> str:
    """A session id or a sign-in state: 256 random bits."""
    return secrets.token_urlsafe(32)


def session_hash(session_id: str) -> str:
    """What the database keeps of a session id; of any text that a cookie may hold."""
    return hashlib.sha256(b"session:" + session_id.encode(errors="surrogateescape")).hexdigest()


def csrf_of(session_id: str) -> str:
    """The word that the form of this session carries."""
    return hashlib.sha256(b"csrf:" + session_id.encode()).hexdigest()


def csrf_is_right(session_id: str, word: str) -> bool:
    return hmac.compare_digest(csrf_of(session_id).encode(), word.encode())


async def open_session(ctx: Context, steam_id: SteamId, replaced: str | None) -> str:
    """A new session for a player whom Steam has vouched for; the browser's earlier one ends. Returns its id."""
    session_id = new_secret()
    now = ctx.clock.now()
    ends = now + timedelta(seconds=ctx.settings.openid.session_s)
    await ctx.db.run(_open_session, session_hash(session_id), str(int(steam_id)), ends, now, replaced)
    return session_id


def _open_session(
    connection: Connection, id_hash: str, steam_id: str, ends: datetime, now: datetime, replaced: str | None
) -> None:
    if replaced:
        repository.delete_session(connection, session_hash(replaced))
    repository.put_session(connection, id_hash, steam_id, ends, now)


async def signed_in(ctx: Context, session_id: str | None) -> SteamId | None:
    """The player of this session, if there is one and it has not ended."""
    if not session_id or len(session_id) > 100:
        return None
    found = await ctx.db.look(repository.get_session, session_hash(session_id), ctx.clock.now())
    return SteamId(found) if found else None
