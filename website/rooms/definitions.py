"""The rooms of the seed as this site runs them: `rooms.toml`, where each number says where it comes from."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from lottery import rooms
from lottery.errors import RoomError
from lottery.rooms import Room


def load(name: str) -> Room:
    """One room. Raises RoomError when there is none of this name, or a parameter is wrong."""
    found = _all()
    if name not in found:
        raise RoomError("room", f"no {name!r}; there are {', '.join(found)}")
    return rooms.parse({"name": name, **found[name]})


def names() -> list[str]:
    """In the order of the seed."""
    return list(_all())


def _all() -> dict[str, dict[str, Any]]:
    return tomllib.loads(text())


def text() -> str:
    return resources.files("website.rooms").joinpath("rooms.toml").read_text(encoding="utf-8")
