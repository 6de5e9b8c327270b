"""Order files from elsewhere: fetched whole or not at all, up to a size, and without a secret in any word."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from order_stores import Answer, Handler, Store, serving

import reconcile
from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.places import web
from reconcile.settings.settings import Settings

TABLE = b"reference,amount,currency\nR1,1.00,EUR\nR2,2.00,EUR\n"
ROWS = [("R1", 100), ("R2", 200)]
UNSAFE = "the server redirects to an address that is not safe, or more than 5 times"
SECRETS = ("s3cret", "sig=", "AKIAEXAMPLE", "klaus")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(web, "PAUSES_SECONDS", (0.0, 0.0, 0.0))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as served:
        yield served


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which temporary files are made."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def refused(read: Any, *paths: str, **declared: Any) -> OrderFileError:
    with pytest.raises(OrderFileError) as caught:
        read.paths(list(paths), **declared)
    assert caught.value.hint
    assert not any(secret in caught.value.explained() + repr(caught.value) for secret in SECRETS)
    return caught.value


def in_turn(*answers: Answer | bytes) -> Answer:
    """Answer with each of `answers`, the last one from then on."""
    waiting = list(answers)

    def answer(handler: Handler) -> None:
        one = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        handler.send(200, one) if isinstance(one, bytes) else one(handler)

    return answer


def status(code: int, **headers: str) -> Answer:
    return lambda handler: handler.send(code, b"<html>s3cret</html>", **headers)


def cut_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(TABLE)))
    handler.end_headers()
    handler.wfile.write(TABLE[:-12])
    handler.close_connection = True


def in_chunks(content: bytes, *, ends: bool) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(content), content) + (b"0\r\n\r\n" if ends else b""))
        handler.close_connection = True

    return answer


def without_length(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(TABLE)
    handler.close_connection = True


def test_a_file_of_a_web_server_is_read_like_a_local_one(read: Any, store: Store, spool: Path) -> None:
    store.files["/day/My orders.csv"] = TABLE

    outcome = read.paths(store.url("/day/My orders.csv?sig=s3cret&x=ä#part"))

    assert outcome.columns("reference", "amount_cents") == ROWS
    assert set(outcome.columns("source_file")) == {(store.url("/day/My orders.csv"),)}
    [file] = outcome.report.files
    assert (file.path, file.bytes, file.sha256) == (
        store.url("/day/My orders.csv"),
        len(TABLE),
        hashlib.sha256(TABLE).hexdigest(),
    )
    assert store.paths == ["/day/My%20orders.csv?sig=s3cret&x=%C3%A4"]
    assert store.asked[0][1]["Accept-Encoding"] == "identity"
    assert list(spool.iterdir()) == []


def test_the_library_takes_an_address_as_a_path(store: Store) -> None:
    store.files["/orders.csv"] = TABLE

    assert reconcile.read_orders(store.url("/orders.csv"))["reference"].tolist() == ["R1", "R2"]


def test_local_files_and_addresses_mix_in_the_order_given(read: Any, store: Store, tmp_path: Path) -> None:
    store.files["/a.csv"] = TABLE
    (tmp_path / "b.csv").write_bytes(TABLE.replace(b"\nR", b"\nL"))

    outcome = read.paths([tmp_path / "b.csv", store.url("/a.csv")])

    assert outcome.columns("reference") == [("L1",), ("L2",), ("R1",), ("R2",)]


def test_user_and_password_go_to_their_own_server_only(read: Any, store: Store) -> None:
    store.files["/a.csv"] = status(302, Location="/b.csv")
    store.files["/b.csv"] = lambda handler: handler.send(
        307, Location=f"http://localhost:{store.port}/c.csv", Content_Type="text/plain"
    )
    store.files["/c.csv"] = TABLE

    outcome = read.paths(store.url("/a.csv", user="klaus:s3cret%2F@"))

    assert outcome.columns("reference", "amount_cents") == ROWS
    assert set(outcome.columns("source_file")) == {(store.url("/a.csv"),)}
    basic = "Basic a2xhdXM6czNjcmV0Lw=="
    assert [headers.get("Authorization") for _, headers in store.asked] == [basic, basic, None]


@pytest.mark.parametrize(
    "location", ["http://example.com/a.csv", "ftp://127.0.0.1/a.csv", "file:///etc/passwd", "http://klaus:s3cret@127.0.0.1/"]
)  # fmt: skip
def test_a_redirect_to_what_is_not_safe_is_not_followed(read: Any, store: Store, location: str) -> None:
    store.files["/a.csv"] = status(302, Location=location)

    assert UNSAFE in refused(read, store.url("/a.csv")).message
    assert store.paths == ["/a.csv"]


def test_redirects_without_end_are_not_followed(read: Any, store: Store) -> None:
    for at in range(9):
        store.files[f"/{at}.csv"] = status(302, Location=f"/{at + 1}.csv")

    assert UNSAFE in refused(read, store.url("/0.csv")).message
    assert len(store.paths) == 6


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (401, "the server asks for a user and a password (status 401)"),
        (403, "the server denies access (status 403)"),
        (404, "there is no such file on the server (status 404)"),
        (410, "the file is gone from the server (status 410)"),
        (418, "the server refuses (status 418)"),
        (206, "the server refuses (status 206)"),
        (500, "the file cannot be fetched: the server answers with status 500, 4 times"),
        (429, "the file cannot be fetched: the server answers with status 429, 4 times"),
    ],
)
def test_a_refusal_is_told_in_words(read: Any, store: Store, code: int, words: str) -> None:
    store.files["/a.csv"] = status(code)

    error = refused(read, store.url("/a.csv?sig=s3cret", user="klaus:s3cret@"))

    assert error.message == f"{store.url('/a.csv')}: {words}"
    assert len(store.paths) == (4 if "4 times" in words else 1)


@pytest.mark.parametrize("failure", [status(503), cut_off, in_chunks(TABLE[:-12], ends=False)])
def test_what_passes_is_tried_again_from_the_start(read: Any, store: Store, failure: Answer) -> None:
    store.files["/a.csv"] = in_turn(failure, failure, failure, TABLE)

    assert read.paths(store.url("/a.csv")).columns("reference", "amount_cents") == ROWS
    assert len(store.paths) == 4


@pytest.mark.parametrize("failure", [cut_off, in_chunks(TABLE[:-12], ends=False)])
def test_a_file_that_breaks_off_is_never_a_shorter_table(read: Any, store: Store, spool: Path, failure: Answer) -> None:
    store.files["/a.csv"] = failure

    assert "the connection was interrupted, 4 times" in refused(read, store.url("/a.csv")).message
    assert list(spool.iterdir()) == []


def test_a_file_without_an_end_that_can_be_proved_is_refused(read: Any, store: Store) -> None:
    store.files["/a.csv"] = without_length
    store.files["/b.csv"] = in_chunks(TABLE, ends=True)

    assert "the server does not report how long the file is" in refused(read, store.url("/a.csv")).message
    assert read.paths(store.url("/b.csv")).columns("reference", "amount_cents") == ROWS


def test_a_server_that_is_not_there_is_told_after_every_attempt(read: Any, store: Store) -> None:
    port = store.port
    with serving() as other:
        gone = other.port
    assert gone != port

    error = refused(read, f"http://127.0.0.1:{gone}/a.csv")

    assert error.message.endswith("the file cannot be fetched: no connection (Connection refused), 4 times")


def test_a_server_that_does_not_speak_tls_is_told_at_once(read: Any, store: Store) -> None:
    error = refused(read, f"https://127.0.0.1:{store.port}/a.csv")

    assert error.message.endswith("the server's certificate or TLS is not accepted")


@pytest.mark.parametrize("answer", [TABLE, in_chunks(TABLE, ends=True)])
def test_a_file_is_fetched_up_to_the_limit(read: Any, store: Store, spool: Path, answer: bytes | Answer) -> None:
    store.files["/a.csv"] = answer

    error = refused(read, store.url("/a.csv"), download_limit=f"{len(TABLE) - 1} B")

    assert error.message.endswith(f"the file is larger than {len(TABLE) - 1} bytes")
    assert "--download-limit" in str(error.hint)
    assert list(spool.iterdir()) == []
    assert read.paths(store.url("/a.csv"), download_limit=f"{len(TABLE)}b").columns("reference", "amount_cents") == ROWS


def test_a_file_that_is_announced_as_too_large_is_not_fetched(read: Any, store: Store) -> None:
    store.files["/a.csv"] = cut_off

    assert "the file is larger than" in refused(read, store.url("/a.csv"), download_limit=f"{len(TABLE) - 1}B").message
    assert len(store.paths) == 1


@pytest.mark.parametrize("limit", ["", "4", "GB", "-1GB", "0GB", "1.5GB", "4 giga"])
def test_a_limit_that_is_no_size_is_refused(read: Any, limit: str) -> None:
    with pytest.raises(SettingsError, match="is not a size"):
        read(TABLE, download_limit=limit)


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"reference": ["R1", "R2"], "amount_cents": [100, 200], "currency": ["EUR"] * 2}), sink)
    return sink.getvalue()


def zipped(name: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(name, TABLE)
    return sink.getvalue()


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


ARRAY = json.dumps([{"reference": f"R{at}", "total": f"{at}.00", "currency": "EUR"} for at in (1, 2)]).encode()
LINES = b"".join(line + b"}\n" for line in ARRAY.strip(b"[]}").split(b"}, "))

CONTENTS = {
    "csv": (TABLE, "csv", None),
    "csv with a mark": (b"\xef\xbb\xbf" + TABLE, "csv", None),
    "csv in UTF-16": (TABLE.decode().encode("utf-16"), "csv", None),
    "csv with brackets": (b"[No],[Sum]\n" + TABLE.replace(b"reference,amount,currency\n", b""), None, None),
    "array": (ARRAY, "json", None),
    "array with a mark": (b"\xef\xbb\xbf\n " + ARRAY, "json", None),
    "array in UTF-16": (ARRAY.decode().encode("utf-16"), "json", None),
    "objects": (LINES, "json", None),
    "parquet": (parquet(), "parquet", None),
    "csv.gz": (gzip.compress(TABLE), "csv", "gz"),
    "json.gz": (gzip.compress(ARRAY), "json", "gz"),
    "ndjson.zst": (zstd(LINES), "json", "zst"),
    "zip": (zipped("orders.csv"), "csv", "zip"),
}


@pytest.mark.parametrize(("content", "kind", "compression"), CONTENTS.values(), ids=CONTENTS.keys())
@pytest.mark.parametrize("where", ["web", "stdin"])
def test_the_first_bytes_say_what_no_name_says(
    read: Any, store: Store, piped: Callable[[bytes], None], content: bytes, kind: str, compression: str, where: str
) -> None:
    store.files["/export.php"] = content
    piped(content)
    word = store.url("/export.php?id=7") if where == "web" else "-"
    if kind is None:
        assert ":1: there is no " in refused(read, word).message
        return

    outcome = read.paths(word)

    assert outcome.columns("reference", "amount_cents") == ROWS
    assert [(file.format, file.compression) for file in outcome.report.files] == [(kind, compression)]


@pytest.mark.parametrize(
    ("path", "content", "compression"),
    [("/a.csv", gzip.compress(TABLE, mtime=0), "gz"), ("/a.csv.gz", TABLE, None), ("/a.csv", zipped("b.csv"), "zip")],
    ids=["packed", "unpacked", "zipped"],
)
def test_a_server_may_pack_or_unpack_on_the_way(
    read: Any, store: Store, path: str, content: bytes, compression: str | None
) -> None:
    store.files[path] = content

    outcome = read.paths(store.url(path))

    assert outcome.columns("reference", "amount_cents") == ROWS
    assert outcome.report.files[0].compression == compression


def test_a_packing_that_is_not_read_is_refused(read: Any, store: Store) -> None:
    store.files["/a.csv"] = lambda handler: handler.send(200, TABLE, Content_Encoding="br")

    assert "compresses the file in a way that was not requested" in refused(read, store.url("/a.csv")).message


def test_a_web_page_in_place_of_a_file_is_told(read: Any, store: Store) -> None:
    store.files["/export"] = b"\n <!DOCTYPE html><title>Log in</title>"

    assert "this is a web page, not a file of order totals" in refused(read, store.url("/export")).message


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("http://example.com/a.csv?sig=s3cret", "http://example.com/a.csv: http:// is not safe for order totals"),
        ("ftp://klaus:s3cret@h/a.csv", 'ftp://h/a.csv: addresses that begin with "ftp://" are not read'),
        ("file://h/a.csv", 'file://h/a.csv: addresses that begin with "file://" are not read'),
        ("https:///a.csv?sig=1", "https:///a.csv: this is not a usable address"),
        ("https://klaus:s3cret@h:port/a.csv", "https://h:port/a.csv: this is not a usable address"),
        ("https://[::1/a.csv?sig=1", "https://[::1/a.csv: this is not a usable address"),
        ("https://klaus:s3/cr?t#s3cret@h/a.csv?sig=1", "https://h/a.csv: this is not a usable address"),
        ("https://h/a\n.csv", "https://h/a\\n.csv: this is not a usable address"),
        ("s3://klaus:s3cret@b/a.csv?sig=1", 's3://b/a.csv: "sig" after "?" means nothing here'),
        ("s3://b/a.csv?endpoint_override=h&scheme=http", "s3://b/a.csv: only https is safe for order totals"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_before_anything_is_sent(read: Any, word: str, words: str) -> None:
    assert refused(read, word).message == words


def test_addresses_that_cannot_be_told_apart_are_given_twice(read: Any, store: Store) -> None:
    error = refused(read, store.url("/a.csv?day=1"), store.url("/a.csv?day=2"))

    assert error.message == f"{store.url('/a.csv')}: the file is given twice"
    assert 'addresses that differ only after "?" cannot be distinguished' in str(error.hint)
    assert store.paths == []


def test_secrets_of_addresses_are_not_among_the_settings_of_a_manifest() -> None:
    words = ("https://klaus:s3cret@h:1/a.csv?sig=1#x", "s3://AKIAEXAMPLE:s3cret@b/k#1.csv?region=r", "a?.csv", "-")

    assert Settings.of(orders=words).public()["orders"]["files"] == [
        "https://h:1/a.csv",
        "s3://b/k#1.csv",
        "a?.csv",
        "-",
    ]


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Return `piped(content)`: what comes on standard input from now on."""

    def pipe(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))

    return pipe


