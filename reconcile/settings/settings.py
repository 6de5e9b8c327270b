"""
The settings of a run, nested as `reconcile.toml` is: each stage takes its own part of them.

A setting is declared once, by the field that holds it: its type, default, bounds, meaning and example. The options of
the command line and their help, the environment's names, the file that `reconcile init` writes, the JSON Schema for
editors, the manifest and the docs are all made from that, by `reconcile.settings.declared`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from reconcile.days import WEEKDAYS, weekdays_of
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.population import Population
from reconcile.orders.databases.url import OrdersQuery, orders_query, shown_url
from reconcile.orders.format import OrderFormat
from reconcile.orders.places.addresses import printable, without_secrets
from reconcile.orders.places.dated import check_dated, dated
from reconcile.orders.stated import Stated
from reconcile.payments.request import PullRequest
from reconcile.settings.declared import built, declared, documented
from reconcile.settings.writable import check_writable

FILE_NAME = "reconcile.toml"
COMMERCE_LAYER = "commerce-layer"
"""In place of an order file: the order totals of Commerce Layer's own exports."""

OnEmpty = Literal["fail", "warn"]
_IN_FILE = {"has_option": False}


class Connection(Struct, frozen=True, kw_only=True):
    """`[commercelayer]`: where the API is, and how much of its rate limit may be spent."""

    organization: Annotated[
        str | None,
        Meta(
            description='slug of the organization; makes the API host "https://SLUG.commercelayer.io/api"',
            examples=["my-shop"],
            extra={"metavar": "SLUG"},
        ),
    ] = None
    api_url: Annotated[
        str | None,
        Meta(
            description="the API's address, in place of the one of `organization`",
            examples=["https://my-shop.commercelayer.io/api"],
            extra={"metavar": "URL"},
        ),
    ] = None
    auth_url: Annotated[
        str | None,
        Meta(
            description="base of /oauth/token; default: the host of api_url, if set",
            examples=["https://auth.commercelayer.io"],
            extra={"metavar": "URL"},
        ),
    ] = None
    mode: Annotated[
        Literal["live", "test"] | None,
        Meta(description="the mode every payment must have; default: that of the credentials", examples=["live"]),
    ] = None
    scope: Annotated[str | None, Meta(description="scope of the token", examples=["market:all"], extra=_IN_FILE)] = None
    rate_share: Annotated[
        float,
        Meta(gt=0, le=1, description="share of the rate limit to use, up to 1", extra={"metavar": "SHARE"}),
    ] = 1.0
    allowance: Annotated[
        str | None,
        Meta(
            description="file through which processes on this machine share the rate limit",
            examples=["/var/lib/reconcile/allowance"],
            extra={"metavar": "FILE"},
        ),
    ] = None
    rate_limit: Annotated[
        bool, Meta(description="false for a server without limits, on this machine only", extra=_IN_FILE)
    ] = True
    timeout_seconds: Annotated[float, Meta(gt=0, description="maximum wait for one response", extra=_IN_FILE)] = 30.0
    retry_seconds: Annotated[
        float, Meta(gt=0, description="maximum time to keep retrying without any progress", extra=_IN_FILE)
    ] = 300.0


class OrderSources(Struct, frozen=True, kw_only=True):
    """`[orders]`: where order totals are, and how they are written."""

    files: Annotated[
        tuple[str, ...],
        Meta(
            description='files, patterns, folders, addresses, or "commerce-layer"; {date} in a name is the business '
            "date, {date:%d%m%y} in another form; on the command line also arguments",
            examples=[["exports/orders-*.csv"]],
            extra={"name": "orders", "metavar": "ORDERS"},
        ),
    ] = ()
    sql: Annotated[
        str | None,
        Meta(
            description="query for order totals, or @FILE with one; it needs an ORDER BY",
            examples=["SELECT reference, total, currency FROM orders ORDER BY reference"],
            extra={"name": "orders_sql", "metavar": "QUERY"},
        ),
    ] = None
    database: Annotated[
        str | None,
        Meta(
            description="its database: postgresql://HOST/NAME, duckdb:FILE or sqlite:FILE",
            examples=["postgresql://reader@db.example.com/books"],
            extra={"name": "orders_db", "metavar": "URL", "may_hold_password": True},
        ),
    ] = None
    format: Annotated[OrderFormat, Meta(extra={"table": ""})] = OrderFormat()
    stated: Annotated[Stated, Meta(extra={"table": "/population.expect"})] = Stated()
    max_rejects: Annotated[
        int,
        Meta(ge=0, description="rejected rows allowed before the run stops", extra={"metavar": "N"}),
    ] = 0

    def __post_init__(self) -> None:
        check_dated(self.files)

    def files_of(self, business_date: date) -> list[str]:
        """Return the names of files with `business_date` in place of `{date}`."""
        return [dated(word, business_date) for word in self.files]

    @property
    def queries(self) -> list[OrdersQuery]:
        """The query for order totals, if any. Raises SettingsError for one that cannot be asked."""
        query = orders_query(self.sql, self.database)
        return [query] if query is not None else []


