"""`/openapi.json`, made from the handlers themselves, and `/docs`, the page to try it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

import shared
from balancer import fields
from balancer.web import api, event_schemas, examples, mode, pages, problems, request_ids
from balancer.web.schemas import answers, requests

REF = "#/components/schemas/{model}"
DOCUMENT: web.AppKey[bytes] = web.AppKey("openapi", bytes)

INTRODUCTION = (
    "Takes Steam items in, keeps them and gives them back. Every POST that moves something needs an `Idempotency-Key`: repeat "
    "the request with the same key and body as often as you like. Errors are problem documents (RFC 9457): a program uses "
    "`code`, `retryable` and `actor`. 64-bit ids are strings, money is whole cents, times are RFC 3339 in UTC.\n\n"
    "To try a call here, press *Authorize* and enter an API key (`fleet up` leaves one in the file `api-key` of its folder). "
    "The examples are one story, from `POST /precheck` to `POST /withdraw`. Their player is in every sandbox, so `POST "
    "/inventory` and `POST /deposit` work there as they stand; in what follows, put the ids of your own answers."
)


_TEXT: dict[str, Any] = {"type": "string"}
# Of a stream, OpenAPI 3.1 describes each event.
_STREAMED = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The event's `number`, to go on behind it"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": REF.format(model="Event")},
        },
    },
    "required": ["id", "data"],
}
_OF_TEXT = {"text/event-stream": _STREAMED}

_WHICH_MODE = "Whether this balancer is live; false: it tests, and nothing that it tells of has happened at Steam"
_WHICH_REQUEST = "The request's own `X-Request-Id` if it is 8 to 64 letters, digits, `.`, `_` and `-`; else one made for it"
_LIVEMODE = {
    "type": "object",
    "description": "What every answer has that is an object.",
    "properties": {"livemode": {"type": "boolean", "description": _WHICH_MODE}},
    "required": ["livemode"],
}
_HEADERS = {
    mode.HEADER: {"$ref": "#/components/headers/Livemode"},
    request_ids.HEADER: {"$ref": "#/components/headers/RequestId"},
}

_SIGNED = {
    "webhook-id": ("The same whenever this event is sent again", "evt_5_1796040300"),
    "webhook-timestamp": ("Unix seconds of this try; refuse what is older than five minutes", "1796040300"),
    "webhook-signature": (
        "`v1,` and the signature over `id.timestamp.body` in base64; two with a space between while the secret is changed",
        "v1,OJusA2l7qqO37gW2ZzPlnZDxucW7FiQq3pixEmmVIP8=",
    ),
}
_WEBHOOK = {
    "operationId": "webhook_event",
    "summary": "An event, sent to a target of `POST /webhooks`",
    "description": "Signed as the Standard Webhooks specification says (`webhook-id`, `webhook-timestamp`, "
    "`webhook-signature`). Events about one trade come in order; one may come twice, with the same id.",
    "parameters": [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": text, "example": example}
        for name, (text, example) in _SIGNED.items()
    ],
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": REF.format(model="Event")}}}},
    "responses": {"2XX": {"description": "The event was taken. Anything else, or none in time: it is sent again"}},
}


@api.page("application/json", answers={200: answers.AnyObject})
async def document(request: web.Request) -> web.Response:
    """This document."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-cache"}
    return mode.ForeignForm(body=request.app[DOCUMENT], headers=headers)


@api.page("text/html", answers={200: answers.Page})
async def page(_request: web.Request) -> web.Response:
    """A page to read and try this API."""
    return pages.render("docs.html", pages.DOCS_HEADERS)


