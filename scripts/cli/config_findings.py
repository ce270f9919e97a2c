"""What is unsafe or cannot work in a whole set of settings. Pure: settings and facts in, findings out.

Each value by itself is good, or it would not have been read; this is about what several of them mean together, about Steam's
own limits, and about what is wrong around them (`scripts.cli.config_facts` looks). A machine runs a balancer, a host of bots,
or both; only what concerns its part is said.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from sqlalchemy.engine import make_url

from scripts.cli.config_facts import Facts, File
from shared.settings import Settings
from shared.settings_text import ENV_PREFIX, nearest

Part = Literal["balancer", "host"]
BALANCER: Part = "balancer"
HOST: Part = "host"
# Sections that tell which part a file is for.
SECTIONS: dict[str, Part] = {
    **dict.fromkeys(("database", "balancer", "limits", "openid"), BALANCER),
    **dict.fromkeys(("group", "steam"), HOST),
}

STEAM = "steamcommunity.com"
DAY_S = 86400.0
# What Steam does, whatever we would like.
STEAM_OFFERS_PER_BOT = 30
STEAM_OFFERS_PER_PARTNER = 5
STEAM_ITEMS_MAX = 1000
STEAM_OFFER_LIVES_S = 14 * DAY_S
STEAM_PROTECTS_S = 7 * DAY_S
STEAM_TOKEN_LIVES_S = DAY_S
STEAM_READS_PER_MINUTE = 30
# A wait for orders or reports takes this long; a shorter time-out would end each of them as an error.
LONGEST_WAIT_S = 1.0
TIMEOUT_STOP_S = 120.0  # TimeoutStopSec in config/systemd/fleet-group@.service
ASSET_BYTES = 40  # one asset id or one small trade in a request's JSON
OLD_VALUE_S = 3 * 86400.0
BODY_MAX_BYTES = 16 * 1024 * 1024
PROXIES_MAX = 65536  # addresses of one network of proxies; those of a large CDN have fewer
FILES_MAX = 65536  # LimitNOFILE in config/systemd/fleet-balancer@.service
OTHER_VARIABLES = frozenset(
    {"FLEET_CONFIG", "FLEET_VAULT_KEY", "FLEET_VENV", "FLEET_REDIS_SERVER", "FLEET_TEST_DATABASE_URL", "FLEET_BENCH_REDIS"}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: what is wrong, and what to do. An ``error`` is unsafe or cannot work; a ``warning`` may be meant.

    ``also`` are the other settings that it is about (``trades.watch_s``): it may be one of these that was changed.
    """

    level: Literal["error", "warning"]
    setting: str
    text: str
    do: str
    also: tuple[str, ...] = ()


Findings = Iterator[Finding]


def error(setting: str, text: str, do: str, *also: str) -> Finding:
    return Finding("error", setting, text, do, also)


def warning(setting: str, text: str, do: str, *also: str) -> Finding:
    return Finding("warning", setting, text, do, also)


def parts_of(told: Mapping[str, Any]) -> frozenset[Part]:
    """Which parts a machine runs, by the sections that its settings name; both if none of them tells."""
    named = {SECTIONS[section] for section in told if section in SECTIONS}
    return frozenset(named or {BALANCER, HOST})


def find(settings: Settings, parts: frozenset[Part], facts: Facts | None) -> list[Finding]:
    """Everything, in no order. Without ``facts`` only what the settings themselves tell."""
    checks: list[Callable[[Settings], Findings]] = [_redis, _orders, _process]
    if BALANCER in parts:
        checks += [
            _database,
            _addresses,
            _proxies,
            _http,
            _sign_in,
            _limits,
            _rates,
            _trades,
            _looks,
            _requests,
            _retention,
            _games,
        ]
    checks += [_group, _steam, _pace] if HOST in parts else []
    checks += [_both] if parts == {BALANCER, HOST} else []
    found = [each for check in checks for each in check(settings)]
    found += _same_file(settings, parts)
    if facts is not None:
        found += _around(settings, facts)
    return found


# --- addresses ------------------------------------------------------------------------------------------


def is_here(host: str | None) -> bool:
    """Whether an address is this machine's alone; none at all is, too."""
    if not host or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_within(host: str | None) -> bool:
    """Whether an address is of no use to players: this machine's, or of a private network."""
    try:
        return is_here(host) or ipaddress.ip_address(host or "").is_private
    except ValueError:
        return False


def is_real(settings: Settings) -> bool:
    """Whether this is about real accounts. A sandbox is told by its addresses: players sign in at it, bots speak to it."""
    return settings.steam.base_url == "" and urlsplit(settings.openid.endpoint).hostname == STEAM


