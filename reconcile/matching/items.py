"""
Items as they are published: judged rows become ITEMS, in their order.

Takes Arrow batches from any engine, sorted by SORT_ORDER. Adds what is the same for all rows of a run, and the states
of its breaks, for which it asks with all of them at once. Does not judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.days import days_of
from reconcile.matching.at_stake import STAKE, stakes_of
from reconcile.matching.dashboard import links_of
from reconcile.matching.engines.protocol import Engine, Frame
from reconcile.matching.policy import KIND_OF, STATUS_ORDER, Kind, MatchPolicy
from reconcile.matching.population import Population
from reconcile.schema import ABOUT, ITEMS, Columns

# ITEMS column: column of the judged rows.
_PLAIN = {
    "item_id": "item_id",
    "reference": "reference",
    "matched_on": "matched_on",
    "payment_id": "p_id",
    "payment_reference": "p_reference_raw",
    "order_id": "order_id",
    "order_number": "order_number",
    "order_reference": "order_reference",
    "order_source_file": "o_source_file",
    "order_source_line": "o_source_line",
    "payment_amount_cents": "p_amount",
    "payment_currency_code": "p_currency",
    "order_amount_cents": "o_amount",
    "order_currency_code": "o_currency",
    "difference_cents": "difference",
    "mismatched_amounts": "p_mismatched",
    "amounts_agree": "amounts_agree",
    "order_status": "p_order_status",
    "payment_status": "p_payment_status",
    "mode": "p_mode",
    "placed_at": "p_placed_at",
    "payment_created_at": "p_created_at",
    "payment_updated_at": "p_updated_at",
    "row_reference": "row_reference",
    "row_order_number": "row_order_number",
    "ordered_on": "o_ordered_on",
    "order_method": "o_method",
    "order_carried": "o_carried",
    "payment_gateway_name": "p_gateway",
    "market_name": "p_market",
    "authorized_amount_cents": "p_authorized",
    "captured_amount_cents": "p_captured",
    "refunded_amount_cents": "p_refunded",
    "voided_amount_cents": "p_voided",
    "order_source_type": "p_source_type",
}
JUDGED = (
    "status_code",
    "order_rank",
    "order_rows",
    "item_text",
    "is_staked",
    *STAKE,
    *(name for name in _PLAIN.values() if name != "item_id"),
)
"""Columns of the rows to sort."""

# What is sorted lies in memory whole: strings that mostly are those of another column are there where they differ only.
_MOSTLY_SAME = {
    "p_reference_raw": "reference",
    "order_reference": "reference",
    "row_reference": "reference",
    "row_order_number": "order_number",
}
_NAMED = (*(name for name in JUDGED if name != "item_text"), "order_text")
_SORTED = (*_NAMED, *(f"{name}_same" for name in _MOSTLY_SAME))
_FEW_OF_PAYMENTS = ("p_currency", "p_order_status", "p_payment_status", "p_mode")
_FEW_OF_SHOPS = ("p_gateway", "p_market", "p_source_type")  # apart: together with the others they are too many
_FEW_OF_ORDERS = ("o_currency", "o_source_file", "o_method")
_CARRIED = ("o_carried",)

SORT_ORDER = ("status_code", "reference", "p_id", "o_source_file", "o_source_line", "order_rank")
"""ITEMS_ORDER in the names of the judged rows; `order_rank` decides between order rows that came from nowhere."""

_GROUPED_TYPES: dict[str, pa.DataType] = {"item_id": pa.string(), "order_rows": pa.int64()}
GROUPED = pa.schema(_GROUPED_TYPES)
"""Items that stand for several order rows, and for how many."""

_ONE = pa.scalar(1, pa.int64())
_STATUSES = pa.array([str(status) for status in STATUS_ORDER], pa.string())
_KINDS = pa.array([str(KIND_OF[status]) for status in STATUS_ORDER], pa.string())
_IS_BREAK = pa.array([KIND_OF[status] is Kind.BREAK for status in STATUS_ORDER], pa.bool_())


_BREAKS = [code for code, status in enumerate(STATUS_ORDER) if KIND_OF[status] is Kind.BREAK]


class StatesOfRun(Protocol):
    """What the breaks of this run are: `reconcile.history.states`."""

    def columns_of(self, items: Columns) -> Columns:
        """Return LEDGER_COLUMNS of some items, by the columns that they have so far."""
        ...


class States(Protocol):
    """What earlier runs knew of breaks, and what people have decided about them: `reconcile.history.states`."""

    @property
    def open_before(self) -> pa.Array[Any]:
        """The item ids of what was a break in the latest run before."""
        ...

    def of(self, breaks: Callable[[], pa.Table]) -> StatesOfRun:
        """Return the states of a run, whose breaks (ABOUT) `breaks` gives if it is asked to."""
        ...


@dataclass(frozen=True, slots=True)
class RunFacts:
    """
    What is the same for every item of a run, and the states of its breaks; without `states` they have none.

    `organization` is the slug of the organization in the vendor's dashboard; null where it is not known.
    """

    business_date: date
    run_id: str | None
    states: States | None = None
    organization: str | None = None

    @property
    def open_before(self) -> pa.Array[Any]:
        """The item ids of what was a break in the latest run before; none without `states`."""
        return pa.array([], pa.string()) if self.states is None else self.states.open_before


def with_was_open(engine: Engine, rows: Frame, open_before: pa.Array[Any]) -> Frame:
    """Return leftovers with the claim `was_open`: their item is among `open_before`."""
    if not len(open_before):
        return rows.with_columns(nw.lit(value=False).alias("was_open"))
    named = engine.with_digest(rows.with_columns(_item_text().alias("was_text")), "was_text", "was_id")
    known = engine.from_arrow(pa.table({"was_id": open_before.unique()}))
    known = known.with_columns(nw.lit(value=True).alias("was_open"))
    return named.join(known, on="was_id", how="left").with_columns(nw.col("was_open").fill_null(value=False))


def _item_text() -> nw.Expr:
    """Return what the id of an item is made of: the payment, or an order row's keys and which of such rows it is."""
    return nw.coalesce("order_text", nw.concat_str([nw.lit("payment:"), nw.col("p_id")]))


