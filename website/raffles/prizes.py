"""Prizes where the fleet has no part: keys of games in stock, and what one of the staff sends by hand.

A key is sealed as soon as it is told (the seal key of the site, bound to its row), and opened for one person only: who has won
it. Nothing here prints, logs or returns a key anywhere else.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from website import sealing
from website.accounts.models import Player
from website.live import hints
from website.office.models import Staff
from website.raffles import instances
from website.raffles.models import Prize, Template, TemplateVersion
from website.rooms.models import Lane

KEY_MAX = 200
KEYS_AT_ONCE = 1_000
NOTE_MAX = 500
OVERDUE_MS = 3 * 24 * 3_600_000
"""What is sent by hand and was not sent for so long is told as overdue."""


class PrizeError(Exception):
    """This cannot be done to a prize; `code` is for programs. No text of it has a key in it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


# ---- keys in stock


def add_keys(template_id: int, keys: Sequence[str], by: Staff, why: str, now_ms: int, dry_run: bool = False) -> list[Prize]:
    """Puts keys into a template's stock, sealed, all or none. `dry_run` only looks whether that works, and writes nothing.

    Raises PrizeError for a key that is empty, too long, told twice, or known already; Template.DoesNotExist.
    """
    told = [key.strip() for key in keys]
    if not 1 <= len(told) <= KEYS_AT_ONCE or not all(1 <= len(key) <= KEY_MAX and key.isprintable() for key in told):
        raise PrizeError("keys", f"1 to {KEYS_AT_ONCE} keys of 1 to {KEY_MAX} signs each, one a line")
    box, marks = _box(), [_mark(key) for key in told]
    if len(set(marks)) != len(marks) or Prize.objects.filter(mark__in=marks).exists():
        raise PrizeError("known", "one of these keys is told twice, or was in stock before; none is added")
    with transaction.atomic():
        template = Template.objects.get(id=template_id)
        if dry_run:
            return []
        rows = [_new(template, mark, by, why, now_ms) for mark in marks]
        for row, key in zip(rows, told, strict=True):
            row.sealed = box.seal(key.encode(), _about(row))
            row.save(update_fields=["sealed"])
        transaction.on_commit(lambda: _wake(template_id), robust=True)
    return rows


def _new(template: Template, mark: str, by: Staff, why: str, now_ms: int) -> Prize:
    return Prize.objects.create(
        template=template,
        kind=TemplateVersion.KEY,
        state=Prize.STOCK,
        mark=mark,
        added_by=by,
        why=why,
        made_ms=now_ms,
    )


def _wake(template_id: int) -> None:
    Lane.objects.filter(room=instances.room_of(template_id)).update(next_at_ms=0)
    hints.work()


def drop_key(prize_id: int, by: Staff, why: str, now_ms: int) -> Prize:
    """Takes a key out of stock for good; what was sealed of it goes. Raises PrizeError for one that is not in stock."""
    with transaction.atomic():
        changed = Prize.objects.filter(id=prize_id, state=Prize.STOCK, kind=TemplateVersion.KEY)
        if not changed.update(state=Prize.DROPPED, sealed=b"", sent_by=by, sent_ms=now_ms, note=why[:NOTE_MAX]):
            raise PrizeError("not_in_stock", f"prize {prize_id} is no key in stock")
    return Prize.objects.get(id=prize_id)


def in_stock(template_id: int) -> int:
    """How many keys a template has left."""
    return Prize.objects.filter(template_id=template_id, kind=TemplateVersion.KEY, state=Prize.STOCK).count()


# ---- what was won


def reveal(player: Player, prize_id: int, now_ms: int) -> str:
    """The key that this player has won, for nobody else. The first time is kept; the winner may read it again.

    Raises Prize.DoesNotExist for whoever has not won it, sealing.SealError when the seal key is another one.
    """
    with transaction.atomic():
        mine = Prize.objects.select_for_update().filter(player=player, kind=TemplateVersion.KEY)
        row = mine.get(id=prize_id, state__in=(Prize.OWED, Prize.SENT))
        key = _box().open(bytes(row.sealed), _about(row)).decode()
        if row.state == Prize.OWED:
            row.state, row.sent_ms = Prize.SENT, now_ms
            row.save(update_fields=["state", "sent_ms"])
    return key


def mark_sent(prize_id: int, by: Staff, note: str, now_ms: int) -> Prize:
    """One of the staff has sent what was won; `note` says how, for the winner too. Raises PrizeError for any other prize."""
    if not note.strip() or len(note) > NOTE_MAX:
        raise PrizeError("note", f"how it was sent, in 1 to {NOTE_MAX} signs")
    owed = Prize.objects.filter(id=prize_id, kind=TemplateVersion.HAND, state=Prize.OWED)
    if not owed.update(state=Prize.SENT, sent_by=by, sent_ms=now_ms, note=note.strip()):
        raise PrizeError("not_owed", f"prize {prize_id} is not owed by hand")
    return Prize.objects.get(id=prize_id)


def confirm(player: Player, prize_id: int, now_ms: int) -> Prize:
    """The winner says that it has come. A second time changes nothing. Raises Prize.DoesNotExist for anybody else's."""
    mine = Prize.objects.filter(player=player, kind=TemplateVersion.HAND)
    mine.filter(id=prize_id, state=Prize.SENT).update(state=Prize.CONFIRMED, confirmed_ms=now_ms)
    return mine.get(id=prize_id, state=Prize.CONFIRMED)


def owed() -> QuerySet[Prize]:
    """What somebody has to send, the oldest first."""
    return Prize.objects.filter(kind=TemplateVersion.HAND, state=Prize.OWED).order_by("owed_ms", "id")


def overdue(now_ms: int) -> QuerySet[Prize]:
    """What should have been sent by now."""
    return owed().filter(owed_ms__lte=now_ms - OVERDUE_MS)


def of_player(player: Player) -> QuerySet[Prize]:
    """What this player has won and the fleet does not hand over, the newest first."""
    return Prize.objects.filter(player=player).order_by("-owed_ms", "-id")


# ---- the seal


def _box() -> sealing.Key:
    try:
        return sealing.Key.read(settings.SITE_SEAL_KEY)
    except ValueError as error:
        raise PrizeError("no_seal_key", str(error)) from None


def _about(row: Prize) -> str:
    return f"prize {row.id}"


def _mark(key: str) -> str:
    """Tells whether two keys are the same, to whoever has the seal key."""
    return hmac.new(bytes.fromhex(settings.SITE_SEAL_KEY), b"prize\0" + key.encode(), hashlib.sha256).hexdigest()
