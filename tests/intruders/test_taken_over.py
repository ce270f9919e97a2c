"""A host was taken over, or somebody may write everything in Redis: nothing is given away, nothing stops, and it is told."""

from __future__ import annotations

import json
import pickle
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import redis
from flow_site import Player, Website
from intruders import trading
from intruders.intruder import Intruder, held, pid_of
from support import wait_until

from shared import wire
from shared.clock import Clock
from shared.domain.items import Asset
from shared.reports import Heartbeat, Report
from shared.sealing import seal

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intruders"), pytest.mark.timeout(600)]

DONE = ("accepted", "settled")
CREATED = "2026-11-21T00:00:00.000000Z"


def offers_from(site: Website, bot_steam_id: str) -> set[str]:
    return {offer["offer_id"] for offer in site.record()["offers"] if offer["sender"] == bot_steam_id}


# --- a host that was taken over ---------------------------------------------------------------------


def test_its_keys_order_no_other_bot(intruder: Intruder, site: Website) -> None:
    """Put into another bot's queue by force, sealed with the stolen keys in every way there is: refused and told."""
    thief, stack = site.player(), intruder.stack
    blue = next(bot for bot in stack.bots() if bot.bot == "blue-1")
    give = [Asset(730, "2", row["asset_id"]) for row in site.record()["assets"] if row["owner"] == blue.steam_id]
    before, refused = offers_from(site, blue.steam_id), len(intruder.events("order_refused", "blue-1"))
    order = intruder.send_order("blue-1", thief, give)
    with pytest.raises(redis.exceptions.NoPermissionError):
        intruder.host.rpush("rq:queue:blue-1", wire.job_id("blue-1", order.order_id))
    for number, (named, purpose) in enumerate(
        (("blue-1", "order:blue-1"), ("red-1", "order:red-1"), ("blue-1", "order:red-1"))
    ):
        sealed = seal(intruder.keys.order, replace(order, bot=named).dumps(), purpose=purpose)
        intruder.push("blue-1", f"forged-{number}", wire.job_mapping(sealed, "blue-1", CREATED))
    wait_until(lambda: intruder.everything.llen("rq:queue:blue-1") == 0, trading.LONG_S)
    wait_until(lambda: not intruder.everything.exists(wire.job_key("blue-1", "forged-2")), trading.LONG_S)
    told = wait_until(lambda: intruder.events("order_refused", "blue-1")[refused:] or refused, trading.LONG_S, 0.2)
    assert told  # once for many: the same refusal again and again is not written down each time
    assert intruder.log_says("group-blue-1", "order_refused")()
    assert offers_from(site, blue.steam_id) == before
    trading.deposit(site, site.player(habit="accept"), "blue", *DONE)


def test_it_cannot_report_for_others(intruder: Intruder, site: Website) -> None:
    """That a trade of another bot was accepted, and everything else that would set something free."""
    player = site.player(habit="ignore")
    trade = trading.deposit(site, player, "blue", "sent")
    asset = trade["items"][0]["asset_id"]
    moved = [{"asset_id": asset, "context_id": "2", "new_asset_id": "1", "new_context_id": "2"}]
    accepted = {"offer_id": trade["offer_id"], "state": 3, "exchange_id": "1", "settles_at": None, "moved": moved}
    ignored = len(intruder.events("report_ignored", "red-1"))
    kinds = {
        "offer_accepted": accepted,
        "settled": {"assets": []},
        "offer_declined": {"offer_id": trade["offer_id"], "state": 7},
    }
    for kind, data in kinds.items():
        intruder.report(kind, trade["trade_id"], data, bot=trade["bot"])
        intruder.report(kind, trade["trade_id"], data)
    wait_until(lambda: len(intruder.events("report_ignored", "red-1")) >= ignored + len(kinds), trading.LONG_S, 0.2)
    wait_until(intruder.log_says("balancer", "report refused"), trading.LONG_S)
    assert site.trade(trade["trade_id"])["status"] == "sent"
    trading.cancel(site, trade)


