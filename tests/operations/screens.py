"""Commands on a real terminal of so many columns: a process whose output goes to a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path


def on_a_terminal(words: Sequence[str], columns: int, *, stdout: Path | None = None, **environ: str) -> str:
    """
    Run `reconcile` with `words` and return what a terminal of `columns` is sent; both outputs go there.

    With `stdout` standard output goes to that file in their place.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "TERM")}
    command = [sys.executable, "-m", "reconcile", *words]
    environment = {**inherited, "TERM": "xterm", **environ}
    with (stdout or Path(os.devnull)).open("wb") as file:
        output = file if stdout else theirs
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=theirs, env=environment)
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as screen:
        sent = b"".join(iter(lambda: _read(screen.fileno()), b""))
    assert process.wait() in (0, 1), sent
    return sent.decode().replace("\r\n", "\n")


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 1 << 16)
    except OSError:  # on Linux the end of a terminal is an error
        return b""
