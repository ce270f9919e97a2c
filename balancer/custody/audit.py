"""The custody audit: every bot reads its own inventory from time to time; the balancer compares it with the bot's rows.

One row per bot in ``audits`` holds the state of its audit. The loop gives the orders (`round_of`), the reports are applied like
any other (`apply`), `balancer.custody.compare` compares and judges. A difference that counts freezes the bot in the transaction
that finds it: nothing is withdrawn from it and nothing new deposited until an operator lets it go on (`unfreeze`). What could
not be read is no difference; after some tries the audit ends as inconclusive.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, tuple_, update

from balancer.context import Context
from balancer.custody import compare, gifts, views
from balancer.custody import expected as audit_rows
from balancer.custody.compare import Difference, Kind, Seen
from balancer.custody.views import BotAudit
from balancer.db import engine, pipeline
from balancer.db.tables import audits, bots, deposits, events, trades
from balancer.fields import maybe_unix, unix
from balancer.fleet.snapshot import MAINTENANCE
from balancer.journal import events as feed
from balancer.journal import swaps
from shared import log, strict
from shared.domain.ids import BotName
from shared.domain.status import AuditVerdict, DepositStatus, TradeStatus
from shared.errors import NotFound
from shared.messages import InventoryOrder, Report
from shared.settings import TradeSettings

logger = log.get(__name__)

WHO = "audit"
SCHEDULE = "schedule"
FROZEN = "audit"
ROW_FROZEN = "missing"
REPORTS = frozenset({"custody_read", "custody_unread"})
# Orders of one round, so that a fleet that was away for long does not read everything at once.
AT_ONCE = 20
# Readings that came to nothing, and looks that each showed something else, before an audit ends as inconclusive.
TRIES_MAX = 4
LOOKS_MAX = 5
# Differences in one event; the result has all of them.
TOLD_MAX = 50
ACTION = "the bot is frozen: compare its inventory on Steam with these rows, then `fleet bots unfreeze`"


# --- asking ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Due:
    bot: str
    steam_id: str
    order_id: str
    expected: int


async def round_of(ctx: Context) -> int:
    """Ask the bots whose audit is due to read their inventories. Returns how many.

    While Steam is in its maintenance only audits that somebody asked for are tried, and end as inconclusive.
    """
    now, times = ctx.clock.now(), ctx.settings.trades
    online, why_not = {bot.name for bot in ctx.fleet.online()}, "bot_offline"
    if ctx.fleet.maintenance:
        online, why_not = set(), MAINTENANCE
    ids = [ctx.new_id("inventory") for _ in range(AT_ONCE)]
    due = await ctx.db.run(take_due, online, why_not, ids, now, times)
    given = [
        ctx.orders.build("inventory", one.bot, InventoryOrder(one.steam_id, None, one.expected), order_id=one.order_id)
        for one in due
    ]
    if given and not await ctx.outbox.give(given):
        return 0  # without an answer they are asked again
    return len(given)


def take_due(
    connection: Connection,
    online: Collection[str],
    why_not: str,
    order_ids: Sequence[str],
    now: datetime,
    times: TradeSettings,
) -> list[Due]:
    """Write down what is asked now; give up what was asked and never answered, and say ``why_not`` of bots that are away."""
    _know_bots(connection, now, times)
    for row in _locked(connection, audits.c.order_id.is_not(None), audits.c.silent_at <= now):
        _unread(connection, row, "no_answer", now, times)
    due = []
    for row, order_id in zip(
        _locked(connection, audits.c.order_id.is_(None), audits.c.next_at <= now), order_ids, strict=False
    ):
        if _name(row) in online:
            due.append(_ask(connection, row, order_id, now, times))
        elif row.audit_id != row.result_id and row.who != SCHEDULE:
            _finish(connection, row, AuditVerdict.INCONCLUSIVE, _differences(row), why_not, now, times)
        else:
            _set(connection, row, next_at=now + timedelta(seconds=times.audit_again_s))
    return due


def _know_bots(connection: Connection, now: datetime, times: TradeSettings) -> None:
    """A row for every bot; first audits are spread over the time between two, and the later ones stay so."""
    there = select(audits.c.color, audits.c.bot_id)
    new = connection.execute(select(bots).where(tuple_(bots.c.color, bots.c.bot_id).not_in(there)))
    rows = []
    for bot in new:
        share = zlib.crc32(f"{bot.color}-{bot.bot_id}".encode()) / 2**32
        next_at = now + timedelta(seconds=times.audit_every_s * share)
        rows.append(
            {"color": bot.color, "bot_id": bot.bot_id, "audit_id": "", "who": SCHEDULE, "next_at": next_at, "result_id": ""}
        )
    if rows:
        connection.execute(pipeline.insert(connection, audits).on_conflict_do_nothing(), rows)


def _locked(connection: Connection, *conditions: ColumnElement[bool], wait: bool = False) -> list[Row[Any]]:
    """Up to `AT_ONCE` rows; those that another transaction has locked are left to it, unless they are waited for."""
    query = select(audits, bots.c.steam_id).join(bots, (bots.c.color == audits.c.color) & (bots.c.bot_id == audits.c.bot_id))
    query = query.where(*conditions).order_by(audits.c.next_at, audits.c.color, audits.c.bot_id).limit(AT_ONCE)
    return list(connection.execute(query.with_for_update(of=audits, skip_locked=not wait)))


def _ask(connection: Connection, row: Row[Any], order_id: str, now: datetime, times: TradeSettings) -> Due:
    afresh: dict[str, Any] = {}
    if row.audit_id == row.result_id:
        afresh = {"audit_id": order_id.replace("inventory", "audit", 1), "who": SCHEDULE, **_AFRESH}
    silent_at = now + timedelta(seconds=times.order_expiry_s + times.order_in_hand_s)
    mark = engine.settled_number(connection)
    if mark is None:
        mark = connection.scalar(select(func.max(events.c.number))) or 0
    _set(connection, row, **afresh | {"order_id": order_id, "asked_at": now, "silent_at": silent_at, "mark": mark})
    held = (deposits.c.status == DepositStatus.ACTIVE.value, deposits.c.frozen_by.is_(None), deposits.c.settled_at.is_not(None))
    here = (deposits.c.color == row.color, deposits.c.bot_id == row.bot_id)
    expected = connection.scalar(select(func.count()).select_from(deposits).where(*held, *here)) or 0
    return Due(_name(row), str(row.steam_id), order_id, expected)


_AFRESH: dict[str, Any] = {"looks": 0, "tries": 0, "suspects": "[]", "looked_at": None, "order_id": None}


def want(connection: Connection, names: Collection[str] | None, audit_id: str, who: str, now: datetime) -> list[str]:
    """Audit these bots (all, if not said) as soon as may be; their names.

    A look that is under way is begun anew, so that it is later than the wish; what the look before showed is kept.

    Raises:
        NotFound: there is no such bot.
    """
    known = {f"{bot.color}-{bot.bot_id}": bot for bot in connection.execute(select(bots).order_by(bots.c.color, bots.c.bot_id))}
    chosen = list(known) if names is None else sorted(set(names), key=BotName.parse)
    if unknown := [name for name in chosen if name not in known]:
        raise NotFound(f"there is no bot {unknown[0]}")
    rows = {
        _name(row): row
        for row in connection.execute(select(audits).order_by(audits.c.color, audits.c.bot_id).with_for_update())
    }
    for name in chosen:
        bot, row = known[name], rows.get(name)
        if row is None:
            wish = {"audit_id": audit_id, "who": who, "next_at": now}
            new = pipeline.insert(connection, audits).values(color=bot.color, bot_id=bot.bot_id, result_id="", **wish)
            connection.execute(new.on_conflict_do_update(index_elements=[audits.c.color, audits.c.bot_id], set_=wish))
        elif row.audit_id == row.result_id:
            _set(connection, row, audit_id=audit_id, who=who, next_at=now, **_AFRESH)
        else:
            next_at = row.next_at if row.looks and row.order_id is None else now
            _set(connection, row, audit_id=audit_id, who=who, next_at=next_at, order_id=None)
    return chosen


# --- what the bots answer -----------------------------------------------------------------------------------


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
    row = next(iter(_locked(connection, *mine, wait=True)), None)
    if row is None:
        return False
    if report.kind == "custody_unread":
        _unread(connection, row, str(report.data["reason"])[:100], now, times)
    elif report.data["steam_id"] != str(row.steam_id):
        _unread(connection, row, "other_account", now, times)
    else:
        _read(connection, row, [_seen(each) for each in report.data["assets"]], now, times, value_of)
    return True


def _seen(data: dict[str, Any]) -> Seen:
    fingerprint = data["fingerprint"]
    texts = [data["asset_id"], data["context_id"], data["name"]]
    if not all(isinstance(each, str) for each in [*texts, fingerprint or ""]) or not data["asset_id"].isdecimal():
        raise TypeError("an asset is told in texts")
    return Seen(data["asset_id"], data["context_id"], data["name"], fingerprint, strict.maybe_text(data.get("class_id")))


def _unread(connection: Connection, row: Row[Any], reason: str, now: datetime, times: TradeSettings) -> None:
    """A reading that came to nothing says nothing about items."""
    if row.tries + 1 >= TRIES_MAX:
        _finish(connection, row, AuditVerdict.INCONCLUSIVE, _differences(row), reason, now, times)
    else:
        _set(connection, row, tries=row.tries + 1, order_id=None, reason=reason, next_at=_again(now, times))


def _read(
    connection: Connection, row: Row[Any], seen: list[Seen], now: datetime, times: TradeSettings, value_of: swaps.ValueOf
) -> None:
    state = audit_rows.load(connection, row.color, row.bot_id, row.mark)
    _tell_renamed(connection, compare.renamed(state, seen), row, now)
    found = compare.compare(_name(row), state, seen)
    found = audit_rows.explain(connection, row.color, row.bot_id, state, found, seen)
    protected = {each.trade_id for each in found if each.trade_id}
    looked_at = _looked_at(connection, protected, row)
    judged = compare.judge(found, json.loads(row.suspects), json.loads(row.known), looked_at)
    counts = {"rows": sum(each.must for each in state), "assets": len(seen)}
    if not found:  # every asset has its row
        there, claimed = {each.asset_id: each for each in seen}, {each.asset_id for each in state}
        at_rest = all(each.must for each in state)
        gifts.seen(connection, BotName(row.color, row.bot_id), there, claimed, now, at_rest=at_rest)
    if judged.verdict is None and row.looks + 1 < LOOKS_MAX:
        suspects = json.dumps([each.key for each in found])
        _set(connection, row, suspects=suspects, looks=row.looks + 1, looked_at=now, order_id=None, next_at=_again(now, times))
        _look_at_exchanges(connection, protected, now, times)
        return
    if judged.verdict is None:
        logger.warning("audit keeps changing", action="audit", bot=_name(row), count=len(found), first=found[0].text)
        _finish(connection, row, AuditVerdict.INCONCLUSIVE, _differences(row), "keeps_changing", now, times, **counts)
        return
    if judged.new:
        _freeze_rows(connection, judged.new, now)
        _freeze(connection, row, judged.new, now)
        swapped = {
            each.deposit_id: swaps.Named(each.name)
            for each in judged.new
            if each.kind is Kind.SWAPPED and each.deposit_id and each.name
        }
        swaps.compare(connection, swapped, value_of, WHO, now)
    known = set(json.loads(row.known))
    told = [each for each in found if each in judged.new or each.key in known or each.house]
    _finish(connection, row, judged.verdict, [_as_json(each) for each in told], None, now, times, **counts)
    if len(told) < len(found):  # some were seen for the first time
        _set(connection, row, next_at=_again(now, times))


def _tell_renamed(connection: Connection, found: Sequence[tuple[str, str, str]], row: Row[Any], now: datetime) -> None:
    """An item that Valve calls otherwise is the same item: its rows follow, and no bot is frozen."""
    for class_id, old, new in found:
        swaps.rename(connection, BotName(row.color, row.bot_id), class_id, old, new, WHO, now)


def _again(now: datetime, times: TradeSettings) -> datetime:
    return now + timedelta(seconds=times.audit_again_s)


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


# --- what follows -------------------------------------------------------------------------------------------


def _freeze(connection: Connection, row: Row[Any], new: Sequence[Difference], now: datetime) -> None:
    """From now on nothing is withdrawn from this bot; the event says why, once for each difference."""
    told_before = {each["key"] for each in _differences(row)}
    frozen = connection.execute(
        update(bots).where(*_here(row), bots.c.frozen_by.is_(None)).values(frozen_by=FROZEN, touched=now)
    )
    news = [each for each in new if each.key not in told_before]
    if not news and not frozen.rowcount:
        return
    shown = [_as_json(each) for each in (news or new)[:TOLD_MAX]]
    data = {"audit_id": row.audit_id, "count": len(news or new), "differences": shown, "action": ACTION}
    feed.append(connection, feed.row("audit_difference", data, WHO, now, None, None, _name(row)))
    logger.error("audit difference", action="audit", bot=_name(row), count=len(news or new), first=(news or new)[0].text)


def _freeze_rows(connection: Connection, new: Sequence[Difference], now: datetime) -> None:
    """What is missing is frozen itself: the other items of its deposit settle without it, and it stays when the bot goes on."""
    missing = [each.deposit_id for each in new if each.kind is Kind.MISSING and each.deposit_id]
    held = (deposits.c.status == DepositStatus.ACTIVE.value, deposits.c.frozen_by.is_(None))
    connection.execute(
        update(deposits).where(deposits.c.deposit_id.in_(missing), *held).values(frozen_by=ROW_FROZEN, touched=now)
    )


def _finish(
    connection: Connection,
    row: Row[Any],
    verdict: AuditVerdict,
    told: Sequence[dict[str, Any]],
    reason: str | None,
    now: datetime,
    times: TradeSettings,
    **counts: int,
) -> None:
    """The result of a whole audit. What an operator knew and is over may freeze the bot again when it comes back."""
    values: dict[str, Any] = dict(
        _AFRESH, verdict=verdict.value, reason=reason, finished_at=now, result_id=row.audit_id, **counts
    )
    values |= {"audit_id": row.audit_id, "next_at": now + timedelta(seconds=times.audit_every_s)}
    values["differences"] = json.dumps(told)
    if verdict is AuditVerdict.INCONCLUSIVE:
        data = {"audit_id": row.audit_id, "reason": reason}
        feed.append(connection, feed.row("audit_inconclusive", data, WHO, now, None, None, _name(row)))
        logger.warning("audit inconclusive", action="audit", bot=_name(row), reason=reason)
    else:
        values["known"] = json.dumps(sorted(set(json.loads(row.known)) & {each["key"] for each in told}))
    _set(connection, row, **values)


def unfreeze(connection: Connection, color: str, bot_id: int, who: str, now: datetime) -> bool:
    """Let a bot go on; the differences that stand there are known from now on and freeze it no more. Whether it was frozen.

    Raises:
        NotFound: no such bot.
    """
    # The audit's row before the bot's, as whoever applies a reading takes them.
    row = connection.execute(select(audits).where(audits.c.color == color, audits.c.bot_id == bot_id).with_for_update()).first()
    bot = connection.execute(select(bots).where(bots.c.color == color, bots.c.bot_id == bot_id).with_for_update()).first()
    if bot is None:
        raise NotFound(f"there is no bot {color}-{bot_id}")
    if bot.frozen_by is None:
        return False
    connection.execute(update(bots).where(*_here(bot)).values(frozen_by=None, touched=now))
    known = [] if row is None else sorted(each["key"] for each in _differences(row))
    if row is not None:
        _set(connection, row, known=json.dumps(known))
    data = {"frozen_by": bot.frozen_by, "known": known[:TOLD_MAX]}
    feed.append(connection, feed.row("bot_unfrozen", data, who, now, None, None, f"{color}-{bot_id}"))
    return True


# --- showing --------------------------------------------------------------------------------------------------


def show(connection: Connection, names: Collection[str] | None = None) -> list[BotAudit]:
    """Every bot's audit, or that of those named; by color and number."""
    rows = {_name(row): row for row in connection.execute(select(audits))}
    found = connection.execute(select(bots).order_by(bots.c.color, bots.c.bot_id))
    return [_view(bot, rows.get(_name(bot))) for bot in found if names is None or _name(bot) in names]


