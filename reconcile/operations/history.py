"""
What happened to payments and their orders, as Commerce Layer's audit trail has it.

A payment is named by its id, with or without a run, or as `explain` names an item of a run. Reads, and keeps nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconcile.commercelayer.by_id import fetch_payments
from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.reading import Reading
from reconcile.commercelayer.relations import Wanted
from reconcile.errors import UnknownItem, UnknownPayment
from reconcile.operations.explain import items_named
from reconcile.operations.pull import awaited
from reconcile.payments.pull import agreed_mode
from reconcile.payments.trails import Subject, read_trail
from reconcile.runs.folder import published
from reconcile.schema import Row
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings
from reconcile.settings.stages import connect


@dataclass(frozen=True, slots=True)
class Trace:
    """A payment and its order, and the currency that the order has now, ISO 4217; null where it is not known."""

    subject: Subject
    currency_code: str | None

    @property
    def name(self) -> str | None:
        """What each is shown once by: the payment's id, or that of an order without one."""
        return self.subject.payment_id or self.subject.order_id

    @classmethod
    def of_item(cls, item: Row) -> Trace:
        """Return those of a row of ITEMS."""
        code = item["payment_currency_code"] or item["order_currency_code"]
        return cls(Subject(item["payment_id"], item["order_id"]), code)


@dataclass(frozen=True, slots=True)
class History:
    """What happened to a payment and its order: rows of TRAIL, oldest first."""

    of: Trace
    rows: list[Row]


def history(settings: Settings, secrets: Secrets, names: Sequence[str], run: Path | None = None) -> list[History]:
    """
    Return what happened to the payments that `names` name, each once, in their order.

    A name that is no payment's id is looked for among the items of the run folder `run`, else of the latest one in
    `settings.out`. Raises UnknownPayment for one that is not there either, UnknownItem for one that too many have or
    that has neither payment nor order, else as `histories_of`.
    """

    async def read() -> list[History]:
        async with connect(settings, secrets) as client:
            await client.authenticate()
            known = await _payments(client, names, agreed_mode(client, settings.commercelayer.mode))
            latest = [run] if run else published(settings.out)[-1:]
            wanted = await asyncio.to_thread(lambda: {one.name: one for one in _wanted(names, known, latest)})
            return await _histories(client, [*wanted.values()])

    return awaited(read())


def histories_of(settings: Settings, secrets: Secrets, items: Sequence[Row]) -> list[History]:
    """
    Return what happened to the payment and the order of each of `items`, rows of ITEMS; nothing where it has neither.

    Raises SettingsError as `connect`, Refused where the credentials may not read it, else CommerceLayerError.
    """

    async def read() -> list[History]:
        async with connect(settings, secrets) as client:
            await client.authenticate()
            return await _histories(client, [Trace.of_item(item) for item in items])

    return awaited(read())


async def _histories(client: CommerceLayer, wanted: Sequence[Trace]) -> list[History]:
    return [History(one, await read_trail(client.get, one.subject)) for one in wanted]


async def _payments(client: CommerceLayer, names: Sequence[str], mode: str) -> dict[str, Trace]:
    """Return those of `names` that are payments' ids, by id."""
    reading = Reading(client, Wanted(money=False))
    try:
        found = await fetch_payments(reading, names, mode=mode)
    except UnknownPayment as error:
        known = [name for name in names if name not in error.payment_ids]
        found = await fetch_payments(reading, known, mode=mode)
    rows = found.select(["payment_id", "order_id", "currency_code"]).to_pylist()
    return {row["payment_id"]: Trace(Subject(row["payment_id"], row["order_id"]), row["currency_code"]) for row in rows}


def _wanted(names: Sequence[str], known: dict[str, Trace], latest: Sequence[Path]) -> Iterator[Trace]:
    for name in names:
        if name in known:
            yield known[name]
        else:
            yield from _of_items(name, latest)


def _of_items(name: str, latest: Sequence[Path]) -> Iterator[Trace]:
    items = [item for folder in latest for item in items_named(folder, name)]
    if not items:
        elsewhere = "".join(f", and no item of {folder} has it" for folder in latest)
        raise UnknownPayment(
            f"klarna_payments: there is no payment {name}{elsewhere}",
            payment_ids=(name,),
            hint="name a payment id, or a reference, an order number or an item id as in items.csv"
            if latest
            else "ids are case-sensitive; for other names, name the folder of the runs with --out",
        )
    traces = [Trace.of_item(item) for item in items]
    if not any(trace.name for trace in traces):
        raise UnknownItem(
            f'"{name}": has neither a payment nor an order in Commerce Layer, and so no history',
            hint="`reconcile explain` shows what is known of it",
        )
    yield from (trace for trace in traces if trace.name)
