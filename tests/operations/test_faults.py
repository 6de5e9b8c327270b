"""
Whatever goes wrong on the wire: the same items as without it, or exit 4 and nothing published.

What follows the pull reads two files, whatever they came by: where they have the bytes of a night that was matched, it
has the items of that night, and is not matched again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from places import SAMPLE

from reconcile.errors import CommerceLayerError
from reconcile.operations import night as operations
from reconcile.operations.made_run import MadeRun
from reconcile.operations.staged_run import StagedRun
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings

NIGHT = date(2026, 11, 20)
DROPPED = json.loads((SAMPLE / "commerce_layer" / "klarna_payments.json").read_bytes())[200]["id"]
# The sample data's pull takes about 20 requests: counts first, then 17 pages.
MENDED = (
    "5xx:#3:500", "5xx:#4,5:503", "5xx:0.2", "reset:#2", "reset:0.15", "reset-body:#5", "reset-body:0.15",
    "truncate:#4", "truncate:0.15", "invalid-json:#6", "invalid-json:0.15", "html:#3", "html:0.15",
    "stall:#5", "stall-body:#7", "429:#4", "429:#4:1", "latency:0-5", "revoke:#6", "revoke:#3,9",
    "token-5xx:#1", "token-reset:#1", "token-html:#1", "short-token:#1+:0.02",
    "drop-row:#5", "wrong-count:#1", "insert:#4",
)  # fmt: skip
FATAL = (
    "5xx:500", "reset", "truncate", "invalid-json", "html", "stall", "token-5xx", "wrong-mode:#4", "wrong-count",
    f"drop-row:{DROPPED}",
)  # fmt: skip


ALIKE = ("truncate", "invalid-json", "html")
"""Answers that cannot be read: the client takes them as it takes a broken connection, which is run more often."""
RATES = [fault for fault in MENDED if ":0." in fault]
"""Faults that come at random: each of them also comes at a certain request, which is run more often."""


Sides = tuple[bytes, bytes]
"""The files of payments and of order totals that a night is matched from."""


@pytest.fixture(scope="session")
def matched() -> dict[Sides, bytes]:
    """The items of each pair of sides that this process has matched."""
    return {}


@pytest.fixture
def night(matched: dict[Sides, bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., bytes]:
    """
    Return a function that runs the sample night against a sandbox with `faults` and returns its `items.csv`.

    A night of sides that have been matched before ends there.
    """
    make = operations.make

    def make_once(staged: StagedRun) -> MadeRun:
        sides = staged.folder.payments.read_bytes(), staged.folder.orders.read_bytes()
        if sides in matched:
            raise _Known(matched[sides])
        made = make(staged)
        matched[sides] = staged.folder.items_csv.read_bytes()
        return made

    monkeypatch.setattr(operations, "make", make_once)

    def items(out: Path, *faults: str, retry_seconds: float = 3) -> bytes:
        with SandboxServer(
            World.load(SAMPLE / "commerce_layer"), Behaviour(faults=Faults.parse(faults), limits=None)
        ) as sandbox:
            settings = Settings.of(
                api_url=sandbox.api_url,
                orders=(str(SAMPLE / "orders.csv"),),
                out=str(out),
                mirror=str(out / "mirror"),
                tolerance_cents=2,
                lag_days=1,
                timeout_seconds=0.5,
                retry_seconds=retry_seconds,
                html=False,
                xlsx=False,
            )
            try:
                folder = operations.run(
                    settings, Secrets(sandbox.client_id, sandbox.client_secret), business_date=NIGHT
                ).folder
            except _Known as known:
                return known.items
        return (folder / "items.csv").read_bytes()

    return items


class _Known(Exception):
    """The night has the sides of another one, and with them its items."""

    def __init__(self, items: bytes) -> None:
        super().__init__()
        self.items = items


@pytest.fixture
def undisturbed(matched: dict[Sides, bytes], night: Callable[..., bytes], tmp_path_factory: Any) -> bytes:
    if not matched:
        night(tmp_path_factory.mktemp("undisturbed"))
    return next(iter(matched.values()))


@pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, marks=pytest.mark.slow if fault in RATES or fault == "429:#4" else ()) for fault in MENDED],
)
def test_a_fault_that_passes_leaves_no_trace(
    fault: str, tmp_path: Path, night: Callable[..., bytes], undisturbed: bytes
) -> None:
    try:
        items = night(tmp_path, fault)
    except CommerceLayerError:
        assert not (tmp_path / "2026-11-20").exists()
        items = night(tmp_path)  # the same command goes on

    assert items == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["update:#4", "update:0.5", "delete:#4"])
def test_a_payment_that_changes_under_way_changes_nothing_else(
    fault: str, tmp_path: Path, night: Callable[..., bytes], undisturbed: bytes
) -> None:
    items = night(tmp_path, fault).decode().splitlines()

    others = {line.split(",", 3)[3] for line in undisturbed.decode().splitlines()}
    changed = [line for line in items if line.split(",", 3)[3] not in others]
    assert len(changed) <= 12
    assert len(items) in (409, 408)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=pytest.mark.slow if fault in ALIKE else ()) for fault in FATAL]
)
def test_a_fault_that_stays_publishes_nothing_and_the_next_start_goes_on(
    fault: str, tmp_path: Path, night: Callable[..., bytes], undisturbed: bytes
) -> None:
    with pytest.raises(CommerceLayerError) as caught:
        night(tmp_path, fault, retry_seconds=0.6)

    assert caught.value.exit_code == 4
    assert caught.value.hint
    assert not (tmp_path / "2026-11-20").exists()
    assert night(tmp_path) == undisturbed
