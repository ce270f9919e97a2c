"""From a template's version to the rules of an instance, and from names of lanes to templates and back. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from lottery import raffle
from lottery.rooms import Room
from lottery.sources import BeaconTerms

from website.raffles.models import TemplateVersion

ROOM = re.compile(r"raffle-([1-9][0-9]{0,17})")
LANE = re.compile(r"raffle-([1-9][0-9]{0,17})-([1-9][0-9]{0,5})")


def room_of(template_id: int) -> str:
    """All lanes of a template are one room: what is set aside for it goes to whichever comes first."""
    return f"raffle-{template_id}"


def lane_of(template_id: int, number: int) -> str:
    return raffle.Slot(template_id, number).lane


def template_of(room: str) -> int | None:
    """The template whose room this is; None for a room where items are staked."""
    found = ROOM.fullmatch(room)
    return None if found is None else int(found[1])


def slot_of(lane: str) -> raffle.Slot | None:
    found = LANE.fullmatch(lane)
    return None if found is None else raffle.Slot(int(found[1]), int(found[2]))


def core_of(version: TemplateVersion) -> raffle.Template:
    """Raises RoomError for terms that make no sense."""
    return raffle.Template(
        version.template_id,
        version.prize,
        version.price_cents,
        version.commission_cents,
        version.tickets,
        version.parallel,
        expires_s=version.expires_s,
        entropy=version.entropy if not version.beacon else "drand:quicknet",
    )


def rules_of(version: TemplateVersion, number: int) -> Room:
    """The rules of a new instance in this slot. Raises RoomError."""
    rules = raffle.instance_rules(core_of(version), raffle.Slot(version.template_id, number))
    if not version.beacon:
        return rules
    return replace(rules, entropy=version.entropy, beacon=BeaconTerms(**json.loads(version.beacon)))


def tickets_max(version: TemplateVersion) -> int:
    """How many tickets of one instance a player may have, rounded down."""
    return version.tickets * version.share_max_percent // 100
