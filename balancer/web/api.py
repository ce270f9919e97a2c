"""One decorator between aiohttp and a handler: who calls, what came in, and what the document at `/openapi.json` says of it.

A handler's parameters are taken by name: ``ctx``, ``request``, ``caller``, ``key`` (the Idempotency-Key), and the pydantic
models ``path``, ``query`` and ``body``. What does not fit is refused with `InvalidRequest`, one entry per field.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import json
import math
import re
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from balancer import fields
from balancer.context import Context
from balancer.trades.requests import Caller
from balancer.web import addresses, auth, bodies, pages, rates, sentences
from balancer.web.schemas import requests
from shared.errors import BadKey, DatabaseUnavailable, FleetError, Forbidden, InvalidRequest, RateLimited
from shared.settings import Settings

CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)
NETWORKS: web.AppKey[addresses.Networks] = web.AppKey("networks", addresses.Networks)
JSON_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
KEY_HEADER = "Idempotency-Key"

PROBLEMS_MAX = 100

_KEY = re.compile(r"[!-~]{1,128}")
_KEY_FORM = "Write 1 to 128 ASCII letters, digits or other characters, without spaces."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The site's own key of one request, and the hash of what it asked for."""

    key: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Operation:
    """What is known of a handler; OpenAPI is made from it."""

    handler: Callable[..., Awaitable[web.StreamResponse]]
    scope: str | None
    answers: dict[int, type[Any]]
    errors: tuple[tuple[type[FleetError], str], ...]
    models: dict[str, type[BaseModel]]
    takes: frozenset[str]
    content: str = "application/json"
    counted: bool = False  # against its address, as it needs no key
    lasting: bool = False  # its answer goes on for as long as it likes


def operation(
    *,
    scope: str | None,
    answers: dict[int, type[Any]],
    errors: tuple[tuple[type[FleetError], str], ...] = (),
    content: str = "application/json",
    lasting: bool = False,
) -> Callable[[Callable[..., Awaitable[web.StreamResponse]]], Handler]:
    """Make a handler of a function that takes checked values. ``errors`` are the (class, code) that it may end in beyond
    those of the wrapper; the function's docstring becomes the text of the document. A ``lasting`` answer has no time limit."""

    def wrap(handler: Callable[..., Awaitable[web.StreamResponse]]) -> Handler:
        hints = typing.get_type_hints(handler)
        takes = frozenset(inspect.signature(handler).parameters)
        models: dict[str, type[BaseModel]] = {str(name): hints[name] for name in ("path", "query", "body") if name in takes}
        models.setdefault("query", requests.NoQuery)
        noted = Operation(handler, scope, answers, errors, models, takes, content, lasting=lasting)

        @functools.wraps(handler)
        async def handle(request: web.Request) -> web.StreamResponse:
            return await _call(noted, request)

        handle.operation = noted  # type: ignore[attr-defined]
        return handle

    return wrap


