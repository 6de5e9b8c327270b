"""
A folder of Parquet files as one table: which files are part of it, and the columns that its folders' names hold.

Knows the habits of Hive, Spark and DuckDB: `currency=EUR/day=2026-01-02/part-0.parquet`, names that begin with "_"
or "." are none of the data. Works on names, of a disk or of a bucket; opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from reconcile.errors import OrderFileError
from reconcile.orders.places.file_kinds import kind_of_name

_PARQUET = (".parquet", ".pq")
_NULL = "__HIVE_DEFAULT_PARTITION__"
_EXPORT = "export the current table to a folder of its own"
_LOGS = {  # what says that not every file counts: files of older versions, or of a job in progress
    "_delta_log": ("this is a Delta table, some files of which are no longer current", _EXPORT),
    ".hoodie": ("this is a Hudi table, some files of which are no longer current", _EXPORT),
    "_temporary": ("this folder is still being written, or its writer has failed", "wait for it, or export it again"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a folder: its name below it, parted by "/", and the columns that the folders' names hold."""

    name: str
    partitions: dict[str, str | None]


def parts_of(names: Iterable[str], *, folder: str, formats: Sequence[str]) -> list[Part]:
    """
    Return the Parquet files among `names` (below `folder`, parted by "/") in order of name.

    Raises OrderFileError when there is none, when there are order files of another kind beside them, when some of the
    files may not count, and when a folder's name cannot be read.
    """
    names = list(names)
    for name in names:
        if (top := name.partition("/")[0]) in _LOGS and top != name:
            problem, hint = _LOGS[top]
            raise OrderFileError(problem, path=folder, hint=hint)
    seen = sorted(name for name in names if not any(part.startswith(("_", ".")) for part in name.split("/")))
    parquet = [name for name in seen if name.lower().endswith(_PARQUET)]
    others = [name for name in seen if name not in set(parquet) and kind_of_name(name, formats) is not None]
    if not parquet:
        raise OrderFileError(
            "this is a folder, and there is no Parquet file in it",
            path=folder,
            hint=f'name the files in it, e.g. "{_pattern(folder, others[0] if others else "orders.csv")}"',
        )
    if others:
        raise OrderFileError(
            f"there are other order files beside the Parquet files in this folder, such as {others[0]}",
            path=folder,
            hint=f'name the right ones, e.g. "{_pattern(folder, parquet[0])}"',
        )
    return [Part(name, _partitions(name, folder)) for name in parquet]


class AgreedColumns:
    """The columns that the files of each folder have in common: all of those of its first file."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, frozenset[str]]] = {}

    def check(self, folder: str | None, names: Iterable[str], *, path: str) -> None:
        """Raise OrderFileError when the file at `path`, one of `folder`, has other columns than the first one."""
        if folder is None:
            return
        columns = frozenset(names)
        first, expected = self._first.setdefault(folder, (path, columns))
        if columns == expected:
            return
        missing, further = sorted(expected - columns), sorted(columns - expected)
        problem = f'has no column "{missing[0]}"' if missing else f'has a column "{further[0]}" of its own'
        raise OrderFileError(
            f"the files of one folder must have the same columns, and this one {problem} (compared with {first})",
            path=path,
            hint="export them with the same columns, or name the files, each of which is then read by its own columns",
        )


def _partitions(name: str, folder: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for part in name.split("/")[:-1]:
        key, mark, value = part.partition("=")
        if not mark:
            continue
        try:
            key, value = unquote(key, errors="strict"), unquote(value, errors="strict")
        except UnicodeDecodeError as error:
            raise _wrong(folder, part) from error
        if not key or key in found:
            raise _wrong(folder, part)
        found[key] = None if value == _NULL else value
    return found


def _wrong(folder: str, part: str) -> OrderFileError:
    return OrderFileError(
        f'the folder name "{part}" does not say column and value once', path=folder, hint="name the files in it"
    )


def _pattern(folder: str, name: str) -> str:
    suffixes = "".join(PurePosixPath(name).suffixes[-2:]) if name.lower().endswith((".gz", ".zst")) else ""
    ending = suffixes or PurePosixPath(name).suffix
    return f"{folder.rstrip('/')}/{'**/' if '/' in name else ''}*{ending}"
