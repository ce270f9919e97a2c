"""Foreign clients in bots' accounts: let in, told to leave, and what an operator does once an alarm has told of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from fleet_client import Patience
from fleet_client.errors import FleetError
from scripts.chaos_run.checker import LEFT, Reader
from scripts.chaos_run.fleet import ChaosFleet
from scripts.chaos_run.foreign_client import ForeignClient, Raid, credentials
from scripts.chaos_run.readiness import LOOK_EVERY_S, Readiness
from scripts.crosscheck import STEAM_ACCEPTED
from scripts.lab.calls import balancer, get_json, send_json
from shared import settings

CALL_S = 5.0
AT_ONCE = Patience(0.0, 0.0)


class Accounts:
    """The bots' accounts at the simulated Steam."""

    def __init__(self, control_url: str, rows: list[dict[str, object]]) -> None:
        self._control_url = control_url
        self._rows = rows

    def steam_id(self, bot: str) -> str:
        return next(str(row["steam_id"]) for row in self._rows if row["name"] == bot)

    def change(self, steam_id: str, **fields: object) -> None:
        send_json("PATCH", f"{self._control_url}/control/accounts/{steam_id}", fields)


class Raids:
    """All foreign clients of a run."""

    def __init__(self, fleet: ChaosFleet, accounts: Accounts, reader: Reader, readiness: Readiness) -> None:
        self.fleet = fleet
        self.all: list[Raid] = []
        self._accounts = accounts
        self._reader = reader
        self._readiness = readiness
        self._friend: dict[str, str] = {}
        self._next_look = 0.0

    @property
    def friend(self) -> Mapping[str, str]:
        """The accomplice of all foreign clients: takes whatever is offered. Is made when it is needed."""
        if not self._friend:
            body = {"kind": "player", "name": "friend", "items": 0, "habit": "accept"}
            self._friend = send_json("POST", f"{self.fleet.control_url}/control/accounts", body)
        return self._friend

    def canceled(self) -> list[str]:
        """The offers that foreign clients asked Steam to cancel."""
        return [offer_id for raid in self.all for offer_id in raid.canceled]

    def counts(self) -> dict[str, int]:
        """How often foreign clients tried what."""
        declined = sum(len(raid.declined) for raid in self.all)
        return {"raids": len(self.all), "declined": declined, "canceled": len(self.canceled())}

    def begin(self, bot: str, at_s: float) -> tuple[Raid, Callable[[float], bool]]:
        """Let one into this bot's account. Over when the account is signed out everywhere and an operator unfroze the bot."""
        fleet, steam_id = self.fleet, self._accounts.steam_id(bot)
        account = credentials(fleet.control_url, steam_id)
        rules = settings.load(fleet.host_config(fleet.group_of(bot)))
        raid = Raid(lambda: ForeignClient(account, rules), self.friend, f"{bot}:{at_s}")
        self.all.append(raid)
        return raid, self._is_over(raid, bot, steam_id)

    def _is_over(self, raid: Raid, bot: str, steam_id: str) -> Callable[[float], bool]:
        signed_out: list[float] = []

        def well(_since_wall: float) -> bool:
            if not raid.over:
                return False
            if not signed_out:
                self._accounts.change(steam_id, revoke_tokens=True)
                signed_out.append(time.time())
            if not self._readiness.online([bot], signed_out[0]) or time.time() < self._next_look:
                return False
            self._next_look = time.time() + LOOK_EVERY_S
            return self._all_told(steam_id) and self._unfrozen(bot)

        return well

    def _all_told(self, steam_id: str) -> bool:
        """Whether an alarm has named each offer of this account that the friend has accepted."""
        friend = self.friend["steam_id"]
        offers = get_json(f"{self.fleet.control_url}/control/people/{friend}/offers")["offers"]
        given = {row["offer_id"] for row in offers if row["sender"] == steam_id and row["state"] == STEAM_ACCEPTED}
        told = self._reader.alarmed(LEFT) if given else set()
        return told is not None and given <= told

    def _unfrozen(self, bot: str) -> bool:
        """What an operator does who was told: let the bot go on. Its rows of those items stay frozen."""
        color, _, bot_id = bot.rpartition("-")
        first = balancer(self.fleet.balancers[0].url, self.fleet.api_key, patience=AT_ONCE, timeout_s=CALL_S)
        try:
            return first.change_bot(color, int(bot_id), "unfreeze").frozen_by is None
        except FleetError:
            return False  # that balancer is away; it is asked again
