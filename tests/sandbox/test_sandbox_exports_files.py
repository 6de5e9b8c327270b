"""What is in an export's file: rows, fields, related resources, and what became of the rows meanwhile."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import pytest
from asking import Asker, Clock, fetch

from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.exports.exports import ExportRules
from reconcile.sandbox.exports.files import export_file
from reconcile.sandbox.exports.plans import read_plan
from reconcile.sandbox.world.world import World

Rows = list[dict[str, Any]]


@pytest.fixture
def timed(serve, clock):
    """Return a function that serves a world whose exports end when the clock is moved on by ten seconds."""

    def start(world: World | None = None, *faults: str, source_types: bool = False, **options: Any) -> Asker:
        rules = ExportRules(records_per_second=100, source_types=source_types)
        times = {"clock": clock, "wall_clock": clock.wall}
        return serve(world, exports=rules, faults=Faults.parse(faults), **times, **options)

    return start


def content(asker: Asker, clock: Clock, **attributes: Any) -> bytes:
    """Create an export, let its time pass and return what its file says."""
    created = asker.export(**attributes)
    assert created.status == 201, created.json
    clock.seconds += 10.0
    return downloaded(asker, created.json["data"]["id"])


def downloaded(asker: Asker, id_: str) -> bytes:
    return gzip.decompress(fetch(asker.exported(id_)["attachment_url"]).body)


def rows_of(asker: Asker, clock: Clock, **attributes: Any) -> Rows:
    return json.loads(content(asker, clock, **attributes))


def listed(asker: Asker, path: str, **parameters: str) -> Rows:
    """Return every resource of a list, page by page."""
    resources: Rows = []
    for number in range(1, 100):
        page = asker.get(path, {"page[size]": "25", "page[number]": str(number), **parameters}).json
        resources += page["data"]
        if "next" not in page["links"]:
            return resources
    raise AssertionError("a list without an end")


@pytest.mark.parametrize("resource_type", ["klarna_payments", "orders", "payment_gateways"])
def test_a_row_has_what_the_list_shows_but_what_is_not_exportable(timed, clock, resource_type) -> None:
    asker = timed()
    rows = rows_of(asker, clock, resource_type=resource_type)
    unexportable = {
        *("auth_token", "affiliate_code", "customer_type", "refreshed_at", "expires_at", "expiration_info"),
    }
    resources = listed(asker, f"/{resource_type}")

    assert [row["id"] for row in rows] == [resource["id"] for resource in resources]
    for row, resource in zip(rows, resources, strict=True):
        expected = {name: value for name, value in resource["attributes"].items() if name not in unexportable}
        assert {name: row[name] for name in expected} == expected
        assert {name for name in row if name not in expected and not name.endswith("_id")} == {"id"}


def test_a_relationship_that_is_not_included_is_an_id(timed, clock) -> None:
    asker = timed()
    (row, *_) = rows_of(asker, clock)
    (order, *_) = rows_of(asker, clock, resource_type="orders")

    assert row["order_id"] == asker.server.world.payments.row(1)["order_id"]
    assert row["payment_gateway_id"] == asker.server.world.gateways.row(1)["id"]
    assert order["payment_source_id"] == asker.server.world.orders.row(1)["payment_source_id"]
    assert order["payment_method_id"] == asker.server.world.methods.row(1)["id"]
    assert order["market_id"] == asker.server.world.orders.row(1)["market_id"]
    assert order["customer_id"] is None
    assert not {"event_stores_id", "captures_id", "event_stores"} & order.keys()


@pytest.mark.parametrize("attributes", [{"includes": ["order"]}, {"fields": ["*", "order.*"]}])
def test_an_included_order_is_an_object_in_place_of_its_id(timed, clock, attributes) -> None:
    asker = timed()
    rows = rows_of(asker, clock, **attributes)
    orders = {order["id"]: order for order in rows_of(asker, clock, resource_type="orders")}

    assert len(rows) == 60
    for row in rows:
        assert "order_id" not in row
        assert row["order"] is None or row["order"] == orders[row["order"]["id"]]


def test_includes_count_for_nothing_beside_fields_unless_repeated(timed, clock) -> None:
    (row, *_) = rows_of(timed(), clock, fields=["reference", "order_id"], includes=["order"])

    assert row.keys() == {"reference", "order_id"}


def test_only_the_named_fields_are_exported(timed, clock) -> None:
    fields = ["id", "created_at", "order.id", "order.number", "order.payment_method.name"]
    (row, *_) = rows_of(timed(), clock, fields=fields)

    assert row.keys() == {"id", "created_at", "order"}
    assert row["order"] == {
        "id": row["order"]["id"],
        "number": "40000001",
        "payment_method": {"name": "Klarna Payment"},
    }


def test_a_payment_without_an_order_has_none(timed, clock) -> None:
    world = World.generate(3)
    world.insert({"reference": "alone"})
    rows = rows_of(timed(world), clock, fields=["reference", "order.number"])

    assert rows[-1] == {"reference": "alone", "order": None}


def test_filters_are_those_of_lists(timed, clock) -> None:
    asker = timed()
    ids = asker.server.world.payment_ids()
    filters = {"id_gt": ids[9], "id_lteq": ids[19]}
    by_id = [row["id"] for row in rows_of(asker, clock, filters=filters)]
    by_order = rows_of(asker, clock, filters={"order_status_in": ["approved", "placed"]}, fields=["order.status"])
    named = rows_of(asker, clock, filters={"id_in": f"{ids[3]},{ids[5]}"}, fields=["id"])

    assert by_id == ids[10:20]
    assert {row["order"]["status"] for row in by_order} == {"approved", "placed"}
    assert named == [{"id": ids[3]}, {"id": ids[5]}]


def test_rows_are_as_they_are_when_the_file_is_written(timed, clock) -> None:
    asker = timed()
    world = asker.server.world
    ids = world.payment_ids()
    id_ = asker.export(fields=["id", "reference"]).json["data"]["id"]
    world.update(ids[4], reference="changed")
    world.delete(ids[7])
    new = world.insert({"reference": "new"})
    clock.seconds += 10.0
    attributes = asker.exported(id_)
    world.update(ids[4], reference="too late")
    rows = {row["id"]: row["reference"] for row in json.loads(downloaded(asker, id_))}

    assert rows[ids[4]] == "changed"
    assert ids[7] not in rows
    assert rows[new] == "new"
    assert attributes["records_count"] == attributes["processed_count"] == 60


def test_a_row_that_is_deleted_while_the_file_is_written_is_missing() -> None:
    world = World.generate(5)
    lost, *others = world.payment_ids()

    class Late(Selections):
        def select(self, *about: Any) -> Any:
            chosen = super().select(*about)
            world.delete(lost)
            return chosen

    plan = read_plan({"resource_type": "klarna_payments", "fields": ["id"]}, ("klarna_payments",), includes=True)
    rows = json.loads(gzip.decompress(export_file(world, Late(world), plan)))

    assert [row["id"] for row in rows] == others


def test_nothing_left_to_export_is_an_empty_array(timed, clock) -> None:
    world = World.generate(1)
    asker = timed(world)
    id_ = asker.export().json["data"]["id"]
    world.delete(world.payment_ids()[0])
    clock.seconds += 10.0

    assert asker.exported(id_)["records_count"] == 1
    assert downloaded(asker, id_) == b"[]"


def test_a_lost_row_is_told_by_nothing_but_its_absence(timed, clock) -> None:
    asker = timed(None, "export-lost-row:#1")
    id_ = asker.export().json["data"]["id"]
    clock.seconds += 10.0
    attributes = asker.exported(id_)
    lost = {row["id"] for row in json.loads(downloaded(asker, id_))} ^ set(asker.server.world.payment_ids())

    assert len(lost) == 1
    assert attributes["records_count"] == attributes["processed_count"] == 60


def test_dry_data_has_no_ids_no_times_and_no_blanks(timed, clock) -> None:
    rows = rows_of(timed(), clock, dry_data=True, includes=["order"])

    for row in rows:
        order = row.pop("order", {})
        names = {*row, *order} - {"session_id"}
        assert not {name for name in names if name == "id" or name.endswith(("_id", "_at"))}
        assert not [value for value in (*row.values(), *order.values()) if value in (None, "", {}, [])]


def test_the_client_token_is_exported_with_everything_and_the_auth_token_never(timed, clock) -> None:
    asker = timed(canary="tweet")
    everything = content(asker, clock, includes=["order.payment_source"])
    named = content(asker, clock, fields=["id", "reference"])

    assert b'"client_token":"tweet-' in everything
    assert b"auth_token" not in everything
    assert b"tweet" not in named


def test_csv_has_a_header_dotted_names_and_json_for_objects(timed, clock) -> None:
    asker = timed()
    fields = ["id", "reference", "payment_methods", "mismatched_amounts", "order.number", "order_id"]
    text = content(asker, clock, format="csv", fields=fields).decode()
    lines = list(csv.DictReader(io.StringIO(text)))
    first = asker.server.world.payments.row(1)

    assert text.startswith("id,payment_methods,mismatched_amounts,reference,order_id,order.number\n")
    assert "\r" not in text
    assert len(lines) == 60
    assert lines[0]["id"] == first["id"]
    assert json.loads(lines[0]["payment_methods"]) == first["payment_methods"]
    assert {line["mismatched_amounts"] for line in lines} <= {"true", "false", ""}
    assert lines[0]["order.number"] == "40000001"


def test_csv_repeats_a_row_for_each_child_of_a_list(timed, clock) -> None:
    text = content(
        timed(), clock, resource_type="payment_gateways", format="csv", fields=["name", "payment_methods.name"]
    )

    assert text == b"name,payment_methods.name\nKlarna,Klarna Payment\n"


def test_a_file_is_the_same_bytes_for_the_same_rows(timed, clock) -> None:
    asker = timed()
    first, second = (asker.export(includes=["order"]).json["data"]["id"] for _ in range(2))
    clock.seconds += 10.0
    files = {fetch(asker.exported(id_)["attachment_url"]).body for id_ in (first, second)}

    assert len(files) == 1


MONEY = ["order.payment_source.id", "order.market.name", "order.captures.*", "order.captures.payment_source.id"]


def test_an_export_carries_the_money_of_the_orders(timed, clock) -> None:
    world = World.generate(400)
    rows = rows_of(timed(world), clock, fields=["id", "order.id", *MONEY, "order.refunds.amount_cents"])
    sources = set()
    for row in rows:
        order = row["order"] and world.orders.find(row["order"]["id"])
        if order is None:
            continue
        of = world.money.of(order)
        assert [one["id"] for one in row["order"]["captures"]] == [one["id"] for one in of["captures"]]
        assert row["order"]["refunds"] == [{"amount_cents": one["amount_cents"]} for one in of["refunds"]]
        assert row["order"]["market"] == {"name": world.markets.find(order["market_id"])["name"]}
        for shown, one in zip(row["order"]["captures"], of["captures"], strict=True):
            assert shown["order_id"] == order["id"]
            assert shown["reference_authorization_id"] == one["reference_authorization_id"]
            assert shown["payment_source"] == {"id": one["payment_source_id"]}
        source = row["order"]["payment_source"]
        assert source == (None if source is None else {"id": order["payment_source_id"]})
        sources.add(order["payment_source_type"])

    assert sources == {"klarna_payments", "stripe_payments", None}


def test_orders_are_exported_with_their_transactions(timed, clock) -> None:
    asker = timed()
    rows = rows_of(asker, clock, resource_type="orders", includes=["captures", "payment_source"])
    order = next(row for row in rows if row["captures"])

    assert order["captures"][0]["amount_cents"] > 0
    assert order["payment_source"]["reference"] is not None
    assert "payment_source_id" not in order
    assert order["captures"][0].keys() >= {"token", "succeeded", "refund_balance_cents", "payment_source_id"}


def test_an_exported_source_says_its_type_only_where_the_deployment_does(timed, clock) -> None:
    world = World.generate(400)
    fields = ["payment_source.type", "payment_source.client_secret", "payment_source.session_id"]
    silent = timed(world).export(resource_type="orders", fields=fields)
    rows = rows_of(timed(world, source_types=True), clock, resource_type="orders", fields=fields)
    sources = {row["payment_source"]["type"]: row["payment_source"] for row in rows if row["payment_source"]}

    assert (silent.status, silent.json["errors"][0]["meta"]["value"]) == (422, "payment_source.type")
    assert sources["stripe_payments"].keys() == {"type", "client_secret"}
    assert sources["klarna_payments"].keys() == {"type", "session_id"}
