"""Nested includes: an order's money, its market and its payment source with each payment."""

from __future__ import annotations

import pytest

from reconcile.sandbox.api.includes import IncludeRules
from reconcile.sandbox.world.world import World

KLARNA = "/klarna_payments"
MOVES = ("authorizations", "captures", "refunds", "voids")
PATHS = [
    *("order", "payment_gateway", "order.payment_source", "order.market"),
    *(f"order.{name}{end}" for name in MOVES for end in ("", ".payment_source")),
]
EVERYTHING = {"include": ",".join(PATHS), "page[size]": "25"}


@pytest.fixture(scope="module")
def world() -> World:
    return World.generate(400)


@pytest.fixture
def money(serve, world):
    return serve(world)


def pages(asker, parameters: dict[str, str]) -> list[dict]:
    count = asker.get(KLARNA, parameters).json["meta"]["page_count"]
    return [asker.get(KLARNA, {**parameters, "page[number]": str(number + 1)}).json for number in range(count)]


def by_key(document: dict) -> dict[tuple[str, str], dict]:
    return {(one["type"], one["id"]): one for one in (*document["data"], *document["included"])}


def test_each_resource_is_there_once_and_nothing_is_missing(money, world) -> None:
    for document in pages(money, EVERYTHING):
        found = by_key(document)
        assert len(found) == len(document["data"]) + len(document["included"])
        for payment in document["data"]:
            link = payment["relationships"]["order"]["data"]
            if link is None:
                continue
            order = found[link["type"], link["id"]]
            row = world.orders.find(link["id"])
            for name in MOVES:
                expected = [{"type": name, "id": one["id"]} for one in world.money.of(row)[name]]
                assert order["relationships"][name]["data"] == expected
                for one in expected:
                    source = found[name, one["id"]]["relationships"]["payment_source"]["data"]
                    assert (source["type"], source["id"]) in found
            market = order["relationships"]["market"]["data"]
            assert found["markets", market["id"]]["attributes"]["code"] == row["country_code"].lower()


def test_the_linkage_of_a_source_names_its_concrete_type(money, world) -> None:
    types = {
        (source or {}).get("type")
        for document in pages(money, {"include": "order.payment_source", "page[size]": "25"})
        for one in document["included"]
        if one["type"] == "orders"
        for source in [one["relationships"]["payment_source"]["data"]]
    }

    assert types == {"klarna_payments", "stripe_payments", None}


def test_a_payment_of_the_page_is_not_included_again(money) -> None:
    document = money.get(KLARNA, EVERYTHING).json
    listed = {one["id"] for one in document["data"]}

    assert not listed & {one["id"] for one in document["included"] if one["type"] == "klarna_payments"}


def test_linkage_is_there_only_where_a_relation_is_included(money) -> None:
    document = money.get(KLARNA, {"include": "order.captures"}).json
    orders = [one for one in document["included"] if one["type"] == "orders"]
    captures = [one for one in document["included"] if one["type"] == "captures"]

    assert captures
    assert all("data" in one["relationships"]["captures"] for one in orders)
    assert not any("data" in one["relationships"]["payment_source"] for one in (*orders, *captures))
    assert not any("data" in one["relationships"]["refunds"] for one in (*orders, *captures))


def test_sparse_fields_keep_only_the_relationships_they_name(money) -> None:
    fields = {
        "fields[klarna_payments]": "order",
        "fields[orders]": "captures",
        "fields[captures]": "amount_cents,payment_source",
        "fields[stripe_payments]": "id",
        "fields[klarna_gateways]": "name",
        "fields[markets]": "name",
    }
    document = money.get(KLARNA, {**EVERYTHING, **fields}).json
    of_type = {one["type"]: one for one in document["included"]}

    assert of_type["orders"]["relationships"].keys() == {"captures"}
    assert "attributes" not in of_type["orders"]
    assert of_type["captures"]["attributes"].keys() == {"amount_cents"}
    assert of_type["captures"]["relationships"].keys() == {"payment_source"}
    assert of_type["markets"].keys() == {"id", "type", "links", "attributes", "meta"}


