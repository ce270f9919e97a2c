"""Fourteen mistakes that other systems of this kind made, each by its name, on a running fleet of real processes.

 1 two parallel identical requests            8 a secret over any route
 2 an offer accepted while its worker was     9 a retry that doubles
   dead
 3 an offer made although the answer was a 500 10 a finished trade that changes
 4 an unknown state number                    11 GET that changes anything
 5 flapping states credited once              12 two items of one name that swap owners
 6 a confirmation failure that keeps the id   13 a sign-in per request
 7 a burst over the cap                       14 a token burnt by a link preview

Each test makes the cause for real and ends in a comparison of the database with the sandbox's own record. Numbers 8, 11 and
14 are about the balancer's routes and stand in `test_mistakes_over_http.py`.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flow_site import Answer, Player, Website
from support import wait_until

from scripts.lab.calls import get_json
from scripts.lab.stack import Stack
from shared import wire
from shared.clock import Clock
from shared.domain.status import TradeEvent
from shared.reports import Report
from shared.sealing import MasterKey

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]

NAME = "AK-47 | Redline (Field-Tested)"


def body_of(site: Website, player: Player, n: int = 1) -> dict[str, Any]:
    body: dict[str, Any] = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
    return body | {"asset_ids": site.acceptable(player)[:n]}


def only_trade(answer: Answer) -> dict[str, Any]:
    assert answer.status in (201, 202), answer.body
    assert len(answer.body["trades"]) == 1
    trade: dict[str, Any] = answer.body["trades"][0]
    return trade


def kinds_of(site: Website, trade_id: str) -> Counter[str]:
    return Counter(row["kind"] for row in site.events(trade_id))


# --- 1: two parallel identical requests ----------------------------------------------------------------------


def test_mistake_01_parallel_identical_requests_make_one_trade(site: Website) -> None:
    player = site.player(habit="accept")
    body = body_of(site, player, 2)
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _number: site.call("POST", "/deposit?wait=10", body, key=f"same-{player.user_id}"), range(50))
        )
    assert {answer.status for answer in answers} <= {201, 202}
    trade_ids = {trade["trade_id"] for answer in answers for trade in answer.body["trades"]}
    assert len(trade_ids) == 1
    site.until(trade_ids.pop(), "settled")
    assert len(site.deposits(player)) == 2
    site.agree()


def test_mistake_01_parallel_identical_requests_with_keys_of_their_own_make_one_trade(site: Website) -> None:
    player = site.player(habit="manual")
    body = body_of(site, player)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _number: site.call("POST", "/deposit?wait=10", body), range(10)))
    made = [answer for answer in answers if answer.status in (201, 202)]
    refused = [answer.body["code"] for answer in answers if answer not in made]
    assert (len(made), set(refused)) == (1, {"asset_in_trade"})
    trade = site.until(only_trade(made[0])["trade_id"], "sent")
    site.act(player, trade["offer_id"], "accept")
    site.until(trade["trade_id"], "accepted", "settled")
    assert len(site.deposits(player)) == 1
    site.agree()


# --- 2: an offer accepted while its worker was dead ----------------------------------------------------------


def group_status(stack: Stack) -> dict[str, Any]:
    path = stack.host_config("red:1").parent / "run" / "group-red-1.json"
    status: dict[str, Any] = json.loads(path.read_text())
    return status


def is_dead(pid: int) -> bool:
    """Whether nothing of this process runs any more; one that waits to be reaped is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_mistake_02_an_offer_accepted_while_its_worker_was_dead_is_credited(site: Website, stack: Stack) -> None:
    player = site.player(habit="manual")
    trade = only_trade(site.deposit(player))
    site.until(trade["trade_id"], "sent")
    supervisor = group_status(stack)["pid"]
    worker = next(row["pid"] for row in group_status(stack)["bots"] if row["bot"] == trade["bot"])
    os.kill(supervisor, signal.SIGSTOP)  # it would have the worker back in half a second
    try:
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: is_dead(worker))
        site.act(player, trade["offer_id"], "accept")
        assert next(row for row in site.record()["offers"] if row["offer_id"] == trade["offer_id"])["state"] == 3
        assert site.trade(trade["trade_id"])["status"] == "sent"
    finally:
        os.kill(supervisor, signal.SIGCONT)
    done = site.until(trade["trade_id"], "accepted", "settled")
    assert done["offer_id"] == trade["offer_id"]
    assert kinds_of(site, trade["trade_id"])["offer_accepted"] == 1
    assert {row["status"] for row in site.deposits(player).values()} == {"active"}
    site.agree()


