"""Webhooks: what is genuine is taken, everything else refused; whoever signs uses no code of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fleet_client import errors
from fleet_client.webhooks import WebhookRefused, Webhooks

# The example that comes with the specification's libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret of the fleet").decode()
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def sign(secret: str, webhook_id: str = ID, at: object = AT, body: bytes = BODY) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{webhook_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(**changes: str) -> dict[str, str]:
    return {"Webhook-Id": ID, "Webhook-Timestamp": str(AT), "Webhook-Signature": SIGNATURE} | {
        name.replace("_", "-").title(): value for name, value in changes.items()
    }


def test_the_example_of_the_specification() -> None:
    found = Webhooks(SECRET).check(headers(), BODY, AT)
    assert (found.webhook_id, found.sent_at, found.json()) == (ID, AT, {"test": 2432232314})


def test_what_the_specifications_own_library_signs_is_taken() -> None:
    library = pytest.importorskip("standardwebhooks")
    at = datetime.fromtimestamp(AT, UTC)
    signature = library.Webhook(SECRET).sign(ID, at, BODY.decode())
    assert Webhooks(SECRET).check(headers(webhook_signature=signature), BODY, AT).sent_at == AT


def test_while_a_secret_is_changed_either_is_taken() -> None:
    both = headers(webhook_signature=f"{sign(OTHER)} {SIGNATURE}")
    for secrets in ((SECRET,), (OTHER,), (OTHER, SECRET), (SECRET, OTHER)):
        assert Webhooks(*secrets).check(both, BODY, AT).webhook_id == ID
    assert Webhooks(OTHER, SECRET).check(headers(), BODY, AT).webhook_id == ID


def test_signatures_of_other_versions_are_passed_over() -> None:
    mixed = headers(webhook_signature=f"v1a,abc v2,{SIGNATURE.removeprefix('v1,')} {SIGNATURE}")
    assert Webhooks(SECRET).check(mixed, BODY, AT).webhook_id == ID


@pytest.mark.parametrize(
    ("found", "body", "reason"),
    [
        (headers(), BODY + b" ", "the signature is wrong"),
        (headers(webhook_id="msg_other"), BODY, "the signature is wrong"),
        (headers(webhook_timestamp=str(AT + 1)), BODY, "the signature is wrong"),
        (headers(webhook_signature=sign(OTHER)), BODY, "the signature is wrong"),
        (headers(webhook_signature="v2" + SIGNATURE[2:]), BODY, "the signature is wrong"),
        (headers(webhook_signature=SIGNATURE[3:]), BODY, "the signature is wrong"),
        (headers(webhook_signature=" ".join(["v1,abc"] * 10 + [SIGNATURE])), BODY, "the signature is wrong"),
        (headers(webhook_signature=""), BODY, "the signature is wrong"),
        (headers(webhook_signature="v1,ä"), BODY, "the signature is wrong"),
        (headers(webhook_timestamp="now", webhook_signature=sign(SECRET, at="now")), BODY, "the time is no time"),
        (headers(webhook_timestamp="-1", webhook_signature=sign(SECRET, at=-1)), BODY, "the time is no time"),
        (headers(webhook_timestamp="１６", webhook_signature=SIGNATURE), BODY, "the time is no time"),
        (headers(webhook_id="a b", webhook_signature=sign(SECRET, "a b")), BODY, "the id is no id"),
        (headers(), b"x" * 2_000_000, "the body is too large"),
    ],
)
def test_what_is_not_genuine_is_refused(found: dict[str, str], body: bytes, reason: str) -> None:
    with pytest.raises(WebhookRefused) as caught:
        Webhooks(SECRET).check(found, body, AT)
    assert caught.value.reason == reason


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_each_header_is_there_once(name: str) -> None:
    found = headers()
    without = {key: value for key, value in found.items() if key != name}
    with pytest.raises(WebhookRefused, match=f"{name.lower()} is missing"):
        Webhooks(SECRET).check(without, BODY, AT)
    with pytest.raises(WebhookRefused, match=f"{name.lower()} is there twice"):
        Webhooks(SECRET).check([*found.items(), (name.lower(), found[name])], BODY, AT)


@pytest.mark.parametrize(("now", "good"), [(AT + 300, True), (AT - 300, True), (AT + 301, False), (AT - 301, False)])
def test_a_delivery_is_good_for_five_minutes(now: int, good: bool) -> None:
    if good:
        assert Webhooks(SECRET).check(headers(), BODY, now).webhook_id == ID
    else:
        with pytest.raises(WebhookRefused, match="too old"):
            Webhooks(SECRET).check(headers(), BODY, now)


def test_without_a_time_it_is_compared_with_the_clock() -> None:
    with pytest.raises(WebhookRefused, match="too old"):
        Webhooks(SECRET).check(headers(), BODY)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_hush", "whsec_" + "hush" * 3, "whsec_hush hush hush hush hush hush", "fk_hush"]
)
def test_a_secret_that_is_none_is_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="a webhook secret is") as caught:
        Webhooks(SECRET, secret)
    assert "hush" not in str(caught.value)
    with pytest.raises(ValueError, match="at least one"):
        Webhooks()


def test_no_secret_is_printed() -> None:
    made = Webhooks(SECRET, OTHER)
    shown = f"{made!r} {vars(made)!r}"
    assert SECRET[6:] not in shown and OTHER[6:] not in shown
    with pytest.raises(WebhookRefused) as caught:
        made.check(headers(webhook_signature="v1,abc"), BODY, AT)
    assert SECRET[6:] not in f"{caught.value!r}"


EVENT: dict[str, Any] = {
    "number": 7,
    "at": "2026-11-30T12:00:00Z",
    "kind": "settled",
    "trade_id": "trd_1",
    "who": "bot:red-1",
    "data": {"a": 1},
}


def test_the_event_in_it_is_that_of_the_feed() -> None:
    body = json.dumps(EVENT).encode()
    found = Webhooks(SECRET).check(headers(webhook_signature=sign(SECRET, body=body)), body, AT)
    assert (found.event().number, found.event().data) == (7, {"a": 1})
    with pytest.raises(errors.UnexpectedAnswer):
        Webhooks(SECRET).check(headers(), BODY, AT).event()


@given(some.binary(max_size=64), some.text(max_size=40))
def test_whatever_comes_is_refused_and_nothing_else(body: bytes, text: str) -> None:
    with pytest.raises(WebhookRefused):
        Webhooks(SECRET).check(headers(webhook_signature=text), body + b"!", AT)