@pytest.mark.parametrize("type_", ["stripe_payments", "adyen_payments", "wire_transfers", "manual_gateways", "refunds"])
def test_every_type_that_can_turn_up_can_be_asked_for_sparsely(money, type_) -> None:
    assert money.get(KLARNA, {**EVERYTHING, f"fields[{type_}]": "id"}).status == 200


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"fields[stripe_payments]": "id,amount"}, "INVALID_FIELD"),
        ({"fields[captures]": "balance"}, "INVALID_FIELD"),
        ({"fields[payments]": "id"}, "INVALID_RESOURCE"),
        ({"include": "order,order.captures.nothing"}, "INVALID_INCLUDE"),
        ({"include": "order.captures.versions"}, "INVALID_INCLUDE"),
        ({"include": "order.payment_source.captures"}, "INVALID_INCLUDE"),
        ({"include": "order.transactions.refunds"}, "INVALID_INCLUDE"),
        ({"include": "order.captures.payment_source.order"}, "INVALID_INCLUDE"),
    ],
)
def test_what_there_is_not_is_a_400_that_names_it(money, parameters, code) -> None:
    answer = money.get(KLARNA, parameters)

    assert (answer.status, answer.code) == (400, code)
    if "include" in parameters:
        assert answer.json["errors"][0]["detail"].startswith(parameters["include"].split(",")[-1])


def test_single_documents_include_as_lists_do(money, world) -> None:
    order = next(
        row for row in map(world.orders.row, world.orders.alive().tolist()) if row["payment_status"] == "refunded"
    )
    id_ = order["payment_source_id"]
    answer = money.get(f"{KLARNA}/{id_}", {"include": "order.captures.refunds,order.refunds.reference_capture"}).json
    refund = next(one for one in answer["included"] if one["type"] == "refunds")

    capture = refund["relationships"]["reference_capture"]["data"]
    assert capture["type"] == "captures"
    assert money.get(f"/captures/{capture['id']}").json["data"]["attributes"]["refund_balance_cents"] == 0
    assert money.get(f"/refunds/{refund['id']}/order").json["data"]["id"] == order["id"]
    assert money.get(f"/refunds/{refund['id']}/payment_source").json["data"]["id"] == id_
    assert money.get(f"/orders/{order['id']}/captures").ids == [capture["id"]]
    assert money.get("/captures/XXXXXXXXXX").status == money.get("/orders/XXXXXXXXXX/captures").status == 404


def test_transactions_of_one_order_are_related_through_all_of_them(money, world) -> None:
    document = money.get("/orders", {"include": "transactions,captures", "page[size]": "25"}).json
    for order in document["data"]:
        of = world.money.of(world.orders.find(order["id"]))
        linked = {(link["type"], link["id"]) for link in order["relationships"]["transactions"]["data"]}
        assert linked == {(name, row["id"]) for name, rows in of.items() for row in rows}


def test_transactions_are_filtered_and_sorted_as_other_resources(money, world) -> None:
    parameters = {"filter[q][succeeded_false]": "true", "sort": "-amount_cents", "page[size]": "25"}
    failed = money.get("/authorizations", parameters).json["data"]
    amounts = [one["attributes"]["amount_cents"] for one in failed]

    assert failed
    assert amounts == sorted(amounts, reverse=True)
    assert not any(one["attributes"]["succeeded"] for one in failed)
    assert money.get("/captures", {"filter[q][token_eq]": "x"}).code == "FILTER_NOT_ALLOWED"
    assert money.get("/captures", {"sort": "token"}).code == "INVALID_SORT_CRITERIA"