def _redis(settings: Settings) -> Findings:
    url = urlsplit(settings.redis.url)
    if url.scheme != "unix" and not is_here(url.hostname):
        yield from _redis_elsewhere(url.scheme, url.hostname or "", user=bool(url.username), password=bool(url.password))
    if parse_qs(url.query).get("ssl_cert_reqs", [""])[0].lower() in ("none", "optional"):
        yield error(
            "redis.url", "Redis' certificate is not checked, so anybody can pretend to be Redis", "leave ssl_cert_reqs out"
        )
    if settings.redis.timeout_s <= LONGEST_WAIT_S:
        text = f"a wait for orders takes {LONGEST_WAIT_S:g} s, so each would end as an error"
        yield error("redis.timeout_s", text, "write 5, or at least 2")
    if settings.redis.timeout_s >= settings.group.lease_s:
        text = f"a call that hangs outlasts a bot's lease of {settings.group.lease_s:g} s, which another worker then takes"
        yield error("redis.timeout_s", text, "make it less than a third of [group] lease_s", "group.lease_s")


def _redis_elsewhere(scheme: str, host: str, *, user: bool, password: bool) -> Findings:
    if not password:
        text = f"Redis on another machine ({host}) without a password: whoever reaches it stops every trade"
        yield error("redis.url", text, "make users with `fleet redis acl`, and write rediss://USER:PASSWORD@HOST:6379/0")
    elif not user:
        text = "this is Redis' default user, who may do everything: a host that is taken over reaches all bots' queues"
        yield warning("redis.url", text, "make a user for each part with `fleet redis acl`")
    if scheme == "redis":
        text = f"the connection to Redis on another machine ({host}) is not encrypted, so its password can be read on the way"
        yield warning(
            "redis.url", text, "give Redis TLS and write rediss://, unless a tunnel (WireGuard, stunnel) lies between"
        )


def _database(settings: Settings) -> Findings:
    url = make_url(settings.database.url)
    if url.get_backend_name() == "sqlite":
        if not url.database or ":memory:" in url.database or "mode=memory" in str(url):
            text = "this database is in memory: every item in custody is forgotten when the balancer ends"
            yield error("database.url", text, "name a file, as in sqlite:////var/lib/fleet/fleet.db")
        if settings.database.sqlite_synchronous == "NORMAL":
            text = "after a power cut the last trades may be forgotten although their offers were sent"
            yield warning("database.sqlite_synchronous", text, "write FULL, unless you accept such losses")
        return
    encrypted = url.query.get("sslmode") in ("require", "verify-ca", "verify-full")
    if not encrypted and not is_here(url.host) and not str(url.host).startswith("/"):
        text = f"the connection to the database on another machine ({url.host}) may be unencrypted"
        do = "add ?sslmode=verify-full&sslrootcert=FILE (or require), unless a tunnel lies between"
        yield warning("database.url", text, do)


def _addresses(settings: Settings) -> Findings:
    balancer, site = settings.balancer, urlsplit(settings.balancer.site_url)
    yield from _listening(balancer.host, site.scheme)
    if site.scheme == "http" and not is_here(site.hostname):
        text = "players check their offers over plain HTTP: anybody on the way can change the answer and take their session"
        yield error("balancer.site_url", text, "write https://, with a TLS proxy in front")
    if is_within(site.hostname) and is_real(settings):
        text = f"{site.hostname} cannot be reached by players elsewhere, and it is in every offer's message"
        yield warning("balancer.site_url", text, "write the site's public https:// address")
    site_port = site.port or {"http": 80, "https": 443}[site.scheme]
    if is_here(site.hostname) and balancer.port and site_port != balancer.port:
        text = f"it leads to this machine, but not to the balancer, which has port {balancer.port}"
        yield warning("balancer.site_url", text, "write the same port in both, or the public address", "balancer.port")
    if site.username or site.password:
        yield error("balancer.site_url", "a user or password in it would be in every offer's message", "leave it out")
    if balancer.port == 0:
        yield warning(
            "balancer.port", "the port is another one at each start: no proxy and no link can find it", "write a fixed port"
        )
    elif balancer.port < 1024:
        text = "ports below 1024 need a privilege that the systemd units do not give"
        yield warning("balancer.port", text, "write 8420, and let the TLS proxy have 443")


