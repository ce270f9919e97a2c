"""Somebody else at a bot's account: a second session with its credentials and its phone, as a thief has it.

`ForeignClient` is that session; `Raid` is what it does in a chaos run. What it gives away goes to one accomplice, so that the
sandbox's record shows all of it, also what had no answer.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from bot_worker.steam import answers
from bot_worker.steam.connection import Connection
from bot_worker.steam.pace import Pace
from bot_worker.steam.session import SteamSession
from bot_worker.steam.shapes import Offer
from bot_worker.vault import Account, SavedSession
from scripts.lab.calls import get_json
from shared.clock import Clock
from shared.domain.items import Asset
from shared.errors import FleetError
from shared.settings import Settings

SECRETS = ("account_name", "password", "steam_id", "shared_secret", "identity_secret", "device_id")
LOOK_BACK_S = 3600
ROUND_S = 2.0
ROUNDS_MAX = 60


def credentials(control_url: str, steam_id: str) -> Account:
    """The secrets of one of the sandbox's bot accounts."""
    rows = get_json(f"{control_url}/control/credentials?kind=bot")["accounts"]
    row = next(row for row in rows if row["steam_id"] == steam_id)
    return Account("foreign-1", **{name: row[name] for name in SECRETS})


class ForeignClient:
    """A session beside the bot's own. ``saved`` may hold a stolen refresh token; without one it signs in with the password.

    Raises:
        FleetError: Steam lets nobody in now.
    """

    def __init__(self, account: Account, settings: Settings, saved: SavedSession | None = None) -> None:
        pace = Pace(None, "elsewhere", settings.pace, Clock(), lambda _s: None)
        # It sleeps while a Guard code that the bot has used itself is over: the next one comes within half a minute.
        self.session = SteamSession(
            Connection(account, saved or SavedSession(), settings, pace, lambda _saved: None, time.sleep)
        )
        self.session.sign_in()

    def offer(self, partner: str, trade_token: str, give: Iterable[Asset], take: Iterable[Asset] = ()) -> str:
        """Send one offer, and confirm it on the phone, in one try, if that is asked; its id.

        Raises:
            FleetError: it was not made, or nobody knows.
        """
        sent = self.session.send_offer(partner, trade_token, "bye", give, take)
        if sent.needs_confirmation:
            self.session.phone.confirm(sent.offer_id)
        return sent.offer_id


class Raid:
    """A foreign client at one bot, in a thread of its own: it declines, cancels, and gives one item away.

    It stays until it is told to leave and the item is with its friend, or until it has tried that often enough. ``canceled``
    and ``declined`` are the offers that it asked Steam to end, whether or not Steam did.
    """

    def __init__(self, enter: Callable[[], ForeignClient], friend: Mapping[str, str], seed: str) -> None:
        self.canceled: list[str] = []
        self.declined: list[str] = []
        self.gave = False
        self._enter, self._friend = enter, friend
        self._chance = random.Random(f"raid:{seed}")  # noqa: S311 - a script of play, no secret
        self._told_to_leave = threading.Event()
        self._of_others: set[str] | None = None
        self._thread = threading.Thread(target=self._run, name=f"raid-{seed}", daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """End it soon."""
        self._told_to_leave.set()

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        client: ForeignClient | None = None
        for _ in range(ROUNDS_MAX):
            with contextlib.suppress(FleetError):  # Steam has a bad day for thieves too
                client = client or self._enter()
                self._round(client)
            if self._told_to_leave.is_set() and self.gave:
                return
            time.sleep(ROUND_S)

    def _round(self, client: ForeignClient) -> None:
        sent, received = client.session.both_offers(int(time.time()) - LOOK_BACK_S)
        if not self.gave:
            to_friend = [offer for offer in sent if offer.partner == self._friend["steam_id"]]
            if self._of_others is None:  # raids before this one
                self._of_others = {offer.offer_id for offer in to_friend}
            self._give(client, [offer for offer in to_friend if offer.offer_id not in self._of_others])
        for offer in received:
            if offer.state == answers.ACTIVE:
                self.declined.append(offer.offer_id)
                client.session.decline(offer.offer_id)
        live = [each.offer_id for each in sent if each.state == answers.ACTIVE and each.partner != self._friend["steam_id"]]
        if live:
            self.canceled.append(self._chance.choice(live))
            client.session.cancel(self.canceled[-1])

    def _give(self, client: ForeignClient, before: Sequence[Offer]) -> None:
        """One item to the friend, who takes whatever is offered; the next one only when nothing came of the one before."""
        self.gave = any(offer.state == answers.ACCEPTED for offer in before)
        open_ones = [offer for offer in before if offer.state in answers.LIVE_STATES]
        for offer in open_ones:
            if offer.state == answers.NEEDS_CONFIRMATION:
                client.session.phone.confirm(offer.offer_id)
        held = [each.asset for each in client.session.inventories.own_inventory().held if each.tradable]
        if not self.gave and not open_ones and held:
            client.offer(self._friend["steam_id"], self._friend["trade_token"], [self._chance.choice(held)])
