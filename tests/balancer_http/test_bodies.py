"""Bodies: who may send one, how large it may be when it is unpacked, and that unpacking lets others in."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import zlib
from collections.abc import Callable

import brotli
import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from balancer_http.harness import ONE_DATABASE, READY_S, Service

from balancer import unpacking
from balancer.web import bodies

UNPACKED = 250_000_000
# What unpacking all of one bomb costs is a multiple of it, on any machine; what is unpacked here is a thousandth of that.
BOMBS_CPU_S = 5.0
PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}


def bomb(encoding: str) -> bytes:
    """250 MB of a JSON text, packed: 243 kB as gzip, some hundred bytes as br."""
    if encoding == "br":
        return brotli.compress(b'{"user_id":"' + bytes(1) * UNPACKED, quality=1)  # type: ignore[no-any-return]
    packer = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    piece = bytes(1_000_000)
    parts = [packer.compress(b'{"user_id":"'), *(packer.compress(piece) for _ in range(UNPACKED // len(piece)))]
    return b"".join(parts) + packer.flush()


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    return {encoding: bomb(encoding) for encoding in PACK}


def request(encoding: str, body: bytes) -> web.Request:
    content = StreamReader(BaseProtocol(asyncio.get_running_loop()), 2**20)
    content.feed_data(body)
    content.feed_eof()
    return make_mocked_request("POST", "/", headers={"Content-Encoding": encoding}, payload=content)


def headers(encoding: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Encoding": encoding}


@ONE_DATABASE
@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("client", ["", "site"])
async def test_ten_bombs_at_once_cost_nothing(service: Service, bombs: dict[str, bytes], encoding: str, client: str) -> None:
    packed = bombs[encoding]
    assert len(packed) < 300_000
    before = time.process_time()
    answers = await asyncio.gather(
        *(service.call("POST", "/deposit", data=packed, headers=headers(encoding), client=client) for _ in range(10))
    )
    used_s = time.process_time() - before
    assert {answer.status for answer in answers} == ({413} if client else {401})
    assert used_s < BOMBS_CPU_S, f"{used_s:.1f} s for bodies that were to be refused"


@ONE_DATABASE
@pytest.mark.parametrize("route", ["/inventory", "/trade", "/verify", "/withdraw", "/audit"])
async def test_no_body_is_looked_at_whose_sender_may_not_send_it(service: Service, route: str) -> None:
    """The answer comes before a byte of the body has."""
    await service.add_client("narrow")
    url = service.client.make_url(route)
    for client, status in (("", 401), ("narrow", 403)):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        key = f"Authorization: Bearer {service.keys[client]}\r\n" if client else ""
        head = f"POST {route} HTTP/1.1\r\nHost: fleet\r\n{key}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(READY_S):
            assert (await reader.readline()).split()[1] == str(status).encode()
        writer.close()
        await writer.wait_closed()


async def test_others_are_served_between_the_steps_of_a_large_body() -> None:
    """The steps of one body are many; after each of them the loop goes round."""
    rounds = 0

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    assert len(await bodies.read(request("gzip", gzip.compress(bytes(200_000))), 300_000, 60.0)) == 200_000
    counting.cancel()
    assert rounds >= 200_000 // unpacking.STEP


@ONE_DATABASE
@pytest.mark.parametrize("encoding", PACK)
async def test_a_packed_body_is_taken(service: Service, encoding: str) -> None:
    packed = PACK[encoding](json.dumps(service.deposit_body("1")).encode())
    answer = await service.call("POST", "/deposit", data=packed, headers=headers(encoding))
    assert answer.status == 201, await answer.text()


UNREADABLE: dict[str, tuple[str, bytes, int]] = {
    "no gzip": ("gzip", b"abc", 400),
    "no deflate": ("deflate", b"abc", 400),
    "no br": ("br", b"\xff\xff\xff", 400),
    "half a gzip": ("gzip", gzip.compress(b"{}")[:-4], 400),
    "half a br": ("br", brotli.compress(b"{}" * 50)[:-2], 400),
    "something behind it": ("gzip", gzip.compress(b"{}") + b"more", 400),
    "several in a row": ("gzip", gzip.compress(b"{}") * 2000, 400),
    "nothing": ("gzip", b"", 400),
    "zstd": ("zstd", b"(\xb5/\xfd", 415),
    "twice": ("gzip, gzip", gzip.compress(gzip.compress(b"{}")), 415),
    "compress": ("compress", b"abc", 415),
}


@ONE_DATABASE
@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_cannot_be_unpacked(service: Service, name: str) -> None:
    encoding, body, status = UNREADABLE[name]
    answer = await service.call("POST", "/deposit", data=body, headers=headers(encoding))
    code = "encoding_unknown" if status == 415 else "invalid_request"
    assert (answer.status, (await answer.json())["code"]) == (status, code)
    if status == 415:
        assert answer.headers["Accept-Encoding"] == "gzip, deflate, br"


@pytest.mark.parametrize("encoding", ["", *PACK])
async def test_the_bound_is_on_what_comes_and_on_what_it_unpacks_to(encoding: str) -> None:
    pack = PACK.get(encoding, bytes)
    assert await bodies.read(request(encoding, pack(b"x" * 1000)), 1000, 60.0) == b"x" * 1000
    with pytest.raises(web.HTTPRequestEntityTooLarge):
        await bodies.read(request(encoding, pack(b"x" * 1001)), 1000, 60.0)


@ONE_DATABASE
async def test_a_form_is_short_and_plain(service: Service) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    long = await service.client.post("/verify", data=b"token=" + b"x" * bodies.FORM_MAX, headers=form)
    assert long.status == 413
    packed = await service.client.post("/verify", data=gzip.compress(b"token=a"), headers=form | {"Content-Encoding": "gzip"})
    assert packed.status == 403
    many = await service.client.post("/verify", data=b"&".join(b"a=1" for _ in range(50)), headers=form)
    assert many.status == 403


@ONE_DATABASE
@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"steam_id":"76561198000000002","steam_id":"76561198000000003"}', "body.steam_id"),
        ('{"steam_id":"76561198000000002","steam_id":"76561198000000002"}', "body.steam_id"),
    ],
)
async def test_a_name_that_stands_twice_is_refused(service: Service, text: str, field: str) -> None:
    answer = await service.call("POST", "/inventory", data=text.encode(), headers={"Content-Type": "application/json"})
    problem = await answer.json()
    assert (answer.status, problem["code"]) == (400, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == [field]


@ONE_DATABASE
async def test_a_name_that_stands_twice_deep_inside_is_refused(service: Service) -> None:
    body = json.dumps(service.deposit_body({"asset_id": "1"})).replace('"asset_id": "1"', '"asset_id": "1", "asset_id": "2"')
    answer = await service.call("POST", "/deposit", data=body.encode(), headers={"Content-Type": "application/json"})
    assert answer.status == 400
