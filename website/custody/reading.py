"""What the fleet knows of one player, as their pages show it. Nothing is asked for longer than a page may wait.

Every answer is looked at before it is shown: what is not this player's is not there.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from fleet_client import Client, errors
from fleet_client.answers import Credits, Deposit, StockRow, Trade
from website import fleet
from website.accounts.models import Player
from website.custody import words, worth
from website.custody.models import Errand, SteamInventory
from website.custody.words import Words
from website.rooms.models import TICKET_NAMES, Bet, Kind, Lane

T = TypeVar("T")
log = logging.getLogger(__name__)

ITEMS_SHOWN = 3_000
PAGE = 1_000
LOOK_UP_MAX = 200
ERRANDS_SHOWN = 20
CREDIT_ID = re.compile(r"crd_[a-z0-9]{1,40}")
TRADE_ID = re.compile(r"trd_[a-z0-9]{1,40}")
REFRESH_MS = 10_000
"""How often a player may have their inventory on Steam read."""
FRESH_MS = 300_000
"""A reading that is older than this is done again when its player looks."""


class Look:
    """What one page asks the fleet. Once it is away, or the page has waited long enough, nothing more is asked."""

    def __init__(self) -> None:
        self.away = False
        self._until = time.monotonic() + settings.SITE_FLEET_PATIENCE_S

    def ask(self, call: Callable[[Client], T]) -> T | None:
        """The answer, or None: then `away` says so. A refusal of something that is not there is raised as it is."""
        if self.away or time.monotonic() > self._until:
            self.away = True
            return None
        try:
            return call(fleet.client())
        except (errors.NotFound, errors.NotAccepted):
            raise
        except (errors.FleetError, ValueError) as error:
            log.warning("the fleet does not answer a page: %s", error)
            self.away = True
            return None


# ---- items


@dataclass(frozen=True)
class Tile:
    """One item as pages show it. `mark` says what keeps it: time, lock, frozen, way or no; `why` in words, `until` when."""

    id: str
    market_hash_name: str
    cents: int | None
    icon_url: str = ""
    color: str = ""
    mark: str = ""
    why: Words = ""
    until: datetime | None = None
    link: str = ""
    chosen: bool = False
    phase: str = ""  # of a Doppler, in the balancer's words; empty: it has none, or nobody knows it

    @property
    def name(self) -> str:
        return self.market_hash_name.partition(" | ")[0]

    @property
    def finish(self) -> str:
        return self.market_hash_name.partition(" | ")[2]

    @property
    def is_ticket(self) -> bool:
        return self.market_hash_name in TICKET_NAMES

    @property
    def selectable(self) -> bool:
        """What is not settled yet may be asked for too: it is sent when it is."""
        return self.mark in ("", "time")


@dataclass(frozen=True)
class Here:
    """What a player has in custody, the most valuable first. `more`: there are items that are not shown."""

    tiles: Sequence[Tile] = ()
    more: bool = False

    @property
    def cents(self) -> int:
        return sum(tile.cents or 0 for tile in self.tiles)

    @property
    def free_cents(self) -> int:
        return sum(tile.cents or 0 for tile in self.tiles if not tile.mark)

    @property
    def waits(self) -> bool:
        return any(tile.mark == "time" for tile in self.tiles)


def here(look: Look, player: Player) -> Here:
    """Items in custody; empty, with `look.away`, if the fleet does not say."""
    rows = look.ask(lambda client: list(islice(client.each_deposit(user_id=player.user_id), ITEMS_SHOWN + 1)))
    if rows is None:
        return Here()
    mine = [row for row in rows if row.user_id == player.user_id and row.status in ("active", "withdraw_pending")]
    links = _rounds_of(player, [row.locked_by for row in mine if row.locked_by])
    tiles = sorted((_tile(row, links) for row in mine), key=lambda tile: (-(tile.cents or 0), tile.market_hash_name, tile.id))
    found = Here(tiles, len(rows) > ITEMS_SHOWN)
    worth.note(player.id, found.cents)
    return found


def _tile(row: Deposit, links: Mapping[str, str]) -> Tile:
    mark, why, until, link = _mark(row, links)
    return replace(plain(row), mark=mark, why=why, until=until, link=link)


def plain(row: Deposit) -> Tile:
    """The item alone, without what keeps it."""
    return Tile(row.deposit_id, row.market_hash_name, row.value_cents, row.icon_url, row.color, phase=row.phase or "")


def _mark(row: Deposit, links: Mapping[str, str]) -> tuple[str, Words, datetime | None, str]:
    if row.status == "withdraw_pending":
        return "way", _("on its way to Steam"), None, ""
    if row.frozen_by:
        return "frozen", words.frozen(row.frozen_by), None, ""
    if row.locked_by:
        return "lock", _("in a round"), None, links.get(row.locked_by, "")
    if row.settled_at is None:
        return "time", _("Steam may still take it back"), row.settles_at, ""
    return "", "", None, ""


def _rounds_of(player: Player, refs: Iterable[str]) -> dict[str, str]:
    """Where the round is that holds an item, by the fleet's word for its lock (`client:ref`)."""
    by_bet = {ref.partition(":")[2]: ref for ref in refs}
    bets = list(Bet.objects.filter(player=player, bet_id__in=by_bet))
    rooms = dict(Lane.objects.filter(name__in={bet.lane for bet in bets}).values_list("name", "room"))
    return {by_bet[bet.bet_id]: _address("round", rooms.get(bet.lane, "-"), bet.lane, bet.round) for bet in bets}


