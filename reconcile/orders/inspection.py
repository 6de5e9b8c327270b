"""
A look at order totals before anything is matched with them: how they were read, first rows, keys, totals, rejects.

Reads everything, as a run would, and keeps nothing. Judges nothing: a key without a value or a row that cannot be read
is counted and shown.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb

from reconcile.files.duckdb import connected, path_literal
from reconcile.orders.columns.mapping import KEYS
from reconcile.orders.format import DETECTED, OrderFormat
from reconcile.orders.opening import OrderPaths
from reconcile.orders.proposals.proposal import hint_of, propose, propose_at
from reconcile.orders.read import read_orders_to_parquet
from reconcile.orders.rejects import read_rejects
from reconcile.orders.report import CurrencyTotal, OrdersReport
from reconcile.schema import ORDERS, Row

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class KeyLook:
    """
    How usable one key is: rows with it and without, different keys, and rows that share theirs with another row.

    `examples` are some of the keys that come more than once.
    """

    key: str
    rows: int
    without: int
    distinct: int
    shared: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrdersLook:
    """
    What is to be seen of order totals.

    `report` is that of reading them; `first_rows` are rows of ORDERS by column name, in the order of the files;
    `rejects` are the first rows of `rejects.csv` by column name, and `remedy` is what would read them, where anything
    does.
    """

    report: OrdersReport
    first_rows: tuple[Row, ...]
    keys: tuple[KeyLook, ...]
    totals: tuple[CurrencyTotal, ...]
    rejects: tuple[dict[str, str], ...]
    remedy: str | None = None


def inspect_orders(
    paths: OrderPaths,
    form: OrderFormat = DETECTED,
    *,
    first_rows: int = 5,
    first_rejects: int = 10,
    is_proposed: bool = False,
) -> OrdersLook:
    """
    Return a look at the order totals in `paths`; `form` is as in `read_orders`.

    With `is_proposed` it has what was proposed for their first rows, and only further ones are looked at for more.

    Raises OrderFileError when a file cannot be read. Rows that cannot be read raise nothing, however many they are.
    """
    with tempfile.TemporaryDirectory(prefix="reconcile-") as name:
        folder = Path(name)
        orders, rejects = folder / "orders.parquet", folder / "rejects.csv"
        report = read_orders_to_parquet(paths, orders, form, rejects=rejects, max_rejects=sys.maxsize)
        with rejects.open(encoding="utf-8", newline="\n") as text:
            rejected = tuple(islice(read_rejects(text), max(first_rejects, 1)))
        with connected(folder) as connection:
            table = connection.sql(f"SELECT * FROM read_parquet({path_literal(orders)}, file_row_number = true)")
            return OrdersLook(
                report=report,
                first_rows=_first_rows(table, first_rows),
                keys=tuple(_key(table, key) for key in KEYS),
                totals=_totals(table),
                rejects=rejected[:first_rejects],
                remedy=_remedy(paths, form, rejected[0], is_proposed=is_proposed) if rejected else None,
            )


def _remedy(paths: OrderPaths, form: OrderFormat, first: dict[str, str], *, is_proposed: bool) -> str | None:
    """Return what would read rejected rows, of which `first` is the first one."""
    proposals = [] if is_proposed else propose(paths, form)
    proposals = proposals or propose_at(paths, form, first["source_file"], int(first["source_line"]))
    return hint_of(proposals, paths, form) if proposals else None


def _first_rows(table: duckdb.DuckDBPyRelation, most: int) -> tuple[Row, ...]:
    names = ORDERS.names
    rows = table.filter(f"file_row_number < {most}").order("file_row_number").project(", ".join(names)).fetchall()
    return tuple(dict(zip(names, row, strict=True)) for row in rows)


def _key(table: duckdb.DuckDBPyRelation, key: str) -> KeyLook:
    counted = table.filter(f"{key} IS NOT NULL").aggregate(f"{key} AS text, count(*) AS n", key)
    figures = counted.aggregate("coalesce(sum(n), 0), count(*), coalesce(sum(n) FILTER (n > 1), 0)").fetchall()
    ((rows, distinct, shared),) = figures
    ((everything,),) = table.aggregate("count(*)").fetchall()
    examples = counted.filter("n > 1").order("n DESC, text").limit(_EXAMPLES).project("text").fetchall()
    return KeyLook(key, int(rows), everything - int(rows), distinct, int(shared), tuple(text for (text,) in examples))


def _totals(table: duckdb.DuckDBPyRelation) -> tuple[CurrencyTotal, ...]:
    found = table.aggregate("currency_code, count(*), sum(amount_cents)", "currency_code").order("currency_code")
    return tuple(CurrencyTotal(code, rows, int(cents)) for code, rows, cents in found.fetchall())
