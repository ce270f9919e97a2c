"""The one batcher: what shares a unit, and what becomes of those who give up, come late, or share one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from balancer.batching import Batch

PATIENCE_S = 120


class Work:
    """Answers each thing with itself, one unit when the test lets it go on; ``bad`` ones fail whoever shares the unit."""

    def __init__(self, at_once: int = 1, most: int = 10, bad: Sequence[str] = (), apart: bool = False) -> None:
        self.units: list[list[str]] = []
        self.may_go_on = asyncio.Semaphore(0)
        self._bad = bad
        marks = (lambda text: text[0]) if apart else (lambda _text: ())
        self.batch: Batch[str, str] = Batch(self._do, most=most, at_once=at_once, marks=marks)

    async def _do(self, asked: list[str]) -> list[str]:
        self.units.append(asked)
        await self.may_go_on.acquire()
        if any(each in self._bad for each in asked):
            raise ValueError("bad")
        return asked

    def go_on(self, units: int = 100) -> None:
        for _ in range(units):
            self.may_go_on.release()

    async def asked(self, *texts: str) -> list[asyncio.Task[str]]:
        """Each asked by somebody, in this order; as far as they come by themselves."""
        tasks = [asyncio.create_task(self.batch.ask(text)) for text in texts]
        for _ in range(5):
            await asyncio.sleep(0)
        return tasks


async def results(tasks: Sequence[asyncio.Future[str]]) -> list[str | BaseException]:
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_while_work_is_under_way_shares_the_next_unit() -> None:
    work = Work()
    tasks = await work.asked("a")
    tasks += await work.asked("b", "c", "d")
    work.go_on()
    assert await results(tasks) == ["a", "b", "c", "d"]
    assert work.units == [["a"], ["b", "c", "d"]]


async def test_no_unit_is_larger_than_may_be_and_so_many_run_at_once() -> None:
    work = Work(at_once=2, most=2)
    tasks = await work.asked("a", "b", "c", "d", "e")
    assert [len(unit) for unit in work.units] == [2, 2]
    work.go_on()
    assert await results(tasks) == ["a", "b", "c", "d", "e"]
    assert work.units == [["a", "b"], ["c", "d"], ["e"]]


async def test_what_has_a_mark_in_common_does_not_share_a_unit_and_keeps_its_turn() -> None:
    work = Work(apart=True)
    tasks = await work.asked("x")
    tasks += await work.asked("a1", "a2", "b1", "a3")
    work.go_on()
    assert await results(tasks) == ["x", "a1", "a2", "b1", "a3"]
    assert work.units == [["x"], ["a1", "b1"], ["a2"], ["a3"]]


async def test_who_gives_up_before_the_work_began_is_left_out() -> None:
    work = Work()
    tasks = await work.asked("a")
    tasks += await work.asked("b", "c")
    tasks[1].cancel()
    work.go_on()
    assert [type(result) for result in await results(tasks)] == [str, asyncio.CancelledError, str]
    assert work.units == [["a"], ["c"]]


async def test_what_was_begun_goes_on_without_who_gave_up_and_the_others_are_answered() -> None:
    work = Work()
    tasks = await work.asked("x")
    tasks += await work.asked("a", "b")
    work.go_on(1)
    await results(tasks[:1])
    tasks[1].cancel()
    work.go_on()
    assert (await results(tasks))[2] == "b"
    assert work.units == [["x"], ["a", "b"]]


async def test_what_is_put_is_done_though_nobody_waits() -> None:
    work = Work()
    await work.asked("a")
    put = work.batch.put("b")
    put.cancel()
    work.go_on()
    await work.batch.drain()
    assert work.units == [["a"], ["b"]]


async def test_a_unit_that_fails_fails_for_those_who_shared_it_only() -> None:
    work = Work(bad=["b"])
    tasks = await work.asked("a")
    tasks += await work.asked("b", "c")
    work.go_on(1)
    await results(tasks[:1])
    tasks += await work.asked("d")
    work.go_on()
    assert [type(result) for result in await results(tasks)] == [str, ValueError, ValueError, str]


@pytest.mark.parametrize("turns", range(12))
async def test_who_comes_in_the_step_in_which_the_work_ends_is_answered(turns: int) -> None:
    work = Work()
    work.go_on()

    async def comes_later() -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await work.batch.ask("late")

    assert await results([asyncio.create_task(work.batch.ask("a")), asyncio.create_task(comes_later())]) == ["a", "late"]


async def test_drain_waits_for_everything_that_was_asked() -> None:
    work = Work(most=1)
    tasks = await work.asked("a", "b", "c")
    work.go_on()
    async with asyncio.timeout(PATIENCE_S):
        await work.batch.drain()
    assert all(task.done() for task in tasks) or await results(tasks) == ["a", "b", "c"]
    assert work.units == [["a"], ["b"], ["c"]]


async def test_what_follows_comes_after_everybody_was_answered_and_not_after_a_failure() -> None:
    followed: list[tuple[list[str], bool]] = []
    work = Work(bad=["b"])
    work.batch = Batch(work._do, most=10, then=lambda asked, _answers: followed.append((asked, tasks[0].done())))
    work.go_on()
    tasks = [work.batch.put("a")]
    assert await results(tasks) == ["a"]
    assert [type(result) for result in await results([work.batch.put("b")])] == [ValueError]
    assert followed == [(["a"], True)]
