"""One bot's rows against its inventory, as a pure function."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.custody import compare as custody_audit
from balancer.custody.compare import (
    Difference,
    Elsewhere,
    Entry,
    Kind,
    Seen,
    compare,
    judge,
    with_others,
    with_trades,
)
from shared.domain.status import AuditVerdict

NAME, OTHER = "P250 | Sand Dune (Field-Tested)", "Case"


def row(number: int, **changes: Any) -> Entry:
    values: dict[str, Any] = {"status": "active", "asset_id": str(number), "name": NAME, "fingerprint": f"f{number}"}
    values |= {"frozen_by": None, "settled": True, "loose": False} | changes
    return custody_audit.entry(f"dep_{number}", **values)


def seen(number: int, **changes: Any) -> Seen:
    return Seen(**{"asset_id": str(number), "context_id": "2", "name": NAME, "fingerprint": f"f{number}"} | changes)


def kinds(rows: list[Entry], assets: list[Seen]) -> list[tuple[Kind, str]]:
    return [(each.kind, each.asset_id) for each in compare("red-1", rows, assets)]


def test_what_adds_up_is_no_difference() -> None:
    assert kinds([row(1), row(2, settled=False)], [seen(2, context_id="16"), seen(1)]) == []
    assert kinds([], []) == []


@pytest.mark.parametrize("status", ["active", "withdraw_pending"])
def test_a_settled_item_that_is_gone_is_missing_whatever_lies_beside_it(status: str) -> None:
    """A copy under another id is another item: settled ids do not change."""
    assert kinds([row(1, status=status)], []) == [(Kind.MISSING, "1")]
    assert kinds([row(1)], [seen(9, fingerprint="f1")]) == [(Kind.MISSING, "1"), (Kind.EXTRA, "9")]


def test_every_difference_is_a_sentence_with_its_row_and_asset() -> None:
    rows = [row(1), row(2), row(3), row(3), row(4)]
    rows[3] = replace(rows[3], deposit_id="dep_33")
    assets = [seen(2, context_id="16"), seen(3), seen(4, name=OTHER), seen(5)]
    found = compare("red-1", rows, assets)
    assert [(each.kind.value, each.deposit_id) for each in found] == [
        ("missing", "dep_1"),
        ("protected", "dep_2"),
        ("doubled", "dep_3"),
        ("swapped", "dep_4"),
        ("extra", None),
    ]
    assert [each.text for each in found] == [
        f"dep_1: asset 1 ({NAME}) is not in the inventory of red-1",
        f"dep_2: asset 2 ({NAME}) of red-1 is settled here, but Steam still protects it",
        f"asset 3 ({NAME}) of red-1 belongs to 2 rows: dep_3, dep_33",
        f"dep_4: asset 4 of red-1 is {OTHER}, not {NAME}",
        f"asset 5 ({NAME}) of red-1 belongs to no row",
    ]
    assert len({each.key for each in found}) == 5


@pytest.mark.parametrize("status", ["active", "withdraw_pending", "deposit_pending", "withdrawn", "reversed"])
def test_an_item_on_its_way_may_be_there_or_not(status: str) -> None:
    loose = row(1, status=status, loose=True)
    assert kinds([loose], []) == []
    assert kinds([loose], [seen(9, fingerprint="f1")]) == []  # under a new id
    assert kinds([loose], [seen(9, fingerprint=None)]) == []  # some copies show nothing of themselves
    assert kinds([loose], [seen(9, fingerprint="f9")]) == [(Kind.EXTRA, "9")]
    assert kinds([loose], [seen(9, name=OTHER, fingerprint=None)]) == [(Kind.EXTRA, "9")]
    assert kinds([loose], [seen(8, fingerprint="f1"), seen(9, fingerprint="f1")]) == [(Kind.EXTRA, "9")]


def test_a_protected_item_may_get_another_id_when_it_settles() -> None:
    young = row(1, settled=False)
    assert kinds([young], [seen(9, fingerprint="f1")]) == []
    assert kinds([young], [seen(9, fingerprint="f9")]) == [(Kind.MISSING, "1"), (Kind.EXTRA, "9")]
    assert kinds([young], [seen(1), seen(9, fingerprint="f1")]) == [(Kind.EXTRA, "9")]


@pytest.mark.parametrize("why", ["unmatched", "receipt_missing"])
def test_a_row_whose_id_nobody_knows_is_found_by_what_it_looks_like(why: str) -> None:
    assert kinds([row(1, frozen_by=why)], [seen(9, fingerprint="f1")]) == []
    assert kinds([row(1, frozen_by=why)], []) == [(Kind.MISSING, "1")]


def test_a_pending_deposit_is_not_found_by_the_players_asset_id() -> None:
    pending = row(1, status="deposit_pending", loose=True)
    assert kinds([pending], [seen(1, name=OTHER)]) == [(Kind.EXTRA, "1")]


def test_a_frozen_row_may_still_be_protected_but_is_missed_all_the_same() -> None:
    frozen = row(1, frozen_by="reversal")
    assert kinds([frozen], [seen(1, context_id="16")]) == []
    assert kinds([frozen], []) == [(Kind.MISSING, "1")]


def test_a_gift_is_known_by_its_id_only_and_may_be_renumbered() -> None:
    gift = row(1, name=None, fingerprint=None, frozen_by="gift", settled=False)
    assert kinds([gift], [seen(1, name="Anything")]) == []
    assert kinds([gift], [seen(9, name="Anything")]) == []
    assert kinds([gift], []) == [(Kind.MISSING, "1")]
    assert kinds([gift], [seen(8), seen(9)]) == [(Kind.EXTRA, "9")]


def test_as_many_rows_as_can_be_find_their_copies() -> None:
    """Copies without a fingerprint go where nothing else fits, in whatever order rows and assets come."""
    young = [row(1, settled=False), row(2, settled=False, fingerprint=None), row(3, status="deposit_pending", loose=True)]
    assets = [seen(7, fingerprint=None), seen(8, fingerprint="f3"), seen(9, fingerprint="else")]
    for rows in itertools.permutations(young):
        for order in itertools.permutations(assets):
            assert kinds(list(rows), list(order)) == []
    assert kinds(young, assets[:1]) == [(Kind.MISSING, "2")]


def test_an_item_that_steam_may_have_given_back_is_told_with_its_trade() -> None:
    back = Entry("dep_2", "", NAME, "f1", must=False, pinned=False, returns="trd_1")
    (found,) = compare("red-1", [back], [seen(9, fingerprint="f1")])
    assert (found.kind, found.trade_id) == (Kind.EXTRA, "trd_1")
    (found,) = compare("red-1", [back], [seen(9)])
    assert (found.kind, found.trade_id) == (Kind.EXTRA, None)
    assert compare("red-1", [back], []) == []
    # A row that must be there comes first.
    assert kinds([back, row(1, settled=False)], [seen(9, fingerprint="f1")]) == []


def test_what_belongs_to_another_bots_row_is_with_the_wrong_bot() -> None:
    assets = [seen(7), seen(8, fingerprint="unique"), seen(9, fingerprint=None)]
    others = [Elsewhere("dep_a", "red-2", "7", None), Elsewhere("dep_b", "red-3", "70", "unique")]
    found = with_others(compare("red-1", [], assets), assets, others)
    assert [(each.kind.value, each.deposit_id) for each in found] == [
        ("wrong_bot", "dep_a"),
        ("wrong_bot", "dep_b"),
        ("extra", None),
    ]
    assert found[1].text == f"asset 8 ({NAME}) is with red-1, but dep_b says red-3"


# --- judging ----------------------------------------------------------------------------------------------


def difference(number: int, trade_id: str | None = None) -> Difference:
    (found,) = with_trades(compare("red-1", [row(number)], []), {f"dep_{number}": trade_id} if trade_id else {})
    return found


def test_a_difference_counts_when_two_looks_show_it() -> None:
    one, two = difference(1), difference(2)
    assert judge([], set(), set(), set()) == custody_audit.Judgement(AuditVerdict.CLEAN, [])
    assert judge([one], set(), set(), set()).verdict is None
    assert judge([one], {two.key}, set(), set()).verdict is None
    assert judge([one, two], {one.key}, set(), set()) == custody_audit.Judgement(AuditVerdict.DIFFERENCES, [one])
    assert judge([], {one.key}, set(), set()).verdict is AuditVerdict.CLEAN


def test_what_an_operator_has_seen_needs_no_second_look_and_freezes_nothing() -> None:
    one, two = difference(1), difference(2)
    assert judge([one], set(), {one.key}, set()) == custody_audit.Judgement(AuditVerdict.DIFFERENCES, [])
    assert judge([one, two], set(), {one.key}, set()).verdict is None
    assert judge([one, two], {one.key, two.key}, {one.key}, set()).new == [two]


def test_a_protected_exchange_is_looked_at_before_its_items_count() -> None:
    one = difference(1, "trd_1")
    assert judge([one], {one.key}, set(), {"trd_2"}).verdict is None
    assert judge([one], {one.key}, set(), {"trd_1"}).new == [one]


# --- whatever trades do meanwhile ---------------------------------------------------------------------------
#
# The life of one item, step by step: what lies in the bot's inventory (id, context) and what the tables say of it (status,
# whether settled, asset id, whether its trade is loose). Steam is ahead of the tables. A reading is of any moment between
# the order and its report, so of any step between what the tables said at the order and what Steam shows at the report.


@dataclass(frozen=True)
class Step:
    there: tuple[int, str] | None
    status: str | None
    asset: int = 0
    settled: bool = False
    loose: bool = False


NOWHERE = Step(None, None)
TRADE = "trd_1"


def life(number: int, renumbered: bool, ending: str) -> list[Step]:
    """From the player's inventory through ours and out again; ``number`` makes its ids."""
    theirs, young, old, back = (number * 10 + each for each in range(4))
    old = old if renumbered else young
    in_16, in_2 = (young, "16"), (old, "2")
    coming = Step(None, "deposit_pending", theirs, loose=True)
    steps = [NOWHERE, coming, replace(coming, there=in_16), Step(in_16, "active", young)]
    if ending == "reversed":
        gone = Step(None, "active", young)
        return [*steps, gone, replace(gone, loose=True), replace(gone, status="reversed")]
    steps += [Step(in_2, "active", young), Step(in_2, "active", old, settled=True)]
    asked = Step(in_2, "withdraw_pending", old, settled=True, loose=True)
    if ending == "declined":
        return [*steps, asked, replace(asked), Step(in_2, "active", old, settled=True)]
    steps += [asked, replace(asked, there=None), Step(None, "withdrawn", old, settled=True)]
    if ending == "taken_back":
        again = (back, "2")
        unheard = Step(again, "withdrawn", old, settled=True)
        steps += [unheard, replace(unheard, loose=True), Step(again, "active", back, settled=True)]
    return steps


