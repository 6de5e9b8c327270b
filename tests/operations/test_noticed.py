"""What should not be so is noticed by itself: old and short order files, overlaps, missed days, changed rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from nights import OUT, night_of, payments_file, said

from reconcile.errors import OtherUnit
from reconcile.figures.summary import read_summary
from reconcile.notices import Notice
from reconcile.operations import night as operation
from reconcile.settings.settings import Settings


def books(*numbers: int, amount: str = "10.00") -> str:
    """Return a CSV of order rows R0, R1, … by their numbers."""
    return "reference,amount,currency\n" + "".join(f"R{number},{amount},EUR\n" for number in numbers)


def payments(count: int) -> list[dict[str, Any]]:
    return [{"reference": f"R{number}"} for number in range(count)]


def warned(folder: Path) -> dict[str, Notice]:
    """Return the warnings of a run by code; each code is there once."""
    warnings = read_summary(folder).warnings
    assert len({one.code for one in warnings}) == len(warnings)
    return {one.code: one for one in warnings}


def night(day: int, rows: int, **options: Any) -> dict[str, Notice]:
    """Match as many payments as order rows, and return what is warned of."""
    return warned(night_of(payments(rows), books(*range(rows)), day=day, **options))


@pytest.fixture
def files() -> Callable[..., Path]:
    """Give a function that matches payments R0 to R9 with order files by their names, and returns the run folder."""

    def match(*, texts: dict[str, str], day: int = 20, **options: Any) -> Path:
        for name, text in texts.items():
            Path(name).write_text(text)
        settings = Settings.of(orders=tuple(texts), mode="live", html=False, xlsx=False, **options)
        file = payments_file(Path("payments.parquet"), payments(10))
        return operation.match(settings, file, business_date=date(2026, 11, day)).folder

    return match


@pytest.mark.slow
def test_the_file_of_the_night_before_is_noticed_under_another_name_too(files: Callable[..., Path]) -> None:
    assert night(15, 4) == {}
    stale = night(16, 4)["stale_orders"]

    assert (stale.level, stale.figures) == ("warning", {"files": ("orders.csv",), "date": "2026-11-15"})
    again = warned(files(texts={"orders-17.csv": books(0, 1, 2, 3)}, day=17))["stale_orders"]
    assert again.text == "orders-17.csv: the same byte for byte as in the run of 2026-11-16; was there a new export?"


def test_a_date_that_runs_again_has_no_old_file_but_replaces_a_run() -> None:
    night(15, 4)
    run_id = json.loads((OUT / "2026-11-15/manifest.json").read_text())["run_id"]

    assert night(15, 4) == {}  # the same run once more
    again = night(15, 5)

    assert list(again) == ["replaced_run"]
    assert again["replaced_run"].figures == {"run_id": run_id}
    assert f"was published before, as run {run_id}" in again["replaced_run"].text


@pytest.mark.slow
def test_a_new_file_beside_old_ones_is_no_old_delivery(files: Callable[..., Path]) -> None:
    files(texts={"a.csv": books(0, 1)}, day=15)

    assert "stale_orders" not in warned(files(texts={"a.csv": books(0, 1), "b.csv": books(2, 3)}, day=16))
    assert "stale_orders" in warned(files(texts={"b.csv": books(2, 3)}, day=17))


@pytest.mark.slow
def test_the_command_stops_at_a_warning_that_is_a_limit() -> None:
    night(15, 4)
    words = ("match", "payments.parquet", "orders.csv", "--date", "2026-11-16", "--no-html", "--no-xlsx")

    result = said(*words, "--fail-on", "warning:stale_orders", "--fail-on", "warning:short_orders")

    assert result.exit_code == 1
    assert "over limit: warning:stale_orders: orders.csv: the same byte for byte" in result.stderr
    summary = read_summary(OUT / "2026-11-16")
    assert (summary.verdict, len(summary.limits_exceeded)) == ("over_limit", 1)
    assert said("runs", "verify").exit_code == 0


@pytest.mark.slow
def test_a_limit_that_only_warns_can_be_one_that_stops() -> None:
    folder = night_of(payments(2), books(0), warn_on=("breaks>0",), fail_on=("warning:over_limit",))

    assert read_summary(folder).limits_exceeded == ("warning:over_limit: over limit: breaks>0: 1 break",)
    assert said("runs", "verify").exit_code == 0


@pytest.mark.slow
def test_a_limit_on_a_warning_is_a_limit_of_the_file_too() -> None:
    Path("reconcile.toml").write_text('[run]\nfail_on = ["warning:stale_order"]\n')
    night(15, 4)

    result = said("match", "payments.parquet", "orders.csv", "--date", "2026-11-16")

    assert result.exit_code == 2
    assert 'error: --fail-on "warning:stale_order": there is no warning stale_order' in result.stderr
    assert "stale_orders, short_orders" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "rows", "is_short"),
    [
        ((40,), 19, True),
        ((40,), 20, False),
        # Two runs: the run before says what is usual. Three: their median does. The last five.
        *(
            pytest.param(before, rows, is_short, marks=pytest.mark.slow)
            for before, rows, is_short in (
                ((40, 40), 10, True),
                ((10, 40), 19, True),
                ((8, 8, 40), 5, False),
                ((20, 20, 6), 9, True),
                ((30, 30, 30, 6, 6, 6), 4, False),
            )
        ),
    ],
)
def test_a_list_far_shorter_than_before_is_noticed(before: tuple[int, ...], rows: int, is_short: bool) -> None:
    for day, count in enumerate(before, 1):
        night(day, count)

    assert ("short_orders" in night(len(before) + 1, rows)) == is_short


@pytest.mark.slow
def test_a_short_list_says_how_many_rows_there_were() -> None:
    for day in (15, 16, 17):
        night(day, 40)

    assert night(18, 10)["short_orders"].text == (
        "10 order rows, and the run before had 40, the median of the last 3 runs is 40: did the export break off?"
    )
    assert "short_orders" not in night(19, 3, delivery="changes")


@pytest.mark.slow
def test_days_without_a_run_are_noticed_unless_they_have_none() -> None:
    night(13, 2)  # a Friday

    missed = night(16, 3)["missed_dates"]

    assert missed.figures == {"dates": ("2026-11-14", "2026-11-15"), "days": 2}
    assert "missed_dates" not in night(16, 3, run_days=("mon", "tue", "wed", "thu", "fri"))
    weekdays = night(25, 4, run_days=("mon", "tue", "wed", "thu", "fri"))["missed_dates"]
    assert weekdays.text.startswith("6 days have no run since that of 2026-11-16: 2026-11-17, 2026-11-18, ")
    assert "2026-11-23 and 1 more" in weekdays.text


def test_files_of_which_half_the_rows_are_in_another_are_noticed(files: Callable[..., Path]) -> None:
    of_19 = books(1) + "R2,21.00,EUR\n"
    overlap = warned(files(texts={"o-19.csv": of_19, "o-20.csv": books(2, 3)}))["overlapping_files"]

    assert overlap.figures == {"files": ("o-19.csv", "o-20.csv"), "rows": 1, "rows_of_file": 2}
    assert overlap.text.startswith("1 of 2 rows of o-19.csv are in o-20.csv, too, with the same amount or another")
    assert "--delivery changes" in overlap.text


@pytest.mark.slow
def test_the_files_that_share_most_are_named(files: Callable[..., Path]) -> None:
    texts = {"a.csv": books(1, 2), "b.csv": books(1, 2, 3), "c.csv": books(1, 2, 3, 4), "d.csv": books(9)}

    overlap = warned(files(texts=texts))["overlapping_files"]

    assert overlap.figures == {"files": ("b.csv", "c.csv"), "rows": 3, "rows_of_file": 3}


@pytest.mark.slow
def test_files_that_share_little_or_bring_changes_are_as_they_should_be(files: Callable[..., Path]) -> None:
    texts = {"a.csv": books(1, 2, 3), "b.csv": books(3, 4, 5)}

    assert "overlapping_files" not in warned(files(texts=texts))
    texts["b.csv"] = books(1, 2, 3, 4)
    assert "overlapping_files" in warned(files(texts=texts, day=21))


@pytest.mark.slow
def test_a_copy_is_told_as_a_copy_alone(files: Callable[..., Path]) -> None:
    found = warned(files(texts={"a.csv": books(1, 2), "b.csv": books(1, 2)}))

    assert {"copied_files", "overlapping_files"} & set(found) == {"copied_files"}


@pytest.mark.slow
def test_invoices_of_one_order_in_two_files_do_not_overlap(files: Callable[..., Path]) -> None:
    head = "reference,order_number,amount,currency\n"
    texts = {"a.csv": head + "R1,I-1,4.00,EUR\n", "b.csv": head + "R1,I-2,6.00,EUR\n"}

    assert "overlapping_files" not in warned(files(texts=texts))


@pytest.mark.slow
def test_rules_that_are_not_those_of_the_run_before_are_named() -> None:
    night(15, 4)

    changed = night(16, 5, lag_days=1, listed_only=True)["rules_changed"]

    assert changed.figures == {"rules": ("[population] listed_only", "[match] lag"), "date": "2026-11-15"}
    assert "rules_changed" not in night(17, 6, lag_days=1, listed_only=True)


@pytest.mark.slow
def test_methods_of_which_none_is_klarnas_are_noticed_with_the_most_frequent() -> None:
    text = "reference,amount,currency,payment_method\nR1,10.00,EUR,Sofort\nR2,1.00,EUR,PayPal\nR3,1.00,EUR,Sofort\n"

    unknown = warned(night_of([{"reference": "R1"}], text))["unknown_methods"]

    assert unknown.figures == {"methods": ("Sofort", "PayPal"), "rows": 3}
    assert '"Sofort" (2), "PayPal" (1): name Klarna\'s with --methods' in unknown.text
    assert "unknown_methods" not in warned(night_of([{"reference": "R1"}], text, day=21, methods=("sofort",)))


@pytest.mark.parametrize(("amount", "unit"), [("1000.00", "minor"), ("0.10", "major")])
@pytest.mark.parametrize("count", [1, 3])
def test_totals_that_are_all_in_another_unit_stop_the_night(amount: str, unit: str, count: int) -> None:
    with pytest.raises(OtherUnit, match="exactly 100 times" if unit == "minor" else "exactly a hundredth") as caught:
        night_of(payments(count), books(*range(count), amount=amount))

    assert caught.value.exit_code == 3
    assert caught.value.hint == (
        f"add --amount-unit {unit}, or set [orders] amount_unit; where one pair is right as it is, name the unit that "
        "it was read in"
    )
    assert not (OUT / "2026-11-20").exists()


def test_one_pair_in_the_unit_that_is_declared_stops_nothing() -> None:
    found = warned(night_of(payments(1), books(0, amount="1000.00"), amount_unit="major"))

    assert found["other_unit"].figures == {"pairs": 1, "of": 1}
    with pytest.raises(OtherUnit, match=r"in 2 of 2 pairs"):
        night_of(payments(2), books(0, 1, amount="1000.00"), day=21, amount_unit="major")


def test_some_totals_in_another_unit_are_noticed() -> None:
    text = books(0, 1) + books(2, amount="1000.00").partition("\n")[2]

    other = warned(night_of(payments(3), text))["other_unit"]

    assert other.text.startswith("in 1 of 3 pairs, the order total is exactly 100 times the payment: are some of the ")
    assert "other_unit" not in night(21, 5)


@pytest.mark.slow
def test_two_references_that_lead_to_different_rows_are_noticed() -> None:
    contradicting = [{"reference": "R1", "order_reference": "R2"}, {"reference": "R3", "order_reference": "R3"}]

    two = warned(night_of(contradicting, books(1, 2, 3)))["two_references"]

    assert two.figures == {"payments": 1, "examples": ("P0001",)}
    assert "P0001 (R1 and R2)" in two.text
    assert "two_references" not in warned(night_of(contradicting, books(1, 3), day=21))
    assert "two_references" not in warned(night_of(contradicting, books(1, 2, 3), day=22, on=("reference",)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document.pop("inputs"),
        lambda document: document.update(inputs={"files": [{"path": 1, "sha256": "../..", "rows": "many"}]}),
        lambda document: document.update(inputs=[]),
        lambda document: document.update(settings={"match": {"on": 5}}),
        lambda document: document.update(settings={}),
    ],
)
def test_what_a_manifest_of_before_does_not_say_stops_no_night(damage: Callable[[dict[str, Any]], object]) -> None:
    night(15, 4)
    path = OUT / "2026-11-15/manifest.json"
    document = json.loads(path.read_text())
    damage(document)
    path.write_text(json.dumps(document))

    assert set(night(16, 4)) <= {"stale_orders"}
