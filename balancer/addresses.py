"""Whose request it is, by address: what wrong tries are counted against."""

from __future__ import annotations

from aiohttp import web


def of(request: web.Request) -> str:
    """The peer, or, behind a proxy on this machine, whom that proxy names last."""
    peer = request.remote or "unknown"
    if peer in ("127.0.0.1", "::1"):
        named = ",".join(request.headers.getall("X-Forwarded-For", [])).rsplit(",", 1)[-1].strip()
        return named[:64] or peer
    return peer
