"""Files of exports over HTTP: what is sent to their storage, and what is made of its answers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from reconcile.commercelayer.client import CommerceLayer, Credentials
from reconcile.commercelayer.exports.documents import BrokenExport
from reconcile.commercelayer.exports.download import DeadLink
from reconcile.errors import OutputError, Unreachable

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def storage_of() -> AsyncIterator[Callable[[Answer], Awaitable[str]]]:
    """Return a function that serves files with `answer` and returns the storage's address."""
    runners: list[web.AppRunner] = []

    async def start(answer: Answer) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[CommerceLayer]:
    credentials = Credentials("id", "secret")
    api = "http://127.0.0.1:9"
    async with CommerceLayer(
        api_url=api, auth_url=api, credentials=credentials, retry_seconds=0.2, first_retry_seconds=0.01
    ) as opened:
        yield opened


async def test_the_address_is_asked_for_as_it_is_signed_and_with_nothing_of_ours(
    storage_of, client: CommerceLayer, tmp_path: Path
) -> None:
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(body=b"whole", headers={"Content-Encoding": "gzip"})

    path = "/a%2Fb%20c?X-Sig=a%2Bb%2F%3D&X-Other=1+2"
    await client.download(await storage_of(answer) + path, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == b"whole"  # as it is, though it says that it is packed
    assert asked[0].raw_path == path
    assert {"Authorization", "Cookie", "Referer", "Range"}.isdisjoint(asked[0].headers)
    assert (client.statistics.downloads, client.statistics.requests.total()) == (1, 0)


async def test_a_redirect_is_not_followed(storage_of, client: CommerceLayer, tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    with pytest.raises(BrokenExport, match="redirects elsewhere"):
        await client.download(await storage_of(answer) + "/file", tmp_path / "file")

    assert asked == ["/file"]


async def test_an_address_that_expired_is_told_apart_from_a_storage_in_trouble(
    storage_of, client: CommerceLayer, tmp_path: Path
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=403 if request.path == "/expired" else 503)

    storage = await storage_of(answer)

    with pytest.raises(DeadLink):
        await client.download(f"{storage}/expired?key=canary", tmp_path / "file")
    with pytest.raises(Unreachable) as caught:
        await client.download(f"{storage}/trouble?key=canary", tmp_path / "file")
    assert "canary" not in caught.value.explained()


async def test_a_file_that_changes_between_two_pieces_is_fetched_from_its_start(
    storage_of, client: CommerceLayer, tmp_path: Path
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "If-Match" in request.headers:
            return web.Response(status=412)
        first = not times
        times.append(1)
        response = web.StreamResponse(headers={"ETag": '"1"' if first else '"2"', "Content-Length": "6"})
        await response.prepare(request)
        await response.write(b"old" if first else b"newest")
        if first:
            assert request.transport is not None
            request.transport.close()
        return response

    times: list[int] = []

    await client.download(await storage_of(answer) + "/file", tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == b"newest"


async def test_an_empty_file_is_a_file(storage_of, client: CommerceLayer, tmp_path: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"")

    await client.download(await storage_of(answer) + "/file", tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == b""


async def test_a_disk_that_takes_nothing_is_told_as_such(storage_of, client: CommerceLayer, tmp_path: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"whole")

    with pytest.raises(OutputError):
        await client.download(await storage_of(answer) + "/file", tmp_path / "missing" / "file")


async def test_a_file_that_does_not_end_is_given_up(
    storage_of, client: CommerceLayer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconcile.commercelayer.exports.download.MOST_FILE_BYTES", 1_000_000)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"x" * 100_000)
        return response

    with pytest.raises(BrokenExport, match="larger than 1 GB"):
        await client.download(await storage_of(answer) + "/file", tmp_path / "file")

    assert (tmp_path / "file").stat().st_size <= 1_000_000
