"""One signed-in account: its cookies and tokens, and how its calls are made.

Every call has a timeout, every failure is one of our errors, and reads are repeated while Steam cannot answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import redis
import requests
from steampy.exceptions import InvalidCredentials

from bot_worker.credentials.accounts import egress_of, guard_code
from bot_worker.steam import answers, sign_in, transport
from bot_worker.steam.maintenance import Maintenance
from bot_worker.steam.pace import Pace
from bot_worker.steam.sign_in import Tokens
from bot_worker.vault import Account, SavedSession
from shared import log
from shared.clock import Clock
from shared.errors import FleetError, NotSignedIn, SteamRefused, SteamThrottled, SteamUnavailable, VaultError
from shared.settings import Settings
from shared.strict import BadShape
from shared.trouble import place_of

T = TypeVar("T")

COMMUNITY_URL = "https://steamcommunity.com"
PAGES_MAX = 50  # of one list or inventory
UNREADABLE = "unreadable_answer"
NO_SUCH_INVENTORY = "no_such_inventory"

_log = log.get(__name__)


class Connection:
    """An account's way to Steam. Not for several threads at once.

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
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock.of(settings.clock)
        self.maintenance = Maintenance(self._clock, settings.steam)
        self.observer = transport.Observer(self.maintenance)
        self.account = account
        self.pace = pace
        self.tokens: Tokens | None = None
        self._saved = saved
        self._settings = settings
        self._save = save
        self._sleep = sleep
        self.client = self._new_client()

    def _new_client(self) -> Any:
        account = self.account
        client = sign_in.new_client(
            account.account_name, account.password, account.steam_id, account.shared_secret, account.identity_secret
        )
        transport.prepare(client._session, self._settings.steam, self.observer, self._clock, account.proxy)
        return client

    def now_s(self) -> int:
        """Steam's time in unix seconds, as its answers tell it; until the first one, this host's."""
        return self._clock.unmoved_ms() // 1000 + self.observer.steam_ahead_s

    def sign_in(self) -> None:
        """Sign in: with the saved refresh token, else with the password. Twice in a row is harmless.

        Raises:
            SteamRefused: an operator must act. SteamThrottled, SteamUnavailable: later.
        """
        self.observer.left = True
        try:
            if not self._renewed():
                self.tokens = self._with_password()
                self._remember(refresh_token=self.tokens.refresh_token)
        except SteamUnavailable as error:
            if self.observer.left:
                raise
            raise self.no_answer() from error
        if not self._saved.acknowledged and self._settings.steam.accept_trade_protection:
            self.acknowledge_trade_protection()

    def keep_fresh(self) -> None:
        """Renew the session when its access token ends soon. No call at all otherwise."""
        tokens = self.tokens
        if tokens is None:
            self.sign_in()
            return
        lifetime_s = tokens.expires - tokens.issued
        margin_s = min(self._settings.steam.access_token_margin_s, lifetime_s / 2)
        if tokens.expires and tokens.expires - self.now_s() < margin_s:
            self.sign_in()

    def _renewed(self) -> bool:
        token = self._saved.refresh_token
        if not token:
            return False
        try:
            self.tokens = sign_in.renew(self.client, self.account.steam_id, token)
        except NotSignedIn:
            _log.warning("refresh_token_refused")
            self._remember(refresh_token=None)
            return False
        if self.tokens.refresh_token != token:
            self._remember(refresh_token=self.tokens.refresh_token)
        return True

    def _with_password(self) -> Tokens:
        self.pace.wait("sign_in")
        try:
            return self._with_code()
        except sign_in.WrongCode:
            # One code is good for one sign-in: wait for the next, try once, never more.
            if self._sleep(31 - self.now_s() % 30):
                raise
            return self._with_code()

    def _with_code(self) -> Tokens:
        self.client, self.tokens = self._new_client(), None
        try:
            return sign_in.with_password(
                self.client, self.account.steam_id, lambda: guard_code(self.account.shared_secret, self.now_s())
            )
        except SteamThrottled as error:
            error.retry_after_s = error.retry_after_s or self.pace.sign_in_throttled()
            raise

    def _remember(self, **changed: Any) -> None:
        current = {"refresh_token": self._saved.refresh_token, "acknowledged": self._saved.acknowledged}
        self._saved = SavedSession(**{**current, **changed})
        try:
            self._save(self._saved)
        except (OSError, VaultError) as error:
            # The session is good all the same; the next start signs in with the password.
            _log.error("session_not_saved", error=type(error).__name__)

    def acknowledge_trade_protection(self) -> None:
        """Accept Steam's rules of trade protection. Until this is done once, Steam refuses an account's confirmations (since
        July 2025; steampy#448). A second time changes nothing.

        Raises:
            SteamError: it did not come off.
        """
        response = self.guarded(
            lambda: self.client._session.post(
                f"{COMMUNITY_URL}/trade/new/acknowledge",
                data={"sessionid": self.client._get_session_id(), "message": 1},
                headers={"Referer": f"{COMMUNITY_URL}/profiles/{self.account.steam_id}/tradeoffers/"},
            )
        )
        if response.status_code != 200:
            transport.read_json(response)
        self._remember(acknowledged=True)

    def api(self, method: str, parse: Callable[[Any], T], **query: Any) -> T:
        """One GET of IEconService, read by ``parse``; by the access token, as a key shows no CS2 offers (steampy#382)."""

        def response(data: Any) -> T:
            if not isinstance(data, dict) or not isinstance(data.get("response"), dict):
                raise SteamUnavailable("Steam left the answer out")
            return parse(data["response"])

        return self.web_api("IEconService", method, response, query)

    def web_api(self, interface: str, method: str, parse: Callable[[Any], T], query: dict[str, Any], version: str = "v1") -> T:
        """One GET of the Web API with the access token, read by ``parse``."""

        def call() -> requests.Response:
            self.pace.wait("read")
            query["access_token"] = self.client._access_token
            response: requests.Response = self.client.api_call("GET", interface, method, version, query)
            result = transport.result_of(response)
            if response.status_code == 200 and result not in (None, 1):
                raise answers.read_failure(result or 0)
            return response

        return self.read(call, parse)

    def community(self, url: str, parse: Callable[[Any], T], query: dict[str, Any], headers: dict[str, str]) -> T:
        """One GET of a player's inventory, read by ``parse``."""

        def call() -> requests.Response:
            self.pace.wait("inventory")
            response: requests.Response = self.client._session.get(url, params=query, headers=headers)
            if response.status_code == 403 and transport.is_null(response):
                raise SteamRefused("the inventory is private", code="inventory_private")
            if response.status_code in (400, 404) and transport.is_null(response):
                # What we ask for beyond the account is the same for all of them.
                raise SteamRefused("Steam knows no such inventory", code=NO_SUCH_INVENTORY)
            return response

        return self.read(call, parse)

    def read(self, call: Callable[[], requests.Response], parse: Callable[[Any], T]) -> T:
        """Make a call that only reads, repeated while Steam cannot answer; its JSON, read by ``parse``.

        Raises:
            SteamUnavailable: ``code`` unreadable_answer: it had another shape than ``parse`` takes, which is not repeated.
        """
        self.keep_fresh()
        try:
            data = self.pace.repeat_reads(lambda: transport.read_json(self.guarded(call)))
        except SteamThrottled as error:
            if self.observer.last_status == 429:
                error.retry_after_s = self.throttled()
            raise
        try:
            return parse(data)
        except BadShape as error:
            _log.warning("unreadable_answer", call=self.observer.last_call, wanted=str(error))
            raise SteamUnavailable(f"Steam's answer cannot be read: {error}", code=UNREADABLE, reason=str(error)) from None

    def throttled(self) -> float:
        """The last answer was a 429: hold the address for as long as Steam asks, or longer each time. Returns seconds."""
        return self.pace.throttled(self.observer.last_retry_after_s)

    def guarded(self, call: Callable[[], T]) -> T:
        """Make a call; what requests and steampy raise becomes one of our errors."""
        self.observer.left = False
        try:
            return call()
        except (FleetError, redis.RedisError):  # the pace lies in Redis
            raise
        except InvalidCredentials as error:
            # steampy's name for the Web API's page about a bad key; ours is the access token.
            raise NotSignedIn() from error
        except Exception as error:  # whatever the libraries make of an answer
            if not isinstance(error, requests.RequestException | ValueError):
                _log.warning("odd_answer", error=place_of(error))
            raise self.no_answer() from error

    def no_answer(self) -> SteamUnavailable:
        """The error for a call that brought no answer; if it did not leave this machine, it names the way that is closed."""
        if self.observer.left:
            return SteamUnavailable("no answer from Steam")
        if self.account.proxy:
            return self.proxy_refuses()
        return SteamUnavailable("Steam cannot be reached from this host", reason="Steam cannot be reached from this host")

    def proxy_refuses(self) -> SteamUnavailable:
        """The error for a call that did not get beyond this bot's proxy; it names that, without its password."""
        why = f"the proxy {egress_of(self.account.proxy)} cannot be reached, or does not let this bot through"
        return SteamUnavailable(why, code=transport.PROXY_UNAVAILABLE, reason=why)
