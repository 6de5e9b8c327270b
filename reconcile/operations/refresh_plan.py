"""
The plan of a refresh: the flagged payments of a run as they are now, each with what may become of its Klarna session.

Reads, and sends nothing else. The plan is kept beside the runs (`.refresh-plan.json`), the latest one only: what is
sent later is what stands in it, as long as it holds. Sending is the business of `refresh`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reconcile.commercelayer.believable import is_id
from reconcile.commercelayer.by_id import found_payments
from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.clocks import FURTHEST_APART, agreed_now
from reconcile.commercelayer.reading import Reading
from reconcile.commercelayer.relations import Wanted
from reconcile.errors import OutputError, SettingsError, first_line
from reconcile.files.disk import disk_errors
from reconcile.history.breaks import latest_run
from reconcile.history.refreshes import Outcome
from reconcile.operations.pull import awaited
from reconcile.payments.pull import agreed_mode
from reconcile.payments.refreshable import REMEDY_OF, Refreshable, refreshable
from reconcile.runs.folder import out_of, read_manifest
from reconcile.runs.manifest import RunId, Sha256, is_date, write_json
from reconcile.runs.owner import check_owner
from reconcile.runs.run_folder import RunFolder
from reconcile.schema import Row
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings
from reconcile.settings.stages import connect

PLAN_NAME = ".refresh-plan.json"

HOLDS_FOR = timedelta(hours=1)
"""After that a plan is made anew: too much may have changed."""


class Planned(msgspec.Struct, frozen=True):
    """A payment that can be refreshed: what is recorded of it, and what must be as it was when it is sent."""

    payment_id: str
    order_id: str
    reference: str | None
    updated_at: datetime


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    What may be sent, and of which run: those that can be refreshed, the session that ends soonest first.

    `id` is its own: one that says the same is another plan. `made_at` is by the server's clock.
    """

    id: str
    made_at: datetime
    organization: str
    mode: str
    business_date: date
    run_id: RunId
    manifest_sha256: Sha256
    payments: tuple[Planned, ...]

    def is_old(self, now: datetime) -> bool:
        """Whether it no longer holds because of its age."""
        return not -FURTHEST_APART <= now - self.made_at <= HOLDS_FOR


@dataclass(frozen=True, slots=True)
class RefreshLine:
    """A flagged payment as a row of `reconcile.schema.REFRESH`."""

    payment_id: str
    reference: str | None
    order_id: str | None
    order_number: str | None
    refreshable: Refreshable
    remedy: str
    mismatched_amounts: bool | None
    updated_at: datetime | None
    order_status: str | None
    order_updated_at: datetime | None
    amount_cents: int | None
    currency_code: str | None
    outcome: Outcome | None = None
    words: str | None = None


@dataclass(frozen=True, slots=True)
class Flagged:
    """The flagged payments of a run by id, as rows with reference and order, and the newest payment of each order."""

    payments: Mapping[str, Row]
    newest: Mapping[str, str]


def run_named(out: Path, name: str | None) -> Path:
    """Return the run folder that `name` names, a folder or a date in `out`; null: the latest. Raises OutputError."""
    if name is None:
        return latest_run(out)
    folder = Path(name)
    return out / name if is_date(name) and not folder.exists() else folder


def plan_refresh(settings: Settings, secrets: Secrets, folder: Path) -> list[RefreshLine]:
    """
    Read the flagged payments of the run `folder` again, keep the plan beside the runs, and return a line of each.

    Raises CommerceLayerError; SettingsError when the credentials are another organization's; OutputError when the run
    cannot be read or the plan not be written.
    """
    manifest = read_manifest(folder)
    flagged = flagged_in(RunFolder(folder).payments)

    async def planned() -> tuple[Plan, list[RefreshLine]]:
        async with connect(settings, secrets) as client:
            mode = await mode_of(client, settings, out_of(folder))
            rows = {row["payment_id"]: row for row in await read_again(client, flagged.payments, mode)}
            now = time_of(client)
            lines = [_line(id_, rows.get(id_), flagged, now) for id_ in sorted(flagged.payments)]
            plan = Plan(
                id=uuid.uuid4().hex,
                made_at=now,
                organization=client.organization,
                mode=mode,
                business_date=manifest.business_date,
                run_id=manifest.run_id,
                manifest_sha256=manifest.sha256,
                payments=_planned(lines),
            )
            return plan, lines

    plan, lines = awaited(planned())
    path = out_of(folder) / PLAN_NAME
    with disk_errors(path):
        write_json(path, plan)
    return lines


