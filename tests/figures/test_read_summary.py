"""`summary.json` is read back as it was written, also by earlier versions, or refused with field and remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reconcile.errors import OutputError
from reconcile.figures.proof import HashTotals
from reconcile.figures.summary import Summary, read_summary
from reconcile.notices import Notice
from reconcile.operations.night import match
from reconcile.runs.manifest import write_json
from reconcile.settings.sources import load_settings

SAMPLE = Path(__file__).parents[2] / "sample_data"

Document = dict[str, Any]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """A run folder, and the summary that the run gave."""
    out = tmp_path_factory.mktemp("runs")
    options = {"out": str(out), "orders": (str(SAMPLE / "orders.csv"),), "html": False, "xlsx": False}
    settings = load_settings(environ={}, options=options)
    result = match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, 20))
    return result.folder, result.summary


@pytest.fixture
def changed(written: tuple[Path, Summary], tmp_path: Path) -> Callable[[Callable[[Document], object]], Path]:
    """Give a function that writes the summary of a run as `change` leaves it, and returns its folder."""

    def change(of: Callable[[Document], object]) -> Path:
        document = json.loads((written[0] / "summary.json").read_bytes())
        of(document)
        (tmp_path / "summary.json").write_text(json.dumps(document))
        return tmp_path

    return change


def test_a_summary_is_read_as_it_was_made_and_written_again_to_the_byte(
    written: tuple[Path, Summary], tmp_path: Path
) -> None:
    folder, summary = written
    write_json(tmp_path / "summary.json", read_summary(folder))

    assert read_summary(folder) == summary
    assert (tmp_path / "summary.json").read_bytes() == (folder / "summary.json").read_bytes()


def test_a_summary_of_before_its_latest_fields_is_read(changed: Callable[..., Path]) -> None:
    def earlier(document: Document) -> None:
        for name in ("bridge", "hash_totals", "aging_from_data", "patterns", "trend"):
            del document[name]
        for name in ("cleaning", "hint"):
            del document["key_profile"][name]
        counts = ("payments", "requests", "bytes_received", "retries", "rate_limited", "shards", "rewalks")
        document["pull"] = dict.fromkeys((*counts, "count_before", "count_after"), 1) | {
            "since": None, "until": "2026-11-20T00:00:00.000Z", "started_at": "2026-11-20T00:00:00.000Z",
            "finished_at": "2026-11-20T00:00:01.000Z", "organization": "the-shop", "mode": "live", "resumed": False,
            "clock_offset_seconds": None,
        }  # fmt: skip
        for line in (line for status in document["statuses"] for line in status["amounts"]):
            del line["accepted_count"], line["accepted_at_stake_cents"]

    summary = read_summary(changed(earlier))

    assert (summary.bridge, summary.hash_totals, summary.aging_from_data) == ((), HashTotals((), ()), ())
    assert (summary.patterns, summary.trend, summary.accepted_count) == ((), (), 0)
    assert (summary.key_profile.cleaning, summary.key_profile.hint) == ((), None)
    assert summary.at_stake
    assert summary.pull is not None
    assert (summary.pull.transport, summary.pull.incremental, summary.pull.warnings) == ("pages", False, ())


def test_warnings_of_before_they_had_codes_are_read(changed: Callable[..., Path]) -> None:
    summary = read_summary(
        changed(lambda document: document.update(version=1, warnings=["2 order rows were rejected"]))
    )

    assert summary.warnings == (Notice("other", "warning", "2 order rows were rejected"),)


def test_a_warning_of_a_later_version_is_read(changed: Callable[..., Path]) -> None:
    later = {"code": "moon_phase", "level": "warning", "text": "full moon", "figures": {"days": 3, "names": ["a", "b"]}}

    (warning,) = read_summary(changed(lambda document: document.update(warnings=[later]))).warnings

    assert (warning.code, warning.figures) == ("moon_phase", {"days": 3, "names": ("a", "b")})


def test_a_summary_with_fields_of_a_later_version_is_read(
    changed: Callable[..., Path], written: tuple[Path, Summary]
) -> None:
    assert read_summary(changed(lambda document: document["counts"].update(surprises=1))) == written[1]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda document: document.pop("counts"), "Object missing required field `counts`"),
        (
            lambda document: document["statuses"][0]["amounts"][0].pop("at_stake_cents"),
            "Object missing required field `at_stake_cents` - at `$.statuses[0].amounts[0]`",
        ),
        (
            lambda document: document["counts"].update(breaks="33"),
            "Expected `int`, got `str` - at `$.counts.breaks`",
        ),
        (lambda document: document["counts"].update(items=-1), "Expected `int` >= 0 - at `$.counts.items`"),
        (lambda document: document.update(verdict="fine"), "Invalid enum value 'fine' - at `$.verdict`"),
        (
            lambda document: document["statuses"][0].update(status="lost"),
            "Invalid enum value 'lost' - at `$.statuses[0].status`",
        ),
        (
            lambda document: document.update(business_date="yesterday"),
            "Invalid RFC3339 encoded date - at `$.business_date`",
        ),
    ],
)
def test_a_field_that_is_missing_or_of_another_type_is_named(
    changed: Callable[..., Path], change: Callable[[Document], object], problem: str
) -> None:
    folder = changed(change)

    with pytest.raises(OutputError) as caught:
        read_summary(folder)

    where = f"{folder / 'summary.json'}: its figures are from another version of reconcile"
    assert caught.value.message == f"{where}: {problem}"
    assert caught.value.hint == "run this date again, or use the version that manifest.json names"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "Input data was truncated"),
        (b'{"version": 1', "Input data was truncated"),
        (b"no JSON", "JSON is malformed: invalid character (byte 4)"),
        (b"\xff", "JSON is malformed: invalid character (byte 0)"),
        (b'{"version": 1, "later": ' + b"[" * 100_000, "maximum recursion depth exceeded"),
        (None, "No such file or directory"),
    ],
    ids=["empty", "cut", "text", "bytes", "deep", "missing"],
)
def test_a_file_that_cannot_be_read_is_told_with_the_remedy(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_bytes(content)

    with pytest.raises(OutputError) as caught:
        read_summary(tmp_path)

    assert caught.value.message.startswith(f"{tmp_path / 'summary.json'}: cannot be read as the summary of a run: ")
    assert problem in caught.value.message
    assert caught.value.hint == "`reconcile runs verify` reports what was changed"


def test_a_value_that_is_refused_cannot_steer_the_terminal_or_fill_it(changed: Callable[..., Path]) -> None:
    with pytest.raises(OutputError) as caught:
        read_summary(changed(lambda document: document.update(verdict="\x1b[2J" + "x" * 40_000)))

    assert "[2Jxxx" in caught.value.message
    assert caught.value.message.isprintable()
    assert caught.value.message.endswith("xxx' - at `$.verdict`")
    assert len(caught.value.message) < 1_000
