"""
LibreOffice as a witness: it opens the workbook, calculates every formula anew and comes to the run's own figures.

It gets a copy in which the stored value of every formula is 0, and a profile that says to calculate on load: by itself
it carries over what is stored, and would only repeat what we have told it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from workbooks import Book, number, read_book

from reconcile.cli.main import main
from reconcile.matching.policy import LABEL_OF
from reconcile.money import EXPONENTS
from reconcile.operations.night import match
from reconcile.settings.settings import Settings

pytestmark = pytest.mark.slow  # LibreOffice takes seconds to start: once for all tests here

SAMPLE = Path(__file__).parents[2] / "sample_data"
ALWAYS_CALCULATE = """\
<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop>
</item>
</oor:items>
"""
# Currencies of 0, 2, 3 and 4 decimals, amounts up to fifteen digits, and texts that a formula could stumble over.
ORDERS = """\
reference,total,currency
=1+1,0.001,KWD
"@SUM(A1:A9)",1234567890.123,KWD
*,99999999999999,JPY
?,-1,JPY
~EUR,0.0001,CLF
<EUR,12.34,HRK
"matched",999999999999.99,CHF
TRUE,-0.01,CHF
007,0.10,CHF
1E5,0.20,CHF
"""
RUNS = ("sample", "strange")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders: of the sample data, and of it with strange order totals."""
    place = tmp_path_factory.mktemp("folders")
    (place / "strange.csv").write_text(ORDERS)
    found = {}
    for name, orders in zip(RUNS, (SAMPLE / "orders.csv", place / "strange.csv"), strict=True):
        settings = Settings.of(orders=(str(orders),), mode="live", tolerance_cents=2, lag_days=1, out=str(place / name))
        found[name] = match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, 20)).folder
    return found


@pytest.fixture(scope="module")
def recalculated(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Book]:
    """The workbooks as LibreOffice has them after calculating all formulas from nothing."""
    place = tmp_path_factory.mktemp("libreoffice")
    copies = [_without_values(folder / "report.xlsx", place / f"{name}.xlsx") for name, folder in folders.items()]
    written = converted(copies, "xlsx:Calc MS Excel 2007 XML", place)
    return {name: read_book(written / f"{name}.xlsx") for name in folders}


def converted(books: list[Path], kind: str, place: Path) -> Path:
    """Have LibreOffice write `books` as `kind` into a folder of `place`; return the folder."""
    office = os.environ.get("SOFFICE_BIN") or shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("no LibreOffice: apt-get install libreoffice-calc-nogui, or name its soffice in SOFFICE_BIN")
    (place / "profile" / "user").mkdir(parents=True)
    (place / "profile" / "user" / "registrymodifications.xcu").write_text(ALWAYS_CALCULATE)
    subprocess.run(
        [
            office, f"-env:UserInstallation={(place / 'profile').as_uri()}", "--headless",
            "--convert-to", kind, "--outdir", str(place / "out"), *map(str, books),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )  # fmt: skip
    return place / "out"


def test_the_demo_is_printed_on_few_pages(tmp_path: Path) -> None:
    out = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "runs")], catch_exceptions=False).stdout
    written = converted([Path(out.splitlines()[-1]) / "report.xlsx"], "pdf", tmp_path)
    pages = re.findall(rb"/Type\s*/Page\b(?!s)", (written / "report.pdf").read_bytes())

    assert 5 < len(pages) <= 12  # a page for each sheet at least


def _without_values(workbook: Path, copy: Path) -> Path:
    """Copy `workbook` with 0 as the stored value of every formula."""
    with zipfile.ZipFile(workbook) as packed, zipfile.ZipFile(copy, "w") as written:
        for name in packed.namelist():
            text = packed.read(name)
            formulas = text.count(b"<f>") if name.startswith("xl/worksheets/") else 0
            emptied, found = re.subn(rb"(<f>[^<]*</f>)<v>[^<]*</v>", rb"\1<v>0</v>", text)
            assert found == formulas, name
            written.writestr(name, emptied)
    assert all(cell.value == 0 for sheet in read_book(copy).sheets.values() for cell in sheet.values() if cell.formula)
    return copy


