"""The audit across all three books: Steam's record, the fleet's rows, the site's rounds.

Steam against the fleet is the crosscheck's affair. Here the fleet is held against the site: who owns what after all rounds,
what is bound, which calls were done, and whether every record is true. The comparisons are pure: facts in, differences out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import crosscheck
from scripts.crosscheck import Books, Difference
from scripts.lab.calls import get_json
from scripts.site_run.start import Site

if TYPE_CHECKING:  # it needs the settings of the site
    from scripts.site_run.own_limits import Bound

HOUSE = "house"
OWN_PRIZE = "prize "
"""Prizes that the site gives itself, a key of a game or by hand, have pieces that are called so; no call moves them."""
TRANSFER, EXCHANGE, CREDIT = "transfer", "exchange", "credit"
KINDS = {"items_transferred": TRANSFER, "items_exchanged": EXCHANGE, "credits_posted": CREDIT}


@dataclass(frozen=True)
class Deed:
    """One call that changed owners: who has which item from then on, and the cents that were credited (or spent) with it."""

    taken: Mapping[str, str]
    credits: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class SiteBooks:
    """What the site says. `pieces`: the record's numbers and the fleet's ids.

    `deeds`: what was asked of the fleet and done, by kind and ref; `may_refs`: locks for rounds to come, held or not.
    """

    records: list[dict[str, Any]]
    pieces: Mapping[int, str]
    open_refs: frozenset[str]
    may_refs: frozenset[str]
    deeds: Mapping[tuple[str, str], Deed]
    bets: list[dict[str, Any]]
    events: Counter[str]
    own: list[str]  # what the site finds wrong with itself: events against what readers see


def differences(site: SiteBooks, fleet: Books, client_id: str, done: Sequence[tuple[str, str]]) -> list[Difference]:
    """Everything that does not add up between the site and the fleet. `done`: kind and ref of what the fleet did, in order."""
    return [
        *(Difference("projection", text) for text in site.own),
        *owners(site, fleet, done),
        *locks(site, fleet, client_id),
        *deeds(site, done),
        *outcomes(site),
        *credits(site, fleet),
        *sums(site),
        *bets(site),
    ]


def owners(site: SiteBooks, fleet: Books, done: Sequence[tuple[str, str]]) -> Iterator[Difference]:
    """Who has an item is who got it by the last thing that the site had done with it, in the order of the fleet's events."""
    rows = {row["deposit_id"]: row for row in fleet.deposits}
    last: dict[str, tuple[str, str]] = {}
    for key in done:
        deed = site.deeds.get(key)
        if deed is not None:
            last |= {deposit_id: (taker, key[1]) for deposit_id, taker in deed.taken.items()}
    for deposit_id, (owner, ref) in last.items():
        row = rows.get(deposit_id)
        if row is None:
            yield Difference("gone", f"{deposit_id} of {ref} is no row of the fleet", deposit_id)
        elif row["user_id"] != owner:
            yield Difference("owner", f"{deposit_id} belongs to {row['user_id']}, {ref} gave it to {owner}", deposit_id)


def locks(site: SiteBooks, fleet: Books, client_id: str) -> Iterator[Difference]:
    """W8: what the fleet has bound for the site is what the site has in play, and nothing else."""
    held = {row["ref"] for row in fleet.locks if row["client_id"] == client_id and row["state"] in ("held", "part_moved")}
    for ref in sorted(held - site.open_refs - site.may_refs):
        yield Difference("lock", f"lock {ref} is held, but nothing that goes on has it", ref)
    for ref in sorted(site.open_refs - held):
        yield Difference("lock", f"{ref} is in a round that goes on, but its items are not bound", ref)


def deeds(site: SiteBooks, done: Sequence[tuple[str, str]]) -> Iterator[Difference]:
    """Each transfer and exchange of the site was done by the fleet, once, and the fleet did no other for it."""
    for kind, ref in sorted(site.deeds.keys() ^ set(done)):
        where = "the fleet has not done it" if (kind, ref) in site.deeds else "the site knows nothing of it"
        yield Difference(kind, f"{kind} {ref}: {where}", ref)
    for (kind, ref), count in Counter(done).items():
        if count > 1:
            yield Difference(kind, f"{kind} {ref} was done {count} times", ref)


