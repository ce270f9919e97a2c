"""What `fleet prices status` prints of each source of values, and what of it is held back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balancer.items import price_lists
from scripts.cli.diagnosis import duration

DIGEST_SHOWN = price_lists.DIGEST_SHOWN


def lines(told: Mapping[str, Any]) -> list[str]:
    """For people."""
    shown = []
    for source in told["sources"]:
        in_use = "no list" if source["names"] is None else f"{source['names']} names"
        age = "" if source["age_s"] is None else f", {duration(source['age_s'])} old"
        out = f", {source['left_out']} left out" if source.get("left_out") else ""
        error = "" if source["error"] is None else f"; {source['error']}"
        shown.append(f"{source['source']} ({source['place']}): {in_use}{age}{out}{error}")
        if held := source["held"]:
            digest = held["digest"][:DIGEST_SHOWN]
            shown.append(f"  held back {held['held_at'][:19]}: {held['why']}, {held['names']} names, {digest}")
            shown.append(f"  if it is right: fleet prices accept {source['source']} --digest {digest} --reason …")
    return shown
