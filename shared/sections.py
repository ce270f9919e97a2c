"""The sections of the settings: which keys each has, and which values are allowed.

A check here is about one section as it is written; `shared.settings` puts them together. `config/default.toml` holds the
values, with unit and reason.
"""

from __future__ import annotations

import ipaddress
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

Seconds = Annotated[float, Field(ge=0, le=366 * 86400)]
Some = Annotated[float, Field(gt=0, le=366 * 86400)]
Days = Annotated[float, Field(ge=0, le=36_500)]
PerMinute = Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]

Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[Decimal, Field(gt=0, le=1_000_000, max_digits=20, allow_inf_nan=False)]
FeedName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")]

VERIFY_PATH = "/verify/"
MESSAGE_MAX = 128
MESSAGE_ROOM_MIN = 20
TOKEN_CHARS = 22


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic reads `true` as 1; a port of `true` is a mistake."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("true and false are not allowed here")
        return value


def _whereabouts(url: str) -> str:
    """Refuse an address without a readable place in it. It is not repeated: it may hold a password."""
    try:
        urlsplit(url).port  # noqa: B018 - reading it is the check
    except ValueError:
        raise ValueError("host and port cannot be read; in a password write / as %2F, @ as %40, : as %3A") from None
    return url


def _listed(value: Any) -> Any:
    """A list may come from the environment as one text with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _one_or_more(value: Any) -> Any:
    """One path may be written without brackets."""
    return [value] if isinstance(value, str) else value


def _network(text: str) -> str:
    """Refuse what is no network; it is kept as it would be written."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f"{text[:50]!r} is no network; write one as in 10.0.0.0/8, or a single address") from None


class RedisSettings(Section):
    url: Annotated[str, Field(pattern=r"^(redis|rediss|unix)://", repr=False), AfterValidator(_whereabouts)]
    timeout_s: Some


class DatabaseSettings(Section):
    url: Annotated[str, Field(pattern=r"^(sqlite:///|postgresql\+psycopg://)", repr=False), AfterValidator(_whereabouts)]
    units_of_work_max: Annotated[int, Field(ge=1, le=256)]
    sqlite_synchronous: Literal["FULL", "NORMAL"]


