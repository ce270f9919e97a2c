"""A person is forgotten on their own wish: what says who they are goes, the books stay, under a made-up name.

Rounds, bets, coins and the log of play are numbers without a person then; a public record holds nothing else anyway. What
outlives it is a keyed hash of the Steam id with the end of an exclusion, so that forgetting is no way around it, and the
reference under which a Steam account was given play coins once. The fleet forgets by `fleet users forget NUMBER`, which
`manage.py people` asks for.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.crypto import salted_hmac
from lottery import responsible_play

from fleet_client import errors
from website import fleet
from website.accounts import names
from website.accounts.models import Player, PlayerSession, new_code
from website.care import profiles
from website.care import services as care
from website.care.models import Declaration, Forgotten, Profile
from website.custody.models import Errand, Exchange, SteamInventory
from website.engine.models import Call
from website.live.models import Mailbox, UserMessage
from website.raffles.models import Prize, Purchase
from website.rooms.models import Bet

KEPT = ("deposit_pending", "active", "withdraw_pending")


class ErasureError(Exception):
    """Not yet: `code` is `blocked`, `in_a_round`, `under_way`, `prize_owed`, `items_here`, `credit_left`, `fleet_away`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def erase(player: Player, now_ms: int) -> None:
    """Forgets a player. The second time nothing is left to forget. Raises ErasureError, and changes nothing then.

    The fleet is asked while nothing is locked: what has come to an end since then, and may have left something there, is seen
    by what the player has here.
    """
    before = _all_of(player)
    _check_fleet(player)
    with transaction.atomic():
        care.ensure(player, now_ms)
        profile = profiles.from_json(Profile.objects.select_for_update().get(player=player).profile)
        _check_here(player)
        if _all_of(player) != before:
            raise ErasureError("under_way")
        _keep_exclusion(player, profile, now_ms)
        _forget(player, profile)


def _all_of(player: Player) -> list[object]:
    """Everything that may move items or credits to a player, as it stands, and how often they were written to."""
    moving = (Bet, Purchase, Errand, Exchange)
    rows = [sorted(kind.objects.filter(player=player).values_list("id", "state")) for kind in moving]
    return [*rows, Mailbox.objects.filter(player=player).values_list("seq", flat=True).first()]


def _check_fleet(player: Player) -> None:
    """Who is not known any more could not take anything home."""
    if not settings.SITE_FLEET_URLS:
        return
    try:
        rows = fleet.client().each_deposit(user_id=player.user_id)
        if any(row.status in KEPT for row in rows):
            raise ErasureError("items_here")
        if fleet.client().credits(player.user_id).balance_cents:
            raise ErasureError("credit_left")
    except errors.NotFound:
        return
    except (errors.FleetError, ValueError):
        raise ErasureError("fleet_away") from None


def _check_here(player: Player) -> None:
    """A block goes by the account, so who is blocked stays known: they would come back without it."""
    if Player.objects.exclude(blocked_why="").filter(id=player.id).exists():
        raise ErasureError("blocked")
    bought = Purchase.objects.filter(player=player)
    bets = Bet.objects.filter(player=player).exclude(state__in=(Bet.REFUSED, Bet.OVER))
    if bets.exists() or bought.filter(state=Purchase.PLACED).exists():
        raise ErasureError("in_a_round")
    if Prize.objects.filter(player=player).filter(Q(state=Prize.OWED) | Q(kind="hand", state=Prize.SENT)).exists():
        raise ErasureError("prize_owed")
    asked = Errand.objects.filter(player=player, state=Errand.ASKED).exists() or bought.filter(state=Purchase.NEW).exists()
    if asked or Exchange.objects.filter(player=player, state=Exchange.ASKED).exists():
        raise ErasureError("under_way")


def _keep_exclusion(player: Player, profile: responsible_play.Profile, now_ms: int) -> None:
    """An exclusion and a time-out hold for the Steam account until they end."""
    excluded = profile.excluded and (profile.excluded_until is None or now_ms < profile.excluded_until)
    kept = {"excluded": excluded, "until_ms": profile.excluded_until if excluded else None}
    row = {"steam_hash": steam_hash(player.steam_id), "time_out_until_ms": profile.time_out_until, "at_ms": now_ms}
    Forgotten.objects.get_or_create(player=player, defaults={**kept, **row})


def _forget(player: Player, profile: responsible_play.Profile) -> None:
    PlayerSession.objects.filter(player=player).delete()
    Declaration.objects.filter(player=player).delete()
    SteamInventory.objects.filter(player=player).delete()
    UserMessage.objects.filter(player=player).delete()
    Errand.objects.filter(player=player).update(details="{}", trades="[]", body='{"ids": []}')
    Call.objects.filter(kind=Call.USER, ref=player.user_id, state=Call.DONE).update(body="{}")
    blank = responsible_play.Profile(player.id, excluded=True, limits=profile.limits, limits_prompted=True)
    Profile.objects.filter(player=player).update(profile=profiles.to_json(blank))
    player.steam_id, player.name = -player.id, names.forgotten(player.id)
    player.steam_name = player.pseudonym = player.avatar = player.language = player.blocked_why = ""
    player.steam_level = player.steam_made_ms = None
    player.trade_url_sealed, player.code = b"", new_code()
    player.show_statistics = player.show_raffles = False
    player.save()


def steam_hash(steam_id: int) -> str:
    """What tells a Steam account again to who has the key of the site, and nobody else."""
    return salted_hmac("website.accounts.erasure", str(steam_id), algorithm="sha256").hexdigest()


def carry_on(player: Player, now_ms: int) -> None:
    """Somebody registers: what their Steam account had excluded itself from before it was forgotten goes on."""
    for row in Forgotten.objects.filter(steam_hash=steam_hash(player.steam_id)):
        if row.excluded and (row.until_ms is None or now_ms < row.until_ms):
            care.change(player, partial(_excluded, until=row.until_ms), now_ms)
        if now_ms < row.time_out_until_ms:
            care.change(player, partial(_paused, until=row.time_out_until_ms), now_ms)


def _excluded(profile: responsible_play.Profile, until: int | None) -> responsible_play.Profile:
    return replace(profile, excluded=True, excluded_until=until)


def _paused(profile: responsible_play.Profile, until: int) -> responsible_play.Profile:
    return replace(profile, time_out_until=max(profile.time_out_until, until))
