"""Faults: what they are called, when they hit, and what a client sees."""

from __future__ import annotations

import gzip
import http.client
import json
from email.utils import parsedate_to_datetime

import pytest

from reconcile.errors import SettingsError
from reconcile.sandbox.api.faults import KINDS, Faults, When, parse_fault
from reconcile.sandbox.world.world import World

KLARNA = "/klarna_payments"


def serve_with(serve, *specs: str, payments: int = 30):
    asker = serve(World.generate(payments), faults=Faults.parse(specs))
    asker.log_in()
    return asker


@pytest.mark.parametrize(
    ("text", "kind", "when", "value"),
    [
        ("5xx:0.05", "5xx", When(share=0.05), ""),
        ("5xx:#3:503", "5xx", When(numbers=frozenset({3})), "503"),
        ("reset:#7", "reset", When(numbers=frozenset({7})), ""),
        ("reset:#3,9", "reset", When(numbers=frozenset({3, 9})), ""),
        ("reset:#7+", "reset", When(from_number=7), ""),
        ("stall:#*4", "stall", When(every=4), ""),
        ("latency:20-75", "latency", When(from_number=1), "20-75"),
        ("latency:50", "latency", When(from_number=1), "50"),
        ("429:#5:2", "429", When(numbers=frozenset({5})), "2"),
        ("short-token:5", "short-token", When(from_number=1), "5"),
        ("drop-row:XAyRWNUzyN", "drop-row", When(from_number=1), "XAyRWNUzyN"),
    ],
)
def test_a_fault_is_written(text, kind, when, value) -> None:
    fault = parse_fault(text)

    assert (fault.kind, fault.when, fault.value) == (kind, when, value)


@pytest.mark.parametrize(
    "text",
    ["", "boom", "5xx:often:1", "5xx:#0.5", "latency", "latency:slow", "5xx:#1:404", "short-token", "reset:#1:2:3"],
)
def test_a_text_that_is_no_fault_is_refused_with_an_example(text) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_fault(text)

    assert f'fault "{text}"' in caught.value.message
    assert caught.value.hint


def test_chance_depends_on_seed_and_number_alone() -> None:
    hits = [
        [number for number in range(1, 2001) if Faults.parse("5xx:0.1", seed=seed).of(KINDS, number)]
        for seed in (1, 1, 2)
    ]

    assert hits[0] == hits[1] != hits[2]
    assert 150 < len(hits[0]) < 250


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_5xx_has_the_body_of_a_gateway(serve, status) -> None:
    asker = serve_with(serve, f"5xx:#1:{status}")
    first, second = asker.get(KLARNA), asker.get(KLARNA)

    assert (first.status, second.status) == (status, 200)
    assert first.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("kind", ["reset", "reset-body"])
def test_a_reset_ends_the_connection(serve, kind) -> None:
    asker = serve_with(serve, f"{kind}:#2")
    asker.get(KLARNA)
    with pytest.raises(ConnectionResetError):
        asker.get(KLARNA)

    assert asker.get(KLARNA).status == 200
    assert [record.status for record in asker.server.requests[1:]] == [200, 0, 200]


def test_a_truncated_body_is_shorter_than_it_says(serve) -> None:
    asker = serve_with(serve, "truncate:#1")
    with pytest.raises(http.client.IncompleteRead) as caught:
        asker.get(KLARNA)

    assert len(caught.value.partial) > 1000
    assert caught.value.expected is not None


def test_an_invalid_body_comes_with_200(serve) -> None:
    answer = serve_with(serve, "invalid-json:#1").get(KLARNA)

    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


def test_html_comes_with_200(serve) -> None:
    answer = serve_with(serve, "html:#1").get(KLARNA)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("kind", ["stall", "stall-body"])
def test_a_stall_never_ends(serve, kind, monkeypatch) -> None:
    asker = serve_with(serve, f"{kind}:#1")
    connect = http.client.HTTPConnection
    monkeypatch.setattr(http.client, "HTTPConnection", lambda netloc, timeout: connect(netloc, timeout=0.1))
    with pytest.raises(TimeoutError):
        asker.get(KLARNA)


