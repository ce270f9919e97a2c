"""Names that a feed gives a phase, though at Steam all phases have one name. Pure.

Of *Doppler* and *Gamma Doppler* there are kinds of very different value (Phase 1 to 4, Ruby, Sapphire, Black Pearl, Emerald),
and Steam sells all under one ``market_hash_name``. Feeds write the phase behind the name, or into it:
``★ Karambit | Doppler (Factory New) - Phase 2`` (Pricempire, csgoskins.gg), ``★ Karambit | Doppler Ruby (Factory New)``
(loot.farm, cs.money; gergelyszabo94/csgo-trader-extension reads them so).
"""

from __future__ import annotations

import re

_PHASE = r"(?:Phase [1-4]|Ruby|Sapphire|Black Pearl|Emerald)"
_BEHIND = re.compile(rf"(.*\| (?:Gamma )?Doppler(?: \([A-Za-z -]+\))?) (?:- )?\(?{_PHASE}\)?")
_WITHIN = re.compile(rf"(.*\| (?:Gamma )?Doppler) (?:- )?\(?{_PHASE}\)?( \([A-Za-z -]+\))")


def base_of(name: str) -> str | None:
    """The name that Steam has for it, if this name holds a phase; else ``None``."""
    if "Doppler" not in name:
        return None
    if match := _WITHIN.fullmatch(name):
        return match[1] + match[2]
    match = _BEHIND.fullmatch(name)
    return match[1] if match else None
