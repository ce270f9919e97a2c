"""Pure: the rows of one bot compared with its inventory, and when a difference counts.

Rows and inventory never show the same moment. A row whose trade is live, whose items a bot must still see, or that changed just
before the reading is *loose*: its item may be there or not, under any id. Only what no loose row explains is a difference, and
even that counts only when a second look, of another reading, shows the same (`judge`). Of an exchange that Steam protects it
counts only when a bot has looked at that exchange in between: it may have been reversed without our knowing.

============= ========================================================================================================
difference    means
============= ========================================================================================================
missing       a row's item is not in the inventory of its bot
extra         an asset in the inventory belongs to no row
doubled       several rows claim one asset
wrong_bot     an asset belongs to a row that another bot should hold
protected     a row is settled, but Steam still protects its asset
swapped       under a row's asset id lies another item
============= ========================================================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from shared.domain.items import CONTEXT_PROTECTED
from shared.domain.status import AuditVerdict, DepositStatus

D = DepositStatus

HELD = frozenset({D.ACTIVE, D.WITHDRAW_PENDING})
# The present id of such a row's item is not known for certain.
UNSURE_IDS = frozenset({"unmatched", "receipt_missing"})


class Kind(StrEnum):
    """What a difference is."""

    MISSING = "missing"
    EXTRA = "extra"
    DOUBLED = "doubled"
    WRONG_BOT = "wrong_bot"
    PROTECTED = "protected"
    SWAPPED = "swapped"


@dataclass(frozen=True, slots=True)
class Seen:
    """One asset in the bot's inventory."""

    asset_id: str
    context_id: str
    name: str
    fingerprint: str | None
    class_id: str = ""
    phase: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row, and what may be expected of it.

    ``class_id`` is the one under which the bot that holds the item has called it by ``name``, not what was told before it came.

    ``must``: the item has to be there. ``pinned``: if it is, then under this very id. ``name`` is ``None`` where nobody has
    ever named the item (a gift). ``returns``: a trade that gave the item away, but that Steam may have taken back by now.
    """

    deposit_id: str
    asset_id: str
    name: str | None
    fingerprint: str | None
    must: bool
    pinned: bool
    settled: bool = False
    frozen: bool = False
    returns: str | None = None
    class_id: str = ""
    house: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not add up. ``trade_id``: explained if Steam has reversed this trade's exchange."""

    kind: Kind
    bot: str
    asset_id: str
    name: str
    text: str
    deposit_id: str | None = None
    trade_id: str | None = None
    house: bool = False  # about a row of the house: told, but nobody's item is missing, so it freezes nothing

    @property
    def key(self) -> str:
        """The same for the same difference in another look."""
        return f"{self.kind.value}:{self.deposit_id or ''}:{self.asset_id}"


def entry(
    deposit_id: str,
    status: str,
    asset_id: str,
    name: str | None,
    fingerprint: str | None,
    frozen_by: str | None,
    *,
    settled: bool,
    loose: bool,
    class_id: str = "",
    house: bool = False,
) -> Entry:
    """What a row of the table lets expect."""
    held = status in HELD
    return Entry(
        deposit_id,
        # The id of a pending deposit is one of the player's inventory.
        "" if status == D.DEPOSIT_PENDING else asset_id,
        name,
        fingerprint,
        must=held and not loose,
        pinned=held and not loose and settled and frozen_by not in UNSURE_IDS,
        settled=settled,
        frozen=frozen_by is not None,
        class_id=class_id,
        house=house,
    )


# --- comparing ----------------------------------------------------------------------------------------


