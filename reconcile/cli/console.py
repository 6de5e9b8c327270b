"""
The terminal: messages, and the width and colour a stream can take.

Talk goes to standard error, so that standard output carries results only.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

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
