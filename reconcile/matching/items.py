"""
Items as they are published: judged rows become ITEMS, in their order, and a file whose bytes depend on nothing else.

Takes Arrow batches from any engine, sorted by SORT_ORDER. Adds what is the same for all rows of a run, and what the
history of runs knows of a break. Does not judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.files.parquet import write_parquet
from reconcile.matching.engines.protocol import Engine, Frame
from reconcile.matching.ladder import STATUS_ORDER
from reconcile.matching.policy import KIND_OF, Kind
from reconcile.schema import ACCEPTANCES, COMPARED_STATUSES, HISTORY, ITEMS

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
}
JUDGED = (
    "status_code",
    "order_rank",
    "order_rows",
    "item_text",
    "o_ordered_on",
    *(name for name in _PLAIN.values() if name != "item_id"),
)
"""Columns of the rows to sort."""

# What is sorted lies in memory whole: texts that mostly are the reference are there where they are another only.
_MOSTLY_REFERENCE = ("p_reference_raw", "order_reference")
_NAMED = (*(name for name in JUDGED if name != "item_text"), "order_text")
_SORTED = (*_NAMED, *(f"{name}_same" for name in _MOSTLY_REFERENCE))
_FEW_OF_PAYMENTS = ("p_currency", "p_order_status", "p_payment_status", "p_mode")
_FEW_OF_ORDERS = ("o_currency", "o_source_file")

SORT_ORDER = ("status_code", "reference", "p_id", "o_source_file", "o_source_line", "order_rank")
"""ITEMS_ORDER in the names of the judged rows; `order_rank` decides between order rows that came from nowhere."""

_GROUPED_TYPES: dict[str, pa.DataType] = {"item_id": pa.string(), "order_rows": pa.int64()}
GROUPED = pa.schema(_GROUPED_TYPES)
"""Items that stand for several order rows, and for how many."""

_ONE = pa.scalar(1, pa.int64())
_STATUSES = pa.array([str(status) for status in STATUS_ORDER], pa.string())
_KINDS = pa.array([str(KIND_OF[status]) for status in STATUS_ORDER], pa.string())
_IS_BREAK = pa.array([KIND_OF[status] is Kind.BREAK for status in STATUS_ORDER], pa.bool_())


@dataclass(frozen=True, slots=True)
class RunFacts:
    """
    What is the same for every item of a run, what earlier runs knew (a table of HISTORY), and what people have decided
    (a table of ACCEPTANCES).
    """

    business_date: date
    run_id: str | None
    history: pa.Table | None
    acceptances: pa.Table | None = None


def sorted_items(engine: Engine, rows: Frame, payments: Frame, orders: Frame) -> Iterator[pa.RecordBatch]:
    """Sort judged rows of both sides and yield them as JUDGED, with their `item_id`."""
    same = {name: (nw.col(name) == nw.col("reference")).fill_null(value=False) for name in _MOSTLY_REFERENCE}
    rows = rows.with_columns(
        *(claim.alias(f"{name}_same") for name, claim in same.items()),
        *(nw.when(~claim).then(nw.col(name)).alias(name) for name, claim in same.items()),
    )
    sources = ((payments, _FEW_OF_PAYMENTS), (orders, _FEW_OF_ORDERS))
    ordered = engine.sorted(rows.select(*_SORTED), SORT_ORDER, sources)
    of_payment = nw.concat_str([nw.lit("payment:"), nw.col("p_id")])
    ordered = ordered.with_columns(
        nw.coalesce("order_text", of_payment).alias("item_text"),
        *(
            nw.when(nw.col(f"{name}_same")).then(nw.col("reference")).otherwise(nw.col(name)).alias(name)
            for name in _MOSTLY_REFERENCE
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
    sources = {"order_id": "o_order_id", "order_number": "o_order_number", "order_reference": "o_reference_raw"}
    no_payment = nw.col("p_id").is_null()
    columns = []
    for name, of_order in sources.items():
        of_payment = nw.col(f"p_{name}")
        column = nw.when(no_payment).then(nw.col(of_order)).otherwise(of_payment) if orders else of_payment
        columns.append(column.alias(name))
    return rows.with_columns(nw.coalesce("p_reference", "o_reference").alias("reference"), *columns)


def finish(batches: Iterable[pa.RecordBatch], facts: RunFacts) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """
    Yield each batch of `sorted_items`, with suggestions, as ITEMS, and its grouped orders: `item_id`, `order_rows`.

    Asserts that the batches are in order: the engine was told to sort, and a plan that forgets would be our bug.
    """
    history, acceptances = _History(facts), _Acceptances(facts)
    last = -1
    for batch in batches:
        if batch.num_rows == 0:
            continue
        codes = batch.column("status_code")
        bounds = pc.min_max(codes)
        assert bounds["min"].as_py() >= last, "items come sorted by status"
        last = bounds["max"].as_py()
        several = batch.select(["item_id", "order_rows"]).filter(pc.greater(batch.column("order_rows"), _ONE))
        columns = _columns(batch, codes, facts, history)
        columns |= acceptances.columns_of(columns)
        arrays = [columns[field.name].cast(field.type) for field in ITEMS]
        yield pa.RecordBatch.from_arrays(arrays, schema=ITEMS), several.cast(GROUPED)


def _columns(
    batch: pa.RecordBatch, codes: pa.Array[Any], facts: RunFacts, history: _History
) -> dict[str, pa.Array[Any]]:
    rows = batch.num_rows
    is_break = _IS_BREAK.take(codes)
    columns: dict[str, pa.Array[Any]] = {ours: batch.column(theirs) for ours, theirs in _PLAIN.items()}
    columns |= {
        "business_date": pa.repeat(pa.scalar(facts.business_date, pa.date32()), rows),
        "run_id": pa.repeat(pa.scalar(facts.run_id, pa.string()), rows),
        "status": _STATUSES.take(codes),
        "kind": _KINDS.take(codes),
        "is_break": is_break,
        **history.columns_of(batch.column("item_id"), is_break),
        "suggestion": batch.column("suggestion"),
    }
    return columns


class _History:
    """What earlier runs knew, looked up by `item_id`."""

    def __init__(self, facts: RunFacts) -> None:
        self.facts = facts
        known = (HISTORY.empty_table() if facts.history is None else facts.history.select(HISTORY.names)).cast(HISTORY)
        self.known = known.combine_chunks()

    def columns_of(self, item_ids: pa.Array[Any], is_break: pa.Array[Any]) -> dict[str, pa.Array[Any]]:
        """Return when breaks were seen, for a batch: null for what is no break, `new` for one never seen before."""
        today = _scalar(self.facts.business_date, pa.date32())
        never = pa.nulls(len(item_ids), pa.date32())
        if not self.known.num_rows or not pc.any(is_break).as_py():
            place: Any = pa.nulls(len(item_ids), pa.int32())
        else:
            ids: Any = pc.if_else(is_break, item_ids, _scalar(None, pa.string()))
            place = pc.index_in(ids, value_set=self.known.column("item_id"), skip_nulls=True)
        seen: dict[str, Any] = {name: self.known.column(name).take(place).combine_chunks() for name in HISTORY.names}
        first_seen_on: Any = pc.if_else(is_break, pc.coalesce(seen["first_seen_on"], today), never)
        day = (self.facts.business_date - date(1970, 1, 1)).days
        days: Any = pc.subtract(_scalar(day, pa.int32()), first_seen_on.cast(pa.int32()))
        reopened: Any = pc.if_else(
            pc.fill_null(seen["was_open"], _scalar(False, pa.bool_())),
            _scalar("open", pa.string()),
            _scalar("reopened", pa.string()),
        )
        state: Any = pc.if_else(pc.is_null(place), _scalar("new", pa.string()), reopened)
        return {
            "first_seen_on": first_seen_on,
            "last_seen_on": pc.if_else(is_break, today, never),
            "age_days": days,
            "state": pc.if_else(is_break, state, _scalar(None, pa.string())),
        }


class _Acceptances:
    """What people have decided about breaks, looked up by `item_id`; a break that has changed is not accepted."""

    def __init__(self, facts: RunFacts) -> None:
        given = ACCEPTANCES.empty_table() if facts.acceptances is None else facts.acceptances
        self.given = given.cast(ACCEPTANCES).combine_chunks()

    def columns_of(self, items: Mapping[str, Any]) -> dict[str, pa.Array[Any]]:
        """Return `accepted_reason` and `accepted_until` for a batch of ITEMS, by the columns it has so far."""
        is_break = items["is_break"]
        if not self.given.num_rows or not pc.any(is_break).as_py():
            rows = len(is_break)
            return {"accepted_reason": pa.nulls(rows, pa.string()), "accepted_until": pa.nulls(rows, pa.date32())}
        ids: Any = pc.if_else(is_break, items["item_id"], _scalar(None, pa.string()))
        place: Any = pc.index_in(ids, value_set=self.given.column("item_id"), skip_nulls=True)
        of: dict[str, Any] = {name: self.given.column(name).take(place).combine_chunks() for name in ACCEPTANCES.names}
        cents, code = _at_stake(items)
        same_status = _unchanged(items["status"], of["status"])
        same_amount = _unchanged(cents, of["at_stake_cents"])
        within = pc.less_equal(cents, of["cap_cents"])
        amount = pc.if_else(pc.is_valid(of["cap_cents"]), pc.fill_null(within, False), same_amount)
        holds = pc.and_(pc.and_(same_status, amount), _unchanged(code, of["currency_code"]))
        holds = pc.and_(pc.is_valid(place), pc.fill_null(holds, False))
        return {
            "accepted_reason": pc.if_else(holds, of["accepted_reason"], _scalar(None, pa.string())),
            "accepted_until": pc.if_else(holds, of["accepted_until"], _scalar(None, pa.date32())),
        }


def _at_stake(items: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return AT_STAKE_CENTS and AT_STAKE_CURRENCY of a batch."""
    compared = pc.is_in(items["status"], value_set=pa.array(COMPARED_STATUSES))
    difference = pc.if_else(compared, items["difference_cents"], _scalar(None, pa.int64()))
    none = _scalar(0, pa.int64())
    cents = pc.abs(pc.coalesce(difference, items["payment_amount_cents"], items["order_amount_cents"], none))
    return cents, pc.coalesce(items["payment_currency_code"], items["order_currency_code"])


def _unchanged(now: Any, then: Any) -> Any:
    """Return where `now` is what it was; where it was not told, it may be anything."""
    return pc.or_(pc.is_null(then), pc.fill_null(pc.equal(now, then), False))


def _scalar(value: object, type_: pa.DataType) -> Any:
    # Any: the stubs of pyarrow take the result of a scalar and an array for a scalar.
    return pa.scalar(value, type_)


def write_items(batches: Iterable[pa.RecordBatch], path: Path) -> int:
    """Write ITEMS to `path` and return how many. Equal items are equal bytes, however they were batched."""
    return write_parquet(batches, ITEMS, path, encodings=_ENCODINGS, rows_per_group=_ROWS_PER_GROUP, beside=True)


_ROWS_PER_GROUP = 61_440  # one is written while the next is made: together what one of the usual size takes
_MANY_VALUES = frozenset(
    ("item_id", "reference", "payment_id", "payment_reference", "order_id", "order_number", "order_reference")
)
# A dictionary pays for texts and dates of few values only.
_ENCODINGS = {
    field.name: "PLAIN"
    for field in ITEMS
    if field.name in _MANY_VALUES or not (pa.types.is_string(field.type) or pa.types.is_date(field.type))
}
