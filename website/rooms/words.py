"""What pages say of rooms, rounds and bets: codes in words, in the language of whoever reads.

A code that has no words here is said as it is: nothing is hidden, and a test names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from lottery.events import Denial
from lottery.rooms import Room
from lottery.sources import EntropyMode

from website.care import words as care
from website.pages.templatetags.site import cents as amount

TITLES = {
    "classic-unlimited": gettext_lazy("Classic Unlimited"),
    "classic-limited": gettext_lazy("Classic Limited"),
    "sit-n-go": gettext_lazy("Sit-n-Go"),
    "5v5": gettext_lazy("5 against 5"),
    "global-pot": gettext_lazy("Global Pot"),
    "giveaway": gettext_lazy("Giveaway"),
}
ABOUT = {
    "classic": gettext_lazy("One winner takes the pot, less the house's part. Each cent is a ticket."),
    "sitngo": gettext_lazy("Ten tickets, three winners: five, three and one of them. The tenth is the house's part."),
    "teams": gettext_lazy("Two teams of five. One after the other leaves; the team that is left shares the pot."),
    "pot": gettext_lazy("It grows until it is full; then numbers are typed before a camera, and ten players share it."),
    "giveaway": gettext_lazy("The house gives a prize. Raffle Tickets are the tickets of the draw."),
    "raffle": gettext_lazy("Drawn when it is sold out."),
}
TEAMS = {1: "CT", 2: "T"}
TEAM_NAMES = {1: gettext_lazy("Counter-Terrorists"), 2: gettext_lazy("Terrorists")}


UNHURRIED = gettext_lazy("One winner takes the pot. Small stakes and no clock: it is drawn when the pot holds all its items.")
"""What a classic room without a clock says of itself, so that nobody takes it for the other."""


def title(room: str) -> str:
    return str(TITLES.get(room, room))


def place(room: str) -> tuple[int, str]:
    """Sorts rooms: those of the seed in its order, then others by name."""
    return (list(TITLES).index(room) if room in TITLES else len(TITLES), room)


def about(rules: Room) -> str:
    """A room in a sentence."""
    if rules.mode == "classic" and not rules.time_enable:
        return str(UNHURRIED)
    return str(ABOUT.get(rules.mode, ""))


def terms(rules: Room) -> list[str]:
    """What decides whether one plays here: the least and the largest bet, and what closes a round."""
    said = []
    if rules.tickets == "cent" and rules.bet_value_min:
        said.append(_("from %(cents)s") % {"cents": amount(rules.bet_value_min)})
    if rules.tickets == "cent" and rules.bet_value_max is not None:
        said.append(_("at most %(cents)s a player") % {"cents": amount(rules.bet_value_max)})
    return [*said, *_closes(rules)]


def _closes(rules: Room) -> list[str]:
    said = []
    if rules.time_enable and rules.time_limit:
        time, players = duration(rules.time_limit), rules.player_limit
        if players:
            said.append(
                ngettext("%(time)s once a player is in", "%(time)s once %(count)d players are in", players)
                % {"time": time, "count": players}
            )
        else:
            said.append(_("drawn every %(time)s") % {"time": time})
    if rules.global_pot_limit:
        said.append(_("drawn at %(cents)s") % {"cents": amount(rules.global_pot_limit)})
    if not rules.time_enable and rules.item_limit_max:
        said.append(
            ngettext("drawn at one item", "drawn at %(count)d items", rules.item_limit_max) % {"count": rules.item_limit_max}
        )
    return said


def duration(seconds: int) -> str:
    """30 s, 5 min, 24 h."""
    for size, unit in ((3_600, _("%(count)d h")), (60, _("%(count)d min"))):
        if seconds >= size and seconds % size == 0:
            return unit % {"count": seconds // size}
    return _("%(count)d s") % {"count": seconds}


# ---- rounds


PHASES = {
    "warmup": gettext_lazy("prepared; it begins when the round before it has closed"),
    "game": gettext_lazy("open"),
    "typing": gettext_lazy("bets have ended, the last number is being typed"),
    "closed": gettext_lazy("closed; the secret is opened in a second"),
    "opened": gettext_lazy("waiting for the number"),
    "drawn": gettext_lazy("drawn; the outcome is being worked out"),
    "finalized": gettext_lazy("drawn; items are being paid out"),
    "sealed": gettext_lazy("paid out and sealed"),
    "void": gettext_lazy("void; everything goes back"),
    "failed": gettext_lazy("the house could not go on; everything goes back"),
}
CLOSED_BY = {
    "items": gettext_lazy("the pot held as many items as it may"),
    "bank": gettext_lazy("the pot was full"),
    "time": gettext_lazy("the clock ran out"),
    "manual": gettext_lazy("the last number was typed"),
    "sold_out": gettext_lazy("the last ticket was sold"),
    "few": gettext_lazy("there were too few players when it ended"),
    "lonely": gettext_lazy("one player had been alone for too long"),
    "too_long": gettext_lazy("it had been open for too long"),
    "expired": gettext_lazy("it was not sold out in time"),
    "operator": gettext_lazy("an operator ended it"),
    "failure": gettext_lazy("the house could not go on"),
}
WAITS = {
    "clock": gettext_lazy("The clock of the site is not right; no bet is taken until it is."),
    "transfer_refused": gettext_lazy(
        "The fleet would not hand the items over. Nothing is settled by itself; people of the house look at it."
    ),
    "beacon_late": gettext_lazy("The beacon is late. The round waits for it; it is never drawn otherwise."),
    "fleet_away": gettext_lazy("The fleet does not answer. The outcome stands; the items follow when it is back."),
}


def phase(mode: str, phase: str, players: int, player_limit: int | None, sealed: bool) -> str:
    """The state of a round in words."""
    if phase == "game" and not players:
        return _("open, nobody has bet yet")
    if phase == "game" and player_limit and players < player_limit and mode != "giveaway":
        missing = player_limit - players
        return ngettext("waiting for one more player", "waiting for %(count)d more players", missing) % {"count": missing}
    if phase == "void" and sealed:
        return _("void; everything went back")
    if phase == "failed" and sealed:
        return _("the house could not go on; everything went back")
    return str(PHASES.get(phase, phase))


def closed_by(code: str) -> str:
    return str(CLOSED_BY.get(code, code))


def waits(code: str) -> str:
    return str(WAITS.get(code) or _("This lane rests: %(why)s.") % {"why": code})


LATE = gettext_lazy(
    "The secret was opened after the beacon was public, because the site was away: the house could have known it."
)
TYPED = gettext_lazy("People of the house typed the number before a camera; no calculation shows that they typed it rightly.")
MIXED = gettext_lazy("People of the house typed numbers; a beacon that nobody knew is mixed in, so they alone decided nothing.")
WITNESS = gettext_lazy(
    "Nobody outside this site keeps its close records yet. Your receipt shows that your bet was taken: keep it."
)


def unproven(late: bool, source: EntropyMode, closed: bool) -> list[str]:
    """What the proof of a round leaves open."""
    said = [LATE] if late else []
    if source.manual:
        said.append(MIXED if source.waits else TYPED)
    return [str(each) for each in (*said, *([WITNESS] if closed else []))]


# ---- bets


STATES = {
    "new": gettext_lazy("On its way to the round"),
    "locking": gettext_lazy("Your items are being bound"),
    "locked": gettext_lazy("Your items are bound; the round takes them now"),
    "placed": gettext_lazy("Your bet is in the pot"),
    "unlocking": gettext_lazy("Not taken; your items are being freed"),
    "refused": gettext_lazy("Not taken"),
    "over": gettext_lazy("The round is over"),
}


def state(code: str) -> str:
    return str(STATES.get(code, code))


class Refusal(NamedTuple):
    """Why a bet was not taken, and what would be. `link` leads to where something can be done."""

    why: str
    accepted: str = ""
    link: str = ""
    link_text: str = ""


def refusal(code: str, details: Mapping[str, Any]) -> Refusal:
    """In words. `details` is what came with the code; what is missing or strange in it costs a sentence, never the page."""
    make = REFUSALS.get(code)
    if make is None:
        said = details.get("player_message")
        return Refusal(str(said) if said else _("It was refused: %(code)s.") % {"code": code})
    try:
        return make(details)
    except (KeyError, TypeError, ValueError, OverflowError):
        return make({**_NOTHING, **{name: str(details[name]) for name in ("reason", "because") if name in details}})


_NOTHING: Mapping[str, Any] = {
    **dict.fromkeys(("at_least", "at_most", "items", "capacity", "bytes_max", "seen_cents", "now_cents", "round"), 0),
    "free": (),
    "team": 0,
    "allowed_items": (),
    "until": None,
    "lane": "",
    "reason": "",
    "because": "",
}


def _plain(why: Any, accepted: Any = "") -> Callable[[Mapping[str, Any]], Refusal]:
    return lambda details: Refusal(str(why), str(accepted))


def _round_over(details: Mapping[str, Any]) -> Refusal:
    why = _("That round takes no bets any more. A bet is never carried on to another round.")
    return Refusal(why, _("The room has a round that does; your items are free."))


def _paused(details: Mapping[str, Any]) -> Refusal:
    return Refusal(_("The room takes no bets at the moment."), waits(str(details["because"])))


def _price_changed(details: Mapping[str, Any]) -> Refusal:
    seen, now = amount(details["seen_cents"]), amount(details["now_cents"])
    why = _("The items were worth %(seen)s when you saw them and are worth %(now)s now.") % {"seen": seen, "now": now}
    return Refusal(why, _("Look at the new prices and bet again, if you still want to."))


def _team_full(details: Mapping[str, Any]) -> Refusal:
    free = ", ".join(TEAMS[team] for team in details["free"])
    return Refusal(_("This team is full."), _("Free: %(teams)s.") % {"teams": free} if free else _("Both teams are full."))


def _team_switched(details: Mapping[str, Any]) -> Refusal:
    own = TEAMS.get(details["team"], "")
    return Refusal(_("You play for the other team in this round."), _("Bet for %(team)s.") % {"team": own} if own else "")


def _player_items(details: Mapping[str, Any]) -> Refusal:
    left = max(0, int(details["items"]))
    accepted = ngettext("You may add one more item.", "You may add %(count)d more items.", left) % {"count": left}
    return Refusal(_("That is more items than one player may have in this round."), accepted)


def _capacity(details: Mapping[str, Any]) -> Refusal:
    left = max(0, int(details["capacity"]))
    accepted = ngettext("There is room for one more item.", "There is room for %(count)d more items.", left) % {"count": left}
    return Refusal(_("The pot does not take so many items."), accepted)


def _value_min(details: Mapping[str, Any]) -> Refusal:
    return Refusal(_("That is too little for this room."), _("Bets from %(cents)s.") % {"cents": amount(details["at_least"])})


def _value_max(details: Mapping[str, Any]) -> Refusal:
    left = max(0, int(details["at_most"]))
    accepted = _("You may add at most %(cents)s in this round.") % {"cents": amount(left)}
    return Refusal(_("That is more than one player may stake in this round."), accepted)


def _too_much(details: Mapping[str, Any]) -> Refusal:
    return Refusal(_("The pot cannot hold so much."), _("At most %(cents)s.") % {"cents": amount(details["at_most"])})


def _not_allowed(details: Mapping[str, Any]) -> Refusal:
    accepted = _("You get them for items at the exchange.")
    return Refusal(_("This room takes its own tickets only."), accepted, reverse("exchange"), _("To the exchange"))


def _seed(details: Mapping[str, Any]) -> Refusal:
    return Refusal(_("The client seed is too long."), _("At most %(count)d bytes.") % {"count": int(details["bytes_max"])})


GATE = {
    "country": gettext_lazy("Play is not open where you live."),
    "not_verified": gettext_lazy("Before the first bet you say how old you are and where you live."),
    "under_age": gettext_lazy("You are too young to play here."),
    "self_excluded": gettext_lazy("You have excluded yourself. Withdrawals go on as ever."),
    "national_list": gettext_lazy("You are on your country's list of people who do not play. Withdrawals go on as ever."),
    "time_out": gettext_lazy("You have taken a time-out. Withdrawals go on as ever."),
    "limits_not_chosen": gettext_lazy("You have not said yet whether you want limits."),
    "reality_check": gettext_lazy("You have played for a while: look at what came of it, then go on if you want to."),
    "blocked": gettext_lazy("Your account takes no new bets until somebody of the house has looked at it."),
    "pace": gettext_lazy("There are some seconds between the last bet in one game and the first in another."),
    "deposit_limit": gettext_lazy("That is more than the limit of deposits that you have set."),
    "stake_limit": gettext_lazy("That is more than the limit of stakes that you have set."),
    "loss_limit": gettext_lazy("That could be more than the limit of losses that you have set."),
}


def _gate(details: Mapping[str, Any]) -> Refusal:
    reason, until = str(details["reason"]), details.get("until")
    why = str(GATE.get(reason) or care.closed(reason) or _("Responsible play says no: %(reason)s.") % {"reason": reason})
    accepted = "" if until is None else _("Bets are taken again from %(time)s.") % {"time": _time(until)}
    name, text = GATE_LINKS.get(reason, ("limits", gettext_lazy("Limits")))
    return Refusal(why, accepted, reverse(name), str(text))


GATE_LINKS = {
    "blocked": ("contacts", gettext_lazy("Contacts")),
    "self_excluded": ("inventory", gettext_lazy("Take items home")),
    "national_list": ("inventory", gettext_lazy("Take items home")),
    "fleet_unknown": ("status", gettext_lazy("Status")),
    "not_turned_on": ("help", gettext_lazy("Help")),
    "steam_level": ("me", gettext_lazy("Profile")),
    "not_verified": ("declaration", gettext_lazy("Say it now")),
    "country": ("declaration", gettext_lazy("Age and country")),
    "under_age": ("declaration", gettext_lazy("Age and country")),
    "reality_check": ("reality", gettext_lazy("Look at it now")),
}


def barred(no: Denial | None) -> Refusal | None:
    """What keeps somebody from any bet, before they try."""
    return None if no is None else _gate({"reason": no.reason, "until": no.until})


def deposit_denied(no: Denial) -> Refusal:
    """Why nothing may be brought in now."""
    said = _gate({"reason": no.reason, "until": None})
    when = "" if no.until is None else _("Deposits are taken again from %(time)s.") % {"time": _time(no.until)}
    return said._replace(accepted=when)


def _time(unix_ms: int) -> str:
    return formats.date_format(datetime.fromtimestamp(unix_ms / 1000, UTC), "DATETIME_FORMAT") + " UTC"


_not_yours = gettext_lazy("One of these items is not yours any more.")
_in_a_game = gettext_lazy("One of these items is in a game already.")
_look_again = gettext_lazy("Load the room again and choose from what is there.")
_unsettled = gettext_lazy("One of these items is not settled yet: Steam may still take it back.")
_wait_settled = gettext_lazy("It can be bet when it is settled; your inventory shows when.")
_not_here = gettext_lazy("One of these items is not in custody any more.")
_form = gettext_lazy("This form was not as the page made it.")
_load = gettext_lazy("Load the room again.")
_ours = gettext_lazy("Something is wrong on our side; nothing was bet.")
_later = gettext_lazy("Try again in a minute.")

REFUSALS: Mapping[str, Callable[[Mapping[str, Any]], Refusal]] = {
    # the site
    "round_over": _round_over,
    "paused": _paused,
    "blocked": _plain(
        gettext_lazy("Your account takes no new bets until somebody of the house has looked at it."),
        gettext_lazy("Items that are in no game you may withdraw."),
    ),
    "fleet_away": _plain(gettext_lazy("The fleet did not answer in time, so nothing is bound."), _later),
    "price_changed": _price_changed,
    "gate": _gate,
    "token": _plain(_form, _load),
    "token_reused": _plain(gettext_lazy("This form was sent before, with other items; that bet stands as it is."), _load),
    "deposit_ids": _plain(gettext_lazy("Choose at least one item and at most a hundred, each once."), _load),
    "lane": _plain(gettext_lazy("There is no such round."), _load),
    "number": _plain(_form, _load),
    "too_often": _plain(gettext_lazy("That was too often in a short time."), gettext_lazy("Wait a second.")),
    # the core
    "deadline": _plain(gettext_lazy("The bet came after the close."), gettext_lazy("Your items are free.")),
    "phase": _round_over,
    "empty": _plain(gettext_lazy("No item was chosen.")),
    "duplicate_rows": _plain(gettext_lazy("An item was named twice."), _load),
    "malformed": _plain(_form, _load),
    "mode": _plain(_form, _load),
    "client_seed": _seed,
    "not_active": _plain(_not_here, _look_again),
    "not_owner": _plain(_not_yours, _look_again),
    "locked": _plain(_in_a_game, _look_again),
    "unsettled": _plain(_unsettled, _wait_settled),
    "unpriced": _plain(gettext_lazy("One of these items has no price, so it cannot be bet."), _look_again),
    "souvenir": _plain(gettext_lazy("Souvenirs are not taken: their price is too uncertain."), _look_again),
    "not_allowed": _not_allowed,
    "no_teams": _plain(gettext_lazy("This room has no teams."), _load),
    "team_switched": _team_switched,
    "team_missing": _plain(gettext_lazy("Choose a team.")),
    "team_full": _team_full,
    "player_items": _player_items,
    "capacity": _capacity,
    "bet_value_min": _value_min,
    "bet_value_max": _value_max,
    "no_tickets": _plain(gettext_lazy("These items are worth nothing, so they get no ticket.")),
    "too_much": _too_much,
    "inviters": _plain(_ours, _later),
    "rests": _plain(_ours, _later),
    "time_backwards": _plain(_ours, _later),
    "token_missing": _plain(_ours, _later),
    # the fleet
    "not_found": _plain(_not_here, _look_again),
    "item_locked": _plain(_in_a_game, _look_again),
    "item_unsettled": _plain(_unsettled, _wait_settled),
    "item_frozen": _plain(gettext_lazy("One of these items is frozen: Steam has taken back what it came with."), _look_again),
    "partner_blocked": _plain(gettext_lazy("The fleet does not trust this Steam account at the moment."), _later),
    "bot_restricted": _plain(gettext_lazy("The bot that keeps one of these items is held back by Steam."), _look_again),
    "value_stale": _plain(gettext_lazy("One of these items has no recent price."), _later),
    "fleet_paused": _plain(gettext_lazy("The fleet is paused."), _later),
    "lock_released": _plain(gettext_lazy("The fleet was asked too late, so nothing is bound."), _load),
    "ref_reused": _plain(_ours, _later),
}
