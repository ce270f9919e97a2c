"""Between aiohttp and the handlers: values out of requests, responses out of answers, keys of the application."""

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from sandbox.answers import Answer, Values
from sandbox.errors import BadRequest
from sandbox.provider import Provider
from sandbox.steam import Steam

STEAM = web.AppKey("steam", Steam)
NUDGE: web.AppKey[Callable[[], None]] = web.AppKey("nudge")
PROVIDER = web.AppKey("provider", dict[str, Provider])
"""The OpenID provider of the control port under "openid", set once its address is known."""

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


async def form_values(request: web.BaseRequest) -> Values:
    """The fields of a posted form, repeated ones in order; files are left out. What cannot be read has no fields."""
    if request.method != "POST" or request.content_type not in FORM_TYPES:
        return {}
    try:
        posted = await request.post()
    except (ValueError, LookupError, HttpProcessingError, web.HTTPUnsupportedMediaType):
        return {}
    return {name: [v for v in posted.getall(name) if isinstance(v, str)] for name in posted}


async def json_object(request: web.Request) -> dict[str, Any]:
    """The body of a call of the control API; an empty body is an empty object. Raises: BadRequest."""
    try:
        content = json.loads(await request.text() or "{}")
    except (ValueError, LookupError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(content, dict):
        raise BadRequest("the body is an object")
    return content


def query_values(request: web.BaseRequest) -> Values:
    return {name: list(request.query.getall(name)) for name in request.query}


def to_response(answer: Answer) -> web.Response:
    """The aiohttp form of an answer."""
    response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    response.headers["Content-Type"] = answer.content_type
    for cookie in answer.cookies:
        response.headers.add("Set-Cookie", cookie)
    return response
