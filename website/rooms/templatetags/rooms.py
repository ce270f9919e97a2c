"""How pages of rooms write what only they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django import template
from django.utils import formats
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from website.pages.templatetags.site import cents, face, grouped, picture, rarity
from website.rooms import words
from website.rooms.shown import Thing

register = template.Library()
EXACT_DIGITS = 60


@register.filter
def plain(number: Any) -> str:
    """A number for machines: no grouping, whatever the language."""
    return "" if number is None or number == "" else str(int(number))


PLAIN_ITEM = '<svg viewBox="0 0 100 64" aria-hidden="true" class="plain-item"><path d="M50 12 72 32 50 52 28 32Z"/></svg>'


@register.simple_tag
def pot_item(thing: Thing) -> SafeString:
    """One item of the pot with its tickets. Written here and not in a template: a pot has a hundred of them on a page, and this
    takes a tenth of the time. `items.html` has the same row as a `<template>` for scripts.
    """
    address = picture(thing.icon_url)
    image = f'<img src="{escape(address)}" alt="" width="120" height="62" loading="lazy">' if address else PLAIN_ITEM
    tickets = "" if thing.last is None else f"{grouped(thing.first)}–{grouped(thing.last)}"
    user_id, whose = "", ""
    if thing.seat is not None:
        name = escape(_("you") if thing.seat.you else thing.seat.name)
        user_id = str(thing.seat.user_id)
        whose = f'<span class="whose" title="{name}">{face(thing.seat.look, 16)}<span class="sr">{name}</span></span>'
    return mark_safe(  # noqa: S308 - every text is escaped above or here
        f'<li class="item {rarity(thing.color)}" data-place="{thing.place}" data-user="{user_id}"'
        f' data-first="{thing.first}" data-last="{"" if thing.last is None else thing.last}">{image}'
        f"<p>{escape(thing.weapon)}<span>{escape(thing.finish)}</span></p>"
        f"<footer>{cents(thing.cents)}<code>{tickets}</code></footer>{whose}</li>"
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
