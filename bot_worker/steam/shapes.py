"""What Steam tells of offers, exchanges, confirmations, holds and bans, as values. Ids are strings; times are unix seconds; a
partner is a SteamID64.

The one place where these are read. What cannot be read makes an offer or an exchange half (``whole`` is false, and nothing is
decided by it) and, where nothing is left to go by, is a `BadShape`; nothing else comes out of here, whatever Steam sends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from bot_worker.steam import inventories
from shared import strict
from shared.domain.identity import Identity
from shared.domain.ids import ACCOUNT_ID_MAX, SteamId
from shared.domain.items import CS2_APP_ID, Asset
from shared.strict import BadShape

T = TypeVar("T")

NUMBER_MAX = 2**31 - 1
LEVEL_MAX = 100_000  # the highest of all accounts is some thousands
MESSAGE_MAX = 2000
DAY_S = 86_400
HOLD_MAX_S = 366 * DAY_S


@dataclass(frozen=True, slots=True)
class Sent:
    """The answer to a send: the new offer, and whether the bot's phone must confirm it (state 9) or not (state 2)."""

    offer_id: str
    needs_confirmation: bool

    @classmethod
    def parse(cls, data: object) -> Sent:
        """The answer of ``/tradeoffer/new/send``.

        Raises:
            BadShape: it names no offer.
        """
        about = strict.mapping(data, "answer")
        offer_id = strict.number_id(about.get("tradeofferid"), "tradeofferid")
        return cls(offer_id, about.get("needs_mobile_confirmation") not in (None, False, ""))


class _Row:
    """One row, read field by field; `whole` turns false with what cannot be read."""

    def __init__(self, data: object) -> None:
        self._about: Mapping[str, Any] = data if isinstance(data, dict) else {}
        self.whole = isinstance(data, dict)

    def get(self, name: str, read: Callable[[object, str], T], otherwise: T) -> T:
        """A field that every whole row has."""
        try:
            return read(self._about.get(name), name)
        except BadShape:
            self.whole = False
            return otherwise

    def maybe(self, name: str, read: Callable[[object, str], T], otherwise: T) -> T:
        """A field that may be missing or empty: then it is ``otherwise``."""
        return otherwise if self._about.get(name) in (None, "", "0", 0, False) else self.get(name, read, otherwise)

    def each(self, name: str, read: Callable[[Mapping[str, Any]], T]) -> list[T]:
        """What can be read of a list, which may be missing."""
        parsed = []
        rows: list[Any] = self.get(name, strict.rows, [])
        for row in rows:
            try:
                parsed.append(read(strict.mapping(row, name)))
            except BadShape:
                self.whole = False
        return parsed


def _number(value: object, name: str) -> int:
    return strict.whole(value, name, 0, NUMBER_MAX)


def _maybe_id(value: object, name: str) -> str | None:
    return strict.number_id(value, name)


def _maybe_moment(value: object, name: str) -> int | None:
    return strict.moment(value, name)


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer, sent or received; ``give`` is what we give.

    ``whole`` is false for the half-filled ones that Steam shows at times, and for what could not be read; decide nothing by
    those. One of which not even the id is known has an empty one.
    """

    offer_id: str
    partner: str
    message: str
    state: int
    give: tuple[Asset, ...]
    take: tuple[Asset, ...]
    exchange_id: str | None
    created: int
    updated: int
    whole: bool

    @classmethod
    def parse(cls, data: object) -> Offer:
        """One row of GetTradeOffers; 'glitched' as in node-steam-tradeoffer-manager's polling."""
        row = _Row(data)
        give, take = row.each("items_to_give", _asset), row.each("items_to_receive", _asset)
        account_id = row.get("accountid_other", _account_id, 0)
        fields: dict[str, Any] = {
            "offer_id": row.get("tradeofferid", strict.number_id, ""),
            "message": row.maybe("message", _message, ""),
            "state": row.maybe("trade_offer_state", _number, 1),
            "exchange_id": row.maybe("tradeid", _maybe_id, None),
            "created": row.maybe("time_created", strict.moment, 0),
            "updated": row.maybe("time_updated", strict.moment, 0),
        }
        partner = str(SteamId.from_account_id(account_id)) if account_id else ""
        return cls(partner=partner, give=tuple(give), take=tuple(take), whole=row.whole and bool(give or take), **fields)


def _account_id(value: object, name: str) -> int:
    return strict.whole(value, name, 1, ACCOUNT_ID_MAX)


def _message(value: object, name: str) -> str:
    """A stranger may write anything: only plain text can hold a token of ours."""
    if not isinstance(value, str):
        raise BadShape(name, "a text")
    return strict.maybe_text(value, MESSAGE_MAX)


def _asset(row: Mapping[str, Any]) -> Asset:
    """An asset of an offer; a currency, which CS2 has none of, is kept as an asset that no trade of ours names."""
    app_id = strict.whole(row.get("appid"), "appid", 1, NUMBER_MAX)
    context_id = str(_number(row.get("contextid"), "contextid"))
    if row.get("assetid") is None and row.get("currencyid") is not None:
        return Asset(app_id, context_id, f"currency {_number(row['currencyid'], 'currencyid')}")
    return Asset(app_id, context_id, strict.number_id(row.get("assetid"), "assetid"))


