"""What a balancer is asked and answers, written down with made-up ids, secrets and times instead of those of the moment.

The same real value gets the same made-up one everywhere, by the order in which the values appear first. So what is written
down reads as one story, and a second playing of it gives the same text.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import ClientResponse
from balancer_http.harness import READY_S, Service

from balancer.web import api, openapi
from balancer.web.routes import ROUTES
from shared.domain.ids import record_id

BEGIN = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)
STEP_S = 20  # how long after one call of the story the next one comes
NEAR_S = 60  # what lies further ahead than this was reckoned from now, and is told as so much later
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
UNIX = range(1_600_000_000, 2_200_000_000)
# Ids of records; those of items are made from their names, and are the same everywhere.
RECORD = re.compile(r"\b((?!itm)[a-z]+)_[0-9a-hjkmnp-tv-z]{20}\b")
STATE = re.compile(r"(?<=state%3D)[^&]+")  # by which a sign-in is known again
# Secrets by the field they stand in, and what is shown instead.
SECRETS = {
    "token": lambda n: _letters(f"token {n}", 22),
    "secret": lambda n: f"whsec_{_letters(f'secret {n}', 43)}=",
    "offer_id": lambda n: str(7_012_345_677 + n),
    "request_id": lambda n: f"req-{hashlib.sha256(f'request {n}'.encode()).hexdigest()[:24]}",
}
# What a machine measures: another number each time.
MEASURED = {"last_ran_s": 0.4, "heartbeat_age_s": 0.8, "age_s": 12}
JSON = ("application/json", "application/problem+json")


def _letters(seed: str, number: int) -> str:
    """So many letters and digits that look drawn, the same ones each time."""
    digest = int.from_bytes(hashlib.sha512(seed.encode()).digest(), "big")
    letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    made = ""
    while len(made) < number:
        digest, at = divmod(digest, len(letters))
        made += letters[at]
    return made


@dataclass
class MadeUp:
    """The made-up values of one story."""

    now: Callable[[], datetime]
    said: dict[str, str] = field(default_factory=dict)  # what stands for what, wherever it stands
    _begun: list[float] = field(default_factory=list)  # when each step really began
    _ahead: dict[int, int] = field(default_factory=dict)
    _counted: dict[str, int] = field(default_factory=dict)

    def begin(self) -> None:
        """A new step of the story begins."""
        self._begun.append(self.now().timestamp())

    def of(self, value: Any, name: str = "") -> Any:
        """The value with all that is of the moment replaced; ``name`` is the field it stands in."""
        if isinstance(value, dict):
            return {key: self.of(one, name if name in MEASURED else key) for key, one in value.items()}
        if isinstance(value, list):
            return [self.of(one, name) for one in value]
        if name in MEASURED:
            return MEASURED[name]
        if isinstance(value, int) and not isinstance(value, bool) and value in UNIX:
            return self._time(value)
        if isinstance(value, str):
            return self._text(value, name)
        return value

    def new_id(self, prefix: str) -> str:
        """A made-up id, for whoever makes ids: of two the later one is the greater, so that lists have one order."""
        number = self._next(prefix)
        at_ms = _story_time(len(self._begun)) * 1000 + number
        made = record_id(prefix, at_ms, hashlib.sha256(f"{prefix} {number}".encode()).digest())
        self.said[made] = made
        return made

    def _text(self, text: str, name: str) -> str:
        if name in SECRETS and text not in self.said and text not in self.said.values():
            self.said[text] = SECRETS[name](self._next(name))
        text = RECORD.sub(self._record, TIME.sub(self._moment, text))
        for real in sorted(self.said, key=len, reverse=True):  # one may be a part of another
            text = text.replace(real, self.said[real])
        return text

    def _record(self, found: re.Match[str]) -> str:
        prefix, real = found[1], found[0]
        if real in self.said.values():
            return real
        if real not in self.said:
            self.said[real] = self.new_id(prefix)
        return self.said[real]

    def _next(self, name: str) -> int:
        self._counted[name] = self._counted.get(name, 0) + 1
        return self._counted[name]

    def _moment(self, found: re.Match[str]) -> str:
        made = self._time(int(datetime.fromisoformat(found[0]).timestamp()))
        return datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _time(self, real: int) -> int:
        """A time of the past is that of its step; what lies ahead is so many whole minutes after the step that saw it first."""
        ahead_s = real - self.now().timestamp()
        if ahead_s > NEAR_S and real not in self._ahead:
            self._ahead[real] = _story_time(len(self._begun)) + round(ahead_s / 60) * 60
        if real in self._ahead:
            return self._ahead[real]
        # Times in answers are whole seconds, cut off; a step begins more than one after the last moment of the one before.
        return _story_time(bisect_left(self._begun, real + 1))


def _story_time(step: int) -> int:
    return int((BEGIN + timedelta(seconds=step * STEP_S)).timestamp())


def operation_of(method: str, path: str) -> tuple[str, str, api.Operation]:
    """The operation's id, its path with parameters, and itself.

    Raises:
        LookupError: no route of the API is there.
    """
    for route in ROUTES:
        pattern = re.sub(r"\{\w+\}", "[^/]+", route.path)
        operation = api.operation_of(route.handler)
        if operation is not None and route.method == method and re.fullmatch(pattern, path):
            return openapi.operation_id(route, operation), route.path, operation
    raise LookupError(f"{method} {path}")


class Recorder:
    """Sends what a story sends and writes it down."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.made_up = MadeUp(service.ctx.clock.now)
        service.ctx.new_id = self.made_up.new_id
        self.written: list[dict[str, Any]] = []
        self.location = ""  # where the last answer led to
        self.cookies = ""  # what it gave the browser, which a test's client sends only over https
        self._chapter = ""

    def chapter(self, title: str) -> None:
        """What is written from now on stands under this title."""
        self._chapter = title

    async def call(
        self,
        title: str,
        method: str,
        address: str,
        body: Any = None,
        *,
        status: int = 200,
        client: str = "mysite",
        shown: bool = True,
        patient: bool = False,
    ) -> Any:
        """Send it, as ``title`` says; the whole answer, as it really is. Without ``shown`` it is not written down.

        ``patient``: a busy machine may answer otherwise at first, so it is sent until the status is the one of the story.
        """
        self._begin()
        found, path, operation = operation_of(method, urlsplit(address).path)
        key = f"{found.replace('_', '-')}-{len(self.written) + 1}" if "key" in operation.takes else None
        client = client if operation.scope else ""
        request = self._request(method, address, path, body, key)
        cookies = {"Cookie": self.cookies} if self.cookies else {}
        async with asyncio.timeout(READY_S):
            while (
                response := await self.service.call(method, address, body, key=key, client=client, headers=cookies)
            ).status != status and patient:
                await asyncio.sleep(0.02)
        self.location = response.headers.get("Location", "")
        self.cookies = "; ".join(f"{name}={one.value}" for name, one in response.cookies.items())
        answer = await self._answer(response)
        assert response.status == status, answer
        self._write(found, title, request, self._head(response), answer if shown else None)
        return answer

    async def stream(self, title: str, address: str) -> None:
        """Listen until the first event, and write down what came."""
        self._begin()
        found, path, _ = operation_of("GET", urlsplit(address).path)
        request = self._request("GET", address, path, None, None)
        response = await self.service.call("GET", address, client="mysite", timeout=None)
        lines: list[str] = []
        async with asyncio.timeout(READY_S):
            while not any(line.startswith("data: ") for line in lines):
                lines.append((await response.content.readline()).decode())
        response.close()
        self._write(found, title, request, self._head(response), "".join(self._line(line) for line in lines))

    def _begin(self) -> None:
        self.service.ctx.clock.offset_s += 1  # so that no second belongs to two steps
        self.made_up.begin()

    def _line(self, line: str) -> str:
        _, colon, data = line.partition("data: ")
        return line if not colon else f"data: {json.dumps(self.made_up.of(json.loads(data)), separators=(',', ':'))}\n"

    def _write(self, operation: str, title: str, request: Any, head: dict[str, Any], answer: Any) -> None:
        body = {} if answer is None else {"body": self.made_up.of(answer)}
        self.written.append(
            {
                "chapter": self._chapter,
                "operation": operation,
                "title": title,
                "request": request,
                "answer": {**head, **body},
            }
        )

    def _request(self, method: str, address: str, path: str, body: Any, key: str | None) -> Any:
        shown = {api.KEY_HEADER: key} if key else {}
        parts = urlsplit(address)
        query = self.made_up.of([list(pair) for pair in parse_qsl(parts.query)])
        made = {
            "method": method,
            "path": path,
            "in_path": self.made_up.of(_in_path(path, parts.path)),
            "query": query,
            "headers": self.made_up.of(shown),
        }
        return made | ({} if body is None else {"body": self.made_up.of(body)})

    def _head(self, response: ClientResponse) -> dict[str, Any]:
        if state := STATE.search(response.headers.get("Location", "")):
            self.made_up.said[state[0]] = _letters("state", 60)
        told = {
            name: self.made_up.of(response.headers[name]) for name in ("Location", "Retry-After") if name in response.headers
        }
        plain = response.content_type == JSON[0] or response.status in range(300, 400)
        content_type = {} if plain else {"content_type": response.content_type}
        return {"status": response.status, **content_type, **({"headers": told} if told else {})}

    async def _answer(self, response: ClientResponse) -> Any:
        if response.content_type in JSON:
            return json.loads(await response.read())
        return None


def _in_path(pattern: str, path: str) -> dict[str, str]:
    found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern), path)
    return found.groupdict() if found else {}
