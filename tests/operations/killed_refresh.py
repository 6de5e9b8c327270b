"""
Runs commands in forks of one process, each killed at a step: before or after a request, or while it writes a record.

A command is a line of JSON on standard input: the step (null: it is not killed), the folder, the environment, and the
words. Its exit code is the line that answers it, negative where it was killed.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from kill_points import _exit_of

from reconcile.cli.main import main as reconcile
from reconcile.commercelayer.sending.wire import Answer, Wire
from reconcile.runs import records

LOADED = ("aiohttp", "reconcile.operations.refresh", "reconcile.reports.terminal", "reconcile.reports.text_table")


def main() -> None:
    for name in LOADED:  # once for all; no thread may come with it
        importlib.import_module(name)
    for line in sys.stdin:
        step, folder, environ, words = json.loads(line)
        child = os.fork()
        if child == 0:
            os.chdir(folder)
            os.environ.update(environ)
            with open(os.devnull, "w") as nowhere:  # noqa: PTH123 (nothing of it is said)
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
            if step is not None:
                _die_at(step)
            _exit_of(lambda words=words: reconcile(words))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _die_at(step: int) -> None:
    left = itertools.count(step, -1)

    def met() -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    send, append = Wire.send, records.append

    async def dying_send(self: Wire, *arguments: Any, **keywords: Any) -> Answer:
        met()
        answer = await send(self, *arguments, **keywords)
        met()
        return answer

    def dying_append(path: Path, content: bytes) -> None:
        met()
        if next(left) == 0:  # in the middle of it
            append(path, content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        append(path, content)
        met()

    Wire.send = dying_send  # type: ignore[method-assign]
    records.append = dying_append


if __name__ == "__main__":
    main()