def page(
    content: str,
    *,
    answers: dict[int, type[Any]],
    path: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    counted: bool = True,
) -> Callable[[Handler], Handler]:
    """Note what a plain handler answers, for the document: ``content`` are types with a comma between them.

    With ``counted`` its address may not ask too often.
    """

    def note(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                await count_address(request)
            except RateLimited as error:
                if content != "text/html":
                    raise
                return _too_often(error)
            return await handler(request)

        models = {name: model for name, model in (("path", path), ("query", query)) if model is not None}
        noted = handle if counted else handler
        noted.operation = Operation(  # type: ignore[attr-defined]
            handler, None, answers, (), models, frozenset({"request"}), content, counted
        )
        return noted

    return note


async def count_address(request: web.Request) -> None:
    """Count a request without a key against its address.

    Raises:
        RateLimited: ``rate_limited``.
    """
    await rates.spend_for(request, (request.app[rates.RATES].address, request.app[NETWORKS].of(request)))


def _too_often(error: RateLimited) -> web.Response:
    wait_s = math.ceil(error.retry_after_s or 1)
    text = f"Try again in {wait_s} seconds."
    response = pages.page("refused.html", 429, heading="Too many requests.", text=text, again=None, mood="wait")
    response.headers["Retry-After"] = str(wait_s)
    return response


def operation_of(handler: Callable[..., Any]) -> Operation | None:
    """What `operation` noted at this handler; ``None`` for a plain page."""
    return getattr(handler, "operation", None)


async def _call(noted: Operation, request: web.Request) -> web.StreamResponse:
    ctx = request.app[CONTEXT]
    values: dict[str, Any] = {}
    caller = None
    if noted.scope is not None:
        caller = await caller_of(request, noted.scope)
        await rates.spend_for(request, (request.app[rates.RATES].key, caller.client_id))
    takes = noted.takes
    if "path" in takes:
        values["path"] = _strings(noted.models["path"], dict(request.match_info), "path")
    query = _query(noted.models["query"], request)
    if "query" in takes:
        values["query"] = query
    key = _key(request) if "key" in takes else ""
    if "body" in takes:
        # Last of all, so that nobody's bytes are read, let alone unpacked, who may not send them.
        values["body"], plain = await _body(noted.models["body"], request, ctx.settings)
        if "key" in takes:
            values["key"] = _idempotency_key(key, request.path, plain)
        if player := getattr(values["body"], "steam_id", None):
            await rates.spend_for(request, (request.app[rates.RATES].player, player))
    if "caller" in takes:
        values["caller"] = caller
    if "ctx" in takes:
        values["ctx"] = ctx
    if "request" in takes:
        values["request"] = request
    return await noted.handler(**values)


async def caller_of(request: web.Request, scope: str) -> Caller:
    """The client whose key this request has, as `auth.caller_of`."""
    header, address = request.headers.get("Authorization"), request.app[NETWORKS].of(request)
    return await auth.caller_of(request.app[CONTEXT], request.app[auth.KEYS], request.app[rates.RATES], header, scope, address)


def _query(model: type[BaseModel], request: web.Request) -> BaseModel:
    if not request.query_string:
        return _strings(model, {}, "query")
    query = request.query
    values: dict[str, Any] = {}
    for name in query:
        several = query.getall(name)
        values[name] = several[0] if len(several) == 1 else several
    return _strings(model, values, "query")


def _strings(model: type[BaseModel], values: dict[str, Any], where: str) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _invalid(error, where, model) from None


async def _body(model: type[BaseModel], request: web.Request, settings: Settings) -> tuple[BaseModel, Any]:
    """The body as its model, and as plain JSON.

    Raises:
        InvalidRequest: it does not have that form.
        web.HTTPException: as `bodies.read`; 415 when it is no JSON.
    """
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType()
    text = await bodies.read(request, settings.balancer.body_max_bytes, settings.http.body_s)
    try:
        made = model.model_validate_json(text)
    except ValidationError as error:
        raise _invalid(error, "body", model) from None
    # What has passed the model is neither deep nor does it hold enormous numbers.
    return made, json.loads(text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; refuses one in which a name stands twice: two readers would take different values for it."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise invalid_field(f"body.{name}"[:200], "This field is in one object twice. Send it once.", "doubled")
        made[name] = value
    return made


def _key(request: web.Request) -> str:
    """The header.

    Raises:
        InvalidRequest: ``idempotency_key_missing``, or a key with other than 1 to 128 visible ASCII characters.
    """
    key = request.headers.get(KEY_HEADER)
    if key is None:
        raise InvalidRequest(
            "This call needs an Idempotency-Key header: a new key for each new request.", code="idempotency_key_missing"
        )
    if not _KEY.fullmatch(key):
        raise InvalidRequest(
            "The Idempotency-Key cannot be used.",
            errors=[{"field": f"header.{KEY_HEADER}", "kind": "pattern", "message": _KEY_FORM}],
        )
    return key


def _idempotency_key(key: str, path: str, body: Any) -> IdempotencyKey:
    """The key with a hash that does not change with spaces or the order of fields."""
    plain = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return IdempotencyKey(key, hashlib.sha256(f"{path}\n{plain}".encode()).hexdigest())


@web.middleware
async def in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give up whatever takes longer than `[balancer] request_max_s`, on every route but those whose answers last.

    Raises:
        web.HTTPGatewayTimeout: it did.
    """
    noted = operation_of(request.match_info.handler)
    limit_s = None if noted is not None and noted.lasting else request.app[CONTEXT].settings.balancer.request_max_s
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await handler(request)
    except TimeoutError:
        if not limit.expired():
            raise
        raise web.HTTPGatewayTimeout from None


def _invalid(error: ValidationError, where: str, model: type[BaseModel]) -> InvalidRequest:
    """One entry per field; the refused value itself is not repeated, it may be a secret."""
    problems = []
    for problem in error.errors(include_url=False, include_input=False)[:PROBLEMS_MAX]:
        place, name = where, ""
        for part in problem["loc"]:
            if isinstance(part, int):
                place += f"[{part}]"
            elif part not in requests.AMBIGUOUS:
                place, name = f"{place}.{part}", part
        names = model.model_fields if len(problem["loc"]) == 1 else ()
        message = sentences.of(problem["type"], problem.get("ctx", {}), name, names)
        problems.append({"field": place[:200], "kind": problem["type"], "message": message})
    return InvalidRequest(errors=problems)


def invalid_field(field: str, message: str, kind: str = "value") -> InvalidRequest:
    """One field that is wrong in a way no model can say; ``message`` is a sentence that says what to do."""
    return InvalidRequest(errors=[{"field": field, "kind": kind, "message": message}])


def answer(view: object, status: int = 200) -> web.Response:
    """A view as JSON, never kept by anyone on the way: it may hold tokens."""
    return answer_json(fields.to_json(view), status)


def answer_json(body: bytes, status: int = 200) -> web.Response:
    """The same, of what is JSON already."""
    return web.Response(status=status, body=body, headers=JSON_HEADERS)


def wrapper_errors(noted: Operation) -> tuple[tuple[type[FleetError], str], ...]:
    """The (class, code) that every call of this shape may end in."""
    rows: list[tuple[type[FleetError], str]] = [(InvalidRequest, "invalid_request")]
    if noted.scope:
        rows += [(BadKey, "bad_key"), (BadKey, "wrong_mode"), (Forbidden, "scope_missing")]
        rows += [(RateLimited, "rate_limited"), (RateLimited, "too_many_tries")]
        rows.append((DatabaseUnavailable, "database_unavailable"))
    if noted.counted:
        rows.append((RateLimited, "rate_limited"))
    if "key" in noted.takes:
        rows.append((InvalidRequest, "idempotency_key_missing"))
    return tuple(rows)
