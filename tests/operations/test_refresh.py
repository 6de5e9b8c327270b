"""Flagged payments planned and refreshed: each is what it is in truth, is sent at most once, and is on record."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flagged import PLAN, RECORD, RUN, Shop, ago, outcomes, recorded, said, writes
from nights import OUT
from served import Serve, servers

from reconcile.errors import AuthError
from reconcile.payments.refreshable import REMEDY_OF, Refreshable
from reconcile.sandbox.api.limits import Limits
from reconcile.sandbox.server import SandboxServer

CANARY = "canary-of-klarna-tokens"
APPLY = ("refresh", "--apply", "--yes")


@pytest.fixture
def serve() -> Iterator[Serve]:
    with servers() as start:
        yield start


def lines(server: SandboxServer, *words: str) -> list[dict[str, Any]]:
    result = said(server, *words, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def planned(serve: Serve, shop: Shop, *faults: str, **options: Any) -> SandboxServer:
    """Publish a run of `shop`, plan its refresh, and return the server, which has faults from then on."""
    shop.run()
    assert said(serve(shop.world), "refresh").exit_code == 0
    return serve(shop.world, *faults, **options)


def flags(shop: Shop) -> list[object]:
    return [shop.world.payments.find(id_)["mismatched_amounts"] for id_ in shop.ids()]


# --- the plan ---


@pytest.mark.parametrize("each", [4, pytest.param(125, marks=pytest.mark.slow)])
def test_a_plan_is_the_truth_and_writes_nothing(serve: Serve, each: int, misfits: Any) -> None:
    shop = Shop(each)
    shop.run()
    server = serve(shop.world)
    rows = lines(server, "refresh")

    assert {row["payment_id"]: row["refreshable"] for row in rows} == shop.truth
    assert [row["payment_id"] for row in rows] == sorted(shop.truth)
    assert [one for row in rows for one in misfits(row, "refresh")] == []
    assert {row["refreshable"]: row["remedy"] for row in rows} == REMEDY_OF
    assert writes(server) == Counter()
    asked = [request for request in server.requests if request.path == "/api/klarna_payments"]
    assert len(asked) == -(-len(shop.truth) // 25)
    assert not RECORD.exists()


def test_a_plan_for_people_counts_and_sums_each_class_and_says_what_helps(serve: Serve) -> None:
    shop = Shop(refresh=2, closed=1, vanished=1)
    shop.run()
    result = said(serve(shop.world), "refresh", "2026-11-20")

    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["Can", "be", "refreshed", "refresh", "EUR", "2", "21.00"] in rows
    assert ["Order", "placed", "or", "cancelled", "closed", "EUR", "1", "10.50"] in rows
    assert ["Gone", "vanished", "1"] in rows
    assert f"\nrefresh: {REMEDY_OF[Refreshable.REFRESH]}\n" in result.stdout
    assert "expired:" not in result.stdout


@pytest.mark.slow
def test_the_same_rows_come_as_csv(serve: Serve) -> None:
    shop = Shop()
    shop.run()
    server = serve(shop.world)
    found = list(csv.DictReader(said(server, "refresh", "--format", "csv").stdout.splitlines()))

    assert [row["payment_id"] for row in found] == [row["payment_id"] for row in lines(server, "refresh")]
    assert {row["payment_id"]: row["refreshable"] for row in found} == shop.truth


def test_a_run_without_flagged_payments_has_nothing_to_plan(serve: Serve) -> None:
    shop = Shop(refresh=0, closed=0)
    shop.run()
    result = said(serve(shop.world), "refresh")

    assert (result.exit_code, result.stdout) == (0, "")
    assert f"no payment is flagged in {RUN}" in result.stderr
    assert lines(serve(shop.world), "refresh") == []
    applied = said(serve(shop.world), *APPLY)
    assert (applied.exit_code, applied.stderr) == (0, "nothing is left to send in this plan\n")


def test_a_plan_is_refused_for_runs_of_another_mode(serve: Serve) -> None:
    Shop(mode="test", refresh=1).run()
    result = said(serve(Shop().world), "refresh")

    assert result.exit_code == 2
    assert "holds runs of test mode" in result.stderr
    assert not PLAN.exists()


# --- carried out ---


def test_what_is_applied_is_the_plan_and_nothing_else(serve: Serve) -> None:
    shop = Shop(2)
    server = planned(serve, shop)
    rows = lines(server, *APPLY, "--by", "Ann")

    assert writes(server) == Counter(shop.ids())
    assert flags(shop) == [False, False]
    assert {row["payment_id"]: row["outcome"] for row in rows} == dict.fromkeys(shop.ids(), "flag_cleared")
    assert outcomes() == dict.fromkeys(shop.ids(), "flag_cleared")
    events = recorded()
    assert {event["by"] for event in events} == {"Ann"}
    assert {event["run_id"] for event in events} == {json.loads((RUN / "manifest.json").read_text())["run_id"]}
    assert {event["told_by"] for event in events if event["event"] == "answer"} == {"answer"}
    assert all(datetime.fromisoformat(event["at"]).utcoffset() == timedelta() for event in events)


def test_the_session_that_ends_soonest_goes_first_and_the_rest_next_time(serve: Serve) -> None:
    shop = Shop(refresh=3)
    shop.world.update(shop.ids()[1], touch=False, updated_at=ago(hours=40))
    server = planned(serve, shop)
    result = said(server, *APPLY, "--max", "1")

    assert writes(server) == Counter([shop.ids()[1]])
    assert "2 more in the plan" in result.stderr
    assert said(server, *APPLY).exit_code == 0
    assert said(server, *APPLY).stderr == "nothing is left to send in this plan\n"
    assert writes(server) == Counter(shop.ids())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mismatched_amounts": False}, "agrees now"),
        ({"reference": "touched"}, "updated_at"),
        (None, "gone"),
    ],
)
def test_what_is_no_longer_as_planned_is_not_sent(serve: Serve, change: dict[str, Any] | None, why: str) -> None:
    shop = Shop(refresh=2)
    server = planned(serve, shop)
    changed, kept = shop.ids()
    shop.world.delete(changed) if change is None else shop.world.update(changed, touch="reference" in change, **change)
    rows = {row["payment_id"]: row for row in lines(server, *APPLY)}

    assert writes(server) == Counter([kept])
    assert rows[changed]["outcome"] == "not_sent"
    assert why in rows[changed]["words"]
    assert outcomes() == {kept: "flag_cleared"}


@pytest.mark.slow
def test_an_order_that_changes_is_left_alone(serve: Serve) -> None:
    shop = Shop(refresh=1)
    server = planned(serve, shop)
    shop.world.update_order(shop.world.payments.find(shop.ids()[0])["order_id"], status="pending")
    (row,) = lines(server, *APPLY)

    assert (row["outcome"], row["words"]) == ("not_sent", "changed since the plan: order in use")
    assert writes(server) == Counter()


def test_a_refusal_is_recorded_in_the_servers_words(serve: Serve) -> None:
    shop = Shop(refresh=2)
    server = planned(serve, shop)
    order = shop.world.payments.find(shop.ids()[0])["order_id"]
    shop.world.update_order(order, touch=False, payment_source_id=None)
    result = said(server, *APPLY)

    if "not_sent" not in result.stdout:  # else the source is known by reading it, and nothing is sent
        (refused,) = [event for event in recorded() if event["outcome"] == "refused"]
        assert refused["status"] == 422
        assert "is not the payment source of the order" in refused["words"]
    assert (result.exit_code, flags(shop)) == (0, [True, False])


@pytest.mark.parametrize(
    "fault",
    [
        "write-lost",
        "write-empty",
        pytest.param("write-5xx", marks=pytest.mark.slow),
        pytest.param("write-late:#1+:8000", marks=pytest.mark.slow),
    ],
)
def test_an_answer_that_is_lost_is_found_by_reading(serve: Serve, fault: str) -> None:
    shop = Shop(refresh=3)
    server = planned(serve, shop, fault)
    Path("reconcile.toml").write_text("[commercelayer]\ntimeout_seconds = 2\n")
    result = said(server, *APPLY)

    assert result.exit_code == 0, result.stderr
    assert writes(server) == Counter(shop.ids())
    assert outcomes() == dict.fromkeys(shop.ids(), "flag_cleared")
    assert {event["told_by"] for event in recorded() if event["event"] == "answer"} == {"reading"}


def test_what_became_of_a_write_that_did_not_arrive_is_unknown_and_it_is_not_repeated(serve: Serve) -> None:
    """The connection breaks after it is sent and before the server has done anything: nobody can tell from outside."""
    shop = Shop(refresh=1)
    server = planned(serve, shop, "reset:#2")  # the first request reads it
    result = said(server, *APPLY)

    assert result.exit_code == 4
    assert "of 1 it is not known whether they were refreshed" in result.stderr
    assert outcomes() == {shop.ids()[0]: "unknown"}
    assert said(server, *APPLY).exit_code == 0
    assert writes(server) == Counter(shop.ids())

    assert said(server, "refresh").exit_code == 0  # read again, and still flagged: the next plan may send it
    assert said(server, *APPLY).exit_code == 0
    assert outcomes() == {shop.ids()[0]: "flag_cleared"}


@pytest.mark.parametrize("fault", [pytest.param("429:#2:0", marks=pytest.mark.slow), "revoke:#2"])
def test_what_was_refused_for_rate_or_token_is_sent_again_with_one_intent(serve: Serve, fault: str) -> None:
    shop = Shop(refresh=1)
    server = planned(serve, shop, fault)
    Path("reconcile.toml").write_text("[commercelayer]\nrate_limit = false\n")
    result = said(server, *APPLY)

    assert result.exit_code == 0, result.stderr
    statuses = [request.status for request in server.requests if request.method == "PATCH"]
    assert (len(statuses), statuses[-1]) == (2, 200)
    assert [event["event"] for event in recorded()] == ["intent", "answer"]
    assert outcomes() == {shop.ids()[0]: "flag_cleared"}


# --- who may, and when ---


def test_credentials_that_may_not_write_stop_at_the_first_payment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(refresh=9)
    server = planned(serve, shop)

    async def refused(*_: object, before: Callable[[], Awaitable[None]]) -> None:
        await before()
        raise AuthError("PATCH klarna_payments: status 401 UNAUTHORIZED (Access denied)", hint="about listing")

    monkeypatch.setattr("reconcile.operations.refresh_one.refresh_session", refused)
    result = said(server, *APPLY)

    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.endswith(
        "hint: it needs the credentials of an integration whose role may update klarna_payments\n"
    )
    assert [event["outcome"] for event in recorded()] == [None, "refused"]


def test_in_live_mode_the_organizations_name_is_asked_for(serve: Serve) -> None:
    shop = Shop(refresh=1)
    server = planned(serve, shop)
    for typed in ("", "another\n"):
        result = said(server, "refresh", "--apply", input=typed)
        assert result.exit_code == 2
        assert "nothing was sent" in result.stderr
    assert writes(server) == Counter()

    result = said(server, "refresh", "--apply", input="sandbox\n")
    assert "1 payment of sandbox, live mode: type the name of the organization" in result.stderr
    assert (result.exit_code, writes(server)) == (0, Counter(shop.ids()))


@pytest.mark.slow
def test_in_test_mode_nothing_is_asked(serve: Serve) -> None:
    shop = Shop(mode="test", refresh=1)
    server = planned(serve, shop)

    assert said(server, "refresh", "--apply").exit_code == 0
    assert writes(server) == Counter(shop.ids())


def test_without_a_plan_of_this_run_within_the_hour_nothing_is_sent(serve: Serve) -> None:
    shop = Shop(refresh=1)
    shop.run()
    server = serve(shop.world)
    result = said(server, *APPLY)
    assert (result.exit_code, "there is no plan of a refresh" in result.stderr) == (2, True)

    assert said(server, "refresh").exit_code == 0
    plan = json.loads(PLAN.read_text())
    for change, why in (
        ({"made_at": (datetime.now(UTC) - timedelta(minutes=61)).isoformat()}, "holds for an hour"),
        ({"run_id": "20261120-0"}, "is of another run"),
        ({"manifest_sha256": "0" * 64}, "is of another run"),
        ({"organization": "another"}, "the plan is of another, live mode"),
    ):
        PLAN.write_text(json.dumps(plan | change))
        result = said(server, *APPLY)
        assert (result.exit_code, why in result.stderr) == (2, True), result.stderr
    assert writes(server) == Counter()
    assert recorded() == []


@pytest.mark.slow
def test_a_date_that_was_run_again_needs_a_plan_of_its_own(serve: Serve) -> None:
    shop = Shop(refresh=1)
    server = planned(serve, shop)
    shop.run(tolerance_cents=1)

    assert "is of another run" in said(server, *APPLY).stderr
    assert writes(server) == Counter()


# --- the record ---


def test_the_next_run_says_how_far_the_record_went_and_verify_sees_what_was_done_to_it(serve: Serve) -> None:
    shop = Shop(refresh=2)
    server = planned(serve, shop)
    assert said(server, *APPLY).exit_code == 0
    shop.run()
    (record,) = json.loads((RUN / "manifest.json").read_text())["records"]
    content = RECORD.read_bytes()
    assert (record["path"], record["bytes"]) == ("refreshes.jsonl", len(content))
    assert said(server, "runs", "verify").exit_code == 0

    events = content.splitlines(keepends=True)
    for changed in (events[:-1], [events[0].replace(b'"by":null', b'"by":"Eve"'), *events[1:]], []):
        RECORD.write_bytes(b"".join(changed))
        result = said(server, "runs", "verify")
        assert result.exit_code == 1
        assert "refreshes.jsonl was changed since this run was made" in result.stdout


def test_verify_sees_a_broken_chain_behind_what_the_last_run_knew(serve: Serve) -> None:
    shop = Shop(refresh=2)
    server = planned(serve, shop)
    assert said(server, *APPLY).exit_code == 0
    content = RECORD.read_bytes()
    first, *rest = content.splitlines(keepends=True)
    assert said(server, "runs", "verify").exit_code == 0

    for changed in (rest, [first, *rest[1:]], [first.replace(b"intent", b"answer"), *rest], [first, b"{}\n", *rest]):
        RECORD.write_bytes(b"".join(changed))
        result = said(server, "runs", "verify", str(RUN))
        assert (result.exit_code, "is not chained to the line before it" in result.stdout) == (1, True)

    RECORD.write_bytes(content + b'{"at":"2026-')  # killed while it wrote
    assert said(server, "runs", "verify").exit_code == 0


def test_a_record_that_nobody_can_read_stops_before_anything_is_sent(serve: Serve) -> None:
    shop = Shop(refresh=1)
    server = planned(serve, shop)
    RECORD.write_text('{"previous_sha256":null}\n')
    result = said(server, *APPLY)

    assert (result.exit_code, writes(server)) == (5, Counter())
    assert f"{RECORD}:1: is not the record of a refresh" in result.stderr


def test_nothing_is_sent_where_its_intent_cannot_be_recorded(serve: Serve) -> None:
    shop = Shop(refresh=1)
    server = planned(serve, shop)
    RECORD.mkdir()
    result = said(server, *APPLY)

    assert (result.exit_code, writes(server)) == (5, Counter())


def test_no_credential_is_shown_or_kept(serve: Serve, workplace: Path) -> None:
    shop = Shop(refresh=3)
    shop.run()
    results = []
    for faults in ((), ("write-lost:#1", "write-5xx:#2")):
        server = serve(shop.world, *faults, canary=CANARY)
        results += [said(server, *words, "-vv", "--log-json") for words in (("refresh",), APPLY)]

    assert [result.exit_code for result in results] == [0] * 4
    files = [path.read_bytes() for path in workplace.rglob("*") if path.is_file()]
    assert CANARY.encode() not in b"\n".join([*files, *(one.stdout_bytes + one.stderr_bytes for one in results)])


@pytest.mark.slow
def test_the_folder_of_runs_may_be_copied_with_its_record(serve: Serve) -> None:
    shop = Shop(refresh=1)
    server = planned(serve, shop)
    assert said(server, *APPLY).exit_code == 0
    shutil.copytree(OUT, "copy")

    assert said(server, "runs", "verify", "--out", "copy").exit_code == 0


@pytest.mark.slow
def test_more_than_the_limit_allows_at_once_is_sent_in_time(serve: Serve) -> None:
    """Test mode allows for 25 writes in 10 seconds; that none is rejected is tested on a clock, of the limiter."""
    shop = Shop(mode="test", refresh=60)
    shop.run()
    server = serve(shop.world, limits=Limits())
    assert said(server, "refresh").exit_code == 0
    result = said(server, "refresh", "--apply")

    assert result.exit_code == 0, result.stderr
    accepted = [request.path for request in server.requests if request.method == "PATCH" and request.status == 200]
    assert Counter(path.rpartition("/")[2] for path in accepted) == Counter(shop.ids())
    assert outcomes() == dict.fromkeys(shop.ids(), "flag_cleared")
