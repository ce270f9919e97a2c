"""What each parameter of a room means, in words: for pages of rules, and later for forms that change them."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from website.pages.templatetags.site import cents


class Parameter(NamedTuple):
    """One row of a page of rules: the name in the record, what it means, and its value as it is written for people."""

    name: str
    meaning: str
    value: str


MONEY = frozenset(("bet_value_min", "bet_value_max", "global_pot_limit", "rake_change_max"))
SECONDS = frozenset(("time_limit", "lonely_void_s", "open_max_s", "entropy_margin_s"))
MEANINGS = {
    "mode": gettext_noop("how the winner is found"),
    "item_limit_max": gettext_noop("items in the pot at which the round closes"),
    "bet_item_limit_max": gettext_noop("most items of one player"),
    "bet_value_min": gettext_noop("least value of a bet"),
    "bet_value_max": gettext_noop("most that one player may stake in a round"),
    "player_limit": gettext_noop("players at which the clock starts"),
    "time_limit": gettext_noop("how long the round goes on after the clock has started"),
    "time_enable": gettext_noop("whether the round has a clock"),
    "lonely_void_s": gettext_noop("after so long alone in a round everything goes back"),
    "open_max_s": gettext_noop("a round that is not full after so long goes back"),
    "allowed_items": gettext_noop("kinds of items that may be staked (1: SnG Ticket, 2: Raffle Ticket)"),
    "shares": gettext_noop("shares of the winners, the first one first"),
    "team_limit": gettext_noop("players of one team"),
    "global_pot_limit": gettext_noop("value of the pot at which the round closes"),
    "min_players": gettext_noop("players without whom nothing is drawn"),
    "tickets": gettext_noop("what one ticket is: a cent of value, or an item"),
    "entropy": gettext_noop("where the number comes from that nobody knows before the close"),
    "entropy_margin_s": gettext_noop("least time between the close and that number"),
    "beacon": gettext_noop("the public beacon and its key"),
    "unsettled": gettext_noop("whether items may be staked that Steam could still take back"),
    "ranges": gettext_noop("how numbers decide who drops out"),
    "rake": gettext_noop("what the house takes, by the winner's share of the tickets"),
    "rake_change_max": gettext_noop("most that the house gives back as change"),
    "rake_change_max_bp": gettext_noop("the same in hundredths of a per cent of the pot"),
    "rake_carry": gettext_noop("whether a rest of the rake is taken in a later round"),
    "priority_items": gettext_noop("kinds of items that the house takes first"),
    "referral_percent": gettext_noop("part of the rake that goes to inviters, in per cent"),
    "raffle": gettext_noop("what the raffle sells"),
}


def described(rules: dict[str, Any]) -> list[Parameter]:
    """Every parameter that a version sets; a limit that is not set is left out, since it limits nothing."""
    return [
        Parameter(name, _(MEANINGS[name]) if name in MEANINGS else "", _value(name, value))
        for name, value in rules.items()
        if value is not None and name != "name"
    ]


def _value(name: str, value: Any) -> str:
    match value:
        case bool():
            return _("yes") if value else _("no")
        case int() if name in MONEY:
            return cents(value)
        case int() if name in SECONDS:
            return _("%(seconds)s s") % {"seconds": value}
        case list() if name == "rake":
            return ", ".join(_("up to %(limit)s %%: %(rate)s %%") % {"limit": limit, "rate": rate} for limit, rate in value)
        case list():
            return ", ".join(str(each) for each in value)
        case dict():
            return ", ".join(f"{key}: {each}" for key, each in value.items())
        case _:
            return str(value)
