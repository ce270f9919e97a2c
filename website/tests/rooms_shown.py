"""Pages of rooms in tests: a site on paper, a browser, and a fleet that pages ask for a player's items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from django.test import Client
from paper import Deposit, Paper, PaperFleet

from fleet_client import errors
from website.accounts import sessions
from website.accounts.models import Player

SETTLED = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class ClientOnPaper:
    """What pages ask of the fleet, answered from `PaperFleet`."""

    fleet: PaperFleet
    away: bool = False
    unsettled: Sequence[str] = ()
    frozen: Sequence[str] = ()
    phases: Mapping[str, str] = field(default_factory=dict)

    def deposits(self, *, user_id: str, limit: int = 0) -> Any:
        if self.away:
            raise errors.Unreachable("nobody is there")
        rows = [row for row in self.fleet.deposits.values() if row.owner == user_id]
        return SimpleNamespace(deposits=[self._deposit(row) for row in rows], next=None)

    def _deposit(self, row: Deposit) -> Any:
        return SimpleNamespace(
            deposit_id=row.deposit_id,
            market_hash_name=row.name,
            icon_url="",
            color="4b69ff",
            phase=self.phases.get(row.deposit_id),
            value_cents=row.cents,
            status="active",
            locked_by=row.lock or None,
            frozen_by="steam" if row.deposit_id in self.frozen else None,
            settled_at=None if row.deposit_id in self.unsettled else SETTLED,
        )


def signed_in(player: Player, paper: Paper, **settings: Any) -> Client:
    """A browser in which a player is signed in."""
    browser = Client(SERVER_NAME="localhost", **settings)
    browser.cookies[sessions.COOKIE] = sessions.start(player, "a test", paper.now_ms)
    return browser
