"""`reconcile orders export` as a process that is killed: the same command goes on, and ends with the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from exported import contents, exported_ids, placed_ids, rules
from served import Serve
from signals import started

from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

pytestmark = pytest.mark.slow  # a process each, which waits a second between two looks at its exports


def command(folder: Path) -> list[str]:
    where = ["--to", str(folder / "exports"), "--mirror", str(folder / "mirror")]
    return [sys.executable, "-m", "reconcile", "orders", "export", *where, "--until", "2026-07-01", "--quiet"]


def access(server: SandboxServer) -> dict[str, str]:
    return os.environ | {
        "RECONCILE_CLIENT_ID": server.client_id,
        "RECONCILE_CLIENT_SECRET": server.client_secret,
        "RECONCILE_API_URL": server.api_url,
        "RECONCILE_RATE_LIMIT": "false",
    }


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("requests", [3, 6, 9, 10])
def test_a_killed_export_is_gone_on_with(serve: Serve, tmp_path: Path, requests: int, sign: signal.Signals) -> None:
    world = World.generate(60)
    server = serve(world, exports=rules(time_scale=1.0))
    with started(command(tmp_path), env=access(server)) as process:
        while len(server.requests) < requests and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(sign)
        process.communicate(timeout=300)
    assert not (tmp_path / "exports" / "orders.json").exists()

    done = subprocess.run(
        command(tmp_path), env=access(server), capture_output=True, text=True, timeout=300, check=True
    )

    assert done.stdout.splitlines() == [str(tmp_path / "exports" / name) for name in contents(tmp_path / "exports")]
    assert exported_ids(tmp_path / "exports") == placed_ids(world)
