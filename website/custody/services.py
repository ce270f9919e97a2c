"""What players ask of the fleet's custody. The engine carries it out; the fleet decides."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from website.accounts.models import Player
from website.custody.models import Exchange
from website.engine.models import Call
from website.live import hints, post
from website.live.post import Letter

TOKEN_MAX = 64
ITEMS_MAX = 1_000
"""What the fleet takes in one exchange."""


class ExchangeError(Exception):
    """An exchange that cannot even be kept; `code` is for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Swap:
    """What a player gives, items or cents of credit, and takes: `count` tickets of a name, or items of the house by their ids.

    `seen_cents`: what the given items were worth on the page. `token` is the form's own word: the same one, the same exchange.
    """

    give: Sequence[str]
    seen_cents: int
    token: str
    ticket: str = ""
    count: int = 0
    deposit_ids: Sequence[str] = ()
    credit_cents: int = 0

    def body(self, user_id: str) -> dict[str, Any]:
        tickets = {"market_hash_name": self.ticket, "count": self.count}
        take = tickets if self.ticket else {"deposit_ids": list(self.deposit_ids)}
        given = {"give": list(self.give), "credit_cents": self.credit_cents, "seen_cents": self.seen_cents}
        return {"user_id": user_id, "take": take, **given}


def exchange(player: Player, swap: Swap, now_ms: int) -> Exchange:
    """Asks the fleet for an exchange, all or nothing. The same token again gives the same one.

    Raises ExchangeError for what is none, or for a token that was used for another one.
    """
    _check(swap)
    body = json.dumps(swap.body(player.user_id), sort_keys=True)
    ref = f"exc_{uuid.uuid4().hex}"
    try:
        with transaction.atomic():
            row = Exchange.objects.create(
                exchange_id=ref, player=player, token=swap.token, asked=body, made_ms=now_ms, touched_ms=now_ms
            )
            Call.objects.create(kind=Call.EXCHANGE, ref=ref, body=body, made_ms=now_ms)
            hints.work()
    except IntegrityError:
        row = Exchange.objects.get(player=player, token=swap.token)
        if row.asked != body:
            raise ExchangeError("token_reused", "This form was sent before, with other items.") from None
    return row


def _check(swap: Swap) -> None:
    if not 1 <= len(swap.token) <= TOKEN_MAX:
        raise ExchangeError("token", f"A token has 1 to {TOKEN_MAX} signs.")
    for ids in (swap.give, swap.deposit_ids):
        if len(ids) > ITEMS_MAX or len(set(ids)) != len(ids):
            raise ExchangeError("deposit_ids", f"At most {ITEMS_MAX} items, each once.")
    if not (swap.give or swap.credit_cents) or bool(swap.ticket) == bool(swap.deposit_ids):
        raise ExchangeError("nothing", "Give something, and take tickets or items.")
    if swap.ticket and not 1 <= swap.count <= ITEMS_MAX:
        raise ExchangeError("count", f"1 to {ITEMS_MAX} tickets.")
    if swap.seen_cents < 0 or swap.credit_cents < 0:
        raise ExchangeError("number", "Cents are positive.")


def answered(call: Call, now_ms: int) -> None:
    """What the fleet has said, in the transaction in which its answer is kept."""
    state = Exchange.DONE if call.state == Call.DONE else Exchange.REFUSED
    asked = Exchange.objects.filter(exchange_id=call.ref, state=Exchange.ASKED)
    mine = list(asked)
    asked.update(state=state, code=call.code, answer=call.answer, touched_ms=now_ms)
    post.send([_letter(row, call) for row in mine], now_ms)


def _letter(row: Exchange, call: Call) -> Letter:
    if call.state != Call.DONE:
        return Letter(row.player_id, "exchange_refused", {"exchange": row.exchange_id, "code": call.code})
    answer = json.loads(call.answer)
    told = {"exchange": row.exchange_id, "took": answer["took"], "rest_cents": answer["rest_cents"]}
    return Letter(row.player_id, "exchanged", told)
