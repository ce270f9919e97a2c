"""What a bot's report of a player's inventory says: the inventory, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from balancer.fleet.reads import READ_S, busy
from shared import log
from shared.domain.ids import SteamId
from shared.domain.items import Asset, HeldAsset
from shared.errors import FleetError, NotAccepted, PlayerMustAct, SteamThrottled, SteamUnavailable
from shared.reports import Report

# An address that Steam has throttled is left alone for this long when Steam did not say for how long.
THROTTLED_S = 30.0
UNAVAILABLE = "inventory_unavailable"

# What a bot's ``inventory_failed`` means; every other code is "not now".
FAILURES: dict[str, type[FleetError]] = {
    "inventory_private": PlayerMustAct,
    "partner_hold": PlayerMustAct,
    "partner_banned": PlayerMustAct,
    "trade_url_wrong": NotAccepted,
    "unknown_player": NotAccepted,
    "steam_throttled": SteamThrottled,
    "steam_maintenance": SteamUnavailable,
}
DETAILS = {
    "inventory_private": "The player's inventory is private.",
    "partner_hold": "Steam would hold trades with this player.",
    "partner_banned": "Steam does not let this player trade.",
    "trade_url_wrong": "The trade URL is no longer valid.",
    "unknown_player": "There is no Steam account with this id.",
}

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class PlayerInventory:
    """What a bot saw, ``read_by`` which one. ``hold_days`` is ``None`` when it was not told."""

    steam_id: SteamId
    assets: dict[Asset, HeldAsset]
    hold_days: int | None
    read_at: datetime
    read_by: str = ""
    level: int | None = None  # of the Steam account; not asked for, or not shown


def understood(steam_id: SteamId, report: Report, now: datetime) -> PlayerInventory:
    """What a bot's ``inventory_read`` shows.

    Raises:
        SteamUnavailable: it makes no sense.
    """
    try:
        held: Iterable[HeldAsset] = [HeldAsset.from_json(row) for row in report.data["assets"]]
        assets = {one.asset: one for one in held}
        hold_days = report.data.get("hold_days")
        level = report.data.get("level")
        if not isinstance(hold_days, int | None) or not isinstance(level, int | None):
            raise TypeError("days and levels are numbers")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        _log.error("inventory makes no sense", action="inventory", bot=report.bot, reason=type(error).__name__)
        raise SteamUnavailable("The player's inventory cannot be read now.", code=UNAVAILABLE) from error
    return PlayerInventory(steam_id, assets, hold_days, now, report.bot, level)


def seconds(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and 0 < value < 86_400 else otherwise


def failure(data: dict[str, Any]) -> FleetError:
    """The error that a bot's ``inventory_failed`` stands for."""
    code = str(data.get("code") or UNAVAILABLE)
    if code == "own_pace":
        return busy(seconds(data.get("retry_after_s"), READ_S))
    kind = FAILURES.get(code)
    if kind is None:
        return SteamUnavailable("The player's inventory cannot be read now.", code=UNAVAILABLE)
    after_s = seconds(data.get("retry_after_s"), THROTTLED_S) if kind is SteamThrottled else None
    return kind(DETAILS.get(code, "Steam does not answer inventory reads now."), code=code, retry_after_s=after_s)
