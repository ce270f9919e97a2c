"""Responsible play: one pure question before each deposit, bet and purchase; the answer is `ALLOW` or a denial with its end.

Sources are those of the specification: UKGC licence conditions and technical standards (RTS 12, 13, 14), the Malta directive on
player protection. The caller keeps the ledger, logs every answer (`logged`), and shows what has to be shown. Nothing here stops
a withdrawal. Times in unix ms, money in cents.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from lottery import encoding
from lottery.encoding import TAG
from lottery.errors import LotteryError
from lottery.events import Denial

SECOND_MS = 1_000
HOUR_MS = 3_600 * SECOND_MS
DAY_MS = 24 * HOUR_MS
WINDOWS = {"day": DAY_MS, "week": 7 * DAY_MS, "month": 30 * DAY_MS}
EXCLUSION_MIN_MS = 183 * DAY_MS
TIME_OUT_MIN_MS = DAY_MS
TIME_OUT_MAX_MS = 30 * DAY_MS
RAISE_AFTER_MS = DAY_MS
PACE_MS = 5 * SECOND_MS
FOREVER = None
INTENTS = ("deposit", "bet", "purchase", "free_play", "withdraw")
STAKES = ("bet", "purchase")
LIMITS = ("deposit", "stake", "loss")


class Allow(NamedTuple):
    """Yes."""


ALLOW = Allow()
Answer = Allow | Denial


class Intent(NamedTuple):
    """What a user is about to do: `cents` at stake or deposited, `room` and `cycle` (the round) of a bet or purchase."""

    kind: str
    cents: int = 0
    room: str = ""
    cycle: str = ""


class Entry(NamedTuple):
    """One line of a user's ledger, oldest first. `kind`: deposit, stake, return (items at the prices of their round)."""

    time_ms: int
    kind: str
    cents: int
    cycle: str = ""


class Limit(NamedTuple):
    """At most `cents` of `kind` (deposit, stake, loss) within any `window` (day, week, month)."""

    kind: str
    window: str
    cents: int


class Raise(NamedTuple):
    """A limit that is to become higher (None: to go), asked for at `asked_ms`; it needs a day and a second consent."""

    kind: str
    window: str
    cents: int | None
    asked_ms: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known about a user. `verified` names, address and date of birth; `None` as an end of an exclusion is for good."""

    user_id: int
    born: date | None = None
    verified: bool = False
    identity_country: str = ""
    connection_country: str = ""
    excluded: bool = False
    excluded_until: int | None = FOREVER
    national_exclusion: bool = False
    national_until: int | None = FOREVER
    time_out_until: int = 0
    limits_prompted: bool = False
    limits: tuple[Limit, ...] = ()
    raises: tuple[Raise, ...] = ()
    reality_every_ms: int = HOUR_MS
    reality_answered_ms: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's part: countries are denied unless a room lists them; `ages` above the 18 that hold everywhere."""

    countries: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ages: Mapping[str, int] = field(default_factory=dict)
    age_min: int = 18
    pace_ms: int = PACE_MS


def gate(profile: Profile, ledger: Sequence[Entry], now: int, intent: Intent, policy: Policy) -> Answer:
    """Whether the user may do this now; the first reason against it is the answer. Raises LotteryError for no intent."""
    if intent.kind not in INTENTS:
        raise LotteryError(f"no intent {intent.kind!r}")
    if intent.kind == "withdraw":
        return ALLOW
    reasons = (
        _jurisdiction(profile, intent, policy),
        _identity(profile, now, policy),
        _exclusion(profile, now),
        _limits_choice(profile, intent),
        _reality(profile, now, intent),
        _pace(ledger, now, intent, policy),
        *(_limit(limit, ledger, now, intent) for limit in profile.limits),
    )
    return next((reason for reason in reasons if reason is not None), ALLOW)


def denial(answer: Answer) -> Denial | None:
    """The answer in the form in which a bet carries it."""
    return answer if isinstance(answer, Denial) else None


# ---- reasons, in the order in which they are given


def _jurisdiction(profile: Profile, intent: Intent, policy: Policy) -> Denial | None:
    if intent.kind == "deposit":
        allowed = frozenset().union(*policy.countries.values())
    else:
        allowed = policy.countries.get(intent.room, frozenset())
    for country in (profile.identity_country, profile.connection_country):
        if country not in allowed:
            return Denial("country")
    return None


