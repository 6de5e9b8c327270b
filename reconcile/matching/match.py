"""
The front door: payments and order totals in, items and their proof out.

`match_to_parquet` takes files and writes a file, out of core; `match_frames` takes frames and returns one. Both run the
same expression and give the same items. Reads no settings, keeps no history: both are handed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, NamedTuple

import duckdb
import pyarrow as pa

from reconcile.errors import SettingsError
from reconcile.files.duckdb import connected, within_memory
from reconcile.files.parquet import scan
from reconcile.matching import frames
from reconcile.matching.at_stake import with_stakes
from reconcile.matching.engines.local import (
    OpenEngine,
    Relation,
    arrow_engine,
    duckdb_engine,
    has_large_side,
    rows_of,
)
from reconcile.matching.engines.protocol import Engine, Frame
from reconcile.matching.engines.spark_session import DEFAULT_MASTER, check_spark
from reconcile.matching.frames import FrameT, like, table_of
from reconcile.matching.items import (
    GROUPED,
    RunFacts,
    breaks_among,
    finish,
    name_any,
    name_pairs,
    sorted_items,
    with_was_open,
)
from reconcile.matching.items_file import write_items
from reconcile.matching.keys.hints import key_hint
from reconcile.matching.ladder import judge, judge_pairs
from reconcile.matching.passes import pair_sides
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.prepared import prepare_sides
from reconcile.matching.proof import pairs_on, prove
from reconcile.matching.report import MatchReport
from reconcile.matching.shares import worth_of
from reconcile.matching.sides import (
    orders_from_arrow,
    orders_from_parquet,
    payments_from_arrow,
    payments_from_parquet,
    transactions_from_arrow,
    transactions_from_parquet,
)
from reconcile.matching.suggestions.money import in_files, in_tables
from reconcile.matching.suggestions.suggestions import Suggester
from reconcile.schema import ITEMS

ENGINES = ("duckdb", "spark")
"""Engines that match files."""

FRAME_ENGINES = ("arrow", "duckdb")
"""Engines that match frames."""


@dataclass(frozen=True, slots=True)
class MatchedFrames(Generic[FrameT]):
    """Items as a frame of the kind that was given, and the report on them."""

    items: FrameT
    report: MatchReport


@dataclass(frozen=True, slots=True)
class Resources:
    """
    What a matching of files runs on.

    `engine` is one of ENGINES. `memory_limit` ("1GB") and `threads` are those of DuckDB, which matches where a side has
    LARGE_SIDE rows or more, and proves the items on every engine; `spill` is the folder of what it keeps on disk, by
    default that of the items. With "spark" both files and that folder must be where the workers of `spark_master` see
    them under the same path; a Spark session that is active in this process is used whatever `spark_master` says.
    """

    engine: str = "duckdb"
    spark_master: str = DEFAULT_MASTER
    memory_limit: str | None = None
    spill: Path | None = None
    threads: int | None = None


ON_THIS_MACHINE = Resources()


def match_to_parquet(
    payments: Path,
    orders: Path,
    items: Path,
    policy: MatchPolicy,
    run: RunFacts,
    resources: Resources = ON_THIS_MACHINE,
    transactions: Path | None = None,
) -> MatchReport:
    """
    Match two Parquet files (PAYMENTS, ORDERS) and write the file `items` (ITEMS), sorted and proved.

    `transactions` is a Parquet file of TRANSACTIONS; without it no two payments share an order. Equal inputs and
    settings give equal bytes, on every engine.

    Raises PaymentFileError and OrderFileError for a file that cannot be used, SettingsError for an engine or a limit
    that does not exist, or cannot start, OutputError when memory or disk are used up or Spark stops, ProofFailed when
    the totals differ. After an error there is no new file `items`.
    """
    check_engine(resources.engine)
    partial = items.with_name(f".{items.name}.partial")
    folder = resources.spill or items.parent
    try:
        with within_memory("the matching"), ExitStack() as stack:
            opened = _opened_files(stack, _Files(payments, orders, transactions), policy, resources, folder)
            cursor = opened.connection.cursor()  # of its own: the items stream from the engine's
            known = in_files(payments, transactions, cursor, policy.population.time_zone)
            work = _Work(opened, policy, run, Suggester(cursor, known, folder))
            rows = write_items(work.items(), partial)
            report = work.report(rows, opened.connection.sql(f"SELECT * FROM {scan(partial)}"))
        partial.replace(items)
    finally:
        partial.unlink(missing_ok=True)
    return report


def check_engine(engine: str) -> None:
    """Raise SettingsError for an engine that matches no files, or cannot be started here."""
    if engine not in ENGINES:
        raise SettingsError(f'engine "{engine}" is not one of {", ".join(ENGINES)}')
    if engine == "spark":
        check_spark()


def match_frames(
    payments: FrameT,
    orders: frames.Frame,
    policy: MatchPolicy,
    run: RunFacts,
    *,
    engine: str | None = None,
    transactions: frames.Frame | None = None,
) -> MatchedFrames[FrameT]:
    """
    Match two frames (PAYMENTS, ORDERS) in memory; return the items as a frame of the same kind, and the report.

    Takes what `frames` takes. Columns that are missing count as empty, except `payment_id`, `created_at`, the amounts,
    and at least one key on each side. `transactions` is a frame of TRANSACTIONS; without it no two payments share an
    order. `engine` is "arrow" (at once, for small frames) or "duckdb" (starts half a second later, is faster from
    LARGE_SIDE rows on); None chooses by size. Both give the same items.

    Raises PaymentFileError and OrderFileError for a frame that cannot be used (also for amounts that have become
    floats, unless all are whole numbers below 2**53), SettingsError for an engine that does not exist, ProofFailed when
    the totals differ.
    """
    tables = (table_of(payments, "payments"), table_of(orders, "orders"))
    if engine is None:
        engine = "duckdb" if has_large_side(*(table.num_rows for table in tables)) else "arrow"
    if engine not in FRAME_ENGINES:
        raise SettingsError(f'engine "{engine}" is not one of {", ".join(FRAME_ENGINES)}')
    with ExitStack() as stack:
        money = None if transactions is None else table_of(transactions, "transactions")
        opened = _opened_tables(stack, (*tables, money), policy, engine)
        known = in_tables(tables[0], money, policy.population.time_zone)
        work = _Work(opened, policy, run, Suggester(opened.connection.cursor(), known))
        items = pa.Table.from_batches(work.items(), ITEMS)
        report = work.report(items.num_rows, opened.connection.from_arrow(items))
    return MatchedFrames(like(payments, items), report)


@dataclass(frozen=True, slots=True)
class _Opened:
    """
    Both sides, and transactions where there are any, in the engine that matches them.

    `connection` is that of DuckDB, which proves the items on every engine, and `relation` how it sees a frame.
    """

    engine: Engine
    connection: duckdb.DuckDBPyConnection
    relation: Relation
    frames: tuple[Frame, Frame]
    names: tuple[str, str]
    transactions: Frame | None


class _Files(NamedTuple):
    payments: Path
    orders: Path
    transactions: Path | None


def _opened_files(stack: ExitStack, files: _Files, policy: MatchPolicy, resources: Resources, folder: Path) -> _Opened:
    opened = stack.enter_context(_engine_of(resources, files, folder))
    engine = opened.engine
    frames = (payments_from_parquet(engine, files.payments, policy), orders_from_parquet(engine, files.orders))
    money = transactions_from_parquet(engine, files.transactions)
    return _Opened(*opened, frames, (str(files.payments), str(files.orders)), money)


def _engine_of(resources: Resources, files: _Files, folder: Path) -> AbstractContextManager[OpenEngine]:
    if resources.engine == "spark":
        return _spark(resources, files, folder)
    if has_large_side(*rows_of(files.payments, files.orders)):
        return duckdb_engine(resources.memory_limit, resources.spill, resources.threads)
    return arrow_engine(folder, resources.memory_limit)


@contextmanager
def _spark(resources: Resources, files: _Files, folder: Path) -> Iterator[OpenEngine]:
    from reconcile.matching.engines.spark import spark_engine

    size = sum(file.stat().st_size for file in files[:2] if file.exists())
    with (
        spark_engine(resources.spark_master, folder, input_bytes=size) as engine,
        connected(folder, resources.memory_limit) as connection,
    ):
        yield OpenEngine(engine, connection, lambda frame: connection.sql(engine.select_of(frame)))


def _opened_tables(
    stack: ExitStack, tables: tuple[pa.Table, pa.Table, pa.Table | None], policy: MatchPolicy, engine: str
) -> _Opened:
    opened = stack.enter_context(duckdb_engine() if engine == "duckdb" else arrow_engine())
    frames = (payments_from_arrow(opened.engine, tables[0], policy), orders_from_arrow(opened.engine, tables[1]))
    return _Opened(*opened, frames, ("payments", "orders"), transactions_from_arrow(opened.engine, tables[2]))


class _Work:
    """One matching in progress: the items as a stream, and after its end the report."""

    def __init__(self, opened: _Opened, policy: MatchPolicy, run: RunFacts, suggester: Suggester) -> None:
        self.engine = opened.engine
        self.connection = opened.connection
        self.suggester = suggester
        worth = partial(worth_of, self.engine, transactions=opened.transactions, basis=policy.amount_basis)
        sides = prepare_sides(opened.engine, opened.frames, opened.names, policy.clean, opened.relation, worth)
        self.payments, self.orders = sides
        self.run = run
        self.first_key = policy.on[0]
        paired = pair_sides(self.engine, self.payments.frame, self.orders.frame, policy)
        self.passes = paired.passes
        self.policy = policy
        lone = name_pairs(judge_pairs(paired.lone, policy))
        leftovers = with_was_open(self.engine, paired.leftovers, run.open_before)
        rest = name_any(with_stakes(self.engine, judge(leftovers, policy, run.business_date)))
        self.rows = self.engine.stacked(lone, rest)
        self.several: list[pa.RecordBatch] = []

    def items(self) -> Iterator[pa.RecordBatch]:
        rows = sorted_items(self.engine, self.rows, self.payments.frame, self.orders.frame)
        judged = self.suggester.suggested(rows)
        known = self.run.states
        states = None if known is None else known.of(lambda: breaks_among(self.engine, self.rows))
        for batch, several in finish(judged, self.run, self.policy, states):
            if several.num_rows:
                self.several.append(several)
            yield batch

    def report(self, rows: int, items: duckdb.DuckDBPyRelation) -> MatchReport:
        several = self.connection.from_arrow(pa.Table.from_batches(self.several, GROUPED)) if self.several else None
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
