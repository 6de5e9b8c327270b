"""
What the money of a pair says of its break: a refund that the books leave out, another total, units, signs, a void.

Looks up totals of orders and days of refunds, of the payments in question only. Amounts are minor units of the
payment's currency.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reconcile.days import days_of
from reconcile.files.duckdb import text_literal
from reconcile.files.parquet import completed, scan
from reconcile.matching.policy import Status
from reconcile.matching.suggestions.spilled_rows import SpilledRows
from reconcile.money import EXPONENTS, ORDER_TOTALS
from reconcile.schema import PAYMENTS, TRANSACTIONS

TOLD_OF_MONEY = (
    Status.AMOUNT_MISMATCH,
    Status.STATUS_MISMATCH,
    Status.NOT_PAID,
    Status.PARTLY_PAID,
    Status.MONEY_UNKNOWN,
    Status.REFUNDED_SINCE,
)
"""Statuses that `of_money` has something to say about."""

_TOTALS = pa.schema(PAYMENTS.field(name) for name in ("payment_id", *ORDER_TOTALS))
_REFUND = pa.schema(
    TRANSACTIONS.field(name) for name in ("order_id", "type", "amount_cents", "succeeded", "created_at")
)
_REFUNDS: dict[str, pa.DataType] = {"order_id": pa.string(), "cents": pa.int64(), "day": pa.date32()}

_Lookup = Callable[[str, pa.Schema, list[str]], pa.Table]


@dataclass(frozen=True, slots=True)
class Known:
    """What is looked up: `payments` by their ids, `refunds` by those of orders; days are those of `time_zone`."""

    payments: _Lookup
    transactions: _Lookup | None
    time_zone: str

    def totals_of(self, ids: list[str]) -> pa.Table:
        """Return payment ids with the totals of their orders: columns `payment_id` and ORDER_TOTALS."""
        return self.payments("payment_id", _TOTALS, ids)

    def refunds_of(self, order_ids: list[str]) -> pa.Table:
        """Return the succeeded refunds of orders: `order_id`, `cents` and `day`; none where they are not known."""
        if self.transactions is None:
            return pa.schema(_REFUNDS).empty_table()
        found = self.transactions("order_id", _REFUND, order_ids)
        found = found.filter((pc.field("type") == "refunds") & pc.field("succeeded"))
        day = days_of(found.column("created_at").combine_chunks(), self.time_zone)
        columns = [found.column("order_id"), found.column("amount_cents"), day]
        return pa.Table.from_arrays(columns, list(_REFUNDS)).cast(pa.schema(_REFUNDS))


def in_files(payments: Path, transactions: Path | None, connection: duckdb.DuckDBPyConnection, time_zone: str) -> Known:
    """Return what looks up in Parquet files; `connection` must be none that items come from."""

    def lookup_in(path: Path) -> _Lookup:
        names = set(pq.read_schema(path).names)

        def found(key: str, schema: pa.Schema, ids: list[str]) -> pa.Table:
            with registered(connection, wanted=pa.table({"id": pa.array(ids, pa.string())})):
                query = f"SELECT {completed(names, schema)} FROM {scan(path)} WHERE {key} IN (SELECT id FROM wanted)"
                table: pa.Table = connection.sql(query).to_arrow_table()
                return table.cast(schema)

        return found

    return Known(lookup_in(payments), None if transactions is None else lookup_in(transactions), time_zone)


def in_tables(payments: pa.Table, transactions: pa.Table | None, time_zone: str) -> Known:
    """Return what looks up in tables; missing columns are null."""

    def lookup_in(table: pa.Table) -> _Lookup:
        def found(key: str, schema: pa.Schema, ids: list[str]) -> pa.Table:
            if key not in table.column_names:
                return schema.empty_table()
            mine = table.filter(pc.is_in(table.column(key).cast(pa.string()), value_set=pa.array(ids, pa.string())))
            columns = [
                mine.column(field.name).cast(field.type)
                if field.name in mine.column_names
                else pa.nulls(mine.num_rows, field.type)
                for field in schema
            ]
            return pa.Table.from_arrays(columns, schema=schema)

        return found

    return Known(lookup_in(payments), None if transactions is None else lookup_in(transactions), time_zone)


def of_money(held: SpilledRows, connection: duckdb.DuckDBPyConnection, known: Known, *, status: Status) -> pa.Table:
    """Return what is to be said of pairs of `status`, one of TOLD_OF_MONEY: `item_id` and `text`."""
    ids = [str(id_) for id_ in held.column("p_id").to_pylist()] if status is Status.AMOUNT_MISMATCH else []
    with registered(connection, held=held.scannable, totals=known.totals_of(ids)):
        refunded = connection.sql("SELECT DISTINCT order_id FROM held WHERE order_id IS NOT NULL AND p_refunded > 0")
        refunds = known.refunds_of([str(id_) for (id_,) in refunded.fetchall()])
        with registered(connection, refunds=refunds):
            query = f"{_TOGETHER} SELECT item_id, {_SAID_OF[status]} AS said, p_currency AS code FROM together"
            text = f"SELECT item_id, {_SENTENCE} AS text FROM ({query}) WHERE said IS NOT NULL"
            found: pa.Table = connection.sql(text).to_arrow_table()
    return found


def _amount_sql(cents: str, code: str) -> str:
    """Return SQL for what `format_amount` makes of an amount that is 0 or more."""
    rungs = []
    for decimals in sorted(set(EXPONENTS.values())):
        codes = ", ".join(text_literal(one) for one, places in EXPONENTS.items() if places == decimals)
        unit = 10**decimals
        fraction = f" || '.' || lpad(({cents} % {unit})::VARCHAR, {decimals}, '0')" if decimals else ""
        rungs.append(f"WHEN {code} IN ({codes}) THEN ({cents} // {unit})::VARCHAR{fraction}")
    return f"CASE {' '.join(rungs)} ELSE {cents}::VARCHAR || ' minor units' END"


_DAY = "strftime(said.day, '%-d %B')"
_SENTENCE = f"""replace(replace(replace(said.words, '{{amount}}', coalesce({_amount_sql("said.cents", "code")}, '')),
    '{{when}}', coalesce(' of ' || {_DAY}, '')), '{{on}}', coalesce(' on ' || {_DAY}, ''))"""

# Of the refunds of an order: the one that is as much as both sides differ by, else what they are together.
_TOGETHER = """
    WITH lacked AS (
        SELECT item_id, min(day) AS day FROM held JOIN refunds USING (order_id)
        WHERE cents = abs(difference) GROUP BY item_id
    ), all_refunds AS (
        SELECT order_id, count(*) AS refunds, max(day) AS last_day FROM refunds GROUP BY order_id
    ), together AS (
        SELECT held.*, total_amount_cents, total_amount_with_taxes_cents, place_total_amount_cents,
               lacked.item_id IS NOT NULL OR abs(difference) = p_refunded AND p_refunded > 0 AS is_refund,
               coalesce(lacked.day, CASE WHEN refunds = 1 THEN last_day END) AS lacked_day,
               CASE WHEN refunds = 1 THEN last_day END AS only_day, coalesce(refunds, 0) > 1 AS are_several
        FROM held LEFT JOIN totals ON p_id = payment_id LEFT JOIN lacked USING (item_id)
        LEFT JOIN all_refunds USING (order_id)
    )