def outcomes(site: SiteBooks) -> Iterator[Difference]:
    """W15: the calls of a round are together what its sealed record says, item by item and cent by cent."""
    asked: dict[str, list[Deed]] = {}
    for (kind, ref), deed in site.deeds.items():
        if kind == TRANSFER:
            asked.setdefault(ref.rpartition(":")[0], []).append(deed)
    for record in site.records:
        where, outcome = f"round:{record['room']}:{record['id']}", record["outcome"]
        if outcome["void"]:
            continue  # nothing moves, everything is freed: whatever was asked for is told below
        wanted = {site.pieces[number]: HOUSE for number in outcome["house"]}
        owed: Counter[str] = Counter()
        for payout in outcome["payouts"]:
            rows = (*payout["rows"], *payout["guarantees"], *payout["change"])
            moved_by_us = [site.pieces[number] for number in rows if not site.pieces[number].startswith(OWN_PRIZE)]
            wanted |= dict.fromkeys(moved_by_us, str(payout["user_id"]))
            owed[str(payout["user_id"])] += payout["credit"]
        for line in outcome["referral"]:
            for user_id, cents in zip(line["inviters"], line["credits"], strict=False):
                owed[str(user_id)] += cents
        parts = asked.pop(where, [])
        moved = [pair for deed in parts for pair in deed.taken.items()]
        if sorted(moved) != sorted(wanted.items()):
            yield Difference("moves", f"{where}: its calls do not move what its record says", where)
        if sum_of(parts) != +owed:
            yield Difference("owed", f"{where}: its calls do not credit what its record says", where)
    for where in sorted(asked):
        yield Difference("moves", f"{where} was paid out and was not drawn", where)


def sum_of(done: Iterable[Deed]) -> Counter[str]:
    """Cents by user; who has none does not stand there."""
    found: Counter[str] = Counter()
    for deed in done:
        for user_id, cents in deed.credits:
            found[user_id] += cents
    return Counter({user_id: cents for user_id, cents in found.items() if cents})


def credits(site: SiteBooks, fleet: Books) -> Iterator[Difference]:
    """What the fleet says that the house owes a user is what rounds and exchanges left."""
    booked = Counter({row["user_id"]: int(row["cents"]) for row in fleet.credits if row["user_id"] != HOUSE and row["cents"]})
    owed = sum_of(site.deeds.values())
    for user_id in sorted(booked.keys() | owed.keys()):
        if booked[user_id] != owed[user_id]:
            text = f"the fleet owes {user_id} {booked[user_id]} cents, by the site's rounds and exchanges {owed[user_id]}"
            yield Difference("credit", text, user_id)


def sums(site: SiteBooks) -> Iterator[Difference]:
    """W11: no cent and no item appears or vanishes in a round."""
    for record in site.records:
        where, outcome = f"{record['room']}/{record['id']}", record["outcome"]
        if is_raffle(record):
            yield from _coins(where, record)
            continue
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


def is_raffle(record: Mapping[str, Any]) -> bool:
    """Tickets of a raffle are no items: what was paid for them stands in the books of coins."""
    return bool(record["rules"]["mode"] == "raffle")


def _coins(where: str, record: Mapping[str, Any]) -> Iterator[Difference]:
    """Everybody has back what they paid, or the house keeps all of it; one prize, and no row of anybody's."""
    outcome, terms = record["outcome"], record["rules"]["raffle"]
    paid = sum(item["price"] for item in record["items"])
    back = sum(payout["credit"] for payout in outcome["payouts"])
    rows = [number for payout in outcome["payouts"] for number in (*payout["rows"], *payout["change"])]
    prizes = [number for payout in outcome["payouts"] for number in payout["guarantees"]]
    if rows or outcome["house"] or len(prizes) != (0 if outcome["void"] else 1):
        yield Difference("rows", f"{where}: a raffle gave more than its one prize", where)
    if paid != record["bank"] or back != (paid if outcome["void"] else 0):
        yield Difference("cents", f"{where}: {record['bank']} were paid, {back} came back", where)
    if not outcome["void"] and paid != terms["tickets"] * terms["ticket_price"]:
        yield Difference("cents", f"{where}: it was drawn, and {paid} is not what all tickets cost", where)


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


def of_all_books(site: Site, bounds: Sequence[Bound] = ()) -> tuple[list[Difference], dict[str, int]]:
    """Steam's record against the fleet's rows, those against the site's rounds, every record by the verifier."""
    stack = site.stack
    record = get_json(f"{stack.control_url}/control/record", timeout_s=120)
    url = stack.settings().database.url
    books = crosscheck.read_books(url)
    found = crosscheck.differences(books, record)
    own = read_site()
    found += differences(own, books, site.client_id, done_by_the_fleet(url, site.client_id))
    found += own_limits_kept(own.records, bounds)
    found += verify(site.folder, site.terms().chain_hash)
    compared = crosscheck.summary(books, record) | {
        "rounds": sum(not row["outcome"]["void"] for row in own.records),
        "void": sum(bool(row["outcome"]["void"]) for row in own.records),
        "records_verified": len(own.records),
        "transfers_of_rounds": sum(kind == TRANSFER for kind, _ in own.deeds),
        "exchanges_of_tickets": sum(kind == EXCHANGE for kind, _ in own.deeds),
        "credits": sum(cents for deed in own.deeds.values() for _, cents in deed.credits),
        "change": sum(len(payout["change"]) for row in own.records for payout in row["outcome"]["payouts"]),
        "guarantees": sum(len(payout["guarantees"]) for row in own.records for payout in row["outcome"]["payouts"]),
        "bets_of_players": len(own.bets),
    }
    return found, compared