def test_standard_input_is_called_by_its_sign(read: Any, piped: Any, spool: Path) -> None:
    piped(TABLE)

    outcome = read.paths("-")

    assert outcome.columns("reference", "source_file", "source_line") == [("R1", "-", 2), ("R2", "-", 3)]
    assert outcome.report.files[0].sha256 == hashlib.sha256(TABLE).hexdigest()
    assert list(spool.iterdir()) == []


def test_standard_input_is_there_once_and_up_to_the_limit(read: Any, piped: Any) -> None:
    piped(TABLE)

    assert refused(read, "-", "-").message == "-: the file is given twice"
    assert refused(read, "-", download_limit="10B").message == "-: the file is larger than 10 bytes"
    piped(b"")
    assert refused(read, "-").message == "-: there is nothing in the file"


def test_a_terminal_is_not_waited_for(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stdin in (Terminal(), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        assert refused(read, "-").message == "-: nothing is piped into standard input"


@pytest.fixture
def bucket(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Return `bucket(scheme, key)`: the address of a key in the bucket "books" of either store."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def address(scheme: str, key: str) -> str:
        user = "AKIAEXAMPLE:s3cret@" if scheme == "s3" else ""
        sign = "" if scheme == "s3" else "&anonymous=true"
        return f"{scheme}://{user}books/{key}?endpoint_override=127.0.0.1:{store.port}&scheme=http{sign}"

    return address


SCHEMES = pytest.mark.parametrize("scheme", ["s3", "gs"])


@SCHEMES
def test_an_object_of_a_bucket_is_read_like_a_local_file(
    read: Any, store: Store, bucket: Callable[[str, str], str], spool: Path, scheme: str
) -> None:
    store.files["/books/day 1/orders.csv.gz"] = gzip.compress(TABLE)

    outcome = read.paths(bucket(scheme, "day 1/orders.csv.gz"))

    assert outcome.columns("reference", "amount_cents") == ROWS
    assert set(outcome.columns("source_file")) == {(f"{scheme}://books/day 1/orders.csv.gz",)}
    assert list(spool.iterdir()) == []


@SCHEMES
def test_a_pattern_means_the_objects_that_match_it(
    read: Any, store: Store, bucket: Callable[[str, str], str], scheme: str
) -> None:
    for key in ("b.csv", "a.csv", "a.txt", "more/c.csv", "more/.d.csv"):
        store.files[f"/books/in/{key}"] = TABLE.replace(b"R", key.encode()[-5:-4])

    def files(pattern: str) -> list[str]:
        return [
            file.path.removeprefix(f"{scheme}://books/in/") for file in read.paths(bucket(scheme, pattern)).report.files
        ]

    assert files("in/*.csv") == ["a.csv", "b.csv"]
    assert files("in/**/*.csv") == ["a.csv", "b.csv", "more/c.csv"]
    assert files("*/more/[a-d].csv") == ["more/c.csv"]
    assert refused(read, bucket(scheme, "in/*.tsv")).message.endswith("no object matches this pattern")


@SCHEMES
def test_a_folder_of_a_bucket_is_one_partitioned_table(
    read: Any, store: Store, bucket: Callable[[str, str], str], scheme: str
) -> None:
    for currency, name in (("SEK", "part-0.parquet"), ("EUR", "part-0.parquet"), ("EUR", "_SUCCESS")):
        sink = io.BytesIO()
        pq.write_table(pa.table({"reference": [currency], "amount_cents": [1]}), sink)
        store.files[f"/books/t/currency={currency}/{name}"] = sink.getvalue()

    outcome = read.paths(bucket(scheme, "t/"))

    assert outcome.columns("reference", "currency_code", "source_file") == [
        ("EUR", "EUR", f"{scheme}://books/t/currency=EUR/part-0.parquet"),
        ("SEK", "SEK", f"{scheme}://books/t/currency=SEK/part-0.parquet"),
    ]


@SCHEMES
def test_what_a_store_refuses_is_told_in_words(
    read: Any, store: Store, bucket: Callable[[str, str], str], scheme: str
) -> None:
    store.files["/books/denied.csv"] = status(403)
    store.files["/books/large.csv"] = TABLE

    assert refused(read, bucket(scheme, "none.csv")).message == (
        f"{scheme}://books/none.csv: there is no such object in the bucket"
    )
    assert refused(read, bucket(scheme, "denied.csv")).message == f"{scheme}://books/denied.csv: access is denied"
    assert refused(read, bucket(scheme, "large.csv"), download_limit="40B").message == (
        f"{scheme}://books/large.csv: the file is larger than 40 bytes"
    )


@pytest.mark.slow  # the stores' clients wait before they ask again
def test_a_store_that_is_not_there_is_told(read: Any, store: Store) -> None:
    with serving() as other:
        gone = other.port

    error = refused(read, f"s3://AKIAEXAMPLE:s3cret@books/a.csv?endpoint_override=127.0.0.1:{gone}&scheme=http")

    assert error.message == "s3://books/a.csv: the store cannot be reached"


def test_an_endpoint_and_credentials_come_from_the_environment(
    read: Any, store: Store, bucket: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{store.port}/")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    store.files["/books/a.csv"] = TABLE

    assert read.paths("s3://books/a.csv").columns("reference", "amount_cents") == ROWS
    assert "AKIAEXAMPLE/" in store.asked[0][1]["authorization"]
    assert "/eu-north-1/s3/" in store.asked[0][1]["authorization"]
