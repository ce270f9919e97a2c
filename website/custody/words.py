"""What players read about items: states, reasons and refusals, each with what to do. Codes are the fleet's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise

AWAY: Words = _("Our bots cannot be reached at the moment. What you have here is safe; try again in a minute.")
NOTHING_DONE: Words = _("Not now, nothing was done. Try again in a minute.")

REFUSALS: Mapping[str, Words] = {
    "fleet_away": _("Our bots cannot be reached at the moment. Nothing was done; try again in a minute."),
    "look_again": _("The list of your items on Steam is an older one. Look again, and choose from it once more."),
    "token": _("This form was not complete. Nothing was done. Load the page again, and send it once more."),
    "token_reused": _("This form was sent before, with other items. Nothing was done this time; choose again."),
    "nothing": _("Choose at least one item."),
    "too_many": _("These are too many items at once. Choose at most 200."),
    "trade_link": _("We need your trade link first, so that the offer reaches you."),
    "asset_in_trade": _("At least one of these items is in another trade already. See what is on its way."),
    "not_in_custody": _("At least one of these items is not here any more."),
    "not_owner": _("At least one of these items is not yours."),
    "not_found": _("At least one of these items does not exist."),
    "item_locked": _("At least one of these items is in a round. It is free again when the round is over."),
    "item_unsettled": _(
        "Steam may still take back the trade that brought at least one of these items. Wait, or ask for it to be sent then."
    ),
    "item_frozen": _("At least one of these items cannot be used until our support has looked at it."),
    "unknown_asset": _("At least one of these items is not in your inventory any more. Look at it again."),
    "item_not_accepted": _("At least one of these items is not taken here."),
    "house_issued": _("Tickets are played with here or exchanged; they cannot be sent to Steam."),
    "inventory_full": _("You have as many items here as one player may have. Withdraw some first."),
    "inventory_private": _("Your Steam inventory is private. Make it public in Steam’s privacy settings, then try again."),
    "foreign_trade_url": _(
        "Your trade link belongs to another Steam account. Copy the one of the account that you are signed in with."
    ),
    "trade_url_wrong": _("Your trade link is not valid any more. Copy the new one from Steam."),
    "unknown_player": _("Steam does not know this account."),
    "partner_hold": _("Steam would hold this trade for days. Turn on the Steam Guard mobile authenticator first."),
    "partner_banned": _("Steam does not let your account trade."),
    "partner_blocked": _("A trade of yours was taken back at Steam. Our support has to look at it first."),
    "partner_is_bot": _("This account is one of our bots."),
    "user_mismatch": _("Another Steam account is known for you here. Ask our support."),
    "too_many_offers": _("You have too many open offers with us. Accept or decline them in Steam first."),
    "too_late": _("This trade is over already."),
    "trade_held": _(
        "You have accepted this trade and Steam holds it: cancelling now would lock the account. Let it go through."
    ),
    "no_bot_available": _("None of our bots can take this at the moment. Nothing was done; try again in a few minutes."),
    "bot_frozen": _("The bot that keeps these items is being checked. Nothing was done; try again later."),
    "bot_restricted": _("Steam keeps the bot that holds these items from trading. Nothing was done; try again later."),
    "fleet_paused": _("Trading is paused for now. Nothing was done; try again later."),
    "limit_reached": _("A limit for one day is reached. Nothing was done; try again tomorrow."),
    "inventory_busy": _("Many inventories are being read. Yours has its turn in a moment; try again then."),
    "inventory_unavailable": _("Steam does not show your inventory at the moment. Try again in a minute."),
    "steam_maintenance": _("Steam is being maintained. Nothing was done; try again later."),
    "steam_throttled": _("Steam asks everybody to wait. Nothing was done; try again in a few minutes."),
    "rate_limited": _("That was too often. Nothing was done; wait a moment."),
    "too_many_tries": _("That was too often. Wait some minutes and try again."),
    "price_changed": _("Prices have changed in this moment. Look at the new ones before you exchange."),
    "uneven": _("What you give is worth less than what you want. Give more, or take less."),
    "too_little_credit": _("Your credit is too low for this."),
    "house_row_taken": _("Somebody else has just taken one of these items. Choose another."),
    "not_for_exchange": _("At least one of these items cannot be exchanged at the moment. Choose another."),
    "value_stale": _("The value of at least one of these items is not known at the moment. Use others meanwhile."),
    "nothing_wanted": _("Choose what you want to have: tickets or items."),
    "amount": _("Write an amount such as 12.50."),
    "deposit_ids": _("These are too many items at once. Choose at most 1000."),
    "number": _("Write an amount such as 12.50."),
    "count": _("Take between 1 and 1000 tickets."),
}

NOT_TAKEN: Mapping[str, Words] = {
    "other_app": _("not a CS2 item"),
    "amount": _("a stack, not one item"),
    "not_tradable": _("Steam does not let you trade it now"),
    "no_name": _("Steam does not say what it is"),
    "souvenir": _("souvenirs are not taken"),
    "blocked": _("not taken here"),
    "no_value": _("its value is not known"),
    "below_minimum": _("worth too little"),
    "unknown_asset": _("on its way here already"),
}

FROZEN: Mapping[str, Words] = {
    "reversal": _("Steam took back the trade that brought it"),
    "items_gone": _("we are looking for it at Steam"),
    "receipt_missing": _("Steam has not shown us its receipt"),
    "unmatched": _("we cannot tell yet which item it is"),
    "exchange_failed": _("Steam did not carry the trade out"),
    "written_off": _("it is lost, our support knows"),
    "swapped": _("it is another item than was told"),
    "items_left": _("we are looking for it at Steam"),
    "audit": _("a check of our bots is under way"),
    "missing": _("we are looking for it at Steam"),
    "gift": _("it is being checked"),
}
SUPPORT: Words = _("our support is looking at it")


@dataclass(frozen=True)
class State:
    """`title` says where a trade stands, `text` what to do now; `tone` is a class: yes, no, wait."""

    title: Words
    text: Words
    tone: str = "wait"


_DEPOSIT: Mapping[str, State] = {
    "queued": State(_("The offer is being made"), _("This takes some seconds. Nothing is to be done yet.")),
    "sending": State(_("The offer is being made"), _("This takes some seconds. Nothing is to be done yet.")),
    "confirming": State(_("The offer is being made"), _("Our bot confirms it on its phone. Nothing is to be done yet.")),
    "in_doubt": State(
        _("We are looking whether the offer exists"), _("Steam did not answer. Do not accept anything until this page says so.")
    ),
    "sent": State(
        _("Accept the offer in Steam"), _("Check first that it is ours, then accept it in Steam and on your phone."), "yes"
    ),
    "held": State(
        _("Steam holds the trade"), _("You have accepted it. Steam lets the items go in some days; do not cancel it.")
    ),
    "accepted": State(
        _("The items are here"),
        _("You can play with them once Steam can no longer take them back: your inventory shows when."),
        "yes",
    ),
    "settled": State(_("The items are here"), _("Nobody can take them back any more. You can play with them."), "yes"),
    "declined": State(
        _("The offer was declined"),
        _("Nothing has moved. If it was not you who declined it, somebody else uses your account."),
        "no",
    ),
    "countered": State(
        _("You answered with another offer"), _("We take none but our own offers. Nothing has moved; deposit again."), "no"
    ),
    "expired": State(_("The offer is too old"), _("It was not accepted in time. Nothing has moved; deposit again."), "no"),
    "canceled": State(_("The offer was taken back"), _("Nothing has moved. You can deposit again."), "no"),
    "failed": State(_("It did not work"), _("Nothing has moved. You can deposit again."), "no"),
    "reversed": State(
        _("The trade was taken back at Steam"), _("The items are yours at Steam again. Our support has to look at it."), "no"
    ),
}

_WITHDRAW: Mapping[str, State] = {
    **_DEPOSIT,
    "sent": State(
        _("Accept the offer in Steam"), _("Check first that it is ours: it gives you these items and asks for nothing."), "yes"
    ),
    "accepted": State(
        _("The items are on Steam"), _("You have accepted the offer. Steam still protects the trade for some days."), "yes"
    ),
    "settled": State(_("The items are on Steam"), _("This withdrawal is done."), "yes"),
    "declined": State(
        _("The offer was declined"),
        _("The items are here as before. If it was not you who declined it, somebody else uses your account."),
        "no",
    ),
    "countered": State(
        _("You answered with another offer"), _("We take none but our own offers. The items are here as before."), "no"
    ),
    "expired": State(_("The offer is too old"), _("It was not accepted in time. The items are here as before."), "no"),
    "canceled": State(_("The offer was taken back"), _("The items are here as before."), "no"),
    "failed": State(_("It did not work"), _("The items are here as before. You can withdraw them again."), "no"),
    "reversed": State(_("The trade was taken back at Steam"), _("Our support has to look at it."), "no"),
}

_WAITS: Mapping[str, State] = {
    "settlement": State(
        _("It waits for Steam"),
        _("The offer is made when Steam can no longer take these items back. You can cancel it until then."),
    ),
    "offer": State(_("It waits in line"), _("The offer is made when it is your turn. You can cancel it until then.")),
    "approval": State(
        _("It waits for approval"), _("A large withdrawal is looked at by a person first. You can cancel it until then.")
    ),
    "bot": State(
        _("It waits for its bot"), _("Steam keeps the bot that holds these items from trading; it goes on when that is over.")
    ),
}
_CANCELING = State(_("It is being cancelled"), _("Our bot takes the offer back at Steam. Do not accept it any more."))
_UNKNOWN = State(_("Something is under way"), _("Look again in a moment."))
OPEN = ("queued", "sending", "in_doubt", "confirming", "sent", "held")


def refusal(code: str, said: str | None = None) -> Words:
    """Why something was refused. `said` is the fleet's own sentence for the player, in their language, if it has one."""
    return said or REFUSALS.get(code, NOTHING_DONE)


def not_taken(reason: str | None) -> Words:
    return NOT_TAKEN.get(reason or "", _("not taken here"))


def frozen(why: str) -> Words:
    return FROZEN.get(why, SUPPORT)


def state(direction: str, status: str, waits_for: str | None, cancel_requested: bool) -> State:
    """Where a trade stands, and what its player does now."""
    if cancel_requested and status in OPEN:
        return _CANCELING
    if status == "queued" and waits_for is not None and waits_for in _WAITS:
        return _WAITS[waits_for]
    return (_DEPOSIT if direction == "deposit" else _WITHDRAW).get(status, _UNKNOWN)