@dataclass(frozen=True, slots=True)
class OfferPage:
    """One page of GetTradeOffers. ``cursor`` is 0 on the last one."""

    sent: list[Offer]
    received: list[Offer]
    cursor: int

    @classmethod
    def parse(cls, data: object) -> OfferPage:
        """What stands in ``response``; rows that cannot be read are half-filled offers.

        Raises:
            BadShape: it is no page of offers.
        """
        about = strict.mapping(data, "response")
        sent, received = (strict.rows(about.get(f"trade_offers_{side}"), side) for side in ("sent", "received"))
        cursor = strict.whole(about.get("next_cursor") or 0, "next_cursor")
        return cls([Offer.parse(row) for row in sent], [Offer.parse(row) for row in received], cursor)


@dataclass(frozen=True, slots=True)
class Moved:
    """One CS2 asset of an exchange. The new ids are ``None`` until Steam knows them; ``given`` means by us."""

    given: bool
    context_id: str
    asset_id: str
    new_context_id: str | None
    new_asset_id: str | None
    rollback_context_id: str | None
    rollback_asset_id: str | None
    name: str | None = None
    class_id: str = ""

    @property
    def now(self) -> Asset | None:
        """Where the asset is after the exchange, or after it was rolled back."""
        context_id, asset_id = self.rollback_context_id, self.rollback_asset_id
        if asset_id is None:
            context_id, asset_id = self.new_context_id, self.new_asset_id
        return None if context_id is None or asset_id is None else Asset(CS2_APP_ID, context_id, asset_id)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Steam's record of an accepted offer; its status is the last word on what moved.

    ``moved`` are its CS2 assets: nothing of another app is ever booked or compared. ``others`` counts the rest. One that is not
    ``whole`` could not be read in full; of its id an empty text is left if even that could not.
    """

    exchange_id: str
    partner: str
    status: int
    started: int
    settles_at: int | None
    moved: tuple[Moved, ...]
    rolls_back: str | None
    others: int = 0
    whole: bool = True

    @classmethod
    def parse(cls, data: object, names: Mapping[tuple[str, str], str] = MappingProxyType({})) -> Exchange:
        """One row of GetTradeStatus or GetTradeHistory; ``names`` are those of the classes that the same answer describes."""
        row = _Row(data)
        given = row.each("assets_given", lambda asset: _moved(asset, names, given=True))
        received = row.each("assets_received", lambda asset: _moved(asset, names, given=False))
        moved = [each for each in (*given, *received) if each is not None]
        fields: dict[str, Any] = {
            "exchange_id": row.get("tradeid", strict.number_id, ""),
            "partner": row.maybe("steamid_other", strict.number_id, ""),
            "status": row.maybe("status", _number, 0),
            "started": row.maybe("time_init", strict.moment, 0),
            "settles_at": row.maybe("time_settlement", _maybe_moment, None),
            "rolls_back": row.maybe("rollback_trade", _maybe_id, None),
        }
        return cls(moved=tuple(moved), others=len(given) + len(received) - len(moved), whole=row.whole, **fields)

    @property
    def complete(self) -> bool:
        """Every new id is known, and nothing of it could not be read."""
        known = all(each.new_asset_id and each.new_context_id for each in self.moved)
        return self.whole and bool(self.moved or self.others) and known

    def moved_json(self) -> list[dict[str, str | None]]:
        """As the report ``offer_accepted`` carries it."""
        return [
            {
                "asset_id": each.asset_id,
                "context_id": each.context_id,
                "new_asset_id": each.new_asset_id,
                "new_context_id": each.new_context_id,
                "name": each.name,
                "class_id": each.class_id,
            }
            for each in self.moved
        ]


def _moved(row: Mapping[str, Any], names: Mapping[tuple[str, str], str], *, given: bool) -> Moved | None:
    """``None`` for what is no CS2 asset."""
    if strict.whole(row.get("appid", CS2_APP_ID), "appid", 1, NUMBER_MAX) != CS2_APP_ID or row.get("currencyid") is not None:
        return None

    def maybe(name: str, read: Callable[[object, str], str]) -> str | None:
        return None if row.get(name) in (None, "", "0", 0) else read(row[name], name)

    return Moved(
        given=given,
        context_id=_context(row.get("contextid"), "contextid"),
        asset_id=strict.number_id(row.get("assetid"), "assetid"),
        new_context_id=maybe("new_contextid", _context),
        new_asset_id=maybe("new_assetid", strict.number_id),
        rollback_context_id=maybe("rollback_new_contextid", _context),
        rollback_asset_id=maybe("rollback_new_assetid", strict.number_id),
        name=names.get(inventories.class_key(row)),
        class_id=inventories.class_key(row)[0],
    )


def _context(value: object, name: str) -> str:
    return str(_number(value, name))


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """One page of GetTradeHistory, newest first."""

    exchanges: list[Exchange]
    more: bool

    @classmethod
    def parse(cls, data: object) -> HistoryPage:
        """What stands in ``response``; rows that cannot be read are exchanges that are not whole.

        Raises:
            BadShape: it is no page of exchanges, or has more to show and nothing to go on from.
        """
        about = strict.mapping(data, "response")
        descriptions = strict.objects(about.get("descriptions"))
        names = {inventories.class_key(each): name for each in descriptions if (name := inventories.name_of(each))}
        exchanges = [Exchange.parse(row, names) for row in strict.rows(about.get("trades"), "trades")]
        more = about.get("more") not in (None, False, 0, "")
        if more and exchanges and not any(each.exchange_id and each.started for each in exchanges):
            raise BadShape("trades", "an exchange with its id and time")
        return cls(exchanges, more)

    @property
    def last(self) -> Exchange:
        """The last one that the next page can go on from; of a page that has ``more``."""
        return next(each for each in reversed(self.exchanges) if each.exchange_id and each.started)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One that waits on the bot's phone: what it is about, and the two words that answer it."""

    kind: int
    creator_id: str
    confirmation_id: str
    nonce: str

    @classmethod
    def parse(cls, data: object) -> Confirmation:
        """One row of ``/mobileconf/getlist``.

        Raises:
            BadShape: it is none.
        """
        about = strict.mapping(data, "confirmation")
        return cls(
            kind=_number(about.get("type"), "type"),
            creator_id=str(strict.whole(about.get("creator_id"), "creator_id")),
            confirmation_id=strict.number_id(about.get("id"), "id"),
            nonce=_word(about.get("nonce"), "nonce"),
        )


