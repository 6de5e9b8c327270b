"""What goes on in a thread ends before a cancellation goes on, and an error of it is not lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from reconcile.payments.walking import to_its_end


async def cancelled_while(end: Callable[[], None]) -> None:
    """Cancel while a thread waits, then let it end so."""
    may_end = threading.Event()

    def call() -> None:
        may_end.wait(10)
        end()

    task = asyncio.ensure_future(to_its_end(call))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    await task


async def test_a_cancellation_waits_for_the_thread() -> None:
    ended: list[bool] = []
    with pytest.raises(asyncio.CancelledError):
        await cancelled_while(lambda: ended.append(True))

    assert ended == [True]


async def test_an_error_of_the_thread_is_raised_though_it_is_cancelled() -> None:
    def fail() -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        await cancelled_while(fail)
