"""Items as they are published: ids that last, what history adds, bytes, proof, and what is refused."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_world import (
    BUSINESS_DATE,
    Match,
    MatchFiles,
    match_arrow,
    orders_table,
    payments_table,
    transactions_table,
)

from reconcile.errors import InputError, OrderFileError, PaymentFileError, ProofFailed, SettingsError
from reconcile.history.identity import BEFORE, HISTORY
from reconcile.history.states import BreakStates
from reconcile.keys import clean_key
from reconcile.matching.incoming import payments_in
from reconcile.matching.items import GROUPED, RunFacts
from reconcile.matching.match import match_frames, match_to_parquet
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.proof import prove, side_facts
from reconcile.matching.tolerance import Tolerance
from reconcile.money import AMOUNT_LIMIT
from reconcile.schema import ITEMS

POLICY = MatchPolicy()
RUN = RunFacts(BUSINESS_DATE, None)


def item_ids(orders: list[dict[str, Any]], **settings: Any) -> dict[int, str]:
    """Return the item_id of each order row, by its line."""
    items, _ = match_arrow(payments_table([]), orders_table(orders), policy=MatchPolicy(**settings))
    return {item["order_source_line"]: item["item_id"] for item in items.to_pylist()}


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_an_item_id_is_a_digest_of_the_payment_id_or_of_the_order_rows_keys(match: Match) -> None:
    payments = payments_table([{"payment_id": "ü1", "reference": "A"}, {"reference": "B"}])
    orders = orders_table([{"reference": "A"}, {"reference": "Zü", "order_number": "17"}, {"reference": "Zü"}])
    items, _ = match(payments, orders, policy=POLICY)

    assert {item["item_id"] for item in items.to_pylist()} == {
        md5("payment:ü1"),
        md5("payment:P2"),
        md5("order:2:Zü:2:17:0::1"),
        md5("order:2:Zü:0::0::1"),
    }


def test_equal_order_rows_are_told_apart_and_keep_their_ids_when_files_are_renamed() -> None:
    rows = [{"reference": "A", "amount_cents": cents} for cents in (30, 10, 20)]
    before = item_ids(rows)
    moved = [{**row, "source_file": f"z{place}.csv", "line": 90 - place} for place, row in enumerate(rows)]
    after = item_ids(moved)

    assert len(set(before.values())) == 3
    assert [before[2], before[3], before[4]] == [after[90], after[89], after[88]]


def test_keys_that_look_alike_when_joined_have_different_ids() -> None:
    ids = item_ids([{"reference": "A:0:", "order_number": "B"}, {"reference": "A", "order_number": ":0:B"}])

    assert len(set(ids.values())) == 2


def test_a_group_keeps_its_id_when_a_row_is_added() -> None:
    one = item_ids([{"reference": "A", "line": 5}], group_orders="sum")
    two = item_ids([{"reference": "A", "line": 5}, {"reference": "A", "line": 3}], group_orders="sum")

    assert set(one.values()) == set(two.values())


@pytest.mark.parametrize("files", [3, 400])
def test_items_are_in_the_order_of_the_bytes_of_their_texts(match: Match, files: int) -> None:
    names = ["Ä.csv", "z.csv", "a.csv", "𝄞.csv", "\uff21.csv", *(f"{n}.csv" for n in range(files))]
    rows = [{"reference": "A", "source_file": name, "line": 2, "currency_code": None} for name in names]
    rows += [{"reference": None, "source_file": None, "line": None}, {"reference": "A", "source_file": None}]
    payments = payments_table([{"reference": "A", "mode": None, "order_status": None, "payment_status": 'it\'s "x"'}])
    items, _ = match(payments, orders_table(rows), policy=POLICY)

    found = [item for item in items.to_pylist() if item["status"] == "duplicate_reference"]
    places = [item["order_source_file"] for item in found]
    assert places == [*sorted(names, key=lambda name: name.encode()), None]
    (payment,) = (item for item in items.to_pylist() if item["payment_id"])
    assert (payment["mode"], payment["order_status"], payment["payment_status"]) == (None, None, 'it\'s "x"')


def test_a_reference_is_told_as_it_was_written_on_each_side(match: Match) -> None:
    payments = payments_table(
        [
            {"payment_id": "P1", "reference": " A ", "order_reference": "A", "order_number": "1"},
            {"payment_id": "P2", "reference": None, "order_reference": "B", "order_number": "2"},
            {"payment_id": "P3", "reference": " ", "order_reference": None, "order_number": "3"},
            {"payment_id": "P4", "reference": "D", "order_reference": "D ", "order_number": "4"},
        ]
    )
    orders = orders_table(
        [
            {"reference": "A"},
            *({"reference": key, "order_number": n} for key, n in (("B", "2"), ("C", "3"))),
            {"reference": "E"},
        ]
    )
    items, _ = match(payments, orders, policy=POLICY)

    written = {item["payment_id"]: item for item in items.to_pylist()}
    shown = {
        id_: (item["reference"], item["payment_reference"], item["order_reference"]) for id_, item in written.items()
    }
    assert shown == {
        "P1": ("A", " A ", "A"),
        "P2": ("B", None, "B"),
        "P3": ("C", " ", None),
        "P4": ("D", "D", "D "),
        None: ("E", None, "E"),
    }


def test_history_fills_the_ledger_columns_of_breaks_only(match: Match) -> None:
    payments = payments_table([{"reference": key} for key in ("A", "B", "C", "D")])
    orders = orders_table([{"reference": "D"}])
    ids = {name: md5(f"payment:{name}") for name in ("P1", "P2", "P4")}
    seen = {"P1": date(2026, 3, 1), "P2": date(2026, 3, 31), "P4": date(2026, 3, 31)}
    known = [{"item_id": id_, "break_id": id_, "first_seen_on": seen[name]} for name, id_ in ids.items()]
    before = [
        dict.fromkeys(BEFORE.names) | {"item_id": ids[name], "break_id": ids[name], "status": "missing_order"}
        for name in ("P1", "P4")
    ]
    states = BreakStates(
        BUSINESS_DATE,
        before=pa.Table.from_pylist(before, schema=BEFORE),
        history=pa.Table.from_pylist(known, schema=HISTORY),
    )
    items, _ = match(payments, orders, policy=POLICY, states=states)

    shown = ["payment_id", "first_seen_on", "last_seen_on", "age_days", "state"]
    assert items.select(shown).sort_by("payment_id").to_pylist() == [
        dict(zip(shown, row, strict=True))
        for row in [
            ("P1", date(2026, 3, 1), BUSINESS_DATE, 31, "open"),
            ("P2", date(2026, 3, 31), BUSINESS_DATE, 1, "reopened"),
            ("P3", BUSINESS_DATE, BUSINESS_DATE, 0, "new"),
            ("P4", None, None, None, None),
        ]
    ]


@pytest.mark.slow
def test_breaks_known_again_give_equal_bytes_whatever_their_order(tmp_path: Path) -> None:
    payments = payments_table([{"reference": f"R{number % 40}", "order_number": f"{number}"} for number in range(60)])
    orders = orders_table([{"reference": f"R{number % 50}", "order_number": f"{number + 20}"} for number in range(60)])
    MatchFiles(tmp_path)(payments, orders, policy=POLICY)
    before = pq.read_table(tmp_path / "items.parquet", filters=[("is_break", "=", True)]).select(BEFORE.names)
    states = BreakStates(BUSINESS_DATE, before=before.slice(0, before.num_rows // 2).cast(BEFORE))
    seen = set()
    for files, side in itertools.product((MatchFiles(tmp_path), MatchFiles(tmp_path, large=False)), (1, -1)):
        rows = [table.take(pa.array(range(table.num_rows)[::side])) for table in (payments, orders)]
        items, _ = files(*rows, policy=POLICY, states=states, threads=2)
        seen.add((tmp_path / "items.parquet").read_bytes())
        frame, _ = match_arrow(*rows, policy=POLICY, states=states)
        assert frame.equals(items)

    assert len(seen) == 1
    assert {"open", "new"} <= set(items.column("state").to_pylist())


def test_an_item_carries_what_both_sides_say(match: Match) -> None:
    moment = datetime(2026, 3, 1, 10, tzinfo=UTC)
    payments = payments_table(
        [{"reference": " A", "order_number": "17", "order_reference": "so-1", "placed_at": moment}]
    )
    items, _ = match(payments, orders_table([{"reference": "A", "line": 7}]), policy=POLICY, run_id="r1")
    (item,) = items.to_pylist()

    assert item["reference"] == "A"
    assert item["payment_reference"] == " A"
    assert (item["order_id"], item["order_number"], item["order_reference"]) == ("O1", "17", "so-1")
    assert (item["order_source_file"], item["order_source_line"]) == ("orders.csv", 7)
    assert (item["placed_at"], item["run_id"], item["business_date"]) == (moment, "r1", BUSINESS_DATE)


@pytest.mark.parametrize(("organization", "link"), [("my-shop", "my-shop/orders/list/A"), (None, None)])
def test_an_item_has_the_page_of_its_order_in_the_dashboard(organization: str | None, link: str | None) -> None:
    payments = [{"order_id": "A", "mode": "test"}, {"order_id": None}, {"order_id": "C", "mode": None}]
    facts = RunFacts(BUSINESS_DATE, None, organization=organization)
    items = match_frames(payments_table(payments), orders_table([{"order_id": "D"}]), POLICY, facts).items

    links = {item["order_id"]: item["links_dashboard"] for item in items.to_pylist()}
    expected = None if link is None else f"https://dashboard.commercelayer.io/test/{link}"
    assert links == {"A": expected, None: None, "C": None, "D": None}


def test_what_went_in_is_added_up_from_the_files_by_the_same_amounts(tmp_path: Path) -> None:
    sums = {"authorized_amount_cents": 0, "refunded_amount_cents": 500, "voided_amount_cents": 0}
    payments = [
        {"reference": "R1", "order_id": "A", "captured_amount_cents": 10000, **sums},
        {"reference": "R2", "order_id": "A", "captured_amount_cents": 10000, **sums},
        {"reference": "R3", "captured_amount_cents": 2**60, **sums},
        {"reference": "R4", "order_id": " "},
        {"reference": "R5", "currency_code": " "},
        {"reference": "R6", "currency_code": "SEK", "payment_status": "partially_paid"},
        {"reference": "R7", "currency_code": "SEK", "is_current_source": False},
        {"reference": "R8", "currency_code": "SEK", "amount_cents": 700},
    ]
    transactions = [
        {"type": "captures", "order_id": "A", "payment_id": "P1", "amount_cents": 4000},
        {"type": "captures", "order_id": "A", "payment_id": "P2", "amount_cents": 6000},
        {"type": "refunds", "order_id": "A", "payment_id": "P2", "amount_cents": 500},
    ]
    files = MatchFiles(tmp_path, large=False)
    tables = payments_table(payments), orders_table([{"reference": "R1"}]), transactions_table(transactions)
    _, report = files(*tables[:2], policy=POLICY, transactions=tables[2])

    sides = tmp_path / "payments.parquet", tmp_path / "transactions.parquet"
    found = payments_in(*sides, amount_basis="due")
    assert {(one.currency_code, one.rows, one.amount_cents) for one in found} == {
        ("EUR", 4, 9500),
        ("SEK", 3, 700),
        (None, 1, 10000),
    }
    assert set(found) == set(report.payments.totals)


@pytest.mark.slow
def test_equal_inputs_give_equal_bytes_whatever_their_order(tmp_path: Path) -> None:
    files = MatchFiles(tmp_path)
    payments = payments_table([{"reference": f"R{number % 40}", "order_number": f"{number}"} for number in range(60)])
    rows = [{"reference": f"R{number % 50}", "order_number": f"{number + 20}"} for number in range(60)]
    orders = orders_table([*rows, *({"reference": "twice", "line": line} for line in (9, 8, None, None))])
    files(payments, orders, policy=POLICY)
    first = (tmp_path / "items.parquet").read_bytes()
    backwards = [table.take(pa.array(range(table.num_rows - 1, -1, -1))) for table in (payments, orders)]
    for again in (files, MatchFiles(tmp_path, large=False)):
        again(*backwards, policy=POLICY, threads=2)

        assert (tmp_path / "items.parquet").read_bytes() == first


def test_nothing_but_the_items_is_left_in_the_folder(tmp_path: Path) -> None:
    MatchFiles(tmp_path)(payments_table([]), orders_table([]), policy=POLICY)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["items.parquet", "orders.parquet", "payments.parquet"]


def test_empty_sides_give_empty_items(match: Match) -> None:
    items, report = match(payments_table([]), orders_table([]), policy=POLICY)

    assert items.num_rows == report.items == 0
    assert items.schema.equals(ITEMS)


def test_the_report_profiles_keys_and_passes(match: Match) -> None:
    payments = payments_table(
        [{"reference": "A", "order_number": "1"}, {"reference": "B"}, {"reference": "B"}, {"reference": " "}, {}]
    )
    orders = orders_table([{"reference": "A"}, {"reference": "B"}, {"reference": None, "order_number": "7"}])
    _, report = match(payments, orders, policy=POLICY)
    profile = msgspec.to_builtins(report.key_profile)

    assert profile["payments"][0] == {"key": "reference", "rows": 5, "null": 1, "blank": 1}
    assert profile["orders"][0] == {"key": "reference", "rows": 3, "null": 1, "blank": 0}
    assert profile["passes"][0] == {
        "key": "reference",
        "payments": 3,
        "orders": 2,
        "payment_keys_twice": 1,
        "order_keys_twice": 0,
        "shared_keys": 2,
        "pairs": 1,
    }


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    rows=st.lists(st.tuples(st.integers(-(2**54), 2**54), st.integers(-(10**6), 10**6)), min_size=1, max_size=30),
    percent=st.decimals(0, 100, places=4),
)
def test_a_percentage_of_any_amount_is_exact(rows: list[tuple[int, int]], percent: Any) -> None:
    payments = payments_table([{"reference": str(i), "amount_cents": a + d} for i, (a, d) in enumerate(rows)])
    orders = orders_table([{"reference": str(i), "amount_cents": a} for i, (a, _) in enumerate(rows)])
    tolerance = Tolerance(percent=str(percent))
    items, _ = match_arrow(payments, orders, policy=MatchPolicy(tolerance_percent=tolerance.percent))

    millionths = tolerance.millionths or 0
    agree = {str(i): abs(d) * 10**6 <= abs(a) * millionths for i, (a, d) in enumerate(rows)}
    assert {item["reference"]: item["amounts_agree"] for item in items.to_pylist()} == agree


@given(st.text())
def test_a_clean_key_stays_as_it_is(text: str) -> None:
    key = clean_key(text)

    assert key is None or clean_key(key) == key


def refused(payments: pa.Table, orders: pa.Table, **given_settings: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        match_frames(payments, orders, POLICY, RUN, **given_settings)
    return caught.value


def test_a_payment_that_comes_twice_is_refused() -> None:
    error = refused(payments_table([{"payment_id": "P"}, {"payment_id": "P"}]), orders_table([]))

    assert (type(error), error.message) == (PaymentFileError, 'payments: payment_id "P" is on 2 rows')


def test_a_group_that_could_overflow_is_refused() -> None:
    rows = [{"reference": "A", "amount_cents": AMOUNT_LIMIT - 1}] * 65
    with pytest.raises(OrderFileError, match="too large to be summed"):
        match_frames(
            payments_table([]),
            orders_table(rows),
            MatchPolicy(group_orders="sum"),
            RUN,
        )


def as_floats(orders: pa.Table, values: list[float | None], kind: pa.DataType) -> pa.Table:
    return orders.set_column(orders.column_names.index("amount_cents"), "amount_cents", pa.array(values, kind))


def with_pandas(orders: pa.Table, dtype: str) -> pd.DataFrame:
    frame = orders.to_pandas()
    return frame.assign(amount_cents=frame["amount_cents"].astype(dtype))


KINDS_OF_FLOATS: dict[str, Callable[[pa.Table], Any]] = {
    "numpy": lambda orders: with_pandas(orders, "float64"),
    "nullable": lambda orders: with_pandas(orders, "Float64"),
    "Arrow in pandas": lambda orders: with_pandas(orders, "double[pyarrow]"),
    "Arrow": lambda orders: as_floats(orders, [None, 10000.0, 2.0**53 - 1], pa.float64()),
    "Arrow with NaN": lambda orders: as_floats(orders, [math.nan, 10000.0, 2.0**53 - 1], pa.float64()),
}


@pytest.mark.parametrize("kind", KINDS_OF_FLOATS)
def test_minor_units_that_a_null_has_made_floats_are_what_they_were(kind: str) -> None:
    payments = payments_table([{"reference": key} for key in "ABC"])
    orders = orders_table([{"reference": key} for key in "ABC"])
    whole = orders.set_column(
        orders.column_names.index("amount_cents"), "amount_cents", pa.array([None, 10000, 2**53 - 1], pa.int64())
    )

    items = match_frames(payments, KINDS_OF_FLOATS[kind](whole), POLICY, RUN).items

    assert items.equals(match_frames(payments, whole, POLICY, RUN).items)
    assert items.column("status").to_pylist() == ["amount_mismatch", "amount_unknown", "matched"]


@pytest.mark.parametrize(
    ("value", "shown"), [(12.5, "12.5"), (2.0**53, "9007199254740992.0"), (math.inf, "inf"), (-(2.0**60), "-1.15")]
)
def test_floats_that_are_no_whole_minor_units_are_refused_by_their_row(value: float, shown: str) -> None:
    orders = orders_table([{"reference": key} for key in "ABC"])
    error = refused(payments_table([]), as_floats(orders, [1.0, None, value], pa.float64()))

    assert error.message.startswith(f'orders: row 3 of column "amount_cents" is {shown}')
    assert error.message.endswith("which is no whole number")
    assert "dtype_backend" in str(error.hint)


def test_amounts_that_became_small_floats_are_refused_with_the_remedy() -> None:
    error = refused(payments_table([]), as_floats(orders_table([{"reference": "A"}]), [1.0], pa.float32()))

    assert error.message == 'orders: column "amount_cents" is float'
    assert "dtype_backend" in str(error.hint)


def test_a_frame_without_its_columns_is_refused() -> None:
    assert refused(pa.table({"reference": ["A"]}), orders_table([])).message == 'payments: has no column "payment_id"'
    no_key = refused(payments_table([]), pa.table({"amount_cents": [1]}))
    assert no_key.message == "orders: has none of the key columns reference, order_number, order_id"


def test_an_ordinary_pandas_frame_of_few_columns_will_do() -> None:
    payments = pd.DataFrame(
        {
            "payment_id": ["p1"],
            "reference": ["A"],
            "created_at": pd.to_datetime(["2026-03-01T10:00:00Z"]),
            "order_id": ["o1"],
            "order_status": ["placed"],
            "total_amount_with_taxes_cents": [100],
            "currency_code": ["EUR"],
        }
    )
    orders = pd.DataFrame({"reference": ["A"], "amount_cents": [100], "currency_code": ["EUR"]})
    result = match_frames(payments, orders, POLICY, RUN)

    assert result.items["status"].tolist() == ["matched"]
    assert str(result.items["payment_amount_cents"].dtype) == "int64[pyarrow]"


def test_a_file_is_found_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's [2026] *"
    folder.mkdir()
    items, _ = MatchFiles(folder)(payments_table([{"reference": "A"}]), orders_table([]), policy=POLICY)

    assert items.num_rows == 1


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    orders = tmp_path / "orders.parquet"
    orders.write_text("no parquet")
    pq.write_table(payments_table([]), tmp_path / "payments.parquet")

    def matched(payments: Path) -> None:
        match_to_parquet(payments, orders, tmp_path / "items", POLICY, RUN)

    with pytest.raises(OrderFileError, match="is not a Parquet file"):
        matched(tmp_path / "payments.parquet")
    with pytest.raises(PaymentFileError, match="no such file"):
        matched(tmp_path / "nothing.parquet")


def test_an_engine_that_does_not_exist_is_a_setting_to_mend(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='engine "abacus" is not one of duckdb'):
        MatchFiles(tmp_path)(payments_table([]), orders_table([]), policy=POLICY, engine="abacus")
    with pytest.raises(SettingsError, match="the engine refuses its settings"):
        MatchFiles(tmp_path)(payments_table([]), orders_table([]), policy=POLICY, memory_limit="much")


@pytest.mark.parametrize(
    "broken",
    [
        lambda items: items.slice(1),
        lambda items: pa.concat_tables([items, items.slice(0, 1)]),
        lambda items: pa.concat_tables([items.slice(0, 1), items.slice(0, 1), *([items.slice(2)])]),
    ],
    ids=["a row is lost", "a row is there twice", "one row stands for another"],
)
def test_items_that_do_not_account_for_every_row_fail_the_proof(broken: Any) -> None:
    payments, orders = payments_table([{"reference": "A"}, {"reference": "B"}]), orders_table([{"reference": "C"}])
    items, _ = match_arrow(payments, orders, policy=POLICY)
    with duckdb.connect() as connection:
        sides = {
            "payments": connection.from_arrow(payments).project(
                "payment_id AS p_id, reference AS p_reference, reference AS p_reference_raw,"
                "created_at AS p_created_at,"
                "order_number AS p_order_number, order_reference AS p_order_reference, order_id AS p_order_id,"
                "currency_code AS p_currency,"
                "total_amount_with_taxes_cents AS p_amount"
            ),
            "orders": connection.from_arrow(orders).project(
                "reference AS o_reference, reference_raw AS o_reference_raw, order_number AS o_order_number,"
                "order_id AS o_order_id, amount_cents AS o_amount, currency_code AS o_currency,"
                "source_file AS o_source_file, source_line AS o_source_line"
            ),
        }
        facts = [side_facts(relation, relation, side, side) for side, relation in sides.items()]
        several = connection.from_arrow(GROUPED.empty_table())
        whole = prove(connection.from_arrow(items), several, *facts)

        assert sum(total.rows for total in whole.outgoing) == 3
        with pytest.raises(ProofFailed, match="do not account for both sides"):
            prove(connection.from_arrow(broken(items)), several, *facts)
