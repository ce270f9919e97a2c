"""Who a bot is in Steam is foreign text: cleaned, of a known length, and what cannot be true is not known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from balancer.fleet.heartbeats import is_sane
from bot_worker.steam.shapes import profile_of
from shared.domain.identity import NAME_MAX, NOBODY, Identity, clean_name
from shared.reports import Heartbeat
from shared.strict import BadShape

HASH = "0123456789abcdef0123456789abcdef01234567"
WHOLE = {"name": "Evenly keeper 8", "avatar": HASH, "level": 24, "since": 1_614_556_800}
BOT = "76561198000000101"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  Evenly \n keeper\t8 ", "Evenly keeper 8"),
        ("a\u202eb\u200bc\x00d\ud800e", "abcde"),
        ("\u3164\u2800 ", ""),
        ("z" + "\u0336" * 50, "z\u0336\u0336"),
        ("x" * 5000, "x" * NAME_MAX),
        ("<b>&", "<b>&"),
    ],
)
def test_a_name_is_one_short_line_of_signs_that_can_be_seen(text: str, clean: str) -> None:
    assert clean_name(text) == clean


@pytest.mark.parametrize(
    "odd",
    [
        {"name": 5, "avatar": "../../x", "level": "9", "since": True},
        {"name": "\u200b", "avatar": HASH.upper(), "level": -1, "since": 5},
        {"name": None, "avatar": HASH + "\n", "level": 10**9, "since": 10**12},
        {"name": [], "avatar": {}, "level": 1.5, "since": None},
        {},
    ],
)
def test_what_cannot_be_true_is_not_known_and_takes_nothing_away(odd: dict[str, Any]) -> None:
    known = Identity.of(WHOLE)
    assert known.to_json() == WHOLE
    assert Identity.of(odd) == NOBODY
    assert Identity.of(odd).over(known) == known
    assert Identity.of({"level": 25}).over(known) == Identity.of(WHOLE | {"level": 25})


def test_heartbeats_with_and_without_an_identity_are_taken() -> None:
    """A worker of the release before says nothing of it; a host that was taken over may say anything."""
    beat = Heartbeat("red-1", "run", 1, "host", BOT, "online", 5, identity=WHOLE)
    assert Heartbeat.loads(beat.dumps()) == beat and is_sane(beat)
    told = json.loads(beat.dumps())
    del told["identity"]
    older = Heartbeat.loads(json.dumps(told).encode())
    assert older.identity is None and is_sane(older)
    assert not is_sane(Heartbeat.loads(json.dumps(told | {"identity": ["x"]}).encode()))


def test_a_profile_that_hides_its_age_is_known_by_name_and_picture() -> None:
    row = {"steamid": BOT, "personaname": "Evenly", "avatarhash": HASH}
    other = {"steamid": "76561198000000999", "personaname": "another"}
    assert profile_of({"response": {"players": [other, row]}}, BOT) == Identity("Evenly", HASH)
    with pytest.raises(BadShape):
        profile_of({"response": {"players": [other]}}, BOT)
