"""A night by market, gateway and carried columns: in the summary, on the page, in the workbook."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from nights import night_of, said

from reconcile.figures.summary import read_summary

PAYMENTS = [
    {"reference": "R1", "market_name": "Nordics", "payment_gateway_name": "Klarna"},
    {"reference": "R2", "market_name": "DACH"},
    {"reference": "R3", "market_name": "DACH"},
]
ORDERS = """reference,total,currency,Country
R1,10.00,EUR,SE
R2,11.00,EUR,DE
R9,5.00,EUR,=DE
"""


def test_a_night_is_broken_down_in_every_report(workplace: Path) -> None:
    folder = night_of(PAYMENTS, ORDERS, carry=("Country",), html=True, xlsx=True)

    market, gateway, country = read_summary(folder).breakdown
    assert [(one.value, one.count, one.breaks, one.at_stake_cents) for one in market.lines] == [
        ("DACH", 2, 2, 1100),
        ("", 1, 1, 500),
        ("Nordics", 1, 0, 0),
    ]
    assert [one.value for one in gateway.lines] == ["", "Klarna"]
    assert {one.value: one.order_amount_cents for one in country.lines} == {
        "": None, "DE": 1100, "=DE": 500, "SE": 1000,
    }  # fmt: skip
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<caption>By market</caption>" in page
    assert "<caption>By Country</caption>" in page
    assert sheets(folder) == [
        "Summary",
        "Breaks",
        "Aging",
        "Control totals",
        "Breakdown",
        "All items",
        "Rejects",
        "About",
    ]
    with zipfile.ZipFile(folder / "report.xlsx") as packed:
        figures = re.findall("<v>([^<]*)</v>", packed.read("xl/worksheets/sheet5.xml").decode())
    assert {"20", "11", "-1"} <= set(figures)  # what is due in the market DACH, what is booked, the difference
    said_by = said("runs", "verify", str(folder), "--replay")
    assert said_by.exit_code == 0, said_by.output


def test_without_any_such_value_there_is_no_breakdown(workplace: Path) -> None:
    folder = night_of([{"reference": "R1"}], "reference,total,currency\nR1,10.00,EUR\n", html=True, xlsx=True)

    assert read_summary(folder).breakdown == ()
    assert 'id="breakdown"' not in (folder / "report.html").read_text(encoding="utf-8")
    assert "Breakdown" not in sheets(folder)


def sheets(folder: Path) -> list[str]:
    with zipfile.ZipFile(folder / "report.xlsx") as packed:
        return re.findall('<sheet name="([^"]*)"', packed.read("xl/workbook.xml").decode())
