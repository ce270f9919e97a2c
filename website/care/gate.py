"""The gate: every bet is asked here, under the lock of its player's profile, and every answer is kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, Subquery
from lottery import encoding, responsible_play
from lottery.events import Denial
from lottery.responsible_play import Entry, Intent, Policy

from website.accounts.models import Player
from website.care import countries, profiles
from website.care import services as care
from website.care.models import Declaration, PlayDecision, PlayLog, Profile
from website.engine.models import Feed

LEDGER_MS = responsible_play.WINDOWS["month"]
ITEM, COIN = "item", "coin"
"""What is staked. A limit counts each of them by itself: coins are no money."""
NOTHING_SAID = responsible_play.Profile(0)
NOWHERE = "-"


@dataclass(frozen=True)
class Line:
    """One line for a player's log. `ref` makes it one line however often it is written."""

    user_id: int
    time_ms: int
    kind: str
    cents: int
    cycle: str
    ref: str
    currency: str = ITEM


def fleet_is_live() -> bool | None:
    """What the fleet says of itself: items are real, or it tests and they are play value. None: it has not been heard yet."""
    return Feed.objects.filter(reader="site").values_list("livemode", flat=True).first()


def closed_because() -> str:
    """Why nobody may play with items now: `fleet_unknown`, `not_turned_on`; "" when rooms are open.

    With real items they are closed until an operator has turned them on knowingly, and named the countries.
    """
    return _closed_because(fleet_is_live())


def _closed_because(live: bool | None) -> str:
    if live is None:
        return "fleet_unknown"
    return "not_turned_on" if live and not (settings.SITE_REAL_ITEMS and settings.SITE_COUNTRIES) else ""


def play_is_open() -> bool:
    """Whether rooms take items now."""
    return not closed_because()


def allowed_countries(live: bool | None = None) -> frozenset[str]:
    """Where may be played from: everywhere with play value, else where the operator's settings say.

    `live`: what `fleet_is_live` has just said, where that is known.
    """
    live = fleet_is_live() if live is None else live
    return frozenset(countries.CODES) if live is False else frozenset(settings.SITE_COUNTRIES)


def policy(rooms: Collection[str], live: bool | None = None) -> Policy:
    """The operator's part: in a room may play who lives in one of the countries that are allowed; no country, no play."""
    return Policy(countries=dict.fromkeys(rooms, allowed_countries(live)), pace_ms=settings.SITE_PACE_MS)


def level_is_enough(player: Player) -> bool:
    """Whether the account's Steam level is at least that of the settings; one that Steam does not show is not."""
    least: int = settings.SITE_STEAM_LEVEL_MIN
    return not least or (player.steam_level is not None and player.steam_level >= least)


def declare(player: Player, born: date, country: str, now_ms: int) -> None:
    """A player says how old they are and where they live, once. Raises IntegrityError the second time."""
    with transaction.atomic():
        Declaration.objects.create(player=player, born=born, country=country, at_ms=now_ms)
        care.change(player, lambda profile: profiles.declared(profile, born, country), now_ms)


def standing(player: Player | None, now_ms: int, least_cents: int = 1) -> Denial | None:
    """What keeps everybody, or this player, from any bet of `least_cents` or more; for pages, which say so before somebody bets
    in vain. The seconds between two games are no reason to be told: they are over before anybody has read it.
    """
    closed = closed_because()
    if closed or player is None:
        return Denial(closed) if closed else None
    if player.blocked_why:
        return Denial("blocked")
    row = Profile.objects.filter(player=player).first()
    profile = NOTHING_SAID if row is None else profiles.from_json(row.profile)
    unhurried = replace(policy(["any"]), pace_ms=0)
    answer = _of_the_site(player, profile) or responsible_play.gate(
        profile, ledger(player.id, now_ms), now_ms, Intent("bet", least_cents, "any"), unhurried
    )
    found = responsible_play.denial(answer)
    return None if found is None or found.reason == "pace" else found


