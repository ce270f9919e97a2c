"""The bot's own inventory: when a reading of it is believed, and telling all of it for an audit.

A reading that looks too empty is believed only when it is the same a while later: in maintenance Steam shows empty inventories
(TF2Autobot `steamMaintenance.ts`).
"""

from __future__ import annotations

from collections.abc import Collection

from bot_worker.bot import Bot
from bot_worker.reporting import Tell
from bot_worker.steam import maintenance
from bot_worker.steam.inventory_reads import Inventory
from bot_worker.steam.maintenance import Sign
from shared import log
from shared.domain.items import CONTEXT_NORMAL, HeldAsset
from shared.errors import SteamError, SteamUnavailable

# Fewer assets than this say nothing about trouble.
BULK = 4
READING = "own inventory"

_log = log.get(__name__)


def read(bot: Bot, expected: int) -> Inventory:
    """All CS2 assets of the bot, of which at least so many should be there.

    Raises:
        SteamError: it could not be read, or is not to be believed (yet).
    """
    inventory = bot.session.inventories.own_inventory()
    held = inventory.held
    bot.health.items = len(held)
    if not expected or (held and (expected < BULK or len(held) * 2 >= expected)):
        bot.session.maintenance.saw(READING, Sign.GOOD)
        return inventory
    bot.session.maintenance.saw(READING, Sign.EMPTY)
    no_maintenance(bot)
    now = bot.clock.monotonic()
    reading = ("inventory", frozenset(each.asset.asset_id for each in held))
    first_read = bot.memory.suspicious.add(reading, now)
    if first_read == now or now - first_read < bot.settings.trades.absent_after_s:
        _log.warning("inventory_not_believed", held=len(held), expected=expected)
        raise SteamUnavailable("the own inventory looks too empty", code="inventory_not_believed")
    return inventory


def read_for(bot: Bot, wanted: Collection[str], expected: int) -> Inventory:
    """So much of the own inventory as it takes: what is outside protection, if all of these asset ids are there, else all.

    Items that are settled, or that went out and came back to nobody, are outside protection: then one call does. An id that
    is seen proves that the item is there; that one is gone is concluded only from a whole reading.

    Raises:
        SteamError: as `read`.
    """
    free = bot.session.inventories.own_free_items()
    if {each.asset.asset_id for each in free.held}.issuperset(wanted):
        bot.session.maintenance.saw(READING, Sign.GOOD)
        return free
    return read(bot, expected)


def no_maintenance(bot: Bot) -> None:
    """What Steam shows in maintenance is no truth about items.

    Raises:
        SteamUnavailable: it is on.
    """
    if bot.session.maintenance.on:
        raise SteamUnavailable("Steam is in maintenance", code=maintenance.CODE)


def tell_all(bot: Bot, expected: int, tell: Tell) -> None:
    """Report ``custody_read`` with every asset, once each. Called twice, it reads twice.

    Raises:
        SteamError: it could not be read whole; nothing was reported.
    """
    no_maintenance(bot)
    inventory = read(bot, expected)
    no_maintenance(bot)
    if not inventory.whole or any(not each.market_hash_name for each in inventory.held):
        raise SteamUnavailable("the own inventory has assets that cannot be read", code="inventory_half")
    # An asset whose protection ended between the two readings shows in both contexts.
    there: dict[str, HeldAsset] = {}
    for each in inventory.held:
        if each.asset.asset_id not in there or each.asset.context_id == CONTEXT_NORMAL:
            there[each.asset.asset_id] = each
    tell("custody_read", steam_id=bot.session.steam_id, assets=[_as_data(each) for each in there.values()])


def failed(tell: Tell, error: SteamError) -> None:
    """Report that it was not read, so that nothing is concluded."""
    tell("custody_unread", reason=error.error_code)


def _as_data(held: HeldAsset) -> dict[str, str | None]:
    """What an audit needs of an asset: a thousand of them make a report of some 200 KB."""
    return {
        "asset_id": held.asset.asset_id,
        "context_id": held.asset.context_id,
        "class_id": held.class_id,
        "instance_id": held.instance_id,
        "name": held.market_hash_name,
        "fingerprint": held.fingerprint,
        **({"phase": held.phase} if held.phase else {}),
    }
