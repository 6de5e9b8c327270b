"""
`report.xlsx` of many items against XlsxWriter itself, which writes the same cells of All items in constant memory.

The floor gets its values ready-made, writes one sheet and reads nothing; ours reads the Parquet files, and writes the
pages with their formulas, Breaks and Rejects too. Each runs as a process of its own, whose largest memory is told.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

FLOOR, OURS, NOTHING = "floor", "ours", "nothing"


def write_folder(folder: Path, items: int) -> None:
    """Write the run folder of a matching of `items` payments with as many order rows, without a workbook."""
    from msgspec.structs import asdict

    from benchmarks.match_join import write_world
    from reconcile.figures.roll_forward import roll_forward
    from reconcile.figures.summary import Counts
    from reconcile.figures.totals import summarize
    from reconcile.history.published import breaks_in
    from reconcile.matching.items import RunFacts
    from reconcile.matching.match import match_to_parquet
    from reconcile.matching.policy import MatchPolicy
    from reconcile.orders.rejects import RejectsFile
    from reconcile.reports.csv_tables import write_breaks
    from reconcile.runs.manifest import write_json

    payments, orders = write_world(folder, items)
    report = match_to_parquet(
        payments, orders, folder / "items.parquet", MatchPolicy(), RunFacts(date(2026, 4, 1), "r")
    )
    write_breaks(folder / "items.parquet", folder / "breaks.parquet", folder / "breaks.csv")
    with (folder / "rejects.csv").open("w", newline="") as text:
        RejectsFile(text)
    figures = asdict(summarize(folder / "items.parquet", report.control, report.key_profile))
    figures |= {
        "counts": Counts(**asdict(figures["counts"]), rejects=0),
        "roll_forward": roll_forward(None, breaks_in(folder / "breaks.parquet")),
    }
    head = {"version": 1, "business_date": "2026-04-01", "run_id": "r", "organization": None, "mode": None}
    head |= {"amount_basis": "total", "verdict": "clean"}
    write_json(folder / "summary.json", head | figures)


def write_plainly(folder: Path, destination: Path) -> float:
    """Write the cells of All items by XlsxWriter alone; return the seconds, without those of reading the values."""
    import time

    import duckdb
    import xlsxwriter

    from reconcile.files.parquet import scan
    from reconcile.money import EXPONENTS
    from reconcile.reports.workbook.rows import ITEM_COLUMNS

    relation = scan(folder / "items.parquet")
    values = ", ".join(column.sql + ("::TIMESTAMP" if column.cells == "instant" else "") for column in ITEM_COLUMNS)
    codes = ", ".join(column.currency for column in ITEM_COLUMNS if column.cells == "money")
    seconds = 0.0
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        result = connection.execute(f"SELECT {values}, {codes} FROM {relation}")
        started = time.perf_counter()
        safe = {"strings_to_formulas": False, "strings_to_urls": False}
        book = xlsxwriter.Workbook(str(destination), {"constant_memory": True, "tmpdir": str(folder), **safe})
        formats = {
            "money": book.add_format({"num_format": "#,##0.00"}),
            "day": book.add_format({"num_format": "yyyy-mm-dd"}),
            "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            "text": book.add_format({"num_format": "@"}),
        }
        sheet = book.add_worksheet("All items")
        sheet.write_row(0, 0, [column.title for column in ITEM_COLUMNS])
        writers = {
            "text": sheet.write_string, "whole": sheet.write_number, "claim": sheet.write_boolean,
            "day": sheet.write_datetime, "instant": sheet.write_datetime,
        }  # fmt: skip
        money = [place for place, column in enumerate(ITEM_COLUMNS) if column.cells == "money"]
        row, seconds = 0, time.perf_counter() - started
        while rows := result.fetchmany(10_000):
            started = time.perf_counter()
            for one in rows:
                row += 1
                currency = dict(zip(money, one[len(ITEM_COLUMNS) :], strict=True))
                for place, column in enumerate(ITEM_COLUMNS):
                    value = one[place]
                    if value is None:
                        continue
                    if column.cells == "money":
                        sheet.write_number(
                            row, place, value / 10 ** EXPONENTS.get(currency[place], 0), formats["money"]
                        )
                    else:
                        writers[column.cells](row, place, value, formats.get(column.cells))
            seconds += time.perf_counter() - started
        started = time.perf_counter()
        book.close()
        return seconds + time.perf_counter() - started


def one_process(kind: str, folder: Path) -> None:
    """Do one of the two and print its seconds and the largest memory of this process, in MB."""
    import time

    from reconcile.reports.workbook.xlsx import write_xlsx

    started, seconds = time.perf_counter(), None
    if kind == FLOOR:
        seconds = write_plainly(folder, folder / "floor.xlsx")
    elif kind == OURS:
        write_xlsx(folder, folder / "report.xlsx")
    taken = time.perf_counter() - started if seconds is None else seconds
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(taken, int(status["VmHWM"].split()[0]) / 1024)


def measured(kind: str, folder: Path) -> tuple[float, float]:
    """Return seconds and MB of one process."""
    command = [sys.executable, "-m", "benchmarks.report_xlsx", "--one", kind, "--folder", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the medians of both, their ratio, and what each adds to the memory of a process that does nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--one", choices=(FLOOR, OURS, NOTHING))
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.one:
        one_process(chosen.one, chosen.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_folder(folder, chosen.items)
        _, idle = measured(NOTHING, folder)
        pairs = [(measured(FLOOR, folder), measured(OURS, folder)) for _ in range(chosen.pairs)]
        ratio = statistics.median(ours[0] / floor[0] for floor, ours in pairs)
        floor, ours = (tuple(statistics.median(one[side][what] for one in pairs) for what in (0, 1)) for side in (0, 1))
        sizes = [(folder / name).stat().st_size / 1e6 for name in ("floor.xlsx", "report.xlsx")]
        print(
            f"{chosen.items:,} items: XlsxWriter {floor[0]:.2f} s, +{floor[1] - idle:.0f} MB, file {sizes[0]:.0f} MB; "
            f"report.xlsx {ours[0]:.2f} s, +{ours[1] - idle:.0f} MB, file {sizes[1]:.0f} MB: ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
