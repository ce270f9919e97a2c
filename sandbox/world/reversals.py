"""Reversals under trade protection: one account takes back all of its exchanges that are still protected."""

from sandbox.world import agenda
from sandbox.world.accounts import Account
from sandbox.world.exchanges import Exchange, Move, Reversal, Status
from sandbox.world.items import PROTECTED_CONTEXT
from sandbox.world.offers import AssetRef, State
from sandbox.world.state import World


def reverse(world: World, account: Account, now: float) -> Reversal | None:
    """Undo every protected exchange of an account and lock it; None, and no lock, when there is nothing to undo.

    The newest exchange goes first. Whether the offers turn to 12 and which exchange names the other one as its
    `rollback_trade` is a matter of settings, as public sources disagree.
    """
    protected = [exchange for exchange in world.exchanges_of.get(account.steam_id, ()) if exchange.is_protected]
    if not protected:
        return None
    undone = sorted(protected, key=lambda exchange: -exchange.tradeid)
    made = [_undo(world, exchange, account, now) for exchange in undone]
    account.trade_locked_until = max(account.trade_locked_until, int(now) + world.settings.reversal_lock_s)
    ids = tuple(exchange.tradeid for exchange in undone)
    reversal = Reversal(account.steam_id, int(now), ids, tuple(exchange.tradeid for exchange in made))
    world.reversals.append(reversal)
    return reversal


def _undo(world: World, exchange: Exchange, account: Account, now: float) -> Exchange:
    """Give back what one exchange brought; items taken out of the world by hand stay away."""
    moves = [back for move in exchange.moves if (back := _bring_back(world, move, now)) is not None]
    rollback = Exchange(
        tradeid=world.next_tradeid(),
        offer_id=None,
        sender=exchange.sender,
        recipient=exchange.recipient,
        status=Status.COMPLETE,
        time_init=int(now),
        time_mod=int(now),
        ids_visible_at=now + world.settings.exchange_ids_delay_s,
        moves=moves,
        rollback_of=exchange.tradeid,
        reversed_by=account.steam_id,
    )
    world.add_exchange(rollback)
    exchange.status, exchange.time_mod = Status.PROTECTION_ROLLBACK, int(now)
    exchange.rolled_back_by, exchange.reversed_by = rollback.tradeid, account.steam_id
    offer = world.offers.by_id.get(exchange.offer_id or 0)
    if offer is not None and world.settings.reversal_marks_offer:
        world.offers.set_state(offer, State.REVERTED, now)
    return rollback


def _bring_back(world: World, move: Move, now: float) -> Move | None:
    """One item back to its former owner, context 16 -> 2, under a new asset id. Raises: AssertionError.

    A protected item cannot have moved on, as no offer takes assets of context 16: were it elsewhere, the rules of
    this world would be broken.
    """
    item = world.items.by_uid.get(move.ref.item_uid)
    if item is None:
        return None
    here = item.owner, item.context_id, item.asset_id
    if here != (move.taker, PROTECTED_CONTEXT, move.new_asset_id) or item.in_escrow:
        raise AssertionError(f"protected item {item.item_uid} has moved on to {here}")
    back = Move(AssetRef.of(item), giver=move.taker, taker=move.giver)
    world.items.move(item, move.giver, item.kind.context_id, world.items.new_asset_id(), now)
    back.new_context_id, back.new_asset_id = item.context_id, item.asset_id
    return back


def plan(world: World, account: Account, at: float) -> None:
    """Let the account reverse at a later moment, whatever is protected then."""
    world.agenda.add(at, agenda.REVERSE, account.steam_id)


def carry_out(world: World, steam_id: int, now: float) -> None:
    """A planned reversal is due."""
    reverse(world, world.accounts.get(steam_id), now)


def take_back(world: World, steam_id: int, now: float) -> None:
    """A player accepted some time ago and now takes everything back, unless the habit was given up meanwhile."""
    account = world.accounts.get(steam_id)
    if account.habit == "take_back":
        reverse(world, account, now)
