"""
Tasks side by side: several answers at once, or workers on a list that grows while they work.

One error ends them all, and is raised as it is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

from reconcile.errors import first_of

Item = TypeVar("Item")
Result = TypeVar("Result")


async def results_of(coroutines: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return what `coroutines` return, in their order."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as errors:
        raise first_of(errors) from errors
    return [task.result() for task in tasks]


class WorkerPool(Generic[Item]):
    """`work` does one item and returns what is to be done next because of it; `wanted` is how many may work now."""

    def __init__(self, work: Callable[[Item], Awaitable[Iterable[Item]]], *, wanted: Callable[[], int]) -> None:
        self._work = work
        self._wanted = wanted
        self._tasks: asyncio.TaskGroup
        self._todo: deque[Item]
        self._busy: int

    async def run(self, items: Iterable[Item]) -> None:
        """Do `items` in their order, then what came of them."""
        self._todo, self._busy = deque(items), 0
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self.fill()
        except BaseExceptionGroup as group:
            raise first_of(group) from group

    def fill(self) -> None:
        """Take on as many workers as are wanted by now."""
        while self._todo and self._busy < self._wanted():
            self._busy += 1
            self._tasks.create_task(self._work_through(self._todo.popleft()))

    async def _work_through(self, item: Item | None) -> None:
        while item is not None:
            self._todo.extend(await self._work(item))
            self.fill()
            item = self._todo.popleft() if self._todo else None
        self._busy -= 1
