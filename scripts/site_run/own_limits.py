"""Simulated people who bind themselves: a limit of a day, a time-out, an exclusion; and what an audit then asks of the site."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from lottery import encoding

from scripts.crosscheck import Difference
from scripts.site_run import people
from website.accounts.models import Player
from website.care import services as care
from website.care.models import PlayDecision, PlayLog

LIMIT, TIME_OUT, EXCLUSION = "limit", "time-out", "exclusion"
KINDS = (LIMIT, EXCLUSION, TIME_OUT)
PLAYS = ("bet", "purchase", "free_play")
TAG = "lot2.gate"


@dataclass(frozen=True)
class Bound:
    """What a player has decided. `after`: the gate's last answer before; `staked`: cents of items till then."""

    kind: str
    player_id: int
    after: int
    staked: int
    limit: int = 0


@dataclass(frozen=True)
class Answer:
    """One answer of the gate as the site keeps it: `line` is canonical JSON, `hash` covers all lines before it."""

    number: int
    line: str
    hash: bytes


def decide(player: Player, kind: str, more_cents: int) -> Bound:
    """The player decides; a limit leaves `more_cents` for this day. What stood before is read in the same transaction, in which
    nobody else has the player's profile."""
    now_ms = people.now_ms()
    with transaction.atomic():
        care.change(player, lambda profile: profile, now_ms)  # takes the profile
        staked = sum(PlayLog.objects.filter(player=player, kind="stake", currency="item").values_list("cents", flat=True))
        last = PlayDecision.objects.filter(player=player).order_by("-number").values_list("number", flat=True).first() or 0
        bound = Bound(kind, player.id, last, staked, staked + more_cents if kind == LIMIT else 0)
        if kind == LIMIT:
            care.set_limit(player, "stake", "day", bound.limit, now_ms)
        elif kind == TIME_OUT:
            care.take_time_out(player, care.TIME_OUT_DAYS[0], now_ms)
        else:
            care.exclude(player, care.EXCLUSION_DAYS[0], now_ms)
    return bound


def answers() -> dict[int, list[Answer]]:
    """What the gate has said, by player, in its order."""
    made: dict[int, list[Answer]] = {}
    for row in PlayDecision.objects.order_by("player_id", "number"):
        made.setdefault(row.player_id, []).append(Answer(row.number, row.line, bytes(row.hash)))
    return made


def staked(records: Sequence[Mapping[str, Any]]) -> Counter[int]:
    """Cents of items by player, by the sealed records."""
    total: Counter[int] = Counter()
    for record in records:
        if record["rules"]["mode"] != "raffle":
            for item in record["items"]:
                total[item["user_id"]] += item["price"]
    return total


def differences(
    bounds: Sequence[Bound], said: Mapping[int, Sequence[Answer]], total: Mapping[int, int]
) -> Iterator[Difference]:
    """Nobody played against what they had decided (W14, W26), and no answer of the gate was left out or changed."""
    for player_id, lines in said.items():
        yield from _chain(player_id, lines)
    for bound in bounds:
        if bound.kind == LIMIT:
            if total.get(bound.player_id, 0) > max(bound.limit, bound.staked):
                text = f"player {bound.player_id} staked {total.get(bound.player_id, 0)} with a limit of {bound.limit}"
                yield Difference("limit", text, str(bound.player_id))
            continue
        for answer in said.get(bound.player_id, ()):
            line = json.loads(answer.line)
            if answer.number > bound.after and line["intent"] in PLAYS and line["answer"] == "allow":
                text = (
                    f"player {bound.player_id} was allowed a {line['intent']} after the {bound.kind}, by answer {answer.number}"
                )
                yield Difference("excluded", text, str(bound.player_id))


def _chain(player_id: int, lines: Sequence[Answer]) -> Iterator[Difference]:
    before = encoding.ZERO_HASH
    for number, answer in enumerate(lines, 1):
        covered = encoding.sha256(encoding.TAG(TAG), before, encoding.LP(answer.line.encode()))
        if (answer.number, answer.hash) != (number, covered):
            yield Difference("gate", f"answer {answer.number} of the gate to player {player_id} is not the next of its chain")
            return
        before = answer.hash