def compare(bot: str, rows: Sequence[Entry], seen: Iterable[Seen]) -> list[Difference]:
    """Every difference between a bot's rows and its inventory; in the order of asset ids, so that two looks agree."""
    there = {asset.asset_id: asset for asset in sorted(seen, key=lambda each: _order(each.asset_id))}
    by_id: dict[str, list[Entry]] = {}
    for row in rows:
        if row.asset_id in there:
            by_id.setdefault(row.asset_id, []).append(row)
    differences = [each for asset_id, claims in by_id.items() for each in _of_claims(bot, there[asset_id], claims)]
    claimed = {row.deposit_id for claims in by_id.values() for row in claims}
    left = [row for row in rows if row.deposit_id not in claimed]
    free = [asset for asset_id, asset in there.items() if asset_id not in by_id]
    likely = _match([row for row in left if not row.pinned], free)
    differences += [_missing(bot, row) for row in left if row.must and row.deposit_id not in likely.values()]
    returns = {row.deposit_id: row.returns for row in left if row.returns is not None}
    for asset in free:
        deposit_id = likely.get(asset.asset_id)
        if deposit_id is None or deposit_id in returns:
            differences.append(_extra(bot, asset, returns.get(deposit_id or "")))
    return sorted(differences, key=lambda each: (_order(each.asset_id), each.kind, each.deposit_id or ""))


def _of_claims(bot: str, asset: Seen, claims: Sequence[Entry]) -> list[Difference]:
    """What is wrong with an asset that rows name by its id."""
    what = f"asset {asset.asset_id} ({asset.name}) of {bot}"
    held = sorted(row.deposit_id for row in claims if row.must)
    if len(held) > 1:
        text = f"{what} belongs to {len(held)} rows: {', '.join(held)}"
        return [Difference(Kind.DOUBLED, bot, asset.asset_id, asset.name, text, held[0])]
    row = next((each for each in claims if each.must), claims[0])
    if row.name is not None and row.name != asset.name and not _same_class(row, asset):
        text = f"{row.deposit_id}: asset {asset.asset_id} of {bot} is {asset.name}, not {row.name}"
        return [Difference(Kind.SWAPPED, bot, asset.asset_id, asset.name, text, row.deposit_id)]
    if row.must and row.settled and not row.frozen and asset.context_id == CONTEXT_PROTECTED:
        text = f"{row.deposit_id}: {what} is settled here, but Steam still protects it"
        return [Difference(Kind.PROTECTED, bot, asset.asset_id, asset.name, text, row.deposit_id, house=row.house)]
    return []


def _same_class(row: Entry, asset: Seen) -> bool:
    """Of the class under which its bot called it by the row's name, it is the same item, whatever Valve calls it now."""
    return bool(row.class_id) and row.class_id == asset.class_id


def renamed(rows: Iterable[Entry], seen: Iterable[Seen]) -> list[tuple[str, str, str]]:
    """Class, old and new name of items that Steam calls otherwise than their rows."""
    there = {asset.asset_id: asset for asset in seen}
    matches = {
        (row.class_id, row.name, asset.name)
        for row in rows
        if row.name is not None
        and (asset := there.get(row.asset_id)) is not None
        and row.name != asset.name
        and _same_class(row, asset)
    }
    return sorted(matches)


def _missing(bot: str, row: Entry) -> Difference:
    name = row.name or "a gift"
    text = f"{row.deposit_id}: asset {row.asset_id} ({name}) is not in the inventory of {bot}"
    return Difference(Kind.MISSING, bot, row.asset_id, name, text, row.deposit_id, house=row.house)


def _extra(bot: str, asset: Seen, trade_id: str | None) -> Difference:
    text = f"asset {asset.asset_id} ({asset.name}) of {bot} belongs to no row"
    return Difference(Kind.EXTRA, bot, asset.asset_id, asset.name, text, trade_id=trade_id)


def _order(asset_id: str) -> tuple[int, str]:
    """As numbers: asset ids are decimal and of different lengths."""
    return len(asset_id), asset_id


# --- items without a known id ----------------------------------------------------------------------------


def _match(rows: Sequence[Entry], free: Sequence[Seen]) -> dict[str, str]:
    """Assets that may be the items of these rows: asset id to deposit id, each at most once.

    As many rows as can be find one, those that must be there before the others, and those that only may come back last.
    """
    matched: dict[str, str] = {}
    named: dict[str, list[Entry]] = {}
    for row in rows:
        if row.name is not None:
            named.setdefault(row.name, []).append(row)
    assets: dict[str, list[Seen]] = {}
    for asset in free:
        assets.setdefault(asset.name, []).append(asset)
    for name, of_name in named.items():
        matched |= _assign(sorted(of_name, key=_priority), assets.get(name, ()))
    # Nothing tells what a gift looks like, nor that it got another id: one for one with what nobody else explains.
    gifts = sorted((row for row in rows if row.name is None), key=_priority)
    unclaimed = [asset.asset_id for asset in free if asset.asset_id not in matched]
    return matched | dict(zip(unclaimed, (row.deposit_id for row in gifts), strict=False))


