"""A night by exports: nothing of the addresses of files is left anywhere, and the manifest tells how it went."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from places import SAMPLE

from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.exports.exports import ExportRules
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

CANARY = "canary-of-klarna-tokens"


def test_an_exported_night_says_how_it_went_and_keeps_no_address(workplace: Path) -> None:
    world = World.load(SAMPLE / "commerce_layer")
    rules = ExportRules(maximum=300, time_scale=50.0)
    with SandboxServer(
        world,
        Behaviour(
            faults=Faults.parse(["storage-expired:#1", "storage-5xx:#3"]), limits=None, canary=CANARY, exports=rules
        ),
    ) as sandbox:
        words = ["run", str(SAMPLE / "orders.csv"), "--api-url", sandbox.api_url, "--via", "exports", "-vv"]
        environ = {"RECONCILE_CLIENT_ID": sandbox.client_id, "RECONCILE_CLIENT_SECRET": sandbox.client_secret}
        result = subprocess.run(
            [sys.executable, "-m", "reconcile", *words, "--date", "2026-11-20"],
            env=os.environ | environ,
            capture_output=True,
            check=False,
        )
        storage = sandbox.storage_url

    assert result.returncode == 0, result.stderr.decode()
    manifest = json.loads((workplace / "runs" / "2026-11-20" / "manifest.json").read_bytes())
    assert '"transport": "exports"' in json.dumps(manifest)
    files = [path.read_bytes() for path in workplace.rglob("*") if path.is_file()]
    seen = b"\n".join([result.stdout, result.stderr, *files])
    for secret in (CANARY, "X-Amz", storage, sandbox.client_secret):
        assert secret.encode() not in seen
