"""Calls of an operator: bots, audits, what is stopped, and what a person decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleet_client import answers, feed
from fleet_client.asking import Call, Line, Repeat
from fleet_client.calls.parts import sent
from fleet_client.named import listed, named
from fleet_client.steps import Stream


class Fleet:
    """The fleet."""

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
        return Call("POST", "/audit", answers.AuditStarted, body=sent(bots=bots), repeat=Repeat.SAME)

    @named
    def switches(self) -> Call[answers.Switches]:
        """Everything that is stopped."""
        return Call("GET", "/switches", answers.Switches)

    @named
    def switch(
        self, switch: str, *, paused: bool, client: str | None = None, reason: str | None = None
    ) -> Call[answers.Switches]:
        """Stop ``deposits``, ``withdrawals`` or ``locks``, or let them go on."""
        body = sent(switch=switch, paused=paused, client=client, reason=reason)
        return Call("POST", "/switches", answers.Switches, body=body, repeat=Repeat.SAME)

    @named
    def approvals(self, *, after: str | None = None, limit: int | None = None) -> Call[answers.TradePage]:
        """One page of the withdrawals that wait for an approval."""
        return Call("GET", "/approvals", answers.TradePage, query=sent(after=after, limit=limit))

    @listed
    def each_approval(self, *, after: str | None = None) -> Callable[[Line], Stream[answers.Trade]]:
        """All of them, page by page."""
        return feed.pages(lambda mark: Fleet.approvals.what(self, after=mark, limit=200), lambda page: page.trades, after)

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
        at, body = {"deposit_id": deposit_id}, sent(decision=decision, asset_id=asset_id, reason=reason)
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
