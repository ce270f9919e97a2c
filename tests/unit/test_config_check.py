"""`fleet config check`: what is unsafe or cannot work in whole settings and around them, by line, with what to do."""

from __future__ import annotations

import json

import pytest
from config_checked import EITHER, GOOD, SANDBOX, Overrides, found, laid, one

from scripts.cli.config_findings import find as findings
from scripts.cli.config_findings.finding import BALANCER, HOST
from shared import settings

ANN = {"steam_id": "76561198000000002", "name": "ann", "role": "act"}


def test_nothing_is_said_of_a_good_fleet() -> None:
    assert found(GOOD) == set()


def test_nothing_is_said_of_a_sandbox_on_this_machine() -> None:
    quick = {"pace": {"sign_in_s": 0.0, "confirm_s": 0.0}, "trades": {"settle_margin_s": 1.0, "retry_after_s": 2.0}}
    assert found({"redis": {"url": "unix:///run/redis.sock"}}, SANDBOX, quick) == set()


FEED: Overrides = {
    "prices": {"sources": ["file", "shop"], "feeds": {"shop": {"address": "https://shop.example/list", "preset": "plain"}}}
}


# What is written, over a good fleet, and what is said of it.
WRONG: list[tuple[Overrides, str, str]] = [
    (one("redis.url", "redis://redis.example/0"), "error", "redis.url"),
    (one("redis.url", "redis://user:pw@redis.example/0"), "warning", "redis.url"),
    (one("redis.url", "rediss://:pw@redis.example/0"), "warning", "redis.url"),
    (one("redis.url", "rediss://10.0.0.5/0"), "error", "redis.url"),
    (one("redis.url", "rediss://user@redis.example/0"), "error", "redis.url"),
    (one("redis.url", "rediss://u:pw@redis.example/0?ssl_cert_reqs=none"), "error", "redis.url"),
    (one("redis.timeout_s", 1.0), "error", "redis.timeout_s"),
    (one("redis.timeout_s", 15.0), "error", "redis.timeout_s"),
    (one("database.url", "sqlite:///"), "error", "database.url"),
    (one("database.url", "sqlite:///:memory:"), "error", "database.url"),
    (one("database.url", "postgresql+psycopg://fleet:pw@db.example/fleet"), "warning", "database.url"),
    (
        laid(one("database.url", "sqlite:///f.db"), one("database.sqlite_synchronous", "NORMAL")),
        "warning",
        "database.sqlite_synchronous",
    ),
    (laid(one("balancer.host", "0.0.0.0"), one("balancer.site_url", "http://site.example")), "error", "balancer.host"),
    (laid(one("balancer.host", "::"), one("balancer.site_url", "http://localhost:8420")), "error", "balancer.host"),
    (laid(one("balancer.host", ""), one("balancer.site_url", "http://site.example")), "error", "balancer.host"),
    (one("balancer.host", "0.0.0.0"), "warning", "balancer.host"),
    (one("balancer.host", "192.0.2.7"), "warning", "balancer.host"),
    (one("balancer.site_url", "http://site.example"), "error", "balancer.site_url"),
    (one("balancer.site_logo_file", ".fleet/prices.json"), "error", "balancer.site_logo_file"),
    (one("balancer.pictures_url", "http://pictures.example/"), "error", "balancer.pictures_url"),
    (one("balancer.pictures_url", "https://pictures.example/economy/image"), "error", "balancer.pictures_url"),
    (one("balancer.avatars_url", "http://avatars.example/"), "error", "balancer.avatars_url"),
    (one("balancer.avatars_url", "https://avatars.example"), "error", "balancer.avatars_url"),
    (one("balancer.site_url", "http://127.0.0.1:8420"), "warning", "balancer.site_url"),
    (one("balancer.site_url", "https://192.168.1.5"), "warning", "balancer.site_url"),
    (one("balancer.site_url", "http://localhost:8080"), "warning", "balancer.site_url"),
    (one("balancer.site_url", "https://me:pw@site.example"), "error", "balancer.site_url"),
    (one("balancer.port", 0), "warning", "balancer.port"),
    (one("balancer.port", 443), "warning", "balancer.port"),
    (one("balancer.prices_check_s", 86400.0), "warning", "balancer.prices_check_s"),
    (one("balancer.body_max_bytes", 1000), "warning", "balancer.body_max_bytes"),
    (one("balancer.body_max_bytes", 10_000_000), "", ""),
    (one("limits.request_items_max", 2000), "", ""),
    (laid(one("limits.request_items_max", 2000), one("balancer.body_max_bytes", 65536)), "warning", "balancer.body_max_bytes"),
    (one("balancer.heartbeat_read_s", 30.0), "error", "balancer.heartbeat_read_s"),
    (one("balancer.request_max_s", 46.0), "", ""),
    (one("trades.inventory_wait_s", 40.0), "error", "balancer.request_max_s"),
    (one("balancer.bad_keys_max", 5000), "warning", "balancer.bad_keys_max"),
    (one("balancer.bad_keys_forget_s", 1.0), "warning", "balancer.bad_keys_forget_s"),
    (one("limits.offers_per_bot_max", 50), "error", "limits.offers_per_bot_max"),
    (
        laid(one("limits.offers_per_bot_max", 5), one("limits.offers_kept_for_withdrawals", 1)),
        "warning",
        "limits.offers_per_partner_max",
    ),
    (one("limits.offers_kept_for_withdrawals", 0), "warning", "limits.offers_kept_for_withdrawals"),
    (one("limits.offers_per_player_max", 31), "warning", "limits.offers_per_player_max"),
    (one("limits.pending_deposits_per_player_max", 31), "warning", "limits.pending_deposits_per_player_max"),
    (one("limits.pending_items_per_player_max", 201), "warning", "limits.pending_items_per_player_max"),
    (one("limits.pending_items_per_player_max", 1001), "warning", "limits.pending_items_per_player_max"),
    (one("limits.waiting_withdrawals_per_player_max", 5000), "warning", "limits.waiting_withdrawals_per_player_max"),
    ({"limits": {"client_withdrawals_max": 9, "fleet_withdrawals_max": 5}}, "warning", "limits.client_withdrawals_max"),
    ({"limits": {"client_withdrawals_max": 9, "client_withdrawals_cents_max": 9}}, "", ""),
    (
        {"limits": {"client_withdrawals_cents_max": 9, "fleet_withdrawals_cents_max": 5}},
        "warning",
        "limits.client_withdrawals_cents_max",
    ),
    (one("trades.offer_timeout_min_s", 2000.0), "error", "trades.offer_timeout_min_s"),
    (one("trades.offer_timeout_min_s", 5.0), "warning", "trades.offer_timeout_min_s"),
    (one("balancer.trusted_proxies", ["0.0.0.0/0"]), "error", "balancer.trusted_proxies"),
    (one("balancer.trusted_proxies", ["127.0.0.0/8", "2000::/3"]), "error", "balancer.trusted_proxies"),
    (one("balancer.trusted_proxies", ["10.0.0.0/8", "203.0.113.7"]), "", ""),
    (one("metrics.allow", ["0.0.0.0/0"]), "error", "metrics.allow"),
    (one("metrics.allow", ["10.0.0.0/8", "203.0.113.7"]), "", ""),
    (one("ops.operators", [ANN]), "warning", "ops.operators"),
    (one("ops.operators", [ANN, ANN | {"steam_id": "76561198000000003", "name": "pia", "role": "approve"}]), "", ""),
    (one("ops.idle_s", 100_000.0), "warning", "ops.idle_s"),
    (one("ops.locked_s", 1.0), "warning", "ops.wrong_codes_max"),
    (one("http.head_s", 600.0), "warning", "http.head_s"),
    (one("http.body_s", 600.0), "warning", "http.body_s"),
    (one("http.unread_s", 600.0), "warning", "http.unread_s"),
    (one("http.idle_s", 10.0), "warning", "http.idle_s"),
    (one("http.linger_s", 60.0), "warning", "http.linger_s"),
    (one("http.connections_max", 50), "warning", "http.connections_per_address_max"),
    (one("alarms.notify", ["nosuch://service"]), "error", "alarms.notify"),
    (one("webhooks.private_targets", True), "error", "webhooks.private_targets"),
    (one("webhooks.give_up_s", 3600.0), "warning", "webhooks.give_up_s"),
    (one("webhooks.retry_min_s", 0.1), "warning", "webhooks.retry_min_s"),
    (one("webhooks.at_once", 64), "warning", "webhooks.at_once"),
    (one("listening.streams_max", 1500), "warning", "listening.streams_max"),
    (one("http.connections_max", 100_000), "warning", "http.connections_max"),
    (one("limits.offers_per_partner_max", 6), "error", "limits.offers_per_partner_max"),
    (one("limits.bot_items_max", 1001), "error", "limits.bot_items_max"),
    (one("limits.bot_items_max", 50), "error", "limits.trade_items_max"),
    (one("limits.item_value_min_cents", 0), "warning", "limits.item_value_min_cents"),
    (one("limits.dear_item_cents", 0), "warning", "limits.dear_item_cents"),
    (one("prices.value_age_max_s", 864_000.0), "warning", "prices.value_age_max_s"),
    (one("prices.private_addresses", True), "error", "prices.private_addresses"),
    (laid(FEED, one("prices.feed_every_s", 100_000.0)), "warning", "prices.feed_every_s"),
    (laid(FEED, one("prices.feed_every_s", 120.0), one("prices.feed_retry_s", 60.0)), "warning", "prices.feed_every_s"),
    (one("prices.feed_retry_s", 30_000.0), "warning", "prices.feed_retry_s"),
    (one("prices.names_kept_min", 0.0), "warning", "prices.names_kept_min"),
    (one("prices.moved_max", 1.0), "warning", "prices.moved_max"),
    (one("prices.factor_max", 100.0), "warning", "prices.factor_max"),
    (one("games.client_credits_day_cents", 0), "warning", "games.client_credits_day_cents"),
    (one("games.exchange_fee_bp", 0), "warning", "games.exchange_fee_bp"),
    ({"limits": {"approval_above_cents": 100, "approval_window_s": 0.0}}, "warning", "limits.approval_window_s"),
    (one("trades.offer_timeout_s", 2000.0), "error", "trades.offer_timeout_s"),
    (one("trades.token_lifetime_s", 600.0), "error", "trades.offer_timeout_s"),
    (one("trades.token_lifetime_s", 200_000.0), "warning", "trades.token_lifetime_s"),
    (one("trades.offer_timeout_s", 15 * 86400.0), "warning", "trades.offer_timeout_s"),
    (one("trades.confirm_give_up_s", 1800.0), "warning", "trades.confirm_give_up_s"),
    (one("trades.find_s", 3600.0), "error", "trades.find_max_s"),
    (one("trades.watch_s", 1800.0), "error", "trades.watch_s"),
    (one("trades.watch_s", 90.0), "warning", "trades.watch_s"),
    (one("trades.sweep_s", 120.0), "error", "trades.sweep_s"),
    (one("trades.audit_again_s", 3600.0), "warning", "trades.audit_again_s"),
    (one("trades.audit_again_s", 5.0), "warning", "trades.audit_again_s"),
    (one("trades.audit_every_s", 100_000.0), "warning", "trades.audit_every_s"),
    (one("trades.protection_look_s", 100_000.0), "warning", "trades.protection_look_s"),
    (one("trades.inventory_cache_s", 3600.0), "warning", "trades.inventory_cache_s"),
    (one("trades.decline_s", 100_000.0), "warning", "trades.decline_s"),
    (one("trades.items_look_s", 7200.0), "warning", "trades.items_look_s"),
    (one("trades.settle_gather_s", 100_000.0), "warning", "trades.settle_gather_s"),
    (one("trades.settle_again_s", 100_000.0), "warning", "trades.settle_again_s"),
    (one("trades.settle_margin_s", 60.0), "warning", "trades.settle_margin_s"),
    (one("trades.purge_after_s", 86400.0), "error", "trades.purge_after_s"),
    (one("trades.retry_after_s", 0.0), "warning", "trades.retry_after_s"),
    (one("trades.order_in_hand_s", 30.0), "error", "trades.order_in_hand_s"),
    (one("trades.order_expiry_s", 3.0), "error", "trades.order_expiry_s"),
    (one("pace.send_s", 120.0), "error", "trades.order_expiry_s"),
    (one("trades.unknown_offer_cancel_s", 1800.0), "error", "trades.unknown_offer_cancel_s"),
    (one("trades.absent_after_s", 5.0), "error", "trades.absent_after_s"),
    (one("openid.endpoint", "http://steamcommunity.com/openid/login"), "error", "openid.endpoint"),
    (one("openid.endpoint", "http://openid.example/login"), "error", "openid.endpoint"),
    (one("openid.endpoint", "https://steamcommunity.com.example/openid/login"), "error", "openid.endpoint"),
    (one("openid.endpoint", "http://127.0.0.1:9/openid/login"), "error", "openid.identity_prefix"),
    (one("openid.endpoint", "http://127.0.0.1:9/openid/login"), "error", "openid.endpoint"),
    (one("openid.endpoint", "http://127.0.0.1:9/openid/login"), "warning", "balancer.livemode"),
    (one("balancer.livemode", False), "warning", "balancer.livemode"),
    (one("openid.identity_prefix", "https://elsewhere.example/openid/id/"), "error", "openid.identity_prefix"),
    (one("openid.nonce_max_age_s", 86400.0), "warning", "openid.nonce_max_age_s"),
    (one("openid.session_s", 604800.0), "warning", "openid.session_s"),
    (one("group.offline_after_s", 2.0), "error", "group.offline_after_s"),
    (one("group.offline_after_s", 4.0), "warning", "group.offline_after_s"),
    (one("group.heartbeat_s", 7.0), "warning", "group.offline_after_s"),
    (one("group.lease_s", 5.0), "error", "redis.timeout_s"),
    (one("group.restart_min_s", 61.0), "error", "group.restart_max_s"),
    (one("group.stop_s", 300.0), "warning", "group.stop_s"),
    (one("group.stop_s", 5.0), "warning", "group.stop_s"),
    (one("steam.base_url", "https://steam.example"), "error", "steam.base_url"),
    (one("steam.base_url", "http://127.0.0.1:8"), "error", "steam.base_url"),
    (one("steam.access_token_margin_s", 86400.0), "error", "steam.access_token_margin_s"),
    (one("steam.read_timeout_s", 3.0), "warning", "steam.read_timeout_s"),
    (one("steam.connect_timeout_s", 200.0), "error", "trades.order_in_hand_s"),
    (one("steam.user_agent", "python-requests/2"), "warning", "steam.user_agent"),
    *(
        (one(f"pace.{key}", 0.0), "warning", f"pace.{key}")
        for key in ("sign_in_s", "send_s", "confirm_s", "confirm_list_s", "read_s", "inventory_s")
    ),
    (one("pace.retry_s", 0.01), "warning", "pace.retry_s"),
    *(
        (one(f"rates.{key}", 0), "warning", f"rates.{key}")
        for key in (
            "key_per_minute",
            "player_per_minute",
            "player_reads_per_minute",
            "stranger_reads_per_minute",
            "address_per_minute",
        )
    ),
    (one("rates.player_reads_per_minute", 60), "warning", "rates.player_reads_per_minute"),
    (one("rates.stranger_reads_per_minute", 60), "warning", "rates.stranger_reads_per_minute"),
    (one("rates.stranger_reads_burst", 100), "warning", "rates.stranger_reads_burst"),
    (one("rates.key_per_minute", 30), "warning", "rates.player_per_minute"),
    (one("rates.player_reads_burst", 61), "warning", "rates.player_reads_burst"),
    (one("rates.key_burst", 50), "warning", "rates.player_burst"),
    *(
        (one(f"retention.{key}", 0.5), "warning", f"retention.{key}")
        for key in ("trades_days", "events_days", "idempotency_days", "users_days")
    ),
    (one("retention.trades_days", 0.0), "", ""),
    (one("trades.look_s", 120.0), "error", "trades.look_s"),
    (one("trades.look_s", 30.0), "warning", "trades.look_s"),
    (one("trades.look_pause_s", 5.0), "warning", "trades.look_pause_s"),
    (one("trades.declined_at_once_s", 900.0), "warning", "trades.declined_at_once_s"),
    (one("trades.restricted_wait_s", 100_000.0), "warning", "trades.restricted_wait_s"),
    (one("openid.checks_max", 1000), "warning", "openid.checks_max"),
    (one("group.probe_s", 3600.0), "error", "group.probe_max_s"),
    (one("group.probe_s", 1.0), "warning", "group.probe_s"),
    (one("pace.look_s", 0.0), "warning", "pace.look_s"),
    (one("clock.offset_s", 60.0), "error", "clock.offset_s"),
    (one("clock.moved_file", "moved-time"), "error", "clock.moved_file"),
    (one("log.level", "debug"), "warning", "log.level"),
    ({"limits": {"withdrawals_window_s": 5.0, "fleet_withdrawals_cents_max": 1000}}, "warning", "limits.withdrawals_window_s"),
    (one("limits.withdrawals_window_s", 5.0), "", ""),
    (one("group.vault_file", ".fleet/master.key"), "error", "group.vault_file"),
    (one("balancer.prices_file", ".fleet/master.key"), "error", "balancer.prices_file"),
    (laid(one("database.url", "sqlite:///same"), one("balancer.prices_file", "same")), "error", "database.url"),
]


