"""What a sandbox is built from; every number has its unit in its name."""

import math
from dataclasses import dataclass, fields

from sandbox.world.accounts import HABITS

ROLLBACK_TRADE_ON = ("rollback", "original", "both")
OFFERS_SORTED_BY = ("updated", "created")
REFUSAL_WORDS = ("sentences", "numbers")
INSPECT_LINKS = ("payload", "classic")
LANGUAGES = ("english", "german")
KEYS_ONCE = ("actions", "all", "never")
BEACON_CLOCKS = ("movable", "real")
OFFER_LIMIT_SAYS = ("sentence", "25", "50")
WORDS = {
    "beacon_clock": BEACON_CLOCKS,
    "confirmation_keys_once": KEYS_ONCE,
    "inspect_links": INSPECT_LINKS,
    "language": LANGUAGES,
    "offer_limit_says": OFFER_LIMIT_SAYS,
    "offers_sorted_by": OFFERS_SORTED_BY,
    "player_habit": HABITS,
    "refusal_words": REFUSAL_WORDS,
    "rollback_trade_on": ROLLBACK_TRADE_ON,
}
"""Settings that are one word of a few."""
CHANGEABLE = frozenset(
    {
        "accept_checks_partner",
        "access_token_s",
        "api_takes_every_web_token",
        "beacon_clock",
        "codes_used_once",
        "bound_share",
        "confirmation_delay_s",
        "confirmation_keys_once",
        "exchange_ids_delay_s",
        "exchanges_fail",
        "exchanges_stay_committed",
        "historical_obeys_cutoff",
        "hold_cancel_lock_s",
        "inspect_links",
        "inventory_max",
        "language",
        "offer_lifetime_s",
        "multiajaxop_needs_origin",
        "offer_limit_says",
        "offers_page_size",
        "offers_sorted_by",
        "offers_per_partner_max",
        "offers_total_max",
        "offers_tell_settlement",
        "partner_page_size",
        "protection_s",
        "refresh_token_s",
        "refusal_words",
        "reversal_lock_s",
        "reversal_marks_offer",
        "rollback_trade_on",
        "rename_lock_s",
        "require_acknowledge",
        "str_error_status",
        "settle_changes_ids",
        "tradable_in_16",
        "young_items_hidden_s",
    }
)
"""Settings that the control API may change while the sandbox runs."""
MOST = 4_102_444_800
"""Of seconds and counts; the year 2100, as for the clock."""


