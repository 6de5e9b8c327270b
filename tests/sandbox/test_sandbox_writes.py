"""Writes of payments: what may be written, what `_update` does, and each refusal."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import pytest

from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.api.limits import Limits
from reconcile.sandbox.world.world import World


def document(id_: str, attributes: dict | None = None, **changes) -> dict:
    return {"data": {"type": "klarna_payments", "id": id_, "attributes": attributes or {}, **changes}}


NOW = 1_790_000_000_000_000
NOW_TEXT = "2026-09-21T14:13:20.000Z"
UPDATE = {"_update": True}


@pytest.fixture
def world() -> World:
    world = World.generate(5, now=lambda: NOW)
    world.update(world.payment_ids()[1], touch=False, mismatched_amounts=True)
    return world


def session(world: World, updated_at: str = "2026-09-21T00:00:00.000Z", **order: object) -> str:
    """Add a flagged payment, last updated so, of an order that is not placed unless said otherwise."""
    id_ = world.insert(
        {"reference": "R", "updated_at": updated_at, "mismatched_amounts": True},
        order={"number": "7", "currency_code": "EUR", "status": "pending", **order},
    )
    if "payment_source_id" not in order:
        world.update_order(order_id(world, id_), touch=False, payment_source_id=id_)
    return id_


def order_id(world: World, id_: str) -> str:
    return str(world.payments.find(id_)["order_id"])


def flag(world: World, id_: str) -> object:
    return world.payments.find(id_)["mismatched_amounts"]


def test_update_refreshes_the_session(serve, world) -> None:
    id_ = session(world)
    answer = serve(world).patch(f"/klarna_payments/{id_}", document(id_, UPDATE))
    attributes = answer.json["data"]["attributes"]

    assert answer.status == 200
    assert attributes["mismatched_amounts"] is False
    assert attributes["updated_at"] == NOW_TEXT
    assert "_update" not in attributes
    assert flag(world, id_) is False


@pytest.mark.parametrize(
    ("order", "detail"),
    [
        ({"placed_at": "2026-09-21T00:00:00.000Z", "status": "placed"}, "the session was closed when the order was pl"),
        ({"status": "cancelled"}, "the session was closed when the order was placed"),
        ({"payment_source_id": "another"}, "is not the payment source of the order"),
        ({"payment_source_id": None}, "is not the payment source of the order"),
    ],
)
def test_an_update_that_klarna_would_refuse_is_refused(serve, world, order, detail) -> None:
    id_ = session(world, **order)
    answer = serve(world).patch(f"/klarna_payments/{id_}", document(id_, UPDATE))

    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")
    assert answer.json["errors"][0]["title"].startswith(detail)
    assert answer.json["errors"][0]["source"] == {"pointer": "/data/attributes/_update"}
    assert flag(world, id_) is True


def test_a_session_that_is_forgotten_cannot_be_updated(serve, world) -> None:
    known, forgotten = session(world, "2026-09-19T14:13:20.000Z"), session(world, "2026-09-19T14:13:19.000Z")
    asker = serve(world)
    answers = [asker.patch(f"/klarna_payments/{id_}", document(id_, UPDATE)) for id_ in (known, forgotten)]

    assert [answer.status for answer in answers] == [200, 422]
    assert answers[1].json["errors"][0]["title"] == "the session has expired"


def test_a_change_of_references_does_not_keep_a_session_alive(serve) -> None:
    hour = 3600 * 1_000_000
    moments = [NOW]
    world = World.generate(5, now=lambda: moments[-1])
    id_, asker = session(world), serve(world)
    path = f"/klarna_payments/{id_}"
    statuses = []
    for attributes, hours in (({"reference": "S"}, 20), (UPDATE, 4), ({"reference": "T"}, 47), (UPDATE, 2)):
        moments.append(moments[-1] + hours * hour)
        statuses.append(asker.patch(path, document(id_, attributes)).status)

    assert statuses == [200, 200, 200, 422]


def test_an_answer_has_credentials_unless_it_is_asked_for_less(serve, world) -> None:
    id_, asker = session(world), serve(world, canary="CANARY")
    full = asker.patch(f"/klarna_payments/{id_}", document(id_, UPDATE)).body
    sparse = asker.patch(
        f"/klarna_payments/{id_}?fields%5Bklarna_payments%5D=mismatched_amounts", document(id_, UPDATE)
    )

    assert full.count(b"CANARY") == 2
    assert sparse.json["data"]["attributes"] == {"mismatched_amounts": False}


def created(order: str | None, **attributes: object) -> dict:
    link = {} if order is None else {"order": {"data": {"type": "orders", "id": order}}}
    return {"data": {"type": "klarna_payments", "attributes": attributes, "relationships": link}}


def test_a_created_payment_is_the_source_of_its_order(serve, world) -> None:
    order, asker = order_id(world, session(world)), serve(world)
    answer = asker.post("/klarna_payments?include=order", created(order, reference="new", metadata={"a": 1}))
    resource = answer.json["data"]

    assert answer.status == 201
    assert resource["attributes"].items() >= {"reference": "new", "metadata": {"a": 1}, "created_at": NOW_TEXT}.items()
    assert resource["attributes"]["session_id"]
    assert resource["attributes"]["mismatched_amounts"] is False
    assert resource["relationships"]["order"]["data"] == {"type": "orders", "id": order}
    assert asker.get(f"/orders/{order}/payment_source").json["data"]["id"] == resource["id"] == world.payment_ids()[-1]
    assert asker.patch(f"/klarna_payments/{resource['id']}", document(resource["id"], UPDATE)).status == 200


def test_what_cannot_be_created_is_refused(serve, world) -> None:
    asker, count = serve(world), len(world.payments)
    placed = next(row["id"] for row in map(world.orders.row, world.orders.alive().tolist()) if row["placed_at"])
    by_card = order_id(world, session(world, payment_source_id="card", payment_source_type="stripe_payments"))
    answers = [
        asker.post("/klarna_payments", body)
        for body in (created(None), created(placed), created(by_card), created("X"), created(placed, auth_token="x"))
    ]
    unsaid = asker.post("/klarna_payments", created(placed), Content_Type="application/json")

    assert [(one.status, one.code) for one in answers] == [
        *[(422, "VALIDATION_ERROR")] * 3,
        (404, "RECORD_NOT_FOUND"),
        (400, "PARAM_NOT_ALLOWED"),
    ]
    assert unsaid.status == 415
    assert len(world.payments) == count + 1


def test_a_payment_is_deleted_unless_money_went_through_it(serve, world) -> None:
    id_, asker = session(world), serve(world)
    order = order_id(world, id_)
    paid = next(
        row["id"] for row in map(world.payments.row, range(1, 6)) if (world.order_of(row) or {}).get("placed_at")
    )
    locked, gone, unknown = (asker.delete(f"/klarna_payments/{one}") for one in (paid, id_, id_))

    assert [locked.status, gone.status, unknown.status] == [423, 204, 404]
    assert locked.code == "LOCKED"
    assert gone.body == b""
    assert world.payments.find(paid) is not None
    assert world.orders.find(order)["payment_source_id"] is None


def test_an_answer_can_be_lost_when_the_write_is_done(serve, world) -> None:
    ids = [session(world) for _ in range(3)]
    asker = serve(world, faults=Faults.parse(["write-lost:#1", "write-5xx:#2", "write-empty:#3"]))
    asker.log_in()
    with pytest.raises(ConnectionError):
        asker.patch(f"/klarna_payments/{ids[0]}", document(ids[0], UPDATE))
    answers = [asker.patch(f"/klarna_payments/{id_}", document(id_, UPDATE)) for id_ in ids[1:]]

    assert [(one.status, b"{" in one.body) for one in answers] == [(502, False), (204, False)]
    assert [flag(world, id_) for id_ in ids] == [False, False, False]
    assert [record.status for record in asker.server.requests if record.method == "PATCH"] == [0, 502, 204]


def test_an_answer_can_come_late_when_the_write_is_done(serve, world) -> None:
    id_ = session(world)
    asker = serve(world, faults=Faults.parse("write-late:#1:60000"))
    asker.log_in()
    headers = asker._headers({"Content_Type": "application/vnd.api+json"})
    body = json.dumps(document(id_, UPDATE)).encode()
    connection = http.client.HTTPConnection(urlsplit(asker.server.url).netloc, timeout=1)
    connection.request("PATCH", f"/api/klarna_payments/{id_}", body, headers)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()

    assert flag(world, id_) is False


def test_writes_have_a_limit_of_their_own(serve, world, clock) -> None:
    id_ = session(world)
    asker = serve(world, limits=Limits(write_average=3, write_burst=3), clock=clock)
    statuses = [asker.patch(f"/klarna_payments/{id_}", document(id_, UPDATE)).status for _ in range(4)]

    assert statuses == [200, 200, 200, 429]
    assert asker.get(f"/klarna_payments/{id_}").status == 200


def test_reference_and_metadata_are_written(serve, world) -> None:
    id_ = world.payment_ids()[1]
    written = {"reference": "R-1", "reference_origin": None, "metadata": {"a": {"b": [1]}}}
    answer = serve(world).patch(f"/klarna_payments/{id_}", document(id_, written))

    assert answer.json["data"]["attributes"].items() >= written.items()
    assert answer.json["data"]["attributes"]["mismatched_amounts"] is True


@pytest.mark.parametrize(
    ("attributes", "status", "code", "pointer"),
    [
        ({"session_id": "x"}, 400, "PARAM_NOT_ALLOWED", None),
        ({"mismatched_amounts": False}, 400, "PARAM_NOT_ALLOWED", None),
        ({"reference": 7}, 422, "VALIDATION_ERROR", "/data/attributes/reference"),
        ({"metadata": "x"}, 422, "VALIDATION_ERROR", "/data/attributes/metadata"),
        ({"_update": "yes"}, 422, "VALIDATION_ERROR", "/data/attributes/_update"),
    ],
)
def test_what_may_not_be_written_is_refused(serve, world, attributes, status, code, pointer) -> None:
    id_ = world.payment_ids()[1]
    answer = serve(world).patch(f"/klarna_payments/{id_}", document(id_, attributes))

    assert (answer.status, answer.code) == (status, code)
    assert answer.json["errors"][0].get("source", {}).get("pointer") == pointer
    assert world.payments.row(2)["mismatched_amounts"] is True


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "BAD_REQUEST"),
        ({}, "PARAM_MISSING"),
        ({"data": {"type": "orders", "id": "X"}}, "INVALID_RESOURCE"),
        ({"data": {"type": "klarna_payments", "id": "X"}}, "KEY_NOT_INCLUDED_IN_URL"),
    ],
)
def test_a_document_that_is_about_something_else_is_a_400(serve, world, body, code) -> None:
    answer = serve(world).patch(f"/klarna_payments/{world.payment_ids()[0]}", body)

    assert (answer.status, answer.code) == (400, code)


def test_a_payment_without_an_order_cannot_be_refreshed(serve, world) -> None:
    id_ = world.insert({"reference": "alone"})
    answer = serve(world).patch(f"/klarna_payments/{id_}", document(id_, {"_update": True}))

    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")
    assert answer.json["errors"][0]["meta"] == {"error": "blank"}


def test_the_order_can_be_exchanged_for_one_that_is_there(serve, world) -> None:
    id_, asker = world.payment_ids()[1], serve(world)
    other = world.payments.row(4)["order_id"]
    path = f"/klarna_payments/{id_}"
    good = asker.patch(path, document(id_, relationships={"order": {"data": {"type": "orders", "id": other}}}))
    unknown = asker.patch(path, document(id_, relationships={"order": {"data": {"type": "orders", "id": "X"}}}))

    assert good.status == 200
    assert asker.get(f"{path}/order").json["data"]["id"] == other
    assert unknown.status == 404


def test_the_body_must_say_that_it_is_json_api(serve, world) -> None:
    id_ = world.payment_ids()[1]
    answer = serve(world).patch(f"/klarna_payments/{id_}", document(id_), Content_Type="application/json")

    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_an_unknown_payment_is_a_404(serve, world) -> None:
    assert serve(world).patch("/klarna_payments/XXXXXXXXXX", document("XXXXXXXXXX")).status == 404
