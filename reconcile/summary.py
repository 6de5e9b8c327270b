"""
Counts and totals of a run, added up from the files that are published, never from what was in memory.

Knows SQL over the published tables, and gives plain values for `summary.json`. Amounts are integer minor units
per currency; nothing is converted or rounded. What a figure means is in the README under "Reading a run".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from reconcile.errors import ProofFailed
from reconcile.parquet import scan
from reconcile.schema import AMOUNT_BASES, AT_STAKE_CENTS, AT_STAKE_CURRENCY, ITEMS
from reconcile.sql import path_literal

VERSION = 1
AGING_BUCKETS = ((0, 1), (2, 3), (4, 7), (8, 30), (31, 60), (61, 90), (91, None))
"""Days since a break was first seen: first and last day of each bucket; the last has no end."""


def summarize(items: Path | pa.Table, control: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """
    Return the figures of a run, as plain values in a fixed order.

    `items` is a Parquet file or an Arrow table of ITEMS; `control` holds the totals that went in and came out, as
    lists `incoming` and `outgoing` of side, currency_code, rows and amount_cents.
    """
    with _views(items=items) as connection:
        counts = {side: sum(line["rows"] for line in control["incoming"] if line["side"] == side) for side in _SIDES}
        return {
            "counts": counts | _counts(connection),
            "statuses": _statuses(connection),
            "control": {side: _control(control, side) for side in _SIDES},
            "bridge": bridge(control),
            "flag_agreement": _flag_agreement(connection),
            "aging": _aging(connection),
        }


def bridge(control: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """
    Return per currency how the payments' total becomes the order rows' total: what each status adds to the difference.

    `control` is as for `summarize`. Each side counts in its own currency. Raises ProofFailed when something is left
    unexplained: a bug in reconcile.
    """
    lines: dict[str | None, dict[str, Any]] = {}
    for way, sign in (("incoming", 0), ("outgoing", 1)):
        for total in control[way]:
            code, side, cents = total["currency_code"], total["side"], total["amount_cents"]
            line = lines.setdefault(code, {"payments": 0, "orders": 0, "statuses": {}})
            if not sign:
                line[side] += cents
                continue
            status = line["statuses"].setdefault(total["status"], {"payments": 0, "orders": 0})
            status[side] += cents
    bridges = []
    for code, line in sorted(lines.items(), key=lambda entry: (entry[0] is None, entry[0] or "")):
        steps = [
            {
                "status": status,
                "payment_amount_cents": sums["payments"],
                "order_amount_cents": sums["orders"],
                "difference_cents": sums["payments"] - sums["orders"],
            }
            for status, sums in sorted(line["statuses"].items())
        ]
        difference = line["payments"] - line["orders"]
        unexplained = difference - sum(step["difference_cents"] for step in steps)
        if unexplained:
            raise ProofFailed(f"{unexplained} minor units of {code} are explained by no status", hint=_OUR_BUG)
        bridges.append(
            {
                "currency_code": code,
                "payment_amount_cents": line["payments"],
                "order_amount_cents": line["orders"],
                "difference_cents": difference,
                "statuses": steps,
                "unexplained_cents": unexplained,
            }
        )
    return bridges


def prove_files(folder: Path, figures: Mapping[str, Any], *, amount_basis: str) -> None:
    """
    Add every total up again from the written files of `folder`: both sides, items and breaks, Parquet and CSV.

    Raises ProofFailed naming the file that disagrees with `figures`.
    """
    assert amount_basis in AMOUNT_BASES, "the policy has checked it"
    breaks = [line for line in figures["statuses"] if line["kind"] == "break"]
    for name, expected in (
        ("items.parquet", figures["statuses"]),
        ("items.csv", figures["statuses"]),
        ("breaks.parquet", breaks),
        ("breaks.csv", breaks),
    ):
        with _views(items=folder / name) as connection:
            _agree(name, _statuses(connection), expected)
    for side, cents in (("payments", amount_basis), ("orders", "amount_cents")):
        lines = figures["control"][side]
        with _views(side=folder / f"{side}.parquet") as connection:
            found = connection.execute(
                f"""SELECT currency_code, count(*), coalesce(sum({cents}), 0) FROM side
                    GROUP BY currency_code ORDER BY currency_code NULLS LAST"""
            ).fetchall()
        expected = [(line["currency_code"], line["rows_in"], line["amount_in_cents"]) for line in lines]
        _agree(f"{side}.parquet", found, expected)


def _agree(name: str, found: object, expected: object) -> None:
    if found != expected:
        raise ProofFailed(f"{name}: its totals are not those of summary.json: nothing is published", hint=_OUR_BUG)


_SIDES = ("payments", "orders")
_OUR_BUG = "this is a bug in reconcile: please report it with the log of a run with -vv"


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    rows = connection.execute("SELECT count(*), count(*) FILTER (is_break) FROM items").fetchall()
    return dict(zip(("items", "breaks"), rows[0], strict=True))


def _statuses(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    rows = connection.execute(
        f"""
        SELECT status, kind, {AT_STAKE_CURRENCY} AS currency_code, count(*),
               sum(payment_amount_cents), sum(order_amount_cents),
               sum(difference_cents), sum({AT_STAKE_CENTS}),
               count(accepted_reason), coalesce(sum({AT_STAKE_CENTS}) FILTER (accepted_reason IS NOT NULL), 0)
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
        "accepted_count",
        "accepted_at_stake_cents",
    )
    lines: dict[str, dict[str, Any]] = {}
    for status, kind, *amounts in rows:
        line = lines.setdefault(status, {"status": status, "kind": kind, "count": 0, "amounts": []})
        line["count"] += amounts[1]
        line["amounts"].append(dict(zip(names, amounts, strict=True)))
    kinds = ("ok", "timing", "info", "break")
    return sorted(lines.values(), key=lambda line: (kinds.index(line["kind"]), line["status"]))


def _control(control: Mapping[str, Sequence[Mapping[str, Any]]], side: str) -> list[dict[str, Any]]:
    lines: dict[str | None, dict[str, Any]] = {}
    for way, rows, cents in (("incoming", "rows_in", "amount_in_cents"), ("outgoing", "rows_out", "amount_out_cents")):
        for total in control[way]:
            if total["side"] != side:
                continue
            code = total["currency_code"]
            empty = {"currency_code": code, "rows_in": 0, "amount_in_cents": 0, "rows_out": 0, "amount_out_cents": 0}
            line = lines.setdefault(code, empty)
            line[rows] += total["rows"]
            line[cents] += total["amount_cents"]
    return sorted(lines.values(), key=lambda line: (line["currency_code"] is None, line["currency_code"] or ""))


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
        f"""SELECT age_days, {AT_STAKE_CURRENCY} AS currency_code, count(*), sum({AT_STAKE_CENTS})
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
            if table.suffix == ".csv":
                options = "header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"'"
                source = f"SELECT {_CSV_COLUMNS} FROM read_csv({path_literal(table)}, {options})"
            else:
                source = f"FROM {scan(table)}"
            connection.execute(f"CREATE VIEW {name} AS {source}")
        yield connection
