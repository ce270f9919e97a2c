"""The crosscheck must name each kind of difference; a small true world is broken in one place at a time."""

from __future__ import annotations

import copy
import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scripts import crosscheck
from scripts.cli.fleet import main
from scripts.crosscheck import Books

BOT, PLAYER, TOKEN = "76561198000000001", "76561198000000002", "0123456789abcdefghijkl"
Break = Callable[[dict[str, Any], dict[str, Any]], None]


def world() -> tuple[dict[str, Any], dict[str, Any]]:
    """One item deposited and settled, another one given back; books and record agree."""
    row = {"user_id": "u", "color": "red", "bot_id": 1, "app_id": 730, "context_id": "2", "frozen_by": None, "settled_at": "x"}
    trade = {"color": "red", "bot_id": 1, "partner": PLAYER, "status": "settled", "waits_for": None}
    books = {
        "bots": [{"color": "red", "bot_id": 1, "steam_id": BOT, "slots_held": 1, "slots_reserved": 0, "open_offers": 0}],
        "deposits": [
            row | {"deposit_id": "dp_1", "status": "active", "asset_id": "11", "market_hash_name": "AK"},
            row | {"deposit_id": "dp_2", "status": "withdrawn", "asset_id": "21", "market_hash_name": "M4"},
        ],
        "trades": [
            trade | {"trade_id": "tr_1", "direction": "deposit", "offer_id": "501", "exchange_id": "901"},
            trade | {"trade_id": "tr_2", "direction": "withdraw", "offer_id": "502", "exchange_id": "902"},
        ],
        "trade_items": [
            {"trade_id": "tr_1", "deposit_id": "dp_1", "market_hash_name": "AK", "asset_id": "10", "new_asset_id": "11"},
            {"trade_id": "tr_2", "deposit_id": "dp_2", "market_hash_name": "M4", "asset_id": "21", "new_asset_id": "22"},
        ],
        "tokens": [{"token_hash": hashlib.sha256(b"token:" + TOKEN.encode()).hexdigest(), "trade_id": "tr_1"}],
        "events": [1, 2, 3],
    }
    asset = {"app_id": 730, "context_id": "2"}
    offer = {"sender": BOT, "recipient": PLAYER, "state": 3, "give": [], "receive": []}
    record = {
        "assets": [
            asset | {"item_uid": 1, "asset_id": "11", "owner": BOT, "market_hash_name": "AK"},
            asset | {"item_uid": 2, "asset_id": "22", "owner": PLAYER, "market_hash_name": "M4"},
        ],
        "offers": [
            offer | {"offer_id": "501", "message": f"https://site.example/verify/{TOKEN} hello"},
            offer | {"offer_id": "502", "message": "https://site.example/verify/purged-long-ago-xxxxx"},
        ],
        "exchanges": [
            {"tradeid": "901", "moves": [{"old_asset_id": "10", "new_asset_id": "11", "from": PLAYER, "to": BOT}]},
            {"tradeid": "902", "moves": [{"old_asset_id": "21", "new_asset_id": "22", "from": BOT, "to": PLAYER}]},
        ],
        "origins": [{"item_uid": 1, "market_hash_name": "AK"}, {"item_uid": 2, "market_hash_name": "M4"}],
    }
    return books, record


def found(change: Break | None = None) -> set[str]:
    books, record = copy.deepcopy(world())
    if change:
        change(books, record)
    return {row.kind for row in crosscheck.differences(Books(**books), record)}


def test_a_true_world_has_no_differences() -> None:
    assert found() == set()


def item_stolen(books: dict[str, Any], record: dict[str, Any]) -> None:
    del record["assets"][0]


def item_of_nobody(books: dict[str, Any], record: dict[str, Any]) -> None:
    record["assets"].append(record["assets"][0] | {"asset_id": "99", "item_uid": 3})


def item_swapped(books: dict[str, Any], record: dict[str, Any]) -> None:
    record["assets"][0]["market_hash_name"] = "M4"


def item_copied(books: dict[str, Any], record: dict[str, Any]) -> None:
    record["assets"].append(record["assets"][0] | {"owner": PLAYER})


def row_doubled(books: dict[str, Any], record: dict[str, Any]) -> None:
    books["deposits"].append(books["deposits"][0] | {"deposit_id": "dp_3"})
    books["bots"][0]["slots_held"] = 2


def settled_too_early(books: dict[str, Any], record: dict[str, Any]) -> None:
    record["assets"][0]["context_id"] = "16"


