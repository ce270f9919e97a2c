"""Every kind of event and every alarm is declared, with data that hold no secret, and the document says the same."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from balancer.journal import events, kinds
from balancer.journal.by import By
from balancer.journal.kinds import KINDS, UnknownKind
from balancer.journal.kinds.alarms import ALARMS
from balancer.journal.kinds.shapes import Acts, Kind
from balancer.web import event_schemas, openapi
from balancer.web.routes import ROUTES
from scripts import event_tables
from shared.domain.status import TradeEvent

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 30, 12, 3, 39, tzinfo=UTC)
ALL = [
    *(pytest.param(kind, None, about, id=kind) for kind, about in KINDS.items()),
    *(pytest.param(kinds.ALARM, alarm, about, id=f"alarm {alarm}") for alarm, about in ALARMS.items()),
]
# Names of what nobody but those concerned may know.
SECRET_NAMES = re.compile(r"token|secret|verify|trade_url|password|api_key|\burl\b")


@pytest.fixture(scope="module")
def validator() -> Any:
    document = openapi.build(ROUTES)
    schema = {"$ref": "#/components/schemas/Event", "components": document["components"]}
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize(("kind", "alarm", "about"), ALL)
def test_a_kind_has_a_text_and_an_example_that_fits_the_document_and_nothing_else(
    kind: str, alarm: str | None, about: Kind, validator: Any
) -> None:
    assert re.match(r"[A-Z].+\.$", about.text) and about.acts in Acts
    whole = event_schemas.full(kind, alarm)
    validator.validate(whole)
    jsonschema.validate(whole["data"], kinds.data_schema(about, alarm, exact=True))
    for name in (name for name in about.data if not name.endswith("?")):
        lacking = {**whole, "data": {field: value for field, value in whole["data"].items() if field != name}}
        assert not validator.is_valid(lacking), name


def names_in(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from names_in(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from names_in(value)


@pytest.mark.parametrize(("kind", "alarm", "about"), ALL)
def test_no_event_has_a_place_for_a_secret(kind: str, alarm: str | None, about: Kind) -> None:
    schema = kinds.data_schema(about, alarm)
    assert [name for name in names_in(schema) if SECRET_NAMES.search(name)] == []
    texts = json.dumps(kinds.example(about, alarm))
    assert not re.search(r"token=|/verify/|tradeoffer/new|https?://", texts), (kind, texts)


def test_a_secret_in_a_text_of_others_is_left_out() -> None:
    """A bot's host or Steam may say anything in a text."""
    said = "see https://steamcommunity.com/tradeoffer/new/?partner=1&token=AbCd_1-3 and https://x.example/verify/Zk3aB7cD1eF5gH9iJ2kL4m."
    row = events.row("refused", {"from": "sending", "to": "failed", "attempt": 1, "reason": said}, By("bot:red-1", NOW))
    assert "AbCd_1-3" not in row["data"] and "Zk3aB7cD1eF5gH9iJ2kL4m" not in row["data"]
    assert json.loads(row["data"])["reason"].startswith("see https://steamcommunity.com/tradeoffer/new/?partner=1&token=…")


def test_what_a_bot_tells_beyond_the_declared_fields_is_left_out() -> None:
    told = {"offer_id": "1", "state": "two", "partner": 5, "message": "x", "token": "Zk3aB7cD1eF5gH9iJ2kL4m"}
    assert kinds.known_fields(told, KINDS["offer_unknown"].data) == {"offer_id": "1"}


def test_an_event_that_nobody_has_declared_is_not_written() -> None:
    for kind, data in (("surprise", {}), ("alarm", {"alarm": "surprise"}), ("alarm", {})):
        with pytest.raises(UnknownKind):
            events.row(kind, data, By("test", NOW))


def test_everything_that_a_bot_can_tell_of_a_trade_is_a_kind() -> None:
    assert {event.value for event in TradeEvent} <= KINDS.keys()


def _words() -> set[str]:
    """Every whole text in the code of the balancer."""
    found: set[str] = set()
    for path in (ROOT / "balancer").rglob("*.py"):
        if path.parent.name != "kinds" and path.name != "event_schemas.py" and "migrations" not in path.parts:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return found


def test_no_kind_is_declared_that_nothing_can_write() -> None:
    words = _words() | {event.value for event in TradeEvent}
    assert {name for name in (*KINDS, *ALARMS) if name not in words} == set()


def test_the_document_names_every_kind_and_no_other(validator: Any) -> None:
    schemas = openapi.build(ROUTES)["components"]["schemas"]
    assert schemas["Event"]["discriminator"]["mapping"].keys() == {*KINDS, kinds.ALARM}
    data = schemas["EventAlarm"]["allOf"][1]["properties"]["data"]
    assert data["discriminator"]["mapping"].keys() == ALARMS.keys()
    assert not validator.is_valid({**event_schemas.full("paused"), "kind": "surprise"})


def test_the_committed_page_is_written_from_the_list() -> None:
    assert event_tables.PAGE.read_text(encoding="utf-8") == event_tables.page(), "run python -m scripts.event_tables"
