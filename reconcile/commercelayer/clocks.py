"""
Whose clock is right: the server's, this machine's, and the time of the newest record are compared.

Knows how far apart they may be, and what the reader does when they are further. Asks nothing: the times are given. What
is read ends at the server's clock; a clock in the past would leave records out, and what is left would look complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconcile.errors import WrongClock

FURTHEST_APART = timedelta(minutes=5)
"""Clocks that are set over the network differ by far less, and an answer may be on its way for a minute."""

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Newest:
    """The record that happened last: `what` it is and what happened to it, in words, and when."""

    what: str
    at: datetime


def agreed_now(host: str, *, served_at: datetime | None, here: datetime, newest: Newest | None) -> datetime:
    """
    Return what time it is: by the clock of the server `host`, or by ours (`here`) where it does not say; whole seconds.

    Raises WrongClock when they, or the `newest` record and they, are too far apart.
    """
    if served_at is not None and abs(served_at - here) > FURTHEST_APART:
        raise WrongClock(
            f"{host}: the server's clock says {_shown(served_at)}, this machine's clock says {_shown(here)}",
            hint="set this machine's clock (NTP); if it is right, a proxy in between may set the header Date wrongly",
        )
    now = served_at or here.replace(microsecond=0)
    if newest is not None and newest.at - now > FURTHEST_APART:
        whose = "the server's" if served_at is not None else "this machine's"
        raise WrongClock(
            f"{host}: {newest.what} {_shown(newest.at)}, {whose} clock says {_shown(now)}",
            hint="set this machine's clock (NTP); if it is right, the record's time is wrong: "
            f"--until {now:%Y-%m-%dT%H:%M:%SZ} reads what is dated before",
        )
    return now


def this_clock() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


def in_utc(moment: datetime) -> datetime:
    """Return `moment` (aware) in UTC; at either end of the calendar the last moment that has a name."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _FIRST if moment.year == 1 else _LAST


def _shown(at: datetime) -> str:
    return f"{in_utc(at):%Y-%m-%d %H:%M:%S} UTC"
