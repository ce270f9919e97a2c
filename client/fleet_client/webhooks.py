"""Whether a webhook is from the fleet: the Standard Webhooks specification, version 1, symmetric signatures.

Give the raw body as it arrived: JSON that was read and written again is other bytes. A webhook may come more than once, so do
what it says once per `Webhook.webhook_id` (or per number of its event). Source: standard-webhooks/standard-webhooks,
``spec/standard-webhooks.md``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet_client import reading
from fleet_client.answers import Event
from fleet_client.errors import FleetError
from fleet_client.secret import Secret

PREFIX = "whsec_"
TOLERANCE_S = 300.0
SECRET_BYTES_MIN = 16
SIGNATURES_MAX = 10
BODY_MAX_BYTES = 1_048_576

_ID = re.compile(r"[!-~]{1,256}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class WebhookRefused(FleetError):
    """This is no webhook of the fleet: answer 4xx and do nothing. ``reason`` names the first check that failed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Not a webhook of the fleet: {reason}.")
        self.reason = reason

    def for_player(self) -> tuple[int, dict[str, str]]:
        """The answer to whoever sent it."""
        return 400, {"code": "webhook_refused", "message": str(self)}


@dataclass(frozen=True, slots=True)
class Webhook:
    """One delivery that is genuine. Every try of one delivery has the same ``webhook_id``."""

    webhook_id: str
    sent_at: int  # unix seconds
    body: bytes = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.body)

    def event(self) -> Event:
        """The event in it, as the feed has it.

        Raises:
            UnexpectedAnswer: there is none.
        """
        return reading.parse(Event, self.body)


class Webhooks:
    """Checks deliveries. While a secret is changed give both, the old one and the new one."""

    def __init__(self, *secrets: str, tolerance_s: float = TOLERANCE_S) -> None:
        """``secrets`` as the fleet shows them, ``whsec_…``. ``tolerance_s``: how far the clocks of both sides may be apart.

        Raises:
            ValueError: no secret, or one that is none; it is not repeated.
        """
        if not secrets:
            raise ValueError("give at least one webhook secret")
        self._secrets = [_read(text) for text in secrets]
        self._tolerance_s = tolerance_s

    def __repr__(self) -> str:
        return f"<Webhooks with {len(self._secrets)} secrets>"

    def check(self, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes, now: float | None = None) -> Webhook:
        """The delivery, if it is genuine and of now. ``now`` in unix seconds is for tests.

        Raises:
            WebhookRefused: it is not.
        """
        found = _headers(headers)
        webhook_id, sent_at = found["webhook-id"], found["webhook-timestamp"]
        _must(len(body) <= BODY_MAX_BYTES, "the body is too large")
        _must(_ID.fullmatch(webhook_id) is not None, "the id is no id")
        _must(_TIMESTAMP.fullmatch(sent_at) is not None, "the time is no time")
        _must(self._signed(f"{webhook_id}.{sent_at}.".encode() + body, found["webhook-signature"]), "the signature is wrong")
        # The time is looked at last: only of a genuine delivery it says anything.
        _must(abs((time.time() if now is None else now) - int(sent_at)) <= self._tolerance_s, "it is too old, or of the future")
        return Webhook(webhook_id, int(sent_at), body)

    def _signed(self, content: bytes, signatures: str) -> bool:
        """Whether one of the signatures is by one of our secrets. All are compared, each in constant time."""
        given = [text.removeprefix("v1,").encode() for text in signatures.split(" ") if text.startswith("v1,")][:SIGNATURES_MAX]
        right = [base64.b64encode(hmac.digest(secret.key, content, hashlib.sha256)) for secret in self._secrets]
        return sum(hmac.compare_digest(one, other) for one in right for other in given) > 0


class _Key(Secret):
    """A secret as bytes."""

    __slots__ = ()

    @property
    def key(self) -> bytes:
        return base64.b64decode(self.reveal())


def _read(text: str) -> _Key:
    encoded = text.strip().removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < SECRET_BYTES_MIN:
        raise ValueError("a webhook secret is whsec_ and at least 16 bytes in base64, as the fleet shows it")
    return _Key(encoded)


def _headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """The three headers, each of them once: two of one name are read differently by different readers."""
    pairs: Sequence[tuple[str, str]] = list(headers.items() if isinstance(headers, Mapping) else headers)
    found: dict[str, str] = {}
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        values = [value for key, value in pairs if key.lower() == name]
        _must(len(values) == 1, f"{name} is missing" if not values else f"{name} is there twice")
        found[name] = values[0]
    return found


def _must(good: bool, reason: str) -> None:
    if not good:
        raise WebhookRefused(reason)
