"""JSON over HTTP with our own parts."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

CALL_S = 60.0


def get_json(url: str, *, api_key: str | None = None, timeout_s: float = CALL_S) -> Any:
    """GET one JSON document of a part of ours."""
    request = urllib.request.Request(url)  # noqa: S310 - addresses of our own parts
    if api_key:
        request.add_header("Authorization", f"Bearer {api_key}")
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
        return json.load(answer)


def send_json(method: str, url: str, body: Any, *, timeout_s: float = CALL_S) -> Any:
    """Call the sandbox's control API with a JSON body; the answer's JSON, ``None`` if it is empty."""
    request = urllib.request.Request(url, json.dumps(body).encode(), method=method)  # noqa: S310
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None
