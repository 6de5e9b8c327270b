"""The order book against a plain one that takes delivery after delivery, file after file, row after row."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.matching.engines.duckdb import DuckDBEngine
from reconcile.matching.keys.leading import leading_keys
from reconcile.matching.keys.rules import CleanRules
from reconcile.matching.policy import MatchPolicy
from reconcile.orders.book import Keyed, bring_up_to_date
from reconcile.orders.report import BookReport
from reconcile.schema import DELIVERY, ORDERS

Row = dict[str, Any]
FIRST = date(2026, 11, 1)
ENGINE = DuckDBEngine()  # one for all: it takes longer to open than the books to build
NOT_CONTENT = ("source_file", "source_line", "delivered_on", "reference_raw", "amount_raw", "is_withdrawn")


def rows_of(name: str, rows: list[Row]) -> list[Row]:
    """Return the rows of one file with what they do not say."""
    return [
        dict.fromkeys(DELIVERY.names)
        | {"amount_cents": 100, "currency_code": "EUR", "source_file": name, "source_line": line, "is_withdrawn": False}
        | row
        for line, row in enumerate(rows, start=2)
    ]


def delivered(
    folder: Path, deliveries: list[list[Row]], policy: MatchPolicy | None = None
) -> tuple[list[Row], list[BookReport]]:
    """Bring an empty book up to date with `deliveries`, one a day; return its rows and each report."""
    path = folder / "book-0.parquet"
    pq.write_table(ORDERS.empty_table(), path)
    reports = []
    for day, rows in enumerate(deliveries, start=1):
        delivery, after = folder / f"delivery-{day}.parquet", folder / f"book-{day}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, DELIVERY), delivery)
        keyed = [Keyed(one, leading_keys(ENGINE, one, policy or MatchPolicy())) for one in (path, delivery)]
        reports.append(bring_up_to_date(ENGINE.connection, *keyed, after, delivered_on=FIRST + timedelta(days=day - 1)))
        path = after
    return pq.read_table(path).to_pylist(), reports


def plain(deliveries: list[list[Row]]) -> list[Row]:
    book: list[Row] = []
    for day, rows in enumerate(deliveries):
        for name in sorted({row["source_file"] for row in rows}):
            mine = [row for row in rows if row["source_file"] == name]
            book = [old for old in book if not any(replaces(new, old) for new in mine)]
            for place, row in enumerate(mine):
                if row["is_withdrawn"] or any(
                    later["is_withdrawn"] and key(later) == key(row) for later in mine[place:]
                ):
                    continue
                book.append(row | {"delivered_on": FIRST + timedelta(days=day)})
    return [{name: row[name] for name in ORDERS.names} for row in book]


def key(row: Row) -> tuple[Any, ...]:
    if row["document"] is not None:
        return ("document", row["document"])
    for name in ("reference", "order_number", "order_id"):
        if row[name] is not None:
            return (name, row[name])
    return tuple(row[name] for name in ("amount_cents", "currency_code", "ordered_on", "reference_raw", "method"))


def replaces(new: Row, old: Row) -> bool:
    if key(new) != key(old):
        return False
    numbers = [None if row["document"] is not None else row["order_number"] for row in (new, old)]
    return new["is_withdrawn"] or None in numbers or numbers[0] == numbers[1]


few_rows = st.lists(
    st.fixed_dictionaries(
        {
            "reference": st.sampled_from(["A", "A", "B", None]),
            "order_number": st.sampled_from(["1", "2", None]),
            "amount_cents": st.sampled_from([100, 200, None]),
            "currency_code": st.sampled_from(["EUR", "EUR", "SEK"]),
            "document": st.sampled_from([None, None, None, "D"]),
            "is_withdrawn": st.sampled_from([False, False, False, True]),
        }
    ),
    max_size=4,
)
deliveries_of_files = st.lists(
    st.dictionaries(st.sampled_from(["f1.csv", "f2.csv"]), few_rows, max_size=2), min_size=1, max_size=4
)


@settings(max_examples=8)
@given(world=deliveries_of_files)
def test_the_book_is_that_of_the_plain_one(world: list[dict[str, list[Row]]], tmp_path_factory: Any) -> None:
    assert_plain(world, tmp_path_factory)


@pytest.mark.slow
@settings(max_examples=60)
@given(world=deliveries_of_files)
def test_many_more_books_are_those_of_the_plain_one(world: list[dict[str, list[Row]]], tmp_path_factory: Any) -> None:
    assert_plain(world, tmp_path_factory)


def assert_plain(world: list[dict[str, list[Row]]], tmp_path_factory: Any) -> None:
    deliveries = [[row for name in sorted(files) for row in rows_of(name, files[name])] for files in world]
    found, reports = delivered(tmp_path_factory.mktemp("book"), deliveries)

    assert in_any_order(found) == in_any_order(plain(deliveries))
    for report in reports:
        ties(report)


def in_any_order(rows: list[Row]) -> list[str]:
    return sorted(map(repr, rows))


def ties(report: BookReport) -> None:
    """Before + changes = after, in rows and amounts of every currency."""
    balance: Counter[tuple[str | None, str]] = Counter()
    for sign, totals in ((1, report.before), (-1, report.after)):
        for total in totals:
            balance[total.currency_code, "rows"] += sign * total.rows
            balance[total.currency_code, "cents"] += sign * total.amount_cents
    for one in report.changes:
        balance[one.currency_code, "rows"] += one.rows_in - one.rows_out
        balance[one.currency_code, "cents"] += one.amount_in_cents - one.amount_out_cents
    assert not any(balance.values()), report


def counted(report: BookReport) -> dict[str, tuple[int, int]]:
    return {one.kind: (one.rows_out, one.rows_in) for one in report.changes}


def test_a_corrected_row_replaces_the_one_before_and_is_counted(tmp_path: Path) -> None:
    first = rows_of("o-1.csv", [{"reference": "R-1", "order_number": "1"}, {"reference": "R-2", "amount_cents": 210}])
    again = rows_of("o-2.csv", [{"reference": "R-2", "amount_cents": 200}, {"reference": "R-3"}])
    rows, (report,) = delivered(tmp_path, [first + again])

    assert [(row["reference"], row["amount_cents"]) for row in rows] == [("R-1", 100), ("R-2", 200), ("R-3", 100)]
    assert counted(report) == {"added": (0, 3), "replaced": (1, 1)}
    assert report.unlike == 0


def test_what_is_delivered_again_as_it_was_is_repeated(tmp_path: Path) -> None:
    rows, (_, report) = delivered(
        tmp_path, [rows_of("o.csv", [{"reference": "A"}, {"reference": "B"}]), rows_of("o.csv", [{"reference": "A"}])]
    )

    assert [(row["reference"], row["delivered_on"].day) for row in rows] == [("B", 1), ("A", 2)]
    assert counted(report) == {"repeated": (1, 1)}


def test_a_second_invoice_of_an_order_is_added_and_told(tmp_path: Path) -> None:
    rows, (_, report) = delivered(
        tmp_path,
        [
            rows_of("o.csv", [{"reference": "A", "order_number": "1"}]),
            rows_of("o.csv", [{"reference": "A", "order_number": "2"}]),
        ],
    )

    assert [row["order_number"] for row in rows] == ["1", "2"]
    assert counted(report) == {"added": (0, 1)}
    assert (report.unlike, report.unlike_keys) == (1, ("A",))


def test_fewer_rows_than_they_replace_are_told(tmp_path: Path) -> None:
    rows, (_, report) = delivered(
        tmp_path, [rows_of("o.csv", [{"reference": "A"}, {"reference": "A"}]), rows_of("o.csv", [{"reference": "A"}])]
    )

    assert len(rows) == 1
    assert counted(report) == {"repeated": (1, 1), "replaced": (1, 0)}
    assert report.unlike == 1


def test_a_document_replaces_itself_whatever_its_keys(tmp_path: Path) -> None:
    rows, _ = delivered(
        tmp_path,
        [
            rows_of("o.csv", [{"reference": "A", "document": "1"}, {"reference": "A", "document": "2"}]),
            rows_of("o.csv", [{"reference": "B", "document": "2", "amount_cents": 5}]),
        ],
    )

    assert [(row["reference"], row["document"], row["amount_cents"]) for row in rows] == [
        ("A", "1", 100),
        ("B", "2", 5),
    ]


def test_a_withdrawn_key_leaves_the_book_and_may_come_back(tmp_path: Path) -> None:
    gone = rows_of("o.csv", [{"reference": "A", "is_withdrawn": True}])
    rows, (_, report, _) = delivered(
        tmp_path, [rows_of("o.csv", [{"reference": "A"}]), gone, rows_of("o.csv", [{"reference": "A"}])]
    )

    assert counted(report) == {"withdrawn": (1, 0)}
    assert [row["delivered_on"].day for row in rows] == [3]


def test_keys_are_compared_under_the_clean_up_rules(tmp_path: Path) -> None:
    policy = MatchPolicy(clean=CleanRules(case="fold", strip_prefix=("po-",)))
    rows, _ = delivered(
        tmp_path,
        [rows_of("o.csv", [{"reference": "PO-A"}]), rows_of("o.csv", [{"reference": "a", "amount_cents": 7}])],
        policy,
    )

    assert [(row["reference"], row["amount_cents"]) for row in rows] == [("a", 7)]


def test_files_come_in_the_order_of_the_numbers_in_their_names(tmp_path: Path) -> None:
    rows, _ = delivered(
        tmp_path,
        [
            rows_of("b/o-10.csv", [{"reference": "A", "amount_cents": 10}])
            + rows_of("a/o-9.csv", [{"reference": "A", "amount_cents": 9}])
        ],
    )

    assert [row["amount_cents"] for row in rows] == [10]
