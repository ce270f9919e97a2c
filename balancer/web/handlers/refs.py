"""What the calls of custody for games have in common over HTTP: a ref in the body, and 200 when it came before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from aiohttp import web

from balancer.context import Context
from balancer.custody.refs import Answer, Call
from balancer.items import policy
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.schemas.forms import Body


def call_of(ctx: Context, caller: Caller, body: Body) -> Call:
    """The call that this body makes. What is left out counts as what it stands for, so both have the same hash."""
    ref, body_hash = hashed(body)
    return Call(caller.client_id, caller.who, ref, body_hash, ctx.clock.now())


def hashed(body: Body) -> tuple[str, str]:
    """The ref of a body, and the hash by which another body under the same ref is known."""
    plain = body.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return plain["ref"], hashlib.sha256(text.encode()).hexdigest()


def call_without_body(ctx: Context, caller: Caller, ref: str) -> Call:
    return Call(caller.client_id, caller.who, ref, "", ctx.clock.now())


def answer(reply: Answer, first: int = 201) -> web.Response:
    """What was answered the first time, with ``first`` as its status then and 200 ever after."""
    return api.answer_json(reply.json.encode(), first if reply.first else 200)


def check_once(field: str, values: Sequence[str]) -> None:
    """
    Raises:
        InvalidRequest: a value stands there twice.
    """
    seen: set[str] = set()
    for number, value in enumerate(values):
        if value in seen:
            raise api.invalid_field(f"{field}[{number}]", policy.REPEATED, "repeated")
        seen.add(value)
