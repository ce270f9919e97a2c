"""A request without any web framework, so the same handlers serve HTTP and tests in process."""

from dataclasses import dataclass, field
from urllib.parse import unquote

from sandbox.answers import Values, whole
from sandbox.steam import Steam
from sandbox.world.accounts import Account
from sandbox.world.items import Item, Place
from sandbox.world.state import World


@dataclass
class Call:
    """One request: `host` without port, header names in lower case, repeated values kept in order."""

    steam: Steam
    method: str
    host: str
    path: str
    query: Values
    form: Values
    headers: dict[str, str]
    now: float
    real_now: float
    route: str = ""
    args: dict[str, str] = field(default_factory=dict)
    known_as: Account | None = None
    """The account this request was found to come from, for faults and the record."""
    address: str = ""
    """Where the connection comes from."""
    struck: list[str] = field(default_factory=list)
    """The kinds of trouble that struck this request."""
    wants_protobuf: bool = False
    hidden_confirmations: set[int] = field(default_factory=set)
    inventory_is_empty: bool = False
    inventory_age_s: float = 0.0
    beacon_late_s: float = 0.0

    @property
    def world(self) -> World:
        return self.steam.world

    def items_at(self, place: Place) -> list[Item]:
        """An inventory as this request sees it: the true one, an old one, or none of it."""
        if self.inventory_is_empty:
            return []
        items = self.world.items
        return items.at_time(place, self.now - self.inventory_age_s) if self.inventory_age_s else items.at(place)

    def value(self, name: str, default: str = "") -> str:
        """A form field or, failing that, a query parameter; the first one when repeated."""
        found = self.form.get(name) or self.query.get(name)
        return found[0] if found else default

    def number(self, name: str, default: int = 0) -> int:
        """A whole number; what is no number counts as the default."""
        found = whole(self.value(name))
        return default if found is None else found

    def flag(self, name: str, default: bool = False) -> bool:
        """Steam reads 0/1 and true/false; steampy 1.2.0 also sends Python's `True` and `False`."""
        text = self.value(name).strip().lower()
        return default if text == "" else text in ("1", "true")

    def cookie(self, name: str) -> str:
        """The first cookie of that name, percent-decoded; empty when there is none."""
        for part in self.headers.get("cookie", "").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return unquote(value.strip('"'))
        return ""
