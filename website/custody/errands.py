"""Deposits and withdrawals, done once however often a form is sent and whoever dies meanwhile.

A form has a token of its own. The first time it is sent, what it asks for is kept as an `Errand`, and only then the fleet is
asked, with the errand's id as the key of the request. A double click, a reload, a lost answer or a crash finds the same errand
and asks with the same key: the fleet does it once and always shows the same trades.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

from django.db import IntegrityError, transaction
from lottery.events import Denial

from fleet_client import errors
from fleet_client.answers import Trade
from website import fleet
from website.accounts.models import Player
from website.care import gate
from website.care import services as care
from website.custody import holds
from website.custody.models import Errand

TOKEN_MAX = 64
ITEMS_MAX = 200
WAIT_S = 1.0
"""So long the fleet waits for an offer to be out before it answers; what takes longer is followed on the trade's own page."""
AT_WORK_MS = 65_000
"""A request whose answer was lost may still be at work in the fleet for so long: until then no refusal is its last word."""
CARRIED_MS = 600_000
"""So long an errand is sent again by itself. After that its player has gone away, and would be surprised."""
AWAY = "fleet_away"
HOUSE_ISSUED = "house_issued"
OF_OURS = frozenset({"bad_key", "wrong_mode", "scope_missing", "invalid_request"})


