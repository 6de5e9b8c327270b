"""What stops a pull at its start: one message each, with the remedy; and secrets that never show."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from reconcile.commercelayer.client import CommerceLayer, Credentials
from reconcile.errors import AuthError, CommerceLayerError, Refused, SettingsError, Unreachable, WrongMode
from reconcile.sandbox.server import SALES_CHANNEL_ID, SALES_CHANNEL_SECRET
from reconcile.sandbox.world.world import World

CANARY = "canary-7f3a9c"


async def test_a_wrong_secret_is_said_and_not_repeated(serve, pull) -> None:
    server = serve()

    with pytest.raises(AuthError, match="invalid_client") as caught:
        await pull(server, client={"credentials": Credentials(server.client_id, CANARY)})

    assert CANARY not in str(caught.value)
    assert "check the client id and secret" in (caught.value.hint or "")
    assert len(server.requests) == 1


async def test_a_sales_channel_cannot_list(serve, pull) -> None:
    with pytest.raises(AuthError, match="UNAUTHORIZED") as caught:
        await pull(serve(), client={"credentials": Credentials(SALES_CHANNEL_ID, SALES_CHANNEL_SECRET)})

    assert "credentials of an integration" in (caught.value.hint or "")


async def test_an_unreachable_host_is_given_up_soon(serve, pull) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unreachable, match="no connection") as caught:
            await pull(serve(), client={"api_url": url, "auth_url": url, "retry_seconds": 100_000})

    assert "check the address" in (caught.value.hint or "")


async def test_a_wrong_path_is_refused_with_the_apis_words(serve, pull) -> None:
    server = serve()

    with pytest.raises(Refused) as caught:
        await pull(server, client={"api_url": f"{server.url}/wrong"})

    assert caught.value.status == 404
    assert "check the organization" in (caught.value.hint or "")


async def test_the_token_of_another_mode_is_refused(serve, pull) -> None:
    server = serve(World.generate(60, mode="test"))

    with pytest.raises(WrongMode, match="mode test, expected live"):
        await pull(server, client={"expected_mode": "live"})
    with pytest.raises(WrongMode, match="mode test, this pull is of mode live"):
        await pull(server, mode="live")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://169.254.169.254",
        "ftp://example.com",
        "example.com",
        "https://user:pass@example.com",
        "https://example.com?x=1",
        "https://",
        "http://[::1",
    ],
)
def test_an_address_that_would_leak_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(SettingsError):
        CommerceLayer(api_url=url, auth_url="https://auth.example.com", credentials=Credentials("id", "secret"))


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://127.0.0.2", "http://[::1]:80", "https://x.example"])
def test_https_and_this_machine_are_accepted(url: str) -> None:
    client = CommerceLayer(api_url=url, auth_url=url, credentials=Credentials("id", "secret"))

    assert client.api_url == f"{url}/api"


async def test_a_redirect_is_not_followed(serve, pull, client_of) -> None:
    """The token would go to whoever is named in it."""
    from aiohttp import web

    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPFound("http://127.0.0.1:1/elsewhere")

    app = web.Application()
    app.router.add_get("/api/klarna_payments", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        with pytest.raises(Refused) as caught:
            await pull(serve(), client={"api_url": f"http://127.0.0.1:{port}"})
    finally:
        await runner.cleanup()

    assert seen == ["/api/klarna_payments"]
    assert "not followed" in (caught.value.hint or "")


@pytest.mark.parametrize("fault", ["", "html", "invalid-json", "5xx", "truncate", "429", "wrong-mode:#3", "token-html"])
async def test_a_canary_appears_nowhere(serve, pull, tmp_path: Path, caplog, fault: str) -> None:
    """Also when a server sends tokens unasked: here it ignores the sparse fields."""
    caplog.set_level(logging.DEBUG)
    secret = f"secret-{CANARY}"
    world = World.generate(60, canary=CANARY)
    server = serve(world, *filter(None, [fault]), client_secret=secret)
    client = {"credentials": Credentials(server.client_id, secret), "retry_seconds": 1.0, "timeout_seconds": 0.1}
    said = repr(client)
    try:
        said += repr(await pull(server, mirror=tmp_path / "mirror", client=client, commit_pages=1))
    except CommerceLayerError as error:
        said += f"{error!r} {error} {error.hint} {error.__cause__!r}"

    assert CANARY not in said
    assert CANARY not in caplog.text
    assert CANARY.encode() not in b"".join(contents(tmp_path))


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
