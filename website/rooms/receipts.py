"""Receipts that the site signs: with one, a player can show that a bet was taken exactly so, to whom it may concern.

The signature (Ed25519) covers `TAG ‖ canonical JSON of everything but the signature`. The key's public half is published.
Inside stands the core's own receipt, which `lottery verify --receipt` holds against the sealed record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from lottery import encoding

from website.rooms.models import Bet

FORMAT = "site.receipt.1"
TAG = b"site.receipt.1\n"
KEY_BYTES = 32
SIZE_MAX = 1_000_000


class ReceiptError(Exception):
    """This is no receipt of this site, or it was changed."""


def signs() -> bool:
    """Whether this site has a key to sign with."""
    return bool(settings.SITE_RECEIPT_KEY)


def public_key() -> str:
    """In hex."""
    return _key().public_key().public_bytes_raw().hex()


def _key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(settings.SITE_RECEIPT_KEY))


def signed(bet: Bet) -> dict[str, Any]:
    """The receipt of a bet that was placed."""
    document = {
        "format": FORMAT,
        "site": settings.SITE_ADDRESS,
        "bet_id": bet.bet_id,
        "lane": bet.lane,
        "sent_ms": bet.created_ms,
        "receipt": json.loads(bet.receipt),
        "public_key": public_key(),
    }
    return {**document, "signature": _key().sign(_covered(document)).hex()}


def _covered(document: Mapping[str, Any]) -> bytes:
    return TAG + encoding.canonical_json({name: value for name, value in document.items() if name != "signature"})


def check(text: bytes, public: str) -> dict[str, Any]:
    """The core's receipt inside. `public`: the key that the site has published, never the one in the document.

    Raises ReceiptError.
    """
    try:
        document = json.loads(text[: SIZE_MAX + 1])
        signature = bytes.fromhex(document["signature"])
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, _covered(document))
        inside: dict[str, Any] = document["receipt"]
    except InvalidSignature:
        raise ReceiptError("the signature is not of this key, or something was changed") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ReceiptError("this is not a receipt") from None
    if document.get("format") != FORMAT:
        raise ReceiptError("this is not a receipt")
    return inside