@dataclass(frozen=True)
class Item:
    number: int
    steps: list[Step]
    marked: int
    read: int
    applied: int
    plain: bool  # a copy that shows nothing of itself

    @property
    def fingerprint(self) -> str | None:
        return None if self.plain else f"f{self.number}"

    def row(self) -> Entry | None:
        step = self.steps[self.applied]
        moved = any(self._differs(each) for each in range(self.marked, self.applied))
        if step.status == "withdrawn" and not (moved or step.loose):
            return Entry(f"dep_{self.number}", "", NAME, self.fingerprint, must=False, pinned=False, returns=TRADE)
        if step.status is None or (step.status == "reversed" and not moved):
            return None
        frozen_by = "reversal" if step.loose and step.status == "active" else None
        return row(
            self.number,
            status=step.status,
            asset_id=str(step.asset),
            fingerprint=self.fingerprint,
            frozen_by=frozen_by,
            settled=step.settled,
            loose=moved or step.loose,
        )

    def _differs(self, number: int) -> bool:
        """Whether the tables changed after this step."""
        return replace(self.steps[number], there=None) != replace(self.steps[number + 1], there=None)

    def asset(self) -> Seen | None:
        there = self.steps[self.read].there
        return None if there is None else seen(there[0], context_id=there[1], fingerprint=self.fingerprint)


