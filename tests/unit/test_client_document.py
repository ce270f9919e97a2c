"""`fleet_client` and the balancer's document say the same: every call has a name, takes what the call takes, and reads all that
is answered; every code has its error."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from balancer.web import openapi, problems
from balancer.web.routes import ROUTES
from fleet_client import answers, asking, calls, errors
from fleet_client.asking import Call, Repeat
from fleet_client.calls import AssetRef, Calls, Credit, Move, Take
from fleet_client.named import listed, named, tried

DOCUMENT = openapi.build(ROUTES)
SCHEMAS = DOCUMENT["components"]["schemas"]
# For browsers, for people and for Prometheus, not for a site's programs.
PAGES = re.compile(r"/verify/|/docs|/openapi\.json|/metrics")
OPERATIONS = {
    (method.upper(), path): about
    for path, methods in DOCUMENT["paths"].items()
    for method, about in methods.items()
    if not PAGES.match(path)
}
CALLABLE = {name: getattr(Calls, name) for name in dir(Calls)}
NAMED = {name: one for name, one in CALLABLE.items() if isinstance(one, named) and not isinstance(one, tried)}
LISTED = {name: one for name, one in CALLABLE.items() if isinstance(one, listed)}
# What the document says of these is a list of texts or objects; here they are classes.
SAMPLES: dict[str, Any] = {
    "asset_ids": ["1", AssetRef("2")],
    "moves": [Move("dep_1", "a", "b")],
    "credits": [Credit("a", 5, "rest")],
    "take": Take(["dep_1"]),
    "lines": [Credit("a", 5, "correction", "why")],
}


# A second answer is another one than the first: a token that was used up, a secret that was shown.
SHOWN_ONCE = {"verify", "rotate_webhook"}


def made(name: str) -> Call[Any]:
    """The call with a value for each of its parameters."""
    parameters = typing.get_type_hints(NAMED[name].what)
    values = {one: SAMPLES.get(one) or sample(kind) for one, kind in parameters.items() if one not in ("return", "self")}
    call: Call[Any] = NAMED[name].what(None, **values)
    return call


def sample(kind: Any) -> Any:
    kinds = [one for one in (typing.get_args(kind) or (kind,)) if one is not type(None)]
    if typing.get_origin(kinds[0]) or typing.get_origin(kind):
        origin = typing.get_origin(kinds[0]) or typing.get_origin(kind)
        if origin in (Sequence, typing.get_origin(Sequence[str])):
            return ["x"]
    return {str: "x", int: 7, float: 2.5, bool: True}[kinds[0]]


CALLS = {name: made(name) for name in NAMED}
# Read as it comes, by `Calls.listen`.
STREAM = ("GET", "/events/stream")


def operation(name: str) -> dict[str, Any]:
    call = CALLS[name]
    found: dict[str, Any] = OPERATIONS[(call.method, call.path)]
    return found


def body_schema(about: dict[str, Any]) -> dict[str, Any] | None:
    if "requestBody" not in about:
        return None
    ref = about["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema: dict[str, Any] = SCHEMAS[ref.rsplit("/", 1)[-1]]
    return schema


def test_every_call_of_the_document_has_one_name_and_every_name_a_call() -> None:
    named_calls = sorted((call.method, call.path) for call in CALLS.values())
    assert named_calls == sorted(OPERATIONS.keys() - {STREAM})


def test_the_stream_takes_what_the_document_says() -> None:
    call = calls.event_stream(7, ["settled"])
    assert (call.method, call.path, call.answer) == (*STREAM, answers.Event)
    assert set(call.query) == {one["name"] for one in OPERATIONS[STREAM]["parameters"] if one["in"] == "query"}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_takes_what_the_document_says(name: str) -> None:
    about, call = operation(name), CALLS[name]
    places: dict[str, set[str]] = {"path": set(), "query": set(), "header": set()}
    for parameter in about["parameters"]:
        places[parameter["in"]].add(parameter["name"])
    assert places == {"path": set(call.at), "query": set(call.query), "header": {asking.KEY_HEADER} if call.key else set()}
    schema = body_schema(about)
    assert (schema is None) == (call.body is None)
    if schema is not None and call.body is not None:
        assert set(call.body) == set(schema["properties"])


@pytest.mark.parametrize("name", CALLS)
def test_what_a_call_must_be_given_must_be_given_here(name: str) -> None:
    """Nothing is required here that the document does not require, and the other way round."""
    about = operation(name)
    schema = body_schema(about) or {}
    required = {one["name"] for one in about["parameters"] if one["required"] and one["in"] != "header"}
    required |= set(schema.get("required", []))
    parameters = inspect.signature(NAMED[name].what).parameters
    ours = {one for one, about in parameters.items() if about.default is inspect.Parameter.empty and one != "self"}
    assert ours == required


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_is_read_as_the_document_says(name: str) -> None:
    call, about = CALLS[name], operation(name)
    good = {status: answer for status, answer in about["responses"].items() if int(status) in call.good}
    assert good
    for answer in good.values():
        assert answer["content"]["application/json"]["schema"] == {
            "allOf": [{"$ref": f"#/components/schemas/{one}"} for one in (call.answer.__name__, "Livemode")]
        }
    beyond = {status for status, answer in about["responses"].items() if "application/json" in answer.get("content", {})}
    assert beyond == set(good)


@pytest.mark.parametrize("name", CALLS)
def test_what_is_repeated_may_be_repeated(name: str) -> None:
    call = CALLS[name]
    has_ref = call.method != "GET" and ("ref" in (call.body or {}) or "ref" in call.at)
    if call.key is not None or has_ref:
        assert call.repeat is Repeat.ONCE_PER_KEY
    elif call.method == "GET" or name in ("inventory", "precheck", "look_up"):
        assert call.repeat is Repeat.READS
    else:
        assert call.repeat is (Repeat.NEVER if name in SHOWN_ONCE else Repeat.SAME)


def records() -> list[type[answers.Record]]:
    return [one for one in vars(answers).values() if isinstance(one, type) and issubclass(one, answers.Record)]


RECORDS = {one.__name__: one for one in records() if one is not answers.Record}


def reached(kind: Any) -> set[str]:
    """The names of the records in an answer."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return {kind.__name__}.union(*(reached(one) for one in hints.values()))  # type: ignore[union-attr]
    return set().union(*(reached(one) for one in typing.get_args(kind)))


