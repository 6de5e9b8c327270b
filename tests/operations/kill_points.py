"""
Kills a command before every change it makes on disk, one after another: `python kill_points.py PLAN`.

PLAN is a JSON file: `workplace` (a folder to start from, copied anew each time), `command` (words of the command line),
`reading` (commands that only read), `at` (kill only before changes in whose words one of these stands), `compared`
(what names on disk begin with, of which `after` is to tell) and `warehouse` (its URL, if any).

Each command runs in a child of its own, forked while this process has no other thread, and a killed one ends with
SIGKILL: no handler, no `finally`, no rollback runs. Prints a line of JSON for the undisturbed command, `{"after": …}`,
and one for each kill: `{"before": <the change>, "read": [[exit code, words], …], "said": …, "after": …}`, where `after`
is what is on disk when the same command has run again.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from reconcile.cli.main import main as reconcile

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_TIMES = {"created_at", "recorded_at", "seconds", "started_at", "finished_at", "loaded_at", "clock_offset_seconds"}
_TIMES |= {"until"}  # of a pull: its cut-off is when it was last started
_COSTS = {"requests", "bytes_received", "retries", "resumed", "count_before", "shards", "rewalks"}
_COSTS |= {"incremental", "updated", "rechecked"}  # one that goes on reads what changed since


# What a command imports as it needs it, once for all children. No thread may come with it: a fork has only its own.
LOADED = ("aiohttp", "jinja2", "pandas", "reconcile.operations.night", "reconcile.operations.pull")
LOADED += ("reconcile.operations.verify", "reconcile.reports.page.html", "reconcile.warehouse.load")


def main(plan: Path) -> None:
    for name in LOADED:
        importlib.import_module(name)
    assert threading.active_count() == len(list(Path("/proc/self/task").iterdir())) == 1
    wanted = json.loads(plan.read_text())
    place = plan.absolute().parent / "here"
    _restore(wanted, place)
    status, said = _in_child(place, lambda: _run(wanted["command"]))
    _print({"status": status, "said": said, "after": _state(place, wanted)})
    for step in itertools.count():
        _restore(wanted, place)
        change = _killed_at(step, place, wanted)
        if change is None:
            return
        read = [_in_child(place, lambda words=words: _run(words)) for words in wanted["reading"]]
        status, said = _in_child(place, lambda: _run(wanted["command"]))
        _print({"before": change, "read": read, "status": status, "said": said, "after": _state(place, wanted)})


def _restore(wanted: dict[str, Any], place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(wanted["workplace"], place, symlinks=True)


def _run(words: list[str]) -> None:
    reconcile(words)


def _killed_at(step: int, place: Path, wanted: dict[str, Any]) -> str | None:
    """Run the command and kill it before the change number `step`; return that change, null when there are fewer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.chdir(place)
        left = itertools.count(step, -1)

        def met(change: str) -> None:
            if any(words in change for words in wanted["at"]) and next(left) == 0:
                os.write(writing, change.encode())
                os.kill(os.getpid(), signal.SIGKILL)

        _tell_changes(met, place)
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 (before anything is counted or closed)
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        _exit_of(lambda: _run(wanted["command"]))
    os.close(writing)
    with os.fdopen(reading) as told:
        change = told.read()
    status = os.waitpid(child, 0)[1]
    return change if os.WIFSIGNALED(status) else None


def _tell_changes(met: Callable[[str], None], place: Path) -> None:
    """Call `met` before each change below `place`: of names, of files opened to write, of databases in files."""
    here = str(place)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not (set(mode or "") & set("wax+") or (flags or 0) & _WRITES):
                return
        elif event not in CHANGES:
            return
        else:
            path = arguments[0]
        if isinstance(path, str | bytes | os.PathLike):
            name = str(Path(os.fsdecode(path)).absolute())
            if name.startswith(here) and "__pycache__" not in name:
                met(f"{event} {name.removeprefix(here)} ")

    sys.addaudithook(hook)
    connect = duckdb.connect

    def opened(database: Any = ":memory:", *arguments: Any, **keywords: Any) -> Any:
        connection = connect(database, *arguments, **keywords)
        return connection if str(database) == ":memory:" else _Told(connection, met)

    duckdb.connect = opened  # type: ignore[assignment]


