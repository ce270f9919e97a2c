"""Whatever people do, no item is lost, doubled or in two places, and every index agrees with the records."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from sandbox.errors import Refused
from sandbox.settings import SandboxSettings
from sandbox.world import people, reversals, timeline, trading
from sandbox.world.accounts import Account
from sandbox.world.catalogue import Catalogue
from sandbox.world.exchanges import Exchange
from sandbox.world.offers import LIVE, Offer, State
from sandbox.world.state import World
from sandbox.world.trading import Proposal, Wanted

SMALL = SandboxSettings(
    bots=("a", "b"),
    players=2,
    items_per_player=(3, 3),
    items_per_bot=(3, 3),
    player_habit="manual",
    offers_per_partner_max=3,
    inventory_max=9,
    require_acknowledge=False,
)
# Making it is the slow part of making a world, and it is the same one each time.
CATALOGUE = Catalogue(SMALL.seed)
PICK = st.integers(min_value=0, max_value=10**6)


class Trading(RuleBasedStateMachine):
    """Random sends, answers, confirmations, removals, reversals and jumps of the clock."""

    def __init__(self, rules: SandboxSettings) -> None:
        super().__init__()
        self.now = 1_786_000_000.0
        self.world = World(rules, self.now, CATALOGUE)
        self.people = list(self.world.accounts)
        self.created = len(self.world.items.by_uid)
        self.snapshots: list[Any] = []

    def tried(self, action: Callable[..., Any], *args: Any) -> None:
        try:
            action(*args)
        except Refused as refused:
            assert refused.code in (8, 11, 15, 24, 25, 26, 28)

    def items(self, account: Account, pick: int, count: int) -> list[Any]:
        found = self.world.items.at((account.steam_id, 730, 2))
        chosen = [found[(pick + n) % len(found)] for n in range(min(count, len(found)))]
        return [Wanted(730, 2, item.asset_id) for item in chosen]

    @rule(who=PICK, whom=PICK, gives=PICK, takes=PICK, count=st.integers(0, 3), back=st.integers(0, 3))
    def send(self, who: int, whom: int, gives: int, takes: int, count: int, back: int) -> None:
        sender, recipient = self.people[who % 4], self.people[whom % 4]
        give, receive = self.items(sender, gives, count), self.items(recipient, takes, back)
        proposal = Proposal(recipient.steam_id, give, receive, "", recipient.trade_token)
        self.tried(trading.send, self.world, sender, proposal, self.now)

    @rule(who=PICK, other=st.integers(1, 3), takes=PICK)
    def ask_and_get(self, who: int, other: int, takes: int) -> None:
        """A whole deposit at once, so that protected exchanges are common."""
        sender, recipient = self.people[who % 4], self.people[(who + other) % 4]
        proposal = Proposal(recipient.steam_id, [], self.items(recipient, takes, 1), "", recipient.trade_token)
        known = set(self.world.offers.by_id)
        self.tried(trading.send, self.world, sender, proposal, self.now)
        for offer_id in set(self.world.offers.by_id) - known:
            self.tried(people.act, self.world, recipient, self.world.offers.by_id[offer_id], "accept", self.now)

    def some_offer(self, pick: int) -> Offer:
        return list(self.world.offers)[pick % len(self.world.offers.by_id)]

    @precondition(lambda self: self.world.offers.by_id)
    @rule(pick=PICK, action=st.sampled_from(["accept", "decline", "counter"]))
    def answer(self, pick: int, action: str) -> None:
        offer = self.some_offer(pick)
        person = self.world.accounts.get(offer.recipient)
        self.tried(people.act, self.world, person, offer, action, self.now)

    @precondition(lambda self: self.world.offers.by_id)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        offer = self.some_offer(pick)
        self.tried(trading.cancel, self.world, self.world.accounts.get(offer.sender), offer.offer_id, self.now)

    @precondition(lambda self: self.world.offers.confirmations)
    @rule(pick=PICK, allow=st.booleans())
    def confirm(self, pick: int, allow: bool) -> None:
        waiting = list(self.world.offers.confirmations.values())
        chosen = waiting[pick % len(waiting)]
        trading.confirm(self.world, self.world.accounts.get(chosen.owner), chosen, allow, self.now)

    @rule(seconds=st.sampled_from([1, 3600, 86400, 8 * 86400, 15 * 86400]))
    def wait(self, seconds: int) -> None:
        self.snapshots.append((self.now, self.look(self.world.items.at)))
        self.now += seconds
        timeline.advance(self.world, self.now)
        for then, seen in self.snapshots[-3:]:
            assert self.look(lambda place, then=then: self.world.items.at_time(place, then)) == seen

    def look(self, read: Callable[..., Any]) -> dict[tuple[int, int, int], set[Any]]:
        """Every inventory as `read` shows it."""
        places = [(account.steam_id, 730, context) for account in self.people for context in (2, 16)]
        return {place: {(i.item_uid, i.asset_id, i.protected_until, i.acquired) for i in read(place)} for place in places}

    @rule(who=PICK, days=st.sampled_from([0, 0, 3]))
    def hold(self, who: int, days: int) -> None:
        self.people[who % 4].hold_days = days

    def protected(self) -> list[Any]:
        return [exchange for exchange in self.world.exchanges.values() if exchange.is_protected]

    @precondition(lambda self: self.protected())
    @rule(pick=PICK, by_sender=st.booleans(), forgiven=st.booleans())
    def reverse(self, pick: int, by_sender: bool, forgiven: bool) -> None:
        chosen = self.protected()[pick % len(self.protected())]
        account = self.world.accounts.get(chosen.sender if by_sender else chosen.recipient)
        done = reversals.reverse(self.world, account, self.now)
        assert done is not None
        assert chosen.tradeid in done.exchanges
        assert not any(exchange.concerns(account.steam_id) for exchange in self.protected())
        if forgiven:
            account.trade_locked_until = 0

    @rule(who=PICK)
    def reverse_nothing(self, who: int) -> None:
        account = self.people[who % 4]
        if not any(exchange.concerns(account.steam_id) for exchange in self.protected()):
            assert reversals.reverse(self.world, account, self.now) is None

    @rule(who=PICK, pick=PICK, protected=st.booleans())
    def sabotage(self, who: int, pick: int, protected: bool) -> None:
        found = self.world.items.at((self.people[who % 4].steam_id, 730, 16 if protected else 2))
        if len(found) > 1:
            item = found[pick % len(found)]
            self.world.items.remove(item.place, item.asset_id)
            trading.invalidate(self.world, item.item_uid, self.now)

    @invariant()
    def every_item_is_in_exactly_one_place(self) -> None:
        world = self.world
        lying = [item for a in self.people for context in (2, 16) for item in world.items.at((a.steam_id, 730, context))]
        held = [item for item in world.items if item.in_escrow]
        assert sorted(i.item_uid for i in lying + held) == sorted(world.items.by_uid)
        assert len(world.items.by_uid) + len(world.items.removed) == self.created == len(world.items.origins)
        assert len({i.asset_id for i in world.items}) == len(world.items.by_uid)

    @invariant()
    def context_16_is_where_protected_items_are(self) -> None:
        for item in self.world.items:
            if not item.in_escrow:
                assert (item.context_id == 16) == (item.protected_until > self.now)

    @invariant()
    def the_moves_of_the_exchanges_lead_to_the_owners(self) -> None:
        owner = {uid: first for uid, (first, _) in self.world.items.origins.items()}
        for exchange in self.world.exchanges.values():
            for move in exchange.moves:
                assert owner[move.ref.item_uid] == move.giver
                if move.new_asset_id is not None:
                    owner[move.ref.item_uid] = move.taker
        for item in self.world.items:
            assert owner[item.item_uid] == item.owner

    @invariant()
    def what_was_reversed_is_back_and_linked(self) -> None:
        world = self.world
        for exchange in world.exchanges.values():
            assert (exchange.status == 12) == (exchange.rolled_back_by is not None)
            if exchange.rolled_back_by is not None:
                back = world.exchanges[exchange.rolled_back_by]
                assert (back.rollback_of, back.status) == (exchange.tradeid, 3)
                assert [(m.ref.item_uid, m.giver, m.taker) for m in back.moves] == [
                    (m.ref.item_uid, m.taker, m.giver) for m in exchange.moves if m.new_asset_id in self.taken_back(back)
                ]
        undone = [tradeid for entry in world.reversals for tradeid in entry.exchanges]
        assert len(undone) == len(set(undone)) == sum(e.status == 12 for e in world.exchanges.values())

    @staticmethod
    def taken_back(rollback: Exchange) -> set[Any]:
        return {move.ref.asset_id for move in rollback.moves}

    @invariant()
    def the_indexes_agree_with_the_offers(self) -> None:
        for account in self.people:
            mine = [o for o in self.world.offers if account.steam_id in (o.sender, o.recipient)]
            live = {o.offer_id for o in mine if o.state in LIVE}
            assert {o.offer_id for o in self.world.offers.live(account.steam_id)} == live
            changed = [o.updated for o in self.world.offers.changed_since(account.steam_id, 0)]
            assert changed == sorted(changed, reverse=True)
            assert len(changed) == len(mine)
        for offer in self.world.offers:
            assert (offer.state == State.NEEDS_CONFIRMATION) <= (offer.confirmation is not None)
            assert offer.state in LIVE or offer.confirmation is None

    @invariant()
    def live_offers_name_items_that_are_there(self) -> None:
        for offer in self.world.offers:
            if offer.state in LIVE:
                for owner, refs in ((offer.sender, offer.give), (offer.recipient, offer.receive)):
                    assert all(self.world.items.find((owner, 730, r.context_id), r.asset_id) for r in refs)

    @invariant()
    def limits_hold(self) -> None:
        for account in self.people:
            sent = self.world.offers.live_sent(account.steam_id)
            for other in self.people:
                assert sum(o.recipient == other.steam_id for o in sent) <= 3


@pytest.mark.parametrize("changes_ids", [False, True])
def test_items_are_conserved_whatever_happens(changes_ids: bool) -> None:
    from dataclasses import replace

    rules = replace(SMALL, settle_changes_ids=changes_ids)
    limits = settings(
        max_examples=80, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    machine: Any = partial(Trading, rules)  # anything that makes one will do
    run_state_machine_as_test(machine, settings=limits)
