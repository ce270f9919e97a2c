"""Checks whether items are settled: their exchanges are still good, and their assets are where they should be.

One inventory read serves all checks of an order; `bot_worker.orders.own_inventory` says when it is believed.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot_worker import own_account
from bot_worker.bot import Bot
from bot_worker.orders import cost, offer_steps, own_inventory
from bot_worker.orders import rollback as reversal
from bot_worker.orders.matching import Match, match_assets
from bot_worker.reporting import Tell
from bot_worker.steam import answers
from bot_worker.steam.answers import ExchangeMeans
from bot_worker.steam.inventory_reads import Inventory
from bot_worker.steam.shapes import Exchange
from shared.domain.items import CONTEXT_NORMAL, Asset, HeldAsset
from shared.domain.status import TradeEvent
from shared.orders import Order, SettleCheck, SettleOrder, WantedAsset
from shared.reports import Report

E = TradeEvent
BY_ITS_ID = frozenset({"id", "receipt"})


def settle(bot: Bot, order: Order, tell: Tell) -> None:
    """Report about every check: settled, not_settled, exchange_reversed, or items_seen and items_gone. Twice is harmless.

    Of a reversed exchange the first word is exchange_reversed; a check that says ``reversal`` then asks where the items are.

    Raises:
        SteamError: exchanges or the inventory could not be read, or the reading is not to be believed; nothing was reported.
    """
    payload = order.payload
    if not isinstance(payload, SettleOrder):
        return
    own_inventory.no_maintenance(bot)
    exchanges = offer_steps.find_exchanges(bot, [check.exchange_id for check in payload.checks if check.exchange_id])
    rollbacks = _rollbacks(bot, exchanges)
    news = [exchanges.get(check.exchange_id or "") for check in payload.checks if not check.reversal]
    whose = own_account.reversed_by(bot) if any(_means(each) is ExchangeMeans.REVERSED for each in news) else None
    looking = [check for check in payload.checks if _needs_inventory(check, exchanges)]
    inventory = _own(bot, looking, exchanges, payload.known) if looking else Inventory([])
    plain = [check for check in looking if not check.reversal]
    matches = _sure(_match_all(plain, inventory.held, payload.known, exchanges), inventory)
    reports: list[Report] = []
    for check in payload.checks:
        exchange, rollback = exchanges.get(check.exchange_id or ""), rollbacks.get(check.exchange_id or "")
        if check.reversal:
            located = reversal.find_items(check.assets, exchange, rollback, inventory.held, payload.known)
            reports += _items(check, _sure(located, inventory), inventory, tell)
        elif check.exchange_id is None:
            reports += _items(check, matches, inventory, tell)
        else:
            reports.append(_exchange(check, exchange, rollback, matches, tell, whose))
    own_inventory.no_maintenance(bot)
    bot.reporter.append(reports)


def _rollbacks(bot: Bot, exchanges: dict[str, Exchange]) -> dict[str, Exchange]:
    """The exchanges that took others of these back: one reading of the history for all of them."""
    reversed_ones = [each for each in exchanges.values() if _means(each) is ExchangeMeans.REVERSED]
    if not reversed_ones:
        return {}
    return reversal.rollbacks_of(reversed_ones, bot.session.exchanges(min(each.started for each in reversed_ones)))


def _needs_inventory(check: SettleCheck, exchanges: dict[str, Exchange]) -> bool:
    if check.exchange_id is None or check.reversal:
        return bool(check.assets)
    exchange = exchanges.get(check.exchange_id)
    # Before its time an item is not free, wherever it is: whether the exchange was reversed is what the look is for.
    waited = check.waited_until is not None
    return waited and _means(exchange) is ExchangeMeans.DONE and bool(_ours(check, exchange))


def _ours(check: SettleCheck, exchange: Exchange | None) -> list[WantedAsset]:
    """What should be with us: not what the exchange gave away. Of a withdrawal only the exchange is looked at."""
    given = {each.asset_id for each in exchange.moved if each.given} if exchange else set()
    return [item for item in check.assets if item.asset.asset_id not in given]


def _means(exchange: Exchange | None) -> ExchangeMeans:
    if exchange is None:
        return ExchangeMeans.WAIT
    return answers.exchange_means(exchange.status, complete=exchange.complete)


def _own(bot: Bot, checks: Sequence[SettleCheck], exchanges: dict[str, Exchange], known: Sequence[str]) -> Inventory:
    # What a reversal took away is rightly missing.
    bot.session.observer.shares = cost.of_checks(checks)
    expected = len(known) + sum(len(check.assets) for check in checks if not check.reversal)
    if any(check.reversal for check in checks):
        return own_inventory.read(bot, expected)
    wanted = {item.asset.asset_id for check in checks for item in _ours(check, exchanges.get(check.exchange_id or ""))}
    return own_inventory.read_for(bot, wanted, expected)


def _match_all(
    checks: Sequence[SettleCheck], held: Sequence[HeldAsset], known: Sequence[str], exchanges: dict[str, Exchange]
) -> dict[str, Match]:
    """All checks together, so that no asset is found twice."""
    wanted = [item for check in checks for item in _ours(check, exchanges.get(check.exchange_id or ""))]
    receipts: dict[str, Asset] = {}
    for exchange in exchanges.values():
        receipts.update({each.asset_id: each.now for each in exchange.moved if each.now is not None})
    return match_assets(wanted, held, known, receipts)


def _sure(matches: dict[str, Match], inventory: Inventory) -> dict[str, Match]:
    """Where rows could not be read, only what Steam's own ids say: the item may be one of those, and another copy free."""
    if inventory.whole:
        return matches
    return {deposit_id: match for deposit_id, match in matches.items() if match.matched in BY_ITS_ID}


