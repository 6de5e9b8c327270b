"""Cases in Markdown, tables of payments and orders with everyday defaults, and the ways to match them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from reconcile.history.states import BreakStates
from reconcile.matching.engines import local
from reconcile.matching.items import RunFacts
from reconcile.matching.keys.rules import NO_RULES, CleanRules, Replacement
from reconcile.matching.match import Resources, match_frames, match_to_parquet
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.population import Population
from reconcile.matching.report import MatchReport
from reconcile.matching.tolerance import Tolerance
from reconcile.schema import ITEMS, ORDERS, PAYMENTS, TRANSACTIONS

CASES = Path(__file__).parents[1] / "cases"
BUSINESS_DATE = date(2026, 4, 1)

Row = dict[str, Any]
Match = Callable[..., tuple[pa.Table, MatchReport]]
"""One way to match: tables in, items and report out."""


def payments_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return PAYMENTS: what a row does not name is an ordinary, paid, live payment of an order of its own."""
    return pa.Table.from_pylist([_payment(number, row) for number, row in enumerate(rows, start=1)], schema=PAYMENTS)


def orders_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return ORDERS: what a row does not name is 100.00 EUR from the next line of orders.csv."""
    return pa.Table.from_pylist([_order(number, row) for number, row in enumerate(rows, start=2)], schema=ORDERS)


def transactions_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return TRANSACTIONS: what a row does not name is a succeeded one of 100.00 EUR."""
    defaults = {"amount_cents": 10000, "currency_code": "EUR", "succeeded": True}
    numbered = [{**defaults, "transaction_id": f"T{n}", **row} for n, row in enumerate(rows, start=1)]
    return pa.Table.from_pylist(numbered, schema=TRANSACTIONS)


def _payment(number: int, row: Mapping[str, Any]) -> Row:
    amount = row.get("amount_cents", 10000)
    created_at = row.get("created_at", datetime(2026, 3, 1, tzinfo=UTC))
    defaults = {
        "payment_id": f"P{number}",
        "order_id": f"O{number}",
        "total_amount_with_taxes_cents": amount,
        "currency_code": "EUR",
        "order_status": "placed",
        "payment_status": "paid",
        "mode": "live",
        "created_at": created_at,
        "updated_at": created_at,
    }
    return {**defaults, **{name: value for name, value in row.items() if name in PAYMENTS.names}}


def _order(number: int, row: Mapping[str, Any]) -> Row:
    defaults = {
        "amount_cents": 10000,
        "currency_code": "EUR",
        "source_file": "orders.csv",
        "source_line": row.get("line", number),
        "reference_raw": row.get("reference"),
    }
    return {**defaults, **{name: value for name, value in row.items() if name in ORDERS.names}}


def facts(settings: dict[str, Any]) -> RunFacts:
    """Return the run's facts by `settings`, which lose them."""
    on = settings.pop("business_date", BUSINESS_DATE)
    return RunFacts(on, settings.pop("run_id", "run"), settings.pop("states", BreakStates(on)))


def match_pandas(payments: pa.Table, orders: pa.Table, **settings: Any) -> tuple[pa.Table, MatchReport]:
    frames = (table.to_pandas(types_mapper=pd.ArrowDtype) for table in (payments, orders))
    result = match_frames(*frames, settings.pop("policy"), facts(settings), **settings)
    assert isinstance(result.items, pd.DataFrame)
    return pa.Table.from_pandas(result.items, schema=ITEMS, preserve_index=False), result.report


def match_arrow(payments: pa.Table, orders: pa.Table, **settings: Any) -> tuple[pa.Table, MatchReport]:
    result = match_frames(payments, orders, settings.pop("policy"), facts(settings), **settings)
    return result.items, result.report


def match_large(payments: pa.Table, orders: pa.Table, **settings: Any) -> tuple[pa.Table, MatchReport]:
    return match_arrow(payments, orders, engine="duckdb", **settings)


