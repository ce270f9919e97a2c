"""A site that repeats what was refused, as sites do: for tests in which something is always broken for a while."""

from __future__ import annotations

from typing import Any

from flow_site import Player, Website
from support import wait_until

LONG_S = 180.0


def deposit(site: Website, player: Player, color: str, *statuses: str) -> dict[str, Any]:
    """One item goes in; the trade once it has one of these statuses."""
    trade = wait_until(lambda: made(site, player, color), LONG_S, 0.3)
    assert trade is not None
    return site.until(trade["trade_id"], *statuses, timeout_s=LONG_S)


def made(site: Website, player: Player, color: str) -> dict[str, Any] | None:
    """The trade of one try, if it came about."""
    read = site.call("POST", "/inventory", {"steam_id": player.steam_id, "trade_url": player.trade_url})
    assets = [row["asset_id"] for row in read.body.get("items", []) if row["acceptable"]][:1]
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url, "asset_ids": assets}
    answer = site.call("POST", "/deposit?wait=1", {**body, "color": color}) if assets else None
    return answer.body["trades"][0] if answer is not None and answer.status < 300 else None


def withdraw(site: Website, player: Player, deposit_ids: list[str], *statuses: str) -> dict[str, Any]:
    """These items go out; the trade once it has one of these statuses."""

    def asked() -> dict[str, Any] | None:
        answer = site.withdraw(player, deposit_ids, wait=1)
        return answer.body["trades"][0] if answer.status < 300 else None

    trade = wait_until(asked, LONG_S, 0.3)
    assert trade is not None
    return site.until(trade["trade_id"], *statuses, timeout_s=LONG_S)


def cancel(site: Website, trade: dict[str, Any]) -> None:
    """The trade is canceled, whatever it takes."""
    wait_until(lambda: site.call("POST", f"/trade/{trade['trade_id']}/cancel").status == 200, LONG_S, 0.3)
    site.until(trade["trade_id"], "canceled", timeout_s=LONG_S)


def all_online(site: Website) -> None:
    """Wait until every bot is."""
    wait_until(lambda: all(bot.state == "online" for bot in site.stack.bots()), LONG_S, 0.2)