@st.composite
def items(draw: st.DrawFn, number: int) -> Item:
    ending = draw(st.sampled_from(["withdrawn", "declined", "reversed", "taken_back"]))
    steps = life(number, draw(st.booleans()), ending)
    marked = draw(st.integers(0, len(steps) - 1))
    read = draw(st.integers(marked, len(steps) - 1))
    applied = draw(st.integers(marked, len(steps) - 1))
    # Steam is ahead of the tables, never by more than one thing that the tables have still to hear.
    if applied < read:
        applied = max(applied, max(each for each in range(read) if steps[each].status is not None or each == 0))
    return Item(number, steps, marked, read, applied, draw(st.booleans()))


worlds = st.integers(1, 6).flatmap(lambda count: st.tuples(*(items(number) for number in range(1, count + 1))))


def differences(world: tuple[Item, ...], assets: list[Seen]) -> list[Difference]:
    """As the balancer finds them: with the trades that may explain them."""
    rows = [each for item in world if (each := item.row()) is not None]
    return with_trades(compare("red-1", rows, assets), {each.deposit_id: TRADE for each in rows if not each.settled})


def at_rest(item: Item) -> bool:
    """Its row is one whose item has to be there, under an id that is certain."""
    entry = item.row()
    return entry is not None and entry.pinned


