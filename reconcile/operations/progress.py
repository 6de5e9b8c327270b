"""
How far a pull is, for whoever called it in Python: a line that changes in a notebook, log lines elsewhere.

Knows what a notebook is, and how often a log wants to hear of it. The commands have a display of their own.
"""

from __future__ import annotations

import html
import logging
import sys
import time
from typing import Any

from reconcile.payments.report import PullProgress

log = logging.getLogger("reconcile.run")

_LOG_SECONDS = 10.0
_SHOW_SECONDS = 0.5


class TellingProgress:
    """
    Tells of a pull, called with each `PullProgress`: in a notebook below the cell, and every ten seconds in the log.

    `finished` says how it ended.
    """

    def __init__(self) -> None:
        self._cell = _cell()
        self._logged_at = self._shown_at = time.monotonic()

    def __call__(self, progress: PullProgress) -> None:
        now = time.monotonic()
        if self._cell is not None and now - self._shown_at >= _SHOW_SECONDS:
            self._show(in_words(progress))
            self._shown_at = now
        if now - self._logged_at >= _LOG_SECONDS:
            log.info("%s", in_words(progress), extra={"payments": progress.payments, "requests": progress.requests})
            self._logged_at = now

    def finished(self, payments: int) -> None:
        """All payments are there."""
        text = f"pulled {payments:,} payments, complete"
        log.info("%s", text, extra={"payments": payments})
        if self._cell is not None:
            self._show(text)

    def _show(self, text: str) -> None:
        # As both: what shows no HTML has text.
        shown = {"text/plain": text, "text/html": f"<small>{html.escape(text)}</small>"}
        self._cell.update(shown, raw=True)


def in_words(progress: PullProgress) -> str:
    """Return where a pull stands, in a line."""
    parts = [f"pulling payments: {progress.payments:,}"]
    if progress.expected_payments:
        share = min(progress.payments / progress.expected_payments, 1)
        parts[0] += f" of {progress.expected_payments:,} ({share:.0%})"
    parts.append(f"{progress.requests:,} requests")
    if progress.quota_remaining is not None:
        parts.append(f"{progress.quota_remaining:,} left for now")
    if progress.retries:
        parts.append(f"{progress.retries:,} retried")
    return ", ".join(parts)


def _cell() -> Any:
    """Return the place below the cell of a notebook that is run; null where there is none."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display: Any = sys.modules["IPython"].display.display
    return display({"text/plain": "", "text/html": ""}, raw=True, display_id=True)
