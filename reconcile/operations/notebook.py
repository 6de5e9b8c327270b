"""
Calls for a notebook: payments as a frame, order totals as a frame, the match of the two; a published run; one payment.

Frames in, frames out, of one kind: no integer turns into a float, no boolean into an object. The same stages as the
command's, without a run folder, a ledger or a mirror. Calls that ask Commerce Layer have twins that need no `await`,
and work where a loop runs already.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from reconcile.errors import OrderFileError, SettingsError
from reconcile.files.duckdb import connected
from reconcile.matching.frames import Frame, FrameT, as_pandas, kind_of, like, table_of
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.population import Population
from reconcile.matching.sides import whole_side
from reconcile.operations.framed import Sides, match_sides
from reconcile.operations.match_result import MatchResult as MatchResult
from reconcile.operations.progress import TellingProgress
from reconcile.operations.pull import awaited, fetch_from
from reconcile.orders import read
from reconcile.orders.databases.url import orders_query
from reconcile.orders.format import OrderFormat
from reconcile.payments.pull import PullProgress, pull_to_table
from reconcile.payments.request import PullRequest
from reconcile.schema import BREAKS_ORDER, ITEMS, PAYMENTS, Row
from reconcile.settings.credentials import Secrets, read_secrets
from reconcile.settings.keywords import MatchKeywords, OrderKeywords, PullKeywords, checked, replaced, with_keywords
from reconcile.settings.settings import Connection, Settings
from reconcile.settings.sources import clean_settings, load_settings
from reconcile.settings.stages import check_business_date, connect, named_day

if TYPE_CHECKING:
    import pandas as pd


@with_keywords(PullKeywords, Connection, PullRequest, Population)
async def pull_payments(
    *,
    money: bool = True,
    settings: Settings | None = None,
    secrets: Secrets | None = None,
    on_progress: Callable[[PullProgress], None] | None = None,
    **options: Unpack[PullKeywords],
) -> pd.DataFrame:
    """
    Pull all klarna_payments, each with the totals of its linked order and its money, proved complete.

    Returns one row per payment, columns of PAYMENTS, sorted by `payment_id`; amounts in minor units, times in UTC.
    `options` are settings by name, such as `organization="my-shop"`, `api_url=…`, `mode="live"`, `since="2026-11-01"`,
    `until=…`, `rate_share=0.5`; what is not given comes from `reconcile.toml` and the environment, as for the command.
    `settings` takes the place of all of these. With `money=False` transactions, sources, markets and gateways are not
    read, and their columns are null: pages are half as large. Credentials come from `RECONCILE_CLIENT_ID` and
    `RECONCILE_CLIENT_SECRET` unless `secrets` are given. How far it is shows below the cell of a notebook and, every
    ten seconds, in the log `reconcile.run`, unless `on_progress` is given.

    Raises SettingsError, and CommerceLayerError when the pull cannot be completed or proved complete.
    Source: https://docs.commercelayer.io/core-api-reference/klarna_payments/list
    """
    chosen = _pulling(settings, options)
    telling = None if on_progress is not None else TellingProgress()
    async with connect(chosen, secrets or read_secrets(os.environ)) as client:
        table = await pull_to_table(
            client,
            replace(chosen.pull, mirror="", money=money),
            mode=chosen.commercelayer.mode,
            on_progress=on_progress or telling,
        )
    if telling is not None:
        telling.finished(table.num_rows)
    return as_pandas(table)


@with_keywords(PullKeywords, Connection, PullRequest, Population)
def pull_payments_sync(
    *,
    money: bool = True,
    settings: Settings | None = None,
    secrets: Secrets | None = None,
    on_progress: Callable[[PullProgress], None] | None = None,
    **options: Unpack[PullKeywords],
) -> pd.DataFrame:
    """Pull all klarna_payments as `pull_payments` does, without `await`: in scripts, and in notebooks, too."""
    return awaited(pull_payments(money=money, settings=settings, secrets=secrets, on_progress=on_progress, **options))


@with_keywords(PullKeywords, Connection, PullRequest, Population)
async def fetch_payment(
    payment_id: str,
    *,
    settings: Settings | None = None,
    secrets: Secrets | None = None,
    **options: Unpack[PullKeywords],
) -> Row:
    """
    Fetch one klarna_payment with the totals of its linked order.

    Returns the columns of PAYMENTS as plain values: amounts in minor units, times aware in UTC, free-form attributes as
    JSON text. `settings`, `secrets` and `options` as for `pull_payments`.

    Raises UnknownPayment when there is no such payment, else as `pull_payments`.
    Source: https://docs.commercelayer.io/core-api-reference/klarna_payments/object
    """
    chosen = _pulling(settings, options)
    async with connect(chosen, secrets or read_secrets(os.environ)) as client:
        found = await fetch_from(client, chosen, [payment_id])
    row: Row = found.select(PAYMENTS.names).to_pylist()[0]
    return row


@with_keywords(PullKeywords, Connection, PullRequest, Population)
def fetch_payment_sync(
    payment_id: str,
    *,
    settings: Settings | None = None,
    secrets: Secrets | None = None,
    **options: Unpack[PullKeywords],
) -> Row:
    """Fetch one klarna_payment as `fetch_payment` does, without `await`."""
    return awaited(fetch_payment(payment_id, settings=settings, secrets=secrets, **options))


@overload
def read_orders(
    paths: str | Path | Sequence[str | Path] = (),
    *,
    sql: str | None = None,
    database: str | None = None,
    settings: Settings | None = None,
    max_rejects: int | None = None,
    rejects: str | Path | None = None,
    **declared: Unpack[OrderKeywords],
) -> pd.DataFrame: ...


@overload
def read_orders(
    paths: FrameT,
    *,
    settings: Settings | None = None,
    max_rejects: int | None = None,
    rejects: str | Path | None = None,
    **declared: Unpack[OrderKeywords],
) -> FrameT: ...


@with_keywords(OrderKeywords, OrderFormat, Population)
def read_orders(
    paths: Any = (),
    *,
    sql: str | None = None,
    database: str | None = None,
    settings: Settings | None = None,
    max_rejects: int | None = None,
    rejects: str | Path | None = None,
    **declared: Unpack[OrderKeywords],
) -> Any:
    """
    Read order totals from wherever they are; return one row per order row, columns of ORDERS, in file order.

    `paths` are names of files, patterns, folders of Parquet files, `-` for standard input, or https://, s3:// and gs://
    addresses. A frame is read by the rules for files, columns by their names, and gives a frame of its kind.

    `sql` is a query (or "@file.sql") on `database`, such as "postgresql://host/name", "duckdb:file" or "sqlite:file":
    its rows follow those of files, or come alone. Say ORDER BY: equal data then give equal `source_line`s.

    `declared` says what the files do not, such as `currency="EUR"`, `decimal=","`, `amount_column="Gross"`: what is an
    option of the command is a keyword here. `max_rejects` rows that cannot be read are left out, and are in `rejects`,
    a CSV file. What is not given comes from `settings`, where given.

    Raises TooManyRejects when more rows than `max_rejects` (0) cannot be read, OrderFileError when a file or a frame
    cannot, SettingsError when a declaration is impossible.
    """
    chosen = _as_settings(settings)
    form = replaced(chosen.order_format, checked(declared, OrderKeywords))
    if max_rejects is not None:
        chosen = chosen.replaced(max_rejects=max_rejects)
    most, query = chosen.orders.max_rejects, orders_query(sql, database)
    if kind_of(paths) is None:
        files = _files_in(paths)
        return read.read_orders(files if query is None else [*files, query], form, max_rejects=most, rejects=rejects)
    if query is not None:
        raise SettingsError("a frame and a query are given", hint="read each by itself, and put the frames together")
    table = read.read_orders_table(table_of(paths, "orders"), form, max_rejects=most, rejects=rejects)
    return like(paths, table)


@with_keywords(MatchKeywords, MatchPolicy, Population)
def match_payments(
    payments: FrameT,
    orders: Frame,
    *,
    transactions: Frame | None = None,
    business_date: date | str | None = None,
    settings: Settings | None = None,
    **policy: Unpack[MatchKeywords],
) -> MatchResult[FrameT]:
    """
    Match payments with order totals; no frame is changed, and those of the result are of the kind of `payments`.

    `payments` has the columns of PAYMENTS, `orders` those of ORDERS, in any order of rows. `transactions`, columns of
    TRANSACTIONS, tell which payments share an order; without them none does. Frames are those of pandas and Polars
    (also lazy ones), Arrow tables, and relations of DuckDB, also mixed. `business_date` (a date, or "2026-11-20") is
    that of `settings`, else today in `time_zone`. `policy` takes settings by name: `tolerance_cents`,
    `tolerance_percent` (text), `lag_days`, …, and `clean`, a dictionary of clean-up rules as in `[match.clean]`:
    `{"case": "fold", "strip_prefix": ["PO-"]}`. What is not given comes from `settings`, where given.

    Raises SettingsError for a policy that contradicts itself, PaymentFileError and OrderFileError for a frame that
    cannot be used, ProofFailed when totals do not add up.
    """
    given = checked(policy, MatchKeywords)
    given |= clean_settings(given.pop("clean", {}))
    chosen = _as_settings(settings).replaced(**given)
    sides = Sides(
        _side("payments", payments, chosen),
        _side("orders", orders, chosen),
        None if transactions is None else _side("transactions", transactions, chosen),
        _business_date(business_date, chosen),
    )
    matched = match_sides(sides, chosen)
    with connected() as connection:
        breaks = connection.from_arrow(matched.items.filter(pc.field("is_break"))).order(BREAKS_ORDER).to_arrow_table()
    framed = partial(like, payments)
    return MatchResult(
        framed(matched.items),
        framed(breaks.cast(ITEMS)),
        matched.summary,
        matched.warnings,
        _table=matched.items,
        _sides=sides,
        _settings=chosen,
        _framed=framed,
    )


def _pulling(settings: Settings | None, options: PullKeywords) -> Settings:
    given = checked(options, PullKeywords)
    if settings is not None:
        return _as_settings(settings)
    return load_settings(environ=os.environ, options=given)


def _as_settings(settings: object) -> Settings:
    if settings is None:
        return Settings()
    if not isinstance(settings, Settings):
        hint = "reconcile.load_settings(environ=os.environ) returns settings; single ones are keywords"
        raise SettingsError(f"settings are of type {type(settings).__name__}", hint=hint)
    return settings


def _files_in(paths: object) -> list[str | Path]:
    files = [paths] if isinstance(paths, str | Path) else paths
    if isinstance(files, list | tuple) and all(isinstance(one, str | Path) for one in files):
        return list(files)
    what = f"of type {type(paths).__name__}"
    hint = 'read_orders("orders.csv"), read_orders(["october.csv", "november.csv"]) or read_orders(frame)'
    raise OrderFileError(f"is {what}, neither paths nor a frame", path="orders", hint=hint)


def _side(side: str, frame: object, settings: Settings) -> pa.Table:
    return whole_side(side, table_of(frame, side), settings.policy)


def _business_date(given: object, settings: Settings) -> date:
    if isinstance(given, date):
        on = given.date() if isinstance(given, datetime) else given
    elif given is None or isinstance(given, str):
        on = named_day(settings if given is None else settings.replaced(date=given), datetime.now(UTC))
    else:
        raise SettingsError(f"business_date is of type {type(given).__name__}", hint='write it as "2026-11-22"')
    check_business_date(on)
    return on
