"""What the sandbox exports in these tests, what a folder of exported orders holds, and what it should."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from reconcile.orders.exports.export import ExportedOrders
from reconcile.sandbox.exports.exports import ExportRules
from reconcile.sandbox.world.world import World

ExportOrders = Callable[..., Awaitable[ExportedOrders]]


def rules(**changes: Any) -> ExportRules:
    """Twenty records at most, and a hundred times faster than in earnest, as the tests' clock is."""
    return ExportRules(**{"maximum": 20, "time_scale": 100.0, **changes})


def placed_ids(world: World) -> list[str]:
    """Return the ids of the orders that were placed with Klarna, in the order of the hidden sequence."""
    rows = [world.orders.row(int(sequence)) for sequence in world.orders.alive()]
    return [row["id"] for row in rows if row["placed_at"] is not None and world.method_of(row) is not None]


def exported_ids(folder: Path) -> list[str]:
    """Return the ids in the files of `folder`, having looked at what its evidence says of them."""
    evidence = json.loads((folder / "orders.json").read_bytes())
    ids = []
    for file in evidence["files"]:
        content = (folder / file["path"]).read_bytes()
        rows = json.loads(gzip.decompress(content))
        assert (len(rows), len(content), hashlib.sha256(content).hexdigest()) == (
            file["orders"],
            file["bytes"],
            file["sha256"],
        )
        ids += [row["id"] for row in rows]
    assert len(ids) == evidence["orders"]
    return ids


def contents(folder: Path) -> dict[str, bytes]:
    """Return the exported files of `folder`, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("orders-*.json.gz"))}
