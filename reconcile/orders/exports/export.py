"""
Order totals from Commerce Layer's own exports: into a folder, as they came, with what proves them.

Knows what goes before and after: count and cut off, or take up what an earlier attempt left; publish the files under
their names, write `orders.json` last. Reads no amounts: that is the order side's business, which takes the files as any
others.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.clocks import FURTHEST_APART
from reconcile.commercelayer.exports.documents import MOST_RECORDS, ORIGIN
from reconcile.commercelayer.exports.placed_orders import PlacedOrders, count_orders, count_orders_now
from reconcile.commercelayer.query import timestamp
from reconcile.commercelayer.tasks import results_of
from reconcile.errors import EmptySide, Refused
from reconcile.orders.exports.export_slices import OnFile, OrderExporters
from reconcile.orders.exports.unfinished import Asked, Slice, Unfinished, Workplace, file_names, publish_files


@dataclass(frozen=True, slots=True)
class OrdersWanted:
    """
    The orders of `mode` that an export is to hold: placed from `since` on and before `until`.

    Both are aware, or null: from the first, until now. With `allow_empty` there may be none.
    """

    mode: str
    since: datetime | None = None
    until: datetime | None = None
    allow_empty: bool = False


@dataclass(frozen=True, slots=True)
class ExportedOrders:
    """
    A finished export: its `files`, the orders in them, the server's counts before and after.

    They were placed from `since` on (null: from the first) and before `until`. `why_all` says why orders of all payment
    methods are among them, null where they are those of Klarna. `resumed`: an earlier attempt had begun it, and what
    has changed since was exported again.
    """

    files: tuple[Path, ...]
    orders: int
    count_before: int
    count_after: int
    since: str | None
    until: str
    why_all: str | None
    resumed: bool
    requests: int

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain values, for a manifest; files by name."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {**values, "files": [path.name for path in self.files]}


async def count_placed(
    client: CommerceLayer, since: datetime | None, until: datetime | None
) -> tuple[int, PlacedOrders, str | None]:
    """
    Return how many orders an export would hold now, which ones, and why those of all payment methods, if they are.

    It ends at `until`, or now by the server's clock, in whole seconds. Errors as `export_to_folder`.
    """
    why_all = None
    try:
        counted = await count_orders_now(client, PlacedOrders(since, until))
    except Refused as error:
        if error.status != 400:
            raise
        why_all = error.message
        counted = await count_orders_now(client, PlacedOrders(since, until, klarna_only=False))
    placed = PlacedOrders(since, _cut_off(until, counted.now), klarna_only=why_all is None)
    return await count_orders(client, placed), placed, why_all


def _cut_off(until: datetime | None, now: datetime) -> datetime:
    return until if until is not None and until <= now else now


async def export_to_folder(
    client: CommerceLayer, destination: Path, wanted: OrdersWanted, *, workplace: Path, on_file: OnFile | None = None
) -> ExportedOrders:
    """
    Export the Klarna orders that are `wanted`.

    Whatever became of an order after it was placed, it is there. Where the server refuses to filter by payment method
    all placed orders are exported, and the report says so. `destination` gets `orders-0001.json.gz` and so on, as the
    server wrote them, and `orders.json` with what proves them: window, filters, exports, counts, SHA-256. What is under
    way is kept in the folder `workplace`, from which the same call resumes, as of then. `on_file` gets the orders so
    far and in all.

    Raises EmptySide when there are none, unless there may be; IncompletePull when the files cannot be proved whole,
    Refused when orders cannot be exported, WrongMode, other CommerceLayerErrors, FolderBusy, OutputError.
    """
    await client.authenticate()
    asked = Asked(client.organization, wanted.mode, _text(wanted.since), _text(wanted.until))
    place = Workplace(workplace)
    at_start = client.statistics.requests.total()
    with place.locked():
        state, resumed = await _taken_up(client, place, asked, wanted)
        exporters = OrderExporters(client, place, state, wanted.since, on_file)
        count_after = await exporters.bring_all(resumed=resumed)
        files = await _published(exporters, place, destination, wanted, count_after)
        state = exporters.state
    return ExportedOrders(
        files=tuple(files),
        orders=state.orders,
        count_before=state.counted,
        count_after=count_after,
        since=asked.since,
        until=state.until,
        why_all=state.why_all,
        resumed=resumed,
        requests=client.statistics.requests.total() - at_start,
    )


async def _taken_up(
    client: CommerceLayer, place: Workplace, asked: Asked, wanted: OrdersWanted
) -> tuple[Unfinished, bool]:
    """Return the export that an earlier attempt at what is `asked` left, as of now, or a new one; and if it is left."""
    left = place.unfinished(asked, now=datetime.now(UTC))
    if left is not None:
        return await _gone_on(client, left, wanted), True
    place.clear()
    return await _begun(client, asked, wanted), False


async def _begun(client: CommerceLayer, asked: Asked, wanted: OrdersWanted) -> Unfinished:
    """Return an export that has been counted and nothing else; as one slice, cut when the server says how large."""
    counted, placed, why_all = await count_placed(client, wanted.since, wanted.until)
    assert placed.until is not None, "it has been truncated"
    return Unfinished(
        asked=asked,
        name=f"{ORIGIN}-{secrets.token_hex(6)}",
        begun_at=datetime.now(UTC),
        until=timestamp(placed.until),
        counted=counted,
        most_records=MOST_RECORDS,
        slices=[Slice(1, planned=counted)] if counted else [],
        why_all=why_all,
    )


async def _gone_on(client: CommerceLayer, state: Unfinished, wanted: OrdersWanted) -> Unfinished:
    """
    Return `state`, an interrupted export, as of now: a slice in which an order was changed or placed since is new.

    One that cannot be brought up to date is started from scratch. Errors as `export_to_folder`.
    """
    asked = PlacedOrders(wanted.since, wanted.until, klarna_only=state.why_all is None)
    now = datetime.now(UTC)
    changed_since = state.begun_at - FURTHEST_APART  # the server's clock may be so far behind this machine's
    try:
        placed = replace(asked, until=_cut_off(wanted.until, (await count_orders_now(client, asked)).now))
        state.counted = await count_orders(client, placed)
        changes = replace(placed, changed_since=changed_since)
        changed = await results_of(count_orders(client, changes, one.ids) for one in state.slices)
    except Refused as error:
        if error.status != 400:
            raise
        changed = []
    if not changed:
        return await _begun(client, state.asked, wanted)
    for one, orders in zip(list(state.slices), changed, strict=True):
        if orders:
            state.renew(one)
    assert placed.until is not None, "it has been truncated"
    state.begun_at, state.until = now, timestamp(placed.until)
    return state


async def _published(
    exporters: OrderExporters, place: Workplace, destination: Path, wanted: OrdersWanted, count_after: int
) -> list[Path]:
    """
    Publish the files in `destination` with what proves them, and return them; `place` is empty then.

    Raises EmptySide when there is no order, and some are `wanted`.
    """
    here = [one for one in exporters.state.slices if one.orders]
    if not here and not wanted.allow_empty:
        place.clear()
        raise _nothing_placed(exporters.state)
    evidence = _evidence(exporters, here, count_after)
    files = await asyncio.to_thread(publish_files, [place.path(one) for one in here], destination, evidence)
    place.clear()
    return files


def _evidence(exporters: OrderExporters, here: list[Slice], count_after: int) -> bytes:
    """Return what proves the files, as JSON; nothing in it is secret."""
    state, placed = exporters.state, exporters.placed
    files = [
        {
            "path": name,
            "orders": one.orders,
            "counted": one.counted,
            "bytes": one.bytes,
            "sha256": one.sha256,
            "export_id": one.export_id,
            "filters": placed.filters(one.ids),
        }
        for name, one in zip(file_names(len(here)), here, strict=True)
    ]
    document = {
        "version": state.version,
        "organization": state.asked.organization,
        "mode": state.asked.mode,
        "since": state.asked.since,
        "until": state.until,
        "filters": placed.filters(),
        "why_all": state.why_all,
        "begun_at": timestamp(state.begun_at),
        "finished_at": timestamp(datetime.now(UTC)),
        "orders": state.orders,
        "count_before": state.counted,
        "count_after": count_after,
        "records_per_export": state.most_records,
        "files": files,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _nothing_placed(state: Unfinished) -> EmptySide:
    method = "with Klarna " if state.why_all is None else ""
    since = f"from {state.asked.since} on and " if state.asked.since else ""
    return EmptySide(
        f"commerce-layer: no order was placed {method}{since}before {state.until}: nothing can be reconciled",
        side="orders",
        hint='is this the right window, organization and mode? If this is intended, set [run] on_empty_orders = "warn"',
    )


def _text(at: datetime | None) -> str | None:
    return timestamp(at) if at is not None else None
