"""
The likeliest explanation of a break, in words: what on the other side it may belong to, or how its amounts differ.

A suggestion is never a match. Looks only at rows that found no partner (references that are alike, or near with an
equal amount; equal amounts with dates close by), and for a pair at its money (`money`). Bounded: a value that many rows
share explains nothing, and is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.matching.policy import STATUS_ORDER, Status
from reconcile.matching.suggestions.money import TOLD_OF_MONEY, Known, of_money, registered
from reconcile.matching.suggestions.spilled_rows import SpilledRows

MOST_ALIKE = 20
"""Rows of one side that may share an amount, or a reference with one character left out, and still explain a break."""

MOST_DAYS_APART = 3
"""Days between a payment and an order row whose amounts agree, beyond which that explains nothing."""

MOST_LONE = 200_000
"""Rows without a partner on the smaller side, beyond which something else is wrong than any of them."""


@dataclass(frozen=True, slots=True)
class Suggester:
    """
    Makes suggestions on `connection`, which must be none that the rows come from.

    `known` looks up what the rows themselves do not say; many rows that have to wait do so in `folder`.
    """

    connection: duckdb.DuckDBPyConnection
    known: Known
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
                told = make(held, self.connection, self.known)
                ids, texts = (told.column(name).combine_chunks() for name in ("item_id", "text"))
                for batch in held.batches():
                    yield _with_column(batch, texts.take(pc.index_in(batch.column("item_id"), value_set=ids)))


def _cut(batch: pa.RecordBatch) -> Iterator[tuple[_Maker | None, pa.RecordBatch]]:
    """Yield the parts of `batch` that are of one status, each with what makes suggestions for it."""
    codes = np.asarray(batch.column("status_code"))
    edges = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), batch.num_rows]
    for start, end in pairwise(edges):
        if end > start:
            yield _MAKERS.get(STATUS_ORDER[codes[start]]), batch.slice(start, end - start)


def _with_column(batch: pa.RecordBatch, texts: pa.Array[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*batch.columns, texts], [*batch.schema.names, "suggestion"])


def _of_duplicates(held: SpilledRows, connection: duckdb.DuckDBPyConnection, _: Known) -> pa.Table:
    with registered(connection, held=held.scannable):
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


def _of_unpaired(held: SpilledRows, connection: duckdb.DuckDBPyConnection, _: Known) -> pa.Table:
    ids = held.column("p_id")
    payments, orders = len(ids) - ids.null_count, ids.null_count
    if not 0 < min(payments, orders) <= MOST_LONE:
        return pa.table({"item_id": pa.array([], pa.string()), "text": pa.array([], pa.string())})
    connection.execute("SET TimeZone = 'UTC'")  # a cursor has the machine's, whatever its connection was set to
    with registered(connection, held=held.scannable):
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


_Maker = Callable[[SpilledRows, duckdb.DuckDBPyConnection, Known], pa.Table]
_MAKERS: dict[Status, _Maker] = {
    **{status: partial(of_money, status=status) for status in TOLD_OF_MONEY},
    Status.DUPLICATE_REFERENCE: _of_duplicates,
    **dict.fromkeys((Status.MISSING_ORDER, Status.MISSING_PAYMENT, Status.MISSING_REFERENCE), _of_unpaired),
}
"""What makes suggestions for which status. Those of `_of_unpaired` stand beside each other in the order of items."""
