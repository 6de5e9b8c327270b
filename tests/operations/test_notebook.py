"""A match and a run as a notebook has them: frames of any kind, what they show, are asked, and write."""

from __future__ import annotations

import asyncio
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from earlier_version import earlier_runs
from nights import night, said
from places import SAMPLE

import reconcile
from reconcile.matching.frames import table_of
from reconcile.payments.report import PullProgress
from reconcile.schema import ITEMS, ORDERS, PAYMENTS

SETTINGS: dict[str, Any] = {"tolerance_cents": 2, "lag_days": 1}
ON = "2026-11-20"
NULLABLE = {pa.int64(): pd.Int64Dtype(), pa.string(): pd.StringDtype(), pa.bool_(): pd.BooleanDtype()}
KINDS: dict[str, Callable[[pa.Table], Any]] = {
    "numpy": lambda table: table.replace_schema_metadata().to_pandas(integer_object_nulls=True),
    "numpy, with floats": lambda table: table.replace_schema_metadata().to_pandas(),
    "nullable": lambda table: table.to_pandas(types_mapper=NULLABLE.get),
    "Arrow dtypes": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "polars, lazy": lambda table: pl.from_arrow(table).lazy(),
    "arrow": lambda table: table,
    "duckdb": duckdb.from_arrow,
}
OF_RUN = ["run_id", "links_dashboard"]


@pytest.fixture
def run(workplace: Path) -> reconcile.Run[pa.Table]:
    """The run of the sample data, published by the command's own stage."""
    (workplace / "orders.csv").write_bytes((SAMPLE / "orders.csv").read_bytes())
    return reconcile.read_run(night(20, **SETTINGS), "arrow")


@pytest.fixture
def result(run: reconcile.Run[pa.Table]) -> reconcile.MatchResult[pd.DataFrame]:
    payments = run.payments.to_pandas(types_mapper=pd.ArrowDtype)
    return reconcile.match_payments(
        payments, reconcile.read_orders("orders.csv"), business_date=ON, mode="live", **SETTINGS
    )


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_any_kind_give_the_items_of_the_command(kind: str, run: reconcile.Run[pa.Table]) -> None:
    make = KINDS[kind]
    orders = reconcile.read_orders(make(run.orders))
    found = reconcile.match_payments(make(run.payments), orders, business_date=ON, mode="live", **SETTINGS)

    assert type(found.items) is type(found.breaks) is type(orders) is type(make(run.orders))
    assert table_of(orders, "orders").cast(ORDERS).equals(run.orders)
    for name in ("items", "breaks"):
        items, published = table_of(getattr(found, name), name).cast(ITEMS), getattr(run, name)
        assert items.drop_columns(OF_RUN).equals(published.drop_columns(OF_RUN)), name
    assert found.summary.statuses == run.summary.statuses


def test_one_line_asks_which_breaks_are_large_and_old_and_what_they_share(
    result: reconcile.MatchResult[pd.DataFrame], run: reconcile.Run[pa.Table]
) -> None:
    found = result.breaks_where(min_amount="100EUR", data_age=">3")
    breaks = result.breaks
    is_large = (breaks["at_stake_currency_code"] == "EUR") & (breaks["at_stake_cents"] >= 10000)
    plain = breaks[is_large & (breaks["data_age_days"] > 3)]

    assert set(found.items["item_id"]) == set(plain["item_id"])
    assert [(one.currency_code, one.count, one.at_stake_cents) for one in found.sums] == [
        ("EUR", len(plain), plain["at_stake_cents"].sum())
    ]
    assert found.items["at_stake_cents"].is_monotonic_decreasing
    of_run = run.breaks_where(min_amount="100EUR", data_age=">3")
    assert of_run.items["item_id"].to_pylist() == found.items["item_id"].tolist()
    assert of_run.sums == found.sums


def test_what_chosen_breaks_have_in_common_is_told_of_them_alone(result: reconcile.MatchResult[pd.DataFrame]) -> None:
    found = result.breaks_where(status="amount_mismatch", currency="USD")

    assert [pattern.text for pattern in found.patterns] == [
        "3 payments are 1.0825 times their order total: a tax, a discount, a unit?"
    ]
    assert repr(found).splitlines()[:5] == [
        "3 breaks",
        "- 3 payments are 1.0825 times their order total: a tax, a discount, a unit?",
        "",
        "USD: 18.20 at stake in 3 breaks",
        "At stake  Payment   Order  Difference  Data age  Status          Reference       Likely cause",
    ]