def test_a_429_out_of_the_blue(serve) -> None:
    asker = serve_with(serve, "429:#1", "429:#2:3")
    first, second, third = (asker.get(KLARNA) for _ in range(3))

    assert [first.status, second.status, third.status] == [429, 429, 200]
    assert "Retry-After" not in first.headers
    assert second.headers["Retry-After"] == "3"


def test_a_revoked_token_is_of_no_use_and_a_new_one_is(serve) -> None:
    asker = serve_with(serve, "revoke:#2")
    statuses = [asker.get(KLARNA).status for _ in range(3)]
    asker.log_in()

    assert statuses == [200, 401, 401]
    assert asker.get(KLARNA).status == 200


def test_a_short_token_does_not_say_so(serve) -> None:
    now = [0.0]
    asker = serve(World.generate(3), faults=Faults.parse("short-token:5"), clock=lambda: now[0])

    assert asker.log_in().json["expires_in"] == 7200
    now[0] = 5.0
    assert asker.get(KLARNA).code == "INVALID_TOKEN"


@pytest.mark.parametrize(("kind", "status"), [("token-5xx", 503), ("token-html", 200)])
def test_the_token_endpoint_fails_too(serve, kind, status) -> None:
    asker = serve(faults=Faults.parse(f"{kind}:#1"))
    answer = asker.send("POST", "/oauth/token", b"{}", {})

    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert asker.log_in().status == 200


def test_rows_come_and_go_and_change_during_a_walk(serve) -> None:
    asker = serve_with(serve, "delete:#2", "insert:#3", "update:#4", "insert-old:#5")
    world = asker.server.world
    before = world.payment_ids()
    totals = {row["id"]: row["total_amount_cents"] for row in (world.orders.row(n) for n in range(1, 25))}
    counts = [asker.get(KLARNA).json["meta"]["record_count"] for _ in range(5)]
    after = world.payment_ids()

    assert counts == [30, 29, 30, 30, 31]
    assert len(set(before) - set(after)) == 1
    assert [sequence for sequence in world.payments.alive().tolist() if sequence > 30] == [31, 32]
    changed = [id_ for id_, cents in totals.items() if world.orders.find(id_)["total_amount_cents"] != cents]  # type: ignore[index]
    assert len(changed) == 1
    newest = max(world.payments.row(sequence)["created_at"] for sequence in range(1, 31))
    assert world.payments.row(31)["created_at"] > newest
    assert world.payments.row(32)["created_at"] < newest


def test_a_dropped_row_is_missing_once_or_always(serve) -> None:
    asker = serve_with(serve, "drop-row:#1", payments=10)
    assert [len(asker.get(KLARNA).ids) for _ in range(2)] == [9, 10]

    gone = asker.server.world.payment_ids()[3]
    asker = serve_with(serve, f"drop-row:{gone}", payments=10)
    pages = [asker.get(KLARNA) for _ in range(2)]
    assert all(gone not in page.ids and len(page.ids) == 9 for page in pages)
    assert pages[0].json["meta"]["record_count"] == 10


def test_a_row_of_the_other_mode(serve) -> None:
    asker = serve_with(serve, "wrong-mode:#1")
    modes = [[row["meta"]["mode"] for row in asker.get(KLARNA).json["data"]] for _ in range(2)]

    assert modes == [["test"] + ["live"] * 9, ["live"] * 10]


def test_a_wrong_count(serve) -> None:
    asker = serve_with(serve, "wrong-count:#1", "wrong-count:#2:-5")

    assert [asker.get(KLARNA).json["meta"]["record_count"] for _ in range(3)] == [31, 25, 30]


@pytest.mark.parametrize(("value", "count"), [("-1", -1), ("1000000000000000000", 10**18), ("none", None)])
def test_a_count_that_cannot_be(serve, value: str, count: int | None) -> None:
    asker = serve_with(serve, f"absurd-count:#1:{value}")

    assert [asker.get(KLARNA).json["meta"].get("record_count") for _ in range(2)] == [count, 30]