def _word(value: object, name: str) -> str:
    """A number of 64 bits without a sign, or what else Steam may make of it one day: it is only said back."""
    text = str(value) if isinstance(value, int) and 0 <= value < 2**64 else strict.text(value, name, 64)
    if not text or " " in text:
        raise BadShape(name, "a word")
    return text


@dataclass(frozen=True, slots=True)
class Hold:
    """For how many days Steam would keep what the partner gives, and what we give. 0 is no hold."""

    theirs_days: int
    ours_days: int

    @classmethod
    def parse(cls, data: object) -> Hold:
        """What stands in GetTradeHoldDurations' ``response``.

        Raises:
            BadShape: it does not say. A hold that is not known is not none.
        """
        about = strict.mapping(data, "response")

        def days(side: str) -> int:
            seconds = strict.mapping(about.get(side), side).get("escrow_end_duration_seconds", 0)
            return math.ceil(strict.whole(seconds, "escrow_end_duration_seconds", 0, HOLD_MAX_S) / DAY_S)

        return cls(theirs_days=days("their_escrow"), ours_days=days("my_escrow"))


def known_of(data: object) -> frozenset[str]:
    """The accounts that GetPlayerBans tells of."""
    return frozenset(str(row.get("SteamId")) for row in strict.objects(strict.mapping(data, "bans").get("players")))


def banned_of(data: object, steam_ids: Collection[str]) -> frozenset[str]:
    """Those of these accounts that GetPlayerBans calls banned; it puts no ``response`` around it.

    Raises:
        BadShape: it says nothing of one of them.
    """
    rows = {str(row.get("SteamId")): row for row in strict.objects(strict.mapping(data, "bans").get("players"))}
    if any(steam_id not in rows for steam_id in steam_ids):
        raise BadShape("players", "the accounts that were asked for")
    states = {steam_id: strict.text(rows[steam_id].get("EconomyBan"), "EconomyBan") for steam_id in steam_ids}
    return frozenset(steam_id for steam_id, ban in states.items() if ban == "banned")


def level_of(data: object) -> int | None:
    """What GetSteamLevel says; a private profile's answer is empty.

    Raises:
        BadShape: it is no whole number.
    """
    level = strict.mapping(strict.mapping(data, "level").get("response"), "response").get("player_level")
    return None if level is None else strict.whole(level, "player_level", most=LEVEL_MAX)


def profile_of(data: object, steam_id: str) -> Identity:
    """What GetPlayerSummaries says of this account; ``timecreated`` is missing from a private profile's answer.

    Raises:
        BadShape: it says nothing of the account.
    """
    response = strict.mapping(strict.mapping(data, "summaries").get("response"), "response")
    row = next((row for row in strict.objects(response.get("players")) if str(row.get("steamid")) == steam_id), None)
    if row is None:
        raise BadShape("players", "the account that was asked for")
    profile = {"name": row.get("personaname"), "avatar": row.get("avatarhash"), "since": row.get("timecreated")}
    return Identity.of(profile)


def trade_bans(data: object, wanted: Collection[str]) -> dict[str, bool]:
    """Which of these accounts GetPlayerBans calls banned from trading; it puts no ``response`` around it.

    What it says nothing readable of is left out, and does not spoil what it says of the others.
    """
    bans = {}
    for row in strict.objects(strict.mapping(data, "bans").get("players")):
        steam_id, ban = row.get("SteamId"), row.get("EconomyBan")
        if isinstance(steam_id, str) and steam_id in wanted and isinstance(ban, str):
            bans[steam_id] = ban == "banned"
    return bans