def _listening(host: str, scheme: str) -> Findings:
    if host and is_here(host):
        return
    shown = host or "every address"
    if scheme == "http":
        text = f"{shown} lets others in over plain HTTP: API keys and players' sessions can be read on the way"
        yield error("balancer.host", text, "listen on 127.0.0.1 behind a TLS proxy, and write https:// in site_url")
    else:
        text = f"{shown} is reached past the TLS proxy too, over plain HTTP"
        do = "listen on 127.0.0.1; or, with the proxy on another machine, let only that one in and name it in trusted_proxies"
        yield warning("balancer.host", text, do)


def _proxies(settings: Settings) -> Findings:
    for network in settings.balancer.trusted_proxies:
        each = ipaddress.ip_network(network, strict=False)
        if not each.is_private and each.num_addresses > PROXIES_MAX:
            text = f"{network} is a large part of the internet: anybody in it can claim another address for a request"
            yield error("balancer.trusted_proxies", text, "name the proxies' own addresses only")


def _http(settings: Settings) -> Findings:
    http = settings.http
    for key in ("head_s", "body_s", "unread_s"):
        if getattr(http, key) > 120:
            text = "a client that opens connections and sends nothing takes places that others need"
            yield warning(f"http.{key}", text, "leave it out")
    if http.idle_s < 60:
        text = "proxies keep a connection for 60 s: a request on one that was just closed fails"
        yield warning("http.idle_s", text, "write 75")
    if http.linger_s > 30:
        yield warning("http.linger_s", "a refused sender keeps a place for a long time", "write 2")
    if http.connections_per_address_max > http.connections_max:
        text = "one address can take every connection there is"
        yield warning("http.connections_per_address_max", text, "write 100", "http.connections_max")
    if http.connections_max > FILES_MAX:
        text = f"a process may hold {FILES_MAX} files and connections (LimitNOFILE of the unit)"
        yield warning("http.connections_max", text, "write 2000")
    if settings.listening.streams_max > http.connections_max // 2:
        text = "those who listen to events can take most connections, and requests find none"
        yield warning("listening.streams_max", text, f"write {http.connections_max // 2}", "http.connections_max")


def _sign_in(settings: Settings) -> Findings:
    openid = settings.openid
    endpoint, prefix = urlsplit(openid.endpoint), urlsplit(openid.identity_prefix)
    for key, url in (("endpoint", endpoint), ("identity_prefix", prefix)):
        if is_here(url.hostname):
            continue
        if url.hostname != STEAM:
            text = f"{url.hostname} would decide who a player is, and it is not Steam"
            yield error(f"openid.{key}", text, "leave it out; only a sandbox on this machine changes it")
        elif url.scheme != "https":
            text = "over plain HTTP anybody on the way can pretend to be another player"
            yield error(f"openid.{key}", text, "write https://, or leave it out")
    if (endpoint.scheme, endpoint.netloc) != (prefix.scheme, prefix.netloc):
        text = f"players sign in at {endpoint.netloc}, whose ids start otherwise: nobody can sign in"
        do = f"write {endpoint.scheme}://{endpoint.netloc}/openid/id/"
        yield error("openid.identity_prefix", text, do, "openid.endpoint")
    if openid.nonce_max_age_s > 3600:
        yield warning("openid.nonce_max_age_s", "an answer of Steam's that leaked is good for hours", "write 300")
    if openid.checks_max > 200:
        text = "forged sign-ins all go to Steam at once, and Steam then refuses this address"
        yield warning("openid.checks_max", text, "write 20")
    if openid.session_s > DAY_S:
        yield warning("openid.session_s", "a player stays signed in for days, on shared machines too", "write 3600")


def _both(settings: Settings) -> Findings:
    bots_in_sandbox, players_at_steam = bool(settings.steam.base_url), urlsplit(settings.openid.endpoint).hostname == STEAM
    if bots_in_sandbox and players_at_steam:
        yield error("steam.base_url", "bots trade in a sandbox, but players sign in at Steam", "point both at one, or neither")
    if not bots_in_sandbox and is_here(urlsplit(settings.openid.endpoint).hostname):
        yield error("openid.endpoint", "players sign in at a sandbox, but bots trade at Steam", "point both at one, or neither")


# --- limits -----------------------------------------------------------------------------------------------


