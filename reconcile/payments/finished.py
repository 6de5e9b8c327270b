"""
Finished pulls in a mirror: what `payments.parquet` there stands for, and which payments have vanished since.

Knows the files and how a crash between them is noticed. Asks nothing of the API.

    mirror/
      payments.parquet   rows of the last pull that was finished
      finished.json      of which window they are, up to when, and their digest
      vanished.parquet   payments that later pulls no longer found, as they were seen last

`finished.json` is written first and names both the pull that is being put into place and the one before: whichever
has the digest of `payments.parquet` is the one that is there. So a crash between the two files leaves either the old
state or the new one, and a file that was changed by somebody else fits none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reconcile.errors import MirrorError, first_line
from reconcile.files.disk import disk_errors, replacing, sha256_of, sync
from reconcile.files.parquet import write_parquet
from reconcile.notices import Notice
from reconcile.payments.bookmarks import Moment, Natural, Spent
from reconcile.payments.mirror.commits import UnfinishedPull, small_file
from reconcile.payments.mirror.mirror import Mirror
from reconcile.payments.mirror.sorted_rows import KEY, merged_rows, sorted_distinct
from reconcile.schema import MIRRORED, PAYMENTS, UTC_MS

PAYMENTS_NAME = "payments.parquet"
FINISHED_NAME = "finished.json"
VANISHED_NAME = "vanished.parquet"

VANISHED = PAYMENTS.append(
    pa.field(
        "vanished_at",
        UTC_MS,
        nullable=False,
        metadata={"description": "when the first pull that no longer found the payment was finished"},
    )
)
"""Payments that were pulled once and are gone, as they were seen last."""

# Rows read at once: what a merge holds of a file, some times over.
_BATCH_ROWS = 2_048

_CHANGES = ("updated_at", "order_updated_at")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """What a pull that was resumed has to say in the report of the one that brings its rows up to date."""

    started_at: Moment
    spent: Spent
    transport: str
    transport_reason: str
    warnings: tuple[Notice | str, ...] = ()


class Finished(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    A pull that was finished: the `window` it was for, and the payments created before `cut_off` in it.

    Nothing that changed before `watermark` is missing from its rows. `sha256` is the digest of the file. `refused` is
    what the server did not include; it is not asked for again until everything is pulled anew. `carried` is there when
    the rows are those of a pull that was resumed: they stand for an earlier moment than that of the command.
    """

    window: str
    cut_off: Moment
    watermark: Moment
    finished_at: Moment
    rows: Natural
    sha256: str = ""
    refused: tuple[str, ...] = ()
    carried: Carried | None = None


class _Record(msgspec.Struct, frozen=True):
    finished: list[Finished]


@dataclass(frozen=True, slots=True)
class Base:
    """Rows that a pull resumes from, in the file `rows`, and what they are."""

    finished: Finished
    rows: Path


@dataclass(frozen=True, slots=True)
class Found:
    """The finished pull of a window, or null and `why` there is none to resume from."""

    finished: Finished | None
    why: str = ""


def finished_pull(folder: Path, window: str) -> Found:
    """Return what the mirror `folder` holds of `window`. Reads the rows once, changes nothing."""
    if not (folder / PAYMENTS_NAME).exists():
        return Found(None, "no pull has been finished in this mirror")
    entry = entry_of(folder)
    if entry is None:
        return Found(None, "the payments in this mirror are not as the last finished pull left them")
    if entry.window != window:
        return Found(None, "the last finished pull in this mirror is of another window or of other columns")
    return Found(entry)


def take_over(
    store: Mirror,
    payments: Path,
    entry: Finished,
    *,
    pulls: Sequence[UnfinishedPull],
    vanished: Collection[str],
) -> None:
    """
    Take the result of a finished pull over into the mirror; `vanished` are ids of its rows that are gone.

    `entry` describes it; its watermark, the server's clock when the pull began, is an upper bound: what changed while
    it went on may have been read before. `pulls` are its commits, dropped here.
    Raises OutputError.
    """
    mark_vanished(store.folder, set(vanished), earlier=store.payments, present=payments, at=entry.finished_at)
    remember(store.folder, entry, payments)
    for pull in pulls[:-1]:
        pull.forget()
    store.finish(pulls[-1], payments)


def remember(folder: Path, entry: Finished, payments: Path) -> Finished:
    """
    Note in `folder` that `entry` describes the file `payments`, which is about to be put there; return it, completed.

    Its watermark is an upper bound, see `take_over`; the digest is added here. Raises OutputError.
    """
    newest, record = newest_change(payments), folder / FINISHED_NAME
    watermark = min(entry.watermark, newest) if newest is not None else entry.watermark
    finished = msgspec.structs.replace(entry, watermark=watermark, sha256=sha256_of(payments))
    there = entry_of(folder)
    entries = [finished, *([there] if there is not None and there.sha256 != finished.sha256 else [])]
    with disk_errors(record):
        with replacing(record) as partial:
            partial.write_bytes(msgspec.json.format(msgspec.json.encode(_Record(entries)), indent=2) + b"\n")
        sync(folder)
    return finished


