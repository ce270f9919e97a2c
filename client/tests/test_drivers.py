"""Both clients over real sockets: the same course of things for each of them."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from fleet_client import AsyncClient, Client, Patience, errors

KEY = "fk_hush_hush"
GOOD: dict[str, Any] = {"trades": []}
Reply = Callable[[BaseHTTPRequestHandler], None]


def reply(status: int, body: Any, kind: str = "application/json") -> Reply:
    def send(handler: BaseHTTPRequestHandler) -> None:
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return send


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    """Half an answer, and then nothing."""
    handler.send_response(201)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"trades"')
    handler.close_connection = True


class Balancer:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        balancer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                balancer.asked.append((f"{self.command} {self.path}", dict(self.headers), body))
                (balancer.replies.pop(0) if len(balancer.replies) > 1 else balancer.replies[0])(self)

            do_GET = do_POST = answer

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError):  # whoever asked has gone
                    super().handle_one_request()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def balancer() -> Iterator[Balancer]:
    made = Balancer()
    yield made
    made.close()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{one.getsockname()[1]}"


Ask = Callable[[Any], Any]  # what is done with a client, the same text for both


class Both:
    """Makes a client of one kind and carries out what is done with it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def client(self, *addresses: str, **options: Any) -> Client | AsyncClient:
        made = Client if self.kind == "threads" else AsyncClient
        return made(list(addresses), KEY, **{"chance": lambda: 0.0, **options})

    def do(self, client: Any, ask: Ask) -> Any:
        if isinstance(client, Client):
            with client:
                return ask(client)

        async def run() -> Any:
            async with client:
                made = ask(client)
                return await made if isinstance(made, Awaitable) else made

        return asyncio.run(run())

    def take(self, client: Any, ask: Ask, count: int) -> list[Any]:
        """The first things of an iterator."""
        if isinstance(client, Client):
            with client:
                stream = ask(client)
                return [next(stream) for _ in range(count)]

        async def run() -> list[Any]:
            async with client:
                stream = ask(client)
                found = [await anext(stream) for _ in range(count)]
                await stream.aclose()
                return found

        return asyncio.run(run())


@pytest.fixture(params=["threads", "event loop"])
def both(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


def deposit(client: Any) -> Any:
    return client.deposit(user_id="p", steam_id="7", trade_url="https://hush.example/", asset_ids=["1"], wait=0)


def test_a_call_goes_out_with_key_and_idempotency_key(both: Both, balancer: Balancer) -> None:
    balancer.replies = [reply(201, GOOD)]
    assert both.do(both.client(balancer.url), deposit).trades == []
    ((line, headers, body),) = balancer.asked
    assert (line, headers["Authorization"]) == ("POST /deposit?wait=0", f"Bearer {KEY}")
    assert len(headers["Idempotency-Key"]) == 32 and json.loads(body)["asset_ids"] == ["1"]


def test_a_players_language_goes_along(both: Both, balancer: Balancer) -> None:
    balancer.replies = [reply(201, GOOD)]
    both.do(both.client(balancer.url), lambda client: deposit(client.speaking("ru-RU,ru;q=0.9, en")))
    both.do(both.client(balancer.url), lambda client: deposit(client.speaking("ru\r\nX-Evil: 1")))
    both.do(both.client(balancer.url), deposit)
    said = [headers.get("Accept-Language") for _, headers, _ in balancer.asked]
    assert said == ["ru-RU,ru;q=0.9, en", None, None]
    assert all("X-Evil" not in headers for _, headers, _ in balancer.asked)


def test_each_call_has_a_key_of_its_own(both: Both, balancer: Balancer) -> None:
    balancer.replies = [reply(201, GOOD)]
    for _ in range(2):
        both.do(both.client(balancer.url), deposit)
    assert len({headers["Idempotency-Key"] for _, headers, _ in balancer.asked}) == 2


def test_where_nobody_listens_the_next_is_asked(both: Both, balancer: Balancer, nobody: str) -> None:
    balancer.replies = [reply(201, GOOD)]
    assert both.do(both.client(nobody, balancer.url), deposit).trades == []


def test_nobody_at_all(both: Both, nobody: str) -> None:
    with pytest.raises(errors.Unreachable) as caught:
        both.do(both.client(nobody, nobody, patience=Patience(0.0)), deposit)
    assert "hush" not in f"{caught.value!r}"


def test_an_answer_that_breaks_off_is_asked_for_again_with_its_key(both: Both, balancer: Balancer) -> None:
    balancer.replies = [cut_off, reply(201, GOOD)]
    assert both.do(both.client(balancer.url), deposit).trades == []
    first, second = (headers["Idempotency-Key"] for _, headers, _ in balancer.asked)
    assert first == second


def test_an_answer_that_never_comes(both: Both, balancer: Balancer) -> None:
    done = threading.Event()
    balancer.replies = [lambda _: (done.wait(60), None)[1]]
    try:
        with pytest.raises(errors.AnswerLost) as caught:
            both.do(both.client(balancer.url, timeout_s=0.2, patience=Patience(0.0, 0.0)), deposit)
    finally:
        done.set()
    assert caught.value.key and "hush" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


def test_a_problem_is_raised_as_its_class(both: Both, balancer: Balancer) -> None:
    document = {"code": "item_locked", "detail": "in a game", "retryable": False, "actor": "player"}
    balancer.replies = [reply(409, document, "application/problem+json")]
    with pytest.raises(errors.ItemLocked):
        both.do(both.client(balancer.url), deposit)


def send(client: Any) -> Any:
    return client.send("POST", "/deposit?wait=0", body={"user_id": "p"}, key="mine")


def test_a_request_that_is_sent_as_it_stands_has_its_answer_whatever_it_is(both: Both, balancer: Balancer) -> None:
    balancer.replies = [reply(503, {"code": "fleet_paused", "retryable": True}, "application/problem+json"), reply(201, GOOD)]
    answer = both.do(both.client(balancer.url), send)
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "fleet_paused")
    assert answer.headers["content-type"] == "application/problem+json"
    ((line, headers, body),) = balancer.asked
    assert (line, headers["Idempotency-Key"], json.loads(body)) == ("POST /deposit?wait=0", "mine", {"user_id": "p"})
    assert headers["Authorization"] == f"Bearer {KEY}"


