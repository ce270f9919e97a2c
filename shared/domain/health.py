"""What a bot may do, and why not: three questions that are answered apart. Pure; the worker and the balancer read one table.

A bot that Steam has restricted gives or takes nothing for a while, but goes on looking: what it holds must settle, be audited
and be found all the same. So a restriction names what it forbids, and everything else goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class May(StrEnum):
    """What a bot is asked for."""

    LOOK = "look"  # watch, find, settle, decline, read inventories
    TAKE = "take"  # make offers that bring items in
    GIVE = "give"  # make offers that items leave with


# A worker's state: it is signed in, looks, and may not do everything.
RESTRICTED = "restricted"
# The code of a trade that a restriction has ended; its reason is the restriction.
BOT_RESTRICTED = "bot_restricted"
TRADES = frozenset({May.TAKE, May.GIVE})
NOTHING = frozenset(May)


@dataclass(frozen=True, slots=True)
class Rule:
    """What one restriction forbids, and what an operator should do. ``alarm``: it is told as an alarm too."""

    forbids: frozenset[May]
    action: str
    alarm: bool = True


_ITSELF = "the bot asks Steam again by itself and goes on when it is allowed to"

RESTRICTIONS: dict[str, Rule] = {
    "bot_locked": Rule(
        TRADES,
        "Steam does not let this account or its device trade for some days (a new device, a new password, a cancel during a "
        f"hold, or a reversal by this account): find out which; {_ITSELF}",
    ),
    "bot_banned": Rule(TRADES, f"Steam has banned this account from trading: ask Steam's support; {_ITSELF}"),
    # Steam holds what the giving side gives. What a bot takes in a hold could not be given back for up to 15 days.
    "own_hold": Rule(
        TRADES, f"Steam would hold this account's trades: its mobile authenticator is too new; wait up to 15 days; {_ITSELF}"
    ),
    "bot_refused": Rule(
        TRADES, f"Steam refuses this account's offers to several players and does not say why: try one by hand; {_ITSELF}"
    ),
    "offers_full": Rule(
        TRADES, f"Steam counts more open offers of this account than we do: look at its sent offers; {_ITSELF}", alarm=False
    ),
    "inventory_full": Rule(frozenset({May.TAKE}), f"the inventory is full: move items to another bot; {_ITSELF}"),
    "items_missing": Rule(
        frozenset({May.GIVE}),
        "Steam says that an item which this bot should give is not there: `fleet audit` says which; it gives again when it has "
        "read its inventory, unless that differs from its rows",
    ),
    "confirmations_refused": Rule(
        frozenset({May.GIVE}),
        "Steam does not take this account's confirmations: sign in by hand, accept Steam's rules of trade protection, and "
        f"check the identity secret in the vault; {_ITSELF}",
    ),
    "strange_confirmation": Rule(
        TRADES,
        "a confirmation that no bot asked for waits on this account's phone: somebody may have taken the account over. "
        "Deny it, change the password, then `fleet bots unfreeze`",
    ),
    "clock_unsure": Rule(TRADES, "set the clock of this host; no offers are sent until then"),
}

# What a worker of another release tells and nobody here knows.
UNKNOWN = Rule(TRADES, "this worker has another release: see its own log")


def rule_of(reason: str) -> Rule:
    return RESTRICTIONS.get(reason, UNKNOWN)
