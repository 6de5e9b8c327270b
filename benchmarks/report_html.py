"""
How long the page of a run takes to render, and how long it takes to sort, filter and search in a browser.

Bars: 1,000 breaks in at most 400 KB and 0.5 s; each act on 5,000 rows in under 0.3 s. The browser is Debian's
`chromium`, or the one that CHROME_BIN names; without one its part is left out.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.operations.night import match
from reconcile.reports.page.html import write_html
from reconcile.schema import ITEMS
from reconcile.settings.settings import Settings

SAMPLE = Path(__file__).parents[1] / "sample_data"
ACTS = {
    "sort by amount": "document.querySelector('th[data-name=difference] button').click()",
    "sort by text": "document.querySelector('th[data-name=reference] button').click()",
    "search a text": "put('text', '004999')",
    "search nothing": "put('text', '')",
    "filter by status": "put('status', 'amount_mismatch')",
}
TIMED = """() => new Promise(done => {
    const put = (name, text) => {
        const field = document.querySelector(`[name=${name}]`);
        field.value = text;
        field.dispatchEvent(new Event('input', { bubbles: true }));
    };
    const started = performance.now();
    ACT;
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - started)));
})"""


def with_breaks(run: Path, count: int, folder: Path) -> Path:
    """Return a copy of `run` with so many breaks, made from its own."""
    copy = Path(shutil.copytree(run, folder / f"run-{count}"))
    rows = pq.read_table(run / "breaks.parquet").to_pylist()
    made = [
        rows[n % len(rows)]
        | {"item_id": f"{n * 7919:032x}", "reference": f"NW-2611-{n:06d}", "payment_id": f"p{n:09d}"}
        for n in range(count)
    ]
    pq.write_table(pa.Table.from_pylist(made, schema=ITEMS), copy / "breaks.parquet")
    return copy


def render(run: Path, page: Path) -> float:
    """Return the median of the seconds that five renderings take, after one that is not counted."""
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        write_html(run, page)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def act(page: Path) -> None:
    """Print how long each of ACTS takes until it is drawn."""
    executable = os.environ.get("CHROME_BIN") or shutil.which("chromium")
    if executable is None:
        print("no Chromium: sort, filter and search are not measured")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        opened = browser.new_page()
        opened.goto(page.as_uri())
        for name, script in ACTS.items():
            print(f"5,000 breaks, {name}: {opened.evaluate(TIMED.replace('ACT', script)) / 1000:.3f} s")
        browser.close()


def main() -> None:
    """Print seconds and bytes of pages with 1,000, 5,000 and 100,000 breaks, and the seconds of each act."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings.of(orders=(str(SAMPLE / "orders.csv"),), mode="live", out=str(folder / "runs"))
        run = match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, 20)).folder
        for count in (1_000, 5_000, 100_000):
            page = folder / f"{count}.html"
            seconds = render(with_breaks(run, count, folder), page)
            print(f"{count:,} breaks: {seconds:.3f} s, {page.stat().st_size:,} bytes")
        act(folder / "5000.html")


if __name__ == "__main__":
    main()
