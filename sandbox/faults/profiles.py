"""Profiles: files with many orders for trouble, such as an ordinary day or a Tuesday, taken and healed as one."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.errors import BadRequest
from sandbox.faults.orders import Fault, Faults

FOLDER = Path(__file__).parent.parent.parent / "config" / "faults"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True)
class Profile:
    """A name, a sentence about it, and orders as the control API takes them."""

    name: str
    about: str
    orders: tuple[dict[str, Any], ...]


def names() -> list[str]:
    """The profiles that come with the program."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def named(name: str) -> Profile:
    """One of the profiles that come with the program. Raises: BadRequest."""
    if NAME.fullmatch(name) is None or name not in names():
        raise BadRequest(f"no profile {name!r}; there are {', '.join(names())}")
    return from_file(FOLDER / f"{name}.toml")


def from_file(path: Path) -> Profile:
    """Raises: BadRequest for a file that is missing or not TOML of that shape."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadRequest(f"{path}: {error}") from error
    return of({"name": path.stem} | content)


def find(name_or_path: str) -> Profile:
    """What `--faults` means: a file if it looks like one, else a name. Raises: BadRequest."""
    looks_like_file = name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path
    return from_file(Path(name_or_path)) if looks_like_file else named(name_or_path)


def of(content: Mapping[str, Any]) -> Profile:
    """`{name, about?, fault: [orders]}`. Raises: BadRequest."""
    if unknown := set(content) - {"name", "about", "fault"}:
        raise BadRequest(f"unknown fields of a profile: {', '.join(sorted(unknown))}; there are name, about, fault")
    name, about, orders = content.get("name"), content.get("about", ""), content.get("fault", [])
    if not isinstance(name, str) or not name or not isinstance(about, str) or not isinstance(orders, list):
        raise BadRequest("a profile has a name, about is a text and fault is a list of orders")
    if not all(isinstance(order, dict) for order in orders):
        raise BadRequest("every fault of a profile is an object of its own")
    return Profile(name, about, tuple(orders))


def check(faults: Faults, profile: Profile, now: float) -> None:
    """Raises: BadRequest, naming the order that cannot be read."""
    for place, order in enumerate(profile.orders, 1):
        try:
            faults.read(order, now)
        except BadRequest as error:
            raise BadRequest(f"profile {profile.name}, fault {place} ({order.get('kind', 'no kind')}): {error}") from error


def apply(faults: Faults, profile: Profile, now: float) -> list[Fault]:
    """Put a profile in place of the one before; orders given by hand stay. Raises: BadRequest, nothing being changed."""
    check(faults, profile, now)
    faults.heal(profile_only=True)
    faults.profile, faults.about = profile.name, profile.about
    return [faults.add(order, now, profile.name, place) for place, order in enumerate(profile.orders, 1)]
