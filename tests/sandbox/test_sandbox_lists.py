"""Lists: pages, links, order, sparse fields, includes, and the 400s."""

from __future__ import annotations

import socket
from urllib.parse import parse_qsl, urlsplit

import pytest

from reconcile.sandbox.world.world import World

KLARNA = "/klarna_payments"


def test_a_list_without_parameters_is_the_first_ten_by_hidden_sequence(ask, payment_ids) -> None:
    answer = ask.get(KLARNA)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/vnd.api+json; charset=utf-8"
    assert answer.ids == payment_ids[:10]
    assert answer.ids != sorted(answer.ids)
    assert answer.json["meta"] == {"record_count": 60, "page_count": 6}
    assert set(answer.json["links"]) == {"first", "next", "last"}
    assert "included" not in answer.json


def test_a_resource_has_the_documented_shape(ask, shared_server) -> None:
    resource = ask.get(KLARNA).json["data"][0]
    url = f"{shared_server.api_url}/klarna_payments/{resource['id']}"

    assert list(resource) == ["id", "type", "links", "attributes", "relationships", "meta"]
    assert resource["links"] == {"self": url}
    assert {"client_token", "auth_token", "mismatched_amounts", "reference"} < set(resource["attributes"])
    assert resource["relationships"]["order"] == {
        "links": {"self": f"{url}/relationships/order", "related": f"{url}/order"}
    }
    assert resource["meta"]["mode"] == "live"
    assert len(resource["meta"]["trace_id"]) == 64
    assert len(resource["meta"]["organization_id"]) == 10


def test_links_lead_through_every_page_and_keep_the_parameters(ask, payment_ids) -> None:
    parameters = {"page[size]": "25", "sort": "id", "fields[klarna_payments]": "reference"}
    seen, answer = [], ask.get(KLARNA, parameters)
    while True:
        seen += answer.ids
        if "next" not in answer.json["links"]:
            break
        link = urlsplit(answer.json["links"]["next"])
        assert "[" not in link.query
        answer = ask.get(KLARNA, dict(parse_qsl(link.query)))

    assert seen == payment_ids
    assert len(answer.ids) == 10
    assert set(answer.json["links"]) == {"first", "prev", "last"}


def test_past_the_last_page_there_is_an_empty_page(ask) -> None:
    answer = ask.get(KLARNA, {"page[number]": "9", "page[size]": "25"})
    links = {name: dict(parse_qsl(urlsplit(url).query)) for name, url in answer.json["links"].items()}

    assert answer.status == 200
    assert answer.json["data"] == []
    assert {name: link["page[number]"] for name, link in links.items()} == {"first": "1", "prev": "8", "last": "3"}


