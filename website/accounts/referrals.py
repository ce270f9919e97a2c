"""Who is above a player: inviters are fixed at registration, and count from the invited player's first deposit."""

from __future__ import annotations

from lottery import referral
from lottery.referral import DEPTH_MAX, Registration

from website.accounts.models import Player


def inviters(player: Player, now_ms: int) -> tuple[int, ...]:
    """The inviters whose links are active now, nearest first, as many as the lottery pays."""
    known: dict[int, Registration] = {}
    current: Player | None = player
    while current is not None and len(known) <= DEPTH_MAX:
        known[current.id] = Registration(current.id, current.registered_ms, current.inviter_id, current.first_deposit_ms)
        current = None if current.first_deposit_ms is None else current.inviter
    return referral.chain(player.id, known, now_ms)
