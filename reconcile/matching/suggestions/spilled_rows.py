"""Rows held back for a moment: a few in memory, many in a temporary file, to be read again as often as needed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.dataset as ds

_MOST_IN_MEMORY = 50_000
_BATCH_ROWS = 65_536


class SpilledRows:
    """
    The rows of `batches`, which are used up when the block is entered; a file, if there is one, goes to `folder`.

    Raises OSError as the disk does.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch], folder: Path | None = None) -> None:
        self._coming = iter(batches)
        self._folder = folder
        self._few: list[pa.RecordBatch] = []
        self._file: tempfile.TemporaryDirectory[str] | None = None
        self._path = Path()

    def __enter__(self) -> Self:
        rows = 0
        for batch in self._coming:
            self._few.append(batch)
            rows += batch.num_rows
            if rows > _MOST_IN_MEMORY:
                self._spill()
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.cleanup()

    @property
    def scannable(self) -> Any:
        """The rows as DuckDB scans them; of a file it reads only the columns that are requested."""
        return pa.Table.from_batches(self._few) if self._file is None else ds.dataset(self._path, format="ipc")

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in their order."""
        if self._file is None:
            yield from self._few
            return
        with pa.memory_map(str(self._path)) as source, pa.ipc.open_file(source) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)

    def column(self, name: str) -> pa.ChunkedArray[Any]:
        """Return one column of all rows."""
        found: pa.ChunkedArray[Any] = (
            pa.Table.from_batches(self._few).column(name)
            if self._file is None
            else ds.dataset(self._path, format="ipc").to_table(columns=[name]).column(name)
        )
        return found

    def _spill(self) -> None:
        self._file = tempfile.TemporaryDirectory(prefix=".held-", dir=self._folder)
        self._path = Path(self._file.name) / "rows.arrow"
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with (
            pa.OSFile(str(self._path), "wb") as sink,
            pa.ipc.new_file(sink, self._few[0].schema, options=options) as writer,
        ):
            for batch in self._few:
                writer.write_batch(batch)
            self._few = []
            for batch in self._coming:
                writer.write_table(pa.Table.from_batches([batch]), max_chunksize=_BATCH_ROWS)
