"""What templates of raffles say."""

from __future__ import annotations

from django import template

from website.raffles import words

register = template.Library()
LETTERS = 3


@register.filter
def tier(code: str) -> str:
    return str(words.TIERS.get(code, code))


@register.filter
def initials(name: str) -> str:
    """What stands on the cover of a prize without a picture: first letters of its words."""
    found = [word[0] for word in name.split() if word[0].isalnum()]
    return "".join(found[:LETTERS]).upper()
