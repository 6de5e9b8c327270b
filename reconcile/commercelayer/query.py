"""
Request parameters: which rows, which fields, in which order.

Knows the names of parameters; what comes with each row is said by `relations`. Builds mappings of plain text; sends
nothing.

Sources: https://docs.commercelayer.io/core/filtering-data, .../core/sparse-fieldsets, .../core/pagination
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

from reconcile.commercelayer.clocks import in_utc
from reconcile.commercelayer.relations import Wanted

PAYMENTS_PATH = "klarna_payments"
ORDERS_PATH = "orders"
ACCEPT = "application/vnd.api+json"

PAGE_SIZE = 25  # the most the API gives

Params = Mapping[str, str]

# Attributes joined by `_or_`, also across the relationship: https://docs.commercelayer.io/core/filtering-data
# Money that moves need not touch the order itself, but it does touch the time of its payment status.
_CHANGED = "updated_at_or_order_updated_at_or_order_payment_updated_at_gteq"

_PAGE: Params = {
    "page[number]": "1",
    "page[size]": str(PAGE_SIZE),
    "sort": "id",
}


@dataclass(frozen=True, slots=True)
class Placing:
    """
    When the order of a payment was placed: at or after `since` (null: at any time) and before `until`; in UTC.

    `never`: it was not placed, or there is no order.
    """

    since: datetime | None = None
    until: datetime | None = None
    never: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """
    Payments created at or after `since` (null: from the first) and before `until`; all in UTC.

    With `changed_since` only those that changed then or later, themselves, their order or its payment status; with
    `placing` only those whose order was placed so.
    """

    since: datetime | None
    until: datetime | None
    changed_since: datetime | None = None
    placing: Placing | None = None

    @property
    def filters(self) -> dict[str, str]:
        """What selects its payments: conditions by predicate, as lists and exports take them."""
        conditions = {"created_at_gteq": self.since, "created_at_lt": self.until, _CHANGED: self.changed_since}
        if self.placing is not None:
            conditions |= {"order_placed_at_gteq": self.placing.since, "order_placed_at_lt": self.placing.until}
        filters = {name: timestamp(moment) for name, moment in conditions.items() if moment is not None}
        if self.placing is not None and self.placing.never:
            filters["order_placed_at_null"] = "true"
        return filters


def timestamp(at: datetime) -> str:
    """Return `at` as the API writes and reads it: UTC, milliseconds, `Z`. Finer digits are cut, not rounded."""
    return in_utc(at).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def page_params(window: Window, wanted: Wanted) -> dict[str, str]:
    """Return the parameters of the first page of `window`, with what is `wanted`."""
    return {**wanted.with_payments(), **_PAGE, **_filtered(window)}


@lru_cache(maxsize=256)
def page_query(window: Window, wanted: Wanted) -> str:
    """Return the query string of the first page of `window`: walks of many pages ask for it with each."""
    return query_string(page_params(window, wanted))


def by_id_params(ids: Sequence[str], wanted: Wanted) -> dict[str, str]:
    """Return the parameters of the one page that holds the payments `ids`, at most PAGE_SIZE of them."""
    assert 0 < len(ids) <= PAGE_SIZE, "one page is asked for"
    return {**wanted.with_payments(), **_PAGE, "filter[q][id_in]": ",".join(ids)}


def behind(first: str, after: str) -> str:
    """
    Return the query string of the page that follows the row `after`, an id as given; `first` is that of the first page.

    Keyset, not offset: rows that come or go elsewhere cannot shift the page.
    """
    return f"{first}&{_BEHIND}{quote(after, safe='')}"


def count_params(window: Window) -> dict[str, str]:
    """Return the parameters that count the payments of `window` and name the one created first, in one row."""
    return {
        "fields[klarna_payments]": "created_at",
        "page[number]": "1",
        "page[size]": "1",
        "sort": "created_at",
        **_filtered(window),
    }


def newest_params(window: Window) -> dict[str, str]:
    """Return the parameters that count the payments of `window` and name the one created last, in one row."""
    return {**count_params(window), "sort": "-created_at"}


def position_params(window: Window, position: int) -> dict[str, str]:
    """Return the parameters that show when the payment at `position` (from 1) of `window` was created, by that time."""
    return {**count_params(window), "page[number]": str(position)}


def query_string(params: Params) -> str:
    """Return `params` percent-encoded, brackets too: the API asks for it."""
    return "&".join([f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in params.items()])


_BEHIND = f"{quote('filter[q][id_gt]', safe='')}="


def _filtered(window: Window) -> dict[str, str]:
    return {f"filter[q][{name}]": value for name, value in window.filters.items()}
