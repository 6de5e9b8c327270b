"""Decisions through a spreadsheet: the exported sheet is filled in and saved in another country, and read back."""

from __future__ import annotations

import csv
import io
import re
import shutil
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from nights import OUT, night_of, said

from reconcile.errors import AcceptanceError
from reconcile.history.breaks import Grounds, accept, accept_sheet, write_sheet
from reconcile.history.decisions import NAME, Decision, read_decisions
from reconcile.schema import Row

RUN = OUT / "2026-11-20"
BEFORE = (
    "item_id", "reference", "payment_id", "status", "at_stake", "currency_code", "first_seen_on", "age_days",
    "accepted_for", "accept_reason", "accept_until", "accept_cap", "accept_by",
)  # fmt: skip
"""The columns of a file of before there were more."""

Cells = dict[str, str]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sheets")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        payments = [{"reference": "0012"}, {"reference": "R2", "total_amount_with_taxes_cents": 123450}]
        night_of(payments, "reference,total,currency\nR2,1222.00,EUR\nR9,0.50,EUR\n")
    return folder


@pytest.fixture
def run(made: Path, workplace: Path) -> Path:
    shutil.copytree(made, workplace, dirs_exist_ok=True)
    return RUN


def exported(run: Path) -> list[Cells]:
    write_sheet(run, Path("sheet.csv"))
    return list(csv.DictReader(io.StringIO(Path("sheet.csv").read_text(encoding="utf-8-sig"))))


def of(rows: Sequence[Cells], reference: str) -> Cells:
    (row,) = [row for row in rows if row["reference"] == reference]
    return row