def _limits(settings: Settings) -> Findings:
    limits, balancer = settings.limits, settings.balancer
    for key, most, what in (
        ("offers_per_bot_max", STEAM_OFFERS_PER_BOT, "open offers of one account"),
        ("offers_per_partner_max", STEAM_OFFERS_PER_PARTNER, "open offers to one partner"),
        ("bot_items_max", STEAM_ITEMS_MAX, "items in one inventory"),
    ):
        if getattr(limits, key) > most:
            text = f"Steam takes {most} {what} and refuses the next: trades would fail"
            yield error(f"limits.{key}", text, f"write at most {most}")
    if limits.trade_items_max > limits.bot_items_max:
        text = "one offer may be larger than what a bot can hold"
        yield error("limits.trade_items_max", text, "make it at most bot_items_max", "limits.bot_items_max")
    if limits.offers_per_partner_max >= limits.offers_per_bot_max:
        text, do = "one player can take all open offers of a bot", "make it much less than offers_per_bot_max"
        yield warning("limits.offers_per_partner_max", text, do, "limits.offers_per_bot_max")
    yield from _shares(settings)
    if limits.item_value_min_cents == 0:
        yield warning("limits.item_value_min_cents", "worthless items are taken and fill the bots", "write 1 or more")
    if limits.dear_item_cents == 0:
        text = "one host of bots alone decides which item it is, however expensive, until the item has arrived"
        yield warning("limits.dear_item_cents", text, "write 50000: bots of two hosts then read more expensive deposits")
    if limits.approval_above_cents and not limits.approval_window_s:
        text = "a large withdrawal that is split into many small ones needs no second operator"
        do = "write 86400: what a user withdraws within a day counts together"
        yield warning("limits.approval_window_s", text, do, "limits.approval_above_cents")
    if balancer.body_max_bytes < limits.request_items_max * ASSET_BYTES:
        text = f"a request with {limits.request_items_max} items, which [limits] lets pass, may be larger and is refused"
        yield warning("balancer.body_max_bytes", text, "write 262144", "limits.request_items_max")
    if balancer.body_max_bytes > BODY_MAX_BYTES:
        yield warning("balancer.body_max_bytes", "a few large requests at once fill the memory", "write 262144")
    if balancer.bad_keys_max > 1000:
        yield warning("balancer.bad_keys_max", "guessing API keys is hardly slowed down", "write 10")
    if balancer.bad_keys_forget_s < 10:
        yield warning("balancer.bad_keys_forget_s", "guessing API keys is hardly slowed down", "write 300")


def _games(settings: Settings) -> Findings:
    if settings.prices.value_age_max_s > OLD_VALUE_S:
        yield warning("prices.value_age_max_s", "players win and lose by prices of days ago", "write 86400")
    if not settings.games.client_credits_day_cents:
        text = "whoever has a key with the scope play credits as much as they like before anybody notices"
        yield warning(
            "games.client_credits_day_cents", text, "write about three times what your games credit on their best day"
        )
    if not settings.games.exchange_fee_bp:
        text = "players exchange what has become cheaper since the last prices for what has become dearer, at no cost"
        yield warning("games.exchange_fee_bp", text, "write 300")


def _rates(settings: Settings) -> Findings:
    rates = settings.rates
    for key, text in (
        ("key_per_minute", "a faulty site, or a stolen key, keeps every other site waiting"),
        ("player_per_minute", "one player's requests keep everybody else waiting"),
        ("player_reads_per_minute", "one player can use up all reads at Steam, which are the scarcest resource"),
        ("stranger_reads_per_minute", "a key with made-up Steam ids takes all reads at Steam from players who trade here"),
        ("address_per_minute", "one address can keep the pages from everybody else"),
    ):
        if getattr(rates, key) == 0:
            yield warning(f"rates.{key}", f"0 is no limit: {text}", "leave it out")
    if rates.player_reads_per_minute > STEAM_READS_PER_MINUTE:
        text = f"Steam allows about {STEAM_READS_PER_MINUTE} reads a minute from one address, for all players"
        yield warning("rates.player_reads_per_minute", text, "write 6")
    if rates.stranger_reads_per_minute >= STEAM_READS_PER_MINUTE:
        text = f"Steam allows about {STEAM_READS_PER_MINUTE} reads a minute from one address, so none are left for others"
        yield warning("rates.stranger_reads_per_minute", text, "write 20")
    if rates.stranger_reads_burst > 2 * STEAM_READS_PER_MINUTE:
        text = "players who trade here wait for minutes behind made-up ones"
        yield warning("rates.stranger_reads_burst", text, "write 30")
    if 0 < rates.key_per_minute < rates.player_per_minute:
        text = "one player may send more requests than the whole site"
        yield warning("rates.player_per_minute", text, "make it much less than key_per_minute", "rates.key_per_minute")
    for key, most in (("player_reads_burst", "player_burst"), ("player_burst", "key_burst")):
        if getattr(rates, key) > getattr(rates, most):
            text = f"it is more than {most}, so it has no effect"
            yield warning(f"rates.{key}", text, f"make it less than {most}", f"rates.{most}")


