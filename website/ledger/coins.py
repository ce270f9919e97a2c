"""Play coins that players take themselves: a welcome, once for each Steam account, and a top-up on each day (UTC).

Both ask for a Steam level and an age of the Steam account, so that nobody makes accounts for them, and both ask the gate: who
has excluded themselves gets none. What is given on one day comes from an account of that day, whose floor is the day's total;
so the database itself gives no more, whatever runs at once.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.db import transaction
from lottery.events import Denial
from lottery.responsible_play import DAY_MS

from website.accounts.models import Player
from website.care.gate import Gate
from website.ledger import services
from website.ledger.models import Account, Entry
from website.ledger.services import LedgerError, NotEnoughError, Wanted


class CoinsError(LedgerError):
    """No coins are given. `code`: `turned_off`, `blocked`, `steam_level`, `steam_age`, `day_is_used_up`, or what the gate says.

    `until_ms`: when it may be tried again, where that is known.
    """

    def __init__(self, code: str, until_ms: int | None = None) -> None:
        super().__init__(code, f"no coins are given: {code}")
        self.until_ms = until_ms


def welcome(player: Player, now_ms: int) -> Entry:
    """Coins to begin with. The second time it is the same entry, and nothing moves. Raises CoinsError."""
    return _give(player, welcome_ref(player), settings.SITE_COINS_WELCOME, now_ms)


def daily(player: Player, now_ms: int) -> Entry:
    """The coins of this day. The second time on one day it is the same entry, and nothing moves. Raises CoinsError."""
    return _give(player, daily_ref(player, now_ms), settings.SITE_COINS_DAILY, now_ms)


def welcome_ref(player: Player) -> str:
    """Of the entry that gives a welcome."""
    return f"welcome:{player.steam_id}"


def daily_ref(player: Player, now_ms: int) -> str:
    """Of the entry that gives the coins of this day."""
    return f"daily:{player.steam_id}:{_day(now_ms)}"


def _give(player: Player, ref: str, cents: int, now_ms: int) -> Entry:
    """Under the player's profile, so that requests of one player take turns. What the gate refuses stands in its log."""
    try:
        with transaction.atomic():
            gate = Gate([player.id])
            before = Entry.objects.filter(ref=ref).first()
            if before is not None:
                return before
            refused = _not_for(player.id, cents, now_ms) or gate.ask_free_play(player.id, "coins", now_ms)
            if refused is None:
                return services.post(_wanted(player, ref, cents, now_ms), now_ms)
    except NotEnoughError:
        raise CoinsError("day_is_used_up", (now_ms // DAY_MS + 1) * DAY_MS) from None
    raise CoinsError(refused.reason, refused.until)


def _not_for(player_id: int, cents: int, now_ms: int) -> Denial | None:
    """What keeps this player from coins before the gate is asked. What Steam does not show is too little."""
    if cents <= 0:
        return Denial("turned_off")
    player = Player.objects.get(id=player_id)
    if player.blocked_why:
        return Denial("blocked")
    level, days = settings.SITE_COINS_STEAM_LEVEL_MIN, settings.SITE_COINS_STEAM_AGE_DAYS
    if level and (player.steam_level is None or player.steam_level < level):
        return Denial("steam_level")
    if days and player.steam_made_ms is None:
        return Denial("steam_age")
    old_enough_ms = (player.steam_made_ms or 0) + days * DAY_MS
    return Denial("steam_age", old_enough_ms) if days and now_ms < old_enough_ms else None


def _wanted(player: Player, ref: str, cents: int, now_ms: int) -> Wanted:
    """The account of the day is made with the total of the settings, and keeps it until the day is over."""
    mint = f"{services.MINT}:{_day(now_ms)}"
    account = Account(owner=mint, kind=Account.MINT, floor_cents=-settings.SITE_COINS_DAY_TOTAL)
    Account.objects.bulk_create([account], ignore_conflicts=True)
    return Wanted(ref, Entry.GRANT, f"player {player.id}", {mint: -cents, services.wallet(player.id): cents})


def _day(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()
