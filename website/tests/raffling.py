"""What tests of raffles are written in: templates that are on, players with coins, purchases, and what must hold of coins."""

from __future__ import annotations

import itertools
import json
from typing import Any

import own_chain

from website.accounts.models import Player
from website.ledger import services as ledger
from website.ledger.models import Account, Entry
from website.ledger.services import MINT, Wanted
from website.office.models import Staff
from website.raffles import audit, instances, purchases, services
from website.raffles.models import Purchase, TemplateVersion
from website.raffles.services import Terms
from website.rooms.models import Round

numbers = itertools.count(1)


def terms(**changes: Any) -> Terms:
    """Ten tickets of ten coins for a key, drawn by a chain of our own; one player may have them all."""
    beacon = own_chain.terms(period=1)
    where = {"entropy": f"drand:{beacon.chain_hash}", "beacon": json.dumps(beacon.plain())}
    usual = {"prize": "a game", "price_cents": 9_000, "commission_cents": 1_000, "tickets": 10, "share_max_percent": 100}
    return Terms(**{**usual, "prize_kind": TemplateVersion.HAND, **where, **changes})


def people() -> tuple[Staff, Staff]:
    return Staff.objects.get_or_create(username="proposer")[0], Staff.objects.get_or_create(username="approver")[0]


def open_raffle(wanted: Terms, now_ms: int, template_id: int | None = None) -> str:
    """Two operators bring a template into use; its room."""
    ana, bo = people()
    row = services.draft(wanted, ana, "for a test", now_ms, template_id)
    services.approve(row.template_id, row.version, bo)
    services.activate(row.template_id, ana, "go", now_ms)
    return instances.room_of(row.template_id)


def give(player: Player, cents: int, now_ms: int) -> None:
    lines = {MINT: -cents, ledger.wallet(player.id): cents}
    ledger.post(Wanted(f"grant:{next(numbers)}:{player.id}", Entry.GRANT, "a test", lines), now_ms)


def has(player: Player) -> int:
    return ledger.balance(ledger.wallet(player.id))


def ask(player: Player, at: Round, quantity: int, now_ms: int, **more: Any) -> Purchase:
    """Written down; an engine answers."""
    wanted = purchases.Wanted(at.lane, at.round, quantity, more.pop("token", f"t-{next(numbers)}"), **more)
    return purchases.buy(player, wanted, now_ms)


def check_coins() -> None:
    """W12, W13: the books agree, and every escrow holds what was paid for a raffle that is not over."""
    assert ledger.differences() == []
    assert audit.differences() == []
    assert not Account.objects.filter(kind=Account.WALLET, balance_cents__lt=0).exists()
