"""The referral chain: a share of the rake really collected goes to the winner's inviter, a share of that to the next one.

Paid by the house, never by the winner. With at most 40 % all levels together stay below the rake: rake·X/(1−X).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lottery.errors import LotteryError

DEPTH_MAX = 20


@dataclass(frozen=True, slots=True)
class Registration:
    """A user as registered: when, by whom invited (fixed then), and the time of the first deposit (None: not yet). Unix ms."""

    user_id: int
    registered_ms: int
    inviter: int | None = None
    first_deposit_ms: int | None = None


def credits(collected: int, percent: int, levels: int) -> list[int]:
    """Cents for each level, nearest inviter first: floor of the percentage of the level before; ends before the first 0.

    >>> credits(1000, 20, 20)
    [200, 40, 8, 1]
    """
    cents, amount = [], collected
    for _ in range(min(levels, DEPTH_MAX)):
        amount = amount * percent // 100
        if not amount:
            break
        cents.append(amount)
    return cents


def check_registration(new: Registration, known: Mapping[int, Registration]) -> None:
    """An inviter must be known and have registered earlier, so that there are no circles. Raises LotteryError."""
    if new.inviter is None:
        return
    if new.inviter == new.user_id:
        raise LotteryError("a user cannot be their own inviter")
    inviter = known.get(new.inviter)
    if inviter is None:
        raise LotteryError(f"inviter {new.inviter} is not registered")
    if inviter.registered_ms >= new.registered_ms:
        raise LotteryError(f"inviter {new.inviter} registered later")


def chain(user_id: int, known: Mapping[int, Registration], now: int) -> tuple[int, ...]:
    """The inviters above a user, nearest first, at most 20. A link counts from the invited user's first deposit."""
    found: list[int] = []
    current = known.get(user_id)
    while current is not None and current.inviter is not None and len(found) < DEPTH_MAX:
        if current.first_deposit_ms is None or current.first_deposit_ms > now:
            break
        found.append(current.inviter)
        current = known.get(current.inviter)
    return tuple(found)


def entry(user_id: int, base: int, inviters: Sequence[int], percent: int) -> dict[str, object] | None:
    """One line of `outcome.referral`, or None when nobody invited the winner or nothing was collected."""
    if not inviters or base <= 0:
        return None
    paid = credits(base, percent, len(inviters))
    return {"user_id": user_id, "base": base, "inviters": list(inviters), "credits": paid}
