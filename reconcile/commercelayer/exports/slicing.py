"""
Slices: where to cut a window so that each part holds no more payments than an export may.

Knows that the list can be asked who stands at a position, by the time of creation: one request an edge, and nothing
is counted. Does not know what becomes of a slice.

Source: https://docs.commercelayer.io/core/exporting-resources (batches), commercelayer-sdk-utils `src/jobs.ts`
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.query import PAYMENTS_PATH, Window, position_params
from reconcile.commercelayer.resources import first_created_at
from reconcile.commercelayer.tasks import results_of

# `created_at` has milliseconds: what was created in one of them cannot be cut.
_MOMENT = timedelta(milliseconds=1)
# Of one cut: each is a request, and some memory. Parts that are still too large are cut again.
_MOST_PARTS = 1_000


async def slice_edges(client: CommerceLayer, window: Window, *, payments: int, most: int) -> list[datetime]:
    """
    Return the inner edges that cut `window`, which holds about `payments`, into parts of at most `most`; sorted.

    Payments of one moment stay together: where they are too many at the start of the window they become a part of
    their own, and where they fill it there is no edge at all. A part may still hold too many when payments share the
    moment at its start: cut it again.
    """
    parts = min(_MOST_PARTS, -(-payments // most))
    positions = [payments * part // parts + 1 for part in range(1, parts)]
    moments = await results_of(_created_at(client, window, position) for position in positions)
    found = {moment for moment in moments if moment is not None}
    if window.since is not None:
        found = {moment if moment > window.since else window.since + _MOMENT for moment in found}
    return sorted(edge for edge in found if window.until is None or edge < window.until)


async def _created_at(client: CommerceLayer, window: Window, position: int) -> datetime | None:
    """When the payment at `position` was created; null when there are fewer by now."""
    document = await client.get(PAYMENTS_PATH, position_params(window, position))
    return first_created_at(document.body)
