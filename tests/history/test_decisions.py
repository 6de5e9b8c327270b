"""The record of decisions: whatever text is accepted comes back as it was, whoever has saved the file since."""

from __future__ import annotations

import csv
import resource
import signal
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.errors import AcceptanceError, OutputError
from reconcile.history.decisions import MOST_CHARACTERS, NAME, Decision, append_decisions, read_decisions

ON = date(2026, 11, 20)
KNOWN = Decision("0" * 32, ON, "known", recorded_at=datetime(2026, 11, 20, 8, tzinfo=UTC))

texts = st.text(min_size=1, max_size=12) | st.text(
    "\",;\t\r\n #'=+-@\\\x00\x1c\x85\u2028\ufeff😀a", min_size=1, max_size=9
)
names = texts.filter(lambda text: "\0" not in text)
reasons = names.filter(str.strip)
amounts = st.integers(-(2**63) + 1, 2**63 - 1)
currencies = st.sampled_from(["EUR", "JPY", "KWD", "HUF", "MGA", "XYZ", "eur", " EUR", "=1"]) | texts
decisions = st.builds(
    Decision,
    item_id=st.text("0123456789abcdef", min_size=32, max_size=32),
    accepted_on=st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    reason=reasons,
    accepts=st.booleans(),
    status=st.none() | st.sampled_from(["amount_mismatch", "missing_order"]),
    cents=amounts,
    currency_code=currencies,
    cap_cents=st.none() | amounts,
    until=st.none() | st.dates(),
    by=st.none() | names,
    reference=st.none() | texts | st.just("R" * 200_000),
    recorded_at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
        lambda moment: moment.replace(microsecond=0)
    ),
)
every_file = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(
    batches=st.lists(st.lists(decisions, max_size=3), min_size=1, max_size=3),
    written=st.sampled_from(
        ["", "item_id,accepted_on,reason", "reason,note,item_id,accepted_on\n", "item_id;reason;accepted_on;until\r\n"]
    ),
)
@every_file
def test_every_decision_comes_back_and_lines_are_only_added(
    batches: list[list[Decision]], written: str, tmp_path: Path
) -> None:
    path = tmp_path / NAME
    path.write_text(written, newline="")
    for some in batches:
        before = path.read_bytes()
        append_decisions(path, some)
        assert path.read_bytes().startswith(before)

    found = [replace(one, recorded_at=None) for one in read_decisions(path)]
    assert found == [replace(one, recorded_at=None) for some in batches for one in some]
    assert written or [one.recorded_at for one in read_decisions(path)] == [
        one.recorded_at for some in batches for one in some
    ]


@pytest.mark.parametrize("most", [1, 100, 170])
def test_a_decision_that_does_not_fit_on_the_disk_leaves_the_record_as_it_was(most: int, tmp_path: Path) -> None:
    path = tmp_path / NAME
    append_decisions(path, [KNOWN])
    before = path.read_bytes()
    ignored, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + most, limits[1]))
    try:
        with pytest.raises(OutputError):
            append_decisions(path, [replace(KNOWN, reason="r" * 500)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)

    assert path.read_bytes() == before


@given(
    given=st.lists(decisions, min_size=1, max_size=3),
    quoted=st.booleans(),
    bom=st.booleans(),
    sign=st.sampled_from(",;"),
)
@every_file
def test_a_record_that_a_spreadsheet_has_saved_is_read_and_added_to(
    given: list[Decision], quoted: bool, bom: bool, sign: str, tmp_path: Path
) -> None:
    path = tmp_path / NAME
    path.unlink(missing_ok=True)
    append_decisions(path, given)
    with path.open(newline="", encoding="utf-8") as file:
        limit = csv.field_size_limit(1_000_000)
        rows = list(csv.reader(file))
        csv.field_size_limit(limit)
    with path.open("w", newline="", encoding="utf-8-sig" if bom else "utf-8") as file:
        quoting = csv.QUOTE_ALL if quoted or any("\r" in cell for row in rows for cell in row) else csv.QUOTE_MINIMAL
        csv.writer(file, delimiter=sign, quoting=quoting).writerows(rows)
    append_decisions(path, [KNOWN])

    assert read_decisions(path) == [*given, KNOWN]


@pytest.mark.parametrize("name", ["reason", "by", "reference"])
def test_half_a_character_is_refused_and_nothing_is_recorded(name: str, tmp_path: Path) -> None:
    with pytest.raises(AcceptanceError) as told:
        append_decisions(tmp_path / NAME, [KNOWN, replace(KNOWN, **{name: "it is \ud83d"})])

    assert told.value.message == f"{name}: character 7 is not text in UTF-8"
    assert "write it again" in (told.value.hint or "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["reason", "by"])
def test_a_nul_is_refused_and_nothing_is_recorded(name: str, tmp_path: Path) -> None:
    with pytest.raises(AcceptanceError) as told:
        append_decisions(tmp_path / NAME, [replace(KNOWN, **{name: "it\0is"})])

    assert told.value.message == f"{name}: character 3 is a NUL, which no spreadsheet keeps"
    assert list(tmp_path.iterdir()) == []


def test_a_reason_is_never_cut(tmp_path: Path) -> None:
    longest = replace(KNOWN, reason="x" * MOST_CHARACTERS)
    append_decisions(tmp_path / NAME, [longest])
    with pytest.raises(AcceptanceError) as told:
        append_decisions(tmp_path / NAME, [replace(KNOWN, reason="x" * 131_073)])
    assert told.value.message == "reason: has 131,073 characters: 1,000 is the most that is kept"

    # Written by hand it may be longer: it is read as it stands.
    with (tmp_path / NAME).open("a") as file:
        file.write(f"{'1' * 32},2026-11-20,,,,,,,{'y' * 200_000},,,\n")
    assert [len(one.reason) for one in read_decisions(tmp_path / NAME)] == [MOST_CHARACTERS, 200_000]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("x,2026-11-20,,,,,,,a\rx,2026-11-20,,,,,,,made up,,,\n", "4: has a carriage return outside quotes"),
        ('x,2026-11-20,,,,,,,"never closed,,,\n', "4: opens a quote that is never closed"),
        ('x,2026-11-20,,,,,,,"a"b,,,\n', "4: has text after a closing quote"),
    ],
)
def test_a_line_that_may_be_read_in_two_ways_is_not_read(line: str, problem: str, tmp_path: Path) -> None:
    append_decisions(tmp_path / NAME, [replace(KNOWN, reason="two\nlines")])
    with (tmp_path / NAME).open("a", newline="") as file:
        file.write(line)

    with pytest.raises(AcceptanceError) as told:
        read_decisions(tmp_path / NAME)
    assert told.value.message == f"{tmp_path / NAME}:{problem}"
    with pytest.raises(AcceptanceError):
        append_decisions(tmp_path / NAME, [KNOWN])