def offer_nobody_knows(books: dict[str, Any], record: dict[str, Any]) -> None:
    message = "https://site.example/verify/of-no-trade-of-ours-xxx"
    record["offers"].append(record["offers"][1] | {"offer_id": "777", "state": 6, "message": message})


def accepted_twice(books: dict[str, Any], record: dict[str, Any]) -> None:
    record["offers"].append(record["offers"][0] | {"offer_id": "503"})


def accepted_twice_after_its_token_was_used_up(books: dict[str, Any], record: dict[str, Any]) -> None:
    accepted_twice(books, record)
    books["tokens"].clear()


def second_offer_still_open(books: dict[str, Any], record: dict[str, Any]) -> None:
    record["offers"].append(record["offers"][0] | {"offer_id": "503", "state": 2})


def sent_to_a_stranger(books: dict[str, Any], record: dict[str, Any]) -> None:
    record["offers"][0]["recipient"] = "76561198000000009"


def declined_but_accepted(books: dict[str, Any], record: dict[str, Any]) -> None:
    books["trades"][1]["status"] = "declined"


def accepted_but_declined(books: dict[str, Any], record: dict[str, Any]) -> None:
    record["offers"][1]["state"] = 7


def items_not_seen_again(books: dict[str, Any], record: dict[str, Any]) -> None:
    books["deposits"][0]["status"] = "withdraw_pending"


def wrong_new_id(books: dict[str, Any], record: dict[str, Any]) -> None:
    books["trade_items"][0]["new_asset_id"] = "12"


def moved_elsewhere(books: dict[str, Any], record: dict[str, Any]) -> None:
    record["exchanges"][1]["moves"][0]["to"] = "76561198000000009"


def moved_more(books: dict[str, Any], record: dict[str, Any]) -> None:
    record["exchanges"][1]["moves"].append(record["exchanges"][1]["moves"][0] | {"old_asset_id": "23"})


def slot_leaked(books: dict[str, Any], record: dict[str, Any]) -> None:
    books["bots"][0]["slots_reserved"] = 1


def event_doubled(books: dict[str, Any], record: dict[str, Any]) -> None:
    books["events"].append(2)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (item_stolen, "missing"),
        (item_stolen, "world"),
        (item_of_nobody, "extra"),
        (item_swapped, "swapped"),
        (item_copied, "world"),
        (row_doubled, "doubled"),
        (settled_too_early, "protected"),
        (offer_nobody_knows, "unknown_offer"),
        (accepted_twice, "twice"),
        (accepted_twice_after_its_token_was_used_up, "twice"),
        (second_offer_still_open, "live_offer"),
        (sent_to_a_stranger, "wrong_partner"),
        (declined_but_accepted, "status"),
        (accepted_but_declined, "status"),
        (items_not_seen_again, "unseen"),
        (wrong_new_id, "asset_id"),
        (moved_elsewhere, "wrong_partner"),
        (moved_more, "not_moved"),
        (slot_leaked, "counter"),
        (event_doubled, "event"),
    ],
)
def test_each_difference_is_named(change: Break, kind: str) -> None:
    assert kind in found(change)


@pytest.mark.parametrize(("status", "state"), [("sent", 2), ("held", 11), ("confirming", 9), ("in_doubt", 2), ("queued", None)])
def test_a_trade_that_is_still_going_on_is_counted_and_no_difference(status: str, state: int | None) -> None:
    books, record = copy.deepcopy(world())
    going = {"trade_id": "tr_3", "direction": "deposit", "offer_id": "503", "exchange_id": None, "status": status}
    books["trades"].append(books["trades"][0] | going)
    books["deposits"].append(books["deposits"][0] | {"deposit_id": "dp_3", "status": "deposit_pending", "asset_id": None})
    books["trade_items"].append(books["trade_items"][0] | {"trade_id": "tr_3", "deposit_id": "dp_3", "asset_id": "30"})
    books["bots"][0] |= {"slots_reserved": 1, "open_offers": int(status != "held")}
    if state is not None:
        record["offers"].append(record["offers"][0] | {"offer_id": "503", "state": state, "message": ""})
    assert crosscheck.differences(Books(**books), record) == []
    assert crosscheck.under_way(Books(**books)) == {status: 1}


@pytest.mark.parametrize(("later", "kinds"), [("agrees", []), ("differs", ["missing", "world"])])
def test_what_a_second_look_at_a_running_sandbox_does_not_show_is_no_difference(later: str, kinds: list[str]) -> None:
    """The record is read a moment before or after the tables: an offer may have been accepted in between."""
    books, record = copy.deepcopy(world())
    early = copy.deepcopy(record)
    item_stolen(books, early)
    records = [early, record if later == "agrees" else early]
    pauses: list[None] = []
    found = crosscheck.compare(lambda: (Books(**books), records.pop(0)), lambda: pauses.append(None))
    assert pauses == [None]
    assert sorted({row.kind for row in found[2]}) == kinds


