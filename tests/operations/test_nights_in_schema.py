"""Every summary and every row that is published is as the published JSON Schemas say, whatever made it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from nights import breaks_of
from places import SAMPLE

import reconcile
from reconcile.cli.main import main
from reconcile.figures.summary import VERSION
from reconcile.history.breaks import Grounds, accept
from reconcile.operations.night import match, run
from reconcile.operations.pull import payment_lines
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.exports.exports import ExportRules
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings

Misfits = Callable[..., list[str]]
ORDERS = str(SAMPLE / "orders.csv")


def matched(day: int, *orders: str, **options: Any) -> Path:
    settings = Settings.of(orders=orders or (ORDERS,), **options)
    return match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, day)).folder


def pulled(server: SandboxServer, day: int, **options: Any) -> Path:
    settings = Settings.of(api_url=server.api_url, orders=(ORDERS,), **options)
    secrets = Secrets(server.client_id, server.client_secret)
    return run(settings, secrets, business_date=date(2026, 11, day)).folder


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A match of the sample data: its run folder, which nobody changes."""
    return matched(20, mode="live", tolerance_cents=2, lag_days=1, out=str(tmp_path_factory.mktemp("in-schema")))


def summary_of(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_bytes())
    return summary


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in payment_lines(pq.read_table(path))]


@pytest.mark.slow
def test_the_summary_of_the_demo_is_as_its_schema_says(misfits: Misfits) -> None:
    result = CliRunner().invoke(main, ["demo", "-q"], catch_exceptions=False)
    summary = summary_of(Path(result.stdout.strip()))

    assert misfits(summary, "summary") == []
    assert summary["version"] == VERSION


def test_the_summary_of_a_match_and_every_row_of_its_tables_is_as_their_schemas_say(
    misfits: Misfits, night: Path
) -> None:
    assert misfits(summary_of(night), "summary") == []
    for name in ("items", "breaks", "payments", "orders"):
        rows = rows_of(night / f"{name}.parquet")
        assert rows
        assert [misfits(row, "items" if name == "breaks" else name) for row in rows] == [[]] * len(rows)


def write_totals(path: Path, *, more_cents: int) -> None:
    """Write an order row for each of eight payments, with so many minor units more than it has."""
    with (SAMPLE / "payments.csv").open(encoding="utf-8", newline="") as text:
        placed = (row for row in csv.DictReader(text) if row["order_status"] == "placed" and row["reference"])
        eight = list(islice(placed, 8))
    lines = [
        f"{row['reference']},{int(row['total_amount_with_taxes_cents']) + more_cents},{row['currency_code']}"
        for row in eight
    ]
    path.write_text("\n".join(["reference,total_amount_cents,currency", *lines]) + "\n", encoding="utf-8")


@pytest.mark.slow
def test_reopened_breaks_patterns_rejects_rules_and_limits_are_as_the_schemas_say(
    misfits: Misfits, workplace: Path
) -> None:
    write_totals(workplace / "right.csv", more_cents=0)
    write_totals(workplace / "wrong.csv", more_cents=100)
    (workplace / "bad.csv").write_text("reference,total,currency\nX-1,much,EUR\nX-2,1.00,EUR\n")
    matched(18, "wrong.csv")
    first = matched(19, "right.csv")
    accept(first, [breaks_of(first)[0]["item_id"]], Grounds("known", until=date(2026, 12, 31)))
    rules: dict[str, Any] = {"clean_case": "fold", "group_orders": "sum"}
    folder = matched(20, "wrong.csv", "bad.csv", max_rejects=1, fail_on=("breaks>0",), **rules)
    summary, items = summary_of(folder), rows_of(folder / "items.parquet")

    assert misfits(summary, "summary") == []
    assert [misfits(row, "items") for row in items] == [[]] * len(items)
    # What these two nights are for has happened: else the schemas would have had little to say no to.
    assert (summary["verdict"], len(summary["trend"]), summary["counts"]["rejects"]) == ("over_limit", 2, 1)
    assert {pattern["kind"] for pattern in summary["patterns"]} >= {"difference", "file"}
    assert summary["key_profile"]["cleaning"]
    assert {line["keys_out"] for line in summary["hash_totals"]["orders"]} == {None}
    assert summary["aging_from_data"][-1]["bucket"] == "no date"
    assert {row["state"] for row in items} >= {"open", "reopened", None}
    assert [row["accepted_until"] for row in items if row["accepted_reason"]] == ["2026-12-31"]


@pytest.mark.slow
def test_the_summary_of_an_incremental_night_by_exports_is_as_its_schema_says(misfits: Misfits) -> None:
    world = World.load(SAMPLE / "commerce_layer")
    with SandboxServer(world, Behaviour(limits=None, exports=ExportRules(time_scale=50.0))) as server:
        exported = summary_of(pulled(server, 20, via="exports", since="2026-01-01"))
        incremental = summary_of(pulled(server, 21, incremental=True, since="2026-01-01"))

    assert [misfits(one, "summary") for one in (exported, incremental)] == [[], []]
    assert exported["pull"]["transport"] == "exports"
    assert incremental["pull"]["incremental"]


def test_the_summary_of_frames_is_as_its_part_of_the_schema_says(misfits: Misfits, night: Path) -> None:
    payments = pq.read_table(night / "payments.parquet").to_pandas(types_mapper=pd.ArrowDtype)
    result = reconcile.match_payments(payments, reconcile.read_orders(ORDERS), business_date="2026-11-20")

    found = msgspec.json.decode(msgspec.json.encode(result.summary))

    assert misfits(found, "summary", "FrameSummary") == []
    assert misfits(found, "summary") != []


def test_a_field_more_or_a_field_less_or_another_word_does_not_fit(misfits: Misfits, night: Path) -> None:
    summary, row = summary_of(night), rows_of(night / "items.parquet")[0]
    summary["control"]["payments"][0]["surprise"] = 1
    del summary["counts"]["rejects"]
    row["status"] = "unheard_of"
    row["placed_at"] = "yesterday"
    del row["item_id"]

    assert [misfit.partition(":")[0] for misfit in misfits(summary, "summary")] == ["$.control.payments[0]", "$.counts"]
    assert [misfit.partition(":")[0] for misfit in misfits(row, "items")] == ["$", "$.placed_at", "$.status"]