def test_what_it_says_of_its_own_bots_stops_nobody_else(intruder: Intruder, site: Website) -> None:
    """Reports and heartbeats of every wrong shape, under a good seal: one is told of, the others' go on."""
    own = trading.deposit(site, site.player(habit="ignore"), "red", "sent")
    nonsense: list[Any] = [None, [], {}, "x" * 100_000, 10**30, -1, 1.5, "\ud800", "\0", {"a": {"b": []}}, True]
    for value in nonsense:
        intruder.report("offer_active", own["trade_id"], {"offer_id": value, "state": value})
        intruder.report("confirmation_needed", own["trade_id"], {"offer_id": value})
        intruder.report("items_seen", own["trade_id"], {"assets": value})
        intruder.report("gift_accepted", None, {"offer_id": value, "moved": value, "partner": value})
        intruder.report("inventory_read", None, {"steam_id": value, "assets": value})
        intruder.report("order_failed", None, {"kind": value, "reason": value})
        intruder.report("offer_unknown", value, value, attempt=value)
    beat = Heartbeat("red-1", "run", 1, "host", "x" * 50, "online", Clock().now_ms())
    for wrong in (beat, replace(beat, at_ms="now"), replace(beat, steam_id="1" * 17, items=[])):  # type: ignore[arg-type]
        wire.put_heartbeat(intruder.host, wrong, intruder.keys)
    trade = trading.deposit(site, site.player(habit="accept"), "blue", *DONE)
    assert trade["bot"].startswith("blue-")
    trading.cancel(site, own)


def test_another_bots_answer_is_not_believed(intruder: Intruder, site: Website) -> None:
    """The inventory that one bot was asked for, told by the stolen keys before it can: the true one counts."""
    players = [site.player(items=2) for _ in range(8)]
    bots = ["blue-1", "blue-2", "red-2"]
    answers: dict[str, Any] = {}

    def ask(player: Player) -> None:
        answers[player.steam_id] = site.call("POST", "/inventory", {"steam_id": player.steam_id})

    pids = [pid_of(intruder.stack, bot) for bot in bots]
    with held(pids):
        asking = [threading.Thread(target=ask, args=(player,)) for player in players]
        for thread in asking:
            thread.start()

        def waiting() -> list[str]:
            rows: Any = [row for bot in bots for row in intruder.everything.lrange(f"rq:queue:{bot}", 0, -1)]
            return [row.decode().partition("_")[2] for row in rows if b"_inventory_" in row]

        order_ids = wait_until(waiting, trading.LONG_S)
        asset = {"asset": {"app_id": 730, "context_id": "2", "asset_id": "1"}, "class_id": "1", "instance_id": "0", "amount": 1}
        lie = {**asset, "market_hash_name": "Karambit", "tradable": True}
        for order_id in order_ids:
            told = Report(
                "red-1", "r", 1, "inventory_read", order_id, None, 0, 0, {"steam_id": "1", "assets": [lie], "hold_days": 0}
            )
            wire.append_reports(intruder.host, [told], intruder.keys)
        wait_until(intruder.log_says("balancer", "another bot answered"), trading.LONG_S)
    for thread in asking:
        thread.join(120)
    assert [answers[player.steam_id].status for player in players] == [200] * len(players)
    names = {item["market_hash_name"] for answer in answers.values() for item in answer.body["items"]}
    assert names and "Karambit" not in names


# --- somebody who may write everything in Redis -----------------------------------------------------


