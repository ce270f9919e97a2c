"""Raffles in their lane's transaction: whether an instance is wanted, its prize, what is bought, and where the coins go.

A raffle is a round like any other; it differs in what is staked. Tickets are paid with play coins in the transaction of the
event that sells them (wallet → escrow of the instance), so the fleet has no part in a purchase. A sold-out instance brings its
escrow to the house, a void one pays everybody back, in the transaction of its seal.

Order of locks: lane, template, profiles, accounts, mailboxes. So entries are collected in the unit and made at its end, all
accounts of them locked at once (W6).
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from lottery import encoding, payouts, record
from lottery.commitments import Piece as HousePiece
from lottery.errors import Refused
from lottery.events import Buy
from lottery.rooms import Room
from lottery.state import Phase

from website.care.gate import Gate
from website.engine import crash, house
from website.engine.saga import TurnedAwayError
from website.engine.unit import Unit, alarm, end_alarms
from website.ledger import services as ledger
from website.ledger.models import Entry
from website.ledger.services import HOUSE, Wanted
from website.live.post import Letter
from website.raffles import instances
from website.raffles.models import Prize, Purchase, Template, TemplateVersion
from website.rooms.models import OWN_PRIZE, Kind, Lane, Piece, Round

IDLE_MS = 30_000
"""So often a lane whose template wants no instance there is looked at, unless somebody turns something on."""


class Terms(NamedTuple):
    """What the next instance of a lane sells."""

    rules: Room
    version: TemplateVersion


def is_raffle(lane: Lane) -> bool:
    return instances.slot_of(lane.name) is not None


# ---- whether an instance is wanted


def wanted(lane: Lane, to_create: bool = False) -> Terms | None:
    """The newest approved version, if its template is on and has fewer instances than it is to have; else None.

    `to_create` locks the template until the transaction ends: whoever switches it off meanwhile comes before or after, and two
    lanes never both take its last place.
    """
    slot = instances.slot_of(lane.name)
    if slot is None:
        return None
    templates = Template.objects.select_for_update() if to_create else Template.objects
    if not templates.filter(id=slot.template_id, active=True).exists():
        return None
    approved = TemplateVersion.objects.filter(template_id=slot.template_id, state=TemplateVersion.APPROVED)
    version = approved.order_by("-version").first()
    if version is None or slot.number > version.parallel or _others(lane) >= version.parallel:
        return None
    return Terms(instances.rules_of(version, slot.number), version)


def _others(lane: Lane) -> int:
    """Instances of the template that are not over on its other lanes: more than are wanted, where fewer run from now on."""
    return Round.objects.filter(room=lane.room, sealed_ms=None).exclude(lane=lane.name).count()


# ---- prizes


def prize(unit: Unit, terms: Terms, number: int) -> tuple[HousePiece, ...] | None:
    """What the next instance is about, bound to it; None while there is none. The template is locked."""
    version = terms.version
    if version.prize_kind == TemplateVersion.ITEM:
        return house.guarantees(unit, terms.rules, number)
    row = _of_own(unit, version, number)
    if row is None:
        text = f"{unit.lane.room} has no key for its next raffle: add some (manage.py raffles keys)"
        alarm("no_prize", unit.lane.room, text, unit.now_ms)
        return None
    end_alarms("no_prize", unit.lane.room, unit.now_ms)
    kind = _kind(version)
    row.piece = Piece.objects.get_or_create(deposit_id=f"{OWN_PRIZE}{row.id}", defaults={"kind": kind})[0]
    row.state, row.lane, row.round = Prize.BOUND, unit.lane.name, number
    row.save(update_fields=["piece", "state", "lane", "round"])
    return (HousePiece(row.piece.id, kind.id, version.price_cents),)


def _of_own(unit: Unit, version: TemplateVersion, number: int) -> Prize | None:
    if version.prize_kind == TemplateVersion.KEY:
        stock = Prize.objects.filter(template_id=version.template_id, kind=TemplateVersion.KEY, state=Prize.STOCK)
        return stock.order_by("id").first()
    return Prize.objects.create(
        template_id=version.template_id, kind=version.prize_kind, state=Prize.STOCK, made_ms=unit.now_ms
    )


def _kind(version: TemplateVersion) -> Kind:
    """The prize as records name it. No name of the fleet has a blank."""
    name = f"{OWN_PRIZE}{version.template_id} {version.version}"
    return Kind.objects.get_or_create(item_id=name, defaults={"market_hash_name": version.prize[:255]})[0]


def _own_prize(unit: Unit) -> Prize | None:
    return Prize.objects.filter(lane=unit.lane.name, round=unit.place.number, state=Prize.BOUND).select_related("piece").first()


def not_of_the_fleet(unit: Unit) -> set[int]:
    """Numbers of the instance's pieces that no call moves."""
    row = _own_prize(unit)
    return set() if row is None or row.piece_id is None else {row.piece_id}


