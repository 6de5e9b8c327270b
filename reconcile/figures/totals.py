"""
Counts and totals of a run, added up from the files that are published, never from what was in memory.

Knows how the figures hang together, and gives them as `summary.json` has them. Amounts are integer minor units per
currency; nothing is converted or rounded. What a figure means is in the README under "Reading a run".
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from reconcile.errors import ProofFailed
from reconcile.figures.aging import aging_from_data, aging_of
from reconcile.figures.breakdown import breakdowns_of
from reconcile.figures.patterns import FEWEST, patterns_in
from reconcile.figures.proof import OUR_BUG
from reconcile.figures.statuses import statuses_of
from reconcile.figures.summary import (
    Bridge,
    BridgeStep,
    Control,
    ControlLine,
    FlagAgreement,
    FrameCounts,
    FrameSummary,
)
from reconcile.figures.tables import items_in
from reconcile.files.duckdb import connected
from reconcile.matching.keys.rules import SIDES
from reconcile.matching.policy import Status
from reconcile.matching.report import ControlTotals, KeyProfile, Total
from reconcile.money import currency_order


def summarize(items: Path | pa.Table, control: ControlTotals, key_profile: KeyProfile) -> FrameSummary:
    """
    Return the figures that follow from the items, and from what the matching reports.

    `items` is a Parquet file or an Arrow table of ITEMS. Raises ProofFailed as `bridge_of`.
    """
    with connected() as connection:
        table = items_in(connection, items)
        payments, orders = (sum(total.rows for total in control.incoming if total.side == side) for side in SIDES)
        items_and_breaks, flags = _counts(connection, table)
        counts = FrameCounts(payments, orders, *items_and_breaks)
        return FrameSummary(
            counts=counts,
            statuses=statuses_of(connection, table),
            control=Control(_control(control, "payments"), _control(control, "orders")),
            bridge=bridge_of(control),
            flag_agreement=FlagAgreement(*flags),
            aging=aging_of(connection, table),
            aging_from_data=aging_from_data(connection, table),
            key_profile=key_profile,
            patterns=patterns_in(connection, table) if counts.breaks >= FEWEST else (),
            breakdown=breakdowns_of(connection, table),
        )


def bridge_of(control: ControlTotals) -> tuple[Bridge, ...]:
    """
    Return per currency how the payments' total becomes the order rows' total: what each status adds to the difference.

    Each side counts in its own currency. Raises ProofFailed when something is left unexplained: a bug in reconcile.
    """
    return tuple(
        _bridge(
            code,
            [total for total in control.incoming if total.currency_code == code],
            [total for total in control.outgoing if total.currency_code == code],
        )
        for code in _currencies((*control.incoming, *control.outgoing))
    )


def _bridge(code: str | None, incoming: list[Total], outgoing: list[Total]) -> Bridge:
    steps = []
    for status in sorted({total.status for total in outgoing if total.status is not None}):
        payments, orders = _amounts([total for total in outgoing if total.status == status])
        steps.append(BridgeStep(Status(status), payments, orders, payments - orders))
    payments, orders = _amounts(incoming)
    unexplained = payments - orders - sum(step.difference_cents for step in steps)
    if unexplained:
        raise ProofFailed(f"{unexplained} minor units of {code} are explained by no status", hint=OUR_BUG)
    return Bridge(code, payments, orders, payments - orders, tuple(steps), 0)


def _amounts(totals: list[Total]) -> tuple[int, int]:
    """Return the sums of both sides, in minor units."""
    payments, orders = (sum(one.amount_cents for one in totals if one.side == side) for side in SIDES)
    return payments, orders


def _currencies(totals: tuple[Total, ...]) -> list[str | None]:
    return sorted({total.currency_code for total in totals}, key=currency_order)


def _counts(connection: duckdb.DuckDBPyConnection, items: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return items and breaks; and of the payments, how many agree with their flag, in the order of FlagAgreement."""
    (counts,) = connection.execute(
        f"""
        SELECT count(*), count(*) FILTER (is_break),
               count(payment_id) FILTER (mismatched_amounts AND NOT amounts_agree),
               count(payment_id) FILTER (mismatched_amounts AND amounts_agree),
               count(payment_id) FILTER (NOT mismatched_amounts AND NOT amounts_agree),
               count(payment_id) FILTER (NOT mismatched_amounts AND amounts_agree),
               count(payment_id) FILTER (mismatched_amounts IS NULL OR amounts_agree IS NULL)
        FROM {items}
        """
    ).fetchall()
    return counts[:2], counts[2:]


def _control(control: ControlTotals, side: str) -> tuple[ControlLine, ...]:
    incoming, outgoing = (
        [total for total in totals if total.side == side] for totals in (control.incoming, control.outgoing)
    )
    return tuple(
        ControlLine(code, *_rows_and_cents(incoming, code), *_rows_and_cents(outgoing, code))
        for code in _currencies((*incoming, *outgoing))
    )


def _rows_and_cents(totals: list[Total], code: str | None) -> tuple[int, int]:
    mine = [total for total in totals if total.currency_code == code]
    return sum(total.rows for total in mine), sum(total.amount_cents for total in mine)
