"""Every call of the API by its name; what each of them means stands in docs/http-api.md.

Whatever moves something takes a ``key``, which is made when none is given: give your own, and keep it, where the same request
may have to be made again after your program has ended. Calls of games have a ``ref`` instead.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet_client import answers, feed
from fleet_client.asking import Call, Line, Repeat
from fleet_client.named import listed, named, tried
from fleet_client.steps import Answer, Stream


@dataclass(frozen=True, slots=True)
class AssetRef:
    """One asset, when it is not of CS2's ordinary context."""

    asset_id: str
    app_id: int = 730
    context_id: str = "2"


@dataclass(frozen=True, slots=True)
class Move:
    """One item from its owner to another, or to the same: then it is freed only."""

    deposit_id: str
    from_user: str
    to_user: str


@dataclass(frozen=True, slots=True)
class Credit:
    """Cents for a user. ``reason`` belongs to a correction, and to nothing else."""

    user_id: str
    cents: int
    kind: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """What an exchange takes of the house: items by their ids, or ``count`` tickets of one name."""

    deposit_ids: Sequence[str] = ()
    market_hash_name: str | None = None
    count: int | None = None


def new_key() -> str:
    """A key for one request."""
    return uuid.uuid4().hex


def _sent(**fields: object) -> dict[str, Any]:
    """A body of the fields that were given."""
    return {name: value for name, value in fields.items() if value is not None}


def _asset(asset: str | AssetRef) -> object:
    if isinstance(asset, str):
        return asset
    return {"app_id": asset.app_id, "context_id": asset.context_id, "asset_id": asset.asset_id}


def _taken(take: Take) -> dict[str, Any]:
    return _sent(deposit_ids=list(take.deposit_ids) or None, market_hash_name=take.market_hash_name, count=take.count)


def _credit(line: Credit) -> dict[str, Any]:
    return _sent(user_id=line.user_id, cents=line.cents, kind=line.kind, reason=line.reason)


