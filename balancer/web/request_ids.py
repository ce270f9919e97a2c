"""Every request has an id: the caller's ``X-Request-Id`` if it is well-formed, else one of ours.

Each answer has it in a header, each problem document as ``request_id`` too. The server does both, where all requests and
answers come by, as with the mode (`balancer.web.mode`).
"""

from __future__ import annotations

import json

from aiohttp import web

from shared import request_ids

HEADER = "X-Request-Id"
PROBLEM = "application/problem+json"


def begin(request: web.BaseRequest) -> None:
    """Bind the request's id to the task that answers it."""
    request_ids.bind(request_ids.taken_or_made(request.headers.get(HEADER)))


def tell(response: web.StreamResponse) -> None:
    """Say it in an answer that has not begun to go out; a stream says it by `headers`."""
    if response.prepared or (request_id := request_ids.current()) is None:
        return
    response.headers[HEADER] = request_id
    if type(response) is web.Response and response.headers.get("Content-Type") == PROBLEM:
        body = response.body
        if isinstance(body, bytes) and body.endswith(b"}") and body != b"{}":
            response.body = body[:-1] + b',"request_id":' + json.dumps(request_id).encode() + b"}"


def headers() -> dict[str, str]:
    """For an answer that begins to go out before the server sees it."""
    request_id = request_ids.current()
    return {} if request_id is None else {HEADER: request_id}