"""


def _case(*rungs: tuple[str, str, str, str]) -> str:
    """Return SQL for the first of `rungs` that holds: its words, with the amount and the day that they name."""
    whens = " ".join(
        f"WHEN {holds} THEN {{'words': '{words}', 'cents': {cents}::BIGINT, 'day': {day}::DATE}}"
        for holds, words, cents, day in rungs
    )
    return f"CASE {whens} END"


def _said(holds: str, words: str) -> tuple[str, str, str, str]:
    return holds, words, "NULL", "NULL"


_SAID_OF = {
    Status.AMOUNT_MISMATCH: _case(
        _said("p_amount = 0", "the payment''s amount is 0"),
        _said("o_amount = 0", "the order total is 0"),
        _said(
            "o_amount = p_amount::HUGEINT * 100",
            "the order total is 100 times the payment: cents taken for units?",
        ),
        _said(
            "o_amount::HUGEINT * 100 = p_amount",
            "the payment is 100 times the order total: units taken for cents?",
        ),
        _said("o_amount = -p_amount", "the order total has the opposite sign: a credit?"),
        (
            "is_refund AND o_amount > p_amount AND lacked_day IS NULL AND are_several",
            "the books have the total before the refunds of {amount}",
            "abs(difference)",
            "NULL",
        ),
        (
            "is_refund AND o_amount > p_amount",
            "the books have the total before the refund of {amount}{when}",
            "abs(difference)",
            "lacked_day",
        ),
        (
            "is_refund AND o_amount < p_amount",
            "the books have the refund of {amount}{when} twice",
            "abs(difference)",
            "lacked_day",
        ),
        (
            "o_amount = total_amount_with_taxes_cents AND p_voided > 0",
            "the books have the total, of which {amount} was given back without having been captured",
            "abs(difference)",
            "NULL",
        ),
        _said(
            "o_amount = total_amount_cents",
            "the order total is the total_amount_cents of the payment''s order: another basis?",
        ),
        _said(
            "o_amount = total_amount_with_taxes_cents",
            "the order total is the total_amount_with_taxes_cents of the payment''s order: another basis?",
        ),
        _said(
            "o_amount = place_total_amount_cents",
            "the order total is what it was when the order was placed: changed since?",
        ),
        _said(
            "(p_amount - o_amount) % 9 = 0 AND p_amount > 0 AND o_amount > 0 "
            "AND damerau_levenshtein(p_amount::VARCHAR, o_amount::VARCHAR) = 1 "
            "AND list_sort(string_split(p_amount::VARCHAR, '')) = list_sort(string_split(o_amount::VARCHAR, ''))",
            "two digits of the amounts stand the other way round",
        ),
    ),
    Status.STATUS_MISMATCH: _case(
        _said("p_order_status = 'cancelled'", "the order was cancelled"),
        _said("p_order_status IN ('draft', 'pending', 'editing', 'placing')", "the order was never placed"),
        ("p_refunded > 0 AND are_several", "all of it was refunded: {amount} in several refunds", "p_refunded", "NULL"),
        ("p_refunded > 0", "all of it was refunded: {amount}{on}", "p_refunded", "only_day"),
        _said("p_voided > 0", "nothing was captured: what was authorized was voided"),
        _said("p_payment_status = 'refunded'", "all of it was refunded"),
        _said("p_payment_status = 'voided'", "nothing was captured: what was authorized was voided"),
    ),
    Status.NOT_PAID: _case(
        _said("p_authorized = 0 AND p_captured = 0 OR p_payment_status = 'unpaid'", "nothing was captured"),
    ),
    Status.PARTLY_PAID: _case(
        (
            "stake < 0",
            "the payments that share this order have {amount} more than is due: paid twice?",
            "-stake",
            "NULL",
        ),
        ("p_captured = 0", "nothing was captured: {amount} of what is due is missing", "stake", "NULL"),
        ("stake > 0", "{amount} of what is due was neither captured nor is it authorized", "stake", "NULL"),
    ),
    Status.MONEY_UNKNOWN: _case(
        _said(
            "p_payment_status LIKE 'partially@_%' ESCAPE '@'",
            "the payment status does not say how much: pull the transactions",
        ),
        _said("true", "the payment status is not one that is known"),
    ),
    Status.REFUNDED_SINCE: _case(
        (
            "are_several",
            "the books have the total before the refunds of {amount}",
            "p_refunded",
            "NULL",
        ),
        ("true", "the books have the total before the refund of {amount}{when}", "p_refunded", "only_day"),
    ),
}
"""What is said of each status: SQL over `together`."""


@contextlib.contextmanager
def registered(connection: duckdb.DuckDBPyConnection, **tables: Any) -> Iterator[None]:
    """Let `connection` read `tables` by their names, until the block ends."""
    for name, table in tables.items():
        connection.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            connection.unregister(name)
