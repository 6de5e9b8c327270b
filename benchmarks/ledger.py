"""
One more night in the ledger, after few nights and after many: what it costs must not grow with the nights before.

Each night has 100,000 open breaks, of which one in a hundred is cleared and replaced by the next. What is timed is what
a run does with the nights before it: find the published runs, follow them, read the history, and roll forward.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FIRST = date(2025, 11, 20)


def write_breaks(path: Path, *, breaks: int, night: int) -> None:
    """Write the breaks of one night; each night one in a hundred is another than the night before."""
    from reconcile.schema import ITEMS

    moved = breaks // 100
    ids = [f"{number + (night if number % 100 == 0 else 0) * breaks:032x}" for number in range(breaks)]
    fresh = [number % 100 == 0 for number in range(breaks)]
    columns: dict[str, pa.Array[Any]] = {
        "item_id": pa.array(ids, pa.string()),
        "business_date": pa.array([FIRST + timedelta(days=night)] * breaks, pa.date32()),
        "status": pa.array(["missing_order"] * breaks, pa.string()),
        "kind": pa.array(["break"] * breaks, pa.string()),
        "is_break": pa.array([True] * breaks, pa.bool_()),
        "break_id": pa.array(ids, pa.string()),
        "first_seen_on": pa.array([FIRST + timedelta(days=night if new else 0) for new in fresh], pa.date32()),
        "state": pa.array(["new" if night == 0 or new else "open" for new in fresh], pa.string()),
        "payment_amount_cents": pa.array(range(breaks), pa.int64()),
        "payment_currency_code": pa.array(["EUR"] * breaks, pa.string()),
        "at_stake_cents": pa.array(range(breaks), pa.int64()),
        "at_stake_currency_code": pa.array(["EUR"] * breaks, pa.string()),
    }
    assert moved == sum(fresh), "one in a hundred"
    arrays = [columns.get(field.name, pa.nulls(breaks, field.type)) for field in ITEMS]
    pq.write_table(pa.Table.from_arrays(arrays, schema=ITEMS), path)


def write_night(out: Path, *, breaks: int, night: int) -> Path:
    """Write what the ledger reads of a run folder: a manifest of the usual size, and the breaks."""
    folder = out / (FIRST + timedelta(days=night)).isoformat()
    folder.mkdir()
    write_breaks(folder / "breaks.parquet", breaks=breaks, night=night)
    outputs = [{"path": f"file-{n}.parquet", "sha256": f"{n:064x}", "bytes": n, "rows": n} for n in range(20)]
    manifest = {"business_date": folder.name, "run_id": f"r{night}", "outputs": outputs}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def one_night(out: Path, after: Path, on: date) -> float:
    """Return the seconds that one more night takes, whose folder `after` is there already."""
    from reconcile.figures.compare import trend_of
    from reconcile.figures.roll_forward import roll_forward
    from reconcile.history import ledger
    from reconcile.history.earlier import earlier_runs, published_runs
    from reconcile.history.published import breaks_in

    started = time.perf_counter()
    earlier = earlier_runs(out, on)
    trend_of(earlier.runs)
    roll_forward(earlier.breaks, breaks_in(after / "breaks.parquet"))
    ledger.follow(out / ledger.LEDGER_NAME, published_runs(out))
    return time.perf_counter() - started


def main(arguments: Sequence[str] | None = None) -> None:
    """Go through the nights and print what the last ten of each stretch took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breaks", type=int, default=100_000)
    parser.add_argument("--nights", type=int, default=365)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        book, folders, seconds = out / "ledger.duckdb", [], []
        for night in range(chosen.nights):
            folders.append(write_night(out, breaks=chosen.breaks, night=night))
            seconds.append(one_night(out, folders[-1], FIRST + timedelta(days=night)))
            if night >= 2:
                (folders[-3] / "breaks.parquet").unlink()
        early, late = statistics.median(seconds[5:15]), statistics.median(seconds[-10:])
        print(
            f"{chosen.breaks:,} open breaks: one more night {early:.2f} s after 5 to 15 nights, {late:.2f} s after "
            f"{chosen.nights - 10} to {chosen.nights}: ratio {late / early:.2f}; "
            f"the ledger has {book.stat().st_size / 1e6:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
