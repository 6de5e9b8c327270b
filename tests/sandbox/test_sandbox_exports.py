"""Exports: what can be created, how they get on, what is refused. Time passes when the test says so."""

from __future__ import annotations

import contextlib
import http.client
from typing import Any

import pytest

from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.api.limits import Limits
from reconcile.sandbox.exports.exports import ExportRules
from reconcile.sandbox.world.world import World

SLOW = ExportRules(records_per_second=10, pending_seconds=1)
"""60 records wait a second and take six."""


@pytest.fixture
def timed(serve, clock):
    """Return a function that serves a world whose exports go by the test's clock."""

    def start(*faults: str, rules: ExportRules = SLOW, world: World | None = None, **options: Any):
        times = {"clock": clock, "wall_clock": clock.wall}
        return serve(world, exports=rules, faults=Faults.parse(faults), **times, **options)

    return start


def document(id_: str, **attributes: Any) -> dict[str, Any]:
    return {"data": {"type": "exports", "id": id_, "attributes": attributes}}


def id_of(answer) -> str:
    assert answer.status == 201
    return answer.json["data"]["id"]


def error_of(answer) -> dict[str, Any]:
    (error,) = answer.json["errors"]
    return error


def test_an_export_is_created_pending_and_uncounted(timed) -> None:
    answer = timed().export(reference="ours", metadata={"a": 1})
    attributes = answer.json["data"]["attributes"]

    assert answer.status == 201
    assert (
        attributes.items()
        >= {
            "resource_type": "klarna_payments",
            "format": "json",
            "status": "pending",
            "records_count": None,
            "started_at": None,
            "attachment_url": None,
            "reference": "ours",
            "metadata": {"a": 1},
            "created_at": "2026-09-21T14:13:20.000Z",
        }.items()
    )


def test_an_export_waits_runs_and_is_completed(timed, clock) -> None:
    asker = timed()
    id_ = id_of(asker.export())
    clock.seconds = 4.0
    half_way = asker.exported(id_)
    clock.seconds = 7.1
    end = asker.exported(id_)

    assert [half_way["status"], end["status"]] == ["in_progress", "completed"]
    assert (half_way["records_count"], half_way["processed_count"], half_way["progress"]) == (60, 30, 50)
    assert half_way["started_at"] == "2026-09-21T14:13:21.000Z"
    assert half_way["estimated_completion_at"] == "2026-09-21T14:13:27.000Z"
    assert half_way["attachment_url"] is None
    assert (end["processed_count"], end["progress"], end["completed_at"]) == (60, 100, "2026-09-21T14:13:27.000Z")
    assert end["attachment_url"].startswith(f"{asker.server.storage_url}/")


def test_the_time_scale_of_the_limits_is_that_of_exports(timed, clock) -> None:
    asker = timed(limits=Limits(time_scale=10))
    id_ = id_of(asker.export())
    clock.seconds = 0.71

    assert asker.exported(id_)["status"] == "completed"


@pytest.mark.parametrize(
    ("attributes", "pointer", "meta"),
    [
        ({"resource_type": None}, "resource_type", {"error": "blank"}),
        ({"resource_type": "skus"}, "resource_type", {"error": "inclusion", "value": "skus"}),
        ({"resource_type": "klarna_gateways"}, "resource_type", {"error": "inclusion", "value": "klarna_gateways"}),
        ({"format": "xml"}, "format", {"error": "inclusion", "value": "xml"}),
        ({"fields": ["nothing"]}, "fields", {"error": "invalid", "value": "nothing"}),
        ({"fields": ["order"]}, "fields", {"error": "invalid", "value": "order"}),
        ({"fields": ["auth_token"]}, "fields", {"error": "invalid", "value": "auth_token"}),
        ({"fields": ["order.affiliate_code"]}, "fields", {"error": "invalid", "value": "order.affiliate_code"}),
        ({"fields": ["event_stores.*"]}, "fields", {"error": "invalid", "value": "event_stores.*"}),
        ({"fields": "*"}, "fields", {"error": "invalid"}),
        ({"includes": ["nothing"]}, "includes", {"error": "invalid", "value": "nothing"}),
        ({"filters": {"nothing_eq": "1"}}, "filters", {"error": "invalid"}),
        ({"filters": {"mismatched_amounts_true": True}}, "filters", {"error": "invalid"}),
        ({"filters": {"id_gt": "no-such-id"}}, "filters", {"error": "invalid"}),
        ({"filters": ["id_gt"]}, "filters", {"error": "invalid"}),
        ({"dry_data": "yes"}, "dry_data", {"error": "invalid"}),
        ({"reference": 7}, "reference", {"error": "invalid"}),
        ({"filters": {"reference_eq": "?"}}, "records_count", {"error": "greater_than", "value": 0, "count": 0}),
    ],
)
def test_what_cannot_be_exported_is_a_422(timed, attributes, pointer, meta) -> None:
    answer = timed().export(**attributes)

    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")
    assert error_of(answer)["source"] == {"pointer": f"/data/attributes/{pointer}"}
    assert error_of(answer)["meta"] == meta


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[", "BAD_REQUEST"),
        ({"data": {"type": "orders"}}, "INVALID_RESOURCE"),
        ({"data": {"type": "exports", "id": "XXXXXXXXXX"}}, "PARAM_NOT_ALLOWED"),
        ({"data": {"type": "exports", "attributes": {"status": "completed"}}}, "PARAM_NOT_ALLOWED"),
        ({"data": {"type": "exports", "relationships": {"events": {}}}}, "PARAM_NOT_ALLOWED"),
    ],
)
def test_a_document_that_creates_nothing_is_a_400(timed, body, code) -> None:
    answer = timed().post("/exports", body)

    assert (answer.status, answer.code) == (400, code)


