"""
Payments by their ids, with their orders: any number of ids, in pages of 25, several at once.

Knows how ids are requested, and when an answer can be believed. Does not know why somebody wants them, and judges
nothing about those that are gone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.commercelayer.document import Document
from reconcile.commercelayer.query import PAGE_SIZE, PAYMENTS_PATH, by_id_params
from reconcile.commercelayer.reading import Reading
from reconcile.commercelayer.resources import payments_from_documents
from reconcile.commercelayer.tasks import results_of
from reconcile.errors import UnknownPayment, Unproved
from reconcile.schema import MIRRORED

IDS_AT_ONCE = 8 * PAGE_SIZE
"""Ids that one batch of `payments_by_id` stands for: eight pages, requested side by side."""

_ATTEMPTS = 3


async def payments_by_id(
    reading: Reading, ids: Sequence[str], *, mode: str | None
) -> AsyncIterator[tuple[int, pa.RecordBatch]]:
    """
    Yield those of the payments `ids` (distinct) that there are, as batches of MIRRORED.

    With each comes the number of ids it answers for, in the order in which they are named; its rows stand in no
    particular order. `mode` is compared with each row's, as by `payments_from_pages`.
    Raises Unproved when the server lists fewer rows than it counts, or rows that were not requested, and what
    `CommerceLayer.get` raises.
    Source: https://docs.commercelayer.io/core/filtering-data
    """
    for part in _parts(ids, IDS_AT_ONCE):
        pages = await results_of(_page(reading, page) for page in _parts(part, PAGE_SIZE))
        yield len(part), payments_from_documents(pages, expected_mode=mode)


async def found_payments(reading: Reading, ids: Sequence[str], *, mode: str | None) -> pa.Table:
    """Return those of the payments `ids` that there are, rows of MIRRORED in any order. Errors as `payments_by_id`."""
    # Ids are listed with commas between them: a string with one is two ids, or none.
    possible = [id_ for id_ in dict.fromkeys(ids) if id_ and "," not in id_]
    batches = [rows async for _, rows in payments_by_id(reading, possible, mode=mode)]
    return pa.Table.from_batches(batches, schema=MIRRORED)


async def fetch_payments(reading: Reading, ids: Sequence[str], *, mode: str | None) -> pa.Table:
    """
    Return the payments `ids`, a table of MIRRORED in the order in which they are named.

    Raises UnknownPayment naming those that there are not, else as `payments_by_id`.
    """
    wanted = list(dict.fromkeys(ids))
    found = await found_payments(reading, wanted, mode=mode)
    places = pc.index_in(pa.array(wanted, type=pa.string()), value_set=found.column("payment_id").combine_chunks())
    if places.null_count:
        unknown = tuple(id_ for id_, place in zip(wanted, places.to_pylist(), strict=True) if place is None)
        raise UnknownPayment(
            f"klarna_payments: there is no payment {', '.join(unknown)}",
            payment_ids=unknown,
            hint="ids are case-sensitive; a token of the other mode, or with a scope, does not see it",
        )
    return found.take(places)


def _parts(ids: Sequence[str], size: int) -> list[Sequence[str]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


async def _page(reading: Reading, ids: Sequence[str]) -> Document:
    for _ in range(_ATTEMPTS):
        document = await reading.get(PAYMENTS_PATH, partial(by_id_params, ids))
        if not set(document.ids) <= set(ids) or len(set(document.ids)) < len(document.ids):
            raise Unproved(
                "klarna_payments: payments were requested by id, and others were returned",
                hint="the server does not filter by id; pull everything (`--full`) instead",
            )
        # An id that does not come back means a payment that is gone: only if the server's count says so too.
        if document.record_count == len(document.ids):
            return document
    raise Unproved(
        f"klarna_payments: asked for {len(ids)} payments by id, the server counts {document.record_count} of them "
        f"and lists {len(document.ids)}",
        hint="the server's list and its own counts disagree; run the same command again later",
    )
