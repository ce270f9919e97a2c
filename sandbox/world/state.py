"""The state of one simulated Steam. Pure: it gets `now` as a value, asks no clock and opens nothing.

The rules live beside it: `trading` (what an account may do), `delivery` (how items change hands),
`people` (simulated partners) and `timeline` (what happens by itself).
"""

import random
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from sandbox.errors import BadRequest
from sandbox.settings import CHANGEABLE, SandboxSettings
from sandbox.world.accounts import HABITS, Account, Accounts
from sandbox.world.agenda import Agenda
from sandbox.world.catalogue import Catalogue
from sandbox.world.exchanges import Exchange, Reversal
from sandbox.world.items import Inventories, Item
from sandbox.world.offers import Confirmation, KeyRequest, OfferBook

KINDS = ("bot", "player")

Affliction = Callable[[str, Account, float], int]
"""Asked with "hold", "device_lock" or "trade_ban": the days or the number 1 if trouble says so, else 0."""


def healthy(_kind: str, _account: Account, _now: float) -> int:
    return 0


class World:
    """Accounts, items, offers, exchanges and the agenda of one sandbox."""

    def __init__(self, settings: SandboxSettings, now: float, catalogue: Catalogue | None = None) -> None:
        """Making the ``catalogue`` takes a while; worlds of one seed may share it."""
        self.settings = settings
        self.chance = random.Random(settings.seed)  # noqa: S311 - a world must be repeatable
        self.catalogue = catalogue or Catalogue(settings.seed)
        self.accounts = Accounts(self.chance)
        self.items = Inventories(self.chance)
        self.items.now = now
        self.offers = OfferBook()
        self.exchanges: dict[int, Exchange] = {}
        self.exchanges_of: dict[int, list[Exchange]] = {}
        self.reversals: list[Reversal] = []
        self.asked: dict[int, Confirmation] = {}
        self.answered: list[tuple[Confirmation, bool]] = []
        self.key_requests: dict[int, KeyRequest] = {}
        self.agenda = Agenda()
        self.afflicted: Affliction = healthy
        self._next_offer = 7_000_000_000 + self.chance.randrange(10**6)
        self._next_trade = 6_100_000_000_000_000_000 + self.chance.randrange(10**12)
        self._next_confirmation = 15_500_000_000 + self.chance.randrange(10**6)
        for name in settings.bots:
            self.add_account("bot", now, name, self.chance.randint(*settings.items_per_bot))
        for _ in range(settings.players):
            count = self.chance.randint(*settings.items_per_player)
            self.add_account("player", now, None, count, settings.player_habit, settings.player_delay_s)

    def add_account(
        self,
        kind: str,
        now: float,
        name: str | None = None,
        items: int = 0,
        habit: str | None = None,
        delay_s: float = 0.0,
    ) -> Account:
        """Make an account with that many random items. Raises: BadRequest for an unknown kind or habit."""
        habit = habit or ("manual" if kind == "bot" else self.settings.player_habit)
        if kind not in KINDS or habit not in HABITS:
            raise BadRequest(f"kind is one of {KINDS}, habit one of {HABITS}")
        account = self.accounts.add(kind, name, now)
        account.habit, account.delay_s, account.acknowledged = habit, delay_s, kind == "player"
        account.take_back_s = self.settings.take_back_s
        self.add_random_items(account, items, now)
        return account

    def add_random_items(self, account: Account, count: int, now: float) -> list[Item]:
        """Items any player may have: mostly cheap ones, some of them bound to the account."""
        made = []
        for _ in range(count):
            bound = self.chance.random() < self.settings.bound_share
            kind = self.chance.choice(self.catalogue.ordinary)
            if (kind.price_cents or 0) > 5000 and self.chance.random() < 0.7:
                kind = self.chance.choice(self.catalogue.ordinary)
            tag = "for luck" if kind.exterior is not None and self.chance.random() < 0.03 else None
            made.append(self.items.create(kind, account.steam_id, now, tradable=not bound, name_tag=tag))
        return made

    def add_exchange(self, exchange: Exchange) -> None:
        self.exchanges[exchange.tradeid] = exchange
        for steam_id in (exchange.sender, exchange.recipient):
            self.exchanges_of.setdefault(steam_id, []).append(exchange)

    def change_settings(self, changes: dict[str, Any]) -> None:
        """Change rules while the world runs. Raises: BadRequest for a name or type that does not fit."""
        types: dict[str, Any] = {field.name: field.type for field in fields(self.settings)}
        for name, value in changes.items():
            if name not in CHANGEABLE:
                raise BadRequest(f"{name} cannot be changed; these can: {', '.join(sorted(CHANGEABLE))}")
            wanted = (int, float) if types[name] is float else (types[name],)
            if not isinstance(value, wanted) or (isinstance(value, bool) and types[name] is not bool):
                raise BadRequest(f"{name} must be of type {types[name].__name__}")
        try:
            self.settings = replace(self.settings, **changes)
        except ValueError as error:
            raise BadRequest(str(error)) from error

    def limit(self, account: Account, name: str) -> int:
        """An account's own limit (`per_partner`, `total`, `inventory`) or the common one."""
        common = {
            "per_partner": self.settings.offers_per_partner_max,
            "total": self.settings.offers_total_max,
            "inventory": self.settings.inventory_max,
        }
        return account.limits.get(name, common[name])

    def hold_days(self, account: Account, now: float) -> int:
        """For how many days Steam holds what this account gives."""
        return max(account.hold_days, self.afflicted("hold", account, now))

    def is_device_locked(self, account: Account, now: float) -> bool:
        """Whether the account signed in from a new device and may not trade for now."""
        return account.device_locked or self.afflicted("device_lock", account, now) > 0

    def is_banned(self, account: Account, now: float) -> bool:
        """Whether the account has a trade ban."""
        return account.banned or self.afflicted("trade_ban", account, now) > 0

    def next_offer_id(self) -> int:
        self._next_offer += self.chance.randrange(1, 400)
        return self._next_offer

    def next_tradeid(self) -> int:
        self._next_trade += self.chance.randrange(1, 10**9)
        return self._next_trade

    def next_confirmation_id(self) -> int:
        self._next_confirmation += self.chance.randrange(1, 400)
        return self._next_confirmation
