"""
Every case of tests/cases, on every engine.

On frames each case is run by itself. On DuckDB, which takes half a second to start, all cases of one policy are run in
one world, each with keys of its own: that the others change nothing is a property of the matching too. A case with
clean-up rules is a world by itself, since its keys must stay as they are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from matching_world import CASES, Case, MatchFiles, Row, match_pandas, read_cases

from reconcile.matching.policy import Status

FILES = sorted(path for path in CASES.glob("*.md") if path.name != "README.md")
ALL = [case for path in FILES for case in read_cases(path)]
KEYS = (
    "payment_id",
    "transaction_id",
    "reference",
    "order_reference",
    "order_number",
    "order_id",
    "reference_raw",
    "source_file",
)


def worlds() -> list[list[Case]]:
    by_settings: defaultdict[str, list[Case]] = defaultdict(list)
    for case in ALL:
        alone = case.name if case.policy.clean.names else ""
        by_settings[repr((case.policy, case.business_date, alone))].append(case)
    return list(by_settings.values())


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_case_on_frames(case: Case) -> None:
    settings = {"policy": case.policy, "business_date": case.business_date, "transactions": case.transactions}
    items, _ = match_pandas(case.payments, case.orders, **settings)

    assert shown(items.to_pylist(), case) == in_any_order(case.expected)


def some_quickly(found: list[list[Case]]) -> list[Any]:
    """Return the worlds, of which those that begin every other file of cases are not slow."""
    first: dict[str, list[Case]] = {}
    for cases in found:
        first.setdefault(cases[0].name.partition(":")[0], cases)
    quick = list(first.values())[::2]
    return [pytest.param(cases, id=cases[0].name, marks=() if cases in quick else pytest.mark.slow) for cases in found]


@pytest.mark.parametrize("cases", some_quickly(worlds()))
def test_cases_on_duckdb(cases: list[Case], tmp_path: Path) -> None:
    if len(cases) == 1:
        (case,) = cases
        settings = {"policy": case.policy, "business_date": case.business_date, "transactions": case.transactions}
        items, _ = MatchFiles(tmp_path)(case.payments, case.orders, **settings, memory_limit="200MB")
        assert shown(items.to_pylist(), case) == in_any_order(case.expected)
        return
    payments = pa.concat_tables(marked(case.payments, place) for place, case in enumerate(cases))
    orders = pa.concat_tables(marked(case.orders, place) for place, case in enumerate(cases))
    money = [marked(case.transactions, place) for place, case in enumerate(cases) if case.transactions is not None]
    settings = {"policy": cases[0].policy, "business_date": cases[0].business_date, "memory_limit": "200MB"}
    transactions = pa.concat_tables(money) if money else None
    items, _ = MatchFiles(tmp_path)(payments, orders, transactions=transactions, **settings)
    found = unmarked(items.to_pylist())

    assert [shown(found[place], case) for place, case in enumerate(cases)] == [
        in_any_order(case.expected) for case in cases
    ]


def marked(table: pa.Table, place: int) -> pa.Table:
    """Put "<place>/" before every key, after its leading blanks."""
    rows = [
        {
            name: re.sub(r"^(\s*)(?=\S)", rf"\g<1>{place}/", cell) if name in KEYS and cell else cell
            for name, cell in row.items()
        }
        for row in table.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=table.schema)


def unmarked(rows: list[Row]) -> dict[int, list[Row]]:
    found: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        place = (row["payment_id"] or row["order_source_file"]).partition("/")[0]
        found[int(place)].append(
            {name: cell.replace(f"{place}/", "", 1) if isinstance(cell, str) else cell for name, cell in row.items()}
        )
    return found


def shown(items: Iterable[Row], case: Case) -> list[str]:
    """Return the columns that the case shows."""
    return in_any_order({name: item[name] for name in case.expected[0]} for item in items)


def in_any_order(rows: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(repr(row) for row in rows)


def test_every_status_has_a_case() -> None:
    seen = {row["status"] for case in ALL for row in case.expected if "status" in row}

    assert seen == set(Status)


def test_every_table_of_every_case_is_read() -> None:
    """A table that the parser overlooks would make a case that cannot fail."""
    for path in FILES:
        text = path.read_text("utf-8")
        sections = text.count("\n## ")

        assert [text.count(f"\n{word}:\n\n|") for word in ("payments", "orders", "expected")] == [sections] * 3, path
        assert text.count("\n\n|") == sections * 3 + text.count("\ntransactions:\n\n|"), path
