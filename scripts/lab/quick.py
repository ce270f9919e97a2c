"""Settings of a fleet whose Steam is a sandbox on the same machine, and the files that hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NOT_FOR_HOSTS = ("balancer", "database", "http", "limits", "openid", "rates")


# What a fleet against a sandbox can afford: the sandbox has no limits of calls, and its days last seconds. But it refuses two
# confirmations of one bot within a second as Steam does, so that spacing stays.
QUICK: dict[str, dict[str, Any]] = {
    "pace": {
        "sign_in_s": 0.0,
        "send_s": 0.0,
        "confirm_s": 1.0,
        "confirm_list_s": 0.0,
        "read_s": 0.0,
        "look_s": 0.0,
        "inventory_s": 0.0,
        "retry_s": 0.05,
    },
    # Days that last seconds have a day's requests.
    "rates": {
        "player_burst": 100,
        "player_per_minute": 1200.0,
        "player_reads_burst": 10,
        "player_reads_per_minute": 120.0,
        "stranger_reads_burst": 1000,
        "stranger_reads_per_minute": 6000.0,
        "address_per_minute": 6000.0,
    },
    "group": {"probe_s": 2.0, "probe_max_s": 15.0},
    "trades": {
        "watch_s": 1.0,
        "sweep_s": 1.0,
        "settle_margin_s": 1.0,
        "settle_gather_s": 0.0,
        "settle_again_s": 3.0,
        "items_look_s": 2.0,
        "inventory_cache_s": 5.0,
        "hold_cache_s": 2.0,
        "bans_cache_s": 2.0,
        "retry_after_s": 2.0,
    },
}


# As in `config/default.toml`, where what Steam is asked is counted and nobody's hold or ban changes in between.
BELIEVED = {"inventory_cache_s": 60.0, "hold_cache_s": 600.0, "bans_cache_s": 21600.0}


# Counted as always, so that it costs what it costs, and never reached: for a load that no site makes.
NEVER_REACHED = {
    f"{bucket}_{what}": most
    for bucket in ("key", "player", "player_reads", "stranger_reads", "address")
    for what, most in (("burst", 1_000_000), ("per_minute", 10_000_000.0))
}


def as_toml(values: dict[str, dict[str, Any]]) -> str:
    lines = []
    for section, keys in values.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {_written(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_written(each)}" for key, each in value.items()) + " }"
    return json.dumps(str(value) if isinstance(value, Path) else value)


def layered(*layers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for section, keys in layer.items():
            merged.setdefault(section, {}).update(keys)
    return merged
