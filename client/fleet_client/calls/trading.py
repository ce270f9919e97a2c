"""Calls that move items in and out, and tell how that goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleet_client import answers, feed
from fleet_client.asking import Call, Line, Repeat
from fleet_client.calls.parts import AssetRef, new_key, plain_asset, sent
from fleet_client.named import listed, named
from fleet_client.steps import Stream


class Trading:
    """Items in and out, and trades."""

    # --- items in and out -----------------------------------------------------------------------------------------------------

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
        body = sent(user_id=user_id, steam_id=steam_id, trade_url=trade_url, color=color, message=message)
        body["asset_ids"] = [plain_asset(one) for one in asset_ids]
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
        body = sent(user_id=user_id, steam_id=steam_id, trade_url=trade_url, message=message, when_settled=when_settled)
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
        body = sent(trade_url=trade_url, deposit_ids=list(deposit_ids), reason=reason, message=message)
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
        body = sent(steam_id=steam_id, trade_url=trade_url, untradable=untradable)
        return Call("POST", "/inventory", answers.Inventory, body=body)

    @named
    def verify(self, token: str, steam_id: str) -> Call[answers.VerifyAnswer]:
        """Whether the offer with this token is ours, for this player, and open now.

        An ``ok`` uses the token up. So it is not sent again after a lost answer: let the player ask again.
        """
        return Call("POST", "/verify", answers.VerifyAnswer, body={"token": token, "steam_id": steam_id}, repeat=Repeat.NEVER)

    # --- trades ---------------------------------------------------------------------------------------------------------------

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
        query = sent(trade_id=trade_id, offer_id=offer_id, user_id=user_id, status=status, after=after, limit=limit)
        return Call("GET", "/trade", answers.TradePage, query=query)

    @listed
    def each_trade(
        self, *, user_id: str | None = None, status: str | None = None, after: str | None = None
    ) -> Callable[[Line], Stream[answers.Trade]]:
        """All of them, page by page."""
        return feed.pages(
            lambda mark: Trading.trades.what(self, user_id=user_id, status=status, after=mark, limit=200),
            lambda page: page.trades,
            after,
        )

    @named
    def look_up(
        self, *, trade_ids: Sequence[str] | None = None, offer_ids: Sequence[str] | None = None
    ) -> Call[answers.Trades]:
        """Up to 200 trades at once; unknown ids are left out."""
        return Call("POST", "/trade", answers.Trades, body=sent(trade_ids=trade_ids, offer_ids=offer_ids))

    @named
    def cancel(self, trade_id: str) -> Call[answers.Trade]:
        """Wish that a trade is canceled; it is when a bot has seen so."""
        return Call("POST", "/trade/{trade_id}/cancel", answers.Trade, at={"trade_id": trade_id}, repeat=Repeat.SAME)

    @named
    def story(self, trade_id: str) -> Call[answers.Story]:
        """Everything that happened to a trade, in words and data."""
        return Call("GET", "/trade/{trade_id}/story", answers.Story, at={"trade_id": trade_id})


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
