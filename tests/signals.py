"""Whether Ctrl-C is heeded here and in processes that are started: a shell ignores it in what it starts with `&`."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager


@contextmanager
def ctrl_c(*, heeded: bool) -> Iterator[None]:
    """
    Have SIGINT raise KeyboardInterrupt, or be ignored, during the block.

    A process that is started in it has SIGINT at its default, or ignores it too: what is handled here is not handed on.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler if heeded else signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def started(command: Sequence[str], *, env: Mapping[str, str], heeded: bool = True) -> Iterator[subprocess.Popen[str]]:
    """Start `command`, of whose talk somebody reads; it has ended, and its pipe is closed, when the block ends."""
    with ctrl_c(heeded=heeded):
        process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()
