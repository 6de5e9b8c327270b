"""
A night of changes on a large order book, against the same night without the book: the same rows as one full list.

Night 1 brings all orders to both; night 2 brings a day's, some of them corrected, and is run both ways. Prints the
book's own stage as well.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from benchmarks._process import cost_of
from benchmarks.match_join import BUSINESS_DATE, write_world


def night(payments: Path, orders: Path, out: Path, *, delivery: str, days: int) -> float:
    """Publish one night without page and workbook, as a process, and return its seconds."""
    on = BUSINESS_DATE + timedelta(days=days)
    words = ["match", payments, orders, "--out", out, "--date", on, "--delivery", delivery]
    options = ["--mode", "live", "--no-html", "--no-xlsx", "--quiet"]
    return cost_of([sys.executable, "-m", "reconcile", *words, *options]).seconds


def write_day(orders: Path, day: Path, full: Path, rows: int) -> None:
    """Write a day's rows (half corrections, half new), and the one list that they and `orders` come to."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(
            f"""CREATE TABLE day AS
                SELECT * REPLACE (amount_cents + 1 AS amount_cents, 'day.csv' AS source_file) FROM
                (SELECT * FROM read_parquet('{orders}') WHERE reference IS NOT NULL LIMIT {rows // 2})
                UNION ALL SELECT * REPLACE ('N' || reference AS reference, 'day.csv' AS source_file) FROM
                (SELECT * FROM read_parquet('{orders}') WHERE reference IS NOT NULL LIMIT {rows // 2})"""
        )
        connection.execute(f"COPY day TO '{day}'")
        connection.execute(
            f"""COPY (SELECT * FROM read_parquet('{orders}') ANTI JOIN day USING (reference)
                UNION ALL FROM day) TO '{full}' (COMPRESSION zstd)"""
        )


def main() -> None:
    """Measure both nights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--day", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args(sys.argv[1:])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        payments, orders = write_world(folder, asked.rows)
        day, full = folder / "day.parquet", folder / "full.parquet"
        write_day(orders, day, full, asked.day)
        night(payments, orders, folder / "book", delivery="changes", days=0)
        night(payments, orders, folder / "list", delivery="full", days=0)
        ratios = []
        for _ in range(asked.rounds):
            with_book = night(payments, day, folder / "book", delivery="changes", days=1)
            without = night(payments, full, folder / "list", delivery="full", days=1)
            ratios.append(with_book / without)
            summary = next((folder / "book").glob("*-02/summary.json"))
            stages = json.loads(summary.read_bytes())["seconds"]
            print(
                f"{asked.rows} rows, {asked.day} added: {with_book:.2f} s with the book "
                f"({stages['order book']:.2f} s of it in the book), {without:.2f} s without"
            )
        print(f"ratio {sorted(ratios)[len(ratios) // 2]:.2f}")


if __name__ == "__main__":
    main()
