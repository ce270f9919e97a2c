"""`SteamSession`: the dozen things that we ask of Steam, for one bot.

Every call is paced and has a timeout, every failure is one of our errors. Reads are repeated while Steam cannot answer; what
changes something is never repeated here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import requests
from steampy.exceptions import InvalidCredentials
from steampy.guard import generate_confirmation_key
from steampy.models import Asset as SteampyAsset
from steampy.models import PredefinedOptions

from bot_worker.credentials import guard_code
from bot_worker.steam import answers, inventories, sign_in, transport
from bot_worker.steam.pace import Pace
from bot_worker.steam.shapes import Exchange, Hold, Offer, Sent
from bot_worker.steam.sign_in import Tokens
from bot_worker.vault import Account, SavedSession
from shared import log
from shared.clock import Clock
from shared.domain.ids import SteamId, TradeUrl
from shared.domain.items import CONTEXT_NORMAL, CONTEXT_PROTECTED, CS2_APP_ID, Asset, HeldAsset
from shared.errors import (
    AnswerLost,
    FleetError,
    NotSignedIn,
    SteamError,
    SteamRefused,
    SteamThrottled,
    SteamUnavailable,
)
from shared.settings import Settings

T = TypeVar("T")

COMMUNITY_URL = "https://steamcommunity.com"
PAGE_ITEMS = 2000  # more is answered with 400 since 2025 (steampy#445)
PAGES_MAX = 50
HISTORY_PAGE = 100
HISTORY_PAGES_BY_ID = 3
TRADE_CONFIRMATION = 2
# Phone number change, account recovery, a new API key: nobody of ours asks for these.
ALARMING_CONFIRMATIONS = frozenset({5, 6, 9})

_log = log.get(__name__)


class SteamSession:
    """One account's session. Not for several threads at once.

    ``save`` keeps what must outlive the worker; ``sleep`` waits that many seconds or until the worker shall stop.
    """

    def __init__(
        self,
        account: Account,
        saved: SavedSession,
        settings: Settings,
        pace: Pace,
        save: Callable[[SavedSession], None],
        sleep: Callable[[float], Any],
    ) -> None:
        self.observer = transport.Observer()
        self.alarms: set[int] = set()
        self.steam_id = account.steam_id
        self._account = account
        self._saved = saved
        self._settings = settings
        self._pace = pace
        self._save = save
        self._sleep = sleep
        # steampy and Steam use the real time, whatever offset a test gives this process.
        self._clock = Clock()
        self._tokens: Tokens | None = None
        self._client = self._new_client()

    def _new_client(self) -> Any:
        account = self._account
        client = sign_in.new_client(
            account.account_name, account.password, account.steam_id, account.shared_secret, account.identity_secret
        )
        transport.prepare(client._session, self._settings.steam, self.observer, self._clock)
        return client

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000

    # --- the session itself ---------------------------------------------------------------------

    def sign_in(self) -> None:
        """Sign in: with the saved refresh token, else with the password. Twice in a row is harmless.

        Raises:
            SteamRefused: an operator must act. SteamThrottled, SteamUnavailable: later.
        """
        if not self._renewed():
            self._tokens = self._with_password()
            self._remember(refresh_token=self._tokens.refresh_token)
        if not self._saved.acknowledged:
            self._acknowledge_trade_protection()
            self._remember(acknowledged=True)

    def renew(self) -> None:
        """Steam says that we are not signed in: get a new session."""
        self.sign_in()

    def keep_fresh(self) -> None:
        """Renew the session when its access token ends soon. No call at all otherwise."""
        tokens = self._tokens
        if tokens is None:
            self.sign_in()
            return
        lifetime_s = tokens.expires - tokens.issued
        margin_s = min(self._settings.steam.access_token_margin_s, lifetime_s / 2)
        if tokens.expires and tokens.expires - self._now_s() < margin_s:
            self.sign_in()

    def _renewed(self) -> bool:
        token = self._saved.refresh_token
        if not token:
            return False
        try:
            self._tokens = sign_in.renew(self._client, self.steam_id, token)
        except NotSignedIn:
            _log.warning("refresh_token_refused")
            self._remember(refresh_token=None)
            return False
        if self._tokens.refresh_token != token:
            self._remember(refresh_token=self._tokens.refresh_token)
        return True

    def _with_password(self) -> Tokens:
        self._pace.wait("sign_in")
        try:
            return self._with_code()
        except sign_in.WrongCode:
            # One code is good for one sign-in: wait for the next, try once, never more.
            self._sleep(31 - self._now_s() % 30)
            return self._with_code()

    def _with_code(self) -> Tokens:
        self._client = self._new_client()
        try:
            return sign_in.with_password(self._client, self.steam_id, guard_code(self._account.shared_secret, self._now_s()))
        except SteamThrottled as error:
            error.retry_after_s = error.retry_after_s or self._pace.sign_in_throttled()
            raise

    def _remember(self, **changed: Any) -> None:
        current = {"refresh_token": self._saved.refresh_token, "acknowledged": self._saved.acknowledged}
        self._saved = SavedSession(**{**current, **changed})
        self._save(self._saved)

    def _acknowledge_trade_protection(self) -> None:
        """Until this is done once, Steam refuses an account's confirmations (since July 2025; steampy#448)."""
        response = self._guarded(
            lambda: self._client._session.post(
                f"{COMMUNITY_URL}/trade/new/acknowledge",
                data={"sessionid": self._client._get_session_id(), "message": 1},
                headers={"Referer": f"{COMMUNITY_URL}/profiles/{self.steam_id}/tradeoffers/"},
            )
        )
        if response.status_code != 200:
            transport.read_json(response)

    # --- what changes something -----------------------------------------------------------------

    def ready_to_send(self) -> None:
        """Everything that may take time before a send: a fresh session, and the spacing between sends."""
        self.keep_fresh()
        self._pace.wait("send")

    def send_offer(self, partner: str, trade_token: str, message: str, give: Iterable[Asset], take: Iterable[Asset]) -> Sent:
        """Make one offer and do not confirm it.

        Raises:
            AnswerLost: it may exist; look before doing anything else.
            SteamRefused: a clear no. SteamUnavailable, SteamThrottled, NotSignedIn: not made, later perhaps.
        """
        url = str(TradeUrl(SteamId(partner), trade_token))
        try:
            answer = self._client.make_offer_with_url(
                [_steampy_asset(each) for each in give],
                [_steampy_asset(each) for each in take],
                url,
                message,
                confirm_trade=False,  # it would lose the offer's id when the confirmation fails
            )
        except requests.RequestException as error:
            if transport.never_connected(error):
                raise SteamUnavailable("Steam could not be reached") from error
            raise self._unreadable_send() from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unreadable_send() from error
        return self._sent(answer)

    def _sent(self, answer: Any) -> Sent:
        if isinstance(answer, dict):
            if answer.get("strError"):
                error = answers.send_failure(str(answer["strError"]))
                if isinstance(error, SteamThrottled):
                    error.retry_after_s = error.retry_after_s or self._pace.throttled()
                raise error
            if answer.get("tradeofferid"):
                return Sent(str(answer["tradeofferid"]), bool(answer.get("needs_mobile_confirmation")))
        raise self._unreadable_send()

    def _unreadable_send(self) -> SteamError:
        """What an answer without JSON means, told from the status alone."""
        status = self.observer.last_status
        if status in (401, 403):
            return NotSignedIn()
        if status == 429:
            return SteamThrottled(retry_after_s=self._pace.throttled())
        return AnswerLost("no readable answer to a send", reason=f"http_{status}" if status else "no_answer")

    def confirm(self, offer_id: str) -> bool:
        """Confirm one offer of ours by its id. False: no such confirmation is waiting (yet, or any more).

        Raises:
            SteamUnavailable: Steam says that it did not do it; it may have done so all the same (TF2Autobot), so look again.
        """
        waiting = self._confirmation_of(offer_id)
        if waiting is None:
            return False
        self._pace.wait("confirm")
        answer = self._confirmation_call("ajaxop", "allow", op="allow", cid=waiting["id"], ck=waiting["nonce"])
        if answer.get("success") is not True:
            raise SteamUnavailable("Steam did not take the confirmation")
        return True

    def _confirmation_of(self, offer_id: str) -> dict[str, Any] | None:
        self._pace.wait("confirm_list")
        self._pace.wait("confirm")
        answer = self._confirmation_call("getlist", "conf")
        found = answer.get("conf")
        if answer.get("success") is not True or not isinstance(found, list):
            raise SteamUnavailable("Steam did not list the confirmations")
        for each in found:
            if each.get("type") in ALARMING_CONFIRMATIONS:
                self.alarms.add(int(each["type"]))
        return next(
            (each for each in found if each.get("type") == TRADE_CONFIRMATION and str(each.get("creator_id")) == offer_id),
            None,
        )

    def _confirmation_call(self, path: str, tag: str, **more: str) -> dict[str, Any]:
        timestamp = self._now_s()
        key = generate_confirmation_key(self._account.identity_secret, tag, timestamp)
        query = {
            "p": self._account.device_id,
            "a": self.steam_id,
            "k": key,
            "t": timestamp,
            "m": "react",
            "tag": tag,
            **more,
        }
        headers = {"X-Requested-With": "XMLHttpRequest"}
        url = f"{COMMUNITY_URL}/mobileconf/{path}"
        answer = self._read(lambda: self._client._session.get(url, params=query, headers=headers))
        if not isinstance(answer, dict):
            raise SteamUnavailable("Steam answered no confirmation data")
        if answer.get("needauth"):
            raise NotSignedIn()
        return answer

    def cancel(self, offer_id: str) -> None:
        """Ask Steam to cancel an offer of ours. Whatever it answers: look at the offer afterwards.

        Raises:
            NotSignedIn: nothing was done.
        """
        url = f"{COMMUNITY_URL}/tradeoffer/{offer_id}/cancel"
        data = {"sessionid": self._client._get_session_id()}
        response = self._guarded(lambda: self._client._session.post(url, data=data))
        if response.status_code in (401, 403):
            raise NotSignedIn()
        if response.status_code == 429:
            raise SteamThrottled(retry_after_s=self._pace.throttled())

    # --- what only reads ------------------------------------------------------------------------

    def sent_offers(self, since: int) -> list[Offer]:
        """All live sent offers and all that changed since then (unix s), whole or not."""
        query = {
            "get_sent_offers": 1,
            "get_received_offers": 0,
            "get_descriptions": 0,
            "active_only": 1,
            "historical_only": 0,
            "time_historical_cutoff": max(1, since),
        }
        found: list[Offer] = []
        cursor = 0
        for _ in range(PAGES_MAX):
            page = self._api("GetTradeOffers", **query, cursor=cursor)
            found.extend(Offer.parse(row) for row in page.get("trade_offers_sent") or [])
            cursor = int(page.get("next_cursor") or 0)
            if not cursor:
                return found
        raise SteamUnavailable("Steam's list of offers does not end")

    def offer(self, offer_id: str) -> Offer | None:
        """One offer as Steam shows it now; ``None`` if it knows none of that id."""
        row = self._api("GetTradeOffer", tradeofferid=offer_id, language="english").get("offer")
        return Offer.parse(row) if row else None

    def exchange(self, exchange_id: str) -> Exchange | None:
        """One exchange; ``None`` if Steam shows none."""
        try:
            rows = self._api("GetTradeStatus", tradeid=exchange_id, get_descriptions=0).get("trades")
        except SteamRefused:
            return None
        return Exchange.parse(rows[0]) if rows else None

    def exchanges(self, since: int) -> list[Exchange]:
        """All exchanges begun since then (unix s), newest first, failed and rolled-back ones too."""
        found: list[Exchange] = []
        for rows in self._history():
            found.extend(each for each in rows if each.started >= since)
            if rows[-1].started < since:
                break
        return found

    def exchanges_by_id(self, wanted: Iterable[str]) -> dict[str, Exchange]:
        """These exchanges, as far as they are among the newest few hundred: one call for many."""
        missing, found = set(wanted), {}
        for number, rows in enumerate(self._history(), 1):
            found.update({each.exchange_id: each for each in rows if each.exchange_id in missing})
            if len(found) == len(missing) or number == HISTORY_PAGES_BY_ID:
                break
        return found

    def _history(self) -> Iterator[list[Exchange]]:
        """Pages of the trade history, newest first, none empty."""
        after: dict[str, Any] = {}
        for _ in range(PAGES_MAX):
            page = self._api("GetTradeHistory", max_trades=HISTORY_PAGE, include_failed=1, get_descriptions=0, **after)
            rows = [Exchange.parse(row) for row in page.get("trades") or []]
            if rows:
                yield rows
            if not page.get("more") or not rows:
                return
            after = {"start_after_time": rows[-1].started, "start_after_tradeid": rows[-1].exchange_id}
        raise SteamUnavailable("Steam's trade history does not end")

    def own_inventory(self) -> list[HeldAsset]:
        """All CS2 assets of the bot, protected ones (context 16) included."""
        return [*self._own_context(CONTEXT_NORMAL), *self._own_context(CONTEXT_PROTECTED)]

    def _own_context(self, context_id: str) -> list[HeldAsset]:
        query = {
            "steamid": self.steam_id,
            "appid": CS2_APP_ID,
            "contextid": context_id,
            "get_descriptions": 1,
            "get_asset_properties": 1,
            "language": "english",
            "count": PAGE_ITEMS,
        }

        def page(start: str | None) -> dict[str, Any]:
            more = {"start_assetid": start} if start else {}
            return self._api("GetInventoryItemsWithDescriptions", **query, **more)

        return _all_pages(page, self.steam_id)

    def partner_inventory(self, steam_id: str, trade_token: str | None) -> list[HeldAsset]:
        """What another account could put into an offer to us. Without its trade token, items traded lately are missing.

        Raises:
            SteamRefused: ``code`` inventory_private.
        """
        if trade_token is not None:
            found = self._trade_page_inventory(steam_id, trade_token)
            if found is not None:
                return found
        # The trade page's endpoint does not say why it refuses; this one says 403 for a private inventory.
        url = f"{COMMUNITY_URL}/inventory/{steam_id}/{CS2_APP_ID}/{CONTEXT_NORMAL}"
        headers = {"Referer": f"{COMMUNITY_URL}/profiles/{steam_id}/inventory"}

        def page(start: str | None) -> dict[str, Any]:
            query = {"l": "english", "count": PAGE_ITEMS, **({"start_assetid": start} if start else {})}
            return self._community(url, query, headers)

        return _all_pages(page, steam_id)

    def _trade_page_inventory(self, steam_id: str, trade_token: str) -> list[HeldAsset] | None:
        """``None`` when Steam refuses without saying why."""
        found: list[HeldAsset] = []
        start: int | None = None
        for _ in range(PAGES_MAX):
            query = {
                "sessionid": self._client._get_session_id(),
                "partner": steam_id,
                "appid": CS2_APP_ID,
                "contextid": CONTEXT_NORMAL,
                **({"start": start} if start else {}),
            }
            headers = {"Referer": str(TradeUrl(SteamId(steam_id), trade_token))}
            data = self._community(f"{COMMUNITY_URL}/tradeoffer/new/partnerinventory/", query, headers)
            if not data.get("success"):
                return None
            found.extend(inventories.parse_legacy(data, steam_id, CONTEXT_NORMAL))
            if not data.get("more"):
                return found
            start = int(data["more_start"])
        raise SteamUnavailable("Steam's inventory does not end")

    def hold(self, partner: str, trade_token: str) -> Hold:
        """How long Steam would hold a trade with this partner.

        Raises:
            SteamRefused: most likely the trade token is not valid any more.
        """
        data = self._api("GetTradeHoldDurations", steamid_target=partner, trade_offer_access_token=trade_token)

        def days(side: str) -> int:
            return math.ceil(int((data.get(side) or {}).get("escrow_end_duration_seconds", 0)) / 86400)

        return Hold(theirs_days=days("their_escrow"), ours_days=days("my_escrow"))

    # --- how calls are made ---------------------------------------------------------------------

    def _api(self, method: str, **query: Any) -> dict[str, Any]:
        """One GET of IEconService with the access token; with a key Steam shows no CS2 offers (steampy#382)."""

        def call() -> requests.Response:
            self._pace.wait("read")
            query["access_token"] = self._client._access_token
            response: requests.Response = self._client.api_call("GET", "IEconService", method, "v1", query)
            if response.status_code == 403:
                raise NotSignedIn()
            result = transport.result_of(response)
            if response.status_code == 200 and result not in (None, 1):
                raise answers.read_failure(result or 0)
            return response

        data = self._read(call)
        if not isinstance(data, dict) or not isinstance(data.get("response"), dict):
            raise SteamUnavailable("Steam left the answer out")
        answer: dict[str, Any] = data["response"]
        return answer

    def _community(self, url: str, query: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        """One GET of a player's inventory."""

        def call() -> requests.Response:
            self._pace.wait("inventory")
            response: requests.Response = self._client._session.get(url, params=query, headers=headers)
            if response.status_code == 403:
                raise SteamRefused("the inventory is private", code="inventory_private")
            return response

        data = self._read(call)
        if not isinstance(data, dict):
            raise SteamUnavailable("Steam answered no inventory")
        return data

    def _read(self, call: Callable[[], requests.Response]) -> Any:
        """Make a call that only reads, repeated while Steam cannot answer; its JSON."""
        self.keep_fresh()
        try:
            return self._pace.repeat_reads(lambda: transport.read_json(self._guarded(call)))
        except SteamThrottled as error:
            if self.observer.last_status == 429:
                error.retry_after_s = self._pace.throttled(error.retry_after_s)
            raise

    def _guarded(self, call: Callable[[], T]) -> T:
        """Make a call; what requests and steampy raise becomes one of our errors."""
        try:
            return call()
        except FleetError:
            raise
        except InvalidCredentials as error:
            # steampy's name for the Web API's page about a bad key; ours is the access token.
            raise NotSignedIn() from error
        except (requests.RequestException, ValueError) as error:
            raise SteamUnavailable("no answer from Steam") from error


def _steampy_asset(asset: Asset) -> Any:
    return SteampyAsset(asset.asset_id, PredefinedOptions(str(asset.app_id), asset.context_id))


def _all_pages(page: Callable[[str | None], dict[str, Any]], owner: str) -> list[HeldAsset]:
    found: list[HeldAsset] = []
    start: str | None = None
    for _ in range(PAGES_MAX):
        data = page(start)
        if "assets" not in data and "total_inventory_count" not in data:
            # An empty inventory says how many assets it has; an empty answer is trouble.
            raise SteamUnavailable("Steam answered no inventory")
        found.extend(inventories.parse(data, owner))
        if not data.get("more_items"):
            return found
        start = str(data["last_assetid"])
    raise SteamUnavailable("Steam's inventory does not end")
