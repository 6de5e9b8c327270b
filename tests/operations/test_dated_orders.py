"""A night names the order file of its date by `{date}`; the manifest keeps the name as written and the file read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from nights import OUT, said
from places import SAMPLE

WRITTEN = "exports/orders-{date:%d%m%y}.csv"
MATCH = ("match", "payments.csv", WRITTEN, "--mode", "live", "--no-xlsx", "--no-html")


@pytest.fixture(autouse=True)
def _inputs(workplace: Path) -> None:
    Path("exports").mkdir()
    shutil.copy(SAMPLE / "orders.csv", "exports/orders-201126.csv")
    shutil.copy(SAMPLE / "payments.csv", "payments.csv")


def test_the_file_of_the_business_date_is_read() -> None:
    result = said(*MATCH, "--date", "2026-11-20")

    assert result.exit_code == 0, result.stderr
    document = json.loads((OUT / "2026-11-20" / "manifest.json").read_text())
    assert document["settings"]["orders"]["files"] == [WRITTEN]
    assert [file["path"] for file in document["inputs"]["files"]] == ["exports/orders-201126.csv"]


@pytest.mark.parametrize(
    "words",
    [
        (*MATCH, "--date", "2026-11-21"),
        ("orders", "inspect", "--orders", WRITTEN, "--date", "2026-11-21"),
    ],
)
def test_a_missing_file_is_named_with_its_date(words: tuple[str, ...]) -> None:
    result = said(*words)

    assert result.exit_code == 3
    assert result.stderr == (
        "error: exports/orders-211126.csv: there is no such file\n"
        "hint: check the path; it is relative to the working directory; "
        f"{WRITTEN} is written, and the date is 2026-11-21\n"
    )


def test_inspect_and_check_look_at_the_file_of_their_date() -> None:
    assert said("orders", "inspect", WRITTEN, "--date", "2026-11-20").exit_code == 0
    assert said("check", WRITTEN, "--offline", "--date", "2026-11-20").exit_code == 0

    missing = said("check", WRITTEN, "--offline", "--date", "2026-11-21")
    assert missing.exit_code == 3
    assert f"{WRITTEN} is written, and the date is 2026-11-21" in missing.stdout
