"""
The proof of a run: every row that went in came out, by name, and what is written agrees with what is reported.

Adds up the files that are published, never what was in memory. Amounts are minor units per currency.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import duckdb
from msgspec import Meta, Struct
from msgspec.structs import replace

from reconcile.errors import ProofFailed
from reconcile.figures.statuses import COUNTED, CountedItems, StatusLine, counted, status_lines
from reconcile.figures.tables import as_counted, items_in_csv
from reconcile.files.duckdb import connected
from reconcile.files.parquet import scan
from reconcile.history.published import columns_in, items_sql
from reconcile.keys import NOT_BLANK
from reconcile.matching.keys.rules import SIDES
from reconcile.matching.policy import Kind
from reconcile.matching.report import ControlTotals, Total
from reconcile.money import AMOUNT_LIMIT
from reconcile.runs.run_folder import RunFolder
from reconcile.schema import Currency, means

if TYPE_CHECKING:
    from reconcile.figures.summary import Figures

OUR_BUG = "nothing is published; this is a bug in reconcile: please report it with the log of a run with -vv"


class HashTotal(Struct, frozen=True):
    """
    One side in one currency: a sum over the names of its rows, as decimal text.

    Of each row it adds the first 15 hex digits of the MD5 of its name, as a number. A payment is named by its id and
    its reference ("id reference"), an order row by its place ("file:line").
    """

    currency_code: Currency
    keys_in: Annotated[str, Meta(pattern="^[0-9]+$", description="of the rows as read")]
    keys_out: Annotated[
        str | None, means("of the rows in the items, the same; null where order rows were added up into one")
    ]


class HashTotals(Struct, frozen=True):
    """Hash totals of both sides, by currency code; null last."""

    payments: Annotated[tuple[HashTotal, ...], means("the payment side")]
    orders: Annotated[tuple[HashTotal, ...], means("the order side")]


def hash_totals(
    folder: Path, *, are_orders_grouped: bool, memory_limit: str = "1GB", spill: Path | None = None
) -> HashTotals:
    """
    Return the hash totals of the run folder `folder`, as its rows went in and as they came out.

    Where order rows are grouped, an item names only the first of them: what came out is null. What does not fit
    `memory_limit` goes to disk, to `spill` or else in `folder`. Raises ProofFailed when a hash total that came out is
    not the one that went in.
    """
    with connected(spill or folder, memory_limit) as connection:
        payments, orders = (_hash_totals(connection, folder, side) for side in SIDES)
    if are_orders_grouped:
        orders = tuple(replace(line, keys_out=None) for line in orders)
    for side, lines in zip(SIDES, (payments, orders), strict=True):
        if any(line.keys_out not in (line.keys_in, None) for line in lines):
            raise ProofFailed(f"{side}: the hash total of their keys differs in the items", hint=OUR_BUG)
    return HashTotals(payments, orders)


def control_of(folder: Path, *, amount_basis: str) -> ControlTotals:
    """
    Return the control totals of a run folder, added up from its files.

    An item counts as one order row, though it may stand for a group of them.
    """
    with connected() as connection:
        incoming = _incoming(connection, folder, amount_basis)
        items = scan(folder / "items.parquet")
        outgoing = _totals(
            connection,
            f"""SELECT 'payments', payment_currency_code, status, count(*), coalesce(sum(payment_amount_cents), 0)
                FROM {items} WHERE {_IN_ITEMS["payments"]} GROUP BY ALL
                UNION ALL SELECT 'orders', order_currency_code, status, count(*), coalesce(sum(order_amount_cents), 0)
                FROM {items} WHERE {_IN_ITEMS["orders"]} GROUP BY ALL""",
        )
    return ControlTotals(incoming, outgoing)


def prove_files(folder: Path, figures: Figures, *, amount_basis: str, has_items_csv: bool = True) -> None:
    """
    Add every total up again from the written files of `folder`: both sides, items and breaks, Parquet and CSV (of the
    items, where that was written).

    Raises ProofFailed naming the file that disagrees with `figures`.
    """
    breaks = tuple(line for line in figures.statuses if line.kind == Kind.BREAK)
    told = {"items": figures.statuses, "breaks": breaks}
    there = columns_in(folder / "items.parquet").names
    tables = {f"{name}.parquet": items_sql(folder / f"{name}.parquet") for name in told}
    in_csv = told if has_items_csv else ("breaks",)
    tables |= {f"{name}.csv": items_in_csv(folder / f"{name}.csv", COUNTED, there) for name in in_csv}
    tables = {name: as_counted(items, there) for name, items in tables.items()}
    with connected() as connection:
        for file, rows in counted(connection, tables).items():
            _agree(file, _statuses(rows), told[Path(file).stem])
        incoming = _incoming(connection, folder, amount_basis)
    for side, lines in (("payments", figures.control.payments), ("orders", figures.control.orders)):
        found = [(total.currency_code, total.rows, total.amount_cents) for total in incoming if total.side == side]
        _agree(f"{side}.parquet", found, [(line.currency_code, line.rows_in, line.amount_in_cents) for line in lines])


def _incoming(connection: duckdb.DuckDBPyConnection, folder: Path, amount_basis: str) -> tuple[Total, ...]:
    """Add up both sides as they were read."""
    from reconcile.matching.incoming import payments_in  # with it comes the matching

    code, orders = _known_currency("currency_code"), _known_amount("amount_cents")
    order_side = _totals(
        connection,
        f"""SELECT 'orders', {code}, NULL, count(*), coalesce(sum({orders}), 0)
            FROM {scan(folder / "orders.parquet")} GROUP BY ALL
            ORDER BY ALL NULLS LAST""",
    )
    run = RunFolder(folder)
    return (*payments_in(run.payments, run.transactions, amount_basis=amount_basis), *order_side)


def _statuses(rows: list[CountedItems]) -> tuple[StatusLine, ...] | None:
    try:
        return status_lines(rows)
    except ValueError:  # a file that was changed can name a status that does not exist
        return None


def _agree(name: str, found: object, told: object) -> None:
    if found != told:
        raise ProofFailed(f"{name}: its totals differ from summary.json", hint=OUR_BUG)


def _totals(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Total, ...]:
    return tuple(Total(*row) for row in connection.execute(query).fetchall())


_NAMES = {
    "payments": "payment_id || ' ' || coalesce({}reference, '')",
    "orders": "coalesce({0}source_file, '') || ':' || coalesce({0}source_line::VARCHAR, '')",
}
_IN_ITEMS = {"payments": "payment_id IS NOT NULL", "orders": "payment_id IS NULL OR matched_on IS NOT NULL"}


def _hash_totals(connection: duckdb.DuckDBPyConnection, folder: Path, side: str) -> tuple[HashTotal, ...]:
    name, prefix = _NAMES[side], "payment_" if side == "payments" else "order_"
    total = "coalesce(sum(('0x' || left(md5({}), 15))::BIGINT), 0)::VARCHAR"
    rows = connection.execute(
        f"""
        WITH went_in AS (
            SELECT {_known_currency("currency_code")} AS currency_code, {total.format(name.format(""))} AS keys_in
            FROM {scan(folder / f"{side}.parquet")} GROUP BY ALL
        ),
        came_out AS (
            SELECT {prefix}currency_code AS currency_code, {total.format(name.format(prefix))} AS keys_out
            FROM {scan(folder / "items.parquet")} WHERE {_IN_ITEMS[side]} GROUP BY ALL
        )
        SELECT coalesce(i.currency_code, o.currency_code) AS code, coalesce(keys_in, '0'), coalesce(keys_out, '0')
        FROM went_in i FULL JOIN came_out o ON i.currency_code IS NOT DISTINCT FROM o.currency_code
        ORDER BY code NULLS LAST
        """
    ).fetchall()
    return tuple(HashTotal(*row) for row in rows)


def _known_amount(column: str) -> str:
    """Return SQL, as DuckDB reads it, for an amount that the matching knows: null where it is none."""
    return f"CASE WHEN {column} > {-AMOUNT_LIMIT} AND {column} < {AMOUNT_LIMIT} THEN {column} END"


def _known_currency(column: str) -> str:
    """Return SQL for a currency that the matching knows: null where it is nothing but white space."""
    return f"CASE WHEN regexp_matches({column}, '{NOT_BLANK}') THEN {column} END"
