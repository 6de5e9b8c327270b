"""`{date}` in the name of an order file is a day; every other brace is a brace."""

from __future__ import annotations

from datetime import date

import pytest

from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.places.dated import dated, telling_date
from reconcile.settings.settings import Settings

DAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("exports/orders-{date}.csv", "exports/orders-2026-11-20.csv"),
        ("{date:%d%m%y}.csv", "201126.csv"),
        ("{date:%Y/%m}/{date:%d}-*.csv", "2026/11/20-*.csv"),
        ("s3://books/{date:%Y-%m}/orders.parquet", "s3://books/2026-11/orders.parquet"),
        ("https://erp.example.com/orders?day={date}", "https://erp.example.com/orders?day=2026-11-20"),
        ("{date:100%%-%j}.csv", "100%-324.csv"),
        ("{Date}{}{date }{data}{date.csv}-{{x}}.csv", "{Date}{}{date }{data}{date.csv}-{{x}}.csv"),
        ("orders-[{]date}.csv", "orders-[{]date}.csv"),
    ],
)
def test_the_date_is_put_in_where_it_is_meant(word: str, name: str) -> None:
    assert dated(word, DAY) == name


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("{date:}", "{date:} in the name of an order file: it has nothing of a date"),
        ("{date:dd.mm}", "{date:dd.mm} in the name of an order file: it has nothing of a date"),
        ("{date:%%}", "{date:%%} in the name of an order file: it has nothing of a date"),
        ("{date:%Y%H}", '{date:%Y%H} in the name of an order file: "%H" is nothing of a date'),
        ("{date:%Y%}", '{date:%Y%} in the name of an order file: "%" is nothing of a date'),
    ],
)
def test_a_format_of_no_day_is_an_error_before_any_work(word: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.of(orders=("a.csv", f"orders-{word}.csv"))

    assert caught.value.message == problem
    assert caught.value.hint == (
        "write day, month and year, as in {date:%d%m%y} or {date:%Y/%m}; {date} alone is 2026-11-20"
    )


def test_the_error_of_a_missing_file_says_which_date_was_put_in() -> None:
    with pytest.raises(OrderFileError) as caught, telling_date(["orders-{date}.csv", "other.csv"], DAY):
        raise OrderFileError("there is no such file", path="orders-2026-11-20.csv", hint="check the path")

    assert caught.value.hint == "check the path; orders-{date}.csv is written, and the date is 2026-11-20"


def test_the_error_of_another_file_is_as_it_was() -> None:
    with pytest.raises(OrderFileError) as caught, telling_date(["orders-{date}.csv", "other.csv"], DAY):
        raise OrderFileError("there is no such file", path="other.csv", hint="check the path")

    assert caught.value.hint == "check the path"
