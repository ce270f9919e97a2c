"""Asks relays of a drand network for a beacon, one after the other, and believes none of them.

A relay can be silent, slow, late, broken or lying. Each of these costs that relay a rest and nobody else anything: the next one
is asked. What comes back was checked by `lottery` against the chain, so it does not matter who gave it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx
from lottery import drand

from website.engine.beacon import Beacon

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 4096
"""A beacon of the chained network, the largest there is, has some 500 bytes."""
NOT_YET = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.TOO_EARLY})
"""How relays say that a round is not there yet: drand/http-relay `routes_handler.go` 425; mirrors of files 404."""
REST_S, REST_S_MAX = 0.5, 15.0
"""How long a relay is left alone after its first fault in a row, and at most; each one more doubles it."""
LIAR_REST_S = 60.0
KEPT = 64
"""Beacons that are not asked for again: many rounds can wait for the same one."""


class RelayFault(Exception):
    """What a relay did wrong, in words for an operator. `lied`: it gave what the network never signed."""

    def __init__(self, reason: str, *, lied: bool = False) -> None:
        super().__init__(reason)
        self.lied = lied


@dataclass(slots=True)
class _Relay:
    """One relay and how it behaves. Times are of the monotonic clock."""

    address: str
    faults: int = 0
    rests_until_s: float = 0.0


class Relays:
    """The source of beacons of one chain. Made once per process, closed at its end.

    `addresses` are those that a chain's hash is put behind, such as `https://api.drand.sh`, in the order of trust. Each relay
    has `timeout_s` seconds for its whole answer. `client` and `monotonic` are for tests.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        chain: drand.Chain,
        *,
        timeout_s: float = 3.0,
        client: httpx.AsyncClient | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises: ValueError for addresses that are none, and for a chain that its own hash does not fit."""
        if drand.chain_hash(chain) != chain.hash:
            raise ValueError("key, period and genesis do not give the chain hash")
        self._relays = [_Relay(address) for address in dict.fromkeys(map(_checked, addresses))]
        if not self._relays:
            raise ValueError("there must be a relay to ask")
        self._chain = chain
        self._timeout_s = timeout_s
        self._client = client or httpx.AsyncClient(follow_redirects=False, headers={"Accept-Encoding": "identity"})
        self._monotonic = monotonic
        self._found: dict[int, Beacon] = {}
        self._asking: dict[int, asyncio.Task[Beacon | None]] = {}

    async def fetch(self, round_number: int) -> Beacon | None:
        """The checked beacon of a round, or None while no relay has it or can be reached.

        Never raises for what a relay did. Calls for one round at the same time ask once; a second call later is answered from
        memory. Raises: ValueError for a round below 1.
        """
        if round_number < 1:
            raise ValueError("rounds are numbered from 1")
        if (found := self._found.get(round_number)) is not None:
            return found
        asking = self._asking.get(round_number)
        if asking is None:
            asking = self._asking[round_number] = asyncio.create_task(self._ask_all(round_number))
            asking.add_done_callback(lambda _: self._asking.pop(round_number, None))
        return await asyncio.shield(asking)  # who gives up waiting does not end it for the others

    async def close(self) -> None:
        """Give up what is being asked and close the connections. A second call does nothing."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _ask_all(self, number: int) -> Beacon | None:
        for relay in self._relays:
            if relay.rests_until_s > self._monotonic():
                continue
            try:
                beacon = await self._ask(relay, number)
            except RelayFault as fault:
                self._rest(relay, number, fault)
                continue
            relay.faults = 0
            if beacon is not None:
                self._keep(beacon)
                return beacon
        return None

    def _keep(self, beacon: Beacon) -> None:
        self._found[beacon.round_number] = beacon
        while len(self._found) > KEPT:
            self._found.pop(next(iter(self._found)))

    def _rest(self, relay: _Relay, number: int, fault: RelayFault) -> None:
        """Leave a relay alone for a while, and say why."""
        relay.faults += 1
        rest_s = LIAR_REST_S if fault.lied else min(REST_S * 2 ** min(relay.faults - 1, 10), REST_S_MAX)
        relay.rests_until_s = self._monotonic() + rest_s
        level = logging.ERROR if fault.lied else logging.WARNING
        did = "lied" if fault.lied else "failed"
        log.log(level, "relay %s %s about round %d and is not asked for %g s: %s", relay.address, did, number, rest_s, fault)

    async def _ask(self, relay: _Relay, number: int) -> Beacon | None:
        """One relay's beacon, checked; None when it does not have it yet. Raises: RelayFault."""
        url = f"{relay.address}/{self._chain.hash}/public/{number}"
        try:
            async with asyncio.timeout(self._timeout_s):  # httpx counts between bytes; a drip would never end
                status, body = await _read(self._client, url)
        except TimeoutError:
            raise RelayFault(f"no whole answer within {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            raise RelayFault(f"no answer: {type(error).__name__}") from error
        if status in NOT_YET:
            return None
        if status != HTTPStatus.OK:
            raise RelayFault(f"answered {status}")
        return _checked_beacon(self._chain, number, body)


async def _read(client: httpx.AsyncClient, url: str) -> tuple[int, bytes]:
    """Status and body as they came over the wire. Raises: RelayFault for a body that is too large."""
    body = b""
    async with client.stream("GET", url, timeout=None) as answer:
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                raise RelayFault(f"its answer has more than {BODY_BYTES_MAX} bytes")
        return answer.status_code, body


def _checked_beacon(chain: drand.Chain, number: int, body: bytes) -> Beacon:
    """Raises: RelayFault for what is no beacon, or none of this round and chain.

    The answer's `randomness` is not read: it follows from the signature.
    """
    try:
        content: Any = json.loads(body)
        found, signature = content["round"], bytes.fromhex(content["signature"])
        previous = bytes.fromhex(content["previous_signature"]) if chain.chained else b""
    except (ValueError, LookupError, TypeError, RecursionError):
        raise RelayFault("its answer is no beacon") from None
    if type(found) is not int or found != number:
        raise RelayFault(f"it answered with round {found!r:.40}", lied=True)
    try:
        drand.verify(chain, number, signature, previous)
    except drand.BadBeacon as error:
        raise RelayFault(str(error), lied=True) from error
    return Beacon(number, signature, previous)


def _checked(address: str) -> str:
    """An address without its last slash. Raises: ValueError."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("a relay is an address that begins with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a relay's address has no name and password in it: it is written to logs")
    return address.rstrip("/")