def _retention(settings: Settings) -> Findings:
    retention = settings.retention
    for key, least, text in (
        ("trades_days", STEAM_PROTECTS_S / DAY_S + 1, "trades are deleted while Steam still lets players reverse them"),
        ("events_days", STEAM_PROTECTS_S / DAY_S, "a site that was away for a week misses what happened"),
        ("idempotency_days", 1.0, "a site that repeats a request of yesterday makes a second trade"),
        ("users_days", STEAM_PROTECTS_S / DAY_S + 1, "players are deleted while their trades may still be reversed"),
    ):
        if 0 < getattr(retention, key) < least:
            yield warning(f"retention.{key}", text, f"write {least:g} or more, or 0 for ever")


def _looks(settings: Settings) -> Findings:
    """At offers, for players who check them."""
    trades = settings.trades
    if trades.look_s > 60:
        text = f"an offer that has ended may still be called good for {trades.look_s:g} s, which is enough for a thief"
        yield error("trades.look_s", text, "write 5")
    elif trades.look_s > 15:
        yield warning("trades.look_s", "players wait long for the answer whether an offer is ours", "write 5")
    if trades.look_pause_s >= trades.look_s:
        text = "a bot looks less often than players wait for it: their answer is that it is not known"
        yield warning("trades.look_pause_s", text, "make it less than look_s", "trades.look_s")
    if trades.declined_at_once_s > 300:
        yield warning(
            "trades.declined_at_once_s", "what a person declined after reading looks like the act of a thief", "write 10"
        )
    if trades.restricted_wait_s > DAY_S:
        text = "players wait for days for a bot that Steam has restricted, and no operator learns of it"
        yield warning("trades.restricted_wait_s", text, "write 600")


def _shares(settings: Settings) -> Findings:
    limits = settings.limits
    if limits.offers_kept_for_withdrawals == 0:
        text = "deposits that nobody answers can take every open offer, and no withdrawal goes out"
        yield warning("limits.offers_kept_for_withdrawals", text, "write 5")
    for key, most in (
        ("offers_per_player_max", "offers_per_bot_max"),
        ("pending_deposits_per_player_max", "offers_per_bot_max"),
        ("pending_items_per_player_max", "bot_items_max"),
        ("client_withdrawals_max", "fleet_withdrawals_max"),
        ("client_withdrawals_cents_max", "fleet_withdrawals_cents_max"),
    ):
        if getattr(limits, key) > getattr(limits, most) > 0:
            text = f"it is more than {most}, so it has no effect"
            yield warning(f"limits.{key}", text, f"make it less than {most}", f"limits.{most}")
    maxima = ("client_withdrawals_max", "client_withdrawals_cents_max", "fleet_withdrawals_max", "fleet_withdrawals_cents_max")
    if limits.withdrawals_window_s < 60 and any(getattr(limits, key) for key in maxima):
        text = "never much goes out within so short a time: the limits have no effect"
        yield warning("limits.withdrawals_window_s", text, "write 3600", *(f"limits.{key}" for key in maxima))
    if limits.waiting_withdrawals_per_player_max > 1000:
        yield warning("limits.waiting_withdrawals_per_player_max", "one player's line keeps others waiting", "write 30")
    if limits.pending_items_per_player_max > limits.inventory_limit:
        text = "it is more than inventory_limit, so it has no effect"
        yield warning("limits.pending_items_per_player_max", text, "make it at most inventory_limit", "limits.inventory_limit")


def _trades(settings: Settings) -> Findings:
    trades = settings.trades
    if trades.offer_timeout_min_s > trades.offer_timeout_s:
        text = "the shortest time for an answer is longer than the usual one"
        yield error("trades.offer_timeout_min_s", text, "make it less than offer_timeout_s", "trades.offer_timeout_s")
    elif trades.offer_timeout_min_s < 60 and is_real(settings):
        text = "a player has to find the phone within it, after offers that were left unanswered"
        yield warning("trades.offer_timeout_min_s", text, "write 300")
    if trades.offer_timeout_s > trades.token_lifetime_s:
        text = f"offers live longer than their token of {trades.token_lifetime_s:g} s: players could not check them any more"
        yield error("trades.offer_timeout_s", text, "make it at most token_lifetime_s", "trades.token_lifetime_s")
    if trades.offer_timeout_s > STEAM_OFFER_LIVES_S:
        yield warning("trades.offer_timeout_s", "Steam ends an offer after 14 days by itself", "make it shorter")
    if trades.token_lifetime_s > DAY_S:
        yield warning("trades.token_lifetime_s", "a token that leaked is valid for days", "write 1800")
    if trades.confirm_give_up_s >= trades.offer_timeout_s:
        text = "an offer that the bot does not confirm takes a place until it times out"
        yield warning("trades.confirm_give_up_s", text, "make it much less than offer_timeout_s", "trades.offer_timeout_s")
    if trades.find_s > trades.find_max_s:
        text = "the longest wait between two searches is shorter than the first"
        yield error("trades.find_max_s", text, "make it more than find_s", "trades.find_s")
    if trades.watch_s >= trades.offer_timeout_s:
        yield error(
            "trades.watch_s", "offers are canceled before a bot has looked at them", "write 5", "trades.offer_timeout_s"
        )
    elif trades.watch_s > 60:
        yield warning("trades.watch_s", "what happens to an offer is known only after more than a minute", "write 5")
    if trades.sweep_s >= trades.order_expiry_s:
        yield error("trades.sweep_s", "orders expire before they are looked for", "write 5", "trades.order_expiry_s")
    if trades.audit_again_s >= trades.audit_every_s:
        text = "the second look at a difference comes after the next audit"
        yield warning("trades.audit_again_s", text, "write 300", "trades.audit_every_s")
    yield from _seldom(settings)
    if is_real(settings):
        yield from _steams_times(settings)


