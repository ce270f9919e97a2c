"""Talking to our own parts: JSON over HTTP with the sandbox, and `fleet_client` with balancers."""

from __future__ import annotations

import json
import urllib.request
from functools import cache
from typing import Any

import httpx

from fleet_client import Client, Patience

CALL_S = 60.0


def balancer(url: str, api_key: str, *, patience: Patience | None = None, timeout_s: float = CALL_S) -> Client:
    """The client of a balancer of ours, as a site has it. There is nothing to close."""
    return Client(url, api_key, http=_http(), patience=patience or Patience(), timeout_s=timeout_s)


@cache
def _http() -> httpx.Client:
    """Each call has a connection of its own: these balancers are stopped, killed and started again at the same address."""
    return httpx.Client(trust_env=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0))


def get_json(url: str, *, timeout_s: float = CALL_S) -> Any:
    """GET one JSON document of a part of ours."""
    request = urllib.request.Request(url)  # noqa: S310 - addresses of our own parts
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
        return json.load(answer)


def send_json(method: str, url: str, body: Any, *, timeout_s: float = CALL_S) -> Any:
    """Call the sandbox's control API with a JSON body; the answer's JSON, ``None`` if it is empty."""
    request = urllib.request.Request(url, json.dumps(body).encode(), method=method)  # noqa: S310
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None
