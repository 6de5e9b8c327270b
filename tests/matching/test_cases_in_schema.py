"""The figures of every case of tests/cases are as the published JSON Schema says, however they are matched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from matching_world import Case, MatchFiles
from test_cases import marked, worlds

from reconcile.figures.totals import summarize


@pytest.mark.parametrize("cases", worlds(), ids=lambda cases: cases[0].name)
def test_figures_of_cases(cases: list[Case], tmp_path: Path, misfits: Callable[..., list[str]]) -> None:
    payments = pa.concat_tables(marked(case.payments, place) for place, case in enumerate(cases))
    orders = pa.concat_tables(marked(case.orders, place) for place, case in enumerate(cases))
    items, report = MatchFiles(tmp_path, large=False)(
        payments, orders, policy=cases[0].policy, business_date=cases[0].business_date, memory_limit="200MB"
    )
    figures = summarize(items, report.control, report.key_profile)

    assert misfits(msgspec.json.decode(msgspec.json.encode(figures)), "summary", "FrameSummary") == []
