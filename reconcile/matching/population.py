"""
The population: which rows of both sides are supposed to have a counterpart.

Decides nothing about a row: `ladder` does.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from reconcile.days import Period, day_of, period_of, starts_at, zone_of
from reconcile.errors import SettingsError
from reconcile.keys import pattern_of

METHODS = ("*klarna*",)
"""Patterns of the payment method's names that are Klarna's."""


class Population(Struct, frozen=True, kw_only=True):
    """
    `[population]` of the settings: what the two sides are supposed to cover.

    Raises SettingsError for a time zone or a period that does not exist.
    """

    time_zone: Annotated[
        str,
        Meta(
            description="time zone of business dates: of lags, ages, periods, --since and --until, an IANA name",
            extra={"metavar": "NAME"},
        ),
    ] = "UTC"
    covers: Annotated[
        str | None,
        Meta(
            description="days that the order side covers: 2026-11, 2026-11-20, 2026-11-01..2026-11-20, 2026-11-01..; "
            "an unpaired row of another day is set aside; default: up to the business date",
            examples=["2026-11-01.."],
            extra={"metavar": "DAYS"},
        ),
    ] = None
    delivery: Annotated[
        Literal["full", "changes"],
        Meta(
            description="what order files bring: all orders (full), or those that are new or changed since the last "
            "delivery (changes)"
        ),
    ] = "full"
    listed_only: Annotated[
        bool,
        Meta(description="order files list only what is in question: a payment that they leave out is set aside"),
    ] = False
    methods: Annotated[
        tuple[str, ...],
        Meta(
            description="payment methods of Klarna orders, where the files have all; * stands for any characters",
            extra={"metavar": "PATTERN"},
        ),
    ] = METHODS

    def __post_init__(self) -> None:
        force_setattr(self, "methods", tuple(self.methods))
        zone_of(self.time_zone)
        period_of(self.covers)
        if not self.methods:
            raise SettingsError("methods is empty", hint=f'name the methods of Klarna orders, such as "{METHODS[0]}"')

    @property
    def period(self) -> Period:
        """The days that `covers` names; without ends where it names none."""
        return period_of(self.covers)

    @property
    def brings_changes(self) -> bool:
        """Whether order files bring what is new or changed, to an order book."""
        return self.delivery == "changes"

    @property
    def method_pattern(self) -> str:
        """A regular expression (RE2 and Java's) that fits a lower-case method of `methods`, from end to end."""
        return pattern_of(method.lower() for method in self.methods)

    def days(self, business_date: date) -> Period:
        """Return the days that the order side covers on `business_date`, with which it ends at the latest."""
        last = self.period.last
        return Period(self.period.first, business_date if last is None else min(last, business_date))

    def starts_at(self, day: date) -> datetime:
        """Return the instant at which `day` begins, in UTC."""
        return starts_at(day, self.time_zone)

    def day_of(self, moment: datetime) -> date:
        """Return the day on which an instant is."""
        return day_of(moment, self.time_zone)


EVERYTHING = Population()
"""Nothing is declared: everything up to the business date, days in UTC."""
