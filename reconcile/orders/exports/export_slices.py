"""
The exports of orders that are under way: each slice created, waited for, fetched and looked through, or cut.

Knows how the orders of a window are cut into exports that the server takes, and what makes them whole: every file holds
what the server counts in its slice, no order is in two of them, and their sum lies between the server's counts before
and after. Does not know where the files go in the end.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.clocks import FURTHEST_APART
from reconcile.commercelayer.exports.documents import (
    MOST_AT_ONCE,
    MOST_RECORDS,
    ORIGIN,
    BrokenExport,
    Export,
    order_totals_export,
)
from reconcile.commercelayer.exports.jobs import ExportJobs, NotCreated, StorageDown
from reconcile.commercelayer.exports.placed_orders import (
    IdRange,
    OrderKeys,
    OrdersInFile,
    PlacedOrders,
    are_distinct,
    count_orders,
    count_orders_now,
    cut_at,
    orders_in_file,
)
from reconcile.commercelayer.query import timestamp
from reconcile.errors import AuthError, IncompletePull, Refused, Unreachable, WrongMode, first_of
from reconcile.orders.exports.unfinished import Asked, Slice, Unfinished, Workplace, digest_of

OnFile = Callable[[int, int], None]

_MOST_TRIES = 3
# By the documented maximum, by the server's own, and where orders came meanwhile.
_MOST_CUTS = 4
_GOES_ON = "start the same command again: it goes on from what is there"
_BY_HAND = "export the orders in the dashboard, and name the file in place of commerce-layer"


class _FilterRefused(Exception):
    """Exports take no filter by payment method here."""


async def count_placed(
    client: CommerceLayer, since: datetime | None, until: datetime | None
) -> tuple[int, PlacedOrders, str | None]:
    """
    Return how many orders an export would hold now, which ones, and why those of all payment methods, if they are.

    It ends at `until`, or now by the server's clock, in whole seconds. Errors as `export_orders`.
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


async def begun(client: CommerceLayer, asked: Asked, since: datetime | None, until: datetime | None) -> Unfinished:
    """Return an export that has been counted and nothing else; as one slice, cut when the server says how large."""
    counted, placed, why_all = await count_placed(client, since, until)
    assert placed.until is not None, "it has been cut off"
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


async def gone_on_with(
    client: CommerceLayer, state: Unfinished, since: datetime | None, until: datetime | None
) -> Unfinished:
    """
    Return `state`, an export that broke off, as of now: a slice in which an order was changed or placed since is anew.

    One that cannot be brought up to date is begun anew. Errors as `export_orders`.
    """
    wanted, now = PlacedOrders(since, until, klarna_only=state.why_all is None), datetime.now(UTC)
    changed_since = state.begun_at - FURTHEST_APART  # the server's clock may be so far behind this machine's
    try:
        placed = replace(wanted, until=_cut_off(until, (await count_orders_now(client, wanted)).now))
        state.counted = await count_orders(client, placed)
        changed = await _counts(client, replace(placed, changed_since=changed_since), state.slices)
    except Refused as error:
        if error.status != 400:
            raise
        changed = []
    if not changed:
        return await begun(client, state.asked, since, until)
    for one, orders in zip(list(state.slices), changed, strict=True):
        if orders:
            state.renew(one)
    assert placed.until is not None, "it has been cut off"
    state.begun_at, state.until = now, timestamp(placed.until)
    return state


async def _counts(client: CommerceLayer, placed: PlacedOrders, slices: Sequence[Slice]) -> list[int]:
    try:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(count_orders(client, placed, IdRange(one.after, one.last))) for one in slices]
    except BaseExceptionGroup as group:
        raise first_of(group) from group
    return [task.result() for task in asked]


