"""
The front door: payments and order totals in, items and their proof out.

`match_to_parquet` takes files and writes a file, out of core; `match_frames` takes frames and returns one. Both run the
same expression and give the same items. Reads no settings, keeps no history: both are handed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Generic, TypeVar

import duckdb
import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OutputError, SettingsError, first_line
from reconcile.matching.engines.arrow import ArrowEngine
from reconcile.matching.engines.duckdb import DuckDBEngine
from reconcile.matching.engines.protocol import Engine, FileEngine
from reconcile.matching.engines.spark_session import DEFAULT_MASTER, check_spark
from reconcile.matching.items import GROUPED, RunFacts, States, finish, name_any, name_pairs, sorted_items, write_items
from reconcile.matching.keys.hints import key_hint
from reconcile.matching.ladder import judge, judge_pairs
from reconcile.matching.passes import pair_sides
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.prepared import PreparedSide, Relation, prepare_sides
from reconcile.matching.proof import pairs_on, prove
from reconcile.matching.report import MatchReport
from reconcile.matching.sides import (
    orders_from_arrow,
    orders_from_parquet,
    payments_from_arrow,
    payments_from_parquet,
)
from reconcile.matching.suggestions.suggestions import Suggester, totals_in_file, totals_in_table
from reconcile.schema import ITEMS

ENGINES = ("duckdb", "spark")
"""Engines that match files."""

FRAME_ENGINES = ("arrow", "duckdb")
"""Engines that match frames."""

LARGE_SIDE = 100_000
"""Rows of a side from which DuckDB is the faster engine: planning its queries takes a second, however few rows."""

FrameT = TypeVar("FrameT")


@dataclass(frozen=True, slots=True)
class MatchResult(Generic[FrameT]):
    """Items as a frame of the kind that was given, and the report on them."""

    items: FrameT
    report: MatchReport


def match_to_parquet(
    payments: Path,
    orders: Path,
    items: Path,
    *,
    policy: MatchPolicy,
    business_date: date,
    run_id: str,
    states: States | None = None,
    engine: str = "duckdb",
    spark_master: str = DEFAULT_MASTER,
    memory_limit: str | None = None,
    temp_directory: Path | None = None,
    threads: int | None = None,
) -> MatchReport:
    """
    Match two Parquet files (PAYMENTS, ORDERS) and write the file `items` (ITEMS), sorted and proved.

    `states` knows the breaks of earlier runs, and what was decided about them. `memory_limit` ("1GB") and `threads` are
    those of DuckDB, which matches where a side has LARGE_SIDE rows or more, and proves the items on every engine. With
    `engine` "spark" both files and `temp_directory`, for what is kept between steps, must be where the workers of
    `spark_master` see them under the same path; a Spark session that is active in this process is used whatever
    `spark_master` says. Equal inputs and settings give equal bytes, on every engine.

    Raises PaymentFileError and OrderFileError for a file that cannot be used, SettingsError for an engine or a limit
    that does not exist, or cannot start, OutputError when memory or disk are used up or Spark stops, ProofFailed when
    the totals differ. After an error there is no new file `items`.
    """
    check_engine(engine)
    partial = items.with_name(f".{items.name}.partial")
    folder = temp_directory or items.parent
    duck = _open(memory_limit, temp_directory, threads)
    try:
        with ExitStack() as stack:
            files: FileEngine = duck
            relation: Relation = duck.relation
            if engine == "spark":
                files, relation = _spark(stack, spark_master, folder, duck, (payments, orders))
            frames = (payments_from_parquet(files, payments, policy), orders_from_parquet(files, orders))
            chosen: Engine = files
            if engine == "duckdb" and max(pq.read_metadata(one).num_rows for one in (payments, orders)) < LARGE_SIDE:
                chosen = ArrowEngine()
                relation = _through(duck)
                frames = (chosen.from_arrow(duck.to_arrow(frames[0])), chosen.from_arrow(duck.to_arrow(frames[1])))
            sides = prepare_sides(chosen, frames, (str(payments), str(orders)), policy.clean, relation)
            facts = RunFacts(business_date, run_id, states)
            cursor = duck.connection.cursor()  # of its own: the items stream from the engine's
            suggester = Suggester(cursor, totals_in_file(payments, cursor), folder)
            work = _Work(chosen, sides, policy, facts, suggester)
            rows = write_items(work.items(), partial)
            report = work.report(rows, duck.scan(partial), duck.connection)
        partial.replace(items)
    except duckdb.OutOfMemoryException as error:
        raise OutputError(
            f"the matching does not fit the memory limit ({first_line(error)})",
            hint="give a larger memory limit, or a temporary directory with room",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
        duck.close()
    return report


def check_engine(engine: str) -> None:
    """Raise SettingsError for an engine that matches no files, or cannot be started here."""
    if engine not in ENGINES:
        raise SettingsError(f'engine "{engine}" is none of {", ".join(ENGINES)}')
    if engine == "spark":
        check_spark()


def match_frames(
    payments: FrameT,
    orders: FrameT,
    *,
    policy: MatchPolicy,
    business_date: date,
    run_id: str | None = None,
    states: States | None = None,
    engine: str | None = None,
) -> MatchResult[FrameT]:
    """
    Match two frames (PAYMENTS, ORDERS) in memory; return the items as a frame of the same kind, and the report.

    Takes pandas, pyarrow or Polars frames. A pandas result has Arrow types. Columns that lack count as empty, except
    `payment_id`, `created_at`, the amounts, and at least one key on each side. `engine` is "arrow" (at once, for small
    frames) or "duckdb" (starts half a second later, is faster from LARGE_SIDE rows on); None chooses by size. Both
    give the same items.

    Raises PaymentFileError and OrderFileError for a frame that cannot be used (also for amounts that have become
    floats), SettingsError for an engine that does not exist, ProofFailed when the totals differ.
    """
    tables = (_table_of(payments), _table_of(orders))
    if engine is None:
        engine = "duckdb" if max(table.num_rows for table in tables) >= LARGE_SIDE else "arrow"
    if engine not in FRAME_ENGINES:
        raise SettingsError(f'engine "{engine}" is none of {", ".join(FRAME_ENGINES)}')
    duck = _open(None, None, None)
    try:
        chosen: Engine = duck if engine == "duckdb" else ArrowEngine()
        relation: Relation = duck.relation if engine == "duckdb" else _through(duck)
        frames = (payments_from_arrow(chosen, tables[0], policy), orders_from_arrow(chosen, tables[1]))
        sides = prepare_sides(chosen, frames, ("payments", "orders"), policy.clean, relation)
        facts = RunFacts(business_date, run_id, states)
        suggester = Suggester(duck.connection.cursor(), totals_in_table(tables[0]))
        work = _Work(chosen, sides, policy, facts, suggester)
        items = pa.Table.from_batches(work.items(), ITEMS)
        report = work.report(items.num_rows, duck.connection.from_arrow(items), duck.connection)
    finally:
        duck.close()
    return MatchResult(_like(payments, items), report)


class _Work:
    """One matching under way: the items as a stream, and after its end the report."""

    def __init__(
        self,
        engine: Engine,
        sides: tuple[PreparedSide, PreparedSide],
        policy: MatchPolicy,
        facts: RunFacts,
        suggester: Suggester,
    ) -> None:
        self.engine = engine
        self.suggester = suggester
        self.payments, self.orders = sides
        self.facts = facts
        self.first_key = policy.on[0]
        paired = pair_sides(engine, self.payments.frame, self.orders.frame, policy)
        self.passes = paired.passes
        self.policy = policy
        lone = name_pairs(judge_pairs(paired.lone, policy))
        rest = name_any(judge(paired.leftovers, policy, facts.business_date))
        self.rows = nw.concat([lone, rest])
        self.several: list[pa.RecordBatch] = []

    def items(self) -> Iterator[pa.RecordBatch]:
        rows = sorted_items(self.engine, self.rows, self.payments.frame, self.orders.frame)
        judged = self.suggester.suggested(rows)
        for batch, several in finish(judged, self.facts):
            if several.num_rows:
                self.several.append(several)
            yield batch

    def report(self, rows: int, items: duckdb.DuckDBPyRelation, connection: duckdb.DuckDBPyConnection) -> MatchReport:
        several = connection.from_arrow(pa.Table.from_batches(self.several, GROUPED))
        control = prove(items, several, self.payments.facts, self.orders.facts)
        pairs = pairs_on(items, self.first_key)
        return MatchReport(
            items=rows,
            control=control,
            payments=self.payments.facts,
            orders=self.orders.facts,
            passes=(self.passes[0].with_lone(pairs), *self.passes[1:]),
            cleaning=(*self.payments.cleaning, *self.orders.cleaning),
            hint=self._hint(sum(one.shared_keys for one in self.passes) + pairs - self.passes[0].pairs),
        )

    def _hint(self, shared_keys: int) -> str | None:
        return key_hint(
            self.engine,
            self.payments.written,
            self.orders.written,
            rows=(self.payments.facts.rows, self.orders.facts.rows),
            shared_keys=shared_keys,
            policy=self.policy,
        )


def _open(memory_limit: str | None, temp_directory: Path | None, threads: int | None) -> DuckDBEngine:
    try:
        return DuckDBEngine(memory_limit=memory_limit, temp_directory=temp_directory, threads=threads)
    except duckdb.Error as error:
        raise SettingsError(f"the engine refuses its settings: {first_line(error)}") from error


def _spark(
    stack: ExitStack, master: str, folder: Path, duck: DuckDBEngine, files: tuple[Path, Path]
) -> tuple[FileEngine, Relation]:
    from reconcile.matching.engines.spark import spark_engine

    size = sum(file.stat().st_size for file in files if file.exists())
    engine = stack.enter_context(spark_engine(master, folder, input_bytes=size))
    return engine, lambda frame: duck.connection.sql(engine.select_of(frame))


def _through(duck: DuckDBEngine) -> Relation:
    """Return how DuckDB, which proves the items, sees a frame of the Arrow engine."""
    return lambda frame: duck.relation(duck.from_arrow(frame.to_native()))


def _table_of(frame: object) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    return nw.from_native(frame, eager_only=True).to_arrow()  # type: ignore[call-overload, no-any-return]


def _like(given: FrameT, items: pa.Table) -> FrameT:
    """Return `items` as the kind of frame that was given."""
    found: Any
    if isinstance(given, pa.Table):
        found = items
    elif nw.from_native(given, eager_only=True).implementation.is_pandas():  # type: ignore[call-overload]
        import pandas as pd

        found = items.to_pandas(types_mapper=pd.ArrowDtype)
    else:
        backend = nw.from_native(given, eager_only=True).implementation  # type: ignore[call-overload]
        found = nw.from_arrow(items, backend=backend).to_native()
    result: FrameT = found
    return result
