"""The audit across all three books: Steam's record, the fleet's rows, the site's rounds.

Steam against the fleet is the crosscheck's affair. Here the fleet is held against the site: who owns what after all rounds,
what is bound, which calls were done, and whether every record is true. The comparisons are pure: facts in, differences out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import crosscheck
from scripts.crosscheck import Books, Difference
from scripts.lab.calls import get_json
from scripts.site_run.start import Site

HOUSE = "house"


@dataclass(frozen=True)
class SiteBooks:
    """What the site says. `records` in the order of their settlement; `pieces`: the record's numbers and the fleet's ids."""

    records: list[dict[str, Any]]
    pieces: Mapping[int, str]
    open_refs: frozenset[str]
    transfers: frozenset[str]
    bets: list[dict[str, Any]]
    events: Counter[str]
    own: list[str]  # what the site finds wrong with itself: events against what readers see


def differences(site: SiteBooks, fleet: Books, client_id: str, transfers: Iterable[str]) -> list[Difference]:
    """Everything that does not add up between the site and the fleet."""
    return [
        *(Difference("projection", text) for text in site.own),
        *owners(site, fleet),
        *locks(site, fleet, client_id),
        *settled(site, transfers),
        *sums(site),
        *bets(site),
    ]


def owners(site: SiteBooks, fleet: Books) -> Iterator[Difference]:
    """Who has an item is who the last round that it was in gave it to."""
    rows = {row["deposit_id"]: row for row in fleet.deposits}
    last: dict[str, tuple[str, str]] = {}
    for record in site.records:
        where = f"{record['room']}/{record['id']}"
        for payout in record["outcome"]["payouts"]:
            for number in (*payout["rows"], *payout["guarantees"], *payout["change"]):
                last[site.pieces[number]] = (str(payout["user_id"]), where)
        for number in record["outcome"]["house"]:
            last[site.pieces[number]] = (HOUSE, where)
    for deposit_id, (owner, where) in last.items():
        row = rows.get(deposit_id)
        if row is None:
            yield Difference("gone", f"{deposit_id} of {where} is no row of the fleet", deposit_id)
        elif row["user_id"] != owner:
            yield Difference("owner", f"{deposit_id} belongs to {row['user_id']}, {where} gave it to {owner}", deposit_id)


def locks(site: SiteBooks, fleet: Books, client_id: str) -> Iterator[Difference]:
    """W8: what the fleet has bound for the site is what the site has in play, and nothing else."""
    held = {row["ref"] for row in fleet.locks if row["client_id"] == client_id and row["state"] in ("held", "part_moved")}
    for ref in sorted(held - site.open_refs):
        yield Difference("lock", f"lock {ref} is held, but nothing that goes on has it", ref)
    for ref in sorted(ref for ref in site.open_refs - held if not ref.startswith("stk_")):
        yield Difference("lock", f"bet {ref} is in a round that goes on, but its items are not bound", ref)


def settled(site: SiteBooks, transfers: Iterable[str]) -> Iterator[Difference]:
    """Each transfer of the site was done by the fleet, and the fleet did none that the site does not know."""
    done = set(transfers)
    for ref in sorted(site.transfers ^ done):
        where = "the fleet has not done it" if ref in site.transfers else "the site knows nothing of it"
        yield Difference("transfer", f"transfer {ref}: {where}", ref)


def sums(site: SiteBooks) -> Iterator[Difference]:
    """W11: no cent and no item appears or vanishes in a round."""
    for record in site.records:
        where, outcome = f"{record['room']}/{record['id']}", record["outcome"]
        pot = {item["deposit_id"]: item["price"] for item in record["items"]}
        house = {piece["deposit_id"]: piece["price"] for piece in (*record["stock"], *record["guarantees"])}
        given = [
            number for payout in outcome["payouts"] for number in (*payout["rows"], *payout["guarantees"], *payout["change"])
        ]
        moved = Counter([*given, *outcome["house"]])
        if any(count > 1 for count in moved.values()) or not set(pot) <= set(moved) <= set(pot) | set(house):
            yield Difference("rows", f"{where}: the rows that moved are not those that were bet")
        worth = pot | house
        cents_in = sum(pot.values()) + sum(worth[number] for number in moved if number in house)
        cents_out = sum(worth[number] for number in moved)
        owed = sum(payout["claim"] for payout in outcome["payouts"])
        # Without a table, what stays with the house is its rake.
        net = outcome["rake"]["net"] if outcome["rake"] else sum(pot[number] for number in outcome["house"])
        if cents_in != cents_out or (not record["outcome"]["void"] and owed + net != record["bank"]):
            yield Difference("cents", f"{where}: {record['bank']} went in, {owed} to winners and {net} to the house")


def bets(site: SiteBooks) -> Iterator[Difference]:
    """W5: a bet that was taken has one event and one receipt, one that was refused has none."""
    for bet in site.bets:
        wanted = 1 if bet["state"] in ("placed", "over") else 0
        if site.events[bet["bet_id"]] != wanted or bool(bet["receipt"]) != bool(wanted):
            yield Difference(
                "bet", f"bet {bet['bet_id']} is {bet['state']} and has {site.events[bet['bet_id']]} events", bet["bet_id"]
            )
    known = {bet["bet_id"] for bet in site.bets}
    for token in sorted(site.events.keys() - known):
        yield Difference("bet", f"the event of {token} belongs to no bet", token)


def of_all_books(site: Site) -> tuple[list[Difference], dict[str, int]]:
    """Steam's record against the fleet's rows, those against the site's rounds, every record by the verifier."""
    stack = site.stack
    record = get_json(f"{stack.control_url}/control/record", timeout_s=120)
    books = crosscheck.read_books(stack.settings().database.url)
    found = crosscheck.differences(books, record)
    own = read_site()
    client_id, transfers = site.done_by_the_fleet()
    found += differences(own, books, client_id, transfers)
    found += verify(site.folder, site.terms().chain_hash)
    compared = crosscheck.summary(books, record) | {
        "rounds": sum(not row["outcome"]["void"] for row in own.records),
        "void": sum(bool(row["outcome"]["void"]) for row in own.records),
        "records_verified": len(own.records),
        "transfers_of_rounds": len(own.transfers),
        "bets_of_players": len(own.bets),
    }
    return found, compared