def _seldom(settings: Settings) -> Findings:
    trades = settings.trades
    for key, most, text, do in (
        ("audit_every_s", DAY_S, "an item may be missing for a day or more before anybody knows", "write 3600"),
        ("protection_look_s", DAY_S, "a reversed trade is noticed only after more than a day", "write 1800"),
        ("inventory_cache_s", 600.0, "players are shown items that they gave away long ago", "write 60"),
        ("decline_s", DAY_S, "offers of strangers stay open for days and count against Steam's limits", "write 300"),
        ("items_look_s", 3600.0, "items of an ended withdrawal stay locked for a long time", "write 15"),
        ("settle_gather_s", DAY_S, "settled items stay locked for days", "write 600"),
        ("settle_again_s", DAY_S, "settled items stay locked for days", "write 1800"),
    ):
        if getattr(trades, key) > most:
            yield warning(f"trades.{key}", text, do)


def _steams_times(settings: Settings) -> Findings:
    trades = settings.trades
    if trades.settle_margin_s < 600:
        text = "Steam has been late by minutes: an item may leave while its exchange can still be reversed"
        yield warning("trades.settle_margin_s", text, "write 3600")
    if trades.purge_after_s < STEAM_PROTECTS_S:
        text = "rows are deleted while Steam still lets players reverse their trade (7 days)"
        yield error("trades.purge_after_s", text, "write 604800 or more")
    if trades.retry_after_s < 5:
        yield warning(
            "trades.retry_after_s",
            "a call that Steam asked to try later is tried at once, and Steam blocks such clients",
            "write 30",
        )
    if trades.audit_again_s < 60:
        text = "Steam's inventories are minutes behind after a trade: bots are frozen without a reason"
        yield warning("trades.audit_again_s", text, "write 300")


def _requests(settings: Settings) -> Findings:
    balancer, trades, group = settings.balancer, settings.trades, settings.group
    if balancer.wait_max_s + trades.inventory_wait_s >= balancer.request_max_s:
        text = f"a request may wait {balancer.wait_max_s:g} s and read for {trades.inventory_wait_s:g} s, and is ended before"
        do = "make it more than wait_max_s and [trades] inventory_wait_s together"
        yield error("balancer.request_max_s", text, do, "trades.inventory_wait_s", "balancer.wait_max_s")
    if balancer.heartbeat_read_s + group.heartbeat_s >= group.offline_after_s:
        text = "bots count as offline between two of their heartbeats, and get no trades"
        do = "write 1, and make [group] offline_after_s more than three times heartbeat_s"
        yield error("balancer.heartbeat_read_s", text, do, "group.offline_after_s", "group.heartbeat_s")
    if balancer.prices_check_s > 3600:
        yield warning("balancer.prices_check_s", "new prices count after more than an hour", "write 30")


def _orders(settings: Settings) -> Findings:
    """What balancers and bots both go by; the files of both say the same."""
    trades, steam = settings.trades, settings.steam
    send_s = steam.connect_timeout_s + 2 * steam.read_timeout_s
    if trades.order_in_hand_s < send_s:
        text = f"one send may take a bot {send_s:g} s, but the bot counts as dead before that: its trade then becomes in doubt"
        yield error("trades.order_in_hand_s", text, "write 180", "steam.read_timeout_s", "steam.connect_timeout_s")
    slow = ("send_s", "confirm_list_s", "inventory_s")
    if trades.order_expiry_s <= max(getattr(settings.pace, each) for each in slow):
        text = "orders expire while their bot keeps Steam's pace"
        yield error("trades.order_expiry_s", text, "write 120", *(f"pace.{each}" for each in slow))
    if trades.unknown_offer_cancel_s <= trades.offer_timeout_s:
        text = "a bot may cancel the offer of a trade that is still open, whose answer was lost"
        yield error("trades.unknown_offer_cancel_s", text, "make it much more than offer_timeout_s", "trades.offer_timeout_s")
    if is_real(settings) and trades.absent_after_s < 60:
        text = "Steam's lists lag: an offer that two quick looks miss may be there, and would be sent twice"
        yield error("trades.absent_after_s", text, "write 60 or more")


