"""Calls to addresses that somebody else chose never reach this machine or its network."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from balancer.outward import Failed, Outward, Refused, check_url, is_public

PRIVATE = [
    *("127.0.0.1", "127.8.9.1", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.0.9"),
    *("198.18.0.1", "198.51.100.1", "203.0.113.1", "192.0.2.1", "192.88.99.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    "255.255.255.255",
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:10.0.0.1", "::127.0.0.1", "::8.8.8.8", "fe80::1"),
    *(
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
    ),
    *("64:ff9b:1::a00:1", "2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:0:808:808::1", "2001:db8::1", "2001:10::1"),
    *("100::1", "3fff::1", "5f00::1", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1"),
    *("", "localhost", "127.1", "0x7f000001", "2130706433", "1.1.1.1 ", "01.1.1.1"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "172.15.0.1", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_on_the_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_on_the_internet_is_public(address: str) -> None:
    assert is_public(address)


BAD = [
    *("http://shop.example/", "ftp://shop.example/", "//shop.example/x", "shop.example", "/x", "", "https://", "https:///x"),
    *("https://shop.example:80/", "https://shop.example:22/", "https://shop.example:6379/", "https://shop.example:99999/"),
    *("https://user@shop.example/", "https://user:secret@shop.example/", "https://@shop.example/", "https://:x@shop.example/"),
    *("https://shop.example/#part", "https://exa mple.com/", "https://shop.example\\@127.0.0.1/", "https://sh\u00f6p.com/"),
    *("https://shop.example/\r\nHost: x", "https://shop.example/" + "x" * 3000, "https://127.0.0.1/", "https://[::1]/"),
    *(
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]:8443/",
        "https://0.0.0.0/",
        "https://2130706433/",
        "https://127.1/",
    ),
    *("https://169.254.169.254/latest/meta-data/", "https://0177.0.0.1/", "file:///etc/passwd", "https://[fe80::1%25eth0]/"),
]


EXAMPLE = "https://example.com/hooks"  # of the error itself


@pytest.mark.parametrize("url", BAD)
def test_addresses_that_are_refused_at_once(url: str) -> None:
    with pytest.raises(Refused) as refused:
        check_url(url)
    assert not url or url not in str(refused.value).replace(EXAMPLE, "")


@pytest.mark.parametrize("url", ["https://shop.example/a?b=c", "https://shop.example:8443/", "https://8.8.8.8/"])
def test_good_addresses(url: str) -> None:
    check_url(url)


def answering(*answers: list[str]) -> tuple[Outward, list[str]]:
    """One whose names lead to these addresses, one list for each look; the last one for all that follow."""
    asked: list[str] = []
    following = itertools.chain(answers, itertools.repeat(answers[-1]))

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return next(following)

    return Outward(resolve=resolve), asked


async def ask(outward: Outward, url: str = "https://hooks.example/") -> int:
    try:
        answer = await outward.ask("POST", url, body=b"{}", headers={}, read_max=4096, timeout_s=30)
        return answer.status
    finally:
        await outward.close()


@pytest.mark.parametrize("second", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]])
async def test_a_name_that_leads_to_a_private_address_at_the_second_look_is_refused(second: list[str]) -> None:
    outward, asked = answering(["93.184.216.34"], second)
    await outward.check("https://hooks.example/")
    with pytest.raises(Failed, match="refused"):
        await ask(outward)
    assert asked == ["hooks.example"] * 2


async def test_a_name_is_refused_at_the_first_look_too() -> None:
    for addresses in (["127.0.0.1"], ["8.8.8.8", "::1"], []):
        outward, _ = answering(addresses)
        with pytest.raises(Refused):
            await outward.check("https://hooks.example/")


@pytest.mark.parametrize("name", ["localhost", "localhost.", "0x7f.0.0.1", "127.0.0.1.", "LOCALHOST"])
async def test_names_of_this_machine_are_refused_by_what_the_system_says_of_them(name: str) -> None:
    with pytest.raises(Failed, match=r"refused|connection"):
        await ask(Outward(), f"https://{name}:8443/")
    with pytest.raises(Refused):
        await Outward().check(f"https://{name}:8443/")


async def test_the_socket_itself_is_the_last_look() -> None:
    """Whatever had resolved the name."""
    outward = Outward()
    for address in ("127.0.0.1", "10.0.0.1", "169.254.169.254"):
        with pytest.raises(Refused):
            outward._socket((2, 1, 6, "", (address, 443)))


# --- an answer of a receiver on this machine, as in development ----------------------------------------------


@asynccontextmanager
async def receiver(handler: web.Handler) -> AsyncIterator[str]:  # type: ignore[name-defined]
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    paths = []

    async def handle(request: web.Request) -> web.Response:
        paths.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with receiver(handle) as url:
        assert await ask(Outward(private=True), url) == 307
    assert paths == ["/"]


async def test_no_more_of_an_answer_is_read_than_was_asked_for() -> None:
    sent = 0
    ended = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while sent < 500_000_000:
                await response.write(b"x" * 100_000)
                sent += 100_000
        finally:
            ended.set()
        return response

    async with receiver(handle) as url:
        outward = Outward(private=True)
        answer = await outward.ask("POST", url, body=b"{}", headers={}, read_max=4096, timeout_s=60)
        assert (answer.status, len(answer.body), answer.whole) == (200, 4096, False)
        async with asyncio.timeout(60):
            await ended.wait()
        await outward.close()
    assert sent < 500_000_000


async def test_a_slow_answer_is_given_up() -> None:
    async def handle(_request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with receiver(handle) as url:
        outward = Outward(private=True)
        with pytest.raises(Failed, match="timeout"):
            await outward.ask("POST", url, body=b"{}", headers={}, read_max=4096, timeout_s=0.2)
        await outward.close()


async def test_no_proxy_of_the_environment_and_no_cookie_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie", ""))
        response = web.Response()
        response.set_cookie("a", "b")
        return response

    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.delenv("no_proxy", raising=False)
    async with receiver(handle) as url:
        outward = Outward(private=True)
        for _ in range(2):
            await outward.ask("POST", url, body=b"{}", headers={}, read_max=10, timeout_s=30)
        await outward.close()
    assert seen == ["", ""]