def read_site() -> SiteBooks:
    """Everything out of the site's database."""
    from website.engine.models import Call
    from website.rooms import rebuild
    from website.rooms.models import Bet, Guarantee, Lane, LaneEvent, Piece, Round

    sealed = Round.objects.exclude(sealed_ms=None).order_by("sealed_ms", "id")
    live = {(row.lane, row.round) for row in Round.objects.filter(sealed_ms=None)}
    placed = [bet for bet in Bet.objects.filter(state=Bet.PLACED) if (bet.lane, bet.round) in live]
    pieces = {f"stk_{lane.name}_{number}" for lane in Lane.objects.all() for number in (lane.round, lane.round + 1)}
    held = Guarantee.objects.filter(state=Guarantee.BOUND).values_list("ref", flat=True)
    return SiteBooks(
        records=[json.loads(bytes(row.record)) for row in sealed],
        pieces=dict(Piece.objects.values_list("id", "deposit_id")),
        open_refs=frozenset(bet.bet_id for bet in placed) | frozenset([*pieces, *held]),
        transfers=frozenset(Call.objects.filter(kind=Call.TRANSFER, state=Call.DONE).values_list("ref", flat=True)),
        bets=[dict(row) for row in Bet.objects.values("bet_id", "state", "receipt")],
        events=Counter(LaneEvent.objects.filter(kind="bet").values_list("token", flat=True)),
        own=[text for lane in Lane.objects.all() for text in rebuild.differences(lane)],
    )


def verify(folder: Path, chain_hash: str) -> list[Difference]:
    """Every record of every lane by the program that strangers use: `lottery verify --lane`."""
    from website.rooms.models import Lane, Round

    found = []
    for lane in Lane.objects.order_by("name"):
        rows = Round.objects.filter(lane=lane.name).exclude(sealed_ms=None).order_by("round")
        if not rows:
            continue
        place = folder / "records" / lane.name
        place.mkdir(parents=True, exist_ok=True)
        for row in rows:
            (place / f"{row.round:08d}.json").write_bytes(bytes(row.record))
        command = [sys.executable, "-m", "lottery", "verify", "--lane", str(place), "--trust-chain", chain_hash]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()[-3:]
            found.append(
                Difference("record", f"{lane.name} does not verify ({done.returncode}): {' / '.join(said)}", lane.name)
            )
    return found
