"""What an account may do with trade offers, and how Steam refuses the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.errors import Refused
from sandbox.world import agenda, delivery, refusals
from sandbox.world.accounts import Account
from sandbox.world.items import CS2, PROTECTED_CONTEXT, Item
from sandbox.world.offers import AssetRef, Confirmation, Offer, State
from sandbox.world.state import World

FAIL, INVALID_PARAM, INVALID_STATE, ACCESS_DENIED = 2, 8, 11, 15
INSUFFICIENT_PRIVILEGE, LIMIT_EXCEEDED, REVOKED, ALREADY_REDEEMED = 24, 25, 26, 28
"""Steam's numbers (EResult) as offers use them."""


@dataclass(frozen=True)
class Wanted:
    """An asset as a request names it."""

    app_id: int
    context_id: int
    asset_id: int
    amount: int = 1


@dataclass(frozen=True)
class Proposal:
    """A request to send an offer; `give` and `receive` are the sender's view, `token` the recipient's trade token."""

    recipient: int
    give: Sequence[Wanted]
    receive: Sequence[Wanted]
    message: str = ""
    token: str | None = None
    countered: int | None = None


def send(world: World, sender: Account, proposal: Proposal, now: float) -> Offer:
    """Make an offer: state 9 when the sender gives something, else 2 at once.

    Raises: Refused with 8 malformed, 11 nothing to counter, 15 may not trade with that account, 24 locked device,
    25 limits, 26 items.
    """
    recipient = _check_parties(world, sender, proposal, now)
    _check_shape(world, proposal)
    countered = _countered(world, sender, proposal)
    give = [_offered(world, sender.steam_id, wanted) for wanted in proposal.give]
    receive = [_offered(world, recipient.steam_id, wanted) for wanted in proposal.receive]
    if len({item.app_id == CS2 for item in (*give, *receive)}) > 1:
        raise Refused(INVALID_PARAM)
    _check_limits(world, sender, recipient)
    if countered is not None:
        world.offers.set_state(countered, State.COUNTERED, now)
    offer = Offer(
        offer_id=world.next_offer_id(),
        sender=sender.steam_id,
        recipient=recipient.steam_id,
        give=tuple(AssetRef.of(item) for item in give),
        receive=tuple(AssetRef.of(item) for item in receive),
        message=proposal.message,
        state=State.NEEDS_CONFIRMATION if give else State.ACTIVE,
        created=int(now),
        updated=int(now),
        expires=int(now) + world.settings.offer_lifetime_s,
        needs_phone=bool(give),
    )
    world.offers.add(offer)
    world.agenda.add(offer.expires, agenda.EXPIRE, offer.offer_id)
    if give:
        _ask_phone(world, offer, sender, now)
    else:
        _wake_person(world, offer, now)
    return offer


def _check_parties(world: World, sender: Account, proposal: Proposal, now: float) -> Account:
    _check_lock(world, sender, now)
    recipient = world.accounts.by_id.get(proposal.recipient)
    if recipient is None or recipient is sender:
        raise Refused(ACCESS_DENIED)
    _check_partner(world, sender, recipient, now)
    friends = recipient.steam_id in sender.friends
    countering = proposal.countered is not None
    if not friends and not countering and proposal.token != recipient.trade_token:
        raise refusals.not_allowed(world.settings, recipient, proposal.token)
    if recipient.private and proposal.receive:
        raise refusals.private(world.settings, recipient)
    return recipient


def _check_lock(world: World, account: Account, now: float) -> None:
    """An account may be kept from trading for some days, after a new device or a reversal of its own. Raises: Refused 24."""
    if world.is_device_locked(account, now):
        raise refusals.new_device(world.settings)
    if now < account.trade_locked_until:
        raise Refused(INSUFFICIENT_PRIVILEGE)


def _check_partner(world: World, account: Account, partner: Account, now: float) -> None:
    """Raises: Refused 15 for a ban of either and for a partner that may not trade for now, 34 for one with a new name."""
    if world.is_banned(account, now) or account.vac_banned or partner.vac_banned:
        raise Refused(ACCESS_DENIED)
    if world.is_banned(partner, now):
        raise refusals.banned(world.settings, partner)
    if now < partner.trade_locked_until:
        raise refusals.unavailable(world.settings, partner)
    if partner.renamed_at is not None and now < partner.renamed_at + world.settings.rename_lock_s:
        raise refusals.renamed(partner)


