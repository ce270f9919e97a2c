"""What a player decides about their own play. All of it under the profile's row, which every bet takes too: what is decided
holds from the moment of the answer (W26)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from django.conf import settings
from django.db import transaction
from lottery import responsible_play
from lottery.errors import LotteryError
from lottery.responsible_play import DAY_MS, EXCLUSION_MIN_MS, Limit

from website.accounts.models import Player
from website.care import profiles
from website.care.models import Profile

MINUTE_MS = 60_000
REALITY_MINUTES = (15, 30, 60)
TIME_OUT_DAYS = (1, 3, 7, 14, 30)
EXCLUSION_DAYS = (EXCLUSION_MIN_MS // DAY_MS, 365, 5 * 365)
HELD = ("deposit", "stake", "loss")
CENTS_MAX = 100_000_000_00


class CareError(Exception):
    """What is asked for cannot be: `code` is `no_such_limit`, `too_early`, `nothing_asked`, `too_short`, `shortened`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def change(
    player: Player, decide: Callable[[responsible_play.Profile], responsible_play.Profile], now_ms: int
) -> responsible_play.Profile:
    """Replaces a player's profile, which is made if there is none."""
    with transaction.atomic():
        ensure(player, now_ms)
        row = Profile.objects.select_for_update().get(player=player)
        changed = decide(profiles.from_json(row.profile))
        row.profile, row.version = profiles.to_json(changed), row.version + 1
        row.save(update_fields=["profile", "version"])
    return changed


def ensure(player: Player, now_ms: int) -> None:
    """A profile for who has none yet: a row that everything about their limits takes turns at."""
    fresh = profiles.to_json(profiles.new(player.id, first_limits(), now_ms))
    Profile.objects.get_or_create(player=player, defaults={"profile": fresh})


def of(player: Player, now_ms: int) -> responsible_play.Profile:
    """As it is; that of somebody who has never chosen anything, if there is none."""
    row = Profile.objects.filter(player=player).first()
    return profiles.new(player.id, first_limits(), now_ms) if row is None else profiles.from_json(row.profile)


def first_limits() -> tuple[Limit, ...]:
    """What holds for a player who has chosen nothing."""
    return tuple(Limit(kind, window, int(cents)) for kind, window, cents in settings.SITE_LIMITS)


def set_limit(player: Player, kind: str, window: str, cents: int | None, now_ms: int) -> responsible_play.Profile:
    """A lower or first limit holds at once. A higher one, or none (None), waits for a day and a second consent.

    Raises CareError.
    """
    _check(kind, window)
    if cents is None:
        return change(player, lambda profile: _drop(profile, kind, window, now_ms), now_ms)
    if not 0 <= cents <= CENTS_MAX:
        raise CareError("no_such_limit")
    return change(player, lambda profile: responsible_play.set_limit(profile, Limit(kind, window, cents), now_ms), now_ms)


def _drop(profile: responsible_play.Profile, kind: str, window: str, now_ms: int) -> responsible_play.Profile:
    if not any((limit.kind, limit.window) == (kind, window) for limit in profile.limits):
        raise CareError("nothing_asked")
    return responsible_play.drop_limit(profile, kind, window, now_ms)


def confirm(player: Player, kind: str, window: str, now_ms: int) -> responsible_play.Profile:
    """The second consent to a higher limit, a day after the first. Raises CareError."""
    _check(kind, window)

    def decide(profile: responsible_play.Profile) -> responsible_play.Profile:
        asked = next((each for each in profile.raises if (each.kind, each.window) == (kind, window)), None)
        if asked is None:
            raise CareError("nothing_asked")
        if now_ms < asked.asked_ms + responsible_play.RAISE_AFTER_MS:
            raise CareError("too_early")
        return responsible_play.confirm_raise(profile, kind, window, now_ms)

    return change(player, decide, now_ms)


def forget_raise(player: Player, kind: str, window: str, now_ms: int) -> responsible_play.Profile:
    """A higher limit that was asked for is not wanted any more. Raises CareError."""
    _check(kind, window)

    def decide(profile: responsible_play.Profile) -> responsible_play.Profile:
        kept = tuple(each for each in profile.raises if (each.kind, each.window) != (kind, window))
        return replace(profile, raises=kept)

    return change(player, decide, now_ms)


def take_time_out(player: Player, days: int, now_ms: int) -> responsible_play.Profile:
    """No bets for some days; it can be made longer, never shorter. Raises CareError."""
    if days not in TIME_OUT_DAYS:
        raise CareError("too_short")
    until = now_ms + days * DAY_MS
    return change(player, lambda profile: _or_shortened(responsible_play.take_time_out, profile, now_ms, until), now_ms)


def exclude(player: Player, days: int | None, now_ms: int) -> responsible_play.Profile:
    """No bets for so many days, or for good (None); nobody can end it early. Raises CareError."""
    if days is not None and days not in EXCLUSION_DAYS:
        raise CareError("too_short")
    until = None if days is None else now_ms + days * DAY_MS
    return change(player, lambda profile: _or_shortened(responsible_play.exclude, profile, now_ms, until), now_ms)


def _or_shortened(
    decide: Callable[..., responsible_play.Profile],
    profile: responsible_play.Profile,
    now_ms: int,
    until: int | None,
) -> responsible_play.Profile:
    try:
        return decide(profile, now_ms, until)
    except LotteryError:
        raise CareError("shortened") from None


def check_every(player: Player, minutes: int, now_ms: int) -> responsible_play.Profile:
    """How often the reality check comes. Raises CareError."""
    if minutes not in REALITY_MINUTES:
        raise CareError("no_such_limit")
    return change(player, lambda profile: replace(profile, reality_every_ms=minutes * MINUTE_MS), now_ms)


def answer_reality(player: Player, now_ms: int) -> responsible_play.Profile:
    """The player has seen the figures, and goes on."""
    return change(player, lambda profile: responsible_play.answer_reality(profile, now_ms), now_ms)


def _check(kind: str, window: str) -> None:
    if kind not in HELD or window not in responsible_play.WINDOWS:
        raise CareError("no_such_limit")