def save(
    rows: Sequence[Cells], *, delimiter: str = ";", encoding: str = "cp1252", names: Sequence[str] | None = None
) -> Path:
    with Path("saved.csv").open("w", encoding=encoding, newline="", errors="replace") as file:
        writer = csv.DictWriter(file, names or list(rows[0]), delimiter=delimiter, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return Path("saved.csv")


def fill(path: Path, cells: dict[str, str | float], *, line: int) -> None:
    """Fill in cells of a workbook by their titles, as a spreadsheet stores them: texts, or numbers (days, too)."""
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    strings = [re.sub("<[^>]*>", "", one) for one in re.findall("<si>.*?</si>", parts["xl/sharedStrings.xml"].decode())]
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    heads = re.findall(r'<c r="([A-Z]+)1" s="[0-9]+" t="s"><v>([0-9]+)</v></c>', sheet)
    for letters, number in heads:
        if (value := cells.get(strings[int(number)])) is not None:
            what = f"><v>{value}</v></c>"
            if isinstance(value, str):
                what = f' t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
            pattern = rf'(<c r="{letters}{line}" s="[0-9]+")(?:/>|[ >].*?</c>)'
            sheet, count = re.subn(pattern, lambda found, what=what: found[1] + what, sheet)
            assert count == 1, strings[int(number)]
    parts["xl/worksheets/sheet1.xml"] = sheet.encode()
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in parts.items():
            packed.writestr(name, content)


def one_made(sheet: Path) -> Decision:
    (made,) = accept_sheet(RUN, sheet)
    assert [(one.item_id, one.reason) for one in read_decisions(OUT / NAME)][-1:] == [(made.item_id, made.reason)]
    return made


def refused(sheet: Path) -> AcceptanceError:
    with pytest.raises(AcceptanceError) as told:
        accept_sheet(RUN, sheet)
    assert not (OUT / NAME).exists()
    return told.value


@pytest.mark.parametrize(
    ("delimiter", "encoding", "until", "cap"),
    [
        (";", "cp1252", "31.12.2026", "1.250,50"),
        (";", "cp1252", "31/12/2026", "1\u00a0250,5"),
        (";", "utf-8-sig", "2026-12-31", "1 250,50"),
        ("\t", "utf-16", "12/31/2026", "1,250.50"),
        ("\t", "utf-16-le", "31-12-2026", "1250,50"),
        (",", "utf-8", "2026/12/31", "1250.5"),
        (";", "cp1252", "31.12.26", "1.250,50 €"),
    ],
)
def test_it_is_read_as_the_spreadsheet_of_any_country_saves_it(
    run: Path, delimiter: str, encoding: str, until: str, cap: str
) -> None:
    rows = exported(run)
    one = of(rows, "R2")
    one |= {"accept_reason": "Rückerstattung später; bestätigt", "accept_until": until, "accept_cap": cap}
    one |= {"at_stake": "12,5", "payment_amount": "1234,5", "first_seen_on": "20.11.2026", "note": "ours"}
    names = [*reversed(rows[0]), "note", ""]

    made = one_made(save(rows, delimiter=delimiter, encoding=encoding, names=names))
    assert made.reason == "Rückerstattung später; bestätigt"
    assert (made.until, made.cap_cents, made.reference) == (date(2026, 12, 31), 125050, "R2")


def test_another_encoding_is_named(run: Path) -> None:
    rows = exported(run)
    of(rows, "R2")["accept_reason"] = "zwrot w późniejszym terminie"
    sheet = save(rows, encoding="cp1250")

    result = said("breaks", "import", str(sheet), "--encoding", "cp1250")
    assert (result.exit_code, result.stderr) == (0, "1 decision recorded\n")
    (made,) = read_decisions(OUT / NAME)
    assert made.reason == "zwrot w późniejszym terminie"
    result = said("breaks", "import", str(sheet), "--encoding", "nonsense")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (3, 'error: there is no encoding "nonsense"')


def test_a_workbook_is_exported_filled_in_and_imported(run: Path) -> None:
    result = said("breaks", "export", "decisions.xlsx")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "decisions.xlsx\n", "3 breaks\n")
    assert accept_sheet(run, Path("decisions.xlsx")) == []
    place = [row["reference"] for row in exported(run)].index("R2") + 2
    given = {"Accept because": "=known\u00a0für alle\n", "Accept until": 46387, "Accept up to": 1250.5}
    fill(Path("decisions.xlsx"), given, line=place)

    result = said("breaks", "import", "decisions.xlsx")
    assert (result.exit_code, result.stderr) == (0, "1 decision recorded\n")
    (made,) = read_decisions(OUT / NAME)
    assert made.reason == "=known\u00a0für alle\n"
    assert (made.until, made.cap_cents, made.reference) == (date(2026, 12, 31), 125050, "R2")
    write_sheet(run, Path("again.xlsx"))
    assert accept_sheet(run, Path("again.xlsx")) == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"Accept until": "03/04/2027"}, 'accept_until "03/04/2027" could be 2027-04-03 or 2027-03-04'),
        ({"Accept until": 46387.0, "Accept up to": "1,250"}, 'cap: "1,250" could be read two ways: 1250 or 1.250'),
        ({"Accept up to": 1250.505}, 'cap: "1250.505" has more decimals than EUR'),
        ({"Item id": 1.2e31}, 'item_id "1.2e+31" is a number that a spreadsheet has made of the id'),
    ],
)
def test_what_cannot_be_taken_from_a_workbook_is_told(run: Path, given: dict[str, str | float], problem: str) -> None:
    write_sheet(run, Path("sheet.xlsx"))
    fill(Path("sheet.xlsx"), {"Accept because": "known", **given}, line=3)

    assert refused(Path("sheet.xlsx")).message.startswith(f"sheet.xlsx:3: {problem}")


def test_a_formula_that_was_never_calculated_is_no_reason(run: Path) -> None:
    write_sheet(run, Path("sheet.xlsx"))
    fill(Path("sheet.xlsx"), {"Accept because": "known", "Accept up to": 1}, line=3)
    with zipfile.ZipFile("sheet.xlsx") as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(b"><v>1</v></c>", b"><f>1+1</f></c>")
    with zipfile.ZipFile("sheet.xlsx", "w") as packed:
        for name, content in parts.items():
            packed.writestr(name, content)

    assert refused(Path("sheet.xlsx")).message == (
        'sheet.xlsx:3: accept_cap "" is a formula without a calculated result'
    )


def of_before(rows: list[Cells]) -> None:
    for row in rows:
        for name in set(row) - set(BEFORE):
            del row[name]


def tidied(rows: list[Cells]) -> None:
    """What a spreadsheet changes in cells that are only read, and what it adds."""
    for row in rows:
        row |= {"reference": row["reference"].lstrip("0"), "at_stake": row["at_stake"].replace(".", ""), "": ""}
        row |= {"item_id": f"\u00a0{row['item_id']}\n", "status": f"{row['status']} ", "accept_until": "\u00a0"}
    rows += [dict.fromkeys(rows[0], ""), dict.fromkeys(rows[0], " ")]


def dated(rows: list[Cells]) -> None:
    for row in rows:
        row |= {"at_stake": "12. Mai", "difference": "12. Mai", "payment_amount": "#######"}