def _address(name: str, *arguments: object) -> str:
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


def chosen(tiles: Sequence[Tile], how: str, most_cents: int | None = None, ids: Iterable[str] = ()) -> set[str]:
    """Which are chosen: `all` free ones, `upto` (the most valuable that fit into so many cents), or these `ids`."""
    free = [tile for tile in tiles if not tile.mark and not tile.is_ticket]  # tickets are never sent to Steam
    if how == "all":
        return {tile.id for tile in free}
    if how == "upto" and most_cents is not None:
        taken, left = set(), most_cents
        for tile in free:
            if 0 < (tile.cents or 0) <= left:
                taken.add(tile.id)
                left -= tile.cents or 0
        return taken
    wanted = set(ids)
    return {tile.id for tile in tiles if tile.selectable and tile.id in wanted}


# ---- on Steam


@dataclass(frozen=True)
class OnSteam:
    """What a player has on Steam. `why` is a code, if it could not be read; then the last reading is shown."""

    tiles: Sequence[Tile] = ()
    read_ms: int | None = None
    hold_days: int | None = None
    code: str = ""
    said: str | None = None

    @property
    def cents(self) -> int:
        return sum(tile.cents or 0 for tile in self.tiles if tile.selectable)


def on_steam(look: Look, player: Player, trade_url: str, language: str, now_ms: int) -> OnSteam:
    """The last reading; a new one if it is old and nobody has asked a moment ago."""
    kept, _made = SteamInventory.objects.get_or_create(player=player)
    code, said = "", None
    is_old = kept.read_ms is None or kept.read_ms < now_ms - FRESH_MS
    if is_old and refresh_in_ms(player, now_ms) == 0:
        code, said = read_steam(look, player, trade_url, language)
        kept.refresh_from_db()
    tiles = [Tile(**row) for row in json.loads(kept.items)]
    return OnSteam([_taken(tile) for tile in tiles], kept.read_ms, kept.hold_days, code, said)


def refresh_in_ms(player: Player, now_ms: int) -> int:
    """How long until this player's inventory may be read again; 0: now, and this was the one who may."""
    SteamInventory.objects.get_or_create(player=player)
    mine = SteamInventory.objects.filter(player=player)
    if mine.filter(asked_ms__lte=now_ms - REFRESH_MS).update(asked_ms=now_ms):
        return 0
    return max(1, mine.values_list("asked_ms", flat=True).get() + REFRESH_MS - now_ms)


def read_steam(look: Look, player: Player, trade_url: str, language: str) -> tuple[str, str | None]:
    """Lets the fleet read an inventory and keeps it. Gives a code and a sentence, if it could not be read."""
    try:
        read = look.ask(
            lambda _client: fleet.client().speaking(language).inventory(str(player.steam_id), trade_url=trade_url or None)
        )
    except errors.Problem as problem:
        return problem.error_code, problem.player_message
    if read is None:
        return "inventory_busy", None
    rows: list[dict[str, Any]] = [
        {
            "id": item.asset_id,
            "market_hash_name": item.market_hash_name,
            "cents": item.value_cents,
            "icon_url": item.icon_url,
            "color": item.color,
            "phase": item.phase or "",
            "mark": "" if item.acceptable else "no",
            "why": "" if item.acceptable else item.reason or "",
        }
        for item in read.items
    ]
    rows.sort(key=lambda row: (row["mark"], -(row["cents"] or 0), row["market_hash_name"]))
    SteamInventory.objects.filter(player=player).update(
        read_ms=int(read.read_at.timestamp() * 1000), hold_days=read.hold_days, items=json.dumps(rows)
    )
    return "", None


def _taken(tile: Tile) -> Tile:
    if not tile.mark:
        return tile
    return replace(tile, mark="no", why=words.not_taken(str(tile.why)))


# ---- on its way