@api.page("text/javascript, text/css", answers={200: answers.Page, 404: answers.Problem}, path=requests.FilePath)
async def file(request: web.Request) -> web.FileResponse:
    """What that page loads."""
    known = pages.FILES.get(request.match_info["file"])
    if known is None:
        raise web.HTTPNotFound()
    path, content_type = known
    headers = {"Content-Type": content_type, "Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(path, headers=headers)


def build(routes: Iterable[web.RouteDef]) -> dict[str, Any]:
    """OpenAPI 3.1 of these routes."""
    known = [(route, operation) for route in routes if (operation := api.operation_of(route.handler)) is not None]
    refs, definitions = _schemas([operation for _, operation in known])
    definitions |= event_schemas.of(definitions.pop("Event"))
    definitions["Livemode"] = _LIVEMODE
    paths: dict[str, dict[str, Any]] = {}
    for route, operation in known:
        paths.setdefault(_path(route.path), {})[route.method.lower()] = _operation(route, operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Trade fleet balancer", "version": shared.__version__, "description": INTRODUCTION},
        "servers": [{"url": "."}],
        "paths": paths,
        "webhooks": {"event": {"post": _WEBHOOK}},
        "components": {
            "schemas": definitions,
            "headers": {
                "Livemode": {"description": _WHICH_MODE, "required": True, "schema": {"enum": ["true", "false"]}},
                "RequestId": {"description": _WHICH_REQUEST, "required": True, "schema": {"type": "string"}},
            },
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, fk_live_… or fk_test_…"}
            },
        },
    }


def dumps(routes: Iterable[web.RouteDef]) -> bytes:
    """The document as it is served."""
    return json.dumps(build(routes), separators=(",", ":")).encode()


def _path(pattern: str) -> str:
    return re.sub(r"\{(\w+):[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", r"{\1}", pattern)


Place = tuple[Any, JsonSchemaMode]  # a class of views, or a model


def _schemas(operations: Sequence[api.Operation]) -> tuple[dict[Place, str], dict[str, Any]]:
    """Where each schema stands, and all of them. Requests and answers of one model may differ."""
    wanted: dict[Place, None] = {(answers.Problem, "serialization"): None}
    for operation in operations:
        if body := operation.models.get("body"):
            wanted[(body, "validation")] = None
        if operation.content == "application/json":
            wanted.update({(view, "serialization"): None for view in operation.answers.values()})
    inputs = [(kind, mode, fields.adapter(kind)) for kind, mode in wanted]
    places, whole = TypeAdapter.json_schemas(inputs, ref_template=REF)
    return {place: schema["$ref"] for place, schema in places.items()}, whole["$defs"]


def _operation(route: web.RouteDef, operation: api.Operation, refs: dict[Place, str]) -> dict[str, Any]:
    summary, _, description = (operation.handler.__doc__ or "").partition("\n\n")
    row: dict[str, Any] = {
        "operationId": operation_id(route, operation),
        "summary": " ".join(summary.split()).rstrip("."),
        "description": " ".join(description.split()),
        "tags": [_path(route.path).split("/")[1] or "service"],
        "parameters": _parameters(operation),
        "responses": {**_answers(operation, refs), **_refusals(operation, refs)},
    }
    if body := operation.models.get("body"):
        content = {"application/json": {"schema": {"$ref": refs[(body, "validation")]}}}
        row["requestBody"] = {"required": True, "content": content}
    _show(row, examples.of(row["operationId"]))
    if operation.scope:
        row["security"] = [{"key": []}]
        row["description"] += f" Needs a key with the scope `{operation.scope}`."
    return row


def _show(row: dict[str, Any], recorded: Sequence[examples.Example]) -> None:
    """Put a call's examples where a page shows them, and offers the first to be sent."""
    for each in reversed(recorded):  # so the first of each status stays
        answer = each["answer"]
        for content in row["responses"][str(answer["status"])].get("content", {}).values():
            content.update({"example": answer["body"]} if "body" in answer else {})
    if not recorded:
        return
    if body := recorded[0]["request"].get("body"):
        row["requestBody"]["content"]["application/json"]["example"] = body
    values = examples.values(recorded[0])
    for parameter in row["parameters"]:
        if (value := values.get(parameter["name"])) is not None:
            parameter["example"] = _typed(value, parameter["schema"])