def _check_shape(world: World, proposal: Proposal) -> None:
    wanted = [*proposal.give, *proposal.receive]
    if not wanted or len(wanted) > world.settings.items_per_offer_max:
        raise Refused(INVALID_PARAM)
    if len(proposal.message) > world.settings.message_max:
        raise Refused(INVALID_PARAM)
    if len(set(wanted)) != len(wanted):
        raise Refused(REVOKED)


def _countered(world: World, sender: Account, proposal: Proposal) -> Offer | None:
    """The live offer that this proposal answers; only its recipient may counter it."""
    if proposal.countered is None:
        return None
    offer = world.offers.by_id.get(proposal.countered)
    fits = offer is not None and offer.recipient == sender.steam_id and offer.sender == proposal.recipient
    if offer is None or not fits or offer.state != State.ACTIVE:
        raise Refused(INVALID_STATE)
    return offer


def _offered(world: World, owner: int, wanted: Wanted) -> Item:
    item = world.items.find((owner, wanted.app_id, wanted.context_id), wanted.asset_id)
    if item is None or wanted.amount != 1 or not is_free(item):
        raise Refused(REVOKED)
    return item


def is_free(item: Item) -> bool:
    """Whether an item may be put into an offer: not bound, not held, not protected."""
    protected = item.app_id == CS2 and item.context_id == PROTECTED_CONTEXT
    return item.tradable and not item.in_escrow and not protected


def _check_limits(world: World, sender: Account, recipient: Account) -> None:
    """At most 5 live offers per partner and 30 in all; unconfirmed ones count, held ones do not."""
    sent = world.offers.live_sent(sender.steam_id)
    to_partner = sum(offer.recipient == recipient.steam_id for offer in sent)
    if to_partner >= world.limit(sender, "per_partner") or len(sent) >= world.limit(sender, "total"):
        raise refusals.too_many(world.settings, recipient)


def _ask_phone(world: World, offer: Offer, owner: Account, now: float) -> None:
    confirmation = Confirmation(
        confirmation_id=world.next_confirmation_id(),
        nonce=world.chance.randrange(10**18, 9 * 10**18),
        creator_id=offer.offer_id,
        owner=owner.steam_id,
        accepting=owner.steam_id == offer.recipient,
        created=int(now),
        visible_at=now + world.settings.confirmation_delay_s,
    )
    world.offers.ask_phone(offer, confirmation)


def _wake_person(world: World, offer: Offer, now: float) -> None:
    """Let a simulated partner notice an offer that has just become active."""
    recipient = world.accounts.get(offer.recipient)
    if recipient.is_person:
        world.agenda.add(now + recipient.delay_s, agenda.ACT, offer.offer_id)


def accept(world: World, account: Account, offer_id: int, now: float) -> tuple[int, bool]:
    """Accept a received offer. Returns the trade id and whether the phone must confirm first.

    Raises: Refused with 11 or 28 for an offer in another state, 15, 24, 25 full inventory, 26 items gone.
    """
    offer = _received(world, account, offer_id)
    if offer.state != State.ACTIVE:
        raise Refused(ALREADY_REDEEMED if offer.state in (State.ACCEPTED, State.IN_ESCROW) else INVALID_STATE)
    _check_lock(world, account, now)
    _check_partner(world, account, world.accounts.get(offer.sender), now)
    _check_items(world, offer, now)
    _check_room(world, offer)
    if offer.receive:
        offer.accepting_needs_phone = True
        if offer.confirmation is None:
            offer.promised_tradeid = world.next_tradeid()
            _ask_phone(world, offer, account, now)
        return offer.promised_tradeid or 0, True
    return _complete(world, offer, now), False


def _received(world: World, account: Account, offer_id: int) -> Offer:
    offer = world.offers.by_id.get(offer_id)
    if offer is None or offer.recipient != account.steam_id or not offer.concerns(account.steam_id):
        raise Refused(INVALID_STATE)
    return offer