def offer_url(offer_id: str | None) -> str:
    """Opens this offer at Steam and no other; nothing for none."""
    return f"{settings.SITE_STEAM_URL}/tradeoffer/{offer_id}/" if offer_id and offer_id.isdigit() else ""


@dataclass(frozen=True)
class Way:
    """A trade with where it stands in words."""

    trade: Trade
    state: words.State

    @property
    def is_open(self) -> bool:
        return self.trade.status in words.OPEN

    @property
    def cents(self) -> int:
        return sum(item.value_cents for item in self.trade.items)

    @property
    def offer_url(self) -> str:
        """Where the offer is answered: while it can be."""
        waits = self.trade.status == "sent" and not self.trade.cancel_requested
        return offer_url(self.trade.offer_id) if waits else ""

    @property
    def may_cancel(self) -> bool:
        return self.trade.status in ("queued", "sending", "confirming", "sent") and not self.trade.cancel_requested

    @property
    def said(self) -> str | None:
        return self.trade.failure.player_message if self.trade.failure else None


def way(trade: Trade) -> Way:
    return Way(trade, words.state(trade.direction, trade.status, trade.waits_for, trade.cancel_requested))


@dataclass(frozen=True)
class OnTheWay:
    open: Sequence[Way] = ()
    over: Sequence[Way] = ()
    errands: Sequence[Errand] = field(default_factory=list)


def on_the_way(look: Look, player: Player) -> OnTheWay:
    """Trades under way, the newest first, and the last ones that are over; errands whose trades nobody knows yet."""
    errands = list(Errand.objects.filter(player=player).order_by("-made_ms")[:ERRANDS_SHOWN])
    known = [each for errand in errands for each in json.loads(errand.trades)][:LOOK_UP_MAX]
    found: dict[str, Trade] = {}
    for status in words.OPEN:
        page = look.ask(lambda client, status=status: client.trades(user_id=player.user_id, status=status, limit=LOOK_UP_MAX))  # type: ignore[misc]
        found |= {trade.trade_id: trade for trade in (page.trades if page else ())}
    missing = [each for each in known if each not in found]
    looked = look.ask(lambda client: client.look_up(trade_ids=missing)) if missing else None
    found |= {trade.trade_id: trade for trade in (looked.trades if looked else ())}
    mine = sorted((t for t in found.values() if t.user_id == player.user_id), key=lambda t: t.created_at, reverse=True)
    ways = [way(trade) for trade in mine]
    unsure = [errand for errand in errands if errand.state == Errand.ASKED]
    return OnTheWay([w for w in ways if w.is_open], [w for w in ways if not w.is_open][:ERRANDS_SHOWN], unsure)


def trade_of(look: Look, player: Player, trade_id: str, language: str = "") -> Trade | None:
    """A trade of this player; None if there is none of that name, or it is somebody else's."""
    if not TRADE_ID.fullmatch(trade_id):
        return None
    try:
        trade = look.ask(lambda client: client.speaking(language).trade(trade_id))
    except errors.Problem:
        return None
    return trade if trade is not None and trade.user_id == player.user_id else None


def tiles_of(look: Look, player: Player, trade: Trade) -> list[Tile]:
    """The items of a trade, with their pictures where the fleet tells them."""
    ids = [item.deposit_id for item in trade.items]
    page = look.ask(lambda client: client.deposits(ids=ids[:LOOK_UP_MAX])) if ids else None
    rows = {row.deposit_id: row for row in (page.deposits if page else ()) if row.user_id == player.user_id}
    found = []
    for item in trade.items:
        row = rows.get(item.deposit_id)
        icon, color, phase = (row.icon_url, row.color, row.phase or "") if row else ("", "", "")
        found.append(Tile(item.deposit_id, item.market_hash_name, item.value_cents, icon, color, phase=phase))
    return found


# ---- credit and the house's items


def credits(look: Look, player: Player, after: str | None = None) -> Credits | None:
    """What the house owes a player, with one page of lines: those behind the line `after`."""
    found = look.ask(lambda client: client.credits(player.user_id, after=after))
    return found if found is not None and found.user_id == player.user_id else None


def stock(look: Look, most_cents: int, count: int) -> list[Tile]:
    """Free items of the house that are worth no more than this, the most valuable first."""
    found = look.ask(lambda client: client.stock(value_max_cents=max(0, most_cents), limit=1000))
    rows: Sequence[StockRow] = sorted(found.items if found else (), key=lambda row: -row.value_cents)[:count]
    looks = dict(Kind.objects.filter(item_id__in={row.item_id for row in rows}).values_list("item_id", "color"))
    return [
        Tile(row.deposit_id, row.market_hash_name, row.value_cents, row.icon_url, looks.get(row.item_id, "")) for row in rows
    ]