class _Told:
    """A connection to a database in a file that tells each statement before it runs."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, met: Callable[[str], None]) -> None:
        self._connection, self._met = connection, met

    def execute(self, query: str, *arguments: Any) -> Any:
        self._met(f"execute {query.split()[0]} ")
        return self._connection.execute(query, *arguments)

    def close(self) -> None:
        self._met("close ")
        self._connection.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _in_child(place: Path, work: Callable[[], object]) -> tuple[int, str]:
    """Run `work` in a child, in the folder `place`; return its exit code and what it has said on both outputs."""
    said = place.with_name("said.txt")
    child = os.fork()
    if child == 0:
        os.chdir(place)
        with said.open("w") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        _exit_of(work)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, said.read_text(errors="replace")


def _exit_of(work: Callable[[], object]) -> None:
    """End this process as the command `work` would."""
    status = 1
    try:
        work()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 (the child ends here, whatever it was)
        traceback.print_exc()
        status = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _state(place: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """What is on disk, without times and costs: read in a child, for databases start threads."""
    answer = place.with_name("state.json")

    def look() -> None:
        found = {**dict(_files(place)), **_ledger(place / "runs/ledger.duckdb")}
        if url := wanted.get("warehouse"):
            found |= _warehouse(place, url)
        told = {name: one for name, one in found.items() if name.startswith(tuple(wanted["compared"]))}
        answer.write_text(json.dumps(told, default=str, sort_keys=True))

    status, said = _in_child(place, look)
    assert status == 0, said
    state: dict[str, Any] = json.loads(answer.read_text())
    return state


def _files(place: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if not path.is_file() or name.endswith((".lock", "/lock", ".duckdb", ".html", ".xlsx")) or "warehouse" in name:
            continue
        if "/.superseded/" in name:
            name, content = "/".join(path.relative_to(place).parts[:3]), "kept"
        elif path.suffix == ".json":
            content = _timeless(json.loads(path.read_text()))
        elif path.name == "acceptances.csv":
            content = sorted({line.rpartition(",")[0] for line in path.read_text().splitlines()})
        elif path.suffix == ".parquet":
            content = pq.ParquetFile(path).read().to_pylist()
        else:
            content = path.read_bytes().decode(errors="replace")
        yield name, content


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key not in _TIMES | _COSTS}
        if "sha256" in kept and str(kept.get("path", "")).endswith((".json", ".html", ".csv")):
            kept |= {"sha256": "of times", "bytes": 0}
        kept.pop("manifest_sha256", None)
        return {key: _timeless(one) for key, one in kept.items()}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def _ledger(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    with contextlib.closing(duckdb.connect(str(path), read_only=True)) as connection:
        return {
            f"ledger {table}": connection.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()
            for table in ("runs", "episodes")
        }


def _warehouse(place: Path, url: str) -> dict[str, Any]:
    kind, _, name = url.partition(":")
    if kind == "duckdb":
        with contextlib.closing(duckdb.connect(str(place / name), read_only=True)) as connection:
            tables = [row[0] for row in connection.execute("SHOW TABLES").fetchall()]
            rows = {name: connection.sql(f"FROM {name} ORDER BY ALL").to_arrow_table().to_pylist() for name in tables}
    else:
        rows = {
            path.relative_to(place / name).as_posix(): pq.ParquetFile(path).read().to_pylist()
            for path in sorted((place / name).glob("*/*/*.parquet"))
        }
    return {f"warehouse {name}": [_timeless(row) for row in found] for name, found in rows.items()}


def _print(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
