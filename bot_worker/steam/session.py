"""`SteamSession`: what we ask of Steam for one bot. Its phone and the inventories have files of their own.

What changes something is never repeated here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from steam.enums import EResult
from steampy.models import Asset as SteampyAsset
from steampy.models import PredefinedOptions

from bot_worker.steam import answers, trade_page, transport
from bot_worker.steam.connection import COMMUNITY_URL, PAGES_MAX, Connection
from bot_worker.steam.inventory_reads import InventoryReads
from bot_worker.steam.maintenance import Sign
from bot_worker.steam.phone import Phone
from bot_worker.steam.shapes import (
    Exchange,
    HistoryPage,
    Hold,
    Offer,
    OfferPage,
    Sent,
    banned_of,
    known_of,
    level_of,
    profile_of,
    trade_bans,
)
from bot_worker.steam.trade_page import TradePage
from shared import log, strict
from shared.domain.identity import Identity
from shared.domain.ids import SteamId, TradeUrl
from shared.domain.items import Asset
from shared.errors import AnswerLost, FleetError, NotSignedIn, SteamError, SteamRefused, SteamThrottled, SteamUnavailable
from shared.strict import BadShape
from shared.trouble import place_of

# What moved is told with its name: the bot that received an item says what it is.
DESCRIBED = {"get_descriptions": 1, "language": "english"}
DOWN_RESULT = EResult.ServiceUnavailable
NOT_THERE = EResult.NoMatch  # what Steam says of an offer that it does not know, or no longer (aiosteampy ``trade.get``)
NO_EXCHANGE = frozenset({EResult.InvalidParam, EResult.FileNotFound, EResult.AccessDenied, NOT_THERE})
HISTORY_PAGE = 100
HISTORY_PAGES_BY_ID = 10

_log = log.get(__name__)


class SteamSession:
    """What one account asks of Steam. Not for several threads at once."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.observer = connection.observer
        self.maintenance = connection.maintenance
        self.steam_id = connection.account.steam_id
        self.phone = Phone(connection)
        self.inventories = InventoryReads(connection)

    def sign_in(self) -> None:
        """Sign in, or renew the session. Twice in a row is harmless.

        Raises:
            SteamRefused: an operator must act. SteamThrottled, SteamUnavailable: later.
        """
        self.connection.sign_in()

    # --- what changes something -----------------------------------------------------------------

    def ready_to_send(self) -> None:
        """Everything that may take time before a send: a fresh session, and the spacing between sends."""
        self.connection.keep_fresh()
        self.connection.pace.wait("send")

    def send_offer(self, partner: str, trade_token: str, message: str, give: Iterable[Asset], take: Iterable[Asset]) -> Sent:
        """Make one offer and do not confirm it.

        Raises:
            AnswerLost: it may exist; look before doing anything else.
            SteamRefused: a clear no. SteamUnavailable, SteamThrottled, NotSignedIn: not made, later perhaps.
        """
        url = str(TradeUrl(SteamId(partner), trade_token))
        self.observer.left = False
        try:
            answer = self.connection.client.make_offer_with_url(
                [_steampy_asset(each) for each in give],
                [_steampy_asset(each) for each in take],
                url,
                message,
                confirm_trade=False,  # it would lose the offer's id when the confirmation fails
            )
        except FleetError:
            raise
        except Exception as error:  # whatever steampy makes of an answer: once the request has left, nobody knows
            if not self.observer.left:
                raise self.connection.no_answer() from error
            if not isinstance(error, ValueError | KeyError | TypeError | AttributeError | OSError):
                _log.warning("odd_answer", error=place_of(error))
            raise self._unreadable_send() from error
        return self._sent(answer)

    def _sent(self, answer: Any) -> Sent:
        if isinstance(answer, dict) and answer.get("strError"):
            error = answers.send_failure(strict.maybe_text(answer["strError"]))
            if isinstance(error, SteamThrottled):
                self.observer.throttled += 1
                error.retry_after_s = error.retry_after_s or self.connection.throttled()
            self.maintenance.saw("send", Sign.DOWN if error.result == DOWN_RESULT else Sign.GOOD)
            raise error
        try:
            sent = Sent.parse(answer)
        except BadShape:
            raise self._unreadable_send() from None
        self.maintenance.saw("send", Sign.GOOD)
        return sent

    def _unreadable_send(self) -> SteamError:
        """What an answer that names no offer means, told from its status and body."""
        status = self.observer.last_status
        if self.observer.last_signed_out:
            return NotSignedIn()
        if status == transport.PROXY_AUTHENTICATION:
            return self.connection.proxy_refuses()
        if status == 429:
            return SteamThrottled(retry_after_s=self.connection.throttled())
        return AnswerLost("no readable answer to a send", reason=f"http_{status}" if status else "no_answer")

    def cancel(self, offer_id: str) -> None:
        """Ask Steam to cancel an offer of ours. Whatever it answers: look at the offer afterwards.

        Raises:
            NotSignedIn: nothing was done.
        """
        self._change_offer(offer_id, "cancel")

    def decline(self, offer_id: str) -> None:
        """Decline an offer to us. Whatever Steam answers: look at the offer afterwards.

        Raises:
            NotSignedIn: nothing was done.
        """
        self._change_offer(offer_id, "decline")

    def accept_gift(self, offer: Offer) -> None:
        """Accept an offer that asks nothing of us. Whatever Steam answers: look at the offer afterwards.

        Raises:
            ValueError: it asks something of us. NotSignedIn: nothing was done.
        """
        if offer.give or not offer.whole:
            raise ValueError("an offer that asks something of us is never accepted")
        self._change_offer(
            offer.offer_id, "accept", serverid="1", tradeofferid=offer.offer_id, partner=offer.partner, captcha=""
        )

    def _change_offer(self, offer_id: str, what: str, **form: str) -> None:
        self.connection.keep_fresh()
        client = self.connection.client
        url = f"{COMMUNITY_URL}/tradeoffer/{offer_id}"
        data = {"sessionid": client._get_session_id(), **form}
        headers = {"Referer": f"{url}/"}
        response = self.connection.guarded(lambda: client._session.post(f"{url}/{what}", data=data, headers=headers))
        if self.observer.last_signed_out:
            raise NotSignedIn()
        if response.status_code == transport.PROXY_AUTHENTICATION:
            raise self.connection.proxy_refuses()
        if response.status_code == 429:
            raise SteamThrottled(retry_after_s=self.connection.throttled())

    # --- what only reads ------------------------------------------------------------------------

    def ready_to_look(self) -> None:
        """Wait for this host's turn to look for the verify page: a second at most.

        Raises:
            SteamThrottled: it does not come in that time.
        """
        self.connection.pace.wait("look")

    def sent_offers(self, since: int) -> list[Offer]:
        """All live sent offers and all that changed since then (unix s), whole or not."""
        return self._offers("sent", active_only=1, historical_only=0, time_historical_cutoff=max(1, since))

    def ended_sent_offers(self, since: int) -> list[Offer]:
        """All sent offers that have ended and changed since then (unix s): Steam's other list.

        That list knows no cutoff, goes back to the account's first offer and begins with the newest. Whether it is sorted by
        creation or by change nobody says, so it is read until a page brings nothing that changed since then: what follows was
        created earlier in either order.
        """
        offers: list[Offer] = []
        for rows in self._offer_pages("sent", active_only=0, historical_only=1, time_historical_cutoff=max(1, since)):
            wanted = [offer for offer in rows if not offer.updated or offer.updated >= since]
            offers.extend(wanted)
            if rows and not wanted:
                break
        return offers

    def both_offers(self, since: int) -> tuple[list[Offer], list[Offer]]:
        """All live offers and all that changed since then (unix s), sent and received, in one reading."""
        query = {"get_sent_offers": 1, "get_received_offers": 1, "get_descriptions": 0, "active_only": 1, "historical_only": 0}
        sent: list[Offer] = []
        received: list[Offer] = []
        cursor = 0
        for _ in range(PAGES_MAX):
            page = self.connection.api(
                "GetTradeOffers", OfferPage.parse, **query, time_historical_cutoff=max(1, since), cursor=cursor
            )
            sent += page.sent
            received += page.received
            cursor = page.cursor
            if not cursor:
                unread = sum(not offer.offer_id for offer in (*sent, *received))
                self.observer.leave_out("offers", Counter(half=unread))
                return sent, received
        raise SteamUnavailable("Steam's list of offers does not end")

    def _offers(self, side: str, **which: int) -> list[Offer]:
        return [offer for rows in self._offer_pages(side, **which) for offer in rows]

    def _offer_pages(self, side: str, **which: int) -> Iterator[list[Offer]]:
        query = {
            "get_sent_offers": int(side == "sent"),
            "get_received_offers": int(side == "received"),
            "get_descriptions": 0,
            **which,
        }
        cursor = 0
        for _ in range(PAGES_MAX):
            page = self.connection.api("GetTradeOffers", OfferPage.parse, **query, cursor=cursor)
            offers = page.sent if side == "sent" else page.received
            self.observer.leave_out("offers", Counter(half=sum(not offer.offer_id for offer in offers)))
            yield offers
            cursor = page.cursor
            if not cursor:
                return
        raise SteamUnavailable("Steam's list of offers does not end")

    def offer(self, offer_id: str) -> Offer | None:
        """One offer as Steam shows it now; ``None`` if it knows none of that id, which it says in several ways."""

        def parse(data: dict[str, Any]) -> Offer | None:
            row = data.get("offer")
            return Offer.parse(row) if row else None

        try:
            answer = self.connection.api("GetTradeOffer", parse, tradeofferid=offer_id, language="english")
        except SteamRefused as error:
            if error.result != NOT_THERE:
                raise
            return None
        # Another offer than the one that was asked for says nothing about it.
        return answer if answer is None or answer.offer_id == offer_id else replace(answer, offer_id=offer_id, whole=False)

    def exchange(self, exchange_id: str) -> Exchange | None:
        """One exchange; ``None`` if Steam shows none."""
        try:
            page = self.connection.api("GetTradeStatus", HistoryPage.parse, tradeid=exchange_id, **DESCRIBED)
        except SteamRefused as error:
            if error.result not in NO_EXCHANGE:
                raise
            return None
        return next((each for each in page.exchanges if each.exchange_id == exchange_id), None)

    def exchanges(self, since: int) -> list[Exchange]:
        """All exchanges begun since then (unix s), newest first, failed and rolled-back ones too; whole or not."""
        exchanges: list[Exchange] = []
        for rows in self._history():
            exchanges.extend(each for each in rows if each.started >= since or not each.whole)
            if any(0 < each.started < since for each in rows):
                break
        return exchanges

    def exchanges_by_id(self, wanted: Iterable[str]) -> dict[str, Exchange]:
        """These exchanges, as far as they are among the newest few hundred: one call for many."""
        missing, by_id = set(wanted), {}
        for number, rows in enumerate(self._history(), 1):
            by_id.update({each.exchange_id: each for each in rows if each.exchange_id in missing})
            if len(by_id) == len(missing) or number == HISTORY_PAGES_BY_ID:
                break
        return by_id

    def _history(self) -> Iterator[list[Exchange]]:
        """Pages of the trade history, newest first, none empty."""
        after: dict[str, Any] = {}
        for _ in range(PAGES_MAX):
            page = self.connection.api(
                "GetTradeHistory", HistoryPage.parse, max_trades=HISTORY_PAGE, include_failed=1, **DESCRIBED, **after
            )
            self.observer.leave_out("exchanges", Counter(half=sum(not each.whole for each in page.exchanges)))
            if page.exchanges:
                yield page.exchanges
            if not page.more or not page.exchanges:
                return
            after = {"start_after_time": page.last.started, "start_after_tradeid": page.last.exchange_id}
        raise SteamUnavailable("Steam's trade history does not end")

    def hold(self, partner: str, trade_token: str) -> Hold:
        """How long Steam would hold a trade with this partner.

        Raises:
            SteamRefused: most likely the trade token is not valid any more.
        """
        return self.connection.api(
            "GetTradeHoldDurations", Hold.parse, steamid_target=partner, trade_offer_access_token=trade_token
        )

    def banned(self, *steam_ids: str) -> frozenset[str]:
        """Those of these accounts that Steam has banned from trading: one call, of up to a hundred."""
        query = {"steamids": ",".join(steam_ids)}
        return self.connection.web_api("ISteamUser", "GetPlayerBans", lambda data: banned_of(data, steam_ids), query)

    def is_known(self, steam_id: str) -> bool:
        """Whether there is such an account: Steam leaves others out of its answers."""
        return self.connection.web_api(
            "ISteamUser", "GetPlayerBans", lambda data: steam_id in known_of(data), {"steamids": steam_id}
        )

    def level(self, steam_id: str) -> int | None:
        """The Steam level of an account; ``None`` when its profile does not show it (IPlayerService/GetSteamLevel)."""
        return self.connection.web_api("IPlayerService", "GetSteamLevel", level_of, {"steamid": steam_id})

    def profile(self) -> Identity:
        """The bot's own account as everybody sees it, without its level (ISteamUser/GetPlayerSummaries v2)."""
        own = self.steam_id
        return self.connection.web_api(
            "ISteamUser", "GetPlayerSummaries", lambda data: profile_of(data, own), {"steamids": own}, "v2"
        )

    def trade_page(self, partner: str, trade_token: str) -> TradePage:
        """The page on which an offer to this partner would begin: what Steam says against it, about partner or bot.

        Raises:
            NotSignedIn, SteamThrottled, SteamUnavailable: it cannot be read now.
        """
        self.connection.pace.wait("read")
        self.connection.keep_fresh()
        url = str(TradeUrl(SteamId(partner), trade_token))
        response = self.connection.guarded(lambda: self.connection.client._session.get(url))
        if response.status_code == 429:
            raise SteamThrottled(retry_after_s=self.connection.throttled())
        if self.observer.last_signed_out or response.status_code in (401, 403):
            raise NotSignedIn()
        if response.status_code != 200:
            raise SteamUnavailable(f"Steam answered HTTP {response.status_code}")
        return trade_page.parse(response.text)

    def trade_bans(self, steam_ids: Collection[str]) -> dict[str, bool]:
        """Whether Steam has banned these accounts from trading, as far as it says: one call for up to a hundred."""
        query = {"steamids": ",".join(steam_ids)}
        return self.connection.web_api("ISteamUser", "GetPlayerBans", lambda data: trade_bans(data, steam_ids), query)


def _steampy_asset(asset: Asset) -> Any:
    return SteampyAsset(asset.asset_id, PredefinedOptions(str(asset.app_id), asset.context_id))