def test_an_authorization_says_what_is_left_of_it(serve) -> None:
    order = {"id": "O1", "currency_code": "EUR", "payment_status": "paid", "total_amount_with_taxes_cents": 1000}
    transactions = {
        "authorizations": [{"id": "A", "order_id": "O1", "amount_cents": 1000}],
        "captures": [{"id": "C", "order_id": "O1", "amount_cents": 600, "reference_authorization_id": "A"}],
        "voids": [{"id": "V", "order_id": "O1", "amount_cents": 100, "reference_authorization_id": "A"}],
        "refunds": [
            {"id": "R", "order_id": "O1", "amount_cents": 50, "reference_capture_id": "C"},
            {"id": "F", "order_id": "O1", "amount_cents": 70, "reference_capture_id": "C", "succeeded": False},
        ],
    }
    asker = serve(World.of_rows([], [order], transactions=transactions))
    authorization = asker.get("/authorizations/A").json["data"]["attributes"]
    capture = asker.get("/captures/C").json["data"]["attributes"]

    assert (authorization["capture_balance_cents"], authorization["void_balance_cents"]) == (300, 300)
    assert (authorization["amount_float"], authorization["formatted_amount"]) == (10.0, "€10,00")
    assert (capture["refund_balance_cents"], capture["formatted_refund_balance"]) == (550, "€5,50")


def test_every_credential_carries_the_canary(serve, world) -> None:
    asker = serve(world, canary="CANARY")
    for document in pages(asker, EVERYTHING):
        for one in document["included"]:
            attributes = one["attributes"]
            if one["type"] in MOVES:
                assert attributes["token"].startswith("CANARY-")
            elif one["type"] == "stripe_payments":
                assert attributes["client_secret"].startswith("CANARY-")
            else:
                assert one["type"] != "orders" or "CANARY" not in str(attributes)
    world.canary = None


def test_a_change_of_money_shows_at_once_and_among_the_changed_orders(serve) -> None:
    world = World.generate(40, now=lambda: 1_790_000_000_000_000)
    asker = serve(world)
    payment = next(
        row
        for row in map(world.payments.row, world.payments.alive().tolist())
        if (order := world.order_of(row)) is not None and world.money.of(order)["captures"]
    )
    id_ = world.add_transaction("refunds", payment["order_id"], amount_cents=7)
    changed = {"filter[q][order_updated_at_gteq]": "2026-09-21T00:00:00Z", "include": "order.refunds"}
    document = asker.get(KLARNA, changed).json

    assert payment["id"] in {one["id"] for one in document["data"]}
    assert id_ in {one["id"] for one in document["included"] if one["type"] == "refunds"}


@pytest.mark.parametrize(
    ("refused", "include", "naming", "detail"),
    [
        ("order.captures", "order,order.captures", "path", "order.captures is not a valid relationship of klarna_pay"),
        ("order.captures", "order.captures.refunds", "path", "order.captures.refunds is not a valid relationship of k"),
        ("order.captures", "order.captures.refunds", "relationship", "captures is not a valid relationship of orders"),
        ("order.*", "order,order.market", "relationship", "market is not a valid relationship of orders"),
        ("order.*", "order,order.market", "nothing", "The include parameter is not valid."),
        ("order", "order.market", "relationship", "order is not a valid relationship of klarna_payments"),
    ],
)
def test_a_deployment_may_refuse_includes(serve, refused, include, naming, detail) -> None:
    asker = serve(includes=IncludeRules(refused=(refused,), naming=naming))
    for path in (KLARNA, f"{KLARNA}/{asker.server.world.payment_ids()[0]}"):
        answer = asker.get(path, {"include": include})

        assert (answer.status, answer.code) == (400, "INVALID_INCLUDE")
        assert answer.json["errors"][0]["detail"].startswith(detail)


def test_what_is_not_refused_is_included(serve) -> None:
    asker = serve(includes=IncludeRules(refused=("order.captures", "order.market.*")))

    assert asker.get(KLARNA, {"include": "order,order.market,order.refunds,payment_gateway"}).status == 200
    assert asker.get("/orders", {"include": "captures"}).status == 200
    with pytest.raises(ValueError, match="is none of path, relationship, nothing"):
        IncludeRules(naming="all")
