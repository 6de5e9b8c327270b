"""
Suggestions for many breaks among many candidates: the same matching with them and without.

50,000 payments and 1,000,000 order rows meet nowhere; half of the references differ by one character, amounts are near
each other. The difference of the two times is what the suggestions take.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import pyarrow as pa

from benchmarks.match_join import match, seconds


def write_world(folder: Path, breaks: int, rows: int) -> tuple[Path, Path]:
    """Write `breaks` payments and `rows` order rows without a common key."""
    import duckdb

    payments, orders = folder / "payments.parquet", folder / "orders.parquet"
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(
            f"""COPY (SELECT 'P' || i AS payment_id,
                CASE WHEN i % 2 = 0 THEN 'ORD-' || lpad((i * 20)::VARCHAR, 9, '0') || 'x' ELSE 'PAY-' || i END
                AS reference,
                TIMESTAMPTZ '2026-03-01 00:00:00+00' + to_seconds(i * 40) AS created_at, created_at AS updated_at,
                'O' || i AS order_id, 'placed' AS order_status, 'paid' AS payment_status, 'EUR' AS currency_code,
                (hash(i * 20) % 1000000)::BIGINT AS total_amount_with_taxes_cents
            FROM range({breaks}) numbers(i)) TO '{payments}'"""
        )
        connection.execute(
            f"""COPY (SELECT 'ORD-' || lpad(i::VARCHAR, 9, '0') AS reference, reference AS reference_raw,
                (hash(i) % 1000000)::BIGINT AS amount_cents, 'EUR' AS currency_code,
                DATE '2026-03-01' + (i * 2 // 86400)::INT AS ordered_on, 'orders.csv' AS source_file,
                i + 2 AS source_line
            FROM range({rows}) numbers(i)) TO '{orders}'"""
        )
    return payments, orders


def without(_: object, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Stand in for `Suggester.suggested`: the same rows, with no suggestion."""
    for batch in batches:
        yield batch.append_column("suggestion", pa.nulls(batch.num_rows, pa.string()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure in turn and print the median of the difference."""
    from reconcile.matching.suggestions.suggestions import Suggester

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breaks", type=int, default=50_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        payments, orders = write_world(folder, chosen.breaks, chosen.rows)
        pairs = []
        for _ in range(chosen.rounds):
            full = seconds(lambda: match(payments, orders, folder / "items.parquet", None))
            with mock.patch.object(Suggester, "suggested", without):
                bare = seconds(lambda: match(payments, orders, folder / "bare.parquet", None))
            pairs.append((full, bare))
    taken = statistics.median(full - bare for full, bare in pairs)
    full, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"suggestions for {chosen.breaks:,} breaks among {chosen.rows:,} candidates: {taken:.1f} s "
        f"(matching with them {full:.1f} s, without {bare:.1f} s)",
        flush=True,
    )


if __name__ == "__main__":
    main()
