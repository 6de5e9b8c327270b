"""An item explained: what was read, what was tried, what held, and since when."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from nights import OUT, night, night_of, nights_in, said
from places import SAMPLE

from reconcile.errors import PaymentFileError, UnknownItem
from reconcile.matching.policy import LABEL_OF, MEANING_OF, Status
from reconcile.operations.explain import explain

WRONG = "NW-2611-100812"  # an order total of 100 times the payment
TWICE = "NW-2611-100903"  # two payments, two order rows


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nights_in(tmp_path_factory.mktemp("explained"), 19, 20)


@pytest.fixture
def run(made: Path, workplace: Path) -> Path:
    shutil.copytree(made, workplace, dirs_exist_ok=True)
    return OUT / "2026-11-20"


def test_a_pair_shows_both_sides_as_read_and_the_key_it_was_paired_on(run: Path) -> None:
    (one,) = explain(run, WRONG)

    assert one.payment is not None
    assert one.order is not None
    assert (one.payment["total_amount_with_taxes_cents"], one.order["amount_raw"]) == (439600, "439600.00")
    assert (one.order["source_file"], one.order["source_line"]) == ("orders.csv", one.item["order_source_line"])
    (tried,) = one.keys
    assert (tried.key, tried.payment, tried.order, tried.payments, tried.orders, tried.paired) == (
        "reference", WRONG, WRONG, 1, 1, True,
    )  # fmt: skip
    assert one.meaning == MEANING_OF[Status.AMOUNT_MISMATCH]
    assert [(seen.business_date, seen.status) for seen in one.nights] == [
        ("2026-11-19", "amount_mismatch"),
        ("2026-11-20", "amount_mismatch"),
    ]


def test_an_earlier_run_knows_nothing_of_later_nights(run: Path) -> None:
    (one,) = explain(OUT / "2026-11-19", WRONG)

    assert [seen.business_date for seen in one.nights] == ["2026-11-19"]


def test_whatever_names_an_item_finds_it(run: Path) -> None:
    (one,) = explain(run, WRONG)

    for name in ("item_id", "payment_id", "order_number", "order_id"):
        assert [found.item["item_id"] for found in explain(run, one.item[name])] == [one.item["item_id"]]
    assert explain(run, f"  {WRONG} ") == [one]


def test_rows_that_share_a_key_are_each_explained_with_how_many_have_it(run: Path) -> None:
    found = explain(run, TWICE)

    assert len(found) == 4
    assert {(one.payment is None, one.order is None) for one in found} == {(True, False), (False, True)}
    for one in found:
        assert (one.keys[0].payments, one.keys[0].orders, one.keys[0].paired) == (2, 2, False)
        assert len(one.keys) == 4


def test_the_tolerance_is_that_of_the_run(workplace: Path) -> None:
    shutil.copy(SAMPLE / "orders.csv", workplace / "orders.csv")
    folder = night(20, tolerance_cents=3, tolerance_percent="50")

    (one,) = explain(folder, WRONG)
    assert one.allowed_cents == 3  # the smaller of both


def test_keys_are_counted_under_the_rules_of_the_run(workplace: Path) -> None:
    text = (SAMPLE / "orders.csv").read_text().replace(WRONG, f"PO-{WRONG.lower()}")
    (workplace / "orders.csv").write_text(text)
    folder = night(20, clean_case="fold", clean_strip_prefix=("po-",))

    (one,) = explain(folder, WRONG.lower())
    assert (one.keys[0].payment, one.keys[0].order, one.keys[0].paired) == (WRONG.lower(), WRONG.lower(), True)
    assert one.order is not None
    assert one.order["reference_raw"] == f"PO-{WRONG.lower()}"


def test_a_name_that_nothing_or_too_much_has_is_an_error(run: Path) -> None:
    with pytest.raises(UnknownItem, match='"unheard-of": no item'):
        explain(run, "unheard-of")
    lines = Path("orders.csv").read_text().splitlines()
    cells = lines[1].split(",")
    cells[0] = "SAME"
    Path("orders.csv").write_text("\n".join([lines[0], *[",".join(cells)] * 21]) + "\n")
    with pytest.raises(UnknownItem, match="more than 20 items"):
        explain(night(21), "SAME")


def test_a_run_with_a_broken_file_is_an_error(run: Path) -> None:
    (run / "payments.parquet").write_text("no table")

    with pytest.raises(PaymentFileError, match=r"payments\.parquet"):
        explain(run, WRONG)


def test_an_explanation_is_told_for_people_and_for_programs(run: Path) -> None:
    text = said("explain", WRONG).stdout
    assert text.splitlines()[:4] == [
        f"{WRONG}  Amount differs (break, amount_mismatch)",
        "  the amounts differ by more than the tolerance",
        "  payment minus order: -435,204.00 SEK",
        "  likely cause: the order total is 100 times the payment: cents taken for units?",
    ]
    assert f'    reference       "{WRONG}": 1 payment, 1 order row: this pair' in text
    assert "    2026-11-19  Amount differs -435,204.00 SEK\n" in text
    assert re.search(r"    captured_amount +4,396\.00 SEK\n", text)
    assert "_cents" not in text

    (one,) = json.loads(said("explain", WRONG, "--format", "json").stdout)
    assert one["item"]["reference"] == WRONG
    assert one["keys"][0]["paired"]


def test_what_has_no_partner_is_told_with_what_is_near_it(run: Path) -> None:
    text = said("explain", "NW-2611-100912").stdout
    place = text.index("  similar rows on the other side, most similar first; none of them is a match\n")
    assert text[place:].splitlines()[1] == (
        '    orders.csv:325 "NW-2611-100921" 329.95 EUR (No payment found): '
        "the reference differs by 1 character, the same amount, 7 days apart"
    )
    (one,) = json.loads(said("explain", "NW-2611-100912", "--format", "json").stdout)
    assert one["candidates"][0]["name"] == "orders.csv:325"
    assert "similar rows" not in said("explain", WRONG).stdout


@pytest.mark.parametrize(
    ("code", "total", "due", "apart"),
    [("KWD", "9.000", "1.000 KWD", "-8.000 KWD"), ("JPY", "9000", "1,000 JPY", "-8,000 JPY")],
)
def test_amounts_are_money_in_the_decimals_of_their_currency(
    code: str, total: str, due: str, apart: str, workplace: Path
) -> None:
    night_of([{"reference": "R1", "currency_code": code}], f"reference,total,currency\nR1,{total},{code}\n")
    told = said("explain", "R1").stdout

    assert f"  payment minus order: {apart}\n" in told
    assert re.search(rf"total_amount_with_taxes +{due}\n", told)


def test_what_is_at_stake_is_told_where_there_is_no_difference(run: Path) -> None:
    assert "  at stake: 329.95 EUR\n" in said("explain", "NW-2611-100912").stdout
    assert "at stake" not in said("explain", WRONG).stdout


def test_an_error_has_the_exit_code_of_its_family(run: Path) -> None:
    assert said("explain", "bad\udcff").exit_code == 2
    assert said("explain", "unheard-of").exit_code == 3
    assert said("explain", WRONG, "--run", "elsewhere").exit_code == 5


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_meaning(status: Status) -> None:
    assert MEANING_OF[status]
    assert LABEL_OF[status]


def test_terminal_controls_in_data_are_not_carried_out(workplace: Path) -> None:
    (workplace / "orders.csv").write_text('reference,total,currency\n"R\x1b[31m1",1.00,EUR\n')
    folder = night(20)
    found: dict[str, Any] = next(one.item for one in explain(folder, "R\x1b[31m1"))

    assert "\x1b" not in said("explain", found["item_id"]).stdout


def test_order_rows_that_were_added_up_are_said_to_be(workplace: Path) -> None:
    Path("orders.csv").write_text(f"reference,total,currency\n{WRONG},4000.00,SEK\n{WRONG},396.00,SEK\n")
    night(20, group_orders="sum")

    told = said("explain", WRONG).stdout

    assert "order total: 4,396.00 SEK, the sum of several rows, of which this is the first\n" in told
    assert re.search(r"amount_raw +4000\.00\n", told)
