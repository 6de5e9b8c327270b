"""The storage of exports: another origin, URLs that expire, and what an object store says of everything else."""

from __future__ import annotations

import gzip
import http.client
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from asking import Asker, fetch

from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.exports.exports import ExportRules


@pytest.fixture
def stored(serve, clock):
    """Return a function that serves a world with one completed export and gives an Asker and the export's id."""

    def start(*faults: str, rules: ExportRules | None = None, **options: Any) -> tuple[Asker, str]:
        times = {"clock": clock, "wall_clock": clock.wall}
        asker = serve(None, faults=Faults.parse(faults), exports=rules or ExportRules(), **times, **options)
        id_ = asker.export().json["data"]["id"]
        clock.seconds += 10.0
        return asker, id_

    return start


def url_of(asker: Asker, id_: str) -> str:
    return asker.exported(id_)["attachment_url"]


def test_a_file_comes_gzipped_from_another_origin_without_a_token(stored) -> None:
    asker, id_ = stored()
    url = url_of(asker, id_)
    answer = fetch(url)

    assert urlsplit(url).netloc != urlsplit(asker.server.url).netloc
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["300"]
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/gzip"
    assert "Content-Encoding" not in answer.headers
    assert gzip.decompress(answer.body).startswith(b'[{"id":')
    assert [record.authorized for record in asker.server.storage_requests] == [False]


def test_each_look_gives_another_url_and_all_of_them_work(stored) -> None:
    asker, id_ = stored()
    listed = asker.get("/exports").json["data"][0]["attributes"]["attachment_url"]
    urls = {url_of(asker, id_), url_of(asker, id_), listed}

    assert len(urls) == 3
    assert {fetch(url).status for url in urls} == {200}


def test_a_url_expires_after_five_minutes_and_a_new_look_gives_a_good_one(stored, clock) -> None:
    asker, id_ = stored()
    url = url_of(asker, id_)
    clock.seconds += 299.0
    in_time = fetch(url)
    clock.seconds += 1.0
    late = fetch(url)

    assert (in_time.status, late.status) == (200, 403)
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in late.body
    assert late.headers["Content-Type"].startswith("application/xml")
    assert fetch(url_of(asker, id_)).status == 200


def test_urls_expire_sooner_where_time_is_scaled(stored, clock) -> None:
    asker, id_ = stored(rules=ExportRules(time_scale=10))
    url = url_of(asker, id_)
    clock.seconds += 30.0

    assert fetch(url).status == 403


def test_a_token_beside_the_signature_is_refused_and_recorded(stored) -> None:
    asker, id_ = stored()
    answer = fetch(url_of(asker, id_), Authorization=f"Bearer {asker.token}")

    assert answer.status == 400
    assert b"<Code>InvalidArgument</Code><Message>Only one auth mechanism allowed" in answer.body
    assert [record.authorized for record in asker.server.storage_requests] == [True]


@pytest.mark.parametrize(
    ("method", "forge", "code"),
    [
        ("GET", lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"), b"SignatureDoesNotMatch"),
        ("GET", lambda url: url.replace("klarna_payments.json", "orders.json"), b"SignatureDoesNotMatch"),
        ("GET", lambda url: url.partition("?")[0], b"AccessDenied"),
        ("PUT", lambda url: url, b"SignatureDoesNotMatch"),
    ],
)
def test_a_forged_url_is_a_403(stored, method, forge, code) -> None:
    asker, id_ = stored()
    answer = fetch(forge(url_of(asker, id_)), method)

    assert answer.status == 403
    assert b"<Code>" + code + b"</Code>" in answer.body


def test_a_url_is_read_as_it_means_not_as_it_is_spelt(stored) -> None:
    asker, id_ = stored()
    url = url_of(asker, id_)

    assert "%2F" in url
    assert fetch(url.replace("%2F", "/")).status == 200


def test_a_download_goes_on_where_it_broke_off(stored) -> None:
    asker, id_ = stored()
    url = url_of(asker, id_)
    whole = fetch(url)
    rest = fetch(url, Range="bytes=100-", If_Match=whole.headers["ETag"])
    part = fetch(url, Range="bytes=0-99")

    assert (rest.status, part.status) == (206, 206)
    assert part.body + rest.body == whole.body
    assert rest.headers["Content-Range"] == f"bytes 100-{len(whole.body) - 1}/{len(whole.body)}"


@pytest.mark.parametrize("unreadable", ["bytes=5-1", "bytes=-5", "bytes=0-0,2-3", "lines=1-"])
def test_a_range_that_cannot_be_read_is_ignored(stored, unreadable) -> None:
    asker, id_ = stored()
    url = url_of(asker, id_)
    answer = fetch(url, Range=unreadable)

    assert (answer.status, answer.body) == (200, fetch(url).body)


def test_a_range_behind_the_end_and_a_file_that_is_another_are_refused(stored) -> None:
    asker, id_ = stored()
    url = url_of(asker, id_)
    size = len(fetch(url).body)
    behind = fetch(url, Range=f"bytes={size}-")

    assert (behind.status, behind.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert fetch(url, Range="bytes=1-", If_Match='"other"').status == 412


def test_the_file_of_a_deleted_export_is_gone(stored) -> None:
    asker, id_ = stored()
    url = url_of(asker, id_)
    asker.delete(f"/exports/{id_}")
    answer = fetch(url)

    assert answer.status == 404
    assert b"<Code>NoSuchKey</Code>" in answer.body


def test_the_storage_has_no_rate_limit_and_none_of_its_headers(stored) -> None:
    asker, id_ = stored(limits=None)
    url = url_of(asker, id_)
    answers = [fetch(url) for _ in range(60)]

    assert {answer.status for answer in answers} == {200}
    assert "X-Ratelimit-Limit" not in answers[0].headers


@pytest.mark.parametrize(("kind", "status"), [("storage-5xx", 503), ("storage-expired", 403)])
def test_a_fault_of_the_storage_hits_the_request_with_its_number(stored, kind, status) -> None:
    asker, id_ = stored(f"{kind}:#2")
    url = url_of(asker, id_)

    assert [fetch(url).status for _ in range(3)] == [200, status, 200]
    assert [record.faults for record in asker.server.storage_requests] == [[], [kind], []]


def test_a_stalled_download_never_ends(stored) -> None:
    asker, id_ = stored("storage-stall:#1")
    url = url_of(asker, id_)
    with pytest.raises(TimeoutError):
        fetch(url, timeout_seconds=0.1)

    assert fetch(url).status == 200


def test_a_reset_and_a_cut_end_a_download_half_way(stored) -> None:
    asker, id_ = stored("storage-reset-body:#1", "storage-truncate:#2")
    url = url_of(asker, id_)
    with pytest.raises(ConnectionResetError):
        fetch(url)
    with pytest.raises(http.client.IncompleteRead) as caught:
        fetch(url)

    assert len(caught.value.partial) > 100
    assert fetch(url).status == 200
    assert [record.status for record in asker.server.storage_requests] == [0, 0, 200]