def test_what_agrees_at_once_and_what_cannot_change_is_read_once() -> None:
    books, record = copy.deepcopy(world())
    assert crosscheck.compare(iter([(Books(**books), record)]).__next__, lambda: None)[2] == []
    item_stolen(books, record)
    assert crosscheck.compare(iter([(Books(**books), record)]).__next__, None)[2] != []


def test_books_are_read_from_a_migrated_database(tmp_path: Path) -> None:
    from balancer.db.migrate import upgrade

    path = tmp_path / "fleet.db"
    upgrade(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO bots (color, bot_id, steam_id, created_at, touched) VALUES ('red', 1, ?, '2026-01-01', '2026-01-01')",
            (int(BOT),),
        )
    connection.close()
    books = crosscheck.read_books(f"sqlite:///{path}")
    assert [row["steam_id"] for row in books.bots] == [BOT]
    assert books.trades == [] and books.events == []
    asset = {"owner": BOT, "asset_id": "7", "item_uid": 1, "market_hash_name": "AK", "context_id": "2"}
    record = {"assets": [asset], "origins": [{"item_uid": 1, "market_hash_name": "AK"}], "offers": [], "exchanges": []}
    (tmp_path / "record.json").write_text(json.dumps(record))
    done = CliRunner().invoke(main, ["crosscheck", str(tmp_path / "record.json"), "--database", f"sqlite:///{path}"])
    assert done.exit_code == 1 and "extra: asset 7 (AK)" in done.output, done.output


LOCK = {"client_id": "cli_1", "ref": "bet"}
BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("lock", {"lock_rows": [], "locks": []}),
    ("lock", {"locked_by": None}),
    ("lock", {"lock_rows": [LOCK | {"deposit_id": "dp_1", "state": "moved"}]}),
    ("lock", {"lock_rows": [LOCK | {"deposit_id": "dp_gone", "state": "held"}]}),
    ("lock", {"locks": [LOCK | {"state": "released"}]}),
    ("lock", {"status": "withdraw_pending"}),
    ("credit", {"credits": [{"user_id": "u", "cents": 5}]}),
    ("credit", {"balances": [{"user_id": "u", "credit_cents": 4}, {"user_id": "house", "credit_cents": -5}]}),
    ("credit", {"balances": [{"user_id": "house", "credit_cents": -5}]}),
    ("ticket", {"issued": []}),
    ("ticket", {"issued": [{"item_id": "itm_t", "n": 2}]}),
    ("ticket", {"issued": [{"item_id": "itm_t", "n": 1}, {"item_id": "itm_u", "n": 1}]}),
]


@pytest.mark.parametrize(("kind", "change"), [("", {}), *BROKEN])
def test_locks_credits_and_tickets_that_do_not_add_up_are_named(kind: str, change: dict[str, Any]) -> None:
    books, record = copy.deepcopy(world())
    row = books["deposits"][0]
    row["locked_by"] = "cli_1:bet"
    books["locks"] = [LOCK | {"state": "held"}]
    books["lock_rows"] = [LOCK | {"deposit_id": "dp_1", "state": "held"}]
    books["credits"] = [{"user_id": "u", "cents": 5}, {"user_id": "house", "cents": -5}]
    books["balances"] = [{"user_id": "u", "credit_cents": 5}, {"user_id": "house", "credit_cents": -5}]
    ticket = {**dict.fromkeys(row), "deposit_id": "dp_t", "item_id": "itm_t", "status": "active", "market_hash_name": "T"}
    books["deposits"].append(ticket)
    books["issued"] = [{"item_id": "itm_t", "n": 1}]
    for name, value in change.items():
        (row if name in row else books)[name] = value
    kinds = {each.kind for each in crosscheck.differences(Books(**books), record)}
    assert kinds - {"unseen"} == ({kind} if kind else set())


def test_a_ticket_on_its_way_out_is_named() -> None:
    books, record = copy.deepcopy(world())
    ticket = {**dict.fromkeys(books["deposits"][0]), "deposit_id": "dp_t", "item_id": "itm_t", "market_hash_name": "T"}
    books["deposits"].append(ticket | {"status": "withdrawn"})
    books["issued"] = [{"item_id": "itm_t", "n": 1}]
    assert [each.about for each in crosscheck.differences(Books(**books), record)] == ["dp_t"]
