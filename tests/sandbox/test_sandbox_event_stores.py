"""What happened to a payment: event stores with their cursor, and the versions of an older deployment."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from asking import Asker

from reconcile.sandbox.world.world import World

Resources = list[dict[str, Any]]


def trail(asker: Asker, path: str, **parameters: str) -> Resources:
    """Return all events behind `path`, following the cursor."""
    resources: Resources = []
    answer = asker.get(f"{path}/event_stores", parameters)
    for _ in range(50):
        assert answer.status == 200, answer.json
        assert answer.json["data"] or not resources, "a cursor that leads nowhere"
        resources += answer.json["data"]
        if "next" not in answer.json["links"]:
            return resources
        following = urlsplit(answer.json["links"]["next"])
        assert following.path == f"/api{path}/event_stores"
        answer = asker.get(
            f"{path}/event_stores", {name: values[0] for name, values in parse_qs(following.query).items()}
        )
    raise AssertionError("a trail without an end")


def a_flagged_payment(world: World) -> dict[str, Any]:
    rows = (world.payments.row(int(sequence)) for sequence in world.payments.alive())
    return next(row for row in rows if row["mismatched_amounts"] and row["reference"] and row["auth_token"])


@pytest.fixture
def world() -> World:
    return World.generate(300, now=lambda: 1_790_000_000_000_000)


def test_a_payment_has_a_trail_from_its_creation_on(serve, world) -> None:
    row = a_flagged_payment(world)
    events = [event["attributes"] for event in trail(serve(world), f"/klarna_payments/{row['id']}")]
    changed = {name: change for event in events for name, change in event["payload"].items()}

    assert [event["event"] for event in events] == ["create", "update", "update", "update"]
    assert {(event["resource_type"], event["resource_id"]) for event in events} == {("klarna_payments", row["id"])}
    assert events[0]["created_at"] == row["created_at"]
    assert changed["reference"] == {"from": None, "to": row["reference"]}
    assert changed["mismatched_amounts"] == {"from": False, "to": True}
    assert changed["updated_at"]["to"] == row["updated_at"]
    assert [next(iter(event["who"])) for event in events] == ["application", "application", "application", "worker"]


def test_an_order_has_one_too_and_it_ends_as_the_order_is(serve, world) -> None:
    asker = serve(world)
    for sequence in range(1, 40):
        order = world.orders.row(sequence)
        events = [event["attributes"] for event in trail(asker, f"/orders/{order['id']}")]
        changed = {name: change["to"] for event in events for name, change in event["payload"].items()}
        moments = [event["created_at"] for event in events]

        assert changed["status"] == order["status"]
        assert changed["payment_status"] == order["payment_status"]
        assert moments == sorted(moments)


def test_events_come_as_they_were_recorded_from_the_real_one(serve, world) -> None:
    row = a_flagged_payment(world)
    answer = serve(world).get(f"/klarna_payments/{row['id']}/event_stores")
    event = answer.json["data"][0]

    assert answer.json["meta"] == {}
    assert answer.json["links"] == {}
    assert re.fullmatch(r"[0-9]{13}-[0-9]+", event["id"])
    assert event["links"] == {"self": None}
    assert (event["attributes"]["reference"], event["attributes"]["reference_origin"]) == ({}, {})
    assert event["meta"]["mode"] == "live"


def test_changes_are_noted_as_they_are_made(serve, world) -> None:
    row = a_flagged_payment(world)
    path = f"/klarna_payments/{row['id']}"
    asker = serve(world)
    before = trail(asker, path)
    world.update(row["id"], reference="second")
    world.update(row["id"], touch=False, reference="third", mismatched_amounts=False)
    world.update_order(row["order_id"], total_amount_cents=1)
    after = trail(asker, path)
    of_order = trail(asker, f"/orders/{row['order_id']}")

    assert after[: len(before)] == [{**event, "meta": late["meta"]} for event, late in zip(before, after, strict=False)]
    assert [event["attributes"]["payload"] for event in after[len(before) :]] == [
        {
            "reference": {"from": row["reference"], "to": "second"},
            "updated_at": {"from": row["updated_at"], "to": "2026-09-21T14:13:20.000Z"},
        },
        {
            "reference": {"from": "second", "to": "third"},
            "mismatched_amounts": {"from": True, "to": False},
        },
    ]
    assert of_order[-1]["attributes"]["payload"]["total_amount_cents"]["to"] == 1


def test_a_change_through_the_api_is_noted(serve, world) -> None:
    row = a_flagged_payment(world)
    world.update(row["id"], touch=False, updated_at="2026-09-21T00:00:00.000Z")
    world.update_order(row["order_id"], touch=False, status="pending", placed_at=None)
    asker = serve(world)
    body = {"data": {"type": "klarna_payments", "id": row["id"], "attributes": {"_update": True}}}
    asker.patch(f"/klarna_payments/{row['id']}", body)
    (*_, last) = trail(asker, f"/klarna_payments/{row['id']}")

    assert last["attributes"]["payload"]["mismatched_amounts"] == {"from": True, "to": False}


@pytest.mark.parametrize("size", ["1", "3", "25"])
def test_the_cursor_leads_through_every_event_once(serve, world, size) -> None:
    row = a_flagged_payment(world)
    asker = serve(world)
    for number in range(30):
        world.update(row["id"], reference=f"R{number}")
    path = f"/klarna_payments/{row['id']}"
    walked = trail(asker, path, **{"page[size]": size})

    assert len(walked) == 34
    assert len({event["id"] for event in walked}) == 34
    assert [event["id"] for event in walked] == [event["id"] for event in trail(asker, path)]


def test_an_event_is_found_by_its_id(serve, world) -> None:
    row = a_flagged_payment(world)
    asker = serve(world)
    for listed in trail(asker, f"/klarna_payments/{row['id']}"):
        found = asker.get(f"/event_stores/{listed['id']}")

        assert found.status == 200
        assert found.json["data"]["attributes"] == listed["attributes"]
        assert found.json["data"]["links"]["self"].endswith(f"/api/event_stores/{listed['id']}")


@pytest.mark.parametrize("id_", ["1755185525941-0", "1755185525941-99999999999999999999", "nonsense", "1-x"])
def test_an_unknown_event_is_a_404(serve, id_) -> None:
    assert serve().get(f"/event_stores/{id_}").status == 404


def test_no_two_events_of_a_world_have_the_same_id(world) -> None:
    ids = [event.id for event in world.trails.everything()]

    assert len(ids) > 600
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"sort": "-created_at"}, "INVALID_SORT_CRITERIA"),
        ({"filter[q][event_eq]": "create"}, "FILTER_NOT_ALLOWED"),
        ({"page[number]": "2"}, "PARAM_NOT_ALLOWED"),
        ({"page[size]": "26"}, "INVALID_PAGE_VALUE"),
        ({"page[after]": "nonsense"}, "INVALID_PAGE_VALUE"),
        ({"include": "order"}, "INVALID_INCLUDE"),
    ],
)
def test_a_trail_is_neither_filtered_nor_sorted_nor_numbered(ask, payment_ids, parameters, code) -> None:
    answer = ask.get(f"/klarna_payments/{payment_ids[0]}/event_stores", parameters)

    assert (answer.status, answer.code) == (400, code)


def test_a_trail_of_nobody_is_a_404_and_one_of_a_gateway_is_empty(ask) -> None:
    gateway = ask.server.world.gateways.row(1)["id"]

    assert ask.get("/klarna_payments/XXXXXXXXXX/event_stores").status == 404
    assert trail(ask, f"/klarna_gateways/{gateway}") == []
    assert ask.get("/event_stores").status == 404


def test_credentials_are_in_the_trail(serve, world) -> None:
    row = a_flagged_payment(world)
    asker = serve(world, canary="tweet")
    changed = {
        name: change["to"]
        for event in trail(asker, f"/klarna_payments/{row['id']}")
        for name, change in event["attributes"]["payload"].items()
    }

    assert changed["client_token"].startswith("tweet-")
    assert changed["auth_token"].startswith("tweet-")


def test_versions_are_served_empty_since_none_is_stored(serve, world) -> None:
    asker = serve(world)
    id_ = world.payment_ids()[0]
    world.update(id_, reference="changed")
    own, every = asker.get(f"/klarna_payments/{id_}/versions"), asker.get("/versions")

    assert (own.status, own.json["data"], own.json["meta"]["record_count"]) == (200, [], 0)
    assert (every.status, every.json["data"]) == (200, [])


def test_an_old_deployment_has_versions_and_no_event_stores(serve, world) -> None:
    row = a_flagged_payment(world)
    asker = serve(world, event_stores=False)
    refused = asker.get(f"/klarna_payments/{row['id']}/event_stores")
    versions = asker.get(f"/klarna_payments/{row['id']}/versions").json

    assert (refused.status, refused.code) == (404, "RECORD_NOT_FOUND")
    assert asker.get("/event_stores/1755185525941-0").status == 404
    assert [version["attributes"]["event"] for version in versions["data"]] == ["update"] * 3
    assert versions["data"][0]["attributes"]["changes"]["reference"] == [None, row["reference"]]
    assert versions["meta"] == {"record_count": 3, "page_count": 1}


def test_versions_are_filtered_sorted_and_found(serve, world) -> None:
    asker = serve(world, event_stores=False)
    row = a_flagged_payment(world)
    world.delete(world.payment_ids()[0])
    own = {"filter[q][resource_id_eq]": row["id"], "filter[q][resource_type_eq]": "klarna_payments"}
    ids = asker.get("/versions", own).ids
    turned = asker.get("/versions", {**own, "sort": "-id"}).ids
    destroyed = asker.get("/versions", {"filter[q][event_eq]": "destroy"}).json["data"]

    assert ids == asker.get(f"/klarna_payments/{row['id']}/versions").ids == turned[::-1]
    assert asker.get(f"/versions/{ids[1]}").json["data"]["id"] == ids[1]
    assert asker.get(f"/versions/{destroyed[0]['id']}").json["data"]["attributes"]["event"] == "destroy"
    assert asker.get("/versions/XXXXXXXXXX").status == 404
    assert len(destroyed) == 1


def test_a_trail_needs_an_integration(serve, world) -> None:
    asker = serve(world)
    asker.log_in(
        client_id="sandbox-sales-channel-Hn5wE8yJdF3qLx0zKa7", client_secret="sandbox-sales-secret-not-for-production"
    )

    assert asker.get(f"/klarna_payments/{world.payment_ids()[0]}/event_stores").code == "UNAUTHORIZED"


def test_loaded_rows_have_a_trail(serve) -> None:
    rows = [{"id": "P1", "order_id": "O1", "reference": "R1", "created_at": "2026-01-01T00:00:00.000Z"}]
    world = World.of_rows([{**rows[0], "updated_at": "2026-01-02T00:00:00.000Z"}], [{"id": "O1"}])
    events = trail(serve(world), "/klarna_payments/P1")

    assert [event["attributes"]["event"] for event in events] == ["create", "update"]
    assert events[1]["attributes"]["created_at"] == "2026-01-01T12:00:00.000Z"


def test_a_role_may_read_the_trail_of_one_type_and_not_of_another(serve, world) -> None:
    row = a_flagged_payment(world)
    asker = serve(world, forbidden_trails=("orders",))

    assert asker.get(f"/klarna_payments/{row['id']}/event_stores").status == 200
    for kind in ("event_stores", "versions"):
        refused = asker.get(f"/orders/{row['order_id']}/{kind}")
        assert (refused.status, refused.json["errors"][0]["code"]) == (401, "UNAUTHORIZED")
