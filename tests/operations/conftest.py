"""A sandbox that serves the sample data, and a folder to work in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from places import SAMPLE

from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxServer]:
    """Serve the sample data for all tests of this process, which only read."""
    with SandboxServer(World.load(SAMPLE / "commerce_layer"), Behaviour(limits=None)) as server:
        yield server


@pytest.fixture
def values(sandbox: SandboxServer) -> dict[str, str]:
    """What names in braces stand for in transcripts."""
    return {
        "api": sandbox.api_url,
        "auth": sandbox.auth_url,
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "sample": str(SAMPLE),
        "options": f"--api-url {sandbox.api_url} --date 2026-11-20 --tolerance-cents 2 --lag-days 1",
    }


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with nothing of reconcile in the environment."""
    for name in ("CLIENT_ID", "CLIENT_SECRET", "CLIENT_ID_FILE", "CLIENT_SECRET_FILE", "ORGANIZATION", "API_URL"):
        monkeypatch.delenv(f"RECONCILE_{name}", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path
