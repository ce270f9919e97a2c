"""A feed's bytes come whole and bounded, from a real server, or there is a trouble that says why and holds no secret."""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import brotli
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from balancer.items.feeds import shapes
from balancer.items.feeds.fetch import NotFetched, fetch
from balancer.items.feeds.sources import Feed
from balancer.outward import Outward

MOST = 100_000
PATIENCE_S = 60.0
BODY = b'{"Knife": 1234}' + b" " * 5000
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handle: Handle) -> AsyncIterator[Feed]:
    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    async with TestServer(app) as server:
        yield feed(f"http://127.0.0.1:{server.port}/list?key=secret")


def feed(address: str = "", file: Path | None = None, authorization: Path | None = None) -> Feed:
    return Feed("shop", shapes.of("plain", {}), Decimal(1), address, file, authorization)


async def got(wanted: Feed, timeout_s: float = PATIENCE_S, *, private: bool = True) -> bytes:
    outward = Outward(private=private)
    try:
        return await fetch(wanted, outward, MOST, timeout_s)
    finally:
        await outward.close()


def answer(body: bytes, encoding: str = "", status: int = 200) -> Handle:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers={"Content-Encoding": encoding} if encoding else {})

    return handle


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (BODY, ""),
        (BODY, "identity"),
        (gzip.compress(BODY, mtime=0), "gzip"),  # the same at each collection: each process of a run names its tests itself
        (brotli.compress(BODY), "br"),
        (zlib.compress(BODY), "deflate"),
        (gzip.compress(BODY, mtime=0), ""),  # packed, and does not say so
    ],
)
async def test_a_body_is_unpacked_as_it_is_packed(packed: bytes, encoding: str) -> None:
    async with served(answer(packed, encoding)) as wanted:
        assert await got(wanted) == BODY


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        (answer(b"x" * (MOST + 1)), "more than 100000 bytes"),
        (answer(gzip.compress(bytes(20_000_000)), "gzip"), "more than 100000 bytes"),
        (answer(brotli.compress(bytes(5_000_000), quality=1), "br"), "more than 100000 bytes"),
        (answer(b"no gzip", "gzip"), "not packed as it says"),
        (answer(gzip.compress(BODY)[:-3], "gzip"), "its end is missing"),
        (answer(gzip.compress(BODY) + b"more", "gzip"), "something follows"),
        (answer(BODY, "zstd"), "a way that we do not know"),
        (answer(b"secret", status=503), "it answered 503"),
        (answer(b"", status=404), "it answered 404"),
    ],
)
async def test_a_body_that_is_not_to_be_had_is_told(handle: Handle, said: str) -> None:
    async with served(handle) as wanted:
        with pytest.raises(NotFetched, match=said) as caught:
            await got(wanted)
    assert "secret" not in str(caught.value) + repr(wanted)


async def test_a_redirect_is_not_followed() -> None:
    async def handle(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:1/")

    async with served(handle) as wanted:
        with pytest.raises(NotFetched, match="302"):
            await got(wanted)


async def test_an_answer_that_does_not_end_is_given_up() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    async with served(handle) as wanted:
        with pytest.raises(NotFetched, match="timeout"):
            await got(wanted, timeout_s=0.3)


async def test_an_answer_that_is_cut_off_is_none() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(b'{"Knife": 1}')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with served(handle) as wanted:
        with pytest.raises(NotFetched):
            await got(wanted)


async def test_this_machine_is_not_called_outside_of_development() -> None:
    called = []

    async def handle(request: web.Request) -> web.Response:
        called.append(request.path)
        return web.Response()

    async with served(handle) as wanted:
        with pytest.raises(NotFetched, match="refused"):
            await got(wanted, private=False)
    assert called == []


async def test_a_key_is_sent_and_never_shown(tmp_path: Path) -> None:
    seen = []

    async def handle(request: web.Request) -> web.Response:
        seen.append((request.headers.get("Authorization"), request.headers["Accept-Encoding"]))
        return web.Response(body=BODY)

    key = tmp_path / "key"
    key.write_text("Bearer abc123\n")
    async with served(handle) as wanted:
        assert await got(feed(wanted.address, authorization=key)) == BODY
        key.write_text("Bearer abc\nX-Other: 1")
        with pytest.raises(NotFetched, match="authorization_file") as caught:
            await got(feed(wanted.address, authorization=key))
        with pytest.raises(NotFetched, match="No such file"):
            await got(feed(wanted.address, authorization=tmp_path / "none"))
    assert seen == [("Bearer abc123", "br, gzip")] and "abc" not in str(caught.value)


async def test_files_are_read_by_the_same_bounds(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(BODY)
    assert await got(feed(file=path)) == BODY
    path.write_bytes(gzip.compress(BODY))
    assert await got(feed(file=path)) == BODY
    path.write_bytes(gzip.compress(bytes(MOST + 1)))
    with pytest.raises(NotFetched, match="more than"):
        await got(feed(file=path))
    path.write_bytes(bytes(MOST + 1))
    with pytest.raises(NotFetched, match="more than"):
        await got(feed(file=path))
    with pytest.raises(NotFetched, match="no file"):
        await got(feed(file=tmp_path))
    os.mkfifo(tmp_path / "pipe")  # would be waited for for ever
    with pytest.raises(NotFetched, match="no file"):
        await got(feed(file=tmp_path / "pipe"))
    with pytest.raises(NotFetched, match="No such file"):
        await got(feed(file=tmp_path / "none"))
