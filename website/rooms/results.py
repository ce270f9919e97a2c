"""What became of a player's last bet: it stays on pages after the room has moved on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from website.accounts.models import Player
from website.rooms import reading, words
from website.rooms.models import Bet, Round, RoundPlayer

SHOWN_MS = 24 * 3_600_000
"""So long a result is shown after the round was sealed."""
WAITS, WON, NOTHING, VOID = "waits", "won", "nothing", "void"


@dataclass(frozen=True)
class Result:
    """A round that a player bet in: what they staked, and what came back, in cents. `kind`: waits, won, nothing, void."""

    row: Round
    kind: str
    staked: int
    back: int

    @property
    def title(self) -> str:
        return words.title(self.row.room)

    @property
    def gained(self) -> bool:
        """More came back than was staked: less is no win, whatever it is called."""
        return self.back > self.staked


def last(player: Player | None, now_ms: int, but: Round | None = None) -> Result | None:
    """Of the player's newest bet, unless it is in the round `but`, which the page shows anyway. None: nothing to be told."""
    if player is None:
        return None
    bet = Bet.objects.filter(player=player, state__in=(Bet.PLACED, Bet.OVER)).order_by("-id").first()
    if bet is None or (but is not None and (bet.lane, bet.round) == (but.lane, but.round)):
        return None
    row = Round.objects.defer("record").filter(lane=bet.lane, round=bet.round).first()
    if row is None or (row.sealed_ms is not None and row.sealed_ms < now_ms - SHOWN_MS):
        return None
    staked = RoundPlayer.objects.filter(lane=row.lane, round=row.round, user_id=player.id).values_list("value_cents", flat=True)
    return _result(row, player.id, staked.first() or 0)


def _result(row: Round, user_id: int, staked: int) -> Result:
    if row.sealed_ms is None:
        return Result(row, WAITS, staked, 0)
    if row.void_reason or row.phase != "sealed":
        return Result(row, VOID, staked, staked)
    back = _back(row, user_id)
    return Result(row, WON if back else NOTHING, staked, back)


def _back(row: Round, user_id: int) -> int:
    """What the outcome gives a player: their claim, and the prizes that the house had put in."""
    payouts: list[dict[str, Any]] = json.loads(row.outcome).get("payouts", []) if row.outcome else []
    own = next((each for each in payouts if each["user_id"] == user_id), None)
    if own is None:
        return 0
    promised = {piece.deposit_id: piece.price for piece in reading.created(row).guarantees} if own["guarantees"] else {}
    return int(own["claim"]) + sum(promised.get(number, 0) for number in own["guarantees"])
