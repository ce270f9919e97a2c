"""What this account itself may do, asked of Steam: whether a refusal was because of us, and whether a restriction has ended.

Steam's numbers do not say whose fault a refusal was: a 15 comes for a partner's wrong token and for a ban of our own. So the
bot asks about itself before anybody is told. A restriction ends when Steam says so: it is asked for with one cheap call, at
growing intervals (`GroupSettings.probe_s`), until it has ended or an offer was made after all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot_worker.bot import Bot, Partner, Probe
from bot_worker.steam import answers
from bot_worker.steam.phone import NOT_CONFIRMED
from shared import log
from shared.domain.health import May
from shared.domain.status import TradeEvent
from shared.errors import NotSignedIn, SteamError, SteamUnavailable
from shared.orders import SendOrder

# Refusals that may be because of either side.
AMBIGUOUS = frozenset({"partner_unavailable", "partner_banned", "token_wrong"})
OURS = {"bot_locked": "bot_locked", "bot_banned": "bot_banned", "bot_full": "inventory_full"}
# So many partners in a row cannot all be at fault.
REFUSED_MAX = 3
# Confirmations that Steam refuses in a row: after the first it may have done it all the same.
ACCEPT_RULES_AT, NOT_CONFIRMED_MAX = 2, 4
# What nobody but the balancer's operator, or the heartbeat, can end.
NOT_ASKED = frozenset({"clock_unsure"})
# Steam lists only what is live when the cutoff is later than any change.
FAR_FUTURE = 4_102_444_800

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Blame:
    """Because of whom Steam refused an offer.

    ``restriction``: because of this bot, which may not do everything from now on. ``partner``: because of the partner, and
    why, if more is known than Steam's number says. ``unclear``: of the bot or of the two together; another bot would know.
    """

    restriction: str | None = None
    partner: answers.Failure | None = None
    unclear: bool = False


# --- a refusal ----------------------------------------------------------------------------------------------


def blame(bot: Bot, order: SendOrder, error: SteamError) -> Blame:
    """Because of whom Steam refused this offer; what speaks against the bot restricts it from now on."""
    try:
        result = _blame(bot, order, error)
    except SteamError as failed:
        _log.warning("own_account_not_read", reason=failed.error_code)
        result = Blame(unclear=error.error_code in AMBIGUOUS or error.error_code == "too_many_offers")
    if result.unclear and error.error_code in AMBIGUOUS:
        result = _one_more(bot, order.partner)
    if result.restriction is not None:
        restrict(bot, result.restriction)
    return result


def _blame(bot: Bot, order: SendOrder, error: SteamError) -> Blame:
    code = error.error_code
    if code in OURS:
        return Blame(OURS[code])
    if code == "item_gone" and order.give:
        return Blame("items_missing")
    if code == "too_many_offers":
        return _full(bot, order.partner)
    if code not in AMBIGUOUS:
        return Blame()
    partner = Partner(order.partner, order.trade_token)
    banned = bot.session.banned(bot.session.steam_id, partner.steam_id)
    if bot.session.steam_id in banned:
        return Blame("bot_banned")
    if partner.steam_id in banned:
        return Blame(partner=answers.PARTNER_BANNED)
    page = bot.session.trade_page(partner.steam_id, partner.trade_token)
    if page.locks_us:
        return Blame("bot_locked")
    if page.our_days:
        return Blame("own_hold")
    return Blame(partner=answers.TOKEN_WRONG) if page.wrong_url else Blame(unclear=True)


def _full(bot: Bot, partner: str) -> Blame:
    """Steam counts the offers to one partner and all of an account's: which of them it was shows in our own list."""
    live = [offer for offer in bot.session.sent_offers(FAR_FUTURE) if offer.state in answers.LIVE_STATES]
    bot.health.offers = len(live)
    limits = bot.settings.limits
    to_partner = sum(offer.partner == partner and offer.state != answers.HELD for offer in live)
    if to_partner >= limits.offers_per_partner_max:
        return Blame(unclear=True)  # another bot may have fewer
    return Blame("offers_full")