@pytest.mark.parametrize(("value", "id_"), [("empty", ""), ("control", "XAy\x1b[2JNUzyN"), ("slash", "../orders/XAy")])
def test_an_id_that_cannot_be_one(serve, value: str, id_: str) -> None:
    asker = serve_with(serve, f"odd-id:#1:{value}")
    odd, good = asker.get(KLARNA).ids, asker.get(KLARNA).ids

    assert odd[5].startswith(id_)
    assert odd[:5] + odd[6:] == good[:5] + good[6:]


def test_a_walk_that_is_led_round_in_circles(serve) -> None:
    asker = serve_with(serve, "circle")
    asker.get(KLARNA)
    first = asker.get(KLARNA, {"sort": "id"}).ids
    behind = {"sort": "id", "filter[q][id_gt]": first[-1]}
    second, third, fourth = (asker.get(KLARNA, behind).ids for _ in range(3))

    assert first == third
    assert second == fourth != first


def test_a_walk_that_begins_anew_all_the_time(serve) -> None:
    asker = serve_with(serve, "first-page")
    first = asker.get(KLARNA, {"sort": "id"}).ids

    assert asker.get(KLARNA, {"sort": "id", "filter[q][id_gt]": first[-1]}).ids == first


@pytest.mark.parametrize(("value", "seconds"), [("3600", 3600), ("-86400", -86400)])
def test_a_clock_that_is_wrong(serve, value: str, seconds: int) -> None:
    asker = serve_with(serve, f"date:#1:{value}")
    wrong, right = (parsedate_to_datetime(asker.get(KLARNA).headers["Date"]) for _ in range(2))

    assert (wrong - right).total_seconds() == pytest.approx(seconds, abs=60)


def test_a_clock_that_cannot_be_read(serve) -> None:
    asker = serve_with(serve, "date:#1:odd", "date:#2:none")

    assert asker.get(KLARNA).headers["Date"] == "yesterday, about noon"
    assert "Date" not in asker.get(KLARNA).headers


def test_bodies_of_any_size(serve) -> None:
    asker = serve_with(serve, "huge:#1:2", "huge-packed:#2:2", "huge-error:#3:1")
    plain, packed, error = (asker.get(KLARNA) for _ in range(3))

    assert len(plain.body) > 2 * 1024 * 1024
    assert len(gzip.decompress(packed.body)) == len(plain.body)
    assert len(packed.body) < 20_000
    assert plain.ids == asker.get(KLARNA).ids
    assert (error.status, len(error.body) > 1024 * 1024) == (503, True)


@pytest.mark.parametrize(("value", "sent"), [("utf8", b'"\xffpay_'), ("surrogate", b'"\\ud83dpay_')])
def test_text_that_is_not_unicode(serve, value: str, sent: bytes) -> None:
    asker = serve_with(serve, f"garbled:#1:{value}")

    assert sent in asker.get(KLARNA).body
    assert sent not in asker.get(KLARNA).body


def test_a_token_with_a_line_break(serve) -> None:
    asker = serve(World.generate(30), faults=Faults.parse("token-odd:#1"))

    assert "\r\n" in asker.log_in().json["access_token"]
    assert "\r\n" not in asker.log_in().json["access_token"]


def test_latency_is_drawn_from_its_range(serve, monkeypatch) -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("reconcile.sandbox.api.sending.pause", note)
    asker = serve_with(serve, "latency:20-75")
    for _ in range(20):
        asker.get(KLARNA)

    assert len(set(waits)) == 20
    assert 0.020 <= min(waits) < max(waits) < 0.075


def test_faults_are_noted_on_the_request_they_hit(serve) -> None:
    asker = serve_with(serve, "5xx:#1", "delete:#1")
    asker.get(KLARNA)
    asker.get(KLARNA)

    assert [record.faults for record in asker.server.requests] == [[], ["5xx"], ["delete"]]
