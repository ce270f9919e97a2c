"""What a browser sends for a bet, read strictly: whatever it is, it is either a bet or a reason why it is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.crypto import salted_hmac

from website.rooms.models import Bet
from website.rooms.services import ITEMS_MAX, BetError, Wanted

DEPOSIT = re.compile(r"[A-Za-z0-9_-]{1,64}")
LANE = re.compile(r"[a-z0-9-]{1,64}")
NUMBER = re.compile(r"[0-9]{1,15}")
"""Whole numbers that every part of the site can hold; records end at 2^53."""
COUNT = re.compile(r"[0-9]{1,4}")
FORM = "This form was not as the page made it."


@dataclass(frozen=True)
class Chosen:
    """What is ticked in the picker: deposit ids, and what the player saw that they are worth."""

    deposit_ids: Sequence[str] = ()
    cents: int = 0
    team: int = 0
    client_seed: str = ""


def wanted(form: QueryDict) -> Wanted:
    """A bet as a form has it. Raises BetError, whose code says which field is none."""
    found = chosen(form)
    lane = form.get("lane", "")
    if not LANE.fullmatch(lane):
        raise BetError("lane", "There is no such lane.")
    seen = number(form, "seen_cents") if form.get("seen_cents") else found.cents
    token = form.get("token", "")
    if not DEPOSIT.fullmatch(token):
        raise BetError("token", FORM)
    return Wanted(lane, number(form, "round"), found.deposit_ids, seen, token, found.client_seed, found.team)


def chosen(form: QueryDict) -> Chosen:
    """Items are `item=DEPOSIT:CENTS`, once for each, or so `many` of a `pile` of items that are alike. Raises BetError."""
    sent = [*form.getlist("item"), *_of_piles(form)]
    if len(sent) > ITEMS_MAX:
        raise BetError("deposit_ids", f"1 to {ITEMS_MAX} items, each once.")
    pairs = [each.partition(":") for each in sent]
    for deposit_id, _, cents in pairs:
        if not DEPOSIT.fullmatch(deposit_id) or (cents and not NUMBER.fullmatch(cents)):
            raise BetError("deposit_ids", FORM)
    seed = form.get("client_seed", "")
    if not seed.isprintable():
        raise BetError("client_seed", "Letters, digits and signs.")
    team = number(form, "team") if form.get("team") else 0
    if team > 2:
        raise BetError("number", FORM)
    return Chosen([each[0] for each in pairs], sum(int(each[2] or 0) for each in pairs), team, seed)


def _of_piles(form: QueryDict) -> list[str]:
    """`pile=CENTS:DEPOSIT,DEPOSIT,…` with `many`, how many of them, at the same place. Raises BetError."""
    piles, counts = form.getlist("pile"), form.getlist("many")
    if len(piles) != len(counts):
        raise BetError("deposit_ids", FORM)
    found: list[str] = []
    for pile, many in zip(piles, counts, strict=True):
        cents, _, listed = pile.partition(":")
        ids = listed.split(",")
        count = int(many) if COUNT.fullmatch(many) and many.isascii() else 0 if not many else len(ids) + 1
        if count > len(ids):
            raise BetError("deposit_ids", FORM)
        found += [f"{each}:{cents}" for each in ids[:count]]
    return found


def number(form: QueryDict, name: str) -> int:
    """Raises BetError unless the field is a whole number."""
    text = form.get(name, "")
    if not NUMBER.fullmatch(text) or not text.isascii():
        raise BetError("number", FORM)
    return int(text)


def token(player_id: int, lane: str, round_number: int) -> str:
    """The one-use word of a form. It is the same in every tab until the player's next bet in this round, so that two tabs, a
    double click and the way back make one bet (S23).
    """
    made = Bet.objects.filter(player_id=player_id, lane=lane, round=round_number).count()
    return salted_hmac("website.rooms.bet", f"{player_id}:{lane}:{round_number}:{made}", algorithm="sha256").hexdigest()[:40]
