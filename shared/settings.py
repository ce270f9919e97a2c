"""Every setting of every program, checked at start and passed down.

`config/default.toml` holds all values with unit and reason; a file of the operator's and ``FLEET__SECTION__KEY`` variables lie
over it. An unknown key is an error, not a surprise: `load` names it, says where it stands and what would be allowed.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shared.errors import SettingsError

Seconds = Annotated[float, Field(ge=0, le=366 * 86400)]
Some = Annotated[float, Field(gt=0, le=366 * 86400)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]

ENV_PREFIX = "FLEET__"
VERIFY_PATH = "/verify/"
MESSAGE_MAX = 128
MESSAGE_ROOM_MIN = 20
TOKEN_CHARS = 22


class _Section(BaseModel):
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


def _network(text: str) -> str:
    """Refuse what is no network; it is kept as it would be written."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f"{text[:50]!r} is no network; write one as in 10.0.0.0/8, or a single address") from None


class RedisSettings(_Section):
    url: Annotated[str, Field(pattern=r"^(redis|rediss|unix)://", repr=False), AfterValidator(_whereabouts)]
    timeout_s: Some


class DatabaseSettings(_Section):
    url: Annotated[str, Field(pattern=r"^(sqlite:///|postgresql\+psycopg://)", repr=False), AfterValidator(_whereabouts)]
    units_of_work_max: Annotated[int, Field(ge=1, le=256)]
    sqlite_synchronous: Literal["FULL", "NORMAL"]


class BalancerSettings(_Section):
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    site_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+(/[^\s?#]*)?$")]
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


class HttpSettings(_Section):
    """Of connections to the balancer."""

    head_s: Some
    body_s: Some
    idle_s: Some
    unread_s: Some
    linger_s: Some
    connections_max: Count
    connections_per_address_max: Count


class LimitSettings(_Section):
    inventory_limit: Count
    item_value_min_cents: Annotated[int, Field(ge=0)]
    offers_per_partner_max: Count
    offers_per_bot_max: Count
    bot_items_max: Count
    trade_items_max: Annotated[int, Field(ge=1, le=255)]
    request_items_max: Annotated[int, Field(ge=1, le=2000)]
    approval_above_cents: Annotated[int, Field(ge=0)]
    approval_window_s: Seconds


class TradeSettings(_Section):
    token_lifetime_s: Some
    inventory_cache_s: Seconds
    inventory_wait_s: Some
    order_expiry_s: Some
    order_in_hand_s: Seconds
    attempts_max: Annotated[int, Field(ge=1, le=20)]
    retry_after_s: Seconds
    absent_after_s: Seconds
    confirm_give_up_s: Some
    unknown_offer_cancel_s: Some
    find_s: Some
    find_max_s: Some
    offer_timeout_s: Some
    watch_s: Some
    settle_margin_s: Seconds
    settle_again_s: Some
    protection_look_s: Some
    decline_s: Some
    keep_gifts: bool
    items_look_s: Some
    audit_every_s: Some
    audit_again_s: Some
    purge_after_s: Some
    sweep_s: Some


class OpenIdSettings(_Section):
    endpoint: Annotated[str, Field(pattern=r"^https?://")]
    identity_prefix: Annotated[str, Field(pattern=r"^https?://.*/$")]
    nonce_max_age_s: Some
    session_s: Some


class GroupSettings(_Section):
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

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> GroupSettings:
        if self.heartbeat_s * 2 >= self.lease_s:
            raise ValueError("lease_s must be more than twice heartbeat_s, or one late heartbeat loses the lease")
        return self


class SteamSettings(_Section):
    base_url: Annotated[str, Field(pattern=r"^(https?://[^/\s]+)?$")]
    connect_timeout_s: Some
    read_timeout_s: Some
    language: Literal["english"]
    user_agent: str
    access_token_margin_s: Seconds
    maintenance_hold_s: Some


class PaceSettings(_Section):
    sign_in_s: Seconds
    send_s: Seconds
    confirm_s: Seconds
    confirm_list_s: Seconds
    read_s: Seconds
    inventory_s: Seconds
    retry_s: Some


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"]
    format: Literal["console", "json"]


class ClockSettings(_Section):
    offset_s: Annotated[float, Field(allow_inf_nan=False)]


class Settings(_Section):
    """All sections. Immutable; never printed whole, as two URLs may hold passwords."""

    redis: RedisSettings
    database: DatabaseSettings
    balancer: BalancerSettings
    http: HttpSettings
    limits: LimitSettings
    trades: TradeSettings
    openid: OpenIdSettings
    group: GroupSettings
    steam: SteamSettings
    pace: PaceSettings
    log: LogSettings
    clock: ClockSettings


def default_toml() -> str:
    """The text of ``config/default.toml``."""
    return resources.files("config").joinpath("default.toml").read_text(encoding="utf-8")


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where}: not TOML: {error}") from error


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _from_environment(environ: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in environ.items():
        if name.startswith(ENV_PREFIX):
            section, _, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
            found.setdefault(section, {})[key] = value
    return found


def _line_of(text: str, section: str, key: str) -> int | None:
    """The line in a TOML text on which ``key`` of ``[section]`` stands (``section`` itself, without a key), counted from 1."""
    above = True
    inside = False
    here = rf"[\"']?{re.escape(key)}[\"']?\s*="
    dotted = rf"{re.escape(section)}\s*\." + rf"\s*{here}" if key else rf"[\"']?{re.escape(section)}[\"']?\s*[=.]"
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\]]+)\]", line):
            above = False
            inside = header[1].strip() == section
            if inside and not key:
                return number
        elif (above or inside) and re.match(r"\s*" + (dotted if above else here), line):
            return number
    return None


