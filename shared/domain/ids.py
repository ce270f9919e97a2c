"""Ids that both sides use: Steam accounts, trade URLs, bots, our own record ids.

A SteamID64 of an individual account is ``0x0110000100000000 + account id`` (universe 1, type 1, instance 1); a trade URL
names the account id as ``partner``. Source: ValvePython/steam ``steam/steamid.py``, held against it in a contract test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

STEAM_ID_BASE = 76561197960265728
ACCOUNT_ID_MAX = 2**32 - 1

_TRADE_TOKEN = re.compile(r"[A-Za-z0-9_-]{8}")
_COLOR = re.compile(r"[a-z][a-z0-9_]{0,23}")
_BOT_NAME = re.compile(r"([a-z][a-z0-9_]{0,23})-([1-9][0-9]{0,5})")
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class SteamId(int):
    """The 64-bit id of one individual Steam account. A string in JSON."""

    def __new__(cls, value: int | str) -> SteamId:
        """Take a SteamID64 as an integer or as its decimal digits.

        Raises:
            ValueError: the value is not the id of an individual account in the public universe.
        """
        if isinstance(value, bool) or (isinstance(value, str) and not (value.isascii() and value.isdigit())):
            raise ValueError("not a SteamID64: expected 17 decimal digits")
        number = int(value)
        if not STEAM_ID_BASE < number <= STEAM_ID_BASE + ACCOUNT_ID_MAX:
            raise ValueError("not a SteamID64 of an individual account")
        return super().__new__(cls, number)

    @classmethod
    def from_account_id(cls, account_id: int) -> SteamId:
        """The id of the account whose 32-bit account id this is (``partner`` in a trade URL)."""
        return cls(STEAM_ID_BASE + account_id)

    @property
    def account_id(self) -> int:
        """The lower 32 bits: ``partner`` in trade URLs, ``accountid_other`` in offers."""
        return int(self) - STEAM_ID_BASE

    def __str__(self) -> str:
        return int.__repr__(self)  # `int` would take the text of `__repr__` below

    def __repr__(self) -> str:
        return f"SteamId({int(self)})"


@dataclass(frozen=True, slots=True)
class TradeUrl:
    """A player's trade URL, taken apart. The token is a capability, so it stays out of ``repr``."""

    partner: SteamId
    trade_token: str

    @classmethod
    def parse(cls, text: str) -> TradeUrl:
        """Read ``https://steamcommunity.com/tradeoffer/new/?partner=<account id>&token=<8 characters>``.

        Raises:
            ValueError: another host or path, a missing, doubled or unknown parameter, or a bad value.
        """
        parts = urlsplit(text.strip())
        if parts.scheme != "https" or parts.netloc != "steamcommunity.com" or parts.fragment:
            raise ValueError("a trade URL starts with https://steamcommunity.com/")
        if parts.path.rstrip("/") != "/tradeoffer/new":
            raise ValueError("a trade URL has the path /tradeoffer/new/")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        query = dict(pairs)
        if len(pairs) != 2 or set(query) != {"partner", "token"}:
            raise ValueError("a trade URL has exactly the parameters partner and token")
        partner = query["partner"]
        if not (partner.isascii() and partner.isdigit() and 1 <= int(partner) <= ACCOUNT_ID_MAX):
            raise ValueError("partner is an account id between 1 and 4294967295")
        if not _TRADE_TOKEN.fullmatch(query["token"]):
            raise ValueError("token has 8 characters out of A-Z a-z 0-9 _ -")
        return cls(SteamId.from_account_id(int(partner)), query["token"])

    def __str__(self) -> str:
        return f"https://steamcommunity.com/tradeoffer/new/?partner={self.partner.account_id}&token={self.trade_token}"

    def __repr__(self) -> str:
        return f"TradeUrl(partner={int(self.partner)}, trade_token=…)"


@dataclass(frozen=True, slots=True, order=True)
class BotName:
    """``red-7``: bot 7 of color red. ``bot_id`` is unique within its color."""

    color: str
    bot_id: int

    @classmethod
    def parse(cls, text: str) -> BotName:
        """Read ``red-7``.

        Raises:
            ValueError: not a color, a dash and a number from 1 on.
        """
        match = _BOT_NAME.fullmatch(text)
        if not match:
            raise ValueError(f"not a bot name: {text[:40]!r}; expected a color, a dash and a number, as in red-7")
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        return f"{self.color}-{self.bot_id}"


class OfABot(Protocol):
    """A row that names a bot by two columns."""

    @property
    def color(self) -> str: ...
    @property
    def bot_id(self) -> int: ...


def bot_name(row: OfABot | Mapping[str, Any]) -> str:
    """The name of the bot of a row, read or about to be written, as in ``red-7``."""
    color, bot_id = (row["color"], row["bot_id"]) if isinstance(row, Mapping) else (row.color, row.bot_id)
    return str(BotName(color, bot_id))


def parse_color(text: str) -> str:
    """Check the name of a set of bots: a lower-case letter, then up to 23 letters, digits or ``_``.

    Raises:
        ValueError: anything else.
    """
    if not _COLOR.fullmatch(text):
        raise ValueError("a color is a lower-case letter and up to 23 more letters, digits or _")
    return text


GROUP_SIZE = 10


def group_of(bot_id: int) -> int:
    """Number of the group that runs this bot: bots 1 to 10 are group 1, 11 to 20 group 2."""
    return (bot_id - 1) // GROUP_SIZE + 1


def bots_of_group(color: str, group: int) -> list[BotName]:
    """The ten names of one group: group 1 of red is red-1 … red-10."""
    first = (group - 1) * GROUP_SIZE + 1
    return [BotName(color, bot_id) for bot_id in range(first, first + GROUP_SIZE)]


def record_id(prefix: str, now_ms: int, noise: bytes) -> str:
    """A time-ordered id of our own: prefix, ``_``, 20 characters of Crockford base 32 (48 bits time, 52 bits noise).

    Rows with neighbouring ids lie beside each other in the index, and any balancer may make one without asking.
    ``noise`` is at least 7 random bytes.
    """
    value = (now_ms & (2**48 - 1)) << 52 | int.from_bytes(noise[:7], "big") & (2**52 - 1)
    digits = []
    for _ in range(20):
        value, digit = divmod(value, 32)
        digits.append(_CROCKFORD[digit])
    return f"{prefix}_{''.join(reversed(digits))}"
