"""PATCH: what may be written, what `_update` does, and each refusal."""

from __future__ import annotations

import pytest

from reconcile.sandbox.world.world import World


def document(id_: str, attributes: dict | None = None, **changes) -> dict:
    return {"data": {"type": "klarna_payments", "id": id_, "attributes": attributes or {}, **changes}}


@pytest.fixture
def world() -> World:
    world = World.generate(5, now=lambda: 1_790_000_000_000_000)
    world.update(world.payment_ids()[1], touch=False, mismatched_amounts=True)
    return world


def test_update_refreshes_the_session(serve, world) -> None:
    id_ = world.payment_ids()[1]
    answer = serve(world).patch(f"/klarna_payments/{id_}", document(id_, {"_update": True}))
    attributes = answer.json["data"]["attributes"]

    assert answer.status == 200
    assert attributes["mismatched_amounts"] is False
    assert attributes["updated_at"] == "2026-09-21T14:13:20.000Z"
    assert "_update" not in attributes
    assert world.payments.row(2)["mismatched_amounts"] is False


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