def _check_items(world: World, offer: Offer, now: float) -> None:
    """Every item must lie where the offer found it. Raises: Refused 26, the offer having become invalid."""
    for owner, refs in ((offer.sender, offer.give), (offer.recipient, offer.receive)):
        for ref in refs:
            item = world.items.find((owner, ref.kind.app_id, ref.context_id), ref.asset_id)
            if item is None or not is_free(item):
                world.offers.set_state(offer, State.INVALID_ITEMS, now)
                raise Refused(REVOKED)


def _check_room(world: World, offer: Offer) -> None:
    for steam_id, incoming, outgoing in (
        (offer.recipient, offer.give, offer.receive),
        (offer.sender, offer.receive, offer.give),
    ):
        for app_id in {ref.kind.app_id for ref in incoming}:
            grows = sum(ref.kind.app_id == app_id for ref in incoming) - sum(ref.kind.app_id == app_id for ref in outgoing)
            room = world.limit(world.accounts.get(steam_id), "inventory") - world.items.count(steam_id, app_id)
            if grows > room:
                raise Refused(LIMIT_EXCEEDED)


def _complete(world: World, offer: Offer, now: float) -> int:
    exchange = delivery.begin(world, offer, now)
    for move in exchange.moves:
        invalidate(world, move.ref.item_uid, now)
    return exchange.tradeid


def invalidate(world: World, item_uid: int, now: float) -> None:
    """An item is no longer to be had: the live offers that name it become state 8."""
    for offer in world.offers.claiming(item_uid):
        world.offers.set_state(offer, State.INVALID_ITEMS, now)


def confirm(world: World, account: Account, confirmation: Confirmation, allow: bool, now: float) -> bool:
    """Answer a confirmation on the phone; False when Steam says `success:false`.

    Refusing moves the offer to state 10. An account that has not acknowledged trade protection cannot confirm.
    """
    if world.settings.require_acknowledge and not account.acknowledged:
        return False
    offer = world.offers.by_id[confirmation.creator_id]
    if not allow:
        world.offers.set_state(offer, State.CANCELED_BY_SECOND_FACTOR, now)
        return True
    if now < account.trade_locked_until:
        return False
    try:
        _check_items(world, offer, now)
        if confirmation.accepting:
            _check_room(world, offer)
    except Refused:
        return False
    world.offers.drop_confirmation(offer)
    if confirmation.accepting:
        _complete(world, offer, now)
    else:
        world.offers.set_state(offer, State.ACTIVE, now)
        _wake_person(world, offer, now)
    return True


def cancel(world: World, account: Account, offer_id: int, now: float) -> None:
    """Take back an offer one sent. Raises: Refused 11."""
    offer = world.offers.by_id.get(offer_id)
    if offer is None or offer.sender != account.steam_id:
        raise Refused(INVALID_STATE)
    _end(world, account, offer, State.CANCELED, now)


def decline(world: World, account: Account, offer_id: int, now: float) -> None:
    """Turn down an offer one got. Raises: Refused 11."""
    _end(world, account, _received(world, account, offer_id), State.DECLINED, now)


def _end(world: World, account: Account, offer: Offer, state: State, now: float) -> None:
    """Who calls off a held trade may not trade for some days."""
    if offer.state == State.IN_ESCROW and offer.tradeid is not None:
        delivery.call_off(world, world.exchanges[offer.tradeid], state, now)
        account.trade_locked_until = max(account.trade_locked_until, int(now) + world.settings.hold_cancel_lock_s)
    elif offer.state in (State.ACTIVE, State.NEEDS_CONFIRMATION):
        world.offers.set_state(offer, state, now)
    else:
        raise Refused(INVALID_STATE)


def expire(world: World, offer_id: int, now: float) -> None:
    """Its time is over: a live offer becomes state 5."""
    offer = world.offers.by_id[offer_id]
    if offer.state in (State.ACTIVE, State.NEEDS_CONFIRMATION) and offer.expires <= now:
        world.offers.set_state(offer, State.EXPIRED, now)