def test_a_replayed_order_makes_no_second_offer(intruder: Intruder, site: Website) -> None:
    """A true send order, copied while its bot stands still, comes again and again, also to other bots."""
    player = site.player(habit="ignore")
    copies: dict[bytes, dict[bytes, bytes]] = {}
    bots = ["red-1", "red-2"]
    pids = [pid_of(intruder.stack, bot) for bot in bots]
    seen = site.call("POST", "/inventory", {"steam_id": player.steam_id, "trade_url": player.trade_url}).body["items"]
    # A dear one would be read again, by a bot of another host: these stand still.
    cheap = min((row for row in seen if row["acceptable"]), key=itemgetter("value_cents"))["asset_id"]
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url, "asset_ids": [cheap]}
    site.all_may(*bots)  # also those that stood still before
    with held(pids):
        answer = site.call("POST", "/deposit?wait=0", {**body, "color": "red"})
        assert answer.status == 202, answer.body
        [trade] = answer.body["trades"]

        def queued() -> bool:
            # A worker that stands still may have been handed the order all the same.
            for queue in (f"rq:queue:{bot}{more}" for bot in bots for more in ("", ":intermediate")):
                rows: Any = intruder.everything.lrange(queue, 0, -1)
                for row in (row for row in rows if b"send-" in row):
                    fields: Any = intruder.everything.hgetall(b"rq:job:" + row)
                    copies[row] = fields
            return bool(copies)

        wait_until(queued, trading.LONG_S)
    site.until(trade["trade_id"], "sent", timeout_s=trading.LONG_S)
    for _ in range(3):
        for row, fields in copies.items():
            order_id = row.decode().partition("_")[2]
            for bot in ("red-1", "red-2", "blue-1"):
                intruder.push(bot, order_id, {name.decode(): value for name, value in fields.items()})
    queues = ("rq:queue:red-1", "rq:queue:red-2", "rq:queue:blue-1")
    wait_until(lambda: not any(intruder.everything.llen(queue) for queue in queues), trading.LONG_S)
    trading.deposit(site, site.player(habit="accept"), "red", *DONE)
    assert len(site.offers_of(trade["trade_id"], player.steam_id)) == 1
    trading.cancel(site, trade)


@contextmanager
def copied(client: redis.Redis) -> Iterator[dict[bytes, dict[bytes, bytes]]]:
    """Every report that comes meanwhile, before the balancer has removed it."""
    copies: dict[bytes, dict[bytes, bytes]] = {}
    over = threading.Event()

    def copy() -> None:
        last: Any = "$"
        while not over.is_set():
            answer: Any = client.xread({wire.REPORTS: last}, block=500)
            for entry_id, fields in (entry for _, entries in answer or () for entry in entries):
                copies[entry_id], last = fields, entry_id

    thread = threading.Thread(target=copy)
    thread.start()
    try:
        yield copies
    finally:
        over.set()
        thread.join()


def place(entry_id: bytes) -> tuple[int, ...]:
    return tuple(map(int, entry_id.split(b"-")))


def test_replayed_reports_bring_nothing_back(intruder: Intruder, site: Website) -> None:
    """A player declines a withdrawal, then takes the item; all true reports of it are put into the stream again, twice."""
    player = site.player(habit="accept")
    with copied(intruder.everything) as copies:
        trade = trading.deposit(site, player, "red", "settled")
        [deposit_id] = [item["deposit_id"] for item in trade["items"]]
        site.change(player.steam_id, habit="decline")
        trading.withdraw(site, player, [deposit_id], "declined")
        wait_until(lambda: site.deposits(player)[deposit_id]["status"] == "active", trading.LONG_S, 0.2)
        site.change(player.steam_id, habit="accept")
        given = trading.withdraw(site, player, [deposit_id], "settled")
        mine = [fields for fields in copies.values() if fields[b"bot"].decode() == given["bot"]]
    opened = [wire.open_report(given["bot"], fields[b"sealed"], intruder.keys_of(given["bot"])) for fields in mine]
    assert {"items_seen", "offer_accepted", "settled"} <= {report.kind for report in opened}
    before = site.deposits(player), site.trade(given["trade_id"]), site.trade(trade["trade_id"])
    last: Any = b""
    for fields in mine * 2:
        last = intruder.everything.xadd(wire.REPORTS, fields)  # type: ignore[arg-type]

    def applied() -> bool:
        groups: Any = intruder.everything.xinfo_groups(wire.REPORTS)
        group = groups[0]
        return bool(group["pending"] == 0 and place(group["last-delivered-id"]) >= place(last))

    wait_until(applied, trading.LONG_S, 0.2)
    assert (site.deposits(player), site.trade(given["trade_id"]), site.trade(trade["trade_id"])) == before
    assert site.withdraw(player, [deposit_id], wait=0).status == 409


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.path)!r}, 'w')",))