# --- 3: an offer made although the answer was a 500 ----------------------------------------------------------


def test_mistake_03_an_offer_made_although_the_answer_was_a_500_is_credited_once(site: Website) -> None:
    player = site.player(habit="accept")
    body = body_of(site, player, 2)
    fault = site.fault(route="send", kind="status", status=500, after=True, times=1)
    trade = only_trade(site.call("POST", "/deposit?wait=3", body))
    site.until(trade["trade_id"], "accepted", "settled")
    assert site.fault_hits(fault) == 1
    assert len(site.offers_of(trade["trade_id"], player.steam_id)) == 1
    assert kinds_of(site, trade["trade_id"])["answer_lost"] == 1
    assert {row["status"] for row in site.deposits(player).values()} == {"active"}
    assert len(site.deposits(player)) == 2
    site.agree()


# --- 4: an unknown state number ------------------------------------------------------------------------------


def test_mistake_04_an_unknown_state_number_changes_nothing(site: Website) -> None:
    player = site.player(habit="manual")
    trade = only_trade(site.deposit(player))
    before = site.until(trade["trade_id"], "sent")
    odd = site.fault(route="GetTradeOffers,GetTradeOffer", kind="odd_state", subject=trade["offer_id"], state=42, times=1000)
    wait_until(lambda: site.fault_hits(odd) >= 2, every_s=0.2)
    site.act(player, trade["offer_id"], "accept")
    hits = site.fault_hits(odd)
    wait_until(lambda: site.fault_hits(odd) >= hits + 2, every_s=0.2)
    now = site.trade(trade["trade_id"])
    assert (now["status"], now["offer_id"]) == ("sent", before["offer_id"])
    assert {row["status"] for row in site.deposits(player).values()} == {"deposit_pending"}
    site.end_fault(odd)
    site.until(trade["trade_id"], "accepted", "settled")
    site.agree()


# --- 5: flapping states credited once ------------------------------------------------------------------------


def test_mistake_05_flapping_states_are_credited_once(site: Website) -> None:
    player = site.player(habit="manual")
    trade = only_trade(site.deposit(player, 2))
    site.until(trade["trade_id"], "sent")
    # The new ids do not come, so the bot looks at the accepted offer again and again and meets the state that went back.
    late = site.fault(kind="late_ids", late_s=86400)
    flap = site.fault(route="GetTradeOffers,GetTradeOffer", kind="flap", subject=trade["offer_id"])
    try:
        site.act(player, trade["offer_id"], "accept")
        wait_until(lambda: site.fault_hits(flap) == 1, every_s=0.1)
        site.end_fault(late)
        site.until(trade["trade_id"], "settled")
    finally:
        site.end_fault(flap)
    told = [row for row in site.events(trade["trade_id"]) if row["data"].get("to") == "accepted"]
    assert len(told) == 1
    assert sorted(row["status"] for row in site.deposits(player).values()) == ["active", "active"]
    site.agree()


# --- 6: a confirmation failure that keeps the id -------------------------------------------------------------


def test_mistake_06_a_confirmation_failure_keeps_the_offers_id(site: Website) -> None:
    player = site.player(habit="accept")
    ids = site.settled_deposits(player, 2)
    fault = site.fault(route="ajaxop,multiajaxop", kind="success_false", times=3)
    trade = only_trade(site.withdraw(player, ids, wait=0))
    known = wait_until(lambda: site.trade(trade["trade_id"])["offer_id"], every_s=0.05)
    done = site.until(trade["trade_id"], "accepted", "settled")
    assert site.fault_hits(fault) == 3
    assert done["offer_id"] == known
    assert [row["offer_id"] for row in site.offers_of(trade["trade_id"], player.steam_id)] == [known]
    assert done["attempt"] == 1
    site.agree()


# --- 9 and 7, on a fleet of small bots -------------------------------------------------------------------


