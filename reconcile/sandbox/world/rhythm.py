"""
When things happen in the generated shop, and by what chance: arrays over all sequences, from a seed.

More orders in the evening, at weekends and in November, growth over time. Knows nothing of payments or orders.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

Instants = npt.NDArray[np.int64]

OPENED = datetime(2024, 7, 1, tzinfo=UTC)
CLOSED = datetime(2026, 7, 1, tzinfo=UTC)
"""The span of `created_at` in a generated world: it does not follow the clock, so a seed means one world."""

_SECOND = 1_000_000
_HOUR = 3600 * _SECOND
_BUSIEST_DAY = 515
"""Black Friday of 2025, counted in days from OPENED."""

_HOURS = (3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 11, 12, 13, 12, 11, 11, 12, 13, 15, 18, 20, 19, 13, 7)
_WEEKDAYS = (10, 9, 9, 10, 11, 12, 14)


def shares(seed: int, stream: str, count: int) -> npt.NDArray[np.float64]:
    """Return `count` + 1 numbers in [0, 1), one per sequence from 0; the same for any larger count (splitmix64)."""
    start = int.from_bytes(hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=8).digest(), "big")
    state = np.arange(count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def rhythm(seed: int, payments: int, busiest_day_share: float) -> Instants:
    """Return when each payment was created, by sequence: spread over the span as a shop's days and years go."""
    opened, closed = int(OPENED.timestamp()) * _SECOND, int(CLOSED.timestamp()) * _SECOND
    hours = np.arange((closed - opened) // _HOUR)
    days = hours // 24
    weekdays = (days + OPENED.weekday()) % 7
    year_day = np.array([(OPENED.timetuple().tm_yday + int(day)) % 365 for day in range(int(days[-1]) + 1)])[days]
    weight = np.array(_HOURS, float)[hours % 24] * np.array(_WEEKDAYS, float)[weekdays]
    weight *= 1 + 0.5 * hours / hours[-1]
    weight *= np.where((year_day > 325) & (year_day < 358), 1.8, 1.0)
    weight *= np.where((year_day > 329) & (year_day < 334), 2.5, 1.0)
    busiest = days == _BUSIEST_DAY
    share = max(busiest_day_share, float(weight[busiest].sum() / weight.sum()))
    weight[busiest] *= share / (1 - share) * weight[~busiest].sum() / weight[busiest].sum()
    cumulated = np.concatenate([[0.0], np.cumsum(weight)])
    place = (np.arange(payments + 1) - shares(seed, "created", payments)) / max(payments, 1)
    instants = np.interp(np.clip(place, 0, 1) * cumulated[-1], cumulated, np.arange(len(cumulated)) * float(_HOUR))
    created: Instants = opened + instants.astype(np.int64)
    return created