def _typed(value: Any, schema: dict[str, Any]) -> Any:
    """A parameter's text as what it is read as."""
    kind = schema.get("type")
    if kind == "array":
        return value
    [text] = value if isinstance(value, list) else [value]
    return {"integer": int, "number": float, "boolean": bool}.get(str(kind), str)(text)


def operation_id(route: web.RouteDef, operation: api.Operation) -> str:
    subject = operation.handler.__module__.removeprefix("balancer.web.").removeprefix("handlers.").partition(".")[0]
    return f"{subject}_{operation.handler.__name__.strip('_')}"


def _parameters(operation: api.Operation) -> list[dict[str, Any]]:
    parameters = []
    for where in ("path", "query"):
        model = operation.models.get(where)
        if model is None:
            continue
        schema = model.model_json_schema(ref_template=REF)
        inner = schema.pop("$defs", {})
        for name, about in schema.get("properties", {}).items():
            row = {"name": name, "in": where, "required": where == "path" or name in schema.get("required", [])}
            described = _inlined(about, inner)
            if text := described.pop("description", None):
                row["description"] = text
            parameters.append({**row, "schema": _without_null(described)})
    if "key" in operation.takes:
        parameters.append(
            {
                "name": api.KEY_HEADER,
                "in": "header",
                "required": True,
                "description": "The site's own key for this request. The same key and body give the same trades again.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
            }
        )
    if operation.lasting:
        parameters.append(
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": "The `id` of the last event that was read; goes before `after`",
                "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
            }
        )
    return parameters


def _inlined(schema: Any, inner: dict[str, Any]) -> Any:
    """The schema with its references replaced by what they name: parameters have no place for definitions."""
    if isinstance(schema, list):
        return [_inlined(one, inner) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(inner[schema["$ref"].rsplit("/", 1)[-1]], inner)
    return {name: _inlined(value, inner) for name, value in schema.items()}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is absent, never null."""
    choices = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf" and not (name == "default" and value is None)}
    return {**rest, **choices[0]} if len(choices) == 1 else schema


def _answers(operation: api.Operation, refs: dict[Place, str]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for status, view in operation.answers.items():
        row: dict[str, Any] = {"description": (view.__doc__ or "").split("\n")[0], "headers": _HEADERS}
        if operation.content == "application/json":
            row["content"] = {operation.content: {"schema": _with_mode(view, refs[(view, "serialization")])}}
        elif status < 300:
            row["content"] = {content: {"schema": _OF_TEXT.get(content, _TEXT)} for content in operation.content.split(", ")}
        rows[str(status)] = row
    return rows


def _with_mode(view: type[Any], ref: str) -> dict[str, Any]:
    """An answer as `balancer.web.mode` sends it: the object, and the field that every object has."""
    return {"$ref": ref} if view is answers.AnyObject else {"allOf": [{"$ref": ref}, {"$ref": REF.format(model="Livemode")}]}


def _refusals(operation: api.Operation, refs: dict[Place, str]) -> dict[str, Any]:
    """Every status that this call may be refused with, and the codes that stand behind it."""
    by_status: dict[int, list[str]] = {}
    for kind, code in (*api.wrapper_errors(operation), *operation.errors):
        codes = by_status.setdefault(problems.row_of(kind()).status, [])
        if code not in codes:
            codes.append(code)
    if "body" in operation.models:
        by_status.setdefault(413, ["body_too_large"])
        by_status.setdefault(415, ["json_only"])
    by_status.setdefault(500, ["internal"])
    problem = {problems.CONTENT_TYPE: {"schema": _with_mode(answers.Problem, refs[(answers.Problem, "serialization")])}}
    return {
        str(status): {"description": ", ".join(f"`{code}`" for code in codes), "headers": _HEADERS, "content": problem}
        for status, codes in sorted(by_status.items())
        if status not in operation.answers
    }
