"""What a bot has read of its own inventory, applied: compared with its rows, judged, and what follows."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from balancer.custody import compare, decisions, expected, gifts
from balancer.custody.audit.freeze import freeze, freeze_rows
from balancer.custody.audit.rows import WHO, again_at, change, difference_json, differences, finish, locked, unread
from balancer.custody.compare import Kind, Seen
from balancer.db.tables import audits, trades
from balancer.journal import swaps
from balancer.journal.by import By
from shared import log, strict
from shared.domain import phases
from shared.domain.ids import BotName, bot_name
from shared.domain.status import AuditVerdict, TradeStatus
from shared.reports import Report
from shared.sections import TradeSettings

logger = log.get(__name__)

REPORTS = frozenset({"custody_read", "custody_unread"})
# Looks that each showed something else, before an audit ends as inconclusive.
LOOKS_MAX = 5


def apply(
    connection: Connection,
    report: Report,
    now: datetime,
    times: TradeSettings,
    value_of: swaps.ValueOf = lambda _name: None,
) -> bool:
    """Apply one report; whether it answered an order that waits for it. A second time it changes nothing.

    Raises:
        KeyError, ValueError, TypeError: its data are not what its kind says.
    """
    bot = BotName.parse(report.bot)
    mine = (audits.c.color == bot.color, audits.c.bot_id == bot.bot_id, audits.c.order_id == report.order_id)
    row = next(iter(locked(connection, *mine, wait=True)), None)
    if row is None:
        return False
    if report.kind == "custody_unread":
        unread(connection, row, str(report.data["reason"])[:100], now, times)
    elif report.data["steam_id"] != str(row.steam_id):
        unread(connection, row, "other_account", now, times)
    else:
        _read(connection, row, [_seen(each) for each in report.data["assets"]], now, times, value_of)
    return True


def _seen(data: dict[str, Any]) -> Seen:
    fingerprint = data["fingerprint"]
    texts = [data["asset_id"], data["context_id"], data["name"]]
    if not all(isinstance(each, str) for each in [*texts, fingerprint or ""]) or not data["asset_id"].isdecimal():
        raise TypeError("an asset is told in texts")
    class_id, phase = strict.maybe_text(data.get("class_id")), phases.known(data.get("phase"))
    return Seen(data["asset_id"], data["context_id"], data["name"], fingerprint, class_id, phase)


def _read(
    connection: Connection, row: Row[Any], seen: list[Seen], now: datetime, times: TradeSettings, value_of: swaps.ValueOf
) -> None:
    state = expected.load(connection, row.color, row.bot_id, row.mark)
    _tell_renamed(connection, compare.renamed(state, seen), row, now)
    differing = compare.compare(bot_name(row), state, seen)
    differing = expected.explain(connection, row.color, row.bot_id, state, differing, seen)
    protected = {each.trade_id for each in differing if each.trade_id}
    looked_at = _looked_at(connection, protected, row)
    judged = compare.judge(differing, json.loads(row.suspects), json.loads(row.known), looked_at)
    counts = {"rows": sum(each.must for each in state), "assets": len(seen)}
    counted = {*json.loads(row.suspects), *json.loads(row.known), *(each["key"] for each in differences(row))}
    reading = decisions.Reading(row.asked_at, state, seen, differing, counted)
    decisions.carry_out(connection, row.color, row.bot_id, reading, now)
    if not differing:  # every asset has its row
        there, claimed = {each.asset_id: each for each in seen}, {each.asset_id for each in state}
        at_rest = all(each.must for each in state)
        gifts.seen(connection, BotName(row.color, row.bot_id), there, claimed, now, at_rest=at_rest)
    if judged.verdict is None and row.looks + 1 < LOOKS_MAX:
        suspects = json.dumps([each.key for each in differing])
        change(
            connection, row, suspects=suspects, looks=row.looks + 1, looked_at=now, order_id=None, next_at=again_at(now, times)
        )
        _look_at_exchanges(connection, protected, now, times)
        return
    if judged.verdict is None:
        logger.warning("audit keeps changing", action="audit", bot=bot_name(row), count=len(differing), first=differing[0].text)
        finish(connection, row, AuditVerdict.INCONCLUSIVE, differences(row), "keeps_changing", now, times, **counts)
        return
    swaps.compare(connection, _phases(state, seen), value_of, By(WHO, now))
    if judged.new:
        freeze_rows(connection, judged.new, now)
        freeze(connection, row, judged.new, now)
        swapped = {
            each.deposit_id: swaps.Named(each.name)
            for each in judged.new
            if each.kind is Kind.SWAPPED and each.deposit_id and each.name
        }
        swaps.compare(connection, swapped, value_of, By(WHO, now))
    known = set(json.loads(row.known))
    reported = [each for each in differing if each in judged.new or each.key in known or each.house]
    finish(connection, row, judged.verdict, [difference_json(each) for each in reported], None, now, times, **counts)
    if len(reported) < len(differing):  # some were seen for the first time
        change(connection, row, next_at=again_at(now, times))


def _phases(rows: Sequence[compare.Entry], seen: Sequence[Seen]) -> dict[str, swaps.Named]:
    """What a bot says of its rows' phases, where it says something; of those that lie where their row says, under its name."""
    there = {each.asset_id: each for each in seen if each.phase}
    by_deposit = {row.deposit_id: there[row.asset_id] for row in rows if row.pinned and row.asset_id in there}
    named = {row.deposit_id: row.name for row in rows}
    return {
        deposit_id: swaps.Named(each.name, each.class_id, each.phase)
        for deposit_id, each in by_deposit.items()
        if named[deposit_id] == each.name
    }


def _tell_renamed(connection: Connection, changes: Sequence[tuple[str, str, str]], row: Row[Any], now: datetime) -> None:
    """An item that Valve calls otherwise is the same item: its rows follow, and no bot is frozen."""
    for class_id, old, new in changes:
        swaps.rename(connection, BotName(row.color, row.bot_id), class_id, old, new, By(WHO, now))


def _looked_at(connection: Connection, trade_ids: Collection[str], row: Row[Any]) -> set[str]:
    """Those whose exchange a bot was asked to look at after the look before, ahead of this one in the same queue."""
    if not trade_ids or row.looked_at is None:
        return set()
    between = (trades.c.settle_asked_at > row.looked_at, trades.c.settle_asked_at <= row.asked_at)
    return set(connection.scalars(select(trades.c.trade_id).where(trades.c.trade_id.in_(trade_ids), *between)))


def _look_at_exchanges(connection: Connection, trade_ids: Collection[str], now: datetime, times: TradeSettings) -> None:
    """Steam may have reversed these: the sweep asks at once, not when their turn comes."""
    long_ago = now - timedelta(seconds=times.protection_look_s + times.settle_again_s)
    accepted = (trades.c.trade_id.in_(trade_ids), trades.c.status == TradeStatus.ACCEPTED.value)
    connection.execute(update(trades).where(*accepted).values(settle_asked_at=long_ago))
