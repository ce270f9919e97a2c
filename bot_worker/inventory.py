"""Reading what a player could trade and whether Steam would hold it; or, for an audit, what the bot itself holds."""

from __future__ import annotations

from bot_worker import own, own_account
from bot_worker.bot import Bot, Partner
from bot_worker.reporting import Tell
from bot_worker.steam import maintenance
from shared import log
from shared.domain.health import May
from shared.errors import SteamError, SteamRefused, SteamUnavailable
from shared.messages import InventoryOrder, Order

_log = log.get(__name__)

TOLD = frozenset({"inventory_private", "partner_banned", "trade_url_wrong", maintenance.CODE})


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
        own.tell_all(bot, payload.own_rows, tell)
        return
    own.no_maintenance(bot)
    hold_days: int | None = None
    if payload.trade_token is not None:
        try:
            hold = bot.session.hold(payload.steam_id, payload.trade_token)
        except SteamRefused as error:
            failed(order, tell, _no_hold(bot, payload.steam_id, error))
            return
        hold_days = hold.theirs_days
        bot.memory.partner = Partner(payload.steam_id, payload.trade_token)
        own_account.seen_hold(bot, hold.ours_days)
        if _banned(bot, payload.steam_id):
            failed(order, tell, SteamRefused(code="partner_banned"))
            return
    try:
        assets = bot.session.partner_inventory(payload.steam_id, payload.trade_token)
    except SteamRefused as error:
        failed(order, tell, error)
        return
    tell(
        "inventory_read",
        steam_id=payload.steam_id,
        # Whose amount cannot be read is no single item for certain.
        assets=[held.to_json() for held in assets if held.amount],
        hold_days=hold_days,
    )


def _no_hold(bot: Bot, steam_id: str, error: SteamRefused) -> SteamError:
    """Steam does not say for how long it would hold: the trade URL is old, unless we ourselves may not trade."""
    _banned(bot, steam_id)
    if bot.health.why_not(May.TAKE) is not None:
        return SteamUnavailable("this bot may not trade just now", code="bot_restricted")
    return SteamRefused(code="trade_url_wrong", result=error.result)


def _banned(bot: Bot, steam_id: str) -> bool:
    """Whether Steam says so, of us too. If it does not answer, the offer will be refused: that is told then."""
    try:
        banned = bot.session.banned(bot.session.steam_id, steam_id)
    except SteamUnavailable as error:
        _log.debug("bans_not_read", reason=error.error_code)
        return False
    own_account.seen_bans(bot, banned)
    return steam_id in banned


def failed(order: Order, tell: Tell, error: SteamError) -> None:
    """Report that an inventory was not read; what is not in `TOLD` is ``inventory_unavailable``."""
    payload = order.payload
    if isinstance(payload, InventoryOrder) and payload.own_rows is not None:
        own.failed(tell, error)
        return
    steam_id = payload.steam_id if isinstance(payload, InventoryOrder) else None
    code = error.error_code if error.error_code in TOLD else "inventory_unavailable"
    tell("inventory_failed", steam_id=steam_id, code=code, reason=error.detail)
