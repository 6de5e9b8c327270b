"""Order files as bytes in, rows out: each test says what stands in the file and what must come of it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reconcile.errors import TooManyRejects
from reconcile.orders.format import OrderFormat
from reconcile.orders.read import read_orders_to_parquet
from reconcile.orders.report import OrdersReport


@dataclass(frozen=True)
class Outcome:
    """What became of order files: rows of ORDERS and of REJECTS as dictionaries."""

    rows: list[dict[str, Any]]
    rejects: list[dict[str, str]]
    report: OrdersReport | None

    def columns(self, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(row[name] for name in names) for row in self.rows]

    @property
    def reasons(self) -> list[tuple[str, str, str, str]]:
        return [(row["source_line"], row["column"], row["value"], row["reason"]) for row in self.rejects]


Read = Callable[..., Outcome]


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Return `read(content, name="orders.csv", **declared)`: write a file, read it, leave rejects in the outcome."""
    folder = tmp_path_factory.mktemp("orders")

    def read_content(content: bytes | str, name: str = "orders.csv", **declared: Any) -> Outcome:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_paths(path, **declared)

    def read_paths(paths: Any, *, max_rejects: int = 10**9, **declared: Any) -> Outcome:
        destination, rejects = folder / "out.parquet", folder / "out.csv"
        destination.unlink(missing_ok=True)
        report = None
        try:
            report = read_orders_to_parquet(
                paths, destination, OrderFormat(**declared), rejects=rejects, max_rejects=max_rejects
            )
        except TooManyRejects:
            assert not destination.exists()
        rows = pq.read_table(destination).to_pylist() if report is not None else []
        with Path(rejects).open(encoding="utf-8", newline="") as text:
            return Outcome(rows, list(csv.DictReader(text)), report)

    read_content.paths = read_paths  # type: ignore[attr-defined]
    return read_content