def test_more_records_than_the_maximum_are_refused_with_both_figures(timed) -> None:
    asker = timed(rules=ExportRules(maximum=59))
    answer = asker.export()
    ids = asker.server.world.payment_ids()

    assert answer.status == 422
    assert error_of(answer)["meta"] == {"error": "less_than_or_equal_to", "value": 60, "count": 59}
    assert asker.export(filters={"id_gt": ids[0]}).status == 201


def test_ten_at_once_are_all_an_organization_may_have(timed, clock) -> None:
    asker = timed()
    created = [asker.export(reference=str(number)).status for number in range(10)]
    refused = asker.export()
    clock.seconds = 10.0

    assert created == [201] * 10
    assert (refused.status, error_of(refused)["source"]) == (422, {"pointer": "/data"})
    assert error_of(refused)["meta"] == {"error": "less_than", "value": 10, "count": 10}
    assert asker.export().status == 201


def test_an_old_deployment_exports_no_payments(timed) -> None:
    asker = timed(rules=ExportRules(types=("orders",)))

    assert error_of(asker.export())["meta"] == {"error": "inclusion", "value": "klarna_payments"}
    assert asker.export(resource_type="orders").status == 201


@pytest.mark.parametrize("attributes", [{"includes": ["order"]}, {"fields": ["id", "order.number"]}])
def test_includes_can_be_refused(timed, attributes) -> None:
    asker = timed(rules=ExportRules(includes=False))

    assert asker.export(**attributes).status == 422
    assert asker.export(fields=["id", "order_id"]).status == 201


def test_exports_are_listed_by_id_status_and_reference(timed, clock) -> None:
    asker = timed()
    first, second = id_of(asker.export(reference="a")), id_of(asker.export(reference="b"))
    clock.seconds = 4.0
    third = id_of(asker.export())
    clock.seconds = 7.5

    def listed(**filters: str) -> list[str]:
        return asker.get("/exports", {f"filter[q][{name}]": value for name, value in filters.items()}).ids

    assert listed(id_in=f"{second},{third},XXXXXXXXXX") == [second, third]
    assert listed(status_in="pending,in_progress") == [third]
    assert listed(status_eq="completed") == [first, second]
    assert listed(reference_eq="b") == [second]
    assert listed(created_at_gt="2026-09-21T14:13:22Z", records_count_eq="60") == [third]
    assert asker.get("/exports", {"sort": "-created_at", "page[size]": "1"}).ids == [third]


def test_a_list_shows_only_the_fields_asked_for(timed) -> None:
    asker = timed()
    id_of(asker.export())
    (resource,) = asker.get("/exports", {"fields[exports]": "status,records_count"}).json["data"]

    assert resource["attributes"] == {"status": "pending", "records_count": None}
    assert "relationships" not in resource


def test_an_interrupted_export_is_started_again_and_ends(timed, clock) -> None:
    asker = timed()
    id_ = id_of(asker.export())
    clock.seconds = 2.0
    interrupted = asker.patch(f"/exports/{id_}", document(id_, _interrupt=True)).json["data"]["attributes"]
    clock.seconds = 20.0
    meanwhile = asker.exported(id_)
    started = asker.patch(f"/exports/{id_}", document(id_, _start=True)).json["data"]["attributes"]
    clock.seconds = 28.0

    assert (interrupted["status"], interrupted["interrupted_at"]) == ("interrupted", "2026-09-21T14:13:22.000Z")
    assert meanwhile["status"] == "interrupted"
    assert (started["status"], started["interrupted_at"]) == ("pending", None)
    assert asker.exported(id_)["status"] == "completed"


def test_what_is_not_running_cannot_be_interrupted_and_what_is_cannot_be_started(timed, clock) -> None:
    asker = timed()
    id_ = id_of(asker.export())
    started = asker.patch(f"/exports/{id_}", document(id_, _start=True))
    clock.seconds = 10.0
    interrupted = asker.patch(f"/exports/{id_}", document(id_, _interrupt=True))

    assert (started.status, interrupted.status) == (422, 422)