def _of_the_site(player: Player, profile: responsible_play.Profile) -> Denial | None:
    """What the site asks for before the player's own limits. Who has said nothing is asked to, and not told of countries."""
    if not level_is_enough(player):
        return Denial("steam_level")
    return None if profile.verified else Denial("not_verified")


class Gate:
    """The profiles of some players, locked until the transaction ends: all of them at once, in the order of ids.

    `at_once`: each answer is kept when it is given; else all of them are by `write`, in this same transaction.
    """

    def __init__(self, player_ids: Collection[int], at_once: bool = True) -> None:
        self._at_once = at_once
        self._said: list[PlayDecision] = []
        rows = Profile.objects.select_for_update().filter(player_id__in=sorted(player_ids)).order_by("player_id")
        self._profiles = {row.player_id: profiles.from_json(row.profile) for row in rows}
        self._live = fleet_is_live()
        self._closed = _closed_because(self._live)
        # Under the locks: what stands there now stays, but for what is added here.
        self._last = _last_decisions(self._profiles) if self._profiles else {}
        self._ledgers: dict[tuple[int, str, int], Sequence[Entry]] = {}

    def ask(self, player_id: int, cents: int, room: str, cycle: str, now_ms: int) -> Denial | None:
        """Whether a bet may be made; None is yes. Kept as the next line of what the gate said to this player."""
        return self._answer(player_id, Intent("bet", cents, room, cycle), self._closed, now_ms)

    def ask_purchase(self, player_id: int, cents: int, room: str, cycle: str, now_ms: int) -> Denial | None:
        """Whether tickets of a raffle may be bought with coins, as `ask`. The fleet has no part in it."""
        return self._answer(player_id, Intent("purchase", cents, room, cycle), "", now_ms, COIN)

    def ask_deposit(self, player_id: int, cents: int, pending_cents: int, now_ms: int) -> Denial | None:
        """Whether a player may bring in so much more; None is yes. Kept as `ask` keeps its answers.

        `pending_cents` are on their way and count as if they were here. Who has declared nothing may, as they may take it home
        again: only limits hold for them.
        """
        profile = self._profiles.get(player_id) or profiles.new(player_id, care.first_limits(), now_ms)
        rules, intent = policy(["any"]), Intent("deposit", cents, "any")
        if not profile.verified or self._closed:
            profile, rules = _of_nowhere(profile), replace(rules, countries={"any": frozenset([NOWHERE])})
        seen = [*ledger(player_id, now_ms), Entry(now_ms, "deposit", pending_cents)]
        answer = responsible_play.gate(profile, seen, now_ms, intent, rules)
        self._keep(player_id, intent, answer, now_ms)
        return responsible_play.denial(answer)

    def ask_free_play(self, player_id: int, what: str, now_ms: int) -> Denial | None:
        """Whether this player may be given something to play with for nothing. Kept as `ask` keeps its answers.

        The fleet has no part in it: rooms that are closed keep nobody from it.
        """
        return self._answer(player_id, Intent("free_play", 0, what), "", now_ms)

    def _answer(self, player_id: int, intent: Intent, closed_because: str, now_ms: int, currency: str = ITEM) -> Denial | None:
        profile = self._profiles.get(player_id, NOTHING_SAID)
        closed = Denial(closed_because) if closed_because else None
        answer = (
            closed
            or self._of_the_site(player_id, profile)
            or responsible_play.gate(
                profile, self._ledger(player_id, now_ms, currency), now_ms, intent, policy([intent.room], self._live)
            )
        )
        self._keep(player_id, intent, answer, now_ms)
        return responsible_play.denial(answer)

    def _of_the_site(self, player_id: int, profile: responsible_play.Profile) -> Denial | None:
        """Who the player is counts only where a level is asked for."""
        if settings.SITE_STEAM_LEVEL_MIN:
            return _of_the_site(Player.objects.get(id=player_id), profile)
        return None if profile.verified else Denial("not_verified")

    def _keep(self, player_id: int, intent: Intent, answer: Any, now_ms: int) -> None:
        """Under the profile's lock, so that numbers have no gap. Of a player who has declared nothing, nothing is kept."""
        if player_id not in self._profiles:
            return
        number, before = self._last.get(player_id, (0, encoding.ZERO_HASH))
        line, digest = responsible_play.logged(before, player_id, intent, answer, now_ms)
        text = encoding.canonical_json(line).decode()
        self._said.append(PlayDecision(player_id=player_id, number=number + 1, line=text, hash=digest))
        self._last[player_id] = number + 1, digest
        if self._at_once:
            self.write()

    def write(self) -> None:
        """Keeps what was answered."""
        PlayDecision.objects.bulk_create(self._said)
        self._said = []

    def played(self, player_ids: Collection[int]) -> None:
        """Lines were added to these players' logs in this transaction: their next answers go by them too."""
        self._ledgers = {key: entries for key, entries in self._ledgers.items() if key[0] not in player_ids}

    def _ledger(self, player_id: int, now_ms: int, currency: str) -> Sequence[Entry]:
        """What the player staked and got back; read for all players at once where many are asked of."""
        if self._at_once:
            return ledger(player_id, now_ms, currency)
        if (player_id, currency, now_ms) not in self._ledgers:
            some = {player_id} if self._ledgers else {player_id, *self._profiles}
            self._ledgers |= {(one, currency, now_ms): entries for one, entries in ledgers(some, now_ms, currency).items()}
        return self._ledgers[player_id, currency, now_ms]


