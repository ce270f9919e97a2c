"""Calls about what lies in custody, and those of games."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleet_client import answers, feed
from fleet_client.asking import Call, Line, Repeat
from fleet_client.calls.parts import Credit, Move, Take, plain_credit, plain_take, sent
from fleet_client.named import listed, named
from fleet_client.steps import Stream


class Custody:
    """What is in custody, and games."""

    # --- what is in custody ---------------------------------------------------------------------------------------------------

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
        query = sent(user_id=user_id, user_ids=user_ids, ids=ids, status=status, after=after, limit=limit)
        return Call("GET", "/deposits", answers.Deposits, query=query)

    @listed
    def each_deposit(
        self, *, user_id: str | None = None, status: str | None = None, after: str | None = None
    ) -> Callable[[Line], Stream[answers.Deposit]]:
        """All of them, page by page."""
        return feed.pages(
            lambda mark: Custody.deposits.what(self, user_id=user_id, status=status, after=mark, limit=1000),
            lambda page: page.deposits,
            after,
        )

    @named
    def stock(self, *, value_max_cents: int | None = None, limit: int | None = None) -> Call[answers.Stock]:
        """Items of the house that are free, the smallest value first."""
        return Call("GET", "/stock", answers.Stock, query=sent(value_max_cents=value_max_cents, limit=limit))

    @named
    def items(self, *, after: str | None = None, limit: int | None = None) -> Call[answers.Catalogue]:
        """One page of all known items with their values."""
        return Call("GET", "/items", answers.Catalogue, query=sent(after=after, limit=limit))

    @listed
    def each_item(self, *, after: str | None = None) -> Callable[[Line], Stream[answers.CatalogueItem]]:
        """All of them, page by page."""
        return feed.pages(lambda mark: Custody.items.what(self, after=mark, limit=5000), lambda page: page.items, after)

    # --- games ----------------------------------------------------------------------------------------------------------------

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
        body = sent(ref=ref, user_id=user_id, deposit_ids=list(deposit_ids), unsettled=unsettled, note=note)
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
        return Call("GET", "/locks", answers.LockPage, query=sent(state=state, user_id=user_id, after=after, limit=limit))

    @listed
    def each_lock(
        self, *, state: Sequence[str] | None = None, user_id: str | None = None, after: str | None = None
    ) -> Callable[[Line], Stream[answers.Lock]]:
        """All of them, page by page."""
        return feed.pages(
            lambda mark: Custody.locks.what(self, state=state, user_id=user_id, after=mark, limit=200),
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
        body = sent(ref=ref, locks=locks, release=release)
        if moves is not None:
            body["moves"] = [{"deposit_id": one.deposit_id, "from": one.from_user, "to": one.to_user} for one in moves]
        if credits is not None:
            body["credits"] = [plain_credit(one) for one in credits]
        return Call("POST", "/transfers", answers.Transfer, body=body, repeat=Repeat.ONCE_PER_KEY)

    @named
    def transfer_of(self, ref: str) -> Call[answers.Transfer]:
        """What a transfer has done."""
        return Call("GET", "/transfers/{ref}", answers.Transfer, at={"ref": ref})

    @named
    def transfers(self, *, after: str | None = None, limit: int | None = None) -> Call[answers.TransferPage]:
        """One page of your transfers."""
        return Call("GET", "/transfers", answers.TransferPage, query=sent(after=after, limit=limit))

    @listed
    def each_transfer(self, *, after: str | None = None) -> Callable[[Line], Stream[answers.Transfer]]:
        """All of them, page by page."""
        return feed.pages(lambda mark: Custody.transfers.what(self, after=mark, limit=200), lambda page: page.transfers, after)

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
        body = sent(ref=ref, user_id=user_id, give=give, give_credit_cents=give_credit_cents, rest=rest)
        body |= sent(seen_cents=seen_cents, take=plain_take(take))
        return Call("POST", "/exchanges", answers.Exchange, body=body, repeat=Repeat.ONCE_PER_KEY)

    @named
    def issue(
        self, ref: str, *, market_hash_name: str, value_cents: int, count: int, to: str | None = None
    ) -> Call[answers.Issued]:
        """Tickets of the house."""
        body = sent(ref=ref, market_hash_name=market_hash_name, value_cents=value_cents, count=count, to=to)
        return Call("POST", "/issues", answers.Issued, body=body, repeat=Repeat.ONCE_PER_KEY)

    @named
    def credit(self, ref: str, *, lines: Sequence[Credit], not_below_cents: int | None = None) -> Call[answers.Posted]:
        """Book cents that the house owes users, all lines or none."""
        body = sent(ref=ref, lines=[plain_credit(one) for one in lines], not_below_cents=not_below_cents)
        return Call("POST", "/credits", answers.Posted, body=body, repeat=Repeat.ONCE_PER_KEY)

    @named
    def credits(self, user_id: str, *, after: str | None = None, limit: int | None = None) -> Call[answers.Credits]:
        """A user's balance, and one page of how it came about."""
        return Call("GET", "/credits", answers.Credits, query=sent(user_id=user_id, after=after, limit=limit))

    @listed
    def each_credit(self, user_id: str, *, after: str | None = None) -> Callable[[Line], Stream[answers.CreditLine]]:
        """All lines of it, page by page."""
        return feed.pages(
            lambda mark: Custody.credits.what(self, user_id, after=mark, limit=1000), lambda page: page.lines, after
        )

    @named
    def bind_user(self, user_id: str, *, steam_id: str) -> Call[answers.Bound]:
        """Name a user who has not traded yet."""
        body = {"steam_id": steam_id}
        return Call("PUT", "/users/{user_id}", answers.Bound, at={"user_id": user_id}, body=body, repeat=Repeat.SAME)
