"""
One more night in the ledger, after few nights and after many: what it costs must not grow with the nights before.

Each night has 100,000 open breaks, of which one in a hundred is cleared and replaced by the next. What is timed is what
a run does with the ledger: follow the published runs, read the history, roll forward.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FIRST = date(2025, 11, 20)


def write_breaks(path: Path, *, breaks: int, night: int) -> None:
    """Write the breaks of one night; each night one in a hundred is another than the night before."""
    from reconcile.schema import ITEMS

    moved = breaks // 100
    ids = [f"{number + (night if number % 100 == 0 else 0) * breaks:032x}" for number in range(breaks)]
    fresh = [number % 100 == 0 for number in range(breaks)]
    columns = {
        "item_id": pa.array(ids, pa.string()),
        "business_date": pa.array([FIRST + timedelta(days=night)] * breaks, pa.date32()),
        "status": pa.array(["missing_order"] * breaks, pa.string()),
        "kind": pa.array(["break"] * breaks, pa.string()),
        "is_break": pa.array([True] * breaks, pa.bool_()),
        "state": pa.array(["new" if night == 0 or new else "open" for new in fresh], pa.string()),
        "payment_amount_cents": pa.array(range(breaks), pa.int64()),
        "payment_currency_code": pa.array(["EUR"] * breaks, pa.string()),
    }
    assert moved == sum(fresh), "one in a hundred"
    arrays = [columns.get(field.name, pa.nulls(breaks, field.type)) for field in ITEMS]
    pq.write_table(pa.Table.from_arrays(arrays, schema=ITEMS), path)


def one_night(book: Path, runs: Sequence[object], before: Path | None, after: Path, on: date) -> float:
    """Return the seconds that one more night takes."""
    from reconcile import ledger

    started = time.perf_counter()
    ledger.history(book, on)
    ledger.roll_forward(before, after)
    ledger.follow(book, runs)  # type: ignore[arg-type]
    return time.perf_counter() - started


def main(arguments: Sequence[str] | None = None) -> None:
    """Go through the nights and print what the last ten of each stretch took."""
    from reconcile.ledger import PublishedRun

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breaks", type=int, default=100_000)
    parser.add_argument("--nights", type=int, default=365)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        book, runs, seconds = folder / "ledger.duckdb", [], []
        for night in range(chosen.nights):
            path = folder / f"{night % 2}-{night}.parquet"
            write_breaks(path, breaks=chosen.breaks, night=night)
            before = runs[-1].breaks if runs else None
            runs.append(PublishedRun(FIRST + timedelta(days=night), f"r{night}", path))
            seconds.append(one_night(book, runs, before, path, FIRST + timedelta(days=night)))
            if night >= 2:
                (folder / f"{night % 2}-{night - 2}.parquet").unlink()
        early, late = statistics.median(seconds[5:15]), statistics.median(seconds[-10:])
        print(
            f"{chosen.breaks:,} open breaks: one more night {early:.2f} s after 5 to 15 nights, {late:.2f} s after "
            f"{chosen.nights - 10} to {chosen.nights}: ratio {late / early:.2f}; "
            f"the ledger has {book.stat().st_size / 1e6:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