def own_limits_kept(records: Sequence[Mapping[str, Any]], bounds: Sequence[Bound]) -> list[Difference]:
    """W14, W26: what players have decided about their own play, against what the gate said and they staked."""
    from scripts.site_run import own_limits

    return list(own_limits.differences(bounds, own_limits.answers(), own_limits.staked(records)))


def done_by_the_fleet(database_url: str, client_id: str) -> list[tuple[str, str]]:
    """The transfers and exchanges that the fleet did for the site's engines, in the order of its events. In plain SQL."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(database_url)
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    query = f"SELECT kind, data FROM events WHERE kind IN ({kinds}) ORDER BY number"  # noqa: S608 - our own words
    try:
        with engine.connect() as connection:
            rows = [(row.kind, row.data) for row in connection.exec_driver_sql(query)]
    finally:
        engine.dispose()
    told = [(KINDS[kind], data if isinstance(data, dict) else json.loads(data)) for kind, data in rows]
    return [(kind, data["ref"]) for kind, data in told if data["client_id"] == client_id]


def read_site() -> SiteBooks:
    """Everything out of the site's database."""
    from scripts.site_run import office
    from website.custody.models import Exchange
    from website.engine import house
    from website.engine.models import Call
    from website.ledger import services as ledger
    from website.raffles import audit as raffles
    from website.rooms import rebuild
    from website.rooms.models import Bet, Guarantee, Lane, LaneEvent, Piece, Round

    sealed = Round.objects.exclude(sealed_ms=None).order_by("sealed_ms", "id")
    live = {(row.lane, row.round) for row in Round.objects.filter(sealed_ms=None)}
    placed = [bet for bet in Bet.objects.filter(state=Bet.PLACED) if (bet.lane, bet.round) in live]
    held = Guarantee.objects.filter(state=Guarantee.BOUND).values_list("ref", flat=True)
    asked = Guarantee.objects.filter(state=Guarantee.ASKED).values_list("ref", flat=True)
    transfers = Call.objects.filter(kind=Call.TRANSFER, state=Call.DONE)
    posted = Call.objects.filter(kind=Call.CREDIT, state=Call.DONE)
    exchanges = Exchange.objects.filter(state=Exchange.DONE)
    lanes = list(Lane.objects.order_by("name"))
    return SiteBooks(
        records=[json.loads(bytes(row.record)) for row in sealed],
        pieces=dict(Piece.objects.values_list("id", "deposit_id")),
        open_refs=frozenset(bet.bet_id for bet in placed) | frozenset(held),
        may_refs=frozenset([*asked, *(house.stock_ref(lane.name, number + lane.round) for lane in lanes for number in (0, 1))]),
        deeds={(TRANSFER, call.ref): transferred(json.loads(call.body)) for call in transfers}
        | {(EXCHANGE, row.exchange_id): exchanged(json.loads(row.asked), json.loads(row.answer)) for row in exchanges}
        | {(CREDIT, call.ref): credited(json.loads(call.body)) for call in posted},
        bets=[dict(row) for row in Bet.objects.values("bet_id", "state", "receipt")],
        events=Counter(LaneEvent.objects.filter(kind="bet").values_list("token", flat=True)),
        own=[
            *(text for lane in lanes for text in rebuild.differences(lane)),
            *ledger.differences(),
            *raffles.differences(),
            *office.differences(),
        ],
    )


def credited(body: Mapping[str, Any]) -> Deed:
    return Deed({}, tuple((user_id, int(cents)) for user_id, cents, _ in body["lines"]))


def transferred(body: Mapping[str, Any]) -> Deed:
    lines = tuple((user_id, int(cents)) for user_id, cents, _ in body["credits"])
    return Deed({deposit_id: taker for deposit_id, _, taker in body["moves"]}, lines)


def exchanged(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Deed:
    user_id = asked["user_id"]
    taken = dict.fromkeys(answer["gave"], HOUSE) | dict.fromkeys(answer["took"], user_id)
    return Deed(taken, ((user_id, answer["rest_cents"] - asked["credit_cents"]),))


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