def test_an_empty_result_has_one_last_page_and_counts_none(ask) -> None:
    answer = ask.get(KLARNA, {"filter[q][reference_eq]": "nobody"})

    assert answer.json["meta"] == {"record_count": 0, "page_count": 0}
    assert "page%5Bnumber%5D=1&" in answer.json["links"]["last"]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"page[size]": "26"}, "INVALID_PAGE_VALUE"),
        ({"page[size]": "0"}, "INVALID_PAGE_VALUE"),
        ({"page[number]": "0"}, "INVALID_PAGE_VALUE"),
        ({"page[number]": "-1"}, "INVALID_PAGE_VALUE"),
        ({"page[number]": "one"}, "INVALID_PAGE_VALUE"),
        ({"page[offset]": "5"}, "PARAM_NOT_ALLOWED"),
        ({"sort": "mismatched_amounts"}, "INVALID_SORT_CRITERIA"),
        ({"sort": "id, reference"}, "INVALID_SORT_CRITERIA"),
        ({"include": "orders"}, "INVALID_INCLUDE"),
        ({"include": "event_stores"}, "INVALID_INCLUDE"),
        ({"include": "order.nothing"}, "INVALID_INCLUDE"),
        ({"fields[klarna_payments]": "reference,amount"}, "INVALID_FIELD"),
        ({"fields[klarna_payments]": "intent_amount_cents"}, "INVALID_FIELD"),
        ({"fields[payments]": "reference"}, "INVALID_RESOURCE"),
        ({"filter[q][session_id_eq]": "x"}, "FILTER_NOT_ALLOWED"),
        ({"filter[q][mismatched_amounts_true]": "true"}, "FILTER_NOT_ALLOWED"),
        ({"filter[q][order_total_amount_with_taxes_cents_gt]": "1"}, "FILTER_NOT_ALLOWED"),
        ({"filter[q][reference]": "x"}, "FILTER_NOT_ALLOWED"),
        ({"filter[q][reference_like]": "x"}, "FILTER_NOT_ALLOWED"),
        ({"filter[q][created_at_gteq]": "yesterday"}, "FILTER_NOT_ALLOWED"),
        ({"filter[q][created_at_cont]": "2024"}, "FILTER_NOT_ALLOWED"),
        ({"filter[q][id_gt]": ""}, "FILTER_NOT_ALLOWED"),
        ({"filter[q][id_gt]": "neverwasan"}, "FILTER_NOT_ALLOWED"),
        ({"filter[reference_eq]": "x"}, "FILTER_NOT_ALLOWED"),
    ],
)
def test_what_is_not_supported_is_a_400_with_its_code(ask, parameters, code) -> None:
    answer = ask.get(KLARNA, parameters)

    assert (answer.status, answer.code) == (400, code)
    error = answer.json["errors"][0]
    assert error["status"] == "400"
    assert error["title"]
    assert error["detail"]


def test_brackets_must_be_percent_encoded(ask) -> None:
    headers = ask._headers({})
    answer = ask.send("GET", "/api/klarna_payments?page[size]=5", None, headers)

    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


def test_a_name_that_is_no_parameter_is_ignored(ask) -> None:
    assert len(ask.get(KLARNA, {"page_size": "25"}).ids) == 10


def test_sparse_fields_remove_attributes_and_relationships_alike(ask) -> None:
    resource = ask.get(KLARNA, {"fields[klarna_payments]": "reference,updated_at"}).json["data"][0]

    assert set(resource["attributes"]) == {"reference", "updated_at"}
    assert "relationships" not in resource


def test_an_include_brings_linkage_and_each_order_once(ask) -> None:
    parameters = {"include": "order", "page[size]": "25", "fields[klarna_payments]": "order"}
    document = ask.get(KLARNA, parameters).json
    linked = [resource["relationships"]["order"]["data"] for resource in document["data"]]
    included = [{"type": resource["type"], "id": resource["id"]} for resource in document["included"]]

    assert [dict(pair) for pair in dict.fromkeys(tuple(link.items()) for link in linked)] == included
    assert all("attributes" not in resource for resource in document["data"])
    assert len(document["included"][0]["attributes"]) == 117


def test_an_include_that_is_not_among_the_fields_has_no_linkage(ask) -> None:
    document = ask.get(KLARNA, {"include": "order", "fields[klarna_payments]": "reference"}).json

    assert "relationships" not in document["data"][0]
    assert {resource["type"] for resource in document["included"]} == {"orders"}


def test_a_payment_without_an_order_links_to_null(serve) -> None:
    world = World.generate(1)
    id_ = world.insert({"reference": "alone"})
    answer = serve(world).get(f"{KLARNA}/{id_}", {"include": "order"})

    assert answer.json["data"]["relationships"]["order"]["data"] is None
    assert answer.json["included"] == []


def test_includes_nest_and_may_lead_in_circles(ask) -> None:
    parameters = {"include": "order.payment_source.order,payment_gateway", "page[size]": "3"}
    document = ask.get(KLARNA, parameters).json

    assert {resource["type"] for resource in document["included"]} >= {"orders", "klarna_gateways"}
    keys = [(resource["type"], resource["id"]) for resource in document["included"]]
    assert len(keys) == len(set(keys))


def test_relationships_the_world_has_no_rows_for_are_empty(ask) -> None:
    document = ask.get("/orders", {"include": "customer,shipments", "page[size]": "1"}).json
    relationships = document["data"][0]["relationships"]

    assert relationships["customer"]["data"] is None
    assert relationships["shipments"]["data"] == []


