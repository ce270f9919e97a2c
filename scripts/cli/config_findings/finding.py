"""One thing to mend in a set of settings, the parts of a fleet that it may concern, and what Steam does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Part = Literal["balancer", "host"]

BALANCER: Part = "balancer"

HOST: Part = "host"

# Sections that tell which part a file is for.
SECTIONS: dict[str, Part] = {
    **dict.fromkeys(
        ("database", "balancer", "listening", "metrics", "ops", "webhooks", "limits", "blocked", "openid"), BALANCER
    ),
    **dict.fromkeys(("group", "steam"), HOST),
}

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: what is wrong, and what to do. An ``error`` is unsafe or cannot work; a ``warning`` may be meant.

    ``also`` are the other settings that it is about (``trades.watch_s``): it may be one of these that was changed.
    """

    level: Literal["error", "warning"]
    setting: str
    text: str
    do: str
    also: tuple[str, ...] = ()


Findings = Iterator[Finding]


def error(setting: str, text: str, do: str, *also: str) -> Finding:
    return Finding("error", setting, text, do, also)


def warning(setting: str, text: str, do: str, *also: str) -> Finding:
    return Finding("warning", setting, text, do, also)
