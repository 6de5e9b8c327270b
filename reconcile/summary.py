"""
Counts and totals of a run, added up from the files that are published, never from what was in memory.

Knows SQL over the published tables, and gives plain values for `summary.json`. Amounts are integer minor units
per currency; nothing is converted or rounded. What a figure means is in the README under "Reading a run".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from reconcile.errors import ProofFailed
from reconcile.schema import AMOUNT_BASES, AT_STAKE_CENTS, AT_STAKE_CURRENCY, ITEMS

VERSION = 1
AGING_BUCKETS = ((0, 1), (2, 3), (4, 7), (8, 30), (31, 60), (61, 90), (91, None))
"""Days since a break was first seen: first and last day of each bucket; the last has no end."""


def summarize(
    items: Path | pa.Table, payments: Path | pa.Table, orders: Path | pa.Table, *, amount_basis: str
) -> dict[str, Any]:
    """
    Return the figures of a run, as plain values in a fixed order.

    `items`, `payments` and `orders` are Parquet files or Arrow tables of `reconcile.schema`.
    Raises ProofFailed when the two sides do not come out as they went in.
    """
    with _views(items=items, payments=payments, orders=orders) as connection:
        figures: dict[str, Any] = {
            "counts": _counts(connection),
            "statuses": _statuses(connection),
            "control": _control(connection, amount_basis),
            "flag_agreement": _flag_agreement(connection),
            "aging": _aging(connection),
        }
    _prove_control(figures["control"])
    return figures


def prove_files(folder: Path, figures: Mapping[str, Any]) -> None:
    """
    Add every total up again from the written files of `folder`: items and breaks, Parquet and CSV.

    Raises ProofFailed naming the file that disagrees with `figures`.
    """
    breaks = [line for line in figures["statuses"] if line["kind"] == "break"]
    for name, expected in (
        ("items.parquet", figures["statuses"]),
        ("items.csv", figures["statuses"]),
        ("breaks.parquet", breaks),
        ("breaks.csv", breaks),
    ):
        with _views(items=folder / name) as connection:
            found = _statuses(connection)
        if found != expected:
            raise ProofFailed(f"{name}: its totals are not those of summary.json: nothing is published", hint=_OUR_BUG)


_OUR_BUG = "this is a bug in reconcile: please report it with the log of a run with -vv"


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    row = connection.execute(
        """SELECT (SELECT count(*) FROM payments), (SELECT count(*) FROM orders), (SELECT count(*) FROM items),
                  (SELECT count(*) FROM items WHERE is_break)"""
    ).fetchall()[0]
    return dict(zip(("payments", "orders", "items", "breaks"), row, strict=True))


def _statuses(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    rows = connection.execute(
        f"""
        SELECT status, kind, {AT_STAKE_CURRENCY} AS currency_code, count(*),
               sum(payment_amount_cents::BIGINT)::BIGINT, sum(order_amount_cents::BIGINT)::BIGINT,
               sum(difference_cents::BIGINT)::BIGINT, sum({AT_STAKE_CENTS})::BIGINT
        FROM items GROUP BY ALL ORDER BY status, currency_code NULLS LAST
        """
    ).fetchall()
    names = (
        "currency_code",
        "count",
        "payment_amount_cents",
        "order_amount_cents",
        "difference_cents",
        "at_stake_cents",
    )
    lines: dict[str, dict[str, Any]] = {}
    for status, kind, *amounts in rows:
        line = lines.setdefault(status, {"status": status, "kind": kind, "count": 0, "amounts": []})
        line["count"] += amounts[1]
        line["amounts"].append(dict(zip(names, amounts, strict=True)))
    kinds = ("ok", "timing", "info", "break")
    return sorted(lines.values(), key=lambda line: (kinds.index(line["kind"]), line["status"]))


def _control(connection: duckdb.DuckDBPyConnection, amount_basis: str) -> dict[str, list[dict[str, Any]]]:
    assert amount_basis in AMOUNT_BASES, "the policy has checked it"
    sides = {
        "payments": (f"currency_code, {amount_basis} AS cents FROM payments", "payment", "payment_id IS NOT NULL"),
        "orders": ("currency_code, amount_cents AS cents FROM orders", "order", "order_source_line IS NOT NULL"),
    }
    control = {}
    for side, (source, prefix, there) in sides.items():
        rows = connection.execute(
            f"""
            WITH went_in AS (
                SELECT currency_code, count(*) AS n, coalesce(sum(cents), 0)::BIGINT AS cents
                FROM (SELECT {source}) GROUP BY currency_code
            ), came_out AS (
                SELECT {prefix}_currency_code AS currency_code, count(*) AS n,
                       coalesce(sum({prefix}_amount_cents::BIGINT), 0)::BIGINT AS cents
                FROM items WHERE {there} GROUP BY ALL
            )
            SELECT coalesce(i.currency_code, o.currency_code) AS code, coalesce(i.n, 0), coalesce(i.cents, 0),
                   coalesce(o.n, 0), coalesce(o.cents, 0)
            FROM went_in i FULL JOIN came_out o ON i.currency_code IS NOT DISTINCT FROM o.currency_code
            ORDER BY code NULLS LAST
            """
        ).fetchall()
        names = ("currency_code", "rows_in", "amount_in_cents", "rows_out", "amount_out_cents")
        control[side] = [dict(zip(names, row, strict=True)) for row in rows]
    return control


def _prove_control(control: Mapping[str, list[dict[str, Any]]]) -> None:
    for side, lines in control.items():
        for line in lines:
            went_in, came_out = line["amount_in_cents"], line["amount_out_cents"]
            if went_in != came_out:
                raise ProofFailed(
                    f"{side} in {line['currency_code']}: {went_in} minor units went in, {came_out} came out: "
                    "nothing is published",
                    hint=_OUR_BUG,
                )


def _flag_agreement(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    rows = connection.execute(
        """
        SELECT count(*) FILTER (mismatched_amounts AND NOT amounts_agree),
               count(*) FILTER (mismatched_amounts AND amounts_agree),
               count(*) FILTER (NOT mismatched_amounts AND NOT amounts_agree),
               count(*) FILTER (NOT mismatched_amounts AND amounts_agree),
               count(*) FILTER (mismatched_amounts IS NULL OR amounts_agree IS NULL)
        FROM items WHERE payment_id IS NOT NULL
        """
    ).fetchall()
    names = ("flagged_and_differs", "flagged_but_agrees", "differs_not_flagged", "agree", "not_comparable")
    return dict(zip(names, rows[0], strict=True))


def _aging(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    rows = connection.execute(
        f"""SELECT age_days, {AT_STAKE_CURRENCY} AS currency_code, count(*), sum({AT_STAKE_CENTS})::BIGINT
            FROM items WHERE is_break GROUP BY ALL ORDER BY currency_code NULLS LAST, age_days"""
    ).fetchall()
    aging = []
    for first, last in AGING_BUCKETS:
        amounts: dict[str | None, int] = {}
        count = 0
        for age, currency_code, n, cents in rows:
            if age >= first and (last is None or age <= last):
                count += n
                amounts[currency_code] = amounts.get(currency_code, 0) + cents
        aging.append(
            {
                "bucket": f"{first}-{last}" if last is not None else f"over {first - 1}",
                "count": count,
                "amounts": [{"currency_code": code, "at_stake_cents": cents} for code, cents in amounts.items()],
            }
        )
    return aging


_CSV_COLUMNS = (
    "* REPLACE ("
    + ", ".join(f"{name}::BIGINT AS {name}" for name in ITEMS.names if ITEMS.field(name).type == pa.int64())
    + ")"
)


@contextlib.contextmanager
def _views(**tables: Path | pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    with contextlib.closing(duckdb.connect()) as connection:
        for name, table in tables.items():
            if isinstance(table, pa.Table):
                connection.register(name, table)
                continue
            quoted = str(table).replace("'", "''")
            reader = (
                f"read_csv('{quoted}', header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"')"
                if table.suffix == ".csv"
                else f"read_parquet('{quoted}')"
            )
            columns = _CSV_COLUMNS if table.suffix == ".csv" else "*"
            connection.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM {reader}")
        yield connection
