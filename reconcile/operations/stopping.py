"""
SIGTERM, by which schedulers and containers end a process: it ends as on Ctrl-C, and what was pulled is kept.

Knows what a signal does while a coroutine is waited for (its task is cancelled, as asyncio does on SIGINT) and
elsewhere (KeyboardInterrupt is raised, as `signal.default_int_handler` does). SIGINT itself is left as it is: a shell
ignores it in what it starts with `&`, and so do `nohup` and many containers.
"""

from __future__ import annotations

import signal
from collections.abc import Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

Result = TypeVar("Result")


class _Waiting:
    """A coroutine that is waited for, and whether it was asked to end."""

    def __init__(self) -> None:
        self.task: asyncio.Task[Any] | None = None
        self.is_told = False

    def tell(self) -> None:
        self.is_told = True
        if self.task is not None:
            self.task.get_loop().call_soon_threadsafe(self.task.cancel)  # wakes the loop, too


_waiting: set[_Waiting] = set()


def end_on_sigterm() -> None:
    """Have the first SIGTERM from now on end what is done as Ctrl-C would; a second one ends the process at once."""
    signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    if not _waiting:
        raise KeyboardInterrupt
    for one in tuple(_waiting):
        one.tell()


def run_coroutine(doing: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of `doing`, as `asyncio.run` does. Raises KeyboardInterrupt when SIGTERM has ended it."""
    return _run(doing, _Waiting())


def run_beside_loop(doing: Coroutine[Any, Any, Result]) -> Result:
    """As `run_coroutine`, where a loop runs already, which cannot be entered twice: in a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    here = _Waiting()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_run, doing, here)
        try:
            return running.result()
        except KeyboardInterrupt:  # the thread knows nothing of Ctrl-C, and would be waited for to its end
            if not running.done():
                here.tell()
            raise


def _run(doing: Coroutine[Any, Any, Result], here: _Waiting) -> Result:
    import asyncio

    async def watched() -> Result:
        here.task = asyncio.current_task()
        if here.is_told:  # before there was a task to cancel
            doing.close()
            raise asyncio.CancelledError
        return await doing

    _waiting.add(here)
    try:
        result = asyncio.run(watched())
    except asyncio.CancelledError:
        if here.is_told:
            raise KeyboardInterrupt from None
        raise
    finally:
        _waiting.discard(here)
    if here.is_told:  # it had come to its end: what follows does not begin
        raise KeyboardInterrupt
    return result
