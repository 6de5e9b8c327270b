"""A disk that fails at step N, for every N: one clear error, nothing half-published, and the next run is whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from places import SAMPLE

from reconcile.errors import OutputError
from reconcile.operations.night import match
from reconcile.runs import verify
from reconcile.settings.settings import Settings

NIGHT = date(2026, 11, 20)
SETTINGS = Settings.of(orders=("orders.csv",), tolerance_cents=2)


class FullFrom:
    """A function of the disk that fails from its N-th call on."""

    def __init__(self, works: Callable[..., Any], calls: int) -> None:
        self.works = works
        self.left = calls

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
        return self.works(*arguments, **keywords)


@pytest.fixture(autouse=True)
def _inputs(workplace: Path) -> None:
    rows = (SAMPLE / "orders.csv").read_text(encoding="utf-8").splitlines()[:30]
    Path("orders.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    rows = (SAMPLE / "payments.csv").read_text(encoding="utf-8").splitlines()[:30]
    Path("payments.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def run() -> Path:
    return match(SETTINGS, Path("payments.csv"), business_date=NIGHT).folder


@pytest.mark.parametrize("step", [pytest.param("fsync", marks=pytest.mark.slow), "rename", "mkdir"])
def test_the_disk_fails_at_every_step(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"fsync": (os, "fsync"), "rename": (Path, "rename"), "mkdir": (Path, "mkdir")}[step]
    works = getattr(*place)
    for calls in range(100):
        failing = FullFrom(works, calls)
        with monkeypatch.context() as broken:
            broken.setattr(*place, failing if place[0] is os else lambda *a, _f=failing, **k: _f(*a, **k))
            try:
                run()
            except OutputError as error:
                assert error.exit_code == 5
                assert error.hint
            else:
                assert failing.left >= 0, "a failure of the disk went unnoticed"
                break
        folder = Path("runs/2026-11-20")
        if folder.exists():  # the last steps make the rename durable and tell the ledger
            assert verify.altered_files(folder) == []
        assert not list(Path("runs").glob(".*.staging"))
    else:
        pytest.fail("the run never came to its end")

    assert calls > 0
    assert verify.altered_files(Path("runs/2026-11-20")) == []
