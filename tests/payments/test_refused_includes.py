"""Servers that do not include something: the rest is read, what was refused is remembered, and the report says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from shops import change, shop

from reconcile.commercelayer.by_id import fetch_payments
from reconcile.commercelayer.reading import Reading
from reconcile.commercelayer.relations import SUM_OF, Wanted
from reconcile.errors import Unreachable
from reconcile.figures.warnings import pull_warnings
from reconcile.sandbox.api.includes import NAMINGS, IncludeRules
from reconcile.sandbox.world.world import World

CAPTURES = ("order.captures", "order.captures.payment_source")


def refusing(*paths: str, naming: str = "path") -> dict[str, Any]:
    return {"includes": IncludeRules(refused=paths, naming=naming)}


def empty(path: Path) -> set[str]:
    """Return the columns of a file of payments that hold nothing."""
    table = pq.read_table(path)
    return {name for name in table.column_names if table.column(name).null_count == table.num_rows}


def refused(server) -> int:
    return sum(one.status == 400 for one in server.requests)


ALWAYS = {"payment_instrument", "metadata"}


@pytest.mark.parametrize("naming", ["path", "relationship"])
async def test_without_captures_all_else_is_read_and_the_warning_names_the_columns(
    serve, pull, tmp_path: Path, naming: str
) -> None:
    server = serve(World.generate(60), **refusing("order.captures", naming=naming))

    report = await pull(server)

    assert empty(tmp_path / "payments.parquet") == ALWAYS | {"captured_amount_cents"}
    types = set(pq.read_table(tmp_path / "transactions.parquet").column("type").to_pylist())
    assert types == set(SUM_OF) - {"captures"}
    assert (report.refused, refused(server)) == (CAPTURES, 1)
    (warning,) = pull_warnings(report)
    assert warning.code == "refused_includes"
    assert warning.text == (
        "the server refused to include order.captures, order.captures.payment_source: captured_amount_cents, "
        "payment_id of captures are empty; --full asks for it again"
    )


@pytest.mark.parametrize("naming", NAMINGS)
async def test_where_nothing_nested_is_included_the_totals_are_still_there(
    serve, pull, tmp_path: Path, naming: str
) -> None:
    server = serve(World.generate(60), **refusing("order.*", naming=naming))

    report = await pull(server)

    assert {"total_amount_cents", "payment_gateway_name"}.isdisjoint(empty(tmp_path / "payments.parquet"))
    assert {*SUM_OF.values(), "market_id", "order_source_type"} <= empty(tmp_path / "payments.parquet")
    assert pq.read_metadata(tmp_path / "transactions.parquet").num_rows == 0
    assert set(report.refused) == set(Wanted().includes) - {"order", "payment_gateway"}


async def test_what_a_server_does_not_link_is_not_taken_for_none(serve, pull, tmp_path: Path) -> None:
    await pull(serve(World.generate(60), **refusing("order.payment_source")))

    rows = pq.read_table(tmp_path / "payments.parquet").to_pylist()
    assert {(row["order_source_type"], row["is_current_source"]) for row in rows} == {(None, None)}


async def test_what_was_refused_is_not_asked_again_until_everything_is_pulled(serve, pull, tmp_path: Path) -> None:
    world = shop(60)
    await pull(serve(world, **refusing("order.captures")), mirror=tmp_path / "mirror")
    change(world)
    server, mirror = serve(world), tmp_path / "mirror"

    report = await pull(server, mirror=mirror, incremental=True)
    remembered = empty(tmp_path / "payments.parquet")
    again = await pull(server, mirror=mirror)

    assert (report.refused, report.incremental, refused(server)) == (CAPTURES, True, 0)
    assert not any("order.captures" in one.query.get("include", "") for one in server.requests[: report.requests])
    assert "captured_amount_cents" in remembered
    assert (again.refused, "captured_amount_cents" in empty(tmp_path / "payments.parquet")) == ((), False)


async def test_an_interrupted_pull_remembers_what_was_refused(serve, pull, tmp_path: Path) -> None:
    world, mirror = World.generate(160), tmp_path / "mirror"
    with pytest.raises(Unreachable):
        first = serve(world, "5xx:#6+", **refusing("order.captures"))
        await pull(first, mirror=mirror, client={"retry_seconds": 0.5})
    server = serve(world, **refusing("order.captures"))

    report = await pull(server, mirror=mirror)

    assert (report.refused, report.resumed, refused(server)) == (CAPTURES, True, 0)


async def test_single_payments_are_read_without_what_is_refused(serve, client_of) -> None:
    world = World.generate(60)
    server = serve(world, **refusing("order.voids", "payment_gateway", naming="relationship"))
    ids = world.payment_ids()[:30]

    async with client_of(server) as client:
        reading = Reading(client, Wanted())
        found = await fetch_payments(reading, ids, mode="live")

    assert found.column("payment_id").to_pylist() == ids
    assert found.column("voided_amount_cents").null_count == found.column("payment_gateway_id").null_count == 30
    assert reading.refused == ("order.voids", "order.voids.payment_source", "payment_gateway")