def _view(bot: Row[Any], row: Row[Any] | None) -> BotAudit:
    if row is None:
        return BotAudit(_name(bot), bot.frozen_by, None, False, 0, None, None, None, None, None, None, [])
    known = set(json.loads(row.known))
    return BotAudit(
        bot=_name(bot),
        frozen_by=bot.frozen_by,
        audit_id=row.audit_id or None,
        running=row.audit_id != row.result_id,
        looks=row.looks,
        verdict=None if row.verdict is None else AuditVerdict(row.verdict),
        reason=row.reason,
        finished_at=maybe_unix(row.finished_at),
        next_at=unix(row.next_at),
        rows=row.rows,
        assets=row.assets,
        differences=[_shown(each, known=each["key"] in known) for each in _differences(row)],
    )


def _shown(each: Mapping[str, Any], *, known: bool) -> views.Difference:
    fields = {name: value for name, value in each.items() if name not in ("key", "kind")}
    return views.Difference(kind=Kind(each["kind"]), known=known, **fields)


# --- rows -----------------------------------------------------------------------------------------------------


def _name(row: Row[Any]) -> str:
    return f"{row.color}-{row.bot_id}"


def _here(row: Row[Any]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return bots.c.color == row.color, bots.c.bot_id == row.bot_id


def _set(connection: Connection, row: Row[Any], **values: Any) -> None:
    connection.execute(update(audits).where(audits.c.color == row.color, audits.c.bot_id == row.bot_id).values(values))


def _differences(row: Row[Any]) -> list[dict[str, Any]]:
    """Those of the last audit of this bot that could tell."""
    found: list[dict[str, Any]] = json.loads(row.differences)
    return found


def _as_json(each: Difference) -> dict[str, Any]:
    return {
        "key": each.key,
        "kind": each.kind.value,
        "bot": each.bot,
        "deposit_id": each.deposit_id,
        "asset_id": each.asset_id,
        "name": each.name,
        "text": each.text,
    }
