"""Answers at once, and workers on a list that grows: all of it is done, by no more than are wanted, or one error."""

from __future__ import annotations

import asyncio

import pytest

from reconcile.commercelayer.tasks import WorkerPool, results_of


async def test_what_comes_of_an_item_is_done_too_and_by_no_more_than_are_wanted() -> None:
    done: list[int] = []
    busy, busiest = [0], [0]

    async def halve(number: int) -> list[int]:
        busy[0] += 1
        busiest[0] = max(busiest[0], busy[0])
        await asyncio.sleep(0)
        busy[0] -= 1
        done.append(number)
        return [number // 2] * 2 if number > 1 else []

    await WorkerPool(halve, wanted=lambda: 3).run([8, 4])

    assert sorted(done) == sorted([8, 4, 4, 4, *[2] * 6, *[1] * 12])
    assert busiest == [3]


async def test_more_workers_come_when_more_are_wanted() -> None:
    wanted, meeting = [1], asyncio.Barrier(3)

    async def meet(number: int) -> list[int]:
        wanted[0] = 3
        pool.fill()
        await meeting.wait()
        return []

    pool = WorkerPool(meet, wanted=lambda: wanted[0])
    async with asyncio.timeout(10):
        await pool.run(range(3))


async def test_the_first_error_is_raised_as_it_is_and_stops_the_others() -> None:
    stopped: list[int] = []

    async def fail_at_two(number: int) -> list[int]:
        if number == 2:
            raise OSError("two")
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(number)
        return []

    with pytest.raises(OSError, match="two"):
        await WorkerPool(fail_at_two, wanted=lambda: 3).run([0, 1, 2, 3])

    assert sorted(stopped) == [0, 1]


async def test_results_come_in_the_order_of_what_was_asked() -> None:
    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await results_of(after(turns) for turns in (3, 1, 2)) == [3, 1, 2]


async def test_the_first_error_of_several_answers_is_raised_as_it_is_and_stops_the_others() -> None:
    async def fail() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await results_of([asyncio.Event().wait(), fail()])
