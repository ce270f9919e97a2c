"""Steam accounts of the sandbox: who they are, what they may do, how a simulated person behaves."""

import base64
import random
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass, field

from sandbox import guard
from sandbox.errors import NotFound

STEAM_ID_BASE = 76561197960265728
FIRST_ACCOUNT, LAST_ACCOUNT = 30_000_000, 1_900_000_000
HABITS = ("accept", "decline", "ignore", "counter", "manual", "take_back")
TOKEN_SIGNS = string.ascii_letters + string.digits + "_-"

FIRST = ("quiet", "lucky", "north", "amber", "pixel", "tiny", "sharp", "mellow", "rusty", "solar", "velvet", "brave")
SECOND = ("fox", "otter", "hawk", "comet", "badger", "lynx", "marten", "heron", "wolf", "tiger", "raven", "moose")


@dataclass(slots=True)
class Account:
    """One account; secrets are base64 as in a maFile, `delay_s` is how long its person thinks.

    With the habit "take_back" the person accepts, and `take_back_s` later reverses everything still protected.
    """

    steam_id: int
    kind: str
    name: str
    account_name: str
    password: str
    shared_secret: str
    identity_secret: str
    api_key: str
    """The Web API key, empty when there is none."""
    trade_token: str
    habit: str = "manual"
    delay_s: float = 0.0
    take_back_s: float = 3600.0
    hold_days: int = 0
    private: bool = False
    banned: bool = False
    device_locked: bool = False
    acknowledged: bool = False
    created: int = 0
    level: int = 10
    probation: bool = False
    vac_banned: bool = False
    renamed_at: float | None = None
    """When the name was changed on the profile's page, in simulated unix seconds."""
    trade_locked_until: int = 0
    """Who reversed, or called off a held trade, may not trade before this time, in simulated unix seconds."""
    friends: set[int] = field(default_factory=set)
    limits: dict[str, int] = field(default_factory=dict)
    answers_lost: bool = False
    """Whether Steam's answer to each offer that is sent to this account is lost; the offer is made."""
    api_key_domain: str = "localhost"
    tokens_valid_from: float = 0.0
    """Tokens issued before this real time are worthless: "sign out everywhere"."""

    def rename(self, name: str, now: float) -> None:
        self.name, self.renamed_at = name, now

    @property
    def is_person(self) -> bool:
        """Whether it is played, by habit or by hand; bots are not."""
        return self.kind != "bot"

    @property
    def account_id(self) -> int:
        return self.steam_id - STEAM_ID_BASE

    @property
    def trade_url(self) -> str:
        return f"https://steamcommunity.com/tradeoffer/new/?partner={self.account_id}&token={self.trade_token}"

    @property
    def device_id(self) -> str:
        return guard.device_id(self.steam_id)


class Accounts:
    """All accounts, found by id, sign-in name or Web API key."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.by_id: dict[int, Account] = {}
        self.by_account_name: dict[str, Account] = {}
        self.by_api_key: dict[str, Account] = {}
        self.revoked_keys: set[str] = set()

    def __iter__(self) -> Iterator[Account]:
        return iter(self.by_id.values())

    def get(self, steam_id: int) -> Account:
        """Raises: NotFound."""
        try:
            return self.by_id[steam_id]
        except KeyError:
            raise NotFound(f"no account {steam_id}") from None

    def add(self, kind: str, name: str | None, now: float) -> Account:
        """Make an account with fresh ids and secrets; sign-in names are made unique."""
        steam_id = self._unused_id()
        return self.put(kind, name, now, steam_id, None, self._chance)

    def put(
        self, kind: str, name: str | None, now: float, steam_id: int, trade_token: str | None, chance: random.Random
    ) -> Account:
        """Make an account of this id, which nobody has; what is not given comes from ``chance``."""
        shown = name or f"{chance.choice(FIRST)}_{chance.choice(SECOND)}_{chance.randrange(10, 99)}"
        account = Account(
            steam_id=steam_id,
            kind=kind,
            name=shown,
            account_name=self._unused_name(("fleet_" if kind == "bot" else "") + re.sub(r"\W+", "_", shown.lower())),
            password="".join(chance.choices(string.ascii_letters + string.digits + "!#%+-", k=18)),
            shared_secret=base64.b64encode(chance.randbytes(20)).decode(),
            identity_secret=base64.b64encode(chance.randbytes(20)).decode(),
            api_key=chance.randbytes(16).hex().upper(),
            trade_token=trade_token or self._token(),
            created=int(now) - chance.randrange(200, 4000) * 86400,
            level=chance.randrange(1, 80),
        )
        self.by_id[steam_id] = account
        self.by_account_name[account.account_name] = account
        self.by_api_key[account.api_key] = account
        return account

    def new_api_key(self, account: Account, domain: str) -> None:
        """Give an account a Web API key; the one before, if any, is worthless from now on."""
        self.revoke_api_key(account)
        account.api_key, account.api_key_domain = self._chance.randbytes(16).hex().upper(), domain
        self.by_api_key[account.api_key] = account

    def revoke_api_key(self, account: Account) -> None:
        """Take the key away; without one this changes nothing."""
        if account.api_key:
            self.revoked_keys.add(account.api_key)
            del self.by_api_key[account.api_key]
            account.api_key = ""

    def renew_trade_token(self, account: Account) -> None:
        account.trade_token = self._token()

    def _token(self) -> str:
        return "".join(self._chance.choices(TOKEN_SIGNS, k=8))

    def _unused_id(self) -> int:
        while True:
            steam_id = STEAM_ID_BASE + self._chance.randrange(FIRST_ACCOUNT, LAST_ACCOUNT)
            if steam_id not in self.by_id:
                return steam_id

    def _unused_name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.by_account_name:
            number += 1
            name = f"{wanted}_{number}"
        return name
