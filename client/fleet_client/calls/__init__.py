"""Every call of the API by its name; what each of them means stands in docs/http-api.md.

Whatever moves something takes a ``key``, which is made when none is given: give your own, and keep it, where the same request
may have to be made again after your program has ended. Calls of games have a ``ref`` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet_client.asking import Call
from fleet_client.calls.custody import Custody
from fleet_client.calls.fleet import Fleet
from fleet_client.calls.listening import Listening, event_stream
from fleet_client.calls.parts import AssetRef, Credit, Move, Take, new_key
from fleet_client.calls.trading import Trading
from fleet_client.named import tried
from fleet_client.steps import Answer

__all__ = ["AssetRef", "Calls", "Credit", "Move", "Take", "event_stream", "new_key"]


class Calls(Trading, Custody, Listening, Fleet):
    """The API by names. `Client` gives the answers, `AsyncClient` awaitables of them."""

    @tried
    def send(self, method: str, target: str, *, body: Mapping[str, Any] | None = None, key: str | None = None) -> Call[Answer]:
        """One try of any request, and its answer as it came, a refusal too: for calls that this package has no name for, and
        for programs that look at each answer themselves.

        ``target`` is the path with its query, escaped. Nothing is repeated, and a key is sent only if one is given.
        """
        return Call(method, target, Answer, body=body, key=key)
