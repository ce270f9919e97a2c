"""JSON shapes of the control API: 64-bit ids are strings, money is integer cents, times are unix seconds."""

import dataclasses
from collections.abc import Callable
from typing import Any

from sandbox.settings import CHANGEABLE
from sandbox.world.accounts import Account
from sandbox.world.catalogue import WEARS, Kind
from sandbox.world.exchanges import Exchange, Reversal
from sandbox.world.items import Item
from sandbox.world.offers import AssetRef, Confirmation, Offer
from sandbox.world.state import World


def account(who: Account) -> dict[str, Any]:
    return {
        "steam_id": str(who.steam_id),
        "account_id": who.account_id,
        "kind": who.kind,
        "name": who.name,
        "account_name": who.account_name,
        "trade_token": who.trade_token,
        "trade_url": who.trade_url,
        "habit": who.habit,
        "delay_s": who.delay_s,
        "take_back_s": who.take_back_s,
        "hold_days": who.hold_days,
        "private": who.private,
        "banned": who.banned,
        "probation": who.probation,
        "vac_banned": who.vac_banned,
        "device_locked": who.device_locked,
        "acknowledged": who.acknowledged,
        "trade_locked_until": who.trade_locked_until or None,
        "has_api_key": bool(who.api_key),
        "friends": [str(steam_id) for steam_id in sorted(who.friends)],
        "limits": who.limits,
    }


def credentials(who: Account) -> dict[str, str]:
    return {
        "name": who.name,
        "account_name": who.account_name,
        "password": who.password,
        "steam_id": str(who.steam_id),
        "shared_secret": who.shared_secret,
        "identity_secret": who.identity_secret,
        "device_id": who.device_id,
        "api_key": who.api_key,
    }


def mafile(who: Account) -> dict[str, Any]:
    """The file of Steam Desktop Authenticator: the id stands under `Session`, and there is no password."""
    return {
        "shared_secret": who.shared_secret,
        "serial_number": str(who.steam_id)[::-1],
        "revocation_code": f"R{who.account_id % 100000:05d}",
        "uri": f"otpauth://totp/Steam:{who.account_name}?issuer=Steam",
        "server_time": who.created,
        "account_name": who.account_name,
        "token_gid": f"{who.account_id:016x}",
        "identity_secret": who.identity_secret,
        "secret_1": who.identity_secret,
        "status": 1,
        "device_id": who.device_id,
        "fully_enrolled": True,
        "Session": {
            "SteamID": who.steam_id,
            "AccessToken": None,
            "RefreshToken": None,
            "SessionID": None,
        },
    }


def kind(entry: Kind) -> dict[str, Any]:
    return {
        "market_hash_name": entry.market_hash_name,
        "name": entry.name,
        "type": entry.type_line,
        "rarity": entry.rarity,
        "color": entry.color,
        "exterior": None if entry.exterior is None else WEARS[entry.exterior][0],
        "price_cents": entry.price_cents,
        "tradable": int(entry.tradable),
        "commodity": int(entry.commodity),
        "app_id": entry.app_id,
        "classid": str(entry.classid),
    }


def settings(world: World) -> dict[str, Any]:
    """Every setting, and which of them may be changed."""
    return dataclasses.asdict(world.settings) | {"changeable": sorted(CHANGEABLE)}


def asset(item: Item) -> dict[str, Any]:
    """`in_escrow` items lie in no inventory; their ids are those of the place they were taken from."""
    return {
        "item_uid": item.item_uid,
        "asset_id": str(item.asset_id),
        "owner": str(item.owner),
        "app_id": item.app_id,
        "context_id": item.context_id,
        "market_hash_name": item.kind.market_hash_name,
        "classid": str(item.kind.classid),
        "instanceid": str(item.instanceid),
        "tradable": int(item.tradable),
        "wear": item.wear,
        "pattern": item.pattern,
        "protected_until": item.protected_until or None,
        "in_escrow": item.in_escrow,
    }


def confirmation(entry: Confirmation) -> dict[str, Any]:
    return {
        "confirmation_id": str(entry.confirmation_id),
        "type": entry.kind,
        "creator_id": str(entry.creator_id),
        "headline": entry.headline,
        "summary": list(entry.summary),
        "created": entry.created,
    }


def offer(entry: Offer) -> dict[str, Any]:
    return {
        "offer_id": str(entry.offer_id),
        "sender": str(entry.sender),
        "recipient": str(entry.recipient),
        "state": int(entry.state),
        "message": entry.message,
        "give": [_ref(ref) for ref in entry.give],
        "receive": [_ref(ref) for ref in entry.receive],
        "created": entry.created,
        "updated": entry.updated,
        "expires": entry.expires,
        "tradeid": str(entry.tradeid) if entry.tradeid else None,
        "escrow_end": entry.escrow_end or None,
    }


def _ref(ref: AssetRef) -> dict[str, Any]:
    return {
        "app_id": ref.kind.app_id,
        "context_id": ref.context_id,
        "asset_id": str(ref.asset_id),
        "item_uid": ref.item_uid,
        "market_hash_name": ref.kind.market_hash_name,
    }


def exchange(entry: Exchange, now: float) -> dict[str, Any]:
    return {
        "tradeid": str(entry.tradeid),
        "offer_id": str(entry.offer_id) if entry.offer_id else None,
        "status": int(entry.status_at(now)),
        "time_init": entry.time_init,
        "time_settlement": entry.time_settlement or None,
        "time_escrow_end": entry.time_escrow_end or None,
        "settled": entry.settled,
        "rollback_of": _id(entry.rollback_of),
        "rolled_back_by": _id(entry.rolled_back_by),
        "reversed_by": _id(entry.reversed_by),
        "moves": [
            {
                "item_uid": move.ref.item_uid,
                "from": str(move.giver),
                "to": str(move.taker),
                "old_context_id": move.ref.context_id,
                "old_asset_id": str(move.ref.asset_id),
                "new_context_id": move.new_context_id,
                "new_asset_id": str(move.new_asset_id) if move.new_asset_id else None,
            }
            for move in entry.moves
        ],
    }


def reversal(entry: Reversal) -> dict[str, Any]:
    return {
        "steam_id": str(entry.steam_id),
        "at": entry.at,
        "exchanges": [str(tradeid) for tradeid in entry.exchanges],
        "rollbacks": [str(tradeid) for tradeid in entry.rollbacks],
    }


def _id(number: int | None) -> str | None:
    return None if number is None else str(number)


def _origins(world: World, _: float) -> list[dict[str, Any]]:
    return [
        {"item_uid": uid, "owner": str(owner), "market_hash_name": name} for uid, (owner, name) in world.items.origins.items()
    ]


PARTS: dict[str, Callable[[World, float], Any]] = {
    "assets": lambda world, _: [asset(item) for item in world.items],
    "offers": lambda world, _: [offer(entry) for entry in world.offers],
    "exchanges": lambda world, now: [exchange(entry, now) for entry in world.exchanges.values()],
    "reversals": lambda world, _: [reversal(entry) for entry in world.reversals],
    "origins": _origins,
    "removed": lambda world, _: list(world.items.removed),
}
"""Parts of the record and how each is read."""