@settings(max_examples=100, deadline=None)
@given(worlds)
def test_no_trade_under_way_makes_a_difference(world: tuple[Item, ...]) -> None:
    """At most one that waits for a look at its exchange, and only where Steam has reversed it."""
    found = differences(world, [each for item in world if (each := item.asset()) is not None])
    assert [each for each in found if each.trade_id is None] == []
    assert len(found) <= sum(item.steps[-1].status == "reversed" or item.steps[-1].asset % 10 == 3 for item in world)
    assert judge(found, {each.key for each in found}, set(), set()).new == []


@settings(max_examples=100, deadline=None)
@given(worlds, st.data())
def test_a_theft_and_a_find_are_named_whatever_else_goes_on(world: tuple[Item, ...], data: st.DataObject) -> None:
    assets = {item.number: each for item in world if (each := item.asset()) is not None}
    still = [item for item in world if at_rest(item) and item.number in assets]
    stolen = [item for item in still if data.draw(st.booleans())]
    strange = [seen(10_000 + number, name=OTHER) for number in range(data.draw(st.integers(0, 2)))]
    left = [each for number, each in assets.items() if number not in {item.number for item in stolen}]
    found = [each for each in differences(world, [*left, *strange]) if each.trade_id is None]
    assert {each.deposit_id for each in found if each.kind is Kind.MISSING} == {f"dep_{item.number}" for item in stolen}
    assert {each.asset_id for each in found if each.kind is Kind.EXTRA} == {each.asset_id for each in strange}
    assert len(found) == len(stolen) + len(strange)


def test_an_item_that_valve_renames_is_the_same_item_and_no_difference() -> None:
    rows, assets = [replace(row(1), class_id="77")], [replace(seen(1, name=OTHER), class_id="77")]
    assert compare("red-1", rows, assets) == []
    assert custody_audit.renamed(rows, assets) == [("77", NAME, OTHER)]
    assert kinds([replace(row(1), class_id="77")], [replace(seen(1, name=OTHER), class_id="78")]) == [(Kind.SWAPPED, "1")]
    assert kinds([row(1)], [seen(1, name=OTHER)]) == [(Kind.SWAPPED, "1")], "an unknown class says nothing"


def test_a_row_of_the_house_never_freezes_a_bot() -> None:
    found = compare("red-1", [replace(row(1), house=True), row(2)], [seen(2)])
    assert [(each.kind, each.house) for each in found] == [(Kind.MISSING, True)]
    judged = judge(found, {each.key for each in found}, set(), set())
    assert (judged.verdict, judged.new) == (AuditVerdict.DIFFERENCES, [])