def _variable_of(section: str, key: str) -> str | None:
    """The environment variable that sets ``key`` of ``section``, or anything in it without a key."""
    name = f"{ENV_PREFIX}{section}__{key}".upper()
    whole = name.removesuffix("__")
    return next(
        (each for each in os.environ if each.upper() in (name, whole) or (not key and each.upper().startswith(name))), None
    )


def _allowed(section: str, key: str) -> str:
    field = Settings.model_fields.get(section)
    if field is None:
        return "the sections are " + ", ".join(Settings.model_fields)
    model = field.annotation
    if not key and f"{ENV_PREFIX}{section}".upper() in (each.upper() for each in os.environ):
        return f"a variable is named as in {ENV_PREFIX}BALANCER__PORT"
    if not key or not (isinstance(model, type) and issubclass(model, BaseModel)) or key in model.model_fields:
        return ""
    return f"[{section}] has the keys " + ", ".join(model.model_fields)


def _explain(error: ValidationError, texts: dict[str, str]) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        names = [str(part) for part in problem["loc"]]
        section, key = names[0], names[1] if len(names) > 1 else ""
        place = f"[{section}] {key}".strip()
        for name, text in texts.items():
            line = _line_of(text, section, key)
            if line:
                place = f"{name}, line {line}: {place}"
                break
        else:
            if variable := _variable_of(section, key):
                place = f"variable {variable}"
        said = "no such setting" if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
        more = _allowed(section, key)
        lines.append(f"{place}: {said}" + (f"; {more}" if more else ""))
    return "\n".join(lines)


def load(path: Path | None = None, overrides: dict[str, dict[str, Any]] | None = None) -> Settings:
    """Defaults, then the file, then the environment, then ``overrides`` (``{"balancer": {"port": 0}}``).

    Raises:
        SettingsError: a file cannot be read, a key is unknown or a value is bad; the message has a line for each.
    """
    values = _parse(default_toml(), "default.toml")
    texts: dict[str, str] = {}
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot read the settings file {path}: {error}") from error
        texts[str(path)] = text
        values = _merge(values, _parse(text, str(path)))
    values = _merge(values, _from_environment(dict(os.environ)))
    values = _merge(values, overrides or {})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, texts)) from None
