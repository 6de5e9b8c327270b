"""A canary in every token and in the client secret appears nowhere, however loud the run is."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from places import SAMPLE

from reconcile.cli.main import main
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

TOKEN_CANARY = "canary-of-klarna-tokens"
SECRET_CANARY = "canary-of-the-client-secret"


def everything_below(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def said(*words: str, client_id: str, client_secret: str) -> Result:
    """Give the command the `words`, and return what it says to them."""
    environ = {"RECONCILE_CLIENT_ID": client_id, "RECONCILE_CLIENT_SECRET": client_secret}
    return CliRunner().invoke(main, words, env=environ, catch_exceptions=False)


@pytest.mark.parametrize(
    ("faults", "code"),
    [((), 0), (("5xx:0.2", "html:0.1", "truncate:0.1", "invalid-json:0.1"), None), (("wrong-mode:#4",), 4)],
    ids=["undisturbed", "disturbed", "fatal"],
)
def test_a_canary_is_in_no_file_log_error_or_manifest(
    workplace: Path, faults: tuple[str, ...], code: int | None
) -> None:
    world = World.load(SAMPLE / "commerce_layer")
    with SandboxServer(
        world,
        Behaviour(faults=Faults.parse(faults), limits=None, canary=TOKEN_CANARY, client_secret=SECRET_CANARY),
    ) as sandbox:
        words = ("run", str(SAMPLE / "orders.csv"), "--api-url", sandbox.api_url, "-vv", "--log-json")
        result = said(*words, "--date", "2026-11-20", client_id=sandbox.client_id, client_secret=SECRET_CANARY)

    assert code is None or result.exit_code == code, result.stderr
    assert '"level": "debug"' in result.stderr or '"level":"debug"' in result.stderr
    seen = result.stdout_bytes + result.stderr_bytes + everything_below(workplace)
    assert TOKEN_CANARY.encode() not in seen
    assert SECRET_CANARY.encode() not in seen


def test_a_wrong_secret_is_not_repeated_in_the_error(workplace: Path) -> None:
    with SandboxServer(World.load(SAMPLE / "commerce_layer"), Behaviour(limits=None)) as sandbox:
        words = ("pull", "--api-url", sandbox.api_url, "-vv")
        result = said(*words, client_id=sandbox.client_id, client_secret=SECRET_CANARY)

    assert result.exit_code == 4
    assert SECRET_CANARY.encode() not in result.stdout_bytes + result.stderr_bytes + everything_below(workplace)


def test_the_tokens_are_never_asked_for(workplace: Path) -> None:
    with SandboxServer(World.load(SAMPLE / "commerce_layer"), Behaviour(limits=None)) as sandbox:
        words = ("pull", "--api-url", sandbox.api_url)
        result = said(*words, client_id=sandbox.client_id, client_secret=sandbox.client_secret)
        asked = [request for request in sandbox.requests if request.path.endswith("/klarna_payments")]

    assert result.exit_code == 0, result.stderr
    assert asked
    for request in asked:
        fields = request.query["fields[klarna_payments]"].split(",")
        assert not {"client_token", "auth_token"} & set(fields)
