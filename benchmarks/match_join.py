"""
The matching against the joins it is built on: DuckDB's bare full join of the same files, and `pandas.merge` of frames.

Every figure is a ratio of two times taken in turn on the same machine. The floors neither rank duplicates nor give a
verdict, sort, or prove anything.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks._process import cost_of

BUSINESS_DATE = date(2026, 4, 1)


def write_world(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write `rows` payments and as many order rows; 1 % of the references differ, 2 % of the orders are cancelled."""
    import duckdb

    payments, orders = folder / f"payments-{rows}.parquet", folder / f"orders-{rows}.parquet"
    reference = f"'ORD-' || lpad((i * 7919 % {rows * 10})::VARCHAR, 9, '0')"
    amount = "(hash(i) % 100000)::BIGINT"
    moment = "TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(i % 7000000)"
    currency = "CASE WHEN i % 3 = 0 THEN 'SEK' ELSE 'EUR' END"
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT substr(md5('p' || i), 1, 14) AS payment_id, {reference} AS reference,
                'erp' AS reference_origin, i % 997 = 0 AS mismatched_amounts,
                {moment} AS created_at, {moment} AS updated_at, md5('s' || i) AS session_id,
                '["pay_later"]' AS payment_methods, NULL::VARCHAR AS payment_instrument, '{{}}' AS metadata,
                NULL::VARCHAR AS payment_gateway_id, 'live' AS mode, substr(md5('o' || i), 1, 10) AS order_id,
                (10000000 + i)::VARCHAR AS order_number, {reference} AS order_reference,
                CASE WHEN i % 50 = 0 THEN 'cancelled' ELSE 'placed' END AS order_status,
                CASE WHEN i % 50 = 0 THEN 'voided' ELSE 'paid' END AS payment_status, {currency} AS currency_code,
                {amount} AS total_amount_cents, {amount} AS total_amount_with_taxes_cents,
                {amount} AS place_total_amount_cents, {moment} AS placed_at, {moment} AS order_updated_at
            FROM range({rows}) numbers(i) ORDER BY payment_id) TO '{payments}' (COMPRESSION zstd)"""
        )
        connection.execute(
            f"""COPY (SELECT CASE WHEN i % 100 = 7 THEN 'X' || i ELSE {reference} END AS reference,
                CASE WHEN i % 200 = 7 THEN (10000000 + i)::VARCHAR END AS order_number, NULL::VARCHAR AS order_id,
                {amount} + (i % 200 = 0)::BIGINT AS amount_cents, {currency} AS currency_code,
                DATE '2026-01-01' + (i % 80)::INT AS ordered_on, 'orders.csv' AS source_file, i + 2 AS source_line,
                reference AS reference_raw, amount_cents::VARCHAR AS amount_raw
            FROM range({rows}) numbers(i) ORDER BY hash(i)) TO '{orders}' (COMPRESSION zstd)"""
        )
    return payments, orders


def full_join(payments: Path, orders: Path, target: Path, memory_limit: str | None) -> None:
    """Join both files with DuckDB and write all columns of the outcome."""
    import duckdb

    with duckdb.connect(config={"preserve_insertion_order": False}) as connection:
        if memory_limit:
            connection.execute(f"SET memory_limit = '{memory_limit}'")
            connection.execute(f"SET temp_directory = '{target.parent}'")
        connection.execute(
            f"""COPY (SELECT * FROM read_parquet('{payments}') p FULL JOIN read_parquet('{orders}') o
            ON p.reference = o.reference) TO '{target}' (COMPRESSION zstd)"""
        )


def match(payments: Path, orders: Path, target: Path, memory_limit: str | None) -> None:
    """Match both files and write the items."""
    from reconcile.matching.items import RunFacts
    from reconcile.matching.match import Resources, match_to_parquet
    from reconcile.matching.policy import MatchPolicy

    match_to_parquet(
        payments,
        orders,
        target,
        MatchPolicy(),
        RunFacts(BUSINESS_DATE, "bench"),
        Resources(memory_limit=memory_limit, spill=target.parent),
    )


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def frames(payments: Path, orders: Path, rounds: int) -> None:
    """Print match_payments / pandas.merge (outer, on the reference) on pandas frames with Arrow types."""
    import pandas as pd
    import pyarrow.parquet as pq

    from reconcile import match_payments

    left, right = (pq.read_table(path).to_pandas(types_mapper=pd.ArrowDtype) for path in (payments, orders))
    times = []
    for _ in range(rounds):
        merged = seconds(lambda: pd.merge(left, right, on="reference", how="outer"))
        matched = seconds(lambda: match_payments(left, right, business_date=BUSINESS_DATE))
        times.append((matched, merged))
    report("match_payments / pandas.merge", times)


def report(name: str, times: list[tuple[float, float]]) -> None:
    """Print the median ratio, and the best time of each."""
    ratio = statistics.median(ours / floor for ours, floor in times)
    ours, floor = (min(column) for column in zip(*times, strict=True))
    print(f"{name}: {ratio:.2f} ({ours:.2f} s / {floor:.2f} s)", flush=True)


def peak_mb(payments: Path, orders: Path, target: Path, memory_limit: str | None) -> float:
    """Return the peak resident memory, in megabytes, of a process of its own that matches both files."""
    code = (
        "import sys; from pathlib import Path; from benchmarks.match_join import match\n"
        "match(*map(Path, sys.argv[1:4]), sys.argv[4] or None)"
    )
    return cost_of([sys.executable, "-c", code, payments, orders, target, memory_limit or ""]).peak_mb


def main(arguments: list[str] | None = None) -> None:
    """Measure and print; `--rows`, `--rounds`, `--memory-limit` as on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-limit")
    parser.add_argument("--no-frames", action="store_true")
    chosen = parser.parse_args(arguments)
    limit = chosen.memory_limit
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        payments, orders = write_world(folder, chosen.rows)
        times = []
        for _ in range(chosen.rounds):
            floor = seconds(lambda: full_join(payments, orders, folder / "floor.parquet", limit))
            ours = seconds(lambda: match(payments, orders, folder / "items.parquet", limit))
            times.append((ours, floor))
        report(f"match_to_parquet / bare full join, {chosen.rows:,} rows a side", times)
        peak = peak_mb(payments, orders, folder / "items.parquet", limit)
        print(f"peak resident memory of the matching: {peak:.0f} MB", flush=True)
        if not chosen.no_frames:
            frames(payments, orders, chosen.rounds)


if __name__ == "__main__":
    main()
