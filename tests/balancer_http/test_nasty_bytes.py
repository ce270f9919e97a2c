"""Headers, cookies, forms and bodies of bytes that are no text, or not what they say: refused, never a 500."""

from __future__ import annotations

import asyncio

import pytest
from balancer_http.harness import Service

FORM = b"Content-Type: application/x-www-form-urlencoded"


async def status_of(service: Service, method: bytes, path: bytes, *headers: bytes, body: bytes = b"") -> int:
    """The status that this request is answered with, sent byte by byte as it stands."""
    url = service.client.make_url("/")
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        lines = [method + b" " + path + b" HTTP/1.1", b"Host: fleet", b"Connection: close", *headers]
        lines += [b"Content-Length: %d" % len(body)] if method == b"POST" else []
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


@pytest.mark.parametrize("key", [b"\xff\xfe", b"fk_\xe9", "fk_ё".encode()])
async def test_a_key_of_any_bytes_is_a_bad_key(service: Service, key: bytes) -> None:
    assert await status_of(service, b"GET", b"/bots", b"Authorization: Bearer " + key) == 401


@pytest.mark.parametrize("value", [b"\xff\xfe", "ё".encode(), b"x" * 300])
async def test_a_session_of_any_bytes_is_none(service: Service, value: bytes) -> None:
    assert await status_of(service, b"GET", b"/verify/abc", b"Cookie: fleet_player=" + value) == 200
    form = (FORM, b"Cookie: fleet_player=" + value)
    assert await status_of(service, b"POST", b"/verify", *form, body=b"token=a&csrf=b") == 403


@pytest.mark.parametrize(("kind", "body"), [(b"", b"token=\xff"), (b"; charset=none", b"token=a"), (b"; charset=utf-16", b"t")])
async def test_a_form_that_cannot_be_read_is_not_ours(service: Service, kind: bytes, body: bytes) -> None:
    assert await status_of(service, b"POST", b"/verify", FORM + kind, body=body) == 403


async def test_a_body_that_is_not_compressed_as_it_says_is_refused(service: Service) -> None:
    key = f"Authorization: Bearer {service.keys['site']}".encode()
    headers = [key, b"Idempotency-Key: a", b"Content-Type: application/json", b"Content-Encoding: gzip"]
    assert await status_of(service, b"POST", b"/deposit", *headers, body=b"abc") == 400
