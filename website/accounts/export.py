"""Everything that the site keeps about a player, for the player."""

from __future__ import annotations

import json
from typing import Any

from website.accounts import trade_links
from website.accounts.models import Player, PlayerSession
from website.care.models import Declaration, PlayDecision, PlayLog, Profile
from website.custody.models import Exchange
from website.ledger import services as ledger
from website.ledger.models import Posting
from website.live.models import UserMessage
from website.raffles.models import Prize, Purchase
from website.rooms.models import Bet

PURCHASE = ("purchase_id", "lane", "round", "quantity", "client_seed", "state", "code", "created_ms", "touched_ms")
PRIZE = ("id", "kind", "state", "lane", "round", "owed_ms", "sent_ms", "note", "confirmed_ms")
"""Of a key only that there is one: it is read on its own page."""


def of(player: Player) -> dict[str, Any]:
    """As JSON can have it; times in unix ms, money in cents. Keys of sessions are in nobody's hands but the browsers'."""
    declaration = Declaration.objects.filter(player=player).values("born", "country", "at_ms").first()
    profile = Profile.objects.filter(player=player).values_list("profile", flat=True).first()
    return {
        "player": _self(player),
        "sessions": list(PlayerSession.objects.filter(player=player).values("created_ms", "expires_ms", "seen_ms", "agent")),
        "declaration": declaration,
        "limits": None if profile is None else json.loads(profile),
        "play": list(
            PlayLog.objects.filter(player=player).order_by("id").values("time_ms", "kind", "currency", "cents", "cycle")
        ),
        "gate": [json.loads(line) for line in _lines(player)],
        "bets": [_bet(row) for row in Bet.objects.filter(player=player).order_by("id")],
        "exchanges": [_exchange(row) for row in Exchange.objects.filter(player=player).order_by("id")],
        "purchases": list(Purchase.objects.filter(player=player).order_by("id").values(*PURCHASE)),
        "prizes": list(Prize.objects.filter(player=player).order_by("id").values(*PRIZE)),
        "coins": {"balance_cents": ledger.balance(ledger.wallet(player.id)), "entries": _coins(player)},
        "messages": [_message(row) for row in UserMessage.objects.filter(player=player).order_by("seq")],
        "elsewhere": "Trades, items and credit are kept by the fleet of bots: see your inventory.",
    }


def _self(player: Player) -> dict[str, Any]:
    return {
        "user_id": player.id,
        "steam_id": str(player.steam_id),
        "name": player.name,
        "steam_name": player.steam_name,
        "pseudonym": player.pseudonym,
        "picture": player.avatar,
        "steam_level": player.steam_level,
        "steam_made_ms": player.steam_made_ms,
        "language": player.language,
        "code": player.code,
        "trade_url": trade_links.trade_url_of(player),
        "show_statistics": player.show_statistics,
        "show_raffles": player.show_raffles,
        "registered_ms": player.registered_ms,
        "inviter": player.inviter_id,
        "invited": list(player.invited.order_by("id").values_list("id", flat=True)),
        "first_deposit_ms": player.first_deposit_ms,
        "blocked_why": player.blocked_why,
    }


def _lines(player: Player) -> list[str]:
    return list(PlayDecision.objects.filter(player=player).order_by("number").values_list("line", flat=True))


def _bet(row: Bet) -> dict[str, Any]:
    kept = ("bet_id", "lane", "round", "team", "client_seed", "seen_cents", "state", "code", "created_ms", "touched_ms")
    return {
        **{name: getattr(row, name) for name in kept},
        "deposit_ids": json.loads(row.deposit_ids),
        "details": json.loads(row.details),
        "receipt": json.loads(row.receipt) if row.receipt else None,
    }


def _exchange(row: Exchange) -> dict[str, Any]:
    answer = json.loads(row.answer) if row.answer else None
    said = {"state": row.state, "code": row.code, "made_ms": row.made_ms}
    return {"exchange_id": row.exchange_id, "asked": json.loads(row.asked), "answer": answer, **said}


def _coins(player: Player) -> list[dict[str, Any]]:
    rows = Posting.objects.filter(account__owner=ledger.wallet(player.id)).order_by("entry_id").select_related("entry")
    return [{"at_ms": row.entry.at_ms, "kind": row.entry.kind, "cents": row.cents, "memo": row.entry.memo} for row in rows]


def _message(row: UserMessage) -> dict[str, Any]:
    return {"seq": row.seq, "at_ms": row.at_ms, "kind": row.kind, "body": json.loads(row.body)}
