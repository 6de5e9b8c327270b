"""
Every setting, said once: its name, type, default, where it is in `reconcile.toml`, and what it means.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from reconcile.errors import SettingsError
from reconcile.orders.databases.url import shown_url
from reconcile.orders.places.addresses import printable, without_secrets

PREFIX = "RECONCILE_"
FILE_NAME = "reconcile.toml"
OnEmpty = Literal["fail", "warn"]
AmountBasis = Literal["total_amount_with_taxes_cents", "total_amount_cents", "place_total_amount_cents"]


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tolerance of one currency, in place of the general one."""

    cents: int | None = None
    percent: str | None = None


class Replacement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A regular expression, and what comes in place of what it fits."""

    pattern: str
    with_: str = msgspec.field(default="", name="with")


@dataclass(frozen=True, slots=True)
class In:
    """Where a setting stands in `reconcile.toml`, and what it means."""

    table: str
    about: str
    key: str | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a run. A field's table and key in `reconcile.toml` stand beside its type."""

    organization: Annotated[
        str | None,
        In("commercelayer", 'slug of the organization; makes the API host "https://SLUG.commercelayer.io/api"'),
    ] = None
    api_url: Annotated[str | None, In("commercelayer", "the API's address, in place of the one of `organization`")] = (
        None
    )
    auth_url: Annotated[
        str | None, In("commercelayer", "base of /oauth/token; default the host of api_url, if set")
    ] = None
    mode: Annotated[
        Literal["live", "test"] | None,
        In("commercelayer", "the mode every row must have; default: that of the credentials"),
    ] = None
    scope: Annotated[str | None, In("commercelayer", 'scope of the token, such as "market:code:eu"')] = None
    rate_share: Annotated[float, In("commercelayer", "share of the rate limit to spend, above 0 and up to 1")] = 1.0
    allowance: Annotated[
        str | None, In("commercelayer", "file that processes of this machine name to share the rate limit")
    ] = None
    rate_limit: Annotated[bool, In("commercelayer", "false for a server without limits, on this machine only")] = True
    timeout_seconds: Annotated[float, In("commercelayer", "longest wait for one answer")] = 30.0
    retry_seconds: Annotated[float, In("commercelayer", "longest time to go on retrying without any progress")] = 300.0

    via: Annotated[
        Literal["pages", "exports", "auto"],
        In("pull", 'how payments are read: by "pages", by "exports", or "auto": by exports where they are many'),
    ] = "pages"
    since: Annotated[str | None, In("pull", "only payments created at or after this date or time (UTC)")] = None
    until: Annotated[str | None, In("pull", "only payments created before this date or time (UTC)")] = None
    mirror: Annotated[str, In("pull", "folder of the local copy, from which a broken pull goes on")] = ".reconcile"
    incremental: Annotated[bool, In("pull", "read only what changed since the last finished pull")] = False
    overlap_minutes: Annotated[
        int, In("pull", "an incremental pull reads again what changed so long before the last one began")
    ] = 60

    orders: Annotated[
        tuple[str, ...], In("orders", 'files, patterns, folders, addresses, or "commerce-layer"', key="files")
    ] = ()
    orders_sql: Annotated[
        str | None, In("orders", "query for order totals, or @FILE with one; it needs an ORDER BY", key="sql")
    ] = None
    orders_db: Annotated[
        str | None, In("orders", "its database: postgresql://HOST/NAME, duckdb:FILE or sqlite:FILE", key="database")
    ] = None
    currency: Annotated[str | None, In("orders", "currency of all rows, where the files have no such column")] = None
    decimal: Annotated[str, In("orders", 'decimal sign: "." or ","')] = "."
    thousands: Annotated[str | None, In("orders", "thousands separator; default none")] = None
    amount_unit: Annotated[
        Literal["minor", "major"] | None,
        In("orders", 'unit of amounts; default: "minor" (whole cents) in columns named ...cents, else "major"'),
    ] = None
    accounting: Annotated[
        tuple[str, ...],
        In("orders", 'forms of amounts: "parentheses", "trailing_minus", "cr_dr", "soll_haben", "currency"'),
    ] = ()
    date_format: Annotated[str | None, In("orders", "how dates are written, as strptime has it; default ISO 8601")] = (
        None
    )
    continuation_rows: Annotated[
        Literal["empty", "repeated"] | None,
        In("orders", 'leave out further rows of an order, where its total is "empty" or "repeated" in them'),
    ] = None
    delimiter: Annotated[str | None, In("orders", "column separator of text files; default: detected")] = None
    quote: Annotated[str | None, In("orders", "quote of text files; default: detected")] = None
    encoding: Annotated[str | None, In("orders", "encoding of text files; default: UTF-8, or by byte order mark")] = (
        None
    )
    sheet: Annotated[
        str | None, In("orders", "sheet of a spreadsheet; default: the first visible one that has the columns")
    ] = None
    download_limit: Annotated[
        str, In("orders", "size up to which a file is fetched from an address, or read from standard input")
    ] = "4GB"
    max_rejects: Annotated[int, In("orders", "rows that may be unreadable before the run stops")] = 0
    reference_column: Annotated[str | None, In("orders.columns", "column of the reference", key="reference")] = None
    amount_column: Annotated[str | None, In("orders.columns", "column of the order total", key="amount")] = None
    currency_column: Annotated[str | None, In("orders.columns", "column of the currency", key="currency")] = None
    order_number_column: Annotated[str | None, In("orders.columns", "column of the number", key="order_number")] = None
    order_id_column: Annotated[str | None, In("orders.columns", "column of the order id", key="order_id")] = None
    ordered_on_column: Annotated[str | None, In("orders.columns", "column of the date", key="ordered_on")] = None
    sign_column: Annotated[
        str | None, In("orders.columns", "column of debit and credit, which makes credits negative", key="sign")
    ] = None

    on: Annotated[tuple[str, ...], In("match", "keys to match on, in this order")] = (
        "reference",
        "order_number",
        "order_id",
    )
    amount_basis: Annotated[AmountBasis, In("match", "which total of the linked order is the payment's amount")] = (
        "total_amount_with_taxes_cents"
    )
    tolerance_cents: Annotated[int | None, In("match", "largest difference that is no break, in minor units")] = None
    tolerance_percent: Annotated[str | None, In("match", 'the same in percent of the order total, as text: "0.5"')] = (
        None
    )
    tolerances: Annotated[
        dict[str, Tolerance],
        In("match", 'tolerance of a currency, such as { SEK = { cents = 50 }, EUR = { percent = "0.1" } }'),
    ] = {}
    lag_days: Annotated[
        int, In("match", "days a payment or an order row may wait for its counterpart before it is a break", "lag")
    ] = 0
    group_orders: Annotated[Literal["sum"] | None, In("match", '"sum" adds up order rows of one key first')] = None
    clean_case: Annotated[
        Literal["fold"] | None, In("match.clean", "upper and lower case make no difference between two keys", "case")
    ] = None
    clean_replace: Annotated[
        tuple[Replacement, ...],
        In("match.clean", "regular expressions (RE2), and what comes in place of what they fit", "replace"),
    ] = ()
    clean_strip_prefix: Annotated[
        tuple[str, ...], In("match.clean", "texts that a key may begin with; the longest is taken off", "strip_prefix")
    ] = ()
    clean_strip_suffix: Annotated[
        tuple[str, ...], In("match.clean", "texts that a key may end with; the longest is taken off", "strip_suffix")
    ] = ()
    clean_strip_zeros: Annotated[
        bool, In("match.clean", "leading zeros of a key of digits make no difference", "strip_zeros")
    ] = False
    clean_pad_zeros: Annotated[
        int | None,
        In("match.clean", "in place of strip_zeros: keys of digits get zeros in front, up to so many", "pad_zeros"),
    ] = None
    clean_keys: Annotated[tuple[str, ...], In("match.clean", "the keys that these rules apply to", "keys")] = (
        "reference",
        "order_number",
    )
    clean_sides: Annotated[tuple[str, ...], In("match.clean", "the sides that these rules apply to", "sides")] = (
        "payments",
        "orders",
    )

    out: Annotated[str, In("run", "folder of the run folders")] = "runs"
    on_empty_payments: Annotated[OnEmpty, In("run", 'what it means that there are no payments: "fail" or "warn"')] = (
        "fail"
    )
    on_empty_orders: Annotated[OnEmpty, In("run", "the same for order rows")] = "fail"
    fail_on: Annotated[tuple[str, ...], In("run", 'limits, such as "breaks>0", "amount>100.00EUR", "percent>0.1"')] = ()
    warn_on: Annotated[tuple[str, ...], In("run", "the same, to be told as a warning")] = ()
    memory_limit: Annotated[str, In("run", "memory the matching may use before it spills to disk")] = "2GB"
    engine: Annotated[
        Literal["duckdb", "spark"], In("run", 'what matches: "duckdb" on this machine, or "spark" on a cluster')
    ] = "duckdb"
    spark_master: Annotated[
        str, In("run", 'where Spark runs, such as "spark://HOST:PORT"; its workers must see the run folder')
    ] = "local[*]"
    load_to: Annotated[str | None, In("run", 'warehouse to load into, such as "duckdb:warehouse.duckdb"')] = None

    html: Annotated[bool, In("reports", "write report.html, the page")] = True
    xlsx: Annotated[
        bool, In("reports", "write report.xlsx, the workbook; of a million items it takes longer than the matching")
    ] = True
    locale: Annotated[
        str | None, In("reports", 'numbers and dates for people as in this locale, such as "de-DE"; default: ISO')
    ] = None

    def public(self) -> dict[str, Any]:
        """Return the settings as plain values for the manifest; there is no secret among them."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        values["orders"] = [printable(without_secrets(word)) for word in self.orders]
        values["orders_db"] = self.orders_db and shown_url(self.orders_db)
        return values


def parse_moment(text: str, name: str) -> datetime:
    """
    Return an ISO 8601 date ("2026-11-01", its first instant in UTC) or date-time (UTC unless it has an offset).

    Raises SettingsError naming the setting `name`.
    """
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and the last day of the calendar end elsewhere in UTC
        raise SettingsError(
            f'{name}: "{text}" is not a date or time', hint='write "2026-11-01" or "2026-11-01T06:00:00Z"'
        ) from None


def declared() -> dict[str, tuple[In, Any]]:
    """Return name → (place, type) of each setting."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    return {name: (hint.__metadata__[0], hint.__origin__) for name, hint in hints.items()}