@pytest.mark.parametrize(
    ("wrong", "level", "setting"), WRONG, ids=lambda value: json.dumps(value) if isinstance(value, dict) else value
)
def test_what_is_unsafe_or_cannot_work_is_found(wrong: Overrides, level: str, setting: str) -> None:
    if level:
        assert (level, setting) in found(GOOD, wrong)
    else:
        assert found(GOOD, wrong) == set()


def test_every_finding_says_what_to_do() -> None:
    for wrong, _, _ in WRONG:
        for each in findings.find(settings.load(overrides=laid(GOOD, wrong)), EITHER, None):
            assert each.text and each.do and not each.do.endswith("."), each
            assert "hidden" not in each.text + each.do and "pw@" not in each.text + each.do
            for name in (each.setting, *each.also):
                section, _, key = name.partition(".")
                assert key in settings.names()[section]


# Settings of which no value is unsafe or impossible, alone or with others, beyond what reading them refuses.
NOTHING_TO_SAY = {
    "alarms.ops_url": "only people read it",
    "database.units_of_work_max": "compared with the server's own limit, below",
    "balancer.currency": "any of them",
    "balancer.site_name": "any of them",
    "balancer.reports_batch": "speed only",
    "balancer.events_page": "speed only",
    "balancer.share_port": "a question of how balancers are replaced",
    "balancer.stop_idle_s": "bounded",
    "blocked.first_words": "any words",
    "blocked.names": "any names",
    "limits.offers_per_client_max": "0 and any share of the fleet",
    "webhooks.lease_s": "bounded",
    "webhooks.poll_s": "how soon events are seen",
    "webhooks.rotate_s": "how long a receiver may take to change its secret",
    "webhooks.timeout_s": "bounded",
    "retention.deliveries_days": "how long a log is kept",
    "retention.values_days": "how long a history is kept",
    "prices.sources": "compared with the feeds when it is read",
    "prices.feeds": "a feed that cannot be is refused at the start, and found in test_feed_settings.py",
    "prices.rates": "bounded; what is right changes from day to day",
    "prices.feed_timeout_s": "bounded",
    "prices.feed_bytes_max": "bounded",
    "listening.heartbeat_s": "bounded",
    "listening.stream_life_s": "how often listeners are spread over balancers",
    "listening.streams_per_client_max": "a client's share of streams_max",
    "rates.address_burst": "how long a burst may be",
    "rates.redis_wait_s": "bounded",
    "trades.attempts_max": "bounded",
    "trades.failure_cache_s": "how old an answer may be",
    "trades.inventory_queue_s": "how far ahead players may stand in line",
    "trades.untradable_cache_s": "how old an answer may be",
    "trades.hold_cache_s": "how old an answer may be",
    "trades.bans_cache_s": "how old an answer may be",
    "trades.offer_timeout_factor": "bounded",
    "trades.keep_gifts": "a choice",
    "games.bot_gone_after_s": "how long a bot may be away",
    "limits.steam_level_min": "0 asks nothing",
    "games.user_credits_day_cents": "a client's limit holds for all its users",
    "games.user_exchanges_day_cents": "a client's limit holds for all its users",
    "games.client_exchanges_day_cents": "exchanges give no more than they take",
    "retention.tokens_days": "what a late player is told",
    "retention.alarms_days": "what is told again",
    "group.vault_key_file": "looked at, below",
    "group.status_dir": "looked at, below",
    "group.decline_strangers": "a choice",
    "steam.language": "there is one",
    "steam.accept_trade_protection": "a choice",
    "steam.maintenance_hold_s": "how soon a bot tries again",
    "steam.maintenance_lasts_s": "within it signs only count more; without it an empty inventory is still read twice",
    "log.format": "a choice",
}