class OrderExporters:
    """One export under way. Each slice is a task; as many are exported at once as an organization may have."""

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
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._creating = asyncio.Lock()
        self._keys: dict[int, OrderKeys] = {}
        self._leftover: dict[str, str] = {}
        self._tasks: asyncio.TaskGroup

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
            await self._take_up()
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
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._hire([one for one in self.state.slices if not one.is_here])
        except BaseExceptionGroup as group:
            raise first_of(group) from group

    async def _take_up(self) -> None:
        """Look at the files that an interrupted attempt has left, and for the exports that it had created."""
        here = [one for one in self.state.slices if one.is_here]
        for one in here:
            if one.orders and await asyncio.to_thread(self._place.has, one):
                self._keys[one.number] = (await self._examined(one)).keys
            elif one.orders:
                one.orders, one.export_id = None, None
        self._leftover = await self._jobs.left_over(self.state.name)

    def _hire(self, slices: list[Slice]) -> None:
        for one in slices:
            self._tasks.create_task(self._bring(one))

    async def _bring(self, one: Slice) -> None:
        """Bring one slice home, or cut it. Raises IncompletePull when its file does not come whole."""
        async with self._room:
            for tries in range(1, _MOST_TRIES + 1):
                try:
                    await self._read(one)
                except StorageDown as error:
                    raise Unreachable(
                        error.what, attempts=tries, hint=f"a firewall must let the storage through; {_GOES_ON}"
                    ) from error
                except BrokenExport as error:
                    if one.export_id is not None:
                        self._jobs.discard(one.export_id)
                    one.export_id = None
                    self._place.keep(self.state)
                    self._client.statistics.retries["export"] += 1
                    if error.final or tries == _MOST_TRIES:
                        raise IncompletePull(f"export of orders: {error.what}", hint=_GOES_ON) from error
                else:
                    return

    async def _read(self, one: Slice) -> None:
        if one.export_id is None and not await self._created(one):
            return
        assert one.export_id is not None, "it was created"
        export = await self._jobs.completed(one.export_id, reference=self._reference(one))
        if export.mode not in (None, self.state.asked.mode):
            raise WrongMode(f"export {export.id}: is of mode {export.mode}, not of {self.state.asked.mode}")
        path = self._place.path(one)
        path.unlink(missing_ok=True)
        await self._jobs.fetch(export, path)
        found = await self._examined(one)
        counted = await self._counted(one, export, found.orders)
        self._keys[one.number] = found.keys
        one.bytes, one.sha256 = await asyncio.to_thread(digest_of, path)
        one.orders, one.counted = found.orders, counted
        self._place.keep(self.state)
        if self._on_file is not None:
            self._on_file(sum(here.orders or 0 for here in self.state.slices), self.state.counted)

    async def _examined(self, one: Slice) -> OrdersInFile:
        return await asyncio.to_thread(orders_in_file, self._place.path(one), self.placed)

    async def _counted(self, one: Slice, export: Export, orders: int) -> int:
        """Return what the server counts in the slice. Raises BrokenExport when that is not what the file holds."""
        if export.records_count == orders:
            return orders
        # Orders may have gone since the export was created: the list tells.
        counted = await count_orders(self._client, self.placed, IdRange(one.after, one.last))
        if counted != orders:
            raise BrokenExport(f"the file holds {orders:,} orders, the server counts {counted:,}")
        return counted

    async def _created(self, one: Slice) -> bool:
        """Create the export of a slice; false when there is none to wait for: it was cut, or holds nothing."""
        async with self._creating:
            if one.planned <= self.state.most_records:
                reference = self._reference(one)
                filters = self.placed.filters(IdRange(one.after, one.last))
                document = order_totals_export(filters, narrowed=self._client.is_narrowed, reference=reference)
                try:
                    left = self._leftover.pop(reference, None)
                    one.export_id = left or (await self._jobs.create(document, reference=reference)).id
                except NotCreated as refused:
                    self._learn(one, refused)
                self._place.keep(self.state)
        if one.export_id is None and not one.is_here:
            await self._cut(one)
        return one.export_id is not None

    def _learn(self, one: Slice, refused: NotCreated) -> None:
        """Note what the refusal of a slice means. Raises Refused when orders are not exported here."""
        match refused.verdict.kind:
            case "too_many":
                self.state.most_records = refused.verdict.allowed
                one.planned = max(one.planned, refused.verdict.allowed + 1)
            case "empty":
                one.orders = one.counted = 0
            case _ if isinstance(refused.__cause__, AuthError):
                raise refused.__cause__
            case _ if self._may_be_the_filter(refused):
                raise _FilterRefused(refused.why) from refused
            case _:
                raise Refused(refused.why, status=422, hint=_BY_HAND) from refused

    def _may_be_the_filter(self, refused: NotCreated) -> bool:
        accepted = any(other.export_id or other.is_here for other in self.state.slices)
        return self.state.why_all is None and not accepted and not refused.for_others

    async def _cut(self, one: Slice) -> None:
        ids, most = IdRange(one.after, one.last), self.state.most_records
        if one.cuts == _MOST_CUTS:
            raise BrokenExport("slices stay too large for the server, however they are cut", final=True)
        parts = await cut_at(self._client, self.placed, ids, orders=one.planned, most=most)
        if len(parts) == 1:
            one.planned = await count_orders(self._client, self.placed, ids)
            raise BrokenExport("an export is to hold more orders than the list does")
        fresh = self.state.cut(one, [(part.after, part.last, planned) for part, planned in parts])
        self._place.keep(self.state)
        self._hire(fresh)

    def _reference(self, one: Slice) -> str:
        return f"{self.state.name}/orders/{one.number}"

    async def _proved(self) -> int:
        """Return the server's count now. Raises IncompletePull unless the files hold each order once, and all."""
        count_after = await count_orders(self._client, self.placed)
        orders = sum(one.orders or 0 for one in self.state.slices)
        fewest, most = sorted((self.state.counted, count_after))
        if fewest <= orders <= most and await asyncio.to_thread(are_distinct, list(self._keys.values())):
            return count_after
        self._place.clear()
        raise IncompletePull(
            f"export of orders: the files hold {orders:,}, the server counted {self.state.counted:,} before and "
            f"{count_after:,} after" + ("" if not fewest <= orders <= most else ", and an order is in two files"),
            hint="orders change while they are exported; start the same command again, it begins anew",
        )
