"""What the verifier found: checks that held, in the order of the story, and what no record can prove."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

GOOD, LIE, UNCHECKED = "good", "lie", "unchecked"
Rule = Callable[[dict[str, Any]], str]


class Lie(ValueError):
    """The record claims one thing, and what it contains says another. The first one ends the verification."""


class Check(NamedTuple):
    """One thing that was recomputed, and what came out."""

    name: str
    value: str
    holds: bool = True


@dataclass
class Report:
    """Filled while the record is walked through: what held, by name, and the check that failed, if one did.

    What held is put into words when somebody reads it. `trusted` are the hashes of beacon chains and blocks that the reader
    vouches for; `unchecked` says why the draw itself could not be checked here, `not_proven` what no record can prove.
    """

    trusted: frozenset[str] = frozenset()
    proved: list[tuple[str, Any]] = field(default_factory=list)
    lie: tuple[str, str] | None = None
    unchecked: list[str] = field(default_factory=list)
    not_proven: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """One of three: GOOD, LIE, or UNCHECKED: nothing is wrong, but the draw itself could not be checked here."""
        if self.lie is not None:
            return LIE
        return UNCHECKED if self.unchecked else GOOD

    @property
    def good(self) -> bool:
        """True when everything that a record can prove was checked, and holds; it says nothing about what is not proven."""
        return self.verdict == GOOD

    @property
    def checks(self) -> list[Check]:
        """Everything that was checked, in order; only the last one can have failed."""
        failed = [] if self.lie is None else [Check(*self.lie, holds=False)]
        return [Check(name, say(value)) for name, value in self.proved] + failed

    def same(self, name: str, claimed: Any, found: Any, shown: str | None = None) -> None:
        """The record's claim must be what we found. Raises: Lie."""
        if claimed != found:
            self.lied(name, f"the record says {say(claimed)}, recomputed {say(found)}")
        self.proved.append((name, shown or found))

    def holds(self, name: str, true: bool, shown: str, otherwise: str) -> None:
        """One condition, with words for both cases. Raises: Lie."""
        if not true:
            self.lied(name, otherwise)
        self.proved.append((name, shown))

    def rule(self, name: str, rule: Rule, record: dict[str, Any]) -> None:
        """A rule with several conditions: it answers with words for the report, or raises Lie."""
        try:
            shown = rule(record)
        except Lie as lie:
            self.lied(name, str(lie))
        self.proved.append((name, shown))

    def lied(self, name: str, why: str) -> NoReturn:
        """A check that failed. Raises: Lie, always."""
        self.lie = (name, why)
        raise Lie(f"{name}: {why}")

    def end_with(self, lie: Lie) -> None:
        """A lie that no check named is one of the whole record."""
        if self.lie is None:
            self.lie = ("record", str(lie))


def require(true: bool, lie: str, *told: object) -> None:
    """A condition inside a larger check; what is told stands in the places `{}` of the lie. Raises: Lie."""
    if not true:
        raise Lie(lie.format(*told))


def say(value: Any) -> str:
    """A value as a person reads it: bytes in hex, the rest plain."""
    return value.hex() if isinstance(value, bytes) else str(value)
