"""What waits on the account's phone, and saying yes to an offer of ours there."""

from __future__ import annotations

from collections import Counter
from typing import Any

import requests
from steampy.guard import generate_confirmation_key

from bot_worker.steam.connection import COMMUNITY_URL, Connection
from bot_worker.steam.maintenance import Sign
from bot_worker.steam.shapes import (
    Confirmation,
)
from shared import strict
from shared.errors import NotSignedIn, SteamUnavailable
from shared.strict import BadShape

TRADE_CONFIRMATION = 2
# The code of the error when Steam lists a confirmation and does not take it.
NOT_CONFIRMED = "confirmation_refused"
# Phone number change, account recovery, a new API key: nobody of ours asks for these.
ALARMING_CONFIRMATIONS = frozenset({5, 6, 9})


class Phone:
    """The phone of one account. ``alarms``: kinds of confirmations in the last list that none of ours asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.alarms: frozenset[int] = frozenset()
        self._acted_s = 0

    def confirm(self, offer_id: str) -> bool:
        """Confirm one offer of ours by its id. False: no such confirmation is waiting (yet, or any more).

        Raises:
            SteamUnavailable: Steam says that it did not do it (`NOT_CONFIRMED`); it may have done so all the same (TF2Autobot),
                so look again.
        """
        waiting = self._confirmation_of(offer_id)
        if waiting is None:
            return False
        answer = self._confirmation_call("ajaxop", "allow", op="allow", cid=waiting.confirmation_id, ck=waiting.nonce)
        if answer.get("success") is not True:
            raise SteamUnavailable("Steam did not take the confirmation", code=NOT_CONFIRMED)
        return True

    def _confirmation_of(self, offer_id: str) -> Confirmation | None:
        waiting = self._waiting()
        return next((each for each in waiting if each.kind == TRADE_CONFIRMATION and each.creator_id == offer_id), None)

    def refresh(self) -> None:
        """List what waits on the phone, for `alarms`."""
        self._waiting()

    def _waiting(self) -> list[Confirmation]:
        answer = self._confirmation_call("getlist", "conf")
        rows = answer.get("conf")
        if answer.get("success") is not True or not isinstance(rows, list):
            raise SteamUnavailable("Steam did not list the confirmations")
        waiting, unreadable, alarming = [], Counter[str](), set[int]()
        for row in strict.objects(rows):
            alarming |= {kind for kind in ALARMING_CONFIRMATIONS if row.get("type") in (kind, str(kind))}
            try:
                waiting.append(Confirmation.parse(row))
            except BadShape as error:
                unreadable[error.field] += 1
        self.alarms = frozenset(alarming)
        self._connection.observer.leave_out("confirmations", unreadable)
        return waiting

    def _confirmation_call(self, path: str, tag: str, **more: str) -> dict[str, Any]:
        headers = {"X-Requested-With": "XMLHttpRequest"}
        url = f"{COMMUNITY_URL}/mobileconf/{path}"

        def call() -> requests.Response:
            # Paced and signed anew each time that it is repeated: Steam takes no key for an action twice.
            query = {**self._signed(tag, acts=path == "ajaxop"), **more}
            response: requests.Response = self._connection.client._session.get(url, params=query, headers=headers)
            return response

        answer = self._connection.read(call, lambda data: strict.mapping(data, "confirmations"))
        if answer.get("needauth"):
            self._connection.maintenance.saw(path, Sign.SIGNED_OUT)
            raise NotSignedIn()
        self._connection.maintenance.saw(path, Sign.GOOD)
        return answer

    def _signed(self, tag: str, *, acts: bool) -> dict[str, Any]:
        """What names this phone and signs one request of it, when that request may go.

        A time is good for one action, so each action's is later than the one before, even if the clock says otherwise: it is
        set by Steam's answers and may step back (node-steamcommunity counts up too, ``acceptConfirmationForObject``). Lists
        may share theirs.
        """
        if acts:
            self._connection.pace.wait("confirm")
            timestamp = self._acted_s = max(self._connection.now_s(), self._acted_s + 1)
        else:
            self._connection.pace.wait("confirm_list")
            timestamp = self._connection.now_s()
        return {
            "p": self._connection.account.device_id,
            "a": self._connection.account.steam_id,
            "k": generate_confirmation_key(self._connection.account.identity_secret, tag, timestamp),
            "t": timestamp,
            "m": "react",
            "tag": tag,
        }
