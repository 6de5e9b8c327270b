"""`orders inspect --write-settings` writes what reads the files, and the next command needs no option."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconcile.cli.main import main

GERMAN = "Nummer;Betrag brutto;Währung\nA1;1.234,50;EUR\nA2;-10,00;EUR\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text(GERMAN, encoding="utf-8")


def inspect(*words: str) -> Result:
    return CliRunner().invoke(main, ["orders", "inspect", *words], catch_exceptions=False)


def test_what_reads_the_files_is_written_and_needs_no_option_any_more() -> None:
    result = inspect("orders.csv", "--reference-column", "Nummer", "--write-settings")

    assert result.exit_code == 0, result.output
    assert Path("reconcile.toml").read_text(encoding="utf-8") == (
        '[orders]\nfiles = ["orders.csv"]\ndecimal = ","\nthousands = "."\n\n[orders.columns]\nreference = "Nummer"\n'
    )
    again = inspect()
    assert again.exit_code == 0, again.output
    assert "2 read, 0 rejected" in again.output


def test_it_goes_behind_what_is_in_the_file_and_never_into_a_table_of_it() -> None:
    Path("reconcile.toml").write_text("# mine\n[match]\nlag = 2\n", encoding="utf-8")

    assert inspect("orders.csv", "--reference-column", "Nummer", "--write-settings").exit_code == 0
    text = Path("reconcile.toml").read_text(encoding="utf-8")
    assert text.startswith("# mine\n[match]\nlag = 2\n\n[orders]\n")

    refused = inspect("orders.csv", "--write-settings")
    assert refused.exit_code == 2
    assert "has a table [orders] already" in refused.output
    assert 'thousands = "."' in refused.output
    assert Path("reconcile.toml").read_text(encoding="utf-8") == text


def test_nothing_is_written_where_there_is_a_choice_or_no_way_to_read_them() -> None:
    Path("orders.csv").write_text("reference;total;currency;order date\nA1;1.00;EUR;02/03/2026\n", encoding="utf-8")
    choice = inspect("orders.csv", "--write-settings")
    Path("orders.csv").write_text("nothing;here\n", encoding="utf-8")
    unreadable = inspect("orders.csv", "--write-settings")

    assert choice.exit_code == 2
    assert 'if "02/03/2026" is 2026-03-02, add --date-format %d/%m/%Y' in choice.output
    assert unreadable.exit_code == 3
    assert not Path("reconcile.toml").exists()


def test_a_look_says_how_rejected_rows_would_be_read() -> None:
    result = inspect("orders.csv", "--reference-column", "Nummer")

    assert result.exit_code == 3
    assert "To read them:\nadd --decimal , --thousands .: reads 2 rows (EUR 1224.50), 0 rejected" in result.output


def test_nothing_is_written_where_rows_far_down_need_more_than_the_first_ones() -> None:
    rows = [f"A{at};1.00;EUR" for at in range(3_000)]
    Path("orders.csv").write_text("\n".join(["reference;total;currency", *rows, "B1;(1.00);EUR", ""]), encoding="utf-8")

    result = inspect("orders.csv", "--write-settings")

    assert result.exit_code == 3
    assert "To read them:\nadd --accounting parentheses: reads 1,001 rows at the beginning and" in result.output
    assert "reconcile.toml: nothing is written" in result.output
    assert not Path("reconcile.toml").exists()

    assert inspect("orders.csv", "--accounting", "parentheses", "--write-settings").exit_code == 0
    assert 'accounting = ["parentheses"]' in Path("reconcile.toml").read_text(encoding="utf-8")