def _last_decisions(player_ids: Collection[int]) -> dict[int, tuple[int, bytes]]:
    """Number and hash of what was last kept of each player."""
    mine = PlayDecision.objects.filter(player_id=OuterRef("player_id")).order_by("-number")
    rows = Profile.objects.filter(player_id__in=sorted(player_ids)).annotate(
        last_number=Subquery(mine.values("number")[:1]), last_hash=Subquery(mine.values("hash")[:1])
    )
    return {
        row.player_id: (row.last_number, bytes(row.last_hash)) for row in rows.only("player_id") if row.last_number is not None
    }


def _of_nowhere(profile: responsible_play.Profile) -> responsible_play.Profile:
    """The same limits and pauses, without a word about who it is."""
    born = profile.born or date(1900, 1, 1)
    return replace(profile, verified=True, born=born, identity_country=NOWHERE, connection_country=NOWHERE)


def ledger(player_id: int, now_ms: int, currency: str = ITEM) -> Sequence[Entry]:
    """What a player staked and got back in the longest window that a limit has, the oldest first.

    What was written before counts now, though the clock of who wrote it was ahead of ours.
    """
    return ledgers([player_id], now_ms, currency)[player_id]


def ledgers(player_ids: Collection[int], now_ms: int, currency: str = ITEM) -> dict[int, list[Entry]]:
    """The same of several players."""
    found: dict[int, list[Entry]] = {player_id: [] for player_id in player_ids}
    rows = PlayLog.objects.filter(player_id__in=sorted(found), currency=currency, time_ms__gt=now_ms - LEDGER_MS)
    columns = ("player_id", "time_ms", "kind", "cents", "cycle")
    for player_id, time_ms, kind, cents, cycle in rows.order_by("time_ms", "id").values_list(*columns):
        found[player_id].append(Entry(min(time_ms, now_ms), kind, cents, cycle))
    return found


def note(lines: Sequence[Line]) -> None:
    """Writes lines of players' logs; what is there already stays."""
    rows = [
        PlayLog(
            player_id=line.user_id,
            time_ms=line.time_ms,
            kind=line.kind,
            currency=line.currency,
            cents=line.cents,
            cycle=line.cycle,
            ref=line.ref,
        )
        for line in sorted(lines, key=lambda line: line.ref)
    ]
    PlayLog.objects.bulk_create(rows, ignore_conflicts=True)