# ---- purchases


def work(unit: Unit, closed_because: str | None) -> None:
    """Answers everything that somebody wants to buy on this lane. `closed_because`: why nothing is sold at the moment."""
    if not is_raffle(unit.lane):
        return
    rows = list(Purchase.objects.filter(lane=unit.lane.name, state=Purchase.NEW).order_by("id").select_related("player"))
    if not rows:
        return
    sells = unit.held is not None and unit.state.phase is Phase.GAME
    desk = _Desk(unit, Gate({row.player_id for row in rows} if sells else ()), closed_because)
    for row in rows:
        desk.take(row)


class _Desk:
    def __init__(self, unit: Unit, gate: Gate, closed_because: str | None) -> None:
        self.unit, self.gate, self.closed_because = unit, gate, closed_because

    def take(self, row: Purchase) -> None:
        try:
            self._sell(row)
        except TurnedAwayError as no:
            self._turn_away(row, no.code, no.details)
        except Refused as no:
            self._turn_away(row, no.code, dict(no.accepts))

    def _sell(self, row: Purchase) -> None:
        """Sold or refused is decided here and nowhere else; the coins move with it."""
        unit = self.unit
        self._check_open(row)
        self._check_who(row)
        balance = unit.coins_of(ledger.wallet(row.player_id))
        terms = unit.state.rules.raffle
        assert terms is not None
        cents = row.quantity * terms.ticket_price
        # What cannot be had is refused before the gate is asked, which keeps what it says.
        if row.quantity <= terms.tickets - unit.state.tickets and cents <= balance:
            self._ask_gate(row, cents)
        event = Buy(unit.time(), row.purchase_id, row.player_id, row.quantity, balance, row.client_seed)
        receipt, *_ = unit.append(event)
        unit.note_lines()
        place, who = unit.place, f"player {row.player_id}"
        lines = {ledger.wallet(row.player_id): -cents, ledger.escrow(place.lane, place.number): cents}
        unit.coins.append(Wanted(f"buy:{row.purchase_id}", Entry.BUY, who, lines, f"{row.quantity} of {place.cycle}"))
        told = record.receipt(unit.state, receipt)  # type: ignore[arg-type]  # a purchase's first effect
        row.state, row.receipt = Purchase.PLACED, encoding.canonical_json(told).decode()
        self._touch(row, "state", "receipt")
        unit.letters.append(Letter(row.player_id, "tickets_bought", _where(row) | {"cents": cents, "tickets": row.quantity}))

    def _check_open(self, row: Purchase) -> None:
        """Raises TurnedAwayError unless its own instance sells now: a purchase is never carried on to another one."""
        held = self.unit.held
        if held is None or row.round != held.place.number:
            raise TurnedAwayError("round_over", lane=row.lane, round=0 if held is None else held.place.number)
        if held.state.phase is not Phase.GAME:
            if held.state.closed_by == "sold_out":
                raise TurnedAwayError("capacity", capacity=0)
            raise TurnedAwayError("round_over", lane=row.lane, round=held.place.number)
        if self.closed_because:
            raise TurnedAwayError("paused", because=self.closed_because)

    def _check_who(self, row: Purchase) -> None:
        """What the template asks of its buyers, which the core knows nothing of."""
        slot = instances.slot_of(row.lane)
        assert slot is not None
        version = TemplateVersion.objects.get(template_id=slot.template_id, version=self.unit.place.version)
        if row.player.blocked_why:
            raise TurnedAwayError("blocked")
        level = row.player.steam_level
        if version.steam_level_min and (level is None or level < version.steam_level_min):
            raise TurnedAwayError("steam_level", least=version.steam_level_min)
        mine, most = self.unit.state.players.get(row.player_id), instances.tickets_max(version)
        have = 0 if mine is None else mine.tickets
        if have + row.quantity > most:
            raise TurnedAwayError("share", capacity=max(0, most - have), most=most, percent=version.share_max_percent)

    def _ask_gate(self, row: Purchase, cents: int) -> None:
        place = self.unit.place
        no = self.gate.ask_purchase(row.player_id, cents, place.room, place.cycle, self.unit.time())
        if no is not None:
            raise TurnedAwayError("gate", reason=no.reason, until=no.until)

    def _turn_away(self, row: Purchase, code: str, details: dict[str, Any]) -> None:
        row.state, row.code, row.details = Purchase.REFUSED, code, json.dumps(details)
        self._touch(row, "state", "code", "details")
        self.unit.letters.append(Letter(row.player_id, "tickets_refused", _where(row) | {"code": code, "details": details}))

    def _touch(self, row: Purchase, *names: str) -> None:
        row.touched_ms = self.unit.now_ms
        row.save(update_fields=[*names, "touched_ms"])