def test_what_is_sent_as_it_stands_is_sent_once(both: Both, balancer: Balancer, nobody: str) -> None:
    balancer.replies = [cut_off]
    with pytest.raises(errors.AnswerLost) as caught:
        both.do(both.client(balancer.url), send)
    assert caught.value.key == "mine" and len(balancer.asked) == 1
    with pytest.raises(errors.Unreachable):
        both.do(both.client(balancer.url), lambda client: client.send("GET", "/bots"))
    with pytest.raises(errors.Unreachable):
        both.do(both.client(nobody, balancer.url), send)
    assert len(balancer.asked) == 2


def test_no_redirect_is_followed(both: Both, balancer: Balancer) -> None:
    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(307)
        handler.send_header("Location", "/stolen")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    balancer.replies = [elsewhere]
    with pytest.raises(errors.UnexpectedAnswer):
        both.do(both.client(balancer.url), lambda client: client.bots())
    assert len(balancer.asked) == 1


def test_no_proxy_of_the_environment_sees_the_key(
    both: Both, balancer: Balancer, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, nobody)
    balancer.replies = [reply(201, GOOD)]
    assert both.do(both.client(balancer.url), deposit).trades == []


def test_events_come_one_by_one(both: Both, balancer: Balancer) -> None:
    rows: list[dict[str, Any]] = [
        {"number": n, "at": "2026-11-30T12:00:00Z", "kind": "settled", "who": "bot:red-1", "data": {}} for n in (3, 4)
    ]
    balancer.replies = [
        reply(200, {"events": rows, "next": 4}),
        cut_off,
        reply(200, {"events": [rows[0] | {"number": 9}], "next": 9}),
    ]
    found = both.take(both.client(balancer.url), lambda client: client.poll(2), 3)
    assert [event.number for event in found] == [3, 4, 9]
    assert [line for line, _, _ in balancer.asked] == [f"GET /events?after={n}&wait=25" for n in (2, 4, 4)]


