"""Who is above a player: inviters are fixed at registration, and count from the invited player's first deposit."""

from __future__ import annotations

import itertools

from django.conf import settings
from django.http import HttpResponseBase
from lottery import referral
from lottery.referral import DEPTH_MAX, Registration

from website.accounts.models import CODE_SIGNS, Player
from website.engine.models import Call

COOKIE = "invited"
COOKIE_S = 30 * 86_400


def inviter(code: str) -> Player | None:
    """Whose link it is; None for a code that nobody has."""
    return Player.objects.filter(code=code).first() if code and set(code) <= set(CODE_SIGNS) else None


def remember(response: HttpResponseBase, inviter: Player) -> None:
    """Until this browser's owner registers."""
    response.set_cookie(
        COOKIE, inviter.code, max_age=COOKIE_S, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )


def inviters(player: Player, now_ms: int) -> tuple[int, ...]:
    """The inviters whose links are active now, nearest first, as many as the lottery pays.

    The chain ends before somebody whom the fleet does not know: it could credit nobody, and would refuse the whole round.
    """
    known: dict[int, Registration] = {}
    current: Player | None = player
    while current is not None and len(known) <= DEPTH_MAX:
        known[current.id] = Registration(current.id, current.registered_ms, current.inviter_id, current.first_deposit_ms)
        current = None if current.first_deposit_ms is None else current.inviter
    found = referral.chain(player.id, known, now_ms)
    refs = [str(user_id) for user_id in found]
    unknown = set(Call.objects.filter(kind=Call.USER, ref__in=refs).exclude(state=Call.DONE).values_list("ref", flat=True))
    return tuple(itertools.takewhile(lambda user_id: str(user_id) not in unknown, found))
