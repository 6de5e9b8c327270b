"""The library in a notebook: the README's example runs, and frames keep their types."""

from __future__ import annotations

import ast
import asyncio
import os
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from places import ROOT, SAMPLE

import reconcile
from reconcile.runs.verify import altered_files
from reconcile.schema import ITEMS, ORDERS, PAYMENTS

MONEY = (
    "cancelled_at", "payment_gateway_name", "market_id", "market_name", "order_source_type", "is_current_source",
    "authorized_amount_cents", "captured_amount_cents", "refunded_amount_cents", "voided_amount_cents",
)  # fmt: skip
"""Columns of PAYMENTS that come with an order's money: null where that was not read."""


@pytest.fixture
def access(values: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the environment at the sandbox, as a notebook's would be at the API."""
    monkeypatch.setenv("RECONCILE_CLIENT_ID", values["client_id"])
    monkeypatch.setenv("RECONCILE_CLIENT_SECRET", values["client_secret"])
    monkeypatch.setenv("RECONCILE_API_URL", values["api"])


@pytest.mark.usefixtures("access")
async def test_the_example_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"<!-- example:begin -->\n```python\n(.*?)```\n<!-- example:end -->", text, re.DOTALL)
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    code = compile(example, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(code, names)

    assert len(names["payments"]) == 400
    assert names["result"].summary.counts.items == 408
    assert names["payments"]["total_amount_with_taxes_cents"].dtype == "int64[pyarrow]"


@pytest.mark.usefixtures("access")
async def test_the_library_finds_the_items_of_the_command(values: dict[str, str], workplace: Path) -> None:
    payments = await reconcile.pull_payments()
    orders = reconcile.read_orders(SAMPLE / "orders.csv")
    night = date(2026, 11, 20)
    result = reconcile.match_payments(payments, orders, business_date=night, tolerance_cents=2, lag_days=1)
    settings = reconcile.load_settings(
        environ={"RECONCILE_API_URL": values["api"], "RECONCILE_ORDERS": str(SAMPLE / "orders.csv")},
        options={"tolerance_cents": 2, "lag_days": 1},
    )
    secrets = reconcile.Secrets(values["client_id"], values["client_secret"])
    published = reconcile.run_reconciliation(settings, secrets, business_date=night)

    # Frames know neither of which organization they are, nor on which day money was refunded.
    of_run = ["run_id", "links_dashboard", "suggestion"]
    theirs = pd.read_parquet(published.folder / "items.parquet", dtype_backend="pyarrow")
    pd.testing.assert_frame_equal(result.items.drop(columns=of_run), theirs.drop(columns=of_run))
    breaks = pd.read_parquet(published.folder / "breaks.parquet", dtype_backend="pyarrow")
    pd.testing.assert_frame_equal(result.breaks.drop(columns=of_run), breaks.drop(columns=of_run))
    for part in ("statuses", "control", "flag_agreement", "aging", "key_profile"):
        assert getattr(result.summary, part) == getattr(published.summary, part), part
    assert [path.name for path in reconcile.published_runs(settings.out)] == ["2026-11-20"]
    assert altered_files(published.folder) == []


@pytest.mark.usefixtures("access")
async def test_payments_may_be_pulled_without_the_money_of_their_orders() -> None:
    whole, short = await reconcile.pull_payments(), await reconcile.pull_payments(money=False)

    empty = [*MONEY, "payment_gateway_id"]
    assert short[empty].isna().all().all()
    assert whole["captured_amount_cents"].sum() > 0
    pd.testing.assert_frame_equal(whole.drop(columns=empty), short.drop(columns=empty))


@pytest.mark.usefixtures("access")
async def test_no_column_of_a_frame_is_a_float_or_an_object() -> None:
    payments = await reconcile.pull_payments()
    orders = reconcile.read_orders(SAMPLE / "orders.csv")
    items = reconcile.match_payments(payments, orders).items

    for frame, schema in ((payments, PAYMENTS), (orders, ORDERS), (items, ITEMS)):
        assert list(frame.columns) == schema.names
        assert all(isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes)
        assert [dtype.pyarrow_dtype for dtype in frame.dtypes] == schema.types


@pytest.mark.usefixtures("access")
async def test_settings_serve_all_three_calls(workplace: Path) -> None:
    Path("orders.csv").write_text("Referenz;Betrag\nNW-2610-100408;1.701,50\n", encoding="utf-8")
    toml = """
    [orders]
    decimal = ","
    thousands = "."
    currency = "SEK"
    [orders.columns]
    reference = "Referenz"
    amount = "Betrag"
    [match]
    tolerance_cents = 50
    """
    Path("reconcile.toml").write_text(toml, encoding="utf-8")
    settings = reconcile.load_settings(environ=os.environ)
    payments = await reconcile.pull_payments(settings=settings)
    orders = reconcile.read_orders("orders.csv", settings=settings)
    result = reconcile.match_payments(payments, orders, settings=settings, business_date="2026-11-20")

    counts = {line.status: line.count for line in result.summary.statuses}
    assert counts["within_tolerance"] == 1
    assert repr(result) == f"MatchResult(400 items, {len(result.breaks)} breaks)"


def test_clean_up_rules_are_a_dictionary(workplace: Path) -> None:
    Path("orders.csv").write_text("reference,total,currency\nPO-ab1,10.00,EUR\n", encoding="utf-8")
    moment = pd.Timestamp("2026-11-01", tz="UTC")
    payments = pd.DataFrame(
        {
            "payment_id": ["P1"],
            "reference": ["AB1"],
            "created_at": [moment],
            "total_amount_with_taxes_cents": [1000],
            "currency_code": ["EUR"],
        }
    ).convert_dtypes(dtype_backend="pyarrow")
    orders = reconcile.read_orders("orders.csv")
    clean = {"case": "fold", "strip_prefix": ["PO-"], "replace": [{"pattern": "B", "with": "C"}]}
    result = reconcile.match_payments(payments, orders, clean=clean, business_date="2026-11-20")

    assert result.items["reference"].tolist() == ["ac1"]
    assert result.items["payment_reference"].tolist() == ["AB1"]
    assert [one.changed["strip_prefix"] for one in result.summary.key_profile.cleaning] == [0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: reconcile.read_orders("orders.csv", amount="x"), "there is no amount here"),
        (lambda: reconcile.match_payments(pd.DataFrame(), pd.DataFrame(), lag=1), "there is no lag here"),
        (
            lambda: reconcile.match_payments(pd.DataFrame(), pd.DataFrame(), clean={"cases": "fold"}),
            "clean: [match.clean] cases: there is no such setting (did you mean [match.clean] case?)",
        ),
        (lambda: asyncio.run(reconcile.pull_payments(organisation="x")), "there is no organisation here"),
        (
            lambda: reconcile.match_payments(pd.DataFrame(), pd.DataFrame(), tolerance_percent=0.5),
            "tolerance_percent 0.5 is a float, which is not exactly the number as written",
        ),
        (
            lambda: reconcile.match_payments(pd.DataFrame(), pd.DataFrame(), tolerance_cents=2.5),
            "tolerance_cents: expected a whole number",
        ),
    ],
)
def test_what_makes_no_sense_is_told_in_words(call: Callable[[], Any], problem: str) -> None:
    with pytest.raises(reconcile.ReconcileError) as caught:
        call()

    assert caught.value.message == problem
    assert caught.value.exit_code == 2


def test_public_names_can_all_be_had() -> None:
    for name in reconcile.__all__:
        assert getattr(reconcile, name) is not None, name


def test_a_name_that_is_not_public_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = reconcile.nonsense
