"""
How far a pull is, as a line of text: for a terminal, for a log, for a notebook.

Takes the figures as they are told; when they are shown is known elsewhere.
"""

from __future__ import annotations

import math

from reconcile.payments.report import PullProgress
from reconcile.reports.text_table import cut

_BAR, _ROOM_FOR_BAR = 20, 100  # columns


def progress_text(progress: PullProgress) -> str:
    """Return what is there of how much, what is waited for, how long the rest takes, and at which rate it comes."""
    count = f"{progress.payments:,} payments"
    if progress.expected_payments:
        count = f"{progress.payments:,} of {progress.expected_payments:,} payments ({int(100 * _share(progress))}%)"
    parts = [count]
    if (hold := math.ceil(progress.hold_seconds)) > 0:
        parts.append(f"waiting {hold} s for the rate limit")
    if progress.left_seconds:
        parts.append(f"about {_in_words(progress.left_seconds)} left")
    if progress.rate_per_minute:
        parts.append(f"{progress.rate_per_minute:,.0f} requests/min")
    if progress.retries:
        parts.append(f"{progress.retries:,} retried")
    return ", ".join(parts)


def progress_line(progress: PullProgress, columns: int) -> str:
    """Return `progress_text` on exactly `columns` columns, behind a bar where there is room for one."""
    text = progress_text(progress)
    if columns >= _ROOM_FOR_BAR:
        done = int(_BAR * _share(progress))
        text = f"[{'#' * done}{'-' * (_BAR - done)}] {text}"
    return cut(text, columns).ljust(columns)


def _share(progress: PullProgress) -> float:
    return min(1.0, progress.payments / progress.expected_payments) if progress.expected_payments else 0.0


def _in_words(seconds: float) -> str:
    if seconds <= 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
