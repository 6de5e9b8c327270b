"""
`reconcile breaks list` of few breaks and of many: what it costs must grow with their number, and no faster.

Processor seconds of the whole process, on top of those for a list of one break.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.ledger import write_night


def write_run(out: Path, breaks: int) -> Path:
    """Write what a listing reads of a run folder: a manifest, and breaks with references, ages and likely causes."""
    from reconcile.schema import ITEMS

    out.mkdir()
    folder = write_night(out, breaks=100, night=0)
    numbers = range(breaks)
    columns: dict[str, list[Any]] = {
        "item_id": [f"{number * 2_654_435_761 % 2**32:032x}" for number in numbers],
        "break_id": [f"{number * 2_654_435_761 % 2**32:032x}" for number in numbers],
        "business_date": [date(2025, 11, 20)] * breaks,
        "first_seen_on": [date(2025, 11, 20)] * breaks,
        "age_days": [number % 60 for number in numbers],
        "data_age_days": [number % 90 for number in numbers],
        "state": ["new"] * breaks,
        "status": [("missing_order", "amount_mismatch")[number % 2] for number in numbers],
        "kind": ["break"] * breaks,
        "is_break": [True] * breaks,
        "reference": [f"SHOP-{number:08}" for number in numbers],
        "at_stake_cents": [number * 7_919 % 1_000_000 for number in numbers],
        "at_stake_currency_code": [("EUR", "SEK", "DKK")[number % 3] for number in numbers],
        "difference_cents": [number * 7_919 % 1_000_000 if number % 2 else None for number in numbers],
        "payment_gateway_name": ["Klarna"] * breaks,
        "suggestion": ["the order total is 100 times the payment: cents taken for units?"] * breaks,
    }
    arrays = [pa.array(columns.get(field.name, [None] * breaks), field.type) for field in ITEMS]
    pq.write_table(pa.Table.from_arrays(arrays, schema=ITEMS), folder / "breaks.parquet")
    shutil.copy(folder / "breaks.parquet", folder / "items.parquet")
    return folder


def processor_seconds(folder: Path, form: str) -> float:
    """Return what a listing of the run `folder` takes of the processor."""
    command = [sys.executable, "-m", "reconcile", "breaks", "list", "--run", str(folder), "--format", form]
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main(arguments: Sequence[str] | None = None) -> None:
    """List runs of growing size in every form, and print what each takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breaks", type=int, nargs="+", default=[5_000, 10_000, 20_000])
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folders = {breaks: write_run(Path(name) / str(breaks), breaks) for breaks in (1, *chosen.breaks)}
        for form in ("table", "json", "csv"):
            least = {
                breaks: min(processor_seconds(folder, form) for _ in range(chosen.rounds))
                for breaks, folder in folders.items()
            }
            alone = least.pop(1)
            told = [f"{breaks:,}: {seconds:.2f} s" for breaks, seconds in least.items()]
            few, many = min(least), max(least)
            ratio = (least[many] - alone) / (least[few] - alone)
            more = f"{many // few} times the breaks, {ratio:.1f} times the time"
            print(f"{form}: 1: {alone:.2f} s, {', '.join(told)}; {more}")


if __name__ == "__main__":
    main()
