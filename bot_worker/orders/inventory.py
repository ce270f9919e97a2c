"""Reading what a player could trade and whether Steam would hold it; or, for an audit, what the bot itself holds."""

from __future__ import annotations

from bot_worker import own_account
from bot_worker.bot import Bot, Partner
from bot_worker.orders import own_inventory
from bot_worker.reporting import Tell
from bot_worker.steam import maintenance
from bot_worker.steam.connection import NO_SUCH_INVENTORY
from bot_worker.steam.pace import OWN_PACE
from shared import log
from shared.domain.health import May
from shared.errors import SteamError, SteamRefused, SteamUnavailable
from shared.orders import InventoryOrder, Order

_log = log.get(__name__)

UNKNOWN_PLAYER = "unknown_player"
REASONS = frozenset(
    {"inventory_private", "partner_banned", "trade_url_wrong", UNKNOWN_PLAYER, "steam_throttled", OWN_PACE, maintenance.CODE}
)


def inventory(bot: Bot, order: Order, tell: Tell) -> None:
    """Report ``inventory_read`` with every asset, or ``inventory_failed`` with the reason. Called twice, it reads twice.

    Of the bot's own inventory ``custody_read`` or ``custody_unread``.

    Raises:
        SteamError: Steam cannot answer now.
    """
    payload = order.payload
    if not isinstance(payload, InventoryOrder):
        return
    if payload.own_rows is not None:
        own_inventory.tell_all(bot, payload.own_rows, tell)
        return
    own_inventory.no_maintenance(bot)
    # First, as others wait for what this order finds out about them.
    bans = _bans(bot, payload.bans_of)
    hold_days: int | None = None
    if payload.trade_token is not None and payload.with_hold:
        try:
            hold = bot.session.hold(payload.steam_id, payload.trade_token)
        except SteamRefused as error:
            failed(order, tell, _no_hold(bot, payload.steam_id, error), bans)
            return
        hold_days = hold.theirs_days
        bot.memory.partner = Partner(payload.steam_id, payload.trade_token)
        own_account.seen_hold(bot, hold.ours_days)
    if bans.get(payload.steam_id):
        failed(order, tell, SteamRefused(code="partner_banned"), bans)
        return
    try:
        assets = bot.session.inventories.partner_inventory(payload.steam_id, payload.trade_token)
    except SteamRefused as error:
        answer = _is_nobody(bot, payload.steam_id) if error.error_code == NO_SUCH_INVENTORY else error
        failed(order, tell, answer, bans)
        return
    tell(
        "inventory_read",
        steam_id=payload.steam_id,
        # Whose amount cannot be read is no single item for certain.
        assets=[held.to_json() for held in assets if held.amount],
        hold_days=hold_days,
        bans=bans,
        level=_level(bot, payload),
    )


def _level(bot: Bot, payload: InventoryOrder) -> int | None:
    """The player's Steam level, if it is asked for and Steam shows it now. Nothing else waits or fails for it."""
    if not payload.with_level:
        return None
    try:
        return bot.session.level(payload.steam_id)
    except SteamError as error:
        _log.debug("level_not_read", reason=error.error_code)
        return None


def _is_nobody(bot: Bot, steam_id: str) -> SteamError:
    """Steam shows no inventory and does not say why. Whether there is such an account at all is asked elsewhere.

    Raises:
        SteamError: it cannot be told now.
    """
    if bot.session.is_known(steam_id):
        return SteamUnavailable("Steam does not show this inventory now")
    return SteamRefused("there is no such Steam account", code=UNKNOWN_PLAYER)


def _no_hold(bot: Bot, steam_id: str, error: SteamRefused) -> SteamError:
    """Steam does not say for how long it would hold: the trade URL is old, unless we ourselves may not trade."""
    _bans(bot, [steam_id])
    if bot.health.why_not(May.TAKE) is not None:
        return SteamUnavailable("this bot may not trade just now", code="bot_restricted")
    return SteamRefused(code="trade_url_wrong", result=error.result)


def _bans(bot: Bot, steam_ids: list[str]) -> dict[str, bool]:
    """Whom of these Steam keeps from trading; of us too, as it costs nothing more.

    If it does not answer, the offer will be refused: that is told then.
    """
    if not steam_ids:
        return {}
    me = bot.session.steam_id
    try:
        bans = bot.session.trade_bans([*steam_ids, me])
    except SteamUnavailable as error:
        _log.debug("bans_not_read", reason=error.error_code)
        return {}
    if me in bans:
        own_account.seen_bans(bot, frozenset(steam_id for steam_id, banned in bans.items() if banned))
    return {steam_id: banned for steam_id, banned in bans.items() if steam_id in steam_ids}


def failed(order: Order, tell: Tell, error: SteamError, bans: dict[str, bool] | None = None) -> None:
    """Report that an inventory was not read; what is not in `REASONS` is ``inventory_unavailable``."""
    payload = order.payload
    if isinstance(payload, InventoryOrder) and payload.own_rows is not None:
        own_inventory.failed(tell, error)
        return
    steam_id = payload.steam_id if isinstance(payload, InventoryOrder) else None
    code = error.error_code if error.error_code in REASONS else "inventory_unavailable"
    more = {"bans": bans or {}, "retry_after_s": error.retry_after_s}
    tell("inventory_failed", steam_id=steam_id, code=code, reason=error.detail, **more)
