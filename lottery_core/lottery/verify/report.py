"""What the verifier found: checks that held, in the order of the story, and what no record can prove."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    """Filled while the record is walked through; `lie` is the check that failed, if one did."""

    checks: list[Check] = field(default_factory=list)
    not_proven: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True when nothing that was checked is a lie; it says nothing about what is not proven."""
        return all(check.holds for check in self.checks)

    def same(self, name: str, claimed: Any, found: Any, shown: str | None = None) -> None:
        """The record's claim must be what we found. Raises: Lie."""
        if claimed == found:
            self.checks.append(Check(name, shown or say(found)))
        else:
            self.holds(name, False, "", f"the record says {say(claimed)}, recomputed {say(found)}")

    def holds(self, name: str, true: bool, shown: str, otherwise: str) -> None:
        """One condition, with words for both cases. Raises: Lie."""
        self.checks.append(Check(name, shown if true else otherwise, true))
        if not true:
            raise Lie(f"{name}: {otherwise}")

    def rule(self, name: str, rule: Rule, record: dict[str, Any]) -> None:
        """A rule with several conditions: it answers with words for the report, or raises Lie."""
        try:
            shown = rule(record)
        except Lie as lie:
            self.holds(name, False, "", str(lie))
        else:
            self.holds(name, True, shown, "")

    def end_with(self, lie: Lie) -> None:
        """The last check is the one that failed, wherever the lie was found."""
        if self.good:
            self.checks.append(Check("record", str(lie), False))


def require(true: bool, lie: str) -> None:
    """A condition inside a larger check. Raises: Lie."""
    if not true:
        raise Lie(lie)


def say(value: Any) -> str:
    """A value as a person reads it: bytes in hex, the rest plain."""
    return value.hex() if isinstance(value, bytes) else str(value)
