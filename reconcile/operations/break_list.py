"""
The breaks of a run that somebody asks for, with what is decided about them, what they come to, what they share.

Reads one run folder and the decisions beside it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from reconcile.figures.conditions import ALL_ITEMS, Conditions, chosen_from
from reconcile.figures.questions import CurrencySum, check_names, shared_by, sorted_breaks, sums_of
from reconcile.files.duckdb import connected
from reconcile.history.breaks import IS_ACCEPTED, decided_breaks
from reconcile.history.published import breaks_sql, items_sql, read_errors
from reconcile.runs.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class BreakList:
    """
    Breaks, as many as were wanted: ITEMS with `currency_code` and `decision`.

    Of all that were asked for, the sums by currency code, and in words what they have in common.
    """

    breaks: pa.Table
    sums: tuple[CurrencySum, ...]
    shared: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many were asked for."""
        return sum(one.count for one in self.sums)


def list_breaks(
    folder: Path,
    asked: Conditions = ALL_ITEMS,
    *,
    order: Sequence[str] = (),
    most: int | None = None,
    with_shared: bool = False,
) -> BreakList:
    """
    Return the breaks of the run `folder` that are `asked` for, at most `most` of them, with what is decided by now.

    `order` are names of SORT_KEYS; without any the oldest and the largest come first. `with_shared`: also what they
    have in common.
    Raises SettingsError for a name that is nowhere in the run, OutputError when `folder` is no run folder or cannot be
    read, AcceptanceError when the decisions cannot be read.
    """
    decided = decided_breaks(folder)
    with _reading(folder) as connection:
        items = items_sql(RunFolder(folder).items)
        check_names(connection, items, asked)
        connection.register("decided_breaks", decided)
        chosen = chosen_from("decided_breaks", asked, accepted=IS_ACCEPTED)
        breaks, sums = sorted_breaks(connection, chosen, order, most=most), sums_of(connection, chosen)
        shared = shared_by(connection, items, chosen, asked) if with_shared else ()
    return BreakList(breaks, sums, tuple(one.text for one in shared))


def largest_breaks(folder: Path, columns: Sequence[str], *, most: int) -> pa.Table:
    """
    Return `columns` of the largest breaks of the run `folder` that are not accepted in it: of each currency in turn.

    Raises OutputError when they cannot be read.
    """
    needed = dict.fromkeys(
        (*columns, "item_id", "first_seen_on", "at_stake_cents", "at_stake_currency_code", "accepted_reason")
    )
    with _reading(folder) as connection:
        breaks = f"({breaks_sql(RunFolder(folder).breaks, list(needed))})"
        open_ones = chosen_from(breaks, Conditions(accepted=False))
        return sorted_breaks(connection, open_ones, ("amount",), most=most).select(list(columns))


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with read_errors(folder, "its files cannot be read"), connected() as connection:
        yield connection
