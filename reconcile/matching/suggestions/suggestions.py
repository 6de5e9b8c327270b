"""
The likeliest explanation of a break, in words: what on the other side it may belong to, or how its amounts differ.

A suggestion is never a match. Looks only at rows that found no partner (references that are alike, or near with an
equal amount; equal amounts with dates close by), and for a pair whose amounts differ at the payment's other totals, at
units and at signs. Bounded: a value that many rows share explains nothing, and is skipped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reconcile.files.parquet import completed, scan
from reconcile.matching.ladder import STATUS_ORDER
from reconcile.matching.policy import Status
from reconcile.matching.suggestions.spilled_rows import SpilledRows
from reconcile.money import AMOUNT_BASES
from reconcile.schema import PAYMENTS

MOST_ALIKE = 20
"""Rows of one side that may share an amount, or a reference with one character left out, and still explain a break."""

MOST_DAYS_APART = 3
"""Days between a payment and an order row whose amounts agree, beyond which that explains nothing."""

MOST_LONE = 200_000
"""Rows without a partner on the smaller side, beyond which something else is wrong than any of them."""

TotalsOf = Callable[[list[str]], pa.Table]
"""Payment ids to their totals, AMOUNT_BASES: columns `payment_id` and those."""


@dataclass(frozen=True, slots=True)
class Suggester:
    """
    Makes suggestions on `connection`, which must be none that the rows come from.

    `totals_of` looks up a payment's totals; many rows that have to wait do so in `folder`.
    """

    connection: duckdb.DuckDBPyConnection
    totals_of: TotalsOf
    folder: Path | None = None

    def suggested(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """
        Yield judged rows, sorted by status and with their `item_id`, with the text column `suggestion`.

        Rows that suggestions are made for are held back until all of their group have come. Raises OSError as the disk
        does.
        """
        parts = (part for batch in batches for part in _cut(batch))
        for make, found in groupby(parts, key=lambda part: part[0]):
            rows = (batch for _, batch in found)
            if make is None:
                for batch in rows:
                    yield _with_column(batch, pa.nulls(batch.num_rows, pa.string()))
                continue
            with SpilledRows(rows, self.folder) as held:
                told = make(held, self.connection, self.totals_of)
                ids, texts = (told.column(name).combine_chunks() for name in ("item_id", "text"))
                for batch in held.batches():
                    yield _with_column(batch, texts.take(pc.index_in(batch.column("item_id"), value_set=ids)))


def totals_in_file(payments: Path, connection: duckdb.DuckDBPyConnection) -> TotalsOf:
    """Return what looks totals up in a Parquet file of PAYMENTS; `connection` must be none that items come from."""
    names = set(pq.read_schema(payments).names)
    columns = completed(names, pa.schema(PAYMENTS.field(name) for name in AMOUNT_BASES))

    def totals_of(ids: list[str]) -> pa.Table:
        with _registered(connection, wanted=pa.table({"id": pa.array(ids, pa.string())})):
            query = f"SELECT payment_id, {columns} FROM {scan(payments)} WHERE payment_id IN (SELECT id FROM wanted)"
            found: pa.Table = connection.sql(query).to_arrow_table()
            return found

    return totals_of


def totals_in_table(payments: pa.Table) -> TotalsOf:
    """Return what looks totals up in a table of PAYMENTS; missing columns are null."""

    def totals_of(ids: list[str]) -> pa.Table:
        found = payments.filter(pc.is_in(payments.column("payment_id"), value_set=pa.array(ids, pa.string())))
        totals = [
            found.column(name).cast(pa.int64()) if name in found.column_names else pa.nulls(found.num_rows, pa.int64())
            for name in AMOUNT_BASES
        ]
        return pa.Table.from_arrays(
            [found.column("payment_id").cast(pa.string()), *totals], ["payment_id", *AMOUNT_BASES]
        )

    return totals_of


def _cut(batch: pa.RecordBatch) -> Iterator[tuple[_Maker | None, pa.RecordBatch]]:
    """Yield the parts of `batch` that are of one status, each with what makes suggestions for it."""
    codes = np.asarray(batch.column("status_code"))
    edges = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), batch.num_rows]
    for start, end in pairwise(edges):
        if end > start:
            yield _MAKERS.get(STATUS_ORDER[codes[start]]), batch.slice(start, end - start)


def _with_column(batch: pa.RecordBatch, texts: pa.Array[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*batch.columns, texts], [*batch.schema.names, "suggestion"])


def _of_amounts(held: SpilledRows, connection: duckdb.DuckDBPyConnection, totals_of: TotalsOf) -> pa.Table:
    totals = totals_of([str(id_) for id_ in held.column("p_id").to_pylist()])
    with _registered(connection, held=held.scannable, totals=totals):
        found: pa.Table = connection.sql(_AMOUNTS).to_arrow_table()
        return found


_AMOUNTS = """
    SELECT item_id, text FROM (
        SELECT item_id, CASE
            WHEN p_amount = 0 THEN 'the payment''s amount is 0'
            WHEN o_amount = 0 THEN 'the order total is 0'
            WHEN o_amount = p_amount::HUGEINT * 100
                THEN 'the order total is 100 times the payment: cents taken for units?'
            WHEN o_amount::HUGEINT * 100 = p_amount
                THEN 'the payment is 100 times the order total: units taken for cents?'
            WHEN o_amount = -p_amount THEN 'the order total has the opposite sign: a credit?'
            WHEN o_amount = total_amount_cents
                THEN 'the order total is the total_amount_cents of the payment''s order: another basis?'
            WHEN o_amount = total_amount_with_taxes_cents
                THEN 'the order total is the total_amount_with_taxes_cents of the payment''s order: another basis?'
            WHEN o_amount = place_total_amount_cents
                THEN 'the order total is what it was when the order was placed: changed since?'
            WHEN (p_amount - o_amount) % 9 = 0 AND p_amount > 0 AND o_amount > 0
                AND damerau_levenshtein(p_amount::VARCHAR, o_amount::VARCHAR) = 1
                AND list_sort(string_split(p_amount::VARCHAR, '')) = list_sort(string_split(o_amount::VARCHAR, ''))
                THEN 'two digits of the amounts stand the other way round'
        END AS text
        FROM held LEFT JOIN totals ON p_id = payment_id
    ) WHERE text IS NOT NULL
