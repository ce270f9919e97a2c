"""What is asked for, by whom, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from balancer.journal.views import Trade
from shared.domain.ids import TradeUrl
from shared.domain.items import Asset, HeldAsset


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose API key it is."""

    client_id: str
    name: str
    scopes: frozenset[str]

    @property
    def who(self) -> str:
        """As events name it."""
        return f"client:{self.name}"


@dataclass(frozen=True, slots=True)
class Operator(Caller):
    """A person at the command line, without an API key; ``client_id`` is who it is, as in ``cli:anna``."""

    @classmethod
    def of(cls, who: str) -> Operator:
        return cls(who, who, frozenset({"operate"}))

    @property
    def who(self) -> str:
        return self.client_id


@dataclass(frozen=True, slots=True)
class Wanted:
    """One asset of the player's inventory that is to come in, and what it is worth."""

    held: HeldAsset
    value_cents: int


@dataclass(frozen=True, slots=True)
class DepositAsked:
    """What a site asks for; nobody has looked yet whether the player has these assets."""

    user_id: str
    trade_url: TradeUrl
    assets: list[Asset]
    color: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class DepositWish:
    """The same with the assets as a bot has seen them."""

    user_id: str
    trade_url: TradeUrl
    wanted: list[Wanted]
    color: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class WithdrawWish:
    user_id: str
    trade_url: TradeUrl
    deposit_ids: list[str]
    message: str = ""
    when_settled: bool = False


@dataclass(frozen=True, slots=True)
class HouseWish:
    """These items of the house to this account; ``reason`` stands in the feed."""

    trade_url: TradeUrl
    deposit_ids: list[str]
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """Whose request it is, under which key, and when it came; ``request_id`` is that of the HTTP request."""

    caller: Caller
    key: str
    body_hash: str
    now: datetime
    request_id: str | None = None

    @property
    def who(self) -> str:
        return self.caller.who

    def row(self, trade_ids: list[str]) -> dict[str, Any]:
        """What is kept of it, with the trades it made."""
        return {
            "client_id": self.caller.client_id,
            "key": self.key,
            "body_hash": self.body_hash,
            "trade_ids": " ".join(trade_ids),
            "created_at": self.now,
        }


@dataclass(frozen=True, slots=True)
class Made:
    """The trades of one request. ``views`` are those trades as they were just written; ``None`` if an earlier request with the
    same key made them."""

    trade_ids: list[str]
    views: list[Trade] | None = None
