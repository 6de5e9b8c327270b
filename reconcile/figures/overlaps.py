"""
Order files that bring the same rows: what is counted twice where each file was meant to replace the one before.

Compares files by the keys of their rows as they were read, without the rules of `[match.clean]`: two exports of one
system write a key in one way. Looks at each row and the next file that has it, so that many files cost no more than
their rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb

from reconcile.files.duckdb import connected
from reconcile.files.parquet import scan
from reconcile.matching.policy import order_column
from reconcile.notices import Notice, notice

_MOST_COMPARED = 20  # pairs of files, those first that seem to share most


def overlap_warnings(orders: Path, keys: Sequence[str], *, copies: Collection[str] = ()) -> list[Notice]:
    """
    Return a warning where half the rows of a file or more are in another file, too, with the same amount or another.

    `orders` is a table of ORDERS; the first of the matching's `keys` that a row has is compared, and its order number.
    Files that are `copies` of another are left out: of them more is known.
    """
    columns = ", ".join(dict.fromkeys(order_column(key) for key in keys))
    with connected() as connection:
        connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE met AS
                SELECT source_file, coalesce({columns}) AS key, order_number, count(*) AS n FROM {scan(orders)}
                WHERE source_file IS NOT NULL AND coalesce({columns}) IS NOT NULL
                AND NOT list_contains($copies::VARCHAR[], source_file) GROUP BY ALL""",
            {"copies": list(copies)},
        )
        found = [pair for one, other in _candidates(connection) for pair in _shared(connection, one, other)]
    overlapping = sorted((pair for pair in found if pair[2] * 2 >= pair[3]), key=lambda pair: (-pair[2], pair[:2]))
    if not overlapping:
        return []
    file, other, rows, of = overlapping[0]
    text = (
        f"{rows:,} of {of:,} rows of {file} are in {other}, too, with the same amount or another: they count twice; "
        "where files bring what is new or changed, add --delivery changes"
    )
    return [notice("overlapping_files", text, files=(file, other), rows=rows, rows_of_file=of)]


def _candidates(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return pairs of files of which one comes after the other for the same row, those first that do so most often."""
    return connection.execute(
        f"""SELECT source_file, next FROM (
                SELECT source_file, lead(source_file) OVER (PARTITION BY key, order_number ORDER BY source_file) AS next
                FROM met)
            WHERE next IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, source_file, next LIMIT {_MOST_COMPARED}"""
    ).fetchall()


def _shared(connection: duckdb.DuckDBPyConnection, *files: str) -> list[tuple[str, str, int, int]]:
    """Return both files, each with the other, its rows that are in the other, too, and all its rows."""
    pairs = []
    for file, other in (files, files[::-1]):
        ((rows, of),) = connection.execute(
            """SELECT coalesce(sum(a.n) FILTER (EXISTS (
                   SELECT 1 FROM met b WHERE b.source_file = $other AND b.key = a.key
                   AND b.order_number IS NOT DISTINCT FROM a.order_number)), 0)::BIGINT, sum(a.n)::BIGINT
               FROM met a WHERE a.source_file = $file""",
            {"file": file, "other": other},
        ).fetchall()
        pairs.append((file, other, rows, of))
    return pairs