"""


def _of_duplicates(held: SpilledRows, connection: duckdb.DuckDBPyConnection, _: TotalsOf) -> pa.Table:
    with _registered(connection, held=held.scannable):
        found: pa.Table = connection.sql(_DUPLICATES).to_arrow_table()
        return found


_DUPLICATES = """
    WITH together AS (
        SELECT reference, count(p_id) AS payments, count(*) - count(p_id) AS orders,
               count(DISTINCT coalesce(p_currency, o_currency)) = 1
               AND sum(p_amount) = sum(o_amount) AND count(coalesce(p_amount, o_amount)) = count(*) AS agree
        FROM held WHERE reference IS NOT NULL GROUP BY reference HAVING count(*) > 1
    )
    SELECT item_id, payments || CASE payments WHEN 1 THEN ' payment' ELSE ' payments' END || ' and '
        || orders || CASE orders WHEN 1 THEN ' order row' ELSE ' order rows' END || ' have this reference'
        || CASE WHEN agree THEN ', and together the same amount' ELSE '' END AS text
    FROM held JOIN together USING (reference)
"""


def _of_unpaired(held: SpilledRows, connection: duckdb.DuckDBPyConnection, _: TotalsOf) -> pa.Table:
    ids = held.column("p_id")
    payments, orders = len(ids) - ids.null_count, ids.null_count
    if not 0 < min(payments, orders) <= MOST_LONE:
        return pa.table({"item_id": pa.array([], pa.string()), "text": pa.array([], pa.string())})
    connection.execute("SET TimeZone = 'UTC'")  # a cursor has the machine's, whatever its connection was set to
    with _registered(connection, held=held.scannable):
        connection.execute(_SIDES)
    few, many = ("payments", "orders") if payments <= orders else ("orders", "payments")
    connection.execute(_NEAR.format(few=few, many=many, alike=MOST_ALIKE))
    found: pa.Table = connection.sql(_CANDIDATES).to_arrow_table()
    return found


PLAIN_REFERENCE = "nullif(ltrim(regexp_replace(upper({}), '[^\\pL\\pN]+', '', 'g'), '0'), '')"
"""SQL of a reference without case, punctuation and leading zeros; null when nothing is left."""

_SIDES = f"""
    CREATE OR REPLACE TEMP TABLE lone_payments AS
    SELECT item_id, p_id AS name, reference, p_amount AS cents, p_currency AS code,
           {PLAIN_REFERENCE.format("reference")} AS plain,
           coalesce(p_placed_at, p_created_at)::TIMESTAMP::DATE AS day
    FROM held WHERE p_id IS NOT NULL;
    CREATE OR REPLACE TEMP TABLE lone_orders AS
    SELECT item_id, o_source_file || ':' || o_source_line AS name, reference, o_amount AS cents, o_currency AS code,
           {PLAIN_REFERENCE.format("reference")} AS plain,
           o_ordered_on AS day, o_source_file AS file, o_source_line AS line
    FROM held WHERE p_id IS NULL;
