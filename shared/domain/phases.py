"""Phases of *Doppler* and *Gamma Doppler*: which paint is which, and how a name with a phase is written. Pure.

Under one ``market_hash_name`` Steam sells kinds of very different value: Phase 1 to 4, Ruby, Sapphire, Black Pearl, Emerald.
The game tells them apart by the number of their paint (``paint_kits`` in its ``items_game.txt``: 415 is
``am_ruby_marbleized``, 852 ``am_doppler_phase1_widow``); the same table stands in csfloat/extension,
``src/lib/utils/dopplers.ts``.

A *priced name* is the market's name, or that with a phase behind it: ``★ Karambit | Doppler (Factory New) - Phase 2``. Prices
and the table of items know both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_FOUR = ("Phase 1", "Phase 2", "Phase 3", "Phase 4")
_PAINTS: dict[str, dict[int, str]] = {
    "Doppler": {415: "Ruby", 416: "Sapphire", 417: "Black Pearl", **dict(enumerate(_FOUR, 418))}
    | {617: "Black Pearl", 618: "Phase 2", 619: "Sapphire"}  # variants that some knives have in their place
    | dict(enumerate(_FOUR, 852)),  # the knives of 2018
    "Gamma Doppler": {568: "Emerald", **dict(enumerate(_FOUR, 569))}
    | {1119: "Emerald", **dict(enumerate(_FOUR, 1120))},  # Glock-18
}
PHASES = (*_FOUR, "Ruby", "Sapphire", "Black Pearl", "Emerald")

_BY_LETTERS = {phase.replace(" ", "").casefold(): phase for phase in PHASES} | {
    f"p{n}": phase for n, phase in enumerate(_FOUR, 1)
}
_FINISH = re.compile(r".* \| ((?:Gamma )?Doppler) \([A-Za-z-]+(?: [A-Za-z-]+)?\)")
_PHASE = rf"({'|'.join(PHASES)})"
# Feeds write the phase behind the name (Pricempire, csgoskins.gg), or into it (loot.farm, cs.money); as
# gergelyszabo94/csgo-trader-extension reads them.
_BEHIND = re.compile(rf"(.*\| (?:Gamma )?Doppler(?: \([A-Za-z -]+\))?) (?:- )?\(?{_PHASE}\)?")
_WITHIN = re.compile(rf"(.*\| (?:Gamma )?Doppler) (?:- )?\(?{_PHASE}\)?( \([A-Za-z -]+\))")


def of_paint(market_hash_name: str, paint_index: int) -> str | None:
    """The phase of an item of this name and paint; ``None`` if the name has no phases, or none with this paint."""
    finish = _FINISH.fullmatch(market_hash_name)
    return _PAINTS[finish[1]].get(paint_index) if finish else None


def priced_name(market_hash_name: str, phase: str | None) -> str:
    """Under which name its price stands, if the price of its phase is known."""
    return market_hash_name if phase is None else f"{market_hash_name} - {phase}"


def split(name: str) -> tuple[str, str] | None:
    """The market's name and the phase, of a name that holds a phase in one of the ways that feeds write it; else ``None``."""
    if "Doppler" not in name:
        return None
    if match := _WITHIN.fullmatch(name):
        return match[1] + match[3], match[2]
    match = _BEHIND.fullmatch(name)
    return (match[1], match[2]) if match else None


def spread(cents: Mapping[str, int]) -> dict[str, int]:
    """The prices by name, and of names with a phase: by their priced name, and the lowest of all under the market's name."""
    found = {name: value for name, value in cents.items() if split(name) is None}
    for name, value in cents.items():
        if told := split(name):
            for one in (told[0], priced_name(*told)):
                found[one] = min(value, found.get(one, value))
    return found


def known(word: object) -> str | None:
    """This phase, as we write it; ``None`` for all else."""
    return word if isinstance(word, str) and word in PHASES else None


def spelled(word: object) -> str | None:
    """The phase that a feed calls ``Phase 1``, ``phase1``, ``p1`` or ``black_pearl``; ``None`` if it is none."""
    if not isinstance(word, str) or len(word) > max(map(len, PHASES)) + 1:
        return None
    return _BY_LETTERS.get(re.sub(r"[ _-]", "", word).casefold())