def _items(check: SettleCheck, matches: dict[str, Match], inventory: Inventory, tell: Tell) -> list[Report]:
    """What was looked for without an exchange: which are there, which are not. What could not be read is neither."""
    reports = []
    seen = [matches[item.deposit_id].to_json() for item in check.assets if item.deposit_id in matches]
    gone = [item.deposit_id for item in check.assets if item.deposit_id not in matches]
    if seen:
        reports.append(tell.about(check.trade_id, check.attempt, "items_seen", {"assets": seen}))
    if gone and inventory.whole:
        reports.append(tell.about(check.trade_id, check.attempt, "items_gone", {"deposit_ids": gone}))
    return reports


def _exchange(
    check: SettleCheck,
    exchange: Exchange | None,
    rollback: Exchange | None,
    matches: dict[str, Match],
    tell: Tell,
    whose: str | None,
) -> Report:
    def report(kind: str, **data: object) -> Report:
        return tell.about(check.trade_id, check.attempt, kind, {"exchange_id": check.exchange_id, **data})

    settles_at = exchange.settles_at if exchange else None
    match _means(exchange):
        case ExchangeMeans.REVERSED:
            status = exchange.status if exchange else None
            return report(
                E.EXCHANGE_REVERSED, exchange_status=status, rollback=reversal.rollback_json(rollback), reversed_by=whose
            )
        case ExchangeMeans.FAILED:
            return report(E.EXCHANGE_FAILED, exchange_status=exchange.status if exchange else None)
        case ExchangeMeans.WAIT | ExchangeMeans.HELD:
            return report("not_settled", settles_at=settles_at, reason="exchange_not_done")
    ours = _ours(check, exchange)
    if check.waited_until is None:
        return report("not_settled", settles_at=settles_at, reason="still_protected")
    mine = [matches[item.deposit_id] for item in ours if item.deposit_id in matches]
    if not ours and (settles_at or 0) > check.waited_until:
        # Nothing of it is with us to be seen free: only the time says that it cannot be reversed any more.
        return report("not_settled", settles_at=settles_at, reason="still_protected")
    if len(mine) < len(ours):
        missing = [item.deposit_id for item in ours if item.deposit_id not in matches]
        return report("not_settled", settles_at=settles_at, reason="items_missing", deposit_ids=missing)
    if all(each.held.asset.context_id == CONTEXT_NORMAL and each.held.tradable for each in mine):
        return report(E.SETTLED, assets=[each.to_json() for each in mine])
    return report("not_settled", settles_at=settles_at, reason="still_protected")
