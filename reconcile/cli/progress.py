"""
A pull while it runs: on a terminal one line that is written over, elsewhere a line now and then.

What the line says is known to `progress_text`; with --log-json it is an event with all figures.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING

from reconcile.cli import console
from reconcile.cli.log_lines import ROOT

if TYPE_CHECKING:
    from reconcile.cli.options import Session
    from reconcile.payments.report import PullProgress

log = logging.getLogger("reconcile.run")

_LINE_SECONDS = 30.0  # between two lines of a log
_USUAL_COLUMNS = 80


class PullDisplay:
    """
    Tells of a pull whatever the session wants to be told of it.

    Call it with each `PullProgress`; leave the `with` block to end the line.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_written_over = session.talks and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._said_at = time.monotonic()
        self._columns = 0  # of what stands on the line

    def __enter__(self) -> PullDisplay:
        for handler in logging.getLogger(ROOT).handlers:
            handler.addFilter(self._make_room)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handler in logging.getLogger(ROOT).handlers:
            handler.removeFilter(self._make_room)
        if self._columns:
            self._write("\n")

    def __call__(self, progress: PullProgress) -> None:
        from reconcile.reports.progress_text import progress_line, progress_text

        if self._is_written_over:
            self._columns = _columns() - 1  # in the last one some terminals begin a new line
            self._write(f"\r{progress_line(progress, self._columns)}")
        elif time.monotonic() - self._said_at >= _LINE_SECONDS:
            self._said_at = time.monotonic()
            if self._session.log_json:
                log.info("%s", progress_text(progress), extra=asdict(progress))
            else:
                console.say(progress_text(progress), quiet=self._session.quiet)

    def _make_room(self, record: logging.LogRecord) -> bool:
        """Clear the line before a log line, which would begin behind what stands on it."""
        if self._columns:
            self._write(f"\r{' ' * self._columns}\r")
        return True

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _columns() -> int:
    """Return how many columns the terminal has now; it may be made wider or narrower meanwhile."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):  # a terminal that does not say
        return _USUAL_COLUMNS
