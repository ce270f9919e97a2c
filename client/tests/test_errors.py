"""Problem documents as errors: by code, by kind, and what is no problem document."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fleet_client import errors
from fleet_client.asking import Patience
from fleet_client.webhooks import WebhookRefused

DOCUMENT = {
    "type": "urn:trade-fleet:problem:item_not_accepted",
    "title": "Item not accepted",
    "status": 422,
    "code": "item_not_accepted",
    "detail": "Not taken: its value is below the minimum.",
    "retryable": False,
    "actor": "player",
    "reason": "below_minimum",
    "assets": [{"asset_id": "1", "reason": "below_minimum"}],
    "player_message": "At least one of these items is not accepted.",
}


def made(status: int, document: object, content_type: str = "application/problem+json; charset=utf-8") -> errors.Problem | None:
    return errors.problem_of(status, json.dumps(document).encode(), content_type)


def test_a_code_has_a_class_of_its_own() -> None:
    error = made(422, DOCUMENT)
    assert isinstance(error, errors.ItemNotAccepted) and isinstance(error, errors.NotAccepted)
    assert (error.actor, error.reason, error.player_message) == ("player", "below_minimum", DOCUMENT["player_message"])
    assert error.more == {"assets": [{"asset_id": "1", "reason": "below_minimum"}]}
    assert str(error) == "422 item_not_accepted (below_minimum): Not taken: its value is below the minimum."


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.WrongRequest),
        (404, errors.WrongRequest),
        (403, errors.NotAllowed),
        (409, errors.Conflict),
        (422, errors.NotAccepted),
        (429, errors.NotNow),
        (503, errors.NotNow),
    ],
)
def test_a_code_that_is_not_known_is_a_problem_of_its_kind(status: int, kind: type[errors.Problem]) -> None:
    error = made(status, DOCUMENT | {"code": "of_tomorrow", "status": status})
    assert type(error) is kind and error.error_code == "of_tomorrow"


def test_a_player_is_told_the_sentence_for_the_player_and_nothing_of_the_inside() -> None:
    refused = made(422, DOCUMENT)
    assert refused is not None
    assert refused.for_player() == (422, {"code": "item_not_accepted", "message": DOCUMENT["player_message"]})
    bare = {name: value for name, value in DOCUMENT.items() if name != "player_message"}
    of_the_site = made(403, bare | {"code": "scope_missing", "status": 403})
    assert of_the_site is not None
    for error in (of_the_site, errors.Unreachable("http://10.0.0.1 refused"), errors.AnswerLost("cut off", "key-1")):
        assert error.for_player() == (503, {"code": "not_now", "message": errors.NOT_NOW})
    assert WebhookRefused("the signature is wrong").for_player()[0] == 400


def test_wrong_fields_are_told_in_its_sentence() -> None:
    fields = [{"field": "body.steam_id", "kind": "pattern", "message": "Write 17 digits."}]
    error = made(400, DOCUMENT | {"code": "invalid_request", "errors": fields})
    assert isinstance(error, errors.InvalidRequest) and "body.steam_id: Write 17 digits." in str(error)


def test_a_key_of_the_other_mode_has_a_class_of_its_own() -> None:
    error = made(401, {"code": "wrong_mode", "detail": "This is a test key.", "livemode": True})
    assert isinstance(error, errors.WrongMode) and isinstance(error, errors.NotAllowed)
    assert (error.livemode, error.more) == (True, {})
    again = pickle.loads(pickle.dumps(error))
    assert again.livemode is True
    assert made(422, DOCUMENT).livemode is None  # type: ignore[union-attr]


def test_an_error_goes_through_a_queue() -> None:
    error = made(422, DOCUMENT)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and vars(again) == vars(error)


@pytest.mark.parametrize("document", [{}, [], None, {"code": 7}, "x"])
def test_what_is_no_problem_document(document: object) -> None:
    assert made(500, document) is None


def test_json_of_another_kind_is_none() -> None:
    assert made(500, DOCUMENT, "application/json") is None
    assert errors.problem_of(500, b"{", "application/problem+json") is None


@given(
    some.dictionaries(
        some.sampled_from([*DOCUMENT, "errors", "retry_after_s"]),
        some.none() | some.text() | some.integers() | some.just(10**400) | some.floats() | some.lists(some.none()),
    )
)
def test_odd_documents_are_no_other_error(document: dict[str, object]) -> None:
    error = made(500, document | {"code": "x"})
    assert error is not None and str(error)


def test_patience_says_what_it_is() -> None:
    assert Patience() == Patience(patience_s=30.0, request_max_s=60.0)