class ErrandError(Exception):
    """What cannot even be kept; `code` is for programs."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DeniedError(Exception):
    """The gate says no to a deposit."""

    def __init__(self, denial: Denial) -> None:
        super().__init__(denial.reason)
        self.denial = denial


def ask(player: Player, kind: str, body: dict[str, object], token: str, now_ms: int) -> Errand:
    """The errand of a form: a new one, or that which the same form asked for before.

    A deposit is asked of the gate first, under the player's profile, so that two of them at the same moment do not both fit
    into a limit that has room for one.

    Raises ErrandError: `token` for a form without one, `token_reused` if the form was sent before with something else in it,
    `look_again` for items that no page has shown; DeniedError.
    """
    if not 8 <= len(token) <= TOKEN_MAX:
        raise ErrandError("token")
    text = json.dumps(body, sort_keys=True)
    denied: Denial | None = None
    try:
        with transaction.atomic():
            held = 0
            if kind == Errand.DEPOSIT and not Errand.objects.filter(player=player, token=token).exists():
                held, denied = _allowed(player, body, now_ms)
            if denied is None:
                return _new(player, kind, text, token, held, now_ms)
    except IntegrityError:
        found = Errand.objects.get(player=player, token=token)
        if (found.kind, found.body) != (kind, text):
            raise ErrandError("token_reused") from None
        return found
    raise DeniedError(denied)


def _allowed(player: Player, body: dict[str, object], now_ms: int) -> tuple[int, Denial | None]:
    """What a deposit is worth, and what the gate has against it. Its answer is kept, whatever becomes of the errand."""
    care.ensure(player, now_ms)
    desk = gate.Gate([player.id])
    ids = body["ids"]
    cents = holds.worth(player.id, ids if isinstance(ids, list) else [])
    if cents is None and any(limit.kind == "deposit" for limit in care.of(player, now_ms).limits):
        raise ErrandError("look_again")
    return cents or 0, desk.ask_deposit(player.id, cents or 0, holds.pending(player.id, now_ms), now_ms)


def _new(player: Player, kind: str, text: str, token: str, held_cents: int, now_ms: int) -> Errand:
    return Errand.objects.create(
        errand_id=f"err_{uuid.uuid4().hex}",
        player=player,
        token=token,
        kind=kind,
        body=text,
        held_cents=held_cents,
        made_ms=now_ms,
        touched_ms=now_ms,
    )


def ids_of(errand: Errand) -> list[str]:
    """Assets of a deposit, or items in custody of a withdrawal."""
    return list(json.loads(errand.body)["ids"])


def is_carried(errand: Errand, now_ms: int) -> bool:
    """Whether it is still sent by itself."""
    return errand.state == Errand.ASKED and now_ms < errand.made_ms + CARRIED_MS


def carry_out(errand: Errand, trade_url: str, language: str, now_ms: int) -> Errand:
    """Asks the fleet, unless it is known what became of it. Gives the errand as it is now."""
    if not is_carried(errand, now_ms):
        return errand
    lost_ms = _sending(errand, now_ms)
    try:
        trades = _send(errand, trade_url, language)
    except (errors.AnswerLost, errors.UnexpectedAnswer):
        pass  # nobody knows: it stays asked, and is sent again
    except errors.IdempotencyMismatch:
        _end(errand, now_ms, state=Errand.DONE)  # done before, with another trade link: the trades are on the player's list
    except errors.Unreachable:
        _refused(errand, lost_ms, now_ms, lost_ms is None, AWAY, {})
    except errors.Problem as problem:
        final = lost_ms is None or now_ms > lost_ms + AT_WORK_MS
        _refused(errand, lost_ms, now_ms, final, _code(problem), _details(problem))
    else:
        _end(errand, now_ms, state=Errand.DONE, trades=json.dumps([trade.trade_id for trade in trades]))
    errand.refresh_from_db()
    return errand


def _sending(errand: Errand, now_ms: int) -> int | None:
    """Notes that it is sent now. Gives when it was sent before without an answer: somebody may be at it, or have died."""
    open_ones = Errand.objects.filter(id=errand.id, state=Errand.ASKED)
    if open_ones.filter(sent_ms=None).update(sent_ms=now_ms):
        return None
    lost_ms = open_ones.values_list("sent_ms", flat=True).first()
    open_ones.update(sent_ms=now_ms)
    return lost_ms


def _refused(errand: Errand, lost_ms: int | None, now_ms: int, final: bool, code: str, details: dict[str, object]) -> None:
    """Nothing was done, if no earlier try can still be at work. Else this try is forgotten, and it is sent again later."""
    if final:
        _end(errand, now_ms, state=Errand.REFUSED, code=code, details=json.dumps(details))
    else:
        Errand.objects.filter(id=errand.id, state=Errand.ASKED, sent_ms=now_ms).update(sent_ms=lost_ms)


def _send(errand: Errand, trade_url: str, language: str) -> Sequence[Trade]:
    player, body, hands = errand.player, json.loads(errand.body), fleet.hands().speaking(language)
    user_id, steam_id, key = player.user_id, str(player.steam_id), errand.errand_id
    if errand.kind == Errand.DEPOSIT:
        made = hands.deposit(
            user_id=user_id, steam_id=steam_id, trade_url=trade_url, asset_ids=body["ids"], wait=WAIT_S, key=key
        )
        return made.trades
    settled: bool | None = body.get("when_settled")
    made = hands.withdraw(
        user_id=user_id,
        steam_id=steam_id,
        trade_url=trade_url,
        deposit_ids=body["ids"],
        when_settled=settled,
        wait=WAIT_S,
        key=key,
    )
    return made.trades


def _end(errand: Errand, now_ms: int, **what: str) -> None:
    """Writes what became of it, once: of two that asked at the same time, the first."""
    Errand.objects.filter(id=errand.id, state=Errand.ASKED).update(sent_ms=None, touched_ms=now_ms, **what)


def _code(problem: errors.Problem) -> str:
    """A mistake of ours is no affair of the player's: for them the fleet is away."""
    if problem.reason == HOUSE_ISSUED:
        return HOUSE_ISSUED
    return AWAY if problem.error_code in OF_OURS else problem.error_code[:40]


def _details(problem: errors.Problem) -> dict[str, object]:
    message = None if problem.reason == HOUSE_ISSUED else problem.player_message
    told = {"player_message": message, "reason": problem.reason, "retry_after_s": problem.retry_after_s}
    return {name: value for name, value in told.items() if value is not None} | _items(problem)


def _items(problem: errors.Problem) -> dict[str, object]:
    """Which items were refused, if it says so."""
    listed = problem.more.get("assets")
    return {"assets": listed[:ITEMS_MAX]} if isinstance(listed, list) else {}
