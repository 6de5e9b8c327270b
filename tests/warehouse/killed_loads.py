"""
Kills loads at every step, for `test_load_killed.py`: `python killed_loads.py kill FORMER NEXT URL` prints what was met.

Each load runs in a child of its own, forked before this process has a thread, and ends with SIGKILL: no handler, no
`finally`, no rollback runs. After each kill another child reads the warehouse, loads NEXT again, reads it again, and
brings FORMER back. One JSON line per kill: `{"met": [...], "mended": [...]}`, the runs met in each table.

`fill` instead of `kill` lets no file grow beyond a size, as a full disk does, and adds the `error`.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from reconcile.errors import WarehouseError
from reconcile.warehouse.load import load_run

CHANGES = ((Path, "mkdir"), (Path, "replace"), (Path, "rename"), (Path, "hardlink_to"), (os, "fsync"))


def main(way: str, former: Path, following: Path, url: str) -> None:
    kind, _, path = url.partition(":")
    read = _read_duckdb if kind == "duckdb" else _read_parquet

    def look_and_mend() -> dict[str, Any]:
        met = read(path)
        load_run(following, url)
        mended = read(path)
        load_run(former, url)
        return {"met": met, "mended": mended}

    _in_child(lambda: load_run(former, url) and None)
    if way == "fill":
        for size in (0, 1, 1000):
            error = _in_child(lambda size=size: _error_within(size, lambda: load_run(following, url)))
            _in_child(lambda size=size: _error_within(size, lambda: load_run(following, f"{url}.{size}")))
            made_anew = _in_child(lambda size=size: load_run(following, f"{url}.{size}") and read(f"{path}.{size}"))
            print(json.dumps({"error": error, "made_anew": made_anew, **_in_child(look_and_mend)}), flush=True)
        return
    step = 0
    while _killed_at(step, lambda: load_run(following, url)):
        print(json.dumps(_in_child(look_and_mend)), flush=True)
        step += 1


def _killed_at(step: int, load: Callable[[], object]) -> bool:
    child = os.fork()
    if child == 0:
        left = itertools.count(step, -1)

        def counted() -> None:
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        _count_changes(counted)
        load()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        sys.exit("the load failed by itself")
    return os.WIFSIGNALED(status)


def _error_within(size: int, load: Callable[[], object]) -> str | None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        load()
    except WarehouseError as error:
        return error.message
    return None


def _count_changes(counted: Callable[[], None]) -> None:
    for owner, name in CHANGES:
        setattr(owner, name, _after(counted, getattr(owner, name)))
    connect = duckdb.connect
    duckdb.connect = lambda *a, **k: _Connection(connect(*a, **k), counted)


def _after(counted: Callable[[], None], change: Callable[..., Any]) -> Callable[..., Any]:
    def changed(*arguments: Any, **keywords: Any) -> Any:
        counted()
        return change(*arguments, **keywords)

    return changed


class _Connection:
    def __init__(self, connection: duckdb.DuckDBPyConnection, counted: Callable[[], None]) -> None:
        self._connection, self._counted = connection, counted

    def execute(self, *arguments: Any) -> Any:
        self._counted()
        return self._connection.execute(*arguments)

    def sql(self, query: str, **keywords: Any) -> Any:
        self._counted()
        return self._connection.sql(query, **keywords)

    def cursor(self) -> _Connection:
        return _Connection(self._connection.cursor(), self._counted)

    def close(self) -> None:
        self._counted()
        self._connection.close()


def _in_child(work: Callable[[], Any]) -> Any:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as answer:
            json.dump(work(), answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


def _read_duckdb(path: str) -> list[list[str]]:
    with duckdb.connect(path) as connection:
        tables = ("klarna_items", "klarna_payments", "order_totals", "runs")
        return [
            [f"{run} {rows}" for run, rows in connection.execute(query).fetchall()]
            for query in (f"SELECT run_id, count(*) FROM {table} GROUP BY ALL" for table in tables)
        ]


def _read_parquet(path: str) -> list[list[str]]:
    met = []
    for table in ("items", "payments", "orders", "runs"):
        parts = [pq.read_table(part, columns=["run_id"], partitioning=None) for part in _parts(Path(path) / table)]
        runs = [run for part in parts for run in part["run_id"].to_pylist()]
        met.append([f"{run} {runs.count(run)}" for run in sorted(set(runs))])
    return met


def _parts(table: Path) -> list[Path]:
    return sorted(table.rglob("part-0.parquet"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
