"""
Reading order totals from CSV, against DuckDB reading the same file as text and writing it as Parquet.

Each is a process of its own, in turn on the same machine; the ratio is of their wall times, pair by pair. DuckDB reads
no amount, currency, date or key, numbers no line and digests nothing: it is the floor of getting the text through.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks._process import Cost, cost_of

FLOOR = """
import sys, duckdb
with duckdb.connect() as connection:
    connection.execute("SET enable_progress_bar = false")
    connection.execute("COPY (SELECT * FROM read_csv($1, all_varchar = true)) TO '%s' (FORMAT parquet)" % sys.argv[2],
                       [sys.argv[1]])
"""
OURS = """
import sys
from pathlib import Path
from reconcile.orders.read import read_orders_to_parquet
report = read_orders_to_parquet(sys.argv[1], Path(sys.argv[2]), rejects=Path(sys.argv[2] + ".rejects.csv"))
assert (report.rows, report.rejects) == (int(sys.argv[3]), 0)
"""


def write_orders(path: Path, rows: int, *, quoted: bool) -> None:
    """Write a table of `rows` orders in two currencies, with dates and a note; `quoted`: every cell in quotes."""
    import duckdb

    options = "HEADER, DELIMITER ','" + (", FORCE_QUOTE *" if quoted else "")
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(
            f"""COPY (SELECT 'ORD-' || lpad(i::VARCHAR, 10, '0') AS reference,
                (hash(i) % 10000000 / 100)::DECIMAL(18, 2)::VARCHAR AS total_amount,
                CASE WHEN i % 3 = 0 THEN 'SEK' ELSE 'EUR' END AS currency_code,
                (DATE '2025-01-01' + (i % 365)::INT)::VARCHAR AS order_date, 'note ' || (i % 1000) AS note
            FROM range({rows}) numbers(i)) TO '{path}' ({options})"""
        )


def main(arguments: list[str] | None = None) -> None:
    """Measure and print; `--rows`, `--rounds` as on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        for quoted in (False, True):
            source = Path(name) / "orders.csv"
            write_orders(source, chosen.rows, quoted=quoted)
            python = (sys.executable, "-c")
            pairs = [
                (
                    cost_of([*python, OURS, source, Path(name) / "ours.parquet", chosen.rows]),
                    cost_of([*python, FLOOR, source, Path(name) / "floor.parquet"]),
                )
                for _ in range(chosen.rounds)
            ]
            report(f"{chosen.rows:,} rows of CSV{', every cell quoted' if quoted else ''}", pairs)


def report(name: str, pairs: list[tuple[Cost, Cost]]) -> None:
    """Print the median ratio, the median times and the highest peaks."""
    ratio = statistics.median(ours.seconds / floor.seconds for ours, floor in pairs)
    ours, floor = (statistics.median(cost.seconds for cost in costs) for costs in zip(*pairs, strict=True))
    our_peak, floor_peak = (max(cost.peak_mb for cost in costs) for costs in zip(*pairs, strict=True))
    print(
        f"{name}: read_orders / DuckDB as text {ratio:.2f} ({ours:.2f} s / {floor:.2f} s), "
        f"peak {our_peak:.0f} MB / {floor_peak:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