"""

# Two strings that differ by one character (another, one more, one less, or two swapped) share a string that is one of
# them or one of them less a character. Of the larger side only what the smaller one has too is kept.
_NEAR = """
    CREATE OR REPLACE TEMP TABLE few_cut AS
    SELECT DISTINCT item_id, text FROM (
        SELECT item_id, unnest(list_append(list_transform(range(1, length(reference) + 1),
            lambda i: substr(reference, 1, i - 1) || substr(reference, i + 1)), reference)) AS text
        FROM lone_{few} WHERE length(reference) BETWEEN 4 AND 64
    ) QUALIFY count(*) OVER (PARTITION BY text) <= {alike};
    CREATE OR REPLACE TEMP TABLE many_cut AS
    SELECT DISTINCT item_id, text FROM (
        SELECT item_id, unnest(list_append(list_transform(range(1, length(reference) + 1),
            lambda i: substr(reference, 1, i - 1) || substr(reference, i + 1)), reference)) AS text
        FROM lone_{many} SEMI JOIN lone_{few} USING (code, cents) WHERE length(reference) BETWEEN 4 AND 64
    ) WHERE text IN (SELECT text FROM few_cut) QUALIFY count(*) OVER (PARTITION BY text) <= {alike};
    CREATE OR REPLACE TEMP TABLE near AS
    SELECT DISTINCT f.item_id AS {few}_item, m.item_id AS {many}_item FROM few_cut f JOIN many_cut m USING (text);
"""

_RARE = f"QUALIFY count(*) OVER (PARTITION BY {{}}) <= {MOST_ALIKE}"
_SAME_AMOUNT = f"""
    SELECT * FROM (
        SELECT *, count(*) OVER (PARTITION BY code, cents) AS alike FROM lone_{{}} WHERE cents <> 0
    ) WHERE alike <= {MOST_ALIKE}
"""
_CANDIDATES = f"""
    WITH candidates AS (
        SELECT payments_item, orders_item, 'near' AS how FROM near
        UNION ALL
        SELECT p.item_id, o.item_id, 'plain'
        FROM (SELECT item_id, plain FROM lone_payments WHERE plain IS NOT NULL {_RARE.format("plain")}) p
        JOIN (SELECT item_id, plain FROM lone_orders WHERE plain IS NOT NULL {_RARE.format("plain")}) o USING (plain)
        UNION ALL
        SELECT p.item_id, o.item_id, 'amount'
        FROM ({_SAME_AMOUNT.format("payments")}) p JOIN ({_SAME_AMOUNT.format("orders")}) o
        ON p.code = o.code AND p.cents = o.cents
        AND coalesce(abs(p.day - o.day) <= {MOST_DAYS_APART}, p.alike = 1 AND o.alike = 1)
    ), compared AS (
        SELECT payments_item, orders_item, how, p.name AS p_name, o.name AS o_name, file, line,
               p.reference AS p_reference, o.reference AS o_reference, abs(p.day - o.day) AS days,
               coalesce(p.code = o.code AND p.cents = o.cents, false) AS same_amount
        FROM candidates JOIN lone_payments p ON p.item_id = payments_item JOIN lone_orders o ON o.item_id = orders_item
        WHERE how <> 'near'
        OR p.code = o.code AND p.cents = o.cents AND damerau_levenshtein(p.reference, o.reference) = 1
    ), ranked AS (
        SELECT *, CASE WHEN how = 'plain' AND same_amount THEN 1 WHEN how = 'near' THEN 2
                       WHEN how = 'plain' THEN 3 ELSE 4 END AS rank,
            CASE how WHEN 'plain' THEN 'the same reference but for case, punctuation or zeros, '
                     WHEN 'near' THEN 'the reference differs by one character, ' ELSE '' END
            || CASE WHEN same_amount THEN 'the same amount' ELSE 'another amount' END
            || CASE WHEN how <> 'amount' THEN '' WHEN days IS NULL THEN ', which no other row has'
                    WHEN days = 0 THEN ', the same day'
                    ELSE ', ' || days || CASE days WHEN 1 THEN ' day' ELSE ' days' END || ' apart' END AS words
        FROM compared
    ), told AS (
        SELECT payments_item AS item_id, orders_item AS other, rank, file, line, days,
               'order row ' || coalesce(o_name, '') || coalesce(' "' || o_reference || '"', '') || ': ' || words AS text
        FROM ranked
        UNION ALL
        SELECT orders_item, payments_item, rank, p_name, NULL, days,
               'payment ' || p_name || coalesce(' "' || p_reference || '"', '') || ': ' || words
        FROM ranked
    ), best AS (
        SELECT *, count(*) OVER (PARTITION BY item_id, rank) AS alike FROM told
        QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY rank, days NULLS LAST, file, line, other) = 1
    )
    SELECT item_id, text || CASE WHEN alike > 1 THEN ', as ' || (alike - 1) || ' more' ELSE '' END AS text FROM best
"""


@contextlib.contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, **tables: Any) -> Iterator[None]:
    for name, table in tables.items():
        connection.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            connection.unregister(name)


_Maker = Callable[[SpilledRows, duckdb.DuckDBPyConnection, TotalsOf], pa.Table]
_MAKERS: dict[Status, _Maker] = {
    Status.AMOUNT_MISMATCH: _of_amounts,
    Status.DUPLICATE_REFERENCE: _of_duplicates,
    **dict.fromkeys((Status.MISSING_ORDER, Status.MISSING_PAYMENT, Status.MISSING_REFERENCE), _of_unpaired),
}
"""What makes suggestions for which status. Those of `_of_unpaired` stand beside each other in the order of items."""
