"""
What is requested of a pull: the window, the transport, the mirror, and whether everything or only changes.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from reconcile.commercelayer.query import Placing, Window, timestamp
from reconcile.commercelayer.relations import Wanted
from reconcile.days import starts_at, zone_of
from reconcile.errors import SettingsError


class PullRequest(Struct, frozen=True, kw_only=True):
    """
    `[pull]` of the settings. Raises SettingsError for a window that is none.

    Without `money` the transactions of orders and what else tells of their money are not read. Without a mirror ("")
    nothing is kept. What was read is committed to it after so many seconds or pages. Dates, and times without an
    offset, are those of `time_zone`.
    """

    via: Annotated[
        Literal["pages", "exports", "auto"],
        Meta(description='how payments are read: by "pages", by "exports", or "auto": by exports where they are many'),
    ] = "pages"
    since: Annotated[
        str | None,
        Meta(
            description="only payments of this date or time on: of the order's placing, else of their creation",
            examples=["2026-01-01"],
            extra={"metavar": "WHEN"},
        ),
    ] = None
    until: Annotated[
        str | None,
        Meta(
            description="only payments before this date or time, by the same day",
            examples=["2026-11-01T00:00:00Z"],
            extra={"metavar": "WHEN"},
        ),
    ] = None
    mirror: Annotated[
        str,
        Meta(
            min_length=1,
            description="folder of the local copy, from which an interrupted pull resumes",
            extra={"metavar": "FOLDER"},
        ),
    ] = ".reconcile"
    incremental: Annotated[
        bool,
        Meta(
            description="read only what changed since the last finished pull in the mirror, or everything",
            extra={"off": "--full"},
        ),
    ] = False
    overlap_minutes: Annotated[
        int,
        Meta(
            ge=0,
            description="an incremental pull re-reads changes from this many minutes before the last one began",
            extra={"has_option": False},
        ),
    ] = 60
    history: Annotated[
        Literal["none", "breaks"],
        Meta(
            description='whose audit trail a run reads into history.parquet: "none", or that of the payments of its '
            '"breaks" and their orders'
        ),
    ] = "none"
    history_requests: Annotated[
        int,
        Meta(
            ge=1,
            description="the most requests that a run may spend on it: two or more for each payment",
            extra={"has_option": False},
        ),
    ] = 200

    personal: Annotated[
        bool,
        Meta(
            description="also read payment_instrument and metadata, which may hold names and card digits",
            extra={"has_option": False},
        ),
    ] = False

    money: bool = True
    time_zone: str = "UTC"
    commit_seconds: float = 2.0
    commit_pages: int = 200

    def __post_init__(self) -> None:
        since, until = self.first, self.end
        if since and until and since >= until:
            raise SettingsError("since must be before until")

    @property
    def first(self) -> datetime | None:
        """The first instant of the window; null for all there are."""
        return parse_moment(self.since, "since", self.time_zone) if self.since else None

    @property
    def end(self) -> datetime | None:
        """The first instant after the window; null for now."""
        return parse_moment(self.until, "until", self.time_zone) if self.until else None

    @property
    def window(self) -> str:
        """The string by which a mirror distinguishes windows, and rows of which more or less was read."""
        since, until = self.first, self.end
        span = f"{since and timestamp(since)}|{until and timestamp(until)}"
        more = ("|personal" if self.personal else "") + ("" if self.money else "|no money")
        return (span if self.narrowed is None else f"by placing|{span}") + more

    @property
    def wanted(self) -> Wanted:
        """What is read with each payment."""
        return Wanted(money=self.money, personal=self.personal)

    def windows(self, cut_off: datetime | None) -> tuple[Window, ...]:
        """
        Return what to ask for, apart from each other, up to `cut_off` (null: it is not known yet).

        Days are those of the order's placing; of a payment whose order was never placed, those of its creation. With
        neither `since` nor `until` that makes no difference.
        """
        if self.narrowed is None:
            return (Window(None, cut_off),)
        placed, never = Placing(self.first, cut_off), Placing(never=True)
        return Window(None, None, placing=placed), Window(self.first, cut_off, placing=never)

    def changes(self, cut_off: datetime | None, since: datetime) -> Window:
        """
        Return what to ask for of all that changed `since`, up to `cut_off`.

        Of some days only it is everything: what was placed meanwhile may no longer be among them.
        """
        return Window(None, cut_off if self.narrowed is None else None, since)

    @property
    def overlap(self) -> timedelta:
        """How long before the last pull began an incremental one reads again."""
        return timedelta(minutes=self.overlap_minutes)

    @property
    def narrowed(self) -> str | None:
        """In words, which payments the pull is limited to; null when it leaves out none."""
        parts = [f"from {self.since} on"] if self.since else []
        return " and ".join([*parts, f"before {self.until}"] if self.until else parts) or None


def parse_moment(text: str, name: str, time_zone: str) -> datetime:
    """
    Return an ISO 8601 date ("2026-11-01", its first instant) or date-time in `time_zone`, unless it has an offset.

    Raises SettingsError naming the setting `name`.
    """
    try:
        if len(text) == 10:
            return starts_at(date.fromisoformat(text), time_zone)
        moment = datetime.fromisoformat(text)
        return (moment.replace(tzinfo=zone_of(time_zone)) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):  # the first and the last day of the calendar end elsewhere in UTC
        raise SettingsError(
            f'{name}: "{text}" is not a date or time', hint='write "2026-11-01" or "2026-11-01T06:00:00Z"'
        ) from None