def read_plan(folder: Path) -> Plan:
    """Return the plan that was made last of the run `folder`. Raises SettingsError when there is none of that run."""
    manifest, path = read_manifest(folder), out_of(folder) / PLAN_NAME
    remedy = f"make one: reconcile refresh {folder}; add --apply within the hour"
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    except (FileNotFoundError, msgspec.DecodeError):
        raise SettingsError(f"{folder}: there is no plan of a refresh", hint=remedy) from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror}", hint=remedy) from error
    if (plan.run_id, plan.manifest_sha256) != (manifest.run_id, manifest.sha256):
        raise SettingsError(
            f"{folder}: the plan of a refresh is of another run: {plan.business_date}, {plan.run_id}",
            hint=f"name that run, or make a plan of this one: reconcile refresh {folder}",
        )
    return plan


def flagged_in(payments: Path) -> Flagged:
    """Return the flagged payments of a file of PAYMENTS. Raises OutputError when it cannot be read."""
    columns = ["payment_id", "reference", "order_id", "created_at", "mismatched_amounts"]
    try:
        table = pq.read_table(payments, columns=columns)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise OutputError(
            f"{payments}: cannot be read: {first_line(error)}", hint="`reconcile runs verify` reports what was changed"
        ) from error
    flagged = table.filter(pc.field("mismatched_amounts"))
    orders = flagged["order_id"].combine_chunks().drop_null()
    of_orders = table.filter(pc.is_in(table["order_id"], value_set=orders)).select(columns[:4])
    # A later payment of an order has the later time, or else the greater id: as where they are matched.
    ordered = sorted(of_orders.to_pylist(), key=lambda row: (row["created_at"], row["payment_id"]))
    newest = {row["order_id"]: row["payment_id"] for row in ordered}
    return Flagged({row["payment_id"]: row for row in flagged.to_pylist()}, newest)


async def mode_of(client: CommerceLayer, settings: Settings, out: Path) -> str:
    """Return the mode of `client`, whose organization is that of the runs in `out`. Raises SettingsError if not."""
    await client.authenticate()
    mode = agreed_mode(client, settings.commercelayer.mode)
    check_owner(out, client.organization, mode)
    return mode


async def read_again(client: CommerceLayer, ids: Iterable[str], mode: str) -> list[Row]:
    """Return those of the payments `ids` that there are, as rows of PAYMENTS. Raises as `payments_by_id`."""
    rows: list[Row] = (await found_payments(Reading(client, Wanted()), [*ids], mode=mode)).to_pylist()
    return rows


def time_of(client: CommerceLayer) -> datetime:
    """Return what time it is by the server's clock as last seen, else by ours. Raises WrongClock."""
    here = client.wall_clock()
    offset = client.clock_offset_seconds
    served_at = None if offset is None else here + timedelta(seconds=offset)
    return agreed_now(client.host, served_at=served_at, here=here, newest=None).replace(microsecond=0)


def refresh_line(id_: str, row: Row | None, before: Row, class_: Refreshable) -> RefreshLine:
    """Return the line of a payment: `row` as it is now, null when it is gone; `before` has reference and order then."""
    now = row or {}
    return RefreshLine(
        payment_id=id_,
        reference=before["reference"],
        order_id=now["order_id"] if row else before["order_id"],
        order_number=now.get("order_number"),
        refreshable=class_,
        remedy=REMEDY_OF[class_],
        mismatched_amounts=now.get("mismatched_amounts"),
        updated_at=now.get("updated_at"),
        order_status=now.get("order_status"),
        order_updated_at=now.get("order_updated_at"),
        amount_cents=now.get("total_amount_with_taxes_cents"),
        currency_code=now.get("currency_code"),
    )


def _line(id_: str, row: Row | None, flagged: Flagged, now: datetime) -> RefreshLine:
    is_newest = row is None or flagged.newest.get(row["order_id"], id_) == id_
    return refresh_line(id_, row, flagged.payments[id_], refreshable(row, now, is_newest=is_newest))


def _planned(lines: Iterable[RefreshLine]) -> tuple[Planned, ...]:
    found = [
        Planned(line.payment_id, line.order_id, line.reference, line.updated_at)
        for line in lines
        if line.refreshable is Refreshable.REFRESH and line.order_id is not None and line.updated_at is not None
        if is_id(line.payment_id)  # it becomes a part of an address
    ]
    return tuple(sorted(found, key=lambda one: (one.updated_at, one.payment_id)))
