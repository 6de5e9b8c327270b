"""Nights that are made at the same time: each goes by what it began with, and says what it does not know of."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nights import OUT, said
from nights import night as night_of
from places import SAMPLE

from reconcile.errors import FolderBusy
from reconcile.operations import closing, made_run
from reconcile.operations.verify import verify
from reconcile.runs.folder import published, read_manifest, staged

night = partial(night_of, xlsx=False, html=False)


@pytest.fixture(autouse=True)
def _orders(workplace: Path) -> None:
    shutil.copy(SAMPLE / "orders.csv", "orders.csv")


def while_matching(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Do `work` once, while the next run is being matched."""
    match = made_run.match_to_parquet

    def matched(*arguments: Any, **keywords: Any) -> Any:
        monkeypatch.setattr(made_run, "match_to_parquet", match)
        work()
        return match(*arguments, **keywords)

    monkeypatch.setattr(made_run, "match_to_parquet", matched)


def warnings(folder: Path) -> list[str]:
    return [one["text"] for one in json.loads((folder / "summary.json").read_text())["warnings"]]


@pytest.mark.slow
def test_an_earlier_date_that_is_published_meanwhile_is_told_and_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    night(18)
    while_matching(monkeypatch, lambda: night(19, tolerance_cents=5))

    folder = night(20)

    said_so = "the run of 2026-11-19 was published while this one was being made, which does not take it into account"
    assert [one for one in warnings(folder) if one.startswith(said_so)]
    manifest = read_manifest(folder)
    assert manifest.previous is not None
    assert str(manifest.previous.business_date) == "2026-11-18"
    by_folder = {one.folder: one for one in verify(OUT)}
    assert by_folder[str(folder)].problems == ()
    assert by_folder[str(folder)].notes == (
        "the run of 2026-11-19 was published after this one was made: run this date again",
    )
    night(20)
    assert [(one.problems, one.notes) for one in verify(OUT)][:3] == [((), ())] * 3


@pytest.mark.slow
def test_the_run_before_that_is_replaced_meanwhile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    night(19)
    while_matching(monkeypatch, lambda: night(19, tolerance_cents=5))

    folder = night(20)

    assert any("the run of 2026-11-19 was published while this one was being made" in one for one in warnings(folder))
    assert [one.problems for one in verify(OUT)] == [(), (), ()]


@pytest.mark.slow
def test_a_date_that_is_published_while_a_run_is_about_to_be_is_told_by_one_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The later date is published after the earlier one has asked for its neighbours, and before it has its place.
    neighbours, asked = closing.neighbours, []

    def asking(*arguments: Any) -> Any:
        found = neighbours(*arguments)
        asked.append(found)
        if len(asked) == 1:
            monkeypatch.setattr(closing, "neighbours", neighbours)
            night(20)
        return found

    monkeypatch.setattr(closing, "neighbours", asking)
    folder = night(19)

    assert "later runs were made without this one: run 2026-11-20 again, oldest first" in warnings(folder)
    assert [one.problems for one in verify(OUT)] == [(), ()]


def test_a_reader_waits_for_a_date_that_is_being_published() -> None:
    night(20)
    run_id = read_manifest(OUT / "2026-11-20").run_id
    released = threading.Event()

    def publishing_date() -> None:
        """Hold the date as a process does that is between its two renames."""
        with staged(OUT, read_manifest(OUT / "2026-11-20").business_date) as staging:
            staging.folder.rmdir()
            (OUT / "2026-11-20").rename(staging.folder)
            between.set()
            released.wait(60)
            staging.folder.rename(OUT / "2026-11-20")

    between = threading.Event()
    publisher = threading.Thread(target=publishing_date)
    publisher.start()
    assert between.wait(60)
    threading.Timer(0.2, released.set).start()

    assert [read_manifest(folder).run_id for folder in published(OUT)] == [run_id]

    publisher.join()


@pytest.mark.slow
def test_two_processes_of_one_date_do_not_meet_and_two_of_two_dates_both_come_out() -> None:
    command = [sys.executable, "-m", "reconcile", "match", str(SAMPLE / "payments.csv"), "orders.csv", "--mode", "live"]
    quick = ["--no-xlsx", "--no-html"]
    dates = ("2026-11-18", "2026-11-19", "2026-11-20")
    running = [
        subprocess.Popen([*command, *quick, "--date", date], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for date in dates
    ]
    for process in running:
        _, said_so = process.communicate(timeout=300)
        assert process.returncode == 0, said_so

    assert [folder.name for folder in published(OUT)] == list(dates)
    assert [one.problems for one in verify(OUT)] == [(), (), ()]
    with staged(OUT, read_manifest(OUT / dates[0]).business_date), pytest.raises(FolderBusy):
        night(18)
    assert said("runs", "list").exit_code == 0