class Calls:
    """The API by names. `Client` gives the answers, `AsyncClient` awaitables of them."""

    # --- items in and out --------------------------------------------------------------------------------------------------

    @named
    def deposit(
        self,
        *,
        user_id: str,
        steam_id: str,
        trade_url: str,
        asset_ids: Sequence[str | AssetRef],
        color: str | None = None,
        message: str | None = None,
        wait: float = 10.0,
        key: str | None = None,
    ) -> Call[answers.Trades]:
        """Ask a player for items. When ``wait`` seconds were not enough, offers may be on their way: follow the trades."""
        body = _sent(user_id=user_id, steam_id=steam_id, trade_url=trade_url, color=color, message=message)
        body["asset_ids"] = [_asset(one) for one in asset_ids]
        return _moves("/deposit", body, wait, key)

    @named
    def withdraw(
        self,
        *,
        user_id: str,
        steam_id: str,
        trade_url: str,
        deposit_ids: Sequence[str],
        message: str | None = None,
        when_settled: bool | None = None,
        wait: float = 10.0,
        key: str | None = None,
    ) -> Call[answers.Trades]:
        """Give items back; one trade for each bot that holds some of them."""
        body = _sent(user_id=user_id, steam_id=steam_id, trade_url=trade_url, message=message, when_settled=when_settled)
        body["deposit_ids"] = list(deposit_ids)
        return _moves("/withdraw", body, wait, key)

    @named
    def give(
        self,
        *,
        trade_url: str,
        deposit_ids: Sequence[str],
        reason: str,
        message: str | None = None,
        wait: float = 10.0,
        key: str | None = None,
    ) -> Call[answers.Trades]:
        """Send items of the house to any account; a second person has to approve it."""
        body = _sent(trade_url=trade_url, deposit_ids=list(deposit_ids), reason=reason, message=message)
        return _moves("/deposits/give", body, wait, key)

    @named
    def precheck(self, user_id: str, *, steam_id: str, trade_url: str) -> Call[answers.Precheck]:
        """Whether a player may deposit, check by check, with the sentences for the player."""
        body = {"user_id": user_id, "steam_id": steam_id, "trade_url": trade_url}
        return Call("POST", "/precheck", answers.Precheck, body=body)

    @named
    def inventory(
        self, steam_id: str, *, trade_url: str | None = None, untradable: bool | None = None
    ) -> Call[answers.Inventory]:
        """A player's items, each with its value and, if it would not be taken, the reason."""
        body = _sent(steam_id=steam_id, trade_url=trade_url, untradable=untradable)
        return Call("POST", "/inventory", answers.Inventory, body=body)

    @named
    def verify(self, token: str, steam_id: str) -> Call[answers.VerifyAnswer]:
        """Whether the offer with this token is ours, for this player, and open now.

        An ``ok`` uses the token up. So it is not sent again after a lost answer: let the player ask again.
        """
        return Call("POST", "/verify", answers.VerifyAnswer, body={"token": token, "steam_id": steam_id}, repeat=Repeat.NEVER)

    # --- trades ------------------------------------------------------------------------------------------------------------

    @named
    def trade(self, trade_id: str) -> Call[answers.Trade]:
        """One trade."""
        return Call("GET", "/trade/{trade_id}", answers.Trade, at={"trade_id": trade_id})

    @named
    def trades(
        self,
        *,
        trade_id: Sequence[str] | None = None,
        offer_id: Sequence[str] | None = None,
        user_id: str | None = None,
        status: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[answers.TradePage]:
        """One page of trades, the oldest first."""
        query = _sent(trade_id=trade_id, offer_id=offer_id, user_id=user_id, status=status, after=after, limit=limit)
        return Call("GET", "/trade", answers.TradePage, query=query)

    @listed
    def each_trade(
        self, *, user_id: str | None = None, status: str | None = None, after: str | None = None
    ) -> Callable[[Line], Stream[answers.Trade]]:
        """All of them, page by page."""
        return feed.pages(
            lambda mark: Calls.trades.what(self, user_id=user_id, status=status, after=mark, limit=200),
            lambda page: page.trades,
            after,
        )

    @named
    def look_up(
        self, *, trade_ids: Sequence[str] | None = None, offer_ids: Sequence[str] | None = None
    ) -> Call[answers.Trades]:
        """Up to 200 trades at once; unknown ids are left out."""
        return Call("POST", "/trade", answers.Trades, body=_sent(trade_ids=trade_ids, offer_ids=offer_ids))

    @named
    def cancel(self, trade_id: str) -> Call[answers.Trade]:
        """Wish that a trade is canceled; it is when a bot has seen so."""
        return Call("POST", "/trade/{trade_id}/cancel", answers.Trade, at={"trade_id": trade_id}, repeat=Repeat.SAME)

    @named
    def story(self, trade_id: str) -> Call[answers.Story]:
        """Everything that happened to a trade, in words and data."""
        return Call("GET", "/trade/{trade_id}/story", answers.Story, at={"trade_id": trade_id})

    # --- what is in custody ------------------------------------------------------------------------------------------------

    @named
    def deposits(
        self,
        *,
        user_id: str | None = None,
        user_ids: Sequence[str] | None = None,
        ids: Sequence[str] | None = None,
        status: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[answers.Deposits]:
        """One page of items in custody or on their way."""
        query = _sent(user_id=user_id, user_ids=user_ids, ids=ids, status=status, after=after, limit=limit)
        return Call("GET", "/deposits", answers.Deposits, query=query)

    @listed
    def each_deposit(
        self, *, user_id: str | None = None, status: str | None = None, after: str | None = None
    ) -> Callable[[Line], Stream[answers.Deposit]]:
        """All of them, page by page."""
        return feed.pages(
            lambda mark: Calls.deposits.what(self, user_id=user_id, status=status, after=mark, limit=1000),
            lambda page: page.deposits,
            after,
        )

    @named
    def stock(self, *, value_max_cents: int | None = None, limit: int | None = None) -> Call[answers.Stock]:
        """Items of the house that are free, the smallest value first."""
        return Call("GET", "/stock", answers.Stock, query=_sent(value_max_cents=value_max_cents, limit=limit))

    @named
    def items(self, *, after: str | None = None, limit: int | None = None) -> Call[answers.Catalogue]:
        """One page of all known items with their values."""
        return Call("GET", "/items", answers.Catalogue, query=_sent(after=after, limit=limit))

    @listed
    def each_item(self, *, after: str | None = None) -> Callable[[Line], Stream[answers.CatalogueItem]]:
        """All of them, page by page."""
        return feed.pages(lambda mark: Calls.items.what(self, after=mark, limit=5000), lambda page: page.items, after)

    # --- games -------------------------------------------------------------------------------------------------------------

    @named
    def lock(
        self,
        ref: str,
        *,
        user_id: str,
        deposit_ids: Sequence[str],
        unsettled: bool | None = None,
        note: str | None = None,
    ) -> Call[answers.Lock]:
        """Bind items to a game."""
        body = _sent(ref=ref, user_id=user_id, deposit_ids=list(deposit_ids), unsettled=unsettled, note=note)
        return Call("POST", "/locks", answers.Lock, body=body, repeat=Repeat.ONCE_PER_KEY)

    @named
    def release(self, ref: str) -> Call[answers.Release]:
        """Free what is still under a lock, for good; one that was never seen can hold nothing any more."""
        return Call("DELETE", "/locks/{ref}", answers.Release, at={"ref": ref}, repeat=Repeat.ONCE_PER_KEY)

    @named
    def lock_of(self, ref: str) -> Call[answers.Lock]:
        """One lock as it is now."""
        return Call("GET", "/locks/{ref}", answers.Lock, at={"ref": ref})

    @named
    def locks(
        self,
        *,
        state: Sequence[str] | None = None,
        user_id: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[answers.LockPage]:
        """One page of your locks."""
        return Call("GET", "/locks", answers.LockPage, query=_sent(state=state, user_id=user_id, after=after, limit=limit))

    @listed
    def each_lock(
        self, *, state: Sequence[str] | None = None, user_id: str | None = None, after: str | None = None
    ) -> Callable[[Line], Stream[answers.Lock]]:
        """All of them, page by page."""
        return feed.pages(
            lambda mark: Calls.locks.what(self, state=state, user_id=user_id, after=mark, limit=200),
            lambda page: page.locks,
            after,
        )

    @named
    def transfer(
        self,
        ref: str,
        *,
        locks: Sequence[str] | None = None,
        moves: Sequence[Move] | None = None,
        release: str | None = None,
        credits: Sequence[Credit] | None = None,
    ) -> Call[answers.Transfer]:
        """Hand items under your locks over, all or none. ``release="rest"`` frees what is still under these locks."""
        body = _sent(ref=ref, locks=locks, release=release)
        if moves is not None:
            body["moves"] = [{"deposit_id": one.deposit_id, "from": one.from_user, "to": one.to_user} for one in moves]
        if credits is not None:
            body["credits"] = [_credit(one) for one in credits]
        return Call("POST", "/transfers", answers.Transfer, body=body, repeat=Repeat.ONCE_PER_KEY)

    @named
    def transfer_of(self, ref: str) -> Call[answers.Transfer]:
        """What a transfer has done."""
        return Call("GET", "/transfers/{ref}", answers.Transfer, at={"ref": ref})

    @named
    def transfers(self, *, after: str | None = None, limit: int | None = None) -> Call[answers.TransferPage]:
        """One page of your transfers."""
        return Call("GET", "/transfers", answers.TransferPage, query=_sent(after=after, limit=limit))

    @listed
    def each_transfer(self, *, after: str | None = None) -> Callable[[Line], Stream[answers.Transfer]]:
        """All of them, page by page."""
        return feed.pages(lambda mark: Calls.transfers.what(self, after=mark, limit=200), lambda page: page.transfers, after)

    @named
    def exchange(
        self,
        ref: str,
        *,
        user_id: str,
        take: Take,
        rest: str,
        give: Sequence[str] | None = None,
        give_credit_cents: int | None = None,
        seen_cents: int | None = None,
    ) -> Call[answers.Exchange]:
        """Swap items or credit for items of the house. ``rest``: ``credit`` it, or ``refuse`` if there would be one."""
        body = _sent(ref=ref, user_id=user_id, give=give, give_credit_cents=give_credit_cents, rest=rest)
        body |= _sent(seen_cents=seen_cents, take=_taken(take))
        return Call("POST", "/exchanges", answers.Exchange, body=body, repeat=Repeat.ONCE_PER_KEY)

    @named
    def issue(
        self, ref: str, *, market_hash_name: str, value_cents: int, count: int, to: str | None = None
    ) -> Call[answers.Issued]:
        """Tickets of the house."""
        body = _sent(ref=ref, market_hash_name=market_hash_name, value_cents=value_cents, count=count, to=to)
        return Call("POST", "/issues", answers.Issued, body=body, repeat=Repeat.ONCE_PER_KEY)

    @named
    def credit(self, ref: str, *, lines: Sequence[Credit], not_below_cents: int | None = None) -> Call[answers.Posted]:
        """Book cents that the house owes users, all lines or none."""
        body = _sent(ref=ref, lines=[_credit(one) for one in lines], not_below_cents=not_below_cents)
        return Call("POST", "/credits", answers.Posted, body=body, repeat=Repeat.ONCE_PER_KEY)

    @named
    def credits(self, user_id: str, *, after: str | None = None, limit: int | None = None) -> Call[answers.Credits]:
        """A user's balance, and one page of how it came about."""
        return Call("GET", "/credits", answers.Credits, query=_sent(user_id=user_id, after=after, limit=limit))

    @listed
    def each_credit(self, user_id: str, *, after: str | None = None) -> Callable[[Line], Stream[answers.CreditLine]]:
        """All lines of it, page by page."""
        return feed.pages(
            lambda mark: Calls.credits.what(self, user_id, after=mark, limit=1000), lambda page: page.lines, after
        )

    @named
    def bind_user(self, user_id: str, *, steam_id: str) -> Call[answers.Bound]:
        """Name a user who has not traded yet."""
        body = {"steam_id": steam_id}
        return Call("PUT", "/users/{user_id}", answers.Bound, at={"user_id": user_id}, body=body, repeat=Repeat.SAME)

    # --- events ------------------------------------------------------------------------------------------------------------

    @named
    def events(
        self,
        *,
        after: int | None = None,
        limit: int | None = None,
        wait: float | None = None,
        kind: Sequence[str] | None = None,
    ) -> Call[answers.Events]:
        """One stretch of the feed."""
        query = _sent(after=after, limit=limit, wait=wait, kind=kind)
        return Call("GET", "/events", answers.Events, query=query)

    @listed
    def listen(self, after: int = 0, *, kind: Sequence[str] | None = None) -> Callable[[Line], Stream[answers.Event]]:
        """Each event behind number ``after``, as it happens, for ever and in order; with ``kind`` only those.

        Keep the ``number`` of an event when you are done with it, and begin behind it the next time: then each event comes at
        least once, and none is missing.
        """
        return feed.streamed(lambda mark: event_stream(mark, kind), after)

    @listed
    def poll(
        self, after: int = 0, *, kind: Sequence[str] | None = None, wait: float = 25.0
    ) -> Callable[[Line], Stream[answers.Event]]:
        """The same as `listen` by one request after the other: where something on the way keeps streams back."""
        return feed.events(lambda mark: Calls.events.what(self, after=mark, wait=wait, kind=kind), after)

    # --- webhooks ----------------------------------------------------------------------------------------------------------

    @named
    def webhooks(self) -> Call[answers.Webhooks]:
        """Every address that events are sent to, with what it is still owed."""
        return Call("GET", "/webhooks", answers.Webhooks)

    @named
    def webhook(self, target_id: str) -> Call[answers.Target]:
        """One of them."""
        return Call("GET", "/webhooks/{target_id}", answers.Target, at={"target_id": target_id})

    @named
    def add_webhook(
        self, url: str, *, kinds: Sequence[str] | None = None, after: int | None = None, key: str | None = None
    ) -> Call[answers.WithSecret]:
        """Send events to an address, from now on or from behind event ``after``.

        The secret in the answer is shown again only to the same call with the same ``key``.
        """
        body, repeat = _sent(url=url, kinds=kinds, after=after), Repeat.ONCE_PER_KEY
        return Call("POST", "/webhooks", answers.WithSecret, body=body, repeat=repeat, key=key or new_key())

    @named
    def remove_webhook(self, target_id: str) -> Call[answers.WebhookRemoved]:
        """Forget a target, with what it is owed."""
        at = {"target_id": target_id}
        return Call("DELETE", "/webhooks/{target_id}", answers.WebhookRemoved, at=at, repeat=Repeat.SAME)

    @named
    def rotate_webhook(self, target_id: str) -> Call[answers.WithSecret]:
        """A new secret; for a day the one before signs too. Not sent again after a lost answer: that would make a third."""
        at = {"target_id": target_id}
        return Call("POST", "/webhooks/{target_id}/rotate", answers.WithSecret, at=at, repeat=Repeat.NEVER)

    @named
    def enable_webhook(self, target_id: str) -> Call[answers.Target]:
        """Go on with a disabled target, first with everything that it is owed."""
        at = {"target_id": target_id}
        return Call("POST", "/webhooks/{target_id}/enable", answers.Target, at=at, repeat=Repeat.SAME)

    @named
    def test_webhook(self, target_id: str) -> Call[answers.WebhookTest]:
        """Send an event of kind ``webhook_test`` to this target alone."""
        at = {"target_id": target_id}
        return Call("POST", "/webhooks/{target_id}/test", answers.WebhookTest, at=at, repeat=Repeat.SAME)

    @named
    def deliveries(
        self, target_id: str, *, after: int | None = None, limit: int | None = None, state: str | None = None
    ) -> Call[answers.DeliveryPage]:
        """One page of what a target was sent or is owed."""
        at, query = {"target_id": target_id}, _sent(after=after, limit=limit, state=state)
        return Call("GET", "/webhooks/{target_id}/deliveries", answers.DeliveryPage, at=at, query=query)

    @listed
    def each_delivery(
        self, target_id: str, *, after: int | None = None, state: str | None = None
    ) -> Callable[[Line], Stream[answers.Delivery]]:
        """All of them, page by page."""
        return feed.pages(
            lambda mark: Calls.deliveries.what(self, target_id, after=mark, state=state, limit=1000),
            lambda page: page.deliveries,
            after,
        )

    @named
    def redeliver(self, target_id: str, *, first: int, last: int | None = None) -> Call[answers.Redelivery]:
        """Send events again, with the same ids: one, or up to number ``last``."""
        at, body = {"target_id": target_id}, _sent(first=first, last=last)
        return Call("POST", "/webhooks/{target_id}/redeliver", answers.Redelivery, at=at, body=body, repeat=Repeat.SAME)

    # --- the fleet ---------------------------------------------------------------------------------------------------------

    @named
    def bots(self) -> Call[answers.Bots]:
        """The fleet."""
        return Call("GET", "/bots", answers.Bots)

    @named
    def change_bot(self, color: str, bot_id: int, action: str) -> Call[answers.Bot]:
        """``action``: ``pause``, ``drain``, ``resume`` or ``unfreeze``."""
        at = {"color": color, "bot_id": bot_id, "action": action}
        return Call("POST", "/bots/{color}/{bot_id}/{action}", answers.Bot, at=at, repeat=Repeat.SAME)

    @named
    def audits(self) -> Call[answers.Audits]:
        """The last audit of every bot."""
        return Call("GET", "/audit", answers.Audits)

    @named
    def audit(self, *, bots: Sequence[str] | None = None) -> Call[answers.AuditStarted]:
        """Let bots be audited; all of them if none is named."""
        return Call("POST", "/audit", answers.AuditStarted, body=_sent(bots=bots), repeat=Repeat.SAME)

    @named
    def switches(self) -> Call[answers.Switches]:
        """Everything that is stopped."""
        return Call("GET", "/switches", answers.Switches)

    @named
    def switch(
        self, switch: str, *, paused: bool, client: str | None = None, reason: str | None = None
    ) -> Call[answers.Switches]:
        """Stop ``deposits``, ``withdrawals`` or ``locks``, or let them go on."""
        body = _sent(switch=switch, paused=paused, client=client, reason=reason)
        return Call("POST", "/switches", answers.Switches, body=body, repeat=Repeat.SAME)

    @named
    def approvals(self, *, after: str | None = None, limit: int | None = None) -> Call[answers.TradePage]:
        """One page of the withdrawals that wait for an approval."""
        return Call("GET", "/approvals", answers.TradePage, query=_sent(after=after, limit=limit))

    @listed
    def each_approval(self, *, after: str | None = None) -> Callable[[Line], Stream[answers.Trade]]:
        """All of them, page by page."""
        return feed.pages(lambda mark: Calls.approvals.what(self, after=mark, limit=200), lambda page: page.trades, after)

    @named
    def decide(self, trade_id: str, decision: str) -> Call[answers.Trade]:
        """``approve`` or ``reject`` a withdrawal that waits for it."""
        at = {"trade_id": trade_id, "decision": decision}
        return Call("POST", "/approvals/{trade_id}/{decision}", answers.Trade, at=at, repeat=Repeat.SAME)

    @named
    def doubt(self, trade_id: str, *, offer_id: str | None, reason: str) -> Call[answers.Trade]:
        """What a person has found out about a trade that stays in doubt; ``None``: there is no offer."""
        body = {"offer_id": offer_id, "reason": reason}
        return Call("POST", "/trade/{trade_id}/doubt", answers.Trade, at={"trade_id": trade_id}, body=body, repeat=Repeat.SAME)

    @named
    def thaw(self, deposit_id: str, *, reason: str) -> Call[answers.Deposit]:
        """Let a frozen item be used again."""
        at = {"deposit_id": deposit_id}
        return Call("POST", "/deposits/{deposit_id}/thaw", answers.Deposit, at=at, body={"reason": reason}, repeat=Repeat.SAME)

    @named
    def decide_frozen(
        self, deposit_id: str, decision: str, *, reason: str, asset_id: str | None = None
    ) -> Call[answers.Decided]:
        """``release`` or ``write_off`` an item that stays frozen; a second client has to say the same within a day."""
        at, body = {"deposit_id": deposit_id}, _sent(decision=decision, asset_id=asset_id, reason=reason)
        return Call("POST", "/deposits/{deposit_id}/decision", answers.Decided, at=at, body=body, repeat=Repeat.SAME)

    @named
    def unblock(self, user_id: str) -> Call[answers.User]:
        """Let a player trade again who has reversed an exchange."""
        return Call("POST", "/users/{user_id}/unblock", answers.User, at={"user_id": user_id}, repeat=Repeat.SAME)

    @named
    def health(self) -> Call[answers.Health]:
        """The process answers."""
        return Call("GET", "/healthz", answers.Health)

    @named
    def readiness(self) -> Call[answers.Readiness]:
        """Whether a balancer can do its work, part by part; "no" is an answer too."""
        return Call("GET", "/readyz", answers.Readiness, good=frozenset({200, 503}))

    # --- whatever else there is --------------------------------------------------------------------------------------------

    @tried
    def send(self, method: str, target: str, *, body: Mapping[str, Any] | None = None, key: str | None = None) -> Call[Answer]:
        """One try of any request, and its answer as it came, a refusal too: for calls that this package has no name for, and
        for programs that look at each answer themselves.

        ``target`` is the path with its query, escaped. Nothing is repeated, and a key is sent only if one is given.
        """
        return Call(method, target, Answer, body=body, key=key)


def event_stream(after: int, kind: Sequence[str] | None) -> Call[answers.Event]:
    return Call("GET", "/events/stream", answers.Event, query=_sent(after=after, kind=kind))


def _moves(path: str, body: Mapping[str, Any], wait: float, key: str | None) -> Call[answers.Trades]:
    return Call(
        "POST",
        path,
        answers.Trades,
        query={"wait": wait},
        body=body,
        repeat=Repeat.ONCE_PER_KEY,
        key=key or new_key(),
    )
