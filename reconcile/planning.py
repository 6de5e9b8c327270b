"""
What a pull would do and cost, told before it: after one token and one count; and an export of orders, after two more.

Knows how requests, minutes and bytes follow from a number of payments and orders. Sends nothing else, and writes
nothing: the mirror is looked at, not opened.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.limiter import Allowance
from reconcile.commercelayer.paging import count_now, shard_count
from reconcile.commercelayer.query import PAGE_SIZE, Window
from reconcile.mirror import bookmarks_in
from reconcile.order_exports.exporters import count_placed
from reconcile.pull.bookmarks import Bookmarks, decode_bookmarks
from reconcile.pull.finished import Finished, finished_pull
from reconcile.pull.incremental import changes_name, earlier_by
from reconcile.pull.pull import agreed_mode, window_name
from reconcile.pull.rechecks import ids_to_check
from reconcile.pull.transports import choose_transport
from reconcile.settings import Secrets, Settings
from reconcile.wiring import connect, pull_window

# The vendor's own tools make exports of so many records since July 2025; the server has the last word.
RECORDS_PER_EXPORT = 5_000
# Where a slice ends, its creation, its share of the polling.
REQUESTS_PER_EXPORT = 4
# The token, the count that a pull begins with, and the one that proves it.
OTHER_REQUESTS = 3
# The token, the two counts that an export of orders begins with, and the one that proves it.
OTHER_ORDER_REQUESTS = 4
# Commits (200 bytes, twice while they are merged), the result and its copy in the mirror (80 each) of the sandbox's
# payments, and room for longer ones.
BYTES_PER_PAYMENT = 700


@dataclass(frozen=True, slots=True)
class Cost:
    """Requests of a transport, and the least minutes they take at the rate limit; null where there is no limit."""

    requests: int
    minutes: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a pull would do.

    `payments` is the server's count of the window, or of what changed in it for an `incremental` pull; `rechecked` are
    asked for by id; `left` are those that an `unfinished` pull has not read yet. `disk_bytes` is what the mirror and
    the result take together. `orders` are to be exported before it, at the cost of `by_order_exports`; null where none
    are.
    """

    organization: str
    mode: str
    payments: int
    incremental: bool
    why: str
    unfinished: bool
    left: int
    rechecked: int
    by_pages: Cost
    by_exports: Cost | None
    transport: str
    why_transport: str
    disk_bytes: int
    orders: int | None = None
    by_order_exports: Cost | None = None

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield subject and message of each line of the plan, for people."""
        yield "access", f"{self.organization}, {self.mode}"
        if self.orders is not None and self.by_order_exports is not None:
            yield "orders", f"{self.orders:,} to export, {_in_words(self.by_order_exports)}"
        if self.incremental:
            yield "pull", f"incremental: {self.payments:,} to read for their changes, {self.rechecked:,} by id"
        else:
            yield "pull", f"everything: {self.payments:,} in all" + (f"; {self.why}" if self.why else "")
        if self.unfinished:
            yield "unfinished", f"a pull is under way and goes on: {self.left:,} are left"
        yield "by pages", _in_words(self.by_pages)
        if self.by_exports is not None:
            yield "by exports", _in_words(self.by_exports)
        yield "transport", f"{self.transport}: {self.why_transport}"
        yield "disk", f"about {max(1, round(self.disk_bytes / 1_000_000)):,} MB"


async def plan(
    settings: Settings, secrets: Secrets, *, recheck: Collection[str] = (), with_orders: bool = False
) -> Plan:
    """
    Return what a pull by `settings` would do now; `recheck` as for `pull_to_parquet`.

    `with_orders`: count the orders too that an export would hold.

    Raises CommerceLayerError and SettingsError as the pull would when it starts.
    """
    window = pull_window(settings)
    since, until = window["since"], window["until"]
    name, folder = window_name(since, until), Path(settings.mirror)
    async with connect(settings, secrets) as client:
        await client.authenticate()
        mode = agreed_mode(client, settings.mode)
        last = finished_pull(folder, name) if settings.incremental else None
        base = last.finished if last is not None else None
        marks = _under_way(folder, changes_name(name) if base else name, base, client.organization, mode)
        changed_since = earlier_by(base.watermark, timedelta(minutes=settings.overlap_minutes)) if base else None
        payments = (await count_now(client, Window(since, until, changed_since))).payments
        left = payments if marks is None else sum(walk.left for walk in marks.walks if not walk.done)
        rechecked = len(ids_to_check(folder / "payments.parquet", recheck)) if base else 0
        orders = (await count_placed(client, since, until))[0] if with_orders else None
        choice = choose_transport("pages" if base else settings.via, payments)
        transport: str = choice.transport
        why_transport = "changes are few" if base else choice.why
        if marks is not None and base is None and settings.via == "auto":
            transport, why_transport = marks.transport, "the unfinished pull goes on as it began"
        return Plan(
            organization=client.organization,
            mode=mode,
            payments=payments,
            incremental=base is not None,
            why=last.why if last is not None else "",
            unfinished=marks is not None,
            left=left,
            rechecked=rechecked,
            by_pages=_cost(_page_requests(left, rechecked), client),
            by_exports=None if base else _cost(_export_requests(left), client),
            transport=transport,
            why_transport=why_transport,
            disk_bytes=BYTES_PER_PAYMENT * ((base.rows if base else 0) + payments),
            orders=orders,
            by_order_exports=None if orders is None else _cost(_export_requests(orders, OTHER_ORDER_REQUESTS), client),
        )


def least_minutes(requests: int, allowance: Allowance | None) -> float | None:
    """
    Return the least minutes in which `requests` may be sent under `allowance` and its burst; null without a limit.

    A window's worth may go at once when it begins, the rest as windows pass.
    """
    if allowance is None:
        return None
    windows = (allowance, allowance.burst())
    return max((max(0, requests - 1) // window.requests) * window.seconds for window in windows) / 60


def _under_way(folder: Path, name: str, base: Finished | None, organization: str, mode: str) -> Bookmarks | None:
    content = bookmarks_in(folder, name, organization=organization, mode=mode)
    marks = decode_bookmarks(content, folder) if content is not None else None
    return None if marks is not None and base is not None and marks.base != base.sha256 else marks


def _page_requests(payments: int, rechecked: int) -> int:
    """A walk ends with a page that is not full: half a page more on average for each shard."""
    pages = payments // PAGE_SIZE + 1 + shard_count(payments) // 2
    return OTHER_REQUESTS + pages + math.ceil(rechecked / PAGE_SIZE)


def _export_requests(records: int, others: int = OTHER_REQUESTS) -> int:
    return others + REQUESTS_PER_EXPORT * math.ceil(records / RECORDS_PER_EXPORT)


def _cost(requests: int, client: CommerceLayer) -> Cost:
    return Cost(requests, least_minutes(requests, client.limiter.allowance()))


def _in_words(cost: Cost) -> str:
    if cost.minutes is None:
        return f"about {cost.requests:,} requests, no limit"
    if not cost.minutes:
        return f"about {cost.requests:,} requests, no wait for the rate limit"
    return f"about {cost.requests:,} requests, at least {cost.minutes:,.1f} minutes at the rate limit"