class MatchFiles:
    """Match by way of files in one folder: as large ones on DuckDB, whatever is in them, or as small ones in memory."""

    def __init__(self, folder: Path, *, large: bool = True) -> None:
        self.folder = folder
        self._large_side = 0 if large else local.LARGE_SIDE

    def __call__(self, payments: pa.Table, orders: pa.Table, **settings: Any) -> tuple[pa.Table, MatchReport]:
        transactions = settings.pop("transactions", None)
        tables = {"payments": payments, "orders": orders, "transactions": transactions}
        for name, table in ((name, table) for name, table in tables.items() if table is not None):
            # Without dictionaries, as a night stores nearly every column: DuckDB reads such a file in another way.
            pq.write_table(table, self.folder / f"{name}.parquet", use_dictionary=False)
        with patch.object(local, "LARGE_SIDE", self._large_side):
            report = match_to_parquet(
                self.folder / "payments.parquet",
                self.folder / "orders.parquet",
                self.folder / "items.parquet",
                settings.pop("policy"),
                facts(settings),
                Resources(**{"threads": 1, "spill": settings.pop("temp_directory", None), **settings}),
                None if transactions is None else self.folder / "transactions.parquet",
            )
        return pq.read_table(self.folder / "items.parquet"), report


@dataclass(frozen=True, slots=True)
class Case:
    """One `##` section of a file in tests/cases."""

    name: str
    policy: MatchPolicy
    business_date: date
    payments: pa.Table
    orders: pa.Table
    transactions: pa.Table | None
    expected: list[Row]


_INTEGERS = re.compile(r".*(_cents|_line|^line|_days)$")


def read_cases(path: Path) -> list[Case]:
    """Read every case of a Markdown file; tests/cases/README.md says what may stand in it."""
    sections = re.split(r"^## ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return [_case(path.stem, *section.split("\n", 1)) for section in sections]


def _case(topic: str, title: str, text: str) -> Case:
    tables = {name: _table(text, name) for name in ("payments", "orders", "expected")}
    has_transactions = "\ntransactions:\n\n|" in text
    settings = _settings(text)
    day = settings.pop("business_date", None)
    return Case(
        name=f"{topic}: {title.strip()}",
        policy=replace(_policy(settings), clean=_rules(text)),
        business_date=date.fromisoformat(day) if day else BUSINESS_DATE,
        payments=payments_table(tables["payments"]),
        orders=orders_table(tables["orders"]),
        transactions=transactions_table(_table(text, "transactions")) if has_transactions else None,
        expected=tables["expected"],
    )


def _rules(text: str) -> CleanRules:
    """Return the rules of a case, a table as in `[match.clean]`."""
    found = re.search(r"^clean: (.*)$", text, flags=re.MULTILINE)
    if not found:
        return NO_RULES
    rules = tomllib.loads(f"rules = {found[1]}")["rules"]
    chosen: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in rules.items()}
    chosen["replace"] = tuple(Replacement(one["pattern"], one["with"]) for one in rules.get("replace", ()))
    return CleanRules(**chosen)


def _settings(text: str) -> dict[str, str]:
    found = re.search(r"^policy: (.*)$", text, flags=re.MULTILINE)
    pairs = found[1].split(";") if found else []
    return {name.strip(): value.strip() for name, value in (pair.split("=") for pair in pairs)}


def _policy(settings: dict[str, str]) -> MatchPolicy:
    chosen: dict[str, Any] = {}
    currencies: dict[str, Tolerance] = {}
    population: dict[str, Any] = {}
    for name, value in settings.items():
        if name in Population.__struct_fields__:
            population[name] = tuple(value.split(",")) if name == "methods" else value == "true" or value
        elif " " in name:
            code, _, which = name.partition(" ")
            currencies[code] = Tolerance(cents=int(value)) if which == "tolerance_cents" else Tolerance(percent=value)
        elif name == "on":
            chosen[name] = tuple(key.strip() for key in value.split(","))
        else:
            chosen[name] = int(value) if _INTEGERS.match(name) else value
    return MatchPolicy(**chosen, tolerances=currencies, population=Population(**population))


def _table(text: str, name: str) -> list[Row]:
    found = re.search(rf"^{name}:\n\n((?:\|.*\n?)+)", text, flags=re.MULTILINE)
    assert found, f"the case has no table of {name}"
    header, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines())
    rows = [dict(zip(header, cells, strict=True)) for cells in lines]
    return [{column: _cell(column, text) for column, text in row.items() if column != "why"} for row in rows]


def _cell(column: str, text: str) -> Any:
    if text == "":
        return None
    if text.startswith('"'):
        return text[1:-1]
    if _INTEGERS.match(column):
        return int(text)
    if text in ("true", "false"):
        return text == "true"
    if column.endswith("_at"):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    return date.fromisoformat(text) if column.endswith("_on") and column != "matched_on" else text