def _where(row: Purchase) -> dict[str, Any]:
    return {"purchase": row.purchase_id, "lane": row.lane, "round": row.round}


# ---- the end


def settled(unit: Unit) -> None:
    """It was drawn, and is sealed: what was paid is the house's, the prize is the winner's."""
    if not is_raffle(unit.lane):
        return
    place, bank = unit.place, unit.state.bank
    lines = {ledger.escrow(place.lane, place.number): -bank, HOUSE: bank}
    unit.coins.append(Wanted(f"sell_out:{place.cycle}", Entry.SELL_OUT, "engine", lines))
    winner = unit.state.winners[0].user_id
    own = _own_prize(unit)
    if own is not None:
        own.state, own.player_id, own.owed_ms = Prize.OWED, winner, unit.now_ms
        own.save(update_fields=["state", "player_id", "owed_ms"])
    terms = unit.state.rules.raffle
    assert terms is not None
    told = {"lane": place.lane, "round": place.number, "prize": terms.prize}
    unit.letters.append(Letter(winner, "raffle_won", told | {"kind": "item" if own is None else own.kind}))
    _over(unit)


def returned(unit: Unit) -> None:
    """It is void: everybody has back what they paid, and a key is in stock again."""
    if not is_raffle(unit.lane):
        return
    crash.at("raffle.refund")
    place = unit.place
    back = {ledger.wallet(each.user_id): each.claim for each in payouts.refunds(unit.state)}
    if back:
        lines = {ledger.escrow(place.lane, place.number): -sum(back.values()), **back}
        unit.coins.append(Wanted(f"refund:{place.cycle}", Entry.REFUND, "engine", lines))
    own = _own_prize(unit)
    if own is not None and own.kind == TemplateVersion.KEY:
        own.state, own.lane, own.round = Prize.STOCK, "", 0
        own.save(update_fields=["state", "lane", "round"])
    elif own is not None:
        own.state = Prize.VOID
        own.save(update_fields=["state"])
    _over(unit)


def _over(unit: Unit) -> None:
    placed = Purchase.objects.filter(lane=unit.lane.name, round=unit.place.number, state=Purchase.PLACED)
    placed.update(state=Purchase.OVER, touched_ms=unit.now_ms)
