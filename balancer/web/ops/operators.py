"""Who may use the page, by the settings, and what each role may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.sections import OpsSettings

Role = Literal["look", "act", "approve"]

LOOK: Role = "look"
ACT: Role = "act"
APPROVE: Role = "approve"
# Each may what those before it may.
ROLES: tuple[Role, ...] = (LOOK, ACT, APPROVE)


@dataclass(frozen=True, slots=True)
class Operator:
    """One of them."""

    steam_id: str
    name: str
    role: Role

    @property
    def who(self) -> str:
        """As events say it."""
        return f"ops:{self.name}"

    def may(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)


def of(settings: OpsSettings, steam_id: int | str) -> Operator | None:
    """The operator with this Steam account, if it is one's."""
    operator = next((each for each in settings.operators if each.steam_id == str(steam_id)), None)
    return None if operator is None else Operator(operator.steam_id, operator.name, operator.role)