# --- hosts of bots ----------------------------------------------------------------------------------------


def _group(settings: Settings) -> Findings:
    group, read_s = settings.group, settings.steam.read_timeout_s
    if group.offline_after_s <= group.heartbeat_s:
        text = "every bot counts as offline between its heartbeats"
        yield error("group.offline_after_s", text, "make it more than three times heartbeat_s", "group.heartbeat_s")
    elif group.offline_after_s < 3 * group.heartbeat_s:
        text = "one late heartbeat takes a bot out of the choice"
        yield warning("group.offline_after_s", text, "make it more than three times heartbeat_s", "group.heartbeat_s")
    if group.restart_min_s > group.restart_max_s:
        text = "the longest wait before a restart is shorter than the first"
        yield error("group.restart_max_s", text, "make it more than restart_min_s", "group.restart_min_s")
    if group.probe_s > group.probe_max_s:
        text = "the longest wait before a restricted bot asks again is shorter than the first"
        yield error("group.probe_max_s", text, "make it more than probe_s", "group.probe_s")
    elif group.probe_s < 10 and is_real(settings):
        yield warning("group.probe_s", "a bot that Steam has just restricted asks again at once", "write 60")
    if group.stop_s >= TIMEOUT_STOP_S:
        text = f"systemd kills the group after {TIMEOUT_STOP_S:g} s (TimeoutStopSec of the unit)"
        yield warning("group.stop_s", text, "write 30")
    if group.stop_s < read_s:
        text = f"a bot may wait {read_s:g} s for Steam and is killed before: its trade is in doubt then"
        yield warning("group.stop_s", text, "make it more than [steam] read_timeout_s", "steam.read_timeout_s")


def _steam(settings: Settings) -> Findings:
    steam, host = settings.steam, urlsplit(settings.steam.base_url).hostname
    if not is_here(host):
        text = f"bots would sign in at {host}, with their passwords, as if it were Steam"
        yield error("steam.base_url", text, "leave it out; only a sandbox on this machine changes it")
    if steam.access_token_margin_s >= STEAM_TOKEN_LIVES_S:
        text = "a token lives 24 hours, so each call would renew it first"
        yield error("steam.access_token_margin_s", text, "write 3600")
    if not is_real(settings):
        return
    if steam.read_timeout_s < 10:
        text = "sending takes Steam up to 10 s on a bad day: each send that is given up before is a trade in doubt"
        yield warning("steam.read_timeout_s", text, "write 20")
    if "mozilla" not in steam.user_agent.lower():
        yield warning("steam.user_agent", "Steam's edge turns away what does not look like a browser", "leave it out")


def _pace(settings: Settings) -> Findings:
    if not is_real(settings):
        return
    for key, least, text in (
        ("sign_in_s", 15.0, "Steam locks an address out for half an hour after about ten sign-ins"),
        ("confirm_s", 1.0, "two confirmation calls of a bot in one second share a key and are refused"),
        ("confirm_list_s", 2.0, "about 15 lists of confirmations in a burst lead to a 429"),
        ("send_s", 1.0, "Steam refuses offers that follow each other at once"),
        ("read_s", 0.1, "Steam answers a burst of reads with a 429"),
        ("look_s", 0.3, "looks for the verify page take the calls from everything else"),
        ("inventory_s", 1.0, "Steam's limit for players' inventories is the strictest"),
        ("retry_s", 0.5, "what Steam could not answer is asked again at once"),
    ):
        if getattr(settings.pace, key) < least:
            yield warning(f"pace.{key}", text, f"write {least:g} or more, or leave it out")


def _process(settings: Settings) -> Findings:
    if settings.log.level == "debug" and is_real(settings):
        yield warning("log.level", "a line for each call of each bot fills a disk within days", "write info")
    if settings.clock.offset_s:
        text = "this process takes the time for another one: tokens, leases and Guard codes are wrong"
        yield error("clock.offset_s", text, "leave it out; only tests set it")


