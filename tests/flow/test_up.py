"""`fleet up` once more in the same folder: another world, other books, and the earlier ones kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from flow_site import Website

from scripts.lab.stack import Stack, Wish

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("readme"), pytest.mark.timeout(240)]


def trades_in(file: Path) -> int:
    connection = sqlite3.connect(file)
    try:
        (count,) = connection.execute("SELECT count(*) FROM trades").fetchone()
    finally:
        connection.close()
    return int(count)


def test_a_second_start_begins_with_empty_books_and_keeps_the_others(tmp_path: Path) -> None:
    wish = Wish(tmp_path, bots_per_group=1, players=1, protection_s=5)
    with Stack(wish) as first:
        site = Website(first)
        site.until(site.deposit(site.player()).body["trades"][0]["trade_id"], "accepted", "settled")
    with Stack(wish) as second:
        assert Website(second).call("GET", "/trade").body["trades"] == []
        assert (tmp_path / "api-key").read_text().strip() == second.api_key
        Website(second).agree()
    [kept] = tmp_path.glob("fleet-*.db")
    assert (trades_in(kept), trades_in(tmp_path / "fleet.db")) == (1, 0)