def breaks_among(engine: Engine, rows: Frame) -> pa.Table:
    """Return the breaks among judged rows, as ABOUT, in no order: all of them lie in memory."""
    of_text = {name: column for name, column in _PLAIN.items() if name in ABOUT.names and name != "item_id"}
    breaks = rows.filter(nw.col("status_code").is_in(_BREAKS)).with_columns(_item_text().alias("item_text"))
    named = engine.with_digest(breaks.select("status_code", "item_text", *of_text.values()), "item_text", "item_id")
    table = engine.to_arrow(named)
    columns: Columns = {
        **{name: table.column(column) for name, column in of_text.items()},
        "item_id": table.column("item_id"),
        "status": _STATUSES.take(table.column("status_code")),
    }
    return pa.Table.from_arrays([columns[field.name].cast(field.type) for field in ABOUT], schema=ABOUT)


def sorted_items(engine: Engine, rows: Frame, payments: Frame, orders: Frame) -> Iterator[pa.RecordBatch]:
    """Sort judged rows of both sides and yield them as JUDGED, with their `item_id`."""
    same = {name: (nw.col(name) == nw.col(as_)).fill_null(value=False) for name, as_ in _MOSTLY_SAME.items()}
    rows = rows.with_columns(
        *(claim.alias(f"{name}_same") for name, claim in same.items()),
        *(nw.when(~claim).then(nw.col(name)).alias(name) for name, claim in same.items()),
    )
    sources = ((payments, _FEW_OF_PAYMENTS), (payments, _FEW_OF_SHOPS), (orders, _FEW_OF_ORDERS), (orders, _CARRIED))
    ordered = engine.sorted(rows.select(*_SORTED), SORT_ORDER, sources)
    ordered = ordered.with_columns(
        _item_text().alias("item_text"),
        *(
            nw.when(nw.col(f"{name}_same")).then(nw.col(as_)).otherwise(nw.col(name)).alias(name)
            for name, as_ in _MOSTLY_SAME.items()
        ),
    )
    return engine.batches(engine.with_digest(ordered.select(*JUDGED), "item_text", "item_id"))