def test_references_of_an_export_are_written_and_the_rest_is_not(timed, clock) -> None:
    asker = timed()
    id_ = id_of(asker.export())
    clock.seconds = 0.5
    written = asker.patch(f"/exports/{id_}", document(id_, reference="x", metadata={"y": 1}))
    refused = asker.patch(f"/exports/{id_}", document(id_, fields=["id"]))

    assert written.json["data"]["attributes"].items() >= {"reference": "x", "metadata": {"y": 1}}.items()
    assert written.json["data"]["attributes"]["updated_at"] == "2026-09-21T14:13:20.500Z"
    assert (refused.status, refused.code) == (400, "PARAM_NOT_ALLOWED")


def test_an_export_is_deleted_when_it_runs_no_more(timed, clock) -> None:
    asker = timed()
    id_ = id_of(asker.export())
    running = asker.delete(f"/exports/{id_}")
    clock.seconds = 10.0
    gone = asker.delete(f"/exports/{id_}")

    assert (running.status, running.code) == (423, "LOCKED")
    assert (gone.status, gone.body) == (204, b"")
    assert asker.get(f"/exports/{id_}").status == 404
    assert asker.get("/exports").ids == []


def test_an_unknown_export_is_a_404(timed) -> None:
    asker = timed()

    assert asker.get("/exports/XXXXXXXXXX").status == 404
    assert asker.patch("/exports/XXXXXXXXXX", document("XXXXXXXXXX")).status == 404
    assert asker.delete("/exports/XXXXXXXXXX").status == 404


@pytest.mark.parametrize(
    ("kind", "status", "told"),
    [
        ("export-fail", "failed", {"errors_log": {"RuntimeError": "query timeout"}, "attachment_url": None}),
        ("export-interrupt", "interrupted", {"interrupted_at": "2026-09-21T14:13:24.000Z"}),
        ("export-stuck", "in_progress", {"processed_count": 30, "progress": 50}),
    ],
)
def test_a_fault_hits_the_export_with_its_number(timed, clock, kind, status, told) -> None:
    asker = timed(f"{kind}:#2")
    first, second = id_of(asker.export()), id_of(asker.export())
    clock.seconds = 100.0

    assert asker.exported(first)["status"] == "completed"
    assert asker.exported(second).items() >= {"status": status, **told}.items()


def test_an_export_that_was_interrupted_by_a_fault_can_be_started_again(timed, clock) -> None:
    asker = timed("export-interrupt")
    id_ = id_of(asker.export())
    clock.seconds = 10.0
    asker.patch(f"/exports/{id_}", document(id_, _start=True))
    clock.seconds = 20.0

    assert asker.exported(id_)["status"] == "completed"


def test_a_refused_export_is_not_counted_by_faults(timed, clock) -> None:
    asker = timed("export-fail:#2")
    asker.export(resource_type="skus")
    id_of(asker.export())
    second = id_of(asker.export())
    clock.seconds = 10.0

    assert asker.exported(second)["status"] == "failed"


def test_an_answer_that_is_lost_leaves_the_export_behind(timed) -> None:
    asker = timed("reset-body:#1")
    asker.log_in()
    with pytest.raises(ConnectionResetError):
        asker.export(reference="lost")

    assert len(asker.get("/exports", {"filter[q][reference_eq]": "lost"}).ids) == 1


@pytest.mark.parametrize("kind", ["reset-body", "truncate"])
def test_a_deletion_whose_answer_is_lost_is_done(timed, clock, kind) -> None:
    asker = timed(f"{kind}:#2")
    id_ = id_of(asker.export())
    clock.seconds = 10.0
    with contextlib.suppress(ConnectionError, http.client.HTTPException):
        asker.delete(f"/exports/{id_}")

    assert asker.get(f"/exports/{id_}").status == 404


def test_creating_is_a_write_and_looking_is_a_read(timed) -> None:
    asker = timed(limits=Limits(read_average=3, write_average=2, read_burst=9, write_burst=9))
    created = [asker.export().status for _ in range(3)]
    looked = [asker.get("/exports").status for _ in range(4)]

    assert created == [201, 201, 429]
    assert looked == [200, 200, 200, 429]


def test_a_sales_channel_exports_nothing(timed) -> None:
    asker = timed()
    channel = {
        "client_id": "sandbox-sales-channel-Hn5wE8yJdF3qLx0zKa7",
        "client_secret": "sandbox-sales-secret-not-for-production",
    }
    asker.log_in(**channel)

    assert asker.export().code == "UNAUTHORIZED"


def test_the_organization_says_how_many_exports_may_run(timed) -> None:
    attributes = timed(rules=ExportRules(concurrent=3)).get("/organization").json["data"]["attributes"]

    assert attributes["exports_max_concurrent_count"] == 3
    assert attributes["slug"] == "sandbox"


def test_the_date_header_follows_the_wall_clock(timed, clock) -> None:
    asker = timed()
    asker.log_in()
    clock.seconds = 65.0

    assert asker.get("/exports").headers["Date"] == "Mon, 21 Sep 2026 14:14:25 GMT"
    assert asker.log_in().headers["Date"] == "Mon, 21 Sep 2026 14:14:25 GMT"
