"""Notes and warnings: the codes there are, each with a meaning, in one place and in the docs."""

from __future__ import annotations

from pathlib import Path

from reconcile.notices import CODES, NOTES, WARNINGS, Notice, notice, notices_of

DOCS = Path(__file__).parents[2] / "docs/warnings.md"


def test_the_docs_have_every_code_with_its_meaning_in_order() -> None:
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]

    assert rows == [f"| `{code}` | {meaning} |" for code, meaning in (*NOTES.items(), *WARNINGS.items())]


def test_a_code_is_a_note_or_a_warning_and_its_level_follows() -> None:
    assert len(set(CODES)) == len(CODES)
    assert (notice("not_listed", "x").level, notice("rejected_rows", "x").level) == ("note", "warning")
    assert notice("rejected_rows", "2 rows", rows=2).line == "warning: 2 rows"


def test_texts_of_before_there_were_codes_are_other_warnings() -> None:
    assert notices_of(["old", notice("vanished", "new")]) == (
        Notice("other", "warning", "old"),
        Notice("vanished", "warning", "new"),
    )
