"""The six rooms of the seed, as a demo plays them: the same rules with clocks and pots that are done with in seconds.

What is changed stands here and nowhere else; `website/rooms/rooms.toml` stays what the seed says. A room without a clock may be
open for an hour at least, so what is left of one in the end is made void by two operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lottery import rooms
from lottery.rooms import Room
from lottery.sources import BeaconTerms

from website.rooms import definitions

MARGIN_S = 3
OPEN_MAX_S = 3_600
SHORT: Mapping[str, Mapping[str, Any]] = {
    "classic-unlimited": {"time_limit": 4, "lonely_void_s": 60},
    "classic-limited": {"item_limit_max": 8, "open_max_s": OPEN_MAX_S},
    "sit-n-go": {"open_max_s": OPEN_MAX_S},
    "5v5": {"time_limit": 3, "open_max_s": OPEN_MAX_S},
    "global-pot": {"global_pot_limit": 1_500, "open_max_s": OPEN_MAX_S},
    "giveaway": {"time_limit": 8},
}
"""Room → the parameters in which the demo differs from the seed."""
SERVED: Mapping[str, Mapping[str, Any]] = {
    "classic-unlimited": {"time_limit": 25},
    "5v5": {"time_limit": 20},
    "global-pot": {"global_pot_limit": 5_000},
    "giveaway": {"time_limit": 90},
}
"""And where a person looks on, who has to be able to follow."""


def names() -> list[str]:
    return list(SHORT)


def room(name: str, terms: BeaconTerms, **changes: Any) -> Room:
    """One of them, on the sandbox's own beacon; `changes` are on top."""
    known = definitions.load(name)
    kind = "manual:mixed" if known.source.manual else "drand"
    chain = {"entropy": f"{kind}:{terms.chain_hash}", "beacon": terms.plain(), "entropy_margin_s": MARGIN_S}
    return rooms.parse({**known.rules, **SHORT[name], **chain, **changes})
