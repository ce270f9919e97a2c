"""`/metrics`: figures for Prometheus."""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web

from balancer.metrics.watch import WATCH
from balancer.web import addresses, api
from balancer.web.schemas import answers
from shared.errors import Forbidden

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Put there by proxies on the way: whoever comes through one is not who the connection's address says.
PASSED_ON = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")

READERS: web.AppKey[addresses.Networks] = web.AppKey("metrics_readers", addresses.Networks)


@api.page("text/plain", answers={200: answers.Page, 403: answers.Problem}, counted=False)
async def show(request: web.Request) -> web.Response:
    """Figures for Prometheus.

    Only for addresses of `[metrics] allow`, which must not come through a proxy; others are refused with 403
    (`address_not_allowed`). No key is asked for: keys stand in the database, and figures are wanted most when that is away.
    docs/operations.md says what each means.
    """
    if not may_read(request.app[READERS], request.remote, request.headers):
        raise Forbidden("Only addresses of [metrics] allow may read this, and not through a proxy.", code="address_not_allowed")
    body = await request.app[WATCH].fresh()
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


def may_read(readers: addresses.Networks, peer: str | None, headers: Collection[str]) -> bool:
    """Whether this connection is a reader's own; without an address (a unix socket) nobody can tell."""
    return peer is not None and readers.trusts(peer) and not any(name in headers for name in PASSED_ON)