# --- files ---------------------------------------------------------------------------------------------------

MAKES = {
    "balancer.master_key_file": "make one with `fleet keys new`, or put your copy there",
    "balancer.prices_file": 'write names and cents into it: {"AK-47 | Redline (Field-Tested)": 1234}',
    "group.vault_file": "the first `fleet bots import` makes it",
    "group.vault_key_file": "the first `fleet bots import` makes it; or give it by FLEET_VAULT_KEY or --vault-key-prompt",
}
SECRET = {"balancer.master_key_file", "group.vault_key_file", "group.vault_file", "database.url"}


def files_of(settings: Settings, parts: frozenset[Part]) -> dict[str, Path]:
    """The files that these settings name, by setting."""
    files: dict[str, Path] = {}
    if BALANCER in parts:
        files["balancer.master_key_file"] = settings.balancer.master_key_file
        files["balancer.prices_file"] = settings.balancer.prices_file
        url = make_url(settings.database.url)
        if url.get_backend_name() == "sqlite" and url.database and ":memory:" not in url.database:
            files["database.url"] = Path(url.database)
    if HOST in parts:
        files["group.vault_file"] = settings.group.vault_file
        files["group.vault_key_file"] = settings.group.vault_key_file
        files["group.status_dir"] = settings.group.status_dir
    return files


def _same_file(settings: Settings, parts: frozenset[Part]) -> Findings:
    seen: dict[Path, str] = {}
    for setting, path in files_of(settings, parts).items():
        if other := seen.get(path.absolute()):
            section, _, key = other.partition(".")
            yield error(setting, f"[{section}] {key} names {path} too", "give each a file of its own", other)
        seen.setdefault(path.absolute(), setting)


def _around(settings: Settings, facts: Facts) -> Findings:
    for setting, file in facts.files.items():
        yield from _file(setting, file, facts)
    where = _where_a_password_is(settings)
    if where and facts.settings_file is not None and facts.settings_file.open_to_others:
        path = facts.settings_file.path
        yield error(where, f"{path} holds a password and may be read by others", f"chmod 600 {path}")
    for setting, trouble in facts.trouble.items():
        yield error(setting, trouble.what, trouble.do)
    for setting, remark in facts.remarks.items():
        yield warning(setting, remark.what, remark.do)


def _file(setting: str, file: File, facts: Facts) -> Findings:
    path, user = file.path, facts.user
    if not file.there:
        yield from _missing(setting, file, facts)
    elif file.folder is not (setting == "group.status_dir"):
        yield error(setting, f"{path} is {'a folder' if file.folder else 'no folder'}", "name another")
    elif not file.readable:
        yield error(setting, f"{user} may not read {path}", f"let {user} read it, and nobody else")
    elif not file.writable and setting == "database.url":
        yield error(setting, f"{user} may not write {path}", f"let {user} write the file and its folder")
    elif file.open_to_others and setting in SECRET:
        both = "*" if setting == "database.url" else ""  # with -wal and -shm
        yield error(setting, f"{path} may be read by others on this machine", f"chmod 600 {path}{both}")
    elif file.writable_by_others:
        yield error(setting, f"others on this machine may change {path}", f"chmod go-w {path}")
    if file.there and file.in_open_folder:
        yield error(
            setting, f"others on this machine may put something else in the place of {path}", f"chmod go-w {path.parent}"
        )


def _missing(setting: str, file: File, facts: Facts) -> Findings:
    if setting == "group.vault_key_file" and facts.key_elsewhere:
        return
    if setting in MAKES:
        yield error(setting, f"there is no {file.path}", MAKES[setting])
    elif not file.may_be_made:
        yield error(setting, f"{facts.user} cannot make {file.path}", f"make its folder, and let {facts.user} write in it")


def _where_a_password_is(settings: Settings) -> str | None:
    if urlsplit(settings.redis.url).password:
        return "redis.url"
    return "database.url" if make_url(settings.database.url).password else None


# --- variables --------------------------------------------------------------------------------------------------


def strange_variables(environ: Mapping[str, str], names: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Variables that look like ours and are not read, with what to do about each."""
    ours = [f"{ENV_PREFIX}{section}__{key}".upper() for section, keys in names.items() for key in keys]
    found = []
    for name in sorted(environ):
        if name.startswith(ENV_PREFIX) or name in OTHER_VARIABLES:
            continue
        meant = nearest(name.upper(), ours, cutoff=0.88)
        if meant or name.upper().startswith("FLEET_"):
            found.append(
                (name, f"set {meant} instead" if meant else "remove it; a setting is named as in FLEET__BALANCER__PORT")
            )
    return found
