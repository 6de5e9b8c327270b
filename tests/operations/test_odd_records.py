"""Records that are missing a key, or hold texts and amounts that nobody expects, in whole nights of files."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nights import PAID, night_of, payments_file

from reconcile.matching.items import RunFacts
from reconcile.matching.match import match_frames
from reconcile.matching.policy import MatchPolicy
from reconcile.operations.night import match
from reconcile.operations.verify import verify
from reconcile.payments.from_file import copy_payments
from reconcile.reports.csv_tables import write_csv
from reconcile.schema import ORDERS, PAYMENTS
from reconcile.settings.settings import Settings

ON = date(2026, 11, 20)


def statuses(folder: Path) -> list[tuple[Any, ...]]:
    rows = pq.read_table(folder / "items.parquet").to_pylist()
    return sorted((row["payment_id"] or "", row["order_source_line"] or 0, row["status"]) for row in rows)


def test_a_row_without_a_reference_beside_one_that_has_it_is_an_item_of_its_own() -> None:
    folder = night_of([{"reference": "R1"}], "reference,total,currency\nR1,10.00,EUR\n,7.00,EUR\n")

    assert statuses(folder) == [("", 3, "missing_reference"), ("P0001", 2, "matched")]


def test_a_payment_without_a_reference_beside_one_that_has_it_is_an_item_of_its_own() -> None:
    folder = night_of([{"reference": "R1"}, {"reference": None}], "reference,total,currency\nR1,10.00,EUR\n")

    assert statuses(folder) == [("P0001", 2, "matched"), ("P0002", 0, "missing_reference")]


ODD_TEXTS = (
    *(
        "",
        " ",
        "\r",
        "\n",
        "\r\n",
        "\t",
        "\u3000",
        "\x00",
        "a\x00b",
        "=EUR",
        "+1",
        "-1",
        "@a",
        "'=1",
        "'",
        '"',
        '""',
        ",",
        ";=1",
    ),
    *(
        "#",
        "a\rb",
        "a\nb",
        "a\r\n=b",
        "\\",
        "NULL",
        "true",
        "EUR",
        "eur",
        " EUR",
        "R1",
        "r1",
        "none",
        "<b>&",
        "_x0041_",
        "%s{}",
        "*",
    ),
    *(
        "\U0001f600",
        "\u202eabc",
        "\u200b",
        "\ufeff",
        "\ufffe",
        "\u2028",
        "\x85",
        "\x0b",
        "\x1b[31m",
        "e\u0301",
        "x" * 100_000,
    ),
)
ODD_AMOUNTS = (None, 0, -1, 1000, 2**53 + 1, 2**56 - 1, -(2**56), 2**62 - 1, 2**62, -(2**62), 2**63 - 1, -(2**63))


def odd_rows(schema: pa.Schema, fixed: dict[str, Any]) -> Any:
    """Return rows in which each text may be anything, each amount too, and what is not text is as `fixed` or null."""
    texts, amounts = st.none() | st.sampled_from(ODD_TEXTS) | st.text(max_size=5), st.sampled_from(ODD_AMOUNTS)
    columns = {
        field.name: texts if field.type == pa.string() else amounts if field.type == pa.int64() else st.none()
        for field in schema
        if field.name not in fixed
    }
    return st.fixed_dictionaries(columns | {name: st.just(value) for name, value in fixed.items()})


FIXED = {name: PAID[name] for name in ("created_at", "updated_at")}
payments_worlds = st.lists(odd_rows(PAYMENTS, FIXED | {"mode": "live"}), min_size=1, max_size=9).map(
    lambda rows: [row | {"payment_id": f"{place}{row['payment_id'] or ''}"} for place, row in enumerate(rows)]
)
orders_worlds = st.lists(odd_rows(ORDERS, {}), min_size=1, max_size=9).map(
    lambda rows: [row | {"source_file": "orders.csv", "source_line": line} for line, row in enumerate(rows, 2)]
)
whole_nights = settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.timeout(600)
@given(payments=payments_worlds, orders=orders_worlds)
@whole_nights
def test_whatever_stands_in_a_record_it_has_a_status_and_the_night_is_published(
    payments: list[dict[str, Any]], orders: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("odd")
    file = payments_file(place / "payments.parquet", sorted(payments, key=lambda row: row["payment_id"].encode()))
    named = {"reference": "reference", "order_number": "order_number", "order_id": "order_id"}
    named |= {"amount_cents": "total_amount_cents", "currency_code": "currency"}
    sound = dict.fromkeys(ORDERS.names) | {"reference": "R1", "amount_cents": 1000, "currency_code": "EUR"}
    given_orders = pa.Table.from_pylist([*orders, sound], ORDERS).select(list(named)).rename_columns(named)
    pq.write_table(given_orders, place / "orders.parquet")
    chosen = Settings.of(orders=(str(place / "orders.parquet"),), mode="live", out=str(place / "runs"), max_rejects=99)
    folder = match(chosen, file, business_date=ON).folder

    items = pq.read_table(folder / "items.parquet").to_pylist()
    ids = sorted(item["payment_id"] for item in items if item["payment_id"])
    counts = json.loads((folder / "summary.json").read_bytes())["counts"]
    assert ids == sorted(payment["payment_id"] for payment in payments)
    assert counts["orders"] + counts["rejects"] == len(orders) + 1
    assert {path.name for path in folder.iterdir()} >= {"items.csv", "breaks.csv", "report.html", "report.xlsx"}
    blank = [one["payment_id"] for one in payments if not (one["currency_code"] or "").strip()]
    statuses = {item["status"] for item in items if item["payment_id"] in blank and item["matched_on"]}
    assert statuses <= {"amount_unknown"}


@pytest.mark.slow
@given(payments=payments_worlds, orders=orders_worlds)
@settings(whole_nights, max_examples=8)
def test_both_engines_of_frames_give_odd_records_the_same_status(
    payments: list[dict[str, Any]], orders: list[dict[str, Any]]
) -> None:
    tables = (pa.Table.from_pylist(payments, PAYMENTS), pa.Table.from_pylist(orders, ORDERS))
    policy = MatchPolicy(mode="live", on=("reference", "order_number", "order_id"))
    one, other = (
        match_frames(*tables, policy, RunFacts(ON, "x"), engine=engine).items for engine in ("arrow", "duckdb")
    )

    assert one.to_pylist() == other.to_pylist()
    assert one.num_rows >= max(len(payments), len(orders))


@pytest.mark.slow
def test_an_odd_currency_is_the_status_of_its_payment() -> None:
    codes = ["=EUR", "+EUR", "-EUR", "@EUR", "", " ", "\n", "\r", "\x00", "'=EUR", "\t", "E;=1", "EUR"]
    payments = [{"reference": f"R{place}", "currency_code": code} for place, code in enumerate(codes)]
    rows = "".join(f"R{place},10.00,EUR\n" for place in range(len(codes)))
    folder = night_of(payments, f"reference,total,currency\n{rows}", html=True, xlsx=True)

    assert [status for _, _, status in statuses(folder)] == [
        "matched" if code == "EUR" else "currency_mismatch" if code.strip() else "amount_unknown" for code in codes
    ]
    (found,) = verify(folder.parent, is_replayed=True)
    assert (found.problems, found.replayed) == ((), True)


@pytest.mark.slow
def test_an_amount_that_nobody_can_have_paid_is_unknown_and_the_others_add_up() -> None:
    cents = [2**56, -(2**56), 2**62, -(2**62), 2**63 - 1, -(2**63), 1000]
    payments = [{"reference": f"R{place}", "total_amount_with_taxes_cents": one} for place, one in enumerate(cents)]
    rows = "".join(f"R{place},10.00,EUR\n" for place in range(len(cents)))
    folder = night_of(payments, f"reference,total,currency\n{rows}", html=True, xlsx=True)
    (line,) = json.loads((folder / "summary.json").read_bytes())["control"]["payments"]

    assert [status for _, _, status in statuses(folder)] == ["amount_unknown"] * 6 + ["matched"]
    assert (line["rows_in"], line["rows_out"], line["amount_in_cents"], line["amount_out_cents"]) == (7, 7, 1000, 1000)
    (found,) = verify(folder.parent, is_replayed=True)
    assert (found.problems, found.replayed) == ((), True)
    assert pq.read_table(folder / "payments.parquet").column("total_amount_with_taxes_cents").to_pylist() == cents


@pytest.mark.parametrize("text", [one for one in ODD_TEXTS if one != "x" * 100_000] + ["y" * 3_000_000])
def test_payments_come_back_from_the_csv_that_a_pull_writes(text: str, tmp_path: Path) -> None:
    row = dict.fromkeys(PAYMENTS.names) | FIXED | {"payment_id": "P1", "reference": text, "metadata": text}
    table = pa.Table.from_pylist([row], PAYMENTS)
    write_csv(table, PAYMENTS, tmp_path / "payments.csv")
    copy_payments(tmp_path / "payments.csv", tmp_path / "payments.parquet")

    assert pq.read_table(tmp_path / "payments.parquet").to_pylist() == table.to_pylist()
