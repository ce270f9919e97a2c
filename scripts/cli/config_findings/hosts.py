"""Hosts of bots: their groups, how they speak to Steam, and at what pace."""

from __future__ import annotations

from urllib.parse import urlsplit

from scripts.cli.config_findings.addresses import is_here, is_real
from scripts.cli.config_findings.finding import Findings, error, warning
from scripts.cli.config_findings.limits import STEAM_TOKEN_LIVES_S
from shared.settings import Settings

TIMEOUT_STOP_S = 120.0  # TimeoutStopSec in config/systemd/fleet-group@.service


def group(settings: Settings) -> Findings:
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


def steam(settings: Settings) -> Findings:
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


def pace(settings: Settings) -> Findings:
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


def process(settings: Settings) -> Findings:
    if settings.log.level == "debug" and is_real(settings):
        yield warning("log.level", "a line for each call of each bot fills a disk within days", "write info")
    if settings.clock.offset_s:
        text = "this process takes the time for another one: tokens, leases and Guard codes are wrong"
        yield error("clock.offset_s", text, "leave it out; only tests set it")
    if settings.clock.moved_file and is_real(settings):
        text = "whoever may write this file moves the time by which tokens, offers and settlements go"
        yield error("clock.moved_file", text, "leave it out; only fleets with a sandbox have one")
