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
from reconcile.files.csv_text import scan_csv
from reconcile.files.duckdb import connected
from reconcile.files.formula_guard import unguarded_sql
from reconcile.files.parquet import scan
from reconcile.money import AMOUNT_BASES
from reconcile.schema import AT_STAKE_CENTS, AT_STAKE_CURRENCY, ITEMS, known_amount, known_currency

VERSION = 1
AGING_BUCKETS = ((0, 1), (2, 3), (4, 7), (8, 30), (31, 60), (61, 90), (91, None))
"""Ages of breaks in days: first and last day of each bucket; the last has no end."""

NO_DATE = "no date"
"""The bucket of breaks whose rows have no date; it is there where such breaks are."""


def summarize(items: Path | pa.Table, control: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """
    Return the figures of a run, as plain values in a fixed order.

    `items` is a Parquet file or an Arrow table of ITEMS; `control` holds the totals that went in and came out, as
    lists `incoming` and `outgoing` of side, currency_code, rows and amount_cents.
    """
    with _views({"items": items}) as connection:
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


def control_of(folder: Path, *, amount_basis: str) -> dict[str, list[dict[str, Any]]]:
    """
    Return the control totals of a run folder, added up from its files: what `summarize` takes as `control`.

    An item counts as one order row, though it may stand for a group of them.
    """
    assert amount_basis in AMOUNT_BASES, "the policy has checked it"
    sides, code = {side: folder / f"{side}.parquet" for side in _SIDES}, known_currency("currency_code")
    with _views({"items": folder / "items.parquet", **sides}) as connection:
        incoming = _totals(
            connection,
            f"""SELECT 'payments', {code}, NULL, count(*), coalesce(sum({known_amount(amount_basis)}), 0)
                FROM payments GROUP BY ALL
                UNION ALL SELECT 'orders', {code}, NULL, count(*), coalesce(sum({known_amount("amount_cents")}), 0)
                FROM orders GROUP BY ALL""",
        )
        outgoing = _totals(
            connection,
            f"""SELECT 'payments', payment_currency_code, status, count(*), coalesce(sum(payment_amount_cents), 0)
                FROM items WHERE {_KEYS["payments"][2]} GROUP BY ALL
                UNION ALL SELECT 'orders', order_currency_code, status, count(*), coalesce(sum(order_amount_cents), 0)
                FROM items WHERE {_KEYS["orders"][2]} GROUP BY ALL""",
        )
    return {"incoming": incoming, "outgoing": outgoing}


def _totals(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    names = ("side", "currency_code", "status", "rows", "amount_cents")
    return [dict(zip(names, row, strict=True)) for row in connection.execute(query).fetchall()]


def summarize_sides(
    folder: Path, *, are_orders_grouped: bool, memory_limit: str = "1GB", spill: Path | None = None
) -> dict[str, Any]:
    """
    Return what follows from the items and both sides together, as they are written in `folder`.

    hash_totals       per side and currency: a sum over the rows' names, as they went in and as they came out, as text;
                      of a row the first 15 hex digits of the MD5 of its name, as a number. A payment is named by its
                      id and its reference ("id reference"), an order row by its place ("file:line"). Where order rows
                      are grouped, an item names only the first of them: what came out is null
    aging_from_data   breaks by days since their payment's order was placed (else since the payment was created), or
                      since the date of the order row; NO_DATE where it has none

    What does not fit `memory_limit` goes to disk, to `spill` or else in `folder`. Raises ProofFailed when a hash total
    that came out is not the one that went in.
    """
    sides = {side: folder / f"{side}.parquet" for side in _SIDES}
    with _views({"items": folder / "items.parquet", **sides}, (spill or folder, memory_limit)) as connection:
        totals = {side: _hash_totals(connection, side) for side in _SIDES}
        if are_orders_grouped:
            totals["orders"] = [line | {"keys_out": None} for line in totals["orders"]]
        for side, lines in totals.items():
            if any(line["keys_out"] not in (line["keys_in"], None) for line in lines):
                raise ProofFailed(f"{side}: the hash total of their keys is another in the items", hint=_OUR_BUG)
        return {"hash_totals": totals, "aging_from_data": _in_buckets(connection, _DATED, "data_age")}


_KEYS = {
    "payments": (
        "payment_id || ' ' || coalesce({}reference, '')",
        "payment_currency_code",
        "payment_id IS NOT NULL",
    ),
    "orders": (
        "coalesce({0}source_file, '') || ':' || coalesce({0}source_line::VARCHAR, '')",
        "order_currency_code",
        "payment_id IS NULL OR matched_on IS NOT NULL",
    ),
}
# A row of tomorrow is as old as one of today; `greatest` alone would take a row without date for one.
_DATED = """
    SELECT *, CASE WHEN dated_on IS NOT NULL THEN greatest(business_date - dated_on, 0) END AS data_age FROM (
        SELECT items.*, coalesce(coalesce(placed_at, payment_created_at)::TIMESTAMP::DATE, ordered_on) AS dated_on
        FROM items LEFT JOIN (
            SELECT source_file, source_line, min(ordered_on) AS ordered_on FROM orders SEMI JOIN (
                SELECT order_source_file AS source_file, order_source_line AS source_line FROM items
                WHERE is_break AND payment_id IS NULL
            ) USING (source_file, source_line) GROUP BY ALL
        ) dates ON payment_id IS NULL AND order_source_file = source_file AND order_source_line = source_line
        WHERE is_break
    )
"""


def _hash_totals(connection: duckdb.DuckDBPyConnection, side: str) -> list[dict[str, Any]]:
    name, currency, is_there = _KEYS[side]
    prefix = "payment_" if side == "payments" else "order_"
    total = "coalesce(sum(('0x' || left(md5({}), 15))::BIGINT), 0)::VARCHAR"
    rows = connection.execute(
        f"""
        WITH went_in AS (
            SELECT {known_currency("currency_code")} AS currency_code, {total.format(name.format(""))} AS keys_in
            FROM {side} GROUP BY ALL
        ),
        came_out AS (
            SELECT {currency} AS currency_code, {total.format(name.format(prefix))} AS keys_out
            FROM items WHERE {is_there} GROUP BY ALL
        )
        SELECT coalesce(i.currency_code, o.currency_code) AS code, coalesce(keys_in, '0'), coalesce(keys_out, '0')
        FROM went_in i FULL JOIN came_out o ON i.currency_code IS NOT DISTINCT FROM o.currency_code
        ORDER BY code NULLS LAST
        """
    ).fetchall()
    return [dict(zip(("currency_code", "keys_in", "keys_out"), row, strict=True)) for row in rows]


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
        with _views({"items": folder / name}) as connection:
            _agree(name, _statuses(connection), expected)
    for side, cents in (("payments", amount_basis), ("orders", "amount_cents")):
        lines = figures["control"][side]
        with _views({"side": folder / f"{side}.parquet"}) as connection:
            found = connection.execute(
                f"""SELECT {known_currency("currency_code")} AS code, count(*), coalesce(sum({known_amount(cents)}), 0)
                    FROM side GROUP BY code ORDER BY code NULLS LAST"""
            ).fetchall()
        expected = [(line["currency_code"], line["rows_in"], line["amount_in_cents"]) for line in lines]
        _agree(f"{side}.parquet", found, expected)


def _agree(name: str, found: object, expected: object) -> None:
    if found != expected:
        raise ProofFailed(f"{name}: its totals are not those of summary.json", hint=_OUR_BUG)


_SIDES = ("payments", "orders")
_OUR_BUG = "nothing is published; this is a bug in reconcile: please report it with the log of a run with -vv"


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
    return _in_buckets(connection, "SELECT * FROM items", "age_days")


def _in_buckets(connection: duckdb.DuckDBPyConnection, items: str, age: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        f"""SELECT {age} AS age, {AT_STAKE_CURRENCY} AS currency_code, count(*), sum({AT_STAKE_CENTS})
            FROM ({items}) WHERE is_break GROUP BY ALL ORDER BY currency_code NULLS LAST, age"""
    ).fetchall()
    edges = [
        (f"{first}-{last}" if last is not None else f"over {first - 1}", first, last) for first, last in AGING_BUCKETS
    ]
    aging = [
        _bucket(
            name, [row for row in rows if row[0] is not None and first <= row[0] and (last is None or row[0] <= last)]
        )
        for name, first, last in edges
    ]
    undated = [row for row in rows if row[0] is None]
    return [*aging, _bucket(NO_DATE, undated)] if undated else aging


def _bucket(name: str, rows: Sequence[tuple[int | None, str | None, int, int]]) -> dict[str, Any]:
    amounts: dict[str | None, int] = {}
    for _, currency_code, _, cents in rows:
        amounts[currency_code] = amounts.get(currency_code, 0) + cents
    lines = [{"currency_code": code, "at_stake_cents": cents} for code, cents in amounts.items()]
    return {"bucket": name, "count": sum(row[2] for row in rows), "amounts": lines}


def _items_csv(path: Path) -> str:
    """Return SQL for ITEMS from the CSV that people get, its numbers as such and its texts without their guard."""
    columns = [
        f"{unguarded_sql(field.name)} AS {field.name}"
        if field.type == pa.string()
        else f"{field.name}::BIGINT AS {field.name}"
        if field.type == pa.int64()
        else field.name
        for field in ITEMS
    ]
    return f"SELECT {', '.join(columns)} FROM {scan_csv(path, ITEMS.names)}"


@contextlib.contextmanager
def _views(
    tables: Mapping[str, Path | pa.Table], within: tuple[Path, str] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    with connected(*within or ()) as connection:
        for name, table in tables.items():
            if isinstance(table, pa.Table):
                connection.register(name, table)
                continue
            source = _items_csv(table) if table.suffix == ".csv" else f"FROM {scan(table)}"
            connection.execute(f"CREATE TEMP VIEW {name} AS {source}")
        yield connection
