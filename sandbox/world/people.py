"""Simulated partners: what a player does with an offer, by habit or by the hand of a tester."""

import logging

from sandbox.errors import Refused
from sandbox.world import agenda, trading
from sandbox.world.accounts import Account
from sandbox.world.items import CS2
from sandbox.world.offers import AssetRef, Offer, State
from sandbox.world.state import World
from sandbox.world.trading import Proposal, Wanted

log = logging.getLogger(__name__)

ACTIONS = ("accept", "decline", "counter", "cancel")
BY_HABIT = {"accept": "accept", "decline": "decline", "counter": "counter", "take_back": "accept"}


def notice(world: World, offer_id: int, now: float) -> None:
    """A player's thinking time is over: act by habit. Only offers that are still active are looked at."""
    offer = world.offers.by_id[offer_id]
    person = world.accounts.get(offer.recipient)
    action = BY_HABIT.get(person.habit)
    if offer.state != State.ACTIVE or action is None:
        return
    try:
        act(world, person, offer, action, now)
    except Refused as refused:
        log.info("player %s could not %s offer %s: %s", person.steam_id, action, offer_id, refused)
        return
    if person.habit == "take_back":
        delivered = max(now, offer.escrow_end)
        world.agenda.add(delivered + person.take_back_s, agenda.TAKE_BACK, person.steam_id)


def act(world: World, person: Account, offer: Offer, action: str, now: float) -> None:
    """Accept, decline, counter or cancel as that person, the phone included. Raises: Refused as Steam would."""
    if action == "accept":
        trading.accept(world, person, offer.offer_id, now)
        confirm(world, person, offer, now)
    elif action == "counter":
        _counter(world, person, offer, now)
    elif action == "cancel":
        trading.cancel(world, person, offer.offer_id, now)
    else:
        trading.decline(world, person, offer.offer_id, now)


def confirm(world: World, person: Account, offer: Offer, now: float) -> None:
    """Allow on the phone what it asks about this offer; nothing when it asks nothing."""
    if offer.confirmation is not None and offer.confirmation.owner == person.steam_id:
        trading.confirm(world, person, offer.confirmation, True, now)


def _counter(world: World, person: Account, offer: Offer, now: float) -> None:
    """Keep back one item if more are asked for, and ask for one more of the partner's."""
    give = [_wanted(ref) for ref in offer.receive]
    receive = [_wanted(ref) for ref in offer.give]
    if len(give) > 1:
        give.pop()
    partner = world.accounts.get(offer.sender)
    taken = {wanted.asset_id for wanted in receive}
    if not partner.private:
        stock = world.items.at((partner.steam_id, CS2, 2))
        extra = next((i for i in stock if trading.is_free(i) and i.asset_id not in taken), None)
        if extra is not None:
            receive.append(Wanted(CS2, extra.context_id, extra.asset_id))
    proposal = Proposal(partner.steam_id, give, receive, "How about this instead?", None, offer.offer_id)
    answer = trading.send(world, person, proposal, now)
    confirm(world, person, answer, now)


def _wanted(ref: AssetRef) -> Wanted:
    return Wanted(ref.kind.app_id, ref.context_id, ref.asset_id)