def name_pairs(rows: Frame) -> Frame:
    """Return judged pairs ready to be sorted, `order_number` and the like being those of the payment."""
    return (
        _named(rows, orders=False)
        .with_columns(
            nw.lit(None, dtype=nw.String()).alias("order_text"),
            nw.lit(0, dtype=nw.Int64()).alias("order_rank"),
            nw.lit(value=True).alias("is_staked"),
        )
        .select(*_NAMED)
    )


def name_any(rows: Frame) -> Frame:
    """Return judged rows of any sort ready to be sorted; a row without payment is named after its order row."""
    return (
        _named(rows, orders=True)
        .with_columns(
            nw.when(nw.col("p_id").is_null()).then(nw.col("order_text")).alias("order_text"),
            nw.col("order_rank").fill_null(0),
            nw.col("order_rows").fill_null(0),
        )
        .select(*_NAMED)
    )


def _named(rows: Frame, *, orders: bool) -> Frame:
    sources = {
        "order_id": ("p_order_id", "o_order_id"),
        "order_number": ("p_order_number", "o_order_number"),
        "order_reference": ("p_order_reference_raw", "o_reference_raw"),
    }
    no_payment = nw.col("p_id").is_null()
    columns = []
    for name, (payments, of_order) in sources.items():
        of_payment = nw.col(payments)
        column = nw.when(no_payment).then(nw.col(of_order)).otherwise(of_payment) if orders else of_payment
        columns.append(column.alias(name))
    return rows.with_columns(
        nw.coalesce("p_reference", "p_order_reference", "o_reference").alias("reference"),
        nw.coalesce("o_reference_raw", "o_reference").alias("row_reference"),
        nw.col("o_order_number").alias("row_order_number"),
        *columns,
    )


def finish(
    batches: Iterable[pa.RecordBatch], facts: RunFacts, policy: MatchPolicy, states: StatesOfRun | None
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """
    Yield each batch of `sorted_items`, with suggestions, as ITEMS, and its grouped orders: `item_id`, `order_rows`.

    `states` are those of all breaks in them; without, they have none. Asserts that the batches are in order: the engine
    was asked to sort, and a plan that forgets would be our bug.
    """
    last = -1
    for batch in batches:
        if batch.num_rows == 0:
            continue
        codes = batch.column("status_code")
        bounds = pc.min_max(codes)
        assert bounds["min"].as_py() >= last, "items come sorted by status"
        last = bounds["max"].as_py()
        several = batch.select(["item_id", "order_rows"]).filter(pc.greater(batch.column("order_rows"), _ONE))
        columns = _columns(batch, codes, facts, policy)
        if states is not None:
            columns |= states.columns_of(columns)
        arrays = [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(batch.num_rows, field.type)
            for field in ITEMS
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=ITEMS), several.cast(GROUPED)


def _columns(
    batch: pa.RecordBatch, codes: pa.Array[Any], facts: RunFacts, policy: MatchPolicy
) -> dict[str, pa.Array[Any]]:
    rows = batch.num_rows
    columns: dict[str, pa.Array[Any]] = {ours: batch.column(theirs) for ours, theirs in _PLAIN.items()}
    return columns | {
        "business_date": pa.repeat(pa.scalar(facts.business_date, pa.date32()), rows),
        "run_id": pa.repeat(pa.scalar(facts.run_id, pa.string()), rows),
        "status": _STATUSES.take(codes),
        "kind": _KINDS.take(codes),
        "is_break": _IS_BREAK.take(codes),
        "suggestion": batch.column("suggestion"),
        "amount_basis": pa.repeat(pa.scalar(policy.amount_basis, pa.string()), rows),
        "data_age_days": _ages(columns, facts.business_date, policy.population),
        "links_dashboard": links_of(columns, facts.organization),
        **stakes_of(batch),
    }


def _ages(columns: Columns, business_date: date, population: Population) -> pa.Array[Any]:
    """Return the days since each payment, or since the order row of one alone; below 0 for what is dated later."""
    day = days_of(pc.coalesce(columns["placed_at"], columns["payment_created_at"]), population.time_zone)
    dated = pc.coalesce(day, columns["ordered_on"]).cast(pa.int32())
    age: pa.Array[Any] = pc.subtract(pa.scalar((business_date - date(1970, 1, 1)).days, pa.int32()), dated)
    return age
