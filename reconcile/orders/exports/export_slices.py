"""
The exports of orders in progress: what is requested in each slice, what its file has to hold, how it is cut.

Knows what makes them whole: every file holds what the server counts in its slice, no order is in two of them, and their
sum lies between the server's counts before and after. How exports are created, waited for and tried again is known to
`SliceExporter`. Does not know where the files go in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.exports.documents import BrokenExport, Export, order_totals_export
from reconcile.commercelayer.exports.jobs import ExportJobs, NotCreated, StorageDown
from reconcile.commercelayer.exports.placed_orders import (
    OrderKeys,
    OrdersInFile,
    PlacedOrders,
    are_distinct,
    count_orders,
    cut_at,
    orders_in_file,
)
from reconcile.commercelayer.exports.slice_exporter import SliceExporter
from reconcile.errors import AuthError, IncompletePull, Refused, Unreachable, WrongMode
from reconcile.files.disk import sha256_of
from reconcile.orders.exports.unfinished import Slice, Unfinished, Workplace

OnFile = Callable[[int, int], None]

# By the documented maximum, by the server's own, and where orders came meanwhile.
_MOST_CUTS = 4
_GOES_ON = "run the same command again: it resumes from what was kept"
_BY_HAND = "export the orders in the dashboard, and name the file in place of commerce-layer"


class _FilterRefused(Exception):
    """Exports take no filter by payment method here."""


class OrderExporters:
    """One export in progress, a `SlicedExport`. Its `state` is written down with every step."""

    def __init__(
        self,
        client: CommerceLayer,
        place: Workplace,
        state: Unfinished,
        since: datetime | None,
        on_file: OnFile | None,
    ) -> None:
        self.state = state
        self._client = client
        self._place = place
        self._since = since
        self._on_file = on_file
        self._jobs = ExportJobs(client)
        self._keys: dict[int, OrderKeys] = {}

    @property
    def placed(self) -> PlacedOrders:
        """The orders that are exported."""
        return PlacedOrders(
            self._since, datetime.fromisoformat(self.state.until), klarna_only=self.state.why_all is None
        )

    async def bring_all(self, *, resumed: bool) -> int:
        """
        Fetch every slice that is not here, prove all of them, and return the server's count after.

        `resumed`: an earlier attempt may have left files and exports. Raises CommerceLayerError, OutputError.
        """
        if resumed:
            await self._examine_left_files()
            await self._jobs.take_up(self.state.name)
        try:
            await self._bring_slices()
        except _FilterRefused as error:
            self.state.why_all = str(error)
            self.state.counted = await count_orders(self._client, self.placed)
            self.state.slices = [Slice(self.state.next_number, planned=self.state.counted)]
            self.state.next_number += 1
            await self._bring_slices()
        return await self._proved()

    async def _bring_slices(self) -> None:
        self._place.keep(self.state)
        todo = [one for one in self.state.slices if self.is_wanted(one)]
        await SliceExporter(self._client, self._jobs, self).export_all(todo)

    async def _examine_left_files(self) -> None:
        for one in self.state.slices:
            if one.orders and await asyncio.to_thread(self._place.has, one):
                self._keys[one.number] = (await self._examined(one)).keys
            elif one.orders:
                one.orders, one.export_id = None, None

    @property
    def most_records(self) -> int:
        return self.state.most_records

    def allow(self, most_records: int) -> None:
        self.state.most_records = most_records
        self._place.keep(self.state)

    def is_wanted(self, one: Slice) -> bool:
        return not one.is_here

    def reference(self, one: Slice) -> str:
        return f"{self.state.name}/orders/{one.number}"

    def document(self, one: Slice) -> dict[str, object]:
        filters = self.placed.filters(one.ids)
        return order_totals_export(filters, narrowed=self._client.is_narrowed, reference=self.reference(one))

    def created(self, one: Slice, export_id: str) -> None:
        one.export_id = export_id
        self._place.keep(self.state)

    def refused(self, one: Slice, refusal: NotCreated) -> None:
        if isinstance(refusal.__cause__, AuthError):
            raise refusal.__cause__
        if self._may_be_the_filter(refusal):
            raise _FilterRefused(refusal.why) from refusal
        raise Refused(refusal.why, status=422, hint=_BY_HAND) from refusal

    def is_empty(self, one: Slice) -> None:
        one.orders = one.counted = 0
        self._place.keep(self.state)

    async def cut(self, one: Slice) -> Sequence[Slice]:
        if one.cuts == _MOST_CUTS:
            raise BrokenExport("slices remain too large for the server, however small they are cut", final=True)
        parts = await cut_at(self._client, self.placed, one.ids, orders=one.planned, most=self.state.most_records)
        if len(parts) == 1:
            one.planned = await count_orders(self._client, self.placed, one.ids)
            raise BrokenExport("an export would contain more orders than the list")
        fresh = self.state.cut(one, [(part.after, part.last, planned) for part, planned in parts])
        self._place.keep(self.state)
        return fresh

    async def receive(self, one: Slice, export: Export) -> None:
        if export.mode not in (None, self.state.asked.mode):
            raise WrongMode(f"export {export.id}: is of mode {export.mode}, not {self.state.asked.mode}")
        path = self._place.path(one)
        path.unlink(missing_ok=True)
        try:
            await self._jobs.fetch(export, path)
        except StorageDown as error:
            hint = f"a firewall must allow the storage; {_GOES_ON}"
            raise Unreachable(error.what, attempts=1, hint=hint) from error
        found = await self._examined(one)
        counted = await self._counted(one, export, found.orders)
        self._keys[one.number] = found.keys
        one.bytes, one.sha256 = path.stat().st_size, await asyncio.to_thread(sha256_of, path)
        one.orders, one.counted = found.orders, counted
        self._place.keep(self.state)
        if self._on_file is not None:
            self._on_file(self.state.orders, self.state.counted)

    def broken(self, one: Slice, error: BrokenExport, *, final: bool) -> None:
        if one.export_id is not None:
            self._jobs.discard(one.export_id)
        one.export_id = None
        self._place.keep(self.state)
        if final:
            raise IncompletePull(f"export of orders: {error.what}", hint=_GOES_ON) from error

    async def _examined(self, one: Slice) -> OrdersInFile:
        return await asyncio.to_thread(orders_in_file, self._place.path(one), self.placed)

    async def _counted(self, one: Slice, export: Export, orders: int) -> int:
        """Return what the server counts in the slice. Raises BrokenExport when that is not what the file holds."""
        if export.records_count == orders:
            return orders
        # Orders may have gone since the export was created: the list shows it.
        counted = await count_orders(self._client, self.placed, one.ids)
        if counted != orders:
            raise BrokenExport(f"the file holds {orders:,} orders, the server counts {counted:,}")
        return counted

    def _may_be_the_filter(self, refusal: NotCreated) -> bool:
        accepted = any(other.export_id or other.is_here for other in self.state.slices)
        return self.state.why_all is None and not accepted and not refusal.for_others

    async def _proved(self) -> int:
        """Return the server's count now. Raises IncompletePull unless the files hold each order once, and all."""
        count_after = await count_orders(self._client, self.placed)
        orders = self.state.orders
        fewest, most = sorted((self.state.counted, count_after))
        if fewest <= orders <= most and await asyncio.to_thread(are_distinct, list(self._keys.values())):
            return count_after
        self._place.clear()
        raise IncompletePull(
            f"export of orders: the files hold {orders:,}, the server counted {self.state.counted:,} before and "
            f"{count_after:,} after" + ("" if not fewest <= orders <= most else ", and an order is in two files"),
            hint="orders changed while they were exported; run the same command again, it starts from scratch",
        )
