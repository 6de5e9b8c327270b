"""
The front door of the order side: files or a frame in, rows of ORDERS out, with every unreadable row accounted for.

Knows the order of the work (files as given, blocks in file order, several at once) and the formats by suffix
(`SOURCES`). What a format, a column or an amount is, the leaves know. Memory does not grow with the files, except for
the frame that `read_orders` returns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from reconcile.errors import OrderFileError, TooManyRejects
from reconcile.orders.batches import WORKERS, finished, in_order, settled
from reconcile.orders.cells.left_out import LeftOutTally
from reconcile.orders.cells.rows import OrderRows
from reconcile.orders.cells.suspects import KeylessTotals
from reconcile.orders.cells.totals import Totals
from reconcile.orders.columns.fixed import completed
from reconcile.orders.columns.marks import MarksMet
from reconcile.orders.databases.query import QueryStream
from reconcile.orders.databases.url import OrdersQuery
from reconcile.orders.format import DETECTED, OrderFormat
from reconcile.orders.opened import OpenedOrders
from reconcile.orders.opening import SOURCES, OrderPaths, sources_of
from reconcile.orders.places.folders import AgreedColumns
from reconcile.orders.places.sources import OrderSource, SourceStream
from reconcile.orders.rejects import RejectsFile
from reconcile.orders.report import OrderFile, OrdersReport, TidiedCells, TidiedKind
from reconcile.orders.sink import orders_parquet, text_file
from reconcile.orders.typed.frame import OrdersFrame, open_frame
from reconcile.schema import DELIVERY, ORDERS

if TYPE_CHECKING:
    import pandas as pd

_AS_FOUND = (
    "encoding",
    "delimiter",
    "quote",
    "sheet",
    "other_sheets",
    "floats",
    "untold",
)  # in the file, told as they are
_TOLD = 3  # rejects, and remedies, that an error shows in full


def read_orders(
    paths: OrderPaths,
    form: OrderFormat = DETECTED,
    *,
    max_rejects: int = 0,
    rejects: str | Path | None = None,
) -> pd.DataFrame:
    """
    Return the order totals in `paths` as a frame: columns of ORDERS, Arrow-backed.

    `paths` are files, patterns, folders of Parquet files, `-` for standard input, or https://, s3:// and gs://
    addresses (see `reconcile.orders.places.places`), or queries on a database
    (`reconcile.orders.databases.url.orders_query`).

    `form` says what the files do not, e.g. `OrderFormat(currency="EUR", decimal=",", amount_column="Gross")`.
    Unreadable rows go to the CSV file `rejects` where one is named.

    Raises TooManyRejects when more than `max_rejects` rows cannot be read, OrderFileError when a file cannot.
    """
    import pandas as pd  # a second of import that `read_orders_to_parquet` does not need

    path = Path(rejects) if rejects is not None else None
    with _proposing(paths, form):
        table = _collected(
            form, max_rejects, path, lambda stack, reader: reader.read(*sources_of(stack, paths, form, [path]))
        )
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def read_orders_table(
    orders: pa.Table, form: OrderFormat = DETECTED, *, max_rejects: int = 0, rejects: str | Path | None = None
) -> pa.Table:
    """
    Return the order totals in a table that is here already, by the rules for files: columns of ORDERS.

    A table of ORDERS is returned as it is. `form`, `max_rejects`, `rejects` and errors are as in `read_orders`.
    """
    path = Path(rejects) if rejects is not None else None
    return _collected(form, max_rejects, path, lambda _, reader: reader.read((), (), [OrdersFrame(orders)]))


def _collected(
    form: OrderFormat, max_rejects: int, rejects: Path | None, read: Callable[[ExitStack, _Reader], OrdersReport]
) -> pa.Table:
    tables: list[pa.Table] = []
    with ExitStack() as stack:
        reader = _Reader(form, tables.append, _rejects_file(stack, rejects))
        report = read(stack, reader)
    _allow(report, reader, max_rejects, rejects)
    return pa.concat_tables([ORDERS.empty_table(), *tables])


def read_orders_to_parquet(
    paths: OrderPaths,
    destination: Path,
    form: OrderFormat = DETECTED,
    *,
    rejects: Path,
    max_rejects: int = 0,
    is_delivery: bool = False,
) -> OrdersReport:
    """
    Write the order totals in `paths` to `destination` as a table of ORDERS, in the order of files and rows.

    `form` is as in `read_orders`. `rejects` becomes a CSV file of all unreadable cells, a header alone when there
    are none. With `is_delivery` the table is one of DELIVERY: withdrawn rows are in it, and rejected ones that have a
    key; the report counts both as ever.

    Raises TooManyRejects after everything is read and every reject written: `destination` is then not written. Raises
    OrderFileError when a file cannot be read, OutputError when a result cannot be written: then neither file is
    written.
    """
    with _proposing(paths, form), ExitStack() as stack:
        rejects_file = _rejects_file(stack, rejects)
        with orders_parquet(destination, DELIVERY if is_delivery else ORDERS) as sink:
            reader = _Reader(form, sink.write, rejects_file, is_delivery=is_delivery)
            report = reader.read(*sources_of(stack, paths, form, [rejects, destination]))
            if report.rejects > max_rejects:
                stack.close()  # the rejects stay, the rows do not
            _allow(report, reader, max_rejects, rejects)
    return report


@contextmanager
def _proposing(paths: OrderPaths, form: OrderFormat) -> Iterator[None]:
    """Give an error that is raised in the block what would read the files, where anything does."""
    try:
        yield
    except (OrderFileError, TooManyRejects) as error:
        from reconcile.orders.proposals.proposal import hint_of, propose, propose_at  # they read with this module

        proposals = propose(paths, form)
        if isinstance(error, TooManyRejects) and error.first and not proposals:
            proposals = propose_at(paths, form, *error.first)
        if proposals:
            error.also(proposals[0].problems)
            error.hint = (
                hint_of(proposals, paths, form)
                if isinstance(error, OrderFileError)
                else (f"{hint_of(proposals, paths, form)}\nor {error.aside}")
            )
        raise


def _rejects_file(stack: ExitStack, path: Path | None) -> RejectsFile | None:
    return RejectsFile(stack.enter_context(text_file(path))) if path is not None else None


class _Reader:
    """Reads files one after the other; keeps what the report and an error must say."""

    def __init__(
        self,
        form: OrderFormat,
        keep: Callable[[pa.Table], None],
        rejects_file: RejectsFile | None,
        *,
        is_delivery: bool = False,
    ) -> None:
        self._form = form
        self._is_delivery = is_delivery
        self._keep = keep
        self._rejects_file = rejects_file
        self.told: list[str] = []
        self.first_reject: tuple[str, int] | None = None
        self.remedies: dict[str, None] = {}  # in the order of the rows
        self._agreed = AgreedColumns()
        self._marks = MarksMet(form.marks)
        self._left_out = LeftOutTally()
        self._totals = Totals()
        self._tidied: Counter[tuple[TidiedKind, str]] = Counter()
        self._sums = KeylessTotals()

    def read(
        self, sources: Iterable[OrderSource], queries: Iterable[OrdersQuery], frames: Iterable[OrdersFrame] = ()
    ) -> OrdersReport:
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="orders") as pool:
            files = (
                *(self._read_file(source, pool) for source in sources),
                *(self._read_query(query, pool) for query in queries),
                *(self._read_frame(frame, pool) for frame in frames),
            )
        self._marks.check()
        return OrdersReport(
            rows=sum(file.rows for file in files),
            rejects=sum(file.rejects for file in files),
            files=files,
            continuation_rows=sum(file.continuation_rows for file in files),
            left_out=self._left_out.lines(),
            totals=self._totals.lines(),
            tidied=tuple(TidiedCells(*about, cells) for about, cells in sorted(self._tidied.items()) if cells),
        )

    def _read_file(self, source: OrderSource, pool: ThreadPoolExecutor) -> OrderFile:
        kind, leaf = SOURCES[source.suffix]
        with closing(SourceStream(source)) as stream:
            opened = leaf(source, stream, self._form)
            self._agreed.check(source.folder, opened.columns.names, path=source.name)
            file = self._read_rows(opened, stream.digest, pool, name=source.name, kind=kind)
        return replace(file, compression=source.compression.removeprefix(".") or None)

    def _read_query(self, query: OrdersQuery, pool: ThreadPoolExecutor) -> OrderFile:
        with closing(QueryStream(query)) as stream:
            file = self._read_rows(stream.open(self._form), stream.digest, pool, name=query.name, kind=query.engine)
        return replace(file, query_sha256=query.sha256, ordered=query.is_ordered)

    def _read_frame(self, frame: OrdersFrame, pool: ThreadPoolExecutor) -> OrderFile:
        return self._read_rows(open_frame(frame, self._form), frame.digest, pool, name=frame.name, kind="frame")

    def _read_rows(
        self,
        opened: OpenedOrders,
        digest: Callable[[], tuple[str, int]],
        pool: ThreadPoolExecutor,
        *,
        name: str,
        kind: str,
    ) -> OrderFile:
        rows = rejects = continued = left_out = 0
        self._marks.add(opened.columns, path=name)
        form = completed(self._form, opened.columns)
        finish = partial(finished, columns=opened.columns, form=form, source_file=name, is_delivery=self._is_delivery)
        for done in settled(in_order(opened.batches, finish, pool), opened.columns, form, self._sums):
            self._take(done, name)
            rows += done.table.num_rows
            rejects += done.rejected_rows
            continued += done.continued
            left_out += sum(line.rows for line in done.left_out)
        sha256, size = digest()
        return OrderFile(
            path=name,
            format=kind,
            compression=None,
            bytes=size,
            sha256=sha256,
            rows=rows,
            rejects=rejects,
            columns=opened.columns.as_dict(),
            unread=opened.columns.unread,
            **{name: getattr(opened, name) for name in _AS_FOUND},
            continuation_rows=continued,
            left_out=left_out,
            system=opened.columns.system,
            taken=dict(opened.columns.taken),
        )

    def _take(self, done: OrderRows, source_file: str) -> None:
        """Hand the rows over, and keep what the report and an error must say of them."""
        if (table := done.delivered).num_rows:
            self._keep(table)
        self._left_out.add(done.left_out)
        self._totals.add(done.by_currency)
        self._tidied.update(done.tidied)
        if self._rejects_file is not None:
            self._rejects_file.write(source_file, done.rejects)
        if done.rejects and self.first_reject is None:
            self.first_reject = source_file, done.rejects[0].line
        self.told += [reject.sentence(source_file) for reject in done.rejects[: _TOLD - len(self.told)]]
        self.remedies |= dict.fromkeys(reject.remedy for reject in done.rejects)


def _allow(report: OrdersReport, reader: _Reader, max_rejects: int, path: Path | None) -> None:
    if report.rejects <= max_rejects:
        return
    count = report.rejects
    rows = "1 row" if count == 1 else f"{count} rows"
    message = "\n".join((f"orders: {rows} cannot be read, {max_rejects} allowed", *(f"  {one}" for one in reader.told)))
    remedies = reader.remedies
    where = f" (all are in {path}, each with its remedy)" if path is not None else ""
    aside = f"set the rows aside with --max-rejects {count}{where}"
    options_mend_all = len(remedies) <= _TOLD and all("add --" in remedy for remedy in remedies)
    remedy = "; ".join(remedies) + ";" if options_mend_all or len(remedies) == 1 else "correct the cells,"
    error = TooManyRejects(message, rejects=count, rejects_path=path, hint=f"{remedy} or {aside}")
    error.aside, error.first = aside, reader.first_reject
    raise error
