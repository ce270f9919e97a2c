"""Raffles held against the books of coins, and against their own events: sentences, none of which is right to be there."""

from __future__ import annotations

from django.db.models import Count, Sum

from website.ledger import services as ledger
from website.ledger.models import Account, Entry
from website.raffles.models import Prize, Purchase
from website.rooms.models import LaneEvent, Round, RoundPlayer


def differences() -> list[str]:
    """After quiet: escrow is what was paid for raffles that go on; purchases are in all books; prizes are won once."""
    return [*_escrows(), *_purchases(), *_prizes()]


def _escrows() -> list[str]:
    rows = list(Round.objects.filter(room__startswith="raffle-").only("lane", "round", "pot_cents", "sealed_ms"))
    due = {ledger.escrow(row.lane, row.round): row.pot_cents if row.sealed_ms is None else 0 for row in rows}
    held = dict(Account.objects.filter(kind=Account.ESCROW).values_list("owner", "balance_cents"))
    return [
        f"{owner} holds {held.get(owner, 0)}, and {due.get(owner, 0)} were paid for what goes on"
        for owner in sorted(due.keys() | held.keys())
        if held.get(owner, 0) != due.get(owner, 0)
    ]


def _purchases() -> list[str]:
    sold = set(LaneEvent.objects.filter(kind="buy").values_list("token", flat=True))
    placed = Purchase.objects.filter(state__in=(Purchase.PLACED, Purchase.OVER))
    wanted = set(placed.values_list("purchase_id", flat=True))
    refs = Entry.objects.filter(kind=Entry.BUY).values_list("ref", flat=True)
    paid = {ref.removeprefix("buy:") for ref in refs}
    found = [
        f"purchase {each} was sold, and is not in all three books"
        for each in sorted((sold | wanted | paid) - (sold & wanted & paid))
    ]
    tickets = {
        (row["lane"], row["round"], row["player"]): row["sum"]
        for row in placed.values("lane", "round", "player").annotate(sum=Sum("quantity"))
    }
    rows = RoundPlayer.objects.filter(lane__startswith="raffle-").values_list("lane", "round", "user_id", "tickets")
    shown = {(lane, number, user_id): count for lane, number, user_id, count in rows}
    return found + [
        f"player {key[2]} bought {tickets.get(key, 0)} tickets of {key[0]}/{key[1]}, and has {shown.get(key, 0)}"
        for key in sorted(tickets.keys() | shown.keys())
        if tickets.get(key) != shown.get(key)
    ]


def _prizes() -> list[str]:
    won = Prize.objects.filter(state__in=(Prize.OWED, Prize.SENT, Prize.CONFIRMED))
    winners = {
        (row.lane, row.round): row.winners
        for row in Round.objects.filter(room__startswith="raffle-").exclude(winners="[]").only("lane", "round", "winners")
    }
    found = [
        f"prize {row.id} is player {row.player_id}'s, who did not win {row.lane}/{row.round}"
        for row in won
        if not winners.get((row.lane, row.round), "").startswith(f"[[{row.player_id},")
    ]
    twice = Prize.objects.exclude(piece=None).values("piece").annotate(count=Count("id")).filter(count__gt=1)
    return found + [f"piece {row['piece']} stands for {row['count']} prizes" for row in twice]