def test_junk_of_every_kind_stops_nothing(intruder: Intruder, site: Website, tmp_path: Path) -> None:
    """Pickles, other functions, other types where ours belong, endless leases, thousands of reports, millions of bytes."""
    client, trace = intruder.everything, tmp_path / "unpickled"
    call: list[Any] = [wire.ORDER_FUNCTION, None, ["x"], {}]
    for number, data in enumerate(
        (
            pickle.dumps(Evil(trace)),
            zlib.compress(pickle.dumps(Evil(trace))),
            zlib.compress(json.dumps(["os.system", None, [f"touch {trace}"], {}]).encode()),
            zlib.compress(json.dumps([*call[:2], ["x" * 3_000_000], {}]).encode()),
            b"x" * 7_000_000,
        )
    ):
        intruder.push("red-1", f"junk-{number}", {"data": data})
    client.rpush("rq:queue:red-1", b"x" * 1_000_000, b"", b"\xff\xfe", "blue-1_send-x")
    with client.pipeline(transaction=False) as pipe:
        for number in range(5000):
            pipe.xadd(wire.REPORTS, {"bot": f"red-{number % 20}", "sealed": "x" * (number % 3000)})
        entries: list[dict[Any, Any]] = [{"x": "y"}, {"bot": b"\xff" * 100_000}, {"bot": "red-1", "sealed": b"x" * 7_000_000}]
        for entry in entries:
            pipe.xadd(wire.REPORTS, entry)
        pipe.sadd(wire.BOTS, *(f"junk-{number}" for number in range(5000)), "x" * 1_000_000)
        pipe.set(wire.heartbeat_key("red-2"), b"x" * 7_000_000)
        pipe.publish(wire.CHANGES, b"[" * 1_000_000)
        pipe.publish(wire.CHANGES, b"x" * 7_000_000)
        pipe.execute()
    for key in (
        "rq:queue:blue-2",
        "rq:queue:red-2:intermediate",
        wire.lease_key("red-2"),
        wire.memory_key("blue-1"),
        wire.BOTS,
    ):
        client.delete(key)
        client.hset(key, "x", "y")
    client.set(wire.lease_key("blue-1"), "the intruder's")  # and no time to live
    for color in ("red", "blue"):
        trading.deposit(site, site.player(habit="accept"), color, *DONE)
    client.delete(wire.REPORTS)
    client.set(wire.REPORTS, "no stream")
    for color in ("red", "blue"):
        trading.deposit(site, site.player(habit="accept"), color, *DONE)
    client.delete(wire.BOTS)
    assert not trace.exists()
    assert intruder.events("order_refused", "red-1")


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_million_reports_and_values_of_a_hundred_megabytes_stop_nothing(intruder: Intruder, site: Website) -> None:
    """On a Redis that lets them in. Memory of balancer and workers stays below what one such value takes a few times."""
    client, large = intruder.everything, b"x" * 100_000_000
    client.config_set("proto-max-bulk-len", 512 * 1024 * 1024)
    client.config_set("maxmemory", 4 * 1024**3)
    client.config_set("client-query-buffer-limit", 1024**3)
    client.config_set("client-output-buffer-limit", "normal 0 0 0")
    for bot in ("red-1", "red-2", "blue-1", "blue-2"):
        intruder.push(bot, "large", {"data": large})
    client.set(wire.heartbeat_key("red-2"), large)
    client.xadd(wire.REPORTS, {"bot": "red-1", "sealed": large})
    for _ in range(100):
        with client.pipeline(transaction=False) as pipe:
            for number in range(10_000):
                pipe.xadd(wire.REPORTS, {"bot": f"red-{number}", "sealed": "junk"})
            pipe.execute()
    for color in ("red", "blue"):
        trading.deposit(site, site.player(habit="accept"), color, *DONE)
    for part in intruder.stack.parts:
        if part.name != "sandbox":
            assert peak_mb(part.process.pid) < 1500, part.name


def peak_mb(pid: int) -> int:
    """The most memory that a process ever had at once."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024
