"""What moves play coins, and what holds the books against themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Sum

from website.ledger.models import Account, Entry, Posting

MINT_FLOOR = -(2**62)
"""The mint gives what it has not: its balance says how many coins there are."""


class LedgerError(Exception):
    """An entry that cannot be made; `code` is for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class NotEnoughError(LedgerError):
    """An account would fall below its floor; nothing has moved."""

    def __init__(self, owner: str) -> None:
        super().__init__("not_enough", f"{owner} has not got so many coins")
        self.owner = owner


@dataclass(frozen=True)
class Wanted:
    """An entry as it is asked for: cents by the owner of an account, summing to zero."""

    ref: str
    kind: str
    who: str
    lines: Mapping[str, int]
    memo: str = ""


def wallet(player_id: int) -> str:
    return f"{Account.WALLET}:{player_id}"


def escrow(lane: str, number: int) -> str:
    return f"{Account.ESCROW}:{lane}:{number}"


HOUSE, MINT = Account.HOUSE, Account.MINT


def post(wanted: Wanted, now_ms: int) -> Entry:
    """Makes an entry, all of it or nothing; the same ref again gives the same entry. Part of the caller's transaction, if any.

    Accounts are locked in the order of their ids, after whatever the caller has locked (W6). Raises NotEnoughError, and
    LedgerError for an entry that is none, or a ref that was used for another one.
    """
    _check(wanted)
    with transaction.atomic():
        accounts = _locked(wanted.lines)
        before = Entry.objects.filter(ref=wanted.ref).first()
        if before is not None:
            return _same(before, wanted)
        for account in accounts:
            cents = wanted.lines[account.owner]
            enough = Account.objects.filter(id=account.id, balance_cents__gte=F("floor_cents") - cents)
            if not enough.update(balance_cents=F("balance_cents") + cents):
                raise NotEnoughError(account.owner)
        entry = Entry.objects.create(ref=wanted.ref, at_ms=now_ms, kind=wanted.kind, who=wanted.who, memo=wanted.memo)
        rows = [
            Posting(entry=entry, line=line, account=account, cents=wanted.lines[account.owner])
            for line, account in enumerate(accounts, 1)
        ]
        Posting.objects.bulk_create(rows)
    return entry


def post_all(entries: Sequence[Wanted], now_ms: int) -> None:
    """Several entries in their order; every account of them is locked first, in the order of ids (W6). Raises as `post`.

    Inside a transaction.
    """
    if not entries:
        return
    _locked({owner for wanted in entries for owner in wanted.lines})
    for wanted in entries:
        post(wanted, now_ms)


def balance(owner: str) -> int:
    """Cents; an account that was never used holds none."""
    found = Account.objects.filter(owner=owner).values_list("balance_cents", flat=True).first()
    return found or 0


def differences() -> list[str]:
    """Everything in the books that does not fit, as sentences; none is right (W12)."""
    found = [
        f"entry {row['entry__ref']} sums to {row['total']}"
        for row in Posting.objects.values("entry__ref").annotate(total=Sum("cents")).exclude(total=0)
    ]
    sums = dict(Posting.objects.values_list("account").annotate(total=Sum("cents")))
    for account in Account.objects.order_by("id"):
        if account.balance_cents != sums.get(account.id, 0):
            found.append(f"{account} holds {account.balance_cents}, its postings sum to {sums.get(account.id, 0)}")
        if account.balance_cents < account.floor_cents:
            found.append(f"{account} lies below its floor")
    empty = Entry.objects.filter(postings=None).values_list("ref", flat=True)
    return found + [f"entry {ref} has no postings" for ref in empty]


def _check(wanted: Wanted) -> None:
    cents = list(wanted.lines.values())
    if len(cents) < 2 or 0 in cents or sum(cents) != 0:
        raise LedgerError("sum", "An entry has two lines or more, none of them zero, and they sum to zero.")
    if not wanted.ref:
        raise LedgerError("ref", "An entry has a ref, so that it happens once.")


def _locked(owners: Iterable[str]) -> list[Account]:
    """The accounts, made where they are new, and locked."""
    names = sorted(owners)
    known = set(Account.objects.filter(owner__in=names).values_list("owner", flat=True))
    made = [_new(owner) for owner in names if owner not in known]
    Account.objects.bulk_create(made, ignore_conflicts=True)
    return list(Account.objects.select_for_update().filter(owner__in=names).order_by("id"))


def _new(owner: str) -> Account:
    kind = owner.partition(":")[0]
    if kind not in (Account.WALLET, Account.ESCROW, Account.HOUSE, Account.MINT):
        raise LedgerError("owner", f"There is no account of the kind {kind!r}.")
    return Account(owner=owner, kind=kind, floor_cents=MINT_FLOOR if kind == Account.MINT else 0)


def _same(entry: Entry, wanted: Wanted) -> Entry:
    lines = dict(entry.postings.values_list("account__owner", "cents"))
    if (entry.kind, lines) != (wanted.kind, dict(wanted.lines)):
        raise LedgerError("ref_reused", f"{wanted.ref} was used for another entry.")
    return entry
