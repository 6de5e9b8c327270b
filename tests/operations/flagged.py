"""Shops with flagged payments of every class, the runs that flagged them, and what was written to them."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from nights import OUT, night_of

from reconcile.cli.main import main
from reconcile.commercelayer.query import timestamp
from reconcile.payments.refreshable import Refreshable
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

RECORD = OUT / "refreshes.jsonl"
PLAN = OUT / ".refresh-plan.json"
RUN = OUT / "2026-11-20"


def ago(**units: float) -> str:
    """Return a time before now, as the API writes it."""
    return timestamp(datetime.now(UTC) - timedelta(**units))


_MADE: dict[tuple[str, ...], Path] = {}


class Shop:
    """
    A world with `each` flagged payments of every class, or so many of each in `classes`, and what each of them is.

    There are two others, which no run has flagged.
    """

    def __init__(self, each: int = 1, *, mode: str = "live", **classes: int) -> None:
        self.world = World.generate(2, mode=mode)
        self.truth: dict[str, Refreshable] = {}
        for class_ in Refreshable:
            for number in range(classes.get(class_, 0) if classes else each):
                id_ = _MAKERS[class_](self.world, number)
                self.truth[id_] = class_

    def ids(self, class_: Refreshable = Refreshable.REFRESH) -> list[str]:
        return [id_ for id_, is_of in self.truth.items() if is_of is class_]

    def run(self, **options: Any) -> Path:
        """
        Publish a run in which all of them are flagged, and the newer payments of their orders are not.

        The first run in a folder is made once for all shops of the same payments, and copied.
        """
        is_first, key = not OUT.exists(), (self.world.mode, *self.truth)
        if is_first and key in _MADE and not options:
            shutil.copytree(_MADE[key], OUT)
            return RUN
        rows = [self._row(id_) for id_ in dict.fromkeys([*self.truth, *self.world.payment_ids()])]
        night_of(rows, "reference,total,currency\nX,1.00,EUR\n", mode=self.world.mode, **options)
        if is_first and not options:
            _MADE[key] = Path(tempfile.mkdtemp(dir=Path.cwd().parent, prefix="flagged-")) / OUT
            shutil.copytree(OUT, _MADE[key])
        return RUN

    def _row(self, id_: str) -> dict[str, Any]:
        row = self.world.payments.find(id_) or {"order_id": "gone", "reference": "gone"}
        times = {
            name: datetime.fromisoformat(row[name])
            for name in ("created_at", "updated_at")
            if row.get(name) is not None
        }
        named = {name: row.get(name) for name in ("order_id", "reference")}
        return {"payment_id": id_, "mismatched_amounts": id_ in self.truth, **named, **times}


def session(world: World, number: int, *, updated_at: str = "", **order: object) -> str:
    """Add a flagged payment, last updated an hour ago, with an order that is not placed and was left alone since."""
    at = updated_at or ago(hours=1, seconds=-number)
    known = {"number": f"N{number}", "currency_code": "EUR", "status": "pending", "total_amount_with_taxes_cents": 1050}
    row = {"reference": f"R-{number}", "mismatched_amounts": True, "created_at": at, "updated_at": at}
    id_ = world.insert(row, order=known | order)
    world.update_order(_order(world, id_), touch=False, payment_source_id=id_)
    return id_


def _superseded(world: World, number: int) -> str:
    id_ = session(world, number)
    newer = world.insert({"reference": f"newer-{number}", "order_id": _order(world, id_)})
    world.update_order(_order(world, id_), touch=False, payment_source_id=newer)
    return id_


def _vanished(world: World, number: int) -> str:
    id_ = session(world, number)
    world.delete(id_)
    return id_


def _agreeing(world: World, number: int) -> str:
    id_ = session(world, number)
    world.update(id_, touch=False, mismatched_amounts=(False, None)[number % 2])
    return id_


def _order(world: World, id_: str) -> str:
    row = world.payments.find(id_)
    assert row is not None
    return str(row["order_id"])


_CLOSED = (
    {"status": "placed", "placed_at": ago(hours=1)},
    {"status": "approved", "placed_at": ago(minutes=5)},
    {"status": "cancelled"},
    {"status": "editing", "placed_at": ago(hours=5)},
)
_IN_USE = ({"updated_at": ago(minutes=5)}, {"status": "placing"})
_MAKERS: dict[Refreshable, Callable[[World, int], str]] = {
    Refreshable.REFRESH: session,
    Refreshable.AGREES_NOW: _agreeing,
    Refreshable.VANISHED: _vanished,
    Refreshable.SUPERSEDED: _superseded,
    Refreshable.NO_ORDER: lambda world, number: world.insert({"reference": "alone", "mismatched_amounts": True}),
    Refreshable.CLOSED: lambda world, number: session(world, number, **_CLOSED[number % len(_CLOSED)]),
    Refreshable.EXPIRED: lambda world, number: session(world, number, updated_at=ago(hours=48.1 + number)),
    Refreshable.IN_USE: lambda world, number: session(world, number, **_IN_USE[number % len(_IN_USE)]),
}


def said(server: SandboxServer, *words: str, **options: Any) -> Result:
    """Give the command the `words`, and return what it says to them."""
    environ = {
        "RECONCILE_CLIENT_ID": server.client_id,
        "RECONCILE_CLIENT_SECRET": server.client_secret,
        "RECONCILE_API_URL": server.api_url,
    }
    return CliRunner().invoke(main, words, env=environ, catch_exceptions=False, **options)


def writes(server: SandboxServer) -> Counter[str]:
    """Return how often each payment was written."""
    paths = (request.path for request in server.requests if request.method not in ("GET", "HEAD"))
    return Counter(path.rpartition("/")[2] for path in paths if path.startswith("/api/"))


def recorded() -> list[dict[str, Any]]:
    """Return the events on record, whose chain holds."""
    if not RECORD.exists():
        return []
    lines = RECORD.read_bytes().splitlines()
    events = []
    for before, line in zip([None, *lines], lines, strict=False):
        try:
            event = json.loads(line)
        except json.JSONDecodeError:  # cut short by a kill
            continue
        assert event["previous_sha256"] == (None if before is None else hashlib.sha256(before).hexdigest())
        events.append(event)
    return events


def outcomes() -> dict[str, str]:
    """Return the outcome of each payment that has an intent, each of which has one answer after it."""
    open_: set[tuple[str, str]] = set()
    found: dict[str, str] = {}
    for event in recorded():
        key = (event["plan"], event["payment_id"])
        if event["event"] == "intent":
            assert key not in open_
            assert event["payment_id"] not in found or found[event["payment_id"]] == "unknown"
            open_.add(key)
        else:
            open_.remove(key)
            found[event["payment_id"]] = event["outcome"]
    assert not open_, "an intent has no answer"
    return found
