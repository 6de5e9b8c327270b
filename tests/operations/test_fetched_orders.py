"""A night whose order totals come from elsewhere: read as they are, and without the secrets of an address."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from places import SAMPLE

from reconcile.cli.main import main

SECRETS = ("canary-of-a-user", "canary-of-a-password", "canary-of-a-signature")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serve the sample data's files on a port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SAMPLE)))
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def night(values: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return `night(out, *orders)`: a run into the folder `out`, as loud as can be."""
    monkeypatch.delenv("http_proxy", raising=False)
    environ = {"RECONCILE_CLIENT_ID": values["client_id"], "RECONCILE_CLIENT_SECRET": values["client_secret"]}

    def call(out: str, *orders: str, stdin: bytes = b"", **environment: str) -> Result:
        words = ["run", *values["options"].split(), "--out", out, "-vv", "--log-json", *orders]
        return CliRunner().invoke(main, words, env=environ | environment, input=stdin, catch_exceptions=False)

    return call


def test_no_secret_of_an_address_is_kept_or_told(night: Callable[..., Result], workplace: Path, port: int) -> None:
    user, password, signature = SECRETS
    address = f"http://{user}:{password}@127.0.0.1:{port}/orders.csv?sig={signature}#{signature}"

    fetched = night("fetched", address)
    refused = night("refused", address.replace("orders.csv", "none.csv"))

    assert (fetched.exit_code, refused.exit_code) == (0, 3), fetched.stderr
    manifest = json.loads((workplace / "fetched/2026-11-20/manifest.json").read_bytes())
    [file] = manifest["inputs"]["files"]
    assert file["path"] == f"http://127.0.0.1:{port}/orders.csv"
    assert file["sha256"] == hashlib.sha256((SAMPLE / "orders.csv").read_bytes()).hexdigest()
    assert manifest["settings"]["orders"]["files"] == [file["path"]]
    written = b"".join(path.read_bytes() for path in workplace.rglob("*") if path.is_file())
    for secret in SECRETS:
        assert secret.encode() not in written
        assert secret not in fetched.output + refused.output


def test_a_table_is_read_from_standard_input(night: Callable[..., Result], workplace: Path) -> None:
    result = night("piped", "-", stdin=(SAMPLE / "orders.csv").read_bytes())

    assert result.exit_code == 0, result.stderr
    [file] = json.loads((workplace / "piped/2026-11-20/manifest.json").read_bytes())["inputs"]["files"]
    assert (file["path"], file["bytes"]) == ("-", (SAMPLE / "orders.csv").stat().st_size)


@pytest.mark.slow
def test_a_copy_of_a_file_is_told(night: Callable[..., Result], workplace: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (workplace / name).write_bytes((SAMPLE / "orders.csv").read_bytes())

    result = night("copies", "a.csv", "b.csv")

    assert result.exit_code == 0, result.stderr
    warnings = json.loads((workplace / "copies/2026-11-20/summary.json").read_bytes())["warnings"]
    assert "b.csv is a.csv byte for byte: every row of it counts twice; is it a copy?" in [
        one["text"] for one in warnings
    ]