def _identity(profile: Profile, now: int, policy: Policy) -> Denial | None:
    if not profile.verified or profile.born is None:
        return Denial("not_verified")
    needed = max(policy.age_min, policy.ages.get(profile.identity_country, 0))
    today = datetime.fromtimestamp(now // SECOND_MS, UTC).date()
    if age(profile.born, today) < needed:
        return Denial("under_age", _midnight_ms(_birthday(profile.born, needed)))
    return None


def age(born: date, today: date) -> int:
    """Full years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _birthday(born: date, years: int) -> date:
    """The day on which somebody is so old; who was born on 29 February waits for 1 March in a common year."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND_MS


def _exclusion(profile: Profile, now: int) -> Denial | None:
    for holds, until, reason in (
        (profile.excluded, profile.excluded_until, "self_excluded"),
        (profile.national_exclusion, profile.national_until, "national_list"),
    ):
        if holds and (until is None or now < until):
            return Denial(reason, until)
    if now < profile.time_out_until:
        return Denial("time_out", profile.time_out_until)
    return None


def _limits_choice(profile: Profile, intent: Intent) -> Denial | None:
    """Before the first deposit the user is asked for a limit; "none" is an answer too."""
    return Denial("limits_not_chosen") if intent.kind == "deposit" and not profile.limits_prompted else None


def _reality(profile: Profile, now: int, intent: Intent) -> Denial | None:
    due = profile.reality_answered_ms + profile.reality_every_ms
    return Denial("reality_check") if intent.kind in STAKES and now >= due else None


def _pace(ledger: Sequence[Entry], now: int, intent: Intent, policy: Policy) -> Denial | None:
    """A new game at least five seconds after the last stake in another one; several bets in one round are one game."""
    if intent.kind not in STAKES:
        return None
    last = next((entry for entry in reversed(ledger) if entry.kind == "stake"), None)
    if last is None or last.cycle == intent.cycle or now >= last.time_ms + policy.pace_ms:
        return None
    return Denial("pace", last.time_ms + policy.pace_ms)


def _limit(limit: Limit, ledger: Sequence[Entry], now: int, intent: Intent) -> Denial | None:
    concerns = ("deposit",) if limit.kind == "deposit" else STAKES
    if intent.kind not in concerns:
        return None
    window = WINDOWS[limit.window]
    if used(limit.kind, ledger, now, window) + intent.cents <= limit.cents:
        return None
    return Denial(f"{limit.kind}_limit", _free_at(limit, ledger, now, intent.cents))


def used(kind: str, ledger: Iterable[Entry], now: int, window_ms: int) -> int:
    """What of a limit is used in the window that ends now: gross deposits, stakes, or stakes less returns (at least 0)."""
    recent = [entry for entry in ledger if now - window_ms < entry.time_ms <= now]
    if kind == "loss":
        return max(0, sum({"stake": entry.cents, "return": -entry.cents}.get(entry.kind, 0) for entry in recent))
    return sum(entry.cents for entry in recent if entry.kind == kind)


def _free_at(limit: Limit, ledger: Sequence[Entry], now: int, cents: int) -> int | None:
    """When old entries have left the window far enough, if nothing is added; None when the amount alone is too much."""
    window = WINDOWS[limit.window]
    moments = sorted(entry.time_ms + window for entry in ledger if entry.time_ms + window > now)
    return next((at for at in moments if used(limit.kind, ledger, at, window) + cents <= limit.cents), None)


# ---- what a user may change


def set_limit(profile: Profile, limit: Limit, now: int) -> Profile:
    """A lower or first limit holds at once; a higher one is noted and waits a day for a second consent (`confirm_raise`)."""
    _check_limit(limit)
    old = _limit_of(profile, limit.kind, limit.window)
    if old is None or limit.cents <= old.cents:
        kept = tuple(each for each in profile.limits if each != old)
        return replace(_without_raise(profile, limit), limits=(*kept, limit), limits_prompted=True)
    asked = Raise(limit.kind, limit.window, limit.cents, now)
    return replace(_without_raise(profile, limit), raises=(*_without_raise(profile, limit).raises, asked))


def drop_limit(profile: Profile, kind: str, window: str, now: int) -> Profile:
    """To have no limit is the highest raise: it waits for a day and a second consent too."""
    asked = Raise(kind, window, None, now)
    cleared = _without_raise(profile, asked)
    return replace(cleared, raises=(*cleared.raises, asked))


def confirm_raise(profile: Profile, kind: str, window: str, now: int) -> Profile:
    """The second consent. Raises LotteryError when nothing was asked for, or less than a day has passed."""
    asked = next((each for each in profile.raises if (each.kind, each.window) == (kind, window)), None)
    if asked is None:
        raise LotteryError(f"no raise of the {kind} limit per {window} was asked for")
    if now < asked.asked_ms + RAISE_AFTER_MS:
        raise LotteryError(f"a raise waits until {asked.asked_ms + RAISE_AFTER_MS}")
    kept = tuple(each for each in profile.limits if (each.kind, each.window) != (kind, window))
    new = () if asked.cents is None else (Limit(kind, window, asked.cents),)
    return replace(_without_raise(profile, asked), limits=(*kept, *new))


def _check_limit(limit: Limit) -> None:
    if limit.kind not in LIMITS or limit.window not in WINDOWS or limit.cents < 0:
        raise LotteryError(f"no such limit: {limit}")


def _limit_of(profile: Profile, kind: str, window: str) -> Limit | None:
    return next((each for each in profile.limits if (each.kind, each.window) == (kind, window)), None)


def _without_raise(profile: Profile, limit: Limit | Raise) -> Profile:
    kept = tuple(each for each in profile.raises if (each.kind, each.window) != (limit.kind, limit.window))
    return replace(profile, raises=kept)


def exclude(profile: Profile, now: int, until: int | None) -> Profile:
    """Self-exclusion, at once: for good (None) or at least half a year; it can be extended, never shortened.

    Raises LotteryError for a shorter one.
    """
    if until is not None and until < now + EXCLUSION_MIN_MS:
        raise LotteryError("a self-exclusion lasts at least six months")
    holds = profile.excluded and (profile.excluded_until is None or now < profile.excluded_until)
    if holds and until is not None and (profile.excluded_until is None or until < profile.excluded_until):
        raise LotteryError("a self-exclusion is never shortened")
    return replace(profile, excluded=True, excluded_until=until)


def take_time_out(profile: Profile, now: int, until: int) -> Profile:
    """A time-out of a day to 30 days; it can be extended, never shortened. Raises LotteryError otherwise."""
    if not now + TIME_OUT_MIN_MS <= until <= now + TIME_OUT_MAX_MS:
        raise LotteryError("a time-out lasts from 24 hours to 30 days")
    if until < profile.time_out_until:
        raise LotteryError("a time-out is never shortened")
    return replace(profile, time_out_until=until)


class Reality(NamedTuple):
    """What a reality check shows: time since the last one, staked, returned less staked."""

    played_ms: int
    staked: int
    net: int


def reality(profile: Profile, ledger: Iterable[Entry], now: int) -> Reality:
    """The figures of the next reality check."""
    recent = [entry for entry in ledger if profile.reality_answered_ms <= entry.time_ms <= now]
    staked = sum(entry.cents for entry in recent if entry.kind == "stake")
    returned = sum(entry.cents for entry in recent if entry.kind == "return")
    return Reality(now - profile.reality_answered_ms, staked, returned - staked)


def answer_reality(profile: Profile, now: int) -> Profile:
    """The user has seen and answered the reality check."""
    return replace(profile, reality_answered_ms=now)


def logged(previous: bytes, user_id: int, intent: Intent, answer: Answer, now: int) -> tuple[dict[str, Any], bytes]:
    """One line of the audit trail and the hash after it: each hash covers the one before, so no line can be left out."""
    said = denial(answer)
    line: dict[str, Any] = {
        "time_ms": now,
        "user_id": user_id,
        "intent": intent.kind,
        "cents": intent.cents,
        "room": intent.room,
        "answer": "allow" if said is None else "deny",
        "reason": None if said is None else said.reason,
        "until": None if said is None else said.until,
    }
    return line, encoding.sha256(TAG("lot2.gate"), previous, encoding.LP(encoding.canonical_json(line)))
