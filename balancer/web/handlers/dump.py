"""Views of the core as plain JSON values. Dictionaries, not models: these run once per item of every answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from balancer.custody.audit import AuditView
from balancer.custody.deposits import DepositView
from balancer.fleet.snapshot import BotView
from balancer.fleet.switches import Pause
from balancer.items import policy
from balancer.items.inventory import PlayerInventory
from balancer.journal.events import EventView
from balancer.journal.story import Step
from balancer.trades.service import Caller, TradeView
from shared.domain.health import May
from shared.domain.items import HeldAsset
from shared.domain.status import WaitsFor
from shared.settings import Settings


@lru_cache(maxsize=4096)
def time_of(unix_s: int) -> str:
    """RFC 3339 in UTC of unix seconds."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _maybe(unix_s: int | None) -> str | None:
    return None if unix_s is None else time_of(unix_s)


def step(step: Step) -> dict[str, Any]:
    """A `schemas_operator.Step`."""
    return {
        "number": step.number,
        "at": time_of(step.at),
        "who": step.who,
        "kind": step.kind,
        "text": step.text,
        "data": step.data,
    }


def pause(pause: Pause) -> dict[str, Any]:
    """A `schemas_operator.Pause`."""
    at = time_of(int(pause.paused_at.timestamp()))
    return {"switch": pause.what, "client": pause.client, "paused_at": at, "who": pause.who, "reason": pause.reason}


def audit(view: AuditView) -> dict[str, Any]:
    """A `schemas_operator.BotAudit`."""
    found = [{name: value for name, value in each.items() if name != "key"} for each in view.differences]
    times = {"finished_at": _maybe(view.finished_at), "next_at": _maybe(view.next_at)}
    return {**asdict(view), **times, "differences": found}


def trade(view: TradeView, settings: Settings, caller: Caller) -> dict[str, Any]:
    """A `schemas.Trade`. The token belongs to the client that made the trade; no other sees it."""
    failure = view.failure
    token = view.token if view.client_id == caller.client_id else None
    return {
        "trade_id": view.trade_id,
        "direction": view.direction,
        "status": view.status,
        "user_id": view.user_id,
        "steam_id": view.steam_id,
        "bot": f"{view.bot.color}-{view.bot.bot_id}",
        "color": view.bot.color,
        "bot_id": view.bot.bot_id,
        "bot_steam_id": view.bot.steam_id,
        "offer_id": view.offer_id,
        "token": token,
        "verify_url": settings.balancer.verify_url(token) if token else None,
        "expires_at": time_of(view.expires_at),
        "created_at": time_of(view.created_at),
        "touched": view.touched,
        "touched_at": time_of(view.touched),
        "attempt": view.attempt,
        "failure": None
        if failure is None
        else {
            "code": failure.code,
            "reason": failure.reason,
            "player_message": failure.player_message,
            "retryable": failure.retryable,
        },
        "settles_at": _maybe(view.settles_at),
        "cancel_requested": view.cancel_requested,
        "verified_at": _maybe(view.verified_at),
        "waits_for": view.waits_for,
        "approval_needed": view.waits_for == WaitsFor.APPROVAL,
        "next_try_at": _maybe(view.next_try_at),
        "currency": settings.balancer.currency,
        "items": [
            {
                "deposit_id": item.deposit_id,
                "deposit_status": item.deposit_status,
                "market_hash_name": item.market_hash_name,
                "value_cents": item.value_cents,
                "asset_id": item.asset_id,
                "new_asset_id": item.new_asset_id,
                "matched": item.matched,
            }
            for item in view.items
        ],
    }


def trades(views: list[TradeView], settings: Settings, caller: Caller) -> dict[str, Any]:
    """A `schemas.Trades`."""
    return {"trades": [trade(view, settings, caller) for view in views]}


def deposit(view: DepositView) -> dict[str, Any]:
    """A `schemas.Deposit`."""
    return {
        "deposit_id": view.deposit_id,
        "item_id": view.item_id,
        "user_id": view.user_id,
        "status": view.status,
        "bot": view.bot,
        "asset_id": view.asset_id,
        "context_id": view.context_id,
        "market_hash_name": view.market_hash_name,
        "value_cents": view.value_cents,
        "color": view.color,
        "name_color": view.name_color,
        "icon_url": view.icon_url,
        "icon_url_large": view.icon_url_large,
        "type": view.type,
        "wear": view.wear,
        "pattern": view.pattern,
        "name_tag": view.name_tag,
        "inspect_link": view.inspect_link,
        "settles_at": _maybe(view.settles_at),
        "settled_at": _maybe(view.settled_at),
        "locked_by": view.locked_by,
        "frozen_by": view.frozen_by,
        "created_at": time_of(view.created_at),
        "touched": view.touched,
        "touched_at": time_of(view.touched),
    }


def bot(view: BotView, waits: Mapping[str, int]) -> dict[str, Any]:
    """A `schemas.Bot`; ``waits`` says how many of its withdrawals wait for what."""
    return {
        "bot": view.name,
        "color": view.color,
        "bot_id": view.bot_id,
        "steam_id": view.steam_id,
        "mode": view.mode,
        "state": view.state,
        "reason": view.reason,
        "action": view.action,
        "may": {what.value: what in view.may for what in May},
        "why_not": [{**each.told(), "since": _maybe(each.since)} for each in view.why_not],
        "slots_held": view.slots_held,
        "slots_reserved": view.slots_reserved,
        "open_offers": view.open_offers,
        "waiting": sum(waits.values()),
        "in_line": waits.get(WaitsFor.OFFER, 0),
        "heartbeat_age_s": view.heartbeat_age_s,
        "frozen_by": view.frozen_by,
        "host": view.host,
        "orders_done": view.orders_done,
        "steam_calls": view.steam_calls,
        "look_calls": view.look_calls,
        "second_calls": view.second_calls,
        "latency_ms": view.latency_ms,
    }


def event(view: EventView) -> dict[str, Any]:
    """A `schemas.Event`."""
    return {
        "number": view.number,
        "at": time_of(view.at),
        "kind": view.kind,
        "trade_id": view.trade_id,
        "user_id": view.user_id,
        "bot": view.bot,
        "who": view.who,
        "data": view.data,
    }


def inventory(found: PlayerInventory, value_of: policy.ValueOf, settings: Settings) -> dict[str, Any]:
    """A `schemas.Inventory`: every item with its value and, if we would not take it, the reason."""
    return {
        "steam_id": str(int(found.steam_id)),
        "read_at": found.read_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "hold_days": found.hold_days,
        "currency": settings.balancer.currency,
        "items": [_item(held, value_of, settings.limits.item_value_min_cents) for held in found.assets.values()],
    }


def _item(held: HeldAsset, value_of: policy.ValueOf, minimum_cents: int) -> dict[str, Any]:
    cents = value_of(held.market_hash_name)
    reason = policy.refusal(held, cents, minimum_cents)
    return {
        "asset_id": held.asset.asset_id,
        "app_id": held.asset.app_id,
        "context_id": held.asset.context_id,
        "market_hash_name": held.market_hash_name,
        "value_cents": cents,
        "acceptable": reason is None,
        "reason": reason,
        "tradable": held.tradable,
        "amount": held.amount,
        "type": held.type,
        "color": held.color,
        "name_color": held.name_color,
        "icon_url": held.icon_url,
        "icon_url_large": held.icon_url_large,
        "inspect_link": held.inspect_link,
        "wear": held.wear,
        "pattern": held.pattern,
        "name_tag": held.name_tag,
    }
