"""No answer is read without end: what is too large is told, in memory that does not grow with it."""

from __future__ import annotations

import gzip
import resource
from pathlib import Path

import pytest
from dying import exists

from reconcile.commercelayer.sending.bodies import Body, NotPacked, TooLarge
from reconcile.errors import Unreachable

MEGABYTE = 1024 * 1024


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("fault", ["huge:#1:100", "huge:#3:100", "huge-packed:#2:3000", "huge-packed:#4+:3000"])
async def test_an_answer_that_is_too_large_is_an_error_soon(serve, pull, tmp_path: Path, fault: str) -> None:
    before = peak_bytes()

    with pytest.raises(Unreachable, match=r"an answer of more than 64 MB") as caught:
        await pull(serve(None, fault), mirror=tmp_path / "mirror")

    assert caught.value.attempts == 1
    assert peak_bytes() - before < 400 * MEGABYTE
    assert not exists(tmp_path / "payments.parquet")


async def test_a_token_that_is_too_large_is_an_error(serve, pull) -> None:
    with pytest.raises(Unreachable, match=r"POST oauth/token: 1 attempt; .*an answer of more than 1 MB"):
        await pull(serve(None, "token-huge:#1+:2"))


async def test_of_an_error_only_the_beginning_is_read(serve, pull) -> None:
    before = peak_bytes()

    report = await pull(serve(None, "huge-error:#2:500"))

    assert (report.payments, report.retries) == (60, 1)
    assert peak_bytes() - before < 100 * MEGABYTE


async def test_an_answer_that_is_packed_is_unpacked(serve, pull) -> None:
    report = await pull(serve(None, "huge-packed:#1+:1"))

    assert (report.payments, report.retries) == (60, 0)


def fed(content: bytes, *, encoding: str = "gzip", most_bytes: int = 100, pieces: int = 7) -> bytes:
    body = Body(encoding, most_bytes=most_bytes)
    for start in range(0, len(content), pieces):
        body.add(content[start : start + pieces])
    return body.whole()


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_body_is_kept_up_to_its_size(size: int) -> None:
    assert fed(gzip.compress(b"x" * size)) == fed(b"x" * size, encoding="") == b"x" * size


@pytest.mark.parametrize("size", [101, 10**6])
def test_a_body_beyond_its_size_is_not(size: int) -> None:
    with pytest.raises(TooLarge):
        fed(gzip.compress(b"x" * size))
    with pytest.raises(TooLarge):
        fed(b"x" * size, encoding="identity")


def test_a_body_may_have_several_members() -> None:
    assert fed(gzip.compress(b"one ") + gzip.compress(b"two")) == b"one two"


@pytest.mark.parametrize(
    ("content", "encoding"), [(b"plain", "gzip"), (gzip.compress(b"x" * 50, mtime=0)[:-9], "gzip"), (b"x", "br")]
)
def test_a_body_that_is_not_what_its_header_says_is_told(content: bytes, encoding: str) -> None:
    with pytest.raises(NotPacked):
        fed(content, encoding=encoding)
