"""Sends players their messages, in the transaction of what they are told of.

Mailboxes are the last thing that a transaction locks, all of them in one statement and in the order of ids, so two transactions
never wait for each other's. (They are rows of their own because profiles are locked first, before anybody knows whom there will
be something to tell.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from lottery import encoding

from website.live import hints
from website.live.models import Mailbox, UserMessage

KINDS = (
    "deposit_arrived",  # deposits, cents, trade: the items are in custody; Steam may still take them back
    "deposit_settled",  # deposits, trade: nobody can take them back any more
    "withdrawal_done",  # deposits, trade: Steam has given them
    "blocked",  # reason: the fleet trusts this player no more until somebody has looked
    "bet_placed",  # bet, lane, round, cents, items (their count)
    "bet_refused",  # bet, lane, round, code, details: nothing of it is bound any more
    "won",  # lane, round, cents, items, credit_cents: all that this player got of a round
    "returned",  # lane, round, reason: the round is void, what was staked is being freed
    "tickets_bought",  # purchase, lane, round, cents (of coins), tickets (their count)
    "tickets_refused",  # purchase, lane, round, code, details: nothing was paid
    "raffle_won",  # lane, round, prize, kind (item, key, hand)
    "made_good",  # lane, round, deposit, cents: what was lost on the way is credited
    "exchanged",  # exchange, took (deposit ids), rest_cents
    "exchange_refused",  # exchange, code
)


@dataclass(frozen=True)
class Letter:
    """One message before it has its number. `kind` is one of `KINDS`, `body` plain JSON values."""

    user_id: int
    kind: str
    body: Mapping[str, Any]


def send(letters: Sequence[Letter], now_ms: int) -> None:
    """Writes them, each player's in the order given, and hints at them after the commit. Inside a transaction, at its end."""
    if not letters:
        return
    people = sorted({letter.user_id for letter in letters})
    Mailbox.objects.bulk_create([Mailbox(player_id=each) for each in people], ignore_conflicts=True)
    locked = Mailbox.objects.select_for_update().filter(player_id__in=people).order_by("player_id")
    boxes = {box.player_id: box for box in locked}
    rows = []
    for letter in letters:
        box = boxes[letter.user_id]
        box.seq += 1
        body = encoding.canonical_json(dict(letter.body)).decode()
        rows.append(UserMessage(player_id=letter.user_id, seq=box.seq, at_ms=now_ms, kind=letter.kind, body=body))
    Mailbox.objects.bulk_update(boxes.values(), ["seq"])
    UserMessage.objects.bulk_create(rows)
    told = [(hints.user_channel(row.player_id), hints.message(row.seq, row.at_ms, row.kind, row.body)) for row in rows]
    transaction.on_commit(lambda: hints.publish(told), robust=True)
