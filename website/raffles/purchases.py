"""What a player wants to buy, written down; an engine decides (`engine.raffles`)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from lottery.bets import CLIENT_SEED_BYTES
from lottery.rules import TICKETS_MAX

from website.accounts.models import Player
from website.live import hints
from website.raffles import instances
from website.raffles.models import Purchase
from website.rooms.models import Lane
from website.rooms.services import TOKEN_MAX, BetError


@dataclass(frozen=True)
class Wanted:
    """What a player asks for. `token` is the form's own word: the same one is the same purchase, however often it is sent."""

    lane: str
    round: int
    quantity: int
    token: str
    client_seed: str = ""


def buy(player: Player, wanted: Wanted, now_ms: int) -> Purchase:
    """Writes down what a player wants. The same token again gives the same purchase.

    Raises BetError for what is no purchase at all, or for a token that was used for another one.
    """
    _check(wanted)
    try:
        with transaction.atomic():
            hints.work(wanted.lane)
            return Purchase.objects.create(
                purchase_id=f"buy_{uuid.uuid4().hex}",
                lane=wanted.lane,
                round=wanted.round,
                player=player,
                token=wanted.token,
                quantity=wanted.quantity,
                client_seed=wanted.client_seed,
                created_ms=now_ms,
                touched_ms=now_ms,
            )
    except IntegrityError:
        return _again(player, wanted)


def _again(player: Player, wanted: Wanted) -> Purchase:
    row = Purchase.objects.get(player=player, token=wanted.token)
    if (wanted.lane, wanted.round, wanted.quantity, wanted.client_seed) != (row.lane, row.round, row.quantity, row.client_seed):
        raise BetError("token_reused", "This form was sent before, with another purchase.")
    return row


def _check(wanted: Wanted) -> None:
    if not 1 <= len(wanted.token) <= TOKEN_MAX:
        raise BetError("token", f"A token has 1 to {TOKEN_MAX} signs.")
    if len(wanted.client_seed.encode()) > CLIENT_SEED_BYTES:
        raise BetError("client_seed", f"At most {CLIENT_SEED_BYTES} bytes.")
    if not 1 <= wanted.quantity <= TICKETS_MAX or not 1 <= wanted.round < 2**53:
        raise BetError("number", "Tickets and rounds are positive.")
    if instances.slot_of(wanted.lane) is None or not Lane.objects.filter(name=wanted.lane).exists():
        raise BetError("lane", "There is no such raffle.")
