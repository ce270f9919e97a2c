"""Who calls, and may they: API keys, kept as keyed hashes, with scopes.

``read`` looks, ``trade`` moves items, ``operate`` pauses bots. A key that was good is believed for a few seconds without asking
the database again, so a revoked one works for that long at most. Bad keys are counted, for each address and for each key: after
some of them the answer is 429 without a look at the database. A key that was good in this process is always looked at, so that
a site is not locked out by somebody else behind the same address.
"""

from __future__ import annotations

import hmac
import math
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from aiohttp import web

from balancer import repository
from balancer.context import Context
from balancer.trades import Caller
from shared.errors import BadKey, Forbidden, RateLimited

SCOPES = ("trade", "read", "operate")
PREFIX = "fk_"
KEY_MAX_CHARS = 100
BELIEVED_S = 3.0
BELIEVED_MAX = 1000
COUNTED_MAX = 20_000


@dataclass(frozen=True, slots=True)
class _Believed:
    caller: Caller
    until: float


class Keys:
    """Remembers for a moment whose key it was, by the key's hash; the keys themselves are not kept."""

    def __init__(self) -> None:
        self._believed: OrderedDict[str, _Believed] = OrderedDict()
        self._bad: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many bad keys, and when the last

    def check(self, key_hash: str, address: str, now: float, most: int, forget_s: float) -> None:
        """Whether this key may be tried from this address.

        Raises:
            RateLimited: ``too_many_tries``.
        """
        if key_hash in self._believed:
            return
        for subject in (f"address {address}", f"key {key_hash}"):
            count, last = self._bad.get(subject, (0, now))
            left_s = last + forget_s - now
            if count >= most and left_s > 0:
                raise RateLimited("Too many wrong API keys.", code="too_many_tries", retry_after_s=math.ceil(left_s))
            if left_s <= 0:
                self._bad.pop(subject, None)

    def bad(self, key_hash: str, address: str, now: float) -> None:
        """Count one bad key."""
        self._believed.pop(key_hash, None)
        for subject in (f"address {address}", f"key {key_hash}"):
            count, _ = self._bad.get(subject, (0, now))
            self._bad[subject] = (count + 1, now)
            self._bad.move_to_end(subject)
        while len(self._bad) > COUNTED_MAX:
            self._bad.popitem(last=False)

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


async def caller_of(ctx: Context, keys: Keys, header: str | None, scope: str, address: str) -> Caller:
    """The client whose key stands in the Authorization header of a request from ``address``.

    Raises:
        RateLimited: too many bad keys.
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
        limits = ctx.settings.balancer
        keys.check(key_hash, address, now, limits.bad_keys_max, limits.bad_keys_forget_s)
        client = await ctx.db.look(repository.find_client_by_key_hash, key_hash)
        if client is None or not hmac.compare_digest(client.key_hash, key_hash):
            keys.bad(key_hash, address, now)
            raise BadKey()
        caller = Caller(client.client_id, client.name, client.scopes)
        keys.put(key_hash, caller, now)
    if scope not in caller.scopes:
        raise Forbidden(f"This key has not the scope {scope}.", scope=scope)
    return caller
