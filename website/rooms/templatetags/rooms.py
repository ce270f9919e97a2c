"""How pages of rooms write what only they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

from django import template
from django.utils import formats
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from website.pages.templatetags.site import cents, face, grouped, picture, rarity
from website.rooms import words
from website.rooms.models import TICKET_NAMES
from website.rooms.shown import Thing, View

register = template.Library()
EXACT_DIGITS = 60


@register.filter
def plain(number: Any) -> str:
    """A number for machines: no grouping, whatever the language."""
    return "" if number is None or number == "" else str(int(number))


PLAIN_ITEM = '<svg viewBox="0 0 100 64" aria-hidden="true" class="plain-item"><path d="M50 12 72 32 50 52 28 32Z"/></svg>'


TICKET = (
    '<svg viewBox="0 0 100 62" aria-hidden="true" class="stub"><path d="M14 14h72v10a7 7 0 0 0 0 14v10H14V38a7 7 0 0 0 0-14z"/>'
    '<path class="tear" d="M66 18v26"/></svg>'
)


@register.filter
def is_ticket(name: str) -> bool:
    return name in TICKET_NAMES


@register.simple_tag
def pot_items(view: View) -> SafeString:
    """The items of the pot that a page lists. Outside of classic rooms, what follows each other alike, tickets above all,
    is one tile with its number: pages of these are loaded anew with each bet, so scripts never count their tiles.
    """
    if view.mode == "classic":
        return mark_safe("".join(pot_item([each]) for each in view.things))  # noqa: S308 - see pot_item
    runs = groupby(view.things, key=lambda each: (each.name, each.cents, None if each.seat is None else each.seat.user_id))
    return mark_safe("".join(pot_item(list(alike)) for _, alike in runs))  # noqa: S308 - see pot_item


def pot_item(alike: Sequence[Thing]) -> SafeString:
    """Items that follow each other in the pot, the newest first, with their tickets. Written here and not in a template: a pot
    has a hundred of them on a page, and this takes a tenth of the time. `items.html` has the same row as a `<template>`.
    """
    thing, first = alike[0], alike[-1].first
    times = f' <b class="times">×{len(alike)}</b>' if len(alike) > 1 else ""
    address = picture(thing.icon_url)
    image = (
        f'<img src="{escape(address)}" alt="" width="120" height="62" loading="lazy">'
        if address
        else TICKET
        if thing.name in TICKET_NAMES
        else PLAIN_ITEM
    )
    tickets = "" if thing.last is None else grouped(first) if first == thing.last else f"{grouped(first)}–{grouped(thing.last)}"
    user_id, whose = "", ""
    if thing.seat is not None:
        name = escape(_("you") if thing.seat.you else thing.seat.name)
        user_id = str(thing.seat.user_id)
        whose = f'<span class="whose" title="{name}">{face(thing.seat.look, 16)}<span class="sr">{name}</span></span>'
    return mark_safe(  # noqa: S308 - every text is escaped above or here
        f'<li class="item {rarity(thing.color)}" data-place="{thing.place}" data-user="{user_id}"'
        f' data-first="{first}" data-last="{"" if thing.last is None else thing.last}">{image}'
        f"<p>{escape(thing.weapon)}<span>{escape(thing.finish)}</span></p>"
        f"<footer>{cents(thing.cents)}{times}<code>{tickets}</code></footer>{whose}</li>"
    )


@register.filter
def at(values: Mapping[Any, Any], key: Any) -> Any:
    return values.get(key)


@register.filter
def left(deadline_ms: int | None, now_ms: int) -> str:
    """Time until then: 0:17, 1:02:03, or days."""
    if deadline_ms is None:
        return ""
    seconds = max(0, deadline_ms - now_ms) // 1000
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@register.filter
def exactly(value: Fraction | None) -> str:
    """The fraction itself, for who looks closer; one with hundreds of digits is not written out."""
    if value is None:
        return ""
    text = f"{value.numerator}/{value.denominator}" if isinstance(value, Fraction) else str(value)
    return text if len(text) <= EXACT_DIGITS else ""


@register.filter
def ratio(value: Fraction) -> str:
    """What a cent brings back: 1.00."""
    return (
        formats.number_format(Decimal(round(value * 10_000)) / 10_000, decimal_pos=4, use_l10n=True).rstrip("0").ljust(4, "0")
    )


@register.filter
def middle(ticket: int, tickets: int) -> str:
    """The middle of a ticket on the ruler."""
    return f"{100 * (2 * ticket + 1) / (2 * tickets):.4f}%"


@register.filter
def lane_letter(lane: str) -> str:
    """The letter of a lane: what tells it from the other lanes of its room."""
    return lane.rpartition("-")[2]


@register.simple_tag
def round_name(row: Any) -> SafeString:
    """What a round is called within its room; what a lane is stands in its title."""
    said = escape(_("round %(number)s of lane %(lane)s") % {"number": grouped(row.round), "lane": lane_letter(row.lane)})
    why = escape(_("A room has several lanes that take turns: while one is drawn and paid out, another takes bets."))
    return mark_safe(f'<span class="lane" title="{why}">{said}</span>')  # noqa: S308 - both are escaped


@register.filter
def piled(things: Sequence[Thing]) -> list[tuple[Thing, int]]:
    """Things that are alike, once, with how many there are: in the order of the first of each."""
    found: dict[tuple[str, int], list[Thing]] = {}
    for thing in things:
        found.setdefault((thing.name, thing.cents), []).append(thing)
    return [(alike[0], len(alike)) for alike in found.values()]


@register.filter
def last_place(things: Sequence[Any]) -> str:
    return str(things[-1].place)


@register.filter
def closed_by(code: str) -> str:
    return words.closed_by(code)


@register.filter
def phase_of(code: str) -> str:
    return str(words.PHASES.get(code, code))


@register.filter
def team(number: int) -> str:
    return words.TEAMS.get(number, "")


CENTS_OF = frozenset({"bet_value_min", "bet_value_max", "global_pot_limit", "rake_change_max"})


@register.filter
def parameter(value: Any, name: str) -> str:
    """A value of a room's rules."""
    if value is None:
        return _("no limit")
    return cents(value) if name in CENTS_OF else str(value)