def test_every_setting_was_thought_about() -> None:
    """A new one: say in config_findings what cannot work or is unsafe with it, add that to WRONG; or say why not."""
    named = {setting for _, level, setting in WRONG if level}
    for wrong, _, _ in WRONG:
        for each in findings.find(settings.load(overrides=laid(GOOD, wrong)), EITHER, None):
            named |= set(each.also)
    known = {f"{section}.{key}" for section, keys in settings.names().items() for key in keys}
    assert known - named - NOTHING_TO_SAY.keys() == set()
    assert NOTHING_TO_SAY.keys() <= known and not NOTHING_TO_SAY.keys() & {setting for _, level, setting in WRONG if level}


def test_a_part_is_told_only_what_concerns_it() -> None:
    read = settings.load(overrides=laid(GOOD, one("steam.base_url", "https://steam.example"), one("balancer.port", 0)))
    named = {part: {each.setting for each in findings.find(read, frozenset({part}), None)} for part in EITHER}
    assert named == {BALANCER: {"balancer.port"}, HOST: {"steam.base_url"}}
    assert findings.parts_of({"balancer": {}, "redis": {}}) == {BALANCER}
    assert findings.parts_of({"group": {}, "pace": {}}) == {HOST}
    assert findings.parts_of({"redis": {}}) == EITHER
