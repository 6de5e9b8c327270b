"""
Calls for a notebook: payments as a frame, order totals as a frame, the match of the two; and one payment by its id.

Frames in, frames out, Arrow-backed: no integer turns into a float, no boolean into an object. The same stages as
the command's, without a run folder, a ledger or a mirror.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from reconcile.errors import SettingsError
from reconcile.figures.summary import FrameSummary
from reconcile.figures.totals import summarize
from reconcile.files.duckdb import connected
from reconcile.history.states import BreakStates
from reconcile.matching.items import RunFacts
from reconcile.matching.match import match_frames
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.population import Population
from reconcile.operations.pull import fetch_from
from reconcile.orders import read
from reconcile.orders.databases.url import orders_query
from reconcile.orders.format import OrderFormat
from reconcile.payments.pull import PullProgress, pull_to_table
from reconcile.schema import BREAKS_ORDER, ITEMS, PAYMENTS, Row
from reconcile.settings.credentials import Secrets, read_secrets
from reconcile.settings.declared import declared as declared_in
from reconcile.settings.settings import Settings
from reconcile.settings.sources import clean_settings, load_settings
from reconcile.settings.stages import business_date_of, connect

_SETTINGS = frozenset(setting.name for setting in declared_in(Settings))
_READING = frozenset({*OrderFormat.__struct_fields__, "max_rejects", "rejects"})
_MATCHING = frozenset(
    {*MatchPolicy.__struct_fields__, *Population.__struct_fields__} - {"tolerances", "population", "delivery"}
)


@dataclass(frozen=True, slots=True)
class MatchResult:
    """
    The outcome of `match_payments`.

    `items` and `breaks` are frames with the columns of ITEMS, `breaks` oldest and largest first; `summary` has the
    figures of `summary.json` under the same names: counts, statuses, control totals, flag agreement, aging.
    """

    items: pd.DataFrame = field(repr=False)
    breaks: pd.DataFrame = field(repr=False)
    summary: FrameSummary = field(repr=False)

    def __repr__(self) -> str:
        return f"MatchResult({len(self.items):,} items, {len(self.breaks):,} breaks)"


async def pull_payments(
    *,
    money: bool = True,
    settings: Settings | None = None,
    secrets: Secrets | None = None,
    on_progress: Callable[[PullProgress], None] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """
    Pull all klarna_payments, each with the totals of its linked order and its money, proved complete.

    Returns one row per payment, columns of PAYMENTS, sorted by `payment_id`; amounts in minor units, times in UTC.
    `options` are settings by name, such as `organization="my-shop"`, `api_url=…`, `mode="live"`, `since="2026-11-01"`,
    `until=…`, `rate_share=0.5`; what is not given comes from `reconcile.toml` and the environment, as for the command.
    `settings` takes the place of all of these. With `money=False` transactions, sources, markets and gateways are not
    read, and their columns are null: pages are half as large. Credentials come from `RECONCILE_CLIENT_ID` and
    `RECONCILE_CLIENT_SECRET` unless `secrets` are given.

    Raises SettingsError, and CommerceLayerError when the pull cannot be completed or proved complete.
    Source: https://docs.commercelayer.io/core-api-reference/klarna_payments/list
    """
    chosen = settings or load_settings(environ=os.environ, options=_known(options, _SETTINGS))
    async with connect(chosen, secrets or read_secrets(os.environ)) as client:
        table = await pull_to_table(
            client,
            replace(chosen.pull, mirror="", money=money),
            mode=chosen.commercelayer.mode,
            on_progress=on_progress,
        )
    return table.to_pandas(types_mapper=pd.ArrowDtype)


async def fetch_payment(
    payment_id: str, *, settings: Settings | None = None, secrets: Secrets | None = None, **options: Any
) -> Row:
    """
    Fetch one klarna_payment with the totals of its linked order.

    Returns the columns of PAYMENTS as plain values: amounts in minor units, times aware in UTC, free-form attributes as
    JSON text. `settings`, `secrets` and `options` as for `pull_payments`.

    Raises UnknownPayment when there is no such payment, else as `pull_payments`.
    Source: https://docs.commercelayer.io/core-api-reference/klarna_payments/object
    """
    chosen = settings or load_settings(environ=os.environ, options=_known(options, _SETTINGS))
    async with connect(chosen, secrets or read_secrets(os.environ)) as client:
        found = await fetch_from(client, chosen, [payment_id])
    row: Row = found.select(PAYMENTS.names).to_pylist()[0]
    return row


def read_orders(
    paths: str | Path | Sequence[str | Path] = (),
    *,
    sql: str | None = None,
    database: str | None = None,
    settings: Settings | None = None,
    **declared: Any,
) -> pd.DataFrame:
    """
    Read order totals from wherever they are; return one row per order row, columns of ORDERS, in file order.

    `paths` name files, patterns, folders of Parquet files, `-` for standard input, or https://, s3:// and gs://
    addresses.

    `sql` is a query (or "@file.sql") on `database`, such as "postgresql://host/name", "duckdb:file" or "sqlite:file":
    its rows follow those of `paths`, or come alone. Say ORDER BY: equal data then give equal `source_line`s.

    `declared` says what the files do not: `currency="EUR"`, `decimal=","`, `thousands="."`, `delimiter`, `quote`,
    `encoding`, `sheet`, `reference_column`, `amount_column`, `currency_column`, `order_number_column`,
    `order_id_column`, `ordered_on_column`, `download_limit`, and `max_rejects` and `rejects` (a CSV file for unreadable
    rows). What is not declared comes from `settings`, where given.

    Raises TooManyRejects when more rows than `max_rejects` (0) cannot be read, OrderFileError when a file cannot,
    SettingsError when a declaration is impossible.
    """
    chosen = settings or Settings()
    form = chosen.order_format
    given = {"max_rejects": chosen.orders.max_rejects, "rejects": None, **_known(declared, _READING)}
    rows = {name: given.pop(name) for name in ("max_rejects", "rejects")}
    query = orders_query(sql, database)
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    places = paths if query is None else [*files, query]
    return read.read_orders(places, replace(form, **given), **rows)


def match_payments(
    payments: pd.DataFrame,
    orders: pd.DataFrame,
    *,
    transactions: pd.DataFrame | None = None,
    business_date: date | str | None = None,
    settings: Settings | None = None,
    **policy: Any,
) -> MatchResult:
    """
    Match payments with order totals; neither frame is changed.

    `payments` has the columns of PAYMENTS, `orders` those of ORDERS, in any order of rows. `transactions`, columns of
    TRANSACTIONS, tell which payments share an order; without them none does. `business_date` (a date,
    or "2026-11-20") is today in `time_zone` unless given. `policy` takes settings by name: `on`, `amount_basis`,
    `tolerance_cents`, `tolerance_percent` (text), `lag_days`, `group_orders`, `mode`, and `clean`, a dictionary of
    clean-up rules as in `[match.clean]`: `{"case": "fold", "strip_prefix": ["PO-"]}`. What is not given comes from
    `settings`, where given.

    Raises SettingsError for a policy that contradicts itself, PaymentFileError and OrderFileError for a frame that
    cannot be used, ProofFailed when totals do not add up.
    """
    given = {"clean": {}, **_known(policy, _MATCHING)}
    given |= clean_settings(given.pop("clean"))
    chosen = (settings or Settings()).replaced(**given).policy
    if isinstance(business_date, str):
        business_date = business_date_of((settings or Settings()).replaced(date=business_date))
    on = business_date or chosen.population.day_of(datetime.now(UTC))
    organization = settings.commercelayer.organization if settings else None
    facts = RunFacts(on, None, BreakStates(on), organization or None)
    matched = match_frames(payments, orders, chosen, facts, transactions=transactions)
    items = pa.Table.from_pandas(matched.items, schema=ITEMS, preserve_index=False)
    figures = summarize(items, matched.report.control, matched.report.key_profile)
    with connected() as connection:
        breaks = connection.from_arrow(items.filter(pc.field("is_break"))).order(BREAKS_ORDER).to_arrow_table()
    return MatchResult(matched.items, breaks.cast(ITEMS).to_pandas(types_mapper=pd.ArrowDtype), figures)


def _known(given: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    if unknown := sorted(set(given) - set(names)):
        raise SettingsError(f"there is no {', '.join(unknown)} here", hint=f"there are {', '.join(sorted(names))}")
    return given
