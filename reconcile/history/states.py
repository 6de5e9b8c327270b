"""
What a break is to the runs before it and to the people who decided about it: new, open or reopened; accepted or not.

The matching asks it for every batch of items, after it has shown it all breaks of the run. When a break is which is
known to `identity`, when an acceptance holds to `acceptances`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.files.arrow import whole_column
from reconcile.history.acceptances import Acceptances
from reconcile.history.identity import BEFORE, HISTORY, IDENTITY, identities
from reconcile.schema import Columns


class BreakStates:
    """
    States of the breaks of a run on `business_date`.

    `before` are the breaks of the latest earlier run (identity.BEFORE), `history` is a table of HISTORY, what all
    earlier runs knew; `acceptances` one of ACCEPTANCES, what is decided on that date. Null where there are none.
    """

    def __init__(
        self,
        business_date: date,
        *,
        before: pa.Table | None = None,
        history: pa.Table | None = None,
        acceptances: pa.Table | None = None,
    ) -> None:
        self._business_date = business_date
        self._before = BEFORE.empty_table() if before is None else before.select(BEFORE.names).cast(BEFORE)
        self._known = HISTORY.empty_table() if history is None else history.select(HISTORY.names).cast(HISTORY)
        self._acceptances = Acceptances(acceptances)

    @property
    def open_before(self) -> pa.Array[Any]:
        """The item ids of what was a break in the latest run before."""
        return whole_column(self._before.column("item_id"))

    def of(self, breaks: Callable[[], pa.Table]) -> BreakStatesOfRun:
        """Return the states of a run whose breaks (ABOUT) `breaks` gives; it is not asked where nothing is known."""
        is_first = not (self._before.num_rows or self._known.num_rows)
        found = None if is_first else identities(breaks(), self._before, self._known, self._business_date)
        return BreakStatesOfRun(self._business_date, self._acceptances, found)


@dataclass(frozen=True, slots=True)
class BreakStatesOfRun:
    """States of the breaks of one run: `found` is IDENTITY of all of them, null where every break is new."""

    business_date: date
    acceptances: Acceptances
    found: pa.Table | None

    def columns_of(self, items: Columns) -> Columns:
        """Return LEDGER_COLUMNS of `items`, by the columns that they have so far; null for what is no break."""
        is_break = items["is_break"]
        identity = self._identity(items["item_id"], is_break)
        today = pa.scalar(self.business_date, pa.date32())
        age: Any = pc.subtract(
            pa.scalar((self.business_date - date(1970, 1, 1)).days, pa.int32()),
            identity["first_seen_on"].cast(pa.int32()),
        )
        columns = {
            **identity,
            "last_seen_on": pc.if_else(is_break, today, pa.scalar(None, pa.date32())),
            "age_days": age,
        }
        return {**columns, **self.acceptances.columns_of({**items, **columns})}

    def _identity(self, item_ids: Any, is_break: Any) -> Columns:
        names = [name for name in IDENTITY.names if name != "item_id"]
        ids: Any = pc.if_else(is_break, item_ids, pa.scalar(None, pa.string()))
        if self.found is None:
            new = {"break_id": ids, "first_seen_on": self.business_date, "state": "new"}
            return {name: _where(is_break, new.get(name), IDENTITY.field(name).type) for name in names}
        place = pc.index_in(ids, value_set=whole_column(self.found.column("item_id")), skip_nulls=True)
        assert place.null_count == len(ids) - pc.sum(is_break).as_py(), "every break was shown before"
        return {name: whole_column(self.found.column(name)).take(place) for name in names}


def _where(is_break: Any, value: object, type_: pa.DataType) -> Any:
    given: Any = value if isinstance(value, pa.Array) else pa.scalar(value, type_)
    return pc.if_else(is_break, given, pa.scalar(None, type_))
