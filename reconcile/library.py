"""
Three calls for a notebook: payments as a frame, order totals as a frame, and the match of the two.

Frames in, frames out, Arrow-backed: no integer turns into a float, no boolean into an object. The same stages as
the command's, without a run folder, a ledger or a mirror.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from reconcile import summary
from reconcile.matching.match import match_frames
from reconcile.matching.policy import MatchPolicy
from reconcile.pull import PullProgress, pull_to_table
from reconcile.reports.tables import BREAKS_ORDER
from reconcile.schema import ITEMS
from reconcile.settings import Secrets, Settings, load_settings, read_secrets
from reconcile.wiring import connect, pull_window


@dataclass(frozen=True, slots=True)
class MatchResult:
    """
    The outcome of `match_payments`.

    `items` and `breaks` are frames with the columns of ITEMS, `breaks` oldest and largest first; `summary` has the
    figures of `summary.json`: counts, statuses, control totals, flag agreement, aging.
    """

    items: pd.DataFrame
    breaks: pd.DataFrame
    summary: dict[str, Any]


async def pull_payments(
    *,
    settings: Settings | None = None,
    secrets: Secrets | None = None,
    on_progress: Callable[[PullProgress], None] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """
    Pull all klarna_payments, each with the totals of its linked order, proved complete.

    Returns one row per payment, columns of PAYMENTS, sorted by `payment_id`; amounts in minor units, times in UTC.
    `options` are settings by name, such as `organization="my-shop"`, `api_url=…`, `mode="live"`, `since="2026-11-01"`,
    `until=…`, `rate_share=0.5`; what is not given comes from `reconcile.toml` and the environment, as for the command.
    `settings` takes the place of all of these. Credentials come from `RECONCILE_CLIENT_ID` and
    `RECONCILE_CLIENT_SECRET` unless `secrets` are given.

    Raises SettingsError, and CommerceLayerError when the pull cannot be completed or proved complete.
    Source: https://docs.commercelayer.io/core-api-reference/klarna_payments/list
    """
    chosen = settings or load_settings(environ=os.environ, options=options)
    async with connect(chosen, secrets or read_secrets(os.environ)) as client:
        table = await pull_to_table(client, on_progress=on_progress, **pull_window(chosen))
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def match_payments(
    payments: pd.DataFrame, orders: pd.DataFrame, *, business_date: date | None = None, **policy: Any
) -> MatchResult:
    """
    Match payments with order totals; neither frame is changed.

    `payments` has the columns of PAYMENTS, `orders` those of ORDERS, in any order of rows. `business_date` is today
    in UTC unless given. `policy` takes the fields of `reconcile.matching.policy.MatchPolicy`, such as
    `tolerance_cents=5` or `amount_basis="total_amount_cents"`.

    Raises SettingsError for a policy that contradicts itself, ProofFailed when totals do not add up.
    """
    chosen = MatchPolicy(**policy)
    matched = match_frames(payments, orders, policy=chosen, business_date=business_date or datetime.now(UTC).date())
    items = pa.Table.from_pandas(matched.items, schema=ITEMS, preserve_index=False)
    report = matched.report.as_dict()
    figures = summary.summarize(items, report["control_totals"])
    figures["key_profile"] = report["key_profile"]
    with contextlib.closing(duckdb.connect()) as connection:
        breaks = connection.from_arrow(items).filter("is_break").order(BREAKS_ORDER).to_arrow_table()
    return MatchResult(matched.items, breaks.cast(ITEMS).to_pandas(types_mapper=pd.ArrowDtype), figures)
