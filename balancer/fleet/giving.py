"""Whether the items that a bot holds can be had: a game that hands them on hands on their full value."""

from __future__ import annotations

from balancer.fleet.bot import Bot
from balancer.fleet.health import OFFLINE
from shared.domain.health import RESTRICTIONS, May

# What passes within minutes, and says nothing about the items.
_PASSES = frozenset({"offers_full", "clock_unsure"})
GONE = "bot_gone"


def why_not(bot: Bot | None, now_s: float, gone_after_s: float) -> str | None:
    """Why this bot could not give its items; ``None``: it can, or will when it is back or an operator lets it.

    Steam keeps it from giving, an operator has to look at it first, or it was not seen for ``gone_after_s``.
    """
    if bot is None:
        return GONE
    for each in bot.why_not:
        if each.reason == "frozen":
            return "bot_frozen"
        if each.reason in RESTRICTIONS and May.GIVE in each.forbids and each.reason not in _PASSES:
            return each.reason
        if each.reason == OFFLINE and each.since is not None and now_s - each.since > gone_after_s:
            return GONE
    return None