def _priority(row: Entry) -> tuple[bool, bool, str]:
    return not row.must, row.returns is not None, row.deposit_id


def _assign(rows: Sequence[Entry], assets: Sequence[Seen]) -> dict[str, str]:
    """A largest matching in which a row never loses its place to a later one (augmenting paths, breadth first)."""
    owner: dict[str, Entry] = {}
    for row in rows:
        came_by: dict[str, Entry] = {}  # asset → the row that would take it
        queue, goal = [row], None
        for taker in queue:  # grows while it is walked
            for asset in assets:
                if asset.asset_id not in came_by and _alike(taker, asset):
                    came_by[asset.asset_id] = taker
                    if asset.asset_id not in owner:
                        goal = asset.asset_id
                        break
                    queue.append(owner[asset.asset_id])
            if goal is not None:
                break
        _hand_over(owner, came_by, row, goal)
    return {asset_id: row.deposit_id for asset_id, row in owner.items()}


def _hand_over(owner: dict[str, Entry], came_by: Mapping[str, Entry], first: Entry, goal: str | None) -> None:
    """Along the path that was found each row takes the next asset; the last one was free."""
    had = {row.deposit_id: asset_id for asset_id, row in owner.items()}
    while goal is not None:
        taker = came_by[goal]
        owner[goal] = taker
        goal = None if taker is first else had[taker.deposit_id]


def _alike(row: Entry, asset: Seen) -> bool:
    """Of one name already: two known, different fingerprints are two different copies."""
    return row.fingerprint is None or asset.fingerprint is None or row.fingerprint == asset.fingerprint


# --- what else is known ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A row of another bot that holds an item."""

    deposit_id: str
    bot: str
    asset_id: str
    fingerprint: str | None


def with_others(differences: Iterable[Difference], seen: Iterable[Seen], others: Iterable[Elsewhere]) -> list[Difference]:
    """An extra asset that is the item of another bot's row, by its id or its fingerprint, is with the wrong bot."""
    rows = list(others)
    by_id = {row.asset_id: row for row in rows}
    by_fingerprint = {row.fingerprint: row for row in rows if row.fingerprint is not None}
    prints = {asset.asset_id: asset.fingerprint for asset in seen}
    result = []
    for each in differences:
        row = by_id.get(each.asset_id) or by_fingerprint.get(prints.get(each.asset_id) or "")
        if each.kind is Kind.EXTRA and row is not None:
            text = f"asset {each.asset_id} ({each.name}) is with {each.bot}, but {row.deposit_id} says {row.bot}"
            result.append(replace(each, kind=Kind.WRONG_BOT, text=text, deposit_id=row.deposit_id))
        else:
            result.append(each)
    return result


def with_trades(differences: Iterable[Difference], brought_by: Mapping[str, str]) -> list[Difference]:
    """``brought_by``: deposits to the accepted trade, still protected, that brought them."""
    return [
        replace(each, trade_id=brought_by.get(each.deposit_id or "")) if each.kind is Kind.MISSING else each
        for each in differences
    ]


# --- judging -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judgement:
    """``verdict`` is ``None`` when another look is needed; ``new`` are the differences that freeze the bot."""

    verdict: AuditVerdict | None
    new: list[Difference]


def judge(
    differences: Sequence[Difference], suspects: Collection[str], known: Collection[str], looked_at: Collection[str]
) -> Judgement:
    """What a look means.

    ``suspects`` are the keys that the look before found, ``known`` those that an operator has seen, ``looked_at`` the trades
    whose exchange a bot has looked at between the two readings.
    """
    unknown = [each for each in differences if each.key not in known and not each.house]
    if not unknown:
        return Judgement(AuditVerdict.DIFFERENCES if differences else AuditVerdict.CLEAN, [])
    new = [each for each in unknown if each.key in suspects and (each.trade_id is None or each.trade_id in looked_at)]
    return Judgement(AuditVerdict.DIFFERENCES, new) if new else Judgement(None, [])
