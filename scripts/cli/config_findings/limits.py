"""Limits and times that do not fit each other, or that Steam's own make useless."""

from __future__ import annotations

from scripts.cli.config_findings.addresses import BODY_MAX_BYTES, is_real
from scripts.cli.config_findings.finding import DAY_S, Findings, error, warning
from shared.settings import Settings

# What Steam does, whatever we would like.
STEAM_OFFERS_PER_BOT = 30
STEAM_OFFERS_PER_PARTNER = 5
STEAM_ITEMS_MAX = 1000
STEAM_OFFER_LIVES_S = 14 * DAY_S
STEAM_PROTECTS_S = 7 * DAY_S
STEAM_TOKEN_LIVES_S = DAY_S
STEAM_READS_PER_MINUTE = 30
ASSET_BYTES = 40  # one asset id or one small trade in a request's JSON
OLD_VALUE_S = 3 * 86400.0


def limits(settings: Settings) -> Findings:
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


def games(settings: Settings) -> Findings:
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


def rates(settings: Settings) -> Findings:
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


def retention(settings: Settings) -> Findings:
    retention = settings.retention
    for key, least, text in (
        ("trades_days", STEAM_PROTECTS_S / DAY_S + 1, "trades are deleted while Steam still lets players reverse them"),
        ("events_days", STEAM_PROTECTS_S / DAY_S, "a site that was away for a week misses what happened"),
        ("idempotency_days", 1.0, "a site that repeats a request of yesterday makes a second trade"),
        ("users_days", STEAM_PROTECTS_S / DAY_S + 1, "players are deleted while their trades may still be reversed"),
    ):
        if 0 < getattr(retention, key) < least:
            yield warning(f"retention.{key}", text, f"write {least:g} or more, or 0 for ever")


def looks(settings: Settings) -> Findings:
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


def trades(settings: Settings) -> Findings:
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


def requests(settings: Settings) -> Findings:
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


def orders(settings: Settings) -> Findings:
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
