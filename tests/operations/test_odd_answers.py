"""A night in which many records are odd, each in its own way: each has its status, and the others have theirs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from places import SAMPLE

from reconcile.errors import CommerceLayerError
from reconcile.operations.night import run
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings

NIGHT = date(2026, 11, 20)
LATEST, EARLIEST = "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z"

# What is odd about a payment or its order, and what becomes of a pair that would have matched.
ODD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "NUL in free-form JSON": ({"metadata": {"a\x00": "\x00"}}, {}, "matched"),
    "control characters in a reference": ({"reference": "R\x00\x1b[2J"}, {}, "matched"),
    "control characters in a status": ({}, {"status": "\x00", "payment_status": "\x1b"}, "not_paid"),
    "an order number that is a large integer": ({}, {"number": 10**30}, "matched"),
    "a currency nobody knows": ({}, {"currency_code": "zloty?"}, "currency_mismatch"),
    "a currency of control characters": ({}, {"currency_code": "\x00"}, "currency_mismatch"),
    "a currency without letters": ({}, {"currency_code": ""}, "amount_unknown"),
    "no currency": ({}, {"currency_code": None}, "amount_unknown"),
    "no amount": ({}, {"total_amount_with_taxes_cents": None}, "amount_unknown"),
    "an amount beyond int64": ({}, {"total_amount_with_taxes_cents": 10**30}, "amount_unknown"),
    "an amount that cannot be added up": ({}, {"total_amount_with_taxes_cents": -(2**63)}, "amount_unknown"),
    "dates at the end of the calendar": ({"updated_at": LATEST}, {"placed_at": LATEST}, "matched"),
    "dates at its beginning": ({"created_at": EARLIEST}, {"placed_at": EARLIEST, "updated_at": EARLIEST}, "matched"),
    "an offset beyond the calendar": ({}, {"placed_at": "9999-12-31T23:59:59-14:00"}, "matched"),
    "an offset before it": ({"created_at": "0001-01-01T00:00:00+14:00"}, {}, "matched"),
}


def night(world: World, out: Path, *faults: str, **options: Any) -> dict[str, str]:
    """Run a night and return the status of each payment."""
    with SandboxServer(world, Behaviour(faults=Faults.parse(faults), limits=None)) as sandbox:
        settings = Settings.of(
            api_url=sandbox.api_url,
            orders=(str(SAMPLE / "orders.csv"),),
            out=str(out),
            mirror=str(out / "mirror"),
            tolerance_cents=2,
            lag_days=1,
            load_to=f"duckdb:{out / 'books.duckdb'}",
            retry_seconds=3,
            **options,
        )
        folder = run(settings, Secrets(sandbox.client_id, sandbox.client_secret), business_date=NIGHT).folder
    rows = pq.read_table(folder / "items.parquet", columns=["payment_id", "status"]).to_pylist()
    return {row["payment_id"]: row["status"] for row in rows if row["payment_id"] is not None}


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return night(World.load(SAMPLE / "commerce_layer"), tmp_path_factory.mktemp("ordinary"))


@pytest.mark.slow
@pytest.mark.parametrize("via", ["pages", pytest.param("exports", marks=pytest.mark.slow)])
def test_odd_values_are_those_of_their_records_alone(tmp_path: Path, ordinary: dict[str, str], via: str) -> None:
    world = World.load(SAMPLE / "commerce_layer")
    matched = [id_ for id_, status in ordinary.items() if status == "matched"]
    expected = dict(ordinary)
    for id_, (payment, order, status) in zip(matched, ODD.values(), strict=False):
        world.update(id_, touch=False, **payment)
        world.update_order(world.payments.find(id_)["order_id"], touch=False, **order)
        expected[id_] = status

    found = night(world, tmp_path, via=via)
    again = night(world, tmp_path, via=via, incremental=True)

    assert found == again == expected


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["garbled:utf8", pytest.param("garbled:surrogate", marks=pytest.mark.slow)])
def test_text_that_is_not_unicode_changes_no_status(tmp_path: Path, ordinary: dict[str, str], fault: str) -> None:
    assert night(World.load(SAMPLE / "commerce_layer"), tmp_path, fault) == ordinary


def test_a_token_that_no_header_can_hold_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        CommerceLayerError, match="the access token has characters that are not allowed in a header"
    ) as caught:
        night(World.load(SAMPLE / "commerce_layer"), tmp_path, "token-odd")

    assert caught.value.exit_code == 4
    assert "auth_url" in (caught.value.hint or "")