def test_a_question_may_have_several_answers_and_none(result: reconcile.MatchResult[pd.DataFrame]) -> None:
    several = result.breaks_where(status=["missing_order", "missing_payment"], data_age=["0-1", "4-7"])
    none = result.breaks_where(min_amount="1000000EUR", market=None)

    assert {"missing_order", "missing_payment"} == set(several.items["status"])
    assert set(several.items["data_age_days"]) <= {0, 1, 4, 5, 6, 7}
    assert (len(none.items), none.sums, none.patterns, repr(none)) == (0, (), (), "0 breaks")
    assert len(result.breaks_where(accepted=False).items) == len(result.breaks)


def world(reference: str = "A") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Frames of few columns: a pair that differs, one that agrees, one of two currencies, a payment that is alone."""
    moment = pd.Timestamp("2026-11-10", tz="UTC")
    payments = pd.DataFrame(
        {
            "payment_id": ["P1", "P2", "P3", "P4"],
            "reference": [reference, "B", "C", "D"],
            "created_at": moment,
            "order_id": ["O1", "O2", "O3", "O4"],
            "order_status": "placed",
            "total_amount_with_taxes_cents": [1000, 2000, 3000, 400000],
            "currency_code": ["EUR", "EUR", "SEK", "JPY"],
        }
    )
    orders = pd.DataFrame(
        {"reference": [reference, "B", "C"], "amount_cents": [1010, 2000, 3000], "currency_code": ["EUR", "EUR", "NOK"]}
    )
    return payments, orders


def test_a_result_shows_its_verdict_and_each_currency_by_itself() -> None:
    result = reconcile.match_payments(*world(), business_date=ON)

    assert [line.rstrip() for line in repr(result).splitlines()] == [
        "Exceptions to review: 3 breaks in 4 items",
        "2026-11-20 · due",
        "",
        "EUR: 0.10 at stake in 1 break, payments 30.00, orders 30.10, difference -0.10",
        "At stake  Payment  Order  Difference  Data age  Status          Reference",
        "    0.10    10.00  10.10       -0.10        10  Amount differs  A",
        "",
        "JPY: 400,000 at stake in 1 break, payments 400,000, orders 0, difference 400,000",
        "At stake  Payment  Order  Difference  Data age  Status          Reference",
        " 400,000  400,000                           10  No order found  D",
        "",
        "NOK: no breaks, payments 0.00, orders 30.00, difference -30.00",
        "",
        "SEK: 30.00 at stake in 1 break, payments 30.00, orders 0.00, difference 30.00",
        "At stake  Payment      Order  Difference  Data age  Status            Reference",
        "   30.00    30.00  30.00 NOK                    10  Currency differs  C",
    ]
    assert result.breaks["age_days"].tolist() == [0, 0, 0]  # seen for the first time
    assert result.breaks["data_age_days"].tolist() == [10, 10, 10]


def test_a_result_in_html_runs_nothing_that_the_data_says() -> None:
    shown = reconcile.match_payments(*world("<script>alert(1)</script>\u202e"), business_date=ON)._repr_html_()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;‹U+202E›" in shown
    assert "<script" not in shown
    assert shown.index("EUR: 0.10 at stake") < shown.index(">0.10<") < shown.index("JPY: 400,000 at stake")


def test_what_to_know_besides_is_told_with_the_result() -> None:
    payments, orders = world()
    payments["order_status"] = ["placed", "shipped", "placed", "placed"]
    orders["amount_cents"] = [100000, 200000, 3000]
    result = reconcile.match_payments(payments, orders, business_date=ON)

    assert [one.code for one in result.warnings] == ["unknown_statuses", "other_unit"]
    assert f"- {result.warnings[0].line}"[:40] in repr(result)


def test_a_result_becomes_a_run_folder_like_any_other(
    result: reconcile.MatchResult[pd.DataFrame], run: reconcile.Run[pa.Table]
) -> None:
    later = reconcile.match_payments(
        run.payments.to_pandas(types_mapper=pd.ArrowDtype),
        reconcile.read_orders("orders.csv"),
        business_date="2026-11-21",
        mode="live",
        **SETTINGS,
    ).to_folder("runs")
    elsewhere = result.to_folder("other")

    expected = run.items.drop_columns(OF_RUN)
    assert table_of(elsewhere.items, "items").cast(ITEMS).drop_columns(OF_RUN).equals(expected)
    assert sorted(path.name for path in elsewhere.folder.iterdir()) == sorted(
        path.name for path in [*run.folder.iterdir(), Path("report.html"), Path("report.xlsx")]
    )
    assert (later.folder, set(later.breaks["state"]), set(later.breaks["age_days"])) == (
        Path("runs/2026-11-21"),
        {"open", "new"},
        {0, 1},
    )
    for out in ("runs", "other"):
        verified = said("runs", "verify", "--out", out, "--replay")
        assert verified.exit_code == 0, verified.output


@pytest.mark.slow
def test_frames_of_few_columns_become_a_run_folder_and_reports_too() -> None:
    result = reconcile.match_payments(*world(), business_date=ON)
    run = result.to_folder("runs")
    page, workbook = result.report(), result.to_excel("november.xlsx")

    assert run.summary.statuses == result.summary.statuses
    assert (page, workbook) == (Path("report-2026-11-20.html"), Path("november.xlsx"))
    assert "3 breaks" in page.read_text(encoding="utf-8")
    assert zipfile.is_zipfile(workbook)
    assert run.report("again.html").read_bytes() == (run.folder / "report.html").read_bytes()
    assert run.to_excel("again.xlsx").read_bytes() == (run.folder / "report.xlsx").read_bytes()
    with pytest.raises(reconcile.ReconcileError, match="is in a published run, which is never changed"):
        run.report(run.folder / "mine.html")


def test_a_side_without_rows_has_reports_and_no_run_folder() -> None:
    payments, orders = world()
    result = reconcile.match_payments(payments, orders.iloc[:0], business_date=ON)

    assert [one.code for one in result.warnings] == ["empty_side"]
    assert "there are no orders" in result.report().read_text(encoding="utf-8")
    with pytest.raises(reconcile.ReconcileError, match="there are no orders: nothing can be reconciled"):
        result.to_folder()


@pytest.mark.parametrize(("stated", "problem"), [("30.00", None), ("30.01", "NOK: 30.01 stated, 30.00 read")])
def test_a_run_folder_is_compared_with_what_the_sender_states(stated: str, problem: str | None) -> None:
    settings = reconcile.Settings.of(expect_rows=3, expect_total={"EUR": "30.10", "NOK": stated})
    result = reconcile.match_payments(*world(), business_date=ON, settings=settings)

    if problem is None:
        assert result.to_folder().summary.counts.orders == 3
    else:
        with pytest.raises(reconcile.ReconcileError, match=re.escape(problem)):
            result.to_folder()


def test_a_frame_that_is_changed_after_the_match_changes_no_report() -> None:
    payments, orders = world()
    result = reconcile.match_payments(payments, orders, business_date=ON)
    orders.loc[:, "amount_cents"] = 0

    assert result.to_folder("runs").summary.statuses == result.summary.statuses


def test_a_run_is_read_as_the_kind_of_frame_that_is_wanted(run: reconcile.Run[pa.Table]) -> None:
    frames = reconcile.read_run("runs"), reconcile.read_run("runs/2026-11-20", "polars")

    for frame, type_ in zip(frames, (pd.DataFrame, pl.DataFrame), strict=True):
        assert {type(getattr(frame, name)) for name in ("items", "breaks", "payments", "orders")} == {type_}
        assert table_of(frame.items, "items").cast(ITEMS).equals(run.items)
    assert run.payments.schema.equals(PAYMENTS)
    assert run.transactions is None
    assert run.breaks.num_rows == run.summary.counts.breaks
    assert repr(run).startswith(f"Exceptions to review: {run.breaks.num_rows} breaks in {run.items.num_rows} items\n")
    assert run.summary.run_id in run._repr_html_()


def test_a_run_of_an_earlier_version_is_read_with_what_it_knew() -> None:
    *_, folder = earlier_runs(Path("runs"))
    run = reconcile.read_run(folder, "arrow")

    assert (run.items.schema, run.payments.schema, run.orders.schema) == (ITEMS, PAYMENTS, ORDERS)
    assert run.breaks_where().items.num_rows == run.breaks.num_rows == 9


def test_where_there_is_no_run_that_is_told() -> None:
    with pytest.raises(reconcile.ReconcileError, match="runs: there is no run"):
        reconcile.read_run("runs")
    with pytest.raises(reconcile.ReconcileError, match='frames "excel" is not one of pandas, polars, arrow'):
        reconcile.read_run("runs", "excel")  # type: ignore[call-overload]


def test_a_run_whose_tables_are_damaged_is_no_empty_frame(run: reconcile.Run[pa.Table]) -> None:
    (run.folder / "items.parquet").write_bytes(b"nothing")

    with pytest.raises(reconcile.ReconcileError, match=r"items\.parquet: cannot be read") as caught:
        _ = run.items
    assert caught.value.hint == "`reconcile runs verify` reports what was changed"


def business_date(**options: Any) -> date:
    (on,) = set(reconcile.match_payments(*world(), **options).items["business_date"])
    return on


def test_the_business_date_is_as_given_or_as_the_settings_say() -> None:
    settings = reconcile.Settings.of(date="2026-11-21")

    assert business_date(settings=settings) == date(2026, 11, 21)
    assert business_date(settings=settings, business_date="2026-11-22") == date(2026, 11, 22)
    assert business_date(business_date=date(2026, 11, 22)) == date(2026, 11, 22)
    assert business_date(business_date=pd.Timestamp("2026-11-22 23:00")) == date(2026, 11, 22)
    before = datetime.now(UTC).date()
    assert before <= business_date() <= datetime.now(UTC).date()


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: reconcile.match_payments(*world(), business_date=5), "business_date is of type int"),
    (lambda: reconcile.match_payments(*world(), business_date="20.11.2026"), 'date "20.11.2026" is not a date'),
    (lambda: reconcile.match_payments(*world(), business_date="0001-01-01"), "0001-01-01: is not a business date"),
    (lambda: reconcile.match_payments(*world(), lag_days="soon"), "lag_days: expected a whole number"),
    (lambda: reconcile.match_payments(*world(), on="reference"), "on: expected a list"),
    (lambda: reconcile.match_payments(*world(), settings={"lag_days": 1}), "settings are of type dict"),
    (lambda: reconcile.read_orders("orders.csv", settings="reconcile.toml"), "settings are of type str"),
    (lambda: reconcile.match_payments("payments.csv", world()[1]), 'payments: is the path "payments.csv", not a frame'),
    (lambda: reconcile.match_payments(reconcile.pull_payments(), world()[1]), "payments: is a coroutine, not a frame"),
    (lambda: reconcile.match_payments(*world(), transactions=pd.DataFrame()), "transactions: has no columns"),
    (
        lambda: reconcile.match_payments(*world()).breaks_where(older_than=3),
        "there is no older_than here",
    ),
    (lambda: reconcile.match_payments(*world()).breaks_where(age=0.5), '--age "0.5": is not a number of days'),
    (
        lambda: reconcile.match_payments(*world()).breaks_where(min_amount=100),
        '--min-amount "100": is not an amount with its currency',
    ),
    (
        lambda: reconcile.match_payments(*world()).breaks_where(market="Mars"),
        '--market "Mars": there is no such market',
    ),
]


@pytest.mark.parametrize(("call", "problem"), BAD)
def test_what_a_call_cannot_use_is_told_in_words(call: Callable[[], Any], problem: str) -> None:
    with pytest.raises(reconcile.ReconcileError) as caught:
        call()

    assert caught.value.message.startswith(problem)


@pytest.fixture
def access(values: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the environment at the sandbox."""
    monkeypatch.setenv("RECONCILE_CLIENT_ID", values["client_id"])
    monkeypatch.setenv("RECONCILE_CLIENT_SECRET", values["client_secret"])
    monkeypatch.setenv("RECONCILE_API_URL", values["api"])


@pytest.mark.usefixtures("access")
async def test_calls_without_await_work_where_a_loop_runs() -> None:
    assert asyncio.get_running_loop().is_running()
    payments = reconcile.pull_payments_sync(money=False)
    first = payments["payment_id"].iloc[0]

    assert reconcile.fetch_payment_sync(first) == await reconcile.fetch_payment(first)
    pd.testing.assert_frame_equal(payments, await reconcile.pull_payments(money=False))


@pytest.mark.usefixtures("access")
def test_calls_without_await_work_in_a_script() -> None:
    told: list[PullProgress] = []
    payments = reconcile.pull_payments_sync(on_progress=told.append)

    assert len(payments) == told[-1].payments == 400


@pytest.mark.usefixtures("access")
def test_a_script_hears_of_a_pull_in_its_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="reconcile.run"):
        reconcile.pull_payments_sync(money=False)

    assert "pulled 400 payments, complete" in caplog.messages
