"""Every error class in one shape, and nothing of the inside in any."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from balancer_http.harness import assert_fits

from balancer.web import problems
from balancer.web.handlers.verify import people
from shared import errors

MEMBERS = {"type", "title", "status", "detail", "code", "retryable", "actor"}

STATUSES = {
    errors.InvalidRequest: (400, "invalid_request", "site"),
    errors.BadKey: (401, "bad_key", "site"),
    errors.Forbidden: (403, "scope_missing", "site"),
    errors.NotFound: (404, "not_found", "site"),
    errors.TooLate: (409, "too_late", "site"),
    errors.Conflict: (409, "conflict", "site"),
    errors.RequestReused: (422, "idempotency_mismatch", "site"),
    errors.NotAccepted: (422, "item_not_accepted", "player"),
    errors.PlayerMustAct: (422, "partner_hold", "player"),
    errors.RateLimited: (429, "rate_limited", "site"),
    errors.NoBotAvailable: (503, "no_bot_available", "operator"),
    errors.FleetPaused: (503, "fleet_paused", "operator"),
    errors.DatabaseUnavailable: (503, "database_unavailable", "operator"),
    errors.SteamError: (503, "steam_refused", "steam"),
    errors.SteamRefused: (422, "steam_refused", "steam"),
    errors.SteamUnavailable: (503, "steam_unavailable", "steam"),
    errors.SteamThrottled: (503, "steam_throttled", "steam"),
    errors.NotSignedIn: (503, "not_signed_in", "operator"),
    errors.AnswerLost: (503, "answer_lost", "steam"),
    errors.FleetError: (500, "internal", "operator"),
    errors.SettingsError: (500, "internal", "operator"),
    errors.VaultError: (500, "internal", "operator"),
    errors.OrderRefused: (500, "internal", "operator"),
}


def classes() -> list[type[errors.FleetError]]:
    return [found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, errors.FleetError)]


def body_of(response: web.Response) -> dict[str, Any]:
    assert isinstance(response.body, bytes)
    data: dict[str, Any] = json.loads(response.body)
    return data


def test_every_class_has_its_row() -> None:
    assert set(classes()) == set(problems.TABLE) == set(STATUSES)


@pytest.mark.parametrize("kind", classes())
def test_every_class_becomes_a_problem_document(kind: type[errors.FleetError]) -> None:
    response = problems.respond(kind())
    body = body_of(response)
    assert (response.status, body["code"], body["actor"]) == STATUSES[kind]
    assert set(body) >= MEMBERS
    assert response.headers["Content-Type"] == "application/problem+json"
    assert body["status"] == response.status
    assert_fits(body, "Problem")


@pytest.mark.parametrize("kind", classes())
def test_what_may_be_tried_again_says_when(kind: type[errors.FleetError]) -> None:
    response = problems.respond(kind())
    body = body_of(response)
    if kind.retryable:
        assert body["retryable"]
        assert int(response.headers["Retry-After"]) >= 1
    elif response.status != 500:
        assert not body["retryable"]


@pytest.mark.parametrize("kind", [errors.FleetError, errors.SettingsError, errors.VaultError, errors.OrderRefused])
def test_our_own_trouble_shows_nothing_of_the_inside(kind: type[errors.FleetError]) -> None:
    response = problems.respond(kind("/etc/fleet/master.key", code="odd", reason="inner", path="/etc/fleet"))
    text = json.dumps(body_of(response))
    assert "fleet/master" not in text and "odd" not in text and "inner" not in text


def test_a_subclass_is_answered_as_the_class_above_it() -> None:
    response = problems.respond(people.SignInsBusy(code="too_many_tries"))
    assert (response.status, body_of(response)["code"]) == (429, "too_many_tries")


def test_a_players_own_trouble_comes_with_a_sentence_for_him() -> None:
    for code in ("partner_hold", "partner_banned", "inventory_private", "too_many_offers"):
        body = body_of(problems.respond(errors.PlayerMustAct(code=code)))
        assert body["player_message"].endswith((".", "!"))


def test_data_of_an_error_cannot_replace_the_members() -> None:
    body = body_of(problems.respond(errors.Conflict(code="item_locked", status=200, type="x", locked_by="round-1")))
    assert (body["status"], body["its_status"], body["locked_by"]) == (409, 200, "round-1")
    assert body["type"] == "urn:trade-fleet:problem:item_locked"


def test_times_are_told_as_everywhere() -> None:
    body = body_of(problems.respond(errors.Conflict(code="item_unsettled", settles_at=1_800_000_000)))
    assert body["settles_at"] == "2027-01-15T08:00:00Z"


def test_retry_after_is_rounded_up_to_whole_seconds() -> None:
    response = problems.respond(errors.RateLimited(retry_after_s=1.2))
    assert response.headers["Retry-After"] == "2"
    assert body_of(response)["retry_after_s"] == 1.2


def test_a_bad_key_is_told_how_to_bring_one() -> None:
    assert problems.respond(errors.BadKey()).headers["WWW-Authenticate"].startswith("Bearer")