def amount(cents: int, code: str | None) -> float:
    return cents / 10 ** EXPONENTS.get(code or "", 0)


def table_under(book: Book, sheet: str, heading: str) -> list[list[Any]]:
    """The rows of the table whose heading is in column A, up to the next empty row."""
    cells = book.sheets[sheet]
    row = next(number(place) for place, cell in cells.items() if cell.value == heading) + 2
    rows = []
    while any(f"{letter}{row}" in cells for letter in "ABC"):
        rows.append([cells[f"{letter}{row}"].value if f"{letter}{row}" in cells else None for letter in "ABCDEFGH"])
        row += 1
    return rows


@pytest.mark.parametrize("run", RUNS)
def test_every_sum_of_the_summary_is_that_of_summary_json(
    run: str, folders: dict[str, Path], recalculated: dict[str, Book]
) -> None:
    summary = json.loads((folders[run] / "summary.json").read_bytes())
    names = ("payment_amount_cents", "order_amount_cents", "difference_cents", "at_stake_cents")
    lines = [(LABEL_OF[status["status"]], line) for status in summary["statuses"] for line in status["amounts"]]
    expected = [
        [status, line["currency_code"] or "none", line["count"],
         *(amount(line[name] or 0, line["currency_code"]) for name in names)]
        for status, line in lines
    ]  # fmt: skip
    statuses = [[row[0], *row[2:]] for row in table_under(recalculated[run], "Summary", "Statuses")]

    assert [[0 if cell is None else cell for cell in row] for row in statuses] == expected
    totals = {row[2]: [cell or 0 for cell in row[3:]] for row in table_under(recalculated[run], "Summary", "Totals")}
    sums = {}
    for code in {line["currency_code"] for _, line in lines}:
        own = [line for _, line in lines if line["currency_code"] == code]
        added = [amount(sum(line[name] or 0 for line in own), code) for name in names]
        sums[code or "none"] = [sum(line["count"] for line in own), *added]
    assert totals == sums


@pytest.mark.parametrize("run", RUNS)
def test_every_formula_of_every_sheet_comes_to_the_figure_we_stored(
    run: str, folders: dict[str, Path], recalculated: dict[str, Book]
) -> None:
    ours, theirs = read_book(folders[run] / "report.xlsx"), recalculated[run]
    stored = {
        (name, place): cell.value
        for name, sheet in ours.sheets.items()
        for place, cell in sheet.items()
        if cell.formula
    }

    assert sum(value != 0 for value in stored.values()) > 50
    assert {key: theirs.sheets[key[0]][key[1]].value for key in stored} == pytest.approx(stored, abs=1e-9, rel=0)


@pytest.mark.parametrize("run", RUNS)
def test_no_cell_is_an_error_and_no_text_has_become_something_else(
    run: str, folders: dict[str, Path], recalculated: dict[str, Book]
) -> None:
    ours, theirs = read_book(folders[run] / "report.xlsx"), recalculated[run]

    assert list(theirs.sheets) == list(ours.sheets)
    for name, sheet in ours.sheets.items():
        assert not re.search(rb't="e"|#REF!|#NAME|#VALUE|#DIV|Err:', theirs.xml[name]), name
        formulas = {place for place, cell in sheet.items() if cell.formula}
        # LibreOffice writes a claim as the formula TRUE() or FALSE().
        found = {
            place for place, cell in theirs.sheets[name].items() if cell.formula and not isinstance(cell.value, bool)
        }
        assert found == formulas
        texts = {place: cell.value for place, cell in sheet.items() if isinstance(cell.value, str) and cell.value}
        assert {place: theirs.sheets[name][place].value for place in texts} == texts
