"""Trade links of players: read strictly, kept sealed, and shown to nobody but the player and the fleet.

The token in a trade link lets anybody send offers to the player, so it is in no log, error, address or repr, and the database
has only its ciphertext.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from website import sealing
from website.accounts.models import Player

LENGTH_MAX = 200
STEAM_ID_BASE = 76561197960265728
WHERE = "https://steamcommunity.com/my/tradeoffers/privacy#trade_offer_access_url"
"""Where a person finds their own link at Steam."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8}")
_PARTNER = re.compile(r"[1-9][0-9]{0,9}")
_log = logging.getLogger(__name__)


class TradeLinkError(ValueError):
    """A trade link cannot be kept; `code`: `no_link`, `not_yours`, or `no_key` where the site has no key to seal it with.

    It does not repeat the text.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def trade_url_of(player: Player) -> str | None:
    """The player's trade link; None when there is none, or when the seal key is not the one that it was sealed with."""
    sealed = bytes(player.trade_url_sealed)
    if not sealed:
        return None
    try:
        token = _key().open(sealed, _about(player)).decode()
    except (sealing.SealError, TradeLinkError) as error:
        _log.error("the trade link of player %s is lost until it is given again: %s", player.id, error)
        return None
    return _written(player, token)


def set_trade_url(player: Player, text: str) -> None:
    """Keeps a trade link; an empty text takes it away. Raises TradeLinkError."""
    player.trade_url_sealed = _key().seal(read(player, text).encode(), _about(player)) if text.strip() else b""
    player.save(update_fields=["trade_url_sealed"])


def read(player: Player, text: str) -> str:
    """The token of the player's own link. Raises TradeLinkError."""
    if len(text) > LENGTH_MAX:
        raise TradeLinkError("no_link")
    try:
        parts = urlsplit(text.strip())
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise TradeLinkError("no_link") from None
    place = (parts.scheme, parts.netloc.lower(), parts.path.rstrip("/"), parts.fragment)
    values = dict(pairs)
    if (
        place != ("https", "steamcommunity.com", "/tradeoffer/new", "")
        or len(pairs) != 2
        or set(values) != {"partner", "token"}
    ):
        raise TradeLinkError("no_link")
    if not _PARTNER.fullmatch(values["partner"]) or not _TOKEN.fullmatch(values["token"]):
        raise TradeLinkError("no_link")
    if STEAM_ID_BASE + int(values["partner"]) != player.steam_id:
        raise TradeLinkError("not_yours")
    return values["token"]


def _written(player: Player, token: str) -> str:
    return f"https://steamcommunity.com/tradeoffer/new/?partner={player.steam_id - STEAM_ID_BASE}&token={token}"


def _about(player: Player) -> str:
    """A sealed link that is copied into another player's row opens nothing there."""
    return f"trade-link:{player.id}"


def _key() -> sealing.Key:
    try:
        return sealing.Key.read(settings.SITE_SEAL_KEY)
    except ValueError:
        raise TradeLinkError("no_key") from None
