"""Orders and what they were paid with: which ones a filter by payment method finds, and where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asking import Asker

from reconcile.sandbox.world.world import World

KLARNA = {"filter[q][payment_method_payment_source_type_eq]": "klarna_payments"}


def placed(world: World) -> list[dict[str, Any]]:
    rows = [world.orders.row(int(sequence)) for sequence in world.orders.alive()]
    return [row for row in rows if row["placed_at"] is not None]


def test_orders_of_another_method_are_not_those_of_klarna(serve: Callable[..., Asker]) -> None:
    world = World.generate(20)
    other, bereft, *_ = placed(world)
    everything = {row["id"] for row in placed(world)}
    world.update_order(other["id"], payment_method_id=None)
    world.delete(bereft["payment_source_id"])

    listed = serve(world).get("/orders", {**KLARNA, "filter[q][placed_at_not_null]": "true", "page[size]": "25"})

    assert everything - {other["id"]} == set(listed.ids), "an order keeps its method when its payment is deleted"


def test_an_order_that_comes_with_a_payment_is_one_of_klarna(serve: Callable[..., Asker]) -> None:
    world = World.generate(20)
    asker = serve(world)
    before = asker.get("/orders", KLARNA).json["meta"]["record_count"]

    world.insert()

    assert asker.get("/orders", KLARNA).json["meta"]["record_count"] == before + 1


def test_a_relationship_that_is_not_open_to_filters_is_refused_in_lists_and_exports(
    serve: Callable[..., Asker],
) -> None:
    asker = serve(uncrossed=("payment_method",))

    listed = asker.get("/orders", KLARNA)
    filters = {"payment_method_payment_source_type_eq": "klarna_payments"}
    created = asker.export(resource_type="orders", filters=filters)

    assert (listed.status, listed.code) == (400, "FILTER_NOT_ALLOWED")
    assert (created.status, created.code) == (422, "VALIDATION_ERROR")
