"""`fleet up` once more in the same folder: another world, other books, and the earlier ones kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from flow_site import Website

from scripts.lab.stack import Stack, Wish

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("readme"), pytest.mark.timeout(240)]


def rows_in(file: Path, table: str) -> int:
    connection = sqlite3.connect(file)
    try:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    finally:
        connection.close()
    return int(count)


def test_a_second_start_begins_with_empty_books_and_keeps_the_others(tmp_path: Path) -> None:
    """Of a fleet without bots, which starts in seconds; what it has is issued."""
    wish = Wish(tmp_path, groups=[], players=0)
    with Stack(wish) as first:
        issue = {"ref": "issue:1", "market_hash_name": "Ticket", "value_cents": 100, "count": 1, "to": "house"}
        assert Website(first).call("POST", "/issues", issue).status in (200, 201)
    with Stack(wish) as second:
        assert Website(second).call("GET", "/deposits?user_id=house").body["deposits"] == []
        assert (tmp_path / "api-key").read_text().strip() == second.api_key
    [kept] = tmp_path.glob("fleet-*.db")
    assert (rows_in(kept, "deposits"), rows_in(tmp_path / "fleet.db", "deposits")) == (1, 0)


@pytest.mark.long
def test_a_second_start_with_bots_begins_with_empty_books_too(tmp_path: Path) -> None:
    wish = Wish(tmp_path, bots_per_group=1, players=1, protection_s=5)
    with Stack(wish) as first:
        site = Website(first)
        site.until(site.deposit(site.player()).body["trades"][0]["trade_id"], "accepted", "settled")
    with Stack(wish) as second:
        assert Website(second).call("GET", "/trade").body["trades"] == []
        assert (tmp_path / "api-key").read_text().strip() == second.api_key
        Website(second).agree()
    [kept] = tmp_path.glob("fleet-*.db")
    assert (rows_in(kept, "trades"), rows_in(tmp_path / "fleet.db", "trades")) == (1, 0)
