"""Roles: what a member of the staff may see and do. A person may have several."""

from __future__ import annotations

from django.utils.translation import gettext_noop

LOOK, SUPPORT, ROOMS, MONEY, OWNER = "look", "support", "rooms", "money", "owner"
WHAT: dict[str, str] = {
    LOOK: gettext_noop("sees figures, rooms and rounds, but nobody's name"),
    SUPPORT: gettext_noop("sees players too, blocks them, writes texts"),
    ROOMS: gettext_noop("rules of rooms, raffles, prizes, typed numbers"),
    MONEY: gettext_noop("the ledger, coins, what is made good"),
    OWNER: gettext_noop("staff and their roles"),
}
ALL = frozenset(WHAT)
PERSONAL = frozenset((SUPPORT, MONEY, OWNER))
"""Who may see names and Steam ids of players."""


def parse(words: str) -> frozenset[str]:
    """Raises ValueError for a word that is no role."""
    found = frozenset(words.replace(",", " ").split())
    if unknown := sorted(found - ALL):
        raise ValueError(f"no role {', '.join(unknown)}; there are {', '.join(WHAT)}")
    return found


def text(found: frozenset[str]) -> str:
    """In the order of the table, as the column has it."""
    return " ".join(name for name in WHAT if name in found)
