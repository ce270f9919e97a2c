"""Who calls, and may they: API keys, kept as keyed hashes, with scopes.

``read`` shows, ``trade`` moves items, ``operate`` pauses bots. There are few keys, so all live ones are kept in memory for a
few seconds: a revoked one works for that long at most, and a key that is not among them makes one shared query,
however many wrong ones come with it. So a right key is always known, also one that was made a moment ago, whatever others try
from the same address; and a wrong one costs the address a try, of which it has ten.
"""

from __future__ import annotations

import asyncio
import math

from aiohttp import web

from balancer.context import Context
from balancer.rates import Rates, Take
from balancer.trades.requests import Caller
from balancer.web import clients, mode
from shared.errors import BadKey, Forbidden, RateLimited

KEY_MAX_CHARS = 100
BELIEVED_S = 3.0
# Wrong keys make the database read no more often than this.
READ_GAP_S = 0.2


class Keys:
    """Whose live key it is, by the key's hash; the keys themselves are not kept. Used in the event loop's thread."""

    def __init__(self) -> None:
        self.believed_s = BELIEVED_S
        self._known: dict[str, Caller] = {}
        self._read_at = -math.inf  # when the read began that these come from
        self._began_at = -math.inf
        self._soon: asyncio.Task[None] | None = None

    async def find(self, ctx: Context, key_hash: str) -> Caller | None:
        """The client with this key; ``None`` if it is not known, after a query that began after this call.

        Raises:
            DatabaseUnavailable: it could not be looked up.
        """
        if ctx.clock.monotonic() - self._read_at >= self.believed_s or key_hash not in self._known:
            if self._soon is None:
                self._soon = asyncio.create_task(self._read(ctx))
                self._soon.add_done_callback(_seen)  # also when nobody waits for it any more
            await asyncio.shield(self._soon)
        return self._known.get(key_hash)

    async def _read(self, ctx: Context) -> None:
        """Read all live keys, a moment after the last read began; what comes later than that waits for another read."""
        try:
            await asyncio.sleep(self._began_at + READ_GAP_S - ctx.clock.monotonic())
        finally:
            self._soon = None
        began_at = self._began_at = ctx.clock.monotonic()
        live = await ctx.db.read(clients.live_keys)
        if began_at >= self._read_at:  # not overtaken by a later one
            self._read_at = began_at
            self._known = {one.key_hash: Caller(one.client_id, one.name, one.scopes) for one in live}


def _seen(read: asyncio.Task[None]) -> None:
    if not read.cancelled():
        read.exception()


KEYS: web.AppKey[Keys] = web.AppKey("keys", Keys)


async def caller_of(ctx: Context, keys: Keys, rates: Rates, header: str | None, scope: str, address: str) -> Caller:
    """The client whose key stands in the Authorization header of a request from ``address``.

    Raises:
        RateLimited: ``too_many_tries``, a wrong key after too many of them from this address.
        BadKey: no header, not a key, or one that is unknown or revoked; ``wrong_mode``, one for balancers of the other mode.
        Forbidden: ``scope_missing``.
        DatabaseUnavailable: the key could not be looked up.
    """
    kind, _, key = (header or "").partition(" ")
    if kind.lower() != "bearer" or not key or len(key) > KEY_MAX_CHARS:
        raise BadKey("This call needs a key: Authorization: Bearer fk_…")
    mode.refuse_other(key, ctx.settings.balancer.livemode)
    caller = await keys.find(ctx, ctx.master.api_key_hash(key))
    if caller is None:
        await _one_try_less(rates, address)
        raise BadKey()
    if scope not in caller.scopes:
        raise Forbidden(f"This key does not have the scope {scope}.", scope=scope)
    return caller


async def _one_try_less(rates: Rates, address: str) -> None:
    [state] = await rates.take(Take(rates.wrong_keys, address))
    if not state.allowed:
        detail = "Too many wrong API keys came from this address; this one is wrong too."
        raise RateLimited(detail, code="too_many_tries", reason=state.bucket.name, retry_after_s=math.ceil(state.wait_s))
