"""Counting HTTP requests against the buckets of `balancer.rates`, and what an answer says of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aiohttp import web

from balancer import rates
from balancer.rates import Bucket, Rates, State, Take

RATES: web.AppKey[Rates] = web.AppKey("rates", Rates)
# Of the buckets that a request took from, for the headers of its answer.
STATES: web.RequestKey[list[State]] = web.RequestKey("rate_states", list[State])


async def spend_for(request: web.Request, *wanted: tuple[Bucket | None, str]) -> None:
    """Count a request against these buckets of these people; ``None`` is no limit.

    Raises:
        RateLimited: ``rate_limited``, with the bucket's name as reason; then it counts against none of them.
    """
    takes = [Take(bucket, who) for bucket, who in wanted if bucket is not None]
    if not takes:
        return
    states = await request.app[RATES].take(*takes)
    request[STATES] = [*request.get(STATES, ()), *states]
    rates.refuse(states)


def headers(states: Sequence[State]) -> dict[str, str]:
    """``RateLimit-Policy`` and ``RateLimit`` as draft-ietf-httpapi-ratelimit-headers-10 writes them.

    ``q`` may be used within ``w`` seconds; ``r`` are left, and ``t`` seconds without a request bring all of them back.
    """
    policies = ", ".join(f'"{one.bucket.name}";q={one.bucket.burst};w={one.bucket.window_s}' for one in states)
    left = ", ".join(f'"{one.bucket.name}";r={max(0, one.left)};t={math.ceil(one.full_s)}' for one in states)
    return {"RateLimit-Policy": policies, "RateLimit": left}
