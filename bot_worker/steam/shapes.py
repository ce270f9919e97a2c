"""What Steam tells, as values. Ids are strings; times are unix seconds; a partner is a SteamID64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.domain.ids import SteamId
from shared.domain.items import Asset


@dataclass(frozen=True, slots=True)
class Sent:
    """The answer to a send: the new offer, and whether the bot's phone must confirm it (state 9) or not (state 2)."""

    offer_id: str
    needs_confirmation: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer, sent or received; ``give`` is what we give.

    ``whole`` is false for the half-filled ones that Steam shows at times; decide nothing by those.
    """

    offer_id: str
    partner: str
    message: str
    state: int
    give: tuple[Asset, ...]
    take: tuple[Asset, ...]
    exchange_id: str | None
    created: int
    updated: int
    whole: bool

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Offer:
        """One row of GetTradeOffers; 'glitched' as in node-steam-tradeoffer-manager's polling."""
        account_id = data.get("accountid_other")
        give, give_whole = _assets(data.get("items_to_give"))
        take, take_whole = _assets(data.get("items_to_receive"))
        known = isinstance(account_id, int) and 0 < account_id < 2**32
        return cls(
            offer_id=str(data["tradeofferid"]),
            partner=str(SteamId.from_account_id(account_id)) if known and account_id else "",
            message=str(data.get("message", "")),
            state=int(data.get("trade_offer_state", 1)),
            give=give,
            take=take,
            exchange_id=str(data["tradeid"]) if data.get("tradeid") else None,
            created=int(data.get("time_created", 0)),
            updated=int(data.get("time_updated", 0)),
            whole=known and give_whole and take_whole and bool(give or take),
        )


def _assets(rows: list[dict[str, Any]] | None) -> tuple[tuple[Asset, ...], bool]:
    """The assets, and whether all of them were told in full."""
    found, whole = [], True
    for row in rows or []:
        if row.get("appid") and row.get("assetid") and row.get("contextid"):
            found.append(Asset(int(row["appid"]), str(row["contextid"]), str(row["assetid"])))
        else:
            whole = False
    return tuple(found), whole


@dataclass(frozen=True, slots=True)
class Moved:
    """One asset of an exchange. The new ids are ``None`` until Steam knows them; ``given`` means by us."""

    given: bool
    context_id: str
    asset_id: str
    new_context_id: str | None
    new_asset_id: str | None
    rollback_context_id: str | None
    rollback_asset_id: str | None

    @property
    def now(self) -> Asset | None:
        """Where the asset is after the exchange, or after it was rolled back."""
        context_id, asset_id = self.rollback_context_id, self.rollback_asset_id
        if asset_id is None:
            context_id, asset_id = self.new_context_id, self.new_asset_id
        return None if context_id is None or asset_id is None else Asset(730, context_id, asset_id)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Steam's record of an accepted offer; its status is the last word on what moved."""

    exchange_id: str
    partner: str
    status: int
    started: int
    settles_at: int | None
    moved: tuple[Moved, ...]
    rolls_back: str | None

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Exchange:
        """One row of GetTradeStatus or GetTradeHistory."""
        given = [_moved(row, given=True) for row in data.get("assets_given") or []]
        received = [_moved(row, given=False) for row in data.get("assets_received") or []]
        return cls(
            exchange_id=str(data["tradeid"]),
            partner=str(data.get("steamid_other", "")),
            status=int(data.get("status", 0)),
            started=int(data.get("time_init", 0)),
            settles_at=int(data["time_settlement"]) if data.get("time_settlement") else None,
            moved=(*given, *received),
            rolls_back=str(data["rollback_trade"]) if data.get("rollback_trade") else None,
        )

    @property
    def complete(self) -> bool:
        """Every new id is known."""
        return bool(self.moved) and all(each.new_asset_id and each.new_context_id for each in self.moved)

    def moved_json(self) -> list[dict[str, str | None]]:
        """As the report ``offer_accepted`` carries it."""
        return [
            {
                "asset_id": each.asset_id,
                "context_id": each.context_id,
                "new_asset_id": each.new_asset_id,
                "new_context_id": each.new_context_id,
            }
            for each in self.moved
        ]


def _moved(row: dict[str, Any], *, given: bool) -> Moved:
    def text(name: str) -> str | None:
        return str(row[name]) if row.get(name) else None

    return Moved(
        given=given,
        context_id=str(row.get("contextid", "")),
        asset_id=str(row.get("assetid", "")),
        new_context_id=text("new_contextid"),
        new_asset_id=text("new_assetid"),
        rollback_context_id=text("rollback_new_contextid"),
        rollback_asset_id=text("rollback_new_assetid"),
    )


@dataclass(frozen=True, slots=True)
class Hold:
    """For how many days Steam would keep what the partner gives, and what we give. 0 is no hold."""

    theirs_days: int
    ours_days: int
