"""
What a pull would do and cost, reported before it: after one token and one count, and another one where an unfinished
pull goes on; and an export of orders, after two more.

Knows how requests, minutes and bytes follow from a number of payments and orders. Sends nothing else, and writes
nothing: the mirror is looked at, not opened.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.paging import count_now, count_payments, shard_count
from reconcile.commercelayer.query import PAGE_SIZE, Window
from reconcile.commercelayer.rate_limit.limiter import Allowance
from reconcile.orders.exports.export import count_placed
from reconcile.payments.bookmarks import Bookmarks, decode_bookmarks
from reconcile.payments.finished import PAYMENTS_NAME, Base, finished_pull
from reconcile.payments.incremental import changes_name, earlier_by
from reconcile.payments.mirror.mirror import bookmarks_in
from reconcile.payments.pull import agreed_mode
from reconcile.payments.rechecks import ids_to_check
from reconcile.payments.resumed import resumed_rows
from reconcile.payments.transport import choose_transport
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings
from reconcile.settings.stages import connect

# The vendor's own tools make exports of so many records since July 2025; the server has the last word.
RECORDS_PER_EXPORT = 5_000
# Where a slice ends, its creation, its share of the polling.
REQUESTS_PER_EXPORT = 4
# The token, the count that a pull begins with, and the one that proves it.
OTHER_REQUESTS = 3
# The token, the two counts that an export of orders begins with, and the one that proves it.
OTHER_ORDER_REQUESTS = 4
# Commits (530 bytes, twice while they are merged), the rows and their copy in the mirror (220 each), payments (80) and
# transactions (150) of the sandbox, and room for longer ones.
BYTES_PER_PAYMENT = 1_800


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
    requested by id; `left` are those that an `unfinished` pull has not read yet, `changed` those it then reads because
    they changed since it began. It `goes_on` from rows of an interrupted pull that was proved. `disk_bytes` is what
    the mirror and the result take together. `orders` are to be exported before it, at the cost of `by_order_exports`;
    null where none are. `history_requests` are the most that a run then spends on the history of its breaks; null
    where it does without. `and_by_id` are the requests that come on top of exports where these do not say of which type
    a payment source is: payments whose orders have one are then read by id.
    """

    organization: str
    mode: str
    payments: int
    incremental: bool
    why: str
    goes_on: bool
    unfinished: bool
    left: int
    changed: int
    rechecked: int
    by_pages: Cost
    by_exports: Cost | None
    transport: str
    why_transport: str
    disk_bytes: int
    orders: int | None = None
    by_order_exports: Cost | None = None
    history_requests: int | None = None
    and_by_id: int = 0

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield subject and message of each line of the plan, for people."""
        yield "access", f"{self.organization}, {self.mode}"
        if self.orders is not None and self.by_order_exports is not None:
            yield "orders", f"{self.orders:,} to export, {_in_words(self.by_order_exports)}"
        if self.incremental:
            kind = "brings the rows of an interrupted pull up to date" if self.goes_on else "incremental"
            yield "pull", f"{kind}: {self.payments:,} to read because they changed, {self.rechecked:,} by id"
        else:
            yield "pull", f"everything: {self.payments:,} in total" + (f"; {self.why}" if self.why else "")
        if self.unfinished:
            then = f"then {self.changed:,} are read again for changes since"
            yield "unfinished", f"an interrupted pull resumes: {self.left:,} are left, {then}"
        yield "by pages", _in_words(self.by_pages)
        if self.by_exports is not None:
            yield "by exports", _in_words(self.by_exports)
            if self.and_by_id:
                yield (
                    "and by id",
                    f"up to {self.and_by_id:,} requests, where exports lack the type of a source",
                )
        yield "transport", f"{self.transport}: {self.why_transport}"
        if self.history_requests is not None:
            yield "history", f"at most {self.history_requests:,} requests more, for the payments of breaks"
        yield "disk", f"about {max(1, round(self.disk_bytes / 1_000_000)):,} MB"


async def plan(
    settings: Settings,
    secrets: Secrets,
    *,
    recheck: Collection[str] = (),
    with_orders: bool = False,
    with_history: bool = False,
) -> Plan:
    """
    Return what a pull by `settings` would do now; `recheck` as for `pull_to_parquet`.

    `with_orders`: also count the orders that an export would hold; `with_history`: a run follows, which reads that of
    its breaks.
    Raises CommerceLayerError and SettingsError as the pull would when it starts.
    """
    asked = settings.pull
    async with connect(settings, secrets) as client:
        await client.authenticate()
        planned = await _of_the_pull(client, settings, recheck)
        orders = (await count_placed(client, asked.first, asked.end))[0] if with_orders else None
        return replace(
            planned,
            orders=orders,
            by_order_exports=None if orders is None else _cost(_export_requests(orders, OTHER_ORDER_REQUESTS), client),
            history_requests=asked.history_requests if with_history else None,
        )


async def _of_the_pull(client: CommerceLayer, settings: Settings, recheck: Collection[str]) -> Plan:
    found = _found(settings, client.organization, mode := agreed_mode(client, settings.commercelayer.mode))
    base, work = found.base, await _work(client, settings, found, recheck)
    transport, why_transport = _transport(settings, found, work.payments)
    return Plan(
        organization=client.organization,
        mode=mode,
        payments=work.payments,
        incremental=base is not None,
        why=found.why,
        goes_on=base is not None and base.finished.carried is not None,
        unfinished=found.marks is not None,
        left=work.left,
        changed=work.changed,
        rechecked=work.rechecked,
        by_pages=_cost(work.page_requests, client),
        by_exports=None if base is not None else _cost(work.export_requests, client),
        transport=transport,
        why_transport=why_transport,
        disk_bytes=BYTES_PER_PAYMENT * (work.payments + (0 if base is None else base.finished.rows)),
        and_by_id=math.ceil(work.left / PAGE_SIZE) if settings.pull.money and base is None else 0,
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """Payments that a pull reads, as `Plan` counts them."""

    payments: int
    left: int
    changed: int
    rechecked: int

    @property
    def page_requests(self) -> int:
        """A walk ends with a page that is not full: half a page more on average for each shard."""
        payments = self.left + self.changed
        pages = payments // PAGE_SIZE + 1 + shard_count(payments) // 2
        return OTHER_REQUESTS + pages + math.ceil(self.rechecked / PAGE_SIZE)

    @property
    def export_requests(self) -> int:
        return _export_requests(self.left) + self.changed // PAGE_SIZE


async def _work(client: CommerceLayer, settings: Settings, found: _Found, recheck: Collection[str]) -> _Work:
    base, marks = found.base, found.marks
    payments = sum([(await count_now(client, window)).payments for window in _windows(found, settings)])
    return _Work(
        payments=payments,
        left=payments if marks is None else sum(walk.left for walk in marks.walks if not walk.done),
        changed=0 if marks is None else await _changed(client, settings, marks),
        rechecked=len(ids_to_check(base.rows, recheck)) if base is not None else 0,
    )


async def _changed(client: CommerceLayer, settings: Settings, marks: Bookmarks) -> int:
    """Return how many payments of the window have changed since the unfinished pull of `marks` began."""
    asked = settings.pull
    again = earlier_by(marks.began_at or marks.cut_off, asked.overlap)
    return (await count_payments(client, asked.changes(asked.end, again))).payments


@dataclass(frozen=True, slots=True)
class _Found:
    """What the mirror holds of a window: rows to resume from or `why` there are none, and an unfinished pull."""

    base: Base | None
    marks: Bookmarks | None
    why: str


def _found(settings: Settings, organization: str, mode: str) -> _Found:
    folder, window = Path(settings.pull.mirror), settings.pull.window
    base, why = resumed_rows(folder, window), ""
    if base is None and settings.pull.incremental:
        last = finished_pull(folder, window)
        base = Base(last.finished, folder / PAYMENTS_NAME) if last.finished is not None else None
        why = last.why
    name = window if base is None else changes_name(window)
    content = bookmarks_in(folder, name, organization=organization, mode=mode)
    marks = decode_bookmarks(content, folder) if content is not None else None
    if marks is not None and base is not None and marks.base != base.finished.sha256:
        marks = None  # it resumes from other rows
    return _Found(base, marks, why)


def _windows(found: _Found, settings: Settings) -> tuple[Window, ...]:
    asked = settings.pull
    if found.base is None:
        return asked.windows(asked.end)
    return (asked.changes(asked.end, earlier_by(found.base.finished.watermark, asked.overlap)),)


def _transport(settings: Settings, found: _Found, payments: int) -> tuple[str, str]:
    if found.base is not None:
        return "pages", "changes are few"
    if found.marks is not None and settings.pull.via == "auto":
        return found.marks.transport, "the unfinished pull resumes the way it began"
    choice = choose_transport(settings.pull.via, payments)
    return choice.transport, choice.why


def least_minutes(requests: int, allowance: Allowance | None) -> float | None:
    """
    Return the least minutes in which `requests` may be sent under `allowance` and its burst; null without a limit.

    A window's worth may go at once when it begins, the rest as windows pass.
    """
    if allowance is None:
        return None
    windows = (allowance, allowance.burst())
    return max((max(0, requests - 1) // window.requests) * window.seconds for window in windows) / 60


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