@pytest.mark.parametrize("after", [True, False], ids=["made", "not-made"])
def test_mistake_09_a_retry_doubles_nothing(small_fleet: Stack, after: bool) -> None:
    """Steam's answer is lost, the site hears nothing and asks again and again: its retries and ours make one offer."""
    site = Website(small_fleet)
    player = site.player(habit="manual")
    body = body_of(site, player, 2)
    lost = site.fault(route="send", kind="cut", after=after, times=1)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.call("POST", "/deposit?wait=1", body, key=f"again-{player.user_id}"), range(24)))
    assert {answer.status for answer in answers} <= {201, 202}
    trade_ids = {trade["trade_id"] for answer in answers for trade in answer.body["trades"]}
    assert (len(trade_ids), site.fault_hits(lost)) == (1, 1)
    [trade_id] = trade_ids
    sent = site.until(trade_id, "sent")
    assert sent["attempt"] == (1 if after else 2)
    assert kinds_of(site, trade_id)["answer_lost"] == 1
    assert [offer["offer_id"] for offer in site.offers_of(trade_id, player.steam_id)] == [sent["offer_id"]]
    site.act(player, sent["offer_id"], "decline")
    site.until(trade_id, "declined")
    site.agree()


def test_mistake_07_a_burst_never_fills_a_bot_over_its_cap(small_fleet: Stack) -> None:
    site, bots = Website(small_fleet), small_fleet.wish.bots_per_group
    slots = small_fleet.wish.overrides["limits"]["bot_items_max"]
    # A player may have five offers open, so that with five items of each only the slots are scarce.
    players = [site.player(items=[NAME] * 5, habit="ignore") for _ in range(bots * slots // 5 + 4)]
    wanted = [(player, asset_id) for player in players for asset_id in site.acceptable(player)]
    assert len(wanted) >= bots * slots + 15

    def ask(pair: Any) -> Any:
        player, asset_id = pair
        body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url, "asset_ids": [asset_id]}
        return site.call("POST", "/deposit?wait=0", body)

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(ask, wanted))
    codes = Counter(answer.body["code"] if answer.status >= 400 else "made" for answer in answers)
    assert codes == {"made": bots * slots, "no_bot_available": len(wanted) - bots * slots}
    refused = next(answer for answer in answers if answer.status >= 400)
    assert refused.status == 503 and int(refused.headers["Retry-After"]) >= 1
    used = wait_until(lambda: sum(now := _slots(small_fleet)) >= bots * slots and now, every_s=0.2)
    assert used == [slots] * bots
    wait_until(lambda: _open_offers(site) == bots * slots, 240, 0.5)
    site.agree()


def _slots(stack: Stack) -> list[int]:
    """Slots in use per bot, as `GET /bots` shows them: a moment old."""
    return [bot.slots_held + bot.slots_reserved for bot in stack.bots()]


def _open_offers(site: Website) -> int:
    return sum(offer["state"] == 2 for offer in site.record()["offers"])


# --- 10: a finished trade that changes -----------------------------------------------------------------------

# What Steam may say of any trade at any time: that its exchange was taken back, or failed after all.
STEAMS_OWN_WORD = {TradeEvent.EXCHANGE_REVERSED, TradeEvent.EXCHANGE_FAILED}


def told_by_bot(stack: Stack, trade: dict[str, Any], event: TradeEvent, number: int) -> Report:
    data = {"offer_id": "1", "state": 2, "reason": "told late", "moved": [], "assets": []}
    return Report(trade["bot"], "late", number, event.value, None, trade["trade_id"], trade["attempt"], Clock().now_ms(), data)


