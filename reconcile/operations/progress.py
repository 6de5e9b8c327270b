"""
How far a pull is, for whoever called it in Python: a line that changes in a notebook, log lines elsewhere.

Knows what a notebook is, and how often a log wants to hear of it; what the line says is known to `progress_text`. The
commands have a display of their own.
"""

from __future__ import annotations

import html
import logging
import sys
import time
from typing import Any

from reconcile.payments.report import PullProgress
from reconcile.reports.progress_text import progress_text

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
            self._show(progress_text(progress))
            self._shown_at = now
        if now - self._logged_at >= _LOG_SECONDS:
            figures = {"payments": progress.payments, "requests": progress.requests}
            log.info("%s", progress_text(progress), extra=figures)
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


def _cell() -> Any:
    """Return the place below the cell of a notebook that is run; null where there is none."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display: Any = sys.modules["IPython"].display.display
    return display({"text/plain": "", "text/html": ""}, raw=True, display_id=True)
