"""Who calls, and may they: API keys, kept as keyed hashes, with scopes.

``read`` looks, ``trade`` moves items, ``operate`` pauses bots. A key that was good is believed for a few seconds without asking
the database again, so a revoked one works for that long at most; a bad key is asked about every time.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from aiohttp import web

from balancer import repository
from balancer.context import Context
from balancer.trades import Caller
from shared.errors import BadKey, Forbidden

SCOPES = ("trade", "read", "operate")
PREFIX = "fk_"
KEY_MAX_CHARS = 100
BELIEVED_S = 3.0
BELIEVED_MAX = 1000


@dataclass(frozen=True, slots=True)
class _Believed:
    caller: Caller
    until: float


class Keys:
    """Remembers for a moment whose key it was, by the key's hash; the keys themselves are not kept."""

    def __init__(self) -> None:
        self._believed: OrderedDict[str, _Believed] = OrderedDict()

    def get(self, key_hash: str, now: float) -> Caller | None:
        """The caller, if the key was good less than ``BELIEVED_S`` ago."""
        found = self._believed.get(key_hash)
        return found.caller if found is not None and now < found.until else None

    def put(self, key_hash: str, caller: Caller, now: float) -> None:
        self._believed[key_hash] = _Believed(caller, now + BELIEVED_S)
        self._believed.move_to_end(key_hash)
        while len(self._believed) > BELIEVED_MAX:
            self._believed.popitem(last=False)


KEYS: web.AppKey[Keys] = web.AppKey("keys", Keys)


def new_key() -> str:
    """A new API key: 40 random characters, about 240 bits."""
    return PREFIX + secrets.token_urlsafe(30)


async def caller_of(ctx: Context, keys: Keys, header: str | None, scope: str) -> Caller:
    """The client whose key stands in the Authorization header.

    Raises:
        BadKey: no header, not a key, or one that is unknown or revoked.
        Forbidden: ``scope_missing``.
    """
    kind, _, key = (header or "").partition(" ")
    if kind.lower() != "bearer" or not key or len(key) > KEY_MAX_CHARS:
        raise BadKey("This call needs a key: Authorization: Bearer fk_…")
    key_hash = ctx.master.api_key_hash(key)
    now = ctx.clock.monotonic()
    caller = keys.get(key_hash, now)
    if caller is None:
        client = await ctx.db.look(repository.find_client_by_key_hash, key_hash)
        if client is None:
            raise BadKey()
        caller = Caller(client.client_id, client.name, client.scopes)
        keys.put(key_hash, caller, now)
    if scope not in caller.scopes:
        raise Forbidden(f"This key has not the scope {scope}.", scope=scope)
    return caller