def entry_of(folder: Path) -> Finished | None:
    """Return what `finished.json` in `folder` says of the payments there, null when there is nothing to be believed."""
    if not (folder / PAYMENTS_NAME).is_file():
        return None
    try:
        known = msgspec.json.decode(small_file(folder / FINISHED_NAME), type=_Record).finished
        digest = sha256_of(folder / PAYMENTS_NAME)
    except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    return next((one for one in known if one.sha256 == digest), None)


def newest_change(payments: Path) -> datetime | None:
    """Return the latest `updated_at` or `order_updated_at` in a file of payments, null when it has no rows."""
    with pq.ParquetFile(payments) as file:
        columns = [file.schema_arrow.names.index(name) for name in _CHANGES]
        groups = [file.metadata.row_group(group) for group in range(file.metadata.num_row_groups)]
        found = [group.column(column).statistics for group in groups for column in columns]
    newest: list[Any] = [one.max_raw for one in found if one is not None and one.has_min_max]
    return _EPOCH + timedelta(milliseconds=max(newest)) if newest else None


def batches_in(payments: Path, *, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file of payments as they are, some thousand at a time. Raises MirrorError."""
    try:
        with pq.ParquetFile(payments) as file:
            if not file.schema_arrow.equals(MIRRORED):
                raise pa.ArrowInvalid("it has other columns")
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=None if columns is None else list(columns)):
                yield batch.replace_schema_metadata(None)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(payments, error) from error


def ids_where(payments: Path, wanted: Callable[[pa.RecordBatch], pa.Array[Any]], *, columns: Sequence[str]) -> set[str]:
    """Return the ids of the rows of `payments` for which `wanted`, given `columns` and the id, is true."""
    found: set[str] = set()
    for batch in batches_in(payments, columns=[KEY, *columns]):
        found.update(_ids(batch.filter(wanted(batch))))
    return found


def _ids(rows: pa.RecordBatch | pa.Table) -> list[str]:
    ids: list[Any] = rows.column(KEY).to_pylist()
    return ids


def lost_ids(earlier: Path, later: Path, *, before: datetime) -> set[str]:
    """Return the ids of the rows of `earlier` created before `before` that `later` does not have."""
    columns: list[pa.Field[Any]] = [pa.field(KEY, pa.string()), pa.field("there", pa.bool_())]
    schema = pa.schema(columns)

    def marked(batches: Iterable[pa.RecordBatch], *, there: bool) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            mark = pa.repeat(pa.scalar(there), batch.num_rows)
            yield pa.RecordBatch.from_arrays([batch.column(KEY), mark], schema=schema)

    old = (
        batch.filter(pc.less(batch.column("created_at"), pa.scalar(before, UTC_MS)))
        for batch in batches_in(earlier, columns=[KEY, "created_at"])
    )
    runs = [marked(old, there=False), marked(batches_in(later, columns=[KEY]), there=True)]
    lost: set[str] = set()
    for table in merged_rows(runs):  # of two rows of one id the later run's stays
        lost.update(_ids(table.filter(pc.invert(table.column("there")))))
    return lost


def mark_vanished(folder: Path, ids: set[str], *, earlier: Path, present: Path, at: datetime) -> None:
    """
    Note in `vanished.parquet` that the payments `ids`, rows of `earlier`, are gone since `at`.

    Those noted before keep their time; those that are among the rows of `present` again are taken out.
    Raises OutputError, and MirrorError when what was noted before cannot be read.
    """
    place, known = folder / VANISHED_NAME, vanished_before(folder)
    if not ids and not known.num_rows:
        return
    gone = pa.array(sorted(ids), type=pa.string())
    seen = batches_in(earlier, columns=PAYMENTS.names) if ids else iter(())
    rows = [batch.filter(pc.is_in(batch.column(KEY), value_set=gone)) for batch in seen]
    marked = [
        pa.table([*batch.columns, pa.repeat(pa.scalar(at, UTC_MS), batch.num_rows)], schema=VANISHED) for batch in rows
    ]
    noted = sorted_distinct([*marked, known])
    noted_ids = noted.column(KEY).combine_chunks()
    back = ids_where(present, lambda batch: pc.is_in(batch.column(KEY), value_set=noted_ids), columns=())
    kept = noted.filter(pc.invert(pc.is_in(noted_ids, value_set=pa.array(sorted(back), type=pa.string()))))
    with disk_errors(place):
        write_parquet(kept.combine_chunks().to_batches(), VANISHED, place)
        sync(folder)


def vanished_before(folder: Path) -> pa.Table:
    """Return what `vanished.parquet` of the mirror `folder` holds. Raises MirrorError when it cannot be read."""
    place = folder / VANISHED_NAME
    if not place.exists():
        return VANISHED.empty_table()
    try:
        if not place.is_file():  # a pipe would keep us waiting for ever
            raise pa.ArrowInvalid("it is not a file")
        with pq.ParquetFile(place) as file:
            if not file.schema_arrow.equals(VANISHED):
                raise pa.ArrowInvalid("it has other columns")
            known = file.read().replace_schema_metadata(None)
            known.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        forgets = "remove that file; the record of payments that vanished before is then lost"
        raise MirrorError(f"{place}: cannot be read: {first_line(error)}", hint=forgets) from error
    return known


def _damaged(path: Path, error: Exception) -> MirrorError:
    return MirrorError(
        f"{path}: cannot be read: {first_line(error)}",
        hint="remove the mirror folder; the payments are then pulled again from scratch",
    )
