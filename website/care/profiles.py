"""A player's profile of responsible play as JSON and back."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date
from typing import Any

from lottery.responsible_play import Limit, Profile, Raise


def to_json(profile: Profile) -> str:
    values: dict[str, Any] = {each.name: getattr(profile, each.name) for each in fields(profile)}
    values["born"] = None if profile.born is None else profile.born.isoformat()
    values["limits"] = [limit._asdict() for limit in profile.limits]
    values["raises"] = [asked._asdict() for asked in profile.raises]
    return json.dumps(values, sort_keys=True)


def from_json(text: str) -> Profile:
    values = json.loads(text)
    born = values["born"]
    values["born"] = None if born is None else date.fromisoformat(born)
    values["limits"] = tuple(Limit(**limit) for limit in values["limits"])
    values["raises"] = tuple(Raise(**asked) for asked in values["raises"])
    return Profile(**values)


def new(player_id: int, limits: tuple[Limit, ...], now_ms: int) -> Profile:
    """Of a player of whom nothing is known. The limits are the site's until they choose."""
    return Profile(player_id, limits=limits, limits_prompted=True, reality_answered_ms=now_ms)


def declared(profile: Profile, born: date, country: str) -> Profile:
    """Of a player who has just said how old they are and where they live."""
    return replace(profile, born=born, verified=True, identity_country=country, connection_country=country)