def test_no_record_is_there_for_nothing() -> None:
    assert set().union(*(reached(call.answer) for call in CALLS.values())) == set(RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_has_the_fields_of_its_schema(name: str) -> None:
    # Of events there is one schema for each kind, and one of what all have.
    schema, hints = SCHEMAS.get(f"{name}Fields", SCHEMAS[name]), typing.get_type_hints(RECORDS[name])
    hints.pop("more")
    # A whole answer and an event have it, the parts of an answer do not.
    assert hints.pop("livemode") == bool | None
    properties = {one: about for one, about in schema["properties"].items() if one != "livemode"}
    assert {one: shape_of_hint(kind) for one, kind in hints.items()} == {
        one: shape_of_schema(about) for one, about in properties.items()
    }


def shape_of_hint(kind: Any) -> str:
    inside = typing.get_args(kind)
    if typing.get_origin(kind) is list:
        return f"list of {shape_of_hint(inside[0])}"
    if typing.get_origin(kind) is dict:
        return "object"
    if inside:
        return " or ".join(sorted(shape_of_hint(one) for one in inside))
    return {type(None): "null", datetime: "time", str: "text", int: "whole", float: "number", bool: "bool"}.get(
        kind
    ) or kind.__name__


def shape_of_schema(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return "text" if "enum" in SCHEMAS[name] else name
    if "anyOf" in schema:
        return " or ".join(sorted(shape_of_schema(one) for one in schema["anyOf"]))
    if schema.get("format") == "date-time":
        return "time"
    if schema.get("type") == "array":
        return f"list of {shape_of_schema(schema['items'])}"
    kinds = {"string": "text", "integer": "whole", "number": "number", "boolean": "bool", "null": "null", "object": "object"}
    return kinds[schema["type"]] if "type" in schema else "text"  # of an enum or a constant


def codes() -> dict[str, set[int]]:
    """Every code of the document with its statuses, and those that no call names because any of them may end so."""
    found: dict[str, set[int]] = {}
    for about in OPERATIONS.values():
        for status, answer in about["responses"].items():
            if problems.CONTENT_TYPE in answer.get("content", {}):
                for code in re.findall(r"`(\w+)`", answer["description"]):
                    found.setdefault(code, set()).add(int(status))
    for status, code in problems.HTTP_CODES.items():
        found.setdefault(code, set()).add(status)
    found[problems.EncodingUnknown.code] = {415}
    return found


def test_every_code_has_an_error_and_every_error_a_code() -> None:
    assert set(errors.BY_CODE) == set(codes())


@pytest.mark.parametrize("code", errors.BY_CODE)
def test_an_error_is_of_the_kind_that_its_status_says(code: str) -> None:
    kinds: dict[int, type[Exception]] = {401: errors.NotAllowed, 403: errors.NotAllowed, 409: errors.Conflict}
    kinds |= {429: errors.NotNow, 500: errors.NotNow, 503: errors.NotNow, 504: errors.NotNow}
    kind = errors.BY_CODE[code]
    statuses = codes()[code]
    if 422 in statuses:
        assert issubclass(kind, (errors.NotAccepted, errors.WrongRequest))
    else:
        assert issubclass(kind, tuple({kinds.get(status, errors.WrongRequest) for status in statuses}))


def test_whatever_comes_in_pages_has_an_iterator() -> None:
    pages = {name for name, call in CALLS.items() if "next" in typing.get_type_hints(call.answer)}
    assert {plural(name.removeprefix("each_")) for name in LISTED.keys() - {"listen", "poll"}} | {"events"} == pages


def plural(name: str) -> str:
    return name.removesuffix("y") + "ies" if name.endswith("y") else f"{name}s"