class BalancerSettings(Section):
    livemode: bool
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    site_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+(/[^\s?#]*)?$")]
    site_name: Annotated[str, Field(max_length=40)]
    site_logo_file: str
    pictures_url: Annotated[str, Field(pattern=r"^(https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?)?$")]
    avatars_url: Annotated[str, Field(pattern=r"^(https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?)?$")]
    master_key_file: Path
    prices_file: Path
    prices_check_s: Some
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    body_max_bytes: Count
    wait_max_s: Annotated[float, Field(ge=0, le=25)]
    reports_batch: Count
    heartbeat_read_s: Some
    events_page: Annotated[int, Field(ge=1, le=5000)]
    request_max_s: Annotated[float, Field(ge=46, le=3600)]
    share_port: bool
    stop_idle_s: Annotated[float, Field(ge=0, le=10)]
    bad_keys_max: Count
    bad_keys_forget_s: Some
    trusted_proxies: Annotated[list[Annotated[str, AfterValidator(_network)]], BeforeValidator(_listed)]

    @model_validator(mode="after")
    def _room_for_message(self) -> BalancerSettings:
        room = MESSAGE_MAX - len(self.verify_url("x" * TOKEN_CHARS)) - 1
        if room < MESSAGE_ROOM_MIN:
            raise ValueError(
                f"site_url leaves {room} characters of Steam's {MESSAGE_MAX} for a message; "
                f"at least {MESSAGE_ROOM_MIN} are needed: use a shorter address"
            )
        return self

    def verify_url(self, token: str) -> str:
        """The address that stands first in an offer's message."""
        return self.site_url.rstrip("/") + VERIFY_PATH + token


class HttpSettings(Section):
    """Of connections to the balancer."""

    head_s: Some
    body_s: Some
    idle_s: Some
    unread_s: Some
    linger_s: Some
    connections_max: Count
    connections_per_address_max: Count


class ListeningSettings(Section):
    """Of those who listen to events."""

    streams_max: Count
    streams_per_client_max: Count
    stream_life_s: Some
    heartbeat_s: Annotated[float, Field(gt=0, le=30)]


class MetricsSettings(Section):
    """Of `/metrics`."""

    allow: Annotated[list[Annotated[str, AfterValidator(_network)]], BeforeValidator(_listed)]


class AlarmSettings(Section):
    """Whom alarms are sent to. The addresses hold passwords and tokens: they are never printed."""

    notify: Annotated[list[Annotated[str, Field(pattern=r"^[a-zA-Z0-9+.-]+://.")]], BeforeValidator(_listed), Field(repr=False)]
    ops_url: Annotated[str, Field(pattern=r"^(https?://.+)?$")]


class OperatorSettings(Section):
    """One person who may use the operators' page; each role includes those before it."""

    steam_id: Annotated[str, Field(pattern=r"^7656119\d{10}$")]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")]
    role: Literal["look", "act", "approve"]


class OpsSettings(Section):
    """Of the operators' page."""

    operators: list[OperatorSettings]
    session_s: Some
    idle_s: Some
    wrong_codes_max: Annotated[int, Field(ge=1, le=100)]
    locked_s: Some

    @model_validator(mode="after")
    def _each_once(self) -> OpsSettings:
        """What an event says is done by ``ops:ann`` was done by one person."""
        for what in ("name", "steam_id"):
            told = [getattr(each, what) for each in self.operators]
            if twice := sorted({each for each in told if told.count(each) > 1}):
                raise ValueError(f"two operators have the {what} {twice[0]}")
        return self


class WebhookSettings(Section):
    """Of events that are sent to addresses of the site's."""

    targets_max: Count
    at_once: Annotated[int, Field(ge=1, le=64)]
    timeout_s: Annotated[float, Field(gt=0, le=120)]
    poll_s: Some
    lease_s: Some
    retry_min_s: Some
    retry_max_s: Some
    away_look_s: Some
    give_up_s: Some
    rotate_s: Some
    private_targets: bool

    @model_validator(mode="after")
    def _lease_outlives_a_try(self) -> WebhookSettings:
        if self.lease_s < 2 * self.timeout_s:
            raise ValueError("lease_s must be at least twice timeout_s, or a try may outlive the lease that it was begun under")
        return self


class RateSettings(Section):
    """Buckets: so many at once, then so many a minute; 0 a minute is no limit."""

    key_burst: Count
    key_per_minute: PerMinute
    player_burst: Count
    player_per_minute: PerMinute
    player_reads_burst: Count
    player_reads_per_minute: PerMinute
    stranger_reads_burst: Count
    stranger_reads_per_minute: PerMinute
    address_burst: Count
    address_per_minute: PerMinute
    redis_wait_s: Annotated[float, Field(gt=0, le=5)]


class LimitSettings(Section):
    inventory_limit: Count
    steam_level_min: Annotated[int, Field(ge=0)]
    item_value_min_cents: Annotated[int, Field(ge=0)]
    dear_item_cents: Annotated[int, Field(ge=0)]
    offers_per_partner_max: Count
    offers_per_bot_max: Count
    offers_kept_for_withdrawals: Annotated[int, Field(ge=0)]
    offers_per_player_max: Count
    offers_per_client_max: Annotated[int, Field(ge=0)]
    pending_deposits_per_player_max: Count
    pending_items_per_player_max: Count
    waiting_withdrawals_per_player_max: Count
    bot_items_max: Count
    trade_items_max: Annotated[int, Field(ge=1, le=255)]
    request_items_max: Annotated[int, Field(ge=1, le=2000)]
    approval_above_cents: Annotated[int, Field(ge=0)]
    approval_window_s: Seconds
    withdrawals_window_s: Some
    client_withdrawals_max: Annotated[int, Field(ge=0)]
    client_withdrawals_cents_max: Annotated[int, Field(ge=0)]
    fleet_withdrawals_max: Annotated[int, Field(ge=0)]
    fleet_withdrawals_cents_max: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _some_offers_are_for_deposits(self) -> LimitSettings:
        if self.offers_kept_for_withdrawals >= self.offers_per_bot_max:
            raise ValueError("offers_kept_for_withdrawals must be less than offers_per_bot_max, or nothing can be deposited")
        return self


class BlockedSettings(Section):
    """Items that are not taken by choice, beside `[limits] item_value_min_cents`."""

    first_words: Annotated[list[Annotated[str, Field(pattern=r"^\S{1,50}$")]], BeforeValidator(_listed)]
    names: Annotated[list[Annotated[str, Field(min_length=1, max_length=255)]], BeforeValidator(_listed)]


class TradeSettings(Section):
    token_lifetime_s: Some
    inventory_cache_s: Seconds
    untradable_cache_s: Seconds
    hold_cache_s: Seconds
    bans_cache_s: Seconds
    inventory_wait_s: Some
    inventory_queue_s: Seconds
    failure_cache_s: Seconds
    order_expiry_s: Some
    order_in_hand_s: Seconds
    attempts_max: Annotated[int, Field(ge=1, le=20)]
    retry_after_s: Seconds
    restricted_wait_s: Some
    absent_after_s: Seconds
    confirm_give_up_s: Some
    unknown_offer_cancel_s: Some
    find_s: Some
    find_max_s: Some
    offer_timeout_s: Some
    offer_timeout_min_s: Some
    offer_timeout_factor: Annotated[float, Field(gt=0, le=1)]
    watch_s: Some
    look_s: Some
    look_pause_s: Seconds
    declined_at_once_s: Seconds
    settle_margin_s: Seconds
    settle_gather_s: Seconds
    settle_again_s: Some
    protection_look_s: Some
    decline_s: Some
    keep_gifts: bool
    items_look_s: Some
    audit_every_s: Some
    audit_again_s: Some
    purge_after_s: Some
    sweep_s: Some


class FeedSettings(Section):
    """One feed of prices, ``[prices.feeds.NAME]``: what is not written is the preset's. The address may hold a key."""

    address: Annotated[str, Field(repr=False)] = ""
    file: Path | None = None
    authorization_file: Path | None = None
    preset: str = ""
    format: Literal["json", "csv"] | None = None
    rows: str | None = None
    name: str | None = None
    price: Annotated[list[str], BeforeValidator(_one_or_more)] = []
    phases_at: Annotated[list[str], BeforeValidator(_one_or_more)] = []
    phases: Literal["lowest", "leave_out"] | None = None
    unit: Literal["cents", "dollars", "mills"] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    currency_at: str | None = None
    time_at: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> FeedSettings:
        if bool(self.address) == (self.file is not None):
            raise ValueError("write either its address or its file")
        if self.authorization_file is not None and not self.address:
            raise ValueError("authorization_file is for a feed with an address")
        return self


class PriceSettings(Section):
    value_age_max_s: Some
    sources: Annotated[list[FeedName], BeforeValidator(_listed), Field(min_length=1)]
    feed_every_s: Annotated[float, Field(ge=60, le=30 * 86400)]
    feed_retry_s: Annotated[float, Field(ge=10, le=86400)]
    feed_timeout_s: Annotated[float, Field(gt=0, le=600)]
    feed_bytes_max: Annotated[int, Field(ge=1024, le=256 * 1024 * 1024)]
    names_kept_min: Share
    moved_max: Share
    factor_max: Annotated[float, Field(gt=1, le=1000)]
    private_addresses: bool
    rates: dict[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Rate]
    feeds: dict[FeedName, FeedSettings]

    @model_validator(mode="after")
    def _sources_are_the_feeds(self) -> PriceSettings:
        """Each feed stands once in the order of trust, and nothing else does but the price file."""
        if len(set(self.sources)) != len(self.sources):
            raise ValueError("a name is twice in sources, the order of trust")
        if missing := [name for name in self.feeds if name not in self.sources]:
            raise ValueError(f"the feed {missing[0]} is not in sources, the order of trust; write it where you trust it")
        if unknown := [name for name in self.sources if name != "file" and name not in self.feeds]:
            raise ValueError(f"sources names {unknown[0]}, and there is no [prices.feeds.{unknown[0]}]")
        if taken := {"file", "house"} & self.feeds.keys():
            raise ValueError(
                f"a feed cannot be called {min(taken)}: `file` is [balancer] prices_file, `house` what the house issues"
            )
        return self


class GameSettings(Section):
    bot_gone_after_s: Some
    user_credits_day_cents: Annotated[int, Field(ge=0)]
    client_credits_day_cents: Annotated[int, Field(ge=0)]
    exchange_fee_bp: Annotated[int, Field(ge=0, le=5000)]
    user_exchanges_day_cents: Annotated[int, Field(ge=0)]
    client_exchanges_day_cents: Annotated[int, Field(ge=0)]


class RetentionSettings(Section):
    """How long rows are kept; 0: for ever."""

    tokens_days: Days
    idempotency_days: Days
    alarms_days: Days
    values_days: Days
    deliveries_days: Days
    trades_days: Days
    events_days: Days
    users_days: Days


class OpenIdSettings(Section):
    endpoint: Annotated[str, Field(pattern=r"^https?://")]
    identity_prefix: Annotated[str, Field(pattern=r"^https?://.*/$")]
    nonce_max_age_s: Some
    session_s: Some
    checks_max: Count


class GroupSettings(Section):
    vault_file: Path
    vault_key_file: Path
    status_dir: Path
    lease_s: Some
    heartbeat_s: Some
    offline_after_s: Some
    restart_min_s: Some
    restart_max_s: Some
    stop_s: Some
    decline_strangers: bool
    probe_s: Some
    probe_max_s: Some

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> GroupSettings:
        if self.heartbeat_s * 2 >= self.lease_s:
            raise ValueError("lease_s must be more than twice heartbeat_s, or one late heartbeat loses the lease")
        return self


class SteamSettings(Section):
    base_url: Annotated[str, Field(pattern=r"^(https?://[^/\s]+)?$")]
    connect_timeout_s: Some
    read_timeout_s: Some
    language: Literal["english"]
    user_agent: str
    accept_trade_protection: bool
    access_token_margin_s: Seconds
    maintenance_hold_s: Some
    maintenance_lasts_s: Annotated[float, Field(ge=0, le=7 * 86400)]


class PaceSettings(Section):
    sign_in_s: Seconds
    send_s: Seconds
    confirm_s: Seconds
    confirm_list_s: Seconds
    read_s: Seconds
    look_s: Seconds
    inventory_s: Seconds
    retry_s: Some


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"]
    format: Literal["console", "json"]


class ClockSettings(Section):
    offset_s: Annotated[float, Field(allow_inf_nan=False)]
    moved_file: str
