"""
The terminal: progress while a pull runs, messages, and the width and colour a stream can take.

Talk goes to standard error, so that standard output carries results only.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any, TextIO

import click

from reconcile.errors import ReconcileError

_LEAST_COLUMNS = 40


def say(message: str, *, quiet: bool = False) -> None:
    """Write one line of talk."""
    if not quiet:
        click.echo(message, err=True)


def complain(error: ReconcileError) -> None:
    """Write an error and its remedy."""
    click.echo(f"error: {error.explained()}", err=True)


def line_width() -> int | None:
    """Return the columns that standard output has; None where it goes to no terminal: nothing is cut or folded then."""
    return _columns(sys.stdout)


def talk_width() -> int | None:
    """Return the columns that standard error has, as `line_width`."""
    return _columns(sys.stderr)


def _columns(stream: TextIO) -> int | None:
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return max(_LEAST_COLUMNS, int(said))
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):  # it is no terminal, or no file
        return None
    return max(_LEAST_COLUMNS, columns) if columns else None


def colour() -> bool:
    """Return whether standard error shows colour: a terminal, and nobody turned it off (https://no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class PullDisplay:
    """
    A progress bar for a pull on a terminal; silent everywhere else.

    Call it with each `PullProgress`; leave the `with` block to end the line.
    """

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled and sys.stderr.isatty()
        self._bar: Any = None
        self._latest: Any = None

    def __enter__(self) -> PullDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)

    def __call__(self, progress: Any) -> None:
        if not self.enabled:
            return
        self._latest = progress
        if self._bar is None:
            self._bar = click.progressbar(
                length=progress.expected_payments or 0,
                label="pulling payments",
                file=sys.stderr,
                show_pos=True,
                show_eta=True,
                item_show_func=lambda _: self._details(),
                update_min_steps=1,
            )
            self._bar.__enter__()
        self._bar.length = progress.expected_payments or None
        self._bar.update(max(0, progress.payments - self._bar.pos), progress)

    def _details(self) -> str:
        if self._latest is None:
            return ""
        parts = [f"{self._latest.pages:,} pages", f"{self._latest.rate_per_minute:,.0f} requests/min"]
        if self._latest.quota_remaining is not None:
            parts.append(f"quota {self._latest.quota_remaining} left")
        if self._latest.retries:
            parts.append(f"{self._latest.retries} retried")
        return ", ".join(parts)