def _one_more(bot: Bot, partner: str) -> Blame:
    """Nothing speaks against the bot; but when Steam goes on refusing, whoever the partner is, something does."""
    bot.memory.refused |= {partner}
    return Blame("bot_refused") if len(bot.memory.refused) >= REFUSED_MAX else Blame(unclear=True)


def confirm(bot: Bot, offer_id: str) -> bool:
    """As `Phone.confirm`. What Steam refuses twice in a row is asked for again after its rules were accepted; when it
    goes on refusing, the bot gives nothing until that is over.

    Raises:
        SteamUnavailable, NotSignedIn: as `Phone.confirm`.
    """
    try:
        confirmed = bot.session.phone.confirm(offer_id)
    except SteamUnavailable as error:
        if error.error_code == NOT_CONFIRMED:
            _not_confirmed(bot)
        raise
    if confirmed:
        bot.memory.not_confirmed = 0
        if bot.health.lift("confirmations_refused"):
            bot.memory.probes.pop("confirmations_refused", None)
    return confirmed


def _not_confirmed(bot: Bot) -> None:
    bot.memory.not_confirmed += 1
    if bot.memory.not_confirmed == ACCEPT_RULES_AT and bot.settings.steam.accept_trade_protection:
        bot.session.connection.acknowledge_trade_protection()
    elif bot.memory.not_confirmed >= NOT_CONFIRMED_MAX:
        restrict(bot, _own_trouble(bot) or "confirmations_refused")


def _own_trouble(bot: Bot) -> str | None:
    """Why this account may not trade, if Steam says so of it."""
    partner = bot.memory.partner
    try:
        if bot.session.steam_id in bot.session.banned(bot.session.steam_id):
            return "bot_banned"
        page = bot.session.trade_page(partner.steam_id, partner.trade_token) if partner else None
    except SteamError as error:
        _log.warning("own_account_not_read", reason=error.error_code)
        return None
    return "bot_locked" if page is not None and page.locks_us else None


def reversed_by(bot: Bot) -> str | None:
    """Who took exchanges of ours back: ``bot`` or ``partner``; ``None`` if nothing can be asked.

    Steam keeps whoever reverses from trading for thirty days. So if this account may not trade it was this account, which is
    then in somebody else's hands; if it may, it was the other one.
    """
    partner = bot.memory.partner
    if partner is None:
        return None
    try:
        if bot.session.steam_id in bot.session.banned(bot.session.steam_id):
            return None  # it could not have traded anyway: this says nothing
        page = bot.session.trade_page(partner.steam_id, partner.trade_token)
    except SteamError as error:
        _log.warning("own_account_not_read", reason=error.error_code)
        return None
    if page.locks_us:
        restrict(bot, "bot_locked")
        return "bot"
    return "partner"


def say_whose(bot: Bot, blamed: Sequence[tuple[TradeEvent | None, dict[str, Any]]]) -> None:
    """Add to each reversal among what a look has found who made it; it is asked once for all of them, and only then."""
    news = [data for event, data in blamed if event is TradeEvent.EXCHANGE_REVERSED]
    if news:
        whose = reversed_by(bot)
        for data in news:
            data["reversed_by"] = whose


def restrict(bot: Bot, reason: str) -> None:
    """From now on this stands in the bot's way; it is asked for the end of it sooner or later."""
    if not bot.restrict(reason):
        return
    times, before = bot.settings.group, bot.memory.probes.get(reason)
    # Steam said that it was over, and it was not: the next question comes later.
    wait_s = times.probe_s if before is None else min(2 * before.wait_s, times.probe_max_s)
    bot.memory.probes[reason] = Probe(bot.clock.monotonic() + wait_s, wait_s)


def made_an_offer(bot: Bot) -> None:
    """Steam took an offer of ours: whatever was thought to be over is."""
    bot.memory.refused = frozenset()
    for reason in [each for each in bot.memory.probes if each not in bot.health.restrictions]:
        del bot.memory.probes[reason]


# --- the end of a restriction ---------------------------------------------------------------------------------