def test_single_resources_and_their_order_can_be_read(ask, payment_ids) -> None:
    one = ask.get(f"{KLARNA}/{payment_ids[3]}", {"include": "order"}).json
    order = ask.get(f"{KLARNA}/{payment_ids[3]}/order").json["data"]

    assert one["data"]["id"] == payment_ids[3]
    assert one["included"][0]["id"] == order["id"]
    assert ask.get(f"/orders/{order['id']}").json["data"]["attributes"] == order["attributes"]
    gateway = ask.get(f"{KLARNA}/{payment_ids[3]}/payment_gateway").json["data"]
    assert ask.get(f"/klarna_gateways/{gateway['id']}").json["data"]["attributes"]["name"] == "Klarna"


def test_a_walk_by_id_gt_sees_every_payment_and_counts_down(ask, payment_ids) -> None:
    seen, counts, parameters = [], [], {"sort": "id", "page[size]": "25"}
    while True:
        page = ask.get(KLARNA, parameters)
        seen += page.ids
        counts.append(page.json["meta"]["record_count"])
        if len(page.ids) < 25:
            break
        parameters["filter[q][id_gt]"] = page.ids[-1]

    assert seen == payment_ids
    assert counts == [60, 35, 10]


@pytest.mark.parametrize("loaded", [False, True])
def test_id_gt_works_with_the_id_of_a_deleted_row(serve, loaded) -> None:
    world = World.of_rows([{"id": f"row{number}"} for number in range(20)], []) if loaded else World.generate(20)
    asker = serve(world)
    ids = world.payment_ids()
    world.delete(ids[4])

    assert asker.get(KLARNA, {"sort": "id", "filter[q][id_gt]": ids[4]}).ids == ids[5:15]


@pytest.mark.parametrize(
    ("predicate", "instant", "found"),
    [
        # The row is shown as 00.123 and lies at 00.123405.
        ("lteq", "00.123", []),
        ("gteq", "00.123", ["A"]),
        ("gt", "00.123", ["A"]),
        ("lt", "00.124", ["A"]),
        ("eq", "00.123", []),
        ("gteq", "00.123405", ["A"]),
        ("gt", "00.123405", []),
        ("lteq", "00.123405", ["A"]),
        ("lt", "00.123405", []),
        ("eq", "00.123405", ["A"]),
    ],
)
def test_a_shown_time_is_not_the_whole_instant(serve, predicate, instant, found) -> None:
    world = World.of_rows([{"id": "A", "created_at": "2026-01-01T00:00:00.123Z"}], [])
    answer = serve(world).get(KLARNA, {f"filter[q][created_at_{predicate}]": f"2026-01-01T00:00:{instant}Z"})

    assert answer.ids == found


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/klarna_payments/XXXXXXXXXX", 404, "RECORD_NOT_FOUND"),
        ("/orders/XXXXXXXXXX", 404, "RECORD_NOT_FOUND"),
        ("/nothing", 404, "RECORD_NOT_FOUND"),
        ("", 404, "RECORD_NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_a_404(ask, path, status, code) -> None:
    answer = ask.get(path)

    assert (answer.status, answer.code) == (status, code)


def test_a_method_that_is_not_there_is_a_405(ask) -> None:
    headers = ask._headers({"Content_Type": "application/vnd.api+json"})
    answer = ask.send("PUT", "/api/klarna_payments", b"{}", headers)

    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/vnd.api+json;charset=utf-8"])
def test_only_the_json_api_media_type_is_acceptable(ask, accept) -> None:
    answer = ask.get(KLARNA, Accept=accept)

    assert (answer.status, answer.code) == (406, "NOT_ACCEPTABLE")


def test_what_is_no_http_is_a_400_without_a_word_in_the_log(ask, shared_server, caplog) -> None:
    address = urlsplit(shared_server.url)
    with socket.create_connection((address.hostname, address.port), timeout=300) as connection:
        connection.sendall(b"GET /api/klarna_payments HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n")
        answer = connection.recv(100)

    assert b" 400 " in answer
    assert caplog.text == ""
