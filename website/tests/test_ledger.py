"""Play coins: every entry sums to zero, happens once, and takes nobody below their floor, whatever runs at once (W12)."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import DatabaseError, connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from website.ledger import services as ledger
from website.ledger.models import Account, Entry, Posting
from website.ledger.services import HOUSE, MINT, LedgerError, NotEnoughError, Wanted, post, wallet

NOW_MS = 1_780_000_000_000


def grant(player: int, cents: int, ref: str = "") -> Entry:
    return post(Wanted(ref or f"grant:{player}", Entry.GRANT, "a test", {MINT: -cents, wallet(player): cents}), NOW_MS)


def buy(player: int, cents: int, ref: str) -> Entry:
    return post(
        Wanted(ref, Entry.BUY, f"player {player}", {wallet(player): -cents, ledger.escrow("raffle-1-1", 1): cents}), NOW_MS
    )


def test_an_entry_happens_once(one_database: str) -> None:
    first = grant(1, 500)
    assert grant(1, 500).id == first.id and ledger.balance(wallet(1)) == 500
    with pytest.raises(LedgerError, match="another entry"):
        grant(1, 600)
    assert (ledger.balance(MINT), ledger.balance(wallet(2)), ledger.differences()) == (-500, 0, [])


def test_nobody_falls_below_their_floor(one_database: str) -> None:
    grant(1, 500)
    with pytest.raises(NotEnoughError) as refused:
        buy(1, 501, "buy:1")
    assert refused.value.owner == wallet(1) and ledger.balance("escrow:raffle-1-1:1") == 0
    assert not Entry.objects.filter(ref="buy:1").exists() and ledger.differences() == []
    buy(1, 500, "buy:1")
    with pytest.raises(DatabaseError), transaction.atomic():
        Account.objects.filter(owner=wallet(1)).update(balance_cents=-1)


@pytest.mark.parametrize(
    "lines", [{}, {HOUSE: 0}, {HOUSE: 1}, {HOUSE: 1, MINT: -2}, {HOUSE: 0, MINT: 0}, {"nobody:1": 1, MINT: -1}]
)
def test_what_is_no_entry_is_refused(one_database: str, lines: dict[str, int]) -> None:
    with pytest.raises(LedgerError):
        post(Wanted("x", Entry.COUNTER, "a test", lines), NOW_MS)
    assert not Entry.objects.exists() and not Posting.objects.exists()


def test_the_audit_finds_what_does_not_fit(one_database: str) -> None:
    grant(1, 500)
    Account.objects.filter(owner=wallet(1)).update(balance_cents=499)
    Entry.objects.create(ref="empty", at_ms=NOW_MS, kind=Entry.COUNTER, who="a test")
    lone = Entry.objects.create(ref="lone", at_ms=NOW_MS, kind=Entry.COUNTER, who="a test")
    Posting.objects.create(entry=lone, line=1, account=Account.objects.get(owner=MINT), cents=1)
    found = " ".join(ledger.differences())
    for what in ("lone sums to 1", "wallet:1 holds 499", "mint holds -500", "empty has no postings"):
        assert what in found


@pytest.mark.both_databases
@pytest.mark.parametrize("table", ["ledger_entry", "ledger_posting"])
@pytest.mark.parametrize("what", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_w3_books_only_grow(database_url: str, table: str, what: str) -> None:
    grant(1, 500)
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(what.format(table))


@pytest.mark.both_databases
def test_w12_whoever_buys_at_once_pays_what_is_there_and_no_more(database_url: str) -> None:
    """Twelve threads with one wallet that holds enough for five of them; one ref is sent by two threads."""
    grant(1, 500)
    said: Counter[str] = Counter()

    def one(number: int) -> None:
        try:
            buy(1, 100, f"buy:{max(number, 1)}")
            said["bought"] += 1
        except NotEnoughError:
            said["refused"] += 1
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(said.values()) == 12
    assert Entry.objects.filter(kind=Entry.BUY).count() == 5
    assert (ledger.balance(wallet(1)), ledger.balance("escrow:raffle-1-1:1"), ledger.differences()) == (0, 500, [])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 400)), max_size=12), st.integers(0, 10**9))
def test_w12_any_row_of_entries_sums_to_zero(one_database: str, moves: list[tuple[int, int, int]], run: int) -> None:
    """Coins go round between three wallets; what is refused has moved nothing."""
    for player in (1, 2, 3):
        grant(player, 300, f"{run}:grant:{player}")
    total = sum(ledger.balance(wallet(player)) for player in (1, 2, 3))
    for number, (giver, taker, cents) in enumerate(moves):
        lines = {wallet(giver): -cents, wallet(taker): cents} if giver != taker else {}
        before = ledger.balance(wallet(giver))
        try:
            post(Wanted(f"{run}:{number}", Entry.COUNTER, "a test", lines), NOW_MS)
        except NotEnoughError:
            assert cents > before
        except LedgerError:
            assert giver == taker or Entry.objects.filter(ref=f"{run}:{number}").exists()
    assert sum(ledger.balance(wallet(player)) for player in (1, 2, 3)) == total and ledger.differences() == []
