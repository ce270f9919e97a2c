"""Dear items are read by bots of two hosts before they are taken: one host that was taken over does not decide what they are.

What an item is worth follows from its name, and the name comes from the bot that read the player's inventory. The bot that
receives the item says the name again (`balancer.journal.swaps`), but by then it may have been played with. So a deposit worth
more than ``dear_item_cents`` is read once more, by a bot of another group: a group's keys lie on one host, while the names that
hosts give themselves may be made up. A fleet with one group has nobody to ask; its one host holds every item anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from balancer.context import Context
from balancer.items.readings import PlayerInventory
from balancer.journal import alarms
from balancer.trades.requests import Wanted
from shared import log
from shared.domain.ids import TradeUrl
from shared.domain.items import HeldAsset
from shared.errors import FleetError, NoBotAvailable

CODE = "readings_differ"
# Two readings this near to each other, of which only one shows an item, are a contradiction; between older ones it may have
# been traded, sold or put into a storage unit.
TOGETHER_S = 20.0
TOLD_MAX = 20
NAME_SHOWN = 255
AGAIN_S = 60.0

_log = log.get(__name__)


async def check(ctx: Context, user_id: str, url: TradeUrl, first: PlayerInventory, wanted: Sequence[Wanted]) -> None:
    """Have another host's bot read what is worth much, and refuse the deposit unless both say the same.

    Raises:
        NoBotAvailable: ``readings_differ``, and an alarm names the two bots; ``no_second_reader``; ``inventory_busy``.
        SteamUnavailable, SteamThrottled: it cannot be read a second time now.
    """
    most = ctx.settings.limits.dear_item_cents
    if not most or sum(one.value_cents for one in wanted) <= most:
        return
    if ctx.fleet.groups_known < 2:
        _log.warning("dear items were read by one host only: there is no second one", action="inventory", bot=first.read_by)
        return
    try:
        second: PlayerInventory = await ctx.inventories.second(first, url.trade_token)
    except FleetError as error:
        if error.retryable:
            raise
        # A clear no, where the first one saw an inventory.
        differences, by = [{"second": error.error_code}], str(error.data.get("read_by", ""))
        await _differ(ctx, user_id, first, by, differences)
    differences, together = contradictions(wanted, second), (second.read_at - first.read_at).total_seconds() < TOGETHER_S
    if differences:
        certain = together or any(each["field"] != "asset" for each in differences)
        await _differ(ctx, user_id, first, second.read_by, differences if certain else [])


def tell_if_single(ctx: Context) -> None:
    """At start: that dear items cannot be read by two hosts here."""
    if ctx.settings.limits.dear_item_cents and ctx.fleet.groups_known < 2:
        _log.warning(
            "this fleet has one group of bots only: dear items are read by one host, whose word is all there is",
            action="fleet",
            setting="limits.dear_item_cents",
        )


async def _differ(
    ctx: Context, user_id: str, first: PlayerInventory, second_bot: str, differences: list[dict[str, Any]]
) -> None:
    """Believe neither, and say so; without anything found it is no alarm.

    Raises:
        NoBotAvailable: always.
    """
    ctx.inventories.forget(first.steam_id)
    if differences:
        data = {"readings": differences[:TOLD_MAX]}
        await ctx.db.run(alarms.of_readings, (first.read_by, second_bot), user_id, data, ctx.clock.now())
    raise NoBotAvailable(
        "Two bots read different things about these items, so they are not taken now. Both read again at the next request.",
        code=CODE,
        retry_after_s=AGAIN_S,
    )


def contradictions(wanted: Sequence[Wanted], second: PlayerInventory) -> list[dict[str, Any]]:
    """What the second reading says otherwise of these items: asset, field, and what each of the two says."""
    return [each for one in wanted for each in _of_one(one.held, second.assets.get(one.held.asset))]


def _of_one(first: HeldAsset, again: HeldAsset | None) -> list[dict[str, Any]]:
    asset_id = first.asset.asset_id
    if again is None:
        return [{"asset_id": asset_id, "field": "asset", "first": _short(first.market_hash_name), "second": None}]
    compared = [(name, getattr(first, name), getattr(again, name)) for name in ("market_hash_name", "class_id", "amount")]
    # Steam leaves an item's properties out at times.
    both = [(name, getattr(first, name), getattr(again, name)) for name in ("wear", "pattern", "name_tag", "phase")]
    compared += [each for each in both if None not in each[1:]]
    differ = [(name, *map(_short, each)) for name, *each in compared if each[0] != each[1]]
    return [{"asset_id": asset_id, "field": name, "first": one, "second": other} for name, one, other in differ]


def _short(value: object) -> object:
    """Of one of them nothing is true, nor need it be short."""
    return value[:NAME_SHOWN] if isinstance(value, str) else value