class RunSettings(Struct, frozen=True, kw_only=True):
    """`[run]`: where runs are published, and what stops them."""

    out: Annotated[str, Meta(description="folder of the run folders", extra={"metavar": "FOLDER"})] = "runs"
    date: Annotated[
        str,
        Meta(
            description='business date: "today" or "yesterday" in the time zone of the population, or a date',
            examples=["yesterday"],
            extra={"metavar": "DATE"},
        ),
    ] = "today"
    on_empty_payments: Annotated[
        OnEmpty, Meta(description='what to do when there are no payments: "fail" or "warn"', extra=_IN_FILE)
    ] = "fail"
    on_empty_orders: Annotated[OnEmpty, Meta(description="the same for order rows", extra=_IN_FILE)] = "fail"
    days: Annotated[
        tuple[str, ...],
        Meta(
            description="days of the week that have a run: one that is missing is warned of",
            examples=[["mon", "tue", "wed", "thu", "fri"]],
            extra={"name": "run_days", "choices": WEEKDAYS, "has_option": False},
        ),
    ] = WEEKDAYS
    fail_on: Annotated[
        tuple[str, ...],
        Meta(
            description='exit 1 above these limits, such as "breaks>0", "amount>100.00EUR", "percent>0.1", or by a '
            'warning: "warning:stale_orders"',
            examples=[["breaks>0"]],
            extra={"metavar": "LIMIT"},
        ),
    ] = ()
    warn_on: Annotated[
        tuple[str, ...],
        Meta(
            description="warn above these limits",
            examples=[["within_tolerance.amount>10.00EUR"]],
            extra={"metavar": "LIMIT"},
        ),
    ] = ()
    memory_limit: Annotated[
        str, Meta(description="memory the matching may use before it spills to disk", extra={"metavar": "SIZE"})
    ] = "2GB"
    engine: Annotated[
        Literal["duckdb", "spark"],
        Meta(description="engine that matches: duckdb on this machine, or spark on a cluster"),
    ] = "duckdb"
    spark_master: Annotated[
        str,
        Meta(
            description="where Spark runs, such as spark://HOST:PORT; its workers must see the run folder",
            extra={"metavar": "URL"},
        ),
    ] = "local[*]"
    load_to: Annotated[
        str | None,
        Meta(
            description="warehouse to load the run into, such as duckdb:warehouse.duckdb",
            examples=["duckdb:warehouse.duckdb"],
            extra={"metavar": "URL"},
        ),
    ] = None

    def __post_init__(self) -> None:
        force_setattr(self, "days", tuple(self.days))
        weekdays_of(self.days)


class ReportSettings(Struct, frozen=True, kw_only=True):
    """`[reports]`: which reports are written, and for whom."""

    html: Annotated[bool, Meta(description="write report.html, the page")] = True
    xlsx: Annotated[
        bool,
        Meta(description="write report.xlsx, the workbook"),
    ] = True
    items_csv: Annotated[
        bool,
        Meta(description="write items.csv, all items for people; items.parquet, which has the same, is always there"),
    ] = True
    max_rows: Annotated[
        int,
        Meta(
            ge=1,
            description="rows of a sheet of the workbook, at most; where there are more items, it has those that are "
            "not matched. `reconcile report --format xlsx --max-rows N` makes one with more of them",
            extra={"metavar": "N"},
        ),
    ] = 20_000
    locale: Annotated[
        str | None,
        Meta(
            description='locale of numbers and dates in reports, such as "de-DE"; "none" for ISO. Files of '
            "data and workbooks stay as they are: a spreadsheet program localizes them itself",
            examples=["de-DE"],
            extra={"metavar": "TAG"},
        ),
    ] = None


class Settings(Struct, frozen=True, kw_only=True):
    """All settings of a run; `Settings.of` makes them from the names of their options."""

    commercelayer: Connection = Connection()
    pull: PullRequest = PullRequest()
    orders: OrderSources = OrderSources()
    population: Population = Population()
    match: MatchPolicy = MatchPolicy()
    run: RunSettings = RunSettings()
    reports: ReportSettings = ReportSettings()

    def __post_init__(self) -> None:
        """Give the pull the days of the population."""
        force_setattr(self, "pull", msgspec.structs.replace(self.pull, time_zone=self.population.time_zone))

    @classmethod
    def of(cls, **values: Any) -> Settings:
        """
        Return settings by the names of their options: `Settings.of(orders=("a.csv",), tolerance_cents=2)`.

        Raises SettingsError that lists every value that makes no sense, TypeError for a name that is none.
        """
        check_writable(values)
        return built(cls, values)

    def replaced(self, **values: Any) -> Settings:
        """Return these settings with other `values`, by name. Raises as `of`."""
        return Settings.of(**{one.name: one.value_in(self) for one in declared(Settings)} | values)

    @property
    def policy(self) -> MatchPolicy:
        """The matching's policy: payments of another mode than the credentials' are set aside by it."""
        return msgspec.structs.replace(self.match, mode=self.commercelayer.mode, population=self.population)

    @property
    def order_format(self) -> OrderFormat:
        """
        How order files are written: of a Commerce Layer export, the amount of the matching's basis is read, and a time
        with an offset is of the day that it is in the population's time zone.
        """
        return msgspec.structs.replace(
            self.orders.format, amount_basis=self.match.order_total, time_zone=self.population.time_zone
        )

    @property
    def out(self) -> Path:
        """The folder of the run folders."""
        return Path(self.run.out)

    def public(self) -> dict[str, Any]:
        """Return the settings as plain values for the manifest, by table and key; there is no secret among them."""
        document = documented(self)
        orders = document["orders"]
        orders["files"] = [printable(without_secrets(word)) for word in self.orders.files]
        orders["database"] = self.orders.database and shown_url(self.orders.database)
        return document
