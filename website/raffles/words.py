"""What pages of raffles and coins say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from website.ledger.models import Entry
from website.pages.templatetags.site import cents, grouped
from website.raffles.models import Prize, TemplateVersion
from website.rooms import words as of_rooms
from website.rooms.words import Refusal

TIERS = {
    TemplateVersion.GOLD: gettext_lazy("gold"),
    TemplateVersion.SILVER: gettext_lazy("silver"),
    TemplateVersion.BRONZE: gettext_lazy("bronze"),
}
SORTS = {
    "new": gettext_lazy("newest first"),
    "old": gettext_lazy("oldest first"),
    "cheap": gettext_lazy("cheapest first"),
    "dear": gettext_lazy("dearest first"),
    "fill": gettext_lazy("fewest tickets left"),
}
KINDS = {
    TemplateVersion.ITEM: gettext_lazy("an item, kept by the fleet"),
    TemplateVersion.KEY: gettext_lazy("a key of a game, sealed until the winner reads it"),
    TemplateVersion.HAND: gettext_lazy("sent by hand to the winner"),
}
PHASES = {
    "warmup": gettext_lazy("begins in a moment"),
    "game": gettext_lazy("on sale"),
    "closed": gettext_lazy("sold out; the draw begins"),
    "opened": gettext_lazy("sold out; the beacon is waited for"),
    "drawn": gettext_lazy("drawn"),
    "finalized": gettext_lazy("drawn; the prize is being handed over"),
    "sealed": gettext_lazy("drawn and sealed"),
    "void": gettext_lazy("void; everybody is paid back"),
    "failed": gettext_lazy("the house could not go on; everybody is paid back"),
}
ENTRIES = {
    Entry.GRANT: gettext_lazy("Coins given"),
    Entry.BUY: gettext_lazy("Tickets bought"),
    Entry.REFUND: gettext_lazy("Paid back"),
    Entry.COUNTER: gettext_lazy("Put right"),
}
PRIZES = {
    (TemplateVersion.KEY, Prize.OWED): gettext_lazy("Yours, and not read yet."),
    (TemplateVersion.KEY, Prize.SENT): gettext_lazy("Yours; you have read it."),
    (TemplateVersion.HAND, Prize.OWED): gettext_lazy("We owe it to you: somebody sends it."),
    (TemplateVersion.HAND, Prize.SENT): gettext_lazy("Sent. Say so when it has come."),
    (TemplateVersion.HAND, Prize.CONFIRMED): gettext_lazy("It has come to you."),
}
STATES = {
    "new": gettext_lazy("Your purchase is being looked at"),
    "placed": gettext_lazy("The tickets are yours"),
    "refused": gettext_lazy("Nothing was bought, and nothing was paid"),
    "over": gettext_lazy("The tickets were yours; the raffle is over"),
}


def entry(kind: str, ref: str) -> str:
    if kind == Entry.GRANT and ref.startswith("welcome:"):
        return _("Welcome coins")
    if kind == Entry.GRANT and ref.startswith("daily:"):
        return _("Coins of the day")
    return str(ENTRIES.get(kind, kind))


def prize(row: Prize) -> str:
    return str(PRIZES.get((row.kind, row.state), row.state))


def refusal(code: str, details: Mapping[str, Any]) -> Refusal:
    """Why nothing was bought, and what would be sold. What is strange in `details` costs a sentence, never the page."""
    make = {"capacity": _capacity, "balance": _balance, "share": _share, "steam_level": _level}.get(code)
    try:
        if make is not None:
            return make(details)
    except (KeyError, TypeError, ValueError):
        return Refusal(_("It was refused: %(code)s.") % {"code": code})
    if code == "round_over":
        return Refusal(_("This raffle sells no tickets any more."), _("The next one of its kind stands in the list."))
    if code == "paused":
        return Refusal(_("The house sells no tickets at the moment."), _("Try again in a minute."))
    if code == "deadline":
        return Refusal(_("The purchase came after the end."), "")
    if code == "quantity":
        return Refusal(_("Buy at least one ticket."), "")
    return of_rooms.refusal(code, details)


def _capacity(details: Mapping[str, Any]) -> Refusal:
    left = int(details["capacity"])
    if not left:
        return Refusal(_("Somebody was quicker: no ticket is left."), _("The next one of its kind stands in the list."))
    said = ngettext("Only %(count)s ticket is left.", "Only %(count)s tickets are left.", left) % {"count": grouped(left)}
    return Refusal(said, "")


def _balance(details: Mapping[str, Any]) -> Refusal:
    enough = int(details["capacity"])
    said = ngettext("They are enough for %(count)s ticket.", "They are enough for %(count)s tickets.", enough)
    why = _("That costs %(cents)s coins, and you have fewer.") % {"cents": cents(int(details["needed"]))}
    return Refusal(why, said % {"count": grouped(enough)} if enough else "", reverse("coins"), _("Your coins"))


def _share(details: Mapping[str, Any]) -> Refusal:
    most, left = int(details["most"]), int(details["capacity"])
    why = _("One player may have at most %(percent)d %% of the tickets of this raffle, that is %(most)s.")
    said = ngettext("You may buy %(count)s more.", "You may buy %(count)s more.", left) % {"count": grouped(left)}
    return Refusal(why % {"percent": int(details["percent"]), "most": grouped(most)}, said if left else "")


def _level(details: Mapping[str, Any]) -> Refusal:
    why = _("This raffle asks for a Steam level of at least %(least)d.") % {"least": int(details["least"])}
    return Refusal(why, _("A level that your profile hides counts as none."), reverse("me"), _("Profile"))


def no_coins(code: str, until_ms: int | None) -> Refusal:
    """Why no coins are given."""
    said = {
        "turned_off": _("The house gives no coins of this kind."),
        "blocked": _("Your account gets no coins until somebody of the house has looked at it."),
        "steam_level": _("Coins ask for a Steam level that this account has not, or hides."),
        "steam_age": _("This Steam account is too new for coins, or hides since when it exists."),
        "day_is_used_up": _("Today's coins of the whole site are given away."),
    }.get(code)
    if said is None:
        return of_rooms.refusal("gate", {"reason": code, "until": until_ms})
    when = "" if until_ms is None else _("Again from %(time)s.") % {"time": _time(until_ms)}
    return Refusal(said, when)


def _time(unix_ms: int) -> str:
    return formats.date_format(datetime.fromtimestamp(unix_ms / 1000, UTC), "DATETIME_FORMAT") + " UTC"
