"""What the API says of exports, read without a network; and how a broken download goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.commercelayer.document import decode_document, decode_error
from reconcile.commercelayer.exports.documents import (
    BrokenExport,
    Export,
    ExportVerdict,
    exports_in,
    pause_seconds,
    payments_export,
    verdict_on,
)
from reconcile.commercelayer.exports.download import DeadLink, Download, usable_link
from reconcile.commercelayer.query import Window
from reconcile.commercelayer.relations import Wanted
from reconcile.commercelayer.sending.retry import Failure, refusal

DATE = "Sat, 01 Nov 2025 12:00:00 GMT"


def refused(status: int, body: bytes) -> ExportVerdict:
    problem = decode_error(status, body)
    return verdict_on(
        refusal(
            problem.message,
            status=status,
            code=problem.code,
            api_url="",
            reason=problem.reason,
            allowed=problem.allowed,
        )
    )


def of_rule(meta: str) -> ExportVerdict:
    return refused(422, b'{"errors": [{"code": "VALIDATION_ERROR", "meta": %s}]}' % meta.encode())


def test_a_refusal_tells_how_many_records_are_allowed() -> None:
    assert of_rule('{"error": "less_than_or_equal_to", "value": 9000, "count": 5000}') == ExportVerdict(
        "too_many", 5000
    )
    assert of_rule('{"error": "greater_than", "value": 0, "count": 0}').kind == "empty"
    assert of_rule('{"error": "inclusion"}').kind == "not_exportable"


@pytest.mark.parametrize(
    "meta", ['{"error": "less_than", "count": 10}', '{"error": "less_than_or_equal_to", "count": 10}', "null", "[1]"]
)
def test_a_refusal_in_unknown_words_may_mean_too_many_at_once(meta: str) -> None:
    assert of_rule(meta).kind == "perhaps_busy"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 415])
def test_any_other_refusal_means_that_nothing_is_exported_here(status: int) -> None:
    assert refused(status, b"<html>no</html>").kind == "not_exportable"


def test_credentials_are_no_field_of_an_export_and_the_scope_only_counts_where_there_is_one() -> None:
    every, scoped = (
        str(payments_export(Window(None, None), Wanted(), with_types=True, narrowed=narrowed, reference="r"))
        for narrowed in (False, True)
    )

    assert "client_token" not in every
    assert "auth_token" not in every
    assert "'order.payment_source.id', " in every
    assert "*" not in every
    assert "jwt_filters" not in every
    assert "'jwt_filters': True" in scoped


def test_an_address_of_a_file_is_shown_by_no_repr() -> None:
    body = b'{"data": {"id": "x", "attributes": {"status": "completed", "attachment_url": "https://s/?secret"}}}'

    (export,) = exports_in(decode_document(body, {}))

    assert export.attachment_url == "https://s/?secret"
    assert "secret" not in repr(export)
    assert "secret" not in str([export])


def test_an_answer_of_another_shape_is_no_export() -> None:
    with pytest.raises(BrokenExport):
        exports_in(decode_document(b'{"data": {"id": "x", "attributes": {"records_count": "many"}}}', {}))


@pytest.mark.parametrize(
    ("estimates", "quiet", "seconds"),
    [
        (["2025-11-01T12:00:05.000Z", "2025-11-01T12:00:03.000Z"], 0, 3.0),
        (["2025-11-01T11:00:00.000Z"], 0, 1.0),
        (["2025-11-01T11:00:00.000Z"], 5, 2.25),
        (["2025-11-01T13:00:00.000Z"], 0, 8.0),
        (["soon", None], 0, 1.0),
        ([None], 2, 2.25),
        ([None], 50, 8.0),
        ([], 0, 1.0),
    ],
)
def test_exports_are_asked_after_when_the_first_should_be_done(
    estimates: list[str | None], quiet: int, seconds: float
) -> None:
    exports = [Export("x", "in_progress", estimated_completion_at=estimate) for estimate in estimates]

    assert pause_seconds(exports, DATE, quiet) == seconds


@pytest.mark.parametrize("link", ["https://storage.example/a?b=c", "http://127.0.0.1:9/a?b=c", "http://localhost/a"])
def test_files_are_fetched_over_https_and_from_this_machine(link: str) -> None:
    assert usable_link(link) == link


@pytest.mark.parametrize(
    "link",
    ["http://storage.example/a", "ftp://storage.example/a", "/a", "", "https://", "https://u:p@h/a", "https://[/a"],
)
def test_files_are_fetched_from_nowhere_else_and_the_address_is_not_repeated(link: str) -> None:
    with pytest.raises(BrokenExport) as caught:
        usable_link(link)

    assert caught.value.final
    assert not link or link not in caught.value.what


def test_a_broken_download_goes_on_where_the_storage_has_the_same_file() -> None:
    download = Download()
    assert download.headers() == {}

    download.begins(200, {"ETag": '"a"'})
    download.received = 7
    assert download.headers() == {"Range": "bytes=7-", "If-Match": '"a"'}

    download.begins(206, {"Content-Range": "bytes 7-9/10"})
    assert download.received == 7


@pytest.mark.parametrize("status", [206, 412, 416])
def test_a_file_that_is_another_now_is_fetched_from_its_start(status: int) -> None:
    download = Download(received=7, etag='"a"')

    with pytest.raises(Failure):
        download.begins(status, {"Content-Range": "bytes 0-9/10"})

    assert download.headers() == {}


def test_without_a_strong_tag_a_download_starts_again() -> None:
    for headers in ({}, {"ETag": 'W/"a"'}):
        download = Download()
        download.begins(200, headers)
        download.received = 7

        assert download.headers() == {}


def test_a_whole_file_in_place_of_its_rest_is_taken_from_the_start() -> None:
    download = Download(received=7, etag='"a"')

    download.begins(200, {"ETag": '"b"'})

    assert (download.received, download.etag) == (0, '"b"')


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, DeadLink), (404, DeadLink), (400, DeadLink), (302, BrokenExport), (503, Failure), (429, Failure)],
)
def test_what_storage_says_tells_whether_to_ask_again_or_for_a_fresh_address(
    status: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        Download().begins(status, {})


def test_pieces_of_a_file_land_where_they_belong(tmp_path: Path) -> None:
    destination, download = tmp_path / "file", Download()
    destination.write_bytes(b"of an earlier attempt")

    for piece in (b"abc", b"de"):
        download.keep(piece, destination)
    assert (destination.read_bytes(), download.received) == (b"abcde", 5)

    download.begins(200, {})
    download.keep(b"", destination)
    assert destination.read_bytes() == b""
