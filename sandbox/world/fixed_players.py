"""Players of fixed outcome: the same ids, trade URLs and deeds in every world, whatever its seed, for whoever tries a site.

Their ids lie below those of all other accounts (`accounts.FIRST_ACCOUNT`), so nobody else ever has one.
"""

import random
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.world.accounts import STEAM_ID_BASE, Account
from sandbox.world.state import World

FIXED = "fixed"
"""The kind of these accounts; they are players to everybody but the list of accounts."""
ITEMS = 10
CHEAPEST_CENTS, DEAREST_CENTS = 100, 2000
LATE_S = 1200.0
HOLD_DAYS = 15


@dataclass(frozen=True)
class FixedPlayer:
    """One of them: what it does, what becomes of a deposit that it is asked for (as the guides write it), and the fields of its
    account that do it."""

    number: int
    name: str
    does: str
    deposit: str
    account: dict[str, Any] = field(default_factory=dict)

    @property
    def steam_id(self) -> int:
        return STEAM_ID_BASE + 20_000_000 + self.number

    @property
    def trade_token(self) -> str:
        return f"fixed-{self.number:02}"


PLAYERS: Final = (
    FixedPlayer(1, "accepts", "accepts every offer after a second", "`accepted`, then `settled`", {"habit": "accept"}),
    FixedPlayer(2, "declines", "declines after 15 seconds", "`declined`", {"habit": "decline", "delay_s": 15.0}),
    FixedPlayer(3, "counters", "answers with another offer after a second", "`countered`", {"habit": "counter"}),
    FixedPlayer(4, "ignores", "never answers", "`canceled`, half an hour later", {"habit": "ignore"}),
    FixedPlayer(
        5, "accepts-late", "accepts after 20 minutes", "`accepted`, 20 minutes later", {"habit": "accept", "delay_s": LATE_S}
    ),
    FixedPlayer(
        6, "in-hold", "has no authenticator: Steam would hold its items", "422 `partner_hold`", {"hold_days": HOLD_DAYS}
    ),
    FixedPlayer(7, "banned", "has a trade ban", "422 `partner_banned`", {"banned": True}),
    FixedPlayer(8, "private", "has a private inventory", "422 `inventory_private`", {"private": True}),
    FixedPlayer(
        9,
        "reverses",
        "accepts, and reverses at half of the protection's time",
        "`accepted`, then `reversed`",
        {"habit": "take_back"},
    ),
    FixedPlayer(
        10,
        "answer-lost",
        "Steam's answer to each offer for it is lost; then it accepts",
        "`in_doubt`, then `accepted`",
        {"habit": "accept", "answers_lost": True},
    ),
)


def add(world: World, now: float) -> None:
    """Put them into a new world, with items that every fleet takes."""
    usual = [kind for kind in world.catalogue.ordinary if CHEAPEST_CENTS <= (kind.price_cents or 0) <= DEAREST_CENTS]
    for player in PLAYERS:
        chance = random.Random(player.name)  # noqa: S311 - the same secrets and items each time
        account = world.accounts.put(FIXED, player.name, now, player.steam_id, player.trade_token, chance)
        account.acknowledged, account.delay_s, account.take_back_s = True, 1.0, world.settings.protection_s / 2
        for name, value in player.account.items():
            setattr(account, name, value)
        for kind in chance.sample(sorted(usual, key=lambda kind: kind.market_hash_name), ITEMS):
            world.items.create(kind, account.steam_id, now)


def shown(world: World) -> list[dict[str, Any]]:
    """Those that are in this world, for people and programs."""
    there = ((player, world.accounts.by_id.get(player.steam_id)) for player in PLAYERS)
    return [_row(player, account) for player, account in there if account is not None]


def _row(player: FixedPlayer, account: Account) -> dict[str, Any]:
    return {
        "name": player.name,
        "steam_id": str(player.steam_id),
        "trade_token": account.trade_token,
        "trade_url": account.trade_url,
        "does": player.does,
        "deposit": player.deposit.replace("`", ""),
    }