@dataclass(frozen=True)
class SandboxSettings:
    """How a sandbox starts and which of Steam's open questions it answers in which way."""

    host: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    tls: bool = False
    """Whether Steam's port speaks HTTPS, by an authority made at start; the control port does not."""
    ca_file: str | None = None
    """Where that authority's certificate is written; None for a temporary file, removed at the end."""
    seed: int = 1
    bots: tuple[str, ...] = tuple(f"red-{number}" for number in range(1, 11))
    players: int = 20
    items_per_player: tuple[int, int] = (15, 30)
    items_per_bot: tuple[int, int] = (0, 0)
    fixed_players: bool = False
    """Whether the players of fixed outcome are there (`sandbox/world/fixed_players.py`); as a program it has them."""
    player_habit: str = "accept"
    player_delay_s: float = 1.0
    take_back_s: float = 3600.0
    """With the habit take_back: how long after accepting a player reverses."""

    bound_share: float = 0.02
    """Of the items made by chance, those bound to their account: they cannot be traded."""

    protection_s: int = 604_800
    offer_lifetime_s: int = 1_209_600
    offers_per_partner_max: int = 5
    offers_total_max: int = 30
    inventory_max: int = 1000
    items_per_offer_max: int = 255
    message_max: int = 128
    young_items_hidden_s: int = 864_000
    """Traded items younger than this are missing in other people's view of an inventory (10 days on Steam)."""

    exchange_ids_delay_s: float = 0
    exchanges_fail: bool = False
    """Let every exchange fail: the offer is accepted, and each item stays with its giver under a new asset id."""
    exchanges_stay_committed: bool = False
    """Leave the status of every exchange at 2 for ever, as some trades on Steam do."""
    historical_obeys_cutoff: bool = False
    """Whether `historical_only` leaves out offers that changed before `time_historical_cutoff`; on Steam it does not."""
    accept_checks_partner: bool = False
    """Whether `accept` refuses (8) a form whose `partner` is not the offer's: aiosteampy 1.0 sends the accepting account's
    own id."""
    str_error_status: int = 500
    """With which status a `strError` comes: 500 wherever a source shows one (halipso/php-steam-tradeoffers#32,
    seishun/node-steam#107); clients expect 200 as well (node-steam-tradeoffer-manager: "some … return HTTP 500")."""
    language: str = "english"
    """In which language refusals come unless a cookie `Steam_Language` says otherwise (node-steamcommunity sets one)."""
    refusal_words: str = "sentences"
    """Whether a refusal that has a sentence of Steam's own is told by it, or by its number (`sandbox/world/refusals.py`)."""
    offer_limit_says: str = "sentence"
    """How too many offers are told: by the sentence (seen today), by 25 (before 2016, and in clients' tables) or by 50
    (alex7kom/node-steam-tradeoffers#76, Jessecar96/SteamBot#908)."""
    confirmation_delay_s: float = 0
    settle_changes_ids: bool = False
    tradable_in_16: bool = False
    inspect_links: str = "payload"
    """In which form items are looked at in the game: by the `payload` of property 6, as since 2026, or the `classic` one."""
    reversal_lock_s: int = 2_592_000
    """Who reversed cannot trade for so long (30 days on Steam)."""
    hold_cancel_lock_s: int = 604_800
    """Who calls off a held trade cannot trade for so long (7 days on Steam)."""
    rename_lock_s: int = 14_400
    """Nobody can trade with an account for so long after its name was changed on its profile: 34 (cs2central.gg: some 4 h)."""
    offers_tell_settlement: bool = True
    """Whether an accepted offer has `delay_settlement` and `settlement_date` (names in aiosteampy's comments, since 2025)."""
    reversal_marks_offer: bool = False
    """After a reversal the offer says 12; else it stays 3."""
    rollback_trade_on: str = "rollback"
    """Which exchange names the other as `rollback_trade`: the new `rollback`, the `original`, or `both`."""
    require_acknowledge: bool = True

    codes_used_once: bool = True
    confirmation_window_s: int = 60
    confirmation_read_window_s: int = 300
    """How old a key for the list and details may be: node-steamcommunity uses one for five minutes."""
    confirmation_keys_once: str = "actions"
    """Which keys are good for one use: those of `actions` (their time is, so two actions in one second are refused), `all`
    (steam-totp: "the key can only be used once"; node-steamcommunity uses keys for lists again and again), or `never`."""
    multiajaxop_needs_origin: bool = True
    """Since 2025-02-12 (node-steamcommunity#351, steamguard-cli#438); aiosteampy 1.0 sends none."""
    access_token_s: int = 86_400
    api_takes_every_web_token: bool = True
    """Whether the Web API takes the access tokens of help, checkout and steam.tv too, beside those of community and store."""
    refresh_token_s: int = 207 * 86_400
    sign_in_session_s: int = 300
    password_key_s: int = 3600
    sign_in_failures_max: int = 10
    inventory_count_max: int = 2000
    partner_page_size: int = 2000
    offers_page_size: int = 100
    offers_sorted_by: str = "updated"
    """Which time of an offer decides its place in GetTradeOffers, newest first; no public source says."""
    beacon_period_s: int = 3
    """Seconds from one beacon of the drand network to the next; quicknet's."""
    beacon_genesis_time: int = 1_692_803_367
    """When its first beacon was due, unix seconds; quicknet's, so that round numbers are of the same size."""
    beacon_clock: str = "movable"
    """Which of the sandbox's clocks makes beacons public. With `real`, moving the other one changes nothing."""
    moved_file: str | None = None
    """The file by which others are moved on together with this world: eight bytes, seconds as a little-endian double. It is
    there already, and this world begins as far on as it says."""
    access_log: bool = False
    faults: str | None = None
    """A profile of trouble to begin with: its name, or a file."""

    def __post_init__(self) -> None:
        if len(set(self.bots)) != len(self.bots):
            raise ValueError("bot names must be unique")
        for low, high in (self.items_per_player, self.items_per_bot):
            if not 0 <= low <= high:
                raise ValueError("a range of items is (min, max) with 0 <= min <= max")
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} is one of {', '.join(words)}")
        if self.str_error_status not in (200, 500):
            raise ValueError("str_error_status is 200 or 500")
        for field in fields(self):
            value = getattr(self, field.name)
            most = 65535 if field.name.endswith("port") else MOST
            number = field.type in (int, float) and field.name != "seed"
            if number and not (math.isfinite(value) and 0 <= value <= most):
                raise ValueError(f"{field.name} is a number from 0 to {most}")
        if self.bound_share > 1:
            raise ValueError("bound_share is between 0 and 1")
        if not 0 < self.beacon_period_s < 2**32:
            raise ValueError("beacon_period_s is a number of seconds of 32 bits, and not 0")
        if self.offer_lifetime_s == 0:
            raise ValueError("offer_lifetime_s must be > 0")