def check_texts(values: Mapping[str, Any]) -> None:
    """Raise SettingsError when a string among `values`, by the name of its setting, cannot be written to a file."""
    for name, value in values.items():
        several = value if isinstance(value, tuple | list) else [value]
        for text in (str(one) for one in several if isinstance(one, str | Path)):
            # Not shown: an address may hold a password.
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise SettingsError(
                    f"{name}: is not UTF-8",
                    hint="rename the file or folder, or name it by a pattern"
                    if "orders" in name
                    else "rename the file or folder, or write the text anew",
                )
            if "\0" in text:
                raise SettingsError(f"{name}: holds the character U+0000", hint="write the text anew, without it")


def checked(settings: Settings) -> Settings:
    """Return `settings`. Raises SettingsError that lists every value that makes no sense."""
    problems = []
    check_texts(msgspec.to_builtins(settings))
    if not 0 < settings.rate_share <= 1:
        problems.append("rate_share must be above 0 and at most 1")
    for name in ("timeout_seconds", "retry_seconds"):
        if getattr(settings, name) <= 0:
            problems.append(f"{name} must be above 0")
    if settings.decimal not in (".", ","):
        problems.append('decimal must be "." or ","')
    if settings.thousands == settings.decimal:
        problems.append("decimal and thousands must differ")
    for name in ("max_rejects", "lag_days", "overlap_minutes"):
        if getattr(settings, name) < 0:
            problems.append(f"{name} must not be negative")
    since = settings.since and parse_moment(settings.since, "since")
    until = settings.until and parse_moment(settings.until, "until")
    if since and until and since >= until:
        problems.append("since must be before until")
    if problems:
        raise SettingsError("; ".join(problems))
    return settings
