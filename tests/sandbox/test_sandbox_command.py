"""`reconcile sandbox`: one line when ready, a clean end, and clear refusals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from signals import ctrl_c

from reconcile.cli.sandbox import sandbox

CLIENT_ID = "sandbox-integration-Xk2mT7uQbN4vZp9cRw1eYs6h"
CLIENT_SECRET = "sandbox-secret-not-for-production-5vPq8Lr3"
COMMAND = [sys.executable, "-c", "from reconcile.cli.sandbox import sandbox; sandbox()"]


@contextmanager
def serving(*options: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def token_of(api_url: str, client_id: str = CLIENT_ID, client_secret: str = CLIENT_SECRET) -> str:
    body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    url, content_type = f"{api_url.removesuffix('/api')}/oauth/token", {"Content-Type": "application/json"}
    with urlopen(Request(url, json.dumps(body).encode(), content_type)) as answer:
        return json.load(answer)["access_token"]


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_serves_and_ends_when_told(told: signal.Signals) -> None:
    with ctrl_c(heeded=True), serving("--payments", "20", "--canary", "tweet") as process:
        assert process.stdout is not None
        api_url = process.stdout.readline().strip()
        headers = {"Accept": "application/vnd.api+json", "Authorization": f"Bearer {token_of(api_url)}"}
        with urlopen(Request(f"{api_url}/klarna_payments", headers=headers)) as answer:
            content = answer.read()
        process.send_signal(told)
        rest, talk = process.communicate(timeout=300)

    assert process.returncode == 0
    assert rest == ""
    assert f"--api-url {api_url}" in talk
    assert json.loads(content)["meta"]["record_count"] == 20
    assert b"tweet-" in content


def test_it_serves_as_an_older_deployment_does() -> None:
    options = ["--no-payment-exports", "--no-export-includes", "--export-maximum", "3", "--no-event-stores"]
    options += ["--refuse-include", "order.captures", "--refusal-names", "relationship"]
    with serving("--payments", "20", *options) as process:
        assert process.stdout is not None
        api_url = process.stdout.readline().strip()
        headers = dict.fromkeys(("Accept", "Content-Type"), "application/vnd.api+json")
        headers["Authorization"] = f"Bearer {token_of(api_url)}"

        def refusal(path: str, attributes: dict[str, Any] | None = None) -> Any:
            document = {"data": {"type": "exports", "attributes": attributes}}
            body = None if attributes is None else json.dumps(document).encode()
            with pytest.raises(HTTPError) as caught, urlopen(Request(f"{api_url}{path}", body, headers)):
                pass
            with caught.value as answer:
                (error,) = json.load(answer)["errors"]
            return error.get("meta", {}).get("error", error["detail"])

        refused = [
            refusal("/exports", {"resource_type": "klarna_payments"}),
            refusal("/exports", {"resource_type": "orders", "includes": ["payment_method"]}),
            refusal("/exports", {"resource_type": "orders"}),
            refusal("/event_stores/1755185525941-0"),
            refusal("/klarna_payments?include=order.captures.payment_source"),
        ]

    assert refused == [
        *("inclusion", "invalid", "less_than_or_equal_to"),
        "The requested resource could not be found.",
        "captures is not a valid relationship of orders",
    ]


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(sandbox, ["--port", str(port)])

    assert result.exit_code == 2
    assert f"error: cannot listen on 127.0.0.1:{port}: address already in use" in result.stderr.lower()


def test_a_storage_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(sandbox, ["--storage-port", str(port)])

    assert result.exit_code == 2
    assert f"127.0.0.1:{port}: address already in use" in result.stderr.lower()


def test_a_fault_that_is_none_is_said() -> None:
    result = CliRunner().invoke(sandbox, ["--fault", "boom"])

    assert result.exit_code == 2
    assert 'error: fault "boom": there is no kind "boom"' in result.stderr


def test_a_folder_without_the_files_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(sandbox, ["--data", str(tmp_path)])

    assert result.exit_code == 3
    assert "klarna_payments.json: cannot be read" in result.stderr


def test_the_kinds_of_faults_are_listed() -> None:
    result = CliRunner().invoke(sandbox, ["--fault", "help"])

    assert result.exit_code == 0
    assert "truncate" in result.stdout


def test_it_accepts_the_credentials_of_the_environment_and_does_not_show_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_CLIENT_ID", "our-own-id")
    monkeypatch.setenv("RECONCILE_CLIENT_SECRET", "our-own-secret")
    with serving("--payments", "20") as process:
        assert process.stdout is not None
        api_url = process.stdout.readline().strip()
        token = token_of(api_url, "our-own-id", "our-own-secret")
        process.send_signal(signal.SIGTERM)
        _, talk = process.communicate(timeout=300)

    assert token
    assert "our-own-secret" not in talk