@pytest.mark.parametrize("changed", [of_before, tidied, dated])
def test_what_a_spreadsheet_changes_without_being_asked_changes_nothing(
    run: Path, changed: Callable[[list[Cells]], None]
) -> None:
    rows = exported(run)
    of(rows, "0012")["accept_reason"] = "known"
    changed(rows)

    made = one_made(save(rows))
    assert (made.reason, made.reference) == ("known", "0012")


@pytest.mark.parametrize("damaged", ["1,23457E+31", "1.23E+31", "12345678901234500000"])
def test_an_id_that_was_damaged_is_told_with_its_line_and_nothing_is_recorded(run: Path, damaged: str) -> None:
    rows = exported(run)
    of(rows, "0012")["accept_reason"] = of(rows, "R9")["accept_reason"] = "known"
    place = rows.index(of(rows, "R9"))
    rows[place]["item_id"] = damaged

    told = refused(save(rows))
    assert told.message == (
        f'saved.csv:{place + 2}: item_id "{damaged}" is a number that a spreadsheet has made of the id'
    )
    assert told.hint is not None
    assert "export the breaks as .xlsx" in told.hint


def test_a_line_without_an_id_is_told(run: Path) -> None:
    rows = exported(run)
    rows[1] |= {"item_id": "", "accept_reason": "known"}

    assert refused(save(rows)).message == "saved.csv:3: item_id is empty: the line names no break"


def test_a_break_that_is_decided_about_twice_in_other_ways_is_told(run: Path) -> None:
    rows = exported(run)
    rows[1]["accept_reason"] = "known"
    rows.append(rows[1] | {"accept_reason": "not known"})

    assert refused(save(rows)).message == "saved.csv:5: line 3 decides otherwise about this break"
    rows[-1]["accept_reason"] = "known"
    assert one_made(save(rows)).reason == "known"


def test_of_two_sheets_with_the_columns_none_is_chosen(run: Path) -> None:
    write_sheet(run, Path("sheet.xlsx"))
    with zipfile.ZipFile("sheet.xlsx") as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    book = parts["xl/workbook.xml"]
    copied = b'<sheet name="Decisions (2)" sheetId="2" r:id="rId1"/></sheets>'
    parts["xl/workbook.xml"] = book.replace(b"</sheets>", copied)
    with zipfile.ZipFile("sheet.xlsx", "w") as packed:
        for name, content in parts.items():
            packed.writestr(name, content)

    assert (
        refused(Path("sheet.xlsx")).message == 'sheet.xlsx: the sheets "Decisions" and "Decisions (2)" have decisions'
    )


def test_what_stands_is_not_decided_again_by_how_it_was_saved(run: Path) -> None:
    accept(run, ["R2"], Grounds("Ω für\r\nalle", until=date(2027, 4, 3), cap="1250.50"))
    rows = exported(run)
    of(rows, "R2")["accept_until"] = "04/03/2027"  # could be in March, but that is not what stands
    of(rows, "R2")["accept_cap"] = "1250,5"
    assert accept_sheet(run, save(rows)) == []  # its Ω is a question mark

    of(rows, "R2")["accept_cap"] = "125050"
    with pytest.raises(AcceptanceError) as told:
        accept_sheet(run, save(rows))
    assert "cap 125050: it may be the 1250.50 of before" in told.value.message
    of(rows, "R2")["accept_cap"] = "1300"
    (made,) = accept_sheet(run, save(rows))
    assert (made.reason, made.until, made.cap_cents) == ("Ω für\r\nalle", date(2027, 4, 3), 130000)


def test_a_break_that_has_changed_is_told_whatever_was_made_of_its_amount(run: Path) -> None:
    rows = exported(run)
    of(rows, "R2")["accept_reason"] = "known"
    sheet = save(rows)
    later: Row = {"reference": "R2", "total_amount_with_taxes_cents": 123451}
    folder = night_of([{"reference": "0012"}, later], "reference,total,currency\nR2,1222.00,EUR\n", day=21)

    with pytest.raises(AcceptanceError) as told:
        accept_sheet(folder, sheet)
    assert "the break is amount_mismatch 12.51 EUR now, not amount_mismatch 12.50 EUR" in told.value.message
    of_before(rows)
    with pytest.raises(AcceptanceError, match=r"the at stake of the break is 12\.51 now, not 12\.50"):
        accept_sheet(folder, save(rows, names=BEFORE))