@pytest.mark.parametrize(("habit", "end"), [("decline", "declined"), ("counter", "countered"), ("accept", "settled")])
def test_mistake_10_a_finished_trade_does_not_change(site: Website, stack: Stack, habit: str, end: str) -> None:
    """Its bot says, under its own seal, everything that can be said of a trade; the site wants it canceled."""
    player = site.player(habit=habit)
    trade = only_trade(site.deposit(player))
    before = site.until(trade["trade_id"], end)
    rows = site.deposits(player)
    keys = MasterKey.read(stack.wish.directory / "master.key").bot(trade["bot"])
    said = [event for event in TradeEvent if event not in STEAMS_OWN_WORD]
    with wire.connect(stack.redis_url) as client:
        wire.append_reports(client, [told_by_bot(stack, before, event, n) for n, event in enumerate(said, 1)], keys)
        last: Any = wait_until(lambda: client.xinfo_stream(wire.REPORTS)["last-generated-id"])
        wait_until(
            lambda: _delivered(client) >= _order(last) and client.xpending(wire.REPORTS, wire.REPORT_GROUP)["pending"] == 0
        )
    late = site.call("POST", f"/trade/{trade['trade_id']}/cancel", {})
    assert (late.status, late.body["code"]) == (409, "too_late")
    after = site.trade(trade["trade_id"])
    assert after == before
    assert site.deposits(player) == rows
    # All but what the trade is already, and that a worker has begun, which may be heard late.
    assert kinds_of(site, trade["trade_id"])["report_ignored"] >= len(said) - 2
    site.agree()


def _delivered(client: Any) -> tuple[int, ...]:
    [group] = client.xinfo_groups(wire.REPORTS)
    return _order(group["last-delivered-id"])


def _unacknowledged(client: Any) -> int:
    count: int = client.xpending(wire.REPORTS, wire.REPORT_GROUP)["pending"]
    return count


def _order(entry_id: bytes) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split(b"-"))


# --- 12: two items of one name with different ids ------------------------------------------------------------


def test_mistake_12_two_items_of_one_name_do_not_swap_owners(site: Website, stack: Stack) -> None:
    """Four copies of one item come into one bot in another order than they were asked for, and settling renumbers them."""
    name = next(row["market_hash_name"] for row in _catalogue(stack) if row["tradable"] and row["price_cents"] >= 100)
    players = [site.player(items=[name, name], habit="manual") for _ in range(2)]
    owners = {row["item_uid"]: row["owner"] for row in site.record()["assets"] if row["market_hash_name"] == name}
    others = [bot for bot in stack.bots() if bot.bot_id != 1]
    site.settings(settle_changes_ids=True)
    for bot in others:
        site.call("POST", f"/bots/red/{bot.bot_id}/pause")
    try:
        trades = [only_trade(site.deposit(player, 2)) for player in players]
        for player, trade in reversed([*zip(players, trades, strict=True)]):
            site.act(player, trade["offer_id"], "accept")
        held = [[item["deposit_id"] for item in site.until(trade["trade_id"], "settled")["items"]] for trade in trades]
    finally:
        site.settings(settle_changes_ids=False)
        for bot in others:
            site.call("POST", f"/bots/red/{bot.bot_id}/resume")
    for player in players:
        site.change(player.steam_id, habit="accept")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda pair: site.withdraw(*pair), zip(players, held, strict=True)))
    for answer in answers:
        site.until(only_trade(answer)["trade_id"], "accepted", "settled")
    back = {row["item_uid"]: row["owner"] for row in site.record()["assets"] if row["market_hash_name"] == name}
    assert back == owners
    site.agree()


def _catalogue(stack: Stack) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = get_json(f"{stack.control_url}/control/catalogue")["items"]
    return rows


# --- 13: a sign-in per request -------------------------------------------------------------------------------


SIGN_IN = ("BeginAuthSessionViaCredentials", "finalizelogin", "refresh")


def _requests(stack: Stack) -> tuple[int, int]:
    """Requests that sign somebody in, and all others, that the sandbox has counted."""
    counts: dict[str, int] = get_json(f"{stack.control_url}/control/requests")["counts"]
    sign_ins = sum(counts.get(name, 0) for name in SIGN_IN)
    return sign_ins, sum(counts.values()) - sign_ins


def test_mistake_13_no_request_signs_a_bot_in(site: Website, stack: Stack) -> None:
    sign_ins, others = _requests(stack)
    players = [site.player(habit="accept") for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        held = list(pool.map(lambda player: site.settled_deposits(player, 2), players))
        answers = list(pool.map(lambda pair: site.withdraw(*pair), zip(players, held, strict=True)))
    for answer in answers:
        site.until(only_trade(answer)["trade_id"], "accepted", "settled")
    after = _requests(stack)
    assert after[0] == sign_ins
    assert after[1] > others + len(players)  # it counts
    site.agree()
