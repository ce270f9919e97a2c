"""How the items of an accepted offer change hands: at once, after a hold, or not at all."""

from sandbox.world import agenda
from sandbox.world.exchanges import Exchange, Move, Status
from sandbox.world.items import CS2, PROTECTED_CONTEXT, Item
from sandbox.world.offers import Offer, State
from sandbox.world.state import World


def begin(world: World, offer: Offer, now: float) -> Exchange:
    """Carry out an accepted offer at once, or hold it when a giving side has a trade hold."""
    tradeid = offer.promised_tradeid or world.next_tradeid()
    moves = [Move(ref, offer.sender, offer.recipient) for ref in offer.give]
    moves += [Move(ref, offer.recipient, offer.sender) for ref in offer.receive]
    exchange = Exchange(tradeid, offer.offer_id, offer.sender, offer.recipient, Status.INIT, int(now), int(now), moves=moves)
    world.add_exchange(exchange)
    offer.tradeid = tradeid
    if world.settings.exchanges_fail:
        _fail(world, exchange, offer, now)
        return exchange
    hold_s = 86400 * max((world.hold_days(world.accounts.get(move.giver), now) for move in moves), default=0)
    if hold_s:
        _hold(world, exchange, offer, int(now) + hold_s, now)
    else:
        deliver(world, exchange, now)
    return exchange


def _fail(world: World, exchange: Exchange, offer: Offer, now: float) -> None:
    """The offer is accepted and nothing moves: every item stays with its giver, under a new asset id (ETradeStatus 4)."""
    for move in exchange.moves:
        item = world.items.by_uid[move.ref.item_uid]
        world.items.move(item, move.giver, move.ref.context_id, world.items.new_asset_id())
        move.rollback_context_id, move.rollback_asset_id = item.context_id, item.asset_id
    exchange.status, exchange.time_mod = Status.FAILED, int(now)
    world.offers.set_state(offer, State.ACCEPTED, now)


def _hold(world: World, exchange: Exchange, offer: Offer, end: int, now: float) -> None:
    exchange.status, exchange.time_escrow_end, offer.escrow_end = Status.IN_ESCROW, end, end
    for move in exchange.moves:
        world.items.take_out(world.items.by_uid[move.ref.item_uid])
    world.offers.set_state(offer, State.IN_ESCROW, now)
    world.agenda.add(end, agenda.RELEASE, exchange.tradeid)


def release(world: World, tradeid: int, now: float) -> None:
    """The hold is over: deliver, unless it was called off."""
    exchange = world.exchanges[tradeid]
    if exchange.status == Status.IN_ESCROW:
        deliver(world, exchange, now)


def deliver(world: World, exchange: Exchange, now: float) -> None:
    """Give every item to its new owner under a new asset id; Counter-Strike items arrive protected in context 16."""
    protected = False
    for move in exchange.moves:
        item = world.items.by_uid[move.ref.item_uid]
        context_id = item.kind.context_id
        if item.app_id == CS2 and world.settings.protection_s:
            context_id, protected = PROTECTED_CONTEXT, True
        _lay(world, item, move, context_id, now)
    if protected:
        exchange.time_settlement = int(now) + world.settings.protection_s
        world.agenda.add(exchange.time_settlement, agenda.SETTLE, exchange.tradeid)
    exchange.status = Status.COMMITTED if world.settings.exchanges_stay_committed else Status.COMPLETE
    exchange.time_mod = int(now)
    exchange.ids_visible_at = now + world.settings.exchange_ids_delay_s
    world.offers.set_state(_offer(world, exchange), State.ACCEPTED, now)


def _offer(world: World, exchange: Exchange) -> Offer:
    return world.offers.by_id[exchange.offer_id or 0]


def _lay(world: World, item: Item, move: Move, context_id: int, now: float) -> None:
    protected = context_id == PROTECTED_CONTEXT
    until = int(now) + world.settings.protection_s if protected else 0
    world.items.move(item, move.taker, context_id, world.items.new_asset_id(), now, until)
    move.new_context_id, move.new_asset_id = context_id, item.asset_id


def settle(world: World, tradeid: int, now: float) -> None:
    """Protection ends unless it was reversed: items still where this exchange laid them go to context 2."""
    exchange = world.exchanges[tradeid]
    if not exchange.is_protected:
        return
    exchange.settled = True
    for move in exchange.moves:
        item = world.items.by_uid.get(move.ref.item_uid)
        if item is None or item.context_id != PROTECTED_CONTEXT or item.asset_id != move.new_asset_id:
            continue
        asset_id = world.items.new_asset_id() if world.settings.settle_changes_ids else item.asset_id
        world.items.move(item, item.owner, item.kind.context_id, asset_id)


def call_off(world: World, exchange: Exchange, state: State, now: float) -> None:
    """End a hold without an exchange: every item goes back to its giver under a new asset id."""
    for move in exchange.moves:
        item = world.items.by_uid[move.ref.item_uid]
        world.items.move(item, move.giver, move.ref.context_id, world.items.new_asset_id())
        move.rollback_context_id, move.rollback_asset_id = item.context_id, item.asset_id
    exchange.status, exchange.time_mod = Status.ESCROW_ROLLBACK, int(now)
    world.offers.set_state(_offer(world, exchange), state, now)
