"""Reading whole inventories: the account's own with what is protected, and what others could put into an offer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bot_worker.steam import inventories
from bot_worker.steam.connection import COMMUNITY_URL, PAGES_MAX, Connection
from bot_worker.steam.inventories import Page
from shared import log
from shared.domain.ids import SteamId, TradeUrl
from shared.domain.items import CONTEXT_NORMAL, CONTEXT_PROTECTED, CS2_APP_ID, HeldAsset
from shared.errors import SteamUnavailable

PAGE_ITEMS = 2000  # more is answered with 400 since 2025 (steampy#445)

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an account holds. If it is not ``whole``, rows could not be read: what is not among ``held`` may be there too."""

    held: list[HeldAsset]
    whole: bool = True


class InventoryReads:
    """What one account reads of inventories; nothing is changed by it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def own_inventory(self) -> Inventory:
        """All CS2 assets of the bot, protected ones (context 16) included."""
        # In this order, as protection ends meanwhile: what goes from 16 to 2 is seen twice, not never.
        contexts = [self._own_context(CONTEXT_PROTECTED), self._own_context(CONTEXT_NORMAL)]
        return Inventory([held for each in contexts for held in each.held], whole=all(each.whole for each in contexts))

    def own_free_items(self) -> Inventory:
        """The bot's CS2 assets outside protection (context 2): one call less. What is not there may be protected."""
        return replace(self._own_context(CONTEXT_NORMAL), whole=False)

    def _own_context(self, context_id: str) -> Inventory:
        query = {
            "steamid": self._connection.account.steam_id,
            "appid": CS2_APP_ID,
            "contextid": context_id,
            "get_descriptions": 1,
            "get_asset_properties": 1,
            "language": "english",
            "count": PAGE_ITEMS,
        }

        def page(start: str | None) -> Page:
            more = {"start_assetid": start} if start else {}
            return self._connection.api(
                "GetInventoryItemsWithDescriptions",
                lambda data: inventories.parse(data, self._connection.account.steam_id, context_id),
                **query,
                **more,
            )

        return self._all_pages(page)

    def partner_inventory(self, steam_id: str, trade_token: str | None) -> list[HeldAsset]:
        """What another account could put into an offer to us. Without its trade token, items traded lately are missing.

        Raises:
            SteamRefused: ``code`` inventory_private, or no_such_inventory (`is_known` tells whether there is such an account).
        """
        if trade_token is not None:
            try:
                return self._all_pages(lambda start: self._trade_page(steam_id, trade_token, start)).held
            except _NotShown:
                _log.debug("trade_page_refused", partner=steam_id)
        # The trade page's endpoint does not say why it refuses; this one says 403 for a private inventory.
        url = f"{COMMUNITY_URL}/inventory/{steam_id}/{CS2_APP_ID}/{CONTEXT_NORMAL}"
        headers = {"Referer": f"{COMMUNITY_URL}/profiles/{steam_id}/inventory"}

        def page(start: str | None) -> Page:
            query = {"l": "english", "count": PAGE_ITEMS, **({"start_assetid": start} if start else {})}
            return self._connection.community(
                url, lambda data: inventories.parse(data, steam_id, CONTEXT_NORMAL), query, headers
            )

        return self._all_pages(page).held

    def _trade_page(self, steam_id: str, trade_token: str, start: str | None) -> Page:
        """Raises `_NotShown` when Steam refuses without saying why."""
        query = {
            "sessionid": self._connection.client._get_session_id(),
            "partner": steam_id,
            "appid": CS2_APP_ID,
            "contextid": CONTEXT_NORMAL,
            **({"start": start} if start else {}),
        }

        def parse(data: Any) -> Page:
            if isinstance(data, dict) and not data.get("success"):
                raise _NotShown
            return inventories.parse_legacy(data, steam_id, CONTEXT_NORMAL)

        headers = {"Referer": str(TradeUrl(SteamId(steam_id), trade_token))}
        return self._connection.community(f"{COMMUNITY_URL}/tradeoffer/new/partnerinventory/", parse, query, headers)

    def _all_pages(self, page: Callable[[str | None], Page]) -> Inventory:
        items: list[HeldAsset] = []
        start, whole, left_out = None, True, Counter[str]()
        for _ in range(PAGES_MAX):
            read = page(start)
            items.extend(read.held)
            left_out += read.left_out
            whole = whole and not read.unclear
            if read.start is None:
                self._connection.observer.leave_out("inventory", left_out)
                return Inventory(items, whole)
            start = read.start
        raise SteamUnavailable("Steam's inventory does not end")


class _NotShown(Exception):
    """Steam's trade page refuses an inventory without saying why."""