def streaming(*pieces: bytes, end: bool = True) -> Reply:
    """An answer that comes in pieces; without an ``end`` it breaks off."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in pieces:
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n" if end else b"")
        handler.close_connection = True

    return send


def sent(number: int) -> bytes:
    row = {"number": number, "at": "2026-11-30T12:00:00Z", "kind": "settled", "who": "bot:red-1", "data": {}}
    return f"id: {number}\ndata: {json.dumps(row)}\n\n".encode()


def test_a_stream_is_read_as_it_comes_and_opened_again(both: Both, balancer: Balancer) -> None:
    def first(handler: BaseHTTPRequestHandler) -> None:
        streaming(b"retry: 1000\n", sent(3), sent(4)[:15], sent(4)[15:], end=False)(handler)

    balancer.replies = [first, reply(503, {}), streaming(sent(5))]
    found = both.take(both.client(balancer.url), lambda client: client.listen(2), 3)
    assert [event.number for event in found] == [3, 4, 5]
    assert [line for line, _, _ in balancer.asked] == [f"GET /events/stream?after={n}" for n in (2, 4, 4)]


def test_a_stream_gives_an_event_before_it_ends(both: Both, balancer: Balancer) -> None:
    gate = threading.Event()

    def stays_open(handler: BaseHTTPRequestHandler) -> None:
        piece = sent(3)
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        gate.wait(60)
        handler.close_connection = True

    balancer.replies = [stays_open]
    try:
        assert [event.number for event in both.take(both.client(balancer.url), lambda client: client.listen(), 1)] == [3]
    finally:
        gate.set()


def test_a_stream_that_may_not_be_read_ends(both: Both, balancer: Balancer) -> None:
    document = {"code": "scope_missing", "detail": "x"}
    balancer.replies = [reply(403, document, "application/problem+json")]
    with pytest.raises(errors.ScopeMissing):
        both.take(both.client(balancer.url), lambda client: client.listen(), 1)


def test_a_list_ends(both: Both, balancer: Balancer) -> None:
    balancer.replies = [reply(200, {"transfers": [], "next": None})]
    with pytest.raises((StopIteration, StopAsyncIteration, RuntimeError)):
        both.take(both.client(balancer.url), lambda client: client.each_transfer(), 1)


def test_a_http_client_of_the_site_is_used_and_left_open(balancer: Balancer) -> None:
    balancer.replies = [reply(201, GOOD)]
    with httpx.Client() as http:
        with Client(balancer.url, KEY, http=http) as client:
            deposit(client)
        assert not http.is_closed


def test_threads_share_a_client(balancer: Balancer) -> None:
    balancer.replies = [reply(201, GOOD)]
    failures: list[BaseException] = []

    def ask(client: Client) -> None:
        try:
            for _ in range(5):
                deposit(client)
        except BaseException as error:
            failures.append(error)

    with Client(balancer.url, KEY) as client:
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert failures == [] and len(balancer.asked) == 40
    assert len({headers["Idempotency-Key"] for _, headers, _ in balancer.asked}) == 40


def test_the_key_is_shown_nowhere(both: Both, balancer: Balancer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    balancer.replies = [cut_off, reply(401, {"code": "bad_key", "detail": "x"}, "application/problem+json")]
    client = both.client(balancer.url)
    shown = f"{client!r} {vars(client)!r} {vars(client.line)!r}"
    with pytest.raises(errors.BadKey) as caught:
        both.do(client, deposit)
    assert "hush" not in shown and "hush" not in caplog.text and "hush" not in f"{caught.value!r}"
    with pytest.raises(TypeError):
        copy.deepcopy(client._key)


@pytest.mark.parametrize("key", ["", "fk_hush\n", "fk hush", "fk_hüsh"])
def test_a_key_that_is_none_is_not_repeated(both: Both, key: str) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        (Client if both.kind == "threads" else AsyncClient)("http://a.example", key)
    assert "hush" not in str(caught.value)


def test_calls_at_once_wait_for_nobody(balancer: Balancer) -> None:
    """A call that waits holds up no other of the same loop."""
    gate = threading.Event()
    balancer.replies = [lambda handler: (gate.wait(60), reply(201, GOOD)(handler))[1], reply(201, GOOD)]

    async def run() -> None:
        async with AsyncClient(balancer.url, KEY) as client:
            first = asyncio.ensure_future(deposit(client))
            while not balancer.asked:
                await asyncio.sleep(0.01)
            await deposit(client)
            assert not first.done()
            gate.set()
            await first

    asyncio.run(run())


def test_a_call_that_is_given_up_leaves_the_client_usable(balancer: Balancer) -> None:
    gate = threading.Event()
    balancer.replies = [lambda handler: (gate.wait(60), reply(201, GOOD)(handler))[1], reply(201, GOOD)]

    async def run() -> None:
        async with AsyncClient(balancer.url, KEY) as client:
            first = asyncio.ensure_future(deposit(client))
            while not balancer.asked:
                await asyncio.sleep(0.01)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert (await deposit(client)).trades == []

    try:
        asyncio.run(run())
    finally:
        gate.set()
