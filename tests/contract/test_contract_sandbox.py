"""
Every answer of the sandbox against the API's own schema.

The schema is not part of this project: it is looked for beside it, in `../shared/commerce-layer/openapi.json`.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from openapi_schema_validator import OAS30Validator

from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.limits import Limits
from reconcile.sandbox.exports.exports import ExportRules
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.money_types import AUTHORIZATIONS, CAPTURES, MARKETS, REFUNDS, VOIDS
from reconcile.sandbox.world.resources import (
    EVENT_STORES,
    EXPORTS,
    KLARNA_GATEWAYS,
    KLARNA_PAYMENTS,
    ORDERS,
    ORGANIZATIONS,
    PAYMENT_GATEWAYS,
    VERSIONS,
    ResourceType,
)
from reconcile.sandbox.world.world import World

OPENAPI = Path(__file__).parents[2] / "../shared/commerce-layer/openapi.json"
pytestmark = pytest.mark.skipif(not OPENAPI.exists(), reason="the API's openapi.json is not beside the project")

JSON_API = "application/vnd.api+json"
INSTANT = {"pending_seconds": 0.0, "records_per_second": 1e9}


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    return json.loads(OPENAPI.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    limits = Limits(read_average=10_000, read_burst=10_000)
    with SandboxServer(World.generate(120), Behaviour(limits=limits, exports=ExportRules(**INSTANT))) as server:
        yield server


@pytest.fixture(scope="module")
def token(server: SandboxServer) -> str:
    return token_of(server)


def token_of(server: SandboxServer) -> str:
    body = {
        "grant_type": "client_credentials",
        "client_id": server.client_id,
        "client_secret": server.client_secret,
    }
    headers = {"Content-Type": "application/json"}
    return send(server, "POST", "/oauth/token", headers, json.dumps(body))[2]["access_token"]


def send(server: SandboxServer, method: str, target: str, headers: dict[str, str], body: str | None = None):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=300)
    try:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return response.status, dict(response.headers), json.loads(response.read() or b"null")
    finally:
        connection.close()


def validate(openapi: dict[str, Any], document: Any, schema: dict[str, Any]) -> None:
    validator = OAS30Validator({"allOf": [schema], "components": openapi["components"]})
    problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]

    assert problems == []


def documented(openapi: dict[str, Any], path: str, method: str, status: int) -> dict[str, Any]:
    """Return the schema the API documents for an answer. Fails when it documents no such answer."""
    response = openapi["paths"][path][method]["responses"][str(status)]
    if "$ref" in response:
        response = openapi["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    return response["content"][JSON_API]["schema"]


LISTS = [
    {},
    {"page[size]": "25", "include": "order,payment_gateway"},
    {"page[size]": "25", "page[number]": "3", "include": "order.payment_source,order.payment_method"},
    {"include": "order.market,order.captures,order.transactions"},
    {"page[size]": "25", "include": "order.captures.payment_source,order.captures.refunds,order.authorizations.voids"},
    {"page[number]": "99"},
    {"filter[q][reference_eq]": "nobody"},
    {"include": "order", "fields[klarna_payments]": "reference,order", "fields[orders]": "number"},
]
REFUSED = [
    {"page[size]": "26"},
    {"sort": "nothing"},
    {"include": "nothing"},
    {"fields[klarna_payments]": "nothing"},
    {"filter[q][nothing_eq]": "1"},
]


@pytest.mark.parametrize("parameters", LISTS)
def test_lists_of_payments(openapi, server, token, parameters) -> None:
    status, headers, document = get(server, token, "/klarna_payments", parameters)

    assert status == 200
    assert int(headers["X-Ratelimit-Interval"]) == 60
    validate(openapi, document, documented(openapi, "/klarna_payments", "get", 200))
    for resource in document.get("included", ()):
        validate_resource(openapi, resource)


@pytest.mark.parametrize("type_", [ORDERS, KLARNA_GATEWAYS, PAYMENT_GATEWAYS], ids=lambda type_: type_.name)
def test_lists_of_what_belongs_to_payments(openapi, server, token, type_) -> None:
    status, _, document = get(server, token, f"/{type_.name}", {"page[size]": "25"})

    assert status == 200
    validate(openapi, document, documented(openapi, f"/{type_.name}", "get", 200))


@pytest.mark.parametrize("parameters", REFUSED)
def test_refused_lists(openapi, server, token, parameters) -> None:
    status, _, document = get(server, token, "/klarna_payments", parameters)

    assert status == 400
    validate(openapi, document, documented(openapi, "/klarna_payments", "get", 400))


def test_lists_without_a_token(openapi, server) -> None:
    status, _, document = get(server, "nonsense", "/klarna_payments")

    validate(openapi, document, documented(openapi, "/klarna_payments", "get", status))
    assert status == 401


def test_single_resources(openapi, server, token) -> None:
    for id_ in server.world.payment_ids()[:20]:
        for path in ("", "/order", "/payment_gateway"):
            status, _, document = get(server, token, f"/klarna_payments/{id_}{path}")
            documented_path = f"/klarna_payments/{{klarnaPaymentId}}{path}"
            assert status == 200
            if document["data"] is not None and document["data"]["type"] != "klarna_gateways":
                validate(openapi, document, documented(openapi, documented_path, "get", 200))
            elif document["data"] is not None:
                validate_resource(openapi, document["data"])


def test_an_unknown_payment(openapi, server, token) -> None:
    status, _, document = get(server, token, "/klarna_payments/XXXXXXXXXX")

    validate(openapi, document, documented(openapi, "/klarna_payments/{klarnaPaymentId}", "get", status))
    assert status == 404


@pytest.mark.parametrize(("attributes", "status"), [({"_update": True}, 200), ({"reference": 1}, 422), ({"x": 1}, 400)])
def test_updates(openapi, server, token, attributes, status) -> None:
    id_ = open_session(server.world)
    body = {"data": {"type": "klarna_payments", "id": id_, "attributes": attributes}}
    headers = {"Accept": JSON_API, "Content-Type": JSON_API, "Authorization": f"Bearer {token}"}
    answered, _, document = send(server, "PATCH", f"/api/klarna_payments/{id_}", headers, json.dumps(body))

    assert answered == status
    validate(openapi, document, documented(openapi, "/klarna_payments/{klarnaPaymentId}", "patch", status))


def test_a_payment_is_created_and_deleted(openapi, server, token) -> None:
    order_id = server.world.payments.find(open_session(server.world))["order_id"]
    link = {"order": {"data": {"type": "orders", "id": order_id}}}
    body = {"type": "klarna_payments", "attributes": {"reference": "R"}, "relationships": link}
    validate(openapi, {"data": body}, {"$ref": "#/components/schemas/klarnaPaymentCreate"})
    created, document = write(server, token, "POST", "/klarna_payments", body)
    unknown, refusal = write(server, token, "POST", "/klarna_payments", {"type": "klarna_payments"})
    placed = next(id_ for id_ in server.world.payment_ids() if money_of(server.world, id_))
    locked, lock = write(server, token, "DELETE", f"/klarna_payments/{placed}", None)

    assert (created, unknown, locked) == (201, 422, 423)
    validate(openapi, document, documented(openapi, "/klarna_payments", "post", 201))
    validate(openapi, refusal, documented(openapi, "/klarna_payments", "post", 422))
    validate(openapi, lock, documented(openapi, "/klarna_payments/{klarnaPaymentId}", "delete", 423))
    path = f"/klarna_payments/{document['data']['id']}"
    assert write(server, token, "DELETE", path, None) == (204, None)
    assert write(server, token, "DELETE", path, None)[0] == 404


def open_session(world: World) -> str:
    """Add a payment of an order that is not placed, and return its id."""
    id_ = world.insert({"reference": "R"}, order={"number": "1", "currency_code": "EUR"})
    world.update_order(world.payments.find(id_)["order_id"], payment_source_id=id_)
    return id_


def money_of(world: World, id_: str) -> bool:
    order = world.order_of(world.payments.find(id_))
    return order is not None and bool(world.money.of(order)["captures"])


def test_the_life_of_an_export(openapi, server, token) -> None:
    attributes = {"resource_type": "klarna_payments", "includes": ["order"], "filters": {"created_at_lt": "2026-01-01"}}
    created, document = write(server, token, "POST", "/exports", {"type": "exports", "attributes": attributes})
    id_ = document["data"]["id"]

    assert created == 201
    validate(openapi, document, documented(openapi, "/exports", "post", 201))
    for path, documented_path in (("/exports", "/exports"), (f"/exports/{id_}", "/exports/{exportId}")):
        status, _, document = get(server, token, path)
        assert status == 200
        validate(openapi, document, documented(openapi, documented_path, "get", 200))
    assert document["data"]["attributes"]["status"] == "completed"
    changes = {"type": "exports", "id": id_, "attributes": {"reference": "x"}}
    status, document = write(server, token, "PATCH", f"/exports/{id_}", changes)
    assert status == 200
    validate(openapi, document, documented(openapi, "/exports/{exportId}", "patch", 200))
    assert write(server, token, "DELETE", f"/exports/{id_}", None) == (204, None)


@pytest.mark.parametrize(
    ("attributes", "status"),
    [({}, 422), ({"resource_type": "skus"}, 422), ({"status": "completed"}, 400)],
)
def test_refused_exports(openapi, server, token, attributes, status) -> None:
    answered, document = write(server, token, "POST", "/exports", {"type": "exports", "attributes": attributes})

    assert answered == status
    validate(openapi, document, documented(openapi, "/exports", "post", status))


def test_an_export_that_runs_is_locked(openapi) -> None:
    with SandboxServer(World.generate(20), Behaviour(limits=None)) as server:
        token = token_of(server)
        data = {"type": "exports", "attributes": {"resource_type": "orders"}}
        id_ = write(server, token, "POST", "/exports", data)[1]["data"]["id"]
        status, document = write(server, token, "DELETE", f"/exports/{id_}", None)

    assert status == 423
    validate(openapi, document, documented(openapi, "/exports/{exportId}", "delete", status))


def test_event_stores(openapi, server, token) -> None:
    id_ = server.world.payment_ids()[0]
    listed_status, _, listed = get(server, token, f"/klarna_payments/{id_}/event_stores", {"page[size]": "1"})
    status, _, document = get(server, token, f"/event_stores/{listed['data'][0]['id']}")

    assert (listed_status, status) == (200, 200)
    assert "next" in listed["links"]
    for resource in (*listed["data"], document["data"]):
        as_declared(resource)
    listed_path = "/klarna_payments/{klarnaPaymentId}/event_stores"
    validate(openapi, listed, documented(openapi, listed_path, "get", 200))
    validate(openapi, document, documented(openapi, "/event_stores/{eventStoreId}", "get", 200))


def test_versions(openapi) -> None:
    with SandboxServer(World.generate(20), Behaviour(limits=None, event_stores=False)) as server:
        token = token_of(server)
        id_ = server.world.payment_ids()[0]
        for path, documented_path in (
            ("/versions", "/versions"),
            (f"/klarna_payments/{id_}/versions", "/klarna_payments/{klarnaPaymentId}/versions"),
        ):
            status, _, document = get(server, token, path)
            assert status == 200
            assert document["data"]
            validate(openapi, document, documented(openapi, documented_path, "get", 200))
        status, _, document = get(server, token, f"/versions/{document['data'][0]['id']}")

    assert status == 200
    validate(openapi, document, documented(openapi, "/versions/{versionId}", "get", 200))


def test_the_organization(openapi, server, token) -> None:
    status, _, document = get(server, token, "/organization")

    assert status == 200
    validate(openapi, document, documented(openapi, "/organization", "get", 200))
    assert document["data"]["attributes"]["exports_max_concurrent_count"] == 10


@pytest.mark.parametrize(
    ("type_", "schema"),
    [
        (AUTHORIZATIONS, "authorization"),
        (CAPTURES, "capture"),
        (EVENT_STORES, "eventStore"),
        (EXPORTS, "export"),
        (MARKETS, "market"),
        (ORGANIZATIONS, "organization"),
        (REFUNDS, "refund"),
        (VERSIONS, "version"),
        (VOIDS, "void"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_type_has_every_attribute_and_relationship_and_no_other(openapi, type_: ResourceType, schema: str) -> None:
    data = openapi["components"]["schemas"][schema]["properties"]["data"]["properties"]

    assert set(type_.attributes) == set(data["attributes"]["properties"])
    assert set(type_.relationships) == set(data.get("relationships", {}).get("properties", {}))


@pytest.mark.parametrize(
    ("type_", "schema"),
    [
        (KLARNA_PAYMENTS, "klarnaPaymentResponse"),
        (ORDERS, "orderResponse"),
        (KLARNA_GATEWAYS, "klarnaGatewayResponse"),
        (PAYMENT_GATEWAYS, "paymentGatewayResponse"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_resource_has_every_attribute_and_relationship_and_no_other(
    openapi, server, token, type_: ResourceType, schema: str
) -> None:
    expected = openapi["components"]["schemas"][schema]["properties"]["data"]["properties"]
    attributes = expected["attributes"]
    if "$ref" in attributes:
        owner = attributes["$ref"].split("/")[3]
        attributes = openapi["components"]["schemas"][owner]["properties"]["data"]["properties"]["attributes"]
    resource = get(server, token, f"/{type_.name}", {"page[size]": "1"})[2]["data"][0]

    assert list(resource["attributes"]) == list(type_.attributes)
    assert set(resource["attributes"]) == set(attributes["properties"])
    assert set(resource["relationships"]) == set(expected["relationships"]["properties"])


@pytest.mark.parametrize(
    ("path", "type_", "schema"),
    [
        ("/authorizations", AUTHORIZATIONS, "authorization"),
        ("/captures", CAPTURES, "capture"),
        ("/refunds", REFUNDS, "refund"),
        ("/voids", VOIDS, "void"),
    ],
)
def test_a_transaction_is_sent_as_the_schema_has_it(openapi, server, token, path, type_, schema) -> None:
    listed = get(server, token, path, {"page[size]": "25", "include": "order,payment_source"})[2]

    assert listed["data"]
    for resource in listed["data"]:
        validate(openapi, {"data": resource}, {"$ref": f"#/components/schemas/{schema}"})
        assert list(resource["attributes"]) == list(type_.attributes)
        assert set(resource["relationships"]) == set(type_.relationships)


@pytest.mark.parametrize("name", ["authorizations", "captures", "refunds", "voids"])
def test_the_transactions_of_an_order(openapi, server, token, name) -> None:
    order_id = get(server, token, f"/{name}", {"include": "order"})[2]["included"][0]["id"]
    status, _, document = get(server, token, f"/orders/{order_id}/{name}")

    assert str(status) in openapi["paths"][f"/orders/{{orderId}}/{name}"]["get"]["responses"]
    assert document["data"]
    for resource in document["data"]:
        validate_resource(openapi, resource)


def test_the_market_of_an_order(openapi, server, token) -> None:
    order_id = get(server, token, "/orders")[2]["data"][0]["id"]
    document = get(server, token, f"/orders/{order_id}/market")[2]

    assert list(document["data"]["attributes"]) == list(MARKETS.attributes)
    validate(openapi, document, {"$ref": "#/components/schemas/market"})


def get(server: SandboxServer, token: str, path: str, parameters: dict[str, str] | None = None):
    query = f"?{urlencode(parameters)}" if parameters else ""
    return send(server, "GET", f"/api{path}{query}", {"Accept": JSON_API, "Authorization": f"Bearer {token}"})


def write(server: SandboxServer, token: str, method: str, path: str, data: Any) -> tuple[int, Any]:
    headers = {"Accept": JSON_API, "Authorization": f"Bearer {token}"}
    if data is None:
        status, _, document = send(server, method, f"/api{path}", headers)
    else:
        status, _, document = send(
            server, method, f"/api{path}", {**headers, "Content-Type": JSON_API}, json.dumps({"data": data})
        )
    return status, document


def as_declared(resource: dict[str, Any]) -> None:
    """Put right what recorded answers of event stores have otherwise than the schema declares."""
    if resource["links"]["self"] is None:
        resource["links"]["self"] = ""
    for name in ("reference", "reference_origin"):
        assert resource["attributes"][name] == {}
        resource["attributes"][name] = None


def validate_resource(openapi: dict[str, Any], resource: dict[str, Any]) -> None:
    schemas = {"orders": "order", "klarna_payments": "klarnaPayment", "klarna_gateways": "klarnaGateway"}
    if resource["type"] in {"authorizations", "captures", "refunds", "voids", "markets"}:
        validate(openapi, {"data": resource}, {"$ref": f"#/components/schemas/{resource['type'].removesuffix('s')}"})
    if resource["type"] in schemas:
        name = f"{schemas[resource['type']]}Response"
        validate(openapi, {"data": resource}, {"$ref": f"#/components/schemas/{name}"})