def probe(bot: Bot) -> str | None:
    """Ask Steam whether the restriction that is due has ended: one call. The restriction that it has lifted."""
    reason = _due(bot)
    if reason is None or bot.session.maintenance.on:
        return None
    before = bot.memory.probes[reason]
    wait_s = min(2 * before.wait_s, bot.settings.group.probe_max_s)
    bot.memory.probes[reason] = Probe(bot.clock.monotonic() + wait_s, wait_s)
    over = False
    try:
        over = PROBES.get(reason, _perhaps)(bot)
    except NotSignedIn as error:
        bot.session_lost(error)
    except SteamError as error:
        _log.info("probe_failed", reason=reason, error=error.error_code)
    if not over:
        return None
    # The wait is kept in mind until an offer has been made: Steam may refuse the next one all the same.
    bot.memory.probes[reason] = before
    bot.health.lift(reason)
    return reason


def _due(bot: Bot) -> str | None:
    now, times = bot.clock.monotonic(), bot.settings.group
    for reason in bot.health.restrictions:
        if reason in NOT_ASKED:
            continue
        waiting = bot.memory.probes.setdefault(reason, Probe(now + times.probe_s, times.probe_s))
        if waiting.at <= now:
            return reason
    return None


def _not_locked(bot: Bot) -> bool:
    partner = bot.memory.partner
    return partner is None or not bot.session.trade_page(partner.steam_id, partner.trade_token).locks_us


def _not_held(bot: Bot) -> bool:
    partner = bot.memory.partner
    return partner is None or not bot.session.trade_page(partner.steam_id, partner.trade_token).our_days


def _not_banned(bot: Bot) -> bool:
    return bot.session.steam_id not in bot.session.banned(bot.session.steam_id)


def _room_for_offers(bot: Bot) -> bool:
    live = [offer for offer in bot.session.sent_offers(FAR_FUTURE) if offer.state in answers.LIVE_STATES]
    bot.health.offers = len(live)
    return len(live) < bot.settings.limits.offers_per_bot_max


def _room_for_items(bot: Bot) -> bool:
    return _read_inventory(bot) < bot.settings.limits.bot_items_max


def _looked_for_items(bot: Bot) -> bool:
    """What it has is known now; whether that is what it should have, the audit says."""
    _read_inventory(bot)
    return True


def _read_inventory(bot: Bot) -> int:
    held = len({each.asset.asset_id for each in bot.session.inventories.own_inventory().held})
    bot.health.items = held
    return held


def _acknowledged(bot: Bot) -> bool:
    """Accept Steam's rules of trade protection, if we may; the next confirmation shows whether that was it."""
    if bot.settings.steam.accept_trade_protection:
        bot.session.connection.acknowledge_trade_protection()
    return True


def _nothing_strange(bot: Bot) -> bool:
    bot.session.phone.refresh()
    return not bot.session.phone.alarms


def _perhaps(_bot: Bot) -> bool:
    """Nothing tells but another try."""
    return True


PROBES: dict[str, Callable[[Bot], bool]] = {
    "bot_locked": _not_locked,
    "bot_banned": _not_banned,
    "own_hold": _not_held,
    "offers_full": _room_for_offers,
    "inventory_full": _room_for_items,
    "items_missing": _looked_for_items,
    "confirmations_refused": _acknowledged,
    "strange_confirmation": _nothing_strange,
}


# --- what other calls say on the way ---------------------------------------------------------------------------


def seen_hold(bot: Bot, our_days: int) -> None:
    """A look at a partner's hold says ours too."""
    if our_days:
        restrict(bot, "own_hold")
    else:
        bot.health.lift("own_hold")


def seen_bans(bot: Bot, banned: frozenset[str]) -> None:
    """A look at a partner's ban says ours too."""
    if bot.session.steam_id in banned:
        restrict(bot, "bot_banned")
    else:
        bot.health.lift("bot_banned")


def seen_confirmations(bot: Bot) -> None:
    """The last list of confirmations, if there was one, says whether somebody else uses this account."""
    if bot.session.phone.alarms:
        kinds = ", ".join(map(str, sorted(bot.session.phone.alarms)))
        if "strange_confirmation" not in bot.health.restrictions:
            _log.error("strange_confirmation", kinds=kinds)
        restrict(bot, "strange_confirmation")
    else:
        bot.health.lift("strange_confirmation")


def needed(order: SendOrder) -> May:
    """What a bot has to be allowed for this offer."""
    return May.GIVE if order.give else May.TAKE
